from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from neocog.filtering import convolve
from neocog.terminal import LINES, SIGNS, convolved_text, in_256_colours, picture_text, side_by_side

RAMP = np.arange(0, 256, 5, dtype=np.uint8)[None].repeat(2, 0)
NAMES = ("red", "green", "blue")
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


def size(text: str) -> tuple[int, int]:
    """Lines and columns as a reader sees them."""
    lines = ESCAPE.sub("", text).split("\n")
    return len(lines), max(len(line) for line in lines)


def cells(line: str) -> list[tuple[str, str]]:
    """Foreground and background of each ▀ of a coloured line."""
    found, colours = [], ("", "")
    for escape, sign in re.findall(r"\x1b\[([\d;]*)m|(▀)", line):
        if sign:
            found.append(colours)
        elif escape != "0":
            upper, lower = re.fullmatch(r"38;2;(\d+;\d+;\d+);(?:48;2;(\d+;\d+;\d+)|49)", escape).groups()  # type: ignore[union-attr]
            colours = (upper, lower or "")
    return found


def test_signs_run_from_black_to_white() -> None:
    text = picture_text(RAMP, 60, colour=False)
    assert "".join(dict.fromkeys(f" {text}".replace("\n", ""))) == SIGNS
    assert picture_text(np.full((2, 3), 255, np.uint8), 3, colour=False) == "@@@"
    assert picture_text(np.zeros((2, 3), np.uint8), 3, colour=False) == ""


def test_colours_are_two_dots_in_a_cell() -> None:
    pixels = np.array([[[255, 0, 0], [1, 2, 3]], [[0, 255, 0], [4, 5, 6]], [[9, 9, 9], [9, 9, 9]]], np.uint8)
    lines = picture_text(pixels, 2, colour=True).split("\n")
    assert cells(lines[0]) == [("255;0;0", "0;255;0"), ("1;2;3", "4;5;6")]
    assert cells(lines[1]) == [("9;9;9", ""), ("9;9;9", "")]  # below the last row is the terminal's own colour
    assert lines[1] == "\x1b[38;2;9;9;9;49m▀▀\x1b[0m"


def test_grey_is_drawn_as_grey() -> None:
    assert cells(picture_text(np.array([[7], [200]], np.uint8), 1, colour=True)) == [("7;7;7", "200;200;200")]


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    ("shape", "want"),
    [
        ((28, 28), (14, 28)),
        ((512, 512), (25, 49)),
        ((3, 3), (12, 24)),
        ((1, 1), (4, 8)),
        ((300, 4000), (2, 49)),
        ((4000, 300), (LINES, 4)),
        ((5000, 1), (LINES, 1)),
        ((1, 5000), (1, 49)),
    ],
)
def test_drawings_keep_proportions_and_bounds(colour: bool, shape: tuple[int, int], want: tuple[int, int]) -> None:
    for channels in ((), (3,)):
        assert size(picture_text(np.full((*shape, *channels), 255, np.uint8), 49, colour=colour)) == want


def test_shrinking_averages_areas() -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    lines = picture_text(board, 8, colour=True).split("\n")
    assert {cell for line in lines for cell in cells(line)} == {("128;128;128", "128;128;128")}
    assert set("".join(picture_text(board, 8, colour=False).split("\n"))) == {SIGNS[5]}


def test_enlarging_repeats_pixels() -> None:
    pixels = np.array([[0, 255], [255, 0]], np.uint8)
    assert picture_text(pixels, 9, colour=False) == "    @@@@\n    @@@@\n@@@@\n@@@@"


def test_a_box_is_framed() -> None:
    text = picture_text(np.zeros((20, 12), np.uint8), 12, colour=False, box=(6, 4, 4, 3))
    assert text == "\n\n   ┌───┐\n   │   │\n   │   │\n   └───┘" + "\n" * 4
    corner = picture_text(np.zeros((8, 8), np.uint8), 15, colour=False, box=(-1, -1, 3, 3))
    assert corner == "┌─┐\n└─┘\n\n"  # a frame is whole at the edge, too
    corner = picture_text(np.zeros((8, 8), np.uint8), 15, colour=False, box=(6, 6, 3, 3))
    assert corner == "\n\n     ┌─┐\n     └─┘"
    outside = picture_text(np.zeros((8, 8), np.uint8), 15, colour=False, box=(-5, 2, 3, 3))
    assert outside == "\n\n\n"


def test_a_box_is_framed_in_red() -> None:
    lines = picture_text(np.zeros((5, 5), np.uint8), 9, colour=True, box=(2, 2, 1, 1)).split("\n")
    red = [
        [dot == "255;48;48" for cell in cells(line) for dot in cell[place : place + 1]]
        for line in lines
        for place in (0, 1)
    ]
    assert red == [
        [False] * 5,
        [False, True, True, True, False],
        [False, True, False, True, False],
        [False, True, True, True, False],
        [False] * 5,
        [False] * 5,
    ]


