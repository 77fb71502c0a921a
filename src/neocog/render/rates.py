"""A range of learning rates as text: the curve, what it says, and the command that trains with it."""

from __future__ import annotations

import math

from neocog.render.words import wrapped
from neocog.statistics.rates import RateRange
from neocog.tables import table

_LINES = 20  # of the curve, about: one for each step of equal ratio
_BAR = 40  # signs of the widest bar


def rates_text(found: RateRange) -> str:
    """The smoothed loss over the rate as bars, then the range in which it falls, the suggestion and the command."""
    parts = [_curve(found), "\n".join(wrapped(text, f"{name:<20}", " " * 20) for name, text in _lines(found))]
    if found.warnings:
        parts.append("\n".join(wrapped(f"warning: {text}", rest="  ") for text in found.warnings))
    if found.command:
        parts.append(found.command)
    return "\n\n".join(parts)


def _curve(found: RateRange) -> str:
    """One line for every few steps; bars go from 0 to the highest loss of those before it explodes."""
    every = max(1, math.ceil(len(found.rates) / _LINES))
    # The last place stays in: it is where the loss has exploded, if it has.
    places = sorted({*range(0, len(found.rates), every), len(found.rates) - 1})
    low = min(found.smoothed)
    high = max(found.smoothed[: found.smoothed.index(low) + 1])
    rows = []
    for place in places:
        loss = found.smoothed[place]
        share = min(1.0, loss / high) if high > 0 else 0.0
        beyond = "…" if loss > high else ""
        rows.append([f"{found.rates[place]:.2g}", f"{loss:.4f}", "█" * max(0, round(share * _BAR)) + beyond])
    return table([">rate", ">smoothed loss", ""], rows)


def _lines(found: RateRange) -> list[tuple[str, str]]:
    conditions = found.conditions
    seeds = conditions.get("seeds", [])
    lines = [("recipe", f"{found.recipe} on {found.data}")]
    if found.falls:
        lines.append(("loss falls", f"from rate {found.falls[0]:.2g} to {found.falls[1]:.2g}"))
    if found.suggestion is not None:
        other = [f"{key} = {value:g}" for key, value in found.changes.items() if key != "optimizer.lr"]
        lines.append(("suggestion", ", ".join([f"optimizer.lr = {found.suggestion:g}", *other])))
        lines.append(("", "the rate at half of the fall, and at most a third of the rate at the lowest loss"))
    if len(found.curves) > 1:
        told = sum(curve.suggestion is not None for curve in found.curves)
        rates = f"{found.spread[0]:g} to {found.spread[1]:g}" if found.spread else "a rate"
        lines.append(("over seeds", f"{told} of {len(found.curves)} suggest {rates}"))
    if conditions:
        ended = ", ".join(dict.fromkeys(curve.ending for curve in found.curves))
        which = f"seed{'s' * (len(seeds) > 1)} {', '.join(str(seed) for seed in seeds)}"
        lines.append(
            (
                "conditions",
                f"{len(found.rates)} of {conditions['steps']} steps ({ended}), {which}, "
                f"{conditions['optimizer']}, batches of {conditions['batch_size']}, {conditions['device']}",
            )
        )
    return lines
