"""The layers of a network under the names people use: a recipe's layers by their numbers, other modules by torch's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from neocog.errors import ExplanationError
from neocog.explanations.watching import watched
from neocog.layers import Layers
from neocog.layers.blocks import Block
from neocog.layers.layer import Shape, shape_text
from neocog.layers.modules import BranchesModule, ResidualModule
from neocog.layers.stack import Placed
from neocog.ops.arguments import whole

_JOINING = (ResidualModule, BranchesModule)  # modules with modules inside that do something of their own


@dataclass(frozen=True, eq=False)
class NamedLayer:
    """A layer where it stands. Shapes leave the batch out."""

    number: str  # what people call it: "5" or "3.body.1" of a layer text, torch's name of any other module
    name: str  # torch's name
    text: str  # "conv 32 3 same", or "Conv2d(16, 32, kernel_size=(3, 3), stride=(1, 1))"
    module: nn.Module = field(repr=False)
    input_shape: Shape
    output_shape: Shape

    def __str__(self) -> str:
        return f"layer {self.number} '{self.text}'"

    def place(self, neuron: Sequence[int]) -> tuple[int, ...]:
        """The place of one of its outputs as whole numbers. Raises ExplanationError with those that there are."""
        shape = self.output_shape
        ranges = ", ".join(f"{name} 0 to {size - 1}" for name, size in zip(place_names(len(shape)), shape, strict=True))
        given = tuple(neuron) if isinstance(neuron, Sequence) and not isinstance(neuron, str) else (neuron,)
        text = ",".join(str(each) for each in given)
        if not shape:
            raise ExplanationError(f"{self} doesn't keep pictures apart, so its numbers have no place")
        gives = f"{self} gives {shape_text(shape)}: {ranges}"
        if len(given) != len(shape):
            count = "one number" if len(shape) == 1 else f"{len(shape)} numbers"
            raise ExplanationError(f"{gives}; give {count}, not {text or 'none'}")
        if not all(whole(index, 0) and index < size for index, size in zip(given, shape, strict=True)):
            raise ExplanationError(f"{gives}; {text} is outside")
        return tuple(int(index) for index in given)


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A network that can be looked into. Made by `of`; nothing in it is changed by looking."""

    model: nn.Module
    layers: tuple[NamedLayer, ...]  # in the order of their calls; what stands in a block before the block
    input_shape: Shape
    classes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        model: nn.Module,
        input_shape: Shape,
        classes: tuple[str, ...] | None = None,
        layers: Layers | None = None,
    ) -> Network:
        """The layers of any module, found by sending a blank picture (C, H, W) through it.

        `layers` is the text that `model` was built from as it is written, which then names its layers. `classes` are
        numbered unless given. Raises ExplanationError when the module can't take such a picture.
        """
        blank = _like_weights(model, torch.zeros((1, *input_shape)))
        with watched(model) as seen, torch.no_grad():
            try:
                output = model(blank)
            except Exception as error:
                reason = str(error).strip().split("\n")[0]
                raise ExplanationError(
                    f"the model can't take a picture of {shape_text(input_shape)}: {type(error).__name__}: {reason}"
                ) from error
        if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != 1:
            what = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ExplanationError(f"the model gives {what} for one picture; a classifier gives (1, classes)")
        names = classes or tuple(str(number) for number in range(output.shape[1]))
        if layers is not None:
            found = [
                NamedLayer(
                    item.number,
                    item.name,
                    item.layer.word if isinstance(item.layer, Block) else item.layer.text(),
                    model.get_submodule(item.name),
                    item.input_shape,
                    item.output_shape,
                )
                for item in _flat(layers.place(input_shape, output.shape[1]))
            ]
        else:
            found = [
                NamedLayer(
                    name,
                    name,
                    " ".join(str(each.module).split())
                    if not list(each.module.children())
                    else type(each.module).__name__,
                    each.module,
                    tuple(each.input.shape[1:]),
                    tuple(each.output.shape[1:]),
                )
                for name, each in seen.items()
                if (_whole(each.module) or isinstance(each.module, _JOINING))
                and "parametrizations" not in name.split(".")
            ]
        return cls(model, tuple(found), tuple(input_shape), names)

    def layer(self, name: str | int) -> NamedLayer:
        """The layer of that number, or by torch's name. Raises ExplanationError, which names the nearest and all."""
        name = str(name)
        by_number = {layer.number: layer for layer in self.layers}
        # A whole number is never torch's name of a layer that has a number of its own: torch counts from 0.
        by_name = {layer.name: layer for layer in self.layers if not layer.name.isdigit()}
        found = by_number.get(name) or by_name.get(name)
        if found is None:
            # One number is no misspelling of another.
            close = [] if name.isdigit() else get_close_matches(name, [*by_number, *by_name], n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'? The" if close else "the"
            listed = "; ".join(f"{layer.number} '{layer.text}'" for layer in self.layers)
            raise ExplanationError(f"there is no layer '{name}'; {hint} layers are {listed}")
        return found

    def last_convolution(self) -> NamedLayer | None:
        """The last convolution, whose maps Grad-CAM weighs; None in a network without one."""
        return next((layer for layer in reversed(self.layers) if isinstance(layer.module, nn.Conv2d)), None)

    def last_hidden(self) -> NamedLayer | None:
        """The layer whose output is the vector that the last linear layer gets; None without a linear layer."""
        return next((layer for layer in reversed(self.layers) if isinstance(layer.module, nn.Linear)), None)

    def given(self, x_1CHW: Tensor) -> Tensor:
        """A copy of a prepared picture, where the weights are and in their type.

        A copy, because a first layer may work in place. Raises ExplanationError for another shape.
        """
        if tuple(x_1CHW.shape) != (1, *self.input_shape):
            raise ExplanationError(
                f"the picture is {shape_text(tuple(x_1CHW.shape))}; "
                f"this network takes {shape_text((1, *self.input_shape))}, one prepared picture"
            )
        return _like_weights(self.model, x_1CHW.detach().clone())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next((each.device for each in self.model.parameters()), torch.device("cpu"))


def place_names(count: int) -> tuple[str, ...]:
    """What each of so many numbers counts that name one value of an output."""
    return {1: ("number",), 3: ("channel", "row", "column")}.get(count, tuple(f"axis {at}" for at in range(count)))


def _like_weights(model: nn.Module, x_1CHW: Tensor) -> Tensor:
    like = next((each for each in model.parameters() if each.is_floating_point()), x_1CHW)
    return x_1CHW.to(like.device, like.dtype)


def _whole(module: nn.Module) -> bool:
    """Whether nothing in it is a layer of its own; what makes a weight of others (weight_norm …) is none."""
    return all(name == "parametrizations" for name, _ in module.named_children())


def _flat(placed: tuple[Placed, ...]) -> Iterator[Placed]:
    for item in placed:
        for part in item.parts:
            yield from _flat(part)
        yield item
