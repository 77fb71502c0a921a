"""rates: curves worked by hand, and torch's own exponential mean, are the oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neocog.statistics.rates import EXPLODES, NO_NUMBER, REACHED, RateCurve, RunningMean, range_of, read_curve

DECADES = tuple(float(f"1e{power}") for power in range(-8, 4))
#         settles        flat      falls               rises
FALLING = (2.3, 2.3, 2.3, 2.3, 2.3, 2.3, 2.05, 1.25, 1.0, 0.3, 2.3, 5.0)


def curve(smoothed, rates=None, ending=REACHED, seed=0, losses=None):
    rates = DECADES[: len(smoothed)] if rates is None else rates
    found = read_curve(rates, losses or smoothed, smoothed)
    return RateCurve(seed, tuple(rates), tuple(losses or smoothed), tuple(smoothed), ending, found.suggestion)


# ------------------------------------------------------------------------------------------------------ the mean


def test_the_running_mean_is_torchs_lerp_divided_by_its_weight():
    losses = np.random.default_rng(3).uniform(0, 3, 30).tolist()
    mean, value = RunningMean(0.7), torch.tensor(0.0, dtype=torch.float64)
    for count, loss in enumerate(losses, 1):
        value = torch.lerp(value, torch.tensor(loss, dtype=torch.float64), 0.3)
        assert mean.add(loss) == pytest.approx(float(value) / (1 - 0.7**count), rel=1e-12)


def test_a_constant_loss_is_its_own_mean_from_the_first():
    mean = RunningMean()
    assert [mean.add(1.5) for _ in range(5)] == pytest.approx([1.5] * 5)
    assert not mean.exploded


def test_it_explodes_above_four_times_the_lowest():
    mean = RunningMean(0.0)  # which is the loss itself
    for loss, exploded in ((2.0, False), (1.0, False), (4.0, False), (4.01, True)):
        mean.add(loss)
        assert mean.exploded == exploded, loss


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_what_is_no_number_has_exploded(loss):
    mean = RunningMean()
    mean.add(1.0)
    mean.add(loss)
    assert mean.exploded


# ---------------------------------------------------------------------------------------------------- the reading


def test_a_curve_read_by_hand():
    found = read_curve(DECADES, FALLING, FALLING)
    # The fall of 2.0 goes from 2.3 to 0.3: a tenth of it is done at step 6, half of it at step 7.
    assert found.falls == (1e-2, 10.0)
    assert found.suggestion == 0.1  # and 10/3 is no lower
    assert found.rises


def test_a_sudden_fall_is_kept_away_from():
    sudden = (2.3,) * 9 + (0.3, 2.3)
    found = read_curve(DECADES[:11], sudden, sudden)
    assert found.falls == (10.0, 10.0)
    assert found.suggestion == 3.3  # 10/3, in two digits


def test_the_first_values_are_not_yet_means():
    early = (9.0, 0.1, 9.0, 0.1, *FALLING[4:])
    assert read_curve(DECADES, FALLING, early) == read_curve(DECADES, FALLING, FALLING)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_fall(seed):
    random, mean = np.random.default_rng(seed), RunningMean()
    losses = (2.3 + 0.05 * random.standard_normal(100)).tolist()
    smoothed = [mean.add(loss) for loss in losses]
    found = read_curve(np.geomspace(1e-7, 10, 100).tolist(), losses, smoothed)
    assert (found.falls, found.suggestion) == (None, None)


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_a_drawn_valley_is_found_within_its_noise(noise):
    rates = np.geomspace(1e-6, 10, 100)
    # Falls as a logistic curve whose middle is at 0.01, and rises from 0.5 on.
    loss = 0.5 + 1.8 / (1 + (rates / 0.01) ** 2) + np.where(rates > 0.5, rates, 0)
    losses = (loss + noise * np.random.default_rng(0).standard_normal(100)).tolist()
    found = read_curve(rates.tolist(), losses, losses)
    assert found.rises and found.falls is not None and found.suggestion is not None
    assert 0.008 < found.suggestion < 0.0125
    assert found.falls[0] < 0.005 and 0.05 < found.falls[1] <= 0.5


@pytest.mark.parametrize(("fall", "found"), [(0.02, False), (0.025, True)])
def test_a_steady_drift_of_less_than_a_hundredth_is_no_fall(fall, found):
    # As with softmax twice: hardly any noise, hardly any learning, and 2.3 is guessing.
    drift = (*[2.3] * 7, 2.3 - fall / 2, 2.3 - fall)
    assert (read_curve(DECADES[:9], drift, drift).falls is not None) == found


def test_a_curve_of_a_few_steps_says_nothing():
    assert read_curve(DECADES[:3], FALLING[:3], FALLING[:3]).falls is None


# -------------------------------------------------------------------------------------------------------- the range


def ranged(*curves):
    return range_of(curves, recipe="fast", data="mnist", conditions={"steps": 12})


def test_one_curve_is_its_own_range():
    found = ranged(curve(FALLING))
    assert (found.rates, found.smoothed, found.suggestion) == (DECADES, pytest.approx(FALLING), 0.1)
    assert (found.warnings, found.spread) == ((), None)
    assert str(found) == "fast on mnist: 0.1 is the suggested rate"
    assert found.as_dict()["curves"][0]["suggestion"] == 0.1


def test_curves_are_averaged_as_far_as_all_go():
    higher = tuple(loss + 1 for loss in FALLING[:11])
    found = ranged(curve(FALLING), curve(higher, ending=EXPLODES, seed=1))
    assert found.rates == DECADES[:11]
    assert found.smoothed == pytest.approx([loss + 0.5 for loss in FALLING[:11]])
    assert found.spread == (0.1, 0.1)


def test_the_spread_is_that_of_single_seeds():
    later = (2.3, *FALLING[:11])  # the same curve, a decade later
    assert ranged(curve(FALLING), curve(later, seed=1)).spread == (0.1, 1.0)


FLAT = (2.3, 2.31) * 6
WARNINGS = [
    (
        curve(FLAT),
        "the loss never falls between 1e-08 and 1e+03, so no rate can be suggested; "
        "give more --steps, or a higher --high, or check that the network can learn at all",
    ),
    (
        curve((*FLAT[:10], 9.0, 99.0), ending=EXPLODES),
        "the loss never falls between 1e-08 and 1e+03, so no rate can be suggested; "
        "give more --steps, or check that the network can learn at all",
    ),
    (curve(FALLING[:10]), "the loss never rises up to 10, so higher rates may do, too; raise --high"),
    (
        curve((2.3, 2.3, 2.3, 2.3, 2.3, 1.8, 1.3, 0.8, 0.3, 2.3, 5.0)),
        "the loss falls from the first rate on, so lower rates may do, too; lower --low from 1e-08",
    ),
]


@pytest.mark.parametrize(("given", "warning"), WARNINGS)
def test_a_curve_that_shows_too_little_is_warned_of(given, warning):
    assert ranged(given).warnings == (warning,)


def test_no_number_at_the_end_is_a_rise():
    found = ranged(curve(FALLING[:10], ending=NO_NUMBER))
    assert found.rises and not found.warnings
