"""What the names of classes tell, and how large classes are; what file names tell is in `leaks`.

Two class names are taken for one if they differ in case, blanks (or _ and -) or Unicode form. Names of one letter may
differ in case: alphabets have two.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence

from neocog.data.findings import SHOWN, Finding, listed, quoted
from neocog.data.leaks import Named, folded, leak_findings, taken_apart

FEW = 10  # pictures of a class: a fifth of fewer leaves one for the test
# Of two classes, always answering the larger is right for 3 pictures of 4, and for 10 of 11. Named data sets stay below
# the first (SVHN comes nearest: 2.98); at the second a network does well by forgetting the smaller class.
UNEVEN, LOPSIDED = 3, 10


def name_findings(
    classes_by_part: Mapping[str, Sequence[str]], names_by_part: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """What class names and file names tell, errors first.

    Args:
        classes_by_part: part → its class names.
        names_by_part: part → its pictures, relative to the root and with "/" between: CLASS/…/FILE, or
            PART/CLASS/…/FILE where the parts have folders of their own. Names of another form tell little.
    """
    classes = list(dict.fromkeys(name for names in classes_by_part.values() for name in names))
    files = [named for part, names in names_by_part.items() for named in taken_apart(part, names, set(classes))]
    known = [each for each in files if each.label is not None]
    return [
        *_single(classes_by_part),
        *(_empty(classes_by_part, known) if known or not files else ()),
        *_between_parts(classes_by_part),
        *_alike(classes),
        *leak_findings(known, classes, names_by_part),
    ]


def balance_findings(counts_by_part: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Classes with few pictures to learn from, and how much larger the largest is than the smallest.

    Args:
        counts_by_part: part → class → number of pictures.
    """
    counts = {name: number for name, number in counts_by_part.get("train", {}).items() if number}
    if len(counts) < 2:
        return []
    found = []
    smallest, largest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    ratio = counts[largest] / counts[smallest]
    if ratio >= UNEVEN:
        share = counts[largest] / sum(counts.values())
        found.append(
            Finding(
                "class-balance",
                "warning" if ratio >= LOPSIDED else "note",
                f"class {quoted(largest)} has {ratio:.3g} times as many training pictures as {quoted(smallest)}"
                f" ({counts[largest]:,} and {counts[smallest]:,}); always answering {quoted(largest)} would be"
                f" right for {share:.0%} of them: judge by the accuracy of each class, or add pictures of the rare"
                " ones",
            )
        )
    few = [name for name, number in counts.items() if number < FEW]
    if few:
        has = "class has" if len(few) == 1 else "classes have"
        text = f"{len(few)} {has} fewer than {FEW} training pictures, too few to learn from: {listed(few)}; add some"
        found.append(Finding("few-pictures", "warning", text))
    return found


def missing_findings(counts_by_part: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Classes of which nothing is measured: without a picture in the validation or test part that is measured on.

    >>> missing_findings({"train": {"cat": 9, "dog": 2}, "test": {"cat": 2, "dog": 0}})[0].text
    "'dog' has no picture in the test part, so no accuracy speaks of it; add pictures of it"
    """
    found = []
    for part, counts in counts_by_part.items():
        missing = [name for name, number in counts.items() if not number]
        if part == "train" or not missing or not any(counts.values()):
            continue
        if len(missing) == 1:
            who, them = f"{quoted(missing[0])} has no picture in the {part} part", "it"
        else:
            who, them = f"{len(missing)} classes have no picture in the {part} part ({listed(missing)})", "them"
        text = f"{who}, so no accuracy speaks of {them}; add pictures of {them}"
        found.append(Finding("unmeasured-class", "warning", text))
    return found


def _single(classes_by_part: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Parts with fewer than two classes."""
    found = []
    for part, classes in classes_by_part.items():
        if len(classes) < 2:
            has = f"one class only, {quoted(classes[0])}" if classes else "no class"
            where = f"the {part} part holds" if len(classes_by_part) > 1 else "there is"
            kind = "single-class" if classes else "no-classes"
            found.append(Finding(kind, "error", f"{where} {has}; at least two are needed"))
    return found


def _empty(classes_by_part: Mapping[str, Sequence[str]], known: Sequence[Named]) -> list[Finding]:
    """Classes without a picture."""
    held = {(each.part, each.label) for each in known}
    found = []
    for part, classes in classes_by_part.items():
        empty = [name for name in classes if (part, name) not in held]
        if empty:
            has = "class has" if len(empty) == 1 else "classes have"
            kind = f"no {part} pictures" if len(classes_by_part) > 1 else "no pictures"
            text = f"{len(empty)} {has} {kind}: {listed(empty)}; put pictures there, or remove the folder"
            found.append(Finding("empty-class", "error", text))
    return found


def _between_parts(classes_by_part: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Parts whose classes are not those of the training part."""
    train = classes_by_part.get("train", ())
    found = []
    for part, classes in classes_by_part.items():
        sides = [
            f"only in {where}: {listed(names)}"
            for where, names in (
                ("train", [name for name in train if name not in classes]),
                (part, [name for name in classes if name not in train]),
            )
            if names
        ]
        if sides and train:
            text = f"the parts train and {part} have different classes; {'; '.join(sides)}; rename or complete them"
            found.append(Finding("classes-differ", "error", text))
    return found


def _alike(classes: Sequence[str]) -> list[Finding]:
    """Class names that a person would read as one."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        key = _spaced(folded(name))
        groups[unicodedata.normalize("NFKC", name).strip() if len(key) == 1 else key].append(name)
    some = [names for names in groups.values() if len(names) > 1]
    shown = "; ".join(" and ".join(f"{quoted(name)}{_form(name, names)}" for name in names) for names in some[:SHOWN])
    more = f"; and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
    text = (
        f"class names that differ only in case, blanks or Unicode form: {shown}{more}; if they are one class, join them"
    )
    return [Finding("alike-classes", "warning", text)] if some else []


def _spaced(text: str) -> str:
    """With one blank for what separates words, and none around."""
    return re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", " ", text).strip()


def _form(name: str, others: Sequence[str]) -> str:
    """The Unicode signs of a name that looks on the screen as another does."""
    if not any(
        name != other and unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other) for other in others
    ):
        return ""
    return f" ({'composed' if unicodedata.is_normalized('NFC', name) else 'decomposed'})"
