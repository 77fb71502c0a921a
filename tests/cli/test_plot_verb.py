"""`neocog plot`, and what `neocog train` draws and says of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neocog
from conftest import STEPS, TINY, Answer
from neocog.finished import Run
from neocog.insight.figures import names

Cli = Callable[..., Answer]


@pytest.fixture
def run(arrays: tuple[np.ndarray, np.ndarray]) -> str:
    """A tiny run in this test's folder."""
    neocog.train("fast", data=arrays, model=TINY, figures=False, run="mine", set=STEPS)
    return "mine"


def test_figures_are_drawn_again_and_named(cli: Cli, run: str) -> None:
    answer = cli("plot", run, "--only", "kernels,samples", "--format", "png")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines() == ["mine/figures/samples.png", "mine/figures/kernels.png"]
    before = Path("mine/figures/kernels.png").read_bytes()
    again = cli("plot", run, "--only", "kernels", "--out", "seen", "--json")
    assert json.loads(again.out) == {
        "run": "mine",
        "figures": ["seen/kernels.png", "seen/kernels.svg"],
        "left_out": [],
    }
    assert Path("seen/kernels.png").read_bytes() == before


def test_what_can_not_be_drawn_is_told(cli: Cli, run: str) -> None:
    Path("mine/pictures.npz").unlink()
    told = "no figure 'samples': the run has no pictures.npz, which an older neocog didn't write; train again"
    answer = cli("plot", run, "--only", "samples,kernels", "--format", "svg")
    assert (answer.status, answer.out, answer.err) == (0, "mine/figures/kernels.svg\n", f"{told}\n")
    answer = cli("plot", run, "--only", "samples", "--out", "seen")
    assert (answer.status, answer.out, answer.err) == (2, "", f"error: {told}\n")
    assert not Path("seen").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--only", "kernel"],
            "unknown figure 'kernel'; did you mean 'kernels'? "
            "Known: classes, confusion, curves, kernels, mistakes, reliability, samples",
        ),
        (["--format", "pgn"], "unknown format 'pgn'; did you mean 'png'? Known: png, svg"),
        (["--out", "mine"], "directory 'mine' exists already and is never overwritten; give another --out"),
    ],
)
def test_what_can_not_be_meant_is_one_line(cli: Cli, run: str, words: list[str], told: str) -> None:
    answer = cli("plot", run, *words)
    assert (answer.status, answer.out, answer.err) == (2, "", f"error: {told}\n")
    assert not Path("mine/figures").exists()


def test_a_run_that_can_only_be_read_wants_another_place(cli: Cli, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode, **_: not mode & os.W_OK)
    answer = cli("plot", run, "--only", "kernels")
    assert (answer.status, answer.err) == (
        2,
        "error: cannot write 'mine/figures': Permission denied; give --out a folder in a place that can be written\n",
    )


def test_training_answers_first_and_then_looks(cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train", "--data", shapes, "--model", TINY]
    words += [word for key, value in STEPS.items() for word in ("--set", f"{key}={value}")]
    seen: list[str] = []

    def look(run: neocog.Run, tell: Callable[[str], None]) -> list[Path]:
        seen.append(str(run.path))
        tell("a remark")
        return [run.path / "figures/curves.png", run.path / "figures/curves.svg", run.path / "report.html"]

    monkeypatch.setattr("neocog.insight.reporting.look", look)
    answer = cli(*words)
    assert (answer.status, answer.err) == (0, "a remark\n")
    assert answer.out.splitlines()[-3:] == [
        "run                 runs/fast-shapes-1",
        "figures             runs/fast-shapes-1/figures",
        "report              runs/fast-shapes-1/report.html",
    ]
    found = json.loads(cli(*words, "--json").out)
    place = "runs/fast-shapes-2"
    assert found["report"] == f"{place}/report.html"
    assert found["figures"] == [f"{place}/figures/curves.png", f"{place}/figures/curves.svg"]
    found = json.loads(cli(*words, "--json", "--no-figures").out)
    assert (found["report"], found["figures"]) == (None, [])
    assert cli(*words, "--no-figures").out.splitlines()[-1] == "run                 runs/fast-shapes-4"
    assert seen == ["runs/fast-shapes-1", "runs/fast-shapes-2"]


def test_the_help_names_every_figure(cli: Cli) -> None:
    text = " ".join(cli("plot", "--help").out.replace("│", " ").split())
    assert f"Some of {', '.join(names())}." in text


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_stopped_at_its_figures_is_complete(
    cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def stopped(*_: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr("neocog.insight.reporting.look", stopped)
    words = ["train", "--data", shapes, "--model", TINY, "--run", "my run"]
    answer = cli(*words, *(word for key, value in STEPS.items() for word in ("--set", f"{key}={value}")))
    assert (answer.status, answer.out.splitlines()[-1]) == (status, "run                 my run")
    told = "stopped while figures were drawn; the run is complete: neocog report 'my run'"
    assert answer.err.splitlines()[-1] == told
    assert Run.open("my run").test_openings == 1
