"""The measures of one part or of several side by side, each with its interval, as cells of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from neocog.evaluation import Evaluation
from neocog.tables import percent

_Show = Callable[[float], str]


def four_digits(value: float) -> str:
    """A number with four digits after the point.

    >>> four_digits(-0.08224)
    '−0.0822'
    """
    return f"{value:.4f}".replace("-", "−")


def between(low_high: tuple[float, float], show: _Show) -> str:
    """An interval, its unit once.

    >>> between((0.9907, 0.9941), percent)
    '99.07 to 99.41 %'
    """
    low, high = map(show, low_high)
    return f"{low.removesuffix(' %')} to {high}"


def measures_table(parts: Mapping[str, Evaluation]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Column names, `>` before those aligned to the right, and a row for each measure that says something."""
    columns = ["measure", *(head for part in parts for head in (f">{part}", ">95 % interval")), "interval by"]
    rows = []
    for name, show, value, interval in _MEASURES:
        if all(_says_something(name, found) for found in parts.values()):
            cells = [cell for found in parts.values() for cell in (show(value(found)), between(interval(found), show))]
            rows.append((name, *cells, "Wilson" if name in _SHARES else _OTHERS.get(name, "bootstrap")))
    return tuple(columns), tuple(rows)


def class_shares(evaluation: Evaluation, place: int) -> tuple[str, str, str]:
    """Precision and recall of a class in per cent, each with its interval, and F1; `—` for 0/0.

    >>> from neocog.evaluation import evaluate_predictions
    >>> class_shares(evaluate_predictions([[0.8, 0.2]] * 4, [0, 0, 0, 1], ["cat", "dog"], "test"), 0)
    ('75.00 (30.06–95.44)', '100.00 (43.85–100.00)', '85.71')
    """
    shares = (evaluation.precision, evaluation.precision_intervals), (evaluation.recall, evaluation.recall_intervals)
    cells = [
        "—" if math.isnan(low) else f"{_bare(value)} ({low * 100:.2f}–{high * 100:.2f})"
        for value, (low, high) in ((float(values[place]), ends[place].tolist()) for values, ends in shares)
    ]
    return cells[0], cells[1], _bare(float(evaluation.f1[place]))


def before_and_after(part: str, found: Mapping[str, Any], note: str = "") -> list[tuple[str, ...]]:
    """Loss and calibration error of a part before and after calibrating, each with its interval, as rows."""
    rows: list[tuple[str, ...]] = []
    for measure, name, show in (("loss", "loss", four_digits), ("calibration error", "ece", percent)):
        cells = [note if rows else f"{part}, n = {found['n']:,}", measure]
        for when in ("before", "after"):
            low, high = found["intervals"][f"{name}_{when}"]
            cells += [show(found[f"{name}_{when}"]), between((low, math.inf if high is None else high), show)]
        rows.append(tuple(cells))
    return rows


def _bare(share: float) -> str:
    return percent(share).removesuffix(" %")


NO_F1_INTERVAL = "precision and recall with 95 % Wilson intervals; F1 has one for all classes only"
BEFORE_AND_AFTER = ("part", "measure", ">before", ">95 % interval", ">after", ">95 % interval")
_SHARES = ("accuracy", "top-2", "top-3", "top-5")
_OTHERS = {"negative log likelihood": "Wilson and Student's t"}
_MEASURES: tuple[tuple[str, _Show, Callable[[Evaluation], float], Callable[[Evaluation], tuple[float, float]]], ...] = (
    ("accuracy", percent, lambda found: found.accuracy, lambda found: found.interval),
    ("top-2", percent, lambda found: found.top_k(2), lambda found: found.top_k_interval(2)),
    ("top-3", percent, lambda found: found.top_k(3), lambda found: found.top_k_interval(3)),
    ("top-5", percent, lambda found: found.top_k(5), lambda found: found.top_k_interval(5)),
    ("macro F1", percent, lambda found: found.macro_f1, lambda found: found.macro_f1_interval),
    ("Cohen's kappa", four_digits, lambda found: found.kappa, lambda found: found.kappa_interval),
    ("negative log likelihood", four_digits, lambda found: found.loss, lambda found: found.loss_interval),
    ("expected calibration error", percent, lambda found: found.ece, lambda found: found.ece_interval),
)


def _says_something(measure: str, evaluation: Evaluation) -> bool:
    """The first five of five classes always hold the right one."""
    return not measure.startswith("top-") or int(measure.removeprefix("top-")) < len(evaluation.classes)
