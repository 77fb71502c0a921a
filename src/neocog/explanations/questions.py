"""What is asked of a network: why this class for this picture, and as against what.

N pictures, C channels, H W rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from neocog.data.batches import Normalization
from neocog.device import choose
from neocog.errors import ExplanationError, unknown
from neocog.explanations.network import Network
from neocog.inference import evaluation_mode, float32_convolutions
from neocog.layers.modules import SameConv2d
from neocog.speed import fastest, keep_freed_memory

BASELINES = ("black", "mean", "white")
_AT_ONCE = 128  # pictures of a batch, unless they are large
_VALUES_AT_ONCE = 2**21  # input values of a batch
_AFFINE = (
    nn.Conv2d,
    SameConv2d,
    nn.Linear,
    nn.Flatten,
    nn.Identity,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Dropout,
    nn.Dropout2d,
)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)  # affine where they have kept means


@dataclass(frozen=True, eq=False)
class Question:
    """Why the logit of class `target` is what it is for a picture, compared with a picture without content."""

    network: Network
    x_1CHW: Tensor
    target: int
    baseline: str
    baseline_1CHW: Tensor

    @classmethod
    def make(
        cls,
        network: Network,
        x_1CHW: Tensor,
        target: int,
        baseline: str = "black",
        normalization: Normalization | None = None,
    ) -> Question:
        """Brings the picture to the network's device and number format.

        Raises ExplanationError for another shape, a class that isn't there, an unknown baseline, and logits that aren't
        finite.
        """
        if not 0 <= target < len(network.classes):
            raise ExplanationError(f"there is no class {target}; give a number from 0 to {len(network.classes) - 1}")
        if baseline not in BASELINES:
            raise ExplanationError(unknown("baseline", baseline, BASELINES))
        keep_freed_memory()  # for the next batch, as in training
        # What was made in inference mode can't be differentiated; a copy of it made outside can.
        with torch.inference_mode(mode=False):
            if any(each.is_inference() for each in network.model.parameters()):
                network = replace(network, model=deepcopy(network.model))
            x_1CHW = network.given(x_1CHW).contiguous()
            levels = _levels(baseline, network.input_shape[0], normalization).to(x_1CHW)
            baseline_1CHW = levels[None, :, None, None].expand_as(x_1CHW).clone()
        said = baseline if normalization else f"{baseline}, taken as {levels[0]:.0f}"
        question = cls(network, x_1CHW, target, said, baseline_1CHW)
        check_finite(question.logits(torch.cat([x_1CHW, baseline_1CHW])))
        return question

    def logits(self, x_NCHW: Tensor) -> Tensor:
        """The network's outputs for pictures that are prepared already: float64 (N, classes), on the CPU."""
        model, forward = self._for_logits
        with evaluation_mode(model), float32_convolutions(), torch.inference_mode():
            return torch.cat([forward(batch.clone()).double().cpu() for batch in _batches(x_NCHW)])

    def gradients_along(self, places_N: Tensor, weights_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """At places on the way from the baseline, at 0, to the picture, at 1: logits, slopes, and a sum of gradients.

        The logit of the class (N,), its slope along the way (N,), and Σ weight · gradient (C, H, W): float64 on the
        CPU. Layers that begin the network and are affine, h = A x + b, leave the way straight. So only its two ends
        pass through them, and only the sum comes back: Σ w ∂f/∂x = Aᵀ Σ w ∂f/∂h.

        Raises ExplanationError when the network gives no gradients.
        """
        affine, rest = self._halves
        leaf = self.x_1CHW.clone().requires_grad_()
        logits, slopes = [], []
        with evaluation_mode(self._for_gradients), float32_convolutions(), differentiating():
            end_1M = affine(leaf) if affine else leaf
            with torch.no_grad():
                start_1M = affine(self.baseline_1CHW.clone()) if affine else self.baseline_1CHW
                way_1M = end_1M - start_1M
            sum_M = torch.zeros(way_1M.numel(), dtype=torch.float64)
            size = _at_once(way_1M)
            for start in range(0, len(places_N), size):
                some = slice(start, start + size)
                t_N = places_N[some].to(way_1M).reshape(-1, *[1] * (way_1M.ndim - 1))
                found_N, gradients_NM = self._gradients(rest, start_1M + t_N * way_1M)
                logits.append(found_N.double().cpu())
                gradients_NM = gradients_NM.flatten(1)
                slopes.append((gradients_NM @ way_1M.flatten()).double().cpu())
                sum_M += (weights_N[some].to(gradients_NM) @ gradients_NM).double().cpu()
            sum_1M = sum_M.to(way_1M).reshape(way_1M.shape)
            sum_1CHW = torch.autograd.grad(end_1M, leaf, sum_1M)[0] if affine else sum_1M
        return torch.cat(logits), torch.cat(slopes), sum_1CHW[0].double().cpu()

    def gradients(self, x_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of the class (N,) and its gradient by each pixel (N, C, H, W), both float64 on the CPU.

        Raises ExplanationError when the network gives no gradients, as one that computes without torch does.
        """
        model = self._for_gradients
        logits, gradients = [], []
        with evaluation_mode(model), float32_convolutions(), differentiating():
            for batch in _batches(x_NCHW):
                logits_N, found = self._gradients(model, batch)
                logits.append(logits_N.double().cpu())
                gradients.append(found.double().cpu())
        return torch.cat(logits), torch.cat(gradients)

    def _gradients(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor]:
        leaf = batch.detach().requires_grad_()
        # Not the leaf itself, which a layer that works in place may not change.
        logits_N = model(leaf.clone())[:, self.target]
        return logits_N.detach(), differentiated(logits_N, leaf)

    @cached_property
    def _for_logits(self) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
        if not _can_be_moved(self.network.model):
            return self.network.model, self.network.model
        model = _copy(self.network.model)
        return model, fastest(model, choose("cpu", "float32"))

    @cached_property
    def _for_gradients(self) -> nn.Module:
        model = self.network.model
        if not _can_be_moved(model):
            return model
        found: nn.Module = _copy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return found

    @cached_property
    def _halves(self) -> tuple[nn.Module | None, nn.Module]:
        """The layers that begin the network and are affine, where there are such, and what follows them."""
        model = self._for_gradients
        if model is self.network.model:
            return None, model
        assert isinstance(model, nn.Sequential)
        layers = list(model)
        count = next((at for at, layer in enumerate(layers) if not _is_affine(layer)), len(layers))
        return model[:count] if count else None, model[count:]

    @property
    def difference_CHW(self) -> Tensor:
        """The picture less its baseline: float64 on the CPU."""
        return (self.x_1CHW - self.baseline_1CHW)[0].double().cpu()

    @property
    def logit_change(self) -> float:
        """How much higher the logit is for the picture than for the baseline."""
        logits = self.logits(torch.cat([self.x_1CHW, self.baseline_1CHW]))[:, self.target]
        return float(logits[0] - logits[1])


def check_finite(outputs: Tensor) -> None:
    """Raises ExplanationError where a network's answer is no number."""
    wrong = outputs[~outputs.isfinite()]
    if len(wrong):
        raise ExplanationError(
            f"the network answers with {float(wrong[0])}, which can't be explained: its weights or the picture hold "
            "nan or numbers that are too large; look at its metrics, and train it again with a lower learning rate"
        )


@contextmanager
def differentiating() -> Iterator[None]:
    """Gradients are recorded, whatever mode the caller is in."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


def differentiated(logits_N: Tensor, by: Tensor) -> Tensor:
    """The gradient of each logit by what belongs to the same picture. No gradient of a parameter is touched."""
    reason = "no gradient reaches the picture through its forward"
    if logits_N.requires_grad:
        found: Tensor | None = torch.autograd.grad(logits_N.sum(), by, allow_unused=True)[0]
        if found is not None:
            return found
    raise ExplanationError(f"{reason}, so only occlusion fits this network")


def _batches(x_NCHW: Tensor) -> Iterator[Tensor]:
    size = _at_once(x_NCHW)
    return (x_NCHW[start : start + size] for start in range(0, len(x_NCHW), size))


def _at_once(x_NCHW: Tensor) -> int:
    """Pictures of a batch."""
    return max(1, min(_AT_ONCE, _VALUES_AT_ONCE // x_NCHW[0].numel()))


def _is_affine(layer: nn.Module) -> bool:
    """Whether a layer is A x + b in evaluation mode. By exact type: a subclass may do anything."""
    return type(layer) in _AFFINE or (type(layer) in _NORMS and layer.running_mean is not None)


def _can_be_moved(model: nn.Module) -> bool:
    """Whether a copy in another memory layout gives the same numbers, sooner: layers of torch and ours in a row."""
    known = all(type(each).__module__.startswith(("torch.nn.", "neocog.layers.")) for each in model.modules())
    first = next(model.parameters(), None)
    fits = first is not None and first.device.type == "cpu" and first.dtype == torch.float32
    hooked = any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())
    return known and fits and type(model) is nn.Sequential and not hooked


def _copy(model: nn.Module) -> nn.Module:
    """Without gradients of its weights, which nobody asks for."""
    with torch.inference_mode(mode=False):
        return deepcopy(model).eval().requires_grad_(requires_grad=False)


def _levels(baseline: str, channels: int, normalization: Normalization | None) -> Tensor:
    """The baseline's value in each channel, as the network gets it."""
    if baseline == "mean":
        return torch.zeros(channels)
    level = 255 if baseline == "white" else 0
    if normalization is None:
        return torch.full((channels,), level / 255)
    return normalization(torch.full((1, 1, 1, channels), level, dtype=torch.uint8))[0, :, 0, 0]
