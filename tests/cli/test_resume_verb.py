"""neocog resume, and what neocog train says when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import neocog.progress
from conftest import STEPS, TINY, Answer
from neocog.checkpoint import Checkpoints
from neocog.progress import ProgressBar
from same_bits import check_same

Cli = Callable[..., Answer]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
SETTINGS = [word for key, value in STEPS.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture
def stopped(cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Trains a run that gets a signal after a step."""

    def train(run: str, at: int = 3, number: int = signal.SIGINT, *more: str) -> Answer:
        class Stopping(ProgressBar):
            def step(self, done: int) -> None:
                super().step(done)
                if done == at:
                    os.kill(os.getpid(), number)

        with monkeypatch.context() as patch:
            patch.setattr(neocog.progress, "ProgressBar", Stopping)
            return cli("train", "fast", "--data", shapes, "--model", TINY, "--run", run, *SETTINGS, *more)

    return train


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_says_how_to_go_on_and_that_works(
    cli: Cli, shapes: Path, stopped: Callable[..., Answer], number: int, status: int
) -> None:
    assert stopped("my run", 3, number) == Answer(
        status, "", "stopped after step 3; go on with: neocog resume 'my run'\n"
    )
    found = cli("resume", "my run")
    assert (found.status, found.err) == (0, "goes on after step 3\n")
    whole = cli("train", "fast", "--data", shapes, "--model", TINY, "--run", "whole", *SETTINGS)
    check_same(Path("my run"), Path("whole"))
    kept = [line for line in found.out.splitlines() if not line.startswith(("training", "run"))]
    assert kept == [line for line in whole.out.splitlines() if not line.startswith(("training", "run"))]
    assert cli("resume", "my run") == Answer(
        2,
        "",
        "error: run 'my run' is finished; `neocog evaluate 'my run'` measures it, and `neocog resume 'my run' "
        "--verify` trains it once more and compares\n",
    )


def test_json_is_the_results(cli: Cli, stopped: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    stopped("run")
    looked: list[Path] = []
    monkeypatch.setattr("neocog.insight.reporting.look", lambda run, tell: looked.append(run.path) or [])
    found = cli("resume", "run", "--json")
    assert json.loads(found.out) == {**neocog.Run.open("run").results, "report": None, "figures": []}
    assert looked == [Path("run")]


def test_no_figures_leaves_them_out(cli: Cli, stopped: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    stopped("run")
    monkeypatch.setattr("neocog.insight.reporting.look", lambda run, tell: 1 / 0)
    assert cli("resume", "run", "--no-figures").status == 0


def test_damage_and_changes_are_one_line(cli: Cli, stopped: Callable[..., Answer]) -> None:
    stopped("run", 3, signal.SIGINT, "--checkpoint-every", "1e9")
    assert cli("resume", "run", "--previous") == Answer(
        2, "", "error: 'run/checkpoint' has no checkpoint before the last; leave --previous out\n"
    )
    (only,) = Checkpoints(Path("run")).stored()
    whole = only.path.read_bytes()
    only.path.write_bytes(b"<html>")
    assert cli("resume", "run") == Answer(
        2,
        "",
        f"error: checkpoint '{only.path}' is damaged: it is a web page; no checkpoint of it is whole; train anew with: "
        "neocog train run/recipe.toml\n",
    )
    only.path.write_bytes(whole)
    recipe = Path("run/recipe.toml")
    recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 1"))
    assert cli("resume", "run") == Answer(
        2,
        "",
        "error: run 'run' can't go on as it was: train.seed is 1 and was 0; put it back, or go on all the same with "
        "--force\n",
    )
    found = cli("resume", "run", "--force")
    assert (found.status, found.err) == (
        0,
        "goes on all the same: train.seed is 1 and was 0\ngoes on after step 3\n",
    )


def test_verify_says_whether_it_is_the_same(
    cli: Cli, stopped: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped("a run")
    found = cli("resume", "a run", "--verify")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(
        "the same bits: run 'a run' trained again from step 0 to 3; SHA-256 of all but seconds: checkpoint of step"
    )
    assert not Path("a run/results.json").exists()
    shown = json.loads(cli("resume", "a run", "--verify", "--json").out)
    assert (shown["same"], shown["from_step"], shown["to_step"]) == (True, 0, 3)
    assert cli("resume", "a run", "--no-figures").status == 0
    monkeypatch.setattr("neocog.training.rate_factor", lambda **_: 0.5)
    for words in ([], ["--json"]):
        found = cli("resume", "a run", "--verify", *words)
        assert (found.status, found.err) == (1, "")
    assert json.loads(found.out)["to_step"] == 6
    assert not {"run.lock", "owner.txt"} & {path.name for path in Path("a run").iterdir()}
    for option in ("--previous", "--force"):
        assert cli("resume", "a run", "--verify", option) == Answer(
            2, "", f"error: --verify goes on with nothing, so it takes no {option}\n"
        )


def test_the_second_signal_says_how_to_go_on(cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopping(ProgressBar):
        def step(self, done: int) -> None:
            super().step(done)
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(neocog.progress, "ProgressBar", Stopping)
    found = cli("train", "fast", "--data", shapes, "--model", TINY, "--run", "a run", *SETTINGS)
    assert found == Answer(143, "", "stopped at once; go on with: neocog resume 'a run'\n")


def test_a_stopped_verification_says_that_nothing_was_changed(
    cli: Cli, stopped: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped("run")

    def reading(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("neocog.conditions.open_data", reading)
    assert cli("resume", "run", "--verify") == Answer(130, "", "stopped; verifying has changed nothing\n")


def test_what_is_no_run_is_said_before_torch_is_read() -> None:
    code = (
        "import sys; from neocog.cli import main; sys.argv[1:] = ['resume', 'nosuch']\n"
        "try: main()\n"
        "finally: assert 'torch' not in sys.modules"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (
        2,
        "",
        "error: there is no run directory 'nosuch'; `neocog train` prints where a run lies\n",
    )


def test_ctrl_c_while_python_reads_the_command_line_is_no_traceback() -> None:
    code = (
        "import os, runpy, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'neocog.cli': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "runpy.run_module('neocog', run_name='__main__', alter_sys=True)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "")


def test_a_negative_time_is_refused(cli: Cli) -> None:
    found = cli("train", "fast", "--checkpoint-every", "-1")
    assert found.status == 2
    assert not Path("runs").exists()
