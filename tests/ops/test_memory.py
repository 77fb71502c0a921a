"""No method takes more memory than its cost says, nor less than half of it, counted allocation by allocation."""

from __future__ import annotations

import tracemalloc

import pytest
import torch
from cases import Case
from torch.profiler import ProfilerActivity, profile

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
    algorithm(method).forward(x[:1], w, case.spec)  # what is made once and kept is no part of a pass
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        tracemalloc.start()
        result = algorithm(method).forward(x, w, case.spec)
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
