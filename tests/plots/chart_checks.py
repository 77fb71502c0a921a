"""What tests of the charts share: made-up sides, and the checks that hold for every chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from neocog.plots import save_figure
from neocog.plots.style import LEAST
from neocog.statistics.comparison import METRICS, Comparison, Side

LONG = "model-a optimizer.lr=0.02 optimizer.momentum=0.9 loader.batch_size=64"


def side(
    name: str,
    values: Sequence[float] | Mapping[int, float],
    *,
    parameters: int = 29_034,
    macs: int | None = 2_400_000,
    seconds: Mapping[int, float] | None = None,
    failed: Sequence[int] = (),
) -> Side:
    numbered = dict(values) if isinstance(values, Mapping) else dict(enumerate(values))
    taken = dict.fromkeys(numbered, 10.0) if seconds is None else seconds
    return Side(name, numbered, {}, taken, parameters, macs, dict.fromkeys(failed, "the loss became nan"))


def compared(*sides: Side, metric: str = "accuracy", verdict: str = "a beats b") -> Comparison:
    """Sides with a verdict that is given, so that charts are tested apart from the statistics."""
    kind = type("Told", (Comparison,), {"verdict": verdict})
    found: Comparison = kind(METRICS[metric], sides, (), 0.95, {}, ())
    return found


def drawn(axes: Axes, gid: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_gid() == gid]


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def near(*places: tuple[float, float]) -> list[object]:
    """Points to compare with, but for the last digits."""
    return [pytest.approx(place) for place in places]


def written(figure: Figure) -> str:
    """All texts beside the charts, on one line each."""
    return "\n".join(" ".join(text.get_text().split()) for text in figure.texts if text.get_text())


def check_layout(figure: Figure) -> None:
    """No text is cut off, too small or on another; none beside a chart lies on it."""
    figure.draw_without_rendering()
    page, renderer = figure.bbox, figure.canvas.get_renderer()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert texts
    for text in texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
        assert text.get_fontsize() >= LEAST
    boxes = [(text.get_text(), text.get_window_extent(renderer).shrunk(0.98, 0.85)) for text in texts]
    check_apart(boxes)
    charts = [(axes.get_label(), axes.get_window_extent(renderer)) for axes in figure.axes]
    beside = [(text.get_text(), text.get_window_extent(renderer).shrunk(0.98, 0.85)) for text in figure.texts]
    check_apart(charts + beside)


def check_apart(boxes: Sequence[tuple[str, Bbox]]) -> None:
    """No two boxes share a point; all pairs at once, because a figure may have hundreds of texts."""
    x0, y0, x1, y1 = np.array([box.extents for _, box in boxes]).T
    across, down = ((low <= high[:, None]) & (low[:, None] <= high) for low, high in ((x0, x1), (y0, y1)))
    for one, other in np.argwhere(np.triu(across & down, k=1)):
        raise AssertionError(f"{boxes[one][0]!r} lies on {boxes[other][0]!r}")


def check_files(draw: Callable[[], Figure]) -> None:
    """Drawn and written twice, the bytes of the SVG are the same, and well formed."""
    first, second = (save_figure(draw(), f"{name}.svg") for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert ElementTree.parse(first).getroot().tag == "{http://www.w3.org/2000/svg}svg"
