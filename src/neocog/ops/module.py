"""`nn.Conv2d` on any of our algorithms: what lets a network train on the convolution that one wrote."""

from __future__ import annotations

from math import gcd
from typing import Any

import torch
from torch import Tensor, nn

from neocog.errors import OperationError
from neocog.ops.convolution import Number, conv2d
from neocog.ops.methods import algorithm_for
from neocog.ops.spec import ConvSpec, Padding


class Conv2d(nn.Conv2d):
    """A convolution layer as torch's, with the same arguments, parameters and initial weights, computed by `method`.

    Takes (N, C, H, W) or (C, H, W) and gives (N, K, P, Q) or (K, P, Q), as `conv2d` does.

    Raises:
        OperationError: arguments that torch refuses, too, a specification that the method can't do, or a `padding_mode`
            other than "zeros".

    >>> Conv2d(1, 16, 5, padding=2, method="fft")(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 16, 28, 28])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Number,
        stride: Number = 1,
        padding: Padding = 0,
        dilation: Number = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        method: str = "im2col",
    ) -> None:
        _check(method, padding_mode, kernel_size, stride, padding, dilation, groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if type(channels) is not int or channels < 1:
                raise OperationError(f"{name} = {channels!r}: give a whole number of at least 1")
        if in_channels % groups or out_channels % groups:
            raise OperationError(
                f"groups = {groups} must divide both in_channels = {in_channels} and out_channels = {out_channels}; "
                f"the largest that does is {gcd(in_channels, out_channels)}"
            )
        rest: Any = (kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype)
        super().__init__(in_channels, out_channels, *rest)
        self.method = method

    @classmethod
    def adopt(cls, layer: nn.Conv2d, method: str) -> None:
        """Makes a layer of torch's compute by `method` from now on. Raises as the class does, and changes nothing then.

        The layer stays the object it is, with its parameters, hooks and places in the network.
        """
        walk: Any = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
        _check(method, layer.padding_mode, *walk)
        layer.__class__ = cls
        layer.__dict__["method"] = method

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


def _check(method: str, padding_mode: str, *walk: Any) -> None:
    """Raises OperationError unless the method can compute a layer that walks like this."""
    if padding_mode != "zeros":
        raise OperationError(f"padding_mode '{padding_mode}' is torch's alone; use 'zeros'")
    algorithm_for(method, ConvSpec.make(*walk))
