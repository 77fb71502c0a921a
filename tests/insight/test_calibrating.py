"""calibrate: a run's temperature from its stored predictions, and everything downstream that uses it."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import neocog
from conftest import STEPS, TINY, drawn, fill
from neocog.errors import RunError
from neocog.evaluation import Calibration
from neocog.finished import Run
from neocog.render.runs import temperature_text

CLASSES = ("circle", "cross", "square")
# Sure to 90 %, right in three of four: 18^(1/T) = 6.
TEMPERATURE = math.log(18) / math.log(6)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("calibrate")
    neocog.train("fast", data=fill(place / "shapes"), set=STEPS, model=TINY, run=place / "run", figures=False, tell=str)
    return place / "run"


@pytest.fixture
def path(trained: Path, tmp_path: Path) -> Path:
    """A run of its own for each test, whose stored predictions are known."""
    shutil.copytree(trained, tmp_path / "run")
    store(tmp_path / "run", validation=(30, 10), test=(600, 200))
    return tmp_path / "run"


def store(path: Path, **parts: tuple[int, int]) -> None:
    """Predictions sure to 90 %, of which so many are right and so many wrong, in place of the run's own."""
    arrays = {}
    for part, (right, wrong) in parts.items():
        n = right + wrong
        labels = np.arange(n) % 3
        answers = np.where(np.arange(n) < right, labels, (labels + 1) % 3)
        probabilities = np.full((n, 3), 0.05, dtype=np.float32)
        probabilities[np.arange(n), answers] = 0.9
        arrays |= {
            f"{part}_index": np.arange(n),
            f"{part}_label": labels,
            f"{part}_probabilities": probabilities,
            f"{part}_name": np.array([f"{place}.png" for place in range(n)]),
        }
    Run.open(path).directory.write_predictions(arrays)


def test_by_hand(path: Path) -> None:
    before = -(0.75 * math.log(0.9) + 0.25 * math.log(0.05))
    after = -(0.75 * math.log(0.75) + 0.25 * math.log(0.125))
    got = neocog.calibrate(path)
    assert got.temperature == pytest.approx(TEMPERATURE, rel=1e-6)
    assert (got.part, got.n, got.test["n"]) == ("validation", 40, 800)
    for found in (got.as_dict(), got.test):
        assert found["loss_before"] == pytest.approx(before, rel=1e-6)
        assert found["loss_after"] == pytest.approx(after, rel=1e-6)
        assert found["loss_change"] == pytest.approx(after - before, rel=1e-5)
        assert (found["ece_before"], found["ece_after"]) == (pytest.approx(0.15), pytest.approx(0, abs=1e-6))
        low, high = found["intervals"]["loss_change"]
        assert low < after - before < high
        # Paired, picture by picture: narrower than the losses themselves.
        assert high - low < np.diff(found["intervals"]["loss_before"])[0]
    assert got.helped is True


def test_it_is_kept_and_again_the_same(path: Path) -> None:
    stored = (path / "predictions.npz").read_bytes()
    first = neocog.calibrate(path)
    text = (path / "calibration.json").read_bytes()
    assert json.loads(text)["temperature"] == first.temperature
    assert Run.open(path).calibration == neocog.calibrate(str(path)) == neocog.calibrate(Run.open(path)) == first
    assert (path / "calibration.json").read_bytes() == text
    assert (path / "predictions.npz").read_bytes() == stored


def test_everything_downstream_is_softened_and_no_answer_changes(path: Path, trained: Path) -> None:
    picture = drawn("circle", 3)
    plain, run = neocog.load(path), Run.open(path)
    before = {"test": run.test, "validation": run.validation}
    got = neocog.calibrate(run)
    assert run.calibration == got
    soft = neocog.load(path)
    assert (plain.temperature, soft.temperature) == (1.0, got.temperature)
    with torch.no_grad():
        logits = plain.model(plain.normalization(plain.prepare(picture))).double()
    want = torch.softmax(logits / got.temperature, 1).numpy()
    np.testing.assert_allclose(soft.predict_proba(picture), want, rtol=1e-6)
    assert soft.predict(picture) == plain.predict(picture)
    for part, found in before.items():
        after = getattr(run, part)
        assert after.temperature == got.temperature
        np.testing.assert_array_equal(after.confusion, found.confusion)
        np.testing.assert_allclose(after.confidences, 0.75, rtol=1e-5)
    measured = neocog.evaluate(path, tell=str)
    assert measured.temperature == got.temperature
    np.testing.assert_array_equal(measured.confusion, neocog.evaluate(trained, tell=str).confusion)


