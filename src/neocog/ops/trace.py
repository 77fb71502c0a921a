"""One number that comes out of a convolution, product by product, and how far float32 can be trusted with their sum.

Adding float32 numbers in another order gives another sum, in the last digits. With u = 2⁻²⁴, m products and a bias, any
order lies within (m + 1)·u/(1 − (m + 1)·u) · (Σ|products| + |bias|) of the exact sum (Higham, Accuracy and Stability of
Numerical Algorithms, 2nd edition, section 3.1). So the sum is shown with a bound, and only to the digits that the bound
leaves. Whatever adds these products lies within it: torch on a processor, loops, shift, im2col, toeplitz, a calculator
given the numbers as they are printed. Outside of it are fft and winograd, which add other numbers, and the shortened
factors (TF32) that torch may use on a GPU.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import groupby
from math import ceil, floor, fsum, isfinite, log10
from operator import add
from textwrap import wrap
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neocog.errors import OperationError
from neocog.ops.arguments import shown, whole
from neocog.ops.checks import HALF, check_spec
from neocog.ops.convolution import conv2d
from neocog.ops.padding import padded
from neocog.ops.spec import ConvSpec
from neocog.ops.sums import HALF_STEP, shortest, sum_rounding

_LARGEST = float(np.finfo(np.float32).max)
_LONGEST = 15  # characters of a number that is written without an exponent
_LEAST_WIDTH, _INDENT = 20, "  "
_MOST_WRITTEN, _FEW = 100, 5  # of more products, only a few are written
_MOST_ADDED = 1000  # Python can't compile a sum of several thousand terms with + between them
_HALF_NAMES = tuple(str(kind).removeprefix("torch.") for kind in HALF)


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
    """One output number and all it is made of; `print` writes the arithmetic.

    Attributes:
        k, p, q: which number: of kernel k, at row p and column q of what comes out.
        terms: the products in float32, in order: channel, then the kernel's rows, then its columns.
        bias: what is added to their sum, or None.
        value: the float32 sum, added in that order, the bias last.
        rounding: the bound: |sum in any order, or of `expression()` − shown| is at most this; 0 where all are exact.
        decimals: how many decimals `shown` has; below 0, it is rounded to tens, hundreds …
        shown: the value, to the digits that the bound leaves; where it is exact, all of them.
        shown_products: the sum without the bias likewise, with a bound of its own.
        kind: the type of the picture's numbers, such as "float32".
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
    kind: str

    def expression(self) -> str:
        """The sum as a Python expression that anybody can copy; it gives `shown`, within `rounding`.

        >>> spec = ConvSpec.make(2)
        >>> x_CHW, w_KCRS = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
        >>> trace_window(x_CHW, w_KCRS, None, spec, 0, 1, 1).expression()
        '4*0 + 5*1 + 7*2 + 8*3'
        """
        return " + ".join(_summands(self.terms, self.bias))

    def text(self, width: int = 100, *, heading: str | None = None) -> str:
        """The arithmetic: pixel · weight, one line for each row of the kernel and channel, and what they add up to.

        A zero of the padding is written `(0)`. Of more than 100 products the five largest are written, and what the
        others sum to. Up to 100, the last lines are the same as a Python expression.

        Args:
            width: how many characters a line may have; of less than 20, 20.
            heading: what to call the number, such as "red"; else kernel, row and column.

        >>> x_CHW = torch.tensor([[[0.0, 79.0, 254.0]]])
        >>> spec, w_KCRS = ConvSpec.make((1, 3)), torch.tensor([[[[-1.0, 0.0, 1.0]]]])
        >>> print(trace_window(x_CHW, w_KCRS, None, spec, 0, 0, 0).text(heading="red"))
        red: pixel · weight, columns 0 to 2
        row 0:     0 · -1 +  79 · 0 + 254 · 1
        sum 254, exact
        as Python: 0*-1 + 79*0 + 254*1
        """
        width = max(width, _LEAST_WIDTH)
        called = f"kernel {self.k}, output row {self.p}, column {self.q}" if heading is None else heading
        single = heading is not None and self.terms[0].channel == self.terms[-1].channel
        long = len(self.terms) > _MOST_WRITTEN
        about, body = (_largest if long else _all)(self.terms, single, width)
        padding = "" if all(term.inside for term in self.terms) else "; (0) is padding"
        head = f"{called}: {about}{padding}" if called else f"{about}{padding}"
        lines = [*wrap(head, width, subsequent_indent=_INDENT, break_on_hyphens=False), *body]
        sums = [("sum", _sum(self.terms, self.bias).text)]
        if self.bias is not None:
            sums = [("products", _sum(self.terms).text), ("bias", shortest(self.bias)), *sums]
        if self.kind in _HALF_NAMES:
            sums.append((f"in {self.kind}", shortest(torch.tensor(self.value, dtype=getattr(torch, self.kind)).item())))
        room = max(len(name) for name, _ in sums)
        for name, number in sums:
            lines += _lines(name.ljust(room), [number], width)
        return "\n".join(lines if long else [*lines, *_as_python(_summands(self.terms, self.bias), width)])

    @property
    def total(self) -> str:
        """The value with its bound, `57.73 ± 0.25`, or `1013, exact`."""
        return _sum(self.terms, self.bias).text

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Trace(value={self.value!r}, shown={self.shown!r}, {len(self.terms)} terms)"


