"""Layers that make a number of many: each takes a module, what it gets and a place in what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, fsum, log2, prod, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neocog.errors import ExplanationError
from neocog.explanations.arithmetic import (
    FUNCTION,
    Arithmetic,
    Place,
    Term,
    affine,
    affine_rounding,
    count_text,
    exact,
    half_step,
    listed,
    numbers,
    place_text,
    scalar,
    shown,
    signed,
    sum_bound,
)
from neocog.geometry import same_padding
from neocog.ops.methods import algorithm
from neocog.ops.module import Conv2d
from neocog.ops.sums import LEAST_NORMAL

_OWN = "this one"
_MOST_EXPONENT = 104.0  # e⁻¹⁰⁴ is less than the least float32
_PAD_MODES: Mapping[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _weighted(terms: list[Term], bias: float | None, rounding: float) -> Arithmetic:
    """Σ input · weight + bias."""
    pairs = [f"{exact(term.input)}*{exact(term.weight or 0)}" for term in terms]
    value = fsum([*(term.product for term in terms), bias or 0.0])
    added = "" if bias is None else f" + {signed(bias)}"
    total = f"fsum(products){'' if bias is None else ' + bias'}"
    code = (*listed("products", pairs), *([] if bias is None else [f"bias = {exact(bias)}"]), f"value = {total}")
    formula = f"Σ input · weight over {count_text(len(terms), 'product')}{added} = {shown(value)}"
    return Arithmetic(formula, code, value, rounding, terms=tuple(terms), bias=bias)


def _window(module: Any, pads: Sequence[tuple[int, int]], x: Tensor, place: Place) -> tuple[list[int], list[int]]:
    """The rows and the columns that a window reads; in a padding of zeros, those before the first or past the last."""
    found = []
    mode = getattr(module, "padding_mode", "zeros")
    for axis in (0, 1):
        size, kernel, stride = x.shape[2 + axis], _two(module.kernel_size)[axis], _two(module.stride)[axis]
        dilation, (before, after) = _two(getattr(module, "dilation", 1))[axis], pads[axis]
        places = [place[1 + axis] * stride - before + step * dilation for step in range(kernel)]
        if mode in _PAD_MODES:
            line = np.pad(np.arange(size), (before, after), mode=_PAD_MODES[mode])
            places = [int(line[each + before]) for each in places]
        found.append(places)
    return found[0], found[1]


def convolution(module: nn.Conv2d, x: Tensor, place: Place) -> Arithmetic:
    """Σ over channels c, rows r and columns s of the window: x · w, and the bias."""
    if isinstance(module.padding, str):
        same = module.padding == "same"
        both = [
            same_padding(*pair) if same else (0, 0) for pair in zip(module.kernel_size, module.dilation, strict=True)
        ]
    else:
        both = [(int(each), int(each)) for each in module.padding]
    rows, columns = _window(module, both, x, place)
    weights_CRS = numbers(module.weight[place[0]])
    first = place[0] // (module.out_channels // module.groups) * len(weights_CRS)
    x_CHW = numbers(x[0, first : first + len(weights_CRS)])
    terms = []
    for (c, r, s), weight in np.ndenumerate(weights_CRS):
        row, column = rows[r], columns[s]
        inside = 0 <= row < x_CHW.shape[1] and 0 <= column < x_CHW.shape[2]
        given = float(x_CHW[c, row, column]) if inside else 0.0
        terms.append(Term((first + c, row, column), given, float(weight), given * float(weight), inside))
    bias = None if module.bias is None else scalar(module.bias, place[0])
    return _weighted(terms, bias, _convolution_rounding(module, x, terms, bias, both))


def _convolution_rounding(
    module: nn.Conv2d, x: Tensor, terms: list[Term], bias: float | None, pads: list[tuple[int, int]]
) -> float:
    """The bound of a sum, or the one that the fast algorithms of `neocog.ops` have."""
    plain = sum_bound([*(term.product for term in terms), *([] if bias is None else [bias])], x.dtype)
    found = algorithm(module.method) if isinstance(module, Conv2d) else None
    if found is None or found.errors_follow == "terms":
        return plain
    k_CRS, unit, count = numbers(module.weight), half_step(x.dtype), len(terms)
    if found.errors_follow == "norms":
        maps = k_CRS.shape[1]
        size = 4 * prod(length + sum(pad) for length, pad in zip(x.shape[2:], pads, strict=True))
        norms = float(np.linalg.norm(numbers(x), axis=(2, 3)).max() * np.linalg.norm(k_CRS, axis=(2, 3)).max())
        error = (found.error_factor * log2(size) + 3 + 2 * maps) * unit * maps * norms
    else:
        steps = (count + 4 * 6 + 16) * unit  # tiles of at most 6 × 6
        error = found.error_factor * steps / (1 - steps) * count * float(np.abs(numbers(x)).max() * np.abs(k_CRS).max())
    rest: float = error + (count + 1) * unit * (error + abs(bias or 0.0) + fsum(abs(term.product) for term in terms))
    return rest


def linear(module: nn.Linear, x: Tensor, place: Place) -> Arithmetic:
    """Σ over the numbers of a vector: x · w, and the bias."""
    given, weights = numbers(x[(0, *place[:-1])]).tolist(), numbers(module.weight[place[-1]]).tolist()
    terms = [
        Term((*place[:-1], index), value, weight, value * weight)
        for index, (value, weight) in enumerate(zip(given, weights, strict=True))
    ]
    bias = None if module.bias is None else scalar(module.bias, place[-1])
    parts = [*(term.product for term in terms), *([] if bias is None else [bias])]
    return _weighted(terms, bias, sum_bound(parts, x.dtype))


def _taken(x: Tensor, channel: int, rows: list[int], columns: list[int], outside: float) -> list[Term]:
    """The numbers of a window without weights; beyond the map there stands `outside`."""
    height, width = x.shape[2:]
    x_HW, terms = numbers(x[0, channel]), []
    for row in rows:
        for column in columns:
            inside = 0 <= row < height and 0 <= column < width
            given = float(x_HW[row, column]) if inside else outside
            terms.append(Term((channel, row, column), given, None, given, inside))
    return terms


def largest(terms: Sequence[Term], ours: float | None = None) -> Arithmetic:
    """max(window); where the number that wins was traced already, `ours` stands in its place, as `value` in Python.

    No maximum moves further than one of its numbers does, so the slope is 1.
    """
    inside = [term for term in terms if term.inside]
    top = max(term.input for term in inside)
    winner = next(term for term in inside if term.input == top)
    marked = [replace(term, mark="the largest") if term.inside and term.input == top else term for term in terms]
    written = [exact(term.input) for term in inside]
    value = top
    if ours is not None:
        place = terms.index(winner)
        marked[place] = replace(marked[place], input=ours, product=ours)
        written[inside.index(winner)] = "value"
        value = max(term.input for term in marked if term.inside)
    code = (*listed("window", written), "value = max(window)")
    formula = f"the largest of {count_text(len(inside), 'value')}, at {place_text(winner.place)} = {shown(value)}"
    return Arithmetic(formula, code, value, 0.0, 0.0 if ours is None else 1.0, tuple(marked))


def max_pool(module: nn.MaxPool2d, x: Tensor, place: Place) -> Arithmetic:
    """max over the window; the padding never wins."""
    pads = [(pad, pad) for pad in _two(module.padding)]
    return largest(_taken(x, place[0], *_window(module, pads, x, place), -np.inf))


def _mean(terms: list[Term], divisor: float, dtype: torch.dtype) -> Arithmetic:
    parts = [term.input for term in terms]
    value = fsum(parts) / divisor
    unit = half_step(dtype)
    rounding = sum_bound(parts, dtype) / abs(divisor) + 4 * unit * abs(value) + (LEAST_NORMAL if value else 0.0)
    given = [exact(term.input) for term in terms if term.inside]
    code = (*listed("window", given), f"value = fsum(window) / {exact(divisor)}")
    formula = f"Σ of {count_text(len(terms), 'value')} / {exact(divisor)} = {shown(value)}"
    return Arithmetic(formula, code, value, rounding, terms=tuple(terms))


def average_pool(module: nn.AvgPool2d, x: Tensor, place: Place) -> Arithmetic:
    """Σ over the window / divisor, which is torch's: the padding counts, but not what `ceil_mode` reads beyond it."""
    ranges, counted = [], 1
    for axis in (0, 1):
        size, pad, kernel = x.shape[2 + axis], _two(module.padding)[axis], _two(module.kernel_size)[axis]
        start = place[1 + axis] * _two(module.stride)[axis] - pad
        end = min(start + kernel, size + pad)
        if not module.count_include_pad:
            start, end = max(start, 0), min(end, size)
        counted *= end - start
        ranges.append([*range(start, end)])
    terms = _taken(x, place[0], ranges[0], ranges[1], 0.0)
    return _mean(terms, float(module.divisor_override or counted), x.dtype)


