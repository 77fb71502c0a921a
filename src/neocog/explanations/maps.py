"""Feature maps: all that the layers of a network make of one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neocog.errors import ExplanationError
from neocog.explanations.network import NamedLayer, Network
from neocog.explanations.watching import watched
from neocog.inference import float32_convolutions

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What one layer gives for one picture: a map for each channel, float32 (C, H, W), a vector as (C, 1, 1)."""

    layer: NamedLayer
    maps_CHW: NDArray[np.float32]

    def strongest(self, count: int) -> tuple[int, ...]:
        """The channels whose largest absolute value is largest, at most that many, in their own order."""
        peaks_C = np.abs(self.maps_CHW).max(axis=(1, 2), initial=0.0)
        chosen = np.argsort(-peaks_C, kind="stable")[:count]
        return tuple(sorted(int(channel) for channel in chosen))


def feature_maps(network: Network, x_1CHW: Tensor, layer: str) -> FeatureMaps:
    """The maps of one layer for one prepared picture (1, C, H, W), as `Network.layer` knows it.

    Raises ExplanationError when there is no such layer, or when the picture doesn't pass it.

    >>> from neocog.layers import parse
    >>> layers = parse("conv 2 3 same | relu | flatten | linear 4")
    >>> network = Network.of(layers.build((1, 6, 6), 4), (1, 6, 6), layers=layers)
    >>> feature_maps(network, torch.zeros(1, 1, 6, 6), "2").maps_CHW.shape
    (2, 6, 6)
    >>> feature_maps(network, torch.zeros(1, 1, 6, 6), "4").maps_CHW.shape
    (4, 1, 1)
    """
    return _seen(network, x_1CHW, (network.layer(layer),))[0]


def every_feature_map(network: Network, x_1CHW: Tensor) -> tuple[FeatureMaps, ...]:
    """The maps of all layers for one prepared picture (1, C, H, W), from one forward pass and in its order."""
    return _seen(network, x_1CHW, network.layers)


def as_picture(x_CHW: Tensor) -> NDArray[np.uint8]:
    """An input of any numbers as something to look at: (H, W, 1), or (H, W, 3) of three channels."""
    values = x_CHW.detach().float().cpu()
    values = values if len(values) == 3 else values.mean(0, keepdim=True)
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low) if high > low else torch.zeros_like(values)
    return (scaled * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def _seen(network: Network, x_1CHW: Tensor, layers: tuple[NamedLayer, ...]) -> tuple[FeatureMaps, ...]:
    with watched(network.model, [layer.name for layer in layers]) as seen, torch.no_grad(), float32_convolutions():
        network.model(network.given(x_1CHW))
    for layer in layers:
        if layer.name not in seen:
            raise ExplanationError(f"{layer}: the picture doesn't pass it, or it gives no tensor; choose another layer")
    return tuple(FeatureMaps(layer, _as_maps(seen[layer.name].output)) for layer in layers)


def _as_maps(output: Tensor) -> NDArray[Any]:
    """(1, C, H, W), (1, C), or a sequence (1, T, D) as one map of T rows."""
    values: NDArray[np.float32] = output[0].float().cpu().numpy()
    if values.ndim < 2:
        return values.reshape(-1, 1, 1)
    return values[None] if values.ndim == 2 else values.reshape(*values.shape[:2], -1)
