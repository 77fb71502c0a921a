"""The words of the layer language, one class each. Adding a layer means adding one class here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, prod
from typing import TYPE_CHECKING, ClassVar

from neocog.errors import LayerError
from neocog.geometry import Window, output_size, same_padding
from neocog.layers.arguments import (
    COUNT,
    FEATURES,
    FLAG,
    GROUPS,
    NUMBER,
    PADDING,
    PAIR,
    POOL_PADDING,
    SHARE,
    Pair,
    argument,
)
from neocog.layers.layer import Layer, Shape, shape_text

if TYPE_CHECKING:
    from torch import nn


def _map_only(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise LayerError(
            f"needs a map of channels×height×width but gets a vector of {shape[0]}; put it before 'flatten'"
        )
    return shape[0], shape[1], shape[2]


def _vector_only(shape: Shape) -> int:
    if len(shape) != 1:
        raise LayerError(
            f"needs a vector but gets a {shape_text(shape)} map; put 'flatten' or 'globalavgpool' before it"
        )
    return shape[0]


def _article(number: int) -> str:
    """'an' before a number whose name starts with a vowel (8, 11, 18, 80 to 89, 800 …), else 'a'."""
    return "an" if str(number).startswith("8") or number in (11, 18) else "a"


def _fit(layer: Layer, shape: Shape, noun: str, mend: str) -> tuple[int, int]:
    """Height and width after the layer's windows, or the reason why they don't fit."""
    windows = layer.windows(shape)
    assert windows is not None
    height, width = (output_size(size, window) for size, window in zip(shape[1:], windows, strict=True))
    if height < 1 or width < 1:
        size = windows[0].extent, windows[1].extent
        window = f"{_article(size[0])} {shape_text(size)} {noun}"
        raise LayerError(f"{window} does not fit the {shape_text(shape[1:])} map it gets; {mend}")
    return height, width


# ------------------------------------------------------------------------------------------------- convolution, linear


@dataclass(frozen=True)
class Conv(Layer):
    """2-D convolution (cross-correlation, as in every deep-learning library) with `filters` kernels."""

    word = "conv"
    filters: int = argument(COUNT)
    kernel_size: Pair = argument(PAIR)
    padding: Pair | str = argument(PADDING, (0, 0), named=True)
    stride: Pair = argument(PAIR, (1, 1), named=True)
    dilation: Pair = argument(PAIR, (1, 1), named=True)
    groups: int | str = argument(GROUPS, 1, named=True)
    bias: bool = argument(FLAG, True, named=True)

    def _groups(self, channels: int) -> int:
        return channels if self.groups == "in" else int(self.groups)

    def windows(self, shape: Shape) -> tuple[Window, Window]:
        def along(axis: int) -> Window:
            kernel, dilation = self.kernel_size[axis], self.dilation[axis]
            if self.padding == "same":
                before, after = same_padding(kernel, dilation)
            else:
                before = after = int(self.padding[axis])
            return Window(kernel, self.stride[axis], before, after, dilation)

        return along(0), along(1)

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = _map_only(shape)
        groups = self._groups(channels)
        if channels % groups or self.filters % groups:
            raise LayerError(
                f"groups={groups} must divide both the {channels} channels it gets and its {self.filters} filters"
            )
        if self.padding == "same" and self.stride != (1, 1):
            raise LayerError(
                f"padding 'same' keeps the size only at stride 1, not at stride={_pair(self.stride)}; "
                f"use padding={_pair((self.kernel_size[0] // 2, self.kernel_size[1] // 2))}"
            )
        rows, columns = self.windows(shape)
        largest = min(
            (size + window.before + window.after - 1) // window.dilation + 1
            for size, window in ((height, rows), (width, columns))
        )
        needed = max(
            ceil((rows.extent - height) / 2), ceil((columns.extent - width) / 2), 0
        )  # padding on each side that makes room for one window
        mend = f"use a kernel of at most {largest}, or padding={needed}"
        return (self.filters, *_fit(self, shape, "kernel", mend))

    def parameters(self, shape: Shape) -> int:
        weights = self.filters * (shape[0] // self._groups(shape[0])) * prod(self.kernel_size)
        return weights + (self.filters if self.bias else 0)

    def macs(self, shape: Shape) -> int:
        return prod(self.output_shape(shape)) * (shape[0] // self._groups(shape[0])) * prod(self.kernel_size)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        from neocog.layers.modules import SameConv2d

        rows, columns = self.windows(shape)
        # Even kernels with 'same' pad one pixel more after than before, which torch calls padding="same".
        even = rows.before != rows.after or columns.before != columns.after
        return (SameConv2d if even else nn.Conv2d)(
            shape[0],
            self.filters,
            self.kernel_size,
            stride=self.stride,
            padding="same" if even else (rows.before, columns.before),
            dilation=self.dilation,
            groups=self._groups(shape[0]),
            bias=self.bias,
        )


@dataclass(frozen=True)
class Linear(Layer):
    """Affine map of a vector, y = W·x + b; `classes` stands for the number of classes of the data."""

    word = "linear"
    features: int | str = argument(FEATURES)
    bias: bool = argument(FLAG, True, named=True)

    def with_classes(self, classes: int | None) -> Layer:
        if self.features != "classes" or classes is None:
            return self
        return Linear(classes, self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        _vector_only(shape)
        if self.features == "classes":
            raise LayerError("says 'classes' but the number of classes isn't known here; give it, or write a number")
        return (int(self.features),)

    def parameters(self, shape: Shape) -> int:
        return int(self.features) * (shape[0] + int(self.bias))

    def macs(self, shape: Shape) -> int:
        return int(self.features) * shape[0]

    def sees_everything(self) -> bool:
        return True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Linear(shape[0], int(self.features), bias=self.bias)


# ------------------------------------------------------------------------------------------------------------- pooling


@dataclass(frozen=True)
class _Pool(Layer):
    kernel_size: Pair = argument(PAIR)
    stride: Pair | None = argument(PAIR, None, named=True)
    padding: Pair = argument(POOL_PADDING, (0, 0), named=True)
    ceil: bool = argument(FLAG, False, named=True)

    def windows(self, shape: Shape) -> tuple[Window, Window]:
        stride = self.stride or self.kernel_size

        def along(axis: int) -> Window:
            pad = self.padding[axis]
            return Window(self.kernel_size[axis], stride[axis], pad, pad, ceil=self.ceil)

        return along(0), along(1)

    def output_shape(self, shape: Shape) -> Shape:
        channels = _map_only(shape)[0]
        for pad, kernel in zip(self.padding, self.kernel_size, strict=True):
            if pad > kernel // 2:
                raise LayerError(
                    f"padding={_pair(self.padding)} is more than half of the {_pair(self.kernel_size)} window; "
                    f"use at most {kernel // 2}"
                )
        mend = "leave it out, use a smaller window, or feed larger pictures"
        return (channels, *_fit(self, shape, "window", mend))


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest value in each window; the window moves by its own size unless `stride` says otherwise."""

    word = "maxpool"

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil)


