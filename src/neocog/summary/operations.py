"""What torch's own operations cost, and which pixels their results depend on.

Everything a forward pass does, whether in a module or as a function call, arrives here as an `aten` operation. Each is
one of three: it has multiply-adds, counted by torch's own formulas; it is free by our rule (value by value, sums,
normalisation, pooling, moving data); or it is unknown, and gets listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from neocog.geometry import Field, Window

Fields = tuple[Field, Field]
Spot = Fields | str  # WHOLE: depends on the whole picture; UNCLEAR: can't be told
WHOLE, UNCLEAR = "whole", "unclear"

_FREE_TAGS = {tag for tag in (getattr(torch.Tag, name, None) for name in ("pointwise", "reduction")) if tag is not None}
_NORMS = {
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update", "cudnn_batch_norm", "miopen_batch_norm", "native_group_norm", "native_layer_norm",
    "_fused_rms_norm",
}  # fmt: skip
_PADS = {
    "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
    "replication_pad2d", "replication_pad3d",
}  # fmt: skip
_SAME_PLACE = {"view", "_unsafe_view", "squeeze", "unsqueeze", "alias", "detach", "_reshape_alias"}
_VALUEWISE = {
    "_softmax", "_log_softmax", "_prelu_kernel", "rrelu_with_noise", "hardswish", "hardswish_",
    "log_sigmoid_forward", "glu", "native_dropout", "bernoulli", "bernoulli_", "clone", "copy_", "_to_copy",
}  # fmt: skip
_POOLS = {
    "max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "fractional_max_pool2d",
    "fractional_max_pool3d", "max_unpool2d", "max_unpool3d", "mkldnn_max_pool2d",
}  # fmt: skip
_MOVES = {
    "cat", "stack", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat", "roll", "flip", "index",
    "index_select", "gather", "im2col", "unsafe_split", "unsafe_chunk", "embedding", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "tril", "triu", "masked_fill", "sort", "topk", "lift_fresh",
    "lift_fresh_copy", "slice_scatter", "select_scatter", "index_put", "index_put_", "fill_", "zero_",
}  # fmt: skip
_MAKES = {
    "empty", "empty_like", "empty_strided", "new_empty", "zeros", "zeros_like", "new_zeros", "ones", "ones_like",
    "new_ones", "full", "full_like", "new_full", "arange", "linspace", "eye", "scalar_tensor", "rand", "rand_like",
    "randn", "randn_like", "randint", "randperm", "uniform_", "normal_", "_local_scalar_dense",
}  # fmt: skip
_FREE = _NORMS | _PADS | _SAME_PLACE | _VALUEWISE | _POOLS | _MOVES | _MAKES
_SHARES = {"_softmax", "_log_softmax"}
_SUMS_TO_ONE = {"mean", "sum", "amax", "amin"}
_PRODUCTS = {"mm": 0, "addmm": 1}


def operation_name(function: Any) -> str:
    """The operation's name without its overload: `max_pool2d_with_indices`."""
    return str(function.overloadpacket.__name__)


def multiply_adds(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int | None:
    """Multiply-adds of one call, bias excluded; 0 for what is free by the rule, None for an unknown operation."""
    name = operation_name(function)
    if name in {"mv", "dot", "vdot"}:
        return int(args[0].numel())
    if name == "addmv":
        return int(args[1].numel())
    if name.startswith("_scaled_dot_product"):
        # (…, queries, width) · (…, keys, width) twice: once for the weights, once for their use.
        query, key, value = args[:3]
        return int(query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1]))
    if function.overloadpacket in flop_registry:
        # torch counts a multiply-add as two.
        return int(flop_registry[function.overloadpacket](*args, **kwargs, out_val=out)) // 2
    if name in _FREE or function.is_view or _FREE_TAGS & set(function.tags):
        return 0
    return None


def is_work(function: Any) -> bool:
    """Whether a call computes something, rather than looking at a tensor in another way or making a new one."""
    name = operation_name(function)
    return not function.is_view and name not in _SAME_PLACE | _MAKES | {"clone", "_to_copy", "copy_"}


def window_pair(function: Any, args: tuple[Any, ...]) -> tuple[Window, Window] | None:
    """How a convolution or pooling over (N, C, H, W) walks along height and width; None for anything else."""
    name = operation_name(function)
    if not args or not isinstance(args[0], Tensor) or args[0].ndim != 4:
        return None
    if name == "convolution":
        _, weight, _, stride, padding, dilation, transposed = args[:7]
        if transposed:
            return None
        return _windows(weight.shape[2:], stride, padding, dilation, False)
    if name == "max_pool2d_with_indices":
        kernel, stride, padding, dilation, ceil = _filled(args[1:6], (None, [], [0], [1], False))
        return _windows(kernel, stride or kernel, padding, dilation, ceil)
    if name == "avg_pool2d":
        kernel, stride, padding, ceil = _filled(args[1:5], (None, [], [0], False))
        return _windows(kernel, stride or kernel, padding, [1], ceil)
    return None


def result_spot(function: Any, args: tuple[Any, ...], out: Tensor, spots: list[Spot], batch: int) -> Spot:
    """Which pixels a value of `out` depends on, from the spots of the tensors that the operation got.

    Normalisation counts as value by value, though group and layer normalisation mix in statistics of the picture.
    """
    name = operation_name(function)
    if UNCLEAR in spots:
        return UNCLEAR
    widest = _widest(spots)
    windows = window_pair(function, args)
    if windows is not None:
        if isinstance(widest, str):
            return widest
        return widest[0].through(windows[0]), widest[1].through(windows[1])
    first = next(tensors(args), None)
    if first is None:
        return UNCLEAR
    if name in _PRODUCTS:
        # One row for each picture: then a product mixes all that is left of the picture.
        return WHOLE if args[_PRODUCTS[name]].shape[0] == batch else UNCLEAR
    is_one_pixel = out.ndim == 2 or out.shape[2:].numel() == 1
    if first.ndim == 4 and is_one_pixel and (name in _SUMS_TO_ONE or name in _POOLS):
        return WHOLE
    if name in _SHARES and out.ndim == 2:
        return WHOLE  # each share is of all the values of a picture
    if name in _SAME_PLACE:
        moved = out.ndim == 4 and out.shape != first.shape
        return widest if not moved or widest == WHOLE else UNCLEAR
    if name in _NORMS | _PADS | _VALUEWISE or torch.Tag.pointwise in function.tags or name == "cat":
        return widest
    return WHOLE if widest == WHOLE else UNCLEAR


def _windows(kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> tuple[Window, Window]:
    (k, s, p, d) = ([int(number) for number in values] for values in (kernel, stride, padding, dilation))
    rows, columns = (Window(k[at], s[at], p[at], p[at], d[at], ceil) for at in (0, -1))
    return rows, columns


def _filled(given: tuple[Any, ...], defaults: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments with the trailing defaults that torch leaves out."""
    return (*given, *defaults[len(given) :])


def tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dictionaries, in order."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from tensors(value)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


def _widest(spots: list[Spot]) -> Spot:
    fields = [spot for spot in spots if not isinstance(spot, str)]
    if len(fields) < len(spots) or not fields:
        return WHOLE
    rows, columns = zip(*fields, strict=True)
    return max(rows, key=lambda field: field.size), max(columns, key=lambda field: field.size)
