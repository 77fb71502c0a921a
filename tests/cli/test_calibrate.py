"""neocog calibrate, and what evaluate and predict say afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

import neocog
from conftest import STEPS, TINY, Answer, drawn
from neocog.finished import Run

Cli = Callable[..., Answer]


def test_before_and_after(cli: Cli, shapes: Path) -> None:
    run = neocog.train("fast", data=shapes, set=STEPS, model=TINY, run="mine", figures=False, tell=str)
    drawn("circle", 3).save("one.png")
    plain = cli("predict", "mine", "one.png")
    assert plain.status == 0
    assert "temperature" not in plain.out + cli("evaluate", "mine").out

    labels, stored = np.arange(200) % 3, np.full((200, 3), 0.05, dtype=np.float32)
    stored[np.arange(200), np.where(np.arange(200) < 150, labels, (labels + 1) % 3)] = 0.9
    arrays = {}
    for part in ("validation", "test"):
        arrays |= {f"{part}_label": labels, f"{part}_index": labels, f"{part}_probabilities": stored}
        arrays[f"{part}_name"] = np.array([""] * 200)
    run.directory.write_predictions(arrays)

    answer = cli("calibrate", "mine")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.split("\n")
    softened = "probabilities softened by temperature 1.61 (fitted on 200 validation pictures)"
    assert lines[0] == f"{softened}; no class changes"
    assert lines[2].split("  ")[0] == "part"
    assert [line.split("  ")[0].strip() for line in lines[3:7]] == [
        "validation, n = 200",
        "(fitted on these)",
        "test, n = 200",
        "",
    ]
    # Wilson of 50 mistakes in 200 begins at 0.19508, and each counts ln 18: 0.8280 − (0.25 − 0.19508)·2.8904.
    assert lines[5].split()[4:8] == ["loss", "0.8280", "0.6692", "to"]
    assert " ".join(lines[8:]).startswith("it helped: the test loss changes by −0.0923 (95 % interval −0.1")
    assert max(len(line) for line in lines) <= 100

    found = json.loads(cli("calibrate", "mine", "--json").out)
    assert found == {"run": "mine", **Run.open("mine").calibration.as_dict()}
    assert found["helped"] is True
    assert cli("evaluate", "mine").out.split("\n")[2] == softened
    flatters = ", so loss and calibration error flatter here"
    on_val = cli("evaluate", "mine", "--split", "val").out.split("\n")
    assert " ".join(on_val[2:4]) == softened + flatters
    assert max(map(len, on_val)) <= 100
    assert json.loads(cli("evaluate", "mine", "--json").out)["temperature"] == found["temperature"]
    soft = cli("predict", "mine", "one.png")
    assert soft.out.split("\n")[-2] == softened
    assert soft.out.split()[4] == plain.out.split()[4]
    assert json.loads(cli("predict", "mine", "one.png", "--json").out)["temperature"] == found["temperature"]


def test_refusals_are_one_line(cli: Cli) -> None:
    assert cli("calibrate", "nowhere") == Answer(
        2, "", "error: there is no run directory 'nowhere'; `neocog train` prints where a run lies\n"
    )
