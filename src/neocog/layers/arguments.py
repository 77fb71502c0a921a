"""What may stand behind a word of the layer language: how each kind of argument is read, and written again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from math import isfinite
from typing import Any

Pair = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """One kind of argument: `read` makes a value of a text and raises ValueError or KeyError, `show` is the reverse.

    The words in `bare` may stand without the argument's name.
    """

    expected: str
    read: Callable[[str], Any]
    show: Callable[[Any], str] = str
    bare: tuple[str, ...] = ()


def _read_whole(text: str, least: int) -> int:
    value = int(text)
    if value < least:
        raise ValueError(text)
    return value


def _read_pair(text: str, least: int) -> Pair:
    parts = [_read_whole(part, least) for part in text.replace("×", "x").split("x")]
    if len(parts) > 2:
        raise ValueError(text)
    return parts[0], parts[-1]


def _show_pair(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def _read_flag(text: str) -> bool:
    return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]


def _read_share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError(text)
    return value


def _read_above_zero(text: str) -> float:
    value = float(text)
    if not (value > 0 and isfinite(value)):
        raise ValueError(text)
    return value


def _show_number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


COUNT = Kind("a whole number of at least 1", lambda text: _read_whole(text, 1))
PAIR = Kind("a whole number of at least 1, or two as in 3x5", lambda text: _read_pair(text, 1), _show_pair)
FLAG = Kind("yes or no", _read_flag, lambda value: "yes" if value else "no")
SHARE = Kind("a number from 0 up to, not including, 1", _read_share, _show_number)
NUMBER = Kind("a number above 0", _read_above_zero, _show_number)
PADDING = Kind(
    "same, valid, a whole number, or two as in 1x2",
    lambda text: {"same": "same", "valid": (0, 0)}.get(text) or _read_pair(text, 0),
    lambda value: value if isinstance(value, str) else _show_pair(value),
    bare=("same", "valid"),
)
POOL_PADDING = Kind("a whole number, or two as in 1x2", lambda text: _read_pair(text, 0), _show_pair)
GROUPS = Kind(
    "a whole number of at least 1, or 'in' for one group per channel",
    lambda text: text if text == "in" else _read_whole(text, 1),
)
FEATURES = Kind(
    "a whole number of at least 1, or 'classes'",
    lambda text: text if text == "classes" else _read_whole(text, 1),
)


def argument(kind: Kind, default: Any = MISSING, *, named: bool = False) -> Any:
    """A dataclass field that the language can read; positional unless `named`."""
    metadata = {"kind": kind, "named": named}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)
