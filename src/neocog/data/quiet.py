"""Pillow, and the libraries below it, say nothing of their own while the door decodes."""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from PIL import _imaging

# Pillow logs some damage as errors, which Python prints where nobody has asked for logs.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filters: Any = None
_quiet_handlers: list[Any] = []


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's warnings (odd EXIF, palette transparency, size) don't reach the user: what matters becomes an error.

    The warning filters, and where libtiff tells its errors, belong to the whole process, so threads that decode
    together share one change of them.
    """
    global _quiet_depth, _quiet_filters
    with _quiet_lock:
        _quiet_depth += 1
        if _quiet_depth == 1:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _quiet_handlers[:] = [(tell, tell(None)) for tell in libtiff_tells()]
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _quiet_filters.__exit__(None, None, None)
                for tell, before in _quiet_handlers:
                    tell(before)


@cache
def libtiff_tells() -> list[Any]:
    """libtiff's functions that set who is told of errors and warnings; it writes to standard error else.

    Empty where they can't be reached, as Pillow has no way to them.
    """
    found = []
    try:
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            tell = getattr(library, name)
            tell.argtypes, tell.restype = [ctypes.c_void_p], ctypes.c_void_p
            found.append(tell)
    except (AttributeError, OSError):
        return []
    return found
