"""Files that somebody else may have made: read within bounds, and never run.

Nothing here unpickles, evaluates or unpacks to a disk. A reader gives plain numbers, texts, arrays or tensors, or
raises `Unreadable` with the reason in one line; who calls it knows the file's name and how to mend it, and says so.
What a file only claims, such as the size of an array, is compared with what is there before memory is taken for it.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import sys
import tarfile
import tomllib
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

MOST_TEXT = 64_000_000  # bytes of a JSON object or a table
MOST_RECIPE = 1_000_000
MOST_UNPACKED = 2_000_000_000  # bytes out of an archive
MOST_WEIGHTS = 16_000_000_000
_MOST_HEADER = 16_000_000  # bytes; of a safetensors file, with all that a checkpoint notes beside its tensors
_MOST_CONTENTS = 1_000_000  # bytes; of the list of contents that ends a zip archive
_MOST_DOTS = 1_000  # in a line of TOML: time grows with the square of the parts of a dotted key
_MOST_NPY_HEADER = 10_000  # bytes; numpy's own bound
_MOST_REASON = 300  # signs
_PIECE = 1_000_000  # bytes that are unpacked at a time
_LARGEST = 2**63  # whole numbers below fit into every array and turn into floats
_JOINERS = "\u200c\u200d"  # which belong to words and to emoji


class Unreadable(ValueError):
    """Why a file can't be read, in one line that is safe to print."""

    def __init__(self, reason: str) -> None:
        # Libraries put what they have read into what they say, however long it is.
        super().__init__(shown(reason if len(reason) <= _MOST_REASON else f"{reason[:_MOST_REASON]}…"))


def shown(text: object) -> str:
    r"""A text from a strange file for one line of a terminal: what would move the cursor or turn the line is escaped.

    >>> print(shown("red \x1b[31m, two\nlines, Zoë 🐈"))
    red \x1b[31m, two\nlines, Zoë 🐈
    """
    return "".join(sign if _harmless(sign) else sign.encode("unicode_escape").decode() for sign in str(text))


def shown_lines(text: object) -> str:
    """As `shown`, for a text of several lines."""
    return "\n".join(shown(line) for line in str(text).split("\n"))


def _harmless(sign: str) -> bool:
    return sign.isprintable() or sign in _JOINERS or unicodedata.category(sign) == "Zs"


def content_of(path: Path, most: int = MOST_TEXT) -> bytes:
    """The bytes of an ordinary file: no pipe that would be waited on for ever, no device that never ends.

    Raises Unreadable, and the system's OSError.
    """
    # Asked before it is opened: to open a pipe is to wait for its other end.
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise Unreadable("it is no ordinary file")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        # Memory is taken for as many bytes as are asked for.
        content = file.read(min(size, most) + 1) if size <= most else b""
    if size > most or len(content) > most:
        raise Unreadable(f"it holds more than {_megabytes(most)}")
    return content


