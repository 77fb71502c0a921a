"""Where the work is done and in which numbers: `auto` turned into what this machine has."""

from __future__ import annotations

import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from neocog.errors import DeviceError, unknown

if TYPE_CHECKING:
    import torch

KINDS = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float64", "float32", "bf16")


@dataclass(frozen=True)
class Compute:
    """A device and the precision of its matrix products, "float64", "float32" or "bf16"."""

    device: torch.device
    precision: str

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a network's forward pass runs."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, and of what is not rounded to bf16."""
        import torch

        return torch.float64 if self.precision == "float64" else torch.float32

    def __str__(self) -> str:
        return f"{self.device} in {self.precision}"


def choose(device: str = "auto", precision: str = "auto") -> Compute:
    """The device and precision asked for, or the best this machine has. Raises DeviceError.

    `auto` prefers cuda to mps to cpu, and bf16 to float32 where the processor multiplies bf16 matrices natively.
    """
    chosen = _choose_device(device)
    native = _has_native_bf16(chosen)
    if precision not in PRECISIONS:
        raise DeviceError(unknown("precision", precision, PRECISIONS))
    if precision in ("bf16", "float64") and chosen.type == "mps":
        raise DeviceError(f"precision '{precision}' is not offered on mps; use --precision float32")
    return Compute(chosen, ("bf16" if native else "float32") if precision == "auto" else precision)


def _choose_device(name: str) -> torch.device:
    import torch

    kind, _, index = name.partition(":")
    if kind.lower().startswith("gpu"):  # by its letters, the nearest name would be cpu
        raise DeviceError(f"unknown device '{name}'; did you mean 'cuda'? Known: {', '.join(KINDS)}")
    if kind not in KINDS or (index and not index.isdecimal()):
        raise DeviceError(unknown("device", name, KINDS))
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device 'cuda': this machine or this build of torch has none; use --device cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device 'mps': this machine or this build of torch has none; use --device cpu")
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise DeviceError(f"device '{name}': the last one here is cuda:{torch.cuda.device_count() - 1}")
    return torch.device(kind, int(index)) if index else torch.device(kind)


def _has_native_bf16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Without these instructions bf16 products are emulated, and slower than float32.
        return any(
            getattr(torch.cpu, name, lambda: False)()
            for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        )
    return False


def environment() -> dict[str, Any]:
    """What a figure depends on besides the recipe: versions, processor, threads."""
    import numpy
    import torch

    import neocog

    found: dict[str, Any] = {
        "neocog": neocog.__version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


@cache
def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a pseudo file
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
