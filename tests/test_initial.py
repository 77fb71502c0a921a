"""model.init: first weights with the variances of their papers, from the seed, for texts and code alike."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import neocog
from conftest import STEPS, TINY
from neocog.errors import RecipeError
from neocog.initial import set_first_weights
from neocog.networks import build
from neocog.randomness import torch_stream
from neocog.recipe import Recipe

# Over 16 channels 64 kernels of 5×5, once in 4 groups; 600 numbers to 100.
LAYERS = {
    "convolution": (lambda: nn.Conv2d(16, 64, 5), 16 * 25, 64 * 25),
    "grouped": (lambda: nn.Conv2d(16, 64, 5, groups=4), 4 * 25, 16 * 25),
    "oblong": (lambda: nn.Conv2d(16, 64, (3, 7)), 16 * 21, 64 * 21),
    "linear": (lambda: nn.Linear(600, 100), 600, 100),
}
VARIANCES = {
    "kaiming": lambda fan_in, fan_out: 2 / fan_in,
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "normal": lambda fan_in, fan_out: 0.01**2,
}
TEXT = "conv 8 5 same | batchnorm | relu | maxpool 2 | residual( conv 8 3 same ) | flatten | linear classes"


def weights(init: str, seed: int = 0, layers: str = TEXT) -> dict[str, torch.Tensor]:
    recipe = Recipe.load("fast", {"model.layers": layers, "model.init": init, "train.seed": seed})
    return build(recipe, (1, 12, 12), 3, None).state_dict()


@pytest.mark.parametrize("init", VARIANCES)
@pytest.mark.parametrize("kind", LAYERS)
def test_the_variances_are_the_papers_and_biases_are_zero(init, kind):
    make, fan_in, fan_out = LAYERS[kind]
    layer = make()
    set_first_weights(layer, init, seed=1)
    values = layer.weight.detach().double().flatten().numpy()
    # The variance of n numbers has a deviation of √(2/n) or less of itself; these are 6,400 and more, so 8 % is 4.5.
    assert values.var() == pytest.approx(VARIANCES[init](fan_in, fan_out), rel=0.08)
    assert abs(values.mean()) < 4.5 * values.std() / len(values) ** 0.5
    assert not layer.bias.any()
    kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
    assert kurtosis == pytest.approx(9 / 5 if init == "xavier" else 3, abs=0.3), "1.8 is uniform, 3 is normal"


@pytest.mark.parametrize(
    ("init", "torchs"),
    [
        ("kaiming", lambda weight, random: nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=random)),
        ("xavier", lambda weight, random: nn.init.xavier_uniform_(weight, generator=random)),
        ("normal", lambda weight, random: nn.init.normal_(weight, 0, 0.01, generator=random)),
    ],
)
def test_from_the_same_stream_torch_draws_the_same(init, torchs):
    network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Conv1d(8, 4, 3, bias=False), nn.Linear(4, 2))
    set_first_weights(network, init, seed=7)
    random = torch_stream(7, "init")
    for layer in network:
        torch.testing.assert_close(
            layer.weight.detach(), torchs(torch.empty_like(layer.weight), random), rtol=1e-6, atol=0
        )


def test_the_weights_depend_on_the_seed_alone_and_norms_stay():
    first, again, other = weights("xavier"), weights("xavier"), weights("xavier", seed=1)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    for name in ("0.weight", "4.body.0.weight", "6.weight"):
        assert not torch.equal(first[name], other[name]), name
    assert torch.equal(first["1.weight"], torch.ones(8))
    assert not first["1.bias"].any()
    assert not first["4.body.0.bias"].any()


def test_torch_leaves_torchs_own_weights():
    before = torch.random.get_rng_state()
    plain = weights("torch")
    weights("kaiming")
    assert torch.equal(before, torch.random.get_rng_state()), "nobody else's random numbers are used up"
    torch.testing.assert_close(plain, weights("torch"), rtol=0, atol=0)
    assert plain["0.bias"].any(), "where torch draws biases, too"
    assert float(plain["0.weight"].abs().max()) <= (1 / 25) ** 0.5, "uniform in ±1/√fan_in"


def code(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Flatten(), nn.LazyLinear(classes))


def test_code_gets_the_same_first_weights_as_a_text():
    recipe = Recipe.load("fast", {"model.layers": "conv 4 3 | flatten | linear classes", "model.init": "kaiming"})
    written = build(recipe, (1, 6, 6), 3, None)
    coded = build(recipe.changed({"model.factory": "mine:code"}), (1, 6, 6), 3, code)
    torch.testing.assert_close(dict(coded.state_dict()), dict(written.state_dict()), rtol=0, atol=0)


def test_a_run_trains_from_them_and_keeps_the_key(arrays):
    changes = {
        **STEPS,
        "model.layers": TINY,
        "optimizer.lr": 1e-12,
        "model.init": "normal",
        "model.convolution": "im2col",
    }
    run = neocog.train("fast", data=arrays, run="run", set=changes)
    assert run.recipe.model.init == "normal"
    kernels = run.directory.read_weights()["0.weight"]
    want = 0.01 * torch.randn(4, 1, 3, 3, generator=torch_stream(0, "init"))
    torch.testing.assert_close(kernels, want, rtol=0, atol=1e-6)


def message(make, *arguments: object) -> str:
    with pytest.raises(RecipeError) as caught:
        make(*arguments)
    return str(caught.value)


def test_refusals():
    assert message(Recipe.load, "fast", {"model.init": "kaimin"}) == (
        "recipe 'fast': model.init: unknown value 'kaimin'; did you mean 'kaiming'? "
        "Known: kaiming, normal, torch, xavier"
    )
    assert message(set_first_weights, nn.BatchNorm2d(3), "xavier", 0) == (
        "model.init = 'xavier' but the network has no convolution and no linear layer; leave it out"
    )
    derived = nn.Sequential(nn.Flatten(), parametrizations.weight_norm(nn.Linear(4, 2)))
    assert message(set_first_weights, derived, "kaiming", 0) == (
        "model.init = 'kaiming': module '1' computes its weight from something else; leave model.init out"
    )
