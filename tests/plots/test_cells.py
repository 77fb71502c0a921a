"""Numbers in cells, and their colours."""

from __future__ import annotations

import numpy as np
import pytest

from neocog.kernels import kernel
from neocog.plots.cells import Scale
from neocog.plots.numbers import POINTS, is_exact, number, text_width, written
from neocog.plots.style import LEAST


@pytest.mark.parametrize(
    ("value", "digits", "want"),
    [
        (0.0, 4, "0"),
        (-0.0, 4, "0"),
        (-12.0, 2, "−12"),
        (123456.0, 2, "123456"),
        (118.26, 2, "118"),
        (118.26, 4, "118.3"),
        (1 / 9, 4, "0.1111"),
        (0.1 + 0.2, 4, "0.3"),
        (2.5e-7, 3, "2.5e−7"),
        (3e38, 3, "3e38"),
    ],
)
def test_numbers_are_as_short_as_they_may_be(value, digits, want):
    assert number(value, digits) == want


@pytest.mark.parametrize(("value", "want"), [(402.0, True), (-0.5, True), (np.float32(0.1), True), (1 / 9, False)])
def test_a_rounded_number_is_known_as_one(value, want):
    assert is_exact(number(float(value)), float(value)) is want


@pytest.mark.parametrize("edge", [0.2, 0.34, 0.5, 0.62])
def test_written_numbers_fit_their_cells(edge):
    values = np.random.default_rng(0).normal(0, 300, (5, 5, 1))
    found = written(values, edge)
    assert (found is None) == (edge == 0.2)
    if found is not None:
        assert found.size >= LEAST
        assert max(text_width(text, found.size) for text in found.texts.flat) < edge
        assert found.size / POINTS < edge
        got = np.array([[float(text.replace("−", "-")) for text in row] for row in found.texts])
        assert np.abs(got - values[..., 0]).max() <= 0.5


def test_three_lines_fit_a_cell_too():
    assert written(np.ones((2, 2, 3)), 0.48).size * 3 / POINTS < 0.48
    assert written(np.ones((2, 2, 3)), 0.4) is None
    assert written(np.ones((2, 2, 1)), 0.4).size > LEAST


def test_numbers_are_left_out_where_they_would_be_too_many_or_lost():
    assert written(np.ones((41, 41, 1)), 0.6) is None
    assert written(np.ones((40, 40, 1)), 0.6) is not None
    gaussian = np.array(kernel("gaussian", size=9, sigma=0.7).rows)[..., None]
    assert written(gaussian, 0.6) is None, "most of them would read 0.0000"
    assert written(np.zeros((0, 3, 1)), 0.6) is None


def test_the_nought_before_a_point_is_left_out_where_that_makes_room():
    values = np.array([[0.25, -0.375, 0, 0.5]])[..., None]
    assert written(values, 0.62).texts.tolist() == [["0.25", "−0.375", "0", "0.5"]]
    assert written(values, 0.34).texts.tolist() == [[".25", "−.38", "0", ".5"]]


def test_a_number_that_is_rounded_to_nothing_is_no_bare_zero():
    values = np.array([100.25, 3, 4, 5.5, -7, 9, 0.001, 0, -0.001]).reshape(1, 9, 1)
    assert written(values, 0.6).texts.tolist() == [["100.2", "3", "4", "5.5", "−7", "9", "0.0", "0", "0.0"]]


def test_without_colour_negative_numbers_are_still_the_darker_ones():
    low, zero, high = Scale(-1, 1, grey=False).paint(np.array([[-1.0, 0.0, 1.0]]))[0] @ np.array([0.299, 0.587, 0.114])
    assert low + 60 < high < zero - 60
