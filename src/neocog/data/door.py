"""`open_source`: the one door through which every kind of data comes in."""

from __future__ import annotations

import stat
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from neocog.data import arrays, folder, glance, idx, walking
from neocog.data.catalogue import catalogue, open_entry
from neocog.data.dataset import Holdings, NumberedNames, Part, Progress, Source, checksum
from neocog.data.decode import Preprocess
from neocog.errors import DataError, unknown
from neocog.untrusted import shown

COLOURS = {"auto": 0, "grey": 1, "rgb": 3}


def open_source(
    data: str | Path | tuple[Any, Any],
    *,
    image_size: int | tuple[int, int] | None = None,
    color: str = "auto",
    resize: str = "crop",
    background: str = "white",
    validation: str | int | float = "auto",
    test: str | int | float = "auto",
    cache_dir: str | Path | None = None,
) -> Source:
    """What is known of some data before a picture is decoded: classes, shape, and how pictures are prepared.

    Args:
        data: a catalogue name, a folder of IDX files, a folder of pictures, or (images, labels). A text that is a
            catalogue name is never a folder, and a Path always is one.
        image_size: a number for squares, or (height, width); None keeps the data's own, or 64 for mixed pictures.
        color: "auto", "grey" or "rgb".
        resize: "crop", "letterbox" or "stretch".
        background: colour under transparency and in letterbox bars.
        validation: "auto" (min(5000, 10 %)), a count, or a share; used where the data bring no validation part.
        test: "auto" (20 %), a count, or a share; used where the data bring no test part.
        cache_dir: where decoded and downloaded pictures are kept; else $NEOCOG_CACHE, else the user's cache folder.

    Raises:
        DataError: the data can't be trained on; one line says why and how to mend it.

    >>> source = open_source("mnist")
    >>> source.image_shape, len(source.classes), source.origin
    ((1, 28, 28), 10, 'embedded')
    """
    if color not in COLOURS:
        raise DataError(unknown("color", str(color), COLOURS))
    size = sized(image_size)
    asked = Asked(size, COLOURS[color], resize, background)
    if isinstance(data, tuple | list) and len(data) == 2 and not isinstance(data[0], str):
        source = of_arrays(data[0], data[1], asked)
    elif isinstance(data, str | Path):
        source = named_or_folder(data, asked, cache_dir)
    else:
        raise DataError(
            f"data is a {type(data).__name__}, but a name, a folder, or the pair (images, labels) is needed"
        )
    return replace(source, validation=validation, test=test)


class Asked:
    """What the user asked of the pictures, as far as it was said."""

    def __init__(self, size: tuple[int, int] | None, channels: int, resize: str, background: str) -> None:
        self.size, self.channels, self.resize, self.background = size, channels, resize, background

    def over(self, size: tuple[int, int], channels: int) -> Preprocess:
        """The preparation, with the data's own size and colour where nothing was said."""
        return Preprocess(self.size or size, self.channels or channels, self.resize, self.background)


