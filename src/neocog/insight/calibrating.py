"""`calibrate`: a finished run's temperature, from what it has stored; nothing is trained or predicted anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neocog.errors import DataError, RunError
from neocog.evaluation import Calibration, Evaluation, fit_temperature
from neocog.evaluation.intervals import finite_ends, picture_interval
from neocog.finished import Run, opened

_PART = "validation"
_MORE = "train again with more held out, such as --set dataset.validation=0.2"


def calibrate(run: str | Path | Run) -> Calibration:
    """Fits the temperature that makes a run's probabilities as sure as they are right, and keeps it with the run.

        probabilities = softmax(logits / T),    T with the least loss on the validation part

    It is written to calibration.json, and from then on `neocog.load`, `neocog.evaluate`, `Run.validation` and
    `Run.test` use it; the class that a picture gets never changes. The stored predictions stay as they are, so
    calibrating again gives the same answer. Loss and ECE before and after are measured on the validation part, where
    they flatter, and on the stored test part, which has no say in the temperature.

    Raises RunError for a run without a validation part, or one whose validation pictures are all classified rightly.
    Source: Guo, Pleiss, Sun & Weinberger 2017, On Calibration of Modern Neural Networks.
    """
    measured = opened(run)
    before = measured.stored(_PART, 1.0)
    if before is None:
        raise RunError(
            f"run '{measured.path}' has no stored predictions of a validation part to fit a temperature on; "
            "train again with dataset.validation above 0"
        )
    try:
        temperature = fit_temperature(before.probabilities, before.labels)
    except DataError as error:
        raise RunError(f"run '{measured.path}': {error}; {_MORE}") from None
    after, test_before = measured.stored(_PART, temperature), measured.stored("test", 1.0)
    test_after = None if test_before is None else measured.stored("test", temperature)
    assert after is not None
    fitted = _figures(before, after)
    test = None if test_before is None or test_after is None else _figures(test_before, test_after)
    change = ("n", "loss_before", "loss_after", "ece_before", "ece_after", "intervals")
    found = Calibration(temperature=temperature, part=_PART, test=test, **{name: fitted[name] for name in change})
    measured.directory.write_json("calibration.json", found.as_dict())
    for name in ("calibration", "validation", "test"):  # what this `Run` knew from before
        vars(measured).pop(name, None)
    return found


def _figures(before: Evaluation, after: Evaluation) -> dict[str, Any]:
    """Loss and ECE of a part before and after, with their intervals."""
    return {
        "n": before.n,
        "loss_before": before.loss,
        "loss_after": after.loss,
        "ece_before": before.ece,
        "ece_after": after.ece,
        "loss_change": after.loss - before.loss,
        "intervals": {
            "loss_before": finite_ends(before.loss_interval),
            "loss_after": finite_ends(after.loss_interval),
            "ece_before": finite_ends(before.ece_interval),
            "ece_after": finite_ends(after.ece_interval),
            "loss_change": _paired(before, after),
        },
    }


def _paired(before: Evaluation, after: Evaluation) -> list[float | None]:
    """The interval of the mean change, picture by picture."""
    changes_N = after.losses - before.losses
    found = picture_interval(changes_N, before.right, after.losses_otherwise - before.losses_otherwise)
    return [None, None] if found is None else list(found)
