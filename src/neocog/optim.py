"""How the weights move: the optimizers by name, and the learning rate as a function of the step.

    optimizer = build_optimizer(model, "adam", lr=0.01, betas=(0.7, 0.9))
    set_rate(optimizer, rate_factor("linear", step, total_steps))

A schedule has no state. The factor follows from the step alone, so a resumed run needs only its step number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from neocog.errors import RecipeError, unknown
from neocog.steps import OPTIMIZERS, SCHEDULES

# The share of the steps on the way up, the first factor, the last one. One-cycle's are torch's OneCycleLR's.
SHAPES: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "cosine": (0.0, 0.0, 0.0),
        "linear": (0.25, 0.1, 0.01),
        "one-cycle": (0.3, 1 / 25, 1 / 25e4),
        "exponential": (0.0, 1.0, 0.01),
    }
)

_FUSED_DEVICES = {"cpu", "cuda", "mps"}


def build_optimizer(
    model: nn.Module,
    name: str,
    *,
    lr: float,
    momentum: float | None = None,
    nesterov: bool | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
    rho: float = 0.9,
    eps: float | None = None,
    other_lr: float | None = None,
) -> torch.optim.Optimizer:
    """The named optimizer over the parameters of `model` that ask for a gradient, in its fastest form.

    One rule for all of them: weight decay acts on weights (two dimensions or more), never on biases or on the
    scale and shift of a normalisation. `sgd`, `adam` and `adadelta` add it to the gradient (an L2 penalty);
    `adamw` and `muon` shrink the weight itself (Loshchilov & Hutter 2019).

    An option left at None takes the optimizer's own value: `momentum` 0 for sgd and 0.95 for muon, `nesterov`
    off for sgd and on for muon, `eps` 1e-6 for adadelta and 1e-8 for the Adam family, `other_lr` (the rate of
    muon's AdamW part) a tenth of `lr`. `betas` belong to the Adam family and to muon's AdamW part, `rho` to
    adadelta. What doesn't belong to the named optimizer is ignored.

    Call it after the model has moved to its device: the fused forms are chosen by where the parameters lie.
    Raises RecipeError for an unknown name, a value out of range, or a model with nothing to train.

    >>> optimizer = build_optimizer(nn.Linear(2, 3), "sgd", lr=0.1, weight_decay=0.01)
    >>> [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups]
    [(1, 0.01), (1, 0.0)]
    """
    if name not in OPTIMIZERS:
        raise RecipeError(unknown("optimizer", name, OPTIMIZERS))
    _check_range("optimizer.lr", lr, lr > 0, "above 0")
    _check_range("optimizer.weight_decay", weight_decay, weight_decay >= 0, "0 or more")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise RecipeError("the model has no parameters to train; give it a conv or linear layer")

    momentum = (0.95 if name == "muon" else 0.0) if momentum is None else momentum
    nesterov = (name == "muon") if nesterov is None else nesterov
    _check_range("optimizer.momentum", momentum, 0 <= momentum < 1, "in [0, 1)")
    if nesterov and momentum == 0:
        raise RecipeError("optimizer.nesterov needs a momentum above 0; set optimizer.momentum=0.9")
    for beta in betas:
        _check_range("optimizer.betas", beta, 0 <= beta < 1, "in [0, 1)")

    fused = all(parameter.device.type in _FUSED_DEVICES for parameter in parameters)
    speed = {"fused": True} if fused else {"foreach": True}
    adam: dict[str, Any] = {"lr": lr, "betas": betas, "eps": 1e-8 if eps is None else eps, **speed}
    if name == "muon":
        other = lr / 10 if other_lr is None else other_lr
        _check_range("optimizer.other_lr", other, other > 0, "above 0")
        return Muon(
            parameters,
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
            adamw={**adam, "lr": other},
        )
    groups = _decay_groups(parameters, weight_decay)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, **speed)
    if name == "adadelta":
        _check_range("optimizer.rho", rho, 0 <= rho <= 1, "in [0, 1]")
        # Adadelta has no fused form in torch.
        return torch.optim.Adadelta(groups, lr=lr, rho=rho, eps=1e-6 if eps is None else eps, foreach=True)
    if name == "adam":
        return torch.optim.Adam(groups, **adam)
    return torch.optim.AdamW(groups, **adam)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's learning rate to `factor` times the one it was built with.

    >>> optimizer = build_optimizer(nn.Linear(2, 3), "adam", lr=0.5)
    >>> set_rate(optimizer, 0.5)
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """
    for group in optimizer.param_groups:
        # initial_lr is torch's own key for this; it lies in the state dict, so a resumed run finds it again.
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def rate_factor(
    name: str,
    step: int,
    total_steps: int,
    steps_per_epoch: int = 1,
    *,
    warmup: float | None = None,
    start: float | None = None,
    end: float | None = None,
    gamma: float = 0.1,
    step_epochs: int = 1,
) -> float:
    """What the learning rate is multiplied by at `step`, counted from 0; the last step is total_steps − 1.

        constant    1
        step        gamma ** (epoch // step_epochs)
        cosine      half a cosine wave from 1 down to `end`, after a straight warm-up if one is asked for
        linear      straight up from `start` to 1 over the first `warmup` share of the steps, straight down to `end`
        one-cycle   half cosine waves: `start` up to 1, then down to `end` (Smith & Topin 2018)
        exponential start·(end/start)^(step/last): the same ratio from each step to the next, up or down

    Options left at None come from `SHAPES`. The first step has the factor `start` (where there is a warm-up, and with
    `exponential`), the last one `end`. Raises RecipeError for an unknown name.

    >>> [round(rate_factor("linear", step, 5), 3) for step in range(5)]
    [0.1, 1.0, 0.67, 0.34, 0.01]
    """
    if name not in SCHEDULES:
        raise RecipeError(unknown("schedule", name, SCHEDULES))
    if name == "constant":
        return 1.0
    if name == "step":
        return float(gamma ** (step // steps_per_epoch // step_epochs))
    own_warmup, own_start, own_end = SHAPES[name]
    warmup = own_warmup if warmup is None else warmup
    start = own_start if start is None else start
    end = own_end if end is None else end
    last = max(total_steps - 1, 1)
    if name == "exponential":
        return float(start * (end / start) ** (step / last))
    # torch's OneCycleLR reaches its peak one step before the share is over; the others at the share itself.
    peak = max(warmup * total_steps - 1, 0.0) if name == "one-cycle" else warmup * last
    rise = _cosine_blend if name == "one-cycle" else _line
    fall = _line if name == "linear" else _cosine_blend
    if step < peak:
        return rise(start, 1.0, step / peak)
    return fall(1.0, end, (step - peak) / (last - peak) if last > peak else 0.0)


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal, for hidden weights; AdamW for all other parameters.

    Each hidden weight W (every conv or linear weight but the first, which reads pixels, and the last, which gives the
    classes), seen as a matrix with one row per kernel, moves by

        B ← μB + (1 − μ)G
        U ← (1 − μ)G + μB with Nesterov, else B
        W ← (1 − lr·decay)·W − lr·√max(1, rows/columns)·NS(U)

    where NS is `orthogonalized`. All other parameters, for which the method isn't meant, get AdamW with its own
    rate. Source: Keller Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    torch's own Muon refuses the four-dimensional weights of a convolution.
    """

    def __init__(
        self,
        parameters: list[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        adamw: Mapping[str, Any],
    ) -> None:
        weights = [parameter for parameter in parameters if parameter.ndim >= 2]
        hidden = weights[1:-1]
        taken = {id(weight) for weight in hidden}
        others = [parameter for parameter in parameters if id(parameter) not in taken]
        self._adamw = torch.optim.AdamW(_decay_groups(others, weight_decay), **adamw)
        own = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        groups = [{"params": hidden, **own}] if hidden else []
        self._own_groups = len(groups)
        # One list of groups and one state for both parts: so the state dict is torch's usual one.
        super().__init__([*groups, *self._adamw.param_groups], own)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups[: self._own_groups]:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)
        # Tied anew each time, because load_state_dict replaces both.
        self._adamw.param_groups = self.param_groups[self._own_groups :]
        self._adamw.state = self.state
        self._adamw.step()
        return loss

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer
        matrix = update.reshape(len(update), -1)
        rows, columns = matrix.shape
        scale = group["lr"] * max(1.0, rows / columns) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(orthogonalized(matrix).view(update.shape), alpha=-scale)


class WeightAverage:
    """An exponential moving average of a model's parameters and statistics: a ← d·a + (1 − d)·w after each step.

    Early on the decay is (1 + t)/(10 + t), so that the random start is soon forgotten. Polyak & Juditsky (1992); the
    warm-up as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.live = [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
        self.average = [tensor.clone() for tensor in self.live]

    def update(self) -> None:
        """Takes in the weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.average, self.live, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with the averaged weights for a while."""
        kept = [tensor.clone() for tensor in self.live]
        self.copy_into_model()
        try:
            yield
        finally:
            torch._foreach_copy_(self.live, kept)

    def copy_into_model(self) -> None:
        """Replaces the model's weights by their average."""
        torch._foreach_copy_(self.live, self.average)


def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix with nearly the singular vectors of `matrix` and singular values of about 1 (0.7 to 1.2).

    `steps` rounds of X ← aX + b(XXᵀ)X + c(XXᵀ)²X, from X = matrix / ‖matrix‖, with (a, b, c) =
    (3.4445, −4.7750, 2.0315): a Newton–Schulz iteration tuned to lift small singular values fast (Jordan et al.
    2024). Values below a thousandth of the norm stay well below 1.

    >>> got = orthogonalized(torch.diag(torch.tensor([3.0, 1.0])))
    >>> bool(((got.diagonal() > 0.65) & (got.diagonal() < 1.25)).all()), float(got[0, 1])
    (True, 0.0)
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    current: Tensor = wide / wide.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = current @ current.T
        current = torch.addmm(current, torch.addmm(gram, gram, gram, beta=b, alpha=c), current, beta=a)
    return current.T.contiguous() if wide is not matrix else current


def _decay_groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Weights with the decay, and biases and normalisations without; an empty group is left out."""
    if weight_decay == 0:
        # One group is one call of the fused kernel, and a small network's step feels a second one.
        return [{"params": parameters, "weight_decay": 0.0}]
    groups = [
        {
            "params": [parameter for parameter in parameters if parameter.ndim >= 2],
            "weight_decay": weight_decay,
        },
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _check_range(key: str, value: float, fine: bool, wanted: str) -> None:
    if not fine:
        raise RecipeError(f"{key} = {value:g} is out of range; it must be {wanted}")


def _line(first: float, last: float, share: float) -> float:
    return first + (last - first) * share


def _cosine_blend(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
