"""A kernel: a rectangle of numbers with a name, and how it is written. Importing this needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, fsum, isfinite, log10, nan
from numbers import Real
from typing import TYPE_CHECKING, Any

from neocog.errors import KernelError

if TYPE_CHECKING:
    import torch

Rows = tuple[tuple[float, ...], ...]
_LARGEST = 3.4028234663852886e38  # of float32, which most pictures are computed in
_DIGITS = 4
_MOST_QUOTED = 40


@dataclass(frozen=True)
class Kernel:
    """A rectangle of finite numbers, laid over a picture as it is: y[p, q] = Σ_r Σ_s x[p + r, q + s] · rows[r][s].

    Raises:
        KernelError: no numbers, rows of different lengths, or a number too large for float32. Tiny ones stay, as in
            the tails of a bell, and become 0 in float32.

    >>> Kernel("edge", ((1, -1),)).shape
    (1, 2)
    """

    name: str
    rows: Rows
    about: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        try:
            given = [[*row] for row in self.rows]
        except TypeError:  # one of them is no sequence
            wanted = "give rows of numbers, such as ((1, 0, -1), (2, 0, -2))"
            raise KernelError(f"kernel '{self.name}': rows = {quoted(self.rows)}: {wanted}") from None
        if not given or not given[0]:
            raise KernelError(f"kernel '{self.name}' has no numbers; give at least one")
        for number, row in enumerate(given, 1):
            if len(row) != len(given[0]):
                raise KernelError(
                    f"kernel '{self.name}': row {number} has {counted(len(row))} but row 1 has {len(given[0])}; "
                    "give every row as many"
                )
            for column, value in enumerate(row, 1):
                if not abs(_as_float(value)) <= _LARGEST:
                    raise KernelError(
                        f"kernel '{self.name}': row {number}, number {column} is {quoted(value)}; give finite numbers "
                        "that float32 can hold"
                    )
        object.__setattr__(self, "rows", tuple(tuple(_as_float(value) for value in row) for row in given))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns (R, S)."""
        return len(self.rows), len(self.rows[0])

    @property
    def total(self) -> float:
        """The sum of all numbers: what a flat picture is multiplied by, without the last digits, which are rounding."""
        values = [value for row in self.rows for value in row]
        total = float(f"{fsum(values):.12g}")
        return total if abs(total) > 1e-12 * fsum(abs(value) for value in values) else 0.0

    def tensor(self, dtype: torch.dtype | None = None) -> torch.Tensor:
        """The numbers as a tensor (R, S), float32 unless told."""
        import torch

        return torch.tensor(self.rows, dtype=dtype or torch.float32)

    def text(self) -> str:
        """The rows, aligned; `0` is exactly zero, `0.0000` is not. `read_kernel` reads it again.

        >>> print(Kernel("k", ((0, -0.5), (1 / 3, 1))).text())
              0 -0.5000
         0.3333  1.0000
        """
        decimals = _decimals(value for row in self.rows for value in row)
        cells = [[_written(value, decimals) for value in row] for row in self.rows]
        width = max(len(cell) for row in cells for cell in row)
        return "\n".join(" ".join(cell.rjust(width) for cell in row) for row in cells)


def _decimals(values: Iterable[float]) -> int | None:
    """As many decimals as show the values exactly, if few do, else four digits of the largest; None: use powers of 10.

    >>> _decimals([1, 0.25]), _decimals([1 / 9]), _decimals([1e-9])
    (2, 4, None)
    """
    numbers = [*values]
    largest = max(abs(value) for value in numbers)
    if largest == 0:
        return 0
    if not 1e-4 <= largest < 1e7:
        return None
    for decimals in range(_DIGITS):
        if all(abs(round(value, decimals) - value) <= 1e-12 * largest for value in numbers):
            return decimals
    return max(_DIGITS, _DIGITS - 1 - floor(log10(largest)))


def _written(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0"
    return f"{value:.{_DIGITS}g}" if decimals is None else f"{value:.{decimals}f}"


def counted(count: int) -> str:
    """`1 number`, `3 numbers`."""
    return f"{count} number" if count == 1 else f"{count} numbers"


def _as_float(value: Any) -> float:
    """Not a number, unless it is one."""
    try:
        return nan if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        return nan


def is_number(value: Any) -> bool:
    """Whether a value is a real, finite number that a float can hold.

    >>> is_number(1), is_number(10**400), is_number("1")
    (True, False, False)
    """
    try:
        return isinstance(value, Real) and isfinite(value)
    except OverflowError:
        return False


def quoted(value: Any) -> str:
    """A value as an error shows it: in quotes if it is text, on one line, and cut where it is long.

    >>> quoted("1 0\\n0 1"), quoted(10**400)
    ("'1 0 0 1'", '100000000000000000000000000000000000000…')
    """
    try:
        line = " ".join((value if isinstance(value, str) else repr(value)).split())
    except ValueError:  # Python writes no whole numbers of more than 4300 digits
        return "a number of thousands of digits"
    line = line if len(line) <= _MOST_QUOTED else f"{line[: _MOST_QUOTED - 1]}…"
    return f"'{line}'" if isinstance(value, str) else line