def test_two_pictures_stand_side_by_side_on_one_scale() -> None:
    one, other = np.full((8, 6), 255, np.uint8), np.full((4, 3), 255, np.uint8)
    text = side_by_side(one, other, 20, colour=False, titles=("before", "after"))
    assert text == "before  after\n@@@@@@  @@@\n@@@@@@  @@@\n@@@@@@\n@@@@@@"
    text = side_by_side(other, one, 20, colour=False, titles=("before", "after"))
    assert text == "before  after\n@@@     @@@@@@\n@@@     @@@@@@\n        @@@@@@\n        @@@@@@"


def test_long_titles_take_more_lines() -> None:
    one = np.full((2, 2), 255, np.uint8)
    text = side_by_side(one, one, 20, colour=False, titles=("before 4000×3000", "after"))
    assert text.split("\n")[:3] == ["before     after", "4000×3000", "@@@@@@@@   @@@@@@@@"]


def test_256_colours_are_the_nearest() -> None:
    text = picture_text(np.array([[[255, 0, 0], [0, 0, 95]], [[128, 128, 128], [0, 0, 0]]], np.uint8), 2, colour=True)
    assert in_256_colours(text) == "\x1b[38;5;196;48;5;244m▀\x1b[38;5;17;48;5;16m▀\x1b[0m"
    last = picture_text(np.array([[255]], np.uint8), 1, colour=True)
    assert in_256_colours(last) == "\x1b[38;5;231;49m▀\x1b[0m"


def test_boxes_belong_to_their_pictures() -> None:
    pixels = np.zeros((4, 5), np.uint8)
    text = side_by_side(pixels, pixels, 13, colour=False, titles=("", ""), boxes=(None, (0, 1, 2, 1)))
    assert text == "       ┌─┐\n       └─┘"


@pytest.mark.parametrize("columns", [100, 60, 21])
@pytest.mark.parametrize("colour", [False, True])
def test_two_pictures_stay_within_the_width(columns: int, colour: bool) -> None:
    one, other = np.full((400, 300), 255, np.uint8), np.full((402, 302, 3), 255, np.uint8)
    text = side_by_side(one, other, columns, colour=colour, titles=("before", "after"))
    lines, wide = size(text)
    assert wide <= columns
    assert lines <= LINES + 1


SMALL = """\
picture under kernel, 2×2
cross-correlation, the kernel as it is; method im2col

before 2×3                after 3×2
       ┌───────────────┐  ::::::::
       │--------#######│  ::::::::
       │--------#######│  ::::::::
       │--------#######│  :::::::┌───────┐
.......│        ,,,,,,,│  =======│*******│
.......│        ,,,,,,,│  =======│*******│
.......│        ,,,,,,,│  =======│*******│
.......└───────────────┘  =======│*******│
                          =======└───────┘
                          ================
                          ================
                          ================

kernel     1  0
           0 -1
rows      (2 + 2·1 − 2)/1 + 1 = 3
columns   (3 − 2)/1 + 1 = 2
before    0 to 200; drawn with 0 black, 255 white
after     -200 to 60; drawn with -200 black, 0 mid grey, 200 white
signs     ' .,:-=+*#%@' from black to white
window    row 1, column 1 of what comes out, the strongest response whose window lies on the picture
"""


def test_all_that_is_said_of_a_small_picture() -> None:
    picture = np.array([[0, 100, 200], [20, 0, 40]], np.uint8)
    found = convolve(picture, [[1, 0], [0, -1]], padding=(1, 0))
    text = convolved_text(found, 100, colour=False)
    assert text == f"{SMALL}\n{found.traces[0].text(100, heading='grey')}"
    assert "signs" not in convolved_text(found, 100, colour=True)
    other = convolved_text(replace(found, window=(0, 0)), 100, colour=False)
    assert "\nwindow    row 0, column 0 of what comes out\n" in other


def test_turning_is_said() -> None:
    text = convolved_text(convolve("digit:7", "sobel", flip=True, method="fft"), 100, colour=False)
    assert text.startswith(
        "digit:7 (label 9) under sobel, turned by 180°, 3×3\ntrue convolution, the kernel turned by 180°; method fft\n"
    )
    assert "\nkernel     1  0 -1\n           2  0 -2\n           1  0 -1\n" in text


