"""neocog explain: what it prints and writes, and what it refuses in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import neocog
from conftest import STEPS, TINY, fill


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("explain-verb")
    fill(root / "shapes")
    neocog.train("fast", data=root / "shapes", model=TINY, set=STEPS, run=root / "run", figures=False, tell=str)
    return root


def test_a_number_taken_apart_runs_as_python(cli, trained):
    picture = trained / "shapes/cross/3.png"
    done = cli("explain", trained / "run", picture, "--layer", 1, "--neuron", "2,4,5", "--out", "told")
    assert (done.status, done.err) == (0, "wrote 4 figures: told\n")
    assert sorted(item.name for item in Path("told").iterdir()) == [
        *("explanation.json", "field.png", "kernels.png", "maps.png", "trace.png", "trace.py", "trace.txt"),
    ]
    assert Path("told/trace.txt").read_text(encoding="utf-8").strip() in done.out
    assert done.out.startswith("3.png: ")
    ran = subprocess.run([sys.executable, "told/trace.py"], capture_output=True, text=True, check=True)
    found = json.loads(Path("told/explanation.json").read_text(encoding="utf-8"))
    assert float(ran.stdout) == pytest.approx(found["network_value"], abs=found["rounding"])


def test_the_whole_explanation_lies_in_the_run_and_never_over_another(cli, trained):
    kept = trained / "run/explanations/1-1/mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    done = cli("explain", trained / "run", trained / "shapes/square/1.png", "--method", "occlusion", "--json")
    folder = trained / "run/explanations/1-2"
    assert done.err.splitlines()[-1].endswith(f"figures: {folder}")
    assert [item.name for item in kept.parent.iterdir()] == ["mine.txt"]
    assert {"why.png", "neighbours.png", "flips.png", "01-maps.png", "01-kernels.png"} < {
        item.name for item in folder.iterdir()
    }
    found = json.loads(done.out)
    assert found["picture"] == "1.png"
    assert [each["method"] for each in found["why"]] == ["occlusion"]
    assert (folder / "explanation.json").read_text(encoding="utf-8") == done.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--neuron", "1,2,3"],
            "--neuron 1,2,3: say in which layer with --layer; `neocog summary RUN` numbers them",
        ),
        (["--layer", "1", "--neuron", "1;2"], "--neuron '1;2': write channel, row and column, such as 3,4,6"),
        (
            ["--layer", "conf"],
            "there is no layer 'conf'; the layers are 1 'conv 4 3 same'; 2 'relu'; 3 'maxpool 2'; 4 'flatten'; "
            "5 'linear 3'",
        ),
        (["--class", "crcle"], "unknown class 'crcle'; did you mean 'circle'? Known: circle, cross, square"),
        (
            ["--method", "gradcam"],
            "unknown method 'gradcam'; did you mean 'grad-cam'? Known: grad-cam, gradient-x-input, "
            "integrated-gradients, occlusion",
        ),
        (["--out", "."], "directory '.' exists already and is never overwritten; give another --out"),
    ],
)
def test_what_cannot_be_is_one_line(cli, trained, words, text):
    done = cli("explain", trained / "run", "digit:7", *words)
    assert (done.status, done.out) == (2, "")
    assert done.err.strip() == f"error: {text}"


def test_how_the_picture_was_prepared_is_said_beside_a_number_too(cli, trained):
    done = cli("explain", trained / "run", "digit:7", "--layer", 5)
    assert "\nnote: 28×28 grey was prepared as for prediction: crop to 10×10 grey\n" in done.out
