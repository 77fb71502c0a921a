"""store: where a finished seed lies, how it gets there, and what dead processes leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import STEPS, TINY
from neocog import disk, workflow
from neocog.errors import NeocogError, RunError, TrainingError
from neocog.finished import Run
from neocog.recipe import Recipe
from neocog.studies.store import finished, open_for_work, place_of, sweep, train_into, working_folder

Arrays = tuple[np.ndarray, np.ndarray]
PLACE = Path("kept/fast-12345678/3")


def tiny(**changes: object) -> Recipe:
    return Recipe.load("fast", {**STEPS, "model.layers": TINY, "dataset.name": "arrays", **changes})


def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def machine() -> str:
    """As it stands in the name of a folder that is worked in."""
    return working_folder(Path("0")).name.removeprefix(".working-0-").removesuffix(f"-{os.getpid()}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*"))


def test_a_place_depends_on_the_facts_and_not_on_their_order() -> None:
    first = place_of(Path("kept"), "fast", {"a": 1, "b": {"c": 2.5, "d": None}}, 3)
    assert first == place_of(Path("kept"), "fast", {"b": {"d": None, "c": 2.5}, "a": 1}, 3)
    assert (first.name, first.parent.name[:5], len(first.parent.name), first.parent.parent) == (
        "3",
        "fast-",
        13,
        Path("kept"),
    )
    others = [place_of(Path("kept"), "fast", facts, 3) for facts in ({"a": 2}, {"a": 1, "b": {"c": 2.5, "d": 0}})]
    assert len({first, *others}) == 3


def test_a_run_is_hidden_until_it_is_complete(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    train_into(PLACE, tiny(), data=arrays)
    run = finished(PLACE)
    assert run is not None
    assert run.results["run"] == str(PLACE)
    assert names(PLACE.parent) == ["3"]

    old = working_folder(PLACE.with_name("4"))  # of a dead process that had our number
    old.mkdir()
    real, seen = workflow.train, []

    def looking(recipe: Recipe, run: Path, **options: object) -> Run:
        found = real(recipe, run=run, **options)
        seen.extend(names(PLACE.parent))
        return found

    monkeypatch.setattr(workflow, "train", looking)
    train_into(PLACE.with_name("4"), tiny(), data=arrays)
    assert sorted(seen) == [old.name, "3"]
    assert (old.name.startswith(".working-4-"), old.name.endswith(f"-{os.getpid()}")) == (True, True)
    assert names(PLACE.parent) == ["3", "4"]


def test_what_fails_leaves_nothing(arrays: Arrays) -> None:
    with pytest.raises(TrainingError, match=r"^the loss became nan at step 2 of 6 "):
        train_into(PLACE, tiny(**{"optimizer.name": "sgd", "optimizer.lr": 1e30}), data=arrays)
    assert left() == ["kept"]


def test_who_comes_second_keeps_what_the_first_trained(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    real = workflow.train

    def overtaken(recipe: Recipe, run: Path, **options: object) -> Run:
        if not PLACE.exists():
            real(recipe, run=PLACE, **options)
            (PLACE / "mark").write_text("the first's")
        return real(recipe, run=run, **options)

    monkeypatch.setattr(workflow, "train", overtaken)
    train_into(PLACE, tiny(), data=arrays)
    assert (PLACE / "mark").read_text() == "the first's"
    assert names(PLACE.parent) == ["3"]


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def older(path: Path) -> None:
    """Results as a version wrote them that didn't count steps in an epoch."""
    path.write_text(path.read_text().replace("steps_per_epoch", "steps"))


@pytest.fixture(scope="module")
def trained(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("store") / PLACE
    train_into(place, tiny(), data=arrays)
    return place


@pytest.mark.parametrize("damage", [Path.unlink, half])
@pytest.mark.parametrize(
    "name",
    [
        "recipe.toml", "environment.json", "split.json", "metrics.csv", "weights.safetensors", "predictions.npz",
        "results.json",
    ],
)  # fmt: skip
def test_a_run_that_is_not_whole_is_none(name: str, damage: Callable[[Path], None], trained: Path) -> None:
    shutil.copytree(trained, PLACE)
    assert finished(PLACE) is not None
    damage(PLACE / name)
    assert finished(PLACE) is None


def test_a_run_that_is_not_whole_gives_way(trained: Path, arrays: Arrays) -> None:
    shutil.copytree(trained, PLACE)
    older(PLACE / "results.json")
    assert finished(PLACE) is None
    train_into(PLACE, tiny(), data=arrays)
    assert finished(PLACE) is not None
    assert names(PLACE.parent) == ["3"]


def test_only_what_dead_processes_left_is_swept() -> None:
    here, gone, living = machine(), dead(), os.getpid()
    kept = [
        "kept/a-1/7",
        f"kept/a-1/.working-1-{here}-{living}",
        f"kept/a-1/.working-2-other{here}-{gone}",  # of another machine, where that process may live
        "kept/a-1/.working-mine",
        f"kept/b-2/working-1-{here}-{gone}",
    ]
    left_over = [f"kept/a-1/.working-2-{here}-{gone}", f"kept/c-3/.working-0-{here}-{gone}"]
    for name in (*kept, *left_over, f"kept/.working-x-{here}-{gone}"):
        Path(name).mkdir(parents=True)
        (Path(name) / "file").touch()
    sweep(Path("kept"))
    assert {str(path.parent) for path in Path("kept").rglob("file")} == set(kept)
    assert not Path("kept/c-3").exists()


def test_a_store_opened_for_work_is_swept_and_has_a_folder_for_the_meanwhile() -> None:
    old = Path(f"kept/a-1/.working-2-{machine()}-{dead()}")
    old.mkdir(parents=True)
    with open_for_work(Path("kept")) as folder:
        assert left() == ["kept", str(folder)]
        assert folder.name.startswith(".working-")
        assert folder.name.endswith(f"-{os.getpid()}")
        (folder / "pictures.npz").touch()
    assert not folder.exists()


def test_a_store_that_cannot_be_made_is_refused_in_one_line() -> None:
    Path("file").touch()
    with pytest.raises(RunError) as caught, open_for_work(Path("file/kept")):
        raise AssertionError("nothing can be kept there")
    assert str(caught.value) == "cannot write 'file/kept': Not a directory; work in a folder that can be written"
    assert isinstance(caught.value, NeocogError)


def test_a_run_that_cannot_take_its_place_says_so(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    monkeypatch.setattr(disk, "free", lambda place: 7)
    with pytest.raises(RunError) as caught:
        train_into(PLACE, tiny(), data=arrays)
    want = "disk full: run '3' in 'kept/fast-12345678' found no room (free now: 7 bytes); make room"
    assert str(caught.value) == want
    assert left() == ["kept"]
