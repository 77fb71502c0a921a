"""A folder of pictures: root/CLASS/*.png, or root/{train,val,test}/CLASS/*.png; the folder's name is the class.

Nothing is left out silently: what is no picture is named in the notes, and every picture that can't be read is found
before training starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neocog.data import cache
from neocog.data.bounds import BadPicture
from neocog.data.dataset import PARTS, Holdings, Opener, Part, Progress, checksum
from neocog.data.decode import FORMATS, Preprocess, quiet_pillow
from neocog.data.findings import listed, several
from neocog.data.room import empty, place
from neocog.data.threads import over_cores
from neocog.data.walking import Fault, entries, files_under, folders_in, is_folder, is_picture, places_of, refuse
from neocog.errors import PictureError
from neocog.untrusted import shown

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder: for each part the paths relative to the root, and each one's label."""

    root: Path
    classes: tuple[str, ...]
    names: dict[str, list[str]]
    labels: dict[str, np.ndarray]
    folders: dict[str, tuple[str, ...]]  # the class folders of each part
    others: tuple[str, ...]  # files that are no pictures by their extensions
    loose: tuple[str, ...]  # pictures that lie in no class folder
    notes: tuple[str, ...]

    def all_names(self) -> list[str]:
        """Every picture, parts in the order train, validation, test."""
        return [name for part in self.names for name in self.names[part]]


def class_order(names: Iterable[str]) -> list[str]:
    """Class names in order: by value when all are whole numbers, as labels in arrays are, else by name.

    >>> class_order(["10", "9", "1"]), class_order(["10", "9", "x"])
    (['1', '9', '10'], ['10', '9', 'x'])
    """
    ordered = sorted(names)
    return sorted(ordered, key=int) if all(name.isascii() and name.isdecimal() for name in ordered) else ordered


def part_folders(root: Path, fault: Fault = refuse) -> dict[str, str]:
    """Which folder is which part, empty when the folders of the root are the classes themselves.

    A class may be called "train" (beside "bus"), so train/ counts as a part only if nothing but parts stands in the
    root, or if it holds folders and a validation or test folder stands beside it.
    """
    folders = folders_in(root, fault)
    named = [name for name in folders if name.lower() in PART_NAMES]
    kinds = {PART_NAMES[name.lower()] for name in named}
    trains = [name for name in named if PART_NAMES[name.lower()] == "train"]
    only_parts = bool(named) and len(named) == len(folders)
    nested = bool(trains) and len(kinds) > 1 and bool(folders_in(root / trains[0], fault))
    if not only_parts and not nested:
        return {}
    found: dict[str, str] = {}
    for name in named:
        part = PART_NAMES[name.lower()]
        if part in found:
            fault("place", f"'{shown(root)}' holds both '{found[part]}' and '{name}'; keep one {part} folder")
        found[part] = name
    if "train" not in found:
        fault("place", f"'{shown(root)}' holds {listed(named)} but no folder 'train'; put the training pictures there")
    return {part: found[part] for part in PARTS if part in found}


def listing(root: Path, fault: Fault = refuse) -> Listing:
    """Find classes and pictures; no picture is opened.

    Faults are fewer than two classes, an empty class folder, parts whose classes differ.
    """
    parts = part_folders(root, fault)
    others: list[str] = []
    loose: list[str] = []
    found: dict[str, dict[str, list[str]]] = {}
    notes: list[str] = []
    if parts:
        unused = [name for name in folders_in(root, fault) if name not in parts.values()]
        if unused:
            notes.append(
                f"'{shown(root)}' also holds folders that are no part of the data and are not used: {listed(unused)}"
            )
    for part, name in (parts or {"train": ""}).items():
        base = root / name if name else root
        found[part] = classes_in(base, f"{name}/" if name else "", others, loose, notes, fault)
    for part in found:
        agree(parts, part, set(found.get("train", found[part])), set(found[part]), fault)
    classes = tuple(class_order(set().union(*found.values())))
    if others:
        are = "1 file is no picture and is" if len(others) == 1 else f"{len(others)} files are no pictures and are"
        notes.append(f"{are} not used: {listed(others)}")
    number = {name: index for index, name in enumerate(classes)}
    names = {part: [path for name in classes for path in groups.get(name, [])] for part, groups in found.items()}
    labels = {
        part: np.array([number[name] for name in classes for _ in groups.get(name, [])], np.int64)
        for part, groups in found.items()
    }
    folders = {part: tuple(groups) for part, groups in found.items()}
    return Listing(root, classes, names, labels, folders, tuple(others), tuple(loose), tuple(notes))