def trace_window(x: Tensor, w: Tensor, b: Tensor | None, spec: ConvSpec, k: int, p: int, q: int) -> Trace:
    """Output number (k, p, q) of conv2d in float32, taken apart: b[k] + Σ_c Σ_r Σ_s pixel · weight.

    A half type (float16, bfloat16) rounds the result once more; float64 numbers are rounded to float32 first.

    Args:
        x: one picture (C, H, W) or (1, C, H, W), of any float type.
        w: kernels (K, C/groups, R, S), of the same type.
        b: one number for each kernel (K), or None.
        spec: how the kernels walk; `ConvSpec.make(...)`.
        k: which kernel.
        p, q: which row and column of what comes out.

    Raises:
        OperationError: shapes or types that don't fit, a number that doesn't exist, or one that isn't finite or is too
            large for float32.

    >>> x_CHW, w_KCRS = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> trace = trace_window(x_CHW, w_KCRS, None, ConvSpec.make(2), 0, 1, 1)
    >>> trace.shown, [term.product for term in trace.terms]
    ('43', [0.0, 5.0, 14.0, 24.0])
    """
    x_1CHW = x[None] if isinstance(x, Tensor) and x.ndim == 3 else x
    _check_shapes(x_1CHW, w, b, spec)
    height, width = x_1CHW.shape[2:]
    rows, columns = spec.output_size((height, width))
    k, p = _place("k", k, len(w), "kernels"), _place("p", p, rows, "rows that come out")
    q = _place("q", q, columns, "columns that come out")
    first = k // (len(w) // spec.groups) * w.shape[1]
    top, left = p * spec.stride[0], q * spec.stride[1]
    window_DHW = padded(x_1CHW.detach()[:, first : first + w.shape[1]], spec)[
        0, :, top : top + spec.extent[0], left : left + spec.extent[1]
    ]
    pixels_DRS = _numbers(window_DHW[:, :: spec.dilation[0], :: spec.dilation[1]])
    weights_DRS = _numbers(w.detach()[k])

    above, beside = top - spec.padding[0], left - spec.padding[2]
    terms = []
    for (d, r, s), given in np.ndenumerate(pixels_DRS):
        row, column = above + r * spec.dilation[0], beside + s * spec.dilation[1]
        inside = 0 <= row < height and 0 <= column < width
        pixel = _float32("x", given, f" at channel {first + d}, row {row}, column {column}")
        weight = _float32("w", weights_DRS[d, r, s], f" at row {r}, column {s} of the kernel")
        with np.errstate(over="ignore", under="ignore"):
            product = pixel * weight
        terms.append(Term(first + d, row, column, r, s, float(pixel), float(weight), float(product), inside))
    bias = None if b is None else float(_float32("the bias", _numbers(b.detach()[k]).item(), ""))
    parts = _exact_parts(terms, bias)
    if fsum(abs(part) for part in parts) + sum_rounding(parts) > _LARGEST:  # some order of adding would overflow
        raise OperationError("the sum is too large for float32; give smaller numbers")
    total = _sum(terms, bias)
    kind = str(x.dtype).removeprefix("torch.")
    return Trace(
        k,
        p,
        q,
        tuple(terms),
        bias,
        total.value,
        total.rounding,
        total.decimals,
        total.shown,
        _sum(terms).shown,
        kind,
    )


