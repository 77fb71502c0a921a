"""The layer language: what is read, what is written back, and every error's whole text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from layer_checks import any_layers, placeable

from neocog.errors import LayerError
from neocog.layers import WORDS, Layers, parse
from neocog.layers.blocks import BLOCKS, Branches, Residual
from neocog.layers.words import AvgPool, BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool, ReLU

ALL_WORDS = (
    "avgpool, batchnorm, branches, conv, dropout, dropout2d, elu, flatten, gelu, globalavgpool, globalmaxpool, "
    "groupnorm, leakyrelu, linear, maxpool, relu, residual, sigmoid, silu, softmax, tanh"
)
CONV_USAGE = "'conv' is written 'conv FILTERS KERNEL_SIZE [padding=…] [stride=…] [dilation=…] [groups=…] [bias=…]'"
CONV_NAMES = "bias, dilation, filters, groups, kernel_size, padding, stride"
RESIDUAL = "'residual( conv 16 3 same | batchnorm | relu | conv 16 3 same | batchnorm )'"
WHOLE = "a whole number of at least 1"
SHARE = "a number from 0 up to, not including, 1"


def message(text: str) -> str:
    with pytest.raises(LayerError) as caught:
        parse(text)
    return str(caught.value)


@given(any_layers)
@settings(max_examples=100, deadline=None)
def test_parse_gives_back_what_text_wrote(layers):
    assert parse(layers.text()) == layers
    assert parse(layers.text("\n")) == layers, "one layer a line"
    assert parse(layers.text()).text() == layers.text(), "the normal form is its own normal form"


@given(placeable())
@settings(max_examples=50, deadline=None)
def test_placeable_texts_round_trip(drawn):
    text, _ = drawn
    assert parse(parse(text).text()) == parse(text)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("conv 16 5 same", Conv(16, (5, 5), "same")),
        ("conv same 16 5", Conv(16, (5, 5), "same")),
        ("conv 16 5 padding=same", Conv(16, (5, 5), "same")),
        ("conv 16 5 valid", Conv(16, (5, 5))),
        ("conv 16 5 padding=0", Conv(16, (5, 5))),
        ("conv kernel_size=5 filters=16", Conv(16, (5, 5))),
        ("conv kernel_size=5 16", Conv(16, (5, 5))),
        ("CONV 16 3x5", Conv(16, (3, 5))),
        ("conv 16 3×5 stride=2x1", Conv(16, (3, 5), stride=(2, 1))),
        (
            "conv 64 3 stride=2 padding=1 dilation=1 groups=1 bias=no",
            Conv(64, (3, 3), (1, 1), (2, 2), (1, 1), 1, False),
        ),
        ("conv 4 3 groups=in bias=TRUE", Conv(4, (3, 3), groups="in")),
        ("maxpool 3 stride=2 ceil=yes", MaxPool((3, 3), (2, 2), ceil=True)),
        ("avgpool 3x2 padding=1x0", AvgPool((3, 2), padding=(1, 0))),
        ("dropout", Dropout(0.5)),
        ("dropout 0.25", Dropout(0.25)),
        ("dropout p=2e-1", Dropout(0.2)),
        ("batchnorm momentum=0.3 eps=1e-3", BatchNorm(0.3, 1e-3)),
        ("linear classes", Linear("classes")),
        ("linear 84 bias=no", Linear(84, False)),
        ("residual(relu)", Residual((Layers((ReLU(),)),))),
        ("residual ( relu ; )", Residual((Layers((ReLU(),)), Layers(())))),
        ("branches( relu ; flatten ; )", Branches((Layers((ReLU(),)), Layers((Flatten(),)), Layers(())))),
    ],
)
def test_one_layer_read_by_hand(text, want):
    assert parse(text).layers == (want,)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("conv 16 5 padding=same stride=1 bias=yes", "conv 16 5 same"),
        ("conv 16 5x5 padding=1x2", "conv 16 5 padding=1x2"),
        ("conv 16 3x5 valid groups=1 bias=false", "conv 16 3x5 bias=no"),
        ("conv 8 3 groups=in dilation=2", "conv 8 3 dilation=2 groups=in"),
        ("DROPOUT 0.5", "dropout"),
        ("dropout 0.1234567891", "dropout 0.1234567891"),
        ("batchnorm eps=0.00001 momentum=0.1", "batchnorm"),
        ("maxpool 2 stride=2", "maxpool 2 stride=2"),
        ("residual(relu|tanh;)", "residual( relu | tanh ; )"),
        ("branches(relu;;tanh)", "branches( relu ;  ; tanh )"),
        ("relu\n\n  tanh  | gelu\n", "relu | tanh | gelu"),
    ],
)
def test_normal_form(text, want):
    assert parse(text).text() == want


def test_comments_and_newlines():
    text = """
    # the first stage ( with an open parenthesis | and a bar
    conv 16 5 same | relu   # conv 99 99
    maxpool 2

    residual(   # a block may go over several lines
        conv 16 3 same
        relu | batchnorm
        ;
        # nothing: the shortcut is the input itself
    )
    flatten | linear classes#end"""
    assert parse(text).text() == (
        "conv 16 5 same | relu | maxpool 2 | residual( conv 16 3 same | relu | batchnorm ; ) | flatten | linear classes"
    )
    assert parse("relu\r\n tanh\r\n").text() == "relu | tanh", "Windows line ends"


