"""Receptive fields: by arithmetic against what spoils a number, and against gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from layers.layer_checks import placeable
from neocog.errors import ExplanationError
from neocog.explanations.fields import receptive_field
from neocog.explanations.network import Network
from neocog.layers import parse


def network_of(text: str, shape: tuple[int, int, int], classes: int = 2) -> Network:
    torch.manual_seed(0)
    layers = parse(text)
    return Network.of(layers.build(shape, classes).double(), shape, layers=layers)


def spoiling(network: Network, layer: str, neuron: tuple[int, ...]) -> np.ndarray:
    """Which pixels make a number not a number when they are none themselves (H, W): each is tried by itself."""
    channels, height, width = network.input_shape
    x = torch.zeros(height * width, channels, height, width, dtype=torch.float64)
    places = torch.arange(height * width)
    x[places, :, places // width, places % width] = torch.nan
    found: list[Tensor] = []
    hook = network.layer(layer).module.register_forward_hook(lambda *given: found.append(given[2].detach().clone()))
    network.model.eval()(x)
    hook.remove()
    return found[-1][(slice(None), *neuron)].isnan().reshape(height, width).numpy()


def box_of(pixels_HW: np.ndarray) -> tuple[int, int, int, int]:
    if not pixels_HW.any():
        return 0, 0, 0, 0
    (rows, columns) = (np.flatnonzero(pixels_HW.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(
    ("text", "layer", "neuron", "size", "box"),
    [
        # 3 pixels from 2 on; with padding 1 the first window begins at −1.
        ("conv 1 3", "1", (0, 2, 4), (3, 3), (2, 4, 3, 3)),
        ("conv 1 3 same", "1", (0, 0, 8), (3, 3), (0, 7, 2, 2)),
        # Two pixels of a map whose pixels are 2 wide and 2 apart.
        ("maxpool 2 | conv 1 2", "2", (0, 1, 2), (4, 4), (2, 4, 4, 4)),
        # An even kernel pads one more after than before: pixels 1 before to 2 after.
        ("conv 1 4 same", "1", (0, 4, 4), (4, 4), (3, 3, 4, 4)),
        # Of 0, 3 and 6 apart, the first lies in the padding: what is read begins at 2, not at 0.
        ("conv 1 3 dilation=3 padding=3", "1", (0, 2, 8), (7, 7), (2, 5, 4, 4)),
        # The window that hangs over the end reads one pixel.
        ("maxpool 2 ceil=yes", "1", (0, 4, 0), (2, 2), (8, 0, 1, 2)),
        # Padding in the middle isn't of the picture: of the last 3 windows' steps of 4 only one lies in it.
        ("conv 1 1 stride=4 | conv 1 3 same", "2", (0, 2, 2), (9, 9), (4, 4, 5, 5)),
        # Both branches: 3 and 5 pixels around the same.
        ("residual( conv 1 3 same ; conv 1 5 same )", "1", (0, 4, 4), (5, 5), (2, 2, 5, 5)),
        # Each channel of branches side by side has its own pixels; `size` is of all.
        ("branches( conv 1 1 ; conv 1 3 same )", "1", (0, 4, 4), (3, 3), (4, 4, 1, 1)),
        ("branches( conv 1 1 ; conv 1 3 same )", "1", (1, 4, 4), (3, 3), (3, 3, 3, 3)),
        ("branches( conv 1 1 ; conv 1 3 same ) | conv 2 1 groups=2", "2", (0, 4, 4), (3, 3), (4, 4, 1, 1)),
        ("conv 1 3 padding=3", "1", (0, 0, 0), (3, 3), (0, 0, 0, 0)),
        ("conv 2 3 | flatten", "2", (49 + 7 + 2,), (3, 3), (1, 2, 3, 3)),
        ("groupnorm 1 | conv 1 3", "2", (0, 0, 0), None, (0, 0, 9, 9)),
        ("maxpool 2 | globalavgpool", "2", (0,), None, (0, 0, 8, 8)),
    ],
)
def test_fields_worked_out_by_hand(text, layer, neuron, size, box):
    network = network_of(f"{text}{'' if text.endswith('flatten') else ' | flatten'} | linear classes", (1, 9, 9))
    found = receptive_field(network, torch.rand(1, 1, 9, 9, dtype=torch.float64), layer, neuron)
    assert (found.size, found.box, found.outside) == (size, box, 0)


@settings(max_examples=15, deadline=None)
@given(placeable(), st.data())
def test_the_box_holds_exactly_what_spoils_a_number_and_all_that_is_measured(drawn, data):
    text, shape = drawn
    try:
        network = network_of(text, shape)
    except ExplanationError as error:  # torch's group normalisation of a single value
        assume("Expected more than 1 value per channel" not in str(error))
        raise
    layer = data.draw(st.sampled_from(network.layers))
    neuron = tuple(data.draw(st.integers(0, size - 1)) for size in layer.output_shape)
    found = receptive_field(network, torch.rand(1, *shape, dtype=torch.float64) - 0.5, layer.number, neuron)
    assert found.outside == 0
    assert found.box == box_of(spoiling(network, layer.number, neuron))


@pytest.mark.parametrize(
    "text", ["conv 2 3 same | relu | avgpool 2 | conv 2 3", "conv 2 4 stride=2 padding=1 | residual( conv 2 3 same )"]
)
def test_with_weights_above_0_all_that_is_seen_is_measured(text):
    network = network_of(f"{text} | flatten | linear classes", (2, 10, 11))
    with torch.no_grad():
        for parameter in network.model.parameters():
            parameter.abs_()
    last = network.layers[-3].number
    for neuron in ((0, 0, 0), (1, 1, 2)):
        found = receptive_field(network, torch.rand(1, 2, 10, 11, dtype=torch.float64), last, neuron)
        np.testing.assert_array_equal(found.measured_HW > 0, spoiling(network, last, neuron))


class Functions(nn.Module):
    """What a layer text can't say: functions, work in place, padding by itself, a gate and a fixed tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1, groups=1)
        self.grouped = nn.Conv2d(4, 4, 3, groups=4)
        self.prelu = nn.PReLU(4)
        self.norm = nn.BatchNorm2d(4)
        self.gate = nn.Linear(4, 4)
        self.seen = nn.ModuleDict(
            {name: nn.Identity() for name in ("padded", "joined", "part", "turned", "gated", "into", "behind")}
        )
        self.register_buffer("grid", torch.ones(1, 1, 9, 9))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu_(self.first(x)) + self.grid
        padded = self.seen["padded"](self.prelu(self.grouped(functional.pad(x, (2, 0, 0, 2)))))
        padded += x
        joined = self.seen["joined"](
            torch.cat([self.norm(padded), functional.max_pool2d(functional.pad(x, (0, 1, 0, 1)), 2, 1)], 1)
        )
        part = self.seen["part"](joined[:, :4])
        turned = self.seen["turned"](x.permute(0, 1, 3, 2))
        gated = self.seen["gated"](x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None])
        into = torch.zeros(1, 4, 9, 9, dtype=x.dtype).expand(len(x), -1, -1, -1).clone()
        into[:, 1:3] = part[:, 1:3]
        into = self.seen["into"](into + 0)
        later = x + 0
        later.view(len(x), -1).add_(into.flip(3).flatten(1))
        behind = self.seen["behind"](later.abs())
        return (gated + part + turned + into + behind).mean((2, 3))


