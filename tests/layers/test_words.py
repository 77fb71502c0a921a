"""Each word's shape, parameters, multiply-adds and module: torch and numbers worked by hand are the oracles."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import built, check_receptive_field, check_shapes, check_unread
from torch import nn
from torch.nn import functional

from neocog.errors import LayerError
from neocog.layers import parse


def out(text: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return parse(text).table(shape)[-1].output_shape


def message(text: str, shape: tuple[int, ...]) -> str:
    with pytest.raises(LayerError) as caught:
        parse(text).place(shape)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "shape", "want"),
    [
        ("conv 1 3", (1, 4, 4), (1, 2, 2)),
        ("conv 1 3 padding=1", (1, 5, 5), (1, 5, 5)),
        ("conv 1 3", (3, 30, 30), (1, 28, 28)),
        ("conv 1 5 stride=2 padding=1", (3, 224, 224), (1, 111, 111)),
        ("conv 1 7 stride=3 padding=2", (3, 528, 528), (1, 176, 176)),
        ("conv 1 1 stride=2", (1, 5, 5), (1, 3, 3)),
        ("conv 3 2", (2, 3, 3), (3, 2, 2)),
        ("maxpool 2 stride=1", (2, 3, 3), (2, 2, 2)),
        ("conv 1 2 stride=2 padding=1", (1, 3, 3), (1, 2, 2)),
        ("conv 1 1x2", (1, 6, 8), (1, 6, 7)),
        ("flatten", (1, 28, 28), (784,)),
        ("flatten", (3, 224, 224), (150528,)),
        ("conv 1 3 | flatten", (3, 30, 30), (784,)),
        ("conv 16 5 padding=2 | maxpool 2 | conv 32 5 padding=2 | maxpool 2 | flatten", (1, 28, 28), (1568,)),
        ("conv 16 5 | maxpool 2 | conv 32 5 | maxpool 2 | flatten", (1, 28, 28), (512,)),
        ("conv 6 5 padding=2 | maxpool 2 | conv 16 5 | avgpool 2 | flatten", (1, 28, 28), (400,)),
        ("conv 32 5 padding=2 | maxpool 2 | conv 64 5 padding=2 | maxpool 2 | flatten", (1, 28, 28), (3136,)),
        ("conv 8 3 padding=1 | maxpool 2 | conv 16 3 padding=1 | maxpool 2 | flatten", (1, 28, 28), (784,)),
        ("conv 4 4 same", (1, 9, 7), (4, 9, 7)),
        ("globalmaxpool", (5, 9, 7), (5,)),
    ],
)
def test_worked_shapes(text, shape, want):
    assert out(text, shape) == want
    check_shapes(text, shape)


def test_the_lessons_valid_network_step_by_step():
    rows = parse("conv 16 5 | maxpool 2 | conv 32 5 | maxpool 2").table((1, 28, 28))
    assert [row.output_shape[1] for row in rows] == [24, 12, 8, 4]
    assert [row.formula for row in rows] == [
        "(28 − 5)/1 + 1 = 24",
        "(24 − 2)/2 + 1 = 12",
        "(12 − 5)/1 + 1 = 8",
        "(8 − 2)/2 + 1 = 4",
    ]


def test_formula_of_rows_and_columns_that_differ():
    rows = parse("conv 1 3x5 padding=1x2 | maxpool 2x3 | globalavgpool").table((1, 28, 14))
    assert [row.formula for row in rows] == [
        "(28 + 2·1 − 3)/1 + 1 = 28 and (14 + 2·2 − 5)/1 + 1 = 14",
        "(28 − 2)/2 + 1 = 14 and ⌊(14 − 3)/3⌋ + 1 = 4",
        "",
    ]
    assert parse("flatten | flatten").table((3, 4, 5))[0].formula == "3·4·5 = 60"
    assert parse("flatten | flatten").table((3, 4, 5))[1].formula == ""


@pytest.mark.parametrize(
    ("text", "shape", "parameters", "macs"),
    [
        ("conv 16 5 same", (1, 28, 28), 16 * 25 + 16, 28 * 28 * 16 * 25),
        ("conv 32 5 same", (16, 14, 14), 32 * 16 * 25 + 32, 14 * 14 * 32 * 16 * 25),
        ("conv 32 5 same bias=no", (16, 14, 14), 32 * 16 * 25, 14 * 14 * 32 * 16 * 25),
        ("conv 8 3 groups=in", (4, 6, 6), 8 * 9 + 8, 4 * 4 * 8 * 9),
        ("conv 8 3 groups=2", (4, 6, 6), 8 * 2 * 9 + 8, 4 * 4 * 8 * 2 * 9),
        ("conv 2 1x3", (3, 5, 5), 2 * 3 * 3 + 2, 5 * 3 * 2 * 3 * 3),
        ("linear 10", (1568,), 15690, 15680),
        ("linear 10 bias=no", (1568,), 15680, 15680),
        ("batchnorm", (16, 4, 4), 32, 0),
        ("groupnorm 4", (16, 4, 4), 32, 0),
        ("maxpool 2", (16, 4, 4), 0, 0),
        ("relu", (16, 4, 4), 0, 0),
    ],
)
def test_parameters_and_multiply_adds_by_hand(text, shape, parameters, macs):
    row = parse(text).table(shape)[0]
    assert (row.parameters, row.macs) == (parameters, macs)


@pytest.mark.parametrize(
    ("text", "shape", "want"),
    [
        ("batchnorm momentum=0.2 eps=0.001", (3, 4, 4), nn.BatchNorm2d(3, eps=0.001, momentum=0.2)),
        ("batchnorm", (3,), nn.BatchNorm1d(3)),
        ("groupnorm 2 eps=0.1", (4, 4, 4), nn.GroupNorm(2, 4, eps=0.1)),
        ("dropout 0.3", (3,), nn.Dropout(0.3)),
        ("dropout2d 0.3", (3, 4, 4), nn.Dropout2d(0.3)),
        ("leakyrelu 0.2", (3,), nn.LeakyReLU(0.2)),
        ("relu", (3,), nn.ReLU()),
        ("elu", (3,), nn.ELU()),
        ("sigmoid", (3,), nn.Sigmoid()),
        ("tanh", (3,), nn.Tanh()),
        ("gelu", (3,), nn.GELU()),
        ("silu", (3,), nn.SiLU()),
        ("softmax", (3,), nn.Softmax(dim=1)),
        ("flatten", (3, 4, 4), nn.Flatten()),
        ("linear 4 bias=no", (3,), nn.Linear(3, 4, bias=False)),
        ("maxpool 3 stride=2 padding=1 ceil=yes", (3, 9, 9), nn.MaxPool2d((3, 3), (2, 2), (1, 1), ceil_mode=True)),
        ("avgpool 2x3", (3, 9, 9), nn.AvgPool2d((2, 3), None, (0, 0))),
        (
            "conv 8 3x5 stride=2 padding=1x2 dilation=1x2 groups=2 bias=no",
            (4, 20, 20),
            nn.Conv2d(4, 8, (3, 5), 2, (1, 2), (1, 2), groups=2, bias=False),
        ),
        ("conv 6 3 same groups=in", (3, 9, 9), nn.Conv2d(3, 6, 3, padding=1, groups=3)),
    ],
)
def test_modules_are_torchs_own(text, shape, want):
    got = parse(text).place(shape)[0].module()
    assert type(got) is type(want)
    assert repr(got) == repr(want)
    if isinstance(got, nn.BatchNorm2d | nn.BatchNorm1d | nn.GroupNorm):
        assert got.eps == want.eps


def weighted(text: str, channels: list[list[float]], weight: list) -> list:
    """A 3×3 picture of those channels through one layer with those kernels, without bias."""
    picture = torch.tensor(channels, dtype=torch.float64).view(1, -1, 3, 3)
    model = built(text, tuple(picture.shape[1:]))
    with torch.no_grad():
        if weight:
            model[0].weight.copy_(torch.tensor(weight, dtype=torch.float64))
        return model(picture)[0].tolist()


def test_lesson_convolution_one_channel():
    assert weighted("conv 1 2 bias=no", [list(range(9))], [[[[0, 1], [2, 3]]]]) == [[[19, 25], [37, 43]]]


def test_lesson_convolution_two_channels_three_kernels():
    kernels = [[[[0 + n, 1 + n], [2 + n, 3 + n]], [[1 + n, 2 + n], [3 + n, 4 + n]]] for n in (0, 1, 2)]
    assert weighted("conv 3 2 bias=no", [list(range(9)), list(range(1, 10))], kernels) == [
        [[56, 72], [104, 120]],
        [[76, 100], [148, 172]],
        [[96, 128], [192, 224]],
    ]


def test_lesson_pooling_by_hand():
    channels = [list(range(9)), list(range(1, 10))]
    assert weighted("maxpool 2 stride=1", channels, []) == [[[4, 5], [7, 8]], [[5, 6], [8, 9]]]
    assert weighted("avgpool 2 stride=1", channels, [])[0] == [[2, 3], [5, 6]]
    assert weighted("globalmaxpool", channels, []) == [8, 9]
    assert weighted("globalavgpool", channels, []) == [4, 5]
    # padding counts as zeros: the corner window has one pixel of four
    assert weighted("avgpool 2 padding=1", [list(range(1, 10))], [])[0] == [[1 / 4, 5 / 4], [11 / 4, 28 / 4]]


def test_lesson_padding_and_stride_by_hand():
    picture, ones = [list(range(1, 10))], [[[[1, 1], [1, 1]]]]
    padded = weighted("conv 1 2 padding=1 bias=no", picture, ones)[0]
    assert padded == [[1, 3, 5, 3], [5, 12, 16, 9], [11, 24, 28, 15], [7, 15, 17, 9]]
    strided = weighted("conv 1 2 padding=1 stride=2 bias=no", picture, ones)[0]
    assert strided == [row[::2] for row in padded[::2]], "stride 2 keeps every second window"


def test_lesson_edges():
    picture = torch.zeros(1, 1, 6, 8, dtype=torch.float64)
    picture[..., 2:6] = 1
    model = built("conv 1 1x2 bias=no", (1, 6, 8))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, -1.0]).view(1, 1, 1, 2))
        edges = model(picture)[0, 0]
    assert edges.tolist() == [[0, -1, 0, 0, 0, 1, 0]] * 6


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("kernel", ["2", "4", "3x4", "2x5", "6x1"])
@pytest.mark.parametrize("dilation", ["1", "2", "3x1"])
def test_same_for_even_kernels_is_torchs(kernel, dilation):
    layer = parse(f"conv 4 {kernel} same dilation={dilation} groups=2").layers[0]
    module = layer.module((2, 11, 9)).double()
    picture = torch.randn(2, 2, 11, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    want = functional.conv2d(picture, module.weight, module.bias, padding="same", dilation=layer.dilation, groups=2)
    torch.testing.assert_close(module(picture), want, rtol=1e-10, atol=1e-12)
    assert list(module.state_dict()) == ["weight", "bias"]
    assert isinstance(module, nn.Conv2d)


def test_same_for_even_kernels_gives_no_warning(recwarn):
    built("conv 2 4 same | conv 2 2x3 same", (1, 9, 9))(torch.zeros(1, 1, 9, 9, dtype=torch.float64))
    assert list(recwarn) == []


@given(
    st.sampled_from(["conv 2", "maxpool", "avgpool"]),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.booleans(),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
@settings(max_examples=300, deadline=None)
def test_refused_exactly_where_torch_refuses(word, kernel, stride, padding, ceil, size):
    extra = f" ceil={'yes' if ceil else 'no'}" if "pool" in word else ""
    text = f"{word} {kernel[0]}x{kernel[1]} stride={stride[0]}x{stride[1]} padding={padding[0]}x{padding[1]}{extra}"
    picture = torch.zeros(1, 1, *size)
    try:
        if "pool" in word:
            pool = functional.max_pool2d if word == "maxpool" else functional.avg_pool2d
            want = tuple(pool(picture, kernel, stride, padding, ceil_mode=ceil).shape[1:])
        else:
            want = tuple(functional.conv2d(picture, torch.zeros(2, 1, *kernel), None, stride, padding).shape[1:])
    except RuntimeError:
        want = None
    try:
        got = out(text, (1, *size))
    except LayerError:
        got = None
    assert got == want, text


@pytest.mark.parametrize(
    "text",
    [
        "conv 1 5",
        "conv 1 4 same | conv 1 3 same",
        "conv 1 3x5 | maxpool 2 | conv 1 5x3 stride=1x2",
        "conv 1 3 dilation=2 | relu | avgpool 3 stride=2",
        "conv 1 5 same | relu | maxpool 2 | conv 1 5 same | batchnorm | maxpool 2 | conv 1 3 same",
        "residual( conv 1 3 same | conv 1 3 same )",
        "maxpool 2 | residual( conv 4 3 stride=2 padding=1 | conv 4 3 same ; conv 4 1 stride=2 )",
        "branches( conv 1 1 ; conv 1 3 same ; conv 1 5 same )",
        # One branch leans right, the other left: together they see more than the wider of them.
        "branches( conv 1 2 same | conv 1 2 same ; conv 1 2 padding=1 | conv 1 2 )",
        "branches( residual( branches( conv 1 1 ; conv 1 7x1 same ) ; conv 2 1x5 same ) ; conv 1 3 same )",
    ],
)
def test_receptive_field_as_measured(text):
    check_receptive_field(text)


def test_receptive_field_by_gradient():
    text = "conv 1 5 | avgpool 2 | conv 1 5 | avgpool 2"
    model = built(text, (1, 40, 40))
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1)
    picture = torch.ones(1, 1, 40, 40, dtype=torch.float64, requires_grad=True)
    model(picture)[0, 0, 3, 3].backward()
    rows, columns = (picture.grad[0, 0].sum(dim=axis).nonzero().flatten() for axis in (1, 0))
    assert parse(text).table((1, 40, 40))[-1].receptive_field == (16, 16)
    assert (len(rows), len(columns)) == (16, 16)


@pytest.mark.parametrize("end", ["globalavgpool", "globalmaxpool", "flatten | linear 3", "flatten | softmax"])
def test_the_whole_picture_is_seen_at_the_end(end):
    row = parse(f"conv 2 3 same | {end}").table((1, 9, 7))[-1]
    assert row.receptive_field == (9, 7)
    assert touched_everywhere(f"conv 2 3 same | {end}")


def touched_everywhere(text: str) -> bool:
    pictures = torch.zeros(63, 1, 9, 7, dtype=torch.float64)
    pictures.view(63, 63).fill_diagonal_(torch.nan)
    return bool(built(text, (1, 9, 7))(pictures).isnan().all())


def test_a_vector_has_no_receptive_field():
    assert [row.receptive_field for row in parse("linear 5 | relu").table((9,))] == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        "maxpool 2",
        "maxpool 3",
        "maxpool 3x2 stride=4x3",
        "maxpool 2 ceil=yes",
        "avgpool 3 stride=2 padding=1",
        "conv 1 5 stride=4",
        "conv 1 3 stride=2 dilation=2 padding=2",
        "conv 1 1 stride=2 padding=1",
        "conv 1 4 same",
    ],
)
@pytest.mark.parametrize("size", [(11, 10), (12, 13), (14, 9)])
def test_unread_as_measured(text, size):
    check_unread(text, (1, *size))


FIT = [
    (
        "conv 64 7",
        (32, 5, 5),
        "layer 1 'conv 64 7': a 7×7 kernel does not fit the 5×5 map it gets; use a kernel of at most 5, or padding=1",
    ),
    (
        "conv 8 3x9",
        (1, 8, 4),
        "layer 1 'conv 8 3x9': a 3×9 kernel does not fit the 8×4 map it gets; use a kernel of at most 4, or padding=3",
    ),
    (
        "conv 8 3 dilation=3",
        (1, 6, 6),
        "layer 1 'conv 8 3 dilation=3': a 7×7 kernel does not fit the 6×6 map it gets; "
        "use a kernel of at most 2, or padding=1",
    ),
    (
        "maxpool 2 | maxpool 3",
        (1, 4, 4),
        "layer 2 'maxpool 3': a 3×3 window does not fit the 2×2 map it gets; "
        "leave it out, use a smaller window, or feed larger pictures",
    ),
    (
        "linear 10",
        (1, 28, 28),
        "layer 1 'linear 10': needs a vector but gets a 1×28×28 map; put 'flatten' or 'globalavgpool' before it",
    ),
    (
        "softmax",
        (1, 2, 2),
        "layer 1 'softmax': needs a vector but gets a 1×2×2 map; put 'flatten' or 'globalavgpool' before it",
    ),
    (
        "flatten | conv 3 3",
        (1, 4, 4),
        "layer 2 'conv 3 3': needs a map of channels×height×width but gets a vector of 16; put it before 'flatten'",
    ),
    (
        "flatten | maxpool 2",
        (1, 4, 4),
        "layer 2 'maxpool 2': needs a map of channels×height×width but gets a vector of 16; put it before 'flatten'",
    ),
    (
        "globalavgpool | globalmaxpool",
        (5, 4, 4),
        "layer 2 'globalmaxpool': needs a map of channels×height×width but gets a vector of 5; put it before 'flatten'",
    ),
    (
        "flatten | dropout2d",
        (1, 4, 4),
        "layer 2 'dropout2d': needs a map of channels×height×width but gets a vector of 16; put it before 'flatten'",
    ),
    (
        "maxpool 3x5 padding=2",
        (1, 9, 9),
        "layer 1 'maxpool 3x5 padding=2': padding=2 is more than half of the 3x5 window; use at most 1",
    ),
    (
        "conv 8 3 groups=3",
        (4, 5, 5),
        "layer 1 'conv 8 3 groups=3': groups=3 must divide both the 4 channels it gets and its 8 filters",
    ),
    (
        "conv 6 3 groups=in",
        (4, 5, 5),
        "layer 1 'conv 6 3 groups=in': groups=4 must divide both the 4 channels it gets and its 6 filters",
    ),
    (
        "conv 8 3x5 same stride=2x1",
        (4, 5, 5),
        "layer 1 'conv 8 3x5 same stride=2x1': padding 'same' keeps the size only at stride 1, not at stride=2x1; "
        "use padding=1x2",
    ),
    ("groupnorm 3", (4, 2, 2), "layer 1 'groupnorm 3': 3 groups must divide the 4 channels it gets"),
    (
        "flatten | linear classes",
        (1, 4, 4),
        "layer 2 'linear classes': says 'classes' but the number of classes isn't known here; give it, "
        "or write a number",
    ),
]


@pytest.mark.parametrize(("text", "shape", "want"), FIT, ids=[text for text, _, _ in FIT])
def test_what_does_not_fit(text, shape, want):
    assert message(text, shape) == want


def test_the_designs_own_example():
    text = "conv 8 3 | relu | maxpool 2 | conv 16 3 | relu | maxpool 2 | conv 64 7"
    assert message(text, (1, 27, 27)) == (
        "layer 7 'conv 64 7': a 7×7 kernel does not fit the 5×5 map it gets; use a kernel of at most 5, or padding=1"
    )


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None)
def test_the_mends_of_a_kernel_that_does_not_fit_work(height, width, dilation, rows, columns):
    try:
        parse(f"conv 1 {rows}x{columns} dilation={dilation}").place((1, height, width))
    except LayerError as error:
        kernel, padding = str(error).split("at most ")[1].split(", or padding=")
        assert out(f"conv 1 {kernel} dilation={dilation}", (1, height, width))
        assert out(f"conv 1 {rows}x{columns} dilation={dilation} padding={padding}", (1, height, width))
