"""Three or more finished runs on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neocog.evaluation import CONFIDENCE
from neocog.notebook import html_of
from neocog.statistics.comparison import RunComparison


@dataclass(frozen=True)
class RunComparisons:
    """Three or more finished runs: each pair of them, and McNemar's p adjusted for their number by Holm."""

    pairs: tuple[RunComparison, ...]
    p_adjusted: tuple[float, ...]  # one for each pair
    confidence: float = CONFIDENCE

    @property
    def part(self) -> str:
        """The part of the data that the runs were measured on."""
        return self.pairs[0].part

    @property
    def verdict(self) -> str:
        """Which pairs differ, in one sentence."""
        conditions = f"(Holm over {len(self.pairs)} pairs, n = {self.pairs[0].test.n:,} pictures)"
        claims = []
        for pair, p in zip(self.pairs, self.p_adjusted, strict=True):
            if p <= round(1 - self.confidence, 12):
                better, worse = (pair.first, pair.second) if pair.test.difference > 0 else (pair.second, pair.first)
                claims.append(f"{better} beats {worse} by {abs(pair.test.difference) * 100:.2f} points")
        if not claims:
            return f"none of these networks can be told apart {conditions}"
        return f"{'; '.join(claims)} {conditions}"

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON."""
        pairs = zip(self.pairs, self.p_adjusted, strict=True)
        return {
            "part": self.part,
            "verdict": self.verdict,
            "pairs": [{**pair.as_dict(), "p_adjusted": p} for pair, p in pairs],
            "confidence": self.confidence,
        }

    def __str__(self) -> str:
        return self.verdict

    def _repr_html_(self) -> str:
        return html_of(self, "run_comparison_html")
