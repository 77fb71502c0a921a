"""The figures: which numbers and titles stand in them, that nothing is cut, and that files are whole and repeatable."""

from __future__ import annotations

import errno
import math
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from conftest import ENVIRONMENT
from neocog.errors import NeocogError, OperationError
from neocog.filtering import Convolved, clipped, convolve, displayed
from neocog.kernels import Kernel, kernel
from neocog.ops.spec import ConvSpec
from neocog.ops.toeplitz import toeplitz_matrix
from neocog.plots import plot_convolution, plot_kernel, plot_toeplitz, plot_window, save_figure
from neocog.plots.cells import Scale
from neocog.plots.convolution import Shades
from neocog.plots.numbers import POINTS, is_exact, number, text_width, written
from neocog.plots.style import LEAST, MARK, styled

COUNTING = torch.arange(9.0).reshape(3, 3)
TOEPLITZ_KERNEL = torch.arange(4.0).reshape(1, 1, 2, 2)
CORNERS = [[0, 1], [2, 3]]


def worked() -> Convolved:
    """The lesson's example: 0…8 under 0…3."""
    return convolve(COUNTING, CORNERS, padding="valid")


def photo(height: int = 200, width: int = 300) -> np.ndarray:
    """Three overlapping waves in red, green and blue."""
    rows, columns = np.mgrid[:height, :width]
    waves = [127.5 * (1 + np.sin(rows / (9 + channel) + columns / (17 - channel))) for channel in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def part(figure: Figure, name: str) -> Axes:
    (found,) = [axes for axes in figure.axes if axes.get_label() == name]
    return found


def grid(axes: Axes) -> list[list[str]]:
    """The texts in the cells, row by row."""
    places = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    rows = sorted({row for row, _ in places})
    return [[places[row, column] for column in sorted({c for _, c in places})] for row in rows]


def outlines(axes: Axes) -> list[tuple[float, float, float, float]]:
    """First row, first column, rows and columns of the cells inside of outlines, the thick outline last."""
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {to_rgb(patch.get_edgecolor()) for patch in patches} <= {to_rgb(MARK)}
    inches = axes.get_figure().get_size_inches()[0] * axes.get_position().width / abs(np.subtract(*axes.get_xlim()))
    found = []
    for box in patches:
        thick = max([box.get_linewidth(), *(effect._gc["linewidth"] for effect in box.get_path_effects())])
        half = thick / 2 / POINTS / inches
        first = box.get_y() + 0.5 + half, box.get_x() + 0.5 + half
        found.append(tuple(round(n, 6) for n in (*first, box.get_height() - 2 * half, box.get_width() - 2 * half)))
    return found


def all_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def lines_of_the_sum(figure: Figure) -> list[str]:
    (found,) = [text for text in figure.texts if "Mono" in str(text.get_fontfamily())]
    return found.get_text().splitlines()


# --- picture ∗ kernel = result


def test_the_worked_example_shows_all_its_numbers():
    figure = plot_convolution(worked())
    assert grid(part(figure, "tensor")) == [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]]
    assert grid(part(figure, "kernel")) == [["0", "1"], ["2", "3"]]
    assert grid(part(figure, "result")) == [["19", "25"], ["37", "43"]]
    assert all_texts(figure) == [
        "3×3",
        "tensor",
        "⋆",
        "2×2",
        "kernel",
        "=",
        "2×2\n(3 − 2)/1 + 1 = 2",
        "result",
        "outlined: the window that begins at row 1, column 1 of the picture\ngives row 1, column 1 of the result: 43\n"
        "⋆ is cross-correlation: the kernel lies on the picture as it stands",
    ]