@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean of each window, padding counted as zeros."""

    word = "avgpool"

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.AvgPool2d(self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil)


@dataclass(frozen=True)
class _GlobalPool(Layer):
    def output_shape(self, shape: Shape) -> Shape:
        return (_map_only(shape)[0],)

    def sees_everything(self) -> bool:
        return True


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    """The mean of each channel: a map becomes a vector (Lin, Chen & Yan, "Network in Network", 2014)."""

    word = "globalavgpool"

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    """The largest value of each channel: a map becomes a vector."""

    word = "globalmaxpool"

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())


@dataclass(frozen=True)
class Flatten(Layer):
    """A map as one vector, channel by channel, row by row."""

    word = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def formula(self, shape: Shape) -> str:
        return f"{'·'.join(str(size) for size in shape)} = {prod(shape)}" if len(shape) > 1 else ""

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Flatten()


# ---------------------------------------------------------------------------------------------- normalisation, dropout


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Each channel to mean 0 and deviation 1 over the batch, then scaled and shifted (Ioffe & Szegedy, 2015)."""

    word = "batchnorm"
    momentum: float = argument(SHARE, 0.1, named=True)
    eps: float = argument(NUMBER, 1e-5, named=True)

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[0]

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return kind(shape[0], eps=self.eps, momentum=self.momentum)


@dataclass(frozen=True)
class GroupNorm(Layer):
    """Groups of channels of each picture to mean 0 and deviation 1 (Wu & He, 2018)."""

    word = "groupnorm"
    groups: int = argument(COUNT)
    eps: float = argument(NUMBER, 1e-5, named=True)

    def output_shape(self, shape: Shape) -> Shape:
        if shape[0] % self.groups:
            raise LayerError(f"{self.groups} groups must divide the {shape[0]} channels it gets")
        return shape

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[0]

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.GroupNorm(self.groups, shape[0], eps=self.eps)


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets each value to 0 with probability `p` while training (Srivastava et al., 2014)."""

    word = "dropout"
    p: float = argument(SHARE, 0.5)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)


@dataclass(frozen=True)
class Dropout2d(Layer):
    """Sets whole channels to 0 with probability `p` while training (Tompson et al., 2015)."""

    word = "dropout2d"
    p: float = argument(SHARE, 0.5)

    def output_shape(self, shape: Shape) -> Shape:
        _map_only(shape)
        return shape

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout2d(self.p)


# ------------------------------------------------------------------------------------------------------ value by value


@dataclass(frozen=True)
class _Activation(Layer):
    torch_name: ClassVar[str] = ""

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, self.torch_name)(*(getattr(self, item.name) for item in fields(self)))
        return module


@dataclass(frozen=True)
class ReLU(_Activation):
    """max(0, x)."""

    word, torch_name, monotone = "relu", "ReLU", True


@dataclass(frozen=True)
class LeakyReLU(_Activation):
    """x above zero, `slope`·x below (Maas, Hannun & Ng, 2013)."""

    word, torch_name, monotone = "leakyrelu", "LeakyReLU", True
    slope: float = argument(SHARE, 0.01)


@dataclass(frozen=True)
class ELU(_Activation):
    """x above zero, eˣ − 1 below (Clevert, Unterthiner & Hochreiter, 2016)."""

    word, torch_name, monotone = "elu", "ELU", True


@dataclass(frozen=True)
class Sigmoid(_Activation):
    """1 / (1 + e⁻ˣ)."""

    word, torch_name, monotone = "sigmoid", "Sigmoid", True


@dataclass(frozen=True)
class Tanh(_Activation):
    """Hyperbolic tangent."""

    word, torch_name, monotone = "tanh", "Tanh", True


@dataclass(frozen=True)
class GELU(_Activation):
    """x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel, 2016)."""

    word, torch_name = "gelu", "GELU"


@dataclass(frozen=True)
class SiLU(_Activation):
    """x·sigmoid(x) (Elfwing, Uchibe & Doya, 2018)."""

    word, torch_name = "silu", "SiLU"


@dataclass(frozen=True)
class Softmax(Layer):
    """Values of a vector as shares of 1. Cross-entropy applies its own, so a classifier seldom wants this one."""

    word = "softmax"

    def output_shape(self, shape: Shape) -> Shape:
        _vector_only(shape)
        return shape

    def sees_everything(self) -> bool:
        return True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Softmax(dim=1)


def _pair(pair: Pair) -> str:
    return str(PAIR.show(pair))
