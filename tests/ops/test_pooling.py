"""Pooling: torch and answers worked by hand are the oracles; a mistake planted in the source must be caught.

The checks take the module they check, so that the same ones run on the source as it is and on a source with a mistake.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.testing import assert_close

from neocog.errors import LayerError, OperationError
from neocog.layers import parse
from neocog.ops import pool_spec, pooling

INF, NAN = float("inf"), float("nan")
EXACT = {"rtol": 0.0, "atol": 0.0}
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
MAX, AVG, AMAX, AAVG = "max_pool2d", "avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool2d"
TORCH_REFUSES = (RuntimeError, TypeError, IndexError)  # NotImplementedError is a RuntimeError

# listed once for forward, backward and second derivative: name, picture size, arguments
CASES = [
    (MAX, (4, 4), {"kernel_size": 2}),
    (MAX, (5, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    (MAX, (6, 5), {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0)}),
    (MAX, (7, 7), {"kernel_size": 2, "stride": 3, "ceil_mode": True}),
    (MAX, (7, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}),
    (MAX, (3, 3), {"kernel_size": 5, "stride": 5, "ceil_mode": True}),
    (MAX, (5, 5), {"kernel_size": 1, "stride": 2}),
    (AVG, (4, 4), {"kernel_size": 2}),
    (AVG, (5, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    (AVG, (5, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    (AVG, (6, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    (AVG, (6, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}),
    (AVG, (7, 5), {"kernel_size": (2, 4), "stride": (3, 3), "padding": (0, 2), "ceil_mode": True}),
    (AVG, (5, 4), {"kernel_size": 2, "stride": 1, "divisor_override": -3}),
    (AMAX, (7, 5), {"output_size": 3}),
    (AMAX, (2, 3), {"output_size": (5, 4)}),
    (AMAX, (6, 4), {"output_size": (None, 1)}),
    (AAVG, (7, 5), {"output_size": 3}),
    (AAVG, (2, 3), {"output_size": (5, 4)}),
    (AAVG, (6, 4), {"output_size": (None, 1)}),
]


def theirs(name: str) -> Callable[..., Any]:
    """Torch's function of the same name."""
    return getattr(functional, name)


def numbers(*shape: int, kind: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64).to(kind)


def grid(*rows: list[float]) -> torch.Tensor:
    """One picture of one channel."""
    return torch.tensor([[rows]], dtype=torch.float64)


def nine() -> torch.Tensor:
    """Two channels: 0…8, and 1…9."""
    first = torch.arange(9.0, dtype=torch.float64).reshape(3, 3)
    return torch.stack([first, first + 1])[None]


def gradient(function: Callable[..., Any], x: torch.Tensor, g: torch.Tensor | None = None, **arguments: Any) -> Any:
    """∂L/∂x for g = ∂L/∂y, which is 1, 2, 3, … unless given."""
    x = x.detach().requires_grad_()
    y = function(x, **arguments)
    g = torch.arange(1, y.numel() + 1).reshape(y.shape).to(y) if g is None else g
    return torch.autograd.grad(y, x, g)[0]


# -------------------------------------------------------------------------------------------------------------- checks


def the_lessons_numbers(module: ModuleType) -> None:
    assert module.max_pool2d(nine(), 2, stride=1).tolist() == [[[[4, 5], [7, 8]], [[5, 6], [8, 9]]]]
    assert module.avg_pool2d(nine(), 2, stride=1).tolist() == [[[[2, 3], [5, 6]], [[3, 4], [6, 7]]]]
    assert module.adaptive_max_pool2d(nine(), 2).tolist() == [[[[4, 5], [7, 8]], [[5, 6], [8, 9]]]]
    assert module.adaptive_avg_pool2d(nine(), 2).tolist() == [[[[2, 3], [5, 6]], [[3, 4], [6, 7]]]]
    assert module.global_max_pool2d(nine()).tolist() == [[8, 9]]
    assert module.global_avg_pool2d(nine()).tolist() == [[4, 5]]


