"""Pictures that are there twice: exactly the same pixels, by their hash, or nearly the same, by `likeness`.

Both `within` and `across` compare the distinct ones of all their pictures by the same measure: a pair that `across`
finds in two arrays is in one group of `within` of both together. `within` looks for the nearest of every picture, and
`across` only for those of its first array, so that it may find a few less. Groups are joined by pairs: where a is like
b and b like c, all three are in one group.

Mirrored and strongly cut copies are not found, and plain shapes drawn by a program, which have no detail of their own,
may be reported: what is found by likeness is to be looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from neocog.data.dataset import Progress
from neocog.data.findings import Finding, Level, count_of, quoted, several
from neocog.data.likeness import Near, Pictures, Pixels, near

SHOWN = 3  # pairs that a finding names

Group = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Two pictures that are one: the place of each, and the mean absolute difference of their pixels."""

    first: int
    second: int
    difference: float  # grey levels of 0 to 255; 0 is exactly the same

    @property
    def exact(self) -> bool:
        """Whether all pixels are the same."""
        return self.difference == 0


def across(images: Pixels, others: Pixels, progress: Progress | None = None) -> list[Pair]:
    """The pictures that are among others as well, each with the one it is most like, in the order of `images`.

    >>> stripes = np.array([[0, 200], [200, 0], [90, 10]], np.uint8).reshape(3, 1, 2, 1)
    >>> across(stripes[:1], stripes[1:]), across(stripes[1:2], stripes)
    ([], [Pair(first=0, second=1, difference=0.0)])
    """
    count = len(images)
    same = _same([images, others])
    # Those that have no copy among the others come first, for only they are to be looked at.
    alone: list[Group] = []
    rest: list[Group] = []
    for places in same:
        (alone if places[-1] < count else rest).append(places)
    copies = alone + rest
    best: dict[int, Near] = {}
    for pair in near(Pictures([images, others], _firsts(copies)), len(alone), progress):
        if copies[pair.second][-1] >= count and (pair.first not in best or pair.alike > best[pair.first].alike):
            best[pair.first] = pair
    found = []
    for places in rest:
        other = next(place for place in places if place >= count) - count
        found += [Pair(place, other, 0.0) for place in places if place < count]
    for pair in best.values():
        other = next(place for place in copies[pair.second] if place >= count) - count
        for place in copies[pair.first]:
            difference = np.abs(images[place].astype(np.int16) - others[other]).mean()
            found.append(Pair(place, other, float(difference)))
    return sorted(found, key=lambda pair: pair.first)


def within(images: Pixels, progress: Progress | None = None) -> list[Group]:
    """The groups of pictures that are one, exactly or nearly: places, ascending in each, groups by their first.

    >>> stripes = np.array([[0, 200], [200, 0], [0, 200]], np.uint8).reshape(3, 1, 2, 1)
    >>> within(stripes)
    [(0, 2)]
    """
    return [tuple(sorted(chain.from_iterable(group))) for group in _groups([images], progress)]


def duplicate_findings(
    images_by_part: Mapping[str, Pixels],
    labels_by_part: Mapping[str, NDArray[np.integer]],
    names_by_part: Mapping[str, Sequence[str]],
    progress: Progress | None = None,
    *,
    classes: Sequence[str] = (),
) -> list[Finding]:
    """What is there twice: exactly or nearly within a part, in two parts, and under two labels.

    Pictures are uint8 (N, H, W, C), prepared to one shape; labels (N,). Kinds: "exact-duplicates", "near-duplicates",
    "leaked-duplicates", "contradicting-duplicates". What is only nearly the same within a part is a note.

    Args:
        images_by_part: for each part its pictures; of two parts that share some, the first may keep them.
        labels_by_part: for each part the label of each picture.
        names_by_part: for each part the name of each picture.
        progress: called as progress("looking for duplicates", done, total).
        classes: the name of each label, to be said beside the names of pictures.

    >>> pictures = np.array([[0, 200], [0, 200]], np.uint8).reshape(2, 1, 2, 1)
    >>> (found,) = duplicate_findings({"train": pictures}, {"train": np.array([1, 1])}, {"train": ["a.png", "b.png"]})
    >>> found.text
    "train holds 1 picture more than once, in 2 files: 'a.png' and 'b.png'; keep one of each"
    """
    parts = [part for part, images in images_by_part.items() if len(images)]
    pictures = [
        _Picture(part, str(name), int(label))
        for part in parts
        for name, label in zip(names_by_part[part], labels_by_part[part], strict=True)
    ]
    if not pictures:
        return []
    groups = [
        [[pictures[place] for place in copies] for copies in group]
        for group in _groups([images_by_part[part] for part in parts], progress)
    ]
    found = [_exact(groups, part) for part in parts] + [_near(groups, part) for part in parts]
    found += [_leaked(groups, first, second) for first, second in combinations(parts, 2)]
    found.append(_contradicting(groups, classes))
    return [each for each in found if each]


@dataclass(frozen=True)
class _Picture:
    part: str
    name: str
    label: int

    def __str__(self) -> str:
        return quoted(self.name)


Copies = list[_Picture]  # pictures that are one


def _of(part: str, group: Iterable[Copies]) -> list[Copies]:
    """What of a group is in a part."""
    here = [[each for each in copies if each.part == part] for copies in group]
    return [copies for copies in here if copies]


