"""Pictures as batches: resident uint8, and a batch is one index and one vectorised transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from neocog.data.augment import Augmentation
from neocog.randomness import torch_stream

CPU = torch.device("cpu")
_PICTURES_AT_ONCE = 1000
_VALUES_AT_ONCE = 2**23  # input values of one inference batch: 32 MB as float32


@dataclass(frozen=True)
class Normalization:
    """uint8 pictures (N, H, W, C) to network input (N, C, H, W): (x/255 − mean)/std, channel by channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images_NHWC: Tensor) -> Tensor:
        """float32, laid out in memory as `channels_last`."""
        scale, offset = _scale_and_offset(self.mean, self.std, images_NHWC.device)
        return torch.addcmul(offset, images_NHWC.to(torch.float32), scale).permute(0, 3, 1, 2)


@cache
def _scale_and_offset(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """(x/255 − mean)/std as one multiplication and one addition."""
    scale = torch.tensor([1 / (255 * s) for s in std], device=device)
    offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device)
    return scale, offset


@dataclass(frozen=True)
class Batches:
    """The training batches, by step: step s always gives the same pictures, changed in the same way.

    Epoch e visits all pictures once, in an order drawn from the stream (seed, "order", e); step s is augmented from
    the stream (seed, "augment", s). The last batch of an epoch is smaller; a single picture left over joins the batch
    before it, because batch normalisation needs two.
    """

    images: Tensor  # uint8 (N, H, W, C)
    labels: Tensor  # int64 (N,)
    batch_size: int
    seed: int
    normalization: Normalization
    augmentation: Augmentation
    shuffle: bool = True
    device: torch.device = CPU  # where batches go; the pictures may stay elsewhere when they don't fit

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch."""
        count = len(self.images)
        whole, left = divmod(count, self.batch_size)
        return max(1, whole + (1 if left > 1 else 0))

    def order(self, epoch: int) -> Tensor:
        """The pictures in the order in which this epoch visits them."""
        count = len(self.images)
        if not self.shuffle:
            return torch.arange(count)
        return torch.randperm(count, generator=torch_stream(self.seed, "order", epoch))

    def places(self, step: int) -> Tensor:
        """Which pictures the batch of a step is made of."""
        epoch, position = divmod(step, self.per_epoch)
        return self._batch(self.order(epoch), position)

    def from_step(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (x, labels) from that step on: x float32 (B, C, H, W), labels int64 (B,), both on `device`."""
        step = first
        while True:
            epoch, start = divmod(step, self.per_epoch)
            order = self.order(epoch).to(self.images.device)
            for position in range(start, self.per_epoch):
                chosen = self._batch(order, position)
                # index_select takes half as long as indexing with brackets
                x = self.normalization(self.images.index_select(0, chosen).to(self.device, non_blocking=True))
                if self.augmentation:
                    x = self.augmentation(x, torch_stream(self.seed, "augment", step))
                labels = self.labels.index_select(0, chosen.to(self.labels.device))
                yield x, labels.to(self.device, non_blocking=True)
                step += 1

    def _batch(self, order: Tensor, position: int) -> Tensor:
        begin = position * self.batch_size
        return order[begin:] if position == self.per_epoch - 1 else order[begin : begin + self.batch_size]


def inference_batches(images: Tensor, normalization: Normalization, device: torch.device) -> Iterator[Tensor]:
    """The pictures in order, as network input, in pieces that bound the memory."""
    values = max(1, images[0].numel()) if len(images) else 1
    size = max(1, min(_PICTURES_AT_ONCE, _VALUES_AT_ONCE // values))
    for start in range(0, len(images), size):
        yield normalization(images[start : start + size].to(device, non_blocking=True))


def brightness_range(images: Tensor) -> tuple[float, float]:
    """The mean of the darkest and of the brightest picture, 0 to 1."""
    means = torch.cat([some.flatten(1).float().mean(1) for some in torch.split(images, _PICTURES_AT_ONCE)]) / 255
    return float(means.min()), float(means.max())


def class_weights(labels: Tensor, classes: int) -> Sequence[float]:
    """Weights inversely proportional to each class's count, with mean 1 over the pictures (King & Zeng, 2001)."""
    counts = torch.bincount(labels, minlength=classes).double().clamp(min=1)
    return [float(weight) for weight in len(labels) / (classes * counts)]
