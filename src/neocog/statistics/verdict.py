"""What may be said of a comparison, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log2, log10
from typing import TYPE_CHECKING

from neocog.statistics.power import seeds_needed, smallest_difference

if TYPE_CHECKING:
    from neocog.statistics.comparison import Metric, Pair, RunComparison, Side
    from neocog.statistics.paired import PairedDifference

MOST_SEEDS_ADVISED = 1000  # beyond, the sentence says what the seeds at hand would have shown


def verdict_of_two(first: Side, second: Side, pair: Pair | None, metric: Metric, alpha: float) -> str:
    """Who beats whom and by how much; or what it would take to tell."""
    if pair is None:
        return f"{_unpaired(first, second)}, so nothing can be compared"
    found = pair.difference
    seeds = _seeds([found.n])
    by = metric.text(abs(found.mean), found.half_width)
    if pair.same:
        return f"{first.name} and {second.name} gave the same numbers with {seeds}"
    if found.n == 1:
        return f"{pair.first} is ahead of {pair.second} by {by}, but with one seed no interval can be given"
    if pair.beats:
        return f"{pair.first} beats {pair.second} by {by} (n = {found.n:,}, P = {pair.wins.share:.2f})"

    cannot = f"{first.name} and {second.name} can't be told apart with {seeds}"
    needed = needed_seeds(found, alpha)
    if needed and needed <= MOST_SEEDS_ADVISED:
        return f"{cannot}; about {needed:,} would show a difference of {metric.text(abs(found.mean))}"
    shown = smallest_difference(found.n, found.sd or 0.0)
    if metric.unit == "points" and shown >= 1:  # of shares, which lie between 0 and 1
        return f"{cannot}, too few to show any difference"
    return f"{cannot}, which would have shown a difference of {metric.text(shown)}"


def verdict_of_many(ordered: Sequence[Side], pairs: Sequence[Pair], correction: str | None) -> str:
    """How the side with the best mean stands to each of the others."""
    leader, *others = ordered
    if not leader.values:
        return "no side finished a seed, so nothing can be compared"
    own = [pair for pair in pairs if leader.name in (pair.first, pair.second)]
    met = {pair.first if pair.second == leader.name else pair.second: pair for pair in own}
    if len(own) == len(others) and all(pair.same for pair in own):
        names = _joined([leader.name, *(other.name for other in others)], "and")
        return f"{names} gave the same numbers with {_seeds([pair.difference.n for pair in own])}"
    if own and all(pair.difference.n == 1 and not pair.same for pair in own):
        return f"{leader.name} comes first, but with one seed no interval can be given"

    groups: dict[str, list[str]] = {}
    for other in others:
        groups.setdefault(_standing(leader, met.get(other.name)), []).append(other.name)
    texts = [
        f"{standing} {_joined(groups[standing], word)}" for standing, word in _STANDINGS.items() if standing in groups
    ]
    link = ": it " if "beats" in groups else ", but "
    counts = sorted({pair.difference.n for pair in own})
    seeds = [f"n = {counts[0]:,}" + (f" to {counts[-1]:,}" if len(counts) > 1 else "")] if own else []
    conditions = ", ".join([*seeds, *([correction] if correction else [])])
    return f"{leader.name} comes first{link}{', and '.join(texts)}" + (f" ({conditions})" if conditions else "")


def verdict_of_runs(comparison: RunComparison, alpha: float) -> str:
    """Which of two networks is better on these pictures, and that nothing is said of the recipes."""
    first, second, test = comparison.first, comparison.second, comparison.test
    where = f"{test.n:,} {comparison.part} pictures"
    scope = "this speaks of these two networks, not of their recipes"
    if test.only_first == test.only_second == 0:
        return f"{first} and {second} are right on the same {test.both_right:,} of {where}; {scope}"
    p = f"p {'< 0.0001' if test.p < 0.0001 else f'= {test.p:.2g}'}, McNemar's exact test"
    if test.p > alpha:
        alone = f"{test.only_first:,} are right in {first} alone, {test.only_second:,} in {second} alone"
        return f"{first} and {second} can't be told apart on {where}: {alone} ({p}); {scope}"
    bounds = test.low, test.high
    if test.difference < 0:
        first, second, bounds = second, first, (-test.high, -test.low)
    digits = max(2, ceil(log10(test.n)) - 2)  # so that one picture shows
    by, low, high = (f"{100 * share:.{digits}f}" for share in (abs(test.difference), *bounds))
    interval = f"{100 * test.confidence:g} % interval {low} to {high}"
    return f"{first} beats {second} by {by} points on {where} ({interval}; {p}); {scope}"


# How a leader may stand to another side, in the order of telling, and the word between several.
_STANDINGS = {
    "beats": "and",
    "can't be told apart from": "or",
    "gave the same numbers as": "and",
    "is beaten over the seeds they share by": "and",
    "shares no finished seed with": "or",
}


def _standing(leader: Side, pair: Pair | None) -> str:
    if pair is None:
        return "shares no finished seed with"
    if pair.same:
        return "gave the same numbers as"
    if not pair.beats:
        return "can't be told apart from"
    return "beats" if pair.first == leader.name else "is beaten over the seeds they share by"


def _seeds(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    if high == 1:
        return "one seed"
    return f"{high:,} seeds" if low == high else f"{low:,} to {high:,} seeds"


def _unpaired(first: Side, second: Side) -> str:
    unfinished = [side.name for side in (first, second) if not side.values]
    if unfinished:
        return f"{_joined(unfinished, 'and')} finished no seed"
    return f"{first.name} and {second.name} finished no seed in common"


def needed_seeds(found: PairedDifference, alpha: float) -> int | None:
    """About how many seeds would show the difference seen at that level; None where there is none to show."""
    if not found.mean:
        return None
    if not found.sd:
        return 1 + ceil(-log2(alpha))  # as many equal differences as the sign test wants
    needed = seeds_needed(found.mean, found.sd, confidence=1 - alpha)
    step = int(10 ** max(0, floor(log10(needed)) - 1))
    return ceil(needed / step) * step


def _joined(names: Sequence[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
