"""Winograd's transforms in exact fractions, and his convolution by hand, against torch, and beside what it costs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from neocog import ops
from neocog.errors import OperationError
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


def test_growth_by_hand():
    # F(2, 3): the rows of A, G and Bᵀ have absolute sums 1 2 2 1, 1 3/2 3/2 1 and 2 2 2 2, so
    # y: 1·1·2 + 1·3/2·2 + 1·3/2·2 = 8 over 3 taps; d: the column 0 1 1 1 of Bᵀ, 2·3/2 + 2·3/2 + 1·1 = 7 over 3 taps;
    # g: the column 1 1/2 1/2 0 of G, 1·2 + ½·2·2 + ½·2·2 = 6 over 2 outputs, which is the largest.
    assert growth(2, 3) == 3
    assert growth(1, 1) == 1
    assert (F2X2.error_factor, F4X4.error_factor, Algorithm.error_factor) == (9.0, 256.0, 1.0)


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
def test_worked_by_hand(algorithm):
    """Rows 0 … 3, 4 … 7, … and the kernel 0 … 8: each step right adds 0 + … + 8 = 36, each step down 4·36."""
    x, w = (torch.arange(size * size, dtype=torch.float64).reshape(1, 1, size, size) for size in (4, 3))
    first = (0 + 1 + 2 * 2) + (4 * 3 + 5 * 4 + 6 * 5) + (8 * 6 + 9 * 7 + 10 * 8)
    want = torch.tensor([[[[first, first + 36], [first + 144, first + 180]]]], dtype=torch.float64)
    close(algorithm.forward(x, w, PLAIN), want)
    g = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]], dtype=torch.float64)
    close(algorithm.grad_x(g, w, PLAIN, (4, 4)), functional.pad(w, (0, 1, 0, 1)))  # x[r, s] stood beside w[r, s] once
    close(algorithm.grad_w(g, x, PLAIN), x[..., :3, :3])


@both
def test_overlapping_tiles_add_up(algorithm):
    """With ones for kernel and g, a number's gradient counts the windows it is in: 1 2 3 3 3 2 1 in each direction."""
    counts = torch.tensor([1, 2, 3, 3, 3, 2, 1], dtype=torch.float64)
    ones = torch.ones(1, 1, 5, 5, dtype=torch.float64)
    got = algorithm.grad_x(ones, ones[..., :3, :3], PLAIN, (7, 7))
    close(got[0, 0], counts[:, None] * counts)


# picture (N, C, H, W), kernels, padding, groups
SPECS = {
    "tiles of 2 that fit": ((2, 3, 8, 6), 4, 0, 1),
    "tiles of 4 that fit": ((1, 2, 10, 6), 3, 0, 1),
    "odd": ((2, 3, 7, 9), 4, 1, 1),
    "odd by even": ((2, 2, 11, 12), 3, 0, 1),
    "as large as the kernel": ((2, 2, 3, 3), 3, 0, 1),
    "one pixel": ((1, 2, 1, 1), 3, 1, 1),
    "one row": ((2, 2, 1, 9), 3, 1, 1),
    "padding on four sides": ((2, 2, 5, 6), 3, (2, 0, 1, 3), 1),
    "padding larger than the kernel": ((1, 2, 4, 3), 2, (4, 5, 6, 0), 1),
    "groups": ((2, 4, 6, 7), 6, 1, 2),
    "depthwise": ((2, 4, 8, 8), 4, 1, 4),
    "depthwise, two kernels each": ((1, 3, 7, 5), 6, 1, 3),
    "one channel, one kernel": ((3, 1, 9, 9), 1, 1, 1),
}


def close(got, want):
    """1e-12 of the largest number: 2⁻⁵³ = 1.1e-16, times 256 for F(4×4), times the roundings of some ten steps."""
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12 * want.abs().max().item())


