"""FFT: fast lengths, the theorem and its flip, answers by hand, torch as far as rounding allows, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neocog.ops.contract import Cost
from neocog.ops.convolution import conv2d, convolve2d, correlate2d
from neocog.ops.fft import FFT, fast_length
from neocog.ops.spec import ConvSpec, Shape4

# pictures, kernels out, specification
SPECS: list[tuple[Shape4, int, ConvSpec]] = [
    ((2, 3, 6, 5), 4, ConvSpec.make(3)),
    ((1, 1, 1, 1), 1, ConvSpec.make(1)),
    ((3, 4, 5, 6), 2, ConvSpec.make(1, stride=2)),
    ((2, 2, 7, 4), 3, ConvSpec.make((7, 4))),
    ((2, 2, 6, 7), 3, ConvSpec.make((2, 4), padding="same")),
    ((2, 2, 4, 6), 3, ConvSpec.make((3, 2), padding=(3, 0, 1, 2))),
    ((2, 3, 9, 8), 2, ConvSpec.make((2, 3), stride=(3, 2))),
    ((2, 2, 9, 8), 3, ConvSpec.make((3, 2), dilation=(2, 3))),
    ((2, 4, 6, 5), 6, ConvSpec.make(3, padding=1, groups=2)),
    ((3, 3, 5, 6), 6, ConvSpec.make((2, 3), groups=3)),
    ((2, 5, 11, 13), 5, ConvSpec.make(3, stride=2, padding=1, groups=5)),
    ((2, 6, 8, 9), 4, ConvSpec.make((2, 3), stride=(1, 2), padding=(2, 1, 0, 3), dilation=(3, 2), groups=2)),
]
SPEC = pytest.mark.parametrize(("x_shape", "kernels", "spec"), SPECS, ids=[str(spec) for _, _, spec in SPECS])


def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape)))


def case(x_shape: Shape4, kernels: int, spec: ConvSpec) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, kernels and an output gradient."""
    w = numbers(kernels, x_shape[1] // spec.groups, *spec.kernel_size)
    return numbers(*x_shape), w, numbers(x_shape[0], kernels, *spec.output_size(x_shape[2:]))


def by_torch(x: Tensor, w: Tensor, g: Tensor, spec: ConvSpec) -> tuple[Tensor, ...]:
    """y, gx and gw; padded by hand, as torch knows only equal padding on opposite sides."""
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    top, bottom, left, right = spec.padding
    wide = functional.pad(x, (left, right, top, bottom))
    y = functional.conv2d(wide, w, stride=spec.stride, dilation=spec.dilation, groups=spec.groups)
    return y.detach(), *torch.autograd.grad(y, (x, w), g)


def by_fft(x: Tensor, w: Tensor, g: Tensor, spec: ConvSpec) -> tuple[Tensor, ...]:
    return FFT.forward(x, w, spec), FFT.grad_x(g, w, spec, (x.shape[2], x.shape[3])), FFT.grad_w(g, x, spec)


def close(got: Tensor, want: Tensor, ulps: float = 32) -> None:
    """As far as a transform allows: each of its numbers is a sum over the whole picture, and is rounded as such.

    So errors are a few times the type's own, of the largest result and not of each; one that should be 0 isn't. Of the
    specifications here none comes further from it than 3 of those units.
    """
    torch.testing.assert_close(
        got, want.to(got.dtype), rtol=0, atol=ulps * torch.finfo(got.dtype).eps * want.abs().max().item()
    )


def test_fast_lengths_against_brute_force():
    fast = sorted(2**a * 3**b * 5**c for a, b, c in product(range(13), range(9), range(7)))
    for least in range(1, 4097):
        assert fast_length(least) == next(length for length in fast if length >= least)
    assert [fast_length(least) for least in (0, 1, 7, 11, 28, 32, 33, 224, 227)] == [1, 1, 8, 12, 30, 32, 36, 225, 240]


def test_the_lessons_first_example_by_hand():
    x, w = torch.arange(9.0).reshape(1, 1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    close(FFT.forward(x, w, ConvSpec.make(2)), torch.tensor([[[[19.0, 25.0], [37.0, 43.0]]]]))


def test_gradients_by_hand():
    """y = (x0·w0 + x1·w1, x1·w0 + x2·w1) and g = (1, 10)."""
    x, w = torch.tensor([[[[3.0, 5.0, 7.0]]]]), torch.tensor([[[[2.0, 4.0]]]])
    y, gx, gw = by_fft(x, w, torch.tensor([[[[1.0, 10.0]]]]), ConvSpec.make((1, 2)))
    close(y.flatten(), torch.tensor([26.0, 38.0]))
    close(gx.flatten(), torch.tensor([2.0, 24.0, 40.0]))
    close(gw.flatten(), torch.tensor([53.0, 75.0]))


def test_strides_and_dilations_by_hand():
    x, w, g = (torch.tensor([[[row]]]) for row in ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 10.0], [1.0, 100.0]))
    y, gx, gw = by_fft(x, w, g, ConvSpec.make((1, 2), stride=2, dilation=2))
    close(y.flatten(), torch.tensor([31.0, 53.0]))  # 1 + 10·3, 3 + 10·5
    close(gx.flatten(), torch.tensor([1.0, 0.0, 110.0, 0.0, 1000.0]))
    close(gw.flatten(), torch.tensor([301.0, 503.0]))