def places_by_hand(module: ModuleType) -> None:
    y, places = module.max_pool2d(nine()[:, :1], 2, stride=2, padding=1, return_indices=True)
    assert y.tolist() == [[[[0, 2], [6, 8]]]]
    assert places.tolist() == [[[[0, 2], [6, 8]]]]  # counted in the picture without its padding
    places = module.adaptive_max_pool2d(grid([1, 2, 3], [6, 5, 4]), (1, 2), return_indices=True)[1]
    assert places.tolist() == [[[[3, 4]]]]


def divisors_by_hand(module: ModuleType) -> None:
    ones = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    # windows of rows −1…0, 1…2 and, hanging over, 3…4 of which row 3 is padding: 2, 2 and 1 cells each way
    arguments = {"kernel_size": 2, "stride": 2, "padding": 1}
    assert module.avg_pool2d(ones, **arguments).tolist() == [[[[0.25, 0.5], [0.5, 1]]]]
    assert module.avg_pool2d(ones, **arguments, count_include_pad=False).tolist() == [[[[1, 1], [1, 1]]]]
    assert module.avg_pool2d(ones, **arguments, divisor_override=2).tolist() == [[[[0.5, 1], [1, 2]]]]
    # rows 0…1 and 2…3, of which row 3 is beyond the picture: the last window has a single cell
    assert module.avg_pool2d(nine()[:, :1], 2, ceil_mode=True).tolist() == [[[[2, 3.5], [6.5, 8]]]]


def the_first_of_equals_wins(module: ModuleType) -> None:
    for row, first in (([1, 1, 1, 1], 0), ([0, 2, 2, 1], 1), ([-0.0, 0.0, -1, 0], 0), ([-INF] * 4, 0)):
        for shape in ((1, 1, 1, 4), (1, 1, 2, 2), (1, 1, 4, 1)):
            x = torch.tensor(row, dtype=torch.float64).reshape(shape)
            for function, argument in ((module.max_pool2d, shape[2:]), (module.adaptive_max_pool2d, 1)):
                assert function(x, argument, return_indices=True)[1].item() == first
    equals = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    assert gradient(module.max_pool2d, equals, kernel_size=2, stride=1).tolist() == [[[[1, 2, 0], [3, 4, 0], [0] * 3]]]


def padding_never_wins(module: ModuleType) -> None:
    x = torch.full((1, 1, 2, 2), -INF, dtype=torch.float64)
    y, places = module.max_pool2d(x, 2, stride=1, padding=1, return_indices=True)
    assert torch.equal(y, torch.full((1, 1, 3, 3), -INF, dtype=torch.float64))
    assert places.tolist() == [[[[0, 0, 1], [0, 0, 1], [2, 2, 3]]]]
    assert module.max_pool2d(torch.full((1, 1, 2, 2), -5.0), 2, padding=1).tolist() == [[[[-5, -5], [-5, -5]]]]


def the_last_nan_wins(module: ModuleType) -> None:
    x = grid([NAN, 1, NAN, 2, 3], [4, NAN, 9, 1, 0])
    for function, argument in ((module.max_pool2d, (2, 5)), (module.adaptive_max_pool2d, 1)):
        y, places = function(x, argument, return_indices=True)
        assert y.isnan().item()
        assert places.item() == 6
    y, places = module.max_pool2d(x, 2, stride=(1, 1), return_indices=True)
    assert places.tolist() == [[[[6, 6, 2, 4]]]]
    assert y.isnan().tolist() == [[[[True, True, True, False]]]]


