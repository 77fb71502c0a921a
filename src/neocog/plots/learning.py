"""The learning curves of one run: loss, accuracy and learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.errors import NeocogError
from neocog.plots.charts import FOOT, GAP, MARGIN, Look, Span, add_chart, height_of, loss_span, plural, write
from neocog.plots.curves import Line, measured
from neocog.plots.keys import KEY_LINE, draw_mark
from neocog.plots.numbers import number
from neocog.plots.pages import Accuracies, page
from neocog.plots.style import BLACK, SMALL, WHITE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Inches.
_WIDTH, _TALL, _RATE_TALL = 8.0, 2.1, 1.1
_BETWEEN = 0.26  # from panel to panel
_ENDS = 1.5  # beside a panel, for the names of its lines
_MANY = 300  # points, from which on a line is drawn faintly, with a mean in front
_MEANS = 120  # points of that mean
_MARKED = 40  # points; each of a line of no more has a mark
_DECADE = 10.0
_GOOD = 95.0  # per cent, from which on what is between 99 and 99.9 matters

_LOOKS = {"train": Look.of(0), "validation": Look.of(1), "rate": Look(BLACK, "", "-")}
_NAMES = {"train": "training", "validation": "validation", "rate": "learning rate"}


@dataclass(frozen=True)
class _Panel:
    """One chart: its name, the title of its axis, its lines by whose they are, and how tall it is in inches."""

    name: str
    title: str
    lines: Mapping[str, Line]
    tall: float = _TALL

    def axis(self) -> Accuracies:
        values = [float(value) for _, line in self.lines.values() for value in line]
        if self.name == "accuracy":
            judged = self.lines["validation" if "validation" in self.lines else "train"]
            good = float(judged[1].max()) >= _GOOD
            return Accuracies.fitting(values, self.tall, upright=True, spread=good)
        if self.name == "loss":
            return Accuracies(loss_span(values, self.tall))
        decades = 0 < _DECADE * min(values) <= max(values)
        return Accuracies((Span.decades if decades else Span.linear)(values, self.tall, upright=True))

    def text(self, values: NDArray[np.float64]) -> str:
        """What is written beside the end of a line."""
        if self.name == "rate":
            return f"at most {number(float(values.max()), 2)}"
        return f"{values[-1]:.2f} %" if self.name == "accuracy" else number(float(values[-1]))


@styled
def plot_learning(metrics: Mapping[str, NDArray[Any]]) -> Figure:
    """Loss, accuracy and learning rate of one run while it was trained, one over the other along its epochs.

    Beside each line stands its last value. A validation that was measured once is a mark. Loss, rate and the error
    (100 % − accuracy, of a network that reaches 95 %) are each on a logarithmic axis where they span more than a factor
    of 10. A training figure over few steps is joined with the one before; of more than 300 points a mean is drawn in
    front.

    Args:
        metrics: the columns of a run, `run.metrics`; NaN is not measured.

    Raises:
        NeocogError: no point was measured.

    >>> columns = {"epoch": np.array([1.0, 2.0]), "train_loss": np.array([0.4, 0.1]), "rate": np.array([0.1, 0.1])}
    >>> [axes.get_label() for axes in plot_learning(columns).axes]
    ['loss', 'rate']
    """
    panels = _panels(metrics)
    if not panels:
        raise NeocogError(
            "no learning curve to plot: not one point was measured; give run.metrics of a run that was trained"
        )
    axes_of = [panel.axis() for panel in panels]
    left = MARGIN + max(axis.span.side for axis in axes_of)
    length = _WIDTH - left - _ENDS - MARGIN
    last = max(float(places[-1]) for panel in panels for places, _ in panel.lines.values())
    epochs = Span.linear((0.0, last), length, (0, last), whole=True)
    tall = FOOT + sum(panel.tall for panel in panels) + _BETWEEN * (len(panels) - 1)
    figure, foot = page(_WIDTH, tall, _title(metrics, last), _caption(panels, axes_of))

    bottom = foot + tall
    for panel, axis in zip(panels, axes_of, strict=True):
        bottom -= panel.tall
        box = left, bottom, length, panel.tall
        lowest = panel is panels[-1]
        axes = add_chart(figure, box, panel.name, (epochs, axis.span), (_along(metrics), panel.title))
        if not lowest:
            axes.set_xlabel("")
            axes.tick_params(axis="x", labelbottom=False)
        for whose, line in panel.lines.items():
            _draw(axes, line[0], axis.places(line[1]), _LOOKS[whose])
        _name_ends(figure, axes, panel, axis, box)
        bottom -= _BETWEEN
    return figure


def _panels(metrics: Mapping[str, NDArray[Any]]) -> list[_Panel]:
    def lines(what: str, scale: float = 1) -> dict[str, Line]:
        columns = {whose: f"{whose}_{what}" for whose in ("train", "validation")}
        found = {whose: measured([metrics], "epoch", column) for whose, column in columns.items()}
        return {whose: (line[0][0], scale * line[0][1]) for whose, line in found.items() if line}

    rate = measured([metrics], "epoch", "rate")
    panels = [
        _Panel("loss", "loss in nats", lines("loss")),
        _Panel("accuracy", "accuracy in %", lines("accuracy", 100)),
        _Panel("rate", "rate", {"rate": rate[0]} if rate else {}, _RATE_TALL),
    ]
    return [panel for panel in panels if panel.lines]


def means(line: Line, most: int) -> Line:
    """At most so many points, each the mean of about equally many that follow one another, at the place of the last.

    >>> means((np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 7.0, 1.0, 3.0])), 2)
    (array([2., 4.]), array([6., 2.]))
    """
    places, values = line
    edges = np.linspace(0, len(places), min(most, len(places)) + 1).astype(int)
    return places[edges[1:] - 1], np.add.reduceat(values, edges[:-1]) / np.diff(edges)


def _draw(axes: Axes, places: NDArray[Any], values: NDArray[Any], look: Look) -> None:
    many = len(places) > _MANY
    if many and look.mark:
        axes.plot(places, values, color=look.colour, linewidth=0.7, alpha=0.35, gid="points")
        places, values = means((places, values), _MEANS)
    each = 1 if len(places) <= _MARKED else len(places)  # the first alone, of a line of many
    axes.plot(
        places,
        values,
        color=look.colour,
        linestyle=look.line,
        linewidth=1.6,
        marker=look.mark,
        markersize=7 if len(places) == 1 else 4.5,
        markevery=(len(places) - 1, each) if each > 1 else 1,
        markeredgecolor=WHITE,
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
        gid="line",
    )


def _name_ends(
    figure: Figure, axes: Axes, panel: _Panel, axis: Accuracies, box: tuple[float, float, float, float]
) -> None:
    """Names and last values at the right, each beside its line's end, or as near to it as the others let it."""
    texts = {whose: f"{_NAMES[whose]}\n{panel.text(values)}" for whose, (_, values) in panel.lines.items()}
    ends = {}
    for whose, (places, values) in panel.lines.items():
        corner = axes.transData.transform((places[-1], axis.places(values[-1])))
        ends[whose] = float(axes.transAxes.inverted().transform(corner)[1]) * box[3]
    room = height_of("\n", SMALL)
    at = box[0] + box[2] + 2 * GAP
    for whose, height in apart(ends, room + GAP / 2, (room / 2, box[3] - room / 2)).items():
        across = at
        if _LOOKS[whose].mark:
            draw_mark(figure, at + KEY_LINE / 2, box[1] + height, _LOOKS[whose], lined=True)
            across += KEY_LINE + 0.08
        write(figure, across, box[1] + height, texts[whose], size=SMALL, va="center", color=BLACK)


