"""What people write becomes a kernel: a name, a file with rows of numbers, or the rows themselves."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from neocog.errors import KernelError, unknown
from neocog.kernels.named import KERNELS, kernel
from neocog.kernels.rows import Kernel, Rows, counted, quoted
from neocog.untrusted import Unreadable, array_of

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MOST_BYTES = 1_000_000  # a picture given by mistake is not read to its end
_ZERO_IN_FLOAT32 = 2.0**-150  # and all below: half of the smallest number that it has
_NUMPY = b"\x93NUMPY"  # how a .npy file begins
_HINT = "give a kernel's name, a file with rows of numbers, or a text such as '1 0 -1; 2 0 -2; 1 0 -1'"
_POINTS = "write decimals with a point, such as 0.5"


def read_kernel(what: str | os.PathLike[str], /, **settings: Any) -> Kernel:
    """The kernel of that name, in that file, or written in that text; a name goes before a file, a file before a text.

    Numbers stand apart by spaces or commas, and may be fractions such as 1/9. Rows end with the line; a text of one
    line ends them with `;`. In texts of several lines `;` parts numbers, as in tables. `#` starts a comment. A file
    may also be numpy's .npy, with a rectangle of numbers.

    Args:
        what: a name, a path, or rows of numbers.
        settings: for a name only; see `kernel`.

    Raises:
        KernelError: what can't be read, and where; the text names the row or the line. So is a number in a text that
            float32 can't tell from 0.

    >>> read_kernel("1 0 -1; 2 0 -2; 1 0 -1").rows
    ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
    >>> read_kernel("1/4, 1/2, 1/4").total
    1.0
    """
    try:
        text = os.fspath(what)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise KernelError(f"no kernel can be read from {quoted(what)}; {_HINT}")
    if (name := text.strip()) in KERNELS:
        return kernel(name, **settings)
    path = _file(text)
    if path is None and not _looks_like_rows(name):
        raise KernelError(_nothing_there(name))
    given = [key for key, value in settings.items() if value is not None]
    if given:
        raise KernelError(
            f"kernel {quoted(text)} is numbers, which take no {given[0]}; give a kernel's name to set one"
        )
    if path is not None:
        name = path.stem if path.is_file() else "kernel"  # a pipe's name is only a number
        return Kernel(name, _from_file(path, f"kernel file {quoted(text)}"))
    return Kernel("kernel", _rows(text, f"kernel {quoted(text)}"))


def _file(text: str) -> Path | None:
    """The file that a text names; `~` is the user's folder, and a pipe will do, as from `<(…)` in a shell."""
    for name in (text, text.strip()):
        try:
            path = Path(name).expanduser()
            if path.exists() and not path.is_dir():
                return path
        except (OSError, ValueError, RuntimeError):  # too long for a name, or a sign that names can't have: it is rows
            continue
    return None


def _looks_like_rows(name: str) -> bool:
    """Names and paths start with a letter, mostly, and have no gaps; or they end like a file."""
    if _ends_like_a_file(name) or _setting_of(name):
        return False
    return not name or bool(re.match(r"[-+−#\d\[(]|\.\d|\S*[\s,;]", name))


def _ends_like_a_file(name: str) -> bool:
    if _NUMBER.fullmatch(re.split(r"[\s,/]", name)[-1]):
        return False
    return bool(re.fullmatch(r"[^;\n]*\.[a-z]\w{0,4}|[^\s;/]*[a-df-z][^\s;]*/[^\s;]*", name, re.IGNORECASE))


def _setting_of(name: str) -> str | None:
    """The kernel that a text starts with, if something comes after its name: `gaussian 5`."""
    begun = re.match(r"([a-z]+(?:-[a-z]+)*)[\s:=,;(]", name)
    return begun.group(1) if begun and begun.group(1) in KERNELS else None


def _nothing_there(name: str) -> str:
    """The sentence for a text that is neither a name, nor a file, nor rows."""
    try:
        if Path(name).expanduser().is_dir():
            return f"{quoted(name)} is a folder; give a file in it"
    except (OSError, ValueError, RuntimeError):
        pass
    if (begun := _setting_of(name)) is not None:
        options = [f"--{key}" for key in KERNELS[begun].settings]
        number = re.search(r"\d+", name)
        if "size" in KERNELS[begun].settings and number:
            return f"kernel {quoted(name)}: settings are options: --size {number[0]}, in Python size={number[0]}"
        if options:
            return f"kernel {quoted(name)}: settings are options; {begun} takes {', '.join(options)}"
        return f"kernel {quoted(name)}: {begun} takes no settings; give its name alone"
    if _ends_like_a_file(name) or re.search(r"[/\\~]", name):
        return f"there is no kernel file {quoted(name)}; {_HINT}"
    return f"{unknown('kernel', name, KERNELS)}; {_HINT}"