def json_object(raw: bytes, *, finite: bool = True) -> dict[str, Any]:
    """The object that a JSON text is: finite numbers, names that come once, and text that can be written again.

    Without `finite`, NaN and Infinity are read as Python writes them.

    >>> json_object(b'{"accuracy": 0.99}')
    {'accuracy': 0.99}
    """
    if (first := damage(raw)) is not None:
        raise Unreadable(first)
    text = _text(raw)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_once,
            parse_int=_whole,
            parse_float=_finite if finite else float,
            parse_constant=_finite if finite else float,
        )
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("its brackets are nested too deep") from None
    except ValueError as error:
        raise Unreadable(f"it is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable("it holds no object, as in {…}")
    if "\\u" in text or "\\U" in text:
        _refuse_halves(json.dumps(found, ensure_ascii=False))
    return found


def toml_table(raw: bytes) -> dict[str, Any]:
    """The table that a TOML text is.

    >>> toml_table(b"[train]\\nepochs = 2")
    {'train': {'epochs': 2}}
    """
    text = _text(raw)
    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise Unreadable(f"a line has more than {_MOST_DOTS:,} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise Unreadable("its brackets are nested too deep") from None
    except ValueError as error:  # a number of too many digits, too
        raise Unreadable(str(error)) from None


def array_of(raw: bytes) -> np.ndarray[Any, Any]:
    """The array of a .npy file: numbers, booleans or texts, as many as its header says and not one byte more."""
    return _array(io.BytesIO(raw), len(raw), "it")


def arrays_of(raw: bytes, prefix: str = "", most: int = MOST_UNPACKED) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of numpy's archive whose names begin so. All members' sizes count before one is unpacked."""
    _refuse_long_contents(raw)
    found = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
            _refuse_members(members, most)
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name.startswith(prefix):
                    with archive.open(member) as file:
                        found[name] = _array(file, member.file_size, f"its array '{name}'")
    except Unreadable:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        LookupError,
        struct.error,
    ) as e:
        raise Unreadable(f"it is no whole numpy archive: {e or type(e).__name__}") from None
    except (MemoryError, OverflowError):
        raise Unreadable("it is no whole numpy archive") from None
    return found


def tensors_of(raw: bytes, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, whose SHA-256 is compared if it is known."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if (first := damage(raw)) is not None:
        raise Unreadable(first)
    if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256:
        raise Unreadable("its SHA-256 is not the one that was noted, so it is damaged or another file")
    _header(raw)
    try:
        return load(raw)
    except SafetensorError as error:
        raise Unreadable(f"it is no whole safetensors file: {error}") from None
    except KeyError as error:
        raise Unreadable(f"it holds numbers of the kind {error}, which torch doesn't have") from None
    except (ValueError, TypeError, AssertionError, RuntimeError, OverflowError, MemoryError):
        raise Unreadable("it is no whole safetensors file: a shape in its header is not that of its numbers") from None


def tensors_and_notes(raw: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, and the texts that its header holds beside them, which the library drops."""
    return tensors_of(raw), notes_of(raw)  # in this order: the former makes sure of the header


def notes_of(raw: bytes) -> dict[str, str]:
    """The texts beside the tensors of a safetensors file that is known to be whole."""
    return dict(json_object(_header(raw)).get("__metadata__") or {})


def damage(raw: bytes) -> str | None:
    """What is wrong with a file at first sight; None where it takes a closer look."""
    if not raw:
        return "it is empty"
    if raw[:256].lstrip()[:1] == b"<":
        return "it is a web page"
    return None


def gunzipped(raw: bytes, most: int = MOST_UNPACKED) -> bytes:
    """What a gzip file holds, unpacked no further than `most` bytes."""
    if raw[:2] != b"\x1f\x8b":
        raise Unreadable("not a gzip file")
    content = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            while piece := file.read(_PIECE):
                content.write(piece)
                if content.tell() > most:
                    raise Unreadable(f"it unpacks to more than {_megabytes(most)}")
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise Unreadable(str(error) or type(error).__name__) from None
    return content.getvalue()


def untarred(raw: bytes, most: int = MOST_UNPACKED) -> dict[str, bytes]:
    """The ordinary files of a .tar.gz by their whole names, read in memory, so that none can reach the disk.

    Folders are passed over. Names that lead elsewhere, links, devices, files with holes and names that come twice are
    refused, as none of the archives that we ask for has one.
    """
    # Unpacked first, because tarfile reads the extended header of a member whole, whatever its size.
    plain = gunzipped(raw, most)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for member in archive:
                name = member.name
                if member.isdir():
                    continue
                if not member.isfile() or member.issparse():
                    raise Unreadable(f"its member '{name}' is no ordinary file")
                if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                    raise Unreadable(f"its member '{name}' leads out of the archive")
                if name in found:
                    raise Unreadable(f"its member '{name}' is there twice")
                file = archive.extractfile(member)
                found[name] = file.read() if file else b""
                if len(found[name]) != member.size:
                    raise Unreadable(f"its member '{name}' is cut off")
    except Unreadable:
        raise
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, RecursionError, struct.error) as error:
        raise Unreadable(str(error) or type(error).__name__) from None
    return found


def _header(raw: bytes) -> bytes:
    length = int.from_bytes(raw[:8], "little")
    if length > _MOST_HEADER:  # the library reads six times as much
        raise Unreadable(f"its header holds more than {_megabytes(_MOST_HEADER)}")
    return raw[8 : 8 + length]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is no text: byte {error.start + 1:,} is not UTF-8") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable(f"'{_twice(name for name, _ in pairs)}' is there twice")
    return found


def _twice(names: Iterable[str]) -> str | None:
    """The first name that was there before."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -_LARGEST <= (value := int(digits)) < _LARGEST:
        raise Unreadable(f"the number {_short(digits)} is too large")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Unreadable(f"{_short(digits)} is no finite number")
    return value


def _short(digits: str) -> str:
    return digits if len(digits) <= 24 else f"{digits[:20]}…"


def _refuse_halves(text: str) -> None:
    """Half of a sign of two, as in "\\ud800", can neither be printed nor written."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable(f"it holds half a sign, {text[error.start]!r}") from None


def _refuse_long_contents(raw: bytes) -> None:
    """Each line of a zip archive's contents takes memory before any can be looked at."""
    if (first := damage(raw)) is not None:
        raise Unreadable(first)
    end = raw.rfind(b"PK\5\6", max(0, len(raw) - 65_557))
    if end < 0 or len(raw) < end + 22:
        raise Unreadable("it is no whole numpy archive: its end is missing")
    size = int.from_bytes(raw[end + 12 : end + 16], "little")
    if size > _MOST_CONTENTS or raw[max(0, end - 20) : end - 16] == b"PK\6\7":
        raise Unreadable("it has more members than any of ours")


def _refuse_members(members: list[zipfile.ZipInfo], most: int) -> None:
    if (name := _twice(member.filename for member in members)) is not None:
        raise Unreadable(f"its member '{name}' is there twice")
    for member in members:
        if member.flag_bits & 1:
            raise Unreadable(f"its member '{member.filename}' is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable(f"its member '{member.filename}' is packed in a way that numpy doesn't use")
    if sum(member.file_size for member in members) > most:
        raise Unreadable(f"it unpacks to more than {_megabytes(most)}")


def _array(file: Any, size: int, what: str) -> np.ndarray[Any, Any]:
    """The array that begins there, of a file of so many bytes in all."""
    import numpy as np

    shape, fortran, kind = _npy_header(file, what)
    if "O" in kind:
        raise Unreadable(f"{what} holds Python objects, which are never loaded")
    if not re.fullmatch(r"[<>|](b1|[iu][1248]|f[248]|U[1-9]\d{0,6})", kind):
        raise Unreadable(f"{what} holds {_short(kind)}; numbers, booleans or texts are wanted")
    dtype = np.dtype(kind)
    promised, follow = math.prod(shape) * dtype.itemsize, size - file.tell()
    if promised != follow:
        raise Unreadable(f"{what} promises {promised:,} bytes of numbers, but {follow:,} follow")
    content = bytearray(file.read(follow))
    if len(content) != promised:
        raise Unreadable(f"{what} is cut off")
    try:
        found = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    except ValueError:  # more dimensions than arrays have, or a length of 0 beside one that is far too large
        raise Unreadable(f"{what} has no shape that an array can have") from None
    found = found.astype(dtype.newbyteorder("="), copy=False)
    if dtype.kind == "U":
        codes = np.ascontiguousarray(found).view(np.uint32)
        if bool(np.any((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000)))):
            raise Unreadable(f"{what} holds signs that are none")
    return found


def _npy_header(file: Any, what: str) -> tuple[tuple[int, ...], bool, str]:
    """Shape, order and type. Numpy's own reader retries as Python 2 what it can't parse, with errors of many kinds."""
    start = file.read(8)
    width = {b"\x93NUMPY\1\0": 2, b"\x93NUMPY\2\0": 4}.get(start, 0)
    length = int.from_bytes(file.read(width), "little")
    text = file.read(length) if 0 < length <= _MOST_NPY_HEADER else b""
    try:
        found = ast.literal_eval(text.decode("latin-1"))
        shape, fortran, kind = found["shape"], found["fortran_order"], found["descr"]
        good = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        good = good and type(fortran) is bool and len(found) == 3
    except (ValueError, TypeError, LookupError, SyntaxError, RecursionError, MemoryError):
        good = False
    if not good:
        raise Unreadable(f"{what} has no numpy header")
    return shape, fortran, str(kind)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
