"""FFT: fast lengths, the theorem's flip, nothing that wraps round, how small its errors are, and what it costs."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from cases import LISTED, OPERATIONS, Case, agree, by_torch, computed, largest
from torch import Tensor
from torch.nn import functional

from neocog.ops.contract import Cost
from neocog.ops.convolution import convolve2d, correlate2d
from neocog.ops.fft import FFT, fast_length
from neocog.ops.spec import ConvSpec


def close(got: Tensor, want: Tensor, what: object = "", ulps: float = 32) -> None:
    """As far as a transform allows: each of its numbers is a sum over the whole picture, and is rounded as such.

    So errors are a few times the type's own, of the largest result and not of each; one that should be 0 isn't. Of the
    specifications listed none comes further from it than 5 of those units.
    """
    agree(got, want.to(got.dtype), what, rtol=0, atol=ulps * torch.finfo(got.dtype).eps * largest(want))


def test_fast_lengths_against_brute_force():
    fast = sorted(2**a * 3**b * 5**c for a, b, c in product(range(13), range(9), range(7)))
    for least in range(1, 4097):
        assert fast_length(least) == next(length for length in fast if length >= least)
    assert fast_length(2**31 - 1) == 2**31
    large = fast_length(2**62 + 1)  # at once, though fast lengths are far apart there
    assert 2**62 < large < 2**63
    for factor in (2, 3, 5):
        while large % factor == 0:
            large //= factor
    assert large == 1
    assert [fast_length(least) for least in (0, 1, 7, 11, 28, 32, 33, 224, 227)] == [1, 1, 8, 12, 30, 32, 36, 225, 240]


def test_the_flip_is_the_conjugate():
    """Correlation lays the kernel on as it is, convolution turns it; in between stands one conjugation."""
    x, w, _ = (tensor[0, 0] for tensor in Case("", (1, 1, 6, 6), 1, ConvSpec.make((3, 2))).tensors())
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


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_errors_are_a_few_units_of_the_largest_result(kind):
    for case in LISTED:
        tensors = case.tensors(dtype=kind)
        for operation in OPERATIONS:
            want = by_torch(operation, case, *(tensor.double() for tensor in tensors))
            close(computed(FFT, operation, case, *tensors), want, f"{operation} {case}")


def test_float32_errors_follow_the_norms_of_whole_maps():
    """One large number makes all others less exact, also where no window reads it: more than a plain sum's would be."""
    case = Case("a bright corner", (1, 1, 16, 16), 1, ConvSpec.make(3))
    x, w, g = case.tensors(dtype=torch.float32)
    x[..., -1, -1] = 1e6
    got, want = computed(FFT, "forward", case, x, w, g), by_torch("forward", case, x.double(), w.double(), g.double())
    far_away = (got - want).abs()[..., :8, :8].max().item()
    plain = 9 * 2**-24 * largest(x[..., :10, :10]) * 9 * largest(w)
    assert (FFT.errors_follow, FFT.error_factor) == ("norms", 3 * 7.2)
    assert plain < far_away < (FFT.error_factor * 8 + 5) * 2**-24 * (x.norm() * w.norm()).item()


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
