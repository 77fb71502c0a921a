"""One output number taken apart: what is shown is what torch gives, whatever the order in which it adds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from neocog.errors import OperationError
from neocog.ops import conv2d
from neocog.ops.spec import ConvSpec
from neocog.ops.trace import Term, Trace, trace_window


def reference(x_CHW: Tensor, w_KCRS: Tensor, b_K: Tensor | None, spec: ConvSpec) -> Tensor:
    """What torch gives, (K, P, Q)."""
    top, bottom, left, right = spec.padding
    return functional.conv2d(
        functional.pad(x_CHW, (left, right, top, bottom))[None],
        w_KCRS,
        b_K,
        stride=spec.stride,
        dilation=spec.dilation,
        groups=spec.groups,
    )[0]


def ones(*shape: int) -> Tensor:
    return torch.ones(shape)


# ---------------------------------------------------------------------------------------- the lessons' hand-worked sums


@pytest.fixture
def counting() -> Tensor:
    """0…8 as 3×3, one channel."""
    return torch.arange(9.0).reshape(1, 3, 3)


def test_the_lessons_sums(counting: Tensor) -> None:
    w_KCRS = torch.arange(4.0).reshape(1, 1, 2, 2)
    spec = ConvSpec.make(2)
    got = [[trace_window(counting, w_KCRS, None, spec, 0, p, q).shown for q in (0, 1)] for p in (0, 1)]
    assert got == [["19", "25"], ["37", "43"]]
    trace = trace_window(counting, w_KCRS, None, spec, 0, 0, 1)
    assert trace.expression() == "1*0 + 2*1 + 4*2 + 5*3"
    assert trace.text() == (
        "kernel 0, output row 0, column 1: pixel · weight, columns 1 to 2\n"
        "channel 0, row 0:   1 · 0 + 2 · 1\n"
        "channel 0, row 1: + 4 · 2 + 5 · 3\n"
        "sum 25, exact\n"
        "as Python: 1*0 + 2*1 + 4*2 + 5*3"
    )


def test_two_channels_and_three_kernels(counting: Tensor) -> None:
    x_CHW = torch.cat([counting, counting + 1])
    w_CRS = torch.stack([torch.arange(4.0).reshape(2, 2), torch.arange(1.0, 5).reshape(2, 2)])
    w_KCRS = torch.stack([w_CRS, w_CRS + 1, w_CRS + 2])
    want = [[["56", "72"], ["104", "120"]], [["76", "100"], ["148", "172"]], [["96", "128"], ["192", "224"]]]
    spec = ConvSpec.make(2)
    for k in range(3):
        got = [[trace_window(x_CHW, w_KCRS, None, spec, k, p, q).shown for q in (0, 1)] for p in (0, 1)]
        assert got == want[k]


def test_the_edges_of_the_stripe() -> None:
    stripe = torch.zeros(1, 6, 8)
    stripe[..., 2:6] = 1
    w_KCRS = torch.tensor([[[[1.0, -1.0]]]])
    shown = [trace_window(stripe, w_KCRS, None, ConvSpec.make((1, 2)), 0, 3, q).shown for q in range(7)]
    assert shown == ["0", "-1", "0", "0", "0", "1", "0"]
    trace = trace_window(stripe, w_KCRS, None, ConvSpec.make((1, 2)), 0, 3, 1)
    assert (trace.expression(), trace.value) == ("0*1 + 1*-1", -1.0)


def test_a_text_with_padding_bias_and_negative_numbers() -> None:
    x_CHW = torch.tensor([[[12.0, 0, 255], [7, -3, 1], [0, 0, 9]]])
    sobel = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])
    trace = trace_window(x_CHW, sobel, torch.tensor([0.5]), ConvSpec.make(3, padding=1), 0, 0, 1)
    assert trace.text() == (
        "kernel 0, output row 0, column 1: pixel · weight, columns 0 to 2; (0) is padding\n"
        "channel 0, row -1:   (0) · -1 + (0) · 0 + (0) · 1\n"
        "channel 0, row 0:  +  12 · -2 +   0 · 0 + 255 · 2\n"
        "channel 0, row 1:  +   7 · -1 +  -3 · 0 +   1 · 1\n"
        "products 480, exact\n"
        "bias     0.5\n"
        "sum      480.5, exact\n"
        "as Python: 0*-1 + 0*0 + 0*1 + 12*-2 + 0*0 + 255*2 + 7*-1 + -3*0 + 1*1 + 0.5"
    )
    assert trace.expression() == "0*-1 + 0*0 + 0*1 + 12*-2 + 0*0 + 255*2 + 7*-1 + -3*0 + 1*1 + 0.5"


def test_weights_stand_as_in_the_kernel_and_in_columns() -> None:
    x_CHW = torch.tensor([[[0.0, 79, 254], [0, 86, 253]]])
    w_KCRS = torch.tensor([[[[1.0, 0, -1], [-2, 0, -0.5]]]])
    trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make((2, 3)), 0, 0, 0)
    assert trace.text().splitlines()[1:3] == [
        "channel 0, row 0:     0 ·  1 +  79 · 0 + 254 ·   -1",
        "channel 0, row 1: +   0 · -2 +  86 · 0 + 253 · -0.5",
    ]
    assert trace.expression() == "0*1 + 79*0 + 254*-1 + 0*-2 + 86*0 + 253*-0.5"


def test_a_text_that_rounds() -> None:
    x_CHW = torch.tensor([[[1.0, 2], [3, 4]], [[0.1, 0.2], [0.3, 0.4]]])
    trace = trace_window(x_CHW, torch.full((1, 2, 2, 2), 1 / 3), None, ConvSpec.make(2), 0, 0, 0)
    assert trace.text() == (
        "kernel 0, output row 0, column 0: pixel · weight, columns 0 to 1\n"
        "channel 0, row 0:     1 · 0.33333334 +   2 · 0.33333334\n"
        "channel 0, row 1: +   3 · 0.33333334 +   4 · 0.33333334\n"
        "channel 1, row 0: + 0.1 · 0.33333334 + 0.2 · 0.33333334\n"
        "channel 1, row 1: + 0.3 · 0.33333334 + 0.4 · 0.33333334\n"
        "sum 3.6666667 ± 0.0000019\n"
        "as Python: (1*0.33333334 + 2*0.33333334 + 3*0.33333334 + 4*0.33333334 + 0.1*0.33333334\n"
        "           + 0.2*0.33333334 + 0.3*0.33333334 + 0.4*0.33333334)"
    )
    assert (trace.shown, trace.rounding, trace.decimals) == ("3.6666667", 1.9e-6, 7)
    assert str(trace) == trace.text()
    assert repr([trace]) == "[Trace(value=3.6666667461395264, shown='3.6666667', 8 terms)]"


def test_long_rows_are_wrapped() -> None:
    trace = trace_window(ones(1, 1, 30), ones(1, 1, 1, 30), None, ConvSpec.make((1, 30)), 0, 0, 0)
    lines = trace.text().splitlines()
    assert max(len(line) for line in lines) <= 100
    assert lines[1:4] == [
        "channel 0, row 0:   1 · 1" + " + 1 · 1" * 9,
        "                 " + " + 1 · 1" * 10,
        "                 " + " + 1 · 1" * 10,
    ]
    assert trace.shown == "30"


# ---------------------------------------------------------------------------------------------------- terms, one by one


def test_the_order_of_terms_and_where_they_are() -> None:
    x_CHW = torch.arange(4 * 5 * 6, dtype=torch.float32).reshape(4, 5, 6)
    w_KCRS = torch.arange(1.0, 1 + 6 * 2 * 2 * 2).reshape(6, 2, 2, 2)
    spec = ConvSpec.make(2, stride=(2, 1), padding=(1, 0, 2, 0), dilation=(1, 3), groups=2)
    trace = trace_window(x_CHW, w_KCRS, None, spec, 4, 1, 0)
    # Kernel 4 of 6 is in the second of two groups; row 1·2 − 1 = 1, columns 0 − 2 and 0 − 2 + 3.
    places = [(term.channel, term.row, term.column, term.r, term.s, term.inside) for term in trace.terms]
    assert places == [
        (2, 1, -2, 0, 0, False),
        (2, 1, 1, 0, 1, True),
        (2, 2, -2, 1, 0, False),
        (2, 2, 1, 1, 1, True),
        (3, 1, -2, 0, 0, False),
        (3, 1, 1, 0, 1, True),
        (3, 2, -2, 1, 0, False),
        (3, 2, 1, 1, 1, True),
    ]
    assert [term.pixel for term in trace.terms] == [0, 67, 0, 73, 0, 97, 0, 103]
    assert [term.weight for term in trace.terms] == [33, 34, 35, 36, 37, 38, 39, 40]
    assert trace.value == 67 * 34 + 73 * 36 + 97 * 38 + 103 * 40
    assert (trace.k, trace.p, trace.q, trace.bias) == (4, 1, 0, None)
    assert "columns -2 to 1 by 3" in trace.text()
    assert "column 4\n" in trace_window(x_CHW, ones(1, 4, 1, 1), None, ConvSpec.make(1), 0, 0, 4).text()


def test_products_and_sum_are_float32_in_this_order() -> None:
    x_CHW = torch.tensor([[[2.0**24, 1.0, 1.0, 0.1]]])
    w_KCRS = torch.tensor([[[[1.0, 1.0, 1.0, 0.1]]]])
    trace = trace_window(x_CHW, w_KCRS, torch.tensor([3.0]), ConvSpec.make((1, 4)), 0, 0, 0)
    assert trace.terms[3].product == float(np.float32(0.1) * np.float32(0.1))
    total = np.float32(2**24)
    for number in (1.0, 1.0, trace.terms[3].product, 3.0):  # 2²⁴ + 1 is 2²⁴ in float32
        total = np.float32(total + np.float32(number))
    assert trace.value == float(total) == 2**24 + 4
    assert (trace.shown, trace.rounding, trace.decimals) == ("16777220", 7, 0), "orders of adding differ by up to 5"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_rounded_to_float32(kind: torch.dtype) -> None:
    x_CHW, w_KCRS = torch.full((1, 2, 2), 0.1, dtype=kind), torch.full((1, 1, 2, 2), 0.7, dtype=kind)
    trace = trace_window(x_CHW[None], w_KCRS, w_KCRS[0, 0, 0, :1], ConvSpec.make(2), 0, 0, 0)
    assert trace.terms[0].pixel == x_CHW[0, 0, 0].float().item()
    assert trace.bias == w_KCRS[0, 0, 0, 0].float().item()
    assert trace.kind == str(kind).removeprefix("torch.")
    assert ("\nin " in trace.text()) == (kind != torch.float64)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_a_half_type_rounds_the_sum_once_more(kind: str) -> None:
    """2049 in float32, exactly; but neither half type knows odd numbers that large."""
    x_CHW, w_KCRS = (tensor.to(getattr(torch, kind)) for tensor in (torch.tensor([[[2048.0, 1.0]]]), ones(1, 1, 1, 2)))
    trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make((1, 2)), 0, 0, 0)
    assert (trace.shown, conv2d(x_CHW, w_KCRS).item()) == ("2049", 2048.0)
    sums = [f"sum{' ' * (len(kind) + 1)}2049, exact", f"in {kind} 2048", "as Python: 2048*1 + 1*1"]
    assert trace.text().splitlines()[2:] == sums


def test_views_that_are_negative_without_being_stored_so() -> None:
    x_CHW = torch.complex(ones(1, 2, 2), torch.arange(4.0).reshape(1, 2, 2)).conj().imag
    assert x_CHW.is_neg()
    trace = trace_window(x_CHW, x_CHW[None], None, ConvSpec.make(2), 0, 0, 0)
    assert trace.expression() == "0*0 + -1*-1 + -2*-2 + -3*-3"


def test_numpys_numbers_are_as_good_as_pythons(counting: Tensor) -> None:
    k, p, q = np.array([0, 1, 1])
    trace = trace_window(counting, ones(1, 1, 2, 2), None, ConvSpec.make(2), k, p, q)
    assert (trace.shown, type(trace.k), type(trace.p), type(trace.q)) == ("24", int, int, int)


def test_gradients_and_layouts_do_not_matter(counting: Tensor) -> None:
    x_CHW = counting.transpose(1, 2).requires_grad_()
    w_KCRS = torch.arange(4.0).reshape(1, 1, 2, 2).requires_grad_()
    trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make(2), 0, 0, 0)
    assert trace.shown == "17"  # 0·0 + 3·1 + 1·2 + 4·3


# --------------------------------------------------------------------------- what is shown, against torch and fractions


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor | None, ConvSpec]:
    """Pictures and kernels of every kind: whole numbers, photographs' bytes, small and large floats."""
    groups = draw(st.integers(1, 2))
    size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    sides = draw(st.tuples(*[st.integers(0, 2)] * 4))
    spec = ConvSpec.make(
        size,
        stride=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        padding=sides,
        dilation=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        groups=groups,
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = 10.0 ** draw(st.integers(-6, 6))

    def numbers(*shape: int) -> Tensor:
        values = random.normal(size=shape) * scale
        if draw(st.booleans()):
            values = random.integers(-255, 256, shape)
        return torch.from_numpy(np.asarray(values, dtype=np.float32))

    channels, kernels = draw(st.integers(1, 2)) * groups, draw(st.integers(1, 2)) * groups
    height, width = draw(st.integers(5, 8)), draw(st.integers(5, 8))
    bias = numbers(kernels) if draw(st.booleans()) else None
    return numbers(channels, height, width), numbers(kernels, channels // groups, *size), bias, spec


def exact_sum(trace: Trace) -> Fraction:
    return sum((Fraction(term.pixel) * Fraction(term.weight) for term in trace.terms), Fraction(trace.bias or 0))


def from_text(text: str) -> tuple[Fraction, Fraction, str]:
    """The sum, its bound and the expression, as they are read in the text."""
    lines, expression = text.split("\nas Python:")
    words = " ".join(lines.split()).rpartition("sum ")[2].split()
    if words[1:] == ["exact"]:
        return Fraction(words[0].rstrip(",")), Fraction(0), expression.strip()
    assert words[1] == "±"
    return Fraction(words[0]), Fraction(words[2]), expression.strip()


@given(cases(), st.data())
def test_all_ways_of_adding_lie_within_the_bound(
    case: tuple[Tensor, Tensor, Tensor | None, ConvSpec], data: st.DataObject
) -> None:
    x_CHW, w_KCRS, b_K, spec = case
    rows, columns = spec.output_size(x_CHW.shape[1:])
    k, p, q = (data.draw(st.integers(0, count - 1)) for count in (len(w_KCRS), rows, columns))
    trace = trace_window(x_CHW, w_KCRS, b_K, spec, k, p, q)
    twice = [None if tensor is None else tensor.double() for tensor in (x_CHW, w_KCRS, b_K)]
    walk: Any = {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": spec.groups}
    products = np.array([term.product for term in trace.terms] + [trace.bias or 0], dtype=np.float32)
    shown, bound, expression = from_text(trace.text(data.draw(st.integers(20, 100))))
    ways = {
        "exact": exact_sum(trace),
        "in order": trace.value,
        "torch float32": reference(x_CHW, w_KCRS, b_K, spec)[k, p, q].item(),
        "torch float64": reference(twice[0], twice[1], twice[2], spec)[k, p, q].item(),  # type: ignore[arg-type]
        "the bias first": float(np.add.accumulate(products[::-1])[-1]),
        "another order": float(np.add.accumulate(np.random.default_rng(0).permutation(products))[-1]),
        "expression": eval(trace.expression()),
        "copied from the text": eval(expression),
    }
    for method in ("shift", "im2col"):
        ways[method] = conv2d(x_CHW[None], w_KCRS, b_K, method=method, **walk)[0, k, p, q].item()
    pixels, weights = (
        torch.tensor([getattr(term, name) for term in trace.terms]).reshape(1, -1, *spec.kernel_size)
        for name in ("pixel", "weight")
    )
    ways["loops"] = conv2d(pixels, weights, None if b_K is None else b_K[k : k + 1], method="loops").item()
    outside = {way: value for way, value in ways.items() if abs(Fraction(value) - shown) > bound}
    assert not outside, f"shown {trace.shown} ± {bound}"
    assert (shown, float(bound)) == (Fraction(trace.shown), trace.rounding)
    check_digits(trace)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=8))
@example([0.1])
@example([5e-5])
@example([-0.0])
@example([0.5, -0.5])
@example([0.1, -0.1])
@example([1e-3, -1e-3, 1e-10])
@example([2.0**-126, 2.0**-140])
def test_numbers_times_one(values: list[float]) -> None:
    x_CHW = torch.tensor(values)[None, None]
    trace = trace_window(x_CHW, ones(1, 1, 1, len(values)), None, ConvSpec.make((1, len(values))), 0, 0, 0)
    shown, bound, expression = from_text(trace.text())
    for value in (exact_sum(trace), Fraction(trace.value), Fraction(eval(expression))):
        assert abs(value - shown) <= bound
    check_digits(trace)


def check_digits(trace: Trace) -> None:
    """Neither digits that say nothing, nor fewer than there can be; and no bound much wider than the theory's."""
    assert not trace.shown.startswith("-0") or float(trace.shown)
    if trace.rounding:
        assert 3 <= Fraction(str(trace.rounding)) * Fraction(10) ** trace.decimals < 32
        assert (Fraction(trace.shown) * Fraction(10) ** trace.decimals).denominator == 1
        parts = [term.product for term in trace.terms] + [trace.bias or 0.0]
        rounding = len(parts) * 2.0**-24 * sum(abs(part) for part in parts) + 2 * len(parts) * 2.0**-126
        assert trace.rounding < 2.5 * rounding


@pytest.mark.parametrize(
    ("pixels", "weights", "want"),
    [
        ([0.1], [1.0], "sum 0.1000000015 ± 0.0000000015"),
        ([0.0], [-1.0], "sum 0, exact"),
        ([0.0], [1 / 9], "sum 0, exact"),
        ([0.1, 0.1], [1.0, -1.0], "sum 0.000000000 ± 0.000000024"),
        ([0.5, 0.25], [1.0, -1.0], "sum 0.25, exact"),
        ([2.0**-13], [2.0**-8], "sum 4.76837158e-7 ± 1.0e-14"),
        ([1e8, 3.7], [1e8, 1.0], "sum 1.00000003e+16 ± 1.5e+9"),
        ([3e-6], [1.0], "sum 3.00000011e-6 ± 1.1e-13"),
        ([1.0, 1.0], [1 / 3, 1 / 3], "sum 0.66666669 ± 0.00000009"),
        ([100.0] * 9, [1 / 9] * 9, "sum 100.00002 ± 0.00008"),
        # At a rounding boundary: the bound is small, and no two sums need to round alike.
        ([156.5, 1e4, 1e4], [1.0, 1.00001, -1.00001], "sum 156.500 ± 0.004"),
        ([0.5, 1e5, 1e5], [0.1, 1.00001, -1.00001], "sum 0.05 ± 0.04"),
    ],
)
def test_as_many_digits_as_the_bound_leaves(pixels: list[float], weights: list[float], want: str) -> None:
    x_CHW, w_KCRS = torch.tensor(pixels)[None, None], torch.tensor(weights)[None, None, None]
    text = trace_window(x_CHW, w_KCRS, None, ConvSpec.make((1, len(pixels))), 0, 0, 0).text()
    assert next(line for line in text.splitlines() if line.startswith("sum")) == want


def test_each_sum_has_a_bound_of_its_own() -> None:
    third = torch.full((1, 1, 1, 3), 1 / 3)
    trace = trace_window(ones(1, 1, 3), third, torch.tensor([-1e6]), ConvSpec.make((1, 3)), 0, 0, 0)
    assert (trace.shown_products, trace.shown, trace.rounding) == ("1.00000000", "-999999.00", 0.24)
    assert trace.text().splitlines()[2:5] == [
        "products 1.00000000 ± 0.00000021",
        "bias     -1e+06",
        "sum      -999999.00 ± 0.24",
    ]


def test_of_more_than_a_hundred_products_the_largest_five() -> None:
    x_CHW = torch.arange(121.0).reshape(1, 11, 11)
    trace = trace_window(x_CHW, ones(1, 1, 11, 11), None, ConvSpec.make(11), 0, 0, 0)
    assert trace.text() == (
        "kernel 0, output row 0, column 0: pixel · weight, the 5 largest of 121 products\n"
        "channel 0, row 10, column 10:   120 · 1\n"
        "channel 0, row 10, column 9:  + 119 · 1\n"
        "channel 0, row 10, column 8:  + 118 · 1\n"
        "channel 0, row 10, column 7:  + 117 · 1\n"
        "channel 0, row 10, column 6:  + 116 · 1\n"
        "116 other products:           + 6670, exact\n"
        "sum 7260, exact"
    )
    hundred = trace_window(x_CHW, ones(1, 1, 10, 10), None, ConvSpec.make(10), 0, 0, 0)
    assert hundred.text().count(" · 1") == 100
    assert eval(hundred.text().partition("as Python: ")[2]) == float(hundred.shown) == 5400


def test_negative_products_are_large_ones_too() -> None:
    x_CHW = torch.full((2, 1, 60), 0.5)
    x_CHW[1, 0, 7] = -300
    trace = trace_window(x_CHW, ones(1, 2, 1, 60), torch.tensor([1.0]), ConvSpec.make((1, 60)), 0, 0, 0)
    assert trace.text(60, heading="both").splitlines() == [
        "both: pixel · weight, the 5 largest of 120 products",
        "channel 1, row 0, column 7:   -300 · 1",
        *(f"channel 0, row 0, column {column}: +  0.5 · 1" for column in range(4)),
        "115 other products:         + 57.5, exact",
        "products -240.5, exact",
        "bias     1",
        "sum      -239.5, exact",
    ]


def test_a_thousand_products_are_still_one_expression() -> None:
    random = torch.Generator().manual_seed(0)
    x_CHW, w_KCRS = torch.randn(300, 3, 3, generator=random), torch.randn(1, 300, 3, 3, generator=random)
    trace = trace_window(x_CHW, w_KCRS, torch.tensor([0.5]), ConvSpec.make(3), 0, 0, 0)
    assert len(trace.terms) == 2700
    assert abs(eval(trace.expression()) - float(trace.shown)) <= trace.rounding
    assert_close(reference(x_CHW, w_KCRS, None, ConvSpec.make(3)).item() + 0.5, trace.value, rtol=1e-4, atol=0)


def test_a_wrong_sum_would_be_seen(counting: Tensor) -> None:
    w_KCRS = torch.arange(4.0).reshape(1, 1, 2, 2) / 3
    trace = trace_window(counting, w_KCRS, None, ConvSpec.make(2), 0, 0, 0)
    off = [abs(eval(replace(trace, terms=terms).expression()) - float(trace.shown)) for terms in orders(trace)]
    assert off[0] <= trace.rounding, "the order doesn't matter"
    turned = trace_window(counting, w_KCRS.flip(2), None, ConvSpec.make(2), 0, 0, 0)
    assert min(off[1], abs(turned.value - float(trace.shown))) > trace.rounding


def orders(trace: Trace) -> list[tuple[Term, ...]]:
    """All terms from the last to the first, and all but the last."""
    return [trace.terms[::-1], trace.terms[:-1]]


# ------------------------------------------------------------------------------------------------- the caller's wishes


def test_a_heading_takes_the_place_of_kernel_and_channel() -> None:
    x_CHW, w_KCRS = torch.arange(8.0).reshape(2, 2, 2), ones(2, 1, 1, 2)
    trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make((1, 2), groups=2), 1, 1, 0)
    assert trace.text(heading="green").splitlines()[:2] == [
        "green: pixel · weight, columns 0 to 1",
        "row 1:   6 · 1 + 7 · 1",
    ]
    assert trace.text(heading="").splitlines()[0] == "pixel · weight, columns 0 to 1"
    mixed = trace_window(x_CHW, ones(1, 2, 1, 2), None, ConvSpec.make((1, 2)), 0, 0, 0)
    assert [line[:17] for line in mixed.text(heading="grey").splitlines()[1:3]] == [
        "channel 0, row 0:",
        "channel 1, row 0:",
    ]


