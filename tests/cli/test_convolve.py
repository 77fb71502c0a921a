"""neocog convolve, from the words to what is printed and written."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ENVIRONMENT, Answer
from neocog.data.samples import SCIKIT_IMAGE
from neocog.filtering import clipped, convolve, displayed
from neocog.terminal import convolved_text, in_256_colours

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
    want = convolved_text(convolve("digit:7", "sobel"), 100, colour=False)
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


def test_a_terminal_of_256_colours_gets_those(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)
    text = in_256_colours(convolved_text(convolve("digit:7", "sobel"), 100, colour=True))
    assert cli("convolve", "digit:7", *SOBEL).out == f"{text}\n"
    assert "\x1b[38;5;" in text
    monkeypatch.setenv("TERM", "xterm-16color")
    assert "\x1b[" not in cli("convolve", "digit:7", *SOBEL).out


def test_of_colours_one_is_taken_apart_unless_a_window_is_given(cli: Cli, photo: np.ndarray) -> None:
    row, column = convolve(photo, "sobel").window
    short, full = (cli("convolve", "photo.png", *SOBEL, *words).out for words in ([], ["--window", f"{row},{column}"]))
    assert (short.count("as Python"), full.count("as Python")) == (1, 3)
    assert short.endswith(f"\n--window {row},{column} writes them all out\n")


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


def test_the_matrix_of_a_picture_in_colours_is_that_of_one(cli: Cli) -> None:
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save("small.png")
    told = "wrote f.png: the convolution as a matrix"
    words = ("convolve", "small.png", *SOBEL, "--figure", "toeplitz", "--overwrite", "--out", "f.png")
    assert cli(*words) == Answer(0, f"{told}, for the red channel; --grey makes one of all three\n", "")
    assert cli(*words, "--grey") == Answer(0, f"{told}\n", "")


def test_results(cli: Cli, photo: np.ndarray) -> None:
    found = convolve(photo, "sobel")
    pixels, _, high = displayed(found.after, found.after_range)
    lost = clipped(found.after, found.after_range)
    words = ("convolve", "photo.png", *SOBEL, "--out", "f.png", "--overwrite", "--result")
    assert cli(*words, "r.png") == Answer(
        0,
        "wrote f.png: the picture before and after\n"
        f"wrote r.png: the result, 3×12×9; -{high:g} is black, 0 mid grey, {high:g} white; clipped: {lost} of 324 "
        "numbers; .npy keeps them all\n",
        "",
    )
    with Image.open("r.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    assert cli(*words, "r.npy").out.endswith("\nwrote r.npy: the result, 3×12×9\n")
    np.testing.assert_array_equal(np.load("r.npy"), found.after.numpy())
    assert cli("convolve", "photo.png", "--kernel", "identity", "--result", "same.png").out == (
        "wrote same.png: the result, 3×12×9\n"
    )


def test_with_a_result_nothing_is_drawn(cli: Cli) -> None:
    answer = cli("convolve", "digit:7", *SOBEL, "--result", "r.npy")
    assert answer == Answer(0, "wrote r.npy: the result, 1×28×28\n", "")


def test_json_names_what_was_written(cli: Cli) -> None:
    answer = cli("convolve", "digit:7", *SOBEL, "--out", "f.png", "--result", "r.npy", "--json")
    assert json.loads(answer.out)["written"] == [
        {"file": "f.png", "holds": "the picture before and after", "clipped": 0},
        {"file": "r.npy", "holds": "the result, 1×28×28", "clipped": 0},
    ]
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
            "unknown method 'fftt'; did you mean 'fft'? Known: auto, fft, im2col, loops, shift, toeplitz, "
            "toeplitz-dense, winograd, winograd-4x4",
        ),
        (["digit:7", *SOBEL, "--window", "a,b"], "--window 'a,b': write a row and a column, such as 12,7"),
        (["digit:7", *SOBEL, "--window", "3"], "--window '3': write a row and a column, such as 12,7"),
        (
            ["photo.png", *SOBEL, "--window", "12,0"],
            "window 12,0 lies outside the 12×9 result; give a row from 0 to 11 and a column from 0 to 8",
        ),
        (
            ["digit:7", *SOBEL, "--padding", "reflect"],
            "--padding 'reflect': the padding is always zeros; "
            "write same, valid, a number, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT, such as 1,2",
        ),
        (
            ["digit:7", *SOBEL, "--padding", "1,2,3"],
            "--padding '1,2,3': write same, valid, a number, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT, such as 1,2",
        ),
        (["digit:7", *SOBEL, "--padding", "-1"], f"padding = -1: {PAIRS}"),
        (
            ["digit:7", *SOBEL, "--stride", "2", "--padding", "same"],
            "--padding same keeps the size only at stride 1; leave --padding out, which puts the same zeros around "
            "at any stride, or give numbers",
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
        (
            ["digit:7", *SOBEL, "--out", "f.png", "--result", "./sub/../f.png"],
            "--out and --result name one file, 'f.png' and 'sub/../f.png'; give two names",
        ),
        (
            ["photo.png", *SOBEL, "--out", "sub/../photo.png", "--overwrite"],
            "--out: 'sub/../photo.png' is the picture itself; give another name",
        ),
        (
            ["photo.png", *SOBEL, "--result", "photo.png"],
            "--result: 'photo.png' is the picture itself; give another name",
        ),
        (
            ["photo.png", *SOBEL, "--figure", "toeplitz", "--out", "f.png", "--window", "1,2"],
            "--figure toeplitz shows all windows at once; leave --window out",
        ),
        (
            ["digit:7", *SOBEL, "--stride", "9" * 20],
            f"stride = {'9' * 20} is too large; give at most 2147483647",
        ),
    ],
    ids=lambda value: " ".join(str(word) for word in value) if isinstance(value, list) else "",
)
def test_refusals(cli: Cli, photo: np.ndarray, words: list[object], text: str) -> None:
    Path("broken.png").write_bytes(b"no picture")
    Path("sub").mkdir()
    pixels = Path("photo.png").read_bytes()
    assert cli("convolve", *words) == Answer(2, "", f"error: {text}\n")
    assert sorted(path.name for path in Path().iterdir()) == ["broken.png", "photo.png", "sub"]
    assert Path("photo.png").read_bytes() == pixels


@pytest.mark.parametrize(
    "words",
    [["--padding", 1_000_000], ["--dilation", 2**30], ["--padding", 2**31 - 1, "--method", "toeplitz"]],
    ids=str,
)
def test_what_memory_cannot_hold_is_one_line(cli: Cli, words: list[object]) -> None:
    answer = cli("convolve", "digit:7", *SOBEL, *words)
    assert (answer.status, answer.out) == (2, "")
    assert re.fullmatch(
        r"error: method '\w+' with \d+×\d+ numbers out would take [\d,]+ GB and this machine has [\d,.]+: use less "
        r"padding, or another method\n",
        answer.err,
    )


def test_a_matrix_that_is_too_large_is_one_line(cli: Cli) -> None:
    answer = cli("convolve", "digit:7", "--kernel", "box", "--padding", 9, "--figure", "toeplitz", "--out", "f.png")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith("error: a")  # the text is tested where it is written
    assert "too large to draw; use a smaller picture" in answer.err
    assert list(Path().iterdir()) == []


def test_a_kernel_is_needed(cli: Cli) -> None:
    answer = cli("convolve", "digit:7")
    assert answer == Answer(2, "", "error: Missing option '--kernel'; see 'neocog convolve --help'\n")


def process(script: str) -> subprocess.CompletedProcess[str]:
    """A shell's line, where `neocog` is this one."""
    program = f"'{sys.executable}' -m neocog convolve digit:7 --kernel sobel"
    words = ["bash", "-c", f"set -o pipefail; {program} {script}"]
    return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_an_answer_that_finds_no_room_is_one_line() -> None:
    done = process("> /dev/full")
    text = "error: cannot write the answer: No space left on device\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such shell")
def test_who_has_read_enough_hears_no_more() -> None:
    done = process("--json | true")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
