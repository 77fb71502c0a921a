"""The public door of convolution: what people write is checked and normalised here, nothing below checks again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from neocog.errors import OperationError, unknown
from neocog.geometry import same_padding
from neocog.ops.arguments import check_groups, one_line, shown
from neocog.ops.checks import check_alike, check_tensor
from neocog.ops.functions import forward, input_gradient
from neocog.ops.methods import algorithm_for
from neocog.ops.spec import ConvSpec, Padding, Pair, pair, short, times

Number = int | Sequence[int]


def conv2d(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    stride: Number = 1,
    padding: Padding = 0,
    dilation: Number = 1,
    groups: int = 1,
    method: str = "im2col",
) -> Tensor:
    """Convolution as in networks (cross-correlation), computed by one of our own algorithms.

    y[n, k, p, q] = b[k] + Σ_crs x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] · w[k, c, r, s],
    with zeros outside the picture.

    Args:
        x: pictures (N, C, H, W), or one (C, H, W), of any float type. Half types are computed in float32 and rounded
            once.
        w: kernels (K, C/groups, R, S), of the same type.
        b: one number for each kernel (K), or None.
        stride: one number, or (rows, columns).
        padding: a number, (rows, columns), (top, bottom, left, right), "same" or "valid".
        dilation: one number, or (rows, columns).
        groups: how many groups the channels fall into; each kernel sees the channels of its own group.
        method: one of `METHODS`. All give the same up to rounding; the errors of fft and winograd follow the largest
            numbers and not those that a window reads. With fft, winograd and toeplitz-dense an inf or NaN spreads to
            numbers whose windows don't read it.

    Returns:
        (N, K, P, Q) with P = ⌊(H + top + bottom − dilation·(R − 1) − 1)/stride⌋ + 1, and Q alike. Torch can
        differentiate it any number of times, by gradients derived in `neocog.ops.contract`.

    Raises:
        OperationError: shapes, types or numbers that don't fit, or a method that can't do them.

    Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016, arXiv:1603.07285).

    >>> import torch
    >>> x = torch.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(x, torch.arange(4.0).reshape(1, 1, 2, 2)).tolist()
    [[[[19.0, 25.0], [37.0, 43.0]]]]
    """
    _check_tensors("conv2d", x, w, b)
    if x.ndim == 3:
        walk: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return conv2d(x[None], w, b, **walk, method=method)[0]
    spec = ConvSpec.make(tuple(w.shape[2:]), stride, padding, dilation, groups)
    _check_channels(x, w, spec)
    _check_bias(b, len(w), "kernels")
    algorithm = algorithm_for(method, spec)
    spec.output_size(x.shape[2:])
    return forward(x, w, b, spec, algorithm)


def conv_transpose2d(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    stride: Number = 1,
    padding: Padding = 0,
    output_padding: Number = 0,
    dilation: Number = 1,
    groups: int = 1,
    method: str = "im2col",
) -> Tensor:
    """Transposed convolution: the input gradient of `conv2d`, used forwards, which undoes its change of size.

    Args:
        x: (N, C, H, W) or (C, H, W), of any float type.
        w: (C, K/groups, R, S), of the same type: the kernels of the convolution from K channels to C.
        b: one number for each channel that comes out (K), or None.
        stride, padding, dilation, groups: those of that convolution; `padding` is cut away here.
        output_padding: rows and columns more at the bottom and the right, fewer than the stride or the dilation: of the
            sizes that a strided convolution rounds to the same output, the one wanted.
        method: one of `METHODS`.

    Returns:
        (N, K, P, Q) with P = (H − 1)·stride − top − bottom + dilation·(R − 1) + output_padding + 1, and Q alike.

    Raises:
        OperationError: shapes, types or numbers that don't fit, or a method that can't do them.

    Source: Dumoulin & Visin (2016), chapter 4.

    >>> import torch
    >>> conv_transpose2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).tolist()
    [[[[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]]]
    """
    _check_tensors("conv_transpose2d", x, w, b)
    if x.ndim == 3:
        walk: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return conv_transpose2d(x[None], w, b, output_padding=output_padding, **walk, method=method)[0]
    spec = ConvSpec.make(tuple(w.shape[2:]), stride, padding, dilation, groups)
    extra = _output_padding(output_padding, spec)
    if len(w) != x.shape[1]:
        raise OperationError(
            f"x has {x.shape[1]} channels but w {tuple(w.shape)} has {len(w)} kernels; a transposed convolution "
            "needs one kernel for each channel that goes in"
        )
    check_groups(spec.groups, (x.shape[1], "channels of x"))
    _check_bias(b, w.shape[1] * spec.groups, "channels that come out")
    rows, columns = (
        (size - 1) * window.stride - window.before - window.after + window.extent + more
        for size, window, more in zip(x.shape[2:], spec.windows, extra, strict=True)
    )
    if rows < 1 or columns < 1:
        raise OperationError(
            f"padding {spec.padding} cuts away all of the {times(spec.extent)} window around {times(x.shape[2:])} "
            f"numbers: {rows}×{columns} would be left; use less padding"
        )
    algorithm = algorithm_for(method, spec)
    more = [fits - size for fits, size in zip(spec.output_size((rows, columns)), x.shape[2:], strict=True)]
    if any(more):  # output padding of a stride or more makes room for windows that x says nothing about
        x = functional.pad(x, (0, more[1], 0, more[0]))
    return input_gradient(x, w, b, spec, algorithm, (rows, columns))


def correlate2d(image: Tensor, kernel: Tensor, mode: str = "valid", *, method: str = "im2col") -> Tensor:
    """Cross-correlation of one picture with one kernel, laid on as it is: y[p, q] = Σ_r Σ_s x[p + r, q + s] · k[r, s].

    Args:
        image: (H, W), of any float type.
        kernel: (R, S), of the same type.
        mode: how far the kernel may reach beyond the picture, where zeros are: "valid" not at all, "same" so that the
            result is (H, W), "full" as long as they touch, (H + R − 1, W + S − 1). The words and the place of an even
            kernel's centre are scipy's.
        method: one of `METHODS`.

    Returns:
        y for the rows p = 0 … H − R ("valid"), −⌊(R − 1)/2⌋ … H − 1 − ⌊(R − 1)/2⌋ ("same") or −(R − 1) … H − 1
        ("full"), the first of which stands at index 0; columns q alike.

    Raises:
        OperationError: shapes, types or a mode that don't fit.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), equation 9.6.

    >>> import torch
    >>> correlate2d(torch.tensor([[0.0, 1.0, 1.0, 0.0]]), torch.tensor([[1.0, -1.0]])).tolist()
    [[-1.0, 0.0, 1.0]]
    """
    rows, columns = _reach(image, kernel, mode)
    return conv2d(image[None, None], kernel[None, None], padding=(*rows, *columns), method=method)[0, 0]


def convolve2d(image: Tensor, kernel: Tensor, mode: str = "valid", *, method: str = "im2col") -> Tensor:
    """Convolution as in mathematics: y[p, q] = Σ_r Σ_s x[p − r, q − s] · k[r, s], the kernel turned by 180°.

    The same as `correlate2d` with `kernel.flip(0, 1)`, which turns both rows and columns round; a quarter turn is
    something else. A network learns its kernels, so for it the two differ by name only.

    Arguments and errors are those of `correlate2d`.

    Returns:
        y for the rows p = R − 1 … H − 1 ("valid"), ⌊(R − 1)/2⌋ … H − 1 + ⌊(R − 1)/2⌋ ("same") or 0 … H + R − 2
        ("full"), the first of which stands at index 0; columns q alike.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), equation 9.5.

    >>> import torch
    >>> convolve2d(torch.tensor([[0.0, 1.0, 1.0, 0.0]]), torch.tensor([[1.0, -1.0]])).tolist()
    [[1.0, 0.0, -1.0]]
    """
    rows, columns = _reach(image, kernel, mode)
    turned = kernel.flip(0, 1)  # and with it the sides to which an even kernel reaches further
    return conv2d(image[None, None], turned[None, None], padding=(*rows[::-1], *columns[::-1]), method=method)[0, 0]


_MODES: dict[str, Callable[[int], Pair]] = {
    "valid": lambda size: (0, 0),
    "same": same_padding,
    "full": lambda size: (size - 1, size - 1),
}


def _reach(image: Any, kernel: Any, mode: str) -> tuple[Pair, Pair]:
    """Zeros before and after the rows and the columns, for arguments that are fine."""
    for name, tensor in (("image", image), ("kernel", kernel)):
        check_tensor(name, tensor)
        if tensor.ndim != 2 or 0 in tensor.shape:
            raise OperationError(f"{name} has the shape {tuple(tensor.shape)}: give rows and columns, such as (28, 28)")
    check_alike("image", image, "kernel", kernel)
    if not isinstance(mode, str) or mode not in _MODES:
        raise OperationError(unknown("mode", one_line(str(mode)), _MODES))
    rows, columns = (_MODES[mode](size) for size in kernel.shape)
    return rows, columns


def _check_tensors(name: str, x: Any, w: Any, b: Any) -> None:
    kernels = "(C, K/groups, R, S)" if name == "conv_transpose2d" else "(K, C/groups, R, S)"
    given = [("x", x, (3, 4), "(N, C, H, W) or (C, H, W)"), ("w", w, (4,), kernels)]
    if b is not None:
        given.append(("b", b, (1,), "(K)"))
    for label, tensor, dimensions, wanted in given:
        check_tensor(label, tensor)
        if tensor.ndim not in dimensions:
            raise OperationError(f"{label} has the shape {tuple(tensor.shape)}: {name} takes {wanted}")
        check_alike("x", x, label, tensor)
    for label, tensor, _, _ in given[:2]:
        if 0 in tensor.shape[-3:] or (label == "w" and len(tensor) == 0):
            raise OperationError(f"{label} has the shape {tuple(tensor.shape)}: only the number of pictures may be 0")


def _check_channels(x: Tensor, w: Tensor, spec: ConvSpec) -> None:
    channels, kernels, groups = x.shape[1], len(w), spec.groups
    check_groups(groups, (channels, "channels of x"), (kernels, "kernels of w"))
    if w.shape[1] * groups != channels:
        each = f"each of {groups} groups has {channels // groups}" if groups > 1 else f"x has {channels}"
        raise OperationError(
            f"w {tuple(w.shape)} has kernels of {w.shape[1]} channels but {each}; give w as "
            f"({kernels}, {channels // groups}, {w.shape[2]}, {w.shape[3]})"
        )


def _check_bias(b: Tensor | None, count: int, what: str) -> None:
    if b is not None and len(b) != count:
        raise OperationError(f"b has {len(b)} numbers but there are {count} {what}; give one for each")


def _output_padding(value: Any, spec: ConvSpec) -> tuple[int, int]:
    extra = pair("output_padding", value, least=0)
    for more, stride, dilation in zip(extra, spec.stride, spec.dilation, strict=True):
        if more >= max(stride, dilation):
            raise OperationError(
                f"output_padding = {shown(value)} must be less than the stride {short(spec.stride)} or the dilation "
                f"{short(spec.dilation)}; use at most {max(stride, dilation) - 1}"
            )
    return extra
