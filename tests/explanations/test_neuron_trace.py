"""Any number of any layer: the chain that is printed gives what the network gives, for texts and for plain modules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from html_checks import check_fragment
from neocog.errors import ExplanationError, LayerError
from neocog.explanations import mixing, single
from neocog.explanations.arithmetic import affine_rounding
from neocog.explanations.network import Network
from neocog.explanations.trace import NeuronTrace, trace
from neocog.layers import WORDS, parse

AGAIN = "from no module, or one that was called again since, of which only the last call is kept"
PAIR = torch.tensor([[[[4.0, 1.0]]]])
ON_MAPS = [
    "conv {k} 3 same",
    "conv {k} 2 same dilation=2",
    "conv {k} 3x2 stride=2 padding=1 bias=no",
    "conv {c} 3 same groups=in",
    "maxpool 2",
    "maxpool 3 stride=2 padding=1 ceil=yes",
    "avgpool 2 ceil=yes",
    "avgpool 3 stride=1 padding=1",
    "batchnorm eps=0.01",
    "groupnorm {c}",
    "dropout2d 0.25",
    "relu",
    "leakyrelu 0.2",
    "gelu",
    "residual( conv {c} 3 same | batchnorm | relu ; batchnorm )",
    "residual( conv {c} 1 | silu )",
    "branches( conv {k} 1 ; conv 2 2 same | relu ; )",
    "branches( residual( branches( conv 1 1 ; elu ) ; conv {kk} 1 ) ; maxpool 3 stride=1 padding=1 )",
    "globalavgpool",
    "globalmaxpool",
    "flatten",
]
ON_VECTORS = [
    "linear {k}",
    "linear 7 bias=no",
    "batchnorm",
    "groupnorm 1",
    "silu",
    "elu",
    "sigmoid",
    "tanh",
    "dropout 0.3",
    "softmax",
    "residual( linear 5 | tanh ; linear 5 )",
    "branches( linear 3 ; relu ; )",
]


@st.composite
def drawn(draw: st.DrawFn) -> tuple[str, tuple[int, int, int], int]:
    """A text that ends in `linear classes`, the shape of a picture that it takes, and a seed."""
    start = draw(st.tuples(st.integers(1, 3), st.integers(3, 7), st.integers(3, 7)))
    shape: tuple[int, ...] = start
    texts: list[str] = []
    for _ in range(draw(st.integers(1, 6))):
        filters = draw(st.integers(1, 3))
        pattern = draw(st.sampled_from(ON_MAPS if len(shape) == 3 else ON_VECTORS))
        text = pattern.format(k=filters, kk=filters + 1, c=shape[0])
        if "groupnorm" in text and prod(shape) == int(text.split()[1]):
            continue  # torch refuses to normalise single numbers
        try:
            shape = parse(text).place(shape)[-1].output_shape
        except LayerError:
            continue
        texts.append(text)
    return " | ".join([*texts, "flatten", "linear classes"]), start, draw(st.integers(0, 2**16))


def filled(model: nn.Module, seed: int) -> torch.Generator:
    """Random weights and batch-norm statistics, none of them 0 or 1; the generator goes on."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 2 - 1)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.2)
    return generator


def printed(found: NeuronTrace) -> float:
    """What the trace prints as a program of its own."""
    got: list[float] = []
    exec(found.python(), {"print": got.append})
    (value,) = got
    return value


