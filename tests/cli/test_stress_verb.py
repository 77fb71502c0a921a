"""neocog stress: the library's answer as text, JSON and a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import neocog
from conftest import STEPS, TINY, Answer, fill
from neocog.finished import Run
from neocog.insight.stressing import stress
from neocog.render.stress import stress_text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stress-verb")
    settings = {**STEPS, "dataset.validation": 0.3}
    data = fill(root / "shapes")
    return neocog.train("fast", data=data, model=TINY, set=settings, run=root / "run", figures=False).path


def test_the_text_is_the_librarys(cli, run) -> None:
    answer = cli("stress", run, "--only", "shift, noise")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == stress_text(stress(run, only=["shift", "noise"])) + "\n"


def test_json_and_the_opened_test_part(cli, run) -> None:
    before = Run.open(run).test_openings
    read = json.loads(cli("stress", run, "--only", "contrast", "--split", "test", "--json").out)
    assert [curve["name"] for curve in read["curves"]] == ["contrast"]
    assert (read["part"], read["test_openings"]) == ("test", before + 1)
    last = cli("stress", run, "--only", "contrast", "--split", "test").out.splitlines()[-1]
    assert last == f"the run's own test part: opened {before + 2} times"


def test_a_folder_of_figures_is_made_once(cli, run, monkeypatch) -> None:
    answer = cli("stress", run, "--only", "inversion", "--out", "stressed")
    assert (answer.status, answer.err) == (0, "written: stressed\n")
    names = sorted(path.name for path in Path("stressed").iterdir())
    assert set(names) - {"broken.png"} == {"stress.json", "stress.png", "stress.svg"}
    assert json.loads(Path("stressed/stress.json").read_text(encoding="utf-8"))["part"] == "validation"
    monkeypatch.setattr("neocog.insight.stressing.stress", None)  # refused before anything is computed
    assert cli("stress", run, "--out", "stressed") == Answer(
        2, "", "error: directory 'stressed' exists already and is never overwritten; give another --out\n"
    )


def test_what_cannot_be_done_is_one_line(cli, run) -> None:
    for words, text in (
        (["nowhere"], "there is no run directory 'nowhere'; `neocog train` prints where a run lies"),
        ([run, "--split", "train"], "split 'train': give val or test"),
        (
            [run, "--only", "shfit"],
            "unknown change 'shfit'; did you mean 'shift'? Known: blur, contrast, inversion, noise, rotation, scale, "
            "shift",
        ),
        (
            [run, "--only", ","],
            "no change was named; give some of shift, rotation, scale, noise, blur, contrast, inversion",
        ),
    ):
        assert cli("stress", *words) == Answer(2, "", f"error: {text}\n")
