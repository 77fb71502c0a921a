"""Layer texts drawn at random, and the checks that several test files share."""

from __future__ import annotations

from dataclasses import MISSING, fields

import torch
from hypothesis import strategies as st
from torch import nn

from neocog.errors import LayerError
from neocog.layers import WORDS, Layers, parse
from neocog.layers.arguments import COUNT, FEATURES, FLAG, GROUPS, NUMBER, PADDING, PAIR, POOL_PADDING, SHARE
from neocog.layers.blocks import Branches, Residual

_small = st.integers(1, 9)
_VALUES = {
    COUNT: st.integers(1, 10**6),
    PAIR: st.tuples(_small, _small),
    FLAG: st.booleans(),
    SHARE: st.floats(0, 1, exclude_max=True, allow_subnormal=False).map(abs),
    NUMBER: st.floats(1e-12, 1e6),
    PADDING: st.just("same") | st.tuples(st.integers(0, 4), st.integers(0, 4)),
    POOL_PADDING: st.tuples(st.integers(0, 4), st.integers(0, 4)),
    GROUPS: st.just("in") | st.integers(1, 64),
    FEATURES: st.just("classes") | st.integers(1, 5000),
}


def _of_kind(kind: type) -> st.SearchStrategy:
    """Any layer of that word, every argument its own value or left at its default."""
    arguments = {}
    for item in fields(kind):
        values = _VALUES[item.metadata["kind"]]
        arguments[item.name] = values if item.default is MISSING else st.just(item.default) | values
    return st.builds(kind, **arguments)


words = st.one_of([_of_kind(kind) for kind in WORDS.values() if kind.word not in ("residual", "branches")])
_some = st.lists(words, min_size=1, max_size=3).map(lambda layers: Layers(tuple(layers)))


def _blocks(inner: st.SearchStrategy) -> st.SearchStrategy:
    runs = st.lists(inner, min_size=1, max_size=3).map(lambda layers: Layers(tuple(layers)))
    maybe = runs | st.just(Layers(()))
    residual = st.one_of(st.tuples(runs), st.tuples(runs, maybe)).map(Residual)
    branches = st.builds(lambda first, rest: Branches((first, *rest)), runs, st.lists(maybe, max_size=3))
    return residual | branches


any_layers = st.lists(st.recursive(words, _blocks, max_leaves=5), min_size=1, max_size=5).map(
    lambda layers: Layers(tuple(layers))
)

shapes = st.tuples(st.integers(1, 4), st.integers(4, 12), st.integers(4, 12))
_ON_MAPS = [
    "conv {k} 3",
    "conv {k} 3x5 padding=1x2 bias=no",
    "conv {k} 3 same",
    "conv {k} 2 same dilation=3",
    "conv {k} 4x3 same",
    "conv {k} 5 stride=2x1 padding=2",
    "conv {k} 3 dilation=2 padding=1",
    "conv {c} 3 same groups=in",
    "conv {cc} 1x3 groups=in bias=no",
    "maxpool 2",
    "maxpool 3 stride=2 ceil=yes",
    "maxpool 3x2 stride=2x1 padding=1x0",
    "avgpool 2 ceil=yes",
    "avgpool 3 stride=2 padding=1",
    "batchnorm",
    "groupnorm {c}",
    "dropout2d 0.25",
    "relu",
    "leakyrelu 0.2",
    "gelu",
    "tanh",
    "residual( conv {c} 3 same | batchnorm | relu | conv {c} 3 same )",
    "residual( conv {k} 3 stride=2 padding=1 | relu ; conv {k} 1 stride=2 bias=no | batchnorm )",
    "branches( conv {k} 1 ; conv 2 2 same | relu ; )",
    "branches( residual( branches( conv 1 1 ; conv {k} 3 same ) ; conv {kk} 1 ) ; maxpool 3 stride=1 padding=1 )",
    "globalavgpool",
    "globalmaxpool",
    "flatten",
]
_ON_VECTORS = [
    "linear 7",
    "linear {k} bias=no",
    "batchnorm momentum=0.2",
    "relu",
    "silu",
    "dropout 0.3",
    "softmax",
    "flatten",
    "residual( linear 5 | tanh ; linear 5 )",
    "branches( linear 3 ; linear {k} | elu ; )",
]