def hooked(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What each module gives, by hooks of our own."""
    kept: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: kept.update({name: out.detach().clone()}))
        for name, module in model.named_modules()
    ]
    model.eval()
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return kept


def check(network: Network, x: Tensor, generator: torch.Generator, several: int = 1) -> list[NeuronTrace]:
    """Of each layer some numbers at random: the hook's value is what the printed chain comes to, within its bound."""
    own, found = hooked(network.model, x), []
    largest = max(tensor.abs().max().item() for tensor in own.values())
    for layer in network.layers:
        for _ in range(several):
            place = tuple(int(torch.randint(size, (), generator=generator)) for size in layer.output_shape)
            traced = trace(network, x, layer.number, place)
            value = own[layer.name][(0, *place)].item()
            assert traced.network_value == value, f"{layer} at {place}"
            assert abs(printed(traced) - value) <= traced.rounding, traced.text()
            assert traced.agrees
            assert printed(traced) == pytest.approx(traced.value, rel=1e-12, abs=1e-13)
            assert traced.rounding < 1e-3 * (1 + largest)
            found.append(traced)
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(drawn())
def test_the_printed_numbers_give_the_networks_own(case: tuple[str, tuple[int, int, int], int]) -> None:
    text, shape, seed = case
    layers = parse(text)
    model = layers.build(shape, 4)
    generator = filled(model, seed)
    check(Network.of(model, shape, layers=layers), torch.randn((1, *shape), generator=generator), generator)


@pytest.mark.parametrize("patterns", [ON_MAPS, ON_VECTORS])
def test_each_word_by_itself(patterns: list[str]) -> None:
    for pattern in patterns:
        word = pattern.format(k=2, kk=3, c=2)
        text = [word, "flatten"] if patterns is ON_MAPS else ["flatten", word]
        layers = parse(" | ".join([*text, "linear classes"]))
        model = layers.build((2, 4, 5), 2)
        generator = filled(model, 7)
        network = Network.of(model, (2, 4, 5), layers=layers)
        check(network, torch.randn((1, 2, 4, 5), generator=generator), generator)
    assert {*WORDS} <= set(" ".join([*ON_MAPS, *ON_VECTORS]).replace("(", " ").split())


# ------------------------------------------------------------------------------------------------------- worked by hand


@pytest.fixture
def worked() -> Network:
    """Weights 2 and −1, bias 0.5; (x − 1)/√(3.75 + 0.25)·3 + 0.25; relu; weights 4 and 8."""
    layers = parse("conv 1 1x2 | batchnorm eps=0.25 | relu | flatten | linear classes bias=no")
    model = layers.build((1, 1, 3), 1)
    conv, norm, linear = model[0], model[1], model[4]
    conv.load_state_dict({"weight": torch.tensor([[[[2.0, -1.0]]]]), "bias": torch.tensor([0.5])})
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(3.75)
    norm.load_state_dict({**norm.state_dict(), "weight": torch.tensor([3.0]), "bias": torch.tensor([0.25])})
    linear.load_state_dict({"weight": torch.tensor([[4.0, 8.0]])})
    return Network.of(model, (1, 1, 3), layers=layers)


PICTURE = torch.tensor([[[[7.0, 3.0, 0.5]]]])


def test_a_chain_worked_by_hand(worked: Network) -> None:
    """3·2 − 0.5 + 0.5 = 6, (6 − 1)/2·3 + 0.25 = 7.75."""
    found = trace(worked, PICTURE, "3", (0, 0, 1))
    assert [step.formula for step in found.steps] == [
        "Σ input · weight over 2 products + 0.5 = 6",
        "(6 − 1) / √(3.75 + 0.25) · 3 + 0.25 = 7.75",
        "max(0, 7.75) = 7.75",
    ]
    assert [step.value for step in found.steps] == [6.0, 7.75, 7.75]
    assert found.steps[0].rounding == 0.0
    assert found.rounding == affine_rounding(6.0, 1.0, 1.5, 0.25, 2.0**-24)  # slope 1.5 of a bound of 0, and its own
    assert found.text() == (
        "layer 3 'relu', channel 0, row 0, column 1\n"
        "\n"
        "layer 1 'conv 1 1x2', channel 0, row 0, column 1:\n"
        "its numbers are the picture\n"
        "  channel  row  column  input   weight   product\n"
        "        0    0       1      3 ×      2 =       6\n"
        "        0    0       2    0.5 ×     −1 =    −0.5\n"
        "  products 5.5, bias 0.5\n"
        "  Σ input · weight over 2 products + 0.5 = 6\n"
        "  network 6\n"
        "\n"
        "layer 2 'batchnorm eps=0.25', channel 0, row 0, column 1:\n"
        "  (6 − 1) / √(3.75 + 0.25) · 3 + 0.25 = 7.75\n"
        "  network 7.75\n"
        "\n"
        "layer 3 'relu', channel 0, row 0, column 1:\n"
        "  max(0, 7.75) = 7.75\n"
        "  network 7.75\n"
        "\n"
        "ours     7.75\n"
        "network  7.75\n"
        "apart    0; rounding explains at most 5.1e-06"
    )
    assert found.python() == (
        "from math import fsum, sqrt\n"
        "\n"
        "# layer 1 'conv 1 1x2', channel 0, row 0, column 1\n"
        "products = [\n"
        "    3*2, 0.5*-1,\n"
        "]\n"
        "bias = 0.5\n"
        "value = fsum(products) + bias\n"
        "# layer 2 'batchnorm eps=0.25', channel 0, row 0, column 1\n"
        "value = (value - 1) / sqrt(3.75 + 0.25) * 3 + 0.25\n"
        "# layer 3 'relu', channel 0, row 0, column 1\n"
        "value = max(0.0, value)\n"
        "print(value)\n"
    )
    assert str(found) == found.text()
    assert repr(found) == "NeuronTrace(layer 3 'relu', channel 0, row 0, column 1: 7.75, 3 steps)"


def test_a_layer_that_mixes_needs_no_heading_of_its_own(worked: Network) -> None:
    """(7·2 − 3 + 0.5 − 1)/2·3 + 0.25 = 16, so 16·4 + 7.75·8 = 126."""
    assert trace(worked, PICTURE, "5", [0]).text().splitlines()[:6] == [
        "layer 5 'linear 1 bias=no', number 0",
        "its numbers are what layer 4 'flatten' gives",
        "  number  input   weight   product",
        "       0     16 ×      4 =      64",
        "       1   7.75 ×      8 =      62",
        "  Σ input · weight over 2 products = 126",
    ]


def test_a_chain_that_begins_with_the_picture(worked: Network) -> None:
    network = Network.of(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(6, 1)), (1, 2, 3))
    found = trace(network, torch.arange(6.0).reshape(1, 1, 2, 3) / 8, "1", (5,))
    assert found.text() == (
        "layer 1 'Dropout(p=0.5, inplace=False)', number 5\n"
        "\n"
        "the picture, channel 0, row 1, column 2:\n"
        "  0.625\n"
        "  network 0.625\n"
        "\n"
        "layer 0 'Flatten(start_dim=1, end_dim=-1)', number 5:\n"
        "  channel 0, row 1, column 2 becomes number 5\n"
        "\n"
        "layer 1 'Dropout(p=0.5, inplace=False)', number 5:\n"
        "  stays as it is\n"
        "\n"
        "ours     0.625\n"
        "network  0.625\n"
        "apart    0; nothing rounds here"
    )
    assert printed(found) == 0.625


