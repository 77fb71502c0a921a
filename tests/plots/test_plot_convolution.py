"""Picture, kernel and result side by side, and one kernel by itself."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import CORNERS, COUNTING, all_texts, grid, outlines, part, photo, worked

from neocog.filtering import clipped, convolve, displayed
from neocog.kernels import Kernel, kernel
from neocog.plots import plot_convolution, plot_kernel, plot_window
from neocog.plots.convolution import Shades


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
