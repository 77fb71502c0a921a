"""neocog lr-find: the library's answer as text, JSON and a picture."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from conftest import Answer
from neocog.render.rates import rates_text
from neocog.studies.rate_finding import lr_find

MODEL = "flatten | linear classes"
SETTINGS = {"train.precision": "float32", "loader.batch_size": 8}
SET = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
WORDS = ["lr-find", "fast", "--data", "shapes", "--steps", 40, "--low", 1e-5, "--device", "cpu", *SET, "--model"]


def found():
    return lr_find("fast", data="shapes", model=MODEL, set=SETTINGS, steps=40, low=1e-5, device="cpu")


def test_the_text_is_the_librarys(cli, shapes):
    answer = cli(*WORDS, MODEL)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == rates_text(found()) + "\n"
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["shapes"]


def test_the_command_it_gives_can_be_run(cli, shapes):
    command = cli(*WORDS, MODEL).out.splitlines()[-1]
    program, *words = shlex.split(command)
    assert program == "neocog"
    trained = cli(*words, "--set", "train.iterations=5", "--run", "here", "--json")
    assert trained.status == 0, trained.err
    recipe = Path("here/recipe.toml").read_text(encoding="utf-8")
    assert f"lr = {found().suggestion}\n" in recipe


def test_json_is_one_object(cli, shapes):
    answer = cli(*WORDS, MODEL, "--seeds", 2, "--json")
    read = json.loads(answer.out)
    assert len(read["curves"]) == 2 and read["conditions"]["seeds"] == [0, 1]
    assert read["changes"] == {"optimizer.lr": read["suggestion"]}


def test_a_picture_is_drawn_beside_the_answer(cli, shapes):
    answer = cli(*WORDS, MODEL, "--out", "curve.svg")
    assert (answer.status, answer.err) == (0, "drawn: curve.svg\n")
    assert Path("curve.svg").read_text(encoding="utf-8").startswith("<?xml")
    again = cli(*WORDS, MODEL, "--out", "curve.svg")
    assert again.status == 2
    assert again.err == (
        "error: 'curve.svg' exists already; give another name, or --overwrite (in Python, overwrite=True)\n"
    )


def test_what_cannot_be_done_is_one_line(cli, shapes):
    for option, value, text in (
        ("--steps", 3, "steps = 3: too few to see where a loss falls; give 20 or more"),
        ("--steps", "x", "--steps 'x': give a whole number, such as 3"),
        ("--seeds", 0, "seeds = 0: give a whole number of 1 or more"),
        ("--seed", "x", "--seed 'x': give a whole number, such as 3"),
        ("--high", "inf", "high = inf: give a number, such as 10"),
    ):
        assert cli("lr-find", "fast", option, value) == Answer(2, "", f"error: {text}\n")
