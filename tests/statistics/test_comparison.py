"""Comparing sides: Holm's published example, verdicts word for word, and what travels beside them."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocog.errors import DataError
from neocog.statistics.comparison import METRICS, Difference, RunComparison, Side, compare_sides
from neocog.statistics.cost import Cost
from neocog.statistics.holm import holm
from neocog.statistics.mcnemar import McNemar
from neocog.statistics.paired import paired_difference
from neocog.statistics.power import seeds_needed, smallest_difference

ACCURACY, LOSS = METRICS["accuracy"], METRICS["loss"]
BASE = [0.9704, 0.9698, 0.9721, 0.9711, 0.9689, 0.9716, 0.9702, 0.9708, 0.9695, 0.9713]
WIGGLE = [0.0011, -0.0024, 0.0005, 0.0018, -0.0009, -0.0013, 0.0022, -0.0004, -0.0017, 0.0012]


def above(gap, wiggle=1.0):
    return [value + gap + wiggle * extra for value, extra in zip(BASE, WIGGLE, strict=True)]


def compared(metric=ACCURACY, **values):
    sides = [
        Side(name.replace("_", "-"), dict(given) if isinstance(given, dict) else dict(enumerate(given)), {}, {}, 1000)
        for name, given in values.items()
    ]
    return compare_sides(sides, metric)


def verdict(metric=ACCURACY, **values):
    return compared(metric, **values).verdict


def test_holm_by_hand():
    # The example of Wikipedia's article on Holm's method: sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 gives
    # 0.02, 0.03, 0.06, 0.04, and none may be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([0.03]) == (0.03,)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_holm_claims_what_its_steps_reject(p_values, alpha):
    # Step by step, as the paper has it: the smallest against α/m, the next against α/(m − 1), until one fails.
    rejected = set()
    for step, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        if p_values[place] * (len(p_values) - step) > alpha:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(holm(p_values)) if p <= alpha} == rejected


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan])
def test_holm_refuses_what_is_no_probability(p):
    with pytest.raises(DataError) as caught:
        holm([0.5, p])
    assert str(caught.value) == f"{p:g} is no p value; it must be from 0 to 1"


def test_beats():
    # Differences 3, 4, 5 points: mean 4, sd 1, half width 4.302653/√3 = 2.48.
    assert verdict(model_a=[0.97, 0.98, 0.99], model_b=[0.94, 0.94, 0.94]) == (
        "model-a beats model-b by 4.00 ± 2.48 points (n = 3, P = 1.00)"
    )
    assert verdict(model_b=[0.94, 0.94, 0.94], model_a=[0.97, 0.98, 0.99]) == (
        "model-a beats model-b by 4.00 ± 2.48 points (n = 3, P = 1.00)"
    )


def test_a_lower_loss_is_better():
    got = compared(LOSS, wide=[0.0512, 0.0533, 0.0521], narrow=[0.0635, 0.0655, 0.0645])
    # Differences −0.0123, −0.0122, −0.0124: mean −0.0123, sd 0.0001, half width 0.0001 · 2.484.
    assert got.verdict == "wide beats narrow by 0.0123 ± 0.0002 nats (n = 3, P = 1.00)"
    (pair,) = got.pairs
    assert (pair.first, pair.second, pair.beats, pair.wins.share) == ("wide", "narrow", True, 1.0)
    assert pair.difference.mean == pytest.approx(-0.0123)
    assert [side.name for side in got.ordered] == ["wide", "narrow"]
    turned = compared(LOSS, narrow=[0.0635, 0.0655, 0.0645], wide=[0.0512, 0.0533, 0.0521])
    assert (turned.verdict, turned.pairs) == (got.verdict, got.pairs)


def test_a_narrow_interval_gets_the_digits_it_needs():
    assert verdict(a=above(0.0312, 0.002), b=BASE) == "a beats b by 3.1200 ± 0.0002 points (n = 10, P = 1.00)"
    assert ACCURACY.text(0.00001) == "0.001 points"
    assert ACCURACY.text(0.0) == "0.00 points"
    assert ACCURACY.text(-0.00001, 0.003) == "0.00 ± 0.30 points"
    assert LOSS.text(-0.01234, 0.00004) == "−0.01234 ± 0.00004 nats"


def test_cannot_be_told_apart_yet():
    got = compared(model_a=above(0.0006), model_b=BASE)
    found = got.pairs[0].difference
    needed = seeds_needed(found.mean, found.sd)
    assert 50 < needed <= 60
    assert got.verdict == (
        f"model-a and model-b can't be told apart with 10 seeds; about {needed} would show a difference of 0.06 points"
    )


def test_many_seeds_are_rounded_up_to_two_digits():
    got = compared(a=above(0.0003), b=BASE)
    found = got.pairs[0].difference
    assert 200 < seeds_needed(found.mean, found.sd) <= 210
    assert got.verdict == (
        "a and b can't be told apart with 10 seeds; about 210 would show a difference of 0.03 points"
    )


def test_cannot_be_told_apart_within_reason():
    got = compared(a=above(0.00003), b=BASE)
    shown = smallest_difference(10, got.pairs[0].difference.sd)
    assert seeds_needed(got.pairs[0].difference.mean, got.pairs[0].difference.sd) > 1000
    assert got.verdict == (
        f"a and b can't be told apart with 10 seeds, which would have shown a difference of {100 * shown:.2f} points"
    )
    # A mean difference of 0 that isn't the same numbers.
    assert verdict(a=[0.5, 0.75], b=[0.75, 0.5]) == (
        "a and b can't be told apart with 2 seeds, too few to show any difference"
    )


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=14))
def test_the_seeds_at_hand_are_never_called_enough(differences):
    got = compared(a=differences, b=[0] * len(differences))
    assert got.pairs[0].beats or all(
        int(count.replace(",", "")) > len(differences) for count in re.findall("about ([0-9,]+)", got.verdict)
    )


def test_equal_differences():
    assert verdict(a=[0.9, 0.8, 0.7], b=[0.8, 0.7, 0.6]) == (
        "a and b can't be told apart with 3 seeds; about 6 would show a difference of 10.00 points"
    )
    first = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    assert verdict(a=first, b=[value - 0.1 for value in first]) == "a beats b by 10.00 points (n = 6, P = 1.00)"


def test_the_same_numbers():
    got = compared(a=BASE, b=BASE)
    assert got.verdict == "a and b gave the same numbers with 10 seeds"
    assert (got.pairs[0].wins.share, got.pairs[0].beats, got.pairs[0].same) == (0.5, False, True)
    assert verdict(a=[0.9], b=[0.9]) == "a and b gave the same numbers with one seed"
    assert verdict(a=BASE, b=BASE, c=BASE) == "a, b and c gave the same numbers with 10 seeds"
    assert verdict(LOSS, a=BASE, b=BASE, c=BASE[:3]) == "a, b and c gave the same numbers with 3 to 10 seeds"
    assert verdict(a=[0.9], b=[0.9], c=[0.9]) == "a, b and c gave the same numbers with one seed"
    assert verdict(a=[0.9], b=[0.9], c=[0.8]) == (
        "a comes first, but can't be told apart from c, and gave the same numbers as b (n = 1)"
    )


def test_one_seed():
    got = compared(model_b=[0.9359], model_a=[0.9704])
    assert got.verdict == "model-a is ahead of model-b by 3.45 points, but with one seed no interval can be given"
    (pair,) = got.pairs
    assert (pair.p_adjusted, pair.beats, pair.difference.half_width) == (None, False, None)
    assert verdict(LOSS, a=[0.5], b=[0.4]) == (
        "b is ahead of a by 0.1000 nats, but with one seed no interval can be given"
    )
    assert verdict(a=[0.3], b=[0.1], c=[0.2]) == "a comes first, but with one seed no interval can be given"


def test_pairs_use_the_seeds_that_both_sides_finished():
    whole, part = dict(enumerate(BASE)), {seed: BASE[seed] - 0.03 + WIGGLE[seed] for seed in (0, 2, 3, 7)}
    got = compared(a=whole, b=part)
    assert got.pairs[0].seeds == (0, 2, 3, 7)
    assert got.pairs[0].difference == paired_difference([whole[seed] for seed in part], list(part.values()))
    assert got.verdict == "a beats b by 2.93 ± 0.15 points (n = 4, P = 1.00)"


def test_nothing_to_compare():
    assert verdict(a=[], b=[0.9]) == "a finished no seed, so nothing can be compared"
    assert verdict(a=[], b=[]) == "a and b finished no seed, so nothing can be compared"
    assert verdict(a={1: 0.9}, b={2: 0.9}) == "a and b finished no seed in common, so nothing can be compared"
    assert verdict(a=[], b=[], c=[]) == "no side finished a seed, so nothing can be compared"
    assert verdict(a=[0.1], b=[], c=[]) == "a comes first, but shares no finished seed with b or c"


def test_a_side_that_wins_where_it_finishes_is_not_praised_without_its_failures():
    sides = [
        Side(
            "bold", {2: 0.97, 5: 0.98, 6: 0.99}, {}, {}, 1, failures=dict.fromkeys((0, 1, 3, 4), "the loss became nan")
        ),
        Side("calm", dict.fromkeys(range(7), 0.94), {}, {}, 1),
        Side("none", {}, {}, {}, 1, failures=dict.fromkeys(range(7), "the loss became nan")),
    ]
    said = "bold beats calm by 4.00 ± 2.48 points (n = 3, P = 1.00); bold failed with 4 of 7 seeds"
    assert compare_sides(sides[:2], ACCURACY).verdict == said
    assert compare_sides(sides, ACCURACY).verdict == (
        "bold comes first: it beats calm, and shares no finished seed with none (n = 3); bold failed with 4 of 7 seeds"
    )
    assert compare_sides(sides[1:], ACCURACY).verdict == "none finished no seed, so nothing can be compared"


def test_more_than_two_sides():
    got = compared(b=above(-0.03), a=above(0.0002), c=above(-0.02, 0.5), d=BASE)
    assert got.verdict == (
        "a comes first: it beats c and b, and can't be told apart from d (n = 10, Holm over 6 pairs)"
    )
    assert got.correction == "Holm over 6 pairs"
    assert [side.name for side in got.ordered] == ["a", "d", "c", "b"]
    assert [pair.p_adjusted for pair in got.pairs] == pytest.approx(holm([pair.difference.p for pair in got.pairs]))
    assert got.pair("d", "a") is got.pair("a", "d")
    assert (got.pair("d", "a").first, got.pair("d", "a").beats) == ("a", False)


def test_first_and_beats_nobody():
    assert verdict(a=BASE, b=above(-0.0001), c=above(-0.0002, 1.5), d=BASE) == (
        "a comes first, but can't be told apart from b or c, and gave the same numbers as d (n = 10, Holm over 6 pairs)"
    )


def test_holm_takes_back_a_claim_that_two_sides_alone_would_allow():
    alone = compared(a=above(0.0013), b=BASE)
    assert 0.01 < alone.pairs[0].difference.p <= 0.05
    assert alone.pairs[0].beats
    among = compared(a=above(0.0013), b=BASE, c=above(0.0012, -1), d=above(0.0011, 0.7))
    pair = among.pair("a", "b")
    assert pair.difference == alone.pairs[0].difference
    assert not pair.beats


def test_first_by_its_mean_but_beaten_where_both_have_seeds():
    easy, hard = {0: 0.99, 1: 0.98, 2: 0.90, 3: 0.905, 4: 0.91}, {2: 0.92, 3: 0.926, 4: 0.93}
    assert verdict(a=easy, b=hard, c={0: 0.5, 1: 0.51}) == (
        "a comes first: it beats c, and is beaten over the seeds they share by b (n = 2 to 3, Holm over 2 pairs)"
    )


def test_cost_beside_gain():
    sides = [
        Side("wide", {0: 0.9, 1: 0.8}, {}, {0: 20.0, 1: 22.0, 2: 99.0}, 2100, 3020),
        Side("narrow", {0: 0.8, 1: 0.8}, {}, {0: 15.0, 1: 15.0}, 1000, 1000),
        Side("other", {0: 0.8, 1: 0.8}, {}, {}, 1000, None),
    ]
    got = compare_sides(sides, ACCURACY)
    assert got.cost("wide", "narrow") == Cost("wide", "narrow", 2.1, 3.02, 1.4)
    assert got.cost("wide", "narrow").text == (
        "wide has 2.1 × the parameters and 3.0 × the multiply-adds of narrow, and took 1.4 × the seconds"
    )
    assert got.cost("narrow", "other").text == "narrow has as many parameters as other"
    assert Cost("a", "b", None, None, 0.5).text == "a took 0.50 × the seconds of b"
    assert Cost("a", "b", None, None, None).text is None
    assert str(Cost("a", "b", None, None, None)) == "what a costs beside b isn't known"


def test_trainings_of_under_a_second_have_no_ratio_of_seconds():
    def cost(ours, theirs):
        sides = [
            Side(name, {0: 0.9, 1: 0.8}, {}, dict(enumerate(seconds)), 10)
            for name, seconds in (("a", ours), ("b", theirs))
        ]
        return compare_sides(sides, ACCURACY).cost("a", "b")

    assert cost((0.4, 0.6), (0.9, 1.05)).seconds is None
    assert cost((4, 6), (0.9, 1.05)).seconds is None
    assert cost((0.8, 1.2), (2, 2)).seconds == 0.5
    assert cost((0.4, 0.6), (0.5, 0.5)).text == "a has as many parameters as b"


def test_everything_as_plain_values():
    sides = [
        Side("a", {1: 0.97, 0: 0.98}, {0: 0.975}, {0: 3.5, 1: 4.5}, 1000, 5000, {2: "the loss became nan"}),
        Side("b", {0: 0.90, 1: 0.91, 2: 0.92}, {}, {}, 500),
    ]
    got = compare_sides(sides, ACCURACY, conditions={"data": "mnist", "threads": 1}, notes=["kept 2 of 5"])
    plain = json.loads(json.dumps(got.as_dict()))
    assert plain["verdict"] == got.verdict == str(got)
    assert (plain["confidence"], plain["correction"]) == (0.95, None)
    assert (plain["conditions"], plain["notes"]) == ({"data": "mnist", "threads": 1}, ["kept 2 of 5"])
    assert plain["metric"]["title"] == "validation accuracy"
    first, second = plain["sides"]
    assert first["values"] == {"0": 0.98, "1": 0.97}
    assert (first["failures"], first["parameters"], first["macs"]) == ({"2": "the loss became nan"}, 1000, 5000)
    assert (first["over_seeds"]["mean"], first["over_seeds"]["method"]) == (0.975, "Student's t")
    assert (first["test_over_seeds"]["n"], second["test_over_seeds"]) == (1, None)
    (pair,) = plain["pairs"]
    assert pair["difference"]["method"] == "Student's paired t"
    assert pair["difference"]["high"] == pytest.approx(pair["difference"]["mean"] + pair["difference"]["half_width"])
    assert (pair["seeds"], pair["wins"]["method"]) == ([0, 1], "Wilson, a tie counts half")
    assert pair["cost"] == {"first": "a", "second": "b", "parameters": 2.0, "macs": None, "seconds": None}


@pytest.mark.parametrize(
    ("names", "values", "complaint"),
    [
        (["a"], [0.5], "a comparison of 1 can't be made; give two or more sides"),
        (["a", "b", "a"], [0.5], "two sides are called 'a'; give each a name of its own"),
        (["a", "b"], [0.5, math.nan], "the validation accuracy of a with seed 1 is nan; it must be finite"),
    ],
)
def test_what_cannot_be_compared(names, values, complaint):
    with pytest.raises(DataError) as caught:
        compare_sides([Side(name, dict(enumerate(values)), {}, {}, 1) for name in names], ACCURACY)
    assert str(caught.value) == complaint


def runs(**changes):
    found = {"n": 10_000, "both_right": 9600, "only_first": 30, "only_second": 70, "both_wrong": 300}
    found |= {"p": 0.00008, "difference": -0.004, "low": -0.0061, "high": -0.002} | changes
    return RunComparison("runs/a", "runs/b", "test", McNemar(**found), ())


SCOPE = "; this speaks of these two networks, not of their recipes"


def test_two_runs():
    assert runs().verdict == (
        "runs/b beats runs/a by 0.40 points on 10,000 test pictures"
        " (95 % interval 0.20 to 0.61; p < 0.0001, McNemar's exact test)" + SCOPE
    )
    assert runs(p=0.0123, difference=0.004, low=0.002, high=0.0061).verdict == (
        "runs/a beats runs/b by 0.40 points on 10,000 test pictures"
        " (95 % interval 0.20 to 0.61; p = 0.012, McNemar's exact test)" + SCOPE
    )


def test_two_runs_that_cannot_be_told_apart():
    close = runs(only_first=40, only_second=44, p=0.743, difference=-0.0004, low=-0.0022, high=0.0014)
    assert close.verdict == (
        "runs/a and runs/b can't be told apart on 10,000 test pictures: "
        "40 are right in runs/a alone, 44 in runs/b alone (p = 0.74, McNemar's exact test)" + SCOPE
    )
    same = runs(only_first=0, only_second=0, p=1.0, difference=0.0)
    assert same.verdict == "runs/a and runs/b are right on the same 9,600 of 10,000 test pictures" + SCOPE


def test_two_runs_as_plain_values():
    differ = Difference(7, "7.png", "cat", "cat", "dog", 0.9, 0.6)
    got = RunComparison("a", "b", "validation", runs().test, (differ,))
    plain = json.loads(json.dumps(got.as_dict()))
    assert plain["verdict"] == str(got)
    assert plain["differ"] == [
        {"index": 7, "name": "7.png", "true": "cat", "first": "cat", "second": "dog"}
        | {"first_probability": 0.9, "second_probability": 0.6}
    ]
    assert (plain["test"]["only_second"], plain["test"]["interval_method"]) == (70, "Tango, score")
