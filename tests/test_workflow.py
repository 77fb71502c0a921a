"""workflow: from a recipe and data to a run, and back from the run to the same answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neocog
from conftest import STEPS, TINY, drawn, fill
from neocog.curve import Plan
from neocog.errors import DataError, DeviceError, LayerError, NeocogError, RecipeError, RunError, TrainingError
from neocog.finished import Run, opened, part_named
from neocog.run import RunDirectory
from neocog.training import Observer

Arrays = tuple[np.ndarray, np.ndarray]


def refusal(kind: type[NeocogError], action: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def trained(data: Any, **options: Any) -> neocog.Run:
    options.setdefault("model", TINY)
    changes = {**STEPS, **options.pop("set", {})}
    return neocog.train("fast", data=data, set=changes, **options)


def nothing_left() -> bool:
    return not Path("runs").exists()


# ------------------------------------------------------------------------------------------------------- the answers


def test_a_stored_run_says_what_measuring_again_says(shapes: Path) -> None:
    run = trained(shapes)
    for split, stored in (("val", run.validation), ("validation", run.validation), ("test", run.test)):
        again = neocog.evaluate(run.path, split=split)
        assert stored is not None
        np.testing.assert_array_equal(again.probabilities, stored.probabilities)
        np.testing.assert_array_equal(again.labels, stored.labels)
        np.testing.assert_array_equal(again.confusion, stored.confusion)
        assert again.names == stored.names
        assert again.loss == pytest.approx(stored.loss, rel=1e-12)
        assert again.as_dict() == {**stored.as_dict(), "loss": again.loss}
    lines = (run.path / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == ["validation", "validation", "test"]


def test_the_results_are_the_evaluations(shapes: Path) -> None:
    run = trained(shapes, seed=4)
    results = run.results
    assert results["run"] == "runs/fast-shapes-1" == str(run.path)
    assert results["seed"] == 4
    assert results["parameters"] == run.parameters == 4 * 9 + 4 + 4 * 25 * 3 + 3
    assert results["train_seconds"] == run.train_seconds > 0
    assert results["classes"] == 3
    assert results["train_pictures"] + results["val_pictures"] + results["test_pictures"] == 30
    for name, found in (("val", run.validation), ("test", run.test)):
        assert found is not None
        assert results[f"{name}_accuracy"] == found.accuracy
        assert results[f"{name}_interval"] == list(found.interval)
        assert results[f"{name}_loss"] == pytest.approx(found.loss, rel=1e-12)
    names = [*run.validation.names, *run.test.names]
    assert len(set(names)) == len(names)
    record = json.loads((run.path / "split.json").read_text())
    assert record["seed"] == 4
    assert sorted(run.test.names) == sorted(record["test"])


def test_a_training_ends_with_a_look_at_it(arrays: Arrays, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[str, object]] = []
    monkeypatch.setattr("neocog.insight.reporting.look", lambda run, tell: looked.append((str(run.path), tell)))
    for data in (arrays, shapes):
        run = neocog.train(data=data, model=TINY, set=STEPS, tell=print)
        assert {"pictures.npz", "results.json"} <= {path.name for path in run.path.iterdir()}
    assert looked == [("runs/fast-arrays-1", print), ("runs/fast-shapes-1", print)]
    neocog.train(data=arrays, model=TINY, set=STEPS, figures=False)
    assert len(looked) == 2


def test_pictures_that_can_not_be_kept_are_a_remark(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(directory: RunDirectory, *_: object) -> None:
        assert not (directory.path / "results.json").exists()  # which says that all the rest is there
        raise RunError("cannot write 'x':\nno space left")

    monkeypatch.setattr("neocog.workflow.keep_pictures", full)
    told: list[str] = []
    run = neocog.train(data=arrays, model=TINY, set=STEPS, figures=False, tell=told.append)
    assert told == ["no pictures are kept for the figures 'samples' and 'mistakes': cannot write 'x': no space left"]
    with pytest.raises(UserWarning, match=r"^no pictures are kept"):  # warnings are errors
        neocog.train(data=arrays, model=TINY, set=STEPS, figures=False)
    for path in (run.path, run.path.with_name("fast-arrays-2")):
        assert Run.open(path).test_openings == 1
        assert not (path / "pictures.npz").exists()


def test_the_classifier_says_what_the_run_stored(shapes: Path) -> None:
    run = trained(shapes)
    classifier = neocog.load(run.path)
    paths = [shapes / name for name in run.test.names]
    np.testing.assert_allclose(classifier.predict_proba(paths), run.test.probabilities, rtol=1e-5)
    assert classifier.predict(paths) == [run.test.classes[place] for place in run.test.predictions]


def test_labels_of_any_kind_are_the_classes(arrays: Arrays) -> None:
    images, labels = arrays
    words = np.where(labels == 0, "Ähre", "Baum")
    run = trained((images, words.tolist()))
    assert run.recipe.resolved.classes == ("Baum", "Ähre")  # in the order of the letters' numbers
    assert set(neocog.load(run.path).predict(list(images[:4]))) <= {"Ähre", "Baum"}
    assert str(run.path) == "runs/fast-arrays-1"
    again = neocog.evaluate(run.path, data=(images, words))
    np.testing.assert_array_equal(again.probabilities, run.test.probabilities)
    want = "this recipe was made for arrays in memory; give them again as data=(images, labels)"
    assert refusal(RecipeError, neocog.evaluate, run.path) == want


def test_parts_that_were_not_held_out_are_none(arrays: Arrays) -> None:
    run = trained(arrays, set={"dataset.validation": 0, "dataset.test": 0})
    assert run.validation is None
    assert run.test is None
    assert run.results["val_accuracy"] is run.results["test_interval"] is None
    assert refusal(RunError, neocog.evaluate, run.path, data=arrays, split="val") == (
        "data 'arrays' has no validation part; choose another --split"
    )


def test_seeds_differ_and_repeat(arrays: Arrays) -> None:
    stored = [(trained(arrays, seed=seed).path / "weights.safetensors").read_bytes() for seed in (0, 0, 1)]
    assert stored[0] == stored[1] != stored[2]


def test_pooling_first_is_what_a_run_trains_and_its_recipe_stays_as_written(arrays: Arrays) -> None:
    run = trained(arrays)
    modules = [type(module).__name__ for module in neocog.load(run.path).model]
    assert modules == ["Conv2d", "MaxPool2d", "ReLU", "Flatten", "Linear"]
    assert run.recipe.layers.text() == neocog.parse(TINY).text()


def test_a_recipe_can_be_given_as_an_object_or_a_file(arrays: Arrays) -> None:
    recipe = neocog.Recipe.load("fast", {**STEPS, "model.layers": TINY})
    Path("mine.toml").write_text(recipe.to_toml())
    one, other = neocog.train(recipe, data=arrays, seed=2), neocog.train("mine.toml", data=arrays, seed=2)
    assert (one.path / "weights.safetensors").read_bytes() == (other.path / "weights.safetensors").read_bytes()


def test_observers_see_the_run_and_remarks_are_told(shapes: Path) -> None:
    (shapes / "circle" / "notes.txt").write_text("no picture")
    told: list[str] = []
    seen: list[Plan] = []

    class Watcher(Observer):
        def start(self, plan: Plan) -> None:
            seen.append(plan)

    run = trained(shapes, observers=[Watcher()], tell=told.append)
    assert [plan.total_steps for plan in seen] == [6]
    assert told == run.results["notes"]
    assert len(told) == 1
    assert "notes.txt" in told[0]


def test_other_data_is_prepared_as_the_runs_was(shapes: Path) -> None:
    run = trained(shapes)
    fill(Path("others"), each=10, size=24)
    told: list[str] = []
    found = neocog.evaluate(run.path, data="others", tell=told.append)
    assert told == ["data 'others' has no parts, so all of its 30 pictures are measured"]
    assert found.classes == ("circle", "cross", "square")
    assert (found.n, found.split) == (30, "others")
    # The run's own pictures under another name are still its own: only what was held out is measured.
    shapes.rename("moved")
    again = neocog.evaluate(run.path, data="moved")
    np.testing.assert_array_equal(again.probabilities, run.test.probabilities)


def test_stored_indices_are_places_in_the_data(arrays: Arrays) -> None:
    images, _ = arrays
    run = trained(arrays)
    for found in (run.validation, run.test):
        assert found is not None
        np.testing.assert_array_equal(found.indices, [int(name.rsplit("/", 1)[1]) for name in found.names])
        answers = neocog.load(run.path).predict_proba(images[found.indices])
        np.testing.assert_allclose(answers, found.probabilities, rtol=1e-5)


def test_a_run_finds_its_folder_from_anywhere(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(shapes)
    here, stored = run.path.resolve(), run.test
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    again = neocog.evaluate(here)
    np.testing.assert_array_equal(again.probabilities, stored.probabilities)


def test_a_path_is_a_folder_whatever_its_name(shapes: Path) -> None:
    for name in ("mnist", "arrays"):
        Path(shapes).rename(name)
        run = trained(Path(name))
        assert run.recipe.resolved.classes == ("circle", "cross", "square")
        assert neocog.evaluate(run.path).n == run.test.n
        Path(name).rename(shapes)


def test_classes_are_matched_by_name_and_may_be_fewer(arrays: Arrays) -> None:
    images, labels = arrays
    run = trained((images, np.where(labels == 0, "ant", "bee")))
    swapped = neocog.evaluate(
        run.path, data=(images[::-1].copy(), np.where(labels == 0, "ant", "bee")[::-1].tolist()), tell=str
    )
    assert swapped.n == len(images)
    three = (np.concatenate([images, images[:4]]), ["ant" if label == 0 else "bee" for label in labels] + ["cow"] * 4)
    many = trained(three, run="many")
    found = neocog.evaluate(many.path, data=(images, np.where(labels == 0, "ant", "bee")), tell=str)
    assert found.classes == ("ant", "bee", "cow")
    assert found.support.tolist() == [int((labels == 0).sum()), int((labels != 0).sum()), 0]


def test_a_part_that_other_data_lacks(shapes: Path) -> None:
    run = trained(shapes)
    for part in ("train", "test"):
        fill(Path("parted") / part, each=4)
    assert neocog.evaluate(run.path, data="parted").n == 12
    assert refusal(RunError, neocog.evaluate, run.path, data="parted", split="val") == (
        "data 'parted' has no validation part; choose another --split"
    )


def test_data_and_changes_of_a_wrong_kind_are_one_line(arrays: Arrays) -> None:
    want = "data is a ndarray, but a name, a folder, or the pair (images, labels) is needed"
    assert refusal(DataError, neocog.train, data=arrays[0]) == want
    assert refusal(RecipeError, neocog.train, set=["optimizer.lr"]) == (
        "set is a list; give a mapping such as {'optimizer.lr': 0.02}"
    )


def test_a_run_is_opened_again_and_shows_itself(shapes: Path) -> None:
    run = trained(shapes)
    again = neocog.Run.open(run.path)
    assert str(again) == str(run)
    assert "test accuracy" in str(again)
    assert repr(again) == "<Run 'runs/fast-shapes-1'>"
    assert neocog.load(again).classes == ("circle", "cross", "square")
    assert neocog.evaluate(again).n == run.test.n


def test_a_model_is_what_makes_a_network_not_a_network(arrays: Arrays) -> None:
    assert refusal(RecipeError, trained, arrays, model=nn.Linear(2, 2)) == (
        "model is a Linear that exists already, but its first weights must come from the seed; give a callable that "
        "makes it, such as lambda channels, classes: Net(channels, classes)"
    )
    assert trained(arrays, model=neocog.parse(TINY)).recipe.layers == neocog.parse(TINY)


def test_data_that_changed_is_refused(shapes: Path) -> None:
    run = trained(shapes)
    extra = next((shapes / "circle").iterdir())
    (shapes / "circle" / "more.png").write_bytes(extra.read_bytes())
    assert refusal(RunError, neocog.evaluate, run.path) == (
        "data 'shapes' has changed since this run, so what was held out can't be told from what was trained on; "
        "measure on pictures of their own with --data"
    )
    assert "has changed since this run" in refusal(RunError, neocog.evaluate, run.path, data="shapes")


def test_other_classes_are_named(shapes: Path) -> None:
    run = trained(shapes)
    fill(Path("others"), kinds=("circle", "square", "star"))
    assert refusal(RunError, neocog.evaluate, run.path, data="others") == (
        "data 'others' has classes that run 'runs/fast-shapes-1' doesn't know: star; it knows circle, cross, square"
    )
    assert not (run.path / "evaluations.jsonl").exists()


def test_a_split_that_is_none(shapes: Path) -> None:
    assert refusal(RecipeError, neocog.evaluate, "nowhere", split="train") == "split 'train': give val or test"
    assert refusal(RecipeError, part_named, "train") == "split 'train': give val or test"
    assert [part_named(split) for split in ("val", "validation", "test")] == ["validation", "validation", "test"]


def test_a_run_is_opened_once(shapes: Path) -> None:
    run = trained(shapes)
    assert opened(run) is run
    assert opened(str(run.path)).path == opened(run.path).path == run.path
    assert refusal(RunError, opened, "nowhere").startswith("there is no run directory 'nowhere'")


def test_a_model_for_a_run_that_knows_its_own_is_refused(shapes: Path) -> None:
    run = trained(shapes)
    want = "this run's network is a layer text, which it knows itself; leave --model out"
    assert refusal(RecipeError, neocog.load, run.path, model="my_code:net") == want
    assert refusal(RecipeError, neocog.evaluate, run.path, model="flatten | linear classes") == want


def test_lost_predictions_are_named(shapes: Path) -> None:
    run = trained(shapes)
    stored = run.directory.read_predictions()
    del stored["test_index"]
    run.directory.write_predictions(stored)
    again = neocog.Run(run.directory)
    with pytest.raises(RunError) as caught:
        _ = again.test
    assert str(caught.value) == f"'{run.path / 'predictions.npz'}' has lost its part 'test_index'; train again"


# ------------------------------------------------------------------------------- refused, and nothing is left behind


def test_batches_of_one_do_not_go_with_batch_normalisation(arrays: Arrays) -> None:
    text = "conv 2 3 | batchnorm | globalavgpool | linear classes"
    assert refusal(RecipeError, trained, arrays, model=text, set={"loader.batch_size": 1}) == (
        "loader.batch_size = 1: batch normalisation needs two pictures or more in a batch; give 2"
    )
    assert not Path("runs").exists()


def test_the_layers_are_checked_before_any_picture_is_read(shapes: Path) -> None:
    (shapes / "circle" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    text = "conv 4 3 same | maxpool 2 | conv 8 7 | flatten | linear classes"
    assert refusal(LayerError, trained, shapes, model=text, set={"dataset.image_size": 10}) == (
        "layer 3 'conv 8 7': a 7×7 kernel does not fit the 5×5 map it gets; use a kernel of at most 5, or padding=1"
    )
    assert nothing_left()
    assert "broken.png" in refusal(DataError, trained, shapes, set={"dataset.image_size": 10})
    assert nothing_left()


def test_a_taken_run_directory_is_refused_before_any_picture_is_read(shapes: Path) -> None:
    (shapes / "circle" / "broken.png").write_bytes(b"")
    want = "run directory 'shapes' exists already and is never overwritten; give another --run"
    assert refusal(RunError, trained, shapes, set={"dataset.image_size": 10}, run="shapes") == want


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (DeviceError, {"device": "gpu"}, "unknown device 'gpu'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        (
            LayerError,
            {"model": "flatten | linear 7"},
            "layer 2 'linear 7': gives 7 values but the data has 2 classes; write 'linear classes'",
        ),
        (
            RunError,
            {"run": "."},
            "run directory '.' exists already and is never overwritten; give another --run",
        ),
    ],
)
def test_what_cannot_work_leaves_nothing(
    arrays: Arrays, kind: type[NeocogError], options: dict[str, Any], text: str
) -> None:
    assert refusal(kind, trained, arrays, **options) == text
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"optimizer.name": "sgd", "optimizer.nesterov": True},
            "optimizer.nesterov needs a momentum above 0; set optimizer.momentum=0.9",
        ),
        (
            {"loss.class_weights": [1.0, 2.0, 3.0]},
            "loss.class_weights has 3 numbers but the data has 2 classes",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_its_data_leaves_nothing(arrays: Arrays, changes: dict[str, Any], text: str) -> None:
    assert refusal(RecipeError, trained, arrays, set=changes).endswith(text)
    assert list(Path().iterdir()) == []


def test_a_network_with_nothing_to_train_leaves_nothing() -> None:
    images = np.zeros((30, 4, 4, 3), np.uint8)
    assert refusal(RecipeError, trained, (images, np.arange(30) % 3), model="globalavgpool | flatten") == (
        "the model has no parameters to train; give it a conv or linear layer"
    )
    assert list(Path().iterdir()) == []


def test_a_loss_that_explodes_ends_the_run_which_is_no_finished_one(arrays: Arrays) -> None:
    changes = {"optimizer.name": "sgd", "optimizer.lr": 1e30, "schedule.name": "constant"}
    assert refusal(TrainingError, trained, arrays, set=changes, run="mine") == (
        "the loss became nan at step 2 of 6 (optimizer.lr = 1e+30; batch 2 of 4 in epoch 1: 'arrays/36', 'arrays/2', "
        "'arrays/20' and 5 more); resuming would come to the same, so train anew with a smaller rate, such as "
        "--set optimizer.lr=0.1; `neocog lr-find` looks for one"
    )
    assert refusal(RunError, neocog.load, "mine") == (
        "run 'mine' is not finished; if it was stopped or killed, go on with: neocog resume mine"
    )


def test_damage_in_a_run_is_one_line(arrays: Arrays) -> None:
    run = trained(arrays)
    recipe = (run.path / "recipe.toml").read_text()
    (run.path / "recipe.toml").write_text(recipe.split("[resolved]")[0])
    for reader in (
        lambda: neocog.load(run.path),
        lambda: neocog.evaluate(run.path, data=arrays),
        lambda: run.test,
        lambda: run.test_openings,
        lambda: str(run),
    ):
        assert refusal(RunError, reader) == (
            "'runs/fast-arrays-1/recipe.toml' has lost its [resolved] table; train again"
        )
    (run.path / "recipe.toml").write_text(recipe)
    for name, reader in (
        ("weights.safetensors", lambda: neocog.load(run.path)),
        ("predictions.npz", lambda: run.test),
    ):
        (run.path / name).write_bytes((run.path / name).read_bytes()[:100])
        assert refusal(RunError, reader).startswith(f"'runs/fast-arrays-1/{name}' can't be read: ")


# ----------------------------------------------------------------------------------- openings of the test part


def test_each_opening_of_the_runs_own_test_part_is_counted(shapes: Path) -> None:
    run = trained(shapes)
    assert run.results["test_openings"] == run.test_openings == 1
    neocog.evaluate(run.path)
    assert run.test_openings == 2
    neocog.evaluate(run.path, split="val")
    assert run.test_openings == 2
    fill(Path("others"), each=4, size=24)
    neocog.evaluate(run.path, data="others", tell=str)
    for part in ("train", "test"):
        fill(Path("parted") / part, each=4)
    assert neocog.evaluate(run.path, data="parted").split == "test"  # another test part
    fill(Path("elsewhere") / "test", each=3)
    assert neocog.evaluate(run.path, data="elsewhere/test", tell=str).split == "test"  # only called so
    assert run.test_openings == 2
    shapes.rename("moved")
    neocog.evaluate(run, data="moved")
    assert run.test_openings == neocog.Run.open(run.path).test_openings == 3
    assert run.results["test_openings"] == 1
    assert str(run).splitlines()[0].endswith(" pictures; opened 3 times)")


def test_a_look_whose_line_is_damaged_counts(shapes: Path) -> None:
    run = trained(shapes)
    neocog.evaluate(run.path, split="val")
    with (run.path / "evaluations.jsonl").open("a") as file:
        file.write('{"when": "2026-01-01", "split": "te\n{"when": "2026-01-02", "split": "validation"}\n[3]\n')
    assert run.test_openings == 3


def test_a_test_part_that_is_kept_closed_may_be_opened_later(shapes: Path) -> None:
    run = trained(shapes, open_test=False)
    assert (run.test, run.test_openings, run.results["open_test"]) == (None, 0, False)
    assert run.validation.n == run.results["val_pictures"] > 0
    found = neocog.evaluate(run)
    assert run.test_openings == 1
    other = trained(shapes)
    assert (run.path / "weights.safetensors").read_bytes() == (other.path / "weights.safetensors").read_bytes()
    np.testing.assert_array_equal(found.probabilities, other.test.probabilities)


def test_a_run_without_any_measured_part_opens_again(arrays: Arrays) -> None:
    run = neocog.Run.open(trained(arrays, open_test=False, set={"dataset.validation": 0}).path)
    assert run.test is run.validation is None
    assert str(run).splitlines()[:2] == [
        "test accuracy       not measured: the test part was kept closed",
        "validation accuracy not measured: no validation part was held out",
    ]


# --------------------------------------------------------------------------------------------- runs of older versions


def aged(run: neocog.Run) -> neocog.Run:
    """The run as version 0.1 left it: fewer figures, fewer columns, no table of what is published."""
    path = run.path
    results = json.loads((path / "results.json").read_text())
    for key in ("test_openings", "open_test", "steps_per_epoch", "as_published"):
        results.pop(key, None)
    (path / "results.json").write_text(json.dumps(results))
    lines = [line.split(",") for line in (path / "metrics.csv").read_text().splitlines()]
    assert lines[0][8:] == ["batch_loss", "batch_accuracy"]
    (path / "metrics.csv").write_text("".join(",".join(line[:8]) + "\n" for line in lines))
    text = (path / "recipe.toml").read_text()
    assert "[published]" not in text
    (path / "recipe.toml").write_text(text.replace('init = "torch"\n', ""))
    return neocog.Run.open(path)


def test_an_older_run_still_opens(shapes: Path) -> None:
    run = trained(shapes)
    said, stored, metrics = str(run), run.test, run.metrics
    old = aged(run)
    assert str(old) == said
    assert "opened" not in said
    assert old.test_openings == 1
    np.testing.assert_array_equal(old.test.probabilities, stored.probabilities)
    assert list(old.metrics) == list(metrics)
    for name in ("step", "train_loss", "validation_accuracy"):
        np.testing.assert_array_equal(old.metrics[name], metrics[name])
    assert np.isnan(old.metrics["batch_loss"]).all()
    again = neocog.evaluate(old)
    np.testing.assert_array_equal(again.probabilities, stored.probabilities)
    assert old.test_openings == 2
    paths = [shapes / name for name in stored.names]
    assert neocog.load(old).predict(paths) == [stored.classes[place] for place in stored.predictions]
    repeated = neocog.train(old.path)
    assert (repeated.path / "weights.safetensors").read_bytes() == (old.path / "weights.safetensors").read_bytes()


def test_an_older_run_without_a_test_part(arrays: Arrays) -> None:
    old = aged(trained(arrays, set={"dataset.test": 0}))
    assert (old.test, old.test_openings) == (None, 0)
    assert str(old).splitlines()[0] == "test accuracy       not measured: the data has no test part"


# ---------------------------------------------------------------------------------------------------- code as a model

CODE = """
import torch
from torch import nn

