"""Where pooling windows land: for each window along an axis, the pixels that it reads. Whole numbers only, no torch.

Plain, adaptive and global pooling differ in nothing but these: once it is known what each window reads, there is one
maximum and one average for all of them. Shape letters as in `neocog.ops.spec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neocog.errors import OperationError
from neocog.geometry import Window, output_size
from neocog.ops.arguments import check_most, flag, several, shown, whole
from neocog.ops.spec import Pair, pair, short, times

Reads = tuple[range, ...]
"""The pixels that each window along one axis reads, in order; those of the padding are left out."""


@dataclass(frozen=True)
class PoolSpec:
    """How a pooling window walks. Pairs are (rows, columns); make one with `PoolSpec.make`, which checks."""

    kernel_size: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @classmethod
    def make(
        cls,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
    ) -> PoolSpec:
        """The spec of what people write: one number for both directions, or two; without a stride, the window's size.

        Raises:
            OperationError: a number is no whole number, too small or too large, or the padding more than half of the
                window.

        >>> PoolSpec.make(2)
        PoolSpec(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1), ceil_mode=False)
        """
        kernel = pair("kernel_size", kernel_size, least=1)
        steps = kernel if stride is None else pair("stride", stride, least=1)
        around = pair("padding", padding, least=0)
        gaps = pair("dilation", dilation, least=1)
        ceil = flag("ceil_mode", ceil_mode)
        for pad, size in zip(around, kernel, strict=True):
            if pad > size // 2:
                raise OperationError(
                    f"padding = {shown(padding)} is more than half of the {times(kernel)} window; use at most "
                    f"{size // 2}"
                )
        return cls(kernel, steps, around, gaps, ceil)

    @property
    def windows(self) -> tuple[Window, Window]:
        """The walk along the rows and along the columns."""
        rows, columns = (
            Window(kernel, stride, pad, pad, dilation, self.ceil_mode)
            for kernel, stride, pad, dilation in zip(
                self.kernel_size, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return rows, columns

    def reads(self, input_size: Pair) -> tuple[Reads, Reads]:
        """What each window reads, along the rows and along the columns.

        Raises:
            OperationError: the window is larger than the padded picture, or one reads nothing of the picture.

        >>> PoolSpec.make(3, stride=2, padding=1).reads((4, 2))
        ((range(0, 2), range(1, 4)), (range(0, 2),))
        """
        rows, columns = (self._starts(axis, input_size) for axis in (0, 1))
        return self._inside(0, rows, input_size), self._inside(1, columns, input_size)

    def cells(self, input_size: Pair) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How many cells each window has along the rows and along the columns, padding counted.

        A window that hangs over the end of the padding (`ceil_mode`) is cut there. For windows without dilation.

        >>> PoolSpec.make(2, ceil_mode=True).cells((5, 4))
        ((2, 2, 1), (2, 2))
        """
        rows, columns = (
            tuple(min(start + window.kernel, size + window.after) - start for start in self._starts(axis, input_size))
            for axis, (window, size) in enumerate(zip(self.windows, input_size, strict=True))
        )
        return rows, columns

    def _starts(self, axis: int, input_size: Pair) -> range:
        """Where each window along one axis begins; below 0 in the padding."""
        window = self.windows[axis]
        count = output_size(input_size[axis], window)
        if count < 1:
            extent = [window.extent for window in self.windows]
            spread = f" at dilation {short(self.dilation)} spans {times(extent)} pixels and"
            padded = [size + 2 * pad for size, pad in zip(input_size, self.padding, strict=True)]
            around = f" ({times(padded)} with its padding)"
            raise OperationError(
                f"a {times(self.kernel_size)} window{spread if self.dilation != (1, 1) else ''} does not fit the "
                f"{times(input_size)} picture{around if any(self.padding) else ''}; use a smaller window or larger "
                "pictures"
            )
        return range(-window.before, count * window.stride - window.before, window.stride)

    def _inside(self, axis: int, starts: range, input_size: Pair) -> Reads:
        window, size = self.windows[axis], input_size[axis]
        gap = window.dilation
        reads = tuple(
            range(start % gap if start < 0 else start, min(start + window.extent, size), gap) for start in starts
        )
        if not all(reads):  # torch answers these with an index outside the picture
            raise OperationError(
                f"a {times(self.kernel_size)} window at dilation {short(self.dilation)} and padding "
                f"{short(self.padding)} steps over the {times(input_size)} picture and reads nothing of it; "
                f"use a dilation of at most {size}, or padding=0"
            )
        return reads


def adaptive_reads(wanted: Any, input_size: Pair) -> tuple[Reads, Reads]:
    """What each window reads when the number of windows is given: they share the picture out as evenly as they can.

    Window p of P reads ⌊p·H/P⌋ up to ⌈(p + 1)·H/P⌉. Where P doesn't divide H, neighbours overlap by at most one pixel.

    Raises:
        OperationError: `wanted` is neither a whole number of at least 1 nor two, None standing for the picture's size.

    >>> adaptive_reads((2, None), (5, 3))
    ((range(0, 3), range(2, 5)), (range(0, 1), range(1, 2), range(2, 3)))
    """
    parts = (wanted, wanted) if whole(wanted, 1) else several(wanted)
    counts = [size if part is None else part for part, size in zip(parts, input_size, strict=False)]
    if len(parts) != 2 or not all(whole(count, 1) for count in counts):
        raise OperationError(
            f"output_size = {shown(wanted)}: give a whole number of at least 1, or two (rows, columns), where None "
            "keeps the size"
        )
    check_most("output_size", wanted, counts)
    rows, columns = (
        tuple(range(p * size // count, -(-(p + 1) * size // count)) for p in range(count))
        for size, count in zip(input_size, map(int, counts), strict=True)
    )
    return rows, columns
