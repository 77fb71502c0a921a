"""The figure of one number taken apart: its numbers are the trace's, and nothing lies on anything else."""

from __future__ import annotations

import pytest
import torch
from chart_checks import check_files, check_layout
from figures import grid
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from neocog.explanations.network import Network
from neocog.explanations.trace import NeuronTrace, trace
from neocog.layers import parse
from neocog.plots.trace import plot_trace

TEXT = (
    "conv 4 3 same | batchnorm | relu | maxpool 2 padding=1 | conv 2 2 | gelu | groupnorm 1 | branches( conv 9 1 ; ) "
    "| residual( conv 11 1 ) | avgpool 2 | globalavgpool | linear classes | softmax"
)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(3)
    layers = parse(TEXT)
    return Network.of(layers.build((1, 9, 9), 40), (1, 9, 9), layers=layers)


def traced(network: Network, layer: str, *place: int) -> NeuronTrace:
    x = torch.randn((1, *network.input_shape), generator=torch.Generator().manual_seed(4))
    return trace(network, x, layer, place)


def texts(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.texts]


def bars(figure: Figure) -> list[float]:
    found = [artist for artist in figure.artists if isinstance(artist, Rectangle) and artist.get_gid() == "part"]
    return [bar.get_width() for bar in found]


def test_a_chain_worked_by_hand() -> None:
    """3·2 − 0.5 + 0.5 = 6; the largest of 0 and that."""
    layers = parse("conv 1 1x2 | relu | flatten | linear classes")
    model = layers.build((1, 1, 3), 1)
    model[0].load_state_dict({"weight": torch.tensor([[[[2.0, -1.0]]]]), "bias": torch.tensor([0.5])})
    network = Network.of(model, (1, 1, 3), layers=layers)
    figure = plot_trace(trace(network, torch.tensor([[[[7.0, 3.0, 0.5]]]]), "2", (0, 0, 1)))
    assert [axes.get_label() for axes in figure.axes] == ["input", "weights", "products"]
    assert [grid(axes) for axes in figure.axes] == [[["3", "0.5"]], [["2", "−1"]], [["6", "−0.5"]]]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "2"]
    assert texts(figure) == [
        "layer 2 'relu': channel 0, row 0, column 1 = 6",
        "channel 0: input × weights = products",
        "×",
        "=",
        "Σ = 5.5",
        "this channel adds 5.5, the bias 0.5",
        "conv",
        "6",
        "→",
        "relu",
        "6",
        "=",
        "network",
        "6",
        "layer 1 'conv 1 1x2': Σ input · weight over 2 products + 0.5 = 6 layer 2 'relu': max(0, 6) = 6",
        "input: the picture; the network's own number is this one, to the last digit; orange is above 0, blue below, "
        "each square on its own scale",
    ]


def test_of_many_channels_the_strongest_are_drawn_and_the_others_counted(network: Network) -> None:
    found = traced(network, "5", 1, 2, 2)
    figure = plot_trace(found)
    sums = [sum(term.product for term in found.steps[0].terms if term.place[0] == channel) for channel in range(4)]
    strongest = sorted(sorted(range(4), key=lambda channel: -abs(sums[channel]))[:3])
    assert [text[:9] for text in texts(figure) if "products" in text and text.startswith("channel")] == [
        f"channel {channel}" for channel in strongest
    ]
    (shares,) = [text for text in texts(figure) if text.startswith("these 3 add")]
    numbers = [float(part.split()[-1].replace("−", "-")) for part in shares.split(", ")]
    assert numbers[0] == pytest.approx(sum(sums[channel] for channel in strongest), rel=1e-3)
    assert ", the 1 other channel " in shares
    assert sum(numbers) == pytest.approx(found.value, abs=1e-3)


def test_bars_are_as_long_as_what_they_stand_for(network: Network) -> None:
    found = traced(network, "12", 7)
    figure = plot_trace(found)
    widths, products = bars(figure), [term.product for term in found.steps[0].terms]
    assert len(widths) == len(products) + 1  # and the bias
    for width, value in zip(widths, [*products, found.steps[0].bias], strict=True):
        assert width / widths[0] == pytest.approx(abs(value / products[0]), rel=1e-6)
    others = plot_trace(traced(network, "13", 39))
    assert len(bars(others)) == 13
    assert "28 others together" in texts(others)
    assert "this one, number 39" in texts(others)


def test_the_largest_of_a_window_is_outlined(network: Network) -> None:
    figure = plot_trace(traced(network, "4", 0, 0, 0))
    *products, window = figure.axes
    assert [axes.get_label() for axes in figure.axes] == ["input", "weights", "products", "input"]
    assert not any(isinstance(patch, Rectangle) for axes in products for patch in axes.patches)
    assert len([patch for patch in window.patches if isinstance(patch, Rectangle)]) == 1
    said = texts(figure)
    assert said.index("channel 0: what maxpool takes") > said.index(
        next(text for text in said if "channel adds" in text)
    )
    assert any(text.startswith("the largest is ") for text in said)
    assert "padding of a window is drawn as 0" in said[-1]


@pytest.mark.parametrize(
    ("layer", "place"),
    [
        ("1", (3, 0, 0)),
        ("7", (1, 3, 3)),
        ("8", (10, 3, 3)),
        ("11", (4,)),
        ("13", (0,)),
    ],
)
def test_nothing_lies_on_anything_else(network: Network, layer: str, place: tuple[int, ...]) -> None:
    check_layout(plot_trace(traced(network, layer, *place)))


def test_plain_modules_and_long_chains() -> None:
    middle = [nn.BatchNorm2d(2), nn.Dropout(), nn.ELU(), nn.Identity(), nn.Dropout2d(), nn.Flatten()]
    network = Network.of(nn.Sequential(nn.Conv2d(2, 2, 6, dilation=2), *middle), (2, 13, 12))
    figure = plot_trace(traced(network, "6", 3))
    check_layout(figure)
    assert [text for text in texts(figure) if text == "→"] == ["→"] * 6
    begins = Network.of(nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), (1, 3, 3))
    figure = plot_trace(traced(begins, "0", 8))
    check_layout(figure)
    assert texts(figure)[1:3] == ["begins with", texts(figure)[5]]


def test_a_network_that_differs_says_so() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    model[1].register_forward_hook(lambda _, __, out: out + 1)
    figure = plot_trace(traced(Network.of(model, (1, 1, 2)), "1", 0))
    assert "≠" in texts(figure)
    assert "the network's own number is 1.0e+00 away, more than the " in texts(figure)[-1]


def test_the_same_file_twice(network: Network) -> None:
    check_files(lambda: plot_trace(traced(network, "3", 0, 1, 1)))
