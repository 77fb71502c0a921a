"""Which pixels a number depends on: by arithmetic, and measured.

Legend: N pictures, of which there is one; C channels, K of them after a convolution, in G groups; H W rows and columns,
P Q of them after a window. A mask is true for each value that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from neocog.errors import ExplanationError
from neocog.explanations.network import NamedLayer, Network
from neocog.explanations.questions import differentiating
from neocog.explanations.watching import watched
from neocog.geometry import Field, Window
from neocog.inference import float32_convolutions
from neocog.summary.operations import operation_name, tensors, window_pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 0.95
_SAME_VALUES = {"view", "_unsafe_view", "squeeze", "unsqueeze", "alias", "detach", "_reshape_alias", "_to_copy"}
# What works on each value alone, though torch doesn't say so: among it batch normalisation after the training.
_ALONE = {"_native_batch_norm_legit_no_training", "_prelu_kernel", "hardswish", "hardswish_", "log_sigmoid_forward"}
_EVALUATING_UNLESS_TOLD = {"native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"}
_TRAINING = 5  # the place of their argument that tells

Rule = Callable[[Tensor], Tensor]  # from the mask of a result to that of one tensor that it was made of
Fields = tuple[Field, Field] | None  # along rows and columns; None: some operation mixes all of a picture


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The pixels that one number of a layer depends on, by arithmetic and measured on one picture.

    What is measured is |∂value/∂x|, summed over the picture's channels. It is 0 beyond the box, and often much smaller
    towards its edge than in its middle.

    Sources: A. Araujo, W. Norris, J. Sim, "Computing receptive fields of convolutional neural networks", Distill 2019;
    W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the effective receptive field in deep convolutional neural
    networks", 2016.
    """

    layer: NamedLayer
    neuron: tuple[int, ...]
    value: float  # the number itself
    strongest: bool  # whether it is the largest of its layer, taken because none was asked for
    size: tuple[int, int] | None  # rows and columns where no edge cuts them; None where a layer mixes all places
    box: tuple[int, int, int, int]  # top, left, height and width of the pixels inside of the picture
    measured_HW: NDArray[np.float32]

    @property
    def outside(self) -> int:
        """Pixels beyond the box with a gradient other than 0. There are none, or the arithmetic is wrong."""
        top, left, height, width = self.box
        beyond_HW = self.measured_HW != 0
        beyond_HW[top : top + height, left : left + width] = False
        return int(beyond_HW.sum())

    @property
    def share_95(self) -> float:
        """The least share of the box's pixels that together hold 95 % of the gradient; 0 where all of it is 0."""
        top, left, height, width = self.box
        falling = np.sort(self.measured_HW[top : top + height, left : left + width], axis=None)[::-1].astype(float)
        if not falling.sum():
            return 0.0
        return (int(np.searchsorted(falling.cumsum(), _MOST * falling.sum())) + 1) / falling.size


def receptive_field(
    network: Network, x_1CHW: Tensor, layer: str, neuron: tuple[int, ...] | None = None
) -> ReceptiveField:
    """The receptive field of one number of a layer, for a prepared picture (1, C, H, W).

    By arithmetic it follows every operation of the forward pass backwards, of any torch module: convolutions and
    poolings pixel by pixel, padding left out; what works on each value alone; and everything else as if it mixed all
    that it gets, among it linear layers, global pooling, and normalisation by statistics of the picture itself.

    Args:
        network: whose weights and modes stay as they are.
        x_1CHW: the picture, which decides what is measured, but not the box.
        layer: its number or name.
        neuron: (channel, row, column) of a map, (feature,) of a vector; the one with the largest value unless given.

    Raises:
        ExplanationError: there is no such layer or neuron.

    >>> from neocog.layers import parse
    >>> layers = parse("conv 2 3 same | maxpool 2 | conv 1 3 same | flatten | linear 2")
    >>> network = Network.of(layers.build((1, 8, 8), 2), (1, 8, 8), layers=layers)
    >>> found = receptive_field(network, torch.rand(1, 1, 8, 8), "3", (0, 1, 0))
    >>> found.size, found.box, found.outside
    ((8, 8), (0, 0, 7, 5), 0)
    """
    chosen = network.layer(layer)
    neuron = None if neuron is None else chosen.place(neuron)
    measured_HW, place, value = _measure(network, x_1CHW, chosen, neuron)
    fields, box = _by_arithmetic(network, x_1CHW, chosen, place)
    return ReceptiveField(
        layer=chosen,
        neuron=place,
        value=value,
        strongest=neuron is None,
        size=None if fields is None else (fields[0].size, fields[1].size),
        box=box,
        measured_HW=measured_HW,
    )


