"""neocog mistakes: the library's answer as text, JSON and a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import neocog
from conftest import STEPS, TINY, Answer, fill
from neocog.finished import Run
from neocog.insight.mistake_finding import mistakes
from neocog.render.mistakes import mistakes_text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that gets some pictures wrong."""
    root = tmp_path_factory.mktemp("mistakes-verb")
    settings = {**STEPS, "dataset.validation": 0.2, "dataset.test": 0.3}
    data = fill(root / "shapes")
    return neocog.train("fast", data=data, model=TINY, set=settings, run=root / "run", figures=False).path


def test_the_text_is_the_librarys(cli, run) -> None:
    answer = cli("mistakes", run, "--top", 2)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == mistakes_text(mistakes(run, top=2)) + "\n"


def test_json_of_the_validation_part_and_one_class(cli, run) -> None:
    read = json.loads(cli("mistakes", run, "--split", "val", "--true", "square", "--no-duplicates", "--json").out)
    assert (read["part"], read["true"], read["duplicates"]) == ("validation", "square", None)
    assert {each["true"] for each in read["mistakes"]} <= {"square"}
    assert read["total"] == len(read["mistakes"])


def test_several_runs(cli, run) -> None:
    shutil.copytree(run, "again")
    assert cli("mistakes", run, "again") == Answer(
        2,
        "",
        f"error: '{run}' and 'again' have the same predictions, so one is a copy of the other or has its seed; give "
        "runs with other seeds\n",
    )
    again = Run.open("again").directory
    stored = again.read_predictions()
    again.write_predictions({**stored, "test_probabilities": stored["test_probabilities"][:, ::-1]})
    assert cli("mistakes", run, "again").out.splitlines()[0] == (
        "runs                2 runs together, by their mean probabilities"
    )


def test_a_folder_of_pictures_is_made_once(cli, run, monkeypatch) -> None:
    assert mistakes(run).items
    answer = cli("mistakes", run, "--out", "wrong")
    assert (answer.status, answer.err) == (0, "written: wrong\n")
    assert {"mistakes.json", "mistakes.png"} <= {path.name for path in Path("wrong").iterdir()}
    monkeypatch.setattr("neocog.insight.mistake_finding.mistakes", None)  # refused before anything is computed
    assert cli("mistakes", run, "--out", "wrong") == Answer(
        2, "", "error: directory 'wrong' exists already and is never overwritten; give another --out\n"
    )


def test_a_folder_that_is_gone_costs_the_pictures_only(cli, run) -> None:
    shapes, moved = run.parent / "shapes", run.parent / "moved"
    shapes.rename(moved)
    answer = cli("mistakes", run, "--out", "wrong")
    assert (answer.status, answer.err) == (0, "written: wrong\n")
    assert "note: the data can't be opened, so there are no pictures and no duplicates: " in " ".join(
        answer.out.split()
    )
    assert [path.name for path in Path("wrong").iterdir()] == ["mistakes.json"]
    assert "note: the data" not in cli("mistakes", run, "--data", moved).out
    moved.rename(shapes)


def test_what_cannot_be_done_is_one_line(cli, run) -> None:
    for words, text in (
        (["nowhere"], "there is no run directory 'nowhere'; `neocog train` prints where a run lies"),
        (
            [run, "--true", "circel"],
            "true: unknown class 'circel'; did you mean 'circle'? Known: circle, cross, square",
        ),
        ([run, "--top", "x"], "--top 'x': give a whole number, such as 3"),
        ([run, "--top", 0], "top = 0: give a whole number of 1 or more"),
        ([run, run], f"run '{run}' is given twice, and would agree with itself; give runs with other seeds"),
    ):
        assert cli("mistakes", *words) == Answer(2, "", f"error: {text}\n")
