"""The training pictures that the last hidden layer takes for most alike.

Legend: N training pictures, k of them nearest, D values of the last hidden layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neocog.data import Progress
from neocog.data.batches import Normalization, inference_batches
from neocog.errors import ExplanationError
from neocog.explanations.network import Network
from neocog.explanations.watching import watched
from neocog.inference import float32_convolutions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAYS = "comparing with the training pictures"


@dataclass(frozen=True, eq=False)
class Neighbour:
    """One training picture, and how far it lies from the picture asked about."""

    index: int
    name: str
    label: str
    distance: float  # Euclidean, in the last hidden layer
    picture: NDArray[np.uint8] = field(repr=False)  # (H, W, C)
    same: bool = False  # whether it is the very picture asked about, pixel by pixel


def nearest(
    network: Network,
    x_1CHW: Tensor,
    images_NHWC: Tensor | NDArray[np.uint8],
    labels: Sequence[int] | Tensor | NDArray[Any],
    names: Sequence[str],
    classes: Sequence[str],
    normalization: Normalization,
    k: int = 8,
    progress: Progress | None = None,
) -> tuple[Neighbour, ...]:
    """The k training pictures whose values in the last hidden layer are nearest: ‖h(x) − h(xₙ)‖₂.

    The last hidden layer is what the last linear layer takes in. The distance is Euclidean, because that layer adds up
    the values as they are: pictures that are near in it have logits that are near, by ‖Δlogits‖ ≤ ‖W‖·distance. The
    angle alone, which the cosine measures, says nothing of that. Of equally near ones the first is taken. Memory is
    bounded by one batch and k pictures, however many there are.

    Args:
        network: whose weights and modes stay as they are.
        x_1CHW: the prepared picture (1, C, H, W).
        images_NHWC: the training pictures, uint8.
        labels: their classes, as places in `classes`.
        names: what each is called.
        classes: the names of the classes.
        normalization: how a training picture becomes the network's input.
        k: how many to find; all of them where there are fewer.
        progress: called as (text, pictures done, pictures in all).

    Raises:
        ExplanationError: the network has no linear layer, or there are no training pictures.

    Source: N. Papernot, P. McDaniel, "Deep k-nearest neighbors", 2018, of which this is the last layer alone.

    >>> from neocog.layers import parse
    >>> layers = parse("flatten | linear classes")
    >>> network = Network.of(layers.build((1, 1, 2), 2), (1, 1, 2), layers=layers)
    >>> pictures = torch.tensor([[0, 0], [3, 4], [3, 0]], dtype=torch.uint8).reshape(3, 1, 2, 1)
    >>> pixels = Normalization(mean=(0.0,), std=(1 / 255,))
    >>> found = nearest(network, pixels(pictures[:1]), pictures, [0, 1, 1], ["a", "b", "c"], ["even", "odd"], pixels)
    >>> [(each.name, each.label, round(each.distance, 3)) for each in found]
    [('a', 'even', 0.0), ('c', 'odd', 3.0), ('b', 'odd', 5.0)]
    """
    images = torch.as_tensor(images_NHWC)
    if not len(images):
        raise ExplanationError("there are no training pictures to compare with; give at least one")
    here_1D = next(_hidden(network, iter([network.given(x_1CHW)])))
    distances, places = torch.empty(0), torch.empty(0, dtype=torch.int64)
    done = 0
    for some_ND in _hidden(network, inference_batches(images, normalization, network.device)):
        some = torch.linalg.vector_norm(some_ND - here_1D, dim=1).cpu()
        distances = torch.cat([distances, some])
        places = torch.cat([places, torch.arange(done, done + len(some))])
        # Stable, so that of equal ones the first stays.
        best = torch.sort(distances, stable=True).indices[:k]
        distances, places = distances[best], places[best]
        done += len(some)
        if progress is not None:
            progress(_SAYS, done, len(images))
    same = _same_pictures(x_1CHW, images[places], normalization)
    return tuple(
        Neighbour(
            index=place,
            name=str(names[place]),
            label=classes[int(labels[place])],
            # A sum over a batch is rounded otherwise than one over a picture alone.
            distance=0.0 if is_same else distance,
            picture=images[place].cpu().numpy(),
            same=is_same,
        )
        for place, distance, is_same in zip(places.tolist(), distances.tolist(), same, strict=True)
    )


def _hidden(network: Network, batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """What the last linear layer takes in, batch by batch: (N, D)."""
    layer = network.last_hidden()
    if layer is None:
        raise ExplanationError("the network has no linear layer, so there is no last hidden layer to compare in")
    weight = next(network.model.parameters())
    with watched(network.model, [layer.name], copies=False) as seen, float32_convolutions(), torch.inference_mode():
        for batch in batches:
            network.model(batch.to(weight.device, weight.dtype))
            values = seen[layer.name].input
            if len(values) != len(batch):
                raise ExplanationError(f"{layer} takes {len(values)} rows for {len(batch)} pictures, not one for each")
            yield values.flatten(1).float()


def _same_pictures(x_1CHW: Tensor, images_kHWC: Tensor, normalization: Normalization) -> list[bool]:
    """Whether the input is made from each picture: no value differs by half a grey level."""
    x_kCHW = normalization(images_kHWC.cpu())
    level = 1 / (255 * torch.tensor(normalization.std))[:, None, None]
    same: list[bool] = ((x_kCHW - x_1CHW.float().cpu()).abs() < level / 2).flatten(1).all(1).tolist()
    return same
