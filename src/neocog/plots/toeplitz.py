"""A convolution as one matrix: the doubly blocked Toeplitz matrix, and the equation that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.errors import OperationError
from neocog.ops.spec import ConvSpec, times
from neocog.plots.cells import Panel, Scale, side_by_side
from neocog.plots.numbers import Written, text_width, written
from neocog.plots.style import BLACK, DOTS, LIGHT, TEXT, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor

_MOST = 1024  # rows or columns: with more of them an entry would be smaller than a dot of the PNG
_SIDE, _LARGEST, _LEAST = 7.0, 0.48, 2 / DOTS  # inches: of the longer side, of a cell at most and at least
_LEAST_DRAWN = 0.2  # inches of a block that has lines around it
_LEAST_NAMED = 0.3  # inches of a cell from which on x and y are drawn, too
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@styled
def plot_toeplitz(
    w_KCRS: Tensor, input_shape: Sequence[int], spec: ConvSpec, x: Tensor | None = None, *, title: str = ""
) -> Figure:
    """The matrix A of y = A·x, where x is the picture as one column and y is all that comes out.

    Row (k, p, q) holds kernel k as it lies for that output, at column (c, h, w) what it multiplies there. Thin lines
    part the blocks of Q×W, one for each row of the result and of the picture; thick ones part kernels and channels.
    Beside a small matrix stand x and y: their numbers if a picture is given, else their names.

    Args:
        w_KCRS: kernels (K, C/G, R, S).
        input_shape: (C, H, W).
        spec: how the kernels walk.
        x: a picture of that shape, whose numbers then stand in the equation.
        title: stands above the matrix.

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
    edge = max(_LEAST, min(_LARGEST, _SIDE / max(size)))
    scale = Scale.of(a_YX)
    texts = written(a_YX[..., None], edge)
    thin = 1.0 if texts else 0.5
    detail = f"{times(size)}, in blocks of {Q}×{W}"
    matrix = Panel(
        "A",
        f"{title}\n{detail}" if title else detail,
        scale.paint(a_YX),
        edge,
        range(size[0]),
        range(size[1]),
        written=texts,
        faint_zeros=True,
        titles=("output (k, p, q)", "input (c, h, w)"),
        blocks=[*([(Q, W, thin)] if min(Q, W) * edge >= _LEAST_DRAWN else []), (P * Q, H * W, 2 * thin)],
        block_colour=BLACK if texts else LIGHT,  # which doesn't hide small cells
        bar=None if texts else scale,
    )
    count = np.count_nonzero(a_YX)
    caption = (
        f"{count:,} of {prod(size):,} entries are not zero ({100 * count / prod(size):.3g} %)\n"
        "each row of A makes one output number: kernel k at row p, column q of the result\n"
        "each column of A meets one input number: channel c, row h, column w of the picture"
    )
    x_X = y_Y = None
    if x is not None:
        x_X = _checked(x, input_shape).detach().cpu().float().numpy().ravel()
        y_Y = a_YX @ x_X
    left, right = _column("y", (K, P, Q), edge, y_Y), _column("x", (C, H, W), edge, x_X)
    if left is None or right is None:
        return side_by_side([matrix], caption=caption)
    return side_by_side([left, "=", matrix, "·", right], caption=caption)


def _check_size(rows: int, columns: int) -> None:
    if max(rows, columns) > _MOST:
        raise OperationError(
            f"a Toeplitz matrix of {rows:,} × {columns:,} entries is too large to draw; use a smaller picture or fewer "
            f"kernels, for at most {_MOST:,} rows and columns"
        )


def _checked(x_CHW: Tensor, input_shape: Sequence[int]) -> Tensor:
    if tuple(x_CHW.shape) != tuple(input_shape):
        raise OperationError(
            f"x has the shape {tuple(x_CHW.shape)} but input_shape is {tuple(input_shape)}; give the same"
        )
    return x_CHW


def _column(name: str, shape: Sequence[int], edge: float, values_Z: NDArray[Any] | None) -> Panel | None:
    """The numbers of a picture or a result, one below the other, or their names; None where that can't be read."""
    if edge < _LEAST_NAMED:
        return None
    texts = _names(name, shape, edge) if values_Z is None else written(values_Z[:, None, None], edge)
    if texts is None:
        return None
    rows = prod(shape)
    return Panel(
        name,
        "",
        np.full((rows, 1, 3), 255, dtype=np.uint8),
        edge,
        range(rows),
        range(1),
        written=texts,
        numbered=False,
        blocks=((shape[2], 1, 1.0), (shape[1] * shape[2], 1, 2.0)),
    )


def _names(name: str, shape: Sequence[int], edge: float) -> Written | None:
    if max(shape) > 10:  # from 10 on, subscripts would need commas
        return None
    shown = shape if shape[0] > 1 else shape[1:]
    names = [
        name + "".join(str(index) for index in indices).translate(_SUBSCRIPTS)
        for indices in product(*(range(length) for length in shown))
    ]
    size = min(TEXT, 0.85 * edge / max(text_width(text, 1.0) for text in names))
    return Written(np.array(names, dtype=object)[:, None], size)
