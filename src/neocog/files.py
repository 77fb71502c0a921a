"""Files that a user asked for by name: whole or not at all, and in the place of another only where that is wanted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from neocog import disk
from neocog.errors import NeocogError


def check_target(path: str | Path, suffixes: Sequence[str], *, overwrite: bool = False) -> Path:
    """The path that something is to be written to; good to ask before anything is computed.

    Raises:
        NeocogError: another suffix, no such folder, or it exists and `overwrite` isn't set.
    """
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        known = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise NeocogError(f"cannot write '{path}': its suffix tells its kind; give {known}")
    try:
        if not overwrite and (target.is_symlink() or target.exists()):
            raise _exists(path)
        if not target.parent.is_dir():
            raise NeocogError(f"cannot write '{path}': there is no folder '{target.parent}'; make it first")
    except OSError as error:
        raise _unwritable(path, error) from None
    return target


def same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths lead to one file, or would once it is there."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


@contextmanager
def whole_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A new file beside `target` to write into, which takes its place at the end, if nothing was raised.

    A file that is replaced leaves its permissions to the new one, and behind a link it is the file that is replaced.

    Raises:
        NeocogError: the place can't be written to or is full, or the file exists now and `overwrite` isn't set.
    """
    try:
        place = Path(os.path.realpath(target)) if overwrite else target
        handle, name = tempfile.mkstemp(prefix=".neocog-", suffix=target.suffix, dir=place.parent)
        os.close(handle)
        temporary, claimed = Path(name), False
        try:
            yield temporary
            claimed = _claim(place, overwrite)
            temporary.chmod(S_IMODE(place.stat().st_mode))  # a temporary file is for its owner alone
            temporary.replace(place)
            claimed = False
        finally:
            with suppress(OSError):  # on a disk that has become read-only; whatever was raised says more
                temporary.unlink(missing_ok=True)
                if claimed:
                    place.unlink(missing_ok=True)
    except NeocogError:
        raise
    except Exception as error:
        # A writer may stumble over the full disk once more while it closes its file.
        cause = disk.cause(error)
        if cause is None:
            raise
        raise _unwritable(target, cause) from None


def _claim(place: Path, overwrite: bool) -> bool:
    """Whether an empty file was made there, in one step with asking, so that nobody else's can come between.

    Raises NeocogError for one that is there and not to be replaced.
    """
    try:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        return True
    except FileExistsError:
        if not overwrite:
            raise _exists(place) from None
    os.close(os.open(place, os.O_WRONLY))  # what may not be written may not be replaced
    return False


def _exists(path: str | Path) -> NeocogError:
    return NeocogError(f"'{path}' exists already; give another name, or --overwrite (in Python, overwrite=True)")


def _unwritable(path: str | Path, error: OSError) -> NeocogError:
    if disk.is_full(error):
        place = Path(path)
        return NeocogError(disk.full(place.name, place.parent, None, "or give another place", error))
    reason = error.strerror or str(error) or type(error).__name__
    return NeocogError(f"cannot write '{path}': {reason}; give a place that can be written")
