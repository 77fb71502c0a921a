"""What file names tell: pictures in the wrong class, in two parts, or in a test whose neighbours were learned.

Numbers are what most pictures are called by, and two parts that count from 1 say nothing. So these are the rules.

- Another class in a file's name is reported as a whole word or words, of three letters or more, where the class of its
  own folder is not named as well. Where a tenth of that folder's names hold it, and half as many as of the class's own,
  it says nothing about the class; in a name such as "type 2", whose number may count the pictures, without the tenth.
  "lion" in the folder "sea lion" counts only if the lions' own files are called so.
- The same file name in two places is reported if chance would hardly give it twice: a number of eight digits, a date
  with a time, a hash, or words without any number.
- A series is pictures of one class and folder whose names differ in their last number only, as do the frames of a film.
  Either the name says that it is a film or frame (clip3_0001, video12-5, frame_17), or there are two numbers with a
  sign between them, for one of many things and one of many pictures of it (house2_0001, 00003_00029). Half of the
  numbers from the first to the last must then be there, and the series must be no more than half of its class, as else
  the first number may be that of the class or the data set. Neither a date is such a number, nor that which cameras
  give a folder (100_0001).

Nothing is reported for 0001.png, IMG_1234.jpg, frog_17.png, Abyssinian_3.jpg or ILSVRC2012_val_00000293.JPEG.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from neocog.data.findings import SHOWN, Finding, count_of, quoted

COMMON = 0.1  # of a folder's names: more than mistakes would be
# Words that browsers, programs and people give to any picture.
_GENERIC = frozenset(
    (
        *("copy", "default", "download", "file", "final", "full", "image", "index", "jpeg", "left", "maxresdefault"),
        *("medium", "photo", "picture", "right", "sample", "screenshot", "small", "test", "testing", "thumb"),
        *("thumbnail", "train", "training", "unnamed", "untitled", "validation"),
    )
)
_FILM = re.compile(
    r"(?<![a-z])(?:(?:clip|video|vid|movie|film|scene|shot|sequence|seq|take|burst|track)[\W_]?\d+|frames?[\W_]*$)"
)
_DATE = re.compile(r"(?<!\d)(?:(?:19|20)\d\d(?:([-_.]?)[01]\d\1[0-3]\d)?|[0-3]\d([-_.]?)[0-3]\d\2(?:19|20)\d\d)(?!\d)")
_CAMERA_FOLDER = re.compile(r"[1-9]\d\d[_-]")
_LAST_NUMBER = re.compile(r"(.*?)(\d+)\)?", re.DOTALL)


@dataclass(frozen=True)
class Named:
    """One picture's name taken apart."""

    path: str
    part: str
    label: str | None  # its class; None where the name doesn't tell
    stem: str  # the file's own name without extension, as it is compared
    below: str  # the folders between the class and the file, each with its "/"

    @property
    def own(self) -> str:
        """What the file's name says beside its class."""
        return _without(self.label or "").sub("", self.stem, count=1) if self.label else self.stem


@lru_cache(1024)
def _without(label: str) -> re.Pattern[str]:
    """Finds a class in a name where no letter or digit touches it."""
    return re.compile(rf"(?<![^\W_]){re.escape(folded(label))}(?![^\W_])")


def leak_findings(known: Sequence[Named], classes: Sequence[str], parts: Iterable[str]) -> list[Finding]:
    """All that these names tell."""
    return [*_foreign(known, classes), *_same_names(known), *_torn(known, parts)]


def taken_apart(part: str, names: Sequence[str], classes: set[str]) -> Iterator[Named]:
    """The names of one part taken apart."""
    split = [name.split("/") for name in names]
    # All lie in one folder that holds the classes: it is that of the part.
    inside = bool(split) and all(len(each) > 2 and each[0] == split[0][0] and each[1] in classes for each in split)
    for path, folders in zip(names, split, strict=True):
        *above, file = folders[1:] if inside else folders
        label = above[0] if above and above[0] in classes else None
        yield Named(
            path, part, label, folded(PurePosixPath(file).stem), folded("".join(f"{each}/" for each in above[1:]))
        )


