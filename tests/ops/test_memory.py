"""No method takes more memory than its cost says, nor less than half of it, counted allocation by allocation."""

from __future__ import annotations

import tracemalloc
from math import prod

import pytest
import torch
from cases import LAYOUTS, Case
from torch.profiler import ProfilerActivity, profile

from neocog import ops
from neocog.ops.methods import METHODS, algorithm
from neocog.ops.spec import ConvSpec

CASES = [
    Case("plain", (2, 3, 20, 18), 5, ConvSpec.make(3)),
    Case("padding", (2, 2, 14, 15), 4, ConvSpec.make(5, padding=2)),
    Case("3×3 same", (3, 3, 16, 16), 4, ConvSpec.make(3, padding="same")),
    Case("one channel, many kernels", (2, 1, 16, 16), 12, ConvSpec.make(3)),
    Case("many channels, one kernel", (2, 12, 16, 16), 1, ConvSpec.make(3)),
    Case("one picture", (1, 3, 24, 20), 8, ConvSpec.make((2, 4))),
    Case("one picture, many kernels", (1, 2, 24, 24), 16, ConvSpec.make(3)),
    Case("stride", (2, 4, 21, 21), 6, ConvSpec.make(3, stride=2, padding=1)),
    Case("dilation", (2, 3, 20, 20), 4, ConvSpec.make(3, dilation=(2, 3))),
    Case("1×1", (2, 6, 16, 14), 8, ConvSpec.make(1)),
    Case("groups", (2, 6, 15, 16), 6, ConvSpec.make(3, groups=2)),
    Case("depthwise", (2, 6, 16, 16), 6, ConvSpec.make(3, padding=1, groups=6)),
    Case("kernel as large as the picture", (4, 3, 12, 12), 5, ConvSpec.make(12)),
]
GRID = [
    pytest.param(method, case, dtype, id=f"{method}-{case.what}-{dtype}".replace("torch.", ""))
    for method in METHODS
    for case in CASES
    for dtype in ((torch.float32, torch.float64) if case.what in ("3×3 same", "stride") else (torch.float32,))
    if algorithm(method).supports(case.spec)
]
FEW = 16_384  # bytes; below that, half of it may be the odd list or tensor of a few numbers


def peaks(method, case, dtype):
    """The result, and the most that was allocated at a time in torch's tensors and in Python's objects."""
    x, w, _ = case.tensors(dtype=dtype)
    return measured(lambda x: algorithm(method).forward(x, w, case.spec), x)


def measured(forward, x):
    forward(x[:1])  # what is made once and kept is no part of a pass
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        tracemalloc.start()
        result = forward(x)
        in_python = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    held = most = 0
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    assert held == result.untyped_storage().nbytes(), "nothing but the result stays"
    return result, most, in_python


@pytest.mark.parametrize(("method", "case", "dtype"), GRID)
def test_the_peak_is_what_the_cost_says(method, case, dtype):
    result, in_torch, in_python = peaks(method, case, dtype)
    said = algorithm(method).cost(case.spec, case.x, case.kernels, dtype.itemsize).extra_bytes
    extra = in_torch - result.nbytes
    if method == "loops":  # its numbers are Python's; the others' lists are a few shapes
        extra += in_python
    assert extra <= 1.2 * said, f"{extra} bytes instead of {said}: {case}"
    assert extra >= 0.5 * said or said < FEW, f"{extra} bytes instead of {said}: {case}"
    assert method == "loops" or in_python < 8192, f"{in_python} bytes of Python objects: {case}"


def through_the_door(method, case, dtype, layout="contiguous"):
    """What conv2d takes beside its result, with a bias and where the numbers lie in another layout."""
    x, w = (LAYOUTS[layout](tensor) for tensor in case.tensors(dtype=dtype)[:2])
    b, spec = torch.ones(case.kernels, dtype=dtype), case.spec
    walk = {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": spec.groups}
    result, in_torch, in_python = measured(lambda x: ops.conv2d(x, w, b, method=method, **walk), x)
    return in_torch - result.nbytes + (in_python if method == "loops" else 0)


@pytest.mark.parametrize(("method", "case", "dtype"), GRID)
def test_conv2d_with_a_bias_takes_no_more_than_its_algorithm(method, case, dtype):
    said = algorithm(method).cost(case.spec, case.x, case.kernels, dtype.itemsize).extra_bytes
    extra = through_the_door(method, case, dtype)
    assert extra <= 1.2 * said, f"{extra} bytes instead of {said}: {case}"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", METHODS)
def test_another_layout_takes_at_most_a_copy_of_x_and_w_more(method, layout):
    for case in CASES:
        if algorithm(method).supports(case.spec):
            said = algorithm(method).cost(case.spec, case.x, case.kernels).extra_bytes
            copies = 4 * (prod(case.x) + prod(case.w))
            extra = through_the_door(method, case, torch.float32, layout)
            assert extra <= 1.2 * said + copies, f"{extra} bytes instead of {said} + {copies}: {case}"


@pytest.mark.parametrize("method", METHODS)
def test_half_types_take_copies_in_float32_and_that_is_counted(method):
    for case in CASES:
        if algorithm(method).supports(case.spec):
            half, single = (algorithm(method).cost(case.spec, case.x, case.kernels, size) for size in (2, 4))
            copies = 4 * (prod(case.x) + prod(case.w) + prod(case.y))
            assert (half.macs, half.extra_bytes) == (single.macs, single.extra_bytes + copies)
            extra = through_the_door(method, case, torch.float16)
            assert extra <= 1.2 * half.extra_bytes, f"{extra} bytes instead of {half.extra_bytes}: {case}"
            assert extra >= 0.5 * half.extra_bytes or half.extra_bytes < 2 * FEW, f"{extra}: {case}"


@pytest.mark.parametrize(("channels", "kernels"), [(8, 16), (2, 48)])
@pytest.mark.parametrize("method", ["shift", "im2col", "toeplitz", "fft", "winograd", "winograd-4x4"])
def test_the_peak_of_a_whole_batch(method, channels, kernels):
    """Of the size that a network trains on, where im2col goes block by block."""
    case = Case("a batch", (16, channels, 28, 28), kernels, ConvSpec.make(3, padding=1))
    result, in_torch, _ = peaks(method, case, torch.float32)
    said = algorithm(method).cost(case.spec, case.x, case.kernels).extra_bytes
    assert 0.7 * said <= in_torch - result.nbytes <= 1.1 * said


@pytest.mark.parametrize("method", ["winograd", "winograd-4x4"])
@pytest.mark.parametrize(
    "case",
    [
        Case("the transform of the products", (4, 8, 16, 16), 24, ConvSpec.make(3, padding=1)),
        Case("the transform of the tiles", (4, 24, 15, 13), 2, ConvSpec.make(3, padding=1)),
        Case("the product", (1, 8, 6, 6), 24, ConvSpec.make(3, padding=1)),
        Case("the kernels", (1, 48, 5, 5), 48, ConvSpec.make(3, padding=1)),
        Case("depthwise", (2, 16, 9, 10), 16, ConvSpec.make(3, groups=16)),
    ],
    ids=lambda case: case.what,
)
def test_winograds_peak_is_where_the_cost_says(method, case):
    """Whichever step it comes in."""
    result, in_torch, _ = peaks(method, case, torch.float64)
    said = algorithm(method).cost(case.spec, case.x, case.kernels, itemsize=8).extra_bytes
    assert in_torch - result.nbytes <= said <= 1.05 * in_torch
