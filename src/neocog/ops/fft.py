"""Convolution as a product in the frequency domain: what slides in space is one multiplication at each frequency.

Along one axis of L numbers, written as waves that go round L (indices are taken mod L):

    X[f] = Σ_i x[i]·ω^(f·i)    with ω = exp(−2πi/L), and back    x[i] = 1/L · Σ_f X[f]·ω^(−f·i)

Convolution.  z[j] = Σ_i x[j − i]·v[i] has Z[f] = Σ_i Σ_j x[j − i]·ω^(f·(j − i)) · v[i]·ω^(f·i) = X[f]·V[f]: as j goes
round once, so does j − i, whatever i is. That is the circular convolution theorem.

Correlation.  y[p] = Σ_i x[p + i]·v[i] is the convolution with the flipped kernel v[−i]. The flip turns ω^(f·i) into
ω^(−f·i), and for real numbers that is the conjugate of V[f]. So the cross-correlation that networks call convolution is

    Y[f] = X[f]·conj(V[f])

and the flip that tells both apart is one conjugation. Rows and columns are transformed one after the other; channels
are summed at each frequency, so that each frequency is one small product of matrices.

Length.  Circular means that a window which leaves the field at its end goes on at its start. The windows that count
end inside the padded picture, so a field at least as long as that holds them all, and the sums that wrapped round are
those left out. The field is a little longer where that makes its transform fast (`fast_length`).

Stride and dilation.  A dilated kernel has zeros between its numbers. A stride keeps every S-th of the results: those
between are computed and thrown away, which is why strides gain nothing here.

Gradients.  Let u be g with stride − 1 zeros between its numbers. In y[p] = Σ_i x[p + i]·v[i], x[h] stands beside
v[h − p] in each y[p], and v[i] beside x[p + i]:

    ∂L/∂x[h] = Σ_p u[p]·v[h − p]    a convolution, flip and all:         U[f]·V[f]
    ∂L/∂v[i] = Σ_p x[p + i]·u[p]    a correlation, u as its kernel:      X[f]·conj(U[f]), read at multiples of dilation

In both, p + i stays inside the padded picture, so nothing wraps round.

Rounding.  Let u be half a step of the type (2⁻²⁴ in float32), and ‖·‖ the root of a map's summed squares. A step of a
transform that sums r products is off by √r·(r + 2)·u + u of the norm of what it gives: 6.7·u for r = 2, 9.7·u for 3 and
16.7·u for 5, so by at most 7.2·u for each doubling of the length. A result comes through three transforms of L numbers
(both factors' and the way back), one complex product (3·u) and a sum of M such products (2·M·u). As |Σ x·v| ≤ ‖x‖·‖v‖
for each of the M pairs of maps, it is off by at most

    (3 · 7.2 · log₂ L + 3 + 2·M) · u · Σ_M ‖x‖·‖v‖

The norms are those of whole maps: unlike a plain sum's, the error doesn't follow the numbers that a window reads. Where
these are small beside the rest of the picture, less is right of what comes out; what should be 0 mostly isn't; and a
single inf or NaN spreads over all of the picture. M is C/G forwards, K/G for ∂L/∂x and N for ∂L/∂v.

Source: Mathieu, Henaff & LeCun, "Fast Training of Convolutional Networks through FFTs" (ICLR 2014, arXiv:1312.5851);
Oppenheim & Schafer, "Discrete-Time Signal Processing" (3rd edition, 2010), sections 8.6 and 8.7; Higham, "Accuracy and
Stability of Numerical Algorithms" (2nd edition, 2002), theorem 24.2, for the errors at r = 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

import torch
from torch import Tensor
from torch.nn import functional

from neocog.ops.contract import Algorithm, Cost
from neocog.ops.padding import cut_out, unpadded
from neocog.ops.spec import ConvSpec, Pair, Shape4


class FrequencyDomain(Algorithm):
    """Transform, multiply at each frequency, transform back.

    In the sums a and b are the two frequencies, g the group, d a channel of the group and k one of its kernels.
    """

    errors_follow = "norms"
    error_factor = 3 * 7.2

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """Correlation of pictures and kernels, summed over channels."""
        size, G = _field_size(spec, x_NCHW.shape[2:]), spec.groups
        y_NKab = torch.einsum(
            "ngdab,gkdab->ngkab",
            torch.unflatten(_waves(_laid_out(x_NCHW, spec, size)), 1, (G, -1)),
            torch.unflatten(_waves(_spread(w_KCRS, spec.dilation, size)).conj_physical_(), 0, (G, -1)),
        ).flatten(1, 2)
        y = torch.fft.irfft2(y_NKab, s=size)
        return cut_out(y, _every(y, spec.stride, spec.output_size(x_NCHW.shape[2:])))

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """Convolution of the spread g and the kernels, summed over kernels: nothing is conjugated."""
        size, G = _field_size(spec, input_size), spec.groups
        gx_NCab = torch.einsum(
            "ngkab,gkdab->ngdab",
            torch.unflatten(_waves(_spread(g_NKPQ, spec.stride, size)), 1, (G, -1)),
            torch.unflatten(_waves(_spread(w_KCRS, spec.dilation, size)), 0, (G, -1)),
        ).flatten(1, 2)
        gx = torch.fft.irfft2(gx_NCab, s=size)
        return unpadded(gx, spec, input_size)

    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """Correlation of pictures and the spread g, summed over pictures."""
        size, G = _field_size(spec, x_NCHW.shape[2:]), spec.groups
        gw_KDab = torch.einsum(
            "ngdab,ngkab->gkdab",
            torch.unflatten(_waves(_laid_out(x_NCHW, spec, size)), 1, (G, -1)),
            torch.unflatten(_waves(_spread(g_NKPQ, spec.stride, size)).conj_physical_(), 1, (G, -1)),
        ).flatten(0, 1)
        gw = torch.fft.irfft2(gw_KDab, s=size)
        return cut_out(gw, _every(gw, spec.dilation, spec.kernel_size))

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """Four multiply-adds for each product of two complex numbers, and the transforms' arithmetic.

        A transform of n real numbers is counted as 2.5·n·log₂ n, the usual measure of its additions and
        multiplications (half of a complex one's 5·n·log₂ n), each taken for one multiply-add, since few of
        them come in pairs.
        """
        N, C, H, W = x_shape
        D, (L, M) = C // spec.groups, _field_size(spec, (H, W))
        frequencies = L * (M // 2 + 1)
        x, w, y = N * C, out_channels * D, N * out_channels  # how many fields of each
        transforms = ceil((x + w + y) * 2.5 * L * M * log2(L * M))
        # What stands side by side, in numbers: a field is replaced by its waves, which are complex and so count twice.
        field, waves = L * M, 2 * frequencies
        grouped = spec.groups > 1 and D > 1  # then torch sorts both factors by frequency and group first
        phases = (
            x * (field + waves),
            x * waves + w * (field + waves),
            (x + w) * waves * (2 if grouped else 1) + y * waves,
            y * (field + waves * (2 if spec.groups == 1 and D > 1 else 3)),  # torch's way back works on copies
        )
        return Cost(4 * frequencies * N * out_channels * D + transforms, max(phases) * itemsize)


def fast_length(least: int) -> int:
    """The smallest length of at least `least` whose only prime factors are 2, 3 and 5.

    A transform of length a·b takes b of length a and a of length b, so what is made of small factors is fast.
    Source: Cooley & Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series" (1965).

    >>> fast_length(28), fast_length(32), fast_length(97)
    (30, 32, 100)
    """
    least = max(1, least)
    threes = [3**power for power in range(least.bit_length() + 1)]
    fives = [5**power for power in range(least.bit_length() + 1)]
    odd: list[int] = [three * five for three in threes for five in fives]
    # Each as often doubled as it takes: ⌈least/number⌉ rounded up to a power of 2.
    return min(number << (-(-least // number) - 1).bit_length() for number in odd)


def _field_size(spec: ConvSpec, input_size: Sequence[int]) -> Pair:
    rows, columns = spec.padded_size(input_size)
    return fast_length(rows), fast_length(columns)


def _laid_out(x_NCHW: Tensor, spec: ConvSpec, size: Pair) -> Tensor:
    """The padded pictures, with more zeros at the bottom and the right where the field is larger."""
    top, _, left, _ = spec.padding
    H, W = x_NCHW.shape[2:]
    return functional.pad(x_NCHW, (left, size[1] - left - W, top, size[0] - top - H))


def _spread(numbers: Tensor, steps: Pair, size: Pair) -> Tensor:
    """Numbers laid into a field of zeros from its first corner on, `steps` apart."""
    field = numbers.new_zeros((*numbers.shape[:2], *size))
    _every(field, steps, numbers.shape[2:]).copy_(numbers)
    return field


def _every(field: Tensor, steps: Pair, counts: Sequence[int]) -> Tensor:
    """As many rows and columns of a field as wanted, `steps` apart, as a view."""
    rows, columns = ((count - 1) * step + 1 for count, step in zip(counts, steps, strict=True))
    return field[..., : rows : steps[0], : columns : steps[1]]


def _waves(field: Tensor) -> Tensor:
    """The transform of each field. For real numbers X[−f] is X[f] conjugated, so ⌊L/2⌋ + 1 columns say it all."""
    waves: Tensor = torch.fft.rfft2(field)
    return waves


FFT = FrequencyDomain()
