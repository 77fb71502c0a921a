"""What the public functions ask of a tensor, in the same words everywhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neocog.errors import OperationError
from neocog.ops.spec import ConvSpec, times

HALF = (torch.float16, torch.bfloat16)
FLOATS = (*HALF, torch.float32, torch.float64)


def check_tensor(label: str, tensor: Any) -> None:
    """Raises OperationError unless it is a dense tensor of a float type."""
    if not isinstance(tensor, Tensor):
        raise OperationError(f"{label} is a {type(tensor).__name__}: give a tensor, such as torch.tensor({label})")
    if tensor.dtype not in FLOATS:
        raise OperationError(f"{label} is {_kind(tensor)}: {_mend(label, tensor.dtype)}")
    if tensor.layout != torch.strided:
        layout = str(tensor.layout).removeprefix("torch.").strip("_")
        raise OperationError(f"{label} is {layout}: give a dense tensor, such as {label}.to_dense()")


def check_alike(first: str, x: Tensor, second: str, w: Tensor) -> None:
    """Raises OperationError unless both tensors have one type and lie on one device."""
    if w.dtype != x.dtype:
        raise OperationError(
            f"{first} is {_kind(x)} but {second} is {_kind(w)}: give both one type, such as {second}.to({first}.dtype)"
        )
    if w.device != x.device:
        raise OperationError(f"{first} is on {x.device} but {second} is on {w.device}: use {second}.to({first}.device)")


def check_pictures(name: str, x: Any) -> None:
    """Raises OperationError unless the function of that name can take x as pictures, or as one picture."""
    check_tensor("x", x)
    if x.ndim not in (3, 4):
        raise OperationError(f"x has the shape {tuple(x.shape)}: {name} takes (N, C, H, W) or (C, H, W)")
    if 0 in x.shape[-3:]:
        raise OperationError(f"x has the shape {tuple(x.shape)}: only the number of pictures may be 0")


def check_spec(spec: Any, w: Any = None) -> None:
    """Raises OperationError unless it is a ConvSpec, for kernels of that size where there are some."""
    if not isinstance(spec, ConvSpec):
        raise OperationError(f"spec is a {type(spec).__name__}: give a ConvSpec, such as ConvSpec.make(3)")
    if isinstance(w, Tensor) and w.ndim == 4 and tuple(w.shape[2:]) != spec.kernel_size:
        raise OperationError(
            f"w {tuple(w.shape)} has {times(w.shape[2:])} kernels but the spec is for {times(spec.kernel_size)}; use "
            f"ConvSpec.make({tuple(w.shape[2:])}, …)"
        )


def _mend(label: str, kind: torch.dtype) -> str:
    if kind.is_complex:
        return f"give real numbers, such as {label}.real"
    if kind.is_floating_point:
        return f"nothing is computed in it; use {label}.float()"
    return f"give a float type, such as {label}.float()"


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
