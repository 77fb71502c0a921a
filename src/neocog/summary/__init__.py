"""The layer table of a layer text, or of any torch module.

Rules of counting: one multiply-add is one MAC, for one picture; the additions of a bias, sums, comparisons, pooling,
normalisation and work on each value alone are not counted. An unknown operation is listed, never counted as zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neocog.errors import LayerError
from neocog.layers import Layers, parse
from neocog.layers.layer import Shape
from neocog.summary.data import Summary, SummaryRow, UnknownOperation, unread_notes

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Summary", "SummaryRow", "UnknownOperation", "summarize"]


def summarize(what: str | Layers | nn.Module, input_shape: Shape | None = None, classes: int | None = None) -> Summary:
    """Shapes, parameters, multiply-adds and receptive field of each layer, and their totals.

    `what` is a layer text, its `Layers`, or any torch module; `input_shape` is one picture's, without the batch:
    (channels, height, width). A text needs it, and `classes` where it says `classes`. A module without it gives
    parameters only; with it, two random pictures go through `forward` in evaluation mode, without gradients, and
    everything is left as it was found: mode, hooks, buffers, random state.

    Raises LayerError for a text that can't work, or a module that can't take the shape.

    >>> summary = summarize("conv 16 5 same | relu | maxpool 2 | flatten | linear 10", (1, 28, 28))
    >>> summary.total_parameters, summary.total_macs, summary.output_shape
    (31786, 344960, (10,))
    """
    if input_shape is not None:
        input_shape = tuple(int(size) for size in input_shape)
        if not input_shape or min(input_shape) < 1:
            raise LayerError(f"input_shape is {input_shape}; it must be sizes of at least 1, such as (1, 28, 28)")
    if isinstance(what, str):
        what = parse(what)
    if isinstance(what, Layers):
        return _of_layers(what, input_shape, classes)

    from torch import nn

    if isinstance(what, nn.Module):
        from neocog.summary.trace import of_module

        return of_module(what, input_shape)
    raise LayerError(f"can't summarize a {type(what).__name__}; give a layer text, Layers or a torch module")


def _of_layers(layers: Layers, input_shape: Shape | None, classes: int | None) -> Summary:
    if input_shape is None:
        raise LayerError("a layer text has no sizes without a picture's shape; give input_shape, such as (1, 28, 28)")
    table = layers.table(input_shape, classes)
    rows = tuple(SummaryRow(**vars(row)) for row in table)
    parameters = sum(row.parameters for row in rows)
    return Summary(
        rows=rows,
        input_shape=input_shape,
        output_shape=rows[-1].output_shape,
        total_parameters=parameters,
        trainable_parameters=parameters,
        total_macs=sum(row.macs for row in table),
        notes=unread_notes(rows),
    )
