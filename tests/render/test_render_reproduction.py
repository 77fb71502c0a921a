"""Reproductions as text and as Markdown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from goldens import check_golden

from neocog.render.reproduction import price, reproduction_markdown, reproduction_text
from neocog.statistics.reproduction import Figure, LossLog, Reproduced, Reproduction

LOSSES = ((0.44, 0.25), (0.47, 0.21), (0.42, 0.23))
SOFTMAX = Reproduced(
    name="lenet-softmax",
    seeds=(0, 1, 2),
    figures=(
        Figure("test accuracy", 0.8874, (0.8855, 0.8869, 0.8881)),
        Figure("loss, step 500", 0.433, tuple(row[0] for row in LOSSES), "nats", 1, 3, kind="log loss"),
        Figure("loss, step 1,000", 0.251, tuple(row[1] for row in LOSSES), "nats", 1, 3, kind="log loss"),
        Figure("accuracy, step 500", 0.90, (0.89, 0.90, 0.92), digits=0, cut=True, kind="log accuracy"),
    ),
    log=LossLog((500, 1000), (0.433, 0.251), LOSSES, "batch", 500, 3),
    accuracy=(0.8855, 0.8869, 0.8881),
    seconds=(30.0, 31.0, 32.0),
    epochs=5,
    source="lesson 2",
    about="LeNet,\nwith softmax twice.",
    faults=("softmax twice: cross-entropy applies its own", "test pictures as progress meter"),
    twin="lenet-softmax-fixed",
    twin_about="LeNet, mends: no softmax.\nAll else is the lesson's.",
    twin_seeds=(0, 1, 2),
    twin_accuracy=(0.9780, 0.9790, 0.9800),
    twin_seconds=(33.0, 34.1, 35.2),
    parameters=36_794,
    precision="float32",
    openings=7,
)
DROPOUT = Reproduced(
    name="dropout-adam",
    seeds=(0, 1),
    figures=(
        Figure("training, dropout on", 0.8943, (0.91, 0.92)),
        Figure("test accuracy", None, (0.955, 0.965)),
        Figure("lowest batch, epochs 6–9", 0.85, (0.88, 0.84), digits=1, kind="batch accuracy"),
        Figure("highest batch, epochs 6–9", 0.915, (0.925, 0.935), digits=1, kind="batch accuracy"),
    ),
    log=LossLog((300, 600), (), ((0.5, 0.4), (0.6, 0.5))),
    accuracy=(0.955, 0.965),
    seconds=(100.0, 110.0),
    epochs=10,
    source="lesson 3",
    faults=("dropout stays on while it is measured",),
    seconds_per_epoch=71.5,
    parameters=3_199_106,
    precision="bf16",
    openings=1,
    failures={"dropout-adam, seed 2": "the loss is nan after 12 steps; lower optimizer.lr"},
    notes=("2 files are no pictures",),
)
PLAIN = Reproduced(
    name="small-3x3",
    seeds=(0, 1, 2),
    figures=(Figure("test accuracy", 0.98, (0.985, 0.986, 0.9865), at_least=True),),
    log=LossLog(),
    accuracy=(0.985, 0.986, 0.9865),
    seconds=(50.0, 51.0, 52.0),
    epochs=5,
    precision="bf16",
)
CONDITIONS: dict[str, Any] = {
    "date": "2026-11-21",
    "seeds": 3,
    "cpu": "Some Processor",
    "torch": "2.13.0",
    "neocog": "0.1.0",
    "threads": "1",
    "runs": 11,
    "kept": 4,
    "train_seconds": 561.3,
    "seconds": 7300.0,
    "changes": {},
}
WHOLE = Reproduction((SOFTMAX, DROPOUT, PLAIN), CONDITIONS)


def one_seed(each: Reproduced) -> Reproduced:
    """The same recipe, of which only the first seed was trained."""
    return replace(
        each,
        seeds=each.seeds[:1],
        figures=tuple(replace(figure, ours=figure.ours[:1]) for figure in each.figures),
        accuracy=each.accuracy[:1],
        seconds=each.seconds[:1],
        twin_seeds=each.twin_seeds[:1],
        twin_accuracy=each.twin_accuracy[:1],
        twin_seconds=each.twin_seconds[:1],
    )


def test_text() -> None:
    text = reproduction_text(WHOLE)
    check_golden("reproduction.txt", text)
    assert max(len(line) for line in text.split("\n")) <= 100


def test_markdown() -> None:
    check_golden("reproduction.md", reproduction_markdown(WHOLE))


def test_one_seed_has_means_and_says_why_there_is_no_more() -> None:
    text = reproduction_text(Reproduction((one_seed(SOFTMAX), one_seed(PLAIN)), {"seeds": 1, "runs": 3}))
    check_golden("reproduction-one-seed.txt", text)
    assert "nan" not in text


def test_nothing_finished_still_prints() -> None:
    failures = {"lenet-softmax, seed 0": "the loss is nan", "lenet-softmax-fixed, seed 0": "the disk is full"}
    none = replace(
        SOFTMAX,
        seeds=(),
        figures=(Figure("test accuracy", 0.8874, ()),),
        log=LossLog(),
        accuracy=(),
        seconds=(),
        twin_seeds=(),
        twin_accuracy=(),
        twin_seconds=(),
        failures=failures,
    )
    text = reproduction_text(Reproduction((none,)))
    assert text.split("\n")[1].split() == ["lenet-softmax", "test", "accuracy", "88.74", "%", "—", "0", "—", "—", "—"]
    assert text.split("\n\n")[-1] == (
        "failed\n  lenet-softmax, seed 0: the loss is nan\n  lenet-softmax-fixed, seed 0: the disk is full"
    )
    assert "- lenet-softmax-fixed, seed 0: the disk is full" in reproduction_markdown(Reproduction((none,)))


def test_two_seeds_are_never_called_outside_the_range() -> None:
    two = replace(DROPOUT, failures={}, notes=())
    text = reproduction_text(Reproduction((two,)))
    assert two.figures[0].in_range is False
    assert "outside" not in text
    gone = replace(two, figures=(Figure("test accuracy", 0.5, (0.91, 0.92)), *two.figures[1:]))
    assert "\n\noutside the 95 % interval\n  dropout-adam, test accuracy: published 50.00 %, ours 91.50 ± 0.71 %" in (
        reproduction_text(Reproduction((gone,)))
    )
    assert "range;" not in reproduction_text(Reproduction((gone,))).split("outside the 95 % interval\n")[1]


def test_points_below_nothing_have_a_minus_sign() -> None:
    worse = replace(SOFTMAX, twin_accuracy=(0.8755, 0.8768, 0.8782))
    assert "  −1.00 ± 0.02  " in reproduction_text(Reproduction((worse,)))
    unsure = replace(SOFTMAX, twin_accuracy=(0.8820, 0.8872, 0.8874))
    assert "with 3 seeds: −0.13 ± " in price(unsure)


def test_changed_recipes_are_never_called_as_published() -> None:
    changed = replace(WHOLE, conditions={**CONDITIONS, "changes": {"train.iterations": 5, "loader.batch_size": 8}})
    line = "NOT as published: all recipes with train.iterations = 5, loader.batch_size = 8"
    assert reproduction_text(changed).startswith(f"{line}\n\n")
    assert f"\n\n{line}\n\n" in reproduction_markdown(changed)


def test_a_twin_without_a_time_still_has_its_sentence() -> None:
    page = reproduction_markdown(Reproduction((replace(SOFTMAX, twin_seconds=(0.0,) * 3, seconds=(0.0,) * 3),)))
    assert " lenet-softmax-fixed reaches 97.90 ± 0.10 % (n = 3).\n" in page


def test_nothing_outside_is_said_in_the_page() -> None:
    assert reproduction_markdown(Reproduction((PLAIN,))).endswith(
        "## Outside the 95 % interval or our range\n\nNothing."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        # 9.25, 9.21 and 9.19 points: mean 9.2167, sd 0.0306; t(0.975; 2)·sd/√3 = 0.0759
        ({}, "Softmax twice costs 9.22 ± 0.08 points of test accuracy (95 % interval, n = 3, Student's paired t)"),
        (
            {"faults": ("the rate is too low",)},
            "What lenet-softmax-fixed mends costs 9.22 ± 0.08 points of test accuracy "
            "(95 % interval, n = 3, Student's paired t)",
        ),
        (
            {"twin_accuracy": SOFTMAX.accuracy},
            "lenet-softmax-fixed gives the same test accuracy as lenet-softmax, seed by seed (n = 3)",
        ),
        (
            # 0.35, −0.19 and −0.01 points: mean 0.05, sd 0.2750; 4.3027·sd/√3 = 0.6831
            {"twin_accuracy": (0.8890, 0.8850, 0.8880)},
            "Whether softmax twice costs anything can't be told with 3 seeds: +0.05 ± 0.68 points of test accuracy "
            "with lenet-softmax-fixed (95 % interval, n = 3, Student's paired t)",
        ),
        (
            {"twin_accuracy": (0.8755, 0.8768, 0.8782)},
            "lenet-softmax-fixed has 1.00 ± 0.02 points of test accuracy less "
            "(95 % interval, n = 3, Student's paired t)",
        ),
        (
            {"twin_seeds": (1,), "twin_accuracy": (0.9790,), "twin_seconds": (30.0,)},
            "lenet-softmax-fixed has 9.21 points of test accuracy more (one seed, so no interval)",
        ),
        (
            {"twin_seeds": (1,), "twin_accuracy": (0.8800,), "twin_seconds": (30.0,)},
            "lenet-softmax-fixed has 0.69 points of test accuracy less (one seed, so no interval)",
        ),
        ({"twin": None, "twin_seeds": (), "twin_accuracy": (), "twin_seconds": ()}, ""),
    ],
)
def test_what_the_mistakes_cost_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert price(replace(SOFTMAX, **changes)) == sentence
