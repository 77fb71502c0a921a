"""Files that a user asked for by name: whole or not at all, and in the place of another only where that is wanted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
            raise NeocogError(f"'{path}' exists already; give another name, or --overwrite (in Python, overwrite=True)")
        if not target.parent.is_dir():
            raise NeocogError(f"cannot write '{path}': there is no folder '{target.parent}'; make it first")
    except OSError as error:
        raise _unwritable(path, error) from None
    return target


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A new file beside `target` to write into, which takes its name at the end, if nothing was raised.

    Raises:
        NeocogError: the place can't be written to, or is full.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=".neocog-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # as any new file; a temporary one is for its owner alone
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(target, error) from None


def _umask() -> int:
    mask = os.umask(0)  # there is no way to read it but to set it
    os.umask(mask)
    return mask


def _unwritable(path: str | Path, error: OSError) -> NeocogError:
    return NeocogError(f"cannot write '{path}': {error.strerror}; give a place that can be written")
