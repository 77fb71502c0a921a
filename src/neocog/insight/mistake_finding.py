"""Which pictures a run got wrong, and whether its network, their labels or the parts of the data are to blame.

Legend: N pictures, C classes, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neocog.data import Dataset, Progress, Split
from neocog.data.duplicates import across
from neocog.errors import DataError, NeocogError, RunError, unknown
from neocog.evaluation import Evaluation, evaluate_predictions
from neocog.finished import Data, Run, opened, part_named, what_to_measure
from neocog.statistics.mistakes import SURE, Duplicate, LikelyLabelError, Mistakes

MOST_PAIRS = 6 * 10**8  # pictures of the part × training pictures, which take about 5 s; more only when asked for
SHOWN = 24  # duplicates whose pictures are kept


def mistakes(
    run: str | Path | Run,
    *more: str | Path | Run,
    true: str | int | None = None,
    pred: str | int | None = None,
    top: int = 20,
    split: str = "test",
    duplicates: bool | None = None,
    data: Data | None = None,
    progress: Progress | None = None,
) -> Mistakes:
    """The mistakes of a finished run, worst first, with labels that may be wrong and pictures trained on as well.

    Mistakes come from the predictions that the run has stored; nothing is predicted anew. Several runs on the same
    pictures answer together, with the mean of their probabilities. These are the network's own, at temperature 1: what
    `neocog.calibrate` has fitted would make some runs surer than others, and move the limit below.

    A label may be wrong where all R runs name one other class, with a mean probability of 75 % or more: three times as
    much as all other classes together. Those most probable beside their label come first. To ask networks that didn't
    train on a picture, and only those that are sure, is the idea of Northcutt, Jiang & Chuang, "Confident learning"
    (2021). Their threshold, the mean probability of the pictures with that label, is out of reach for any wrong answer
    of a network trained with smoothed labels, so ours is fixed. One run can't tell a wrong label from bad luck.

    Duplicates are pictures of the part that are also among the training pictures; see `neocog.data.duplicates`.

    Args:
        true, pred: only mistakes of this true class, or with this answer, by the name of the class.
        top: how many mistakes and labels are listed.
        split: the part, "test" or "val".
        duplicates: whether to look for them; by default where that takes seconds and no class is asked for.
        data: arrays that the run was trained on, which only you have; or the run's folder, where it has been moved to.

    Raises a NeocogError for unknown classes, runs without predictions of that part, or runs on other pictures.
    """
    part = part_named(split)
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise NeocogError(f"top = {top}: give a whole number of 1 or more")
    runs = [opened(each) for each in (run, *more)]
    stored = [_stored(each, part) for each in runs]
    for place in range(1, len(runs)):
        _refuse_same_run(runs[:place], runs[place])
        _refuse_other_pictures(runs[0], runs[place], stored[0], stored[place])
        for earlier in range(place):
            if np.array_equal(stored[earlier].probabilities, stored[place].probabilities):
                raise RunError(
                    f"'{runs[earlier].path}' and '{runs[place].path}' have the same predictions, so one is a copy of "
                    "the other or has its seed; give runs with other seeds"
                )
    asked = _asked(true, pred, stored[0].classes)
    together = _together(stored)
    wrong = [each for each in together.worst_mistakes(together.errors) if _fits(asked, each.true, each.predicted)]
    labels = [each for each in likely_label_errors(stored) if _fits(asked, each.label, each.suggested)]
    notes: list[str] = []
    if any(each.calibration for each in runs):
        notes.append("probabilities are the network's own, at temperature 1, not those that calibrate has fitted")
    found = Mistakes(
        runs=tuple(str(each.path) for each in runs),
        part=part,
        n=together.n,
        items=tuple(wrong[:top]),
        total=len(wrong),
        errors=together.errors,
        true=asked[0],
        pred=asked[1],
        label_errors=tuple(labels[:top]),
        label_errors_total=len(labels),
    )
    if len(runs) == 1 and labels:
        notes.append("one run can't tell a wrong label from its own bad luck: give several runs with other seeds")
    try:
        dataset, pictures, _ = what_to_measure(
            runs[0].recipe, data, part, stored[0].classes, runs[0].directory, progress
        )
    except NeocogError as error:
        notes.append(f"the data can't be opened, so there are no pictures and no duplicates: {error}")
        return replace(found, notes=tuple(notes))
    found = replace(
        found,
        pictures=_pictures(
            pictures, [*(item.index for item in found.items), *(item.index for item in found.label_errors)]
        ),
    )
    pairs = len(dataset.train) * len(pictures)
    # Who asks for some classes has another question.
    if duplicates is None and asked != (None, None):
        duplicates = False
    if duplicates or (duplicates is None and pairs <= MOST_PAIRS):
        found = replace(found, duplicates=tuple(_duplicates(dataset, pictures, progress)))
    elif duplicates is None:
        notes.append(
            f"duplicates were not looked for among {len(dataset.train):,} training pictures, which takes a while; "
            "--duplicates does (in Python, duplicates=True)"
        )
    return replace(found, notes=tuple(notes))


def likely_label_errors(stored: Sequence[Evaluation]) -> list[LikelyLabelError]:
    """The pictures whose label may be wrong, by the rule of `mistakes`, most likely first."""
    probabilities_NC = _mean_probabilities(stored)
    labels_N, classes = stored[0].labels, stored[0].classes
    rows_N = np.arange(len(labels_N))
    own_N = probabilities_NC[rows_N, labels_N]
    answers_RN = np.stack([each.predictions for each in stored])
    answer_N = answers_RN[0]
    agreed_N = (answers_RN == answer_N).all(axis=0)
    of_answer_N = probabilities_NC[rows_N, answer_N]
    likely = np.flatnonzero(agreed_N & (answer_N != labels_N) & (of_answer_N >= SURE))
    order = np.argsort(own_N[likely] - of_answer_N[likely], kind="stable")
    return [
        LikelyLabelError(
            index=int(stored[0].indices[row]),
            name=stored[0].names[row] if stored[0].names else None,
            label=classes[labels_N[row]],
            suggested=classes[answer_N[row]],
            probability=float(of_answer_N[row]),
            label_probability=float(own_N[row]),
            runs=len(stored),
        )
        for row in likely[order]
    ]


def _mean_probabilities(stored: Sequence[Evaluation]) -> NDArray[np.float64]:
    return np.asarray(np.mean([each.probabilities for each in stored], axis=0, dtype=np.float64))


def _together(stored: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of the mean probabilities."""
    first = stored[0]
    if len(stored) == 1:
        return first
    return evaluate_predictions(
        _mean_probabilities(stored), first.labels, first.classes, first.split, indices=first.indices, names=first.names
    )


