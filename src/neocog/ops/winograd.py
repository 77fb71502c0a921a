"""Winograd's convolution: 3×3 kernels over small tiles, with fewer multiplications and more additions.

A tile of m×m numbers out reads t×t numbers in, t = m + 2, so neighbouring tiles overlap by 2. In one direction F(m, 3)
of `neocog.ops.toom_cook` makes m numbers with t products, y = Aᵀ[(G g) ⊙ (Bᵀ d)]. For two directions it is nested:
the columns of a tile first, then its rows,

    Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A

where g is one kernel, d one tile and G a matrix; in shapes, as everywhere in this package, G counts the groups. That is
t² products for 9·m²: 16 for 36 when m = 2, 36 for 144 when m = 4. As all three steps are linear, the sum over the
channels may stand inside the brackets, and for each of the t² positions in a tile it is one matrix product, kernels ×
channels times channels × tiles. The transforms cost more the larger m is, and pay only when many channels and kernels
share them: Bᵀ d B serves all kernels, G g Gᵀ all tiles, Aᵀ[…]A follows the sum over channels.

Both gradients come by transposing. With U = G g Gᵀ, V = Bᵀ d B and gy = ∂L/∂Y, Y = Aᵀ(U ⊙ V)A gives
∂L/∂(U ⊙ V) = A gy Aᵀ. The product hands that on times the other factor, and a step M · Mᵀ hands it on as Mᵀ · M:

    ∂L/∂g = Gᵀ[Σ_tiles (A gy Aᵀ) ⊙ (Bᵀ d B)]G        ∂L/∂d = B[Σ_k (G g Gᵀ) ⊙ (A gy Aᵀ)]Bᵀ

and where tiles overlap, a number of the picture gets the sum of what its tiles give.

Rounding errors are larger than those of a plain sum, as the terms of Aᵀ[…]A are larger and cancel. Beside the largest
number times the largest weight they grow at worst by growth² of `toom_cook`: 9 for m = 2, 256 for m = 4, and 52 517 for
m = 6 at its points, which is why there is none. Mostly they are far smaller than that, and the more so the more
channels there are, as errors of either sign cancel. A single inf or NaN spreads over the tiles that read it.

Sources: Winograd, "Arithmetic Complexity of Computations" (1980); Lavin & Gray, "Fast Algorithms for Convolutional
Neural Networks" (CVPR 2016, arXiv:1509.09308).
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from neocog.ops.contract import Algorithm, Cost
from neocog.ops.padding import cell_view, padded, unpadded
from neocog.ops.spec import ConvSpec, Pair, Shape4
from neocog.ops.toom_cook import growth, transforms

_TAPS = 3


class Winograd(Algorithm):
    """F(m×m, 3×3). Tiles are held as (rows, columns, G, channels of a group, all tiles of all pictures)."""

    does = "3×3 kernels at stride 1 and dilation 1"

    def __init__(self, outputs: int) -> None:
        self.outputs = outputs
        self.errors_follow = "largest"
        self.error_factor = float(growth(outputs, _TAPS) ** 2)

    def supports(self, spec: ConvSpec) -> bool:
        """3×3 kernels whose windows are side by side; with a stride the transforms would differ."""
        return (spec.kernel_size, spec.stride, spec.dilation) == ((_TAPS, _TAPS), (1, 1), (1, 1))

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """Y = Aᵀ[Σ_c (G g Gᵀ) ⊙ (Bᵀ d B)]A for each tile, laid side by side."""
        At, G, Bt = self._matrices(x_NCHW)
        (N, _, H, W), K = x_NCHW.shape, len(w_KCRS)
        size = spec.output_size((H, W))
        reads, writes = self._walks(spec, size)
        products = _nested(G, _taps(w_KCRS, spec)) @ _nested(Bt, _cut(x_NCHW, reads))
        return _laid(_nested(At, products), writes, (N, K, *size))

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """∂L/∂d = B[Σ_k (G g Gᵀ) ⊙ (A gy Aᵀ)]Bᵀ for each tile, added up where tiles overlap."""
        At, G, Bt = self._matrices(g_NKPQ)
        (N, _, P, Q), C = g_NKPQ.shape, w_KCRS.shape[1] * spec.groups
        reads, writes = self._walks(spec, (P, Q))
        products = _nested(G, _taps(w_KCRS, spec)).mT @ _nested(At.T, _cut(g_NKPQ, writes))
        return _laid(_nested(Bt.T, products), reads, (N, C, *input_size))

    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """∂L/∂g = Gᵀ[Σ_tiles (A gy Aᵀ) ⊙ (Bᵀ d B)]G."""
        At, G, Bt = self._matrices(g_NKPQ)
        (_, K, P, Q), C = g_NKPQ.shape, x_NCHW.shape[1]
        reads, writes = self._walks(spec, (P, Q))
        products = _nested(At.T, _cut(g_NKPQ, writes)) @ _nested(Bt, _cut(x_NCHW, reads)).mT
        return _nested(G.T, products).reshape(_TAPS, _TAPS, K, C // spec.groups).permute(2, 3, 0, 1).contiguous()

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """t² products for each tile, kernel and channel of its group, and the transforms as dense matrix products.

        By hand the transforms take less, as many of their entries are 0 and ±1: Lavin & Gray count 32 additions for
        the 128 multiply-adds of Bᵀ d B at m = 2.
        """
        (N, C, H, W), K, m, r = x_shape, out_channels, self.outputs, _TAPS
        D, t = C // spec.groups, m + r - 1
        reads, _ = self._walks(spec, spec.output_size((H, W)))
        tiles = N * prod(reads.output_size((H, W)))
        pairs, tiles_in, tiles_out = K * D, C * tiles, K * tiles
        macs = t * t * D * tiles_out + sum(
            after * before * (before + after) * count  # M · tile, then · Mᵀ
            for after, before, count in ((t, r, pairs), (t, t, tiles_in), (m, t, tiles_out))
        )
        numbers = max(  # held at once while …
            (r * t + t * t) * pairs,  # the kernels are transformed,
            t * t * (pairs + 3 * tiles_in),  # the tiles are: cut, half done and done,
            t * t * (pairs + tiles_in + tiles_out),  # both are multiplied,
            (t * t + m * t + m * m) * tiles_out,  # and the products are transformed
        )
        return Cost(macs, (numbers + (m + r + t) * t) * itemsize)

    def _matrices(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Aᵀ, G and Bᵀ, of the type and on the device of a tensor."""
        At, G, Bt = (
            torch.tensor([[float(number) for number in row] for row in matrix], dtype=torch.float64).to(like)
            for matrix in transforms(self.outputs, _TAPS)
        )
        return At, G, Bt

    def _walks(self, spec: ConvSpec, output_size: Pair) -> tuple[ConvSpec, ConvSpec]:
        """The tiles as windows on the picture, t×t and m apart, and on the output, m×m and m apart.

        Zeros below and right make the last tiles whole.
        """
        (P, Q), m, t = output_size, self.outputs, self.outputs + _TAPS - 1
        top, bottom, left, right = spec.padding
        below, beside = -P % m, -Q % m
        reads = ConvSpec((t, t), (m, m), (top, bottom + below, left, right + beside), groups=spec.groups)
        writes = ConvSpec((m, m), (m, m), (0, below, 0, beside), groups=spec.groups)
        return reads, writes


