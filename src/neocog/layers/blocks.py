"""Words that hold other layers: `residual( … ; … )` adds, `branches( … ; … )` puts side by side."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from neocog.errors import LayerError
from neocog.layers.arguments import PAIR, Kind, argument
from neocog.layers.layer import Layer, Shape, shape_text

if TYPE_CHECKING:
    from torch import nn

    from neocog.layers.stack import Layers

BLOCKS: dict[str, type[Block]] = {}
_PARTS = Kind("layers", str)


@dataclass(frozen=True)
class Block(Layer):
    """Several runs of layers that all get the same input; `join_shapes` says what becomes of their outputs."""

    example: ClassVar[str] = ""
    joins: ClassVar[str] = ""
    parts: tuple[Layers, ...] = argument(_PARTS)

    def __init_subclass__(cls) -> None:
        BLOCKS[cls.word] = cls

    @classmethod
    def part_names(cls, count: int) -> list[str] | None:
        """The names of that many parts in errors and state dicts, or None when there can't be so many."""
        raise AssertionError(f"{cls.__name__} names no parts")

    def join_shapes(self, shapes: list[Shape], input_shape: Shape) -> Shape:
        """The shape of the joined outputs of the parts; LayerError when they don't go together."""
        raise AssertionError(f"{type(self).__name__} joins no shapes")

    def join_modules(self, modules: list[nn.Module]) -> nn.Module:
        """The torch module made of one module for each part."""
        raise AssertionError(f"{type(self).__name__} joins no modules")

    def with_parts(self, parts: tuple[Layers, ...]) -> Block:
        """The same block around other layers."""
        return type(self)(parts)

    def text(self) -> str:
        return f"{self.word}( {' ; '.join(part.text() for part in self.parts)} )".replace(";  )", "; )")


@dataclass(frozen=True)
class Residual(Block):
    """F(x) + x, or F(x) + G(x) with a shortcut G after `;` (He et al., "Deep Residual Learning", 2016)."""

    word = "residual"
    example = "residual( conv 16 3 same | batchnorm | relu | conv 16 3 same | batchnorm )"
    joins = "add"

    @classmethod
    def part_names(cls, count: int) -> list[str] | None:
        return ["body", "shortcut"][:count] if count <= 2 else None

    def join_shapes(self, shapes: list[Shape], input_shape: Shape) -> Shape:
        body, shortcut = shapes[0], shapes[1] if len(shapes) > 1 else input_shape
        if body != shortcut:
            raise LayerError(
                f"its layers give {shape_text(body)} but the shortcut gives {shape_text(shortcut)}; "
                f"give the shortcut its own layers after ';'{_shortcut_hint(body, input_shape)}"
            )
        return body

    def join_modules(self, modules: list[nn.Module]) -> nn.Module:
        from neocog.layers.modules import ResidualModule

        return ResidualModule(*modules)


def _shortcut_hint(body: Shape, shape: Shape) -> str:
    """An example of a shortcut from `shape` to the shape of the body, where one layer can do it."""
    if len(body) == 1:
        return f", such as '; {'flatten | ' if len(shape) == 3 else ''}linear {body[0]}'"
    strides = [ceil(size / out) for size, out in zip(shape[1:], body[1:], strict=True)]
    if [ceil(size / stride) for size, stride in zip(shape[1:], strides, strict=True)] != list(body[1:]):
        return " that give the same shape"
    stride = PAIR.show((strides[0], strides[1]))
    return f", such as '; conv {body[0]} 1{'' if stride == '1' else f' stride={stride}'} bias=no'"


@dataclass(frozen=True)
class Branches(Block):
    """Outputs joined along the channels (Szegedy et al., "Going deeper with convolutions", 2015)."""

    word = "branches"
    example = "branches( conv 8 1 ; conv 8 3 same ; conv 8 5 same )"
    joins = "concatenate"

    @classmethod
    def part_names(cls, count: int) -> list[str] | None:
        return [str(number) for number in range(count)]

    def join_shapes(self, shapes: list[Shape], input_shape: Shape) -> Shape:
        if len({shape[1:] for shape in shapes}) > 1:
            given = ", ".join(shape_text(shape) for shape in shapes)
            raise LayerError(f"its branches give {given}; all must have the same height and width")
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def join_modules(self, modules: list[nn.Module]) -> nn.Module:
        from neocog.layers.modules import BranchesModule

        return BranchesModule(*modules)
