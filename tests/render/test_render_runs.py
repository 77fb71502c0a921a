"""render: runs, evaluations and layer tables as whole texts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from goldens import check_golden
from rich.cells import cell_len

from neocog.evaluation import Calibration, evaluate_predictions, mean_interval
from neocog.layers import parse
from neocog.render.runs import (
    as_json,
    calibration_text,
    evaluation_markdown,
    evaluation_text,
    predictions_text,
    summary_markdown,
    summary_text,
    temperature_text,
    train_text,
)
from neocog.summary import summarize

MODEL_A = "conv 16 5 same | relu | maxpool 2 | conv 32 5 same | relu | maxpool 2 | flatten | linear 10"
BLOCKS = (
    "conv 16 3 stride=2 padding=1 bias=no | batchnorm | relu | residual( conv 16 3 same | batchnorm ; conv 16 1 ) | "
    "maxpool 3 stride=2 | branches( conv 8 1 ; conv 8 3x5 padding=1x2 ) | globalavgpool | dropout 0.5 | linear classes"
)


RESULTS = {
    "device": "cpu",
    "threads": 2,
    "precision": "float32",
    "train_pictures": 60000,
    "steps": 3000,
    "train_seconds": 24.58,
    "parameters": 28938,
    "run": "runs/model-a-mnist-1",
    "test_accuracy": 0.9704,
    "test_interval": [0.9669, 0.9735],
    "test_pictures": 10000,
    "val_accuracy": None,
    "open_test": True,
    "test_openings": 1,
}
FIRST = "test accuracy       97.04 %   (95 % interval 96.69–97.35 %, 10,000 pictures)"
REST = [
    "validation accuracy not measured: no validation part was held out",
    "training            24.6 s for 3,000 steps on 60,000 pictures (cpu, float32, 2 threads)",
    "parameters          28,938",
    "run                 runs/model-a-mnist-1",
]


FIGURES = {"loss_before": 0.0801, "loss_after": 0.024, "ece_before": 0.0587, "ece_after": 0.0021}
INTERVALS = {name: [value * 0.9, value * 1.1] for name, value in FIGURES.items()} | {"loss_change": [-0.06, -0.052]}
TEST = {"n": 10_000, **FIGURES, "loss_change": -0.0561, "intervals": INTERVALS}


def calibration(temperature: float = 1.43, **test) -> Calibration:
    held = {"test": {**TEST, **test}} if test != {"none": True} else {}
    return Calibration(temperature, "validation", 5000, **FIGURES, **held, intervals=INTERVALS)


def published(meter: list[float] = (), **more) -> dict:
    log = [{"step": 500 * place, "loss": 0.1, "test_accuracy": share} for place, share in enumerate(meter, 1)]
    found = {"accuracy": 0.9704, "part": "test", "dropout": False, "train_accuracy": None, "faults": [], "log": log}
    return {"test_openings": 1 + len(log), "as_published": {**found, **more}}


def evaluation(classes: int, each: int = 100, *, names: str = "class {}", wrong: int = 3):
    """`each` pictures of every class; of class c, c + `wrong` are taken for the next class and one for the last."""
    labels = np.repeat(np.arange(classes), each)
    answers = labels.copy()
    for c in range(classes if wrong else 0):
        answers[c * each : c * each + c + wrong] = (c + 1) % classes
        answers[c * each + c + wrong] = classes - 1
    probabilities = np.full((len(labels), classes), 0.25 / (classes - 1))
    probabilities[np.arange(len(labels)), answers] = 0.75
    return evaluate_predictions(probabilities, labels, [names.format(c) for c in range(classes)], "test")


def test_a_training():
    assert train_text(RESULTS).split("\n") == [FIRST, *REST]
    on_gpu = train_text(
        {**RESULTS, "device": "cuda", "val_accuracy": 0.5, "val_interval": [0.25, 0.75], "val_pictures": 8}
    )
    assert on_gpu.split("\n")[1:3] == [
        "validation accuracy 50.00 %   (95 % interval 25.00–75.00 %, 8 pictures)",
        "training            24.6 s for 3,000 steps on 60,000 pictures (cuda, float32)",
    ]
    assert train_text({**RESULTS, "threads": 1}).split("\n")[2].endswith("1 thread)")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "the data has no test part"),
        ({"open_test": False}, "the test part was kept closed"),
    ],
)
def test_why_the_test_part_was_not_measured(more, text):
    results = {**RESULTS, "test_accuracy": None, "test_openings": 0, **more}
    assert train_text(results).split("\n") == [f"test accuracy       not measured: {text}", *REST]
    for key in ("open_test", "test_openings"):  # an older run has neither
        results.pop(key)
    assert train_text(results).split("\n")[0] == "test accuracy       not measured: the data has no test part"


def test_openings_are_told_beside_the_figure():
    for openings, end in ((2, "; opened 2 times)"), (7, "; opened 7 times)"), (1, ")")):
        assert train_text({**RESULTS, "test_openings": openings}).split("\n") == [FIRST[:-1] + end, *REST]
    older = {key: value for key, value in RESULTS.items() if key not in ("open_test", "test_openings")}
    assert train_text(older).split("\n") == [FIRST, *REST]


def test_a_progress_meter_as_published():
    # 0.29 · 100 is 28.999999999999996 in floating point; 93.99 % is cut, not rounded, as the lessons do.
    results = {**RESULTS, **published([0.29, 0.9211, 0.9399, 0.95, 0.9612, 0.9704], faults=["one", "two"])}
    assert train_text(results).split("\n") == [
        FIRST[:-1] + "; opened 7 times)",
        *REST,
        "as published        the test set as progress meter: 29 92 93 95 96 97 % (opened 7 times)",
        "as published        fault: one",
        "as published        fault: two",
    ]


def test_what_a_lesson_reports_and_where_its_faults_are_mended():
    found = {"faults": ["too low a rate"], "twin": "mlp-fixed", "reported": 0.7614, "at_least": False}
    results = {**RESULTS, "recipe": "mlp", **published(**found)}
    assert train_text(results).split("\n")[5:] == [
        "as published        fault: too low a rate",
        "mended in           mlp-fixed",
        "lesson              reports 76.14 %; `neocog reproduce mlp` holds seeds against it",
    ]
    more = {**RESULTS, "recipe": "mlp", **published(reported=0.97, at_least=True)}
    assert train_text(more).split("\n")[5:] == [
        "lesson              reports more than 97.00 %; `neocog reproduce mlp` holds seeds against it"
    ]
    own = {**RESULTS, "recipe": "mine", **published(reported=0.97, at_least=False)}
    assert train_text(own).split("\n")[5:] == ["lesson              reports 97.00 %"]
    changed = {**results, **published(**found, changed=["optimizer.lr", "dataset.name"])}
    assert train_text(changed).split("\n")[5:] == [
        "changed             optimizer.lr, dataset.name, so no longer as published; the lesson's faults may",
        "                    not apply",
    ]


def test_what_a_lesson_calls_test_as_published():
    results = {**RESULTS, **published(accuracy=0.8951, part="train", dropout=True, train_accuracy=0.9625)}
    assert train_text(results).split("\n") == [
        FIRST,
        *REST,
        "as published        89.51 % on the training pictures with dropout on, which the lesson calls test",
        "as published        96.25 % on the training pictures",
    ]
    assert train_text({**RESULTS, **published(accuracy=0.75, part="train")}).split("\n")[5:] == [
        "as published        75.00 % on the training pictures, which the lesson calls test"
    ]
    assert train_text({**RESULTS, **published(accuracy=0.75, dropout=True)}).split("\n")[5:] == [
        "as published        75.00 % on the test pictures with dropout on"
    ]


def test_a_published_recipe_with_nothing_of_its_own_says_nothing_more():
    assert train_text({**RESULTS, **published()}).split("\n") == [FIRST, *REST]
    nothing = {**RESULTS, "test_accuracy": None, **published(accuracy=None, dropout=True), "test_openings": 0}
    assert train_text(nothing).split("\n")[1:] == REST


def test_long_lines_as_published_are_wrapped_below_their_beginning():
    fault = "softmax twice: cross-entropy applies its own, so the loss cannot fall below ln(1 + 9/e) = 1.4612"
    results = {**RESULTS, **published([place / 100 for place in range(94)], faults=[fault])}
    lines = train_text(results).split("\n")
    assert lines[5:] == [
        "as published        the test set as progress meter: 0 1 2 3 4 5 6 7 8 9 … 84 85 86 87 88 89 90 91 92",
        "                    93 % (opened 95 times)",
        "as published        fault: softmax twice: cross-entropy applies its own, so the loss cannot fall",
        "                    below ln(1 + 9/e) = 1.4612",
    ]
    assert max(cell_len(line) for line in lines) <= 100


def test_a_calibration_is_told_with_a_training():
    told = "calibration         temperature 1.43 (fitted on 5,000 validation pictures)"
    lines = train_text({**RESULTS, "calibration": calibration()}).split("\n")
    assert lines == [FIRST, REST[0], f"{told}; test loss 0.0801 → 0.0240", *REST[1:]]
    without = train_text({**RESULTS, "calibration": calibration(none=True)}).split("\n")
    assert without[2] == f"{told}; validation loss 0.0801 → 0.0240"
    assert train_text({**RESULTS, "calibration": None}).split("\n") == [FIRST, *REST]


def test_calibrations():
    check_golden("calibration.txt", calibration_text(calibration()))


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (
            calibration(intervals={**INTERVALS, "loss_change": [-0.01, 0.0032]}, loss_change=-0.0034, n=8),
            "whether it helped can't be told: the test loss changes by −0.0034 (95 % interval −0.0100 to "
            "+0.0032, paired over 8 pictures)",
        ),
        (
            calibration(intervals={**INTERVALS, "loss_change": [0.01, 0.03]}, loss_change=0.02),
            "it made the probabilities worse: the test loss changes by +0.0200 (95 % interval +0.0100 to "
            "+0.0300, paired over 10,000 pictures)",
        ),
        (
            calibration(intervals={**INTERVALS, "loss_before": [0.0, None], "loss_change": [None, None]}, n=1),
            "whether it helps elsewhere is not known: the stored test part is one picture",
        ),
        (calibration(none=True), "whether it helps elsewhere is not known: no test predictions are stored"),
    ],
)
def test_whether_a_calibration_helped(found, end):
    text = calibration_text(found)
    assert text.split("\n\n")[-1].replace("\n", " ") == end
    assert all(cell_len(line) <= 100 for line in text.split("\n"))


def test_what_a_temperature_did():
    assert temperature_text(1.0) == ""
    assert temperature_text(0.4769) == "probabilities sharpened by temperature 0.477"
    assert temperature_text(1.43, calibration()) == (
        "probabilities softened by temperature 1.43 (fitted on 5,000 validation pictures)"
    )
    lines = calibration_text(calibration(20.0)).split("\n")
    assert lines[:2] == [
        "probabilities softened by temperature 20 (fitted on 5,000 validation pictures); no class changes",
        "20 is the end of the temperatures that are searched; the loss still falls there",
    ]
    unchanged = calibration_text(calibration(1.0)).split("\n")
    assert unchanged[0] == "temperature 1 (fitted on 5,000 validation pictures); no class changes"


@pytest.mark.parametrize(
    ("name", "what", "shape"),
    [
        ("summary-model-a", MODEL_A, (1, 28, 28)),
        ("summary-blocks", BLOCKS, (3, 30, 41)),
        ("summary-model-a-module", parse(MODEL_A).build((1, 28, 28), 10), (1, 28, 28)),
    ],
)
def test_summaries(name, what, shape):
    summary = summarize(what, shape, classes=5)
    text = summary_text(summary)
    assert all(cell_len(line) <= 100 for line in text.split("\n"))
    check_golden(f"{name}.txt", text)
    check_golden(f"{name}.md", summary_markdown(summary))


def test_evaluations():
    small = evaluation(4, names="{}")
    check_golden("evaluation.txt", evaluation_text(small))
    check_golden("evaluation.md", evaluation_markdown(small))
    assert json.loads(as_json(small)) == small.as_dict()


def test_an_evaluation_says_what_its_probabilities_went_through():
    rows, labels = [[0.75, 0.25]] * 4, [0, 0, 0, 1]
    test = evaluate_predictions(rows, labels, ["a", "b"], "test", temperature=1.43)
    assert evaluation_text(test).split("\n")[2] == "probabilities softened by temperature 1.43"
    told = "probabilities softened by temperature 1.43 (fitted on 5,000 validation pictures)"
    assert evaluation_text(test, calibration()).split("\n")[2] == told
    own = evaluate_predictions(rows, labels, ["a", "b"], "validation", temperature=1.43)
    flatters = ", so loss and calibration error flatter here"
    assert evaluation_markdown(own, calibration()).split("\n")[2] == told + flatters
    plain = evaluate_predictions(rows, labels, ["a", "b"], "validation")
    assert "temperature" not in evaluation_text(plain, None)


@pytest.mark.parametrize(
    ("classes", "names", "matrix"),
    [
        (2, "{}", "confusion matrix"),
        # 20 long names do not fit above their columns, their numbers do.
        (20, "a class with a long name {}", "\n20 a class with"),
        (21, "{}", None),
    ],
)
def test_the_confusion_matrix_is_shown_where_it_fits(classes, names, matrix):
    text = evaluation_text(evaluation(classes, names=names))
    assert ("confusion matrix" in text) == (matrix is not None)
    assert matrix is None or matrix in text
    assert all(cell_len(line) <= 100 for line in text.split("\n"))


def test_a_matrix_too_wide_for_text_stands_in_markdown_only():
    wide = evaluation(20, each=1500, wrong=200)
    assert "confusion matrix" not in evaluation_text(wide)
    assert "confusion matrix" in evaluation_markdown(wide)


def test_of_many_classes_the_worst_are_shown():
    text = evaluation_text(evaluation(30))
    assert "the 20 of 30 classes with the lowest F1:" in text
    assert len(re.findall(r"\nclass \d", text.split("\n\n")[3])) == 20


def test_classes_without_answers_or_pictures_have_no_precision_or_recall():
    found = evaluate_predictions(np.eye(4)[[0, 0, 2, 0]], [0, 1, 0, 0], list("abcd"), "test")
    rows = [line.split("  ") for line in evaluation_text(found).split("\n\n")[3].split("\n")]
    cells = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows[2:]}
    assert cells["a"] == ["66.67 (20.77–93.85)", "66.67 (20.77–93.85)", "66.67", "3"]
    assert cells["b"] == ["—", "0.00 (0.00–79.35)", "0.00", "1"]
    assert cells["c"] == ["0.00 (0.00–79.35)", "—", "0.00", "0"]
    assert cells["d"] == ["—", "—", "0.00", "0"]


def test_nearly_certain_is_not_certain():
    top = [{"class": "four", "probability": 0.9999946}, {"class": "nine", "probability": 5.4e-6}]
    text = predictions_text([{"picture": "4.png", "top": top, "note": None}])
    assert text.split("\n")[1] == "4.png    four > 99.99 %  nine < 0.01 %"
    assert train_text({**RESULTS, "test_accuracy": 0.99996}).startswith("test accuracy       > 99.99 %")


@pytest.mark.parametrize(
    ("made", "commands"),
    [
        ([], None),
        (["report.html"], "`neocog report 'my run'`"),
        (["figures"], "`neocog plot 'my run'`"),
        (["report.html", "figures"], "`neocog report 'my run'` and `neocog plot 'my run'`"),
    ],
)
def test_what_a_calibration_leaves_as_it_was(made, commands, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in made:
        (Path("my run") / name).mkdir(parents=True)
    plain, text = calibration_text(calibration()), calibration_text(calibration(), Path("my run"))
    assert text.removeprefix(plain).lstrip("\n").replace("\n", " ") == (
        f"what was drawn before shows the probabilities as they were; anew with {commands}" if commands else ""
    )
    assert all(cell_len(each) <= 100 for each in text.split("\n"))


def test_no_mistakes_need_no_matrix():
    text = evaluation_text(evaluation(3, each=50, wrong=0))
    assert text.splitlines()[:2] == [
        "test: 100.00 % (97.50–100.00, 95 % Wilson, n = 150)",
        "loss 0.2877 · 0 errors",
    ]
    assert "confus" not in text


def test_json_of_anything():
    @dataclass
    class Result:
        path: Path
        values: np.ndarray
        rate: np.float32
        broken: float
        table: dict

    got = as_json(Result(Path("a/b"), np.arange(3), np.float32(0.5), float("inf"), {1: ("三", None, True)}))
    assert json.loads(got) == {
        "path": "a/b", "values": [0, 1, 2], "rate": 0.5, "broken": None, "table": {"1": ["三", None, True]},
    }  # fmt: skip
    assert "三" in got
    assert json.loads(as_json([mean_interval([1.0])]))[0]["low"] is None
    assert json.loads(as_json(summarize(MODEL_A, (1, 28, 28))))["total_macs"] == 2_838_080


def test_json_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
        as_json({"a": object()})
