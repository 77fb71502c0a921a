"""What the public functions ask of whole numbers, flags and groups, in the same words everywhere. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf
from numbers import Integral
from typing import Any

from neocog.errors import OperationError

MOST = 2**31 - 1  # sums and products of such numbers still fit the 64 bits in which torch counts
_LONGEST = 80


def whole(value: Any, least: float = -inf) -> bool:
    """Whether it is a whole number of at least so much; numpy's are, True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def several(value: Any) -> tuple[Any, ...]:
    """The items of a list, a tuple or the like; none for a text or bytes, whose letters aren't numbers."""
    text = isinstance(value, str | bytes | bytearray | memoryview)
    return tuple(value) if isinstance(value, Sequence) and not text else ()


def check_most(name: str, value: Any, numbers: Sequence[int]) -> None:
    """Raises OperationError where a number is larger than can be counted with."""
    if any(abs(int(number)) > MOST for number in numbers):
        raise OperationError(f"{name} = {shown(value)} is too large; give at most {MOST}")


def flag(name: str, value: Any) -> bool:
    """True or False, numpy's too. Raises OperationError for anything else."""
    import numpy as np

    if not isinstance(value, bool | np.bool_):
        raise OperationError(f"{name} = {shown(value)}: give True or False")
    return bool(value)


def check_groups(groups: int, *counts: tuple[int, str]) -> None:
    """Raises OperationError unless the groups divide each count, which comes with what it counts."""
    if any(count % groups for count, _ in counts):
        both = "both " if len(counts) == 2 else ""
        named = " and ".join(f"the {count} {what}" for count, what in counts)
        largest = gcd(*(count for count, _ in counts))
        raise OperationError(f"groups = {groups} must divide {both}{named}; the largest that does is {largest}")


def shown(value: Any) -> str:
    """How a message quotes what it was given.

    >>> shown("3")
    "'3'"
    """
    try:
        return one_line(repr(value))
    except ValueError:  # Python writes no whole numbers of more than a few thousand digits
        return f"an {type(value).__name__} of many digits"


def one_line(text: str) -> str:
    """A text on one line, cut where it is long.

    >>> one_line("[[0.]\\n [0.]]")
    '[[0.] [0.]]'
    """
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
