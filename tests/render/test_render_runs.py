"""render: runs, evaluations and layer tables as whole texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from goldens import check_golden
from rich.cells import cell_len

from neocog.evaluation import evaluate_predictions, mean_interval
from neocog.layers import parse
from neocog.render import as_json, evaluation_markdown, evaluation_text, summary_markdown, summary_text
from neocog.summary import summarize

MODEL_A = "conv 16 5 same | relu | maxpool 2 | conv 32 5 same | relu | maxpool 2 | flatten | linear 10"
BLOCKS = (
    "conv 16 3 stride=2 padding=1 bias=no | batchnorm | relu | residual( conv 16 3 same | batchnorm ; conv 16 1 ) | "
    "maxpool 3 stride=2 | branches( conv 8 1 ; conv 8 3x5 padding=1x2 ) | globalavgpool | dropout 0.5 | linear classes"
)


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
    assert text.split("\n\n")[2].count("\nclass ") == 20


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