def test_both_examples_of_the_design_are_read():
    first = "conv 16 5 same | relu | maxpool 2 | conv 32 5 same | relu | maxpool 2 | flatten | linear classes"
    assert parse(first).text() == first
    assert len(parse("conv 64 3 stride=2 padding=1 dilation=1 groups=1 bias=no | batchnorm | gelu | avgpool 3 stride=2 "
                     "| dropout 0.5 | globalavgpool | residual( relu )").layers) == 7  # fmt: skip


def test_every_word_is_registered_under_its_own_name_and_has_a_docstring():
    assert ", ".join(sorted([*WORDS, *(word for word in BLOCKS if word not in WORDS)])) == ALL_WORDS
    for word, kind in {**WORDS, **BLOCKS}.items():
        assert kind.word == word
        assert kind.__doc__ is not None and not kind.__doc__.startswith(kind.__name__ + "("), word


ERRORS = [
    ("", "the layer text is empty; write at least one layer, such as 'flatten | linear classes'"),
    (" \n # nothing\n", "the layer text is empty; write at least one layer, such as 'flatten | linear classes'"),
    ("reluu", f"layer 1 'reluu': unknown layer 'reluu'; did you mean 'relu'? Known: {ALL_WORDS}"),
    ("relu | maxpol 2", f"layer 2 'maxpol 2': unknown layer 'maxpol'; did you mean 'maxpool'? Known: {ALL_WORDS}"),
    ("1 | 2", f"layer 1 '1': unknown layer '1'; Known: {ALL_WORDS}"),
    ("relu; tanh", f"layer 1 'relu; tanh': unknown layer 'relu;'; did you mean 'relu'? Known: {ALL_WORDS}"),
    ("conv", f"layer 1 'conv': filters and kernel_size missing; {CONV_USAGE}"),
    ("conv 16", f"layer 1 'conv 16': kernel_size missing; {CONV_USAGE}"),
    ("conv same 16", f"layer 1 'conv same 16': kernel_size missing; {CONV_USAGE}"),
    ("conv 16  3 4", f"layer 1 'conv 16 3 4': {CONV_USAGE} and doesn't know what '4' is for"),
    ("relu 3", "layer 1 'relu 3': 'relu' stands alone and doesn't know what '3' is for"),
    ("relu x=3", "layer 1 'relu x=3': takes no argument 'x'"),
    ("flatten | linear", "layer 2 'linear': features missing; 'linear' is written 'linear FEATURES [bias=…]'"),
    (
        "conv 8 3 strid=2",
        f"layer 1 'conv 8 3 strid=2': unknown argument 'strid'; did you mean 'stride'? Known: {CONV_NAMES}",
    ),
    ("conv 8 3 =2", f"layer 1 'conv 8 3 =2': unknown argument ''; Known: {CONV_NAMES}"),
    ("conv 8 3 same padding=1", "layer 1 'conv 8 3 same padding=1': padding is given twice; keep one"),
    ("conv 8 3 filters=4", "layer 1 'conv 8 3 filters=4': filters is given twice; keep one"),
    ("conv 0 3", f"layer 1 'conv 0 3': filters must be {WHOLE}, not '0'"),
    ("conv 8.5 3", f"layer 1 'conv 8.5 3': filters must be {WHOLE}, not '8.5'"),
    ("conv 8 0", f"layer 1 'conv 8 0': kernel_size must be {WHOLE}, or two as in 3x5, not '0'"),
    ("conv 8 3x3x3", f"layer 1 'conv 8 3x3x3': kernel_size must be {WHOLE}, or two as in 3x5, not '3x3x3'"),
    ("conv 8 3x", f"layer 1 'conv 8 3x': kernel_size must be {WHOLE}, or two as in 3x5, not '3x'"),
    (
        "conv 8 3 padding=-1",
        "layer 1 'conv 8 3 padding=-1': padding must be same, valid, a whole number, or two as in 1x2, not '-1'",
    ),
    ("conv 8 3 bias=maybe", "layer 1 'conv 8 3 bias=maybe': bias must be yes or no, not 'maybe'"),
    (
        "conv 8 3 groups=all",
        f"layer 1 'conv 8 3 groups=all': groups must be {WHOLE}, or 'in' for one group per channel, not 'all'",
    ),
    (
        "maxpool 2 padding=same",
        "layer 1 'maxpool 2 padding=same': padding must be a whole number, or two as in 1x2, not 'same'",
    ),
    ("maxpool 2 stride=", f"layer 1 'maxpool 2 stride=': stride must be {WHOLE}, or two as in 3x5, not ''"),
    ("linear clases", f"layer 1 'linear clases': features must be {WHOLE}, or 'classes', not 'clases'"),
    ("dropout 1", f"layer 1 'dropout 1': p must be {SHARE}, not '1'"),
    ("dropout nan", f"layer 1 'dropout nan': p must be {SHARE}, not 'nan'"),
    ("dropout(0.3)", f"layer 1 'dropout(0.3)': p must be {SHARE}, not '(0.3)'"),
    ("conv(16, 5)", f"layer 1 'conv(16, 5)': filters must be {WHOLE}, not '(16,'"),
    ("relu()", "layer 1 'relu()': 'relu' stands alone and doesn't know what '()' is for"),
    ("batchnorm eps=0", "layer 1 'batchnorm eps=0': eps must be a number above 0, not '0'"),
    ("batchnorm eps=inf", "layer 1 'batchnorm eps=inf': eps must be a number above 0, not 'inf'"),
    ("batchnorm momentum=nan", f"layer 1 'batchnorm momentum=nan': momentum must be {SHARE}, not 'nan'"),
    ("relu | | tanh", "the layer text: nothing stands on one side of a '|'; take it away or write a layer there"),
    ("| relu", "the layer text: nothing stands on one side of a '|'; take it away or write a layer there"),
    ("relu |", "the layer text: nothing stands on one side of a '|'; take it away or write a layer there"),
    (
        "relu | residual( relu | )",
        "layer 2.body: nothing stands on one side of a '|'; take it away or write a layer there",
    ),
    ("residual( relu", "'residual( relu': a ')' is missing; close each block once"),
    ("residual( residual( relu )", "'residual( residual( relu )': a ')' is missing; close each block once"),
    ("relu ) | tanh", "'relu ) | tanh': a '(' is missing; open each block once"),
    ("residual", f"layer 1 'residual': put its layers in parentheses, as in {RESIDUAL}"),
    ("residual relu", f"layer 1 'residual relu': put its layers in parentheses, as in {RESIDUAL}"),
    ("residual( relu ) tanh", f"layer 1 'residual( relu ) tanh': put its layers in parentheses, as in {RESIDUAL}"),
    ("residual()", f"layer 1 'residual()': is empty; write it as in {RESIDUAL}"),
    ("residual( ; relu )", f"layer 1 'residual( ; relu )': is empty; write it as in {RESIDUAL}"),
    (
        "residual( relu ; relu ; relu )",
        f"layer 1 'residual( relu ; relu ; relu )': has 3 parts between ';'; write it as in {RESIDUAL}",
    ),
    (
        "branches( )",
        "layer 1 'branches( )': is empty; write it as in 'branches( conv 8 1 ; conv 8 3 same ; conv 8 5 same )'",
    ),
    (
        "tanh | branches( relu ; residual( conv 8 ) )",
        f"layer 2.1.1.body.1 'conv 8': kernel_size missing; {CONV_USAGE}",
    ),
    (
        "residual( " * 21 + "relu" + " )" * 21,
        "blocks are nested more than 20 deep; write the inner ones one after another",
    ),
]


@pytest.mark.parametrize(("text", "want"), ERRORS, ids=[repr(text)[:40] for text, _ in ERRORS])
def test_error_texts(text, want):
    got = message(text)
    assert got == want
    assert "\n" not in got, "an error is one line"


def test_an_error_in_a_block_of_several_lines_is_one_line():
    assert message("residual(\n conv 8 3 same\n relu\n") == (
        "'residual( conv 8 3 same relu': a ')' is missing; close each block once"
    )


def test_twenty_blocks_deep_is_still_read():
    text = "residual( " * 20 + "relu" + " )" * 20
    assert parse(text).text() == text


@pytest.mark.parametrize(
    "junk", ["(", ")", ";", "=", "|", "((", "))", ");(", "residual)(", "residual();", "conv = =", "§", "\0"]
)
def test_junk_is_a_layer_error_of_one_line(junk):
    for text in (junk, f"relu | {junk}", f"residual( {junk} )", f"{junk} relu"):
        assert "\n" not in message(text)
