"""Layers one after another: placed in shapes, tabled, and built as a torch module."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from neocog.errors import LayerError
from neocog.geometry import Field
from neocog.layers.blocks import Block
from neocog.layers.layer import Layer, Shape, shape_text
from neocog.layers.words import MaxPool

if TYPE_CHECKING:
    from torch import nn

_Fields = tuple[Field, Field] | None  # along height and width; None: the whole picture


@dataclass(frozen=True)
class Placed:
    """A layer where it stands: `number` is for people (from 1), `name` is torch's (from 0)."""

    number: str
    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parts: tuple[tuple[Placed, ...], ...] = ()

    def module(self) -> nn.Module:
        """The torch module of this layer."""
        if isinstance(self.layer, Block):
            return self.layer.join_modules([_sequential(part) for part in self.parts])
        return self.layer.module(self.input_shape)


@dataclass(frozen=True)
class Row:
    """One line of the layer table; shapes without the batch, `macs` multiply-adds for one picture."""

    number: str
    name: str
    text: str
    input_shape: Shape
    output_shape: Shape
    formula: str
    parameters: int
    macs: int
    receptive_field: tuple[int, int] | None  # rows, columns of the picture that one value depends on
    unread: tuple[int, int]  # rows, columns of the input that no window reads


@dataclass(frozen=True)
class Layers:
    """Layers one after another."""

    layers: tuple[Layer, ...]

    def text(self, separator: str = " | ") -> str:
        """The layers in normal form: parsing it gives these layers again."""
        return separator.join(layer.text() for layer in self.layers)

    def place(
        self, input_shape: Shape, classes: int | None = None, *, number: str = "", name: str = ""
    ) -> tuple[Placed, ...]:
        """Each layer with the shapes it gets and gives; LayerError names the first that can't work."""
        placed: list[Placed] = []
        shape = tuple(input_shape)
        for position, written in enumerate(self.layers):
            layer = written.with_classes(classes)
            own_number, own_name = f"{number}{position + 1}", f"{name}{position}"
            parts: tuple[tuple[Placed, ...], ...] = ()
            if isinstance(layer, Block):
                parts = tuple(
                    part.place(shape, classes, number=f"{own_number}.{label}.", name=f"{own_name}.{label}.")
                    for label, part in zip(layer.part_names(len(layer.parts)) or (), layer.parts, strict=True)
                )
            try:
                if isinstance(layer, Block):
                    ends = [part[-1].output_shape if part else shape for part in parts]
                    out = layer.join_shapes(ends, shape)
                else:
                    out = layer.output_shape(shape)
            except LayerError as error:
                raise LayerError(f"layer {own_number} '{layer.text()}': {error}") from None
            placed.append(Placed(own_number, own_name, layer, shape, out, parts))
            shape = out
        return tuple(placed)

    def check(self, input_shape: Shape, classes: int) -> tuple[Placed, ...]:
        """As `place`, for a classifier: the last layer must give one value for each class."""
        placed = self.place(input_shape, classes)
        if not placed:
            raise LayerError("the layer text is empty; write at least 'flatten | linear classes'")
        end = placed[-1].output_shape
        if len(end) != 1:
            raise LayerError(
                f"the network ends in a {shape_text(end)} map, not in one value for each of the {classes} classes; "
                "end it with 'flatten | linear classes'"
            )
        if end[0] != classes:
            last = next((item for item in reversed(placed) if item.input_shape != end), placed[-1])
            raise LayerError(
                f"layer {last.number} '{last.layer.text()}': gives {end[0]} values but the data has {classes} "
                "classes; write 'linear classes'"
            )
        return placed

    def table(self, input_shape: Shape, classes: int | None = None) -> list[Row]:
        """One row for each layer, with the size formula filled in; layers inside a block come before the block's."""
        rows: list[Row] = []
        _tabulate(self.place(input_shape, classes), (Field(), Field()), tuple(input_shape), rows)
        return rows

    def build(self, input_shape: Shape, classes: int) -> nn.Sequential:
        """A plain torch network for pictures of this shape; draws its initial weights from torch's generator."""
        return _sequential(self.check(input_shape, classes))

    def pool_first(self) -> Layers:
        """The same function with each max pooling before the activation it followed, which is less work.

        A function that never decreases changes places with taking the largest: f(max xᵢ) = max f(xᵢ). No layer with
        parameters moves, so the names in the state dict stay.
        """
        order = [
            layer.with_parts(tuple(part.pool_first() for part in layer.parts)) if isinstance(layer, Block) else layer
            for layer in self.layers
        ]
        for position in range(len(order) - 1):
            if order[position].monotone and isinstance(order[position + 1], MaxPool):
                order[position : position + 2] = reversed(order[position : position + 2])
        return Layers(tuple(order))


def _sequential(placed: tuple[Placed, ...]) -> nn.Sequential:
    from torch import nn

    return nn.Sequential(*(item.module() for item in placed))


def _tabulate(placed: tuple[Placed, ...], fields: _Fields, picture: Shape, rows: list[Row]) -> _Fields:
    """Appends the rows of the layers and gives the receptive field after the last."""
    for item in placed:
        layer, shape = item.layer, item.input_shape
        if isinstance(layer, Block):
            ends = [_tabulate(part, fields, picture, rows) for part in item.parts]
            fields = _widest(ends)
            text, own_parameters, own_macs = f"{layer.word}: {layer.joins}", 0, 0
        else:
            windows = layer.windows(shape)
            if layer.sees_everything():
                fields = None
            elif windows is not None and fields is not None:
                fields = (fields[0].through(windows[0]), fields[1].through(windows[1]))
            text, own_parameters, own_macs = layer.text(), layer.parameters(shape), layer.macs(shape)
        seen = (fields[0].size, fields[1].size) if fields else picture[1:] if len(picture) == 3 else None
        rows.append(
            Row(
                number=item.number,
                name=item.name,
                text=text,
                input_shape=shape,
                output_shape=item.output_shape,
                formula=layer.formula(shape),
                parameters=own_parameters,
                macs=own_macs,
                receptive_field=(seen[0], seen[1]) if seen else None,
                unread=layer.unread(shape),
            )
        )
    return fields


def _widest(ends: list[_Fields]) -> _Fields:
    """The receptive field of several branches together."""
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    rows, columns = zip(*known, strict=True)
    return reduce(Field.joined, rows), reduce(Field.joined, columns)
