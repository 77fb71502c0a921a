"""conv_transpose2d: the input gradient of conv2d, used forwards, against torch and by hand."""

from __future__ import annotations

import pytest
import torch
from cases import RELATIVE, agree
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from neocog import ops
from neocog.ops.methods import METHODS, algorithm
from neocog.ops.spec import ConvSpec

GENERAL = [method for method in METHODS if not method.startswith("winograd")]
# what; x; channels out of each group and kernel; the rest
LISTED = [
    ("plain", (2, 3, 3, 4), (2, 3, 3), {}),
    ("padding", (2, 3, 3, 4), (2, 3, 3), {"padding": 1}),
    ("stride", (2, 2, 3, 2), (3, 3, 2), {"stride": 2}),
    ("output padding", (2, 2, 3, 2), (3, 3, 3), {"stride": (3, 2), "padding": 1, "output_padding": (2, 1)}),
    ("output padding as large as the stride", (1, 2, 3, 2), (1, 2, 3), {"dilation": 3, "output_padding": (1, 2)}),
    ("output padding larger than padding", (1, 2, 3, 2), (1, 2, 2), {"dilation": 4, "padding": 1, "output_padding": 3}),
    ("dilation", (1, 2, 3, 4), (3, 2, 3), {"dilation": (2, 3), "padding": (1, 2)}),
    ("groups", (2, 4, 3, 3), (3, 3, 3), {"groups": 2, "padding": 1}),
    ("depthwise", (1, 3, 4, 3), (1, 2, 3), {"groups": 3, "stride": 2}),
    ("1×1 with stride", (1, 3, 3, 4), (2, 1, 1), {"stride": 2}),
    ("batch of 0", (0, 2, 3, 4), (3, 3, 3), {}),
]
GRID = [
    pytest.param(method, *rest, id=f"{method}-{what}")
    for method in METHODS
    for what, *rest in LISTED
    if algorithm(method).supports(
        ConvSpec.make(rest[1][1:], **{key: value for key, value in rest[2].items() if key != "output_padding"})
    )
]


def numbers(seed, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def check(method, x_shape, kernel, walk):
    """The result and all three gradients."""
    each, *size = kernel
    x, w, b = numbers(1, *x_shape), numbers(2, x_shape[1], each, *size), numbers(3, each * walk.get("groups", 1))
    got = ops.conv_transpose2d(x, w, b, method=method, **walk)
    want = functional.conv_transpose2d(x, w, b, **walk)
    what = f"{method}: x {x_shape}, w {tuple(w.shape)}, {walk}"
    agree(got, want, what, rtol=RELATIVE, atol=1e-12)
    assert got.is_contiguous(), what
    assert got.untyped_storage().nbytes() == got.nbytes, what
    g = numbers(4, *want.shape).detach()
    for one, other in zip(torch.autograd.grad(got, (x, w, b), g), torch.autograd.grad(want, (x, w, b), g), strict=True):
        agree(one, other, what, rtol=RELATIVE, atol=1e-12)


@pytest.mark.parametrize(("method", "x", "kernel", "walk"), GRID)
def test_listed(method, x, kernel, walk):
    check(method, x, kernel, walk)


@st.composite
def drawn(draw):
    def pair(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    groups, kernel, stride, dilation = draw(st.integers(1, 2)), pair(1, 3), pair(1, 3), pair(1, 3)
    sizes = pair(1, 4)
    extra = tuple(draw(st.integers(0, max(step, gap) - 1)) for step, gap in zip(stride, dilation, strict=True))
    # of (size − 1)·stride + extent + extra rows, at least one must stay
    most = [
        ((size - 1) * step + gap * (cells - 1) + more) // 2
        for size, step, gap, cells, more in zip(sizes, stride, dilation, kernel, extra, strict=True)
    ]
    padding = tuple(draw(st.integers(0, limit)) for limit in most)
    walk = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": extra, "groups": groups}
    x = (draw(st.integers(0, 2)), groups * draw(st.integers(1, 2)), *sizes)
    return x, (draw(st.integers(1, 2)), *kernel), walk


@pytest.mark.parametrize("method", GENERAL)
@given(given=drawn())
@settings(max_examples=20, deadline=None)
def test_drawn(method, given):
    check(method, *given)


@pytest.mark.parametrize("method", GENERAL)
def test_by_hand(method):
    """Each number of x lays a copy of the kernel down, stride apart; where copies meet they are added."""
    x, w = (torch.tensor([[[row]]], dtype=torch.float64) for row in ([1.0, 10], [1.0, 2, 3]))
    for row, b, walk in (
        ([1.0, 2, 3 + 10, 20, 30], None, {}),
        ([2.0, 13, 20, 30], None, {"padding": (0, 1), "output_padding": (0, 1)}),
        ([2.0, 13, 20], None, {"padding": (0, 1)}),
        ([101.0, 102], [100.0], {"padding": (0, 0, 0, 3)}),
        ([101.0, 102, 113, 120, 130, 100], [100.0], {"output_padding": (0, 1)}),
    ):
        bias = None if b is None else torch.tensor(b, dtype=torch.float64)
        got = ops.conv_transpose2d(x, w, bias, stride=(1, 2), method=method, **walk)
        agree(got, torch.tensor([[[row]]], dtype=torch.float64), f"{method}, {walk}", rtol=RELATIVE, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_it_undoes_the_change_of_size(method):
    """Of a 3×3 "same" convolution, which keeps the size, and of a valid one, which takes 2 away."""
    x, w = numbers(5, 2, 3, 5, 4), numbers(6, 2, 3, 3, 3)
    for padding in ("same", 0, (2, 1, 0, 1)):
        y = ops.conv2d(x, w, padding=padding, method=method)
        back = ops.conv_transpose2d(y, w, padding=padding, method=method)
        (gradient,) = torch.autograd.grad(y, x, y)
        agree(back, gradient, f"{method}, {padding}", rtol=RELATIVE, atol=1e-12)
