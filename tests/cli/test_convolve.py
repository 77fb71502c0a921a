"""neocog convolve, from the words to what is printed and written."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import Answer
from neocog.data.samples import SCIKIT_IMAGE
from neocog.filtering import convolve
from neocog.terminal import convolved_text

Cli = Callable[..., Answer]
SOBEL = ("--kernel", "sobel")
PAIRS = "give a whole number of at least 0, two (rows, columns), four (top, bottom, left, right), 'same' or 'valid'"


@pytest.fixture
def photo() -> np.ndarray:
    """`photo.png`, 12×9 in colours, and its pixels."""
    pixels = np.random.default_rng(3).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return pixels


def test_without_a_file_it_draws(cli: Cli) -> None:
    want = convolved_text(convolve("digit:7", "sobel"), 80, colour=False)
    assert cli("convolve", "digit:7", *SOBEL) == Answer(0, f"{want}\n", "")
    assert list(Path().iterdir()) == []


def test_a_wide_terminal_is_not_filled(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, want in ((300, 100), (60, 60)):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = convolved_text(convolve("digit:7", "box"), want, colour=False)
        assert cli("convolve", "digit:7", "--kernel", "box").out == f"{text}\n"


@pytest.mark.parametrize(
    ("terminal", "settings", "coloured"),
    [
        (True, {"COLORTERM": "truecolor"}, True),
        (True, {"COLORTERM": "truecolor", "NO_COLOR": "1"}, False),
        (True, {"COLORTERM": ""}, False),
        (True, {"COLORTERM": "truecolor", "TERM": "dumb"}, False),
        (False, {"COLORTERM": "truecolor"}, False),
        (False, {"COLORTERM": "truecolor", "FORCE_COLOR": "1"}, False),
    ],
    ids=str,
)
def test_colours_are_for_terminals_that_have_them(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, terminal: bool, settings: dict[str, str], coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: terminal, raising=False)
    answer = cli("convolve", "digit:7", *SOBEL)
    assert answer.status == 0
    assert ("\x1b[38;2;" in answer.out) == coloured
    assert ("signs " in answer.out) != coloured


def test_every_option_arrives(cli: Cli, photo: np.ndarray) -> None:
    words = ["--kernel", "gaussian", "--size", 3, "--sigma", 0.8, "--padding", "0,1,2,1", "--stride", "2,1"]
    more = ["--dilation", 2, "--method", "shift", "--grey", "--flip", "--window", "1,2"]
    answer = cli("convolve", "photo.png", *words, *more, "--json")
    facts = json.loads(answer.out)
    want = convolve(
        photo,
        "gaussian",
        size=3,
        sigma=0.8,
        padding=(0, 1, 2, 1),
        stride=(2, 1),
        dilation=2,
        method="shift",
        color="grey",
        flip=True,
        window=(1, 2),
    ).as_dict()
    assert facts == {**json.loads(json.dumps(want)), "picture": "photo.png", "written": []}
    assert (answer.status, answer.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["sobel", "--direction", "y", "--normalize"], [[-0.125, -0.25, -0.125], [0, 0, 0], [0.125, 0.25, 0.125]]),
        (["laplacian", "--neighbours", 8], [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        (["motion", "--length", 3, "--angle", 90], [[0, 1 / 3, 0], [0, 1 / 3, 0], [0, 1 / 3, 0]]),
        (["-1 1"], [[-1, 1]]),
        (["1/4 1/2 1/4; 0 0 0"], [[0.25, 0.5, 0.25], [0, 0, 0]]),
    ],
    ids=lambda value: str(value[0]) if isinstance(value[0], str) else "",
)
def test_kernels_and_their_settings(cli: Cli, words: list[object], rows: list[list[float]]) -> None:
    answer = cli("convolve", "digit:7", "--json", "--kernel", *words)
    np.testing.assert_allclose(json.loads(answer.out)["kernel"]["rows"], rows, atol=1e-15)


@pytest.mark.parametrize(
    "words",
    [
        ["unsharp", "--amount", 2],
        ["gabor", "--wavelength", 6, "--phase", 90, "--aspect", 0.7, "--angle", 30],
        ["gaussian-as-published", "--seed", 1],
    ],
    ids=lambda words: words[0],
)
def test_every_setting_changes_its_kernel(cli: Cli, words: list[object]) -> None:
    def rows(*given: object) -> object:
        return json.loads(cli("convolve", "digit:7", "--json", "--kernel", words[0], *given).out)["kernel"]["rows"]

    for place in range(1, len(words), 2):
        assert rows(*words[place : place + 2]) != rows()


def test_colours(cli: Cli, photo: np.ndarray) -> None:
    shapes = [
        json.loads(cli("convolve", picture, *SOBEL, *words, "--json").out)["after"]["shape"]
        for picture in ("photo.png", "digit:7")
        for words in ([], ["--grey"], ["--rgb"])
    ]
    assert shapes == [[3, 12, 9], [1, 12, 9], [3, 12, 9], [1, 28, 28], [1, 28, 28], [3, 28, 28]]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "the picture before and after"),
        (["--window", "2,3"], "one window and its arithmetic"),
        (["--window", "2,3", "--figure", "result"], "the picture before and after"),
        (["--figure", "window"], "one window and its arithmetic"),
        (["--figure", "toeplitz"], "the convolution as a matrix"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_figures(cli: Cli, photo: np.ndarray, words: list[str], what: str) -> None:
    assert cli("convolve", "photo.png", *SOBEL, "--out", "f.png", *words) == Answer(0, f"wrote f.png: {what}\n", "")
    with Image.open("f.png") as image:
        assert min(image.size) > 300


def test_a_figure_may_be_svg_and_is_kept_unless_told(cli: Cli, photo: np.ndarray) -> None:
    words = ("convolve", "photo.png", *SOBEL, "--out", "f.svg")
    assert cli(*words).status == 0
    first = Path("f.svg").read_bytes()
    assert b"<svg" in first
    text = "error: 'f.svg' exists already; give another name, or --overwrite (in Python, overwrite=True)\n"
    assert cli(*words, "--window", "1,1") == Answer(2, "", text)
    assert Path("f.svg").read_bytes() == first
    assert cli(*words, "--window", "1,1", "--overwrite").status == 0
    assert Path("f.svg").read_bytes() != first


def test_results(cli: Cli, photo: np.ndarray) -> None:
    after = convolve(photo, "sobel").after
    clipped = int(((after < 0) | (after > 255)).sum())
    words = ("convolve", "photo.png", *SOBEL, "--out", "f.png", "--overwrite", "--result")
    assert cli(*words, "r.png") == Answer(
        0,
        "wrote f.png: the picture before and after\n"
        f"wrote r.png: the result, 3×12×9; {clipped} of 324 numbers lay outside 0…255 and were clipped; "
        ".npy keeps them all\n",
        "",
    )
    with Image.open("r.png") as image:
        np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), after.clamp(0, 255).byte().numpy())
    assert cli(*words, "r.npy").out.endswith("\nwrote r.npy: the result, 3×12×9\n")
    np.testing.assert_array_equal(np.load("r.npy"), after.numpy())


def test_a_result_alone_is_drawn_here_too(cli: Cli) -> None:
    drawn = cli("convolve", "digit:7", *SOBEL).out
    assert cli("convolve", "digit:7", *SOBEL, "--result", "r.npy").out == f"{drawn}wrote r.npy: the result, 1×28×28\n"


def test_json_names_what_was_written(cli: Cli) -> None:
    answer = cli("convolve", "digit:7", *SOBEL, "--out", "f.png", "--result", "r.npy", "--json")
    assert json.loads(answer.out)["written"] == ["f.png", "r.npy"]
    assert np.load(io.BytesIO(Path("r.npy").read_bytes())).shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nope.png", *SOBEL], "cannot read 'nope.png': there is no such file; check the path"),
        (
            ["broken.png", *SOBEL],
            "cannot read 'broken.png': it is damaged, or no picture of a format neocog reads (PNG, JPEG, GIF, BMP, "
            "WebP, TIFF, PPM); save it as PNG or JPEG",
        ),
        (
            ["astronot", *SOBEL],
            "'astronot' is no picture neocog knows, and there is no such file; did you mean 'astronaut'?",
        ),
        (
            ["xyzzy", *SOBEL],
            "'xyzzy' is no picture neocog knows, and there is no such file; Known: picture files, digit:0 to "
            f"digit:9999, and with scikit-image {', '.join(SCIKIT_IMAGE)}",
        ),
        (
            ["digit:10000", *SOBEL],
            "'digit:10000': give a number from 0 to 9999, the place in MNIST's test part: digit:7",
        ),
        (
            ["digit:7", "--kernel", "1 2; 3"],
            "kernel '1 2; 3': row 2 has 1 number but row 1 has 2; give every row as many",
        ),
        (
            ["digit:7", "--kernel", "1 2", "--size", 3],
            "kernel '1 2' is numbers, which take no size; give a kernel's name to set one",
        ),
        (["digit:7", *SOBEL, "--size", 3], "sobel takes no size; it takes direction and normalize"),
        (
            ["photo.png", "--kernel", "box", "--size", 15, "--padding", "valid"],
            "a 15×15 kernel does not fit the 12×9 picture; use a smaller kernel, or 3 more padding on each side",
        ),
        (
            ["digit:7", "--kernel", "box", "--method", "winograd"],
            "method 'winograd' does 3×3 kernels at stride 1 and dilation 1, not a 5×5 kernel at stride 1 and dilation "
            "1; methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft",
        ),
        (
            ["digit:7", *SOBEL, "--method", "fftt"],
            "unknown method 'fftt'; did you mean 'fft'? Known: fft, im2col, loops, shift, toeplitz, toeplitz-dense, "
            "winograd, winograd-4x4",
        ),
        (["digit:7", *SOBEL, "--window", "a,b"], "--window 'a,b': write a row and a column, such as 12,7"),
        (["digit:7", *SOBEL, "--window", "3"], "--window '3': write a row and a column, such as 12,7"),
        (
            ["photo.png", *SOBEL, "--window", "12,0"],
            "window 12,0 lies outside the 12×9 result; give a row from 0 to 11 and a column from 0 to 8",
        ),
        (
            ["digit:7", *SOBEL, "--padding", "some"],
            "--padding 'some': write same, valid, a number, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT, such as 1,2",
        ),
        (
            ["digit:7", *SOBEL, "--padding", "1,2,3"],
            "--padding '1,2,3': write same, valid, a number, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT, such as 1,2",
        ),
        (["digit:7", *SOBEL, "--padding", "-1"], f"padding = -1: {PAIRS}"),
        (
            ["digit:7", *SOBEL, "--stride", "2", "--padding", "same"],
            "padding 'same' keeps the size only at stride 1, not at stride 2; give the padding as numbers",
        ),
        (
            ["digit:7", *SOBEL, "--stride", "0"],
            "stride = 0: give a whole number of at least 1, or two (rows, columns)",
        ),
        (["digit:7", *SOBEL, "--stride", "x"], "--stride 'x': write a number, or ROWS,COLS, such as 2 or 2,1"),
        (
            ["digit:7", *SOBEL, "--dilation", "1,2,3"],
            "--dilation '1,2,3': write a number, or ROWS,COLS, such as 2 or 2,1",
        ),
        (
            ["digit:7", *SOBEL, "--figure", "matrix", "--out", "f.png"],
            "unknown figure 'matrix'; Known: result, toeplitz, window",
        ),
        (
            ["digit:7", *SOBEL, "--figure", "window"],
            "--figure window: give the file that it goes into, such as --out window.png",
        ),
        (
            ["nope.png", *SOBEL, "--out", "f.gif"],
            "cannot write 'f.gif': its suffix tells its kind; give .png, .svg or .pdf",
        ),
        (
            ["nope.png", *SOBEL, "--result", "f.jpg"],
            "cannot write 'f.jpg': its suffix tells its kind; give .png or .npy",
        ),
        (
            ["nope.png", *SOBEL, "--result", "photo.png"],
            "'photo.png' exists already; give another name, or --overwrite (in Python, overwrite=True)",
        ),
        (
            ["nope.png", *SOBEL, "--out", "x/f.png"],
            "cannot write 'x/f.png': there is no folder 'x'; make it first",
        ),
        (
            ["digit:7", *SOBEL, "--out", "f.png", "--result", "f.png"],
            "--out and --result both name 'f.png'; give two names",
        ),
    ],
    ids=lambda value: " ".join(str(word) for word in value) if isinstance(value, list) else "",
)
def test_refusals(cli: Cli, photo: np.ndarray, words: list[object], text: str) -> None:
    Path("broken.png").write_bytes(b"no picture")
    assert cli("convolve", *words) == Answer(2, "", f"error: {text}\n")
    assert sorted(path.name for path in Path().iterdir()) == ["broken.png", "photo.png"]


def test_a_matrix_that_is_too_large_is_one_line(cli: Cli) -> None:
    answer = cli("convolve", "digit:7", "--kernel", "box", "--padding", 9, "--figure", "toeplitz", "--out", "f.png")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith("error: a")  # the text is tested where it is written
    assert "too large to draw; use a smaller picture" in answer.err
    assert list(Path().iterdir()) == []


def test_a_kernel_is_needed(cli: Cli) -> None:
    answer = cli("convolve", "digit:7")
    assert answer == Answer(2, "", "error: Missing option '--kernel'; see 'neocog convolve --help'\n")
