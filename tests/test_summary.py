"""summary: the text and the network built of it must agree, totals must be torch's, and nothing may be changed."""

from __future__ import annotations

import copy
import json

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from neocog.errors import LayerError
from neocog.layers import parse
from neocog.summary import Summary, SummaryRow, UnknownOperation, summarize

MODEL_A = "conv 16 5 same | relu | maxpool 2 | conv 32 5 same | relu | maxpool 2 | flatten | linear 10"

# ------------------------------------------------------------------------------------------------ the text and its net


@st.composite
def networks(draw) -> tuple[str, tuple[int, int, int]]:
    """A random layer text that works on a random picture shape: words that don't fit are left out as it grows."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(6, 17)), draw(st.integers(6, 17)))
    small = st.integers(1, 4)
    word = st.one_of(
        st.builds("conv {} {} same".format, small, st.integers(1, 5)),
        st.builds("conv {} {} stride={} padding={}".format, small, small, st.integers(1, 3), st.integers(0, 2)),
        st.builds("conv {} 3 dilation=2 groups={} bias=no".format, small, st.integers(1, 2)),
        st.builds("conv {} 3x1 groups=in".format, small),
        st.builds("maxpool {} stride={} ceil={}".format, st.integers(2, 3), small, st.sampled_from(["yes", "no"])),
        st.builds("avgpool {} padding=1".format, st.integers(2, 3)),
        st.builds("residual( conv {0} 3 same | batchnorm ; conv {0} 1 )".format, small),
        st.just("residual( batchnorm | relu )"),
        st.builds("branches( conv {} 1 | relu ; conv {} 3 same ; avgpool 3 stride=1 padding=1 )".format, small, small),
        st.sampled_from(["relu", "gelu", "tanh", "batchnorm", "groupnorm 1", "dropout 0.3", "dropout2d 0.2", "silu"]),
        st.sampled_from(["flatten", "globalavgpool", "globalmaxpool", "linear 5", "softmax"]),
    )
    text = ""
    for one in draw(st.lists(word, min_size=1, max_size=8)):
        longer = f"{text} | {one}" if text else one
        try:
            parse(longer).table(shape)
        except LayerError:
            continue
        text = longer
    text = text or "relu"
    return (text if len(parse(text).table(shape)[-1].output_shape) == 1 else f"{text} | flatten") + " | linear 3", shape


@settings(deadline=None, max_examples=60)
@given(networks())
def test_a_text_and_its_network_agree(network):
    text, shape = network
    written, built = summarize(text, shape), summarize(parse(text).build(shape, 3), shape)
    assert (built.output_shape, built.total_parameters, built.total_macs, built.unknown) == (
        written.output_shape,
        written.total_parameters,
        written.total_macs,
        (),
    ), text
    for row in written.rows:
        # A word that torch builds from several modules has a name with a dot there.
        same = [other for other in built.rows if other.name == row.name]
        parts = same or [other for other in built.rows if other.name.startswith(row.name + ".")]
        got = parts[-1]
        assert (got.output_shape, got.receptive_field, got.unread) == (
            row.output_shape,
            row.receptive_field,
            row.unread,
        ), (text, row)
        assert sum(part.parameters for part in parts) == row.parameters, (text, row)
        assert sum(part.macs for part in parts) == row.macs, (text, row)


def test_a_share_of_all_values_sees_the_whole_picture():
    found = summarize("flatten | softmax | linear 3", (1, 6, 6), 3)
    built = summarize(parse("flatten | softmax | linear 3").build((1, 6, 6), 3), (1, 6, 6))
    for rows in (found.rows, built.rows):
        assert [row.receptive_field for row in rows] == [(1, 1), (6, 6), (6, 6)]


def test_model_a_by_hand():
    # conv: 16·(1·25 + 1) = 416 and 16·28²·25 = 313,600; 32·(16·25 + 1) = 12,832 and 32·14²·400 = 2,508,800;
    # linear: 10·(1568 + 1) = 15,690 and 15,680. Fields: 5, 6 after pooling, 6 + 4·2 = 14, 14 + 1·2 = 16.
    for what in (MODEL_A, parse(MODEL_A), parse(MODEL_A).build((1, 28, 28), 10)):
        got = summarize(what, (1, 28, 28))
        assert [row.parameters for row in got.rows] == [416, 0, 0, 12_832, 0, 0, 0, 15_690]
        assert [row.macs for row in got.rows] == [313_600, 0, 0, 2_508_800, 0, 0, 0, 15_680]
        assert [row.receptive_field[0] for row in got.rows] == [5, 5, 6, 14, 14, 16, 16, 28]
        assert (got.total_parameters, got.trainable_parameters, got.total_macs) == (28_938, 28_938, 2_838_080)
        assert (got.input_shape, got.output_shape, got.unknown, got.notes) == ((1, 28, 28), (10,), (), ())
        assert got.rows[0].formula == "(28 + 2·2 − 5)/1 + 1 = 28"


def test_unread_pixels_are_noted():
    text = "conv 4 3 | maxpool 2 | maxpool 2x3 | flatten | linear classes"
    got = summarize(text, (1, 13, 12), classes=2)
    assert got.notes == (
        "layer 2 'maxpool 2' leaves 1 row and no columns of its input unread",
        "layer 3 'maxpool 2x3' leaves 1 row and 2 columns of its input unread",
    )
    built = summarize(parse(text).build((1, 13, 12), 2), (1, 13, 12))
    assert [row.unread for row in built.rows] == [row.unread for row in got.rows]
    hanging = summarize(nn.MaxPool2d(2, ceil_mode=True), (1, 13, 12)).rows[0]
    assert (hanging.unread, hanging.formula) == ((0, 0), "⌈(13 − 2)/2⌉ + 1 = 7 and (12 − 2)/2 + 1 = 6")


# --------------------------------------------------------------------------------------------------- any torch module


class Functional(nn.Module):
    """The network of PyTorch's MNIST lesson style: function calls between the modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3)
        self.third = nn.Linear(8 * 12 * 12, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.second(F.relu(self.first(x)))), 2)
        return F.log_softmax(self.third(torch.flatten(x, 1)), dim=1)


