"""What a step of a trace is made of, and how its numbers are written: for people in float32, for Python in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neocog.ops.sums import HALF_STEP, LEAST_NORMAL, shortest, sum_rounding

Place = tuple[int, ...]
_LARGEST = float(np.finfo(np.float32).max)
FUNCTION = 8  # half steps: how far exp and tanh may be from the true function


@dataclass(frozen=True)
class Term:
    """One of the numbers that a layer mixes: where it stands in what the layer gets, and what it adds.

    In the padding, `inside` is False and row or column may lie outside the map. `product` is input · weight; where a
    layer has no weights, the input, or for softmax e to the input less the largest.
    """

    place: Place
    input: float
    weight: float | None
    product: float
    inside: bool = True
    mark: str = ""  # "the largest", "this one", "the body" …


@dataclass(frozen=True)
class Arithmetic:
    """One step, worked out: the result in float64 and how far the network's may be from it.

    `slope` is how much an error in the one number that came before grows at most; 0 where there was none.
    """

    formula: str
    code: tuple[str, ...]
    value: float
    rounding: float
    slope: float = 0.0
    terms: tuple[Term, ...] = ()
    bias: float | None = None


@dataclass(frozen=True)
class Step:
    """What one layer does to the number. `value`, `network_value` and `rounding` are what they are in `NeuronTrace`.

    Attributes:
        layer: which layer, such as "layer 5 'conv 32 3 same'"; "the picture" where nothing came before.
        place: where the number stands in what the layer gives.
        source: where the numbers that it mixes come from; empty for a layer that makes one number of one.
        formula: the arithmetic with the numbers filled in, rounded to float32.
        code: the same as lines of Python, with all digits; they leave the result in `value`.
        terms: the numbers that it mixes, and what each adds; none for a layer that makes one number of one.
        bias: what is added to the products, or None.
    """

    layer: str
    place: Place
    source: str
    formula: str
    code: tuple[str, ...]
    value: float
    network_value: float
    rounding: float
    terms: tuple[Term, ...] = ()
    bias: float | None = None


def half_step(dtype: torch.dtype) -> float:
    """The largest relative error of one operation: 2⁻²⁴ in float32. In float64 ours counts as well, so twice 2⁻⁵³."""
    return HALF_STEP if dtype == torch.float32 else float(torch.finfo(dtype).eps)


def exact(value: float) -> str:
    """A number as Python reads it back to the last bit, whole numbers as they are written by hand."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else repr(value)


def numbers(tensor: Tensor) -> NDArray[np.float64]:
    """As float64, in which neither float32 nor float64 loses anything."""
    array: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return array


def scalar(parameter: Tensor | None, index: int, otherwise: float = 0.0) -> float:
    """One number of a parameter, or what stands for a parameter that isn't there."""
    return otherwise if parameter is None else float(parameter.detach()[index])


def sum_bound(parts: list[float], dtype: torch.dtype) -> float:
    """The bound of a sum in any order, its parts not rounded."""
    if dtype == torch.float32:
        return sum_rounding(parts)
    error = (len(parts) + 2) * half_step(dtype)
    return error / (1 - error) * fsum(abs(part) for part in parts)


def affine(given: float, mean: float, variance: float, eps: float, weight: float, bias: float) -> str:
    """What a normalisation does to a number, filled in."""
    return f"({shown(given)} − {signed(mean)}) / √({shown(variance)} + {eps:g}) · {signed(weight)} + {signed(bias)}"


def affine_rounding(given: float, mean: float, factor: float, bias: float, unit: float) -> float:
    """Of at most eight operations, whether the factor is multiplied out or not."""
    return 8 * unit * (abs(given * factor) + abs(mean * factor) + abs(bias)) + 8 * LEAST_NORMAL


# -------------------------------------------------------------------------------------------------------------- writing


def listed(name: str, items: list[str]) -> tuple[str, ...]:
    """A Python list over lines of at most 100 characters."""
    lines, line = [f"{name} = ["], "   "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            lines, line = [*lines, line], "   "
        line += f" {item},"
    return (*lines, line, "]")


def shown(value: float) -> str:
    """A number as short as float32 allows; one of float64 that is beyond float32, with six digits."""
    if not np.isfinite(value):
        return "−∞" if value < 0 else "∞"
    text = shortest(value) if abs(value) <= _LARGEST else f"{value:.6g}"
    return text.replace("-", "−")


def signed(value: float, write: Callable[[float], str] = shown) -> str:
    """In brackets where it is negative."""
    text = write(value)
    return f"({text})" if text[0] in "-−" else text


def place_text(place: Place) -> str:
    """Where a number stands: `channel 3, row 0, column 7` of a map, `number 12` of a vector."""
    if len(place) == 1:
        return f"number {place[0]}"
    if len(place) == 3:
        return f"channel {place[0]}, row {place[1]}, column {place[2]}"
    return f"place {', '.join(map(str, place))}"


def count_text(count: int, what: str) -> str:
    """`1 value`, `1,024 values`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
