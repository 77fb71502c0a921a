"""What results show of themselves in a notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from test_render_comparison import CONDITIONS, side
from test_render_reproduction import DROPOUT, SOFTMAX
from test_render_sweep import three

from html_checks import check_fragment
from neocog.evaluation import Evaluation, evaluate_predictions
from neocog.render.html import evaluation_html, run_html
from neocog.render.measures import measures_table
from neocog.statistics.comparison import METRICS, Difference, RunComparison, compare_sides
from neocog.statistics.many_runs import RunComparisons
from neocog.statistics.mcnemar import mcnemar
from neocog.statistics.reproduction import Reproduction

EVIL = '<script>alert("&")</script>'


def evaluation(classes: tuple[str, ...] = ("a", "b", "c")) -> Evaluation:
    """Nine of ten pictures right: the last one is of class 0 and called class 1."""
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    answers = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 1])
    probabilities = np.full((10, len(classes)), 0.2 / (len(classes) - 1))
    probabilities[np.arange(10), answers] = 0.8
    return evaluate_predictions(probabilities, labels, classes, "test")


def test_a_comparison_says_its_verdict_first_and_once() -> None:
    found = compare_sides([side("a", 0.936), side(EVIL, 0.9704)], METRICS["accuracy"], conditions=CONDITIONS)
    shown = check_fragment(found._repr_html_())
    assert shown.tags[0][0] == "p"
    assert shown.texts["strong"] == [found.verdict]
    assert {"side", "A − B", "P(A better)", "test accuracy ± sd, %"} <= set(shown.texts["th"])
    assert EVIL in shown.texts["td"]


def test_two_runs_and_more_show_what_they_differ_on() -> None:
    right = np.arange(100) < 90
    pair = RunComparison(
        "one", EVIL, "test", mcnemar(right, np.roll(right, 5)), (Difference(3, EVIL, "a", "b", EVIL, 0.9, 0.8),)
    )
    shown = check_fragment(pair._repr_html_())
    assert shown.texts["strong"] == [pair.verdict]
    assert shown.texts["td"].count(EVIL) == 1
    assert f"{EVIL} (80.00 %)" in shown.texts["td"]
    many = RunComparisons((pair, replace(pair, first="two")), (0.5, 1.0))
    shown = check_fragment(many._repr_html_())
    assert shown.texts["strong"] == [many.verdict]
    assert len(shown.texts["tbody"][0].strip().split("\n")) == 2


def test_a_sweep_keeps_its_command_as_it_is() -> None:
    found = three()
    shown = check_fragment(replace(found, command=f"neocog train '{EVIL}'")._repr_html_())
    assert shown.texts["strong"] == [found.verdict]
    assert shown.texts["pre"] == [f"neocog train '{EVIL}'"]


def test_a_reproduction_has_its_table_and_what_its_faults_cost() -> None:
    found = Reproduction((SOFTMAX, replace(DROPOUT, notes=(EVIL,))), {"seeds": 3, "changes": {"train.epochs": 1}})
    shown = check_fragment(found._repr_html_())
    assert shown.texts["strong"][0] == "NOT as published: all recipes with train.epochs = 1"
    # By hand: 9.25, 9.21 and 9.19 points, so 9.2167 ± 4.303·0.0306/√3.
    cost = "Softmax twice costs 9.22 ± 0.08 points of test accuracy (95 % interval, n = 3, Student's paired t)"
    assert cost in shown.texts["li"]
    assert f"dropout-adam: {EVIL}" in shown.texts["li"]


def test_an_evaluation_shows_each_measure_that_says_something() -> None:
    shown = check_fragment(evaluation_html(evaluation((EVIL, "b", "c"))))
    assert shown.texts["strong"] == ["90.00 % (59.58–98.21, 95 % Wilson, n = 10)"]
    columns, rows = measures_table({"test": evaluation()})
    assert columns == ("measure", ">test", ">95 % interval", "interval by")
    measures = {name: (value, interval, how) for name, value, interval, how in rows}
    assert measures["accuracy"] == ("90.00 %", "59.58 to 98.21 %", "Wilson")
    assert "top-2" in measures and "top-5" not in measures  # the first five of three are always right
    # By hand: 9 answers of 0.8 and one of 0.1 for the true class, (9·ln 1.25 + ln 10)/10.
    assert measures["negative log likelihood"][0] == "0.4311"
    # By hand: agreement 0.9, by chance (4·3 + 3·4 + 3·3)/100 = 0.33, so 0.57/0.67.
    assert measures["Cohen's kappa"][0] == "0.8507"
    assert shown.texts["td"][-3:] == [EVIL, "b", "1"]


def test_parts_stand_side_by_side() -> None:
    columns, rows = measures_table({"test": evaluation(), "validation": evaluation()})
    assert columns == ("measure", ">test", ">95 % interval", ">validation", ">95 % interval", "interval by")
    assert {len(row) for row in rows} == {6}


def test_a_run_shows_its_answer_its_figures_made_small_and_its_report(tmp_path: Path) -> None:
    answer = f"test accuracy  90.00 %\nrun            runs/{EVIL}"
    shown = check_fragment(run_html(answer, {"test": evaluation()}, tmp_path))
    assert shown.texts["pre"] == [answer]
    assert len(shown.of("table")) == 1 and not shown.of("img", "a")

    (tmp_path / "figures").mkdir()
    Image.effect_noise((1600, 800), 50).save(tmp_path / "figures" / "curves.png")
    (tmp_path / "figures" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "report.html").write_text("")
    html = run_html(answer, {}, tmp_path)
    shown = check_fragment(html)
    assert [image["alt"] for image in shown.of("img")] == ["curves"]
    assert [link["href"] for link in shown.of("a")] == [(tmp_path / "report.html").as_posix()]
    assert len(html) < 40_000