def _exact(groups: Iterable[list[Copies]], part: str) -> Finding | None:
    found = [copies for group in groups for copies in _of(part, group) if len(copies) > 1]
    text = (
        f"{part} holds {count_of(len(found), 'picture')} more than once, in {sum(map(len, found)):,} files:"
        f" {_pairs([_and(copies) for copies in found])}; keep one of each"
    )
    return _finding("exact-duplicates", "warning", text, found)


def _near(groups: Iterable[list[Copies]], part: str) -> Finding | None:
    found = [here for here in (_of(part, group) for group in groups) if len(here) > 1]
    files = [list(chain.from_iterable(group)) for group in found]
    text = (
        f"{part} holds {sum(map(len, files)):,} pictures that are nearly the same as others, in"
        f" {count_of(len(found), 'group')}: {_pairs([_and([copies[0] for copies in group]) for group in found])};"
        " look at them, and keep one of each"
    )
    return _finding("near-duplicates", "note", text, files)


def _leaked(groups: Iterable[list[Copies]], first: str, second: str) -> Finding | None:
    shared = [group for group in groups if _of(first, group) and _of(second, group)]
    files, pairs, exact = [], [], 0
    for group in shared:
        ours, theirs = _of(second, group), _of(first, group)
        files.append([each for copies in (*ours, *theirs) for each in copies])
        same = [copies for copies in group if _of(first, [copies]) and _of(second, [copies])]
        exact += sum(each.part == second for copies in same for each in copies)
        shown = [_of(part, same[:1] or group)[0][0] for part in (second, first)]
        pairs.append(f"{shown[0]} is {shown[1]}")
    count = sum(each.part == second for group in files for each in group)
    be = "is" if count == 1 else "are"
    text = (
        f"{count_of(count, 'picture')} of {second} {be} in {first} as well, {_how_alike(exact, count)}:"
        f" {_pairs(pairs)}; {'' if exact == count else 'look at them, and '}keep them in one part, or {second}"
        " accuracy comes out too good"
    )
    return _finding("leaked-duplicates", "warning", text, files)


def _contradicting(groups: Iterable[list[Copies]], classes: Sequence[str]) -> Finding | None:
    def labels(pictures: Iterable[_Picture]) -> int:
        return len({each.label for each in pictures})

    found = [group for group in groups if labels(each for copies in group for each in copies) > 1]
    exact = sum(any(labels(copies) > 1 for copies in group) for group in found)
    files, shown = [], []
    for group in found:
        files.append(list(chain.from_iterable(group)))
        torn = next((copies for copies in group if labels(copies) > 1), files[-1])
        one_each = {each.label: each for each in reversed(torn)}
        shown.append(
            _and([f"{each} ({classes[label]})" if classes else str(each) for label, each in sorted(one_each.items())])
        )
    be = "is" if len(found) == 1 else "are"
    text = (
        f"{count_of(len(found), 'picture')} {be} there under two classes, {_how_alike(exact, len(found))}:"
        f" {_pairs(shown)}; give each picture one class"
    )
    return _finding("contradicting-duplicates", "warning", text, files)


def _finding(kind: str, level: Level, text: str, groups: Sequence[Copies]) -> Finding | None:
    names = tuple(tuple(each.name for each in group) for group in groups)
    return Finding(kind, level, text, tuple(chain.from_iterable(names)), names) if names else None


def _how_alike(exact: int, count: int) -> str:
    """How many of them are exactly the same.

    >>> _how_alike(0, 1), _how_alike(1, 1), _how_alike(0, 3), _how_alike(1, 3), _how_alike(1200, 1200)
    ('nearly the same', 'exactly the same', 'all nearly the same', '1 of them exactly', 'all exactly the same')
    """
    if exact in (0, count):
        return ("all " if count > 1 else "") + ("exactly" if exact else "nearly") + " the same"
    return f"{exact:,} of them exactly"


def _and(names: Sequence[object]) -> str:
    """Names that are one picture: 'a' and 'b', or 'a', 'b' and 7 more."""
    few = [str(name) for name in names[: SHOWN if len(names) <= SHOWN else SHOWN - 1]]
    if len(few) < len(names):
        few.append(f"{len(names) - len(few)} more")
    return f"{', '.join(few[:-1])} and {few[-1]}" if len(few) > 1 else few[0]


def _pairs(texts: Sequence[str]) -> str:
    return several(texts, SHOWN)


def _same(arrays: Sequence[Pixels]) -> list[Group]:
    """The places of each distinct picture in the arrays one after the other, in the order of the first."""
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, picture in enumerate(chain.from_iterable(arrays)):
        places[blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()].append(place)
    return [tuple(each) for each in places.values()]


def _firsts(same: Sequence[Group]) -> NDArray[np.int64]:
    return np.array([places[0] for places in same], np.int64)


def _groups(arrays: Sequence[Pixels], progress: Progress | None) -> list[tuple[Group, ...]]:
    """Pictures that are one, each group as its distinct pictures with the places of their copies."""
    same = _same(arrays)
    group_of = list(range(len(same)))

    def leader(number: int) -> int:
        while group_of[number] != number:
            group_of[number] = group_of[group_of[number]]
            number = group_of[number]
        return number

    for pair in near(Pictures(arrays, _firsts(same)), len(same), progress):
        first, second = sorted((leader(pair.first), leader(pair.second)))
        group_of[second] = first
    members: defaultdict[int, list[Group]] = defaultdict(list)
    for number, places in enumerate(same):
        members[leader(number)].append(places)
    return [tuple(group) for group in members.values() if sum(map(len, group)) > 1]