def folded(text: str) -> str:
    """Without differences of case and Unicode form, and without signs that nobody sees."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


def words(text: str) -> list[str]:
    """Words and numbers in a folded text; a plural counts as its singular.

    >>> words("sea-lions_12b")
    ['sea', 'lion', '12', 'b']
    """
    found = re.findall(r"\d+|[^\W\d_]+", text)
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found]


def _foreign(known: Sequence[Named], classes: Sequence[str]) -> list[Finding]:
    """Files whose names hold the name of another class than their folder's, and not their own."""
    spelt = {name: tuple(words(folded(name))) for name in classes}
    by_first: dict[str, list[str]] = defaultdict(list)
    for name in sorted(classes, key=lambda name: -len(spelt[name])):
        if any(_tells(word) for word in spelt[name]):
            by_first[spelt[name][0]].append(name)
    total = Counter(each.label for each in known)
    held: dict[tuple[str | None, str], list[Named]] = defaultdict(list)
    for each in known:
        for name in _classes_in(words(each.stem), by_first, spelt):
            held[each.label, name].append(each)
    rightly = {each.path for (label, name), files in held.items() if label == name for each in files}
    found: list[tuple[Named, str]] = []
    for (label, name), files in held.items():
        if label is None or spelt[name] == spelt[label]:
            continue
        wrong = [each for each in files if each.path not in rightly]
        own, here = len(held.get((name, name), ())) / max(1, total[name]), len(wrong) / total[label]
        common = 0 < own <= 2 * here and (here > COMMON or spelt[name][-1].isdigit())
        part_of_own = set(spelt[name]) <= set(spelt[label])
        if not common and (own >= 0.5 or not part_of_own):
            found += [(each, name) for each in wrong]
    if not found:
        return []
    found.sort(key=lambda pair: pair[0].path)
    shown = ", ".join(f"{quoted(each.path)} ({quoted(name)})" for each, name in found[:SHOWN])
    more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    paths = tuple(dict.fromkeys(each.path for each, _ in found))
    text = (
        f"{count_of(len(paths), 'file')} in the folder of one class with the name of another: {shown}{more};"
        " look whether the folder or the name is wrong"
    )
    return [Finding("foreign-names", "warning", text, paths)]


def _tells(word: str) -> bool:
    """Whether a word is long enough not to stand in a name by chance; an ideogram is a word by itself."""
    return not word.isdigit() and (len(word) > 2 or unicodedata.name(word[0], "").startswith("CJK"))


def _classes_in(
    found: Sequence[str], by_first: Mapping[str, list[str]], spelt: Mapping[str, tuple[str, ...]]
) -> set[str]:
    """The classes that the words of a name hold; of "sea lion" and "lion", the longer."""
    classes, place = set[str](), 0
    while place < len(found):
        some = [
            name for name in by_first.get(found[place], ()) if tuple(found[place:][: len(spelt[name])]) == spelt[name]
        ]
        classes.update(name for name in some if len(spelt[name]) == len(spelt[some[0]]))
        place += len(spelt[some[0]]) if some else 1
    return classes


def _individual(each: Named) -> bool:
    """Whether two pictures would hardly be called so by chance."""
    own = set(words(folded(each.label or "")))
    if not re.search(r"\d", each.own):
        return any(len(word) > 3 and word not in own | _GENERIC for word in words(each.own))
    undated = _DATE.sub("", each.own)
    long = 8 if undated == each.own else 6  # beside a date, hours, minutes and seconds; fewer count the day's pictures
    if any(len(number.lstrip("0")) >= long for number in re.findall(r"\d+", undated)):
        return True
    hexadecimal = re.findall(r"(?<![^\W_])[0-9a-f]{8,}(?![^\W_])", each.own)
    return any(len(re.findall("[a-f]", one)) > 1 and len(re.findall("[1-9]", one)) > 1 for one in hexadecimal)


