"""The measures of one part or of several side by side, each with its interval, as cells of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neocog.evaluation import Evaluation

_Show = Callable[[float], str]


def percent(share: float) -> str:
    """A share in per cent, never rounded up to all or down to nothing.

    >>> percent(0.99256), percent(1.0), percent(0.99999), percent(0.0)
    ('99.26 %', '100.00 %', '99.999 %', '0.00 %')
    """
    digits = 2
    while 0 < share < 1 and digits < 8 and round(share * 100, digits) in (0, 100):
        digits += 1
    return f"{share * 100:.{digits}f} %"


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
