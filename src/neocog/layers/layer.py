"""What every layer answers for: its shape, cost and windows, its torch module, and its text.

Shapes leave the batch out: (channels, height, width) for a map, (features,) for a vector. One multiply-add counts as
one MAC; the additions of a bias and comparisons are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from neocog.geometry import Window, formula, unread

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
WORDS: dict[str, type[Layer]] = {}


def shape_text(shape: Shape) -> str:
    """A shape as people write it: `16×28×28`, or `784` for a vector."""
    return "×".join(str(size) for size in shape)


@dataclass(frozen=True)
class Layer:
    """One layer. The defaults describe a layer that works on each value alone and has nothing to learn."""

    word: ClassVar[str] = ""
    monotone: ClassVar[bool] = False  # never decreasing, value by value: may change places with max pooling

    def __init_subclass__(cls) -> None:
        if cls.word:
            WORDS[cls.word] = cls

    def output_shape(self, shape: Shape) -> Shape:
        """The shape that comes out; LayerError when `shape` can't go in."""
        return shape

    def parameters(self, shape: Shape) -> int:
        """How many numbers are learned."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Multiply-adds for one picture."""
        return 0

    def windows(self, shape: Shape) -> tuple[Window, Window] | None:
        """The windows along height and width, or None for a layer that has none."""
        return None

    def sees_everything(self) -> bool:
        """Whether each value that comes out depends on every place of what goes in."""
        return False

    def formula(self, shape: Shape) -> str:
        """The output size with its numbers filled in; height and width apart when they differ."""
        windows = self.windows(shape)
        if windows is None:
            return ""
        both = [formula(size, window) for size, window in zip(shape[1:], windows, strict=True)]
        return both[0] if both[0] == both[1] else " and ".join(both)

    def unread(self, shape: Shape) -> tuple[int, int]:
        """Rows and columns at the end of the input that no window reads."""
        windows = self.windows(shape)
        if windows is None:
            return 0, 0
        rows, columns = (unread(size, window) for size, window in zip(shape[1:], windows, strict=True))
        return rows, columns

    def with_classes(self, classes: int | None) -> Layer:
        """The layer with the word `classes` replaced by the number."""
        return self

    def module(self, shape: Shape) -> nn.Module:
        """The torch module for an input of this shape."""
        raise AssertionError(f"{type(self).__name__} has no torch module")

    def text(self) -> str:
        """The layer in the normal form of the language: what equals its default is left out."""
        words = [self.word]
        for item in fields(self):
            value = getattr(self, item.name)
            if value == item.default:
                continue
            kind = item.metadata["kind"]
            shown = kind.show(value)
            named = item.metadata["named"] and shown not in kind.bare
            words.append(f"{item.name}={shown}" if named else shown)
        return " ".join(words)