def test_as_plain_data(worked: Network) -> None:
    found = trace(worked, PICTURE, "3", (0, 0, 1)).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False))["steps"][0]["terms"][1] == {
        "place": [0, 0, 2],
        "input": 0.5,
        "weight": -1.0,
        "product": -0.5,
        "inside": True,
        "mark": "",
    }
    assert {key: found[key] for key in ("layer", "text", "neuron", "value", "network_value", "agrees")} == {
        "layer": "3",
        "text": "relu",
        "neuron": [0, 0, 1],
        "value": 7.75,
        "network_value": 7.75,
        "agrees": True,
    }
    pool = Network.of(nn.Sequential(nn.MaxPool2d(2, padding=1), nn.Flatten()), (1, 2, 2))
    padded = trace(pool, torch.ones(1, 1, 2, 2), "0", (0, 0, 0)).as_dict()
    assert [term["input"] for term in json.loads(json.dumps(padded, allow_nan=False))["steps"][0]["terms"]] == [
        None,
        None,
        None,
        1.0,
    ]


# ------------------------------------------------------------------------------------------------------ long sums, text


def test_of_a_long_sum_the_largest_are_shown_and_all_are_in_the_program() -> None:
    layers = parse("conv 1 3 | flatten | linear classes bias=no")
    model = layers.build((512, 3, 3), 2)
    generator = filled(model, 3)
    network = Network.of(model, (512, 3, 3), layers=layers)
    found = trace(network, torch.randn((1, 512, 3, 3), generator=generator), "1", (0, 0, 0))
    lines = found.text(rows=20).splitlines()
    assert len(lines) == 2 + 1 + 20 + 2 + 2 + 4
    products = [float(line.split("=")[1].replace("−", "-")) for line in lines[3:23]]
    assert [abs(product) for product in products] == sorted((abs(product) for product in products), reverse=True)
    assert lines[23].startswith("  … and 4,588 more, which add up to ")
    rest = float(lines[23].split("up to ")[1].replace("−", "-"))
    assert sum(products) + rest + model[0].bias.item() == pytest.approx(found.network_value, abs=1e-4)
    # The whole table adds up as well.
    rows = found.text(rows=None).splitlines()[3 : 3 + 4608]
    total = sum(float(line.split("=")[1].replace("−", "-")) for line in rows) + model[0].bias.item()
    assert total == pytest.approx(found.network_value, abs=1e-4)
    assert found.python().count("*") == 4608
    assert max(map(len, found.python().splitlines())) <= 100
    assert abs(printed(found) - found.network_value) <= found.rounding


