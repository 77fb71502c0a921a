"""Convolutions worked by hand, with both gradients; small numbers, so that each sum can be read off.

A result such as 41 = 1·1 + 10·4 shows by its digits which numbers met.
"""

from __future__ import annotations

from dataclasses import dataclass

from neocog.ops.spec import ConvSpec

Numbers = list[list[list[list[float]]]]


@dataclass(frozen=True)
class Worked:
    """x ∗ w = y, and for g = ∂L/∂y the gradients gx = ∂L/∂x and gw = ∂L/∂w."""

    what: str
    spec: ConvSpec
    x: Numbers
    w: Numbers
    y: Numbers
    g: Numbers
    gx: Numbers
    gw: Numbers


def _one(rows: list[list[float]]) -> Numbers:
    """One picture of one channel."""
    return [[rows]]


WORKED = [
    Worked(
        "the lessons' first example",
        ConvSpec.make(2),
        x=_one([[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
        w=_one([[0, 1], [2, 3]]),
        y=_one([[19, 25], [37, 43]]),
        g=_one([[1, 2], [3, 4]]),
        gx=_one([[0, 1, 2], [2, 3 + 4 + 3 + 0, 6 + 4], [6, 9 + 8, 12]]),
        gw=_one([[0 + 2 + 9 + 16, 1 + 4 + 12 + 20], [3 + 8 + 18 + 28, 4 + 10 + 21 + 32]]),
    ),
    Worked(
        "3×3: one window's sum, then 45 more for each step right, 4·45 for each step down",
        ConvSpec.make(3),
        x=_one([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]),
        w=_one([[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        y=_one([[348, 348 + 45], [348 + 180, 348 + 225]]),
        g=_one([[1, 0], [0, 10]]),
        gx=_one([[1, 2, 3, 0], [4, 5 + 10, 6 + 20, 30], [7, 8 + 40, 9 + 50, 60], [0, 70, 80, 90]]),
        gw=_one([[1 + 60, 2 + 70, 3 + 80], [5 + 100, 6 + 110, 7 + 120], [9 + 140, 10 + 150, 11 + 160]]),
    ),
    Worked(
        "3×3 around a single pixel, more padding at the bottom and the right",
        ConvSpec.make(3, padding=(1, 2, 1, 2)),
        x=_one([[10]]),
        w=_one([[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        y=_one([[50, 40], [20, 10]]),
        g=_one([[1, 2], [3, 4]]),
        gx=_one([[5 + 2 * 4 + 3 * 2 + 4 * 1]]),
        gw=_one([[40, 30, 0], [20, 10, 0], [0, 0, 0]]),
    ),
    Worked(
        "stride 2, one zero at the left: windows 0 1 and 2 3; the last number is never read",
        ConvSpec.make((1, 2), stride=(1, 2), padding=(0, 0, 1, 0)),
        x=_one([[1, 2, 3, 4]]),
        w=_one([[1, 10]]),
        y=_one([[10, 32]]),
        g=_one([[1, 100]]),
        gx=_one([[10, 100, 1000, 0]]),
        gw=_one([[200, 1 + 300]]),
    ),
    Worked(
        "stride 2 downwards only",
        ConvSpec.make((2, 1), stride=(2, 1)),
        x=_one([[1, 5], [2, 6], [3, 7], [4, 8]]),
        w=_one([[1], [10]]),
        y=_one([[21, 65], [43, 87]]),
        g=_one([[1, 2], [3, 4]]),
        gx=_one([[1, 2], [10, 20], [3, 4], [30, 40]]),
        gw=_one([[1 + 10 + 9 + 28], [2 + 12 + 12 + 32]]),
    ),
    Worked(
        "dilation 3: numbers 1 and 4, then 2 and 5",
        ConvSpec.make((1, 2), dilation=(1, 3)),
        x=_one([[1, 2, 3, 4, 5]]),
        w=_one([[1, 10]]),
        y=_one([[41, 52]]),
        g=_one([[1, 100]]),
        gx=_one([[1, 100, 0, 10, 1000]]),
        gw=_one([[201, 504]]),
    ),
    Worked(
        "stride 2 and dilation 2: numbers 1 and 3, then 3 and 5",
        ConvSpec.make((1, 2), stride=2, dilation=2),
        x=_one([[1, 2, 3, 4, 5]]),
        w=_one([[1, 10]]),
        y=_one([[31, 53]]),
        g=_one([[1, 100]]),
        gx=_one([[1, 0, 10 + 100, 0, 1000]]),
        gw=_one([[301, 503]]),
    ),
    Worked(
        "ones everywhere: each number counts the windows it stands in, each cell the windows there are",
        ConvSpec.make(3),
        x=_one([[1] * 7] * 7),
        w=_one([[1] * 3] * 3),
        y=_one([[9] * 5] * 5),
        g=_one([[1] * 5] * 5),
        gx=_one([[down * right for right in (1, 2, 3, 3, 3, 2, 1)] for down in (1, 2, 3, 3, 3, 2, 1)]),
        gw=_one([[25] * 3] * 3),
    ),
    Worked(
        "two channels and three kernels; each kernel's g marks one of its windows",
        ConvSpec.make(2),
        x=[[[[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]]],
        w=[
            [[[0, 1], [2, 3]], [[1, 2], [3, 4]]],
            [[[1, 2], [3, 4]], [[2, 3], [4, 5]]],
            [[[2, 3], [4, 5]], [[3, 4], [5, 6]]],
        ],
        y=[[[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]],
        g=[[[[1, 0], [0, 0]], [[0, 10], [0, 0]], [[0, 0], [0, 100]]]],
        gx=[
            [
                [[0, 1 + 10, 20], [2, 3 + 30 + 200, 40 + 300], [0, 400, 500]],
                [[1, 2 + 20, 30], [3, 4 + 40 + 300, 50 + 400], [0, 500, 600]],
            ]
        ],
        gw=[
            [[[0, 1], [3, 4]], [[1, 2], [4, 5]]],
            [[[10, 20], [40, 50]], [[20, 30], [50, 60]]],
            [[[400, 500], [700, 800]], [[500, 600], [800, 900]]],
        ],
    ),
    Worked(
        "same for an even kernel: the odd zero is at the right",
        ConvSpec.make((1, 2), padding="same"),
        x=_one([[1, 2, 3]]),
        w=_one([[1, 10]]),
        y=_one([[21, 32, 3]]),
        g=_one([[1, 0, 100]]),
        gx=_one([[1, 10, 100]]),
        gw=_one([[301, 2]]),
    ),
    Worked(
        "two groups of two channels: each kernel sees its own two",
        ConvSpec.make(1, groups=2),
        x=[[[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]],
        w=[[[[1]], [[10]]], [[[100]], [[1000]]]],
        y=[[[[31, 42]], [[7500, 8600]]]],
        g=[[[[1, 0]], [[0, 2]]]],
        gx=[[[[1, 0]], [[10, 0]], [[0, 200]], [[0, 2000]]]],
        gw=[[[[1]], [[3]]], [[[12]], [[16]]]],
    ),
    Worked(
        "3×3 depthwise on two channels and two pictures; the kernels mark one cell each",
        ConvSpec.make(3, groups=2),
        x=[
            [[[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[0, 1, 0], [1, 0, 1], [0, 1, 0]]],
            [[[9, 8, 7], [6, 5, 4], [3, 2, 1]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]],
        ],
        w=[[[[0, 0, 1], [0, 0, 0], [0, 0, 0]]], [[[0, 0, 0], [2, 0, 0], [0, 0, 0]]]],
        y=[[[[3]], [[2]]], [[[7]], [[0]]]],
        g=[[[[1]], [[5]]], [[[10]], [[0]]]],
        gx=[
            [[[0, 0, 1], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [10, 0, 0], [0, 0, 0]]],
            [[[0, 0, 10], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]],
        ],
        gw=[[[[91, 82, 73], [64, 55, 46], [37, 28, 19]]], [[[0, 5, 0], [5, 0, 5], [0, 5, 0]]]],
    ),
]
