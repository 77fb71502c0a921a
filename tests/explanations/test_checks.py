from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from neocog.explanations.attributions import Attribution
from neocog.explanations.checks import (
    Check,
    Curves,
    agreement,
    area,
    completeness,
    falling,
    randomisation,
    rank_correlation,
    redrawn,
    with_weights,
)
from neocog.explanations.network import Network
from neocog.explanations.questions import Question


def asked(weights: list[float], x: list[float]) -> Question:
    """A network of two classes on a row of pixels: the logit of class 0 is Σ w x, that of class 1 is 0."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(x), 2, bias=False))
    with torch.no_grad():
        model[1].weight[0], model[1].weight[1] = torch.tensor(weights), 0.0
    return Question.make(Network.of(model, (1, 1, len(x))), torch.tensor([[[x]]]), 0)


@pytest.mark.parametrize("seed", range(4))
def test_rank_correlation_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 5, (2, 7, 9))  # with many equal values
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert rank_correlation(first, np.exp(first)) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    assert rank_correlation(first, np.ones((7, 9))) == 0


@pytest.mark.parametrize(
    ("weights", "values", "passed", "error", "text"),
    [
        (
            [3.0, 1.0],
            [3.02, 1.0],
            True,
            0.005,
            "shares add up to 4.0200, the logit changes by 4.0000: 0.5 % apart",
        ),
        (
            [3.0, 1.0],
            [3.0, 1.08],
            False,
            0.02,
            "shares add up to 4.0800, the logit changes by 4.0000: 2 % apart",
        ),
        (
            [3.0, -3.0],
            [3.0, -2.97],
            False,
            5.0251,
            "shares add up to 0.0300, the logit changes by 0.0000: 5e+02 % apart, "
            "as a share of 0.006 because what speaks for and against cancels out",
        ),
        ([0.0, 0.0], [0.0, 0.0], False, 0.0, "the picture is its own baseline, so there is nothing to share out"),
    ],
)
def test_completeness(weights: list[float], values: list[float], passed: bool, error: float, text: str) -> None:
    check = completeness(asked(weights, [1.0, 1.0]), torch.tensor([[values]], dtype=torch.float64))
    assert (check.name, check.passed, check.bound, check.text) == ("completeness", passed, 0.01, text)
    assert check.value == pytest.approx(error, rel=1e-4)
    assert check.short == (
        text if "own baseline" in text else f"{100 * check.value:.2g} %, {'' if passed else 'not '}below 1 %"
    )


def test_curves_follow_the_order() -> None:
    question = asked([2.0, -1.0, 4.0, 0.0] * 8, [1.0] * 32)
    order = falling(np.array([2.0, -1, 4, 0] * 8))
    assert [int(each) % 4 for each in order] == [2] * 8 + [0] * 8 + [3] * 8 + [1] * 8
    assert sorted(order) == list(range(32))
    assert [int(each) for each in order[:8]] != [2 + 4 * row for row in range(8)]  # equal values: in a random order
    gone = np.cumsum([0] + [4] * 8 + [2] * 8 + [0] * 8 + [-1] * 8)
    curves = Curves(question)
    np.testing.assert_allclose(curves.of(order, inserting=False), 1 / (1 + np.exp(gone - 40.0)))
    np.testing.assert_allclose(curves.of(order, inserting=True), 1 / (1 + np.exp(-1.0 * gone)))
    assert area(np.array([1.0, 0.5, 0.0, 0.0])) == pytest.approx((0.75 + 0.25 + 0) / 3)


def test_a_map_must_beat_random_orders() -> None:
    weights = list(np.linspace(-1, 1, 32) + 0.1)
    question = asked(weights, [1.0] * 32)
    curves, map_HW = Curves(question), np.array([weights])
    (deletion, insertion), going, coming = curves.check(map_HW)
    assert (deletion.passed, insertion.passed) == (True, True)
    assert (deletion.value, insertion.value) == (pytest.approx(area(going)), pytest.approx(area(coming)))
    low, high = (curves.chance[inserting] for inserting in (False, True))
    assert len(low) == 10
    assert deletion.bound == pytest.approx(np.mean(low) - 2 * np.std(low, ddof=1))
    assert insertion.bound == pytest.approx(np.mean(high) + 2 * np.std(high, ddof=1))
    assert deletion.text == (
        f"mean probability {area(going):.3f} as pixels go by the map, {np.mean(low):.3f} ± {np.std(low, ddof=1):.3f} "
        f"in random order (n = 10 orders); below {deletion.bound:.3f} passes"
    )
    assert deletion.short == f"{area(going):.3f}, below {deletion.bound:.3f}"
    (deletion, insertion), _, _ = curves.check(-map_HW)
    assert (deletion.passed, insertion.passed) == (False, False)
    assert insertion.short == f"{insertion.value:.3f}, not above {insertion.bound:.3f}"


def test_a_win_that_hardly_moves_the_probability_does_not_count() -> None:
    faint = np.linspace(-1, 1, 32) / 1000
    (deletion, insertion), _, _ = Curves(asked(list(faint), [1.0] * 32)).check(faint[None])
    assert deletion.value < deletion.bound + 0.02
    assert insertion.value > insertion.bound - 0.02
    assert (deletion.passed, insertion.passed) == (False, False)


def deep() -> Question:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    x = torch.rand((1, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for each in (model[0], model[4]):
            each.reset_parameters()
    return Question.make(Network.of(model, (1, 8, 8)), x, 0)


def by_gradient(question: Question) -> np.ndarray:
    return question.gradients(question.x_1CHW)[1][0, 0].numpy()


def by_edges(question: Question) -> np.ndarray:
    """What a detector of edges says, whatever the network."""
    return np.gradient(question.x_1CHW[0, 0].numpy())[0]


def times_input(question: Question) -> np.ndarray:
    return np.abs(question.x_1CHW[0, 0].numpy()) * np.sign(by_gradient(question))


def test_a_map_that_is_of_any_network_fails_the_randomisation() -> None:
    question = deep()
    methods = {"gradient": by_gradient, "edges": by_edges, "times input": times_input}
    maps = {name: method(question) for name, method in methods.items()}
    found = randomisation(question, methods, maps)
    assert {name: check.passed for name, check in found.items()} == {
        "gradient": True,
        "edges": False,
        "times input": True,
    }
    assert found["edges"].text == (
        "likeness to maps of weights by chance |ρ| = 1.00 (n = 5 draws, 1.00 to 1.00); below 0.5 passes; "
        "the map shows the picture more than this network"
    )
    assert found["edges"].short == "1.000, not below 0.500"
    assert found["times input"].text.endswith(
        "magnitudes alone are alike at 0.97, so trust the signs and not the outline"
    )
    # By hand: the same network with all weights drawn anew five times, and on the way there a layer at a time.
    network, layers = question.network, ["4", "1", "0"]
    assert with_weights(network) == layers

    def likeness(names: list[str], number: int) -> float:
        other = Question.make(redrawn(network, names, number), question.x_1CHW, 0)
        return abs(float(spearmanr(maps["gradient"].ravel(), by_gradient(other).ravel()).statistic))

    assert found["gradient"].value == pytest.approx(np.mean([likeness(layers, number) for number in range(5)]))
    assert found["gradient"].stages == pytest.approx([likeness(layers[:count], 0) for count in (1, 2, 3)])


def test_weights_are_redrawn_in_a_copy() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.linspace(0, 10, 1000))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale.sum()

    model = nn.Sequential(Own(), nn.Flatten(), nn.Linear(4, 2))
    network = Network.of(model, (1, 2, 2))
    before = [each.detach().numpy().copy() for each in model.parameters()]
    copies = [redrawn(network, ["0", "2"], number) for number in (0, 0, 1)]
    assert all(np.array_equal(a, b.detach()) for a, b in zip(before, model.parameters(), strict=True))
    first, second, third = ([each.detach().numpy() for each in copy.model.parameters()] for copy in copies)
    for old, one, same, other in zip(before, first, second, third, strict=True):
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)
        assert not np.array_equal(one, old)
    assert first[0].std() == pytest.approx(before[0].std(), rel=0.1)
    assert abs(first[0].mean()) < 0.5
    top = [each.detach() for each in redrawn(network, ["2"], 0).model.parameters()]
    assert np.array_equal(top[0], before[0])
    assert not np.array_equal(top[1], before[1])


def test_a_network_that_cannot_be_copied_is_not_passed() -> None:
    question = deep()
    question.network.model.kept = torch.ones(1, requires_grad=True) * 2
    check = randomisation(question, {"edges": by_edges}, {"edges": by_edges(question)})["edges"]
    assert (check.passed, check.value, check.short) == (False, 1.0, "not tested")
    assert check.text.startswith(
        "not tested: the network can't be copied with other weights: RuntimeError: Only Tensors"
    )


def test_a_map_of_one_value_is_not_passed() -> None:
    question = deep()
    check = randomisation(question, {"flat": by_edges}, {"flat": np.zeros((8, 8))})["flat"]
    assert (check.passed, check.text, check.short) == (False, *["the map has one value everywhere"] * 2)
    # The order in which equal pixels go is that of these weights, and would pass.
    weights = 1 - 2 * np.argsort(falling(np.zeros(32))) / 31
    curves = Curves(asked(list(weights), [1.0] * 32))
    (deletion, insertion), going, coming = curves.check(np.ones((1, 32)))
    assert area(going) < curves.chance[False].mean() - 2 * curves.chance[False].std(ddof=1)
    assert area(coming) > curves.chance[True].mean() + 2 * curves.chance[True].std(ddof=1)
    assert (deletion.passed, insertion.passed) == (False, False)
    assert deletion.short == insertion.short == "the map has one value everywhere"


def test_agreement_is_the_mean_likeness_of_cells() -> None:
    random = np.random.default_rng(0)
    cells = random.normal(size=(2, 7, 7))
    fine = [each.repeat(2, axis=0).repeat(2, axis=1) + random.choice([-1e-9, 1e-9], (14, 14)) for each in cells]
    found = agreement({"a": fine[0], "b": 2 * fine[0] + 1, "c": fine[1]})
    other = spearmanr(cells[0].ravel(), cells[1].ravel()).statistic
    bound = 1.645 / 48**0.5
    assert [check.value for check in found.values()] == pytest.approx([(1 + other) / 2] * 2 + [other], abs=1e-6)
    assert [check.bound for check in found.values()] == pytest.approx([bound] * 3)
    assert [check.passed for check in found.values()] == [True, True, False]
    assert found["c"].text == (
        f"mean ρ = {other:.2f} with the other maps (a {other:.2f}, b {other:.2f}), by 49 cells; above 0.24 passes"
    ).replace("-", "−")
    assert agreement({"a": fine[0]}) == {}


def test_a_verdict_names_what_fails() -> None:
    good = Check("completeness", True, 0.004, 0.01, "")
    bad = Check("randomisation", False, 0.91, 0.5, "")
    worse = Check("agreement", False, -0.2, 0.24, "")

    def verdict(*checks: Check) -> str:
        return Attribution("occlusion", "Occlusion", 0, np.zeros((1, 2, 2), np.float32), "black", {}, checks).verdict

    assert verdict() == "not checked"
    assert verdict(good) == "passes its checks"
    assert verdict(good, bad) == "fails randomisation: 0.910, not below 0.500"
    assert verdict(bad, good, worse) == (
        "fails randomisation: 0.910, not below 0.500; agreement: −0.200, not above 0.240"
    )
    assert good.short == "0.4 %, below 1 %"