@pytest.mark.parametrize(
    ("how", "sign", "line"),
    [
        ({}, "⋆", "⋆ is cross-correlation: the kernel lies on the picture as it stands"),
        (
            {"flip": True, "method": "loops"},
            "∗",
            "∗ is convolution: the kernel is shown as it lies on the picture, turned by 180°\ncomputed by loops",
        ),
    ],
)
def test_the_sign_and_the_caption_tell_correlation_from_convolution_and_the_method(how, sign, line):
    texts = all_texts(plot_convolution(convolve(COUNTING, CORNERS, padding="valid", **how)))
    assert [text for text in texts if text in "⋆∗"] == [sign]
    assert texts[-1].split("\n", 2)[2] == line


def test_what_the_method_rounds_otherwise_is_told():
    found = convolve(COUNTING, CORNERS, padding="valid")
    other = replace(found, after=found.after - 100.25, method="fft")
    for figure in (plot_convolution(other), plot_window(other)):
        assert all_texts(figure)[-1].splitlines()[2] == "method fft gave −57.25 here"


def test_window_and_result_are_outlined_in_one_colour():
    figure = plot_convolution(convolve(COUNTING, CORNERS, padding="valid", window=(0, 1)))
    assert outlines(part(figure, "tensor")) == [(0, 1, 2, 2)]
    assert outlines(part(figure, "result")) == [(0, 1, 1, 1)]
    assert outlines(part(figure, "kernel")) == []


def test_padding_is_seen_hatched_and_as_zeros():
    figure = plot_convolution(convolve(COUNTING, CORNERS, window=(2, 0)))
    picture = part(figure, "tensor")
    assert grid(picture) == [["0", "1", "2", "0"], ["3", "4", "5", "0"], ["6", "7", "8", "0"], ["0", "0", "0", "0"]]
    assert picture.patch.get_hatch() == "/////"
    assert picture.images[0].get_extent() == [-0.5, 2.5, 2.5, -0.5], "the picture covers the rest of the hatching"
    assert "3×3\npadding: top 0, bottom 1, left 0, right 1" in all_texts(figure)
    assert "3×3\n(3 + 0 + 1 − 2)/1 + 1 = 3" in all_texts(figure)
    assert all_texts(figure)[-1].endswith("\nhatched: padding, which counts as 0")
    assert "hatched" not in all_texts(plot_convolution(convolve(photo(), "identity")))[-1], "too thin to be seen"


@pytest.mark.parametrize(
    ("how", "kernel_title", "picture_title", "result_title"),
    [
        (
            {"padding": 1, "stride": 2},
            "3×3, stride 2",
            "28×28, padding 1",
            "14×14\n⌊(28 + 2·1 − 3)/2⌋ + 1 = 14",
        ),
        (
            {"padding": "valid", "stride": (1, 2), "dilation": 2},
            "3×3, stride 1×2, dilation 2",
            "28×28",
            "24×12\nrows (28 − (2·(3 − 1) + 1))/1 + 1 = 24\ncolumns ⌊(28 − (2·(3 − 1) + 1))/2⌋ + 1 = 12",
        ),
    ],
)
def test_titles_say_how_the_kernel_walks_and_fill_in_the_formula(how, kernel_title, picture_title, result_title):
    texts = all_texts(plot_convolution(convolve("digit:7", "sobel", **how)))
    assert [texts[0], texts[3], texts[6]] == [picture_title, kernel_title, result_title]


def test_a_digit_has_no_numbers_but_its_own_greys():
    convolved = convolve("digit:7", "sobel")
    figure = plot_convolution(convolved)
    picture = part(figure, "digit:7 (label 9)")
    assert list(picture.texts) == []
    shown = np.asarray(picture.images[0].get_array())
    assert np.array_equal(shown, convolved.before[0, :, :, None].expand(-1, -1, 3).numpy())


def test_negative_results_are_coloured_about_white_with_a_bar():
    convolved = convolve("digit:7", "sobel")
    figure = plot_convolution(convolved)
    shown, after = np.asarray(part(figure, "result").images[0].get_array()).astype(int), convolved.after[0].numpy()
    assert (shown[after == 0] >= 253).all(), "0 is white"
    assert (shown[after < -50, 2] > shown[after < -50, 0]).all(), "blue below"
    assert (shown[after > 50, 0] > shown[after > 50, 2]).all(), "orange above"
    bar = part(figure, "colour bar")
    assert [text.get_text() for text in bar.get_yticklabels()] == ["−1013", "0", "1013"]
    assert float(convolved.after.abs().max()) == 1013
    assert bar.get_ylim() == (-1013, 1013)