def _asked(true: str | int | None, pred: str | int | None, classes: Sequence[str]) -> tuple[str | None, str | None]:
    for option, name in (("true", true), ("pred", pred)):
        if name is not None and str(name) not in classes:
            raise DataError(f"{option}: {unknown('class', str(name), classes)}")
    if true is not None and str(true) == str(pred):
        raise DataError(f"true and pred are both '{true}', which is no mistake; give two classes")
    return None if true is None else str(true), None if pred is None else str(pred)


def _fits(asked: tuple[str | None, str | None], true: str, pred: str) -> bool:
    return asked[0] in (None, true) and asked[1] in (None, pred)


def _stored(run: Run, part: str) -> Evaluation:
    found = run.stored(part, 1.0)  # calibrated ones would be sharper in some runs, and past a limit that is fixed
    if found is None:
        other = "val" if part == "test" else "test"
        raise RunError(
            f"run '{run.path}' has no stored predictions of a {part} part; try --split {other}, or train again"
        )
    return found


def _refuse_same_run(before: Sequence[Run], run: Run) -> None:
    if any(run.path.resolve() == other.path.resolve() for other in before):
        raise RunError(f"run '{run.path}' is given twice, and would agree with itself; give runs with other seeds")


def _refuse_other_pictures(run: Run, other: Run, first: Evaluation, second: Evaluation) -> None:
    assert run.recipe.resolved and other.recipe.resolved
    both = f"'{run.path}' and '{other.path}'"
    if first.classes != second.classes or run.recipe.resolved.data_checksum != other.recipe.resolved.data_checksum:
        raise RunError(f"{both} were trained on different data; give runs of one data set, prepared alike")
    same = (
        np.array_equal(first.indices, second.indices)
        and np.array_equal(first.labels, second.labels)
        and first.names == second.names
    )
    if not same:
        test = "; --split test has the same in both" if first.split != "test" and run.test and other.test else ""
        raise RunError(
            f"{both} were measured on different pictures of the same data ({first.split} part), for their seeds hold "
            f"out others{test}"
        )


def _pictures(split: Split, numbers: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """The pictures with these numbers."""
    rows = {int(number): row for row, number in enumerate(split.numbers)}
    return {number: _copy(split, rows[number]) for number in dict.fromkeys(numbers)}


def _duplicates(dataset: Dataset, split: Split, progress: Progress | None) -> list[Duplicate]:
    """Those with another label first, then the most alike; the first ones with their pictures."""
    numbers, train_numbers, classes = split.numbers, dataset.train.numbers, dataset.classes
    pairs = across(split.images.numpy(), dataset.train.images.numpy(), progress=progress)
    pairs.sort(
        key=lambda pair: (
            bool(split.labels[pair.first] == dataset.train.labels[pair.second]),
            pair.difference,
            pair.first,
        )
    )
    return [
        Duplicate(
            index=int(numbers[pair.first]),
            name=str(split.names[pair.first]),
            label=classes[int(split.labels[pair.first])],
            train_index=int(train_numbers[pair.second]),
            train_name=str(dataset.train.names[pair.second]),
            train_label=classes[int(dataset.train.labels[pair.second])],
            difference=pair.difference,
            pictures=(_copy(split, pair.first), _copy(dataset.train, pair.second)) if place < SHOWN else None,
        )
        for place, pair in enumerate(pairs)
    ]


def _copy(split: Split, row: int) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = split.images[row].numpy().copy()
    return found