def test_function_calls_between_modules_are_followed():
    got = summarize(Functional(), (1, 28, 28))
    assert [(row.name, row.output_shape, row.macs, row.receptive_field) for row in got.rows] == [
        ("first", (4, 26, 26), 4 * 26 * 26 * 9, (3, 3)),
        ("second", (8, 24, 24), 8 * 24 * 24 * 36, (5, 5)),
        ("third", (10,), 11_520, (28, 28)),
        ("", (10,), 0, (28, 28)),
    ]
    assert got.rows[-1].text == "Functional: relu, max_pool2d_with_indices, log_softmax"
    assert got.rows[-1].number == "(model)"


@pytest.mark.parametrize(
    ("module", "shape", "macs", "output"),
    [
        (nn.Conv1d(3, 4, 5), (3, 20), 4 * 16 * 15, (4, 16)),
        (nn.Conv3d(2, 4, 3, padding=1), (2, 5, 6, 7), 4 * 210 * 54, (4, 5, 6, 7)),
        (nn.Conv2d(4, 8, 3, groups=2, stride=2), (4, 9, 9), 8 * 16 * 18, (8, 4, 4)),
        (nn.Conv2d(4, 4, (1, 3), dilation=2, groups=4), (4, 9, 9), 4 * 45 * 3, (4, 9, 5)),
        # Each input value is spread over all 3·3 kernel places of each of the 6 outputs.
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (4, 5, 5), 4 * 25 * 6 * 9, (6, 11, 11)),
        (nn.ConvTranspose2d(4, 6, 3, groups=2), (4, 5, 5), 4 * 25 * 3 * 9, (6, 7, 7)),
        (nn.ConvTranspose1d(2, 3, 4), (2, 5), 2 * 5 * 3 * 4, (3, 8)),
        (nn.Linear(7, 3), (5, 7), 5 * 21, (5, 3)),
        (nn.BatchNorm2d(3), (3, 4, 4), 0, (3, 4, 4)),
        (nn.MaxPool2d(2), (3, 4, 4), 0, (3, 2, 2)),
        (nn.PReLU(), (3, 4, 4), 0, (3, 4, 4)),
        # Queries, keys and values 3·16·16, the result 16·16, for 5 places; 5·5 pairs, width 8, twice, 2 heads.
        (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (5, 16), 5 * (4 * 256 + 1024) + 800, (5, 16)),
    ],
)
def test_multiply_adds_by_hand(module, shape, macs, output):
    got = summarize(module, shape)
    assert (got.total_macs, got.output_shape, got.unknown) == (macs, output, ())


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(3, 1, 1))
        self.twice = nn.Conv2d(3, 3, 1)
        self.unused = nn.Linear(2, 2)
        self.tied = nn.Conv2d(3, 3, 1, bias=False)
        self.tied.weight = self.twice.weight
        self.extra = nn.ParameterList([nn.Parameter(torch.zeros(5))])

    def forward(self, x):
        return self.tied(self.twice(self.twice(x + self.token)))


