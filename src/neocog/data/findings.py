"""What is said about data: one line each, with the files it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing about a data set that its owner should know.

    Attributes:
        kind: a short word for programs, such as "truncated" or "near-duplicates".
        level: "error" stops a training, "warning" may spoil what it measures, "note" is good to know.
        text: one line: what, how many, and how to mend it.
        files: all files it is about, by their names in the data set; the text names a few.
    """

    kind: str
    level: Level
    text: str
    files: tuple[str, ...] = ()