def _measure(
    network: Network, x_1CHW: Tensor, layer: NamedLayer, neuron: tuple[int, ...] | None
) -> tuple[NDArray[np.float32], tuple[int, ...], float]:
    """The gradient (H, W), the neuron, and its value."""
    with watched(network.model, [layer.name], copies=False) as seen, differentiating(), float32_convolutions():
        leaf_1CHW = network.given(x_1CHW).requires_grad_()
        network.model(leaf_1CHW.clone())  # not the leaf itself, which a layer that works in place may not change
        if layer.name not in seen:
            raise ExplanationError(f"{layer}: the picture doesn't pass it, or it gives no tensor; choose another layer")
        values = seen[layer.name].output[0]
        place = neuron or tuple(int(at) for at in np.unravel_index(int(values.argmax()), tuple(values.shape)))
        gradient_1CHW = None
        if values.requires_grad:
            (gradient_1CHW,) = torch.autograd.grad(values[place], leaf_1CHW, allow_unused=True)
    if gradient_1CHW is None:
        gradient_1CHW = torch.zeros_like(x_1CHW)
    measured: NDArray[np.float32] = gradient_1CHW[0].abs().sum(0).float().cpu().numpy()
    return measured, place, float(values[place].detach())


def _by_arithmetic(
    network: Network, x_1CHW: Tensor, layer: NamedLayer, neuron: tuple[int, ...]
) -> tuple[Fields, tuple[int, int, int, int]]:
    picture_1CHW = network.given(x_1CHW)
    recorder = _Recorder(picture_1CHW)
    with watched(network.model, [layer.name]) as seen, torch.no_grad(), recorder:
        network.model(picture_1CHW)
    made = recorder.made.get(id(seen[layer.name].output))
    if made is None:  # it doesn't come from the picture at all
        return (Field(), Field()), (0, 0, 0, 0)
    mask = torch.zeros(made.shape, dtype=torch.bool)
    mask[(0, *neuron)] = True
    return made.fields, _box(recorder.back(made, mask).any(1)[0])


