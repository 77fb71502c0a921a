"""compare: what may be a side, what makes sides comparable, and the comparison of trained seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel
from torch import nn

from at_hand import train_at_hand
from conftest import STEPS, TINY, fill
from neocog.errors import LayerError, NeocogError, RecipeError, RunError, TrainingError
from neocog.finished import Run
from neocog.statistics.comparison import METRICS, Comparison, RunComparison, Side, compare_sides
from neocog.studies import comparing
from neocog.studies.comparing import compare
from neocog.studies.jobs import Interrupted, Job, Outcome
from neocog.studies.sides import read_sides
from neocog.workflow import train

SET = {**STEPS, "model.layers": TINY}
WIDE = TINY.replace("conv 4", "conv 6")


def net(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(100 * channels, classes))


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained in this process, and no pictures drawn."""
    monkeypatch.setattr(comparing, "train_jobs", train_at_hand)
    monkeypatch.setattr(comparing, "_draw", lambda *_: None)


def compared(*sides: Any, **options: Any) -> Comparison:
    options = {"data": "shapes", "seeds": 3, "set": SET} | options
    found = compare(*sides, **options)
    assert isinstance(found, Comparison)
    return found


def labels(*given: Any) -> list[str]:
    return [side.label for side in read_sides(given, {})]


# Code as a network: a file can't choose it, the user's own text can


def test_files_choose_no_code(shapes: Path) -> None:
    run = train("fast", data=shapes, model=net, set=STEPS)
    refused = (
        "the network of fast-shapes-1 is code, 'test_comparing:net', and files may not choose code to run; allow it by "
        'naming it yourself, as in "runs/fast-shapes-1 model.factory=test_comparing:net"'
    )
    for side in ("runs/fast-shapes-1", "runs/fast-shapes-1 optimizer.lr=0.5", run):
        with pytest.raises(RecipeError) as caught:
            compared(side, "small", set=STEPS)
        assert str(caught.value).replace(" optimizer.lr=0.5", "") == refused


def test_the_users_own_text_chooses_code(shapes: Path, at_hand: None) -> None:
    train("fast", data=shapes, model=net, set=STEPS)
    run = "runs/fast-shapes-1 model.factory=test_comparing:net"
    found = compared(run, run + " optimizer.lr=0.5", ("fast", {"model.factory": net}), set=STEPS, seeds=1)
    assert [side.parameters for side in found.sides] == [303, 303, 303]
    assert [side.macs for side in found.sides] == [300, 300, 300]
    assert [side.failures for side in found.sides] == [{}, {}, {}]


# The comparison


def test_seeds_are_paired_and_the_figures_are_the_runs_own(shapes: Path, at_hand: None) -> None:
    found = compared("fast", "fast optimizer.lr=0.0001")
    runs = [[Run.open(Path("runs/seeds", side.name, str(seed))) for seed in range(3)] for side in found.sides]
    for pair in zip(*runs, strict=True):
        records = [json.loads((run.path / "split.json").read_text()) for run in pair]
        assert records[0] == records[1]
        assert len(records[0]["validation"]) > 0
    assert len({(run.path / "split.json").read_text() for run in runs[0]}) == 3
    assert [dict(side.values) for side in found.sides] == [
        {seed: run.results["val_accuracy"] for seed, run in enumerate(each)} for each in runs
    ]
    assert [dict(side.test) for side in found.sides] == [
        {seed: run.results["test_accuracy"] for seed, run in enumerate(each)} for each in runs
    ]
    assert found.sides[0].seconds[2] == runs[0][2].train_seconds
    # 4 kernels of 3×3 and their biases, then 4 channels of 5×5 to 3 classes
    assert [side.parameters for side in found.sides] == 2 * [4 * 10 + 100 * 3 + 3]
    assert [side.macs for side in found.sides] == 2 * [4 * 9 * 100 + 300]
    assert [run.results["test_openings"] for run in runs[0]] == [1, 1, 1]


def test_the_difference_is_that_of_the_pairs(shapes: Path, at_hand: None) -> None:
    found = compared("fast", f"fast model.layers='{WIDE}' optimizer.lr=0.02", metric="loss")
    first, second = (np.array([side.values[seed] for seed in range(3)]) for side in found.sides)
    (pair,) = found.pairs
    sign = 1 if pair.first == "fast" else -1
    assert pair.difference.mean == pytest.approx(sign * (first - second).mean(), rel=1e-12)
    assert pair.p_adjusted == pytest.approx(ttest_rel(first, second).pvalue, rel=1e-9)
    assert found.metric.name == "loss"
    run = Run.open("runs/seeds/fast/1")
    assert found.sides[0].values[1] == run.results["val_loss"]