def test_comparing_calibrated_runs_is_comparing_their_answers(path: Path, tmp_path: Path) -> None:
    shutil.copytree(path, tmp_path / "other")
    store(tmp_path / "other", test=(650, 150), validation=(30, 10))
    plain = neocog.compare(path, tmp_path / "other")
    neocog.calibrate(path)
    assert neocog.compare(path, tmp_path / "other").test == plain.test


@pytest.mark.parametrize(
    ("test", "helped"), [((8, 3), None), ((790, 10), False)], ids=["too few to tell", "better before"]
)
def test_it_says_where_it_did_not_help(path: Path, test: tuple[int, int], helped: bool | None) -> None:
    store(path, validation=(30, 10), test=test)
    assert neocog.calibrate(path).helped is helped


def test_without_test_predictions(path: Path) -> None:
    store(path, validation=(30, 10))
    got = neocog.calibrate(path)
    assert (got.test, got.helped, got.loss_after) == (None, None, pytest.approx(0.7356, abs=1e-3))
    assert Run.open(path).test is None


def refusal(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        neocog.calibrate(path)
    return str(caught.value)


def test_what_cannot_be_calibrated(path: Path) -> None:
    store(path, validation=(12, 0), test=(5, 5))
    assert refusal(path) == (
        f"run '{path}': no temperature fits 12 pictures that are all classified rightly: the surer, the less loss; "
        "train again with more held out, such as --set dataset.validation=0.2"
    )
    store(path, test=(5, 5))
    assert refusal(path) == (
        f"run '{path}' has no stored predictions of a validation part to fit a temperature on; "
        "train again with dataset.validation above 0"
    )
    (path / "predictions.npz").unlink()
    assert refusal(path) == f"run '{path}' has no predictions.npz; train again"
    assert not (path / "calibration.json").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("[]", "it holds no object, as in {…}"),
        ("{}", "its n is None, not a whole number"),
    ],
)
def test_a_damaged_calibration_is_named_and_can_be_fitted_anew(path: Path, text: str, why: str) -> None:
    (path / "calibration.json").write_text(text)
    want = f"'{path / 'calibration.json'}' can't be read: {why}; `neocog calibrate {path}` fits it anew"
    for use in (neocog.load, neocog.evaluate, lambda run: Run.open(run).test):
        with pytest.raises(RunError) as caught:
            use(path)
        assert str(caught.value) == want
    assert want.replace("'", "&#x27;") in Run.open(path)._repr_html_()
    assert neocog.calibrate(path) == Run.open(path).calibration


def test_measuring_again_gives_what_calibrating_said(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    # So few validation pictures are all right, and have no temperature of their own.
    monkeypatch.setattr("neocog.insight.calibrating.fit_temperature", lambda *_: 2.0)
    at_first = Run.open(tmp_path / "run").results
    said = neocog.calibrate(tmp_path / "run")
    for split, figures in (("val", said.as_dict()), ("test", said.test)):
        again = neocog.evaluate(tmp_path / "run", split=split, tell=str)
        assert again.loss == pytest.approx(figures["loss_after"], rel=1e-5)
        assert again.loss_interval == pytest.approx(figures["intervals"]["loss_after"], rel=1e-4)
        assert again.ece == pytest.approx(figures["ece_after"], abs=1e-5)
        # results.json says what the training measured.
        assert at_first[f"{split}_loss"] == pytest.approx(figures["loss_before"], rel=1e-6)
    assert Run.open(tmp_path / "run").results == at_first


def test_it_is_told_in_one_line(path: Path) -> None:
    got = neocog.calibrate(path)
    told = "probabilities softened by temperature 1.61 (fitted on 40 validation pictures)"
    assert temperature_text(got.temperature, got) == told
    line = "calibration         temperature 1.61 (fitted on 40 validation pictures); test loss 0.8280 → 0.7356"
    assert str(Run.open(path)).split("\n")[2] == line
    assert isinstance(Run.open(path).calibration, Calibration)
