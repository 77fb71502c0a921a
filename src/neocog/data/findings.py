"""What is said about data: one line each, with the files it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from neocog.untrusted import shown

Level = Literal["error", "warning", "note"]
SHOWN = 5  # names in one line


@dataclass(frozen=True)
class Finding:
    """One thing about a data set that its owner should know.

    Attributes:
        kind: a short word for programs, such as "truncated" or "near-duplicates".
        level: "error" stops a training, "warning" may spoil what it measures, "note" is good to know.
        text: one line: what, how many, and how to mend it.
        files: all files it is about, by their names in the data set; the text names a few.
        groups: the files by what belongs together, such as the copies of one picture; empty where nothing does.
    """

    kind: str
    level: Level
    text: str
    files: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()


def quoted(name: object) -> str:
    r"""A name from a strange folder in quotes, on one line.

    >>> print(quoted("two\nlines"))
    'two\nlines'
    """
    return f"'{shown(name)}'"


def listed(names: Sequence[str]) -> str:
    r"""The first few names in quotes, and how many more there are; on one line, whatever is in them.

    >>> print(listed(["a", "it's", "two\nlines", "三.png", "e", "f"]))
    'a', 'it's', 'two\nlines', '三.png', 'e' and 1 more
    """
    return ", ".join(map(quoted, names[:SHOWN])) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def several(texts: Sequence[str], most: int = SHOWN) -> str:
    """The first few of longer texts, and how many more there are.

    >>> several(["'a' is 'b'", "'c' is 'd'", "'e' is 'f'"], 2)
    "'a' is 'b'; 'c' is 'd'; and 1 more"
    """
    return "; ".join(texts[:most]) + (f"; and {len(texts) - most:,} more" if len(texts) > most else "")


def count_of(number: int, thing: str) -> str:
    """A number with its noun.

    >>> count_of(1, "picture"), count_of(12000, "picture")
    ('1 picture', '12,000 pictures')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"