def test_macro_f1_comes_from_the_stored_predictions(shapes: Path, at_hand: None) -> None:
    found = compared("fast", "fast optimizer.lr=0.02", metric="macro-f1", seeds=1, set=SET | {"dataset.validation": 9})
    validation = Run.open("runs/seeds/fast/0").validation
    assert validation is not None
    shares = []
    assert set(validation.labels) == {0, 1, 2}
    for place in range(3):
        named, true = validation.predictions == place, validation.labels == place
        shares.append(2 * (named & true).sum() / max(1, named.sum() + true.sum()))
    assert found.sides[0].values == {0: pytest.approx(np.mean(shares), rel=1e-12)}


def test_the_answer_is_saved_and_never_overwritten(shapes: Path, at_hand: None) -> None:
    first = compared("fast", "fast optimizer.lr=0.02")
    assert first.conditions["saved"] == "runs/compare-fast-fast_optimizer.lr=0.02-1"
    assert (first.conditions["trained"], first.conditions["kept"], first.conditions["seeds"]) == (6, 0, 3)
    assert {path.name for path in Path(first.conditions["saved"]).iterdir()} == {"comparison.md", "comparison.json"}
    again = compared("fast", "fast optimizer.lr=0.02", out="mine/here")
    assert (again.conditions["saved"], again.conditions["kept"]) == ("mine/here", 6)
    assert again.pairs == first.pairs
    stored = json.loads(Path("mine/here/comparison.json").read_text())
    assert stored["verdict"] == again.verdict
    assert stored["conditions"]["runs"]["fast"] == {str(seed): f"runs/seeds/fast/{seed}" for seed in range(3)}
    third = compared("fast", "fast optimizer.lr=0.02", "fast optimizer.lr=0.03", "fast optimizer.lr=0.04", seeds=1)
    assert third.conditions["saved"] == "runs/compare-fast-fast_optimizer.lr=0.02-fast_optimizer.lr=0.03-f-1"
    with pytest.raises(RunError) as caught:
        compared("fast", "small", out="mine/here")
    assert str(caught.value) == "directory 'mine/here' exists already and is never overwritten; give another --out"


def test_one_seed_has_no_interval(shapes: Path, at_hand: None) -> None:
    (pair,) = compared("fast", "fast optimizer.lr=0.02", seeds=1).pairs
    assert (pair.difference.n, pair.difference.half_width, pair.beats) == (1, None, False)


def test_a_run_beside_a_recipe_stands_for_its_recipe(shapes: Path, at_hand: None) -> None:
    train("fast", data=shapes, set=SET, seed=7)
    train("fast", data=shapes, set=SET | {"optimizer.lr": 0.5}, seed=8)
    mixed = compared("runs/fast-shapes-1", "fast optimizer.lr=0.5", data=None, set={**SET, "dataset.name": "shapes"})
    both = compared("runs/fast-shapes-1", "runs/fast-shapes-2", data=None, set=None)
    assert [list(side.values) for side in (*mixed.sides, *both.sides)] == 4 * [[0, 1, 2]]
    assert [side.values for side in both.sides] == [side.values for side in mixed.sides]


def test_arrays_are_data_for_all_sides(arrays: tuple[np.ndarray, np.ndarray], at_hand: None) -> None:
    found = compared("fast", "fast optimizer.lr=0.02", data=arrays, seeds=1)
    assert found.conditions["data"] == "arrays"
    run = train("fast", data=arrays, set=SET)
    again = compared(run, "fast optimizer.lr=0.02", data=arrays, seeds=1)
    assert [side.values for side in again.sides] == [side.values for side in found.sides]


