"""What people give to be convolved, as numbers: pictures, kernels, and a place in what comes out."""

from __future__ import annotations

from collections.abc import Sequence
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
from neocog.kernels import Kernel, read_kernel
from neocog.ops.arguments import several, shown
from neocog.ops.arguments import whole as whole_number
from neocog.ops.spec import Pair, times

Picture = str | Path | bytes | Image.Image | NDArray[Any] | Tensor
Weights = str | Path | Kernel | Sequence[Sequence[float]] | Tensor

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, which Pillow turns colours into grey by


def is_numbers(image: Any) -> bool:
    """Whether a picture is given as numbers of any size, and not as pixels from 0 to 255."""
    return isinstance(image, Tensor | np.ndarray) and image.dtype not in (torch.uint8, np.uint8)


def as_numbers(image: Any, color: str = "auto") -> tuple[str, Tensor]:
    """What to call a picture, and its numbers, float32 (C, H, W) with 1 or 3 channels; never the caller's own."""
    if not isinstance(color, str) or color not in COLOURS:
        raise DataError(unknown("color", str(color), COLOURS))
    if isinstance(image, Tensor):
        return "tensor", of_tensor(image, COLOURS[color])
    if isinstance(image, np.ndarray) and image.dtype.kind in "fb":
        return "array", of_array(image, COLOURS[color])
    if isinstance(image, str | Path):
        sample = open_sample(image, color)
        name, pixels = sample.name, sample.pixels
    elif isinstance(image, bytes | Image.Image | np.ndarray):
        pixels = whole(image, COLOURS[color])
        file = getattr(image, "filename", "")
        name = Path(file).name if isinstance(file, str) and file else "picture"
    else:
        raise DataError(
            f"the picture is a {type(image).__name__}; give a file's name, digit:7, a PIL image, an array or a tensor"
        )
    return name, torch.from_numpy(np.array(pixels.transpose(2, 0, 1), dtype=np.float32, order="C"))


def of_array(image: NDArray[Any], channels: int) -> Tensor:
    """An array's numbers, channels last as in pictures, like a tensor's."""
    fits = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if image.dtype.kind == "b" or not fits or not image.size:
        mend = "numbers, such as image.astype('uint8') * 255" if image.dtype.kind == "b" else "(H, W) or (H, W, 3)"
        raise DataError(f"the picture is a {image.dtype} array of shape {image.shape}; give {mend}")
    with np.errstate(over="ignore"):  # what float32 can't hold is refused as infinite
        x_CHW = torch.from_numpy(np.array(np.atleast_3d(image).transpose(2, 0, 1), dtype=np.float32, order="C"))
    return of_tensor(x_CHW, channels)


def of_tensor(image: Tensor, channels: int) -> Tensor:
    """A tensor's numbers as float32 (C, H, W), in 1 or 3 channels if that is asked for."""
    x_CHW = image[None] if image.ndim == 2 else image
    refused = x_CHW.ndim != 3 or x_CHW.shape[0] not in (1, 3) or x_CHW.numel() == 0
    if refused or image.is_complex() or image.dtype == torch.bool or image.layout != torch.strided:
        mend = "real numbers (H, W), (1, H, W) or (3, H, W)"
        if image.dtype == torch.bool:
            mend = "numbers, such as image * 255"
        elif image.layout != torch.strided:
            mend += ", here image.to_dense()"
        elif image.ndim == 3 and image.shape[2] in (1, 3) and image.numel():
            mend += ", here image.permute(2, 0, 1)"
        raise DataError(
            f"the picture is a {str(image.dtype).removeprefix('torch.')} tensor of shape {tuple(image.shape)}; give "
            f"{mend}"
        )
    x_CHW = x_CHW.detach().cpu().float().clone()
    if not bool(x_CHW.isfinite().all()):
        raise DataError(
            "the picture has numbers that are infinite, not a number (nan), or too large for float32; give finite ones"
        )
    if channels == 1 and x_CHW.shape[0] == 3:
        return torch.einsum("chw,c->hw", x_CHW, torch.tensor(_LUMA))[None]
    return x_CHW.expand(channels, -1, -1).contiguous() if channels else x_CHW


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
    except OverflowError:
        raise KernelError("the kernel has a number that is too large; give finite ones that float32 can hold") from None
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
    places = several(window)
    if len(places) != 2 or not all(whole_number(place) for place in places):
        raise OperationError(f"window = {shown(window)}: give a row and a column, such as (12, 7)")
    if not all(0 <= place < length for place, length in zip(places, size, strict=True)):
        raise OperationError(
            f"window {shown(places[0])},{shown(places[1])} lies outside the {times(size)} result; give a row from 0 to "
            f"{size[0] - 1} and a column from 0 to {size[1] - 1}"
        )
    return int(places[0]), int(places[1])
