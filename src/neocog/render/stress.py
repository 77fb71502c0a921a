"""A stress test as text: a table for each kind of change, where it costs half, and what breaks first."""

from __future__ import annotations

from itertools import groupby, islice

from neocog.render.words import wrapped
from neocog.statistics.stress import StressCurve, StressTest, strength_text
from neocog.tables import percent, table

_LABEL = 20  # the width of what stands before a text
_WIDTH = 80
_MOST_BROKEN = 3  # of each change; the JSON and the figure have more


def stress_text(found: StressTest) -> str:
    """Accuracy at each strength of each change with its interval, then the pictures that break first."""
    parts = ["\n".join(wrapped(text, f"{label:<{_LABEL}}", " " * _LABEL, width=_WIDTH) for label, text in _head(found))]
    parts += [_curve(curve) for curve in found.curves]
    parts.append(_first(found))
    return "\n\n".join(parts)


def _head(found: StressTest) -> list[tuple[str, str]]:
    low, high = found.curves[0].intervals[0]
    conditions = found.conditions
    lines = [
        ("run", found.run),
        (
            "unchanged",
            f"{percent(found.accuracy)} (95 % interval {low * 100:.2f}–{high * 100:.2f} %, {found.n:,} pictures)",
        ),
    ]
    if not conditions:
        return [*lines, ("pictures", f"{found.part} part")]
    height, width = conditions["size"]
    return [
        *lines,
        ("pictures", f"{found.part} part of {conditions['data']}, {height}×{width}, changed as prepared"),
        ("guessing", f"{100 / conditions['classes']:.2f} %: 1 of {conditions['classes']:,} classes"),
    ]


def _curve(curve: StressCurve) -> str:
    # What is unchanged stands once, above all curves, so that six strengths fit into 80 columns.
    accuracies = [percent(accuracy).removesuffix(" %") for accuracy in curve.accuracies[1:]]
    intervals = [f"{_short(low)}–{_short(high)}" for low, high in curve.intervals[1:]]
    columns = [_unit(curve), *(f">{_plain(strength, curve.unit)}" for strength in curve.strengths[1:])]
    head = curve.name + (f": {curve.about}" if curve.about else "")
    return "\n".join(
        [head, table(columns, [["accuracy, %", *accuracies], ["95 % interval", *intervals]]), _half(curve)]
    )


def _half(curve: StressCurve) -> str:
    if curve.accuracies[0] <= curve.guess:
        return "unchanged it is no better than guessing, so there is no lead to lose"
    if curve.half_lost is None:
        last = strength_text(curve.strengths[-1], curve.unit)
        return f"more than half of its lead over guessing is left at {last}"
    strength = strength_text(float(f"{curve.half_lost:.2g}"), curve.unit)
    return f"half of its lead over guessing is lost at about {strength}"


def _first(found: StressTest) -> str:
    if not found.first:
        return "no picture that was right is wrong under any of these"
    rows, units = [], {curve.name: curve.unit for curve in found.curves}
    for name, group in groupby(found.first, key=lambda broken: broken.corruption):
        rows += [
            [
                f"{name}, {strength_text(broken.strength, units[name])}",
                broken.name or str(broken.index),
                broken.true,
                broken.answer,
                percent(broken.probability),
            ]
            for broken in islice(group, _MOST_BROKEN)
        ]
    head = "what breaks first: right when unchanged, flipped by the mildest strength; of equal ones the surest"
    return "\n".join([wrapped(head, width=_WIDTH), table(["change", "picture", "true", "answer", ">how sure"], rows)])


def _unit(curve: StressCurve) -> str:
    return "%" if curve.unit == "share" else curve.unit


def _plain(value: float, unit: str) -> str:
    return f"{value * 100 if unit == 'share' else value:g}"


def _short(share: float) -> str:
    return f"{share * 100:.1f}".replace("100.0", "100")
