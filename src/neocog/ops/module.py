"""`nn.Conv2d` on any of our algorithms: what lets a network train on the convolution that one wrote."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neocog.errors import OperationError
from neocog.ops.convolution import conv2d
from neocog.ops.methods import algorithm_for
from neocog.ops.spec import ConvSpec


class Conv2d(nn.Conv2d):
    """A convolution layer as torch's, with the same arguments, parameters and initial weights, computed by `method`.

    Takes (N, C, H, W) or (C, H, W) and gives (N, K, P, Q) or (K, P, Q), as `conv2d` does.

    Raises:
        OperationError: arguments that torch refuses, too, a specification that the method can't do, or a `padding_mode`
            other than "zeros".

    >>> Conv2d(1, 16, 5, padding=2, method="fft")(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 16, 28, 28])
    """

    def __init__(self, *args: Any, method: str = "im2col", **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except (TypeError, ValueError, RuntimeError) as error:
            raise OperationError(f"this layer can't be made: {' '.join(str(error).split())}") from None
        self.method = method
        self._check()

    @classmethod
    def adopt(cls, layer: nn.Conv2d, method: str) -> None:
        """Makes a layer of torch's compute by `method` from now on. Raises as the class does, and changes nothing then.

        The layer stays the object it is, with its parameters, hooks and places in the network.
        """
        twin = cls.__new__(cls)
        twin.__dict__ = {**layer.__dict__, "method": method}
        twin._check()
        layer.__class__ = cls
        layer.__dict__["method"] = method

    def _check(self) -> None:
        if self.padding_mode != "zeros":
            raise OperationError(f"padding_mode '{self.padding_mode}' is torch's alone; use 'zeros'")
        spec = ConvSpec.make(self.kernel_size, self.stride, self.padding, self.dilation, self.groups)
        algorithm_for(self.method, spec)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim in (3, 4) and x.shape[-3] != self.in_channels:
            raise OperationError(
                f"x has {x.shape[-3]} channels but this layer was made with in_channels={self.in_channels}; "
                f"make it with {x.shape[-3]}"
            )
        weight, bias = self.weight, self.bias
        if x.dtype != torch.float64 and torch.is_autocast_enabled(x.device.type):  # then torch's own rounds, too
            kind = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
        return conv2d(
            x,
            weight,
            bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            method=self.method,
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, method={self.method}"  # type: ignore[no-untyped-call]