@pytest.mark.parametrize("width", [10, 40, 60, 100])
def test_lines_are_as_wide_as_asked(width: int) -> None:
    layers = parse("groupnorm 1 | gelu | flatten | linear classes | softmax")
    model = layers.build((2, 2, 2), 3)
    generator = filled(model, 4)
    network = Network.of(model, (2, 2, 2), layers=layers)
    x = torch.randn((1, 2, 2, 2), generator=generator)
    for layer, place in (("2", (1, 1, 0)), ("5", (1,))):
        assert max(map(len, trace(network, x, layer, place).text(width).splitlines())) <= max(
            width, 48
        )  # tables are as wide as they need


def test_a_residual_block_names_its_two_numbers() -> None:
    layers = parse("residual( conv 1 1 bias=no ) | flatten | linear classes")
    model = layers.build((1, 1, 1), 1)
    model[0].body[0].load_state_dict({"weight": torch.tensor([[[[-3.0]]]])})
    network = Network.of(model, (1, 1, 1), layers=layers)
    assert trace(network, torch.full((1, 1, 1, 1), 2.0), "1", (0, 0, 0)).text().splitlines()[1:7] == [
        "its numbers are what layer 1.body.1 'conv 1 1 bias=no' gives (body; --layer 1.body.1) and the",
        "  picture (shortcut)",
        "  channel  row  column  input",
        "        0    0       0     −6  ← the body",
        "        0    0       0      2  ← the shortcut",
        "  (−6) + 2 = −4",
    ]


def test_a_residual_block_names_the_layers_whose_numbers_it_adds() -> None:
    layers = parse(
        "relu | residual( conv 2 1 | tanh ; conv 2 1 | batchnorm ) | residual( relu ) | flatten | linear classes"
    )
    network = Network.of(layers.build((1, 1, 1), 1), (1, 1, 1), layers=layers)
    x = torch.ones(1, 1, 1, 1)
    assert trace(network, x, "2", (1, 0, 0)).steps[0].source == (
        "what layer 2.body.2 'tanh' gives (body; --layer 2.body.2) and "
        "what layer 2.shortcut.2 'batchnorm' gives (shortcut; --layer 2.shortcut.2)"
    )
    assert trace(network, x, "3", (1, 0, 0)).steps[0].source == (
        "what layer 3.body.1 'relu' gives (body; --layer 3.body.1) and "
        "what layer 2 'residual' gives (shortcut; --layer 2)"
    )


# ---------------------------------------------------------------------------------------------------------- max pooling


@pytest.fixture
def pooling() -> Network:
    """Weight 2 and bias 1; the largest of 2 × 2; (x − 1)/√(3.75 + 0.25)·3 + 0.25; relu."""
    layers = parse("conv 1 1 | maxpool 2 | batchnorm eps=0.25 | relu | flatten | linear classes")
    model = layers.build((1, 2, 2), 1)
    model[0].load_state_dict({"weight": torch.tensor([[[[2.0]]]]), "bias": torch.tensor([1.0])})
    model[2].running_mean.fill_(1.0)
    model[2].running_var.fill_(3.75)
    model[2].load_state_dict({**model[2].state_dict(), "weight": torch.tensor([3.0]), "bias": torch.tensor([0.25])})
    return Network.of(model, (1, 2, 2), layers=layers)


