"""One picture under one kernel: what is computed, taken apart and refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from noise import noise
from PIL import Image
from torch import Tensor

from neocog.errors import DataError, KernelError, NeocogError, OperationError, PictureError
from neocog.filtering import convolve
from neocog.kernels import Kernel
from neocog.ops import ConvSpec, convolve2d, correlate2d
from neocog.render.runs import as_json

TOO_LARGE = "the picture has numbers that are infinite, not a number (nan), or too large for float32; give finite ones"
NINE = torch.arange(9.0).reshape(3, 3)
TWO = [[0, 1], [2, 3]]


def by_hand(pixels: np.ndarray, rows: Any) -> np.ndarray:
    """Cross-correlation with zeros around that keep the size, for odd kernels, straight from the definition."""
    w = np.array(rows, float)
    r, s = w.shape
    x = np.pad(pixels.astype(float), ((r // 2, r // 2), (s // 2, s // 2)))
    return np.array(
        [[(x[p : p + r, q : q + s] * w).sum() for q in range(pixels.shape[1])] for p in range(pixels.shape[0])]
    )


def test_the_worked_example() -> None:
    found = convolve(NINE, TWO, padding="valid")
    assert found.after.tolist() == [[[19, 25], [37, 43]]]
    assert (found.picture, found.kernel.name, found.method, found.flip) == ("tensor", "kernel", "im2col", False)
    assert found.spec == ConvSpec.make(2)
    assert found.window == (1, 1)
    assert [term.product for term in found.traces[0].terms] == [0, 5, 14, 24]
    assert found.box == (1, 1, 2, 2)
    assert found.before.tolist() == [NINE.tolist()]
    assert found.before.dtype == found.after.dtype == torch.float32


def test_a_digit_under_sobel() -> None:
    found = convolve("digit:7", "sobel")
    assert found.picture == "digit:7 (label 9)"
    assert found.before.shape == found.after.shape == (1, 28, 28)
    want = by_hand(found.before[0].numpy(), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(found.after[0].numpy(), want)
    row, column = found.window
    assert abs(want[row, column]) == np.abs(want).max()
    assert found.traces[0].value == want[row, column]
    assert found.box == (row - 1, column - 1, 3, 3)


def test_each_channel_is_convolved_by_itself() -> None:
    pixels, rows = noise(9, 7, 3), [[1, 2, 0], [0, -1, 4], [3, 0, -2]]
    found = convolve(pixels, rows, window=(2, 3))
    assert found.spec.groups == 3
    for channel, trace in enumerate(found.traces):
        want = by_hand(pixels[..., channel], rows)
        np.testing.assert_array_equal(found.after[channel].numpy(), want)
        assert (trace.k, trace.p, trace.q, trace.value) == (channel, 2, 3, want[2, 3])


def test_what_a_picture_may_be() -> None:
    grey, colours = noise(4, 5), noise(4, 5, 3)
    Image.fromarray(colours).save("colours.png")
    wanted = torch.from_numpy(colours.transpose(2, 0, 1).astype(np.float32))
    with Image.open("colours.png") as image:
        given = ["colours.png", Path("colours.png"), image, colours, wanted, wanted.byte(), wanted.bfloat16()]
        for picture in given:
            assert torch.equal(convolve(picture, "identity").after, wanted)
        assert [convolve(picture, "identity").picture for picture in given[:5]] == [
            "colours.png",
            "colours.png",
            "colours.png",
            "picture",
            "tensor",
        ]
    exact = colours * 0.1
    found = convolve(exact, "identity")
    assert found.after.tolist() == exact.astype(np.float32).transpose(2, 0, 1).tolist()
    assert (found.picture, found.numbers, convolve(colours, "identity").numbers) == ("array", True, False)
    assert convolve(exact[..., 0].astype(np.float16), "identity").after.shape == (1, 4, 5)
    for picture in (grey, grey[..., None], Image.fromarray(grey), torch.from_numpy(grey)[None], torch.from_numpy(grey)):
        assert convolve(picture, "identity").after.tolist() == [grey.tolist()]


def test_colours_on_request() -> None:
    colours, grey = noise(4, 5, 3), noise(4, 5)
    luma = np.asarray(Image.fromarray(colours).convert("L"), dtype=np.float32)
    np.testing.assert_array_equal(convolve(colours, "identity", color="grey").after[0].numpy(), luma)
    of_tensor = convolve(torch.from_numpy(colours.transpose(2, 0, 1).copy()), "identity", color="grey").after[0]
    np.testing.assert_allclose(of_tensor.numpy(), luma, atol=0.51)  # Pillow rounds
    for picture in (grey, torch.from_numpy(grey)):
        assert convolve(picture, "identity", color="rgb").after.tolist() == [grey.tolist()] * 3


def test_what_a_kernel_may_be() -> None:
    Path("mine.txt").write_text("0 1\n2 3\n")
    given = [TWO, Kernel("two", ((0, 1), (2, 3))), torch.tensor(TWO), np.array(TWO), "0 1; 2 3", "mine.txt"]
    for kernel in [*given, Path("mine.txt")]:
        found = convolve(NINE, kernel, padding=0)  # type: ignore[arg-type]
        assert found.after.tolist() == [[[19, 25], [37, 43]]]
    settings = convolve(NINE, "gaussian", size=3, sigma=0.5).kernel
    assert (settings.name, settings.shape, round(settings.rows[0][0] / settings.rows[1][1], 6)) == (
        "gaussian",
        (3, 3),
        0.018316,  # exp(−(1 + 1)/(2·0.5²))
    )


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (1, 2)])
def test_flipping_is_true_convolution(shape: tuple[int, int]) -> None:
    image, kernel = torch.from_numpy(noise(6, 7)).float(), torch.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape)
    turned = convolve(image, kernel, flip=True)
    assert torch.equal(turned.after[0], convolve2d(image, kernel, "same"))
    assert torch.equal(convolve(image, kernel).after[0], correlate2d(image, kernel, "same"))
    assert turned.kernel.tensor().tolist() == kernel.flip(0, 1).tolist()
    assert (turned.kernel.name, turned.flip) == ("kernel, turned by 180°", True)
    assert turned.traces[0].value == turned.after[0][turned.window]


def test_walking_is_conv2ds() -> None:
    x, w = torch.from_numpy(noise(9, 8)).float(), torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    found = convolve(x, w, stride=(2, 1), padding=(1, 0, 2, 1), dilation=(1, 2), window=(0, 1), method="shift")
    padded = torch.nn.functional.pad(x, (2, 1, 1, 0))
    want = torch.nn.functional.conv2d(padded[None, None], w[None, None], stride=(2, 1), dilation=(1, 2))
    assert torch.equal(found.after, want[0])
    assert found.box == (-1, -1, 2, 3)
    assert found.method == "shift"
    assert found.traces[0].value == want[0, 0, 0, 1]


@pytest.mark.parametrize("method", ["loops", "shift", "im2col", "toeplitz", "fft", "winograd"])
def test_any_method_gives_the_same_up_to_rounding(method: str) -> None:
    pixels = noise(6, 5, 3)
    got, want = (convolve(pixels, "sharpen", method=name).after for name in (method, "loops"))
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-2)


def test_the_first_of_equally_strong_responses_is_taken() -> None:
    picture = torch.zeros(3, 4, 5)
    picture[2, 2, 1] = -7
    picture[0, 2, 2] = 7
    assert convolve(picture, "identity").window == (2, 1)


def test_an_edge_that_padding_makes_is_not_taken_apart_unless_there_is_nothing_else() -> None:
    picture = torch.full((5, 6), 100.0)
    picture[2, 2:] = 150
    assert convolve(picture, "prewitt").window == (1, 1)
    assert convolve(picture, "prewitt", padding="valid").window == (0, 0)
    assert convolve(picture, "sobel", padding=(0, 5)).window == (1, 5)
    assert convolve(torch.ones(2, 2), [[0, 0, 1], [0, 0, 0], [0, 0, 0]]).window == (1, 0)
    assert convolve(picture, "prewitt", stride=2).after.shape == (1, 3, 3)
    assert convolve(torch.zeros(3, 3), "identity").window == (1, 1)


def test_nothing_is_left_on_the_tape_and_nothing_changed() -> None:
    picture, kernel = NINE.clone().requires_grad_(), torch.ones(2, 2, requires_grad=True)
    found = convolve(picture, kernel)
    assert not found.after.requires_grad
    assert torch.equal(picture, NINE)
    shared = NINE.clone()
    found = convolve(shared, "identity")
    shared.fill_(-1)
    assert torch.equal(found.before, NINE[None])


def test_json_says_all_but_the_pictures() -> None:
    facts = json.loads(as_json(convolve(noise(4, 5, 3), [[2.0]], window=(3, 4))))
    assert list(facts) == [
        "picture",
        "before",
        "after",
        "kernel",
        "spec",
        "method",
        "flip",
        "window",
        "values",
        "outputs",
        "traces",
    ]
    assert facts["outputs"] == facts["values"]
    assert [trace["expression"] for trace in facts["traces"]] == [f"{value}*2" for value in noise(4, 5, 3)[3, 4]]
    last = noise(4, 5, 3)[3, 4].tolist()
    assert facts["before"]["shape"] == facts["after"]["shape"] == [3, 4, 5]
    assert facts["after"]["greatest"] == 2 * int(noise(4, 5, 3).max())
    assert facts["kernel"] == {"name": "kernel", "rows": [[2.0]]}
    assert facts["spec"]["groups"] == 3
    assert (facts["window"], facts["values"]) == ([3, 4], [2.0 * value for value in last])
    assert [trace["terms"][0]["pixel"] for trace in facts["traces"]] == last


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ({"image": "nope.png"}, PictureError, "cannot read 'nope.png': there is no such file; check the path"),
        ({"image": "digit:10000"}, DataError, None),
        (
            {"image": np.zeros((4, 4), int)},
            PictureError,
            "cannot read the ndarray picture: its pixels are int64, not uint8; give uint8 from 0 to 255",
        ),
        (
            {"image": np.zeros((4, 4), bool)},
            DataError,
            "the picture is a bool array of shape (4, 4); give numbers, such as image.astype('uint8') * 255",
        ),
        (
            {"image": np.zeros((3, 4, 5))},
            DataError,
            "the picture is a float64 array of shape (3, 4, 5); give (H, W) or (H, W, 3)",
        ),
        ({"image": np.full((2, 2), 1e300)}, DataError, TOO_LARGE),
        (
            {"image": torch.zeros(4, 4, dtype=torch.bool)},
            DataError,
            "the picture is a bool tensor of shape (4, 4); give numbers, such as image * 255",
        ),
        (
            {"image": torch.zeros(4, 5, 3)},
            DataError,
            "the picture is a float32 tensor of shape (4, 5, 3); give real numbers (H, W), (1, H, W) or (3, H, W), "
            "here image.permute(2, 0, 1)",
        ),
        (
            {"image": None},
            DataError,
            "the picture is a NoneType; give a file's name, digit:7, a PIL image, an array or a tensor",
        ),
        (
            {"image": [[1, 2]]},
            DataError,
            "the picture is a list; give a file's name, digit:7, a PIL image, an array or a tensor",
        ),
        ({"flip": 1}, OperationError, "flip = 1: give True or False"),
        (
            {"kernel": [[10**400]]},
            KernelError,
            "the kernel has a number that is too large; give finite ones that float32 can hold",
        ),
        ({"stride": 10**30}, OperationError, f"stride = {10**30} is too large; give at most 2147483647"),
        ({"padding": 10**30}, OperationError, f"padding = {10**30} is too large; give at most 2147483647"),
        (
            {"window": (10**5000, 0)},
            OperationError,
            "window an int of many digits,0 lies outside the 3×3 result; give a row from 0 to 2 and a column from 0 "
            "to 2",
        ),
        (
            {"method": "ffft"},
            OperationError,
            "unknown method 'ffft'; did you mean 'fft'? Known: auto, fft, im2col, loops, shift, toeplitz, "
            "toeplitz-dense, winograd, winograd-4x4",
        ),
        (
            {"image": torch.zeros(2, 4, 4)},
            DataError,
            "the picture is a float32 tensor of shape (2, 4, 4); give real numbers (H, W), (1, H, W) or (3, H, W)",
        ),
        (
            {"image": torch.zeros(4, 4, dtype=torch.complex64)},
            DataError,
            "the picture is a complex64 tensor of shape (4, 4); give real numbers (H, W), (1, H, W) or (3, H, W)",
        ),
        (
            {"image": torch.full((2, 2), float("nan"))},
            DataError,
            TOO_LARGE,
        ),
        (
            {"image": torch.ones(2, 2).to_sparse()},
            DataError,
            "the picture is a float32 tensor of shape (2, 2); give real numbers (H, W), (1, H, W) or (3, H, W), here "
            "image.to_dense()",
        ),
        (
            {"image": np.zeros((0, 3))},
            DataError,
            "the picture is a float64 array of shape (0, 3); give (H, W) or (H, W, 3)",
        ),
        ({"color": ["grey"]}, DataError, "unknown color '['grey']'; did you mean 'grey'? Known: auto, grey, rgb"),
        ({"color": "gray"}, DataError, "unknown color 'gray'; did you mean 'grey'? Known: auto, grey, rgb"),
        (
            {"kernel": [[1, 2], [3]]},
            KernelError,
            "kernel 'kernel': row 2 has 1 number but row 1 has 2; give every row as many",
        ),
        (
            {"kernel": [1, 2]},
            KernelError,
            "the kernel is a list, not rows of numbers; give rows such as [[1, 0, -1]]",
        ),
        (
            {"kernel": torch.ones(1, 1, 3, 3)},
            KernelError,
            "the kernel is a Tensor of shape (1, 1, 3, 3), not rows of numbers; give rows such as [[1, 0, -1]]",
        ),
        (
            {"kernel": TWO, "sigma": 1.0},
            KernelError,
            "a kernel of given numbers takes no sigma; give a kernel's name to set one",
        ),
        (
            {"kernel": "box", "padding": "valid"},
            OperationError,
            "a 5×5 kernel does not fit the 3×3 picture; use a smaller kernel, or 1 more padding on each side",
        ),
        (
            {"stride": 2, "padding": "same"},
            OperationError,
            "padding 'same' keeps the size only at stride 1, not at stride 2; give the padding as numbers",
        ),
        (
            {"window": (0, 3)},
            OperationError,
            "window 0,3 lies outside the 3×3 result; give a row from 0 to 2 and a column from 0 to 2",
        ),
        (
            {"window": (-1, 0), "padding": (0, 1)},
            OperationError,
            "window -1,0 lies outside the 2×4 result; give a row from 0 to 1 and a column from 0 to 3",
        ),
        ({"window": 3}, OperationError, "window = 3: give a row and a column, such as (12, 7)"),
        ({"window": (1.5, 0)}, OperationError, "window = (1.5, 0): give a row and a column, such as (12, 7)"),
        (
            {"kernel": [[1e38]]},
            OperationError,
            "the result has numbers beyond what float32 holds; use smaller weights",
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_done_is_one_sentence(words: dict[str, Any], error: type[NeocogError], text: str | None) -> None:
    with pytest.raises(error) as raised:
        convolve(**{"image": 10 * NINE, "kernel": TWO, **words})
    want = text or "'digit:10000': give a number from 0 to 9999, the place in MNIST's test part: digit:7"
    assert str(raised.value) == want


@pytest.mark.parametrize(("size", "method"), [(7, "im2col"), (8, "im2col"), (9, "fft"), (15, "fft")])
def test_large_kernels_are_computed_by_fourier_transforms_unless_told(size: int, method: str) -> None:
    rows = np.ones((size, size))
    assert convolve("digit:7", rows).method == method  # type: ignore[arg-type]
    assert convolve("digit:7", rows, method="shift").method == "shift"  # type: ignore[arg-type]


def test_what_the_method_gave_is_told_beside_the_sum() -> None:
    found = convolve("digit:7", "sobel", method="fft", window=(12, 10))
    assert found.traces[0].value == -1013
    assert found.output(0) == float(found.after[0, 12, 10]) != -1013
    assert json.loads(as_json(found))["outputs"] == [found.output(0)]


def test_long_sums_are_no_expressions() -> None:
    for size, given in ((10, True), (11, False)):
        (trace,) = convolve("digit:7", np.ones((size, size)), method="im2col").as_dict()["traces"]  # type: ignore[arg-type]
        assert (trace["expression"] is not None) == given


def test_what_it_says_of_itself_is_short() -> None:
    assert repr(convolve("digit:7", "sobel")) == (
        "<Convolved digit:7 (label 9): 1×28×28 to 1×28×28 under sobel 3×3 by im2col, window (12, 8)>"
    )


def test_an_unknown_keyword_names_the_nearest() -> None:
    for word, hint in (("strides", "stride"), ("sigmma", "sigma"), ("colour", "color")):
        with pytest.raises(OperationError, match=re.escape(f"unknown keyword '{word}'; did you mean '{hint}'?")):
            convolve("digit:7", "gaussian", **{word: 2})


GIGABYTE = r"[\d,.]+ GB and this machine has [\d,]+: use less padding, or another method"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"padding": 1_000_000}, rf"method 'im2col' with 2000002×2000002 numbers out would take {GIGABYTE}"),
        ({"dilation": 2**30}, rf"method 'im2col' with 3×3 numbers out would take {GIGABYTE}"),
        ({"padding": 1_000_000, "method": "toeplitz"}, rf"method 'toeplitz' with .* would take {GIGABYTE}"),
        (
            {"image": np.zeros((300, 300), np.uint8), "method": "toeplitz-dense", "kernel": "identity"},
            r"method 'toeplitz-dense' would make a matrix of 32 GB; use a smaller picture, or the method 'toeplitz', "
            r"which leaves its zeros out",
        ),
    ],
    ids=["padding", "dilation", "toeplitz", "dense"],
)
def test_what_memory_cannot_hold_is_refused_before_it_is_computed(words: dict[str, Any], text: str) -> None:
    with pytest.raises(OperationError) as error:
        convolve(**{"image": NINE, "kernel": TWO, **words})
    assert re.fullmatch(text, str(error.value))


def test_what_a_method_takes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocog.filtering.convolved.machine_memory", lambda: 100_000)
    picture = np.zeros((40, 40), np.uint8)
    assert convolve(picture, "sobel", method="shift").method == "shift"
    with pytest.raises(OperationError) as error:
        convolve(picture, "sobel", method="loops")
    assert re.fullmatch(
        r"method 'loops' with 40×40 numbers out would take 0\.\d+ GB and this machine has 0\.0001: use less padding, "
        "or another method",
        str(error.value),
    )


def test_a_wrong_flip_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-worked picture tells the kernel from its mirror image: plant the mistake and see."""

    def mirrored(self: Kernel, dtype: object = None) -> Tensor:
        return torch.tensor(self.rows).flip(1)

    monkeypatch.setattr(Kernel, "tensor", mirrored)
    assert convolve(NINE, TWO, padding="valid").after.tolist() != [[[19, 25], [37, 43]]]
    found = convolve("digit:7", "sobel")
    want = by_hand(found.before[0].numpy(), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(found.after[0].numpy(), -want)
