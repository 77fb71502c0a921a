"""The text of mistakes, whole: one run, several, and nothing found."""

from __future__ import annotations

import re
from dataclasses import replace

from goldens import check_golden

from neocog.evaluation import Mistake
from neocog.render.mistakes import mistakes_text
from neocog.statistics.mistakes import Duplicate, LikelyLabelError, Mistakes

ONE = Mistakes(
    runs=("runs/fast-mnist-1",),
    part="test",
    n=10_000,
    items=(Mistake(9729, "mnist/test/9729", "5", "6", 0.8958, 0.0209), Mistake(4, None, "5", "3", 0.6, 0.3)),
    total=12,
    errors=74,
    true="5",
    label_errors=(LikelyLabelError(9729, "mnist/test/9729", "5", "6", 0.8958, 0.0209, 1),),
    label_errors_total=1,
    duplicates=(
        Duplicate(1, "mnist/test/1", "1", 5, "mnist/train/5", "7", 0.0),
        Duplicate(2, "mnist/test/2", "1", 6, "mnist/train/6", "1", 2.449),
    ),
    notes=("one run can't tell a wrong label from its own bad luck: give several runs with other seeds",),
)


def test_one_run() -> None:
    check_golden("mistakes.txt", mistakes_text(ONE))


def test_several_runs_and_many_of_everything() -> None:
    many = replace(
        ONE,
        runs=("runs/a", "runs/b", "runs/c"),
        true=None,
        label_errors=tuple(replace(ONE.label_errors[0], runs=3) for _ in range(2)),
        label_errors_total=5,
        duplicates=ONE.duplicates * 8,
        notes=(),
    )
    check_golden("mistakes-several.txt", mistakes_text(many))


def test_a_share_is_never_rounded_down_to_nothing_or_up_to_all() -> None:
    sure = Mistake(4, None, "5", "3", 0.999999, 0.000001)
    text = mistakes_text(replace(ONE, items=(sure,), errors=1, n=100_000))
    assert "1 of 100,000 pictures (< 0.01 %), test part" in text
    assert ("> 99.99 %", "< 0.01 %") in [tuple(re.findall(r"[<>] [\d.]+ %", line)) for line in text.splitlines()]


def test_nothing_found() -> None:
    nothing = replace(ONE, items=(), total=0, errors=0, true=None, label_errors=(), label_errors_total=0)
    assert mistakes_text(replace(nothing, duplicates=(), notes=())) == (
        "run                 runs/fast-mnist-1\n"
        "mistakes            0 of 10,000 pictures (0.00 %), test part\n"
        "\n"
        "no candidates for label errors: on no picture the run names another class, with\n"
        "75 % or more\n"
        "\n"
        "no duplicates found: no picture of the test part is among the training pictures,\n"
        "pixel for pixel or by its likeness"
    )
    assert "duplicates" not in mistakes_text(replace(nothing, duplicates=None, notes=()))
