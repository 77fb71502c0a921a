"""The pictures that a run keeps: what the network really saw, and its worst mistakes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import neocog
from conftest import STEPS, TINY
from neocog.data import Dataset, Split, open_source
from neocog.errors import RunError
from neocog.evaluation import Evaluation, evaluate_predictions
from neocog.finished import Run
from neocog.insight.pictures import KeptPictures, keep_pictures
from neocog.recipe import Recipe
from neocog.run import RunDirectory
from neocog.steps import Resolved

SEEN: list[torch.Tensor] = []


class Recording(nn.Module):
    """A network that notes what it is trained on."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(channels * 64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            SEEN.append(x.detach().clone())
        return self.last(x.flatten(1))


def trained(arrays: tuple[np.ndarray, np.ndarray], **changes: object) -> tuple[Run, KeptPictures]:
    """A tiny run on the arrays without a network worth the name, and what it has kept."""
    run = neocog.train("fast", data=arrays, model=Recording, figures=False, set={**STEPS, **changes})
    kept = KeptPictures.read(run)
    assert kept is not None
    return run, kept


@pytest.mark.parametrize("augment", [{"shift": 2, "rotate": 20, "flip": True}, {"erase": 0.5}])
def test_samples_are_what_the_network_was_trained_on(arrays, augment):
    SEEN.clear()
    run, kept = trained(arrays, **{"dataset.augment": augment, "train.iterations": 2})
    resolved = run.recipe.resolved
    assert resolved is not None
    x = torch.cat([batch for batch in SEEN if len(batch) == 8][-2:])
    seen = ((x * resolved.std[0] + resolved.mean[0]) * 255).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    assert kept.unchanged is not None
    assert kept.samples.shape == kept.unchanged.shape == (len(kept.labels), 8, 8, 1)
    assert len(kept.labels) >= 10
    far = np.array([np.abs(seen - sample).max(axis=(1, 2, 3)) for sample in kept.samples])
    assert (far.min(axis=1) <= 0.51).all()  # of rounding
    assert len(set(far.argmin(axis=1).tolist())) == len(kept.samples)
    if "erase" in augment:  # at most a quarter of each picture
        assert ((kept.samples == kept.unchanged).mean(axis=(1, 2, 3)) >= 0.7).all()
    assert np.abs(kept.samples.astype(int) - kept.unchanged).max() > 50
    images, labels = arrays
    for picture, name in zip(kept.unchanged, kept.labels, strict=True):
        (place,) = np.flatnonzero((images == picture[..., 0]).all(axis=(1, 2)))
        assert str(labels[place]) == name


def test_without_augmentation_they_are_the_pictures_themselves(arrays):
    run, kept = trained(arrays)
    assert kept.unchanged is None
    held_out = run.directory.read_json("split.json")
    places = [int(np.flatnonzero((arrays[0] == each[..., 0]).all(axis=(1, 2)))[0]) for each in kept.samples]
    assert len(set(places)) == len(places) == run.results["train_pictures"] < 40
    assert not {*places} & {*held_out["validation"], *held_out["test"]}
    assert sorted(kept.labels) == sorted(str(arrays[1][place]) for place in places)


def test_mistakes_are_kept_with_their_pictures(arrays):
    # Of labels by chance about half are missed.
    images = arrays[0]
    run, kept = trained((images, np.random.default_rng(3).integers(0, 2, len(images))))
    for part, found in (("validation", run.validation), ("test", run.test)):
        assert found is not None
        wrong = found.indices[found.predictions != found.labels]
        assert sorted(kept.mistakes[part]) == sorted(wrong.tolist())
        for mistake, picture in kept.worst(found):
            assert (picture[..., 0] == images[mistake.index]).all()
        assert [mistake for mistake, _ in kept.worst(found)] == found.worst_mistakes(25)
        assert len(kept.worst(found, 1)) == min(1, len(wrong))
    assert sum(map(len, kept.mistakes.values())) > 0


