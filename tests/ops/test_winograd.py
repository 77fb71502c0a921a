"""Winograd's transforms in exact fractions, how far his convolution rounds, what it can do, and what it costs."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from cases import LISTED, OPERATIONS, Case, by_torch, computed, factors, largest, terms
from hypothesis import given, settings
from hypothesis import strategies as st

from neocog.ops.contract import Algorithm, Cost, definition_macs
from neocog.ops.spec import ConvSpec
from neocog.ops.toom_cook import growth, transforms
from neocog.ops.winograd import F2X2, F4X4

both = pytest.mark.parametrize("algorithm", [F2X2, F4X4], ids=["2x2", "4x4"])
PLAIN = ConvSpec.make(3)

# Lavin & Gray (2016), section 4, in the order: Aᵀ, G times 24, Bᵀ.
PUBLISHED = {
    2: (
        [[1, 1, 1, 0], [0, 1, -1, -1]],
        [[24, 0, 0], [12, 12, 12], [12, -12, 12], [0, 0, 24]],
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    ),
    4: (
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
    ),
}


def dot(row, numbers):
    return sum(one * other for one, other in zip(row, numbers, strict=True))


@st.composite
def filters(draw):
    """m, d and g for F(m, r)."""
    outputs, taps = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    numbers = st.integers(-1000, 1000)
    d = draw(st.lists(numbers, min_size=outputs + taps - 1, max_size=outputs + taps - 1))
    return outputs, d, draw(st.lists(numbers, min_size=taps, max_size=taps))


@given(filters())
@settings(deadline=None)
def test_transforms_make_a_correlation_exactly(filtered):
    outputs, d, g = filtered
    At, G, Bt = transforms(outputs, len(g))
    products = [dot(g_row, g) * dot(d_row, d) for g_row, d_row in zip(G, Bt, strict=True)]
    assert len(products) == outputs + len(g) - 1
    assert [dot(row, products) for row in At] == [dot(d[i : i + len(g)], g) for i in range(outputs)]


@given(filters())
@settings(deadline=None)
def test_terms_stay_within_the_growth(filtered):
    outputs, d, g = filtered
    At, G, Bt = transforms(outputs, len(g))
    products = [abs(dot(g_row, g) * dot(d_row, d)) for g_row, d_row in zip(G, Bt, strict=True)]
    plain = len(g) * max(map(abs, d)) * max(map(abs, g))
    assert all(dot(map(abs, row), products) <= growth(outputs, len(g)) * plain for row in At)


@given(st.integers(1, 6), st.integers(1, 5), st.data())
@settings(deadline=None)
def test_gradients_terms_stay_within_the_growth(outputs, taps, data):
    """∂L/∂g is a plain sum of m terms in a tile; ∂L/∂d of r, counted over all tiles that overlap there."""
    tile = outputs + taps - 1
    d, g, y = (
        data.draw(st.lists(st.integers(-1000, 1000), min_size=size, max_size=size)) for size in (tile, taps, outputs)
    )
    At, G, Bt = transforms(outputs, taps)
    in_d, in_g, in_y = (
        [abs(dot(row, numbers)) for row in matrix] for matrix, numbers in ((Bt, d), (G, g), (zip(*At, strict=True), y))
    )
    most_d, most_g, most_y = (max(map(abs, numbers)) for numbers in (d, g, y))
    bound = growth(outputs, taps)
    for column in zip(*G, strict=True):
        terms_of_g = dot(map(abs, column), [one * other for one, other in zip(in_y, in_d, strict=True)])
        assert terms_of_g <= bound * outputs * most_y * most_d
    for column in zip(*Bt, strict=True):
        terms_of_d = dot(map(abs, column), [one * other for one, other in zip(in_y, in_g, strict=True)])
        assert terms_of_d <= bound * taps * most_y * most_g


def test_growth_by_hand():
    # F(2, 3): the rows of A, G and Bᵀ have absolute sums 1 2 2 1, 1 3/2 3/2 1 and 2 2 2 2, so
    # y: 1·1·2 + 1·3/2·2 + 1·3/2·2 = 8 over 3 taps; d: the column 0 1 1 1 of Bᵀ, 2·3/2 + 2·3/2 + 1·1 = 7 over 3 taps;
    # g: the column 1 1/2 1/2 0 of G, 1·2 + ½·2·2 + ½·2·2 = 6 over 2 outputs, which is the largest.
    assert growth(2, 3) == 3
    assert growth(1, 1) == 1
    assert (F2X2.error_factor, F4X4.error_factor, Algorithm.error_factor) == (9.0, 256.0, 1.0)
    assert (F2X2.errors_follow, F4X4.errors_follow, Algorithm.errors_follow) == ("largest", "largest", "terms")


@pytest.mark.parametrize("outputs", PUBLISHED)
def test_transforms_are_those_published_up_to_the_scale_of_rows(outputs):
    got = transforms(outputs, 3)
    At, G, Bt = PUBLISHED[outputs]
    for a in range(outputs + 2):
        got_rows = ([row[a] for row in got.At], got.G[a], got.Bt[a])
        rows = ([row[a] for row in At], G[a], Bt[a])
        scales = []
        for got_row, row in zip(got_rows, rows, strict=True):
            place = next(index for index, number in enumerate(row) if number)
            scales.append(got_row[place] / row[place])
            assert [number * scales[-1] for number in row] == list(got_row)
        assert scales[0] * scales[1] * scales[2] * 24 == 1  # so that the products of three, which count, are the same


@both
def test_float32_error_stays_within_the_factor(algorithm):
    """γ = n·2⁻²⁴ for n products of at most max|x|·max|w| each bounds the plain sum; the factor is on top of it."""
    worst = 0.0
    for case, operation in product(LISTED, OPERATIONS):
        tensors = case.tensors(dtype=torch.float32)
        n, most = terms(operation, case), largest(*factors(operation, *tensors))
        if most and algorithm.supports(case.spec):
            got = computed(algorithm, operation, case, *tensors)
            want = by_torch(operation, case, *(tensor.double() for tensor in tensors))
            worst = max(worst, largest(got - want) / (n * 2**-24 * n * most))
    assert 0 < worst <= algorithm.error_factor


def test_float32_errors_grow_with_the_tile():
    case = Case("many tiles", (4, 1, 26, 26), 8, PLAIN)
    tensors = case.tensors(dtype=torch.float32)
    want = by_torch("forward", case, *(tensor.double() for tensor in tensors))
    errors = [(computed(algorithm, "forward", case, *tensors) - want).abs().mean().item() for algorithm in (F2X2, F4X4)]
    assert errors[1] > 4 * errors[0]


@both
def test_supports(algorithm):
    assert algorithm.supports(ConvSpec.make(3, padding=(4, 0, 1, 3), groups=4))
    for kernel_size, walk in [
        (5, {}),
        (1, {}),
        ((3, 1), {}),
        ((1, 3), {}),
        (3, {"stride": 2}),
        (3, {"stride": (1, 2)}),
        (3, {"dilation": 2}),
        (3, {"dilation": (2, 1)}),
    ]:
        assert not algorithm.supports(ConvSpec.make(kernel_size, **walk)), (kernel_size, walk)


def test_cost_by_hand():
    # One tile. Products 4·4; kernel 4·3·3 + 4·4·3, tile 4·4·4 twice, output 2·4·4 + 2·2·4. At most the tile is held
    # three times (cut, half done, done) beside the kernel, and Aᵀ, G, Bᵀ: 16·4 + 8 + 12 + 16 = 100 numbers.
    assert F2X2.cost(PLAIN, (1, 1, 4, 4), 1) == Cost(16 + 84 + 128 + 48, 100 * 4)
    assert F2X2.cost(PLAIN, (1, 1, 4, 4), 1, itemsize=8).extra_bytes == 100 * 8
    # Products 6·6; kernel 6·3·3 + 6·6·3, tile 6·6·6 twice, output 4·6·6 + 4·4·6; 36·4 + 24 + 18 + 36 numbers.
    assert F4X4.cost(PLAIN, (1, 1, 6, 6), 1) == Cost(36 + 162 + 432 + 240, 222 * 4)
    # A picture one larger needs four tiles; with two groups of 1 channel and 3 kernels, 6 pairs of channel and kernel.
    got = F2X2.cost(ConvSpec.make(3, groups=2), (1, 2, 5, 5), 6)
    assert got.macs == 16 * 6 * 4 + 84 * 6 + 128 * 2 * 4 + 48 * 6 * 4


@pytest.mark.parametrize(("algorithm", "share"), [(F2X2, 16 / 36), (F4X4, 36 / 144)])
def test_many_channels_leave_the_share_of_products(algorithm, share):
    spec, shape = ConvSpec.make(3, padding=1), (1, 4096, 64, 64)
    part = algorithm.cost(spec, shape, 4096).macs / definition_macs(spec, shape, 4096)
    assert share < part < 1.1 * share