def test_large_pictures_are_drawn_by_their_means_on_a_scale_of_their_own() -> None:
    picture = np.zeros((100, 201), np.uint8)
    picture[:, 100:] = 200
    text = convolved_text(convolve(picture, [[-1, 1]], padding="valid"), 42, colour=False)
    assert "\nafter     0 to 200; drawn with 0 black, 20\n          white\n" in text
    assert "\ndots      each is the mean of about 10×10\n          numbers\n" in text
    picture[:, 150:] = 0
    text = convolved_text(convolve(picture, [[-1, 1]], padding="valid"), 42, colour=False)
    # One of 10 columns is an edge.
    assert "\nafter     -200 to 200; drawn with -20\n          black, 0 mid grey, 20 white\n" in text
    assert max(len(line) for line in text.split("\n\n")[1].split("\n")) <= 42


def test_of_colours_the_strongest_is_taken_apart() -> None:
    found = convolve(np.full((3, 3, 3), [3, 9, 5], np.uint8), "identity")
    red, green, blue = (trace.text(100, heading=name) for trace, name in zip(found.traces, NAMES, strict=True))
    text = convolved_text(found, 100, colour=False)
    assert text.endswith(f"\n\n{green}\n\nred: sum 3, exact\nblue: sum 5, exact\n--window 1,1 writes them all out")
    text = convolved_text(found, 100, colour=False, every=True)
    assert text.endswith(f"\n\n{red}\n\n{green}\n\n{blue}")


@pytest.mark.parametrize("method", ["fft", "winograd-4x4"])
def test_what_the_method_gave_is_said_where_it_is_not_the_sum(method: str) -> None:
    found = convolve("digit:7", "sobel", method=method, window=(12, 10))
    assert found.output(0) != -1013
    last = f"method {method} gave {np.float32(found.output(0))!s} here"
    assert convolved_text(found, 100, colour=False).endswith(f" 155*0 + 0*1\n{last}")
    for other in ("im2col", "shift", "loops"):
        same = convolve("digit:7", "sobel", method=other, window=(12, 10))
        assert "gave" not in convolved_text(same, 100, colour=False)


def test_what_the_strongest_response_is_is_said() -> None:
    flat = convolved_text(convolve(np.full((9, 9), 7, np.uint8), "sobel"), 100, colour=False)
    told = "row 1, column 1 of what comes out; all responses whose window lies on the picture are 0\n"
    assert f"\nwindow    {told}" in flat
    tiny = convolved_text(convolve(np.full((1, 1), 7, np.uint8), "sobel"), 100, colour=False)
    told = "row 0, column 0 of what comes out, the strongest response; no window lies on the picture\n"
    assert f"\nwindow    {told}" in tiny


def test_clipped_numbers_are_counted() -> None:
    picture = np.full((7, 9), 100, np.uint8)
    picture[3, 4:] = 110
    text = convolved_text(convolve(picture, "1 0 -1"), 100, colour=False)
    assert "\nafter     -100 to 110; drawn with -10 black, 0 mid grey, 10 white; clipped: 14 numbers\n" in text


def test_too_many_numbers_are_summed_up() -> None:
    found = convolve(np.full((30, 30), 9, np.uint8), "identity", size=51, window=(3, 4), method="im2col")
    text = convolved_text(found, 100, colour=False)
    assert text.endswith(f"\n\n{found.traces[0].text(100, heading='grey')}")
    assert "\nkernel    2601 numbers from 0 to 1, sum 1\n          too wide for here; --json has them\nrows" in text


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    ("shape", "kernel", "method"),
    [
        ((3, 3), "sobel", "auto"),
        ((1, 900), "gaussian", "auto"),
        ((900, 1), "sobel", "auto"),
        ((90, 110, 3), "gaussian", "fft"),
        ((31, 500), "gabor", "auto"),
        ((12, 12, 3), "-0.123456 1e6; 1e-7 3", "winograd"),
    ],
    ids=str,
)
def test_nothing_is_wider_than_the_terminal(
    shape: tuple[int, ...], kernel: str, method: str, every: bool, colour: bool
) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    if method == "winograd":
        kernel, picture = f"{kernel}; 0 1".replace(";", " 1;") + " 5", picture * np.float32(1e-3)
    found = convolve(picture, kernel, method=method)
    for columns in [20, 21, 39, 40, 100, 200] if colour else [*range(20, 60, 4), 61, 80, 100, 137, 200]:
        text = convolved_text(found, columns, colour=colour, every=every)
        assert size(text)[1] <= columns
        drawing = text.split("\n\n")[1]
        assert size(drawing)[0] <= LINES + 2


def test_a_terminal_of_no_width_gets_twenty_columns() -> None:
    assert size(convolved_text(convolve("digit:7", "sobel"), 1, colour=False))[1] == 20
