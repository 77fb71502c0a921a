"""The torch modules that torch itself lacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from neocog.geometry import same_padding


class SameConv2d(nn.Conv2d):
    """`nn.Conv2d(…, padding="same")` for even kernels, without the warning that torch gives for those."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for kernel, dilation in zip(reversed(self.kernel_size), reversed(self.dilation), strict=True):
            pads += same_padding(kernel, dilation)
        padded = functional.pad(x, pads)
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class ResidualModule(nn.Module):
    """body(x) + shortcut(x); the shortcut is x itself unless given."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut if shortcut is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


class BranchesModule(nn.Sequential):
    """The outputs of all branches of x, joined along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], dim=1)
