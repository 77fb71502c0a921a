"""Room on a disk: asked for before work that needs it, and named when it has run out.

One sentence says so everywhere: what needed how much, where, how much there is, and what to do.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO

WRITING = ".writing-"  # the names of files that are not finished begin so
_QUOTA = getattr(errno, "EDQUOT", errno.ENOSPC)
_FAILED = (errno.EIO, errno.EROFS, getattr(errno, "ESTALE", errno.EIO))
_FULL = (errno.ENOSPC, errno.EFBIG, _QUOTA)
_TENTH = 100_000  # bytes of a tenth of a megabyte


def is_full(error: BaseException) -> bool:
    """Whether this says that a disk, a share of one, or a file can take no more.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(OSError(errno.EACCES, "Permission denied"))
    (True, False)
    """
    return isinstance(error, OSError) and error.errno in _FULL


def has_failed(error: OSError) -> bool:
    """Whether this says that a disk can't be read or written any more, whatever the file."""
    return error.errno in _FAILED


def cause(error: BaseException | None) -> OSError | None:
    """The first of an exception and those it came from that the system raised: writers stumble on while they close."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def check_writable(place: Path) -> None:
    """Raises OSError when nothing can be made at `place`, going by itself or the nearest folder above that is there."""
    folder = place
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        number = errno.EROFS if is_read_only(folder) else errno.EACCES
        raise OSError(number, os.strerror(number))


def is_read_only(folder: Path) -> bool:
    """Whether the disk of a folder can only be read, by whomever; False where the system doesn't tell."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):  # the former on Windows
        return False


def free(place: Path) -> int:
    """The bytes that can still be written there, or to the nearest folder above that is there. Raises OSError."""
    return shutil.disk_usage(_nearest(place)).free


def used(folder: Path) -> int:
    """The bytes of the files in a folder and in those below it."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            found += path.stat().st_size if path.is_file() else 0
    return found


def megabytes(size: int) -> str:
    """A number of bytes as people read it, not rounded up.

    >>> megabytes(4_199_999), megabytes(4_199)
    ('4.1 MB', '4,199 bytes')
    """
    if size < _TENTH:
        return f"{size:,} bytes"
    return f"{size // _TENTH / 10:,.1f} MB"


def full(what: str, place: Path, needs: int | None, then: str, error: OSError | None = None) -> str:
    """The sentence for a full disk.

    Args:
        what: is to be written.
        place: the folder that it is to be in.
        needs: its bytes; None where nobody knows.
        then: what making room is good for, or what else to do; "" for nothing.
        error: what the system said; without one there is just too little room.

    >>> print(full("weights.npz", Path("/"), 10**18, "and start again"))  # doctest: +ELLIPSIS
    disk full: weights.npz in '/' needs 1,000,000,000,000.0 MB and there are ... MB; make room, and start again
    """
    number = None if error is None else error.errno
    # Rounded up, as the room that there is is rounded down, so that the one never looks like enough for the other.
    least = None if needs is None else megabytes(needs if needs < _TENTH else -(-needs // _TENTH) * _TENTH)
    then = f", {then}" if then else ""
    needed = "needs more" if least is None else f"needs {least}"
    if number == errno.EFBIG:
        limit = _largest_file()
        most = "fewer" if limit is None else f"{megabytes(limit)} at most"  # without a limit: of the disk's own
        do = f"raise the limit (ulimit -f){then}"
        return f"file too large: {what} in '{place}' {needed}, and a file may have {most}; {do}"
    if number == _QUOTA != errno.ENOSPC:
        return f"disk full: {what} in '{place}' {needed}, and your share of the disk is used up; make room{then}"
    if number is not None and _no_more_files(place):
        return f"disk full: '{place}' takes no more files, however small; remove some{then}"
    try:
        there = free(place)
    except OSError:
        return f"disk full: {what} in '{place}' {needed}, and nobody knows how much there is; make room{then}"
    if needs is not None and there < needs:
        return f"disk full: {what} in '{place}' {needed} and there are {megabytes(there)}; make room{then}"
    # By now others may have left, and so has what was written of it: the room says little, but may say all.
    found = "found no room" if needs is None else f"{needed} and found no room"
    return f"disk full: {what} in '{place}' {found} (free now: {megabytes(there)}); make room{then}"


def too_little(what: str, place: Path, needs: int, largest: int, then: str) -> str | None:
    """The same sentence before any work, where files of `needs` bytes together have no room there; else None.

    `largest` of them are in one file. Where the system doesn't tell its room, as some shares don't, there is enough.
    """
    try:
        found = shutil.disk_usage(_nearest(place))
    except OSError:
        return None
    if found.total > 0 and found.free < needs:
        return full(what, place, needs, then)
    most = _largest_file()
    if most is not None and largest > most:
        return full(f"a file of {what}", place, largest, then, OSError(errno.EFBIG, os.strerror(errno.EFBIG)))
    return None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write into, which takes its name at the end, if nothing was raised.

    By then it is on the disk and not only in the system's memory, and so is the name. Raises OSError.
    """
    handle, name = tempfile.mkstemp(prefix=WRITING, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        _flush(temporary)
        temporary.replace(path)
        flush_folder(path.parent)
    finally:
        with suppress(OSError):  # on a disk that has become read-only; whatever was raised says more
            temporary.unlink(missing_ok=True)


def append(file: FileIO, content: bytes) -> None:
    """Adds all of `content` to an unbuffered file, or nothing of it and raises OSError."""
    begin = file.seek(0, os.SEEK_END)
    left = memoryview(content)
    try:
        while left:  # a disk that has some room takes a part first
            left = left[file.write(left) :]
    except OSError:
        with suppress(OSError):
            if file.seek(0, os.SEEK_END) == begin + len(content) - len(left):  # nobody else has added to it
                file.truncate(begin)
        raise


def sweep(folder: Path) -> None:
    """Removes what killed processes were writing there; only for who knows that no other process is."""
    with suppress(OSError):
        for left in folder.glob(f"{WRITING}*"):
            with suppress(OSError):
                left.unlink()


def flush_folder(folder: Path) -> None:
    """A folder's list of names onto the disk, where the system has a way to ask for it. Raises OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # shares know nothing of it
            raise
    finally:
        os.close(handle)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # Windows flushes only what may be written to
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _nearest(place: Path) -> Path:
    place = place.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place


def _no_more_files(place: Path) -> bool:
    """Whether the disk has room for bytes, but none for names of files."""
    try:
        found = os.statvfs(_nearest(place))
    except (AttributeError, OSError):  # the former on Windows
        return False
    return found.f_files > 0 and found.f_favail == 0


def _largest_file() -> int | None:
    """The bytes that this process may put into one file; None for no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if most == resource.RLIM_INFINITY else most