def test_functions_of_a_module_of_ones_own_are_followed():
    torch.manual_seed(1)
    network = Network.of(Functions().double(), (1, 9, 9))
    x_1CHW = torch.rand(1, 1, 9, 9, dtype=torch.float64)
    boxes = {}
    for layer in (
        "first",
        "seen.padded",
        "seen.joined",
        "seen.part",
        "seen.turned",
        "seen.gated",
        "seen.into",
        "seen.behind",
    ):
        for channel in (0, 3):
            found = receptive_field(network, x_1CHW, layer, (channel, 4, 6))
            assert found.outside == 0, layer
            top, left, height, width = box_of(spoiling(network, layer, (channel, 4, 6)))
            assert found.box[0] <= top, layer
            assert found.box[0] + found.box[2] >= top + height, layer
            assert found.box[1] <= left, layer
            assert found.box[1] + found.box[3] >= left + width, layer
            boxes[layer] = found.size, found.box
    assert boxes["first"] == ((3, 3), (3, 5, 3, 3))
    # Two columns to the left, two rows below, and one around each.
    assert boxes["seen.padded"] == ((5, 5), (3, 3, 5, 5))
    # Of the other channels' pooling, one more column to the right.
    assert boxes["seen.joined"] == ((5, 6), (3, 3, 5, 5))
    # What isn't followed counts as everything, which is more than there is.
    assert {boxes[f"seen.{name}"] for name in ("part", "turned", "gated", "into", "behind")} == {(None, (0, 0, 9, 9))}


