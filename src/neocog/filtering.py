"""One picture under one kernel: what went in, what came out, and one of its numbers taken apart.

convolve("photo.png", "sobel")       a Convolved: before, after, kernel, spec, and the arithmetic of one window
displayed(convolved.after)           numbers as grey values that can be looked at
save_result(convolved.after, "edges.png")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from neocog.data.decode import whole
from neocog.data.door import COLOURS
from neocog.data.samples import open_sample
from neocog.errors import DataError, KernelError, OperationError, unknown
from neocog.files import check_target, whole_file
from neocog.kernels import Kernel, read_kernel
from neocog.ops.convolution import conv2d
from neocog.ops.spec import ConvSpec, Padding, Pair, times
from neocog.ops.trace import Trace, trace_window

Picture = str | Path | bytes | Image.Image | NDArray[np.uint8] | Tensor
Weights = str | Path | Kernel | Sequence[Sequence[float]] | Tensor

RESULTS = (".png", ".npy")
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, which Pillow turns colours into grey by
_DIM = 64.0  # where the greatest number is less, an eye would see little but black
_LITTLE = 0.2  # see outside_share


@dataclass(frozen=True)
class Convolved:
    """What `convolve` gives back.

    Attributes:
        picture: what was convolved, for titles: "digit:7 (label 9)", "photo.png".
        before: (C, H, W) float32, 0 to 255 unless the picture was given as a tensor.
        after: (C, P, Q) float32.
        kernel: as it was laid on the picture; turned already where a true convolution was asked for.
        spec: how it walked. Each channel is convolved by itself, so for RGB there are 3 groups.
        method: the algorithm's name.
        window: row and column of the number that `traces` takes apart.
        traces: one for each channel.
        flip: whether a true convolution was asked for.
    """

    picture: str
    before: Tensor
    after: Tensor
    kernel: Kernel
    spec: ConvSpec
    method: str
    window: Pair
    traces: tuple[Trace, ...]
    flip: bool = False

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The window on the picture: first row and column, which lie outside in the padding, and how many it spans."""
        (top, _, left, _), (down, across) = self.spec.padding, self.spec.stride
        return self.window[0] * down - top, self.window[1] * across - left, *self.spec.extent

    def as_dict(self) -> dict[str, Any]:
        """All but the pictures themselves, for JSON."""
        return {
            "picture": self.picture,
            "before": _facts(self.before),
            "after": _facts(self.after),
            "kernel": {"name": self.kernel.name, "rows": self.kernel.rows},
            "spec": asdict(self.spec),
            "method": self.method,
            "flip": self.flip,
            "window": self.window,
            "values": [trace.value for trace in self.traces],
            "traces": [asdict(trace) for trace in self.traces],
        }


def convolve(
    image: Picture,
    kernel: Weights,
    *,
    padding: Padding | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    method: str = "im2col",
    color: str = "auto",
    flip: bool = False,
    window: Pair | None = None,
    **settings: Any,
) -> Convolved:
    """One picture under one kernel, each channel by itself.

    y[c, p, q] = Σ_r Σ_s x[c, p·stride + r·dilation − top, q·stride + s·dilation − left] · w[r, s], with zeros outside.

    Args:
        image: a picture file, `digit:7`, a name in skimage.data, a PIL image, an array uint8 (H, W) or (H, W, 3), or a
            tensor (H, W), (1, H, W) or (3, H, W), whose numbers are taken as they are.
        kernel: a kernel's name, a file of rows, a text such as "1 0 -1; 2 0 -2; 1 0 -1", a `Kernel`, rows, or a tensor
            (R, S).
        padding: "same", "valid", a number, (rows, columns) or (top, bottom, left, right); of zeros. Unless told, as
            many as "same" has, at any stride.
        stride, dilation: a number, or (rows, columns).
        method: one of `neocog.ops.METHODS`.
        color: "grey", "rgb", or "auto" for what the picture is.
        flip: turn the kernel by 180° first, as convolution in mathematics does; networks lay it on as it is.
        window: row and column of the number to take apart; unless told, the strongest response that isn't made by the
            padding.
        settings: what a named kernel takes, such as size=5 and sigma=1.0.

    Raises:
        DataError: there is no such picture; as PictureError, it can't be read.
        KernelError: there is no such kernel, or it can't be read.
        OperationError: picture, kernel, padding and method don't fit together, or the window lies outside the result.

    >>> found = convolve(torch.arange(9.0).reshape(3, 3), [[0, 1], [2, 3]], padding="valid")
    >>> found.after.tolist(), found.window
    ([[[19.0, 25.0], [37.0, 43.0]]], (1, 1))
    """
    laid = as_kernel(kernel, settings)
    name, before = as_numbers(image, color)
    channels, height, width = before.shape
    if flip:
        laid = turned(laid)
    zeros = ConvSpec.make(laid.shape, 1, "same", dilation).padding if padding is None else padding
    spec = ConvSpec.make(laid.shape, stride, zeros, dilation, channels)
    if flip and padding in (None, "same"):  # an even kernel reaches further to one side, and turning it turns that, too
        top, bottom, left, right = spec.padding
        spec = ConvSpec(spec.kernel_size, spec.stride, (bottom, top, right, left), spec.dilation, spec.groups)
    place = None if window is None else place_of(window, spec.output_size((height, width)))
    w_C1RS = laid.tensor().expand(channels, 1, *laid.shape)
    with torch.no_grad():
        after = conv2d(
            before[None],
            w_C1RS,
            stride=spec.stride,
            padding=spec.padding,
            dilation=spec.dilation,
            groups=channels,
            method=method,
        )[0]
        if not bool(after.isfinite().all()):
            raise OperationError("the result has numbers beyond what float32 holds; use smaller weights")
        place = place or strongest(after, spec, (height, width))
        traces = tuple(trace_window(before, w_C1RS, None, spec, k, *place) for k in range(channels))
    return Convolved(name, before, after, laid, spec, method, place, traces, flip)