def test_a_chain_goes_on_through_max_pooling_to_the_products(pooling: Network) -> None:
    """Largest of 2·0.5 + 1, 2·4 + 1, −2 + 1 and 2·2 + 1: 9; (9 − 1)/2·3 + 0.25 = 12.25."""
    found = trace(pooling, torch.tensor([[[[0.5, 4.0], [-1.0, 2.0]]]]), "4", (0, 0, 0))
    assert [(step.layer.split("'")[1], step.place, step.formula) for step in found.steps] == [
        ("conv 1 1", (0, 0, 1), "Σ input · weight over 1 product + 1 = 9"),
        ("maxpool 2", (0, 0, 0), "the largest of 4 values, at channel 0, row 0, column 1 = 9"),
        ("batchnorm eps=0.25", (0, 0, 0), "(9 − 1) / √(3.75 + 0.25) · 3 + 0.25 = 12.25"),
        ("relu", (0, 0, 0), "max(0, 12.25) = 12.25"),
    ]
    assert [(term.input, term.mark) for term in found.steps[1].terms] == [
        (2, ""),
        (9, "the largest"),
        (-1, ""),
        (5, ""),
    ]
    assert "window = [\n    2, value, -1, 5,\n]\nvalue = max(window)\n" in found.python()
    assert "its numbers are what layer 1 'conv 1 1' gives\n" in found.text()
    assert printed(found) == found.value == found.network_value == 12.25


def test_a_maximum_hands_the_bound_before_it_on() -> None:
    layers = parse("conv 2 3 same | maxpool 3 stride=2 padding=1 | globalmaxpool | flatten | linear classes")
    model = layers.build((3, 7, 6), 2)
    generator = filled(model, 9)
    network, x = Network.of(model, (3, 7, 6), layers=layers), torch.randn((1, 3, 7, 6), generator=generator)
    found = trace(network, x, "3", (1,))
    assert [len(step.terms) for step in found.steps] == [27, 9, 12, 0]  # and the flattening
    bounds = [step.rounding for step in found.steps]
    assert bounds[0] > 0
    assert bounds == [bounds[0]] * len(bounds)
    assert printed(found) == found.value
    assert found.value == pytest.approx(hooked(model, x)["0"][0, 1].max().item(), abs=bounds[0])


# -------------------------------------------------------------------------------------------------------- plain modules


