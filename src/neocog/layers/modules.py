"""The two torch modules that torch itself lacks, for the words that hold other layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
