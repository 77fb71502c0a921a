# BEING REWRITTEN by helper "trace" until 16:05: nobody else edits this file; the marker goes when it is done.
"""One number that comes out of a convolution, product by product, with only as many digits as can be trusted.

Adding float32 numbers in another order gives another sum, in the last digits. With u = 2⁻²⁴, m products and a bias, any
order lies within (m + 1)·u/(1 − (m + 1)·u) · (Σ|products| + |bias|) of the exact sum (Higham, Accuracy and Stability of
Numerical Algorithms, 2nd edition, section 3.1). The text shows the digits that all these sums have in common, so it
shows what any algorithm that adds the products gives, and what a calculator makes of the printed numbers. The fft and
winograd methods add other numbers, and can differ in the last digit shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from itertools import groupby
from math import ceil, fsum, isfinite, log10
from typing import Any

import numpy as np
from torch import Tensor

from neocog.errors import OperationError
from neocog.ops.convolution import conv2d
from neocog.ops.padding import padded
from neocog.ops.spec import ConvSpec, times

_HALF_STEP = 2.0**-24  # the largest relative error of one float32 operation
_LEAST_NORMAL = 2.0**-126  # below it float32 loses digits, or is flushed to zero
_WIDTH = 100
_MOST_ADDED = 1000  # Python can't compile a sum of several thousand terms with + between them


@dataclass(frozen=True)
class Term:
    """One product: the picture's number at (channel, row, column) times the kernel's at row r, column s.

    In the padding, `inside` is False, the pixel is 0, and row or column may lie outside the picture.
    """

    channel: int
    row: int
    column: int
    r: int
    s: int
    pixel: float
    weight: float
    product: float
    inside: bool


@dataclass(frozen=True)
class Trace:
    """One output number and all it is made of.

    Attributes:
        k, p, q: which number: of kernel k, at row p and column q of what comes out.
        terms: the products in float32, in order: channel, then the kernel's rows, then its columns.
        bias: what is added to their sum, or None.
        value: the float32 sum, added in that order, the bias last.
        rounding: how far from the exact sum float32 can be, whatever the order of adding; 0 when every order is exact.
        decimals: how many decimals every order of adding has in common; below 0, it is rounded to tens, hundreds …
        shown: the value, to that many decimals.
        shown_products: the sum without the bias, likewise.
    """

    k: int
    p: int
    q: int
    terms: tuple[Term, ...]
    bias: float | None
    value: float
    rounding: float
    decimals: int
    shown: str
    shown_products: str

    def expression(self) -> str:
        """The sum as a Python expression that anybody can copy; it gives `shown`, to the digits shown.

        >>> import torch
        >>> spec = ConvSpec.make(2)
        >>> x_CHW, w_KCRS = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
        >>> trace_window(x_CHW, w_KCRS, None, spec, 0, 1, 1).expression()
        '4*0 + 5*1 + 7*2 + 8*3'
        """
        products = [f"{_number(term.pixel)}*{_number(term.weight)}" for term in self.terms]
        if len(products) > _MOST_ADDED:
            products = [f"sum([{', '.join(products)}])"]
        return " + ".join([*products, *([] if self.bias is None else [_number(self.bias)])])

    def text(self) -> str:
        """The arithmetic: pixel · weight, one line for each row of the kernel and channel, and what they add up to.

        A zero of the padding is written `(0)`.
        """
        pixels = max(len(_pixel(term)) for term in self.terms)
        weights = max(len(_number(abs(term.weight))) for term in self.terms)
        rows = [[*row] for _, row in groupby(self.terms, key=lambda term: (term.channel, term.r))]
        names = [f"channel {row[0].channel}, row {row[0].row}:" for row in rows]
        room = max(len(name) for name in names)
        lines = [f"kernel {self.k}, output row {self.p}, column {self.q}: pixel · weight, {_columns(rows[0])}"]
        for name, row in zip(names, rows, strict=True):
            products = [_product(term, pixels, weights) for term in row]
            if row[0] is self.terms[0]:
                products[0] = products[0].replace("+", " ", 1)  # nothing stands before it
            lines += _wrapped(name.ljust(room), products)
        sums = [("sum", self.shown)]
        if self.bias is not None:
            sums = [("products", self.shown_products), ("bias", _number(self.bias)), *sums]
        digits = max(len(number) for _, number in sums)
        lines += [f"{name.ljust(room)} {number.rjust(digits)}" for name, number in sums]
        exact = "exact in float32, in any order of adding"
        if self.rounding:
            exact = f"float32 is at most {_at_most(self.rounding)} from the exact sum, in any order of adding"
        padding = "" if all(term.inside for term in self.terms) else "; (0) is padding"
        return "\n".join([*lines, exact + padding])


def trace_window(x: Tensor, w: Tensor, b: Tensor | None, spec: ConvSpec, k: int, p: int, q: int) -> Trace:
    """Output number (k, p, q) of conv2d(x, w, b), taken apart: b[k] + Σ_c Σ_r Σ_s pixel · weight, in float32.

    Args:
        x: one picture (C, H, W) or (1, C, H, W), of any float type; its numbers are rounded to float32.
        w: kernels (K, C/groups, R, S), of the same type.
        b: one number for each kernel (K), or None.
        spec: how the kernels walk; `ConvSpec.make(...)`.
        k: which kernel.
        p, q: which row and column of what comes out.

    Raises:
        OperationError: shapes or types that don't fit, a number that doesn't exist, or one that isn't finite.

    >>> import torch
    >>> x_CHW, w_KCRS = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make(2), 0, 1, 1)
    >>> trace.shown, [term.product for term in trace.terms]
    ('43', [0.0, 5.0, 14.0, 24.0])
    """
    x_1CHW = x[None] if isinstance(x, Tensor) and x.ndim == 3 else x
    _check_shapes(x_1CHW, w, b, spec)
    _check_place(k, p, q, len(w), spec.output_size(x_1CHW.shape[2:]))
    first = k // (len(w) // spec.groups) * w.shape[1]
    channels = slice(first, first + w.shape[1])
    top, left = p * spec.stride[0], q * spec.stride[1]
    rows, columns = slice(top, top + spec.extent[0]), slice(left, left + spec.extent[1])
    window_1DHW = padded(x_1CHW.detach()[:, channels], spec)[..., rows, columns].cpu().float()
    w_1DRS = w.detach()[k : k + 1].cpu().float()
    b_1 = None if b is None else b.detach()[k : k + 1].cpu().float()
    pixels_DRS = window_1DHW[0, :, :: spec.dilation[0], :: spec.dilation[1]]
    products_DRS = pixels_DRS * w_1DRS[0]

    above, beside = top - spec.padding[0], left - spec.padding[2]
    height, width = x_1CHW.shape[2:]
    terms = []
    for (d, r, s), pixel in np.ndenumerate(pixels_DRS.numpy()):
        row, column = above + r * spec.dilation[0], beside + s * spec.dilation[1]
        inside = 0 <= row < height and 0 <= column < width
        weight, product = w_1DRS[0, d, r, s].item(), products_DRS[d, r, s].item()
        terms.append(Term(first + d, row, column, r, s, float(pixel), weight, product, inside))
    bias = None if b_1 is None else b_1.item()
    _check_finite(terms, bias)
    # accumulate adds one after the other; sum() would choose its own order.
    parts = products_DRS.flatten().tolist() + ([] if bias is None else [bias])
    with np.errstate(over="ignore"):
        value = float(np.add.accumulate(np.array(parts, dtype=np.float32))[-1])
    if not isfinite(value):
        raise OperationError("the sum is too large for float32; give smaller numbers")
    output = conv2d(window_1DHW, w_1DRS, b_1, dilation=spec.dilation).item()
    (shown_products, shown), decimals = _shown(terms, bias, output)
    return Trace(k, p, q, tuple(terms), bias, value, _rounding(terms, bias), decimals, shown, shown_products)


# ---------------------------------------------------------------------------------------------------- digits to trust


def _exact_parts(terms: Sequence[Term], bias: float | None) -> list[float]:
    """The products without rounding, and the bias: a product of two float32 numbers has 48 bits, float64 holds 53."""
    return [term.pixel * term.weight for term in terms] + ([] if bias is None else [bias])


def _rounding(terms: Sequence[Term], bias: float | None) -> float:
    """How far a float32 sum can be from the exact one; 0 when all sums on the way are whole multiples of one unit."""
    parts = _exact_parts(terms, bias)
    size = fsum(abs(part) for part in parts)
    unit = 1 / max(part.as_integer_ratio()[1] for part in parts)
    if unit >= _LEAST_NORMAL and size <= unit / _HALF_STEP:
        return 0.0
    error = len(parts) * _HALF_STEP
    return error / (1 - error) * size + len(parts) * _LEAST_NORMAL


def _shown(terms: Sequence[Term], bias: float | None, output: float) -> tuple[tuple[str, str], int]:
    """The sum of the products and the sum with the bias, to the last decimal that all ways of adding agree on."""
    products, (low, high) = _bounds(terms, None), _bounds(terms, bias)
    sums = (products, (min(low, output), max(high, output)))
    widest = max(high - low for low, high in sums)
    if widest == 0:
        texts = [np.format_float_positional(np.float32(low) + np.float32(0), trim="-") for low, _ in sums]
    else:
        decimals = ceil(-log10(widest))
        while any(_fixed(low, decimals) != _fixed(high, decimals) for low, high in sums):
            decimals -= 1
        texts = [_fixed(low, decimals) for low, _ in sums]
        if _rounding(terms, bias) or decimals <= 0:
            return (texts[0], texts[1]), decimals
        texts = [text.rstrip("0").rstrip(".") for text in texts]  # nothing is known less well without them
    return (texts[0], texts[1]), len(texts[1].partition(".")[2])


def _bounds(terms: Sequence[Term], bias: float | None) -> tuple[float, float]:
    """Between these lie all float32 sums, the exact sum, and the sum of the numbers as they are printed."""
    rounding, parts = _rounding(terms, bias), _exact_parts(terms, bias)
    exact = fsum(parts)
    factors = [(term.pixel, term.weight) for term in terms] + ([] if bias is None else [(bias, 1.0)])
    printed = [(float(_number(pixel)), float(_number(weight))) for pixel, weight in factors]
    if printed == factors:
        return exact - rounding, exact + rounding
    read = fsum(pixel * weight for pixel, weight in printed)
    slack = len(parts) * 2.0**-52 * fsum(abs(part) for part in parts)  # for adding the printed ones in float64
    return min(exact - rounding, read - slack), max(exact + rounding, read + slack)


def _fixed(value: float, decimals: int) -> str:
    """A number with so many decimals, or rounded to tens, hundreds … if there are less than none; never `-0`."""
    text = f"{round(value, decimals):.{max(decimals, 0)}f}"
    return text if float(text) else text.removeprefix("-")


# ------------------------------------------------------------------------------------------------------------- writing


def _number(value: float) -> str:
    """As few digits as tell a float32 from all others, whole numbers without a point."""
    return str(np.float32(value) + np.float32(0)).removesuffix(".0")  # -0 + 0 is 0


def _at_most(value: float) -> str:
    """Two digits, rounded up."""
    return f"{Context(prec=2, rounding=ROUND_CEILING).create_decimal_from_float(value):g}"


def _pixel(term: Term) -> str:
    return _number(term.pixel) if term.inside else "(0)"


def _columns(terms: Sequence[Term]) -> str:
    if len(terms) == 1:
        return f"column {terms[0].column}"
    gap = terms[1].column - terms[0].column
    return f"columns {terms[0].column} to {terms[-1].column}" + (f" by {gap}" if gap > 1 else "")


def _product(term: Term, pixels: int, weights: int) -> str:
    sign = "−" if term.weight < 0 else "+"
    return f"{sign} {_pixel(term).rjust(pixels)} · {_number(abs(term.weight)).rjust(weights)}"


def _wrapped(name: str, words: Iterable[str]) -> list[str]:
    """The words behind the name, in lines that are not too long."""
    lines = [name]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _WIDTH and lines[-1].strip() != name.strip():
            lines.append(" " * len(name))
        lines[-1] += " " + word
    return lines


# ------------------------------------------------------------------------------------------------------------ refusing


def _check_shapes(x_1CHW: Any, w: Any, b: Any, spec: ConvSpec) -> None:
    if isinstance(x_1CHW, Tensor) and (x_1CHW.ndim != 4 or len(x_1CHW) != 1):
        raise OperationError(f"x has the shape {tuple(x_1CHW.shape)}: give one picture (C, H, W)")
    if isinstance(w, Tensor) and w.ndim == 4 and tuple(w.shape[2:]) != spec.kernel_size:
        raise OperationError(
            f"w has {times(w.shape[2:])} kernels but the spec is for {times(spec.kernel_size)}; "
            f"use ConvSpec.make({tuple(w.shape[2:])}, …)"
        )
    # Without a picture nothing is computed, but everything is checked.
    none = x_1CHW[:0] if isinstance(x_1CHW, Tensor) else x_1CHW
    conv2d(none, w, b, stride=spec.stride, padding=spec.padding, dilation=spec.dilation, groups=spec.groups)


def _check_place(k: Any, p: Any, q: Any, kernels: int, size: Sequence[int]) -> None:
    for name, value, count, what in (
        ("k", k, kernels, "kernels"),
        ("p", p, size[0], "rows that come out"),
        ("q", q, size[1], "columns that come out"),
    ):
        if type(value) is not int or not 0 <= value < count:
            raise OperationError(f"{name} = {value!r}: the {what} are counted from 0 to {count - 1}")


def _check_finite(terms: Iterable[Term], bias: float | None) -> None:
    for term in terms:
        if not isfinite(term.pixel):
            where = f"channel {term.channel}, row {term.row}, column {term.column}"
            raise OperationError(f"x is {term.pixel} at {where}; give finite numbers")
        if not isfinite(term.weight):
            raise OperationError(
                f"w is {term.weight} at row {term.r}, column {term.s} of the kernel; give finite numbers"
            )
    if bias is not None and not isfinite(bias):
        raise OperationError(f"the bias is {bias}; give a finite one")