def drawn(shape, kernels, padding, groups):
    """x, w and g = ∂L/∂y in float64, with their specification."""
    spec = ConvSpec.make(3, padding=padding, groups=groups)
    source = torch.Generator().manual_seed(3)
    shapes = shape, (kernels, shape[1] // groups, 3, 3), (shape[0], kernels, *spec.output_size(shape[2:]))
    return *(torch.randn(shape, generator=source, dtype=torch.float64) for shape in shapes), spec


def computed(algorithm, x, w, g, spec):
    return (
        algorithm.forward(x, w, spec),
        algorithm.grad_x(g, w, spec, tuple(x.shape[2:])),
        algorithm.grad_w(g, x, spec),
    )


def by_torch(x, w, g, spec):
    """Outputs and both gradients."""
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    top, bottom, left, right = spec.padding
    y = functional.conv2d(functional.pad(x, (left, right, top, bottom)), w, groups=spec.groups)
    return y.detach(), *torch.autograd.grad(y, (x, w), g)


@both
@pytest.mark.parametrize("name", SPECS)
def test_agrees_with_torch(algorithm, name):
    *tensors, spec = drawn(*SPECS[name])
    before = [tensor.clone() for tensor in tensors]
    for got, want in zip(computed(algorithm, *tensors, spec), by_torch(*tensors, spec), strict=True):
        close(got, want)
        assert got.is_contiguous()
    assert all(map(torch.equal, tensors, before))


@both
def test_memory_layout_does_not_matter(algorithm):
    *tensors, spec = drawn(*SPECS["odd"])
    turned = [tensor.mT.contiguous().mT for tensor in tensors]
    assert not any(tensor.is_contiguous() for tensor in turned)
    for got, want in zip(computed(algorithm, *turned, spec), computed(algorithm, *tensors, spec), strict=True):
        close(got, want)


@both
def test_float32_error_stays_within_the_factor(algorithm):
    """γ = n·2⁻²⁴ for n products of at most max|x|·max|w| each bounds the plain sum; the factor is on top of it."""
    largest = 0.0
    for shape, kernels, padding, groups in SPECS.values():
        x, w, g, spec = drawn(shape, kernels, padding, groups)
        x, w, g = (tensor.float() for tensor in (x, w, g))
        pairs = (x, w, 9 * w.shape[1]), (g, w, 9 * kernels // groups), (g, x, g[:, 0].numel())
        exact = by_torch(*(tensor.double() for tensor in (x, w, g)), spec)
        for got, want, (one, other, n) in zip(computed(algorithm, x, w, g, spec), exact, pairs, strict=True):
            assert got.dtype == torch.float32
            plain_bound = n * 2**-24 * n * one.abs().max().item() * other.abs().max().item()
            largest = max(largest, (got - want).abs().max().item() / plain_bound)
    assert 0 < largest <= algorithm.error_factor


def test_float32_errors_grow_with_the_tile():
    x, w, _, spec = drawn((4, 1, 26, 26), 8, 0, 1)
    errors = [
        (got - functional.conv2d(x.float().double(), w.float().double())).abs().mean().item()
        for got in (algorithm.forward(x.float(), w.float(), spec) for algorithm in (F2X2, F4X4))
    ]
    assert errors[1] > 4 * errors[0]


@both
def test_supports(algorithm):
    assert algorithm.supports(ConvSpec.make(3, padding=(2, 0, 1, 3), groups=4))
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


def test_refused_with_the_methods_that_fit():
    x, w = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 5, 5)
    with pytest.raises(OperationError) as refused:
        ops.conv2d(x, w, method="winograd")
    assert str(refused.value) == (
        "method 'winograd' does 3×3 kernels at stride 1 and dilation 1, not a 5×5 kernel at stride 1 and dilation 1; "
        "methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft"
    )


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


@both
@pytest.mark.parametrize(
    ("shape", "kernels", "padding", "groups"),
    [
        ((4, 8, 16, 16), 24, 1, 1),  # the transform of the products is the peak
        ((4, 24, 15, 13), 2, 1, 1),  # the transform of the tiles
        ((1, 48, 5, 5), 48, 1, 1),  # the kernels
        ((2, 16, 9, 10), 16, 0, 16),
    ],
)
def test_memory_is_what_the_cost_says(algorithm, shape, kernels, padding, groups):
    x, w, _, spec = drawn(shape, kernels, padding, groups)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        y = algorithm.forward(x, w, spec)
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda event: event.start_ns()):
        held += change.nbytes()
        peak = max(peak, held)
    assert held == y.nbytes
    said = algorithm.cost(spec, shape, kernels, itemsize=8).extra_bytes
    assert peak - y.nbytes <= said <= 1.05 * peak


@both
def test_torch_differentiates_it(algorithm):
    method = "winograd" if algorithm is F2X2 else "winograd-4x4"
    x, w, _, _ = drawn((2, 2, 5, 4), 2, 1, 2)
    inputs = x.requires_grad_(), w.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: ops.conv2d(x, w, padding=1, groups=2, method=method), inputs)