def gradients_by_hand(module: ModuleType) -> None:
    x = nine()[:, :1]
    # 8 is the largest of one window, 4 of the one above to its left, …
    assert gradient(module.max_pool2d, x, kernel_size=2, stride=1).tolist() == [[[[0, 0, 0], [0, 1, 2], [0, 3, 4]]]]
    # 8 in the middle of a 3×3 picture is the largest of all four windows: 1 + 2 + 3 + 4
    peak = grid([0, 1, 2], [3, 8, 4], [5, 6, 7])
    assert gradient(module.max_pool2d, peak, kernel_size=2, stride=1).tolist() == [[[[0] * 3, [0, 10, 0], [0] * 3]]]
    # each window gives a quarter of its g = 4, 8, 12, 16 to each of its pixels
    g = grid([4, 8], [12, 16])
    for function, arguments in ((module.avg_pool2d, {"kernel_size": 2, "stride": 1}), (AAVG, {"output_size": 2})):
        function = getattr(module, function) if isinstance(function, str) else function
        assert gradient(function, x, g, **arguments).tolist() == [[[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]]
    assert gradient(module.global_avg_pool2d, x).tolist() == [[[[1 / 9] * 3] * 3]]
    assert gradient(module.global_max_pool2d, x).tolist() == [[[[0, 0, 0], [0, 0, 0], [0, 0, 1]]]]


def forward_as_torch(module: ModuleType) -> None:
    for name, size, arguments in CASES:
        ours, want = getattr(module, name), theirs(name)
        x = numbers(2, 3, *size)
        assert_close(ours(x, **arguments), want(x, **arguments), **CLOSE)
        if "max" in name:
            x = x.round().masked_fill(x > 1, NAN).masked_fill(x < -1, -INF)  # ties among the rest
            arguments = {**arguments, "return_indices": True}
            assert_close(ours(x, **arguments), want(x, **arguments), equal_nan=True, **EXACT)


def backward_as_torch(module: ModuleType) -> None:
    for name, size, arguments in CASES:
        x = numbers(2, 3, *size)
        g = numbers(*theirs(name)(x, **arguments).shape)
        want = gradient(theirs(name), x, g, **arguments)
        assert_close(gradient(getattr(module, name), x, g, **arguments), want, **CLOSE)


def gradcheck_agrees(module: ModuleType) -> None:
    for name, size, arguments in CASES:
        x = numbers(1, 2, *size).requires_grad_()
        function = getattr(module, name)
        assert torch.autograd.gradcheck(lambda x, f=function, a=arguments: f(x, **a), x)
        assert torch.autograd.gradgradcheck(lambda x, f=function, a=arguments: f(x, **a), x)


CHECKS = [
    the_lessons_numbers,
    places_by_hand,
    divisors_by_hand,
    the_first_of_equals_wins,
    padding_never_wins,
    the_last_nan_wins,
    gradients_by_hand,
    forward_as_torch,
    backward_as_torch,
    gradcheck_agrees,
]


@pytest.mark.parametrize("check", CHECKS)
def test_check(check):
    check(pooling)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(value > best)", "(value >= best)"),  # the last of equals
        (" | value.isnan()", ""),
        ("row_NCPQ * W", "column_NCHQ.shape[-1] * row_NCPQ"),  # rows as long as the output's
        ("gx.scatter_add_", "gx.scatter_"),  # the last window takes all
        ("spec.cells(size) if pad_counts", "spec.cells(size) if not pad_counts"),
        ("torch.outer(rows_P, columns_Q)", "rows_P[:1] * columns_Q[:1]"),  # all windows as large as the first
        ("_at_least_float32(g_NCPQ) / divisor_PQ", "_at_least_float32(g_NCPQ)"),
        ("min(start + window.kernel, size + window.after)", "start + window.kernel"),
        ("range(-window.before, ", "range(1 - window.before, "),
        ("start % gap if start < 0", "0 if start < 0"),  # off the dilated window's own places
        ("-(-(p + 1) * size // count)", "(p + 1) * size // count"),  # rounded down
    ],
)
def test_planted_mistakes_are_caught_at_least_twice(right, wrong, monkeypatch):
    sources = [inspect.getsource(pool_spec), inspect.getsource(pooling)]
    assert sum(source.count(right) for source in sources) == 1
    for name, source in zip((pool_spec.__name__, pooling.__name__), sources, strict=True):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)  # the second takes the first one's names from there
        exec(compile(source.replace(right, wrong), name, "exec"), module.__dict__)
    caught = []
    for check in CHECKS[:-1]:
        try:
            check(module)
        except Exception:  # a wrong number, or arithmetic that broke down
            caught.append(check.__name__)
    assert len(caught) >= 2, caught


