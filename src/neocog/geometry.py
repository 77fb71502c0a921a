"""Where windows land: output sizes, padding and receptive fields, in whole numbers and along one axis at a time.

Names follow Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016, arXiv:1603.07285).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """How a window walks along one axis.

    `kernel` pixels are read at a time, `dilation` apart; the window moves by `stride`; `before` and `after` pixels are
    padded at the two ends; `ceil` lets a last window hang over the end, as torch's `ceil_mode` does.
    """

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def extent(self) -> int:
        """Pixels from the first one read to the last, both counted: D·(K − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1


def same_padding(kernel: int, dilation: int = 1) -> tuple[int, int]:
    """Padding (before, after) that keeps the size at stride 1; an odd pixel goes after, as torch places it.

    >>> same_padding(5), same_padding(4)
    ((2, 2), (1, 2))
    """
    total = dilation * (kernel - 1)
    return total // 2, total - total // 2


def output_size(size: int, window: Window) -> int:
    """How many times the window fits: ⌊(W + P − D·(K − 1) − 1)/S⌋ + 1, with P the padding of both ends together.

    Zero or less means that the window doesn't fit even once.

    >>> output_size(28, Window(kernel=5, before=2, after=2)), output_size(224, Window(5, stride=2, before=1, after=1))
    (28, 111)
    """
    room = size + window.before + window.after - window.extent
    steps = room // window.stride + 1
    if window.ceil and room % window.stride:
        # torch's rule: a window hanging over the end counts only when it starts inside the picture or its left padding.
        steps += int(steps * window.stride < size + window.before)
    return max(0, steps)


def unread(size: int, window: Window) -> int:
    """Pixels at the end of the axis that no window reads, mostly because the division was rounded down.

    >>> unread(7, Window(kernel=2, stride=2))
    1
    """
    starts = range(-window.before, output_size(size, window) * window.stride - window.before, window.stride)
    taps = range(0, window.extent, window.dilation)
    # One by one: with gaps between the pixels of a window, its last one may lie in the padding, the one before inside.
    last_read = max((start + tap for start in starts for tap in taps if start + tap < size), default=-1)
    return size - 1 - max(last_read, -1)


def formula(size: int, window: Window) -> str:
    """The output size with its numbers filled in.

    >>> formula(28, Window(kernel=5, before=2, after=2))
    '(28 + 2·2 − 5)/1 + 1 = 28'
    >>> formula(7, Window(kernel=2, stride=2))
    '⌊(7 − 2)/2⌋ + 1 = 3'
    """
    if window.before == window.after:
        padding = f" + 2·{window.before}" if window.before else ""
    else:
        padding = f" + {window.before} + {window.after}"
    kernel = f"{window.kernel}" if window.dilation == 1 else f"({window.dilation}·({window.kernel} − 1) + 1)"
    fraction = f"({size}{padding} − {kernel})/{window.stride}"
    steps, rest = divmod(size + window.before + window.after - window.extent, window.stride)
    out = output_size(size, window)
    if rest:
        fraction = f"⌈{fraction}⌉" if out > steps + 1 else f"⌊{fraction}⌋"
    return f"{fraction} + 1 = {out}"


@dataclass(frozen=True)
class Field:
    """The pixels of the picture that one value depends on, along one axis.

    `size` pixels wide; neighbouring values look `jump` pixels apart, and the first value from pixel `start` on, which
    is negative in the padding. Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks",
    Distill 2019.
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    def through(self, window: Window) -> Field:
        """The field after one more window.

        >>> Field().through(Window(5)).through(Window(2, stride=2)).through(Window(5))
        Field(size=14, jump=2, start=0)
        """
        return Field(
            self.size + (window.extent - 1) * self.jump,
            self.jump * window.stride,
            self.start - window.before * self.jump,
        )

    def joined(self, other: Field) -> Field:
        """The field of a value made of this one's and the other's, from the first pixel of both to the last.

        >>> Field(3, start=-1).joined(Field(3, start=0))
        Field(size=4, jump=1, start=-1)
        """
        start, end = min(self.start, other.start), max(self.start + self.size, other.start + other.size)
        return Field(end - start, max(self.jump, other.jump), start)