def test_results_beyond_255_are_grey_with_a_bar_from_0():
    convolved = convolve("digit:3", "box-as-published")
    bar = part(plot_convolution(convolved), "colour bar")
    assert bar.get_ylim() == (0, float(convolved.after.max()))
    assert bar.get_ylim()[1] > 255


def test_colours_are_true_and_need_no_bar():
    pixels = photo()
    figure = plot_convolution(convolve(pixels, "gaussian", size=5, padding="valid"))
    assert np.array_equal(np.asarray(part(figure, "picture").images[0].get_array()), pixels)
    assert [axes.get_label() for axes in figure.axes] == ["picture", "gaussian", "result"]
    assert all_texts(figure)[0] == "200×300, RGB"
    assert re.search(r"red [\d.]+, green [\d.]+, blue [\d.]+$", all_texts(figure)[-1].splitlines()[1])


@pytest.mark.parametrize("color", ["grey", "rgb"])
@pytest.mark.parametrize("name", ["sharpen", "emboss", "unsharp", "gaussian"])
def test_a_filtered_photograph_looks_as_displayed_and_says_what_is_clipped(name, color):
    found = convolve(photo(), name, color=color)
    figure = plot_convolution(found)
    shown = np.asarray(part(figure, "result").images[0].get_array())
    want = displayed(found.after, found.after_range)[0]
    assert np.array_equal(shown, want if want.ndim == 3 else np.stack([want] * 3, axis=-1))
    assert np.array_equal(shown[..., 0], np.rint(found.after[0].numpy()).clip(0, 255)), (
        "rounded, neither cut nor wrapped"
    )
    assert [axes.get_label() for axes in figure.axes] == ["picture", name, "result"], "0…255 needs no bar"
    count = clipped(found.after, (0, 255))
    assert (count == 0) == (name == "gaussian")
    line = f"\n{count:,} numbers of the result beyond 0…255: drawn as 0 or 255"
    for drawn in (figure, *([plot_window(found)] if color == "grey" else [])):
        assert all_texts(drawn)[-1].endswith(line) == (count > 0)


def test_colours_come_from_the_windows_on_the_picture_and_the_frame_is_clipped():
    pixels = np.full((9, 9), 100, dtype=np.uint8)
    pixels[:, 5:] = 90
    found = convolve(pixels, "sobel")
    assert found.after_range == (-40, 40)
    for figure in (plot_convolution(found), plot_window(found)):
        assert part(figure, "colour bar").get_ylim() == (-40, 40)
        assert all_texts(figure)[-1].endswith("\n18 numbers of the result beyond −40…40: drawn as −40 or 40")


def test_what_lies_beyond_a_scale_has_the_colour_of_its_end():
    values = torch.tensor([[[-400.0, -200, 0, 200, 400]]])
    shades = Shades.of(values, *displayed(values, (-200.0, 200.0)))
    ends = shades.colours_HW3[0]
    assert ends[0].tolist() == ends[1].tolist() != ends[2].tolist()
    assert ends[4].tolist() == ends[3].tolist() != ends[2].tolist()
    assert (shades.bar.low, shades.bar.high) == (-200, 200)
    assert shades.text("the result") == ["2 numbers of the result beyond −200…200: drawn as −200 or 200"]
    one = Shades.of(values[..., 1:], *displayed(values[..., 1:], (-200.0, 200.0)))
    assert one.text("it") == ["1 number of it beyond −200…200: drawn as −200 or 200"]