def apart(heights: Mapping[str, float], room: float, within: tuple[float, float]) -> dict[str, float]:
    """Heights of texts, moved as little as keeps each pair so far apart, and all inside.

    >>> apart({"a": 1.0, "b": 1.1}, 0.5, (0, 3)), apart({"a": 2.9, "b": 3.0}, 0.5, (0, 3))
    ({'a': 0.8, 'b': 1.3}, {'a': 2.5, 'b': 3.0})
    """
    order = sorted(heights, key=lambda name: heights[name])
    centre = sum(heights.values()) / len(heights)
    moved = [heights[name] for name in order]
    if any(after - before < room for before, after in pairwise(moved)):
        moved = [centre + (n - (len(order) - 1) / 2) * room for n in range(len(order))]
    shift = max(within[0] - moved[0], 0.0) or min(within[1] - moved[-1], 0.0)
    return {name: round(height + shift, 9) for name, height in zip(order, moved, strict=True)}


def _title(metrics: Mapping[str, NDArray[Any]], last: float) -> str:
    epochs = f"{number(last, 3)} {'epoch' if last == 1 else 'epochs'}"
    steps = f" ({plural(int(metrics['step'][-1]), 'step')})" if "step" in metrics else ""
    return f"Learning curves over {epochs}{steps}"


def _along(metrics: Mapping[str, NDArray[Any]]) -> str:
    """The title of the lower axis, which says how many steps an epoch has."""
    if "step" not in metrics or not metrics["epoch"][-1] > 0:
        return "epochs"
    return f"epochs of {plural(round(float(metrics['step'][-1] / metrics['epoch'][-1])), 'step')}"


def _caption(panels: Sequence[_Panel], axes: Sequence[Accuracies]) -> str:
    lines = {(panel.name, whose): line for panel in panels for whose, line in panel.lines.items()}
    parts = ["Beside each line: its last value."]
    if any(whose == "train" for _, whose in lines):
        parts.append(
            "Training: mean since the point before, of pictures and labels as they were trained on and of a network "
            "that still learns, so it may lie above or below validation."
        )
    if any(len(places) > _MANY for (_, whose), (places, _) in lines.items() if whose != "rate"):
        parts.append(f"Faint: every point; in front of them means of {_MEANS} groups.")
    if ("loss", "validation") in lines:
        places, values = lines["loss", "validation"]
        best = int(values.argmin())
        if len(values) == 1:
            parts.append("Validation was measured once.")
        elif best + 1 < len(values):
            after = number(float(places[best]), 3)
            parts.append(f"Validation loss was lowest after {after} epochs, {number(float(values[best]))}.")
    if any(axis.is_spread for axis in axes):
        parts.append("Accuracy: logarithmic in the error, 100 % − accuracy.")
    return " ".join(parts)
