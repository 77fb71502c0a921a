"""Whether a map of what speaks for a class can be believed: five questions to it, each with a number and a bound.

completeness   do the shares add up to what is shared out?
deletion       does the class go when the pixels go that the map calls important?
insertion      does it come when they come?
randomisation  is it a map of this network, or of any network that sees this picture?
agreement      do the other methods see it alike?

P pixels of a picture, H W rows and columns, C channels, S shares of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neocog.explanations.methods import completeness_scale, patch_size
from neocog.explanations.network import Network
from neocog.explanations.questions import Question
from neocog.randomness import derived_seed, numpy_stream

Map = NDArray[np.float64]

COMPLETE = 0.01  # of the logit's change
STEPS = 32  # of a curve
ORDERS = 10  # at random, to compare with
LEAST_GAIN = 0.02  # of probability: what a curve must win over chance, however steady chance is
SPREADS = 2.0  # deviations of the random orders
REDRAWN = 5  # networks with weights by chance
MOST_STAGES = 5
ALIKE = 0.5  # a correlation of ranks from which two maps share a quarter of their variance
_UNTESTED = "not tested"
_FLAT = "the map has one value everywhere"
_NOTHING = "the picture is its own baseline, so there is nothing to share out"
ONE_IN_20 = 1.645  # deviations of a normal variable


@dataclass(frozen=True, eq=False)
class Check:
    """One question to a map, and the answer."""

    name: str  # "completeness", "deletion", "insertion", "randomisation" or "agreement"
    passed: bool
    value: float
    bound: float
    text: str  # one line, with numbers
    stages: tuple[float, ...] = ()  # of the randomisation: the likeness as more and more layers are redrawn
    unanswered: str = ""  # why it fails without numbers that could be compared; empty where there are such

    @property
    def short(self) -> str:
        """The two numbers, "0.57, not below 0.13", or why there are none."""
        if self.unanswered:
            return self.unanswered
        side = "above" if self.name in ("insertion", "agreement") else "below"
        percent = self.name == "completeness"
        value, bound = (f"{100 * each:.2g} %" if percent else f"{each:.3f}" for each in (self.value, self.bound))
        return f"{value}, {side if self.passed else f'not {side}'} {bound}".replace("-", "−")


def completeness(question: Question, values_CHW: Tensor) -> Check:
    """|Σ attributions − (f(x) − f(x₀))| as a share of |f(x) − f(x₀)|, at most 1 %.

    f is the logit, x the picture and x₀ its baseline. Where the logit changes by less than a thousandth of
    Σ|attributions|, what speaks for and against the class cancels out, and the error is a share of that thousandth.

    Source: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", 2017, proposition 1 and
    section 5, which asks for an error under 5 %.
    """
    change, total = question.logit_change, float(values_CHW.sum())
    scale = completeness_scale(change, float(values_CHW.abs().sum()))
    error = abs(total - change) / scale if scale else 0.0
    text = f"shares add up to {total:.4f}, the logit changes by {change:.4f}: {error * 100:.2g} % apart"
    if scale > abs(change):
        text += f", as a share of {scale:.2g} because what speaks for and against cancels out"
    if not scale:
        return Check("completeness", False, error, COMPLETE, _NOTHING, unanswered=_NOTHING)
    return Check("completeness", error <= COMPLETE, error, COMPLETE, text)


@dataclass(frozen=True, eq=False)
class Curves:
    """The class's probability while pixels go or come, most important first, and in random orders: made once a picture.

    Probabilities are softmax's of the logits as they are; the temperature of a calibrated run doesn't soften them, so
    the check is of the network alone.

    Source: V. Petsiuk, A. Das, K. Saenko, "RISE", 2018, section 4.1. Pixels go to and come from the baseline in both;
    they insert into a blurred picture.
    """

    question: Question

    def of(self, order_P: NDArray[np.int64], *, inserting: bool) -> Map:
        """Probabilities (S,) after each share of the pixels, 0 and 1 included, has gone or come in that order."""
        question = self.question
        x_1CHW, baseline_1CHW = question.x_1CHW, question.baseline_1CHW
        pixels = len(order_P)
        places_P = np.empty(pixels, np.int64)
        places_P[order_P] = np.arange(pixels)
        counts_S = np.round(np.linspace(0, pixels, STEPS + 1))
        touched = torch.from_numpy(places_P < counts_S[:, None]).reshape(-1, 1, *x_1CHW.shape[2:]).to(x_1CHW.device)
        new, old = (x_1CHW, baseline_1CHW) if inserting else (baseline_1CHW, x_1CHW)
        logits = question.logits(torch.where(touched, new, old))
        found: Map = torch.softmax(logits, dim=1)[:, question.target].numpy()
        return found

    @cached_property
    def chance(self) -> dict[bool, Map]:
        """The areas under the curves of the random orders, of deletion and of insertion."""
        pixels = self.question.x_1CHW[0, 0].numel()
        orders = [numpy_stream(0, "random order of pixels", each).permutation(pixels) for each in range(ORDERS)]
        return {
            inserting: np.array([area(self.of(order, inserting=inserting)) for order in orders])
            for inserting in (False, True)
        }

    def check(self, map_HW: Map) -> tuple[tuple[Check, Check], Map, Map]:
        """Deletion and insertion of one map: the checks, and the two curves.

        A map passes when its area differs from the mean of the random orders', to the right side, by more than 2 of
        their deviations and by more than 0.02 of probability. Both bounds are ours; an order by chance passes
        each of the two about once in 23 times (Student's t with 9 degrees of freedom). A map of one value has no order
        and fails.
        """
        order_P = falling(map_HW)
        going, coming = self.of(order_P, inserting=False), self.of(order_P, inserting=True)
        checks = self._check(going, inserting=False), self._check(coming, inserting=True)
        if not np.ptp(map_HW):
            first, second = (replace(check, passed=False, text=_FLAT, unanswered=_FLAT) for check in checks)
            checks = first, second
        return checks, going, coming

    def _check(self, curve: Map, *, inserting: bool) -> Check:
        chance = self.chance[inserting]
        mean, deviation = float(chance.mean()), float(chance.std(ddof=1))
        margin = max(SPREADS * deviation, LEAST_GAIN)
        found, bound = area(curve), mean + margin if inserting else mean - margin
        verb = "come" if inserting else "go"
        return Check(
            "insertion" if inserting else "deletion",
            found > bound if inserting else found < bound,
            found,
            bound,
            f"mean probability {found:.3f} as pixels {verb} by the map, {mean:.3f} ± {deviation:.3f} in random order "
            f"(n = {ORDERS} orders); {'above' if inserting else 'below'} {bound:.3f} passes",
        )


def area(curve: Map) -> float:
    """The mean height of a curve with points at equal distances: the area by trapezoids, over the share of pixels."""
    return float((curve[:-1] + curve[1:]).mean() / 2)


def falling(map_HW: Map) -> NDArray[np.int64]:
    """The pixels, highest value first; equal values in an order from the stream (0, "equal pixels")."""
    chance = numpy_stream(0, "equal pixels").permutation(map_HW.size)
    order: NDArray[np.int64] = np.lexsort((chance, -map_HW.ravel()))
    return order


def rank_correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's ρ: Pearson's correlation of ranks, equal values sharing their mean rank; 0 where all are equal.

    >>> round(rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0])), 3)
    0.8
    """
    ranks = np.stack([_ranks(first), _ranks(second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size else 0.0


def _ranks(values: NDArray[Any]) -> Map:
    _, which, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Map = (last - (counts - 1) / 2)[which]
    return found


def redrawn(network: Network, layers: Sequence[str], number: int) -> Network:
    """A copy of the network with the weights of these modules drawn anew; the network itself is left alone.

    A module draws as it did when it was made, if it can (`reset_parameters`); other parameters become normal with the
    deviation they had. The numbers come from the stream (0, "redrawn weights", number).
    """
    model = deepcopy(network.model)
    device = network.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(derived_seed(0, "redrawn weights", number))
        for name in layers:
            module = model.get_submodule(name)
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            else:
                for each in module.parameters(recurse=False):
                    each.copy_(torch.randn(each.shape).to(each) * each.std(correction=0))
    return replace(network, model=model)


def with_weights(network: Network) -> list[str]:
    """The modules that hold weights of their own, the one nearest to the answer first."""
    holding = [
        name for name, module in network.model.named_modules() if any(True for _ in module.parameters(recurse=False))
    ]
    called = {layer.name: place for place, layer in enumerate(network.layers)}
    return sorted(holding, key=lambda name: called.get(name, -1), reverse=True)


Method = Callable[[Question], Map]


def randomisation(question: Question, methods: Mapping[str, Method], maps: Mapping[str, Map]) -> dict[str, Check]:
    """How alike each map is to those of the same network with weights by chance: mean |ρ| of 5 draws, below 0.5.

    ρ is Spearman's correlation of the signed maps, as they are shown. A method that answers alike whatever the weights
    are shows the picture, not the network. `Check.stages` has the likeness on the way there: the layer nearest to the
    answer redrawn, then more and more below it. Adebayo et al. look at signs and magnitudes and set no bound. Maps that
    are multiplied by the picture keep its outline, so their magnitudes stay alike; Sundararajan and Taly hold that
    signs are part of what such a map says. So signs count here, and the likeness of magnitudes is in the text. The
    bound is ours: from 0.5 on, the maps share a quarter of the variance of their ranks. A map of one value fails.

    Sources: J. Adebayo et al., "Sanity checks for saliency maps", 2018, sections 3.1 and 4; M. Sundararajan, A. Taly,
    "A note about: Local explanation methods for deep neural networks lack sensitivity to parameter values", 2018.
    """
    layers = with_weights(question.network)
    some = min(MOST_STAGES, len(layers))
    cuts = [-(-len(layers) * stage // some) for stage in range(1, some)]
    chances = [(layers[:cut], 0) for cut in cuts] + [(layers, number) for number in range(REDRAWN)]
    likeness: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    try:
        for names, number in chances:
            asked = replace(question, network=redrawn(question.network, names, number))
            for name, method in methods.items():
                found = method(asked)
                signed = abs(rank_correlation(maps[name], found))
                likeness[name].append((signed, rank_correlation(np.abs(maps[name]), np.abs(found))))
    except (RuntimeError, TypeError, NotImplementedError) as error:
        text = f"{_UNTESTED}: the network can't be copied with other weights: {type(error).__name__}: {error}"
        failed = Check("randomisation", False, 1.0, ALIKE, text.split("\n")[0], unanswered=_UNTESTED)
        return dict.fromkeys(methods, failed)
    return {
        name: _randomisation(each, len(cuts))
        if np.ptp(maps[name])
        else Check("randomisation", False, 0.0, ALIKE, _FLAT, unanswered=_FLAT)
        for name, each in likeness.items()
    }


def _randomisation(likeness: list[tuple[float, float]], stages: int) -> Check:
    signed, magnitudes = (np.array(each[stages:]) for each in zip(*likeness, strict=True))
    value = float(signed.mean())
    text = (
        f"likeness to maps of weights by chance |ρ| = {value:.2f} (n = {len(signed)} draws, "
        f"{signed.min():.2f} to {signed.max():.2f}); below {ALIKE:g} passes"
    )
    outline = float(magnitudes.mean())
    passed = value < ALIKE
    if not passed:
        text += "; the map shows the picture more than this network"
    elif outline > ALIKE:
        text += f"; magnitudes alone are alike at {outline:.2f}, so trust the signs and not the outline"
    return Check("randomisation", passed, value, ALIKE, text, tuple(each[0] for each in likeness[: stages + 1]))


def agreement(maps: Mapping[str, Map]) -> dict[str, Check]:
    """Spearman's ρ of each map with those of the other methods, on average; none for a map alone.

    Maps are compared by their means over cells of a seventh of the shorter side, since some are fine and some coarse.
    The bound is 1.645/√(n − 1) for n cells, which one ρ of values that have nothing to do with each other passes once
    in 20 times, and the mean of several more rarely, the less those other maps are alike. Neighbouring cells, and
    pictures with all in their middle, are a little alike anyway; methods measure different things, too, so this check
    says less than the others.

    Source: S. Krishna et al., "The disagreement problem in explainable machine learning", 2022, section 4; M. G.
    Kendall, "Rank correlation methods", 1948, for the deviation 1/√(n − 1).
    """
    checks = {}
    cells = {name: _cells(map_HW) for name, map_HW in maps.items()}
    for name, one in cells.items() if len(maps) > 1 else ():
        bound = ONE_IN_20 / max(1, one.size - 1) ** 0.5
        likeness = {other: rank_correlation(one, each) for other, each in cells.items() if other != name}
        value = float(np.mean(list(likeness.values())))
        listed = ", ".join(f"{other} {each:.2f}".replace(" -", " −") for other, each in likeness.items())
        text = f"mean ρ = {value:.2f}".replace("-", "−")
        text += f" with the other maps ({listed}), by {one.size} cells; above {bound:.2f} passes"
        checks[name] = Check("agreement", value > bound, value, bound, text)
    return checks


def _cells(map_HW: Map) -> Map:
    """The means of square cells of a seventh of the shorter side; those at the far edges may be smaller."""
    side = patch_size(*map_HW.shape)
    found: Map = functional.avg_pool2d(torch.from_numpy(map_HW)[None, None], side, ceil_mode=True)[0, 0].numpy()
    return found