def test_a_seed_that_fails_stops_no_other(shapes: Path, at_hand: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(jobs: list[Job], **_: Any) -> list[Outcome]:
        found = train_at_hand(jobs)
        return [
            Outcome(each.job, None, "the loss became nan")
            if each.job.label == "fast" and each.job.seed in gone
            else each
            for each in found
        ]

    monkeypatch.setattr(comparing, "train_jobs", failing)
    gone = [1]
    found = compared("fast", "fast optimizer.lr=0.02")
    assert [dict(side.failures) for side in found.sides] == [{1: "the loss became nan"}, {}]
    assert [list(side.values) for side in found.sides] == [[0, 2], [0, 1, 2]]
    assert found.pairs[0].seeds == (0, 2)
    gone = [0, 1, 2]
    with pytest.raises(TrainingError) as caught:
        compared("fast", "fast optimizer.lr=0.02")
    assert str(caught.value) == (
        "no seed gave a figure for two sides, so nothing pairs; fast, seed 0: the loss became nan"
    )
    three = compared("fast", "fast optimizer.lr=0.02", "fast optimizer.lr=0.03")
    assert [(pair.first, pair.second) for pair in three.pairs if "fast" in (pair.first, pair.second)] == []
    assert len(three.pairs) == 1


def test_data_that_changed_between_two_sides_is_no_pair(
    shapes: Path, at_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared("fast", "fast optimizer.lr=0.02", seeds=1)
    split = Path("runs/seeds/fast/0/split.json")
    split.write_text(split.read_text().replace("cross/", "square/"))
    with pytest.raises(RunError) as caught:
        compared("fast", "fast optimizer.lr=0.02", seeds=1)
    assert str(caught.value) == (
        "'runs/seeds/fast/0' and 'runs/seeds/fast optimizer.lr=0.02/0' were not trained on the same pictures, so they "
        "don't pair; give the data as it was"
    )


def test_sides_may_prepare_the_same_pictures_in_other_ways(shapes: Path, at_hand: None) -> None:
    small, coloured = "fast dataset.image_size=6", "fast dataset.color=rgb"
    found = compared("fast", small, coloured, seeds=1)
    parameters = {side.name: side.parameters for side in found.sides}
    assert parameters == {"fast": 343, small: 4 * 10 + 36 * 3 + 3, coloured: 4 * 28 + 100 * 3 + 3}
    runs = ["runs/seeds/fast/0", f"runs/seeds/{small}/0"]
    pair = compare(*runs)
    assert isinstance(pair, RunComparison)
    assert pair.test.n == 6
    # other data is still other data
    Path("others").mkdir()
    fill(Path("others/shapes"), size=6)
    train("fast", data="others/shapes", set=SET, run="other")
    with pytest.raises(RunError) as caught:
        compare(runs[0], "other")
    assert str(caught.value) == (
        "'fast/0' and 'other' were trained and measured on different data ('shapes' and 'shapes'); train both on one "
        "data set, or compare their recipes with --seeds and --data"
    )


def test_no_validation_pictures_is_a_failure_that_names_the_mend(at_hand: None) -> None:
    fill(Path("few/train"), each=2)
    fill(Path("few/test"), each=2)
    with pytest.raises(NeocogError) as caught:
        compared("fast", "fast optimizer.lr=0.02", data="few", set=SET | {"dataset.validation": 0.01}, seeds=1)
    assert str(caught.value) == (
        "no seed gave a figure for two sides, so nothing pairs; fast, seed 0: no validation pictures were held out; "
        "give --set dataset.validation=0.2"
    )


def test_what_can_not_be_trained_names_its_side_before_anything_is_trained(shapes: Path) -> None:
    with pytest.raises(LayerError) as caught:
        compared("fast", "fast model.layers='conv 4 30 | flatten | linear classes'")
    assert str(caught.value) == (
        "fast model.layers='conv …latten | linear classes': layer 1 'conv 4 30': a 30×30 kernel does not fit the "
        "10×10 map it gets; use a kernel of at most 10, or padding=10"
    )
    assert not Path("runs").exists()


def test_ctrl_c_passes_through(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(jobs: list[Job], **_: Any) -> list[Outcome]:
        # seed by seed: what is finished so far comes in pairs
        assert [(job.label, job.seed) for job in jobs[:3]] == [("fast", 0), ("small", 0), ("fast", 1)]
        raise Interrupted([])

    monkeypatch.setattr(comparing, "train_jobs", stopped)
    with pytest.raises(Interrupted):
        compared("fast", "small", set=STEPS)
    assert not list(Path().glob("runs/compare-*"))


@pytest.mark.parametrize(
    ("sides", "options", "text"),
    [
        (["fast"], {}, 'compare needs two sides or more, such as model-a "model-a optimizer.lr=0.02"'),
        (
            ["fast", "small"],
            {"metric": "acuracy"},
            "unknown metric 'acuracy'; did you mean 'accuracy'? Known: accuracy, loss, macro-f1",
        ),
        (
            ["fast", "small"],
            {"split": "val"},
            "--split is for finished runs; recipes are compared on validation pictures, leave it out",
        ),
        (
            ["fast", "small"],
            {"metric": "f1"},
            "unknown metric 'f1'; did you mean 'macro-f1'? Known: accuracy, loss, macro-f1",
        ),
        (["fast", "small"], {"seeds": 0}, "seeds = 0: give a whole number of 1 or more"),
        (["fast", "small"], {"processes": 0}, "processes = 0: give a whole number of 1 or more"),
        (["fast", "small"], {"set": ["a=1"]}, "set is a list; give a mapping such as {'optimizer.lr': 0.02}"),
        (
            ["fast", "small"],
            {"device": "gpu"},
            "unknown device 'gpu'; did you mean 'cuda'? Known: auto, cpu, cuda, mps",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(sides: list[str], options: dict[str, Any], text: str) -> None:
    with pytest.raises(NeocogError) as caught:
        compare(*sides, **options)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("costs", "want"),
    [
        ([(10, 5), (20, 5)], "parameters"),
        ([(10, 5), (10, 6)], "macs"),
        ([(10, 5), (10, 5)], "seconds"),
        ([(10, None), (10, None)], "seconds"),
    ],
)
def test_the_picture_of_cost_shows_what_differs(costs: list[tuple[int, int | None]], want: str) -> None:
    sides = [Side(str(place), {0: 0.5}, {}, {0: 1.0}, *cost) for place, cost in enumerate(costs)]
    assert comparing._telling_cost(compare_sides(sides, METRICS["accuracy"])) == want