def test_the_flip_is_the_conjugate():
    """Correlation lays the kernel on as it is, convolution turns it; in between stands one conjugation."""
    x, w = numbers(6, 6), numbers(3, 2)
    close(correlate2d(x, w, method="fft"), functional.conv2d(x[None, None], w[None, None])[0, 0])
    close(convolve2d(x, w, method="fft"), correlate2d(x, w.flip(0, 1), method="fft"))
    field = functional.pad(w, (0, 4, 0, 3))
    turned = field.flip(0, 1).roll((1, 1), (0, 1))  # w[−r, −s] on a field that goes round
    close(torch.view_as_real(torch.fft.fft2(turned)), torch.view_as_real(torch.fft.fft2(field).conj().resolve_conj()))


@pytest.mark.parametrize("size", [8, 9, 11])
def test_nothing_wraps_round_into_the_result(size):
    """The field of 8 or 9 is exactly as long as the picture, whose two ends could meet there."""
    x = torch.zeros(1, 1, size, size, dtype=torch.float64)
    x[..., 0, :], x[..., -1, :] = 1.0, 1000.0
    w = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    sums = FFT.forward(x, w, ConvSpec.make(3))[0, 0]
    close(sums[0], torch.full_like(sums[0], 3.0), ulps=64 * 1000)
    close(sums[1:-1] + 3000, torch.full_like(sums[1:-1], 3000.0))
    close(sums[-1], torch.full_like(sums[0], 3000.0))


@SPEC
def test_forward_and_both_gradients_agree_with_torch(x_shape, kernels, spec):
    x, w, g = case(x_shape, kernels, spec)
    for result, want in zip(by_fft(x, w, g, spec), by_torch(x, w, g, spec), strict=True):
        close(result, want)
        assert result.is_contiguous()


@SPEC
def test_float32(x_shape, kernels, spec):
    x, w, g = (tensor.float() for tensor in case(x_shape, kernels, spec))
    want = by_torch(x.double(), w.double(), g.double(), spec)
    for result, exact in zip(by_fft(x, w, g, spec), want, strict=True):
        assert result.dtype == torch.float32
        close(result, exact)


@pytest.mark.parametrize(
    "laid_out",
    [
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.mT.contiguous().mT,
        lambda x: torch.stack([x, x + 1], dim=-1).flatten(-2)[..., ::2],
        lambda x: x[:1].expand(len(x), -1, -1, -1),
    ],
    ids=["channels last", "columns before rows", "every second number", "one many times"],
)
def test_any_memory_layout(laid_out: Callable[[Tensor], Tensor]):
    x_shape, kernels, spec = SPECS[-1]
    x, w, g = (laid_out(tensor) for tensor in case(x_shape, kernels, spec))
    before = [tensor.clone() for tensor in (x, w, g)]
    for result, want in zip(by_fft(x, w, g, spec), by_torch(x, w, g, spec), strict=True):
        close(result, want)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip((x, w, g), before, strict=True))


def test_the_result_keeps_nothing_but_itself():
    """It is cut out of a larger field, which would stay in memory as long as a view of it."""
    x_shape, kernels, spec = SPECS[6]
    for result in by_fft(*case(x_shape, kernels, spec), spec):
        assert result.untyped_storage().nbytes() == result.nbytes


def test_it_can_be_asked_for_by_name():
    x, w = numbers(2, 3, 6, 5), numbers(4, 3, 3, 3)
    close(conv2d(x, w, method="fft"), functional.conv2d(x, w))


def test_cost_by_hand():
    """On fields of 4×4: 4·3 frequencies, and 2.5·16·log₂ 16 = 160 for each transform."""
    spec = ConvSpec.make(2)
    # 2 maps of the picture, 6 of the kernels and 3 results; 12 frequencies with 2·3 complex products of 4 each.
    # The peak: waves of the picture, and fields and waves of the kernels; waves are 24 numbers, fields 16.
    assert FFT.cost(spec, (1, 2, 4, 4), 3) == Cost(11 * 160 + 12 * 6 * 4, 4 * (2 * 24 + 6 * (24 + 16)))
    # With many pictures the peak comes on the way back: three copies of the results' waves without channels to sum, and
    # two with.
    assert FFT.cost(spec, (50, 1, 4, 4), 3) == Cost((50 + 3 + 150) * 160 + 12 * 150 * 4, 4 * 150 * (16 + 3 * 24))
    assert FFT.cost(spec, (50, 2, 4, 4), 3) == Cost((100 + 6 + 150) * 160 + 12 * 300 * 4, 4 * 150 * (16 + 2 * 24))
    # In groups of two channels and one kernel each, with both factors copied: 100 and 4 maps, and 100 results.
    grouped = ConvSpec.make(2, groups=2)
    assert FFT.cost(grouped, (50, 4, 4, 4), 2, itemsize=8) == Cost(
        (200 + 4 + 100) * 160 + 12 * 200 * 4, 8 * 24 * (2 * 204 + 100)
    )


def test_cost_is_that_of_the_padded_picture_in_its_fast_length():
    x_shape = (2, 3, 28, 28)
    padded = FFT.cost(ConvSpec.make(5, padding=(0, 1, 1, 0)), x_shape, 4)
    assert padded == FFT.cost(ConvSpec.make(3), (2, 3, 30, 30), 4) == FFT.cost(ConvSpec.make(5), x_shape, 4)
    assert padded != FFT.cost(ConvSpec.make(5, padding=2), x_shape, 4)
