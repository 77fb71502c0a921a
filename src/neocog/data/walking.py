"""Walking through a folder of pictures: what lies in it, in the order of names, and which links are followed.

Shown to nobody is what the system or an editor put there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from neocog.data.findings import listed
from neocog.errors import DataError
from neocog.untrusted import shown

EXTENSIONS = frozenset(
    f".{end}"
    for end in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "mpo", "gif", "bmp", "dib", "webp"),
        *("tif", "tiff", "ppm", "pgm", "pbm", "pnm"),
    )
)
NO_CONTENT = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def hidden(name: str) -> bool:
    """Whether the system or an editor put it there: .DS_Store, .ipynb_checkpoints, __MACOSX, Thumbs.db, …"""
    return name.startswith(".") or name.lower() in NO_CONTENT


def is_utf8(name: str) -> bool:
    r"""Whether a name can be written down, as some of those from old archives can't.

    >>> is_utf8("café.png"), is_utf8("caf\udce9.png")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


Fault = Callable[[str, str], None]
"""Told "place" or "classes", and why a folder can't be trained on; `refuse` stops there, others may go on."""


def refuse(kind: str, text: str) -> NoReturn:
    """Raises the DataError."""
    raise DataError(text)


def cannot(do: str, path: str | Path, error: OSError) -> str:
    """The line about a folder or link that the system refuses."""
    return f"cannot {do} '{shown(path)}': {(error.strerror or str(error)).lower()}"


def entries(folder: Path, fault: Fault = refuse) -> list[os.DirEntry[str]]:
    """What is in a folder and not hidden, in the order of names.

    It is a fault if the folder can't be looked into, or holds a name that isn't UTF-8: no run could write it down.
    """
    try:
        with os.scandir(folder) as inside:
            found = sorted((entry for entry in inside if not hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        fault("place", cannot("look into the folder", folder, error))
        return []
    strange = [entry.name for entry in found if not is_utf8(entry.name)]
    if strange:
        what, them = ("a name that is", "it") if len(strange) == 1 else (f"{len(strange)} names that are", "them")
        fault("place", f"the folder '{shown(folder)}' holds {what} not UTF-8: {listed(strange)}; rename {them}")
    return [entry for entry in found if entry.name not in strange]


def is_folder(entry: os.DirEntry[str], fault: Fault = refuse) -> bool:
    """Whether it is a folder or a link to one; a link that leads nowhere, or in a circle, is none."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno != errno.ELOOP:
            fault("place", cannot("follow the link", entry.path, error))
        return False


def folders_in(folder: Path, fault: Fault = refuse) -> list[str]:
    """Names of the folders in a folder."""
    return [entry.name for entry in entries(folder, fault) if is_folder(entry, fault)]


def is_picture(name: str) -> bool:
    """Whether the name ends like a picture's."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122 (names are compared by the ten thousand)


Places = frozenset[tuple[int, int]]  # of folders, by what they are, whatever leads there


def place_of(folder: Path) -> tuple[int, int]:
    """Which folder it is: the same for all links to it."""
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def places_of(folders: Iterable[Path]) -> Places:
    """Which folders they are; those that can't be looked at are left out."""
    found = set()
    for folder in folders:
        with suppress(OSError):
            found.add(place_of(folder))
    return frozenset(found)


def files_under(
    folder: Path,
    fault: Fault = refuse,
    elsewhere: Places = frozenset(),
    unfollowed: list[Path] | None = None,
    above: Places = frozenset(),
) -> Iterator[str]:
    """Paths of all files below a folder, relative to it; links are followed, but not to `elsewhere`, nor in circles.

    The links that are not followed are put into `unfollowed`.
    """
    try:
        above |= {place_of(folder)}
    except OSError as error:
        fault("place", cannot("look into the folder", folder, error))
        return
    for entry in entries(folder, fault):
        inside = folder / entry.name
        if not is_folder(entry, fault):
            yield entry.name
        elif places_of([inside]) & (above | elsewhere if entry.is_symlink() else above):
            if unfollowed is not None:
                unfollowed.append(inside)
        else:
            for name in files_under(inside, fault, elsewhere, unfollowed, above):
                yield f"{entry.name}/{name}"


def pictures_in(path: Path) -> tuple[list[Path], list[Path]]:
    """The pictures anywhere below a folder, and its other files, both sorted, found as those of a class folder are.

    What an extension says is a picture is one, even if it can't be read; hidden files and folders are in neither list.

    Raises:
        DataError: a folder can't be looked into, or a name isn't UTF-8.
    """
    names = sorted(files_under(path))
    pictures = [path / name for name in names if is_picture(name)]
    return pictures, [path / name for name in names if not is_picture(name)]
