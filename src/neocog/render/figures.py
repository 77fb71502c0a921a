"""A lesson's figures and ours as cells of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from neocog.statistics.reproduction import Figure, Kind, Reproduction
from neocog.tables import table

Style = Literal["text", "markdown", "html"]

NONE = "—"
LOGS: dict[Kind, str] = {"log loss": "loss log", "log accuracy": "accuracy log", "batch accuracy": "batch accuracy"}


def main_table(reproduction: Reproduction, style: Style) -> str:
    """One line for each figure measured at the end, and one for each log."""
    rows: list[list[str]] = []
    for each in reproduction.recipes:
        own = [_row(figure, full=False) for figure in each.of_kind("accuracy")]
        own += [
            [f"{title}, cut" if logged[0].cut else title, *_log_cells(logged)]
            for kind, title in LOGS.items()
            if (logged := each.of_kind(kind))
        ]
        # A name once is enough for the eye; Markdown may be searched and sorted.
        rows += [[each.name if place == 0 or style == "markdown" else "", *cells] for place, cells in enumerate(own)]
    columns = ["recipe", "figure", ">published", ">ours", ">n", "in 95 %", ">our range", "in range"]
    return table(columns, rows, style)


def figures_table(figures: Sequence[Figure], style: Style) -> str:
    """One line a figure, with the interval in which one more seed of ours is expected."""
    columns = ["figure", ">published", ">ours", ">n", ">95 % interval", "in 95 %", ">our range", "in range"]
    return table(columns, [_row(figure, full=True) for figure in figures], style)


def _row(figure: Figure, *, full: bool) -> list[str]:
    low, high = (min(figure.as_printed), max(figure.as_printed)) if figure.ours else (None, None)
    cells = [
        figure.what,
        published_text(figure),
        spread_text(figure),
        str(figure.n),
    ]
    if full:
        interval = figure.prediction
        cells.append(f"{number(figure, interval[0], 1)}–{number(figure, interval[1], 1)}" if interval else NONE)
    between = f"{number(figure, low)}–{number(figure, high)}" if figure.n > 1 else NONE
    return [*cells, _yes(figure.expected), between, _yes(figure.in_range)]


def _log_cells(figures: Sequence[Figure]) -> list[str]:
    """What a whole log comes to: how many of its lines are within, in the columns of the main table."""

    def within(answers: list[bool | None]) -> str:
        known = [answer for answer in answers if answer is not None]
        return f"{sum(known)} of {len(known)}" if known else NONE

    published, ours = f"{len(figures)} line{'s' * (len(figures) > 1)}", ""
    if figures[0].kind == "batch accuracy":  # two figures, the lowest batch and the highest
        published = "–".join(number(figure, figure.published) for figure in figures) + " %"
        ends = [(figure, pick(figure.ours, default=None)) for figure, pick in zip(figures, (min, max), strict=True)]
        ours = NONE if ends[0][1] is None else "–".join(number(figure, end) for figure, end in ends) + " %"
    return [
        published,
        ours,
        str(min(figure.n for figure in figures)),
        within([figure.expected for figure in figures]),
        "",
        within([figure.in_range for figure in figures]),
    ]


def published_text(figure: Figure) -> str:
    """What the lesson reports, with its unit."""
    if figure.published is None:
        return NONE
    if figure.at_least:
        return f"over {figure.published * figure.scale:g}{_unit(figure)}"
    return number(figure, figure.published) + _unit(figure)


def spread_text(figure: Figure) -> str:
    """Mean and standard deviation of our seeds, with their unit."""
    if figure.mean is None:
        return NONE
    deviation = "" if figure.sd is None else f" ± {number(figure, figure.sd, 1)}"
    return f"{number(figure, figure.mean, 1)}{deviation}{_unit(figure)}"


def number(figure: Figure, value: float | None, more: int = 0) -> str:
    """A value as it is shown, with `more` digits where the lesson cuts its own and this is not one of those."""
    return NONE if value is None else f"{value * figure.scale:.{figure.digits + (more if figure.cut else 0)}f}"


def _unit(figure: Figure) -> str:
    return " %" if figure.unit == "%" else ""


def _yes(answer: bool | None) -> str:
    return NONE if answer is None else "yes" if answer else "no"