# ---------------------------------------------------------------------------------------------------- digits to trust


@dataclass(frozen=True)
class _Sum:
    value: float
    shown: str
    bound: str
    decimals: int

    @property
    def rounding(self) -> float:
        return float(self.bound)

    @property
    def text(self) -> str:
        return f"{self.shown} ± {self.bound}" if self.rounding else f"{self.shown}, exact"


def _sum(terms: Sequence[Term], bias: float | None = None) -> _Sum:
    """The float32 sum in this order, as a whole number of such decimal steps that the bound is 3 to 30 of them."""
    products = [term.product for term in terms] + ([] if bias is None else [bias])
    # accumulate adds one after the other; sum() would choose its own order.
    value = float(np.add.accumulate(np.array(products, dtype=np.float32))[-1]) + 0.0  # -0 + 0 is 0
    parts = _exact_parts(terms, bias)
    exact, error = fsum(parts), sum_rounding(parts)
    ends = [Fraction(end) for end in (exact - error, exact + error, _read(terms, bias))]
    reach = float(max(abs(end - Fraction(value)) for end in ends))
    digits = f"{Decimal(value):f}"
    if not reach and len(digits) <= _LONGEST:
        return _Sum(value, digits, "0", len(digits.partition(".")[2]))
    decimals = floor(log10(30 / (reach or abs(value) * HALF_STEP)))
    steps = Fraction(10) ** decimals
    count = round(Fraction(value) * steps)
    bound = ceil(max(abs(end * steps - count) for end in ends))
    middle, margin = Decimal(count).scaleb(-decimals), Decimal(bound).scaleb(-decimals)
    style = "f" if len(f"{middle:f}") <= _LONGEST else "e"
    return _Sum(value, f"{middle:{style}}", f"{margin:{style}}", decimals)


def _exact_parts(terms: Sequence[Term], bias: float | None) -> list[float]:
    """The products without rounding, and the bias: a product of two float32 numbers has 48 bits, float64 holds 53."""
    return [term.pixel * term.weight for term in terms] + ([] if bias is None else [bias])


def _read(terms: Sequence[Term], bias: float | None) -> float:
    """What Python makes of the expression; its numbers are shortened to those that tell one float32 from all others."""
    products = [float(shortest(term.pixel)) * float(shortest(term.weight)) for term in terms]
    total = sum(products) if len(products) > _MOST_ADDED else reduce(add, products)
    return total if bias is None else total + float(shortest(bias))


# ------------------------------------------------------------------------------------------------------------- writing


def _summands(terms: Sequence[Term], bias: float | None) -> list[str]:
    products = [f"{shortest(term.pixel)}*{shortest(term.weight)}" for term in terms]
    if len(products) > _MOST_ADDED:
        products = [f"sum([{', '.join(products)}])"]
    return products if bias is None else [*products, shortest(bias)]


def _as_python(summands: Sequence[str], width: int) -> list[str]:
    """The expression behind its name; over several lines it needs parentheses to be one for Python."""
    words = [summands[0], *(f"+ {summand}" for summand in summands[1:])]
    lines = _lines("as Python:", words, width)
    if len(lines) > 1:
        words[0] = f"({words[0]}"
        words[-1] += ")"
        lines = _lines("as Python:", words, width)
    return lines


def _pixel(term: Term) -> str:
    return shortest(term.pixel) if term.inside else "(0)"


