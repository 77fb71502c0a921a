"""The grid: every algorithm × every specification × {forward, grad_x, grad_w}, against torch and answers by hand."""

from __future__ import annotations

import warnings

import pytest
import torch
from cases import (
    LAYOUTS,
    LISTED,
    OPERATIONS,
    agree,
    by_torch,
    check_against_torch,
    check_by_hand,
    check_float32,
    check_sums,
    computed,
    drawn_cases,
    listed,
)
from hand_worked import WORKED
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from neocog import ops
from neocog.ops.methods import METHODS, algorithm

GENERAL = [method for method in METHODS if not method.startswith("winograd")]
THREE_BY_THREE = ((3, 3), (1, 1), (1, 1))
seeds = st.integers(0, 2**32)
a_few = settings(max_examples=20, deadline=None)


def supported(items):
    """(method, item) where the method can do the item's specification."""
    return [
        pytest.param(method, item, id=f"{method}-{item.what}")
        for method in METHODS
        for item in items
        if algorithm(method).supports(item.spec)
    ]


def test_what_is_left_out_of_the_grid():
    """Nothing but what Winograd's transforms are not made for."""
    left_out = {method: [case for case in LISTED if not algorithm(method).supports(case.spec)] for method in METHODS}
    other = [case for case in LISTED if (case.spec.kernel_size, case.spec.stride, case.spec.dilation) != THREE_BY_THREE]
    assert left_out == {method: other if method.startswith("winograd") else [] for method in METHODS}
    assert (len(METHODS), len(LISTED), len(other)) == (8, 44, 30), "count again what was added"
    assert len(supported(LISTED)) == 6 * 44 + 2 * (44 - 30)


@pytest.mark.parametrize(("method", "case"), supported(LISTED))
def test_listed(method, case):
    for operation in OPERATIONS:
        check_against_torch(algorithm(method), operation, case)
        check_float32(algorithm(method), operation, case)


@pytest.mark.parametrize(("method", "worked"), supported(WORKED))
def test_by_hand(method, worked):
    for operation in OPERATIONS:
        check_by_hand(algorithm(method), operation, worked)


@pytest.mark.parametrize("method", METHODS)
def test_the_three_sum_the_same_products(method):
    for case in LISTED:
        if algorithm(method).supports(case.spec):
            check_sums(algorithm(method), "forward", case)


@pytest.mark.parametrize("method", GENERAL)
@given(case=drawn_cases(), seed=seeds)
@a_few
def test_drawn(method, case, seed):
    for operation in OPERATIONS:
        check_against_torch(algorithm(method), operation, case, seed)
        check_float32(algorithm(method), operation, case, seed)


@pytest.mark.parametrize("method", METHODS)
@given(case=drawn_cases(any_spec=False), seed=seeds)
@a_few
def test_drawn_3x3(method, case, seed):
    for operation in OPERATIONS:
        check_against_torch(algorithm(method), operation, case, seed)
        check_float32(algorithm(method), operation, case, seed)


@pytest.mark.parametrize("method", METHODS)
def test_results_are_contiguous_and_keep_nothing_but_themselves(method):
    """As torch's own, so that y.view(…) works and nothing larger stays in memory."""
    for case in LISTED:
        for operation in OPERATIONS:
            if algorithm(method).supports(case.spec):
                got = computed(algorithm(method), operation, case, *case.tensors())
                assert got.is_contiguous(), f"{operation} {case}"
                assert got.untyped_storage().nbytes() == got.nbytes, f"{operation} {case}"


LAID_OUT = [listed(what) for what in ("plain", "same", "groups", "all at once")]
THREADS = pytest.mark.parametrize("threads", [1, 3])


@THREADS
@pytest.mark.parametrize(("method", "case"), supported(LAID_OUT))
def test_memory_layout_changes_nothing(method, case, threads):
    tensors = case.tensors()
    want = {operation: computed(algorithm(method), operation, case, *tensors) for operation in OPERATIONS}
    torch.set_num_threads(threads)
    for layout, laid_out in LAYOUTS.items():
        given = [laid_out(tensor) for tensor in tensors]
        for operation in OPERATIONS:
            got = computed(algorithm(method), operation, case, *given)
            agree(got, want[operation], f"{method} {operation} {layout} {case}", rtol=1e-12, atol=1e-13)
            assert got.is_contiguous(), f"{operation} {layout}"
        for tensor, before in zip(given, case.tensors(), strict=True):
            agree(tensor, before, f"{method} changed what it was given, {layout}: {case}", rtol=0, atol=0)


@THREADS
@pytest.mark.parametrize(("method", "case"), supported(LAID_OUT))
def test_expanded(method, case, threads):
    """One number, or one picture, shown many times without being stored so: as the gradient of a sum is."""
    torch.set_num_threads(threads)
    x, w, _ = case.tensors()
    given = x[:1].expand(case.x), w[:1].expand(case.w), torch.ones((), dtype=x.dtype).expand(case.y)
    for operation in OPERATIONS:
        got, want = computed(algorithm(method), operation, case, *given), by_torch(operation, case, *given)
        agree(got, want, f"{method} {operation} {case}", rtol=1e-10, atol=1e-12)
    assert torch.equal(given[0][0], x[0])
    assert torch.equal(given[1][0], w[0])


def walk(spec):
    return {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": spec.groups}


@pytest.mark.parametrize(("method", "case"), supported(LAID_OUT))
def test_half_types_are_rounded_once(method, case):
    for kind in (torch.float16, torch.bfloat16):
        x, w, g = (tensor.to(kind).requires_grad_() for tensor in case.tensors())
        b = torch.linspace(-1, 1, case.kernels).to(kind).requires_grad_()
        wide = [tensor.detach().float().requires_grad_() for tensor in (x, w, b)]
        y = ops.conv2d(x, w, b, method=method, **walk(case.spec))
        y_wide = ops.conv2d(*wide, method=method, **walk(case.spec))
        agree(y, y_wide.to(kind), f"{method} {case}", rtol=0, atol=0)
        got, want = torch.autograd.grad(y, (x, w), g), torch.autograd.grad(y_wide, wide[:2], g.float())
        for one, other in zip(got, want, strict=True):
            agree(one, other.to(kind), f"{method} {kind} {case}", rtol=0, atol=0)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_types_are_as_exact_as_torchs(kind):
    case = listed("same")
    x, w, _ = (tensor.to(kind) for tensor in case.tensors())
    want = functional.conv2d(x.double(), w.double(), padding="same").to(kind)
    agree(ops.conv2d(x, w, padding="same"), want, case, rtol=torch.finfo(kind).eps, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_autocast_changes_nothing(method):
    case = listed("plain")
    results = []
    for enabled in (False, True):
        x, w, g = (tensor.requires_grad_() for tensor in case.tensors(dtype=torch.float32))
        b = torch.linspace(-1, 1, case.kernels, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = ops.conv2d(x, w, b, method=method)
            gradients = torch.autograd.grad(y, (x, w, b), g.detach())
        results.append((y, *gradients))
    for plain, under_autocast in zip(*results, strict=True):
        agree(under_autocast, plain, method, rtol=0, atol=0)
    assert results[1][0].dtype == torch.float32


@given(case=drawn_cases())
@settings(max_examples=100, deadline=None)
def test_same_is_torchs_same(case):
    x, w, _ = case.tensors()
    walk = {"padding": "same", "dilation": case.spec.dilation, "groups": case.spec.groups}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel", UserWarning)  # torch needs a copy
        want = functional.conv2d(x, w, **walk)
    agree(ops.conv2d(x, w, **walk), want, case, rtol=1e-10, atol=1e-12)
