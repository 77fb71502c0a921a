"""neocog compare, from end to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from conftest import ENVIRONMENT, STEPS, TINY, Answer
from neocog.studies import comparing
from neocog.studies.jobs import Interrupted
from neocog.workflow import train

Cli = Callable[..., Answer]
SETS = [word for key, value in {**STEPS, "model.layers": TINY}.items() for word in ("--set", f"{key}={value}")]
FAST = ("fast", "fast optimizer.lr=0.02")


def test_two_sides_from_end_to_end(cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = cli("compare", *FAST, "--data", shapes, *SETS, "--seeds", 2, "--processes", 1)
    assert (answer.status, answer.err) == (0, "")
    parts = answer.out.split("\n\n")
    assert parts[0].split("\n")[0] == "validation accuracy in % over seeds; seconds are those of a training:"
    assert "can't be told apart" in parts[2] or "beats" in parts[2] or "same numbers" in parts[2]
    assert answer.out.endswith("saved in runs/compare-fast-fast_optimizer.lr=0.02-1\n")
    assert "2 seeds a side, 4 runs; data shapes, " in answer.out
    folder = Path("runs/compare-fast-fast_optimizer.lr=0.02-1")
    pictures = ["cost.png", "curves.png", "seeds.png"]
    assert sorted(path.name for path in folder.iterdir()) == ["comparison.json", "comparison.md", *pictures]
    for name in pictures:
        with Image.open(folder / name) as picture:
            assert picture.width > 1000
    splits = [path.read_text() for path in sorted(Path("runs/seeds").glob("*/0/split.json"))]
    assert len(splits) == 2
    assert splits[0] == splits[1]

    monkeypatch.setattr(comparing, "_draw", lambda *_: None)
    again = cli("compare", *FAST, "--data", shapes, *SETS, "--seeds", 2, "--json")
    assert (again.status, again.err) == (0, "")
    found = json.loads(again.out)
    assert (found["conditions"]["kept"], found["conditions"]["trained"]) == (4, 0)
    assert found["verdict"] in answer.out.replace("\n", " ")


def test_two_runs(cli: Cli, shapes: Path) -> None:
    for rate in (0.02, 1e-9):
        train("fast", data=shapes, set={**STEPS, "model.layers": TINY, "optimizer.lr": rate, "train.iterations": 60})
    answer = cli("compare", "runs/fast-shapes-1", "runs/fast-shapes-2")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("the same 6 test pictures: fast-shapes-1 ")
    assert "saved in" not in answer.out
    kept = cli("compare", "runs/fast-shapes-1", "runs/fast-shapes-2", "--out", "here")
    assert kept.out == f"{answer.out}\nsaved in here\n"
    assert sorted(path.name for path in Path("here").iterdir()) == ["comparison.json", "comparison.md"]
    folder = cli("compare", "runs/fast-shapes-1", "here")
    text = "error: 'here' is a comparison, not a run; give one of its runs, which comparison.json there names\n"
    assert folder == Answer(2, "", text)
    found = json.loads(cli("compare", "runs/fast-shapes-1", "runs/fast-shapes-2", "--json").out)
    assert found["test"]["n"] == 6
    assert len(found["differ"]) == found["test"]["only_first"] + found["test"]["only_second"]
    three = cli("compare", "runs/fast-shapes-1", "runs/fast-shapes-2", "runs/fast-shapes-1/")
    text = "error: run 'runs/fast-shapes-1' is given twice, and nothing differs from itself; give another run\n"
    assert three == Answer(2, "", text)


def test_refusals_are_one_line(cli: Cli) -> None:
    for words, text in (
        (("fast",), 'compare needs two sides or more, such as model-a "model-a optimizer.lr=0.02"'),
        (
            ("fast", "optimizer.lr=0.02"),
            "'optimizer.lr=0.02' is a change without its recipe; put both into one pair of quotes, such as \"model-a "
            'optimizer.lr=0.02"',
        ),
        (("fast", "small", "--seeds", "two"), "--seeds 'two': give a whole number, such as 3"),
        (("fast", "small", "--seeds", 0), "seeds = 0: give a whole number of 1 or more"),
        (("fast", "small", "--out", "."), "directory '.' exists already and is never overwritten; give another --out"),
        (("fast", "fast", "--set", "lr"), "--set 'lr': write it as key=value, such as optimizer.lr=0.02"),
    ):
        assert cli("compare", *words) == Answer(2, "", f"error: {text}\n")


def test_ctrl_c_says_what_is_kept(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Interrupted([], 6)

    monkeypatch.setattr(comparing, "train_jobs", stopped)
    text = "interrupted: 0 of 6 runs are finished and kept; the same command goes on from there\n"
    assert cli("compare", "fast", "small", "--seeds", 3) == Answer(130, "", text)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_in_the_middle_goes_on_where_it_was(shapes: Path) -> None:
    sets = [*SETS, "--set", "train.iterations=800"]
    command = [sys.executable, "-m", "neocog", "compare", *FAST, "--data", str(shapes), *sets, "--seeds", "3"]
    started = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while started.poll() is None and not list(Path("runs/seeds").glob("*/0/results.json")):
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, error = started.communicate(timeout=60)
    kept = len(list(Path("runs/seeds").glob("*/*/results.json")))
    assert (started.returncode, 0 < kept < 6) == (130, True)
    assert error == f"interrupted: {kept} of 6 runs are finished and kept; the same command goes on from there\n"
    done = subprocess.run([*command, "--json"], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["conditions"]["kept"] == kept
