"""render: comparisons of sides and of runs as whole texts."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import check_golden
from rich.cells import cell_len

from neocog.render.comparison import (
    comparison_markdown,
    comparison_text,
    run_comparison_markdown,
    run_comparison_text,
)
from neocog.statistics.comparison import METRICS, Difference, RunComparison, Side, compare_sides
from neocog.statistics.holm import holm
from neocog.statistics.many_runs import RunComparisons
from neocog.statistics.mcnemar import mcnemar

CONDITIONS = {
    "seeds": 10, "trained": 12, "kept": 8, "data": "mnist", "validation_pictures": 5000, "device": "cpu",
    "precision": "bf16", "threads": "1", "neocog": "0.1.0", "torch": "2.13.0",
    "saved": "runs/compare-model-a-model-b-1",
}  # fmt: skip
NOTE = (
    "model-a, model-b hold out no validation part of their own: dataset.validation = auto for all sides, which is a "
    "note that goes on and on"
)


def side(name, mean, *, seeds=10, parameters=28938, macs=2_838_080, test=True, failures=None):
    failures = failures or {}
    finished = [k for k in range(seeds) if k not in failures]
    unequal = ord(name[-1]) % 5
    values = {k: mean + ((7 * k) % 10 - 4.5 + unequal * (k % 3)) / 2000 for k in finished}
    measured = {k: value - 0.001 for k, value in values.items()} if test else {}
    return Side(name, values, measured, {k: 9.5 + k / 10 for k in values}, parameters, macs, failures)


def lines_fit(text):
    return all(cell_len(line) <= 100 for line in text.split("\n"))


def test_two_sides():
    found = compare_sides(
        [side("model-b", 0.936), side("model-a", 0.9704)], METRICS["accuracy"], conditions=CONDITIONS, notes=[NOTE]
    )
    assert lines_fit(comparison_text(found))
    check_golden("comparison-two.txt", comparison_text(found))
    check_golden("comparison-two.md", comparison_markdown(found))


def test_three_sides_with_failures_and_long_names():
    long = "model-a model.layers='co…ool 2' optimizer.lr=0.02"
    failures = {k: f"the loss became nan at step {k} of 3000 (optimizer.lr = 10)" for k in range(3, 10)}
    sides = [
        side("model-a", 0.0704, parameters=2 * 28938),
        side(long, 0.0704, macs=None, failures=failures),
        side("model-b", 0.0936, failures={2: "the run was taken away"}),
    ]
    found = compare_sides(sides, METRICS["loss"], conditions=CONDITIONS | {"kept": 0, "trained": 30})
    assert lines_fit(comparison_text(found))
    check_golden("comparison-three.txt", comparison_text(found))
    check_golden("comparison-three.md", comparison_markdown(found))


def test_how_surely_more_seeds_would_show_a_difference_is_said():
    def text(gap):
        values = {k: 0.97 + (-1) ** k * k / 1000 for k in range(4)}
        first = Side("a", dict.fromkeys(values, 0.97 + gap), {}, {}, 10)
        return comparison_text(compare_sides([first, Side("b", values, {}, {}, 10)], METRICS["accuracy"]))

    wins = "P: share of seeds in which A is better, with its 95 % interval (Wilson)"
    how = f"{wins}; would show: in 80 % of repetitions with so many seeds"
    assert "can't be told apart with 4 seeds; about" in text(0.001)
    assert how in " ".join(text(0.001).split())
    assert "which would have shown a difference of" in text(-0.0005)
    assert how in " ".join(text(-0.0005).split())
    assert f"{wins} a beats b" in " ".join(text(0.01).split())
    assert "would show" not in text(0.01)


@pytest.mark.parametrize("gap", [0.001, -0.0005, 0.01, 0.1])
@pytest.mark.parametrize("seeds", [1, 2, 4, 8, 12])
@pytest.mark.parametrize("names", ["ab", "abc"])
def test_no_line_is_wider_than_100_columns(gap, seeds, names):
    values = {k: 0.87 + (-1) ** k * k / 1000 for k in range(seeds)}
    level = dict.fromkeys(values, 0.87 + gap)
    sides = [Side(name, level if name == "a" else values, {}, {}, 10) for name in names]
    facts = CONDITIONS | {"validation_pictures": 7}
    assert lines_fit(comparison_text(compare_sides(sides, METRICS["accuracy"], conditions=facts)))


def test_few_validation_pictures_are_noted():
    def text(count):
        sides = [side("model-b", 0.936), side("model-a", 0.9704)]
        facts = CONDITIONS | {"validation_pictures": count}
        return comparison_text(compare_sides(sides, METRICS["accuracy"], conditions=facts, notes=[NOTE]))

    noted = "\nnote: 7 validation pictures: one is 14.29 points; --set dataset.validation=0.3 holds out more\n"
    assert noted in text(7)
    assert "\nnote: 99 validation pictures: one is 1.01 points;" in text(99)
    assert "holds out more" not in text(100)
    assert "\nnote: 1 validation picture: one is 100.00 points;" in text(1)


def test_one_seed_has_no_intervals():
    found = compare_sides(
        [side("model-b", 0.936, seeds=1, test=False), side("model-a", 0.9704, seeds=1, test=False)],
        METRICS["macro_f1"],
        conditions=CONDITIONS | {"seeds": 1, "trained": 2, "kept": 0, "device": "cuda"},
    )
    assert "±" not in comparison_text(found).replace(" ± sd", "")
    check_golden("comparison-one-seed.txt", comparison_text(found))


def test_a_side_that_never_finished_is_shown():
    failed = side("broken", 0.5, failures=dict.fromkeys(range(10), "out of memory"))
    text = comparison_text(compare_sides([failed, side("a", 0.9), side("b", 0.8)], METRICS["accuracy"]))
    row = next(line for line in text.split("\n") if line.startswith("broken"))
    assert row.split() == ["broken", "—", "0", "28,938", "2,838,080", "?"]
    assert text.count("failed: broken, seed") == 3
    assert "failed: broken, 7 more seeds, which comparison.json names" in text


def runs(first, second, names, count):
    differ = tuple(Difference(k, f"mnist/test/{k}", "4", "4", "9", 0.75, 0.99 - k / 100) for k in range(count))
    return RunComparison(*names, "test", mcnemar(first, second), differ)


def test_two_runs():
    first, second = np.arange(1000) >= 20, np.arange(1000) % 17 > 0
    found = runs(first, second, ("fast-mnist-1", "model-a-mnist-1"), 23)
    assert lines_fit(run_comparison_text(found))
    check_golden("runs-two.txt", run_comparison_text(found))
    check_golden("runs-two.md", run_comparison_markdown(found))


@pytest.mark.parametrize(
    ("count", "heading"),
    [
        (0, ""),
        (20, "the pictures on which one is right and the other wrong, the most certain mistake first:"),
        (21, "20 of the 21 pictures on which one is right and the other wrong, the most certain mistakes first; 1"),
    ],
)
def test_how_many_pictures_are_left_out_is_said(count, heading):
    found = runs([True] * 30, [False] * count + [True] * (30 - count), ("a", "b"), count)
    text = run_comparison_text(found)
    assert text.count("mnist/test/") == min(count, 20)
    assert [line for line in text.split("\n") if "mistake" in line] == ([heading] if heading else [])


def test_runs_with_long_names():
    names = [f"runs/seeds/model-a-{'abcdef'[k] * 8}/0" for k in range(3)]
    rights = [np.arange(1000) >= 20 * k for k in range(3)]
    pairs = tuple(runs(rights[i], rights[j], (names[i], names[j]), 3) for i, j in ((0, 1), (0, 2), (1, 2)))
    check_golden("runs-long-names.txt", run_comparison_text(pairs[0]))
    for found in (*pairs, RunComparisons(pairs, (0.5, 0.25, 0.125))):
        assert lines_fit(run_comparison_text(found))
    assert run_comparison_markdown(pairs[2]).startswith(f"# {names[1]} and {names[2]}\n")


def test_three_runs():
    rights = [np.arange(1000) >= 20, np.arange(1000) % 17 > 0, np.arange(1000) >= 22]
    names = ["fast-mnist-1", "model-a-mnist-1", "small-mnist-1"]
    pairs = tuple(runs(rights[i], rights[j], (names[i], names[j]), 3) for i, j in ((0, 1), (0, 2), (1, 2)))
    found = RunComparisons(pairs, holm([pair.test.p for pair in pairs]))
    assert lines_fit(run_comparison_text(found))
    check_golden("runs-three.txt", run_comparison_text(found))
    check_golden("runs-three.md", run_comparison_markdown(found))
    assert found.as_dict()["pairs"][1]["p_adjusted"] == found.p_adjusted[1]
    alike = RunComparisons((pairs[1],) * 3, (1.0,) * 3)
    assert str(alike) == "none of these networks can be told apart (Holm over 3 pairs, n = 1,000 pictures)"
