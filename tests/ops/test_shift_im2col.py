"""shift and im2col: worked by hand, against torch, in blocks of any size, and what they say they cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from neocog.ops import im2col
from neocog.ops.contract import Algorithm, Cost
from neocog.ops.im2col import IM2COL, patch_matrix
from neocog.ops.shift import SHIFT
from neocog.ops.spec import ConvSpec, Shape4

ALGORITHMS = pytest.mark.parametrize("algorithm", [SHIFT, IM2COL], ids=["shift", "im2col"])

# pictures, kernels out, specification
SPECS: list[tuple[Shape4, int, ConvSpec]] = [
    ((3, 2, 6, 7), 4, ConvSpec.make(3)),
    ((1, 1, 5, 5), 1, ConvSpec.make(2)),
    ((2, 3, 4, 5), 2, ConvSpec.make(1)),
    ((2, 3, 4, 5), 2, ConvSpec.make((4, 5))),
    ((3, 2, 9, 8), 3, ConvSpec.make((3, 2), stride=(2, 3))),
    ((2, 2, 5, 4), 3, ConvSpec.make(3, padding=(2, 0, 1, 3))),
    ((2, 2, 9, 8), 3, ConvSpec.make((2, 3), dilation=(3, 2))),
    ((2, 2, 6, 6), 3, ConvSpec.make((4, 2), padding="same")),
    ((2, 4, 6, 5), 6, ConvSpec.make(3, padding=1, groups=2)),
    ((3, 3, 6, 6), 6, ConvSpec.make((2, 3), groups=3)),
    ((2, 4, 5, 6), 4, ConvSpec.make(3, stride=2, padding=1, groups=4)),
    ((2, 4, 11, 10), 2, ConvSpec.make((3, 2), stride=(2, 1), padding=(1, 2, 0, 3), dilation=(2, 3), groups=2)),
]
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "columns before rows": lambda x: x.mT.contiguous().mT,
    "channels before pictures": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "every second number": lambda x: torch.stack([x, x + 1], dim=-1).flatten(-2)[..., ::2],
}


def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(len(shape) + sum(shape)))


def case(x_shape: Shape4, kernels: int, spec: ConvSpec) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, kernels and an output gradient."""
    w = numbers(kernels, x_shape[1] // spec.groups, *spec.kernel_size)
    return numbers(*x_shape), w, numbers(x_shape[0], kernels, *spec.output_size(x_shape[2:]))


def by_torch(x: Tensor, w: Tensor, g: Tensor, spec: ConvSpec) -> tuple[Tensor, Tensor, Tensor]:
    """y, gx and gw, padded by hand, as torch knows only equal padding on opposite sides."""
    top, bottom, left, right = spec.padding
    wide = functional.pad(x, (left, right, top, bottom))
    walk = {"stride": spec.stride, "dilation": spec.dilation, "groups": spec.groups}
    gx = conv2d_input(list(wide.shape), w, g, **walk)[..., top : top + x.shape[2], left : left + x.shape[3]]
    return functional.conv2d(wide, w, **walk), gx, conv2d_weight(wide, list(w.shape), g, **walk)


def by_us(algorithm: Algorithm, x: Tensor, w: Tensor, g: Tensor, spec: ConvSpec) -> tuple[Tensor, Tensor, Tensor]:
    gx = algorithm.grad_x(g, w, spec, (x.shape[2], x.shape[3]))
    return algorithm.forward(x, w, spec), gx, algorithm.grad_w(g, x, spec)


def agree(got: tuple[Tensor, ...], want: tuple[Tensor, ...]) -> None:
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


def test_patch_matrix_of_a_3x3_picture() -> None:
    """As drawn at the top of im2col.py: windows are columns; the kernel times it is the lessons' answer."""
    matrix = patch_matrix(torch.arange(9.0).reshape(1, 1, 3, 3), ConvSpec.make(2))
    assert matrix.tolist() == [[[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]]
    assert (torch.arange(4.0) @ matrix).tolist() == [[19, 25, 37, 43]]


def test_patch_matrix_puts_channels_below_each_other_and_pictures_beside_each_other() -> None:
    x = torch.tensor([[[[1, 2, 3]], [[4, 5, 6]]], [[[10, 20, 30]], [[40, 50, 60]]]])
    first, second = [[1, 2, 10, 20], [2, 3, 20, 30]], [[4, 5, 40, 50], [5, 6, 50, 60]]
    assert patch_matrix(x, ConvSpec.make((1, 2))).tolist() == [first + second]
    assert patch_matrix(x, ConvSpec.make((1, 2), groups=2)).tolist() == [first, second]


def test_patch_matrix_with_padding_stride_and_dilation() -> None:
    """0 1 2 3 4 5 0 0: windows read numbers 0 and 3, 2 and 5, 4 and 7 of it."""
    x = torch.arange(1, 6).reshape(1, 1, 1, 5)
    spec = ConvSpec.make((1, 2), stride=(1, 2), padding=(0, 0, 1, 2), dilation=(1, 3))
    assert patch_matrix(x, spec).tolist() == [[[0, 2, 4], [3, 5, 0]]]


@ALGORITHMS
def test_two_channels_and_three_kernels_by_hand(algorithm: Algorithm) -> None:
    x = torch.stack([torch.arange(9.0), torch.arange(1.0, 10.0)]).reshape(1, 2, 3, 3)
    w = torch.stack([torch.arange(4.0), torch.arange(1.0, 5.0)]).reshape(1, 2, 2, 2)
    y = algorithm.forward(x, torch.cat([w, w + 1, w + 2]), ConvSpec.make(2))
    assert y.tolist() == [[[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]]


@ALGORITHMS
def test_gradients_by_hand(algorithm: Algorithm) -> None:
    """Stride 2 on 0 1 2 3 4 5: windows 0 1, 2 3 and 4 5; the last number is read by none.

    y = [1·0 + 10·1, 1·2 + 10·3, 1·4 + 10·5]; gx is each window's (1, 10) times its g; gw = [Σ g·first, Σ g·second].
    """
    spec = ConvSpec.make((1, 2), stride=(1, 2), padding=(0, 0, 1, 0))
    x, w, g = torch.tensor([[[[1.0, 2, 3, 4, 5, 6]]]]), torch.tensor([[[[1.0, 10]]]]), torch.tensor([[[[1.0, 2, 3]]]])
    y, gx, gw = by_us(algorithm, x, w, g, spec)
    assert y.tolist() == [[[[10, 32, 54]]]]
    assert gx.tolist() == [[[[10, 2, 20, 3, 30, 0]]]]
    assert gw.tolist() == [[[[0 * 1 + 2 * 2 + 4 * 3, 1 * 1 + 3 * 2 + 5 * 3]]]]


@ALGORITHMS
def test_input_gradient_adds_where_windows_overlap(algorithm: Algorithm) -> None:
    """Ones everywhere: each number counts the windows it stands in, and each cell the windows there are."""
    x, w, g = torch.ones(1, 1, 3, 4), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 3)
    _, gx, gw = by_us(algorithm, x, w, g, ConvSpec.make(2))
    assert gx.tolist() == [[[[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]]]
    assert gw.tolist() == [[[[6, 6], [6, 6]]]]


@ALGORITHMS
@pytest.mark.parametrize(("x_shape", "kernels", "spec"), SPECS)
def test_agrees_with_torch(algorithm: Algorithm, x_shape: Shape4, kernels: int, spec: ConvSpec) -> None:
    x, w, g = case(x_shape, kernels, spec)
    before = x.clone(), w.clone(), g.clone()
    got = by_us(algorithm, x, w, g, spec)
    agree(got, by_torch(x, w, g, spec))
    assert all(map(torch.equal, (x, w, g), before))  # what was given is left as it was
    assert got[0].is_contiguous()  # as torch's own, so that y.view(…) works


@pytest.mark.parametrize("rows", [1, 2, 7, 20])
@pytest.mark.parametrize(("x_shape", "kernels", "spec"), SPECS)
def test_blocks_of_any_size_add_up(
    x_shape: Shape4, kernels: int, spec: ConvSpec, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single rows, rows that don't divide a picture, and several pictures, the last block being smaller."""
    x, w, g = case(x_shape, kernels, spec)
    one_row = g.shape[3] * (x_shape[1] * w.shape[2] * w.shape[3] + kernels) * x.itemsize
    monkeypatch.setattr(im2col, "_BLOCK_BYTES", rows * one_row)
    agree(by_us(IM2COL, x, w, g, spec), by_torch(x, w, g, spec))


@ALGORITHMS
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("x_shape", "kernels", "spec"), [SPECS[0], SPECS[2], SPECS[-1]])
def test_any_memory_layout(algorithm: Algorithm, x_shape: Shape4, kernels: int, spec: ConvSpec, layout: str) -> None:
    tensors = case(x_shape, kernels, spec)
    x, w, g = map(LAYOUTS[layout], tensors)
    assert not x.is_contiguous()
    agree(by_us(algorithm, x, w, g, spec), by_torch(*tensors, spec))


@ALGORITHMS
def test_float32_stays_float32(algorithm: Algorithm) -> None:
    """Each number sums 18 products at most; the errors of so short sums stay below 20 roundings of 6e-8."""
    x, w, g = (tensor.float() for tensor in case(*SPECS[0]))
    got, want = by_us(algorithm, x, w, g, SPECS[0][2]), by_torch(x.double(), w.double(), g.double(), SPECS[0][2])
    for ours, exact in zip(got, want, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)


def test_cost_of_im2col_by_hand() -> None:
    """macs: 32 pictures · 32 kernels · 24·24 places · 16 channels · 5·5 cells."""
    spec, macs = ConvSpec.make(5), 235_929_600
    # One picture: 576 columns of 16·25 patch numbers and 32 results take 995,328 of 1,048,576 bytes.
    assert IM2COL.cost(spec, (32, 16, 28, 28), 32) == Cost(macs, 576 * (400 + 32) * 4)
    # In float64 a row takes 24 · 432 · 8 = 82,944 bytes, so 12 rows fit.
    assert IM2COL.cost(spec, (32, 16, 28, 28), 32, itemsize=8) == Cost(macs, 12 * 82_944)


def test_cost_of_im2col_with_padding_and_few_pictures() -> None:
    """3 pictures of 4·4 places, 9 patch numbers and 2 results each, fit one block; padded they are 3 of 6×6."""
    assert IM2COL.cost(ConvSpec.make(3, padding=1), (3, 1, 4, 4), 2) == Cost(3 * 2 * 16 * 9, 48 * 11 * 4 + 3 * 36 * 4)
    # A single row is the least: 1,000 columns of 64·9 + 8 numbers are more than a block should take.
    wide = IM2COL.cost(ConvSpec.make((3, 3)), (2, 64, 4, 1002), 8)
    assert wide == Cost(2 * 8 * 2 * 1000 * 64 * 9, 1000 * (576 + 8) * 4)


def test_cost_of_shift_by_hand() -> None:
    """Kernels once more, and the larger of a slice and the output; no second output for one picture."""
    spec = ConvSpec.make(5)
    assert SHIFT.cost(spec, (32, 16, 28, 28), 32) == Cost(235_929_600, (32 * 16 * 25 + 32 * 32 * 576) * 4)
    assert SHIFT.cost(spec, (1, 16, 28, 28), 32) == Cost(7_372_800, (32 * 16 * 25 + 16 * 576) * 4)
    # Groups: 4 kernels of 2 channels each; 2 pictures of 4 channels, padded to 5×6, give 3·4 places in float64.
    grouped = SHIFT.cost(ConvSpec.make(3, padding=(1, 0, 1, 1), groups=2), (2, 4, 4, 4), 4, itemsize=8)
    assert grouped == Cost(2 * 4 * 12 * 2 * 9, (4 * 2 * 9 + 2 * 4 * 12 + 2 * 4 * 30) * 8)