# ------------------------------------------------------------------------------------------------------------- anything


@st.composite
def pictures(draw: st.DrawFn) -> torch.Tensor:
    """Whole numbers with ties, perhaps NaN and −∞, laid out in memory in many ways, perhaps a batch of none."""
    channels, rows, columns = draw(st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)))
    shape = draw(
        st.sampled_from([(2, channels, rows, columns), (0, channels, rows, columns), (channels, rows, columns)])
    )
    source = torch.Generator().manual_seed(draw(st.integers(0, 2**30)))
    x = torch.randint(-2, 3, shape, generator=source).to(torch.float64)
    if draw(st.booleans()):
        x[torch.rand(shape, generator=source) < 0.2] = NAN
        x[torch.rand(shape, generator=source) < 0.5] = -INF
    layout = draw(st.sampled_from(["plain", "transposed", "every other", "expanded", "channels last"]))
    if layout == "transposed":
        return x.mT.contiguous().mT
    if layout == "every other":
        return x.repeat_interleave(2, -1)[..., ::2]
    if layout == "expanded":
        return x[..., :1].expand(shape)
    return x.contiguous(memory_format=torch.channels_last) if layout == "channels last" and x.ndim == 4 else x


def pairs(least: int, most: int) -> st.SearchStrategy:
    return st.integers(least, most) | st.tuples(st.integers(least, most), st.integers(least, most))


common = {
    "kernel_size": pairs(1, 4),
    "stride": st.none() | pairs(1, 4),
    "padding": st.just(0) | pairs(0, 2),
    "ceil_mode": st.booleans(),
}
anything = st.one_of(
    st.tuples(
        st.just(MAX), st.fixed_dictionaries({**common, "dilation": pairs(1, 3), "return_indices": st.just(True)})
    ),
    st.tuples(
        st.just(AVG),
        st.fixed_dictionaries(
            {
                **common,
                "count_include_pad": st.booleans(),
                "divisor_override": st.none() | st.integers(1, 9) | st.integers(-9, -1),
            }
        ),
    ),
    st.tuples(st.just(AMAX), st.fixed_dictionaries({"output_size": pairs(1, 7), "return_indices": st.just(True)})),
    st.tuples(st.just(AAVG), st.fixed_dictionaries({"output_size": pairs(1, 7)})),
)


def reads_nothing(x: torch.Tensor, arguments: dict[str, Any]) -> bool:
    """Whether torch gave an answer for a window that lies beside the picture: a dilation stepped over it."""
    gaps = arguments.get("dilation", 1)
    gaps = (gaps, gaps) if isinstance(gaps, int) else gaps
    if all(gap <= size for gap, size in zip(gaps, x.shape[-2:], strict=True)):
        return False
    arguments = {**arguments, "return_indices": False}
    return bool(functional.max_pool2d(torch.zeros(1, *x.shape[-3:]), **arguments).isneginf().any())


@settings(max_examples=200, deadline=None)
@given(x=pictures(), case=anything)
def test_anything_is_torchs_answer_or_refused_as_by_torch(x, case):
    name, arguments = case
    ours, before = getattr(pooling, name), x.clone()
    try:
        want = theirs(name)(x, **arguments)
    except TORCH_REFUSES:
        with pytest.raises(OperationError):
            ours(x, **arguments)
        return
    if reads_nothing(x, arguments):
        with pytest.raises(OperationError, match="reads nothing of it"):
            ours(x, **arguments)
        return
    got = ours(x, **arguments)
    assert_close(got, want, equal_nan=True, **CLOSE)
    alone = {**arguments, **({"return_indices": False} if "return_indices" in arguments else {})}
    g = numbers(*(got[0] if isinstance(got, tuple) else got).shape)
    assert_close(gradient(ours, x, g, **alone), gradient(theirs(name), x, g, **alone), equal_nan=True, **CLOSE)
    assert_close(x, before, equal_nan=True, **EXACT)