@pytest.mark.parametrize(("level", "kernel_text", "want"), [(77, "1", 77), (200, "0.25", 50), (40, "3", 120)])
def test_a_flat_picture_has_its_own_grey_and_gets_darker_and_lighter(level, kernel_text, want):
    figure = plot_convolution(convolve(np.full((30, 30), level, dtype=np.uint8), kernel_text))
    for name, grey in (("picture", level), ("result", want)):
        assert np.unique(np.asarray(part(figure, name).images[0].get_array())).tolist() == [grey]


def test_coloured_results_with_negative_numbers_lie_about_mid_grey():
    convolved = convolve(photo(), "laplacian", dilation=2, padding="valid")
    figure = plot_convolution(convolved)
    most = convolved.after_range[1]
    shown = np.asarray(part(figure, "result").images[0].get_array())
    want = (convolved.after.permute(1, 2, 0).numpy() / most + 1) * 127.5
    assert np.abs(shown - want).max() <= 0.5 + 1e-3
    assert [axes.get_label() for axes in figure.axes] == ["picture", "laplacian", "result"], "no bar of greys"
    line = f"\ncolours of the result, each channel by itself: mid grey is 0, black is −{most:.3g}, white {most:.3g}"
    assert all_texts(figure)[-1].endswith(line)


def test_coloured_results_beyond_255_say_what_black_and_white_are():
    figure = plot_convolution(convolve(np.full((9, 9, 3), 200, dtype=np.uint8), "3"))
    assert all_texts(figure)[-1].endswith("\ncolours of the result, each channel by itself: black is 0, white 600")


def test_small_coloured_pictures_have_three_numbers_in_a_cell():
    x_CHW = torch.arange(12.0).reshape(3, 2, 2)
    figure = plot_convolution(convolve(x_CHW, [[2]]))
    assert grid(part(figure, "tensor")) == [["0\n4\n8", "1\n5\n9"], ["2\n6\n10", "3\n7\n11"]]
    assert grid(part(figure, "result"))[1][1] == "6\n14\n22"
    line = "three numbers in a cell: red, green and blue, from the top down"
    assert line in all_texts(figure)[-1].splitlines()
    assert line not in all_texts(plot_convolution(convolve(photo(), "identity")))[-1]


def test_a_small_result_of_a_large_picture_has_cells_of_its_own_size():
    figure = plot_convolution(convolve("digit:7", "sobel", stride=4))
    inches = figure.get_size_inches()[0]
    assert part(figure, "result").get_position().width * inches == pytest.approx(2.2)
    line = "the result's cells are drawn larger than the picture's"
    assert line in all_texts(figure)[-1].splitlines()
    assert line not in all_texts(plot_convolution(convolve("digit:7", "sobel")))[-1]


def test_an_outline_leaves_the_pixels_that_it_marks_to_be_seen():
    found = convolve("digit:7", "sobel", window=(12, 9))
    figure = plot_convolution(found)
    figure.canvas.draw()
    dots = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    axes = part(figure, "digit:7 (label 9)")
    for row in range(11, 14):
        for column in range(8, 11):
            # From left to right, and from the top down, as far as two dots from the edges.
            (left, top), (right, foot) = (
                axes.transData.transform((column + side * 0.5, row + side * 0.5)) for side in (-1, 1)
            )
            cell = dots[len(dots) - int(top) + 2 : len(dots) - int(foot) - 2, int(left) + 2 : int(right) - 1]
            assert cell.size > 0
            assert (cell == found.before[0, row, column].item()).all()


def test_a_dilated_kernel_marks_what_it_reads_where_that_can_be_seen():
    *read, window = outlines(
        part(plot_convolution(convolve("digit:7", "sobel", dilation=2, window=(10, 10))), "digit:7 (label 9)")
    )
    assert window == (8, 8, 5, 5)
    assert {box[:2] for box in read} == {(row, column) for row in (8, 10, 12) for column in (8, 10, 12)}
    assert len(outlines(part(plot_convolution(convolve(photo(), "sobel", dilation=2)), "picture"))) == 1


