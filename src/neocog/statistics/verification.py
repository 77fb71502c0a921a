"""What may be said of a run that was trained once more: the same bits, or where they part."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_NAMED = 5  # things that differ, in a text


@dataclass(frozen=True)
class Compared:
    """What a run has kept, held against the same trained again."""

    what: str
    step: int
    kept: str  # SHA-256 over all tensors and numbers but the seconds
    again: str
    differing: tuple[str, ...]  # the names of those that are not the same bits

    def __str__(self) -> str:
        if not self.differing:
            return f"{self.what} of step {self.step} {self.kept[:12]}"
        more = len(self.differing) - _MOST_NAMED
        names = ", ".join(self.differing[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{self.what} of step {self.step} {self.kept[:12]} came out as {self.again[:12]}, in {names}"


@dataclass(frozen=True)
class Verification:
    """Whether a stretch of a run, trained again, gave the same bits."""

    run: Path
    from_step: int
    compared: tuple[Compared, ...]
    conditions: Mapping[str, Any]

    @property
    def to_step(self) -> int:
        """The last step that was compared."""
        return self.compared[-1].step

    @property
    def same(self) -> bool:
        """Whether all of it is the same bits."""
        return not self.differing

    @property
    def differing(self) -> tuple[str, ...]:
        """The names of the tensors and numbers that came out as others, of what was compared first."""
        return next((each.differing for each in self.compared if each.differing), ())

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, which `neocog resume --verify --json` prints."""
        return {
            "run": str(self.run),
            "same": self.same,
            "from_step": self.from_step,
            "to_step": self.to_step,
            "compared": [{**vars(each), "differing": list(each.differing)} for each in self.compared],
            "conditions": dict(self.conditions),
        }

    def __str__(self) -> str:
        verdict = "the same bits" if self.same else "NOT the same bits"
        was = self.conditions
        threads = f"{was['threads']} thread{'s' if was['threads'] > 1 else ''}"
        return (
            f"{verdict}: run '{self.run}' trained again from step {self.from_step} to {self.to_step}; "
            f"SHA-256 of all but seconds: {'; '.join(map(str, self.compared))}\n"
            f"{threads}, {was['precision']} on {was['device']}, torch {was['torch']}, {was.get('gpu', was['cpu'])}"
        )


def compared_of(what: str, step: int, kept: Mapping[str, bytes], again: Mapping[str, bytes]) -> Compared:
    """Two sets of hashes by name; what differs is named in the order of `again`, which is the network's.

    >>> compared_of("checkpoint", 3, {"model.bias": b"1", "seen": b"2"}, {"model.bias": b"1", "seen": b"3"}).differing
    ('seen',)
    """
    differing = [name for name in dict.fromkeys([*again, *kept]) if kept.get(name) != again.get(name)]
    return Compared(what, step, _digest(kept), _digest(again), tuple(differing))


def _digest(hashes: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(hashes):
        whole.update(name.encode() + b"\0" + hashes[name])
    return whole.hexdigest()