def _all(terms: Sequence[Term], single: bool, width: int) -> tuple[str, list[str]]:
    """What the lines hold, and a line for each row; the weights of one column of the kernel stand in one column."""
    pixels, weights = max(len(_pixel(term)) for term in terms), [0] * (terms[-1].s + 1)
    for term in terms:
        weights[term.s] = max(weights[term.s], len(shortest(term.weight)))
    rows = [[*row] for _, row in groupby(terms, key=lambda term: (term.channel, term.r))]
    names = [f"{'' if single else f'channel {row[0].channel}, '}row {row[0].row}:" for row in rows]
    room, lines = max(len(name) for name in names), []
    for name, row in zip(names, rows, strict=True):
        products = [_product(term, term is terms[0], pixels, weights[term.s]) for term in row]
        lines += _lines(name.ljust(room), products, width)
    return f"pixel · weight, {_columns(rows[0])}", lines


def _largest(terms: Sequence[Term], single: bool, width: int) -> tuple[str, list[str]]:
    """What the lines hold, and a line for each of the largest products, and one for what the others come to."""
    order = sorted(range(len(terms)), key=lambda index: -abs(terms[index].product))
    few = [terms[index] for index in order[:_FEW]]
    others = [terms[index] for index in sorted(order[_FEW:])]
    names = [f"{'' if single else f'channel {term.channel}, '}row {term.row}, column {term.column}:" for term in few]
    room, pixels, weights = (
        max(len(text) for text in texts)
        for texts in (names, [_pixel(term) for term in few], [shortest(term.weight) for term in few])
    )
    lines = []
    for name, term in zip(names, few, strict=True):
        lines += _lines(name.ljust(room), [_product(term, term is few[0], pixels, weights)], width)
    lines += _lines(f"{len(others)} other products:".ljust(room), ["+ " + _sum(others).text], width)
    return f"pixel · weight, the {_FEW} largest of {len(terms)} products", lines


def _product(term: Term, first: bool, pixels: int, weights: int) -> str:
    return f"{' ' if first else '+'} {_pixel(term).rjust(pixels)} · {shortest(term.weight).rjust(weights)}"


def _columns(terms: Sequence[Term]) -> str:
    if len(terms) == 1:
        return f"column {terms[0].column}"
    gap = terms[1].column - terms[0].column
    return f"columns {terms[0].column} to {terms[-1].column}" + (f" by {gap}" if gap > 1 else "")


def _lines(name: str, words: Sequence[str], width: int) -> list[str]:
    """The words behind the name, or below it where they don't fit beside it, in lines of at most that width."""
    lines, indent = [name], " " * len(name)
    longest = max(len(word) for word in words)
    if len(name) + 1 + longest > width:
        lines, indent = [*wrap(name, width, subsequent_indent=_INDENT), _INDENT[:-1]], _INDENT[:-1]
    if len(indent) + 1 + longest > width:
        words = [part for word in words for part in re.split(r" +|(?=\*)", word) if part]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > width:
            lines.append(indent)
        lines[-1] += " " + word
    return lines


# ------------------------------------------------------------------------------------------------------------ refusing


def _numbers(tensor: Tensor) -> Any:
    """As numpy's float64, in which no float type loses anything."""
    return tensor.cpu().resolve_neg().double().numpy()


def _float32(what: str, given: float, where: str) -> Any:
    with np.errstate(over="ignore", under="ignore"):
        number = np.float32(given)
    if not isfinite(given):
        raise OperationError(f"{what} is {given}{where}; give {'finite numbers' if where else 'a finite one'}")
    if not isfinite(number):
        raise OperationError(f"{what} is {given:g}{where}, too large for float32; give smaller numbers")
    return number


def _check_shapes(x_1CHW: Any, w: Any, b: Any, spec: Any) -> None:
    if isinstance(x_1CHW, Tensor) and (x_1CHW.ndim != 4 or len(x_1CHW) != 1):
        raise OperationError(f"x has the shape {tuple(x_1CHW.shape)}: give one picture (C, H, W)")
    check_spec(spec, w)
    # Without a picture nothing is computed, but everything is checked.
    none = x_1CHW[:0] if isinstance(x_1CHW, Tensor) else x_1CHW
    conv2d(none, w, b, stride=spec.stride, padding=spec.padding, dilation=spec.dilation, groups=spec.groups)


def _place(name: str, value: Any, count: int, what: str) -> int:
    if not whole(value, 0) or value >= count:
        raise OperationError(f"{name} = {shown(value)}: the {what} are counted from 0 to {count - 1}")
    return int(value)