def _from_file(path: Path, where: str) -> Rows:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise KernelError(f"{where} can't be read: {error.strerror}") from None
    if raw.startswith(_NUMPY):
        return _from_numpy(raw, where)
    if path.suffix.lower() == ".json":
        raise KernelError(f"{where}: JSON is not read here; write rows of numbers, one on each line, such as 1 0 -1")
    try:
        if len(raw) > _MOST_BYTES:
            raise ValueError
        text = raw.decode("utf-8-sig")
    except ValueError:
        raise KernelError(f"{where} is no text with rows of numbers; {_HINT}") from None
    return _rows(text, where)


def _from_numpy(raw: bytes, where: str) -> Rows:
    import numpy

    try:
        if len(raw) > _MOST_BYTES:
            raise Unreadable("it is too large")
        found = array_of(raw)
    except Unreadable:
        raise KernelError(f"{where} is no .npy file of at most {_MOST_BYTES:,} bytes with plain numbers") from None
    if found.ndim != 2 or found.dtype.kind not in "fiu":
        raise KernelError(
            f"{where} has the shape {found.shape} and the type {found.dtype}; save rows and columns of whole "
            "numbers or floats"
        )
    return tuple(tuple(row) for row in found.astype(numpy.float64).tolist())


def _rows(text: str, where: str) -> Rows:
    lines = [(number, line.partition("#")[0].replace("−", "-")) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line.strip(" \t;")]
    word = "line"
    if len(lines) == 1:
        word, lines = "row", [(number, row) for number, row in enumerate(lines[0][1].split(";"), 1) if row.strip()]
    if not lines:
        raise KernelError(f"{where} is empty; {_HINT}")
    rows = [(f"{word} {number}", _numbers(line, f"{where}: {word} {number}")) for number, line in lines]
    first, wanted = rows[0]
    for place, row in rows:
        if len(row) != len(wanted):
            raise KernelError(
                f"{where}: {place} has {counted(len(row))} but {first} has {len(wanted)}; give every row as many"
            )
    return tuple(row for _, row in rows)


def _numbers(line: str, where: str) -> tuple[float, ...]:
    line = line.strip().removesuffix(";").removesuffix(",")
    if "," in line and ";" in line:
        raise KernelError(f"{where} has both , and ;: {_POINTS}, and separate numbers by one of the two")
    if re.search(r"\d,[\d.]", line) and re.search(r"\d\s+[-+.\d]", line):
        raise KernelError(f"{where} separates numbers by both , and spaces: {_POINTS}, or put a space after each comma")
    found: list[float] = []
    for cell in re.split(r"[,;]", line):
        if not cell.strip():
            raise KernelError(f"{where}, number {len(found) + 1} is missing between two commas; write 0 for a zero")
        for word in cell.split():
            found.append(_value(word, f"{where}, number {len(found) + 1}"))
    return tuple(found)


def _value(word: str, where: str) -> float:
    parts = word.split("/")
    if len(parts) > 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        # What other languages write at the end of a row, or a bar with gaps around it.
        other = re.search(r"[|\[\](){}\\]|^/|/$", word)
        mend = "rows are separated by ; and fractions have no spaces, such as 1/9" if other else None
        raise KernelError(f"{where}: {quoted(word)} is no number; {mend or 'write one such as -2, 0.5 or 1/9'}")
    top, bottom = float(parts[0]), float(parts[1]) if len(parts) == 2 else 1.0
    if bottom == 0:
        raise KernelError(f"{where}: {quoted(word)} divides by 0")
    value = top / bottom
    if abs(value) <= _ZERO_IN_FLOAT32 and re.search("[1-9]", re.split("e", parts[0], flags=re.IGNORECASE)[0]):
        raise KernelError(f"{where}: {quoted(word)} is 0 in float32; write 0, or a number of at least 1e-45")
    return value
