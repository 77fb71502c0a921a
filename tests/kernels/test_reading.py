"""Kernels as texts and files, as rows and tensors, and what is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from conftest import ENVIRONMENT
from neocog.errors import KernelError
from neocog.kernels import KERNELS, Kernel, kernel, read_kernel

KNOWN = ", ".join(sorted(KERNELS))
HINT = "give a kernel's name, a file with rows of numbers, or a text such as '1 0 -1; 2 0 -2; 1 0 -1'"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((), "kernel 'k' has no numbers; give at least one"),
        (((),), "kernel 'k' has no numbers; give at least one"),
        (((1, 2), (3,)), "kernel 'k': row 2 has 1 number but row 1 has 2; give every row as many"),
        (((1, float("nan")),), "kernel 'k': row 1, number 2 is nan; give finite numbers that float32 can hold"),
        (((1,), (1e39,)), "kernel 'k': row 2, number 1 is 1e+39; give finite numbers that float32 can hold"),
        (((10**400,),), f"kernel 'k': row 1, number 1 is 1{'0' * 38}…; give finite numbers that float32 can hold"),
        ((("a",),), "kernel 'k': row 1, number 1 is 'a'; give finite numbers that float32 can hold"),
        (((1, 1j),), "kernel 'k': row 1, number 2 is 1j; give finite numbers that float32 can hold"),
        ((1, 0), "kernel 'k': rows = (1, 0): give rows of numbers, such as ((1, 0, -1), (2, 0, -2))"),
    ],
)
def test_rows_that_are_no_kernel(rows: object, text: str) -> None:
    with pytest.raises(KernelError) as refused:
        Kernel("k", rows)  # type: ignore[arg-type]
    assert str(refused.value) == text


# -------------------------------------------------------------------------------------------------- reading and writing


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1 0 -1; 2 0 -2; 1 0 -1", ((1, 0, -1), (2, 0, -2), (1, 0, -1))),
        ("1, 0, −1;2, 0, −2;", ((1, 0, -1), (2, 0, -2))),
        ("1/9 2/9 -1/9", ((1 / 9, 2 / 9, -1 / 9),)),
        ("0/5 1e-45", ((0, 1e-45),)),
        ("1 2.e3", ((1, 2000),)),
        ("\n # an edge\n1e-3 .5 # to the right\n\n-2. +4\n", ((0.001, 0.5), (-2, 4))),
        ("1;0;-1\n2;0;-2\n", ((1, 0, -1), (2, 0, -2))),
        ("1,0,-1,\n2,0,-2,\n", ((1, 0, -1), (2, 0, -2))),
        ("1 2;\n3 4;", ((1, 2), (3, 4))),
        ("1; 2; 3", ((1,), (2,), (3,))),
        ("7", ((7,),)),
        ("0.25\t0.75", ((0.25, 0.75),)),
    ],
)
def test_rows_are_read(text: str, rows: tuple[tuple[float, ...], ...], tmp_path: Path) -> None:
    found = read_kernel(text)
    assert (found.name, found.rows) == ("kernel", rows)
    file = tmp_path / "my kernel.txt"
    file.write_text(text, encoding="utf-8-sig")
    assert read_kernel(file) == Kernel("my kernel", rows)
    assert read_kernel(str(file)) == Kernel("my kernel", rows)


def test_names_go_before_files() -> None:
    Path("box").write_text("1 2")
    Path("mine").write_text("1 2")
    assert read_kernel("box", size=3) == kernel("box", size=3)
    assert read_kernel("./box") == Kernel("box", ((1, 2),))
    assert read_kernel("mine", size=None) == Kernel("mine", ((1, 2),))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            "1 0 -1; 2 0",
            "kernel '1 0 -1; 2 0': row 2 has 2 numbers but row 1 has 3; give every row as many",
        ),
        ("1 2\n# no\n3\n", "kernel '1 2 # no 3': line 3 has 1 number but line 1 has 2; give every row as many"),
        ("1 x; 2 3", "kernel '1 x; 2 3': row 1, number 2: 'x' is no number; write one such as -2, 0.5 or 1/9"),
        ("1 2\n3 nan", "kernel '1 2 3 nan': line 2, number 2: 'nan' is no number; write one such as -2, 0.5 or 1/9"),
        ("1 inf", "kernel '1 inf': row 1, number 2: 'inf' is no number; write one such as -2, 0.5 or 1/9"),
        ("1 1_0", "kernel '1 1_0': row 1, number 2: '1_0' is no number; write one such as -2, 0.5 or 1/9"),
        ("1/2/3", "kernel '1/2/3': row 1, number 1: '1/2/3' is no number; write one such as -2, 0.5 or 1/9"),
        ("1/0 2", "kernel '1/0 2': row 1, number 1: '1/0' divides by 0"),
        ("1,,2", "kernel '1,,2': row 1, number 2 is missing between two commas; write 0 for a zero"),
        (
            "1 1e-50",
            "kernel '1 1e-50': row 1, number 2: '1e-50' is 0 in float32; write 0, or a number of at least 1e-45",
        ),
        (
            "1e-999",
            "kernel '1e-999': row 1, number 1: '1e-999' is 0 in float32; write 0, or a number of at least 1e-45",
        ),
        (
            "1 0 -1 / 2 0 -2",
            "kernel '1 0 -1 / 2 0 -2': row 1, number 4: '/' is no number; rows are separated by ; and fractions "
            "have no spaces, such as 1/9",
        ),
        (
            "1 0|2 0",
            "kernel '1 0|2 0': row 1, number 2: '0|2' is no number; rows are separated by ; and fractions have no "
            "spaces, such as 1/9",
        ),
        (
            "[[1, 0], [2, 0]]",
            "kernel '[[1, 0], [2, 0]]': row 1, number 1: '[[1' is no number; rows are separated by ; and fractions "
            "have no spaces, such as 1/9",
        ),
        (
            r"1 0\n2 0",
            r"kernel '1 0\n2 0': row 1, number 2: '0\n2' is no number; rows are separated by ; and fractions have no "
            "spaces, such as 1/9",
        ),
        (
            "0,5;1\n2,0;1",
            "kernel '0,5;1 2,0;1': line 1 has both , and ;: write decimals with a point, such as 0.5, and separate "
            "numbers by one of the two",
        ),
        (
            "1,0 0,5; 1 2",
            "kernel '1,0 0,5; 1 2': row 1 separates numbers by both , and spaces: write decimals with a point, such as "
            "0.5, or put a space after each comma",
        ),
        ("gaussian 5", "kernel 'gaussian 5': settings are options: --size 5, in Python size=5"),
        ("sobel(y)", "kernel 'sobel(y)': settings are options; sobel takes --direction, --normalize"),
        ("sharpen 3", "kernel 'sharpen 3': sharpen takes no settings; give its name alone"),
        ("4x4.txt", f"there is no kernel file '4x4.txt'; {HINT}"),
        ("my own.csv", f"there is no kernel file 'my own.csv'; {HINT}"),
        ("3x3/k", f"there is no kernel file '3x3/k'; {HINT}"),
        (".", "'.' is a folder; give a file in it"),
        ("~", "'~' is a folder; give a file in it"),
        (3, f"no kernel can be read from 3; {HINT}"),
        (b"1", f"no kernel can be read from b'1'; {HINT}"),
        ("1 1e999", "kernel 'kernel': row 1, number 2 is inf; give finite numbers that float32 can hold"),
        ("", f"kernel '' is empty; {HINT}"),
        ("# 1 2", f"kernel '# 1 2' is empty; {HINT}"),
        ("sobl", f"unknown kernel 'sobl'; did you mean 'sobel'? Known: {KNOWN}; {HINT}"),
        ("k.txt", f"there is no kernel file 'k.txt'; {HINT}"),
        ("folder/k", f"there is no kernel file 'folder/k'; {HINT}"),
        (
            "1 2; " * 2000 + "3",
            "kernel '1 2; 1 2; 1 2; 1 2; 1 2; 1 2; 1 2; 1 2;…': row 2001 has 1 number but row 1 has 2; give every row "
            "as many",
        ),
    ],
)
def test_texts_that_are_no_kernel(text: str, want: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    with pytest.raises(KernelError) as refused:
        read_kernel(text)
    assert str(refused.value) == want


@pytest.mark.parametrize(
    ("content", "want"),
    [
        (b"1 2\n3\n", "kernel file 'k.csv': line 2 has 1 number but line 1 has 2; give every row as many"),
        (b"", f"kernel file 'k.csv' is empty; {HINT}"),
        (b"\x89PNG\r\n\x1a\n\xff", f"kernel file 'k.csv' is no text with rows of numbers; {HINT}"),
        (b"1 " * 600_000, f"kernel file 'k.csv' is no text with rows of numbers; {HINT}"),
    ],
)
def test_files_that_are_no_kernel(content: bytes, want: str) -> None:
    Path("k.csv").write_bytes(content)
    with pytest.raises(KernelError) as refused:
        read_kernel("k.csv")
    assert str(refused.value) == want


def test_a_file_of_numpy_is_read() -> None:
    for numbers in (np.array([[1, 0, -1], [2, 0, -2]]), np.array([[0.25, 0.75]], np.float16)):
        np.save("saved.npy", numbers)
        assert read_kernel("saved.npy") == Kernel("saved", numbers.tolist())


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (
            np.zeros((2, 2, 2)),
            "kernel file 'k.npy' has the shape (2, 2, 2) and the type float64; save rows and columns of whole "
            "numbers or floats",
        ),
        (
            np.array([["a"]]),
            "kernel file 'k.npy' has the shape (1, 1) and the type <U1; save rows and columns of whole "
            "numbers or floats",
        ),
        (
            np.array([[None]]),
            "kernel file 'k.npy' is no .npy file of at most 1,000,000 bytes with plain numbers",
        ),
        (
            np.zeros((400, 400)),
            "kernel file 'k.npy' is no .npy file of at most 1,000,000 bytes with plain numbers",
        ),
        (np.array([[np.nan]]), "kernel 'k': row 1, number 1 is nan; give finite numbers that float32 can hold"),
    ],
    ids=["three axes", "text", "objects", "large", "nan"],
)
def test_files_of_numpy_that_are_no_kernel(given: np.ndarray, want: str) -> None:
    np.save("k.npy", given)
    with pytest.raises(KernelError) as refused:
        read_kernel("k.npy")
    assert str(refused.value) == want


def test_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("k.json").write_text("[[1, 0]]")
    with pytest.raises(KernelError) as refused:
        read_kernel("k.json")
    assert str(refused.value) == (
        "kernel file 'k.json': JSON is not read here; write rows of numbers, one on each line, such as 1 0 -1"
    )
    Path("home").mkdir()
    Path("home/k").write_text("1 2")
    monkeypatch.setenv("HOME", str(Path("home").resolve()))
    assert read_kernel("~/k") == Kernel("k", ((1, 2),))
    assert read_kernel(" home/k ") == Kernel("k", ((1, 2),))
    assert read_kernel(" sobel ") == kernel("sobel")
    with pytest.raises(KernelError) as refused:
        read_kernel("home")
    assert str(refused.value) == "'home' is a folder; give a file in it"


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()  # what <(…) gives in a shell
    os.write(writing, b"1 2\n3 4\n")
    os.close(writing)
    try:
        assert read_kernel(f"/dev/fd/{reading}") == Kernel("kernel", ((1, 2), (3, 4)))
    finally:
        os.close(reading)


def test_numbers_take_no_settings() -> None:
    with pytest.raises(KernelError) as refused:
        read_kernel("1 0 -1", size=3)
    assert str(refused.value) == "kernel '1 0 -1' is numbers, which take no size; give a kernel's name to set one"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (((1, -2), (30, 0)), " 1 -2\n30  0"),
        (((0.25, 1), (-0.5, 0)), " 0.25  1.00\n-0.50     0"),
        (((1 / 9, 1e-9), (0, -1)), " 0.1111  0.0000\n      0 -1.0000"),
        (((1e-6, 2e-6),), "1e-06 2e-06"),
        (((0, 0),), "0 0"),
    ],
)
def test_rows_are_written_in_columns(rows: tuple[tuple[float, ...], ...], text: str) -> None:
    assert Kernel("k", rows).text() == text


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 3), min_size=1, max_size=4))
def test_what_is_written_can_be_read(rows: list[tuple[float, ...]]) -> None:
    made = Kernel("kernel", tuple(rows))
    again = read_kernel(made.text().replace("\n", ";"))
    largest = max(abs(value) for row in made.rows for value in row)
    assert_close(torch.tensor(again.rows), torch.tensor(made.rows), rtol=1e-3, atol=1e-3 * largest + 1e-12)


def test_the_total_has_no_rounding_left() -> None:
    assert Kernel("k", ((0.1, 0.2), (0.3, -0.6))).total == 0
    assert Kernel("k", ((0.1,) * 10,)).total == 1
    assert Kernel("k", ((1e-20, 0),)).total == 1e-20


def test_tensors() -> None:
    made = kernel("sobel")
    assert (made.tensor().dtype, made.tensor(torch.float64).dtype) == (torch.float32, torch.float64)
    assert made.tensor().tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert made.shape == (3, 3)


def test_kernels_need_no_torch() -> None:
    script = (
        "import sys, neocog.kernels as k; k.kernel('gabor').text(); k.read_kernel('1 2; 3 4').total; "
        "sys.exit(str({'torch', 'scipy', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT
    )
    assert done.stderr.strip() == "set()"
