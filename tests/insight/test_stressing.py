"""stress: held against a plain loop over the same pictures, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import neocog
from conftest import STEPS, TINY, fill
from neocog.data.corruptions import CORRUPTIONS
from neocog.errors import NeocogError, RecipeError, RunError
from neocog.finished import Run, open_data
from neocog.insight import stressing
from neocog.insight.stressing import SHOWN, stress
from neocog.randomness import torch_stream

MILD = {"shift": 1.0, "noise": 4}


@pytest.fixture(scope="module")
def shapes_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned something about 60 drawn pictures, 12 of them held out twice."""
    root = tmp_path_factory.mktemp("stress")
    fill(root / "shapes", each=20)
    settings = {**STEPS, "train.iterations": 30, "dataset.validation": 0.3, "dataset.test": 0.2}
    return neocog.train("fast", data=root / "shapes", model=TINY, set=settings, run=root / "run", figures=False).path


@pytest.fixture
def log(shapes_run: Path):
    """The lines of evaluations.jsonl, which is empty before each test and after."""
    place = shapes_run / "evaluations.jsonl"
    place.unlink(missing_ok=True)
    yield lambda: [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    place.unlink(missing_ok=True)


def part(run: Path, name: str):
    recipe = Run.open(run).recipe
    return getattr(open_data(recipe).load(seed=recipe.train.seed), name)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_curve_is_that_of_a_plain_loop(shapes_run, log, name) -> None:
    found = stress(shapes_run, only=[name])
    (curve,) = found.curves
    pictures, classifier = part(shapes_run, "validation"), neocog.load(shapes_run)
    corruption = CORRUPTIONS[name]
    assert curve.strengths == (corruption.unchanged, *corruption.strengths(10))
    standing = np.ones(len(pictures), dtype=bool)
    flipped = {}
    for strength, correct in zip(curve.strengths, curve.correct, strict=True):
        changed = corruption.change(pictures.images, strength, torch_stream(0, f"stress {name}", 0))
        right = np.array(classifier.predict(changed)) == np.array(classifier.classes)[pictures.labels.numpy()]
        assert correct == int(right.sum())
        flipped |= dict.fromkeys(np.flatnonzero(standing & ~right), strength)
        standing &= right
        if strength == corruption.unchanged:
            flipped = {}
    assert found.accuracy == curve.accuracies[0] > 1 / 3
    assert {broken.index: broken.strength for broken in found.first}.items() <= flipped.items()
    assert len(found.first) == min(SHOWN, len(flipped))


def test_what_breaks_first_can_be_seen_and_asked_again(shapes_run, log) -> None:
    found = stress(shapes_run, only=["noise", "inversion"])
    pictures, classifier = part(shapes_run, "validation"), neocog.load(shapes_run)
    assert found.first
    for broken in found.first:
        assert torch.equal(torch.from_numpy(broken.original), pictures.images[broken.index])
        assert broken.name == pictures.names[broken.index]
        assert classifier.predict(broken.original) == [broken.true] != [broken.answer]
        assert classifier.predict(broken.picture) == [broken.answer]
        assert classifier.predict_proba(broken.picture).max() == pytest.approx(broken.probability)
    noise = [broken.strength for broken in found.first if broken.corruption == "noise"]
    assert noise == sorted(noise)


def test_pictures_in_small_blocks_count_alike(shapes_run, log, monkeypatch) -> None:
    whole, seen = stress(shapes_run, only=["contrast"]), []
    monkeypatch.setattr(stressing, "_VALUES_AT_ONCE", 500)
    pieces = stress(shapes_run, only=["contrast"], progress=lambda *words: seen.append(words))
    assert pieces.curves == whole.curves
    assert [(each.name, each.strength) for each in pieces.first] == [(each.name, each.strength) for each in whole.first]
    ours = [words for words in seen if words[0] == "changing pictures"]
    assert ours[0][1:] == (5, whole.n * 6) and ours[-1][1:] == (whole.n * 6, whole.n * 6)


def test_the_test_part_is_opened_and_noted(shapes_run, log) -> None:
    before = Run.open(shapes_run).test_openings
    assert stress(shapes_run, only=["shift"]).part == "validation"
    assert Run.open(shapes_run).test_openings == before
    found = stress(shapes_run, only=["shift"], split="test")
    assert (found.part, found.n) == ("test", len(part(shapes_run, "test")))
    assert Run.open(shapes_run).test_openings == before + 1
    assert [(line["split"], line["what"], line["n"], line["accuracy"]) for line in log()][1:] == [
        ("test", "stress", found.n, found.accuracy)
    ]


def test_the_training_mode_and_the_streams_are_left_alone(shapes_run, log) -> None:
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    stress(shapes_run, only=["noise"])
    assert torch.equal(torch.rand(2), want)


def test_one_name_is_enough_and_the_order_is_ours(shapes_run, log) -> None:
    assert [curve.name for curve in stress(shapes_run, only="blur").curves] == ["blur"]
    assert [curve.name for curve in stress(shapes_run, only=["noise", "shift"]).curves] == ["shift", "noise"]
    assert [curve.name for curve in stress(shapes_run, only="shift, blur").curves] == ["shift", "blur"]


def refused(kind: type[NeocogError], run, **words) -> str:
    with pytest.raises(kind) as error:
        stress(run, **words)
    return str(error.value)


def test_what_cannot_be_done_is_one_line(shapes_run, log) -> None:
    assert refused(RecipeError, shapes_run, split="train") == "split 'train': give val or test"
    assert refused(NeocogError, shapes_run, only=["noise", "shfit"]) == (
        "unknown change 'shfit'; did you mean 'shift'? Known: blur, contrast, inversion, noise, rotation, scale, shift"
    )
    for none in ([], "", ","):
        assert refused(NeocogError, shapes_run, only=none) == (
            "no change was named; give some of shift, rotation, scale, noise, blur, contrast, inversion"
        )
    assert refused(RunError, "nowhere") == (
        "there is no run directory 'nowhere'; `neocog train` prints where a run lies"
    )


def test_arrays_are_given_again_and_a_part_has_to_be_there(arrays, tmp_path) -> None:
    run = neocog.train("fast", data=arrays, model=TINY, set={**STEPS, "dataset.validation": 0}, run=tmp_path / "run")
    assert refused(RecipeError, run, split="test") == (
        "this recipe was made for arrays in memory; give them again as data=(images, labels)"
    )
    assert refused(RunError, run, data=arrays) == "data 'arrays' has no validation part; choose another --split"
    found = stress(run, data=arrays, split="test", only=["shift"])
    assert (found.part, found.n, found.conditions["classes"]) == ("test", run.test.n, 2)
    assert found.accuracy == run.test.accuracy
