"""One window, product by product."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from figures import COUNTING, all_texts, grid, lines_of_the_sum, outlines, part, photo

from neocog.filtering import convolve
from neocog.plots import plot_window
from neocog.plots.numbers import number


def test_the_window_is_taken_apart_product_by_product():
    figure = plot_window(convolve(COUNTING, [[1, -2], [0, 3]], padding="valid", window=(1, 0)))
    assert grid(part(figure, "tensor")) == [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]]
    assert grid(part(figure, "kernel")) == [["1", "−2"], ["0", "3"]]
    assert grid(part(figure, "products")) == [["3", "−8"], ["0", "21"]]
    assert grid(part(figure, "result")) == [["10", "12"], ["16", "18"]]
    assert outlines(part(figure, "tensor")) == [(1, 0, 2, 2)]
    assert outlines(part(figure, "result")) == [(1, 0, 1, 1)]
    assert lines_of_the_sum(figure) == ["  3·1 + 4·(−2)", "+ 6·0 + 7·3", "= 16"]
    assert [text for text in all_texts(figure) if text in "×=Σ →"] == ["×", "=", "Σ →"]


def test_the_window_is_zoomed_into_with_its_padding():
    figure = plot_window(convolve("digit:7", "sobel", window=(0, 8)))
    picture = part(figure, "digit:7 (label 9)")
    assert (picture.get_ylim(), picture.get_xlim()) == ((2.5, -1.5), (5.5, 10.5))
    assert [text.get_text() for text in picture.get_yticklabels()] == ["−1", "0", "1", "2"]
    assert all_texts(figure)[-1].endswith("\nhatched: padding, which counts as 0")
    assert (part(figure, "result").get_ylim(), part(figure, "result").get_xlim()) == ((2.5, -0.5), (5.5, 10.5))
    for window, hatched in (((26, 8), True), ((8, 26), True), ((12, 8), False)):
        caption = all_texts(plot_window(convolve("digit:7", "sobel", window=window)))[-1]
        assert caption.endswith("\nhatched: padding, which counts as 0") == hatched


def test_the_zoom_shows_the_numbers_of_its_own_place():
    found = convolve("digit:7", "sobel", window=(12, 8))
    figure = plot_window(found)
    for axes, values in ((part(figure, "digit:7 (label 9)"), found.before), (part(figure, "result"), found.after)):
        assert grid(axes) == [[number(value) for value in row] for row in values[0, 10:15, 6:11].tolist()]


@pytest.mark.parametrize(
    "convolved",
    [
        pytest.param(lambda: convolve("digit:7", "sobel"), id="whole numbers"),
        pytest.param(lambda: convolve("digit:7", "1/4 -1/8 0; 1 2 3", stride=2, padding=1), id="fractions"),
        pytest.param(lambda: convolve(-COUNTING, "laplacian"), id="negative pixels"),
    ],
)
def test_a_sum_with_an_equals_sign_is_right_to_the_last_figure(convolved):
    found = convolved()
    *products, value = lines_of_the_sum(plot_window(found))
    assert value.startswith("= ")
    python = " ".join(products).replace("·", "*").replace("−", "-")
    assert eval(python) == float(value[2:].replace("−", "-")) == float(found.after[0][found.window])


def test_a_sum_of_rounded_numbers_says_so_and_is_close():
    found = convolve("digit:7", "gaussian", size=5)
    *products, value = lines_of_the_sum(plot_window(found))
    assert value.startswith("≈ ")
    assert len(products) == 5
    summed = eval(" ".join(products).replace("·", "*"))
    assert summed == pytest.approx(float(value[2:]), rel=1e-3)
    assert float(value[2:]) == pytest.approx(float(found.traces[0].shown), rel=1e-5)


def test_of_three_channels_the_strongest_is_drawn_and_all_are_told():
    pixels = np.zeros((5, 5, 3), dtype=np.uint8)
    pixels[2, 2] = 10, 30, 20
    figure = plot_window(convolve(pixels, [[-1]], window=(2, 2)))
    assert figure.axes[0].get_label() == "picture, green"
    assert lines_of_the_sum(figure) == ["  30·(−1)", "= −30"]
    assert "gives row 2, column 2 of the result: red −10, green −30, blue −20" in all_texts(figure)[-1]


def test_a_dilated_window_marks_the_pixels_that_it_reads():
    figure = plot_window(convolve("digit:7", "sobel", dilation=2, window=(10, 10)))
    *read, window = outlines(part(figure, "digit:7 (label 9)"))
    assert window == (8, 8, 5, 5)
    assert {box[:2] for box in read} == {(row, column) for row in (8, 10, 12) for column in (8, 10, 12)}


def test_a_large_kernel_lists_its_largest_products_and_counts_the_rest():
    found = convolve(photo(), "gabor", size=21, color="grey")
    figure = plot_window(found)
    first, rest, value = lines_of_the_sum(figure)
    assert rest == "+ … 436 smaller products"
    listed = [abs(eval(text.replace("·", "*"))) for text in re.findall(r"\d+·[\d.]+", first)]
    largest = sorted((abs(term.product) for term in found.traces[0].terms), reverse=True)
    assert listed == pytest.approx(largest[:5], rel=1e-3)
    assert value == f"≈ {found.traces[0].shown}"
    assert list(part(figure, "gabor").texts) == []


def test_the_largest_products_are_largest_whatever_their_sign():
    rows = [[0] * 11, [1, 2, 3, -90, 5, 6, 7, 8, 80, -70, 60], [0] * 11]
    figure = plot_window(convolve(torch.ones(3, 11), rows, padding="valid"))
    first, rest, value = lines_of_the_sum(figure)
    assert first == "  1·(−90) + 1·80 + 1·(−70) + 1·60 + 1·8"
    assert (rest, value) == ("+ … 28 smaller products", "= 12")


def test_a_sum_that_depends_on_the_order_of_adding_has_no_equals_sign():
    for size, sign in ((2.0**20, "="), (9_999_999.0, "≈")):
        found = convolve(torch.full((2, 2), size), [[1, 0.5], [0.25, 0.125]], padding="valid")
        assert lines_of_the_sum(plot_window(found))[-1] == f"{sign} {found.traces[0].shown}"


def test_nine_rows_keep_their_numbers_and_all_their_products():
    figure = plot_window(convolve("digit:7", "gaussian", size=9, sigma=2))
    assert grid(part(figure, "gaussian"))[4][3:6] == [".037", ".042", ".037"]
    assert len(lines_of_the_sum(figure)) == 10
