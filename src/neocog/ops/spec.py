"""How kernels walk over a picture: one frozen record, made and checked once, that every algorithm trusts.

Shape letters in this package: N pictures, C channels in, G groups, K kernels (channels out), H W picture, R S kernel,
P Q output. Rows come before columns everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neocog.errors import OperationError
from neocog.geometry import Window, formula, output_size, same_padding
from neocog.ops.arguments import check_most, several, shown, whole

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]
Shape4 = tuple[int, int, int, int]
Padding = int | Sequence[int] | str


@dataclass(frozen=True)
class ConvSpec:
    """How kernels walk: y[p, q] = Σ x[p·stride + r·dilation − top, q·stride + s·dilation − left] · w[r, s].

    Pairs are (rows, columns). `padding` counts the zeros around the picture as (top, bottom, left, right).
    Make one with `ConvSpec.make`, which takes what people write. Made directly, it takes this normal form alone.

    Raises:
        OperationError: something is no tuple of as many whole numbers, or one is too small or too large.
    """

    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        for name, least, count in (("kernel_size", 1, 2), ("stride", 1, 2), ("padding", 0, 4), ("dilation", 1, 2)):
            value = getattr(self, name)
            if not isinstance(value, tuple) or len(value) != count or not all(whole(part, least) for part in value):
                raise OperationError(
                    f"{name} = {shown(value)}: ConvSpec takes a tuple of {count} whole numbers of at least {least}; "
                    "ConvSpec.make takes what people write"
                )
            check_most(name, value, value)
            object.__setattr__(self, name, tuple(int(part) for part in value))
        if not whole(self.groups, 1):
            raise OperationError(f"groups = {shown(self.groups)}: give a whole number of at least 1")
        check_most("groups", self.groups, [self.groups])
        object.__setattr__(self, "groups", int(self.groups))

    @classmethod
    def make(
        cls,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> ConvSpec:
        """The spec of what people write: one number for both directions, or two; four or a word for padding.

        `padding` is a number, (rows, columns), (top, bottom, left, right), "valid" for none, or "same" for as many
        pixels out as in; with an even kernel "same" puts the odd pixel at the bottom and the right, as torch does.

        Raises:
            OperationError: a number is no whole number, too small or too large, or "same" is asked for at a stride.

        >>> ConvSpec.make(3, padding="same")
        ConvSpec(kernel_size=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1), dilation=(1, 1), groups=1)
        >>> ConvSpec.make((2, 4), padding="same").padding
        (0, 1, 1, 2)
        """
        kernel = pair("kernel_size", kernel_size, least=1)
        steps = pair("stride", stride, least=1)
        gaps = pair("dilation", dilation, least=1)
        return cls(kernel, steps, _sides(padding, kernel, steps, gaps), gaps, groups)

    @property
    def windows(self) -> tuple[Window, Window]:
        """The walk along the rows and along the columns."""
        top, bottom, left, right = self.padding
        return (
            Window(self.kernel_size[0], self.stride[0], top, bottom, self.dilation[0]),
            Window(self.kernel_size[1], self.stride[1], left, right, self.dilation[1]),
        )

    @property
    def extent(self) -> Pair:
        """Rows and columns that one window spans: D·(R − 1) + 1."""
        rows, columns = self.windows
        return rows.extent, columns.extent

    def padded_size(self, input_size: Sequence[int]) -> Pair:
        """Rows and columns of the picture with its padding."""
        top, bottom, left, right = self.padding
        return input_size[0] + top + bottom, input_size[1] + left + right

    def output_size(self, input_size: Sequence[int]) -> Pair:
        """Rows and columns that come out: ⌊(H + P − D·(R − 1) − 1)/S⌋ + 1 each.

        Raises:
            OperationError: the kernel is larger than the padded picture.

        >>> ConvSpec.make(3, stride=2, padding=1).output_size((28, 28))
        (14, 14)
        """
        padded, extent = self.padded_size(input_size), self.extent
        if extent[0] > padded[0] or extent[1] > padded[1]:
            spread = (
                f" at dilation {short(self.dilation)} spans {times(extent)} pixels and"
                if self.dilation != (1, 1)
                else ""
            )
            around = f" ({times(padded)} with its padding)" if any(self.padding) else ""
            missing = max(-(-(need - have) // 2) for need, have in zip(extent, padded, strict=True))
            raise OperationError(
                f"a {times(self.kernel_size)} kernel{spread} does not fit the {times(input_size)} picture{around}; "
                f"use a smaller kernel, or {missing} more padding on each side"
            )
        rows, columns = (output_size(size, window) for size, window in zip(input_size, self.windows, strict=True))
        return rows, columns

    def formula(self, input_size: Sequence[int]) -> tuple[str, str]:
        """The output sizes with their numbers filled in, rows and columns.

        >>> ConvSpec.make(5, padding=2).formula((28, 28))[0]
        '(28 + 2·2 − 5)/1 + 1 = 28'
        """
        rows, columns = (formula(size, window) for size, window in zip(input_size, self.windows, strict=True))
        return rows, columns


def times(sizes: Sequence[int]) -> str:
    """Sizes as people write them: `3×5`."""
    return "×".join(str(size) for size in sizes)


def short(sizes: Pair) -> str:
    """A pair as people write it: one number where both are the same."""
    return str(sizes[0]) if sizes[0] == sizes[1] else times(sizes)


def pair(name: str, value: Any, least: int) -> Pair:
    """One number for both directions, or two, as (rows, columns)."""
    parts = (value, value) if whole(value, least) else several(value)
    if len(parts) != 2 or not all(whole(part, least) for part in parts):
        raise OperationError(
            f"{name} = {shown(value)}: give a whole number of at least {least}, or two (rows, columns)"
        )
    check_most(name, value, parts)
    return int(parts[0]), int(parts[1])


def _sides(padding: Any, kernel: Pair, stride: Pair, dilation: Pair) -> Sides:
    word = padding if isinstance(padding, str) else ""
    if word == "valid":
        return 0, 0, 0, 0
    if word == "same":
        if stride != (1, 1):
            raise OperationError(
                f"padding 'same' keeps the size only at stride 1, not at stride {short(stride)}; "
                "give the padding as numbers"
            )
        return (*same_padding(kernel[0], dilation[0]), *same_padding(kernel[1], dilation[1]))
    parts = (padding,) * 4 if whole(padding, 0) else several(padding)
    if len(parts) == 2:
        parts = (parts[0], parts[0], parts[1], parts[1])
    if len(parts) != 4 or not all(whole(part, 0) for part in parts):
        raise OperationError(
            f"padding = {shown(padding)}: give a whole number of at least 0, two (rows, columns), four (top, bottom, "
            "left, right), 'same' or 'valid'"
        )
    check_most("padding", padding, parts)
    top, bottom, left, right = (int(part) for part in parts)
    return top, bottom, left, right
