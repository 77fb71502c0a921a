"""Arrays kept on disk between runs: each set a folder of .npy files and an about.json, complete or not there at all.

A set is written under a temporary name and renamed when it is whole, so a killed process leaves nothing at the final
name. On opening, shapes and sizes are compared, and pixels up to IN_MEMORY bytes are hashed again: a damaged set
counts as absent and is made anew. (Hashing more than that would cost seconds on every start.)

The set of a folder of pictures is found by their paths, sizes, times and inodes, not by their contents: to hash 10 GB
of files on every start is to read 10 GB, as slow as decoding them where the disk sets the pace, and the cache would
save nothing. What protects from stale pixels is the time of the last change (ctime): the system sets it on every
write and no program can set it back, so even a picture swapped for another of equal size and date makes a new set.
Where there is none (Windows), the date of modification has to do; removing the set has it made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from neocog import disk
from neocog.data.dataset import PARTS, checksum
from neocog.data.room import IN_MEMORY, reserve
from neocog.errors import DataError
from neocog.untrusted import content_of, json_object

VERSION = 1  # of this layout and of what decoding makes of a picture; raise it when either changes
ABOUT = "about.json"
DAY = 24 * 60 * 60


def file_key(root: Path, names: Sequence[str], *extra: Any) -> str:
    """A name for these files as they are now: a hash over each one's path, size, inode and times.

    The contents aren't read; the head of this file says why, and what stands in for them.
    """
    digest = hashlib.sha256(json.dumps([VERSION, *extra], default=str).encode())
    for name in names:
        try:
            stat = (root / name).stat()
            facts = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        except OSError:
            facts = (-1, 0, 0, 0)  # decoding will name it
        digest.update(f"{name}\0{facts}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def scratch(folder: Path) -> Path:
    """A new empty folder beside the final one, so that renaming is one step on one disk."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - left.stat().st_mtime > DAY:  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))


def room(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A new memory-mapped uint8 array in `folder`, its disk space claimed."""
    path = folder / f"{name}.npy"
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    try:
        with path.open("r+b") as file:
            reserve(file.fileno(), path.stat().st_size)
    except OSError:
        path.unlink(missing_ok=True)  # what it got of the room is wanted elsewhere
        raise
    return array


def not_kept(folder: Path, error: OSError) -> str:
    """The note for a cache that can't be written."""
    if disk.is_full(error):
        then = "or set NEOCOG_CACHE to a folder with more"
        return f"prepared pictures are not kept: {disk.full('a copy of them', folder.parent, None, then, error)}"
    return f"prepared pictures are not kept: cannot write '{folder.parent}' ({(error.strerror or str(error)).lower()})"


def finish(made: Path, folder: Path, about: dict[str, Any]) -> tuple[str, ...]:
    """Write what is known of the set and give it its final name; a note if that can't be done.

    No array may be mapped from `made` or `folder` any more: Windows moves and removes no file that is.
    """
    try:
        sizes = {path.name: path.stat().st_size for path in sorted(made.glob("*.npy"))}
        with (made / ABOUT).open("w") as file:
            json.dump({"version": VERSION, **about, "sizes": sizes}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if folder.exists():  # only a damaged one is replaced
            shutil.rmtree(folder)
        made.rename(folder)
    except OSError as error:
        # Another process may have finished the same set first; else the pictures just aren't kept.
        return () if arrays(folder) else (not_kept(folder, error),)
    return ()


def reopened(made: Path, folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a set just finished, memory-mapped from its final place, or from where they were made.

    Raises:
        DataError: the set is in neither place.
    """
    for _ in range(20):
        if kept := arrays(folder):
            return kept[0]
        if made.exists():
            return {path.stem: _mapped(path) for path in made.glob("*.npy")}
        time.sleep(0.1)  # another process is just putting its own copy of the same set there
    raise DataError(f"'{folder}' vanished as soon as it was written; run it again")


def forget_older(folder: Path, **same: Any) -> None:
    """Remove the sets beside this one that have these facts in common with it: they are of files since changed.

    Those that a process is just finishing, under a name that starts with a dot, are left alone.
    """
    for about in folder.parent.glob(f"[!.]*/{ABOUT}"):
        try:
            facts = json_object(content_of(about))
        except (OSError, ValueError):
            continue
        if about.parent != folder and all(facts.get(name) == value for name, value in same.items()):
            shutil.rmtree(about.parent, ignore_errors=True)


def arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """The arrays of a finished set, memory-mapped, and its about; None when it is absent or its files don't fit."""
    try:
        about = json_object(content_of(folder / ABOUT))
        if about["version"] != VERSION:
            return None
        found = {}
        for name, size in about["sizes"].items():
            file = folder / name
            if file.parent != folder or file.suffix != ".npy" or not file.is_file() or file.stat().st_size != size:
                return None
            found[file.stem] = _mapped(file)
        return found, about
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, OverflowError, SyntaxError, TokenError):
        return None


def _mapped(file: Path) -> np.ndarray:
    """The array of a .npy file, of whole numbers alone; what else numpy would load by the same name is none of ours."""
    # Mode "c": tensors want memory they may write to; what is written never reaches the file.
    found = np.lib.format.open_memmap(file, "c")
    if found.dtype.kind not in "iu":
        raise ValueError(f"'{file}' holds {found.dtype}")
    return found


def sound(classes: Sequence[str], parts: dict[str, tuple[np.ndarray, np.ndarray]], about: dict[str, Any]) -> bool:
    """Whether the pixels are still those that were stored."""
    if sum(images.nbytes for images, _ in parts.values()) > IN_MEMORY:
        return True
    ordered = [(part, *parts[part]) for part in PARTS if part in parts]
    return bool(checksum(classes, ordered) == about.get("checksum"))


def in_memory(images: np.ndarray) -> tuple[np.ndarray, bool]:
    """The pixels as an ordinary array if they fit, else as they are; and whether they were copied."""
    if images.nbytes > IN_MEMORY:
        return images, False
    return np.array(images, order="C", subok=False), True