def _same_names(known: Sequence[Named]) -> list[Finding]:
    """Individual names that are in two parts, or in two classes."""
    groups: dict[str, list[Named]] = defaultdict(list)
    for each in known:
        groups[each.stem].append(each)
    some = [files for files in groups.values() if len(files) > 1 and any(map(_individual, files))]
    parts = [files for files in some if len({each.part for each in files}) > 1]
    classes = [files for files in some if len({each.label for each in files}) > 1]
    found = []
    if parts:
        text = (
            f"{count_of(len(parts), 'file name')} in more than one part: {_two_of_each(parts, 'part')}; if the pictures"
            " are one, keep it in one part: a test of what was learned by heart says nothing"
        )
        found.append(_about("same-name-in-parts", text, parts))
    if classes:
        text = (
            f"{count_of(len(classes), 'file name')} in more than one class: {_two_of_each(classes, 'label')}; if the"
            " pictures are one, keep it where it belongs"
        )
        found.append(_about("same-name-in-classes", text, classes))
    return found


def _two_of_each(groups: Sequence[Sequence[Named]], differ: str) -> str:
    """Of the first few groups, two pictures that follow each other and lie in different places."""
    shown = []
    for files in groups[:SHOWN]:
        place = next(k for k in range(1, len(files)) if getattr(files[k - 1], differ) != getattr(files[k], differ))
        shown.append(f"{quoted(files[place - 1].path)} and {quoted(files[place].path)}")
    return "; ".join(shown) + (f"; and {len(groups) - SHOWN:,} more" if len(groups) > SHOWN else "")


def _about(kind: str, text: str, groups: Sequence[Sequence[Named]]) -> Finding:
    names = tuple(tuple(each.path for each in files) for files in groups)
    return Finding(kind, "warning", text, tuple(name for some in names for name in some), names)


def _torn(known: Sequence[Named], parts: Iterable[str]) -> list[Finding]:
    """Series that lie in more than one part, or will, because the test part is drawn at random."""
    series = _series(known)
    torn = [files for files in series if len({each.part for each in files}) > 1]
    found = []
    if torn:
        text = (
            f"{len(torn):,} series of pictures, such as the frames of a film, in more than one part:"
            f" {_two_of_each(torn, 'part')}; a test on neighbours of what was learned promises too much: keep each"
            " series in one part"
        )
        found.append(_about("torn-series", text, torn))
    whole = [files for files in series if {each.part for each in files} == {"train"}]
    if whole and "test" not in parts:
        shown = "; ".join(f"{quoted(files[0].path)} to {quoted(files[-1].path)}" for files in whole[:SHOWN])
        more = f"; and {len(whole) - SHOWN:,} more" if len(whole) > SHOWN else ""
        text = (
            f"{len(whole):,} series of pictures, such as the frames of a film: {shown}{more}; the test part is drawn at"
            " random and will hold neighbours of what is learned: make folders train and test, with each series in"
            " one of them"
        )
        found.append(_about("unsplit-series", text, whole))
    return found


def _series(known: Sequence[Named]) -> list[list[Named]]:
    """The series of two pictures or more, each in the order of its numbers."""
    total = Counter(each.label for each in known)
    groups: dict[tuple[str | None, str], list[tuple[int, Named]]] = defaultdict(list)
    for each in known:
        parsed = _LAST_NUMBER.fullmatch(each.own)
        if parsed and len(parsed[2]) <= 18:  # a longer one is no number that counts
            groups[each.label, each.below + parsed[1]].append((int(parsed[2]), each))
    found = []
    for (label, prefix), some in groups.items():
        numbers = {number for number, _ in some}
        if len(numbers) < 2:
            continue
        dense = 2 * len(numbers) > max(numbers) - min(numbers)
        if _is_film(prefix, label or "") or (_counts_within(prefix) and dense and 2 * len(some) <= total[label]):
            found.append([each for _, each in sorted(some, key=lambda pair: (pair[0], pair[1].path))])
    return found


def _is_film(prefix: str, label: str) -> bool:
    """Whether what stands before a number says that it counts the pictures of a film; a class may be called so, too."""
    match = _FILM.search(prefix)
    return match is not None and words(match[0])[0] not in words(folded(label))


def _counts_within(prefix: str) -> bool:
    """Whether another number stands before the number, and a sign between them."""
    return (
        bool(re.search(r"\d", _DATE.sub("", prefix)))
        and not prefix[-1].isalnum()
        and not _CAMERA_FOLDER.fullmatch(prefix)
    )