# ---------------------------------------------------------------------------------------------------- sizes, types, &c.


@pytest.mark.parametrize("size", [8, 9, 28])
@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_a_window_that_moves_by_its_own_size_divides_the_picture(size, kernel):
    for function in (pooling.max_pool2d, pooling.avg_pool2d):
        assert function(numbers(1, 2, size, size), kernel).shape == (1, 2, size // kernel, size // kernel)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "size", "arguments"), CASES)
def test_every_float_type(kind, name, size, arguments):
    x = numbers(2, 3, *size).mul(8).round().to(kind)  # whole numbers, whose sums are exact in any order
    bound = {"rtol": 4 * torch.finfo(kind).eps, "atol": 0.0}
    got = getattr(pooling, name)(x, **arguments)
    assert_close(got, theirs(name)(x, **arguments), **bound)
    # half types are summed in float32 and rounded once, where torch's gradient rounds at every term
    g = numbers(*got.shape).abs().to(kind)
    exact = gradient(theirs(name), x.double(), g.double(), **arguments)
    assert_close(gradient(getattr(pooling, name), x, g, **arguments), exact.to(kind), **bound)


@pytest.mark.parametrize(("name", "ours"), [(AMAX, pooling.global_max_pool2d), (AAVG, pooling.global_avg_pool2d)])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (0, 3, 4, 5), (3, 4, 5)])
def test_global_pooling_is_adaptive_pooling_to_one(name, ours, shape):
    x = numbers(*shape)
    assert_close(ours(x), theirs(name)(x, 1)[..., 0, 0], **CLOSE)
    assert_close(gradient(ours, x), gradient(lambda x: theirs(name)(x, 1)[..., 0, 0], x), **CLOSE)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("maxpool 2", lambda x: pooling.max_pool2d(x, 2)),
        ("maxpool 3x2 stride=2 padding=1 ceil=yes", lambda x: pooling.max_pool2d(x, (3, 2), 2, 1, ceil_mode=True)),
        ("avgpool 3 stride=2 padding=1 ceil=yes", lambda x: pooling.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
        ("globalmaxpool", pooling.global_max_pool2d),
        ("globalavgpool", pooling.global_avg_pool2d),
    ],
)
def test_the_layer_language_means_the_same(word, ours):
    x = numbers(2, 3, 8, 7)
    assert_close(ours(x), parse(word).layers[0].module((3, 8, 7))(x), **CLOSE)


# ------------------------------------------------------------------------------------------------------------ bad input

