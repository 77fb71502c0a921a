"""Maps of what speaks for a class, each with the checks that it passes or fails.

What is shared out is the logit of the class, before softmax, as against a baseline. C channels, H W rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neocog.data import Progress
from neocog.data.batches import Normalization
from neocog.errors import ExplanationError, unknown
from neocog.explanations import methods as ways
from neocog.explanations.checks import Check, Curves, Map, agreement, completeness, randomisation
from neocog.explanations.network import Network
from neocog.explanations.questions import Question

METHODS = tuple(ways.METHODS)
TITLES = {
    "gradient-x-input": "Gradient × input",
    "integrated-gradients": "Integrated gradients",
    "grad-cam": "Grad-CAM",
    "occlusion": "Occlusion",
}
_QUICK_STEPS = 32  # of integrated gradients where only the order of its values counts


@dataclass(frozen=True, eq=False)
class Attribution:
    """One map: how much each value of the picture speaks for a class, by one method."""

    method: str
    title: str
    target: int
    values_CHW: NDArray[np.float32] = field(repr=False)
    baseline: str | None  # "black", say, and how it was taken; None for Grad-CAM, which has none
    facts: Mapping[str, float]  # "steps", "patch", …: what the method did
    checks: tuple[Check, ...] = field(default=(), repr=False)
    deletion: NDArray[np.float64] | None = field(default=None, repr=False)  # the class's probability …
    insertion: NDArray[np.float64] | None = field(default=None, repr=False)  # … after equal shares of pixels, from none

    @property
    def map_HW(self) -> Map:
        """The sum over the channels."""
        found: Map = self.values_CHW.sum(axis=0, dtype=np.float64)
        return found

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that the map doesn't pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def verdict(self) -> str:
        """Whether the map can be believed: "passes its checks", or the checks it fails with their numbers."""
        if not self.checks:
            return "not checked"
        if not self.failed:
            return "passes its checks"
        return "fails " + "; ".join(f"{check.name}: {check.short}" for check in self.failed)


def attribute(
    network: Network,
    x_1CHW: Tensor,
    target: int,
    method: str,
    *,
    baseline: str = "black",
    normalization: Normalization | None = None,
) -> Attribution:
    """One map of what speaks for class `target`, without checks.

    The map shares out the logit, as against a picture that is all `baseline`: "black", "mean" (zeros, as the network
    gets them) or "white". `normalization` says what black and white are; without it they are 0 and 1. The network, its
    modes, hooks and gradients are left as found.

    Raises:
        ExplanationError: an unknown method or baseline, a class or shape that the network doesn't have, Grad-CAM
            without a convolution, or a network that gives no gradients.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, -2, 0, 3], [0, 0, 0, 0]]))
    >>> found = attribute(Network.of(model, (1, 2, 2)), torch.ones(1, 1, 2, 2), 0, "integrated-gradients")
    >>> found.map_HW
    array([[ 1., -2.],
           [ 0.,  3.]])
    """
    if method not in METHODS:
        raise ExplanationError(unknown("method", method, METHODS))
    question = Question.make(network, x_1CHW, target, baseline, normalization)
    return _attribute(question, method)[0]


def _attribute(question: Question, method: str) -> tuple[Attribution, Tensor]:
    values_CHW, facts = ways.METHODS[method](question)
    kept = None if method == "grad-cam" else question.baseline
    as_float32: NDArray[np.float32] = values_CHW.float().numpy()
    return Attribution(method, TITLES[method], question.target, as_float32, kept, facts), values_CHW


def fitting(network: Network) -> tuple[str, ...]:
    """The methods that fit a network: Grad-CAM needs a convolution."""
    return tuple(name for name in METHODS if name != "grad-cam" or network.last_convolution() is not None)


def known_methods(methods: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """The methods asked for, each once; None, as given, for all that fit. Refuses unknown ones, and none at all."""
    if methods is None:
        return None
    names = tuple(dict.fromkeys(each.lower() for each in ([methods] if isinstance(methods, str) else methods)))
    if not names:
        raise ExplanationError(f"no method is given; leave methods out for all that fit, or name {', '.join(METHODS)}")
    for name in names:
        if name not in METHODS:
            raise ExplanationError(unknown("method", name, METHODS))
    return names


def attributions(
    network: Network,
    x_1CHW: Tensor,
    target: int,
    *,
    methods: str | Iterable[str] | None = None,
    baseline: str = "black",
    normalization: Normalization | None = None,
    progress: Progress | None = None,
) -> tuple[Attribution, ...]:
    """The maps of several methods, all that fit unless given, each with all its checks.

    Integrated gradients answers for completeness; each map for deletion, insertion and randomisation, and for agreement
    where there are others. See `attribute` for the rest, and `checks` for what each asks.
    """
    names = known_methods(methods) or fitting(network)
    question = Question.make(network, x_1CHW, target, baseline, normalization)
    tell = progress or (lambda *_: None)
    total = 2 * len(names) + 1
    found: list[Attribution] = []
    curves = Curves(question)
    for done, name in enumerate(names):
        tell("maps", done, total)
        attribution, values_CHW = _attribute(question, name)
        checks = (completeness(question, values_CHW),) if name == "integrated-gradients" else ()
        along, deletion, insertion = curves.check(attribution.map_HW)
        found.append(replace(attribution, checks=checks + along, deletion=deletion, insertion=insertion))
    tell("maps", len(names), total)
    maps = {each.method: each.map_HW for each in found}
    others = randomisation(question, {name: partial(_quick_map, method=name) for name in names}, maps)
    agreeing = agreement(maps)
    tell("maps", total, total)
    return tuple(
        replace(
            each,
            checks=(
                *each.checks,
                others[each.method],
                *([agreeing[each.method]] if each.method in agreeing else []),
            ),
        )
        for each in found
    )


def _quick_map(question: Question, method: str) -> Map:
    if method == "integrated-gradients":
        values_CHW, _ = ways.integrated_gradients(question, _QUICK_STEPS)
    else:
        values_CHW, _ = ways.METHODS[method](question)
    found: Map = values_CHW.sum(dim=0).numpy()
    return found