def test_each_parameter_counts_once_and_each_use_counts():
    model = Shared()
    model.token.requires_grad_(False)
    got = summarize(model, (3, 4, 4))
    assert [(row.number, row.parameters, row.macs) for row in got.rows] == [
        ("twice", 12, 144),
        ("twice", 0, 144),
        ("tied", 0, 144),
        ("(model)", 3, 0),
        ("unused", 6, None),
        ("extra", 5, None),
    ]
    assert got.total_parameters == sum(p.numel() for p in model.parameters()) == 26
    assert got.trainable_parameters == 23
    assert got.total_macs == 432
    assert got.notes == (
        "unused holds parameters but isn't called as a module",
        "extra holds parameters but isn't called as a module",
    )
    assert "26 parameters, 3 of them frozen · 432 multiply-adds (MACs) for each picture" in str(got)


def test_unknown_operations_are_listed_and_not_counted():
    class Warp(nn.Module):
        def forward(self, x):
            return torch.fft.fft(F.grid_sample(x, x.new_zeros(len(x), 2, 2, 2), align_corners=False)).real

    got = summarize(nn.Sequential(nn.Conv2d(1, 2, 1), Warp(), Warp()), (1, 4, 4))
    assert got.total_macs == 32
    assert got.unknown[0] == UnknownOperation("grid_sampler_2d", "1", 1)
    assert {(item.operation, item.where) for item in got.unknown} >= {("grid_sampler_2d", "2"), ("_fft_r2c", "1")}
    assert "not counted, because their cost isn't known: grid_sampler_2d in 1" in str(got)
    assert str(UnknownOperation("fold", "head", 3)) == "fold in head (3 calls)"


def test_receptive_field_is_not_claimed_where_it_cannot_be_told():
    class Shuffled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x):
            return self.conv(x.transpose(2, 3).reshape(x.shape))

    class Viewed(Shuffled):
        def forward(self, x):
            return self.conv(x.view(len(x), 1, 4, 16))

    assert summarize(Shuffled(), (1, 8, 8)).rows[0].receptive_field is None
    assert summarize(Viewed(), (1, 8, 8)).rows[0].receptive_field is None
    # On a map, a linear layer reads one row of pixels and not the picture.
    assert summarize(nn.Linear(8, 4), (1, 8, 8)).rows[0].receptive_field is None
    transposed = summarize(nn.ConvTranspose2d(1, 1, 3), (1, 8, 8)).rows[0]
    assert (transposed.receptive_field, transposed.formula) == (None, "")


def test_receptive_field_is_where_gradients_come_from():
    torch.manual_seed(0)
    text = (
        "conv 3 3 stride=2 | residual( conv 3 3 same | relu | conv 3 5 same ) | avgpool 2 stride=1 | flatten | linear 2"
    )
    model = parse(text).build((1, 41, 41), 2).double()
    want = summarize(text, (1, 41, 41)).rows[-3].receptive_field
    picture = torch.rand(1, 1, 41, 41, dtype=torch.float64, requires_grad=True)
    model[:3](picture)[0, 0, 9, 9].backward()
    reached = picture.grad[0, 0].abs() > 0
    assert (int(reached.any(1).sum()), int(reached.any(0).sum())) == want == (17, 17)


def test_without_a_shape_there_are_parameters_only():
    got = summarize(Functional())
    assert [(row.name, row.parameters, row.macs) for row in got.rows] == [
        ("first", 40, None),
        ("second", 296, None),
        ("third", 11_530, None),
    ]
    assert (got.total_macs, got.output_shape, str(got).splitlines()[-1]) == (None, None, "11,866 parameters")


# --------------------------------------------------------------------------------------------- things left as found