def test_a_small_window_in_a_large_picture_has_an_outline_that_can_be_seen():
    figure = plot_convolution(convolve(photo(), "identity", window=(100, 150)))
    (row, column, rows, columns), *_ = outlines(part(figure, "result"))
    inches = figure.get_size_inches()[0] * part(figure, "result").get_position().width / 300
    assert rows == pytest.approx(columns, abs=1e-5)
    assert rows * inches >= 0.06
    assert (row + rows / 2 - 0.5, column + columns / 2 - 0.5) == pytest.approx((100, 150), abs=1e-5)


# --- one window


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


# --- the Toeplitz matrix


def test_the_toeplitz_matrix_stands_in_its_equation():
    figure = plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2))
    want = toeplitz_matrix(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2)).int().tolist()
    assert grid(part(figure, "A")) == [[str(entry) for entry in row] for row in want]
    assert grid(part(figure, "y")) == [["y₀₀"], ["y₀₁"], ["y₁₀"], ["y₁₁"]]
    assert grid(part(figure, "x"))[::4] == [["x₀₀"], ["x₁₁"], ["x₂₂"]]
    assert (part(figure, "A").get_ylabel(), part(figure, "A").get_xlabel()) == (
        "output (k, p, q)",
        "input (c, h, w)",
    )
    texts = all_texts(figure)
    assert texts[texts.index("A") - 1] == "4×9, in blocks of 2×3"
    assert [text for text in texts if text in "=·" and text] == ["=", "·"]
    assert texts[-1] == (
        "12 of 36 entries are not zero (33.3 %)\n"
        "each row of A makes one output number: kernel k at row p, column q of the result\n"
        "each column of A meets one input number: channel c, row h, column w of the picture"
    )


def test_the_toeplitz_equation_is_solved_for_a_picture():
    figure = plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2), x=COUNTING[None], title="0…8 under 0…3")
    assert grid(part(figure, "x")) == [[str(value)] for value in range(9)]
    assert grid(part(figure, "y")) == [["19"], ["25"], ["37"], ["43"]]
    assert "0…8 under 0…3\n4×9, in blocks of 2×3" in all_texts(figure)


def test_a_toeplitz_picture_of_another_shape_is_refused():
    with pytest.raises(OperationError) as caught:
        plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2), COUNTING)
    assert str(caught.value) == "x has the shape (3, 3) but input_shape is (1, 3, 3); give the same"


def test_the_text_stands_under_the_matrix_and_not_under_a_taller_column():
    figure = plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 4, 4), ConvSpec.make(3), torch.ones(1, 4, 4))
    assert figure.texts[-1].get_position()[1] > part(figure, "x").get_position().y0


def block_lines(axes: Axes) -> dict[float, tuple[list[float], list[float]]]:
    """Thickness → where lines of it run down and across."""
    found: dict[float, tuple[list[float], list[float]]] = {}
    for lines in axes.collections:
        down, across = found.setdefault(lines.get_linewidths()[0], ([], []))
        for (x0, y0), (x1, y1) in lines.get_segments():
            (down if x0 == x1 else across).append(x0 if x0 == x1 else y0)
            assert (x0 == x1) != (y0 == y1)
    return found


def test_blocks_of_rows_and_of_channels_are_parted_by_lines():
    w_KCRS = torch.ones(2, 2, 2, 2)
    figure = plot_toeplitz(w_KCRS, (2, 3, 3), ConvSpec.make(2))
    by_thickness = block_lines(part(figure, "A"))
    assert by_thickness[2.0] == ([-0.5, 8.5, 17.5], [-0.5, 3.5, 7.5]), "channels and kernels"
    assert by_thickness[1.0] == ([-0.5, 2.5, 5.5, 8.5, 11.5, 14.5, 17.5], [-0.5, 1.5, 3.5, 5.5, 7.5]), "Q×W"
    assert grid(part(figure, "x"))[9] == ["x₁₀₀"]
    assert grid(part(figure, "y"))[-1] == ["y₁₁₁"]