def test_the_neuron_is_the_largest_unless_named():
    network = network_of("conv 3 3 | flatten | linear classes", (1, 6, 6))
    x_1CHW = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    maps = network.model[0](x_1CHW)[0].detach().numpy()
    found = receptive_field(network, x_1CHW, "1")
    assert found.strongest
    assert found.neuron == np.unravel_index(maps.argmax(), maps.shape)
    assert found.value == maps.max()
    named = receptive_field(network, x_1CHW, "1", (2, 1, 0))
    assert not named.strongest
    assert named.value == maps[2, 1, 0]
    # The gradient of a convolution is its kernel.
    np.testing.assert_allclose(
        named.measured_HW[1:4, :3], network.model[0].weight[2, 0].abs().detach().numpy(), rtol=1e-6
    )


def test_the_share_of_the_box_that_holds_95_percent_by_hand():
    network = network_of("conv 1 2 bias=no | flatten | linear classes", (1, 4, 4))
    for weights, share in (
        ([[96.0, 2], [1, 1]], 0.25),
        ([[94, 2], [2, 2]], 0.5),
        ([[1, 1], [1, 1]], 1),
        ([[0, 0]] * 2, 0),
    ):
        with torch.no_grad():
            network.model[0].weight[:] = torch.tensor(weights)
        found = receptive_field(network, torch.ones(1, 1, 4, 4, dtype=torch.float64), "1", (0, 1, 1))
        assert (found.share_95, found.outside) == (share, 0)


def test_what_lies_beyond_the_box_is_counted():
    network = network_of("conv 1 2 | flatten | linear classes", (1, 4, 4))
    found = receptive_field(network, torch.ones(1, 1, 4, 4, dtype=torch.float64), "1", (0, 1, 1))
    found.measured_HW[0, :3] = 1e-20
    assert found.outside == 3


def test_a_neuron_or_layer_that_isnt_there_is_refused():
    network = network_of("conv 2 3 | flatten | linear classes", (1, 4, 4))
    for layer, neuron, text in (
        ("1", (2, 0, 0), "layer 1 'conv 2 3' gives 2×2×2: channel 0 to 1, row 0 to 1, column 0 to 1; 2,0,0 is outside"),
        ("4", None, "there is no layer '4'; the layers are 1 'conv 2 3'; 2 'flatten'; 3 'linear 2'"),
    ):  # fmt: skip
        with pytest.raises(ExplanationError) as error:
            receptive_field(network, torch.zeros(1, 1, 4, 4, dtype=torch.float64), layer, neuron)
        assert str(error.value) == text


class Falling(nn.Module):
    """Works once, for the blank picture; then it raises after its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.drop, self.calls = nn.Linear(4, 2), nn.Dropout(), 0

    def forward(self, x: Tensor) -> Tensor:
        out = self.drop(self.layer(x.flatten(1)))
        self.calls += 1
        if self.calls > 1:
            raise ValueError("no more")
        return out


def test_everything_is_as_found_also_when_forward_raises():
    model = Falling().train()
    model.layer.weight.requires_grad_(False)
    model.layer.bias.grad = torch.ones(2)
    network = Network.of(model, (1, 2, 2))
    x_1CHW = torch.rand(1, 1, 2, 2, requires_grad=True)
    with pytest.raises(ValueError, match=r"^no more$"):
        receptive_field(network, x_1CHW, "layer")
    model.calls = -9
    with torch.inference_mode():
        assert receptive_field(network, x_1CHW, "layer").measured_HW.all()
    assert all(each.training for each in model.modules())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())
    assert not model.layer.weight.requires_grad
    assert model.layer.weight.grad is None
    assert model.layer.bias.grad.tolist() == [1, 1]
    assert (x_1CHW.grad, x_1CHW.requires_grad) == (None, True)