class Branching(nn.Module):
    """A network as people write them: branches, functions that are no modules, changes in place, a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.left, self.right = nn.Conv2d(3, 3, 1), nn.AvgPool2d(3, 1, padding=1)
        self.norm, self.relu = nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.after, self.last = nn.Conv2d(6, 6, 2), nn.Linear(6, 4)
        self.twice = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = self.norm(torch.cat([self.left(x), self.right(x)], dim=1))
        y = self.after(functional.pad(x, (0, 1, 0, 1)))
        y += x
        y = self.relu(y)
        return self.twice(self.last(self.twice(y).mean(dim=(2, 3))))


@pytest.fixture
def branching() -> tuple[Network, Tensor, torch.Generator]:
    model = Branching()
    generator = filled(model, 5)
    return Network.of(model, (1, 5, 4)), torch.randn((1, 1, 5, 4), generator=generator), generator


def test_a_network_that_branches(branching: tuple[Network, Tensor, torch.Generator]) -> None:
    check(*branching, several=4)


@pytest.mark.parametrize(
    ("layer", "place", "chain", "begins"),
    [
        ("first.2", (2, 0, 3), ["first.0", "first.1", "first.2"], "the picture"),
        ("left", (0, 1, 1), ["left"], "what layer first.2 'ReLU(inplace=True)' gives"),
        ("right", (0, 1, 1), ["right"], "what layer first.2 'ReLU(inplace=True)' gives"),
        ("norm", (4, 1, 1), [AGAIN, "norm"], ""),
        (
            "relu",
            (1, 2, 2),
            [
                "what layer after 'Conv2d(6, 6, kernel_size=(2, 2), stride=(1, 1))' gives, changed in place since",
                "relu",
            ],
            "",
        ),
        ("last", (3,), ["last"], AGAIN),
        ("twice", (3,), ["last", "twice"], AGAIN),
    ],
)
def test_where_chains_begin(
    branching: tuple[Network, Tensor, torch.Generator], layer: str, place: Any, chain: list[str], begins: str
) -> None:
    network, x, _ = branching
    steps = trace(network, x, layer, place).steps
    names = [step.layer.removeprefix("layer ").split(" '")[0] for step in steps[1:]]
    assert [steps[0].layer if " " in chain[0] else steps[0].layer.split()[1], *names] == chain
    assert steps[0].source == begins


def test_one_activation_for_all_as_in_a_resnet() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
            self.norm, self.relu, self.flat = nn.BatchNorm2d(1), nn.ReLU(inplace=True), nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.flat(self.relu(self.two(self.relu(self.norm(self.one(x)))) + x))
            return out

    model = Block()
    generator = filled(model, 8)
    network, x = Network.of(model, (1, 4, 4)), torch.randn((1, 1, 4, 4), generator=generator)
    check(network, x, generator, several=3)
    changed = trace(network, x, "two", (0, 1, 1)).steps[0]
    assert changed.source.endswith("track_running_stats=True)' gives, changed in place since")
    last = trace(network, x, "flat", (5,)).steps
    assert [step.layer for step in last] == [
        AGAIN,
        "layer relu 'ReLU(inplace=True)'",
        "layer flat 'Flatten(start_dim=1, end_dim=-1)'",
    ]


def test_float64_networks_have_bounds_of_their_own(branching: tuple[Network, Tensor, torch.Generator]) -> None:
    network, x, _ = branching
    model = network.model.double()
    found = trace(Network.of(model, (1, 5, 4)), x.double(), "first.2", (0, 1, 1))
    assert found.agrees
    assert found.rounding < 1e-13


def test_nothing_is_left_behind(branching: tuple[Network, Tensor, torch.Generator]) -> None:
    network, x, _ = branching
    network.model.train()
    network.model.first.eval()
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    trace(network, x, "last", (0,))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.model.state_dict().items())
    assert (network.model.training, network.model.first.training, network.model.norm.training) == (True, False, True)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.model.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.model.parameters())


def test_a_hook_that_changes_numbers_shows() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
    model[1].load_state_dict({"weight": torch.tensor([[1.0, 2.0]])})
    model[1].register_forward_hook(lambda _, __, out: out + 1)
    found = trace(Network.of(model, (1, 1, 2)), torch.ones(1, 1, 1, 2), "1", (0,))
    assert (found.value, found.network_value, found.agrees) == (3.0, 4.0, False)
    assert found.text(150).splitlines()[-1] == (
        "apart    1; nothing rounds here; so the network does something that its layers don't say, such as a hook"
    )


# ---------------------------------------------------------------------------------------------------------- wrong terms


def swapped(module: Any, pads: Any, x: Tensor, place: Sequence[int]) -> tuple[list[int], list[int]]:
    rows, columns = WINDOW(module, pads, x, (place[0], place[2], place[1]))
    return rows, columns


WINDOW, NORM = mixing._window, single.batch_normalisation


@pytest.mark.parametrize("wrong", ["row and column swapped", "bias forgotten", "eps outside of the root"])
def test_a_wrong_term_is_seen(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3, eps=1e-3), nn.Flatten())
    generator = filled(model, 6)
    network, x = Network.of(model, (2, 5, 5)), torch.randn((1, 2, 5, 5), generator=generator)
    places = [(1, 2, 4), (0, 4, 1), (2, 0, 3)]
    assert all(trace(network, x, "1", place).agrees for place in places)
    if wrong == "row and column swapped":
        monkeypatch.setattr(mixing, "_window", swapped)
    elif wrong == "bias forgotten":
        monkeypatch.setattr(mixing, "scalar", lambda *_: 0.0)
    else:
        monkeypatch.setattr(single, "sqrt", lambda value: (value - 1e-3) ** 0.5 + 1e-3)
    assert not any(trace(network, x, "1", place).agrees for place in places)


# -------------------------------------------------------------------------------------------------------------- refused


def refused(*arguments: Any) -> str:
    with pytest.raises(ExplanationError) as caught:
        trace(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("layer", "place", "text"),
    [
        ("1", (40, 1, 1), "gives 2×3×4: channel 0 to 1, row 0 to 2, column 0 to 3; 40,1,1 is outside"),
        ("1", (0, 3, 0), "gives 2×3×4: channel 0 to 1, row 0 to 2, column 0 to 3; 0,3,0 is outside"),
        ("1", (0, 0, -1), "gives 2×3×4: channel 0 to 1, row 0 to 2, column 0 to 3; 0,0,-1 is outside"),
        ("1", (0, 1.5, 0), "gives 2×3×4: channel 0 to 1, row 0 to 2, column 0 to 3; 0,1.5,0 is outside"),
        ("1", (7,), "gives 2×3×4: channel 0 to 1, row 0 to 2, column 0 to 3; give 3 numbers, not 7"),
        ("1", (), "gives 2×3×4: channel 0 to 1, row 0 to 2, column 0 to 3; give 3 numbers, not none"),
    ],
)
def test_a_neuron_that_is_not_there(layer: str, place: Any, text: str) -> None:
    layers = parse("conv 2 3 same | flatten | linear classes")
    network = Network.of(layers.build((1, 3, 4), 10), (1, 3, 4), layers=layers)
    assert refused(network, torch.zeros(1, 1, 3, 4), layer, place) == f"layer 1 'conv 2 3 same' {text}"
    assert refused(network, torch.zeros(1, 1, 3, 4), "3", (1, 2)) == (
        "layer 3 'linear 10' gives 10: number 0 to 9; give one number, not 1,2"
    )
    assert refused(network, torch.zeros(1, 1, 3, 4), "3", (10,)) == (
        "layer 3 'linear 10' gives 10: number 0 to 9; 10 is outside"
    )
    assert refused(network, torch.zeros(1, 1, 4, 4), "1", (0, 0, 0)) == (
        "the picture is 1×1×4×4; this network takes 1×1×3×4, one prepared picture"
    )


def of(*modules: nn.Module, shape: tuple[int, int, int] = (1, 2, 2)) -> Network:
    return Network.of(nn.Sequential(*modules), shape)


def test_layers_that_cannot_be_taken_apart() -> None:
    x = torch.ones(1, 1, 2, 2)
    assert refused(of(nn.Flatten(), nn.Hardswish()), x, "1", (0,)) == (
        "layer 1 'Hardswish()' is a Hardswish, whose numbers can't be taken "
        "apart; those that can are AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, "
        "Dropout, Dropout2d, ELU, Flatten, GELU, GroupNorm, Identity, LeakyReLU, Linear, MaxPool2d, ReLU, SameConv2d, "
        "SiLU, Sigmoid, Softmax, Tanh, ResidualModule and BranchesModule. Its feature map can still be shown"
    )
    after = trace(of(nn.Flatten(), nn.Hardswish(), nn.ReLU()), x, "2", (0,))
    assert after.steps[0].layer == "what layer 1 'Hardswish()' gives"
    bare = of(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten())
    assert refused(bare, x, "0", (0, 0, 0)) == (
        f"layer 0 '{bare.layers[0].module}': it has no running statistics (track_running_stats=False) and takes those "
        "of each batch, so a number depends on the other pictures; train it with track_running_stats=True"
    )


def test_numbers_that_are_not_finite() -> None:
    x = torch.full((1, 1, 2, 2), torch.nan)
    network = of(nn.Flatten(), nn.Linear(4, 1), nn.ReLU())
    assert refused(network, x, "2", (0,)) == (
        "layer 2 'ReLU()' gives nan at number 0; only finite numbers can be traced"
    )
    pooled = of(nn.MaxPool2d(1), nn.Flatten())
    x = torch.tensor([[[[1.0, -torch.inf], [2.0, 3.0]]]])
    assert refused(pooled, x, "0", (0, 0, 0)) == (
        "layer 0 'MaxPool2d(kernel_size=1, stride=1, padding=0, dilation=1, ceil_mode=False)' gets numbers that aren't "
        "finite; only finite ones can be traced"
    )


def test_half_precision_is_refused() -> None:
    network = Network.of(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)).bfloat16(), (1, 2, 2))
    assert refused(network, torch.ones((1, 1, 2, 2), dtype=torch.bfloat16), "1", (0,)) == (
        "layer 1 'Linear(in_features=4, out_features=1, bias=True)' computes in bfloat16; make the network float32 "
        "with model.float()"
    )


def test_weights_that_are_made_of_others_are_those_of_evaluation_and_stay():
    torch.manual_seed(2)
    made = nn.utils.parametrizations.spectral_norm(nn.Conv2d(1, 2, 3))
    model = nn.Sequential(made, nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    network = Network.of(model, (1, 4, 4))
    assert network.layers[0].text == "ParametrizedConv2d"
    assert [layer.name for layer in network.layers] == ["0", "1", "2", "3"]
    found = trace(network, torch.rand(1, 1, 4, 4), "1", (1, 0, 1))
    assert found.agrees
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_numbers_beyond_float32_are_written_and_those_beyond_float64_refused():
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.GELU("tanh"), nn.Flatten(), nn.Linear(1, 2)).double()
    nn.init.constant_(model[0].weight, 2.0)
    network = Network.of(model, (1, 1, 1))
    x = torch.full((1, 1, 1, 1), -1e300, dtype=torch.float64)
    assert trace(network, x, "0", (0, 0, 0)).steps[0].formula == "Σ input · weight over 1 product = −2e+300"
    with pytest.raises(ExplanationError) as refused:
        trace(network, x, "1", (0, 0, 0))
    assert str(refused.value) == (
        "layer 1 'GELU(approximate='tanh')': its numbers are too large for float64; give smaller ones"
    )


def test_a_chain_that_begins_with_what_isnt_finite_is_refused():
    network = Network.of(nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(1, 2)), (1, 1, 1))
    with pytest.raises(ExplanationError) as refused:
        trace(network, torch.full((1, 1, 1, 1), -torch.inf), "0", (0, 0, 0))
    assert str(refused.value) == (
        "layer 0 'ReLU()' gets -inf at channel 0, row 0, column 0; only finite numbers can be traced"
    )


def test_a_layer_that_puts_pictures_together_has_no_places():
    model = nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (1, 4)), nn.Linear(4, 2))
    with pytest.raises(ExplanationError) as refused:
        trace(Network.of(model, (1, 2, 2)), torch.zeros(1, 1, 2, 2), "0", (0,))
    assert str(refused.value) == (
        "layer 0 'Flatten(start_dim=0, end_dim=-1)' doesn't keep pictures apart, so its numbers have no place"
    )


def test_a_notebook_shows_the_terms_and_the_steps():
    linear = nn.Linear(2, 1)
    linear.load_state_dict({"weight": torch.tensor([[3.0, 0.5]]), "bias": torch.tensor([-10.0])})
    found = trace(Network.of(nn.Sequential(nn.Flatten(), linear, nn.ReLU()), (1, 1, 2)), PAIR, "2", (0,))
    shown = check_fragment(found._repr_html_())
    assert shown.text("strong") == "layer 2 'ReLU()', number 0"
    assert shown.text("th") == "number input weight product step ours network"
    assert " ".join(shown.text("td").split()) == (
        "0 4 3 12 1 1 0.5 0.5 "
        "layer 1 'Linear(in_features=2, out_features=1, bias=True)', number 0 "
        "Σ input · weight over 2 products + (−10) = 2.5 2.5 layer 2 'ReLU()', number 0 max(0, 2.5) = 2.5 2.5"
    )
    assert "products 12.5, bias −10" in shown.text("p")
    assert shown.text("p").endswith("ours: 2.5network: 2.5apart: 0; nothing rounds here")