def _cell(module: Any, x: Tensor, place: Place) -> tuple[list[int], list[int]]:
    """The rows and columns that an adaptive pooling takes for one number: ⌊i·H/P⌋ to ⌈(i + 1)·H/P⌉."""
    found = []
    for axis in (0, 1):
        size = x.shape[2 + axis]
        count = (module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * 2)[axis]
        index, out = place[1 + axis], size if count is None else count
        found.append([*range(index * size // out, -(-(index + 1) * size // out))])
    return found[0], found[1]


def adaptive_max(module: nn.AdaptiveMaxPool2d, x: Tensor, place: Place) -> Arithmetic:
    """max over the cell."""
    return largest(_taken(x, place[0], *_cell(module, x, place), -np.inf))


def adaptive_average(module: nn.AdaptiveAvgPool2d, x: Tensor, place: Place) -> Arithmetic:
    """Σ over the cell / the number of its values."""
    terms = _taken(x, place[0], *_cell(module, x, place), 0.0)
    return _mean(terms, float(len(terms)), x.dtype)


def softmax(module: nn.Softmax, x: Tensor, place: Place) -> Arithmetic:
    """e^(x − max) / Σ e^(each − max), over the dimension that the module names."""
    implied = 0 if x.ndim in (0, 1, 3) else 1  # what torch takes where no dimension is named
    dimension = (implied if module.dim is None else module.dim) % x.ndim
    if not dimension:
        raise ExplanationError("softmax over the pictures of a batch mixes pictures; give it dim=1")
    line = (0, *(slice(None) if axis == dimension - 1 else index for axis, index in enumerate(place)))
    given: list[float] = numbers(x[line]).tolist()
    top, own = max(given), place[dimension - 1]
    powers = [exp(value - top) for value in given]
    total, value = fsum(powers), powers[own] / fsum(powers)
    places = [(*place[: dimension - 1], index, *place[dimension:]) for index in range(len(given))]
    terms = tuple(
        Term(where, number, None, power, mark=_OWN if where == place else "")
        for where, number, power in zip(places, given, powers, strict=True)
    )
    spread = min(top - min(given), _MOST_EXPONENT)
    steps = (len(given) + 2 * FUNCTION + 2 * spread + 4) * half_step(x.dtype)
    code = (
        *listed("values", [exact(number) for number in given]),
        "powers = [exp(each - max(values)) for each in values]",
        f"value = powers[{own}] / fsum(powers)",
    )
    formula = (
        f"e^({shown(given[own])} − {shown(top)}) / Σ e^(value − {shown(top)}) = "
        f"{shown(powers[own])} / {shown(total)} = {shown(value)}"
    )
    return Arithmetic(formula, code, value, steps / (1 - steps) * value + LEAST_NORMAL, terms=terms)


def group_normalisation(module: nn.GroupNorm, x: Tensor, place: Place) -> Arithmetic:
    """(x − mean) / √(variance + eps) · weight + bias, mean and variance (over n) those of the group."""
    size = module.num_channels // module.num_groups
    first = place[0] // size * size
    group = numbers(x[0, first : first + size])
    flat: list[float] = group.ravel().tolist()
    count = len(flat)
    mean = fsum(flat) / count
    variance = fsum((each - mean) ** 2 for each in flat) / count
    weight = scalar(module.weight, place[0], 1.0)
    bias = scalar(module.bias, place[0])
    given, factor = float(x[(0, *place)]), weight / sqrt(variance + module.eps)
    value = (given - mean) * factor + bias
    unit = half_step(x.dtype)
    off_mean = (count + 2) * unit * fsum(abs(each) for each in flat) / count
    off_variance = 2 * (count + 4) * unit * sqrt(variance * (variance + mean**2)) + 2 * (count * unit) ** 2 * (
        variance + mean**2
    )
    low, high = (
        1 / sqrt(max(variance + sign * off_variance, 0.0) + module.eps) - 1 / sqrt(variance + module.eps)
        for sign in (1, -1)
    )
    rounding = (
        abs(factor) * off_mean
        + abs((abs(given - mean) + off_mean) * weight) * max(abs(low), high)
        + affine_rounding(given, mean, factor, bias, unit)
    )
    index = next(
        number for number, each in enumerate(np.ndindex(group.shape)) if each == (place[0] - first, *place[1:])
    )
    code = (
        *listed("values", [exact(each) for each in flat]),
        "mean = fsum(values) / len(values)",
        "variance = fsum((each - mean) ** 2 for each in values) / len(values)",
        f"value = (values[{index}] - mean) / sqrt(variance + {exact(module.eps)}) * {exact(weight)} + {exact(bias)}",
    )
    channels = f"channel {first}" if size == 1 else f"channels {first} to {first + size - 1}"
    formula = (
        f"of the {count_text(count, 'value')} of {channels}, the mean is {shown(mean)} and "
        f"the variance {shown(variance)}: "
        f"{affine(given, mean, variance, module.eps, weight, bias)} = {shown(value)}"
    )
    places = [(first + each[0], *each[1:]) for each in np.ndindex(group.shape)]
    terms = tuple(
        Term(where, each, None, each, mark=_OWN if where == place else "")
        for where, each in zip(places, flat, strict=True)
    )
    return Arithmetic(formula, code, value, rounding, terms=terms)


def joined(body: float, shortcut: float, place: Place, dtype: torch.dtype) -> Arithmetic:
    """What a residual block adds."""
    pairs = (("the body", body), ("the shortcut", shortcut))
    terms = [Term(place, value, None, value, mark=name) for name, value in pairs]
    value = fsum(term.input for term in terms)
    code = (f"value = {' + '.join(exact(term.input) for term in terms)}",)
    formula = f"{' + '.join(signed(term.input) for term in terms)} = {shown(value)}"
    return Arithmetic(formula, code, value, sum_bound([term.input for term in terms], dtype), terms=tuple(terms))


def _two(given: Any) -> tuple[int, int]:
    return (int(given[0]), int(given[1])) if isinstance(given, tuple | list) else (int(given), int(given))
