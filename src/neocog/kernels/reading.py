"""What people write becomes a kernel: a name, a file with rows of numbers, or the rows themselves."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from neocog.errors import KernelError, unknown
from neocog.kernels.named import KERNELS, kernel
from neocog.kernels.rows import Kernel, counted

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MOST_BYTES = 1_000_000  # a picture given by mistake is not read to its end
_MOST_QUOTED = 40
_HINT = "give a kernel's name, a file with rows of numbers, or a text such as '1 0 -1; 2 0 -2; 1 0 -1'"


def read_kernel(what: str | os.PathLike[str], /, **settings: Any) -> Kernel:
    """The kernel of that name, in that file, or written in that text; a name goes before a file, a file before a text.

    Numbers stand apart by spaces or commas, and may be fractions such as 1/9. Rows end with the line; a text of one
    line ends them with `;`. In texts of several lines `;` parts numbers, as in tables. `#` starts a comment.

    Args:
        what: a name, a path, or rows of numbers.
        settings: for a name only; see `kernel`.

    Raises:
        KernelError: what can't be read, and where; the text names the row or the line.

    >>> read_kernel("1 0 -1; 2 0 -2; 1 0 -1").rows
    ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
    >>> read_kernel("1/4, 1/2, 1/4").total
    1.0
    """
    text = os.fspath(what)
    if text in KERNELS:
        return kernel(text, **settings)
    quoted = _quoted(text)
    from_file = _is_file(text)
    if not from_file and not _looks_like_rows(text):
        if re.search(r"\.\w{1,4}$|[/\\]", text):
            raise KernelError(f"there is no kernel file {quoted}; {_HINT}")
        raise KernelError(f"{unknown('kernel', text, KERNELS)}; {_HINT}")
    given = [name for name, value in settings.items() if value is not None]
    if given:
        raise KernelError(f"kernel {quoted} is numbers, which take no {given[0]}; give a kernel's name to set one")
    if from_file:
        return Kernel(Path(text).stem, _rows(_content(text), f"kernel file {quoted}"))
    return Kernel("kernel", _rows(text, f"kernel {quoted}"))


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= _MOST_QUOTED else f"'{line[: _MOST_QUOTED - 1]}…'"


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name: it is rows
        return False


def _looks_like_rows(text: str) -> bool:
    """Names start with a letter and have no gaps; nor have paths, mostly, and those may start with a dot."""
    return not text.strip() or bool(re.match(r"\s*[-+−#\d]|\s*\.\d|\S*[\s,;]", text))


def _content(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise KernelError(f"kernel file '{path}' can't be read: {error.strerror}") from None
    try:
        if len(raw) > _MOST_BYTES:
            raise ValueError
        return raw.decode("utf-8-sig")
    except ValueError:
        raise KernelError(f"kernel file '{path}' is no text with rows of numbers; {_HINT}") from None


def _rows(text: str, where: str) -> tuple[tuple[float, ...], ...]:
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
    cells = re.split(r"[,;]", line.strip().removesuffix(";").removesuffix(","))
    found: list[float] = []
    for cell in cells:
        if not cell.strip():
            raise KernelError(f"{where}, number {len(found) + 1} is missing between two commas; write 0 for a zero")
        # A fraction may have gaps around its bar.
        for word in re.sub(r"\s*/\s*", "/", cell).split():
            found.append(_value(word, f"{where}, number {len(found) + 1}"))
    return tuple(found)


def _value(word: str, where: str) -> float:
    parts = word.split("/")
    if len(parts) > 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise KernelError(f"{where}: {_quoted(word)} is no number; write one such as -2, 0.5 or 1/9")
    top, bottom = float(parts[0]), float(parts[1]) if len(parts) == 2 else 1.0
    if bottom == 0:
        raise KernelError(f"{where}: {_quoted(word)} divides by 0")
    return top / bottom