def sized(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """(height, width) of what the user gave."""
    if image_size is None:
        return None
    pair = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise DataError(f"image_size = {image_size} is not a size; give a number, or (height, width)")
    return pair


def named_or_folder(data: str | Path, asked: Asked, cache_dir: str | Path | None) -> Source:
    """A catalogue name wins over a folder of the same name; write ./mnist, or give a Path, for the folder."""
    if isinstance(data, str) and data in catalogue:
        return of_entry(data, asked, cache_dir)
    root, kind = looked_at(data)
    if kind == "folder":
        if any(role.endswith("images") for role in idx.find(root)):
            return of_idx(root, asked)
        return of_folder(root, asked, cache_dir)
    if kind == "file":
        raise DataError(
            f"'{shown(data)}' is a file; give the folder that holds the class folders, or a data set's name"
        )
    close = get_close_matches(str(data).lower(), catalogue, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise DataError(
        f"'{shown(data)}' is no data set neocog knows, and there is no such folder; {hint}Known: {', '.join(catalogue)}"
    )


def looked_at(data: str | Path) -> tuple[Path, str]:
    """The path that was meant, and what is there: "folder", "file" or ""."""
    if data == "":  # an unset variable of a shell, most often; as a path it would be the folder one stands in
        return Path(data), ""
    try:
        root = Path(data).expanduser()
        mode = root.stat().st_mode
        name = root.resolve().name
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no path holds a zero byte
        return Path(data), ""
    except (OSError, RuntimeError) as error:  # one may not look there, a name is too long, a user has no home, …
        why = idx.reason(error).lower().rstrip(".")
        raise DataError(f"cannot look at '{shown(data)}': {why}; check the path") from None
    if not stat.S_ISDIR(mode):
        return root, "file"
    # The path and the name are written into every run, and a run is UTF-8.
    for text in (str(root), name):
        if not walking.is_utf8(text):
            raise DataError(f"the folder '{shown(text)}' has a name that is not UTF-8; rename it")
    return root, "folder"


def of_entry(name: str, asked: Asked, cache_dir: str | Path | None) -> Source:
    """A named set."""
    entry = catalogue[name]
    channels, height, width = entry.image_shape
    preprocess = asked.over((height, width), channels)

    def open_named(progress: Progress | None) -> Holdings:
        return prepared(open_entry(entry, cache_dir, progress), entry.image_shape, preprocess, progress)

    return Source(
        name=name,
        origin="embedded" if name == "mnist" else entry.where,
        classes=entry.classes,
        image_shape=(preprocess.channels, *preprocess.image_size),
        preprocess=preprocess,
        opener=open_named,
        licence=entry.licence,
        citation=entry.citation,
        counts=dict(entry.counts),
    )


def of_arrays(images: Any, labels: Any, asked: Asked) -> Source:
    """Arrays in memory."""
    pictures, numbers, classes = arrays.checked(images, labels)
    _, height, width, channels = pictures.shape
    preprocess = asked.over((height, width), channels)
    return Source(
        name="arrays",
        origin="arrays in memory",
        classes=classes,
        image_shape=(preprocess.channels, *preprocess.image_size),
        preprocess=preprocess,
        opener=arrays.opener(pictures, numbers, classes, preprocess),
        counts={"train": len(numbers)},
    )


def of_folder(root: Path, asked: Asked, cache_dir: str | Path | None) -> Source:
    """A folder of pictures."""
    return of_listing(folder.listing(root), asked, cache_dir)


def of_listing(found: folder.Listing, asked: Asked, cache_dir: str | Path | None = None) -> Source:
    """The pictures that were found in a folder."""
    size = asked.size or glance.usual_size(found)
    channels = asked.channels or (3 if glance.has_colour(found) else 1)
    preprocess = asked.over(size, channels)
    notes, every = found.notes, found.all_names()
    looked = len(glance.sample(every))
    if not asked.channels and channels == 1 and looked < len(every):
        notes += (
            f"colour was judged from {looked} of {len(every):,} pictures, all of them grey, so every picture becomes"
            " grey; should others have colour, --set dataset.color=rgb keeps it",
        )
    return Source(
        name=found.root.resolve().name or "pictures",
        origin=str(found.root),
        classes=found.classes,
        image_shape=(channels, *size),
        preprocess=preprocess,
        opener=folder.opener(found, preprocess, cache_dir),
        counts={part: len(names) for part, names in found.names.items()},
        notes=notes,
    )


def of_idx(root: Path, asked: Asked) -> Source:
    """A folder of IDX files; the labels are read at once (they are small), the pictures when they are loaded."""
    files = idx.find(root)
    for part in ("train", "test"):
        have = [role for role in (f"{part}-images", f"{part}-labels") if role in files]
        if len(have) == 1 or (part == "train" and not have):
            missing = next(role for role in (f"{part}-images", f"{part}-labels") if role not in files)
            name = f"{idx.PARTS[part]}-{missing.split('-')[1]}-idx{3 if 'images' in missing else 1}-ubyte"
            raise DataError(f"'{root}' holds IDX files but no '{name}' (or '{name}.gz'); put it there")
    parts = ("train", "test") if "test-images" in files else ("train",)
    labels = {}
    counts = {}
    shape: tuple[int, int] | None = None
    for part in parts:
        path = files[f"{part}-labels"]
        labels[part] = idx.parse(idx.unzipped(path), 1, str(path))
        images = files[f"{part}-images"]
        counts[part], *sides = idx.image_shape(images)
        if 0 in (counts[part], *sides):
            mend = "get the file again" + (", or remove both test files" if part == "test" else "")
            raise DataError(f"'{images}' holds {counts[part]} pictures of {sides[0]} × {sides[1]} pixels; {mend}")
        if len(labels[part]) != counts[part]:
            raise DataError(
                f"'{images}' holds {counts[part]} pictures but '{path}' {len(labels[part])} labels;"
                " they must be equally many"
            )
        if shape is not None and shape != tuple(sides):
            raise DataError(f"'{root}' holds training pictures of {shape} but test pictures of {tuple(sides)}")
        shape = (sides[0], sides[1])
    assert shape is not None
    values = np.unique(labels["train"])
    if len(values) < 2:
        raise DataError(f"the labels in '{root}' name fewer than two classes; at least two are needed")
    strange = sorted({int(value) for part in parts for value in np.setdiff1d(labels[part], values)})
    if strange:
        raise DataError(f"the test labels in '{root}' hold {strange[0]}, which no training picture has")
    classes = tuple(str(value) for value in values)
    preprocess = asked.over(shape, 1)

    def read(part: str) -> Part:
        images, _ = idx.read_part(files, part)
        numbers = np.searchsorted(values, labels[part]).astype(np.int64)
        return Part(
            np.array(images), numbers, NumberedNames(f"{root.resolve().name}/{part}", range(len(numbers))), owned=True
        )

    def open_idx(progress: Progress | None) -> Holdings:
        held = ((part, read(part)) for part in parts)
        digest = checksum(classes, ((name, part.images, part.labels) for name, part in held))
        return prepared(Holdings(parts, read, digest), (1, *shape), preprocess, progress)

    return Source(
        name=root.resolve().name or "idx",
        origin=str(root),
        classes=classes,
        image_shape=(preprocess.channels, *preprocess.image_size),
        preprocess=preprocess,
        opener=open_idx,
        counts=counts,
    )


def prepared(
    holdings: Holdings, stored: tuple[int, int, int], preprocess: Preprocess, progress: Progress | None
) -> Holdings:
    """The same holdings with another size or colour, if that was asked for."""
    if stored == (preprocess.channels, *preprocess.image_size):
        return holdings

    def read(part: str) -> Part:
        held = holdings.read(part)
        return replace(held, images=preprocess.many(held.images, progress), owned=True)

    return replace(holdings, read=read, statistics=None)