def classes_in(
    base: Path, prefix: str, others: list[str], loose: list[str], notes: list[str], fault: Fault = refuse
) -> dict[str, list[str]]:
    """Class → its pictures, as paths from the root; what is not used goes into the lists."""
    classes: dict[str, list[str]] = {}
    files = [entry.name for entry in entries(base, fault) if not is_folder(entry, fault)]
    others += [prefix + name for name in files if not is_picture(name)]
    names = folders_in(base, fault)
    root = base.resolve()
    elsewhere = places_of([root, *root.parents, *(base / name for name in names)])
    unfollowed: list[Path] = []
    for name in names:
        paths = [f"{prefix}{name}/{path}" for path in files_under(base / name, fault, elsewhere, unfollowed)]
        classes[name] = sorted(path for path in paths if is_picture(path))
        if not classes[name]:
            what = f"only files that are no pictures ({listed(paths)})" if paths else "nothing"
            fault("classes", f"the class folder '{shown(base / name)}' holds {what}; put pictures in it or remove it")
        others += sorted(path for path in paths if not is_picture(path))
        inner = {path.removeprefix(f"{prefix}{name}/").split("/")[0] for path in classes[name]}
        if len(inner) > 1 and inner <= set(folders_in(base / name, fault)):
            notes.append(
                f"class '{shown(name)}' has no pictures of its own, only folders of them ({listed(sorted(inner))});"
                f" if those are the classes, give '{shown(base / name)}'"
            )
    if unfollowed:
        links = [prefix + str(link.relative_to(base)) for link in unfollowed]
        lead, are = ("1 link leads", "is") if len(links) == 1 else (f"{len(links)} links lead", "are")
        notes.append(f"{lead} to a folder above, or to that of a class, and {are} not followed: {listed(links)}")
    pictures = [prefix + name for name in files if is_picture(name)]
    loose += pictures
    if len(classes) < 2:
        has = f"one class folder only, '{shown(next(iter(classes)))}'" if classes else "no class folders"
        beside = f" but {len(pictures)} pictures" if pictures and not classes else ""
        fault(
            "classes",
            f"'{shown(base)}' holds {has}{beside}; give each class a folder of its own, at least two:"
            f" {shown(base)}/CLASS/*.png",
        )
    if pictures:
        are = "1 picture lies in no class folder and is" if len(pictures) == 1 else ""
        are = are or f"{len(pictures)} pictures lie in no class folder and are"
        notes.append(f"{are} not used: {listed(pictures)}")
    return classes


def agree(parts: dict[str, str], part: str, train: set[str], other: set[str], fault: Fault = refuse) -> None:
    """Parts must have the same classes, by name."""
    if train == other:
        return
    sides = []
    for folder, names in ((parts["train"], train - other), (parts[part], other - train)):
        if names:
            sides.append(f"only in '{folder}': {listed(sorted(names))}")
    fault(
        "classes",
        f"the folders '{parts['train']}' and '{parts[part]}' hold different classes; {'; '.join(sides)};"
        " rename or complete them",
    )


def opener(found: Listing, preprocess: Preprocess, cache_dir: str | Path | None) -> Opener:
    """Decode once, keep the pixels, and read parts from them."""

    def open_folder(progress: Progress | None) -> Holdings:
        names = found.all_names()
        shape = (len(names), *preprocess.image_size, preprocess.channels)
        bounds = np.cumsum([0, *(len(found.names[part]) for part in found.names)])
        where = {part: slice(bounds[i], bounds[i + 1]) for i, part in enumerate(found.names)}
        key = cache.file_key(found.root, names, preprocess, found.classes, FORMATS)
        folder = place(cache_dir) / "pictures" / f"{found.root.resolve().name}-{key[:24]}"

        def parts_of(pixels: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
            return {part: (pixels[where[part]], found.labels[part]) for part in found.names}

        def holdings(pixels: np.ndarray, digest: str, *notes: str) -> Holdings:
            def read(part: str) -> Part:
                images, owned = cache.in_memory(pixels[where[part]])
                return Part(images, found.labels[part], found.names[part], owned)

            return Holdings(tuple(found.names), read, digest, notes=notes)

        def kept() -> Holdings | None:
            """What an earlier run kept, if it is whole."""
            arrays, about = cache.arrays(folder) or ({}, {})
            pixels = arrays.get("pixels")
            if pixels is None or pixels.shape != shape or not cache.sound(found.classes, parts_of(pixels), about):
                return None
            return holdings(pixels, about["checksum"])

        if whole := kept():
            return whole
        made: Path | None = None
        notes: tuple[str, ...] = ()
        try:
            try:
                made = cache.scratch(folder)
                pixels = cache.room(made, "pixels", shape)
            except OSError as error:
                pixels = empty(shape)
                notes = (cache.not_kept(folder, error),)
            decode_all(found.root, names, preprocess, pixels, progress)
            digest = checksum(found.classes, [(part, *held) for part, held in parts_of(pixels).items()])
            if made is not None and isinstance(pixels, np.memmap) and not notes:
                pixels.flush()
                del pixels  # a mapped file can't be moved on Windows; and from here on nothing may write into it
                facts = {"root": str(found.root.resolve()), "preprocess": repr(preprocess)}
                notes = cache.finish(made, folder, {"checksum": digest, **facts})
                cache.forget_older(folder, **facts)
                pixels = cache.reopened(made, folder)["pixels"]
        finally:
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)
        return holdings(pixels, digest, *notes)

    return open_folder


def decode_all(
    root: Path, names: list[str], preprocess: Preprocess, out: np.ndarray, progress: Progress | None
) -> None:
    """Decode every picture into its row of `out`, over all cores.

    Raises:
        PictureError: naming the first pictures that can't be read, and how many there are.
    """

    def work(piece: range) -> list[tuple[str, BadPicture]]:
        failed = []
        for index in piece:
            path = root / names[index]
            try:
                out[index] = preprocess.pixels(path)
            except BadPicture as error:
                failed.append((str(path), error))
        return failed

    with quiet_pillow():
        bad = [each for failed in over_cores(work, len(names), "decoding pictures", progress) for each in failed]
    refuse_unreadable(bad, len(names))


def refuse_unreadable(bad: Sequence[tuple[str, BadPicture]], count: int) -> None:
    """Raises the PictureError about the pictures among `count` that can't be read, if there are any."""
    if len(bad) == 1:
        path, error = bad[0]
        raise PictureError(f"cannot read '{shown(path)}': {error.reason}; {error.mend}")
    if bad:
        some = several([f"'{shown(path)}': {error.reason}" for path, error in bad])
        raise PictureError(f"cannot read {len(bad)} of {count} pictures: {some}; remove or replace them")