class Counted:
    """Many pictures of which only those asked for are made, each as bright as its place."""

    def __init__(self) -> None:
        self.made = 0

    def __getitem__(self, places: list[int]) -> torch.Tensor:
        self.made += len(places)
        return torch.tensor(places, dtype=torch.uint8)[:, None, None, None].expand(-1, 300, 200, 3).clone()


def kept_of(tmp_path: Path, images: torch.Tensor, measured: dict[str, Evaluation], test: object) -> KeptPictures:
    """What is kept of data made up for it: nine pictures to train on, and a test part of any kind."""
    (tmp_path / "run").mkdir()
    directory = RunDirectory(tmp_path / "run")
    labels = torch.arange(len(images)) % 3
    shape = (images.shape[3], images.shape[1], images.shape[2])
    source = open_source((images.numpy(), labels.numpy()), validation=0, test=0)
    dataset = Dataset(source, Split(images, labels, []), None, (0.5,), (0.5,), "", 0, read_test=lambda: test)
    resolved = Resolved(
        classes=("0", "1", "2"),
        image_shape=shape,
        mean=(0.5,) * shape[0],
        std=(0.5,) * shape[0],
        brightness=(0, 1),
        data_checksum="",
        neocog="",
    )
    recipe = Recipe.load("fast", {"dataset.name": "arrays"}).model_copy(update={"resolved": resolved})
    keep_pictures(directory, recipe, dataset, measured, 5)
    kept = KeptPictures.read(Run(directory))
    assert kept is not None
    return kept


def test_of_a_huge_test_part_only_the_worst_are_read_and_made_small(tmp_path):
    count = 5_000
    probabilities = np.tile([0.9, 0.06, 0.04], (count, 1))
    labels = np.zeros(count, int)
    labels[100:200] = 1  # a hundred mistakes
    probabilities[130] = 0.999, 0.0005, 0.0005
    found = evaluate_predictions(probabilities, labels, ("0", "1", "2"), "test")
    pictures = Counted()
    kept = kept_of(
        tmp_path, torch.zeros(9, 20, 30, 1, dtype=torch.uint8), {"test": found}, SimpleNamespace(images=pictures)
    )
    assert pictures.made == 25
    assert len(kept.mistakes["test"]) == 25
    assert {
        (index, *picture.shape, int(picture.min()), int(picture.max()))
        for index, picture in kept.mistakes["test"].items()
    } == {(index, 112, 75, 3, index, index) for index in [130, *range(100, 124)]}
    assert kept.worst(found, 1)[0][0].index == 130
    assert kept.samples.shape == (9, 20, 30, 1)
    assert (tmp_path / "run" / "pictures.npz").stat().st_size < 4e6


@pytest.mark.parametrize(("size", "small"), [((113, 56), (112, 56)), ((2, 500), (1, 112)), ((112, 112), (112, 112))])
def test_large_samples_are_made_small_in_their_shape(tmp_path, size, small):
    images = torch.full((3, *size, 3), 200, dtype=torch.uint8)
    kept = kept_of(tmp_path, images, {}, None)
    assert kept.samples.shape == (3, *small, 3)
    assert (kept.samples == 200).all()
    assert kept.mistakes == {}


def test_a_run_of_an_older_neocog_has_none(arrays):
    run = neocog.train("fast", data=arrays, model=TINY, figures=False, set=STEPS)
    (run.path / "pictures.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"^'runs/fast-arrays-1/pictures.npz' can't be read: .*; train again$"):
        KeptPictures.read(run)
    run.directory.write_arrays("pictures.npz", {"samples": np.zeros(3)})
    with pytest.raises(RunError) as told:
        KeptPictures.read(run)
    assert str(told.value) == "'runs/fast-arrays-1/pictures.npz' has lost its 'sample_classes'; train again"
    (run.path / "pictures.npz").unlink()
    assert KeptPictures.read(run) is None
