"""Looking at data as a whole: each picture read once, as far as it can be read, and all that is found about them.

Shapes: N pictures, H W rows and columns, C channels (1 grey, 3 RGB). Pixels are uint8 (N, H, W, C), labels int64 (N,).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neocog.data import folder, idx
from neocog.data.bounds import REPLACE, BadPicture
from neocog.data.catalogue import catalogue
from neocog.data.dataset import Holdings, NumberedNames, Opener, Part, Progress, Source, checksum, take
from neocog.data.decode import Preprocess, quiet_pillow
from neocog.data.doctor import Samples, Stored
from neocog.data.door import Asked, looked_at, of_listing
from neocog.data.duplicates import duplicate_findings
from neocog.data.findings import Finding
from neocog.data.inspection import Inspected, file_findings, inspect_all, inspected, unused_pictures
from neocog.data.naming import balance_findings, name_findings
from neocog.data.room import empty
from neocog.data.threads import over_cores
from neocog.errors import DataError

_ACROSS = 10  # samples in a row of the sheet
_ROWS = 4
_MOST_CLASSES = 200  # of which samples are kept
PLAIN = Asked(None, 0, "crop", "white")


@dataclass(frozen=True)
class Looked:
    """What was seen of some data.

    Attributes:
        files: how many pictures were looked at.
        classes: their names; label k means classes[k].
        parts: what the data brings and what of it can be read.
        counts: part → class → pictures, with those that can't be read.
        findings: in no order of levels.
        opener: opens the data as training does, with the same words where it can't, and reads no picture again.
        image_shape: (C, H, W) of the pictures in `parts`; None where there are none.
        notes: remarks of the data's own.
        stored: what the files of a folder are.
    """

    files: int
    classes: tuple[str, ...]
    parts: Mapping[str, Part]
    counts: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]
    opener: Opener
    image_shape: tuple[int, int, int] | None
    notes: tuple[str, ...] = ()
    stored: Stored | None = None


def look(data: str | Path, asked: Asked, source: Source | None, progress: Progress | None = None) -> Looked | None:
    """All that can be seen of some data; None where nothing can.

    Args:
        data: a name or a folder, as `open_source` takes it.
        asked: how the pictures are to be prepared.
        source: the opened data, or None where training refuses to open them.

    Raises:
        DownloadError: a named set can't be had; other data may be as bad as they like.
    """
    if isinstance(data, str) and data in catalogue:
        return None if source is None else look_at_source(source, progress)
    try:
        root, kind = looked_at(data)
        files = idx.find(root) if kind == "folder" else {}
    except DataError:
        return None
    if any(role.endswith("images") for role in files):
        try:
            if source is not None:
                return look_at_source(source, progress)
        except DataError:
            pass
        return look_at_idx(root, asked, source, progress)
    return look_at_folder(root, asked, source, progress) if kind == "folder" else None


def look_at_folder(root: Path, asked: Asked, source: Source | None, progress: Progress | None) -> Looked:
    """A folder of pictures, faults and all; each file is decoded, whatever the cache has kept of an earlier time."""
    faults: list[Finding] = []

    def fault(kind: str, text: str) -> None:
        if kind == "place":  # what is wrong with the classes is told by `name_findings`
            faults.append(Finding("folder", "error", text))

    found = folder.listing(root, fault)
    if source is None:
        try:
            source = of_listing(found, asked)
        except DataError:  # what was asked for can't be had
            source = of_listing(found, PLAIN)
    preprocess = source.preprocess
    names = found.all_names()
    pixels = empty((len(names), *preprocess.image_size, preprocess.channels))
    files = read_all(found.root, names, preprocess, pixels, progress)
    bad = {row: BadPicture(file.reason, file.mend or REPLACE) for row, file in enumerate(files) if file.reason}
    labels = np.concatenate([np.zeros(0, np.int64), *found.labels.values()])
    bounds = np.cumsum([0, *(len(some) for some in found.names.values())])
    where = {part: range(bounds[place], bounds[place + 1]) for place, part in enumerate(found.names)}

    def part(rows: range) -> Part:
        piece = slice(rows.start, rows.stop)
        return Part(pixels[piece], labels[piece], names[piece])

    def opener(progress: Progress | None) -> Holdings:
        folder.refuse_unreadable([(str(found.root / names[row]), bad[row]) for row in sorted(bad)], len(names))
        held = {each: part(rows) for each, rows in where.items()}
        digest = checksum(found.classes, [(each, some.images, some.labels) for each, some in held.items()])
        return Holdings(tuple(held), held.__getitem__, digest)

    readable = {each: part(rows) for each, rows in where.items()}
    if bad:
        good = {each: [at for at, row in enumerate(rows) if row not in bad] for each, rows in where.items()}
        readable = {each: take(readable[each], np.array(some, int)) for each, some in good.items()}
    if not names:  # pictures that lie about are better than none
        files = inspect_all(found.root, found.loose, progress)
    unused = unused_pictures(found.root, found.others, progress)
    findings = [
        *dict.fromkeys(faults),
        *file_findings(files, preprocess.image_size if names else (1, 1), unused),
        *name_findings(found.folders, found.names),
        *judged(found.classes, readable, progress),
        *balance_findings(counts_of(found.classes, found.labels)),
    ]
    counts = counts_of(found.classes, found.labels)
    return Looked(
        *(len(files), found.classes, readable, counts, tuple(findings), opener),
        image_shape=source.image_shape if names else None,
        notes=source.notes,
        stored=stored_as(files),
    )


def read_all(
    root: Path, names: Sequence[str], preprocess: Preprocess, out: np.ndarray, progress: Progress | None
) -> list[Inspected]:
    """What each file is; the pixels of those that can be read go into the rows of `out`."""

    def work(piece: range) -> list[Inspected]:
        return [inspected(root, names[row], preprocess, out[row]) for row in piece]

    with quiet_pillow():
        pieces = over_cores(work, len(names), "looking at pictures", progress)
    return [file for piece in pieces for file in piece]


def look_at_source(source: Source, progress: Progress | None = None) -> Looked:
    """A named set or IDX files, everything read. Raises what training raises."""
    holdings = source.opener(progress)
    # Carving moves pictures of an owned part; these are needed as they are.
    parts = {part: replace(holdings.read(part), owned=False) for part in holdings.parts}
    counts = counts_of(source.classes, {part: held.labels for part, held in parts.items()})
    findings = [*judged(source.classes, parts, progress), *balance_findings(counts)]
    again = replace(holdings, read=parts.__getitem__)
    return Looked(
        *(sum(len(held.labels) for held in parts.values()), source.classes, parts, counts, tuple(findings)),
        opener=lambda _: again,
        image_shape=source.image_shape,
        notes=source.notes,
    )


def look_at_idx(root: Path, asked: Asked, source: Source | None, progress: Progress | None) -> Looked:
    """A folder of IDX files that training refuses: those parts that can be read."""
    files = idx.find(root)
    held: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    findings: list[Finding] = []
    for part in idx.PARTS:
        if {f"{part}-images", f"{part}-labels"} <= set(files):
            try:
                both = idx.read_part(files, part)
            except DataError as error:
                findings.append(Finding("unreadable", "error", str(error)))
                continue
            if both[0].size:
                held[part] = both
    values = np.unique(np.concatenate([np.zeros(0, np.uint8), *(labels for _, labels in held.values())]))
    classes = tuple(str(value) for value in values)
    size = next((images.shape[1:3] for images, _ in held.values()), (1, 1))
    preprocess = asked.over((int(size[0]), int(size[1])), 1)
    parts = {
        part: Part(
            preprocess.many(images, progress),
            np.searchsorted(values, labels).astype(np.int64),
            NumberedNames(f"{root.resolve().name}/{part}", range(len(labels))),
        )
        for part, (images, labels) in held.items()
    }
    counts = counts_of(classes, {part: each.labels for part, each in parts.items()})
    findings += [*judged(classes, parts, progress), *balance_findings(counts)]

    def opener(progress: Progress | None) -> Holdings:
        assert source is not None
        return source.opener(progress)

    shape = (preprocess.channels, *preprocess.image_size)
    seen = sum(len(each.labels) for each in parts.values())
    return Looked(seen, classes, parts, counts, tuple(findings), opener, shape)


def judged(classes: Sequence[str], parts: Mapping[str, Part], progress: Progress | None) -> list[Finding]:
    """What the pixels tell."""
    some = {part: held for part, held in parts.items() if len(held.labels)}
    return duplicate_findings(
        {part: held.images for part, held in some.items()},
        {part: held.labels for part, held in some.items()},
        {part: held.names for part, held in some.items()},
        progress,
        classes=classes,
    )


def counts_of(classes: Sequence[str], labels_by_part: Mapping[str, np.ndarray]) -> dict[str, dict[str, int]]:
    """Part → class → how many pictures.

    >>> counts_of(["cat", "dog"], {"train": np.array([0, 0])})
    {'train': {'cat': 2, 'dog': 0}}
    """
    return {
        part: dict(zip(classes, np.bincount(labels, minlength=len(classes)).tolist(), strict=True))
        for part, labels in labels_by_part.items()
    }


def stored_as(files: Sequence[Inspected]) -> Stored:
    """What the files are that can be read, the most frequent first."""
    good = [file for file in files if file.reason is None]
    return Stored(
        dict(Counter(file.format for file in good if file.format).most_common()),
        dict(Counter(file.mode for file in good if file.mode).most_common()),
        dict(Counter(file.size for file in good if file.size).most_common()),
    )


def samples_of(classes: Sequence[str], parts: Mapping[str, Part]) -> Samples | None:
    """A few pictures of each class, from all over the training part; None where nothing can be read."""
    part = next((held for held in parts.values() if len(held.labels)), None)
    if part is None:
        return None
    each = max(1, _ROWS * (_ACROSS // len(classes))) if len(classes) <= _ACROSS else 1
    rows: list[int] = []
    for label in range(min(len(classes), _MOST_CLASSES)):
        places = np.flatnonzero(part.labels == label)
        if len(places):
            rows += places[np.unique(np.linspace(0, len(places) - 1, each).round().astype(int))].tolist()
    sign = "#" if isinstance(part.names, NumberedNames) else ""
    return Samples(
        np.array(part.images[rows]),
        tuple(classes[label] for label in part.labels[rows]),
        tuple(sign + str(part.names[row]).rsplit("/", 1)[-1] for row in rows),
    )
