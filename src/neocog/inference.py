"""A network's answers for many pictures: evaluation mode, no gradients, bounded memory, everything left as found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from neocog.data.batches import Normalization, inference_batches
from neocog.errors import DeviceError
from neocog.memory import out_of_memory


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """`model.eval()` for a while; each module gets its own mode back, also when something raises."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def float32_convolutions() -> Iterator[None]:
    """cuDNN's convolutions in float32 for a while; unless told, torch lets them round what they multiply to TF32."""
    cudnn: Any = torch.backends.cudnn
    before = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = "ieee"
    try:
        yield
    finally:
        cudnn.conv.fp32_precision = before


def logits_of(model: nn.Module, images: Tensor, normalization: Normalization) -> Tensor:
    """The network's outputs for uint8 pictures (N, H, W, C): float32 (N, classes), on the CPU.

    In the type of the weights, which is float32 but for a network in training with float64, and never in bf16: an
    answer doesn't depend on the machine's favourite number format. Where memory runs out, fewer pictures go through
    the network at a time, which may change the last bits of an answer, and nothing else.
    Raises DeviceError when there is no memory for a single picture.
    """
    weight = next(model.parameters())
    with evaluation_mode(model), float32_convolutions(), torch.inference_mode():
        batches = inference_batches(images, normalization, weight.device)
        return torch.cat([_answers(model, x_NCHW.to(weight.dtype)) for x_NCHW in batches])


def _answers(model: nn.Module, x_NCHW: Tensor) -> Tensor:
    """The outputs, float32 on the CPU; in halves where memory runs out."""
    try:
        outputs: Tensor = model(x_NCHW)
        return outputs.float().cpu()
    except Exception as error:
        if not out_of_memory(error):
            raise
    # Out of the except clause, because the error holds on to all that the network had computed.
    if len(x_NCHW) == 1:
        shape = "×".join(str(size) for size in x_NCHW.shape[1:])
        raise DeviceError(
            f"out of memory on {x_NCHW.device} with a single picture of {shape} (channels, height, width); close other "
            "programs, take another device, or train on smaller pictures (dataset.image_size)"
        )
    return torch.cat([_answers(model, half) for half in x_NCHW.chunk(2)])
