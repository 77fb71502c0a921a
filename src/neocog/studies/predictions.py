"""`compare` of finished runs: which pictures each got right, from the predictions that the runs have stored.

Legend: N pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from neocog.errors import RunError
from neocog.evaluation import Evaluation
from neocog.finished import Run
from neocog.statistics.comparison import Difference, RunComparison
from neocog.statistics.holm import holm
from neocog.statistics.many_runs import RunComparisons
from neocog.statistics.mcnemar import mcnemar
from neocog.studies.alike import same_pictures


def compare_runs(
    runs: Sequence[Run], part: str = "test", names: Sequence[str] | None = None
) -> RunComparison | RunComparisons:
    """Finished runs on the same pictures, every pair by McNemar's exact test; nothing is trained or predicted anew.

    `part` is "test" or "validation"; `names` are what to call the runs, their paths unless given. Two runs give a
    `RunComparison`, more of them `RunComparisons`.

    The answer is about these networks. Another seed might have made the other one better, which only training both
    with many seeds can tell (Dietterich 1998). Sources: McNemar 1947; Holm 1979.

    Raises RunError when a run has no stored predictions of that part, or they are of other pictures.
    """
    called = list(names or (str(run.path) for run in runs))
    stored = [_stored(run, name, part) for run, name in zip(runs, called, strict=True)]
    for place in range(1, len(runs)):
        _refuse_other_pictures(runs[0], runs[place], stored[0], stored[place], called[0], called[place])
    pairs = tuple(
        RunComparison(
            first=called[first],
            second=called[second],
            part=part,
            test=mcnemar(_right(stored[first]), _right(stored[second])),
            differ=_differ(stored[first], stored[second]),
        )
        for first, second in combinations(range(len(runs)), 2)
    )
    return pairs[0] if len(pairs) == 1 else RunComparisons(pairs, holm([pair.test.p for pair in pairs]))


def _stored(run: Run, name: str, part: str) -> Evaluation:
    found = run.test if part == "test" else run.validation
    if found is None:
        other = "val" if part == "test" else "test"
        raise RunError(f"run '{name}' has no stored predictions of a {part} part; try --split {other}, or train again")
    return found


def _refuse_other_pictures(
    run: Run, other_run: Run, first: Evaluation, second: Evaluation, name: str, other_name: str
) -> None:
    """Raises RunError unless both were measured on the same pictures, in the same order, with the same labels."""
    both = f"'{name}' and '{other_name}'"
    mend = "train both on one data set, or compare their recipes with --seeds and --data"
    if first.classes != second.classes:
        raise RunError(
            f"{both} know other classes ({_few(first.classes)} and {_few(second.classes)}), so no picture is the same "
            f"question to both; {mend}"
        )
    if not same_pictures(run.recipe, other_run.recipe):
        raise RunError(
            f"{both} were trained and measured on different data ({_data(run)} and {_data(other_run)}); {mend}"
        )
    same = (
        np.array_equal(first.indices, second.indices)
        and np.array_equal(first.labels, second.labels)
        and first.names == second.names
    )
    if not same:
        seeds = (run.recipe.train.seed, other_run.recipe.train.seed)
        why = f": their seeds, {seeds[0]} and {seeds[1]}, hold out others" if seeds[0] != seeds[1] else ""
        test = " --split test, or" if first.split != "test" and run.test and other_run.test else ""
        raise RunError(
            f"{both} were measured on different pictures of the same data ({first.n:,} and {second.n:,}, {first.split} "
            f"part){why}; try{test} their recipes with --seeds"
        )


def _right(evaluation: Evaluation) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(N,) whether each picture was classified rightly."""
    return np.asarray(evaluation.predictions == evaluation.labels)


def _differ(first: Evaluation, second: Evaluation) -> tuple[Difference, ...]:
    """The pictures that one got right and the other wrong, the most certain wrong answer first."""
    rows = np.flatnonzero(_right(first) != _right(second))
    answers = [evaluation.predictions[rows] for evaluation in (first, second)]
    certain = [
        evaluation.probabilities[rows, answer] for evaluation, answer in zip((first, second), answers, strict=True)
    ]
    of_the_wrong = np.where(_right(first)[rows], certain[1], certain[0])
    return tuple(
        Difference(
            index=int(first.indices[rows[place]]),
            name=first.names[rows[place]] if first.names else "",
            true=first.classes[first.labels[rows[place]]],
            first=first.classes[answers[0][place]],
            second=first.classes[answers[1][place]],
            first_probability=float(certain[0][place]),
            second_probability=float(certain[1][place]),
        )
        for place in np.argsort(-of_the_wrong, kind="stable")
    )


def _data(run: Run) -> str:
    return f"'{run.results['data']}'"


def _few(classes: Sequence[str]) -> str:
    return f"{len(classes)}: {', '.join(classes[:3])}{', …' if len(classes) > 3 else ''}"