def test_a_larger_toeplitz_matrix_is_colours_with_a_bar():
    figure = plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 8, 8), ConvSpec.make(3, stride=2, padding=1))
    assert [axes.get_label() for axes in figure.axes] == ["A", "colour bar"]
    assert list(part(figure, "A").texts) == []
    assert np.asarray(part(figure, "A").images[0].get_array()).shape == (16, 64, 3)
    assert part(figure, "colour bar").get_ylim() == (0, 1)
    down, across = block_lines(part(figure, "A"))[0.5]
    assert {7.5 + 8 * block for block in range(7)} <= set(down), "thin lines between the blocks"
    assert {3.5, 7.5, 11.5} <= set(across)
    assert all_texts(figure)[-1].startswith("121 of 1,024 entries are not zero (11.8 %)\n")


@pytest.mark.parametrize(
    ("w_shape", "input_shape", "spec", "text"),
    [
        (
            (1, 1, 3, 3),
            (1, 33, 32),
            ConvSpec.make(3, stride=9),
            "a Toeplitz matrix of 16 × 1,056 entries is too large to draw; use a smaller picture or fewer kernels, for "
            "at most 1,024 rows and columns",
        ),
        (
            (3, 3, 3, 3),
            (3, 4000, 6000),
            ConvSpec.make(3),
            "a Toeplitz matrix of 71,940,012 × 72,000,000 entries is too large to draw; use a smaller picture or fewer "
            "kernels, for at most 1,024 rows and columns",
        ),
        (
            (1, 1, 2, 2),
            (3, 3),
            ConvSpec.make(2),
            "input_shape = (3, 3): give one picture's (channels, rows, columns), such as (1, 28, 28)",
        ),
        (
            (1, 1, 5, 5),
            (1, 3, 3),
            ConvSpec.make(5),
            "a 5×5 kernel does not fit the 3×3 picture; use a smaller kernel, or 1 more padding on each side",
        ),
    ],
)
def test_what_makes_no_toeplitz_picture_is_refused(w_shape, input_shape, spec, text):
    with pytest.raises(OperationError) as caught:
        plot_toeplitz(torch.ones(w_shape), input_shape, spec)
    assert str(caught.value) == text


# --- one kernel


def test_a_kernel_shows_its_numbers_sum_and_what_it_is_about():
    figure = plot_kernel(Kernel("half", ((0.5, -0.25), (0, 1 / 3)), about="halves " * 20))
    assert grid(part(figure, "half")) == [["0.5", "−0.25"], ["0", "0.3333"]]
    assert all_texts(figure)[:2] == ["2×2, sum 0.5833", "half"]
    assert all_texts(figure)[2].replace("\n", " ") == ("halves " * 20).strip()
    assert max(len(line) for line in all_texts(figure)[2].splitlines()) <= 52


def test_a_large_kernel_is_colours_with_a_bar():
    figure = plot_kernel(kernel("gabor", size=21))
    assert list(part(figure, "gabor").texts) == []
    low, high = part(figure, "colour bar").get_ylim()
    assert low == -high
    assert high == pytest.approx(float(kernel("gabor", size=21).tensor().abs().max()))


# --- numbers and colours


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


def test_small_blocks_have_no_lines_and_each_entry_has_two_dots_of_its_own():
    figure = plot_toeplitz(torch.ones(1, 1, 1, 1), (1, 64, 10), ConvSpec.make(1))
    matrix = part(figure, "A")
    assert set(block_lines(matrix)) <= {0.5, 1.0}
    assert max(len(down) for down, _ in block_lines(matrix).values()) == 2
    assert matrix.get_position().width * figure.get_size_inches()[0] * 160 == pytest.approx(2 * 640)


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


# --- all figures


