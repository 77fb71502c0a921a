from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_files, check_layout, points
from figures import part
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from neocog.explanations.attributions import TITLES, Attribution
from neocog.explanations.checks import Check
from neocog.plots.attributions import plot_attributions
from neocog.plots.style import GREEN, MARK

NAMES = ("completeness", "deletion", "insertion", "randomisation", "agreement")


def made(method: str, size: tuple[int, int], failing: tuple[str, ...] = (), checked: bool = True) -> Attribution:
    random = np.random.default_rng(len(method))
    values_CHW = random.normal(size=(1, *size)).astype(np.float32)
    if not checked:
        return Attribution(method, TITLES[method], 0, values_CHW, "black", {})
    checks = tuple(Check(name, name not in failing, 0.004, 0.01, "") for name in NAMES)
    curve = np.linspace(0.9, 0.1, 5)
    return Attribution(method, TITLES[method], 0, values_CHW, "black", {}, checks, curve, 1 - curve)


def drawn(size: tuple[int, int] = (28, 28), channels: int = 1, methods: tuple[str, ...] = tuple(TITLES)) -> Figure:
    failing = {"grad-cam": ("deletion", "agreement")}
    picture = np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8)
    return plot_attributions(picture, [made(each, size, failing.get(each, ())) for each in methods], "Why 7?")


@pytest.mark.parametrize(("size", "channels"), [((28, 28), 1), ((3, 2), 3), ((90, 300), 3)])
def test_nothing_lies_on_anything(size: tuple[int, int], channels: int) -> None:
    figure = drawn(size, channels)
    check_layout(figure)
    shape = part(figure, "map occlusion").get_window_extent()
    assert shape.height / shape.width == pytest.approx(size[0] / size[1])


def test_a_map_that_fails_says_so_beyond_its_colour() -> None:
    figure = drawn()
    lines = {text.get_text(): to_hex(text.get_color()).upper() for text in figure.texts}
    assert lines["✗ fails 2 of 5 checks"] == lines["✗ deletion 0.004, not below 0.010"] == MARK
    assert lines["✓ passes its checks"] == GREEN
    assert [text.get_text() for text in figure.texts].count("✓ passes its checks") == 3
    frames = {name: part(figure, f"map {name}").spines["left"] for name in TITLES}
    assert {name for name, each in frames.items() if each.get_linewidth() > 2} == {"grad-cam"}
    assert frames["grad-cam"].get_linestyle() != frames["occlusion"].get_linestyle()


def test_curves_are_in_percent() -> None:
    axes = part(drawn(), "curves occlusion")
    lines = {line.get_gid(): points(line) for line in axes.lines}
    assert lines["deletion"][0] == pytest.approx((0, 90))
    assert lines["deletion"][-1] == pytest.approx((100, 10))
    assert lines["insertion"][1] == pytest.approx((25, 30))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("share of the pixels (%)", "probability (%)")


def test_maps_without_checks_and_empty_maps_say_so() -> None:
    plain = made("occlusion", (8, 8), checked=False)
    empty = Attribution("grad-cam", "Grad-CAM", 0, np.zeros((1, 8, 8), np.float32), None, {})
    figure = plot_attributions(np.zeros((8, 8, 1), np.uint8), [plain, empty])
    check_layout(figure)
    texts = [text.get_text() for text in figure.texts]
    assert texts.count("not checked") == 2
    assert "the map is empty: all values are 0" in texts
    assert len(figure.axes) == 3


def test_files() -> None:
    check_files(lambda: drawn((8, 8), methods=("grad-cam",)))
