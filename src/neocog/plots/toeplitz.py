"""A convolution as one matrix: the doubly blocked Toeplitz matrix, and the equation that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from neocog.errors import OperationError
from neocog.ops.spec import ConvSpec, times
from neocog.plots.cells import Panel, Scale, side_by_side
from neocog.plots.numbers import Written, text_width, written
from neocog.plots.style import TEXT, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

_MOST = 1024  # rows or columns: with more of them an entry would be smaller than a dot of the PNG
_SIDE, _LARGEST = 7.0, 0.48  # inches: of the longer side, and of a cell
_LEAST_NAMED = 0.3  # inches of a cell from which on x and y are drawn, too
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@styled
def plot_toeplitz(w_KCRS: Tensor, input_shape: Sequence[int], spec: ConvSpec) -> Figure:
    """The matrix A of y = A·x, where x is the picture as one column and y is all that comes out.

    Row (k, p, q) holds kernel k as it lies for that output, at column (c, h, w) what it multiplies there. Thin lines
    part the blocks of Q×W, one for each row of the result and of the picture; thick ones part kernels and channels.

    Args:
        w_KCRS: kernels (K, C/G, R, S).
        input_shape: (C, H, W).
        spec: how the kernels walk.

    Raises:
        OperationError: shapes that don't fit, or a matrix of more than 1024 rows or columns.

    >>> import torch
    >>> figure = plot_toeplitz(torch.arange(4.0).reshape(1, 1, 2, 2), (1, 3, 3), ConvSpec.make(2))
    >>> print(figure.texts[-1].get_text().splitlines()[0])
    12 of 36 entries are not zero (33.3 %)
    """
    from neocog.ops.toeplitz import toeplitz_matrix

    if isinstance(spec, ConvSpec) and isinstance(input_shape, Sequence) and len(input_shape) == 3:
        # Before it is made; toeplitz_matrix refuses the rest.
        _check_size(len(w_KCRS) * prod(spec.output_size(input_shape[1:])), prod(input_shape))
    a_YX = toeplitz_matrix(w_KCRS, input_shape, spec).detach().cpu().float().numpy()
    (C, H, W), K = input_shape, len(w_KCRS)
    (P, Q), size = spec.output_size((H, W)), a_YX.shape
    edge = min(_LARGEST, _SIDE / max(size))
    scale = Scale.of(a_YX)
    texts = written(a_YX[..., None], edge)
    matrix = Panel(
        "A",
        f"{times(size)}, in blocks of {Q}×{W}",
        scale.paint(a_YX),
        edge,
        range(size[0]),
        range(size[1]),
        written=texts,
        faint_zeros=True,
        titles=("output number (k, p, q)", "input number (c, h, w)"),
        blocks=((Q, W, _block_line(min(Q, W) * edge)), (P * Q, H * W, 2.0)),
        bar=None if texts else scale,
    )
    count = np.count_nonzero(a_YX)
    caption = (
        f"{count:,} of {prod(size):,} entries are not zero ({100 * count / prod(size):.3g} %)\n"
        "row (k, p, q) holds kernel k as it lies for output (p, q)"
    )
    y, x = _column("y", (K, P, Q), edge), _column("x", (C, H, W), edge)
    if y is None or x is None:
        return side_by_side([matrix], caption=caption)
    return side_by_side([y, "=", matrix, "·", x], caption=caption)


def _block_line(side: float) -> float:
    """How thick the lines around blocks of that many inches are: thin ones may not hide what they part."""
    return min(1.0, 1.5 * side)


def _check_size(rows: int, columns: int) -> None:
    if max(rows, columns) > _MOST:
        raise OperationError(
            f"a Toeplitz matrix of {rows:,} × {columns:,} entries is too large to draw; use a smaller picture or fewer "
            f"kernels, for at most {_MOST:,} rows and columns"
        )


def _column(name: str, shape: Sequence[int], edge: float) -> Panel | None:
    """The numbers of a picture or a result by their names, one below the other; None where that can't be read."""
    if edge < _LEAST_NAMED or max(shape) > 10:  # from 10 on, subscripts would need commas
        return None
    shown = shape if shape[0] > 1 else shape[1:]
    names = [
        name + "".join(str(index) for index in indices).translate(_SUBSCRIPTS)
        for indices in product(*(range(length) for length in shown))
    ]
    size = min(TEXT, 0.85 * edge / max(text_width(text, 1.0) for text in names))
    rows = len(names)
    white = np.full((rows, 1, 3), 255, dtype=np.uint8)
    return Panel(
        name,
        "",
        white,
        edge,
        range(rows),
        range(1),
        written=Written(np.array(names, dtype=object)[:, None], size),
        numbered=False,
        blocks=((shape[2], 1, 1.0), (shape[1] * shape[2], 1, 2.0)),
    )