def _facts(values: Tensor) -> dict[str, Any]:
    least, greatest = (float(edge) for edge in values.aminmax())
    return {"shape": tuple(values.shape), "least": least, "greatest": greatest}


def as_numbers(image: Any, color: str = "auto") -> tuple[str, Tensor]:
    """What to call a picture, and its numbers, float32 (C, H, W) with 1 or 3 channels."""
    if color not in COLOURS:
        raise DataError(unknown("color", str(color), COLOURS))
    if isinstance(image, Tensor):
        return "tensor", of_tensor(image, COLOURS[color])
    if isinstance(image, str | Path):
        sample = open_sample(image, color)
        name, pixels = sample.name, sample.pixels
    else:
        pixels = whole(image, COLOURS[color])
        file = getattr(image, "filename", "")
        name = Path(file).name if isinstance(file, str) and file else "picture"
    return name, torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32))


def of_tensor(image: Tensor, channels: int) -> Tensor:
    """A tensor's numbers as float32 (C, H, W), in 1 or 3 channels if that is asked for."""
    x_CHW = image[None] if image.ndim == 2 else image
    if x_CHW.ndim != 3 or x_CHW.shape[0] not in (1, 3) or x_CHW.numel() == 0 or image.is_complex():
        raise DataError(
            f"the picture is a {str(image.dtype).removeprefix('torch.')} tensor of shape {tuple(image.shape)}; give "
            "real numbers (H, W), (1, H, W) or (3, H, W)"
        )
    x_CHW = x_CHW.detach().cpu().float()
    if not bool(x_CHW.isfinite().all()):
        raise DataError("the picture has numbers that are infinite or not a number (nan); give finite ones")
    if channels == 1 and x_CHW.shape[0] == 3:
        return torch.einsum("chw,c->hw", x_CHW, torch.tensor(_LUMA))[None]
    return x_CHW.expand(channels, -1, -1) if channels else x_CHW


def as_kernel(kernel: Any, settings: dict[str, Any]) -> Kernel:
    """The kernel that was meant."""
    if isinstance(kernel, str | Path):
        return read_kernel(kernel, **settings)
    given = [name for name, value in settings.items() if value is not None]
    if given:
        raise KernelError(f"a kernel of given numbers takes no {given[0]}; give a kernel's name to set one")
    if isinstance(kernel, Kernel):
        return kernel
    rows = kernel.tolist() if isinstance(kernel, Tensor | np.ndarray) else kernel
    try:
        return Kernel("kernel", tuple(tuple(float(weight) for weight in row) for row in rows))
    except (TypeError, ValueError):
        shape = f" of shape {tuple(kernel.shape)}" if isinstance(kernel, Tensor | np.ndarray) else ""
        raise KernelError(
            f"the kernel is a {type(kernel).__name__}{shape}, not rows of numbers; give rows such as [[1, 0, -1]]"
        ) from None