@st.composite
def placeable(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    """A text that ends in `linear classes`, and a picture's shape that it takes."""
    start = shape = draw(shapes)
    texts: list[str] = []
    for _ in range(draw(st.integers(0, 6))):
        filters = draw(st.integers(1, 3))
        pattern = draw(st.sampled_from(_ON_MAPS if len(shape) == 3 else _ON_VECTORS))
        text = pattern.format(k=filters, kk=filters + 1, c=shape[0], cc=2 * shape[0])
        try:
            shape = parse(text).place(shape)[-1].output_shape
        except LayerError:
            continue
        texts.append(text)
    return " | ".join([*texts, "flatten", "linear classes"]), start


def built(text: str, shape: tuple[int, ...]) -> nn.Sequential:
    """The torch modules of a text that need not be a classifier, in evaluation mode and float64."""
    torch.manual_seed(0)
    return nn.Sequential(*(item.module() for item in parse(text).place(shape))).eval().double()


def check_shapes(text: str, shape: tuple[int, ...], classes: int = 10) -> None:
    """Each row's shapes and parameters are those of the torch module of the same name, met while it runs."""
    layers = parse(text)
    seen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    model = nn.Sequential(*(item.module() for item in layers.place(shape, classes))).eval()
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda _, given, out, name=name: seen.update({name: (tuple(given[0].shape[1:]), tuple(out.shape[1:]))})
        )
    with torch.no_grad():
        model(torch.zeros(2, *shape))
    rows = layers.table(shape, classes)
    for row in rows:
        assert (row.input_shape, row.output_shape) == seen[row.name], f"layer {row.number} '{row.text}'"
        if row.text.split(":")[0] not in ("residual", "branches"):
            counted = sum(weight.numel() for weight in model.get_submodule(row.name).parameters())
            assert row.parameters == counted, f"layer {row.number} '{row.text}'"
    assert sum(row.parameters for row in rows) == sum(weight.numel() for weight in model.parameters())


def touched(text: str, shape: tuple[int, ...], axis: int) -> torch.Tensor:
    """Whether each place along `axis` of the output depends on each row or column of the picture: (given, out).

    A value that isn't a number spoils exactly what is computed from it, max pooling included.
    """
    size = shape[1 + axis]
    pictures = torch.zeros(size, *shape, dtype=torch.float64)
    for place in range(size):
        pictures[place].select(1 + axis, place).fill_(torch.nan)
    with torch.no_grad():
        out = built(text, shape)(pictures).isnan()
    return out.any(dim=1).any(dim=2 - axis)


def check_receptive_field(text: str, size: int = 61) -> None:
    """The table's receptive field is the span of rows and columns that spoil a value in the middle of the output."""
    row = parse(text).table((1, size, size))[-1]
    for axis in (0, 1):
        spoilt = touched(text, (1, size, size), axis)
        places = spoilt[:, spoilt.shape[1] // 2].nonzero().flatten()
        assert places[0] > 0, "the picture is too small for this test"
        assert places[-1] < size - 1, "the picture is too small for this test"
        assert int(places[-1] - places[0]) + 1 == row.receptive_field[axis], f"axis {axis} of '{text}'"


def check_unread(text: str, shape: tuple[int, ...]) -> None:
    """The table's unread rows and columns are the last ones that change nothing when they are spoilt."""
    want = parse(text).table(shape)[0].unread
    for axis in (0, 1):
        matters = touched(text, shape, axis).any(dim=1).nonzero().flatten()
        assert shape[1 + axis] - 1 - int(matters[-1]) == want[axis], f"axis {axis} of '{text}' on {shape}"
