"""neocog kernels: the list, the numbers of one, its picture, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ENVIRONMENT, Answer
from neocog.kernels import KERNELS, kernel

Cli = Callable[..., Answer]


def test_all_are_listed_in_one_line_each(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = cli("kernels")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines] == ["kernel", *KERNELS]
    assert max(map(len, lines)) <= 100
    for columns in ("80", "50"):
        monkeypatch.setenv("COLUMNS", columns)
        narrow = cli("kernels").out
        assert max(map(len, narrow.splitlines())) <= int(columns)
        assert " ".join(narrow.split()) == " ".join(answer.out.split()), "wrapped and not cut"
    for line, named in zip(lines[1:], KERNELS.values(), strict=True):
        assert line.split(maxsplit=1)[1] == named.about, "nothing is cut"


def test_the_list_as_json(cli: Cli) -> None:
    listed = json.loads(cli("kernels", "--json").out)
    assert list(listed) == list(KERNELS)
    assert listed["sobel"]["about"] == KERNELS["sobel"].about
    assert listed["box-as-published"]["about"].startswith("WRONG: ")


def test_a_published_mistake_stands_beside_the_right_kernel(cli: Cli) -> None:
    beside = (
        "right: box    wrong: box-as-published\n"
        "0.25 0.25     1 1\n"
        "0.25 0.25     1 1\n\n"
        "box-as-published is WRONG: 1/H*W is (1/H)·W = 1, so the sum of the pixels, not their mean\n\n"
    )
    assert cli("kernels", "box", "--size", "2") == Answer(
        0,
        f"{beside}"
        "box\n"
        "shape     2×2\n"
        "sum       1\n"
        "about     blur: the mean of size × size pixels, each weighing 1/size²\n"
        "settings  size=2\n"
        "source    Gonzalez & Woods, Digital Image Processing, smoothing spatial filters\n",
        "",
    )
    assert cli("kernels", "box-as-published", "--size", "2").out.startswith(
        f"{beside}box-as-published\nshape     2×2\n"
    )
    shown = cli("kernels", "gaussian-as-published", "--seed", "3").out.splitlines()
    assert shown[0] == "right: gaussian                       wrong: gaussian-as-published"
    right, wrong = kernel("gaussian").text().splitlines(), kernel("gaussian-as-published", seed=3).text().splitlines()
    assert shown[1:6] == [f"{a}    {b}" for a, b in zip(right, wrong, strict=True)]
    assert shown[7] == "gaussian-as-published is WRONG: normally distributed noise, not bell-shaped weights"
    assert "right:" not in cli("kernels", "gaussian-as-published", "--size", "4").out, "the right one has a centre"
    assert "wrong:" not in cli("kernels", "sobel").out


def test_both_are_in_the_json(cli: Cli) -> None:
    shown = json.loads(cli("kernels", "gaussian", "--size", "3", "--json").out)
    published = kernel("gaussian-as-published", size=3)
    assert shown["wrong"]["rows"] == [list(row) for row in published.rows]
    assert (shown["wrong"]["name"], shown["wrong"]["about"]) == (published.name, published.about)
    assert shown["wrong"]["settings"] == {"size": 3, "seed": 0}
    assert json.loads(cli("kernels", "box-as-published", "--json").out)["right"]["rows"] == [[0.04] * 5] * 5
    assert not {"right", "wrong"} & set(json.loads(cli("kernels", "sobel", "--json").out))


def test_what_is_wide_is_wrapped_or_put_below(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = cli("kernels", "gaussian").out.splitlines()
    assert max(map(len, lines)) <= 60
    assert (lines[0], lines[7]) == ("right: gaussian", "wrong: gaussian-as-published")
    assert lines[-3:] == [
        "source    Gonzalez & Woods, Digital Image Processing; σ of a",
        "          size: the formula of OpenCV's getGaussianKernel,",
        "          0.15·size + 0.35",
    ]
    assert cli("kernels", "gabor").out.startswith(
        "841 numbers from -0.04244 to 0.06278\ntoo wide for here: --out draws them, --json has them\n\ngabor\n"
    )


def test_the_example_of_the_help(cli: Cli) -> None:
    out = cli("kernels", "gaussian", "--size", "5", "--sigma", "1").out
    assert "\n0.0030 0.0133 0.0219 0.0133 0.0030  " in out
    assert "settings  size=5, sigma=1\n" in out
    assert "Example: neocog kernels gaussian --size 5 --sigma 1" in cli("kernels", "--help").out


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["gaussian", "--size", "7", "--sigma", "1.5"], {"size": 7, "sigma": 1.5}),
        (["unsharp", "--amount", "0.5"], {"amount": 0.5}),
        (["scharr", "--direction", "y", "--normalize"], {"direction": "y", "normalize": True}),
        (["laplacian", "--neighbours", "8"], {"neighbours": 8}),
        (["motion", "--length", "7", "--angle", "-30"], {"length": 7, "angle": -30.0}),
        (["gabor", "--wavelength", "5", "--phase", "90", "--aspect", "1"], {"wavelength": 5, "phase": 90, "aspect": 1}),
        (["gaussian-as-published", "--seed", "3"], {"seed": 3}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_setting_arrives(cli: Cli, words: list[str], settings: dict[str, object]) -> None:
    shown = json.loads(cli("kernels", *words, "--json").out)
    want = kernel(words[0], **settings)
    assert shown["rows"] == [list(row) for row in want.rows]
    assert (shown["name"], shown["sum"], shown["about"]) == (want.name, want.total, want.about)
    assert shown["settings"] == KERNELS[words[0]].used(**settings)
    assert settings.items() <= shown["settings"].items() and None not in shown["settings"].values()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["gaussian"], "settings  size=5, sigma=1.1\n"),
        (["gaussian", "--sigma", "2"], "settings  size=13, sigma=2\n"),
        (["unsharp", "--size", "7"], "settings  size=7, sigma=1.4, amount=1\n"),
        (["gabor"], "settings  size=29, wavelength=4, angle=0, sigma=2.24869, phase=0, aspect=0.5\n"),
        (["sobel"], "settings  direction=x, normalize=False\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_numbers_used_are_shown(cli: Cli, words: list[str], text: str) -> None:
    assert text in cli("kernels", *words).out


def test_a_text_and_a_file_are_shown(cli: Cli) -> None:
    want = " 1  0 -1\n 2  0 -2\n\nkernel\nshape  2×3\nsum    0\n"
    assert cli("kernels", "1 0 -1; 2 0 -2") == Answer(0, want, "")
    assert cli("kernels", "--", "-1 0; 2 0").out.startswith("-1  0\n 2  0\n")
    Path("edge.csv").write_text("1,0,-1\n2,0,-2\n")
    assert cli("kernels", "edge.csv").out == " 1  0 -1\n 2  0 -2\n\nedge\nshape  2×3\nsum    0\n"
    Path("box").write_text("1")
    assert json.loads(cli("kernels", "./box", "--json").out)["settings"] == {}


@pytest.mark.parametrize("name", ["box.png", "box.svg", "box.pdf"])
def test_it_can_be_drawn(cli: Cli, name: str) -> None:
    shown = cli("kernels", "box").out
    assert cli("kernels", "box", "--out", name) == Answer(0, f"{shown}\nwrote {name}: the kernel as a picture\n", "")
    drawn = Path(name).read_bytes()
    assert drawn.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[name[-3:]])
    assert json.loads(cli("kernels", "box", "--out", name, "--overwrite", "--json").out)["written"] == [name]
    assert json.loads(cli("kernels", "box", "--json").out)["written"] == []
    refused = cli("kernels", "box", "--out", name)
    assert refused.status == 2
    assert refused.err.startswith(f"error: '{name}' exists already")
    assert Path(name).read_bytes() == drawn
    assert cli("kernels", "sobel", "--out", name, "--overwrite").status == 0
    assert Path(name).read_bytes() != drawn


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["sobel", "--sigma", "2"], "sobel takes no sigma; it takes direction and normalize"),
        (["gaussian", "--size", "4"], "gaussian: size = 4 has no centre; give an odd size, such as 3 or 5"),
        (
            ["1 0 -1; 2 0"],
            "kernel '1 0 -1; 2 0': row 2 has 2 numbers but row 1 has 3; give every row as many",
        ),
        (["--size", "3"], "--size is for one kernel; give its name, such as: neocog kernels gaussian"),
        (["box", "--overwrite"], "--overwrite replaces the file of --out; give it, too, such as: --out kernel.png"),
        (["gaussian 5"], "kernel 'gaussian 5': settings are options: --size 5, in Python size=5"),
        (["--out", "a.png"], "--out is for one kernel; give its name, such as: neocog kernels gaussian"),
        (
            ["sobl"],
            f"unknown kernel 'sobl'; did you mean 'sobel'? Known: {', '.join(sorted(KERNELS))}; give a kernel's name, "
            "a file with rows of numbers, or a text such as '1 0 -1; 2 0 -2; 1 0 -1'",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refusals_are_one_line_and_leave_nothing(cli: Cli, words: list[str], text: str) -> None:
    assert cli("kernels", *words) == Answer(2, "", f"error: {text}\n")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("words", [[], ["gabor", "--json"], ["1 2; 3 4"]], ids=" ".join)
def test_showing_needs_no_torch(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "neocog", "kernels", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr[-500:]
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "neocog.kernels.named" in imported, "the list of imports was read"
    assert not {"torch", "matplotlib", "numpy", "scipy"} & imported