X = torch.zeros(1, 1, 3, 3)
LEAST_1 = "give a whole number of at least 1, or two (rows, columns)"
ADAPTIVE = f"{LEAST_1}, where None keeps the size"
REFUSED_BY_BOTH = [
    (MAX, [[1.0]], {"kernel_size": 1}, "x is a list: give a tensor, such as torch.tensor(x)"),
    (AVG, X.bool(), {"kernel_size": 2}, "x is bool: give a float type, such as x.float()"),
    (AMAX, X.long(), {"output_size": 2}, "x is int64: give a float type, such as x.float()"),
    (AAVG, X.to(torch.int32), {"output_size": 2}, "x is int32: give a float type, such as x.float()"),
    (MAX, X.to(torch.complex64), {"kernel_size": 2}, "x is complex64: give real numbers, such as x.real"),
    (MAX, X[0, 0], {"kernel_size": 2}, "x has the shape (3, 3): max_pool2d takes (N, C, H, W) or (C, H, W)"),
    (
        AAVG,
        X[None],
        {"output_size": 2},
        "x has the shape (1, 1, 1, 3, 3): adaptive_avg_pool2d takes (N, C, H, W) or (C, H, W)",
    ),
    (AVG, X[:, :0], {"kernel_size": 2}, "x has the shape (1, 0, 3, 3): only the number of pictures may be 0"),
    (AMAX, X[..., :0], {"output_size": 2}, "x has the shape (1, 1, 3, 0): only the number of pictures may be 0"),
    (MAX, X[0, :0], {"kernel_size": 2}, "x has the shape (0, 3, 3): only the number of pictures may be 0"),
    (MAX, X, {"kernel_size": 0}, f"kernel_size = 0: {LEAST_1}"),
    (MAX, X, {"kernel_size": 2.0}, f"kernel_size = 2.0: {LEAST_1}"),
    (AVG, X, {"kernel_size": (2, 2, 2)}, f"kernel_size = (2, 2, 2): {LEAST_1}"),
    (MAX, X, {"kernel_size": 2, "stride": 0}, f"stride = 0: {LEAST_1}"),
    (MAX, X, {"kernel_size": 2, "stride": 2**31}, "stride = 2147483648 is too large; give at most 2147483647"),
    (AVG, X, {"kernel_size": 2, "stride": (1, -1)}, f"stride = (1, -1): {LEAST_1}"),
    (MAX, X, {"kernel_size": 2, "dilation": 0}, f"dilation = 0: {LEAST_1}"),
    (
        AVG,
        X,
        {"kernel_size": 2, "padding": -1},
        "padding = -1: give a whole number of at least 0, or two (rows, columns)",
    ),
    (MAX, X, {"kernel_size": 2, "padding": 2}, "padding = 2 is more than half of the 2×2 window; use at most 1"),
    (
        AVG,
        X,
        {"kernel_size": (3, 1), "padding": (0, 1)},
        "padding = (0, 1) is more than half of the 3×1 window; use at most 0",
    ),
    (
        MAX,
        X,
        {"kernel_size": 2, "dilation": 3, "padding": 2},  # half of the window counts, not half of what it spans
        "padding = 2 is more than half of the 2×2 window; use at most 1",
    ),
    (
        AVG,
        X,
        {"kernel_size": 4},
        "a 4×4 window does not fit the 3×3 picture; use a smaller window or larger pictures",
    ),
    (
        AVG,
        X,
        {"kernel_size": (2, 6), "padding": 1, "stride": 1, "ceil_mode": True},
        "a 2×6 window does not fit the 3×3 picture (5×5 with its padding); use a smaller window or larger pictures",
    ),
    (
        MAX,
        X,
        {"kernel_size": 2, "dilation": 3},
        "a 2×2 window at dilation 3 spans 4×4 pixels and does not fit the 3×3 picture; use a smaller window or larger "
        "pictures",
    ),
    (MAX, X, {"kernel_size": 2, "ceil_mode": 1}, "ceil_mode = 1: give True or False"),
    (AVG, X, {"kernel_size": 2, "count_include_pad": "no"}, "count_include_pad = 'no': give True or False"),
    (
        AVG,
        X,
        {"kernel_size": 2, "divisor_override": 0},
        "divisor_override = 0: give a whole number other than 0, or None for the number of cells",
    ),
    (
        AVG,
        X,
        {"kernel_size": 2, "divisor_override": 2.5},
        "divisor_override = 2.5: give a whole number other than 0, or None for the number of cells",
    ),
    (AMAX, X, {"output_size": -1}, f"output_size = -1: {ADAPTIVE}"),
    (AAVG, X, {"output_size": (2, -1)}, f"output_size = (2, -1): {ADAPTIVE}"),
    (AAVG, X, {"output_size": 2.0}, f"output_size = 2.0: {ADAPTIVE}"),
    (AMAX, X, {"output_size": (1, 2, 3)}, f"output_size = (1, 2, 3): {ADAPTIVE}"),
    (AAVG, X, {"output_size": None}, f"output_size = None: {ADAPTIVE}"),
]
REFUSED_BY_US_ALONE = [
    (MAX, X.long(), {"kernel_size": 2}, "x is int64: give a float type, such as x.float()"),
    (AVG, X.long(), {"kernel_size": 2}, "x is int64: give a float type, such as x.float()"),
    (AAVG, X[:, :0], {"output_size": 2}, "x has the shape (1, 0, 3, 3): only the number of pictures may be 0"),
    (AAVG, X, {"output_size": 0}, f"output_size = 0: {ADAPTIVE}"),
    (AMAX, X, {"output_size": (0, None)}, f"output_size = (0, None): {ADAPTIVE}"),
    (MAX, X, {"kernel_size": 2, "return_indices": "no"}, "return_indices = 'no': give True or False"),
    (AMAX, X, {"output_size": 2, "return_indices": 1}, "return_indices = 1: give True or False"),
    (
        AVG,
        X,
        {"kernel_size": 2, "divisor_override": -(2**31)},
        "divisor_override = -2147483648 is too large; give at most 2147483647",
    ),
    (
        MAX,
        X,
        {"kernel_size": 2, "dilation": 4, "padding": 1},
        "a 2×2 window at dilation 4 and padding 1 steps over the 3×3 picture and reads nothing of it; use a "
        "dilation of at most 3, or padding=0",
    ),
]


