"""sweep: rankings worked by hand, scipy's t test, and simulation of equal configurations are the oracles."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neocog.errors import DataError
from neocog.statistics.comparison import METRICS, Side
from neocog.statistics.power import seeds_needed
from neocog.statistics.sweep import Configuration, LeftOut, left_out, rank

ACCURACY, LOSS = METRICS["accuracy"], METRICS["loss"]


def side(name, *values, failures=()):
    kept = {seed: value for seed, value in enumerate(values) if seed not in failures}
    return Side(name, kept, {}, dict.fromkeys(kept, 2.0), 10, 20, dict.fromkeys(failures, "the loss became nan"))


def ranked(*sides, metric=ACCURACY):
    tried = [Configuration(each, {"lr": number}, {"lr": str(number)}) for number, each in enumerate(sides)]
    return rank("fast", tried, metric, max(len(each.values) + len(each.failures) for each in sides))


def names(sweep):
    return [each.name for each in sweep.configurations]


def test_the_best_mean_comes_first():
    a, b, c = side("a", 0.90, 0.92), side("b", 0.95, 0.93), side("c", 0.91, 0.94)
    assert names(ranked(a, b, c)) == ["b", "c", "a"]
    assert names(ranked(a, b, c, metric=LOSS)) == ["a", "c", "b"]


def test_what_failed_on_a_seed_stands_behind_all_that_did_not():
    lucky, whole, none = (
        side("lucky", 0.99, 0.99, failures=[1]),
        side("whole", 0.5, 0.6),
        side("none", 0, 0, failures=[0, 1]),
    )
    found = ranked(none, lucky, whole)
    assert names(found) == ["whole", "lucky", "none"]
    # It was better on the one seed that it finished: the best has not beaten it.
    assert not found.configurations[1].apart
    assert found.configurations[2].difference is None


def test_p_is_students_times_the_number_of_pairs():
    random = np.random.default_rng(0)
    values = [random.normal(mean, 0.001, 5) for mean in (0.98, 0.979, 0.95, 0.90)]
    found = ranked(*(side(name, *each.tolist()) for name, each in zip("abcd", values, strict=True)))
    assert names(found) == ["a", "b", "c", "d"]
    p = sorted(stats.ttest_rel(values[0], other).pvalue for other in values[1:])
    # Holm over 4·3/2 = 6 pairs, of which the three without the best stand in as 1.
    adjusted = np.minimum(1, np.maximum.accumulate([6 * p[0], 5 * p[1], 4 * p[2]]))
    got = sorted(each.p_adjusted for each in found.configurations[1:])
    np.testing.assert_allclose(got, adjusted, rtol=1e-9)
    assert [each.apart for each in found.configurations] == [False, False, True, True]


def test_equal_configurations_are_seldom_told_apart():
    """In at most 5 % of sweeps, however the best was picked; without the other pairs it would be about 15 %."""
    random = np.random.default_rng(1)
    claims = 0
    for _ in range(300):
        shared = random.normal(0, 0.001, 5)
        values = 0.98 + shared + random.normal(0, 0.002, (12, 5))
        found = ranked(*(side(str(number), *each.tolist()) for number, each in enumerate(values)))
        claims += any(each.apart for each in found.configurations)
    assert claims <= 15


def test_left_out_by_hand():
    a, b = side("a", 0.9, 0.5, 0.7), side("b", 0.6, 0.8, 0.7)
    # Without seed 0: 0.60 and 0.75, so b, which has 0.6 there. Without 1: 0.80 and 0.65, a, 0.5. Without 2: both 0.70.
    found = left_out([a, b])
    assert found is not None
    assert found.winners == ("b", "a", "a")
    assert (found.apparent, found.honest) == (pytest.approx(0.75), pytest.approx(0.6))
    lowest = left_out([a, b], higher_is_better=False)
    assert lowest is not None and lowest.winners == ("a", "b", "a")


def test_the_seed_left_out_is_not_biased_and_the_best_is():
    random = np.random.default_rng(2)
    found = [
        left_out([side(str(number), *each) for number, each in enumerate(random.normal(0.98, 0.002, (12, 3)).tolist())])
        for _ in range(400)
    ]
    error = 0.002 / 400**0.5
    assert np.mean([each.honest for each in found]) == pytest.approx(0.98, abs=3 * error)
    # The largest of 12 means of 2 lies 1.63 standard errors too high (Tippett 1925).
    assert np.mean([each.apparent for each in found]) == pytest.approx(0.98 + 1.629 * 0.002 / 2**0.5, abs=3 * error)


def test_one_seed_or_one_whole_side_leaves_nothing_out():
    assert left_out([side("a", 0.9), side("b", 0.8)]) is None
    assert left_out([side("a", 0.9, 0.8), side("b", 0.8, 0.9, failures=[0])]) is None


VERDICTS = [
    (
        [side("lr=1", 0.9, 0.91, 0.92), side("lr=2", 0.3, 0.31, 0.3203), side("lr=3", 0.899, 0.912, 0.92)],
        "lr=3 is the best of 3 tried on validation (3 seeds each): 91.03 % (sd 1.06); "
        "1 other can't be told apart from it; about 230 seeds would show the closest one's 0.03 points",
    ),
    (
        [side("lr=1", 0.9, 0.91, 0.92), side("lr=2", 0.3, 0.31, 0.3203)],
        "lr=1 is the best of 2 tried on validation (3 seeds each): 91.00 % (sd 1.00); it beats all others",
    ),
    (
        [side("lr=1", 0.9, 0.91, 0.92), side("lr=2", 0.3, 0.31, 0.3203), side("lr=3", 0, 0, 0, failures=[0, 1, 2])],
        "lr=1 is the best of 3 tried on validation (3 seeds each): 91.00 % (sd 1.00); "
        "it beats all others that finished",
    ),
    (
        [side("lr=1", 0.9), side("lr=2", 0.3)],
        "lr=1 is the best of 2 tried on validation (1 seed each): 90.00 %; one seed can't tell it apart from any other",
    ),
    (
        [side("lr=1", 0.9, 0.9), side("lr=2", 0, 0, failures=[0, 1])],
        "lr=1 is the best of 2 tried on validation (2 seeds each): 90.00 % (sd 0.00); no other finished",
    ),
]


@pytest.mark.parametrize(("sides", "want"), VERDICTS)
def test_the_verdict_in_one_sentence(sides, want):
    found = ranked(*sides)
    assert str(found) == found.verdict == found.comparison.verdict == want


def test_the_verdict_of_a_loss_has_its_unit():
    found = ranked(side("lr=1", 0.25, 0.35), side("lr=2", 0.5, 0.6), metric=LOSS)
    assert found.verdict == (
        "lr=1 is the best of 2 tried on validation (2 seeds each): 0.3000 nats (sd 0.0707); "
        "1 other can't be told apart from it; about 6 seeds would show the closest one's 0.2500 nats"
    )


def test_optimism_in_one_sentence():
    assert ranked(side("a", 0.9, 0.5, 0.7), side("b", 0.6, 0.8, 0.7)).optimism == (
        "the best of many looks better than it is: chosen without one seed and measured on that seed, the winner "
        "reaches 60.00 %, 15.00 points worse than the 75.00 % that it was chosen by (mean over 3 seeds left out)"
    )
    assert ranked(side("a", 0.9, 0.9), side("b", 0.5, 0.5)).optimism == (
        "the same configuration wins whichever seed is left out (2 seeds, one at a time)"
    )
    tied = replace(ranked(side("a", 0.9, 0.8), side("b", 0.9, 0.8)), left_out=LeftOut(0.85, 0.85, ("a", "b")))
    assert tied.optimism == (
        "chosen without one seed and measured on that seed, the winner reaches 85.00 %, just as by the seeds that it "
        "was chosen by (mean over 2 seeds left out)"
    )
    assert ranked(side("a", 0.9), side("b", 0.5)).optimism is None


def test_the_winner_is_never_better_on_the_seed_that_it_was_not_chosen_by():
    """By arithmetic: who wins without a seed s, but not with it, is worse than the winner of all on s."""
    random = np.random.default_rng(3)
    for values in random.integers(0, 4, (300, 3, 3)) / 4:
        found = left_out([side(str(number), *each) for number, each in enumerate(values.tolist())])
        lost = found.apparent - found.honest
        assert lost == pytest.approx(0) if len(set(found.winners)) == 1 else lost > 0.01


def test_how_many_seeds_would_do_for_the_closest():
    near, far = side("b", 0.90, 0.905, 0.895), side("c", 0.5, 0.51, 0.5)
    found = ranked(side("a", 0.91, 0.909, 0.901), near, far)
    # The closest differs by 0.01, 0.004 and 0.006; of 3 pairs each p is multiplied by up to 3.
    needed = seeds_needed(0.02 / 3, float(np.std([0.01, 0.004, 0.006], ddof=1)), confidence=1 - 0.05 / 3)
    assert found.pairs == 3
    assert needed > 3
    assert found.verdict.endswith(
        f"1 other can't be told apart from it; about {needed} seeds would show the closest one's 0.67 points"
    )


@pytest.mark.parametrize(
    "sides",
    [
        [side("a", 0.9, 0.9, 0.9), side("b", 0.9, 0.9, 0.9)],  # no difference to show
        [side("a", 0.9, 0.5, 0.7001), side("b", 0.5, 0.9, 0.7)],  # a tiny one: more than 1,000
        [side("a", 0.9, 0.8, 0.7), side("b", 0.9, 0.99, 0.99, failures=[1, 2])],  # one seed in common
    ],
)
def test_where_no_number_can_be_given_more_seeds_are_needed(sides):
    assert ranked(*sides).verdict.endswith("1 other can't be told apart from it; more seeds are needed")


def test_it_is_plain_for_json():
    found = ranked(side("a", 0.9, 0.92), side("b", 0.8, 0.85), side("c", 0.1, 0.1, failures=[1]))
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [each["name"] for each in read["configurations"]] == ["a", "b", "c"]
    assert read["configurations"][1]["behind_best"]["mean"] == pytest.approx(0.085)
    assert read["configurations"][2]["failures"] == {"1": "the loss became nan"}
    assert found.varying == ["lr"]


def test_nothing_finished_has_no_best():
    with pytest.raises(DataError) as caught:
        ranked(side("a", 0.1, failures=[0]), side("b", 0.1, failures=[0]))
    assert str(caught.value) == "no configuration finished a seed, so none is the best; look at what failed"
