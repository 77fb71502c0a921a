"""mistakes: stored predictions written by hand, whose mistakes, label errors and duplicates are known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neocog
from conftest import STEPS, TINY, fill
from neocog.errors import DataError, NeocogError, RecipeError, RunError
from neocog.evaluation import evaluate_predictions
from neocog.finished import Run
from neocog.insight import mistake_finding
from neocog.insight.mistake_finding import likely_label_errors, mistakes

CLASSES = ("circle", "cross", "square")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a folder of 60 drawn pictures that were drawn once each, but for one of the test part."""
    root = tmp_path_factory.mktemp("mistakes")
    fill(root / "all", each=20, size=16)
    for kind in CLASSES:
        for number in range(20):
            part = "train" if number < 12 else "validation" if number < 15 else "test"
            place = root / "shapes" / part / kind / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / "all" / kind / f"{number}.png", place)
    shutil.copy(root / "shapes/train/cross/3.png", root / "shapes/test/circle/19.png")
    run = neocog.train("fast", data=root / "shapes", model=TINY, set=STEPS, run=root / "run", figures=False)
    return run.path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy whose predictions of the test part are all right but for three."""
    return answering(trained, tmp_path / "one", {0: (1, 0.9), 1: (2, 0.6), 6: (2, 0.85)})


def answering(trained: Path, to: Path, wrong: dict[int, tuple[int, float]]) -> Path:
    """A copy of a run that is 80 % sure of each label of its test part, but for some rows: (class, how sure)."""
    shutil.copytree(trained, to)
    found = Run.open(to)
    stored = dict(found.directory.read_predictions())
    labels = stored["test_label"]
    probabilities = np.full((len(labels), 3), 0.1, np.float32)
    probabilities[np.arange(len(labels)), labels] = 0.8
    for row, (answer, sure) in wrong.items():
        probabilities[row] = (1 - sure) / 2
        probabilities[row, answer] = sure
    found.directory.write_predictions({**stored, "test_probabilities": probabilities})
    return to


def test_mistakes_come_worst_first_with_their_pictures(run) -> None:
    found = mistakes(run)
    assert (found.n, found.errors, found.total, found.part) == (15, 3, 3, "test")
    assert [(item.index, item.true, item.predicted) for item in found.items] == [
        (0, "circle", "cross"),
        (6, "cross", "square"),
        (1, "circle", "square"),
    ]
    assert [item.name for item in found.items] == [Run.open(run).test.names[row] for row in (0, 6, 1)]
    assert set(found.pictures) == {0, 1, 6}
    folder = Run.open(run).recipe.dataset.name
    assert found.pictures[0].shape == (16, 16, 1)
    with Image.open(Path(folder, found.items[0].name)) as picture:
        assert np.array_equal(found.pictures[0][..., 0], np.asarray(picture))


def test_classes_and_number_are_as_asked(run) -> None:
    assert [item.index for item in mistakes(run, true="circle").items] == [0, 1]
    found = mistakes(run, pred="square", top=1)
    assert ([item.index for item in found.items], found.total, found.errors) == ([6], 2, 3)
    assert mistakes(run, true="circle", pred="square").total == 1
    assert mistakes(run, true="square").items == ()


def test_several_runs_answer_together(trained, run, tmp_path) -> None:
    other = answering(trained, tmp_path / "two", {0: (1, 0.7), 1: (0, 0.7), 12: (0, 0.99)})
    found = mistakes(run, other)
    # Row 0: 0.9 and 0.7 for cross. Row 1: square 0.6 and 0.15 against circle 0.2 and 0.7. Row 12: square 0.8 and 0.005.
    # Row 6: square 0.85 and 0.1 against cross 0.075 and 0.8.
    assert [(item.index, item.predicted) for item in found.items] == [
        (0, "cross"),
        (12, "circle"),
        (6, "square"),
    ]
    assert found.items[0].probability == pytest.approx(0.8)
    assert found.items[0].true_probability == pytest.approx((0.05 + 0.15) / 2)
    assert [(each.index, each.label, each.suggested, each.runs) for each in found.label_errors] == [
        (0, "circle", "cross", 2)
    ]
    assert found.notes == ()


def test_one_run_gives_candidates_and_says_so(run) -> None:
    found = mistakes(run)
    assert [each.index for each in found.label_errors] == [0, 6]  # 60 % is not sure
    assert found.notes == (
        "one run can't tell a wrong label from its own bad luck: give several runs with other seeds",
    )


def judged(rows: Sequence[Sequence[float]], labels: Sequence[int]):
    return evaluate_predictions(rows, labels, ("a", "b", "c"), "test")


def test_only_what_is_surely_another_class_is_likely_and_the_surest_comes_first() -> None:
    rows = [[0.25, 0.75, 0], [0.3, 0.7, 0], [0.1, 0.1, 0.8], [0, 1, 0]]
    found = likely_label_errors([judged(rows, [0, 0, 0, 1])])
    assert [(each.index, each.label, each.suggested) for each in found] == [(2, "a", "c"), (0, "a", "b")]
    assert [(each.probability, each.label_probability) for each in found] == [
        (pytest.approx(0.8), pytest.approx(0.1)),
        (0.75, 0.25),
    ]


def test_all_runs_have_to_agree_and_be_sure_on_average() -> None:
    one, other = [[0, 1, 0], [0, 1, 0], [0, 1, 0]], [[0.4, 0.6, 0], [0.51, 0.49, 0], [0.49, 0.51, 0]]
    labels = [0, 0, 0]
    found = likely_label_errors([judged(one, labels), judged(other, labels)])
    assert [each.index for each in found] == [0, 2]  # of the second picture the runs have two opinions
    assert [each.probability for each in found] == pytest.approx([0.8, 0.755])
    assert likely_label_errors([judged(other, labels)]) == []


def test_duplicates_are_named_with_both_labels(run) -> None:
    (each,) = [each for each in mistakes(run).duplicates if each.exact]
    assert (each.name, each.label) == ("test/circle/19.png", "circle")
    assert (each.train_name, each.train_label, each.same_label) == ("train/cross/3.png", "cross", False)
    assert np.array_equal(*each.pictures)
    assert mistakes(run).duplicates[0].index == each.index  # another label comes first
    assert mistakes(run, duplicates=False).duplicates is None


def test_who_asks_for_classes_gets_no_duplicates_unless_told(run) -> None:
    for asked in ({"true": "circle"}, {"pred": "square"}):
        found = mistakes(run, **asked)
        assert found.duplicates is None
        assert not any("duplicates" in note for note in found.notes)
    assert mistakes(run, true="circle", duplicates=True).duplicates


def test_a_calibrated_run_is_asked_for_its_own_probabilities(trained, run, tmp_path) -> None:
    before = mistakes(run)
    # Softened by 4, the 90 % of row 0 would be 52 %, and no label would be suspect.
    neocog.calibrate(run)
    calibrated = json.loads((run / "calibration.json").read_text(encoding="utf-8"))
    (run / "calibration.json").write_text(json.dumps({**calibrated, "temperature": 4.0}), encoding="utf-8")
    assert Run.open(run).test.probabilities[0].max() == pytest.approx(0.9**0.25 / (0.9**0.25 + 2 * 0.05**0.25))
    after = mistakes(run)
    assert (after.items, after.label_errors) == (before.items, before.label_errors)
    remark = "probabilities are the network's own, at temperature 1, not those that calibrate has fitted"
    assert remark in after.notes and remark not in before.notes
    # Together with a run that isn't calibrated, the mean is of probabilities of one kind.
    other = answering(trained, tmp_path / "two", {0: (1, 0.7)})
    assert mistakes(run, other).label_errors[0].probability == pytest.approx((0.9 + 0.7) / 2)


def test_where_it_takes_long_duplicates_have_to_be_asked_for(run, monkeypatch) -> None:
    monkeypatch.setattr(mistake_finding, "MOST_PAIRS", 36 * 15 - 1)
    found = mistakes(run)
    assert found.duplicates is None
    assert found.notes[-1] == (
        "duplicates were not looked for among 36 training pictures, which takes a while; --duplicates does "
        "(in Python, duplicates=True)"
    )
    assert mistakes(run, duplicates=True).duplicates


def test_the_list_comes_without_the_data_too(run) -> None:
    found = Run.open(run)
    text = (run / "recipe.toml").read_text(encoding="utf-8")
    (run / "recipe.toml").write_text(text.replace(found.recipe.dataset.name, "/moved/away"), encoding="utf-8")
    gone = mistakes(run)
    assert [item.index for item in gone.items] == [0, 6, 1]
    assert (gone.pictures, gone.duplicates) == ({}, None)
    assert gone.notes[-1].startswith("the data can't be opened, so there are no pictures and no duplicates: ")
    assert "/moved/away" in gone.notes[-1]
    # A folder that was moved is known again.
    assert set(mistakes(run, data=found.recipe.dataset.name).pictures) == {0, 1, 6}


def refused(kind: type[NeocogError], *runs, **words) -> str:
    with pytest.raises(kind) as error:
        mistakes(*runs, **words)
    return str(error.value)


def test_what_cannot_be_asked_is_one_line(run) -> None:
    assert refused(DataError, run, true="circel") == (
        "true: unknown class 'circel'; did you mean 'circle'? Known: circle, cross, square"
    )
    assert refused(DataError, run, pred=4) == "pred: unknown class '4'; Known: circle, cross, square"
    assert refused(DataError, run, true="cross", pred="cross") == (
        "true and pred are both 'cross', which is no mistake; give two classes"
    )
    for top in (0, -1, 1.5, True):
        assert refused(NeocogError, run, top=top) == f"top = {top}: give a whole number of 1 or more"
    assert refused(RecipeError, run, split="train") == "split 'train': give val or test"


def test_runs_that_do_not_fit_are_one_line(trained, run, arrays, tmp_path) -> None:
    assert refused(RunError, run, trained, run) == (
        f"run '{run}' is given twice, and would agree with itself; give runs with other seeds"
    )
    other = neocog.train("fast", data=arrays, model=TINY, set={**STEPS, "dataset.validation": 0}, run="other")
    assert refused(RunError, run, other) == (
        f"'{run}' and 'other' were trained on different data; give runs of one data set, prepared alike"
    )
    assert refused(RunError, other, split="val") == (
        "run 'other' has no stored predictions of a validation part; try --split test, or train again"
    )
    stored = dict(Run.open(run).directory.read_predictions())
    shuffled = {name: array[::-1] if name.startswith("test_") else array for name, array in stored.items()}
    shutil.copytree(run, tmp_path / "shuffled")
    Run.open(tmp_path / "shuffled").directory.write_predictions(shuffled)
    assert refused(RunError, run, tmp_path / "shuffled") == (
        f"'{run}' and '{tmp_path / 'shuffled'}' were measured on different pictures of the same data (test part), for "
        "their seeds hold out others"
    )
