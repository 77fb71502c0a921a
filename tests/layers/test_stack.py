"""Whole networks: tables against torch, the classifier's checks, and pooling before the activation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import check_receptive_field, check_shapes, check_unread, placeable
from torch import nn

from neocog import geometry
from neocog.errors import LayerError
from neocog.layers import Layers, blocks, layer, parse, stack, words
from neocog.layers.words import LeakyReLU, MaxPool, ReLU

MODEL_A = "conv 16 5 same | relu | maxpool 2 | conv 32 5 same | relu | maxpool 2 | flatten | linear classes"


@given(placeable())
@settings(max_examples=150, deadline=None)
def test_tables_are_what_torch_does(drawn):
    check_shapes(*drawn)


@given(placeable())
@settings(max_examples=50, deadline=None)
def test_state_dict_names_are_those_of_the_rows(drawn):
    text, shape = drawn
    layers = parse(text)
    model = layers.build(shape, 10)
    assert type(model) is nn.Sequential
    names = [name.rsplit(".", 1)[0] for name in model.state_dict()]
    rows = {row.name: row for row in layers.table(shape, 10)}
    assert {name for name in names if name not in rows} == set()
    assert list(dict.fromkeys(names)) == [name for name, row in rows.items() if row.parameters]


def test_model_a_by_hand():
    rows = parse(MODEL_A).table((1, 28, 28), 10)
    assert [(row.number, row.name, row.text) for row in rows] == [
        ("1", "0", "conv 16 5 same"),
        ("2", "1", "relu"),
        ("3", "2", "maxpool 2"),
        ("4", "3", "conv 32 5 same"),
        ("5", "4", "relu"),
        ("6", "5", "maxpool 2"),
        ("7", "6", "flatten"),
        ("8", "7", "linear 10"),
    ]
    assert [row.output_shape for row in rows] == [
        (16, 28, 28), (16, 28, 28), (16, 14, 14), (32, 14, 14), (32, 14, 14), (32, 7, 7), (1568,), (10,),
    ]  # fmt: skip
    assert [row.receptive_field for row in rows] == [
        (5, 5), (5, 5), (6, 6), (14, 14), (14, 14), (16, 16), (16, 16), (28, 28),
    ]  # fmt: skip
    assert [row.parameters for row in rows] == [416, 0, 0, 12832, 0, 0, 0, 15690]
    assert [row.macs for row in rows] == [313600, 0, 0, 2508800, 0, 0, 0, 15680]
    assert {row.unread for row in rows} == {(0, 0)}


def test_model_a_builds_as_written_by_hand():
    torch.manual_seed(3)
    ours = parse(MODEL_A).build((1, 28, 28), 10)
    torch.manual_seed(3)
    theirs = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 10),
    )  # fmt: skip
    picture = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(picture), theirs(picture), rtol=0, atol=0)
    theirs.load_state_dict(ours.state_dict())
    assert [tuple(weight.shape) for weight in ours.parameters()] == [
        (16, 1, 5, 5), (16,), (32, 16, 5, 5), (32,), (10, 1568), (10,),
    ]  # fmt: skip


def check_same_keeps_the_size() -> None:
    for kernel in ("1", "2", "3", "4x3", "5", "6x1"):
        for dilation in ("1", "2", "1x3"):
            text = f"conv 2 {kernel} same dilation={dilation}"
            assert parse(text).table((1, 9, 7))[0].output_shape == (2, 9, 7), text


def test_same_keeps_the_size():
    check_same_keeps_the_size()


def test_building_draws_from_torchs_generator_alone():
    torch.manual_seed(1)
    first = parse(MODEL_A).build((1, 28, 28), 10).state_dict()
    torch.manual_seed(1)
    again = parse(MODEL_A).build((1, 28, 28), 10).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


CHECKS = [
    (
        "conv 16 5 same | relu",
        "the network ends in a 16×9×9 map, not in one value for each of the 10 classes; "
        "end it with 'flatten | linear classes'",
    ),
    (
        "flatten | linear 7",
        "layer 2 'linear 7': gives 7 values but the data has 10 classes; write 'linear classes'",
    ),
    (
        "flatten | linear 7 | relu | softmax",
        "layer 2 'linear 7': gives 7 values but the data has 10 classes; write 'linear classes'",
    ),
    ("flatten", "layer 1 'flatten': gives 81 values but the data has 10 classes; write 'linear classes'"),
    (
        "conv 12 3 | globalavgpool",
        "layer 2 'globalavgpool': gives 12 values but the data has 10 classes; write 'linear classes'",
    ),
    (
        "flatten | branches( linear classes ; linear 1 )",
        "layer 2 'branches( linear classes ; linear 1 )': gives 11 values but the data has 10 classes; "
        "write 'linear classes'",
    ),
    (
        "linear classes",
        "layer 1 'linear 10': needs a vector but gets a 1×9×9 map; put 'flatten' or 'globalavgpool' before it",
    ),
]


@pytest.mark.parametrize(("text", "want"), CHECKS, ids=[text for text, _ in CHECKS])
def test_what_is_no_classifier(text, want):
    for attempt in (parse(text).check, parse(text).build):
        with pytest.raises(LayerError) as caught:
            attempt((1, 9, 9), 10)
        assert str(caught.value) == want


def test_no_layers_are_no_classifier():
    with pytest.raises(LayerError) as caught:
        Layers(()).check((1, 9, 9), 10)
    assert str(caught.value) == "the layer text is empty; write at least 'flatten | linear classes'"


def test_a_whole_number_that_equals_the_classes_is_fine():
    assert parse("flatten | linear 10").build((1, 9, 9), 10)[1].out_features == 10


# ---------------------------------------------------------------------------------------- pooling before the activation


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("relu | maxpool 2", "maxpool 2 | relu"),
        ("relu | maxpool 2 | maxpool 2", "maxpool 2 | maxpool 2 | relu"),
        ("tanh | maxpool 3 stride=1 padding=1 | relu", "maxpool 3 padding=1 stride=1 | tanh | relu"),
        ("gelu | maxpool 2", "gelu | maxpool 2"),
        ("silu | maxpool 2", "silu | maxpool 2"),
        ("relu | avgpool 2", "relu | avgpool 2"),
        ("batchnorm | maxpool 2", "batchnorm | maxpool 2"),
        ("relu | dropout | maxpool 2", "relu | dropout | maxpool 2"),
        ("residual( relu | maxpool 2 ; maxpool 2 )", "residual( maxpool 2 | relu ; maxpool 2 )"),
        ("relu | branches( maxpool 2 ; elu | maxpool 2 )", "relu | branches( maxpool 2 ; maxpool 2 | elu )"),
    ],
)
def test_pool_first_by_hand(text, want):
    assert parse(text).pool_first().text() == parse(want).text()


def check_pool_first(text: str, shape: tuple[int, ...], pictures: torch.Tensor) -> None:
    """Same values, same gradients of the input and of each weight, same names, in float64."""
    layers = parse(text)
    plain, moved = layers.build(shape, 10).double(), layers.pool_first().build(shape, 10).double()
    assert list(plain.state_dict()) == list(moved.state_dict()), text
    moved.load_state_dict(plain.state_dict())
    results = []
    for model in (plain.eval(), moved.eval()):
        given = pictures.clone().requires_grad_()
        out = model(given)
        (out * torch.linspace(-1, 2, 10, dtype=torch.float64)).sum().backward()
        results.append((out.detach(), given.grad, *(weight.grad for weight in model.parameters())))
    for before, after in zip(*results, strict=True):
        assert (before is None) == (after is None)
        if before is not None:
            torch.testing.assert_close(after, before, rtol=1e-10, atol=1e-12, msg=lambda why: f"{text}: {why}")


_activations = st.sampled_from(["relu", "leakyrelu 0.1", "leakyrelu 0", "elu", "sigmoid", "tanh", "gelu", "silu"])
_pools = st.sampled_from(
    ["maxpool 2", "maxpool 3 stride=1 padding=1", "maxpool 3x2 stride=2 ceil=yes padding=1", "avgpool 2"]
)


@given(
    st.lists(st.sampled_from(["conv 2 3 same", "batchnorm"]) | _activations | _pools, max_size=6),
    _activations,
    st.integers(0, 10**6),
)
@settings(max_examples=80, deadline=None)
def test_pool_first_is_the_same_function(middle, activation, seed):
    # Pictures of a few whole numbers: most windows hold their largest value more than once.
    stream = torch.Generator().manual_seed(seed)
    pictures = torch.randint(-2, 3, (2, 2, 12, 12), generator=stream).double()
    torch.manual_seed(seed)
    text = " | ".join([activation, "maxpool 2", *middle, "flatten", "linear classes"])
    try:
        parse(text).place((2, 12, 12), 10)
    except LayerError:
        text = f"{activation} | maxpool 2 | flatten | linear classes"
    check_pool_first(text, (2, 12, 12), pictures)


@pytest.mark.parametrize("activation", ["relu", "leakyrelu 0.1", "leakyrelu 0", "elu", "sigmoid", "tanh"])
@pytest.mark.parametrize("value", [-3.0, 0.0, 2.0])
def test_pool_first_where_every_window_is_a_tie(activation, value):
    pictures = torch.full((1, 1, 6, 6), value, dtype=torch.float64)
    check_pool_first(f"{activation} | maxpool 3 stride=2 | flatten | linear classes", (1, 6, 6), pictures)


# -------------------------------------------------------------------- planted mistakes: the checks above must see them


def off_by_one(size: int, window: geometry.Window) -> int:
    return geometry.output_size(size, window) + 1


def fails(check, *arguments: object) -> None:
    with pytest.raises(AssertionError):
        check(*arguments)


def test_an_output_size_off_by_one_is_seen(monkeypatch):
    monkeypatch.setattr(words, "output_size", off_by_one)
    fails(check_shapes, "conv 2 3 | relu", (1, 8, 8))
    fails(check_shapes, "maxpool 2 | relu", (1, 8, 8))
    fails(check_shapes, "residual( conv 2 3 ; conv 2 3 )", (1, 8, 8))


def test_a_same_padding_on_the_wrong_side_is_seen(monkeypatch):
    monkeypatch.setattr(words, "same_padding", lambda kernel, dilation=1: (0, dilation * (kernel - 1)))
    fails(check_receptive_field, "branches( conv 1 4 same ; conv 1 4 padding=2 | conv 1 2 )")
    monkeypatch.setattr(words, "same_padding", lambda kernel, dilation=1: (kernel // 2 + 1, kernel // 2 + 1))
    # Table and module share the padding, so torch can't tell: what 'same' means must.
    fails(check_same_keeps_the_size)
    fails(test_model_a_by_hand)


def test_a_receptive_field_of_the_widest_branch_alone_is_seen(monkeypatch):
    monkeypatch.setattr(geometry.Field, "joined", lambda one, other: max(one, other, key=lambda field: field.size))
    fails(check_receptive_field, "branches( conv 1 2 same | conv 1 2 same ; conv 1 2 padding=1 | conv 1 2 )")


def test_an_unread_off_by_one_is_seen(monkeypatch):
    monkeypatch.setattr(layer, "unread", lambda size, window: geometry.unread(size, window) + 1)
    fails(check_unread, "maxpool 2", (1, 7, 8))
    fails(check_unread, "conv 1 5 stride=4", (1, 9, 9))


def test_a_forgotten_bias_is_seen(monkeypatch):
    monkeypatch.setattr(words.Conv, "parameters", lambda self, shape: self.filters * shape[0] * 9)
    fails(check_shapes, "conv 2 3", (1, 8, 8))


def test_moving_past_a_function_that_falls_somewhere_is_seen(monkeypatch):
    monkeypatch.setattr(words.GELU, "monotone", True)
    pictures = torch.linspace(-3, 1, 36, dtype=torch.float64).view(1, 1, 6, 6)
    fails(check_pool_first, "gelu | maxpool 2 | flatten | linear classes", (1, 6, 6), pictures)


def test_moving_past_average_pooling_is_seen(monkeypatch):
    monkeypatch.setattr(stack, "MaxPool", words.AvgPool)
    pictures = torch.linspace(-3, 1, 36, dtype=torch.float64).view(1, 1, 6, 6)
    fails(check_pool_first, "relu | avgpool 2 | flatten | linear classes", (1, 6, 6), pictures)
    fails(check_pool_first, "tanh | avgpool 3 stride=1 | flatten | linear classes", (1, 6, 6), pictures)


def test_a_residual_that_forgets_its_shortcut_is_seen(monkeypatch):
    monkeypatch.setattr(blocks.Residual, "join_shapes", lambda self, shapes, input_shape: input_shape)
    fails(check_shapes, "residual( conv 4 3 same ; conv 4 1 )", (1, 8, 8))


def test_layers_are_values():
    assert Layers((ReLU(), MaxPool((2, 2)))) == parse("relu | maxpool 2")
    assert hash(parse(MODEL_A)) == hash(parse(MODEL_A))
    assert LeakyReLU(0.2) != LeakyReLU(0.1)