class Meddler(nn.Module):
    """Does in forward all that a summary must undo."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("replaced", torch.zeros(2))
        self.fails = fails

    def forward(self, x):
        self.calls += 1
        self.replaced = self.replaced + 1
        x = self.drop(self.norm(self.conv(x))) + torch.rand(1)
        if self.fails:
            raise ValueError("on purpose\nsecond line")
        return x


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_left_as_found(fails):
    model = Meddler(fails)
    model.norm.eval()
    calls = []
    model.conv.register_forward_hook(lambda *_: calls.append(1))
    before, buffer = copy.deepcopy(model.state_dict()), model.replaced
    torch.manual_seed(5)
    state, fast = torch.get_rng_state(), torch.backends.mha.get_fastpath_enabled()
    if fails:
        with pytest.raises(LayerError) as caught:
            summarize(model, (1, 8, 8))
        assert str(caught.value) == "the model can't take a picture of 1×8×8: ValueError: on purpose"
        assert isinstance(caught.value.__cause__, ValueError)
    else:
        summarize(model, (1, 8, 8))
    assert [module.training for module in (model, model.conv, model.norm, model.drop)] == [True, True, False, True]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert model.replaced is buffer
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    for module in model.modules():
        assert not module._forward_pre_hooks
        assert len(module._forward_hooks) == (module is model.conv)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert calls == [1]


def test_odd_models_are_taken_or_refused_in_one_line():
    class Squeezes(nn.Module):
        def forward(self, x):
            return x.mean((2, 3), keepdim=True).squeeze()

    assert summarize(Squeezes(), (3, 4, 4)).output_shape == (3,)

    class Two(nn.Module):
        def forward(self, x):
            return {"logits": x.flatten(1), "map": x}

    got = summarize(Two(), (1, 2, 2))
    assert (got.output_shape, got.notes) == ((4,), ("the model gives 2 tensors; the first is shown",))

    class Flat(nn.Module):
        def forward(self, x):
            return x.flatten()

    assert summarize(Flat(), (1, 2, 2)).notes == ("the model's output for 2 pictures is 8; its batch is lost",)
    assert summarize(nn.Conv2d(1, 2, 3).bfloat16(), (1, 8, 8)).total_macs == 648

    class Catches(nn.Module):
        def __init__(self):
            super().__init__()
            self.bad, self.good = nn.Linear(3, 3), nn.Conv2d(1, 1, 1)

        def forward(self, x):
            try:
                return self.bad(x)
            except RuntimeError:
                return self.good(x)

    assert [row.name for row in summarize(Catches(), (1, 8, 8)).rows] == ["good", "bad"]


@pytest.mark.parametrize(
    ("what", "shape", "text"),
    [
        (
            "relu",
            None,
            "a layer text has no sizes without a picture's shape; give input_shape, such as (1, 28, 28)",
        ),
        ("relu", (1, 0, 5), "input_shape is (1, 0, 5); it must be sizes of at least 1, such as (1, 28, 28)"),
        ("relu", (), "input_shape is (); it must be sizes of at least 1, such as (1, 28, 28)"),
        (7, (1, 28, 28), "can't summarize a int; give a layer text, Layers or a torch module"),
        (
            nn.LazyLinear(3),
            (4,),
            "parameter 'weight' has no size yet; send one batch through the model first",
        ),
        (
            nn.Linear(3, 4),
            (5,),
            "the model can't take a picture of 5: RuntimeError: "
            "mat1 and mat2 shapes cannot be multiplied (2x5 and 3x4)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_cannot_be_summarized(what, shape, text):
    with pytest.raises(LayerError) as caught:
        summarize(what, shape)
    assert str(caught.value) == text


def test_a_model_that_gives_no_tensor_is_refused():
    class Silent(nn.Module):
        def forward(self, x):
            return "nothing"

    with pytest.raises(LayerError) as caught:
        summarize(Silent(), (1, 4, 4))
    assert str(caught.value) == "the model gives a str without a tensor; it must give one"


def test_as_dict_goes_through_json():
    got = summarize(MODEL_A, (1, 28, 28)).as_dict()
    assert json.loads(json.dumps(got))["total_macs"] == 2_838_080
    assert got["rows"][0]["text"] == "conv 16 5 same"


def test_html_escapes_what_stands_in_it():
    row = SummaryRow("0", "0", "<b>&", (1,), (1,), "", 0, 0, None, (0, 0))
    html = Summary((row,), (1,), (1,), 0, 0, 0, notes=("<i>",))._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<div>&lt;i&gt;</div>" in html
