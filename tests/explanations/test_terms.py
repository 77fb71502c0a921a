"""Each kind of module, number by number: against torch in float64, against torch in float32, and as Python."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, pi, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neocog.errors import ExplanationError
from neocog.explanations import methods
from neocog.explanations.arithmetic import Arithmetic, half_step, place_text
from neocog.explanations.fields import receptive_field
from neocog.explanations.network import Network
from neocog.explanations.questions import _is_affine
from neocog.explanations.terms import MIXING, RENAMING, SINGLE, entry
from neocog.layers import WORDS, parse
from neocog.layers.blocks import BLOCKS
from neocog.layers.modules import BranchesModule, ResidualModule, SameConv2d
from neocog.ops.module import Conv2d


def conv(*arguments: Any, **options: Any) -> nn.Module:
    return nn.Conv2d(*arguments, **options)


MIXERS = {
    "conv": (conv(2, 3, 3), (2, 5, 6)),
    "conv, not square, with strides": (conv(2, 4, (2, 3), stride=(2, 1), padding=(1, 2), bias=False), (2, 5, 4)),
    "conv in groups, dilated": (conv(4, 6, (3, 2), groups=2, dilation=(1, 2), padding=1), (4, 5, 5)),
    "conv, same": (conv(1, 2, 3, padding="same", dilation=2), (1, 6, 5)),
    "conv, same, even": (SameConv2d(2, 2, (4, 2), padding="same", dilation=(1, 3)), (2, 5, 6)),
    "conv, valid": (conv(1, 1, 3, padding="valid"), (1, 4, 4)),
    "conv, reflected": (conv(1, 2, (3, 2), padding=(2, 1), padding_mode="reflect"), (1, 4, 5)),
    "conv, replicated": (conv(1, 1, 3, padding=2, padding_mode="replicate"), (1, 3, 4)),
    "conv, circular": (conv(1, 1, 3, padding=1, padding_mode="circular", stride=2), (1, 4, 5)),
    "conv by im2col": (Conv2d(2, 2, 3, padding=1), (2, 4, 4)),
    "conv by fft": (Conv2d(2, 2, (3, 2), padding=1, method="fft"), (2, 4, 5)),
    "conv by winograd": (Conv2d(2, 2, 3, padding=1, method="winograd"), (2, 4, 5)),
    "conv by winograd-4x4": (Conv2d(2, 2, 3, padding=1, method="winograd-4x4"), (2, 5, 5)),
    "linear": (nn.Linear(7, 5), (7,)),
    "linear without bias": (nn.Linear(4, 3, bias=False), (4,)),
    "linear along the last axis": (nn.Linear(4, 3), (2, 3, 4)),
    "max": (nn.MaxPool2d(2), (2, 5, 4)),
    "max, padded": (nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 1)), (1, 5, 4)),
    "max, hanging over": (nn.MaxPool2d(3, stride=2, ceil_mode=True), (1, 6, 6)),
    "max, dilated": (nn.MaxPool2d(2, stride=1, dilation=2, padding=1), (1, 5, 5)),
    "mean": (nn.AvgPool2d(2), (2, 4, 5)),
    "mean, padding counted": (nn.AvgPool2d((3, 2), stride=2, padding=(1, 1)), (1, 5, 5)),
    "mean, padding not counted": (nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), (1, 5, 5)),
    "mean, hanging over": (nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (1, 6, 6)),
    "mean, hanging over, not counted": (nn.AvgPool2d(2, padding=1, ceil_mode=True, count_include_pad=False), (1, 4, 5)),
    "mean with a divisor": (nn.AvgPool2d(2, divisor_override=3), (1, 4, 4)),
    "global mean": (nn.AdaptiveAvgPool2d(1), (2, 4, 3)),
    "adaptive mean": (nn.AdaptiveAvgPool2d((2, None)), (1, 5, 3)),
    "global max": (nn.AdaptiveMaxPool2d(1), (2, 4, 3)),
    "adaptive max": (nn.AdaptiveMaxPool2d((3, 2)), (1, 5, 5)),
    "softmax": (nn.Softmax(dim=1), (6,)),
    "softmax over channels": (nn.Softmax(dim=-3), (4, 2, 2)),
    "group norm": (nn.GroupNorm(2, 4, eps=0.3), (4, 3, 2)),
    "group norm of a vector": (nn.GroupNorm(2, 6), (6,)),
    "group norm, bare": (nn.GroupNorm(3, 3, affine=False), (3, 2, 2)),
}
SINGLES = {
    "batch norm": (nn.BatchNorm2d(3, eps=0.4), (3, 2, 3)),
    "batch norm of a vector": (nn.BatchNorm1d(5), (5,)),
    "batch norm, bare": (nn.BatchNorm2d(2, affine=False), (2, 3, 2)),
    "relu": (nn.ReLU(), (40,)),
    "leaky relu": (nn.LeakyReLU(0.3), (40,)),
    "elu": (nn.ELU(), (40,)),
    "elu with alpha": (nn.ELU(1.7), (40,)),
    "sigmoid": (nn.Sigmoid(), (40,)),
    "tanh": (nn.Tanh(), (40,)),
    "gelu": (nn.GELU(), (40,)),
    "gelu by tanh": (nn.GELU(approximate="tanh"), (40,)),
    "silu": (nn.SiLU(), (40,)),
}


def random(module: nn.Module, shape: tuple[int, ...], spread: float = 1.0) -> Tensor:
    """Random parameters and statistics for a module in evaluation mode, and what it gets."""
    generator = torch.Generator().manual_seed(len(shape) + shape[0])
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
            if name.endswith("running_var"):
                tensor.abs_().add_(0.1)
    module.eval().requires_grad_(False)
    return torch.randn((1, *shape), generator=generator) * spread


def outputs(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """In float32, and what float64 makes of the same numbers."""
    y = module(x)
    exact = module.double()(x.double())
    module.float()
    return y, exact


def run(code: tuple[str, ...], before: float = 0.0) -> float:
    """What the lines of a step leave in `value`."""
    names: dict[str, Any] = {"value": before}
    exec("from math import *\n" + "\n".join(code), names)
    return float(names["value"])


def check(found: Arithmetic, y: float, exact: float, where: str) -> None:
    # torch's own float64 rounds as well, and its fft and winograd more than a sum does.
    assert found.value == pytest.approx(exact, rel=1e-11, abs=1e-12), where
    assert abs(found.value - y) <= found.rounding, where


def places(y: Tensor) -> Iterator[tuple[int, ...]]:
    return iter(np.ndindex(tuple(y.shape[1:])))


@pytest.mark.parametrize("name", MIXERS)
def test_a_layer_that_mixes(name: str) -> None:
    module, shape = MIXERS[name]
    x = random(module, shape)
    y, exact = outputs(module, x)
    for place in places(y):
        found = entry(module)(module, x, place)
        check(found, y[(0, *place)].item(), exact[(0, *place)].item(), f"{place}: {found}")
        assert run(found.code) == pytest.approx(found.value, rel=1e-14, abs=1e-15)
        for term in found.terms:
            assert term.input == (x[(0, *term.place)].item() if term.inside else 0.0 if "max" not in name else -np.inf)
        if found.terms[0].weight is not None:
            total = sum(term.product for term in found.terms) + (found.bias or 0.0)
            assert total == pytest.approx(found.value, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("name", SINGLES)
@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_a_layer_that_makes_one_of_one(name: str, spread: float) -> None:
    module, shape = SINGLES[name]
    x = random(module, shape, spread)
    y, exact = outputs(module, x)
    for place in places(y):
        given = x[(0, *place)].item()
        found = entry(module)(module, place, given, given, half_step(x.dtype))
        check(found, y[(0, *place)].item(), exact[(0, *place)].item(), f"{given}: {found}")
        assert run(found.code, given) == found.value
        near = entry(module)(module, place, given + 1e-3, given, half_step(x.dtype))
        assert abs(near.value - found.value) <= found.slope * 1e-3 * (1 + 1e-9)


def test_the_slopes_are_the_steepest_ones() -> None:
    steps = np.linspace(-8, 8, 1601)
    for module in (nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.ELU(1.7), nn.LeakyReLU(0.3)):
        found = [entry(module)(module, (0,), float(value), 0.0, 2.0**-24) for value in steps]
        steepest = max(abs(np.diff([each.value for each in found]))) / (steps[1] - steps[0])
        assert 0.98 * found[0].slope <= steepest <= found[0].slope * (1 + 1e-9)


def test_far_from_zero_nothing_overflows() -> None:
    x = torch.tensor([[-1000.0, -104.0, -88.8, -87.0, 88.8, 1000.0]])
    for module in (nn.Sigmoid(), nn.Tanh(), nn.ELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU()):
        for index, y in enumerate(module(x)[0].tolist()):
            given = x[0, index].item()
            found = entry(module)(module, (index,), given, given, 2.0**-24)
            assert abs(found.value - y) <= found.rounding
            assert run(found.code, given) == found.value
    module = nn.Softmax(dim=1)
    for index, y in enumerate(module(x)[0].tolist()):
        found = entry(module)(module, x, (index,))
        assert abs(found.value - y) <= found.rounding


@pytest.mark.parametrize("shift", [0.0, 30.0, 1000.0])
def test_group_normalisation_of_numbers_that_hardly_differ(shift: float) -> None:
    module = nn.GroupNorm(1, 2)
    x = random(module, (2, 9, 9)) * 0.01 + shift
    y, exact = outputs(module, x)
    worst = 0.0
    for place in [(0, 0, 0), (1, 8, 3), (0, 4, 4)]:
        found = entry(module)(module, x, place)
        assert found.value == pytest.approx(exact[(0, *place)].item(), rel=1e-6)
        assert abs(found.value - y[(0, *place)].item()) <= found.rounding
        worst = max(worst, found.rounding)
    assert worst < 0.01 * (1 + 100 * shift)


# ------------------------------------------------------------------------------------------------------- worked by hand


def test_a_convolution_worked_by_hand() -> None:
    """3·2 + (−1)·0.5 + 0·4 (padding) + … at row 0, column 1, and the bias 10."""
    module = conv(1, 1, 2, padding=(1, 0))
    module.load_state_dict({"weight": torch.tensor([[[[7.0, 4.0], [2.0, 0.5]]]]), "bias": torch.tensor([10.0])})
    x = torch.tensor([[[[9.0, 3.0, -1.0]]]])
    found = entry(module)(module, x, (0, 0, 1))
    assert [(term.place, term.input, term.weight, term.product, term.inside) for term in found.terms] == [
        ((0, -1, 1), 0.0, 7.0, 0.0, False),
        ((0, -1, 2), 0.0, 4.0, 0.0, False),
        ((0, 0, 1), 3.0, 2.0, 6.0, True),
        ((0, 0, 2), -1.0, 0.5, -0.5, True),
    ]
    assert (found.value, found.rounding, found.bias) == (15.5, 0.0, 10.0)
    assert found.formula == "Σ input · weight over 4 products + 10 = 15.5"
    assert found.code == (
        "products = [",
        "    0*7, 0*4, 3*2, -1*0.5,",
        "]",
        "bias = 10",
        "value = fsum(products) + bias",
    )


def test_pools_worked_by_hand() -> None:
    """The lower right corner of a padded 3×3 map, and the largest of it."""
    x = torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]])
    mean = entry(nn.AvgPool2d(2, padding=1))(nn.AvgPool2d(2, padding=1), x, (0, 1, 1))
    assert (mean.value, mean.formula) == (7.0, "Σ of 4 values / 4 = 7")
    edge = entry(nn.AvgPool2d(2, padding=1))(nn.AvgPool2d(2, padding=1), x, (0, 0, 1))
    assert (edge.value, edge.formula) == (1.25, "Σ of 4 values / 4 = 1.25")
    largest = entry(nn.MaxPool2d(2, padding=1))(nn.MaxPool2d(2, padding=1), x, (0, 0, 1))
    assert [(term.input, term.mark) for term in largest.terms] == [
        (-np.inf, ""),
        (-np.inf, ""),
        (2.0, ""),
        (3.0, "the largest"),
    ]
    assert largest.formula == "the largest of 2 values, at channel 0, row 0, column 2 = 3"


def test_normalisations_worked_by_hand() -> None:
    batch = nn.BatchNorm1d(1, eps=0.75)
    batch.load_state_dict({**batch.state_dict(), "running_mean": torch.tensor([2.0]), "weight": torch.tensor([-3.0])})
    batch.running_var.fill_(3.25)
    found = entry(batch)(batch, (0,), 10.0, 10.0, 2.0**-24)
    assert (found.value, found.slope) == (-12.0, 1.5)  # (10 − 2)/√(3.25 + 0.75) · (−3) = 8/2 · (−3)
    assert found.formula == "(10 − 2) / √(3.25 + 0.75) · (−3) + 0 = −12"
    group = nn.GroupNorm(1, 2, eps=3.0)
    found = entry(group)(group, torch.tensor([[1.0, 3.0]]), (1,))
    assert found.value == 0.5  # mean 2, variance 1: (3 − 2)/√(1 + 3)
    assert found.formula == (
        "of the 2 values of channels 0 to 1, the mean is 2 and the variance 1: (3 − 2) / √(1 + 3) · 1 + 0 = 0.5"
    )


def test_functions_worked_by_hand() -> None:
    def at(module: nn.Module, value: float) -> float:
        return float(entry(module)(module, (0,), value, value, 2.0**-24).value)

    assert at(nn.Sigmoid(), 0.0) == 0.5
    assert at(nn.SiLU(), 1.0) == pytest.approx(1 / (1 + exp(-1)))
    assert at(nn.ELU(2.0), -1.0) == pytest.approx(2 * (exp(-1) - 1))
    assert at(nn.GELU(), 1.0) == pytest.approx(0.8413447460685429)  # Φ(1)
    inner = sqrt(2 / pi) * (1 + 0.044715)
    assert at(nn.GELU("tanh"), 1.0) == pytest.approx(1 / (1 + exp(-2 * inner)))
    assert at(nn.LeakyReLU(0.25), -2.0) == -0.5
    softmax = nn.Softmax(dim=1)
    found = entry(softmax)(softmax, torch.tensor([[0.0, float(np.log(3.0))]]), (1,))
    assert found.value == pytest.approx(0.75, rel=1e-7)


# -------------------------------------------------------------------------------------------------- which have an entry


def test_every_word_of_the_language_has_an_entry() -> None:
    examples = {"conv": "conv 2 3", "maxpool": "maxpool 2", "avgpool": "avgpool 2", "groupnorm": "groupnorm 1"}
    vectors = {"linear": "linear 3", "softmax": "softmax"}
    for word in WORDS:
        text = BLOCKS[word].example if word in BLOCKS else {**examples, **vectors}.get(word, word)
        (placed,) = parse(text).place((8,) if word in vectors else (8, 6, 6))
        for module in placed.module().modules():
            known = entry(module) is not None or isinstance(module, ResidualModule | BranchesModule)
            assert known or type(module) is nn.Sequential, f"'{word}' is made of {type(module).__name__}"


def modules_of_the_language() -> Iterator[tuple[nn.Module, tuple[int, ...]]]:
    """The module that each word makes, with random numbers inside, and the shape that it takes."""
    examples = {"conv": "conv 2 3", "maxpool": "maxpool 2", "avgpool": "avgpool 2", "groupnorm": "groupnorm 1"}
    for word in {*WORDS} - {*BLOCKS}:
        shape = (8,) if word in ("linear", "softmax") else (2, 6, 6)
        text = {**examples, "linear": "linear 3"}.get(word, word)
        made = parse(text).place(shape)[0].module().modules()
        module = next(each for each in made if not list(each.children()))  # a Flatten may follow, a word of its own
        for each in module.state_dict().values():
            each.copy_(torch.rand(each.shape) + 0.5)
        yield module.eval(), shape


def test_each_layer_of_the_language_is_told_apart_in_every_list() -> None:
    """Whether a layer is affine, and whether it works on each value alone, by trying it out; the lists say the same."""
    torch.manual_seed(5)
    for module, shape in modules_of_the_language():
        one, other = torch.randn(2, 1, *shape)
        nothing = torch.zeros(1, *shape)
        both, apart = module(one + other) + module(nothing), module(one) + module(other)
        affine = bool((both - apart).abs().max() < 1e-4)
        assert _is_affine(module) == affine, f"questions._AFFINE, _NORMS: {module}"
        changed = one.clone()
        changed[..., 0] += 1  # one column of each of two channels, or one number
        before, after = module(one), module(changed)
        differs = (before != after).nonzero().shape[0] if before.shape == one.shape else None
        alone = differs is not None and differs <= (12 if len(shape) == 3 else 1)
        assert (type(module) in {*SINGLE, nn.Identity, nn.Dropout, nn.Dropout2d}) == alone, f"terms: {module}"
        if alone and len(shape) == 3:
            network = Network.of(nn.Sequential(module, nn.Flatten(), nn.Linear(72, 2)), shape)
            box = receptive_field(network, one, "0", (1, 2, 3)).box
            assert box == (2, 3, 1, 1), f"fields._ALONE: {module}"
    of_maps = {*SINGLE} - {nn.BatchNorm1d} | {nn.GroupNorm}
    assert of_maps <= {*methods._OF_THE_CONVOLUTION}


def test_each_entry_is_tested_here() -> None:
    tested = {type(module) for module, _ in (*MIXERS.values(), *SINGLES.values())}
    assert tested == {*MIXING, *SINGLE}
    assert {kind.__name__ for kind in RENAMING} == {"Identity", "Dropout", "Dropout2d", "Flatten"}


def test_a_forward_of_its_own_is_another_layer() -> None:
    class Halved(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) / 2

    class Named(nn.Linear):
        pass

    assert entry(Halved(2, 2)) is None
    assert entry(Named(2, 2)) is MIXING[nn.Linear]
    assert entry(nn.LayerNorm(3)) is None


def test_batch_norm_without_statistics_is_refused() -> None:
    module = nn.BatchNorm2d(2, track_running_stats=False)
    with pytest.raises(ExplanationError) as caught:
        entry(module)(module, (0, 0, 0), 1.0, 1.0, 2.0**-24)
    assert str(caught.value) == (
        "it has no running statistics (track_running_stats=False) and takes those of each batch, so a number depends "
        "on the other pictures; train it with track_running_stats=True"
    )


def test_softmax_over_pictures_is_refused() -> None:
    with pytest.raises(ExplanationError) as caught:
        entry(nn.Softmax(dim=0))(nn.Softmax(dim=0), torch.zeros(1, 3), (0,))
    assert str(caught.value) == "softmax over the pictures of a batch mixes pictures; give it dim=1"


def test_places_in_words() -> None:
    assert place_text((3,)) == "number 3"
    assert place_text((3, 0, 7)) == "channel 3, row 0, column 7"
    assert place_text((3, 7)) == "place 3, 7"
