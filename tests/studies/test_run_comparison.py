"""compare of finished runs: exact McNemar from stored predictions, and what makes two runs no pair."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from conftest import STEPS, TINY
from neocog.errors import NeocogError, RecipeError
from neocog.finished import Run
from neocog.recipe import Recipe
from neocog.run import RunDirectory
from neocog.statistics.comparison import RunComparison
from neocog.statistics.many_runs import RunComparisons
from neocog.steps import Resolved
from neocog.studies.comparing import compare
from neocog.studies.predictions import compare_runs
from neocog.workflow import train

CLASSES = ("cat", "dog", "eel")
LABELS = [0, 1, 2, 0, 1, 2, 0, 1]


def stored(
    name: str,
    answers: Sequence[int],
    *,
    labels: Sequence[int] = LABELS,
    sure: Sequence[float] | None = None,
    classes: tuple[str, ...] = CLASSES,
    checksum: str = "sha256:0",
    names: Sequence[str] | None = None,
    seed: int = 0,
    data: str = "pets",
    part: str = "test",
    first: int = 0,
) -> Run:
    """A finished run that answered so, each time with probability `sure` (or 0.5)."""
    directory = RunDirectory.create(None, name)
    recipe = Recipe.load("fast", {"train.seed": seed})
    found = Resolved(
        classes=classes, image_shape=(1, 8, 8), mean=(0.0,), std=(1.0,), data_checksum=checksum, neocog="0.1.0"
    )
    directory.write_recipe(recipe.model_copy(update={"resolved": found}))
    directory.write_json("results.json", {"data": data})
    (directory.path / "weights.safetensors").touch()
    share = np.full(len(answers), 0.5) if sure is None else np.array(sure)
    probabilities = np.repeat((1 - share)[:, None] / (len(classes) - 1), len(classes), axis=1)
    probabilities[np.arange(len(answers)), answers] = share
    directory.write_predictions(
        {
            f"{part}_index": np.arange(first, first + len(answers)),
            f"{part}_label": np.array(labels),
            f"{part}_probabilities": probabilities.astype(np.float32),
            f"{part}_name": np.array(names or [f"pets/{place}" for place in range(len(answers))]),
        }
    )
    return Run(directory)


def refused(*runs: Run, **options: Any) -> str:
    with pytest.raises(NeocogError) as caught:
        compare(*runs, **options)
    return str(caught.value)


def test_two_runs_by_hand() -> None:
    # right: first on 0 1 2 3, second on 2 3 4; both wrong on 5 6 7
    first = stored("a", [0, 1, 2, 0, 2, 0, 1, 2], sure=[0.5, 0.5, 0.5, 0.5, 0.75, 0.5, 0.5, 0.5])
    second = stored("b", [1, 2, 2, 0, 1, 0, 1, 2], sure=[0.625, 0.875, 0.5, 0.5, 0.5625, 0.5, 0.5, 0.5])
    found = compare(first, second)
    assert isinstance(found, RunComparison)
    test = found.test
    assert (test.n, test.both_right, test.only_first, test.only_second, test.both_wrong) == (8, 2, 2, 1, 3)
    assert test.p == binomtest(2, 3).pvalue
    assert test.difference == 1 / 8
    assert (found.first, found.second, found.part) == ("a-1", "b-1", "test")
    # the most certain wrong answer first: 0.875 on 1, 0.75 on 4, 0.625 on 0
    assert [(d.index, d.name, d.true, d.first, d.second) for d in found.differ] == [
        (1, "pets/1", "dog", "dog", "eel"),
        (4, "pets/4", "dog", "eel", "dog"),
        (0, "pets/0", "cat", "cat", "dog"),
    ]
    assert [(d.first_probability, d.second_probability) for d in found.differ] == [
        (0.5, 0.875),
        (0.75, 0.5625),
        (0.5, 0.625),
    ]


def test_nothing_is_written_unless_asked_for() -> None:
    first, second = stored("a", LABELS), stored("b", [1] * 8)
    before = sorted(Path().rglob("*"))
    compare(first, second)
    assert sorted(Path().rglob("*")) == before
    found = compare(first, second, out="answer")
    assert json.loads(Path("answer/comparison.json").read_text())["verdict"] == str(found)
    assert Path("answer/comparison.md").read_text().startswith("# a-1 and b-1\n")
    assert len(list(Path("answer").iterdir())) == 2


def test_three_runs_are_compared_in_pairs() -> None:
    right = LABELS * 5
    wrong = [(label + 1) % 3 for label in right]
    runs = [
        stored("a", right, labels=right),
        stored("b", wrong[:12] + right[12:], labels=right),
        stored("c", wrong[:2] + right[2:], labels=right),
    ]
    found = compare(*runs)
    assert isinstance(found, RunComparisons)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("a-1", "b-1"), ("a-1", "c-1"), ("b-1", "c-1")]
    # Holm by hand: p = 2/2¹², 1/2, 2/2¹⁰ in order 1, 3, 2, times 3, 2, 1
    assert found.p_adjusted == pytest.approx((3 * 2 / 2**12, 1 / 2, 2 * 2 / 2**10))
    assert found.verdict == (
        "a-1 beats b-1 by 30.00 points; c-1 beats b-1 by 25.00 points (Holm over 3 pairs, n = 40 pictures)"
    )


def test_the_other_part_is_compared_when_asked_for() -> None:
    first, second = (stored(name, LABELS, part="validation") for name in "ab")
    found = compare(first, second, split="val")
    assert isinstance(found, RunComparison)
    assert (found.part, found.test.both_right, found.differ) == ("validation", 8, ())
    assert refused(first, second) == (
        "run 'a-1' has no stored predictions of a test part; try --split val, or train again"
    )
    assert refused(first, second, split="train") == "split 'train': give val or test"


def test_runs_on_other_pictures_are_no_pair() -> None:
    run = stored("a", LABELS)
    mend = "train both on one data set, or compare their recipes with --seeds and --data"
    assert refused(run, stored("b", [0, 1] * 4, labels=[0, 1] * 4, classes=("cat", "dog"))) == (
        "'a-1' and 'b-1' know other classes (3: cat, dog, eel and 2: cat, dog), so no picture is the same question to "
        f"both; {mend}"
    )
    assert refused(run, stored("c", LABELS, checksum="sha256:1", data="zoo")) == (
        f"'a-1' and 'c-1' were trained and measured on different data ('pets' and 'zoo'); {mend}"
    )
    others = {
        "indices": stored("d", LABELS, first=1),
        "labels": stored("e", LABELS, labels=LABELS[::-1]),
        "names": stored("f", LABELS, names=[f"x{place}" for place in range(8)]),
        "count": stored("g", LABELS[:6], labels=LABELS[:6]),
    }
    for what, other in others.items():
        count = 6 if what == "count" else 8
        assert refused(run, other) == (
            f"'a-1' and '{other.path.name}' were measured on different pictures of the same data (8 and {count}, test "
            "part); try their recipes with --seeds"
        )


def test_other_seeds_hold_out_other_validation_pictures(shapes: Path) -> None:
    runs = [train("fast", data=shapes, set={**STEPS, "model.layers": TINY}, seed=seed) for seed in (0, 1)]
    assert refused(*runs, split="val") == (
        "'fast-shapes-1' and 'fast-shapes-2' were measured on different pictures of the same data (2 and 2, validation "
        "part): their seeds, 0 and 1, hold out others; try --split test, or their recipes with --seeds"
    )


def test_stored_predictions_that_are_lost(shapes: Path) -> None:
    first, second = stored("a", LABELS), stored("b", LABELS)
    for damage, start in (
        (lambda path: path.unlink(), "run 'runs/c-1' has no predictions.npz"),
        (lambda path: path.write_bytes(b"PK\x03\x04 no archive"), "'runs/c-1/predictions.npz' can't be read: "),
    ):
        shutil.rmtree("runs/c-1", ignore_errors=True)
        shutil.copytree(second.path, "runs/c-1")
        damage(Path("runs/c-1/predictions.npz"))
        text = refused(first, Run.open("runs/c-1"))
        assert text.startswith(start)
        assert text.endswith("; train again")
        assert "\n" not in text
    with pytest.raises(RecipeError) as caught:
        compare("runs/a-1", "runs/d-1")
    assert str(caught.value) == (
        "there is no recipe file 'runs/d-1'; give a recipe's name, a TOML file or a run directory"
    )


def test_a_run_twice_is_refused() -> None:
    run = stored("a", LABELS)
    assert refused(Run.open(run.path.absolute()), run) == (
        "run 'runs/a-1' is given twice, and nothing differs from itself; give another run"
    )


@pytest.mark.parametrize(
    "option",
    [{"vary": "model"}, {"data": "mnist"}, {"metric": "loss"}, {"set": {"optimizer.lr": 1}}, {"processes": 1}],
)
def test_options_of_trainings_are_refused(option: dict[str, Any]) -> None:
    runs = stored("a", LABELS), stored("b", LABELS)
    assert refused(*runs, **option) == (
        f"finished runs are compared by their stored predictions, which --{next(iter(option))} can't change; leave it "
        "out, or add --seeds 10 to train their recipes"
    )


def test_the_library_function_alone() -> None:
    runs = [stored("a", LABELS), stored("b", [1] * 8)]
    found = compare_runs(runs)
    assert isinstance(found, RunComparison)
    assert (found.first, found.second) == ("runs/a-1", "runs/b-1")
    assert found.as_dict()["test"]["only_first"] == 5