def _box(mask_HW: Tensor) -> tuple[int, int, int, int]:
    if not mask_HW.any():
        return 0, 0, 0, 0
    rows, columns = (mask_HW.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


@dataclass(frozen=True, eq=False)
class _Made:
    """A tensor that depends on the picture, and the tensors it was made of, each with the way back to it."""

    shape: torch.Size
    fields: Fields
    sources: tuple[tuple[_Made, Rule], ...]


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes how each tensor came from the picture, operation by operation."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Asked by torch, which would otherwise import its compiler for a second to tell it to leave this class alone.
        return False

    def __init__(self, picture_1CHW: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.picture = _Made(picture_1CHW.shape, (Field(), Field()), ())
        self.made = {id(picture_1CHW): self.picture}
        self._order = [self.picture]
        self._muddled = False  # something was written into a part of a tensor, which changes the whole one, too
        self._kept = [picture_1CHW]  # so that no later tensor gets the id of one of these

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [(at, tensor) for at, tensor in enumerate(tensors([args, kwargs or {}])) if id(tensor) in self.made]
        sources = [(self.made[id(tensor)], at, tensor) for at, tensor in given]
        written = next(tensors(args), None) if function._schema.is_mutable else None
        self._muddled |= bool(sources) and written is not None and written._is_view()
        out = function(*args, **(kwargs or {}))
        if self._muddled:
            for result in tensors(out):
                self._note(result, _Made(result.shape, None, ((self.picture, _all_of(self.picture)),)))
            return out
        for result in tensors(out) if sources else ():
            rules = [_rule(function, args, result, at, tensor) for _, at, tensor in sources]
            fields = [_fields(function, args, made, rule) for (made, _, _), rule in zip(sources, rules, strict=True)]
            backs = ((made, rule or _all_of(made)) for (made, _, _), rule in zip(sources, rules, strict=True))
            self._note(result, _Made(result.shape, _joined(fields), tuple(backs)))
        return out

    def _note(self, result: Tensor, made: _Made) -> None:
        self.made[id(result)] = made
        self._order.append(made)
        self._kept.append(result)

    def back(self, made: _Made, mask: Tensor) -> Tensor:
        """The mask (1, C, H, W) of the picture's values that some values of a tensor depend on."""
        masks = {self.picture: torch.zeros(self.picture.shape, dtype=torch.bool), made: mask}
        for later in reversed(self._order):
            if later in masks:
                for earlier, rule in later.sources:
                    found = rule(masks[later])
                    masks[earlier] = masks[earlier] | found if earlier in masks else found
        return masks[self.picture]


def _fields(function: Any, args: tuple[Any, ...], source: _Made, rule: Rule | None) -> Fields:
    """The fields of a result as far as they come from one of its sources."""
    if rule is None or source.fields is None:
        return None
    windows = window_pair(function, args)
    if windows is None and operation_name(function) == "constant_pad_nd":
        left, _, top, _ = (*args[1], 0, 0, 0, 0)[:4]
        windows = Window(1, before=top), Window(1, before=left)
    if windows is None:
        return source.fields
    return source.fields[0].through(windows[0]), source.fields[1].through(windows[1])


def _joined(all_fields: list[Fields]) -> Fields:
    known = [fields for fields in all_fields if fields is not None]
    if len(known) < len(all_fields):
        return None
    rows, columns = zip(*known, strict=True)
    return reduce(Field.joined, rows), reduce(Field.joined, columns)


def _rule(function: Any, args: tuple[Any, ...], result: Tensor, at: int, source: Tensor) -> Rule | None:
    """How to get from a mask of the result to one of the source, the tensor `at` that place among all that were given.

    None where the operation mixes all of it, or isn't known not to.
    """
    name, shape = operation_name(function), source.shape
    windows = window_pair(function, args)
    if windows is not None:
        return (
            _through_windows(windows, args[8] if name == "convolution" else shape[1], source, result)
            if not at
            else None
        )
    if name in _SAME_VALUES:
        return (lambda mask: mask.reshape(shape)) if result.numel() == source.numel() else None
    if name == "constant_pad_nd":
        return _without_padding(args[1], shape) if min(args[1]) >= 0 else None
    if name == "cat":
        axis = args[1] if len(args) > 1 else 0
        start = sum(each.shape[axis] for each in args[0][:at])
        return lambda mask: mask.narrow(axis, start, shape[axis])
    alone = (
        torch.Tag.pointwise in function.tags
        or name in _ALONE
        or (name in _EVALUATING_UNLESS_TOLD and not args[_TRAINING])
    )
    if not alone or not _is_spread(shape, result.shape):
        return None
    return lambda mask: _gathered(mask, shape)


def _all_of(made: _Made) -> Rule:
    return lambda mask: mask.any().expand(made.shape)


def _through_windows(windows: tuple[Window, Window], groups: int, source: Tensor, result: Tensor) -> Rule:
    """Back through a convolution of so many groups, or a pooling, where each channel is a group of its own."""
    shape = source.shape
    rows_PH, columns_QW = (
        _reads(size, count, window) for size, count, window in zip(shape[2:], result.shape[2:], windows, strict=True)
    )

    def back(mask_1KPQ: Tensor) -> Tensor:
        mask_GPQ = mask_1KPQ.reshape(groups, -1, *mask_1KPQ.shape[2:]).any(1).float()
        read_GHW = rows_PH.T @ mask_GPQ @ columns_QW > 0
        return read_GHW.repeat_interleave(shape[1] // groups, dim=0)[None]

    return back


def _reads(size: int, count: int, window: Window) -> Tensor:
    """Which of `size` places each of `count` windows reads, padding left out: 0 or 1, (count, size)."""
    starts = torch.arange(count)[:, None] * window.stride - window.before
    places = starts + torch.arange(window.kernel) * window.dilation
    return (places[:, :, None] == torch.arange(size)).any(1).float()


def _without_padding(pads: list[int], shape: torch.Size) -> Rule:
    """Back through constants put around a tensor, given from its last axis on, before and after."""

    def back(mask: Tensor) -> Tensor:
        for axis, before in zip(range(len(shape) - 1, -1, -1), pads[::2], strict=False):
            mask = mask.narrow(axis, before, shape[axis])
        return mask

    return back


def _is_spread(shape: torch.Size, over: torch.Size) -> bool:
    """Whether values of that shape are spread over the other by torch's rule, each axis as it is or from 1."""
    if len(shape) > len(over):
        return False
    return all(size in (1, wide) for size, wide in zip(reversed(shape), reversed(over), strict=False))


def _gathered(mask: Tensor, shape: torch.Size) -> Tensor:
    """The mask of values that were spread over that of a result."""
    while mask.ndim > len(shape):
        mask = mask.any(0)
    for axis, size in enumerate(shape):
        if size < mask.shape[axis]:
            mask = mask.any(axis, keepdim=True)
    return mask
