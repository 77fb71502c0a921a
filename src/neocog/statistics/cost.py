"""What one side costs beside another, as ratios: what a gain has to be weighed against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """How many times the second side's parameters, multiply-adds and seconds the first takes; None where unknown.

    >>> print(Cost("wide", "narrow", parameters=2.1, macs=3.02, seconds=0.98))
    wide has 2.1 × the parameters and 3.0 × the multiply-adds of narrow, and took 0.98 × the seconds
    """

    first: str
    second: str
    parameters: float | None
    macs: float | None
    seconds: float | None

    @property
    def text(self) -> str | None:
        """One line; None where nothing is known."""
        known = {"parameters": self.parameters, "multiply-adds": self.macs}
        ratios = {what: ratio for what, ratio in known.items() if ratio is not None}
        has = " and ".join(f"{times(ratio)} the {what}" for what, ratio in ratios.items()) + f" of {self.second}"
        if ratios and all(ratio == 1 for ratio in ratios.values()):
            has = f"as many {' and '.join(ratios)} as {self.second}"
        took = None if self.seconds is None else f"{times(self.seconds)} the seconds"
        if ratios:
            return f"{self.first} has {has}" + (f", and took {took}" if took else "")
        return f"{self.first} took {took} of {self.second}" if took else None

    def __str__(self) -> str:
        return self.text or f"what {self.first} costs beside {self.second} isn't known"


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """ours/theirs; None where one is unknown or there is nothing to divide by."""
    return None if ours is None or not theirs else ours / theirs


def times(ratio: float) -> str:
    """A ratio to be read beside others: two digits that matter, and three where it is close to 1.

    >>> [times(ratio) for ratio in (0.0312, 0.984, 1, 1.02, 2.13, 31.2)]
    ['0.031 ×', '0.98 ×', '1 ×', '1.02 ×', '2.1 ×', '31 ×']
    """
    if ratio == 1:
        return "1 ×"
    if ratio < 0.1:
        return f"{ratio:.2g} ×"
    digits = 2 if ratio < 1.1 else 1 if ratio < 10 else 0
    return f"{ratio:.{digits}f} ×"
