"""Words that hold other layers: their sums, their names, and the errors when shapes don't go together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import built, check_shapes

from neocog.errors import LayerError
from neocog.layers import parse


def message(text: str, shape: tuple[int, ...]) -> str:
    with pytest.raises(LayerError) as caught:
        parse(text).place(shape)
    return str(caught.value)


def picture(*shape: int) -> torch.Tensor:
    return torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_residual_adds_its_input():
    x = picture(3, 5, 5)
    model = built("residual( relu )", (3, 5, 5))
    torch.testing.assert_close(model(x), x.relu() + x, rtol=0, atol=0)


def test_residual_adds_its_shortcut():
    x = picture(3, 6, 6)
    model = built("residual( conv 4 3 stride=2 padding=1 | relu ; conv 4 1 stride=2 bias=no )", (3, 6, 6))
    want = model[0].body[1](model[0].body[0](x)) + model[0].shortcut[0](x)
    torch.testing.assert_close(model(x), want, rtol=0, atol=0)


def test_branches_stand_side_by_side_in_order():
    x = picture(3, 5, 5)
    model = built("branches( relu ; tanh ; )", (3, 5, 5))
    torch.testing.assert_close(model(x), torch.cat([x.relu(), x.tanh(), x], dim=1), rtol=0, atol=0)
    vector = picture(6)
    torch.testing.assert_close(
        built("branches( relu ; )", (6,))(vector), torch.cat([vector.relu(), vector], dim=1), rtol=0, atol=0
    )


def test_names_in_the_state_dict():
    model = parse(
        "conv 4 3 same | residual( batchnorm | conv 4 3 same bias=no ; conv 4 1 ) | "
        "branches( conv 2 1 ; relu | residual( conv 4 1 ) ) | flatten | linear classes"
    ).build((1, 4, 4), 3)
    assert [name for name, _ in model.named_parameters()] == [
        "0.weight",
        "0.bias",
        "1.body.0.weight",
        "1.body.0.bias",
        "1.body.1.weight",
        "1.shortcut.0.weight",
        "1.shortcut.0.bias",
        "2.0.0.weight",
        "2.0.0.bias",
        "2.1.1.body.0.weight",
        "2.1.1.body.0.bias",
        "4.weight",
        "4.bias",
    ]


def test_rows_of_blocks():
    rows = parse("relu | residual( conv 4 3 same | batchnorm ; conv 4 1 ) | branches( relu ; conv 2 1 )").table(
        (3, 5, 5)
    )
    assert [(row.number, row.name, row.text, row.output_shape, row.parameters) for row in rows] == [
        ("1", "0", "relu", (3, 5, 5), 0),
        ("2.body.1", "1.body.0", "conv 4 3 same", (4, 5, 5), 112),
        ("2.body.2", "1.body.1", "batchnorm", (4, 5, 5), 8),
        ("2.shortcut.1", "1.shortcut.0", "conv 4 1", (4, 5, 5), 16),
        ("2", "1", "residual: add", (4, 5, 5), 0),
        ("3.0.1", "2.0.0", "relu", (4, 5, 5), 0),
        ("3.1.1", "2.1.0", "conv 2 1", (2, 5, 5), 10),
        ("3", "2", "branches: concatenate", (6, 5, 5), 0),
    ]


def test_deeply_nested_shapes():
    check_shapes(
        "residual( branches( residual( conv 2 3 same ; branches( conv 1 1 ; conv 1 2 same ) ) ; relu ) ; conv 4 1 )",
        (2, 6, 5),
    )


SHAPES = [
    (
        "residual( conv 16 3 same )",
        (1, 28, 28),
        "layer 1 'residual( conv 16 3 same )': its layers give 16×28×28 but the shortcut gives 1×28×28; "
        "give the shortcut its own layers after ';', such as '; conv 16 1 bias=no'",
    ),
    (
        "relu | residual( conv 16 3 stride=2x1 padding=1 )",
        (1, 28, 28),
        "layer 2 'residual( conv 16 3 padding=1 stride=2x1 )': its layers give 16×14×28 but the shortcut gives "
        "1×28×28; give the shortcut its own layers after ';', such as '; conv 16 1 stride=2x1 bias=no'",
    ),
    (
        "residual( conv 4 3 )",
        (4, 28, 28),
        "layer 1 'residual( conv 4 3 )': its layers give 4×26×26 but the shortcut gives 4×28×28; "
        "give the shortcut its own layers after ';' that give the same shape",
    ),
    (
        "residual( flatten )",
        (1, 28, 28),
        "layer 1 'residual( flatten )': its layers give 784 but the shortcut gives 1×28×28; "
        "give the shortcut its own layers after ';', such as '; flatten | linear 784'",
    ),
    (
        "flatten | residual( linear 7 | relu )",
        (1, 4, 4),
        "layer 2 'residual( linear 7 | relu )': its layers give 7 but the shortcut gives 16; "
        "give the shortcut its own layers after ';', such as '; linear 7'",
    ),
    (
        "branches( conv 8 1 ; conv 8 3 ; )",
        (1, 28, 28),
        "layer 1 'branches( conv 8 1 ; conv 8 3 ; )': its branches give 8×28×28, 8×26×26, 1×28×28; "
        "all must have the same height and width",
    ),
    (
        "branches( flatten ; conv 3 1 )",
        (1, 2, 2),
        "layer 1 'branches( flatten ; conv 3 1 )': its branches give 4, 3×2×2; all must have the same height and width",
    ),
    (
        "relu | residual( conv 3 3 same | branches( relu ; conv 9 5 ) )",
        (1, 4, 4),
        "layer 2.body.2.1.1 'conv 9 5': a 5×5 kernel does not fit the 4×4 map it gets; "
        "use a kernel of at most 4, or padding=1",
    ),
]


@pytest.mark.parametrize(("text", "shape", "want"), SHAPES, ids=[text for text, _, _ in SHAPES])
def test_shapes_that_do_not_go_together(text, shape, want):
    assert message(text, shape) == want


@given(
    st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)
)
@settings(deadline=None)
def test_the_shortcut_that_an_error_proposes_works(channels, height, width, kernel, stride, padding):
    body = f"conv 3 {kernel} stride={stride} padding={padding}"
    try:
        parse(f"residual( {body} )").place((channels, height, width))
    except LayerError as error:
        _, proposed, shortcut = str(error).partition("such as '; ")
        if proposed:
            parse(f"residual( {body} ; {shortcut.rstrip(chr(39))} )").place((channels, height, width))