def _taps(w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
    """The kernels as (R, S, G, kernels of a group, channels of a group)."""
    K, D, R, S = w_KCRS.shape
    return w_KCRS.permute(2, 3, 0, 1).reshape(R, S, spec.groups, K // spec.groups, D)


def _cut(pictures: Tensor, walk: ConvSpec) -> Tensor:
    """Pictures (N, C, rows, columns) as tiles, overlapping numbers copied."""
    N, C, *size = pictures.shape
    whole, places = padded(pictures, walk), walk.output_size(size)
    cells = [cell_view(whole, walk, places, *cell).transpose(0, 1) for cell in _cells(walk)]
    return torch.stack(cells).reshape(*walk.kernel_size, walk.groups, C // walk.groups, N * prod(places))


def _laid(tiles: Tensor, walk: ConvSpec, shape: Shape4) -> Tensor:
    """Tiles put back into pictures of that shape: the transpose of `_cut`, so overlapping numbers are added."""
    N, C, *size = shape
    places = walk.output_size(size)
    tiles = tiles.reshape(*walk.kernel_size, C, N, *places)
    pictures = tiles.new_zeros(N, C, *walk.padded_size(size))
    for cell in _cells(walk):
        cell_view(pictures, walk, places, *cell).add_(tiles[cell].transpose(0, 1))
    return unpadded(pictures, walk, shape[2:])


def _cells(walk: ConvSpec) -> list[Pair]:
    rows, columns = walk.kernel_size
    return [(row, column) for row in range(rows) for column in range(columns)]


def _nested(matrix: Tensor, tiles: Tensor) -> Tensor:
    """M · tile · Mᵀ for tiles (rows, columns, …)."""
    half_done = torch.tensordot(matrix, tiles, dims=1)
    return torch.matmul(matrix, half_done.flatten(2)).reshape(len(matrix), len(matrix), *tiles.shape[2:])


F2X2 = Winograd(2)
F4X4 = Winograd(4)
