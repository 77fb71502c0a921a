"""Learning curves: the mean over seeds, in a band from the lowest seed to the highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neocog.errors import NeocogError, unknown
from neocog.plots.charts import (
    FAINT,
    FOOT,
    GAP,
    MARGIN,
    Look,
    Span,
    add_chart,
    fitted,
    heading,
    height_of,
    loss_span,
    short_name,
    write,
)
from neocog.plots.keys import Key
from neocog.plots.style import HEADING, SMALL, WHITE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Curves = Mapping[str, Sequence[Mapping[str, "NDArray[Any]"]]]
Line = tuple["NDArray[np.float64]", "NDArray[np.float64]"]  # places and values
OVER = {"epochs": "epoch", "steps": "step"}  # and the column of each

# Inches.
_WIDTH, _TALL = 9.0, 2.9
_MARKS = 8  # on a line of many points


@dataclass(frozen=True)
class Band:
    """The mean of some runs at the places that all of them reach, and the lowest and the highest of them, (P,) each.

    A run that has no point at a place of another counts there with the line between its own two nearest points.
    """

    places: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    runs: int
    shortened: bool  # some runs go on

    @classmethod
    def over(cls, lines: Sequence[Line]) -> Band | None:
        """Of lines as places and values; None of no lines, or where no place is common to all.

        >>> first, second = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0])
        >>> band = Band.over([(first, first), (second, 2 * second)])
        >>> band.places.tolist(), band.mean.tolist(), band.high.tolist()
        ([1.0, 2.0, 3.0], [1.5, 3.0, 4.5], [2.0, 4.0, 6.0])
        """
        if not lines:
            return None
        first, last = max(places[0] for places, _ in lines), min(places[-1] for places, _ in lines)
        every = np.unique(np.concatenate([places for places, _ in lines]))
        common = every[(every >= first) & (every <= last)]
        if not common.size:
            return None
        values = np.stack([np.interp(common, places, numbers) for places, numbers in lines])
        return cls(common, values.mean(0), values.min(0), values.max(0), len(lines), bool(every[-1] > last))


@dataclass(frozen=True)
class _Panel:
    """One figure of a run over time: its column, the title of its axis, and a band a name."""

    column: str
    title: str
    bands: Mapping[str, Band]
    scale: float  # of an accuracy, which is shown in per cent

    def span(self) -> Span:
        ends = [float(end) * self.scale for band in self.bands.values() for end in (band.low.min(), band.high.max())]
        return loss_span(ends, _TALL) if self.scale == 1 else Span.linear(ends, _TALL, (0, 100), upright=True)


@styled
def plot_curves(runs: Curves, *, over: Literal["epochs", "steps"] = "epochs", title: str = "") -> Figure:
    """Training loss and validation accuracy while training: the mean over the runs of each name, in a band.

    The band reaches from the lowest to the highest run; one run has none. Where no validation accuracy was measured,
    the accuracy on the training batches stands in its place. A loss that spans more than a factor of 10 is on a
    logarithmic axis. A training figure over few steps is joined with the one before. Runs of different lengths are
    drawn as far as all of a name reach.

    Args:
        runs: for each name the columns of its runs, such as `[run.metrics for run in …]`; NaN is not measured.
        over: what the curves run over, "epochs" or "steps".
        title: stands above the figure, which otherwise says what is drawn.

    Raises:
        NeocogError: no run, none with a measured point, or an unknown `over`.

    >>> columns = {"epoch": np.array([1.0, 2.0]), "train_loss": np.array([0.4, 0.1])}
    >>> [axes.get_label() for axes in plot_curves({"fast": [columns]}).axes]
    ['train_loss']
    """
    if over not in OVER:
        raise NeocogError(unknown("axis of a learning curve", over, OVER))
    panels = [panel for panel in _panels(runs, OVER[over]) if panel.bands]
    if not panels:
        raise NeocogError(
            "no learning curves to plot: give {name: [run.metrics, …]} with at least one run and one measured point"
        )
    looks = {name: Look.of(position) for position, name in enumerate(runs)}
    inner = _WIDTH - 2 * MARGIN
    key = Key(tuple((_key_text(name, len(runs[name])), look) for name, look in looks.items()), inner)
    title, caption = heading(title or _title(panels), inner), fitted(_caption(panels, runs), SMALL, inner)
    foot = MARGIN + height_of(caption, SMALL) + GAP + key.height + FOOT
    figure = new_figure(_WIDTH, foot + _TALL + 2 * GAP + height_of(title, HEADING) + MARGIN)
    write(figure, MARGIN, foot + _TALL + 2 * GAP, title, va="bottom", size=HEADING)
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    key.draw(figure, MARGIN, foot - FOOT)

    across = inner / len(panels)
    last = max(float(band.places[-1]) for panel in panels for band in panel.bands.values())
    for position, panel in enumerate(panels):
        span = panel.span()
        width = across - span.side - (2 * GAP if position + 1 < len(panels) else GAP)
        box = MARGIN + position * across + span.side, foot, width, _TALL
        places = Span.linear((0.0, last), width, (0, last), whole=True)
        axes = add_chart(figure, box, panel.column, (places, span), (over, panel.title))
        for name, band in panel.bands.items():
            _draw(axes, band, panel.scale, looks[name])
    return figure


def _title(panels: Sequence[_Panel]) -> str:
    """
    >>> _title([_Panel("train_loss", "training loss in nats", {}, 1)])
    'Training loss while training'
    """
    what = " and ".join(panel.title.rpartition(" in ")[0] for panel in panels)
    return f"{what[0].upper()}{what[1:]} while training"


def _panels(runs: Curves, along: str) -> list[_Panel]:
    def bands(column: str) -> dict[str, Band]:
        found = {name: Band.over(measured(columns, along, column)) for name, columns in runs.items()}
        return {name: band for name, band in found.items() if band}

    accuracy = bands("validation_accuracy")
    column, title = (
        ("validation_accuracy", "validation accuracy in %")
        if accuracy
        else ("train_accuracy", "training accuracy in %")
    )
    return [
        _Panel("train_loss", "training loss in nats", bands("train_loss"), 1),
        _Panel(column, title, accuracy or bands(column), 100),
    ]


def measured(runs: Sequence[Mapping[str, NDArray[Any]]], along: str, column: str) -> list[Line]:
    """Places and values of the points that each run measured; runs that measured none are left out.

    A training figure is a mean since the point before, so one over very few steps, such as the rest of an epoch, is
    mostly chance: it is joined with the point before.
    """
    lines = []
    for columns in runs:
        if along not in columns or column not in columns:
            continue
        places, values = (np.asarray(columns[name], dtype=np.float64) for name in (along, column))
        if column.startswith("train_") and "step" in columns:
            places, values = _joined(np.asarray(columns["step"], dtype=np.float64), places, values)
        known = np.isfinite(places) & np.isfinite(values)
        if known.any():
            lines.append((places[known], values[known]))
    return lines


def _joined(steps: NDArray[np.float64], places: NDArray[np.float64], values: NDArray[np.float64]) -> Line:
    """Each point over less than half the usual number of steps becomes one with the point before, at its own place."""
    counts = np.diff(steps, prepend=0.0)
    short = counts < np.median(counts) / 2 if len(counts) else np.zeros(0, dtype=bool)
    short[:1] = False
    group = np.cumsum(~short) - 1
    last = np.flatnonzero(np.append(np.diff(group) > 0, len(group) > 0))
    total = np.bincount(group, counts)
    return places[last], np.divide(np.bincount(group, counts * values), total, out=values[last].copy(), where=total > 0)


def _draw(axes: Axes, band: Band, scale: float, look: Look) -> None:
    if band.runs > 1:
        axes.fill_between(
            band.places, scale * band.low, scale * band.high, color=look.colour, alpha=0.2, linewidth=0, gid="band"
        )
    axes.plot(
        band.places,
        scale * band.mean,
        color=look.colour,
        linestyle=look.line,
        linewidth=1.6,
        marker=look.mark,
        markersize=5,
        markevery=max(1, len(band.places) // _MARKS),
        markeredgecolor=WHITE,
        markeredgewidth=0.6,
        gid="mean",
    )


def _key_text(name: str, runs: int) -> str:
    return f"{short_name(name)}, {f'n = {runs}' if runs else 'no run'}"


def _caption(panels: Sequence[_Panel], runs: Curves) -> str:
    bands = [band for panel in panels for band in panel.bands.values()]
    parts = []
    if any(band.runs > 1 for band in bands):
        parts.append("Lines: mean over seeds; bands: from the lowest to the highest seed.")
    if any(band.shortened for band in bands):
        parts.append("Runs of different lengths are drawn as far as all of a name reach.")
    for panel in panels:
        less = [name for name in runs if len(runs[name]) > (panel.bands[name].runs if name in panel.bands else 0)]
        if less:
            names = ", ".join(map(short_name, less))
            parts.append(f"Not all runs measured {panel.title.rpartition(' in ')[0]}: {names}.")
    return " ".join(parts)