FIGURES = {
    "worked convolution": lambda: plot_convolution(worked()),
    "worked window": lambda: plot_window(worked()),
    "digit": lambda: plot_convolution(convolve("digit:7", "sobel")),
    "strided digit": lambda: plot_convolution(convolve("digit:7", "sobel", padding=1, stride=2, window=(0, 7))),
    "digit's window": lambda: plot_window(convolve("digit:7", "gaussian", size=7)),
    "photo": lambda: plot_convolution(convolve(photo(), "laplacian", dilation=2)),
    "photo's window": lambda: plot_window(convolve(photo(), "laplacian", dilation=2)),
    "gabor": lambda: plot_convolution(convolve(photo(), "gabor", size=21, color="grey")),
    "gabor's window": lambda: plot_window(convolve(photo(), "gabor", size=21, color="grey")),
    "row": lambda: plot_convolution(convolve(photo(1, 300), "motion")),
    "one pixel": lambda: plot_window(convolve(torch.zeros(1, 1), [[5]])),
    "toeplitz": lambda: plot_toeplitz(TOEPLITZ_KERNEL, (1, 3, 3), ConvSpec.make(2)),
    "large toeplitz": lambda: plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 8, 8), ConvSpec.make(3, stride=2, padding=1)),
    "equation": lambda: plot_toeplitz(torch.ones(1, 1, 3, 3), (1, 4, 4), ConvSpec.make(3), torch.ones(1, 4, 4)),
    "kernel": lambda: plot_kernel(kernel("gaussian", size=7)),
    "nine rows": lambda: plot_window(convolve("digit:7", "gaussian", size=9, sigma=2)),
    "small result": lambda: plot_convolution(convolve("digit:7", "sobel", stride=4)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_and_nothing_overlaps(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    page, renderer = figure.bbox, figure.canvas.get_renderer()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    outside = [text for text in figure.texts if text.get_text()]
    for text in texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
        assert text.get_fontsize() >= LEAST
    boxes = [(text.get_text(), text.get_window_extent(renderer).shrunk(0.98, 0.9)) for text in outside]
    panels = [(axes.get_label(), axes.get_tightbbox(renderer)) for axes in figure.axes]
    for (one, first), (other, second) in combinations(boxes + panels, 2):
        assert not first.overlaps(second), f"{one!r} lies on {other!r}"


def test_inputs_are_left_as_they_were():
    convolved = convolve("digit:7", "sobel")
    before, after, rows = convolved.before.clone(), convolved.after.clone(), convolved.kernel.rows
    w_KCRS = TOEPLITZ_KERNEL.clone().requires_grad_()
    plot_convolution(convolved)
    plot_window(convolved)
    plot_toeplitz(w_KCRS, (1, 3, 3), ConvSpec.make(2))
    assert torch.equal(convolved.before, before)
    assert torch.equal(convolved.after, after)
    assert convolved.kernel.rows == rows
    assert torch.equal(w_KCRS, TOEPLITZ_KERNEL)


def test_the_users_own_style_is_neither_used_nor_changed(tmp_path):
    plain = save_figure(plot_window(worked()), tmp_path / "plain.png").read_bytes()
    with matplotlib.rc_context({"axes.grid": True, "font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        own = save_figure(plot_window(worked()), tmp_path / "own.png").read_bytes()
        assert dict(matplotlib.rcParams) == before
    assert own == plain


def test_the_style_is_taken_back_when_drawing_fails():
    @styled
    def fails() -> None:
        assert matplotlib.rcParams["svg.hashsalt"] == "neocog"
        raise OperationError("no")

    before = dict(matplotlib.rcParams)
    with pytest.raises(OperationError):
        fails()
    assert dict(matplotlib.rcParams) == before


def test_importing_needs_neither_torch_nor_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys, neocog.plots\n"
        "print(sorted({'torch', 'matplotlib', 'scipy'} & set(sys.modules)))\n"
        "from neocog.kernels import kernel\n"
        "neocog.plots.save_figure(neocog.plots.plot_kernel(kernel('sobel')), 'sobel.svg')\n"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, env=ENVIRONMENT
    )
    assert (done.stdout, done.stderr) == ("[]\nTrue False\n", "")
    assert Path("sobel.svg").read_bytes() == save_figure(plot_kernel(kernel("sobel")), "here.svg").read_bytes()


def test_strange_names_are_shown_on_one_line_and_without_warnings(tmp_path):
    figure = plot_kernel(Kernel("写真 $x_1$\n" + "long " * 20, ((1,),)))
    assert all_texts(figure)[1] == "写真 $x_1$ long long…ng long long long"
    save_figure(figure, tmp_path / "named.png")


# --- files


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_the_same_figure_gives_the_same_bytes(suffix, start):
    paths = [save_figure(plot_convolution(convolve("digit:7", "sobel")), f"{name}{suffix}") for name in "ab"]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.startswith(start)
    assert paths == [Path(f"a{suffix}"), Path(f"b{suffix}")]
    assert sorted(path.name for path in Path().iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_a_png_has_160_dots_an_inch():
    from PIL import Image

    figure = plot_kernel(kernel("sobel"))
    with Image.open(save_figure(figure, "sobel.png")) as picture:
        assert picture.size == tuple(math.floor(160 * inches) for inches in figure.get_size_inches())
        assert {"Software", "Creation Time"} & set(picture.info) == set()


def test_an_svg_is_well_formed_and_undated():
    path = save_figure(plot_window(convolve("digit:7", "sobel", window=(0, 8))), "window.svg")
    assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "<dc:date>" not in path.read_text()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sobel.gif", "cannot write 'sobel.gif': its suffix tells its kind; give .png, .svg or .pdf"),
        ("sobel", "cannot write 'sobel': its suffix tells its kind; give .png, .svg or .pdf"),
        ("there.png", "'there.png' exists already; give another name, or --overwrite (in Python, overwrite=True)"),
        ("link.svg", "'link.svg' exists already; give another name, or --overwrite (in Python, overwrite=True)"),
        ("none/a.png", "cannot write 'none/a.png': there is no folder 'none'; make it first"),
        ("there.png/a.png", "cannot write 'there.png/a.png': there is no folder 'there.png'; make it first"),
        (f"{'a' * 300}.png", f"cannot write '{'a' * 300}.png': File name too long; give a place that can be written"),
    ],
)
def test_a_figure_is_refused_a_place(path, text):
    Path("there.png").write_bytes(b"mine")
    Path("link.svg").symlink_to("nowhere")
    with pytest.raises(NeocogError) as caught:
        save_figure(plot_kernel(kernel("sobel")), path)
    assert str(caught.value) == text
    assert Path("there.png").read_bytes() == b"mine"
    assert sorted(path.name for path in Path().iterdir()) == ["link.svg", "there.png"]


def test_overwriting_is_done_when_asked_for_and_never_half(monkeypatch):
    Path("a.png").write_bytes(b"mine")
    figure = plot_kernel(kernel("sobel"))

    def full_disk(place: Path, **_: object) -> None:
        place.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(NeocogError) as caught:
        patch.setattr(figure, "savefig", full_disk)
        save_figure(figure, "a.png", overwrite=True)
    assert str(caught.value) == "cannot write 'a.png': No space left on device; give a place that can be written"
    assert [(path.name, path.read_bytes()) for path in Path().iterdir()] == [("a.png", b"mine")]

    save_figure(figure, "a.png", overwrite=True)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    Path("fresh").touch()
    assert Path("a.png").stat().st_mode == Path("fresh").stat().st_mode


def test_a_folder_that_cannot_be_written_is_named(monkeypatch):
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("neocog.files.tempfile.mkstemp", refuse)
    with pytest.raises(NeocogError) as caught:
        save_figure(plot_kernel(kernel("sobel")), "a.png")
    assert str(caught.value) == "cannot write 'a.png': Permission denied; give a place that can be written"