def refusal(name: str, x: Any, arguments: dict[str, Any]) -> str:
    with pytest.raises(OperationError) as caught:
        getattr(pooling, name)(x, **arguments)
    return str(caught.value)


@pytest.mark.parametrize(("name", "x", "arguments", "text"), REFUSED_BY_BOTH)
def test_what_torch_refuses_is_refused_in_one_sentence(name, x, arguments, text):
    with pytest.raises(TORCH_REFUSES):
        theirs(name)(x, **arguments)
    assert refusal(name, x, arguments) == text


@pytest.mark.parametrize(("name", "x", "arguments", "text"), REFUSED_BY_US_ALONE)
def test_what_torch_answers_with_nothing_or_with_rounded_numbers_is_refused_too(name, x, arguments, text):
    assert theirs(name)(x, **arguments) is not None
    assert refusal(name, x, arguments) == text


def test_adaptive_sizes_have_an_end():
    assert refusal(AAVG, X, {"output_size": (1, 2**31)}) == (
        "output_size = (1, 2147483648) is too large; give at most 2147483647"
    )


def test_numpys_numbers_and_flags_are_as_good_as_pythons():
    one, two, yes = np.int64(1), np.int32(2), np.bool_(True)
    y, indices = pooling.max_pool2d(X, two, one, ceil_mode=yes, return_indices=yes)
    assert (y.tolist(), indices.shape) == (functional.max_pool2d(X, 2, 1).tolist(), (1, 1, 2, 2))
    means = pooling.avg_pool2d(X, two, one, count_include_pad=np.bool_(False), divisor_override=two)
    assert means.tolist() == functional.avg_pool2d(X, 2, 1, divisor_override=2).tolist()
    assert pooling.adaptive_avg_pool2d(X, (one, two)).tolist() == functional.adaptive_avg_pool2d(X, (1, 2)).tolist()


def test_torch_gives_an_index_outside_the_picture_where_a_window_reads_nothing():
    """Why we refuse it: 12 is no place among nine pixels."""
    assert functional.max_pool2d(X, 2, dilation=4, padding=1, return_indices=True)[1].item() == 12


@pytest.mark.parametrize("name", ["global_max_pool2d", "global_avg_pool2d"])
def test_global_pooling_checks_its_pictures(name):
    assert refusal(name, X[0, 0], {}) == f"x has the shape (3, 3): {name} takes (N, C, H, W) or (C, H, W)"
    assert refusal(name, X.int(), {}) == "x is int32: give a float type, such as x.float()"


def test_the_layer_language_refuses_the_same_padding():
    with pytest.raises(LayerError, match="more than half of the 3x2 window; use at most 1"):
        parse("maxpool 3x2 padding=2").place((1, 3, 3))
