"""The first weights of a network, where a recipe's `model.init` asks for others than torch's own."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from neocog.errors import RecipeError
from neocog.randomness import torch_stream

_DEVIATION = 0.01


def set_first_weights(network: nn.Module, init: str, seed: int) -> None:
    """Draws the weights of all convolutions and linear layers anew, in place; their biases become 0.

        torch    left as torch makes them: weights and biases uniform in ±1/√fan_in
        kaiming  normal with variance 2/fan_in, which keeps the size of signals through ReLUs (He et al. 2015)
        xavier   uniform in ±√(6/(fan_in + fan_out)), so variance 2/(fan_in + fan_out) (Glorot & Bengio 2010)
        normal   normal with deviation 0.01, whatever the layer (Krizhevsky et al. 2012)

    fan_in is how many numbers one output is a sum of, fan_out how many outputs one input goes into: for K kernels of
    R×S over C channels in G groups, C·R·S/G and K·R·S/G. The numbers come from the stream (seed, "init"), layer by
    layer in the network's order. Normalisations keep scale 1 and shift 0. Raises RecipeError for a network without such
    layers, and for a layer that computes its weight from something else.

    Sources: K. He et al., "Delving deep into rectifiers", 2015, equation 10; X. Glorot & Y. Bengio, "Understanding the
    difficulty of training deep feedforward neural networks", 2010, equation 16; A. Krizhevsky et al., "ImageNet
    classification with deep convolutional neural networks", 2012, section 5.

    >>> layer = nn.Linear(300, 100)
    >>> set_first_weights(layer, "xavier", seed=0)
    >>> round(float(layer.weight.detach().var() * (300 + 100) / 2), 1), float(layer.bias.detach().abs().max())
    (1.0, 0.0)
    """
    if init == "torch":
        return
    layers = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }
    key = f"model.init = '{init}'"
    if not layers:
        raise RecipeError(f"{key} but the network has no convolution and no linear layer; leave it out")
    random = torch_stream(seed, "init")
    for name, layer in layers.items():
        if "weight" not in layer._parameters:
            raise RecipeError(f"{key}: module '{name}' computes its weight from something else; leave model.init out")
        fan_in, fan_out = _fans(layer)
        with torch.no_grad():
            if init == "kaiming":
                layer.weight.normal_(0, (2 / fan_in) ** 0.5, generator=random)
            elif init == "xavier":
                bound = (6 / (fan_in + fan_out)) ** 0.5
                layer.weight.uniform_(-bound, bound, generator=random)
            else:
                layer.weight.normal_(0, _DEVIATION, generator=random)
            if isinstance(layer.bias, Tensor):
                layer.bias.zero_()


def _fans(layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) -> tuple[int, int]:
    """How many numbers one output is a sum of, and how many outputs one input goes into, borders aside."""
    window = prod(layer.weight.shape[2:])
    groups = 1 if isinstance(layer, nn.Linear) else layer.groups
    return layer.weight.shape[1] * window, layer.weight.shape[0] // groups * window