def test_a_narrow_text() -> None:
    x_CHW, w_KCRS = torch.tensor([[[1e-20, 2.5]]]), torch.tensor([[[[1.2345678e-20, -1 / 3]]]])
    trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make((1, 2)), 0, 0, 0)
    want = [
        "a long heading:",
        "  pixel · weight,",
        "  columns 0 to 1",
        "row 0:",
        "  1e-20 ·",
        "  1.2345678e-20 +",
        "  2.5 · -0.33333334",
        "sum",
        "  -0.83333337 ±",
        "  0.00000012",
        "as Python:",
        "  (1e-20",
        "  *1.2345678e-20 +",
        "  2.5 *-0.33333334)",
    ]
    assert trace.text(20, heading="a long heading").splitlines() == want
    assert trace.text(1, heading="a long heading").splitlines() == want
    single = trace_window(x_CHW[..., 1:] / 7, w_KCRS[..., 1:], None, ConvSpec.make(1), 0, 0, 0)
    assert single.text(20).splitlines()[-3:] == ["as Python:", "  (0.35714287", "  *-0.33333334)"]


@given(cases(), st.integers(20, 60), st.sampled_from([None, "red", "words without an end " * 9, "w" * 90]))
def test_no_line_is_wider_than_asked(
    case: tuple[Tensor, Tensor, Tensor | None, ConvSpec], width: int, heading: str | None
) -> None:
    trace = trace_window(*case, 0, 0, 0)
    lines = trace.text(width, heading=heading).splitlines()
    assert max(len(line) for line in lines) <= width
    assert all(line == line.rstrip() for line in lines)


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"k": 2}, "k = 2: the kernels are counted from 0 to 1"),
        ({"k": -1}, "k = -1: the kernels are counted from 0 to 1"),
        ({"p": 4}, "p = 4: the rows that come out are counted from 0 to 3"),
        ({"q": 5}, "q = 5: the columns that come out are counted from 0 to 4"),
        ({"q": 1.0}, "q = 1.0: the columns that come out are counted from 0 to 4"),
        ({"k": True}, "k = True: the kernels are counted from 0 to 1"),
        ({"p": 10**40}, f"p = {10**40}: the rows that come out are counted from 0 to 3"),
        ({"spec": None}, "spec is a NoneType: give a ConvSpec, such as ConvSpec.make(3)"),
        ({"spec": 3, "x": [1]}, "spec is a int: give a ConvSpec, such as ConvSpec.make(3)"),
        (
            {"x": torch.full((3, 5, 6), 1e300, dtype=torch.float64), "w": ones(2, 3, 2, 2).double()},
            "x is 1e+300 at channel 0, row 1, column 1, too large for float32; give smaller numbers",
        ),
        (
            {"x": ones(3, 5, 6).double(), "w": torch.full((2, 3, 2, 2), -1e39, dtype=torch.float64)},
            "w is -1e+39 at row 0, column 0 of the kernel, too large for float32; give smaller numbers",
        ),
        ({"spec": {"kernel_size": 2}}, "spec is a dict: give a ConvSpec, such as ConvSpec.make(3)"),
        (
            {"x": torch.tensor([3e38, -3e38, 1.0])[:, None, None].expand(3, 5, 6)},
            "the sum is too large for float32; give smaller numbers",
        ),
        ({"x": ones(5, 6)}, "x has the shape (5, 6): give one picture (C, H, W)"),
        ({"x": ones(2, 3, 5, 6)}, "x has the shape (2, 3, 5, 6): give one picture (C, H, W)"),
        ({"x": [1, 2]}, "x is a list: give a tensor, such as torch.tensor(x)"),
        ({"x": ones(3, 5, 6).int()}, "x is int32: give a float type, such as x.float()"),
        ({"x": ones(3, 5, 6).double()}, "x is float64 but w is float32: give both one type, such as w.to(x.dtype)"),
        (
            {"x": ones(1, 5, 6)},
            "w (2, 3, 2, 2) has kernels of 3 channels but x has 1; give w as (2, 1, 2, 2)",
        ),
        (
            {"x": ones(3, 1, 1)},
            "a 2×2 kernel does not fit the 1×1 picture; use a smaller kernel, or 1 more padding on each side",
        ),
        (
            {"w": ones(2, 3, 3, 2)},
            "w (2, 3, 3, 2) has 3×2 kernels but the spec is for 2×2; use ConvSpec.make((3, 2), …)",
        ),
        ({"w": ones(3, 2, 2)}, "w has the shape (3, 2, 2): conv2d takes (K, C/groups, R, S)"),
        ({"b": ones(3)}, "b has 3 numbers but there are 2 kernels; give one for each"),
        (
            {"spec": ConvSpec.make(2, groups=2)},
            "groups = 2 must divide both the 3 channels of x and the 2 kernels of w; the largest that does is 1",
        ),
        (
            {"x": torch.full((3, 5, 6), float("nan"))},
            "x is nan at channel 0, row 1, column 1; give finite numbers",
        ),
        (
            {"w": torch.full((2, 3, 2, 2), float("-inf"))},
            "w is -inf at row 0, column 0 of the kernel; give finite numbers",
        ),
        ({"b": torch.full((2,), float("inf"))}, "the bias is inf; give a finite one"),
        ({"x": torch.full((3, 5, 6), 1e38)}, "the sum is too large for float32; give smaller numbers"),
    ],
)
def test_refusals(change: dict[str, Any], text: str) -> None:
    asked: dict[str, Any] = {"x": ones(3, 5, 6), "w": ones(2, 3, 2, 2), "b": None, "spec": ConvSpec.make(2)}
    asked |= {"k": 0, "p": 1, "q": 1, **change}
    with pytest.raises(OperationError) as refused:
        trace_window(**asked)
    assert str(refused.value) == text


def test_numbers_elsewhere_may_be_infinite() -> None:
    x_CHW = ones(1, 4, 4)
    x_CHW[0, 3, 3] = float("inf")
    assert trace_window(x_CHW, ones(1, 1, 2, 2), None, ConvSpec.make(2), 0, 0, 0).shown == "4"
