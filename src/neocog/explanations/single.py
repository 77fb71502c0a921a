"""Layers that make one number of one: each takes a module, a place, our number, the network's, and u."""

from __future__ import annotations

from math import erf, exp, expm1, pi, sqrt, tanh
from typing import Any

from torch import nn

from neocog.errors import ExplanationError
from neocog.explanations.arithmetic import (
    FUNCTION,
    Arithmetic,
    Place,
    affine,
    affine_rounding,
    exact,
    scalar,
    shown,
    signed,
)
from neocog.ops.sums import HALF_STEP, LEAST_NORMAL

_ERF = 2.0**-20


def batch_normalisation(module: Any, place: Place, value: float, given: float, unit: float) -> Arithmetic:
    """(x − mean) / √(variance + eps) · weight + bias, mean and variance as kept in training."""
    if module.running_mean is None:
        raise ExplanationError(
            "it has no running statistics (track_running_stats=False) and takes those of each batch, so a number "
            "depends on the other pictures; train it with track_running_stats=True"
        )
    channel = place[0]
    mean, variance = scalar(module.running_mean, channel), scalar(module.running_var, channel)
    weight = scalar(module.weight, channel, 1.0)
    bias = scalar(module.bias, channel)
    factor = weight / sqrt(variance + module.eps)
    result = (value - mean) / sqrt(variance + module.eps) * weight + bias
    code = (
        f"value = (value - {signed(mean, exact)}) / sqrt({exact(variance)} + {exact(module.eps)})"
        f" * {exact(weight)} + {exact(bias)}",
    )
    formula = f"{affine(value, mean, variance, module.eps, weight, bias)} = {shown(result)}"
    return Arithmetic(formula, code, result, affine_rounding(given, mean, factor, bias, unit), abs(factor))


def relu(_: nn.Module, __: Place, value: float, ___: float, ____: float) -> Arithmetic:
    """max(0, x)."""
    result = max(value, 0.0)
    return Arithmetic(f"max(0, {shown(value)}) = {shown(result)}", ("value = max(0.0, value)",), result, 0.0, 1.0)


def leaky_relu(module: nn.LeakyReLU, _: Place, value: float, given: float, unit: float) -> Arithmetic:
    """x above 0, slope · x below."""
    slope = module.negative_slope
    result = value if value > 0 else slope * value
    code = (f"value = value if value > 0 else {exact(slope)} * value",)
    formula = f"{shown(value)} is above 0 and stays" if value > 0 else f"{slope:g} · {signed(value)} = {shown(result)}"
    rounding = 0.0 if given > 0 else 2 * unit * abs(slope * given) + LEAST_NORMAL
    return Arithmetic(formula, code, result, rounding, max(1.0, abs(slope)))


def elu(module: nn.ELU, _: Place, value: float, given: float, unit: float) -> Arithmetic:
    """x above 0, α · (eˣ − 1) below."""
    alpha = module.alpha
    result = value if value > 0 else alpha * expm1(value)
    code = (f"value = value if value > 0 else {exact(alpha)} * expm1(value)",)
    times = "" if alpha == 1 else f"{alpha:g} · "
    formula = (
        f"{shown(value)} is above 0 and stays" if value > 0 else f"{times}(e^({shown(value)}) − 1) = {shown(result)}"
    )
    rounding = 0.0 if given > 0 else (FUNCTION + 4) * unit * abs(alpha) + LEAST_NORMAL
    return Arithmetic(formula, code, result, rounding, max(1.0, abs(alpha)))


def _logistic(value: float) -> float:
    return 1 / (1 + exp(-max(value, -700.0)))  # e⁷⁰⁰ is a float64, e⁷¹⁰ isn't


def sigmoid(_: nn.Module, __: Place, value: float, given: float, unit: float) -> Arithmetic:
    """1 / (1 + e⁻ˣ)."""
    result = _logistic(value)
    code = ("value = 1 / (1 + exp(-max(value, -700.0)))",)
    rounding = (FUNCTION + 4) * unit * _logistic(given) + LEAST_NORMAL
    return Arithmetic(f"1 / (1 + e^(−({shown(value)}))) = {shown(result)}", code, result, rounding, 0.25)


def hyperbolic_tangent(_: nn.Module, __: Place, value: float, given: float, unit: float) -> Arithmetic:
    """tanh x."""
    result = tanh(value)
    rounding = FUNCTION * unit * abs(tanh(given)) + LEAST_NORMAL
    return Arithmetic(f"tanh({shown(value)}) = {shown(result)}", ("value = tanh(value)",), result, rounding, 1.0)


def silu(_: nn.Module, __: Place, value: float, given: float, unit: float) -> Arithmetic:
    """x / (1 + e⁻ˣ)."""
    result = value / (1 + exp(-max(value, -700.0)))
    code = ("value = value / (1 + exp(-max(value, -700.0)))",)
    rounding = (FUNCTION + 6) * unit * abs(given * _logistic(given)) + 16 * (1 + abs(given)) * LEAST_NORMAL
    formula = f"{shown(value)} / (1 + e^(−({shown(value)}))) = {shown(result)}"
    return Arithmetic(formula, code, result, rounding, 1.1)


def gelu(module: nn.GELU, _: Place, value: float, given: float, unit: float) -> Arithmetic:
    """x · Φ(x) with the normal distribution Φ, or its approximation by tanh."""
    if module.approximate == "tanh":
        result = value / 2 * (1 + tanh(sqrt(2 / pi) * (value + 0.044715 * value**3)))
        code = (f"value = value / 2 * (1 + tanh({sqrt(2 / pi)!r} * (value + 0.044715 * value**3)))",)
        formula = f"{shown(value)} / 2 · (1 + tanh(√(2/π) · ({shown(value)} + 0.044715 · ({shown(value)})³)))"
    else:
        result = value / 2 * (1 + erf(value / sqrt(2)))
        code = ("value = value / 2 * (1 + erf(value / sqrt(2)))",)
        formula = f"{shown(value)} / 2 · (1 + erf({shown(value)} / √2))"
    inexact = _ERF * unit / HALF_STEP
    rounding = abs(given) / 2 * inexact + 4 * unit * abs(given) + LEAST_NORMAL
    return Arithmetic(f"{formula} = {shown(result)}", code, result, rounding, 1.13)