def turned(kernel: Kernel) -> Kernel:
    """The kernel turned by 180°: rows and columns both run backwards."""
    rows = tuple(row[::-1] for row in kernel.rows[::-1])
    return Kernel(f"{kernel.name}, turned by 180°", rows, kernel.about, kernel.source)


def place_of(window: Any, size: Pair) -> Pair:
    """The row and column that were asked for, if the result has them."""
    places = tuple(window) if isinstance(window, Sequence) else (window,)
    if len(places) != 2 or not all(isinstance(place, Integral) for place in places):
        raise OperationError(f"window = {window!r}: give a row and a column, such as (12, 7)")
    if not all(0 <= place < length for place, length in zip(places, size, strict=True)):
        raise OperationError(
            f"window {places[0]},{places[1]} lies outside the {times(size)} result; give a row from 0 to "
            f"{size[0] - 1} and a column from 0 to {size[1] - 1}"
        )
    return int(places[0]), int(places[1])


def strongest(after: Tensor, spec: ConvSpec, input_size: Pair) -> Pair:
    """Row and column of the number furthest from 0, in whichever channel; the first of equals.

    Among those whose window lies on the picture, if there are any: the padding's zeros make an edge of their own.
    """
    inside = [
        [place for place in range(count) if 0 <= place * w.stride - w.before <= size - w.extent] or [*range(count)]
        for count, size, w in zip(after.shape[1:], input_size, spec.windows, strict=True)
    ]
    rows, columns = inside
    responses = after.abs().amax(0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    row, column = divmod(int(responses.argmax()), responses.shape[1])
    return rows[0] + row, columns[0] + column


def displayed(values: Tensor) -> tuple[NDArray[np.uint8], float, float]:
    """Numbers as grey values for looking at, with what black and white stand for.

    Numbers from 0 to 255 stay as they are, and the little of a picture that sharpening drove beyond them is clipped.
    Else 0 is mid grey where some are negative, and the furthest from it black or white; where none is, 0 is black and
    the greatest white. Numbers so small that all would look black are stretched like that, too.

    Args:
        values: (H, W), (1, H, W) or (3, H, W), of any type.

    Returns:
        uint8 (H, W) or (H, W, 3); what is black; what is white.

    >>> pixels, low, high = displayed(torch.tensor([[-300.0, 0.0, 150.0]]))
    >>> pixels.tolist(), low, high
    ([[0, 128, 191]], -300.0, 300.0)
    """
    values = values.float()
    least, greatest = (float(edge) for edge in values.aminmax())
    low, high = 0.0, 255.0
    if least >= 0 and greatest < _DIM:
        high = greatest or 255.0
    elif outside_share(values) > _LITTLE:
        high = max(-least, greatest)
        low = -high if least < 0 else 0.0
    scaled = ((values - low) * (255 / (high - low))).round_().clamp_(0, 255)
    pixels = scaled.to(torch.uint8).numpy()
    if pixels.ndim == 3:
        pixels = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    return pixels, low, high


def outside_share(values: Tensor) -> float:
    """How much of all numbers, by size, lies below 0 or above 255; pictures have little of it, derivatives half.

    Measured on photographs: at most 0.12 after sharpening and embossing, at least 0.45 after Sobel and Laplacian.
    """
    outside = (values - values.clamp(0, 255)).abs().sum()
    return float(outside / values.abs().sum().clamp_min(1e-30))


def save_result(after: Tensor, path: str | Path, *, overwrite: bool = False) -> int:
    """Write what came out: .npy keeps every number as float32 (C, P, Q), .png rounds and clips to 0…255.

    Returns:
        How many numbers lay outside 0…255 and were clipped; 0 for .npy.

    Raises:
        NeocogError: another suffix, a file that exists already, or a place that can't be written to.
    """
    target = check_target(path, RESULTS, overwrite=overwrite)
    outside = 0
    with whole_file(target) as file:
        if target.suffix.lower() == ".npy":
            with file.open("wb") as stream:  # np.save would add .npy behind .NPY
                np.save(stream, after.numpy())
        else:
            rounded = after.round()
            outside = int(((rounded < 0) | (rounded > 255)).sum())
            pixels = rounded.clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
            Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return outside