def net(in_channels, classes):
    return nn.Sequential(nn.Conv2d(in_channels, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, classes))

def lazy(in_channels, classes):
    return nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(classes))

def wide(in_channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes + 1))

def narrow(in_channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, classes))

def nothing(in_channels, classes):
    return None

def greedy(in_channels, classes, more):
    return net(in_channels, classes)

class Pair(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        return self.linear(x.flatten(1)), None

number = 3
"""


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("my_code.py").write_text(CODE)
    Path("my_broken_code.py").write_text("1 / 0\n")
    yield
    for name in ("my_code", "my_broken_code"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("name", ["net", "lazy"])
def test_code_in_the_current_folder_is_a_model(arrays: Arrays, name: str) -> None:
    run = trained(arrays, model=f"my_code:{name}")
    assert run.recipe.model.factory == f"my_code:{name}"
    assert run.recipe.model.layers is None
    again = neocog.evaluate(run.path, data=arrays, model=f"my_code:{name}")
    np.testing.assert_array_equal(again.probabilities, run.test.probabilities)
    want = (
        f"this recipe's network is code, 'my_code:{name}', and files may not choose code to run; "
        f"allow it with --model my_code:{name}"
    )
    assert refusal(RecipeError, neocog.load, run.path) == want
    assert refusal(RecipeError, neocog.train, run.path, data=arrays) == want
    assert refusal(RecipeError, neocog.evaluate, run.path, data=arrays) == want


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(
    ("kind", "model", "text"),
    [
        (
            RecipeError,
            "no_such_code:net",
            "model 'no_such_code:net': cannot import 'no_such_code': No module named 'no_such_code'",
        ),
        (RecipeError, "my_code:nte", "model 'my_code:nte': module 'my_code' has nothing called 'nte'"),
        (RecipeError, "my_code:", "model 'my_code:': module 'my_code' has nothing called ''"),
        (RecipeError, ":net", "model ':net': importing '' fails: Empty module name"),
        (
            RecipeError,
            "my_broken_code:net",
            "model 'my_broken_code:net': importing 'my_broken_code' fails: division by zero",
        ),
        (
            RecipeError,
            "my_code:number",
            "model 'my_code:number': 'number' is no callable (in_channels, classes) -> nn.Module",
        ),
        (RecipeError, "my_code:nothing", "model 'my_code:nothing' gave a NoneType, not an nn.Module"),
        (
            RecipeError,
            "my_code:greedy",
            "model 'my_code:greedy' fails when called with (1, 2), the channels and classes: "
            "greedy() missing 1 required positional argument: 'more'",
        ),
        (
            LayerError,
            "my_code:wide",
            "model 'my_code:wide' gives the shape (2, 3) for 2 pictures but the data has 2 classes; it "
            "must give (2, 2)",
        ),
        (
            LayerError,
            "my_code:narrow",
            "model 'my_code:narrow' fails on a 1×8×8 picture: mat1 and mat2 shapes cannot be multiplied (2x64 and 7x2)",
        ),
        (LayerError, "my_code:Pair", "model 'my_code:Pair' gives a tuple, not a tensor (2, 2) for 2 pictures"),
    ],
)
def test_code_that_cannot_be_a_model_is_one_line(
    arrays: Arrays, kind: type[NeocogError], model: str, text: str
) -> None:
    assert refusal(kind, trained, arrays, model=model) == text
    assert nothing_left()


def small(in_channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, classes))


def test_a_callable_is_a_model(arrays: Arrays) -> None:
    run = trained(arrays, model=small)
    assert run.recipe.model.factory == f"{__name__}:small"
    assert neocog.load(run.path, model=small).predict(arrays[0][0]) in (["0"], ["1"])
    trained(arrays, model=lambda channels, classes: small(channels, classes))


def test_initial_weights_of_code_follow_the_seed_and_leave_torchs_own_state(arrays: Arrays) -> None:
    torch.manual_seed(8)
    state = torch.get_rng_state()
    stored = [(trained(arrays, model=small, seed=seed).path / "weights.safetensors").read_bytes() for seed in (0, 0, 1)]
    assert stored[0] == stored[1] != stored[2]
    assert torch.equal(torch.get_rng_state(), state)


# -------------------------------------------------------------------------------------------------- summary, describe


def test_a_summary_of_each_kind(arrays: Arrays) -> None:
    run = trained(arrays)
    of_run = neocog.summarize(str(run.path))
    of_text = neocog.summarize(TINY, input_shape=(1, 8, 8), classes=2)
    assert of_run.total_parameters == of_text.total_parameters == run.parameters
    assert neocog.summarize(TINY).total_parameters == 4 * 9 + 4 + 4 * 14 * 14 * 10 + 10  # 1×28×28 and 10 classes
    assert neocog.summarize("fast").total_parameters > 10_000


def test_a_folder_is_described(shapes: Path) -> None:
    facts = neocog.describe_data(str(shapes))
    assert facts["classes"] == ["circle", "cross", "square"]
    assert facts["shape"] == [1, 10, 10]
    assert sum(sum(counts) for counts in facts["counts"].values()) == 30
    assert facts["carved"] == ["test", "validation"]
    json.dumps(facts)


def test_colour_pictures_train_too() -> None:
    fill(Path("shapes"), kinds=("circle", "square"))
    drawn("circle", 1).convert("RGB").point(lambda value: value).save("shapes/circle/0.png")
    red = drawn("circle", 1).convert("RGB")
    red.putpixel((5, 5), (255, 0, 0))
    red.save("shapes/circle/0.png")
    assert trained("shapes").recipe.resolved.image_shape == (3, 10, 10)
