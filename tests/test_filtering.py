from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from neocog.errors import DataError, KernelError, NeocogError, OperationError, PictureError
from neocog.filtering import Convolved, clipped, convolve, displayed, save_result
from neocog.kernels import Kernel
from neocog.ops import ConvSpec, convolve2d, correlate2d
from neocog.render import as_json

TOO_LARGE = "the picture has numbers that are infinite, not a number (nan), or too large for float32; give finite ones"
NINE = torch.arange(9.0).reshape(3, 3)
TWO = [[0, 1], [2, 3]]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


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


# displayed


@pytest.mark.parametrize(
    ("values", "pixels", "low", "high"),
    [
        ([0, 100, 255], [0, 100, 255], 0, 255),
        ([0.4, 99.6, 255], [0, 100, 255], 0, 255),
        ([0, 255, 510], [0, 128, 255], 0, 510),
        ([-100, 0, 50], [0, 128, 191], -100, 100),
        ([-0.5, 0, 0.25], [0, 128, 191], -0.5, 0.5),
        ([-0.01, 0, 1], [126, 128, 255], -1, 1),
        ([-0.001, 0, 1000], [0, 0, 255], 0, 1000),
        ([0, 9, 60], [0, 9, 60], 0, 255),
        ([-50, 100, 100], [64, 255, 255], -100, 100),
        ([-10, 100, 260], [0, 100, 255], 0, 255),
        ([0, 1, 2], [0, 128, 255], 0, 2),
        ([0, 0, 0], [0, 0, 0], 0, 255),
        ([-3, -3, -3], [0, 0, 0], -3, 3),
    ],
    ids=str,
)
def test_numbers_become_greys(values: list[float], pixels: list[int], low: float, high: float) -> None:
    got = displayed(torch.tensor([values]))
    assert (got[0].tolist(), got[1], got[2]) == ([pixels], low, high)
    assert got[0].dtype == np.uint8


def test_channels_share_one_scale_and_come_last() -> None:
    values = torch.tensor([[[-200.0, 0.0]], [[0.0, 0.0]], [[100.0, 200.0]]])
    pixels, low, high = displayed(values)
    assert pixels.tolist() == [[[0, 128, 191], [128, 128, 255]]]
    assert (low, high) == (-200, 200)
    assert displayed(values[:1])[0].shape == displayed(values[0])[0].shape == (1, 2)


@pytest.mark.parametrize(("kernel", "low"), [("sharpen", 0), ("sobel", -1), ("laplacian", -1), ("gaussian", 0)])
def test_a_sharpened_picture_stays_a_picture_and_a_derivative_does_not(kernel: str, low: int) -> None:
    smooth = np.asarray(Image.fromarray(noise(6, 6)).resize((60, 60), Image.Resampling.BICUBIC))
    after = convolve(smooth, kernel).after
    assert np.sign(displayed(after)[1]) == low


@pytest.mark.parametrize("factor", [0.01, 0.2, 1])
def test_a_picture_is_drawn_between_0_and_255_however_dark(factor: float) -> None:
    dark = (noise(9, 9) * factor).astype(np.uint8)
    found = convolve(dark, "gaussian")
    assert found.before_range == found.after_range == (0, 255)
    small = convolve(torch.from_numpy(noise(9, 9)).float() / 255, "box")
    assert (small.before_range, small.after_range[0]) == ((0, float(small.before.max())), 0)
    assert small.after_range[1] == float(small.after[:, 2:-2, 2:-2].max()) < 1


def test_the_frame_that_padding_makes_has_no_say_in_the_range() -> None:
    picture = np.full((7, 9), 100, np.uint8)
    picture[3, 4:] = 110
    found = convolve(picture, "-1 0 1")
    assert found.inner == (slice(0, 7), slice(1, 8))
    assert (found.after_range, float(found.after.abs().max())) == ((-10, 10), 110)
    assert convolve(picture, "1 0 -1").after_range == (-10, 10)
    assert clipped(convolve(picture, "1 0 -1").after, (-10, 10)) == 14
    assert convolve(picture[:1, :2], "1 0 -1").inner is None
    assert convolve(picture[:1, :2], "1 0 -1").after_range == (-100, 100)


def test_a_derivative_is_drawn_about_mid_grey_where_it_is_negative_and_a_picture_as_a_picture() -> None:
    ramp = np.tile(np.arange(0, 128, 4, dtype=np.uint8), (24, 1))
    assert convolve(ramp, "sobel").after_range == (-32, 32), "32 inside, less at the right edge"
    assert convolve(ramp, "sobel", padding="valid").after_range == (0, 32)
    assert convolve(ramp, "sharpen").after_range == convolve(ramp, "emboss").after_range == (0, 255)


def test_few_windows_on_the_picture_leave_the_range_to_all_and_the_number_taken_apart_is_within() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    found = convolve(picture, "sobel", padding=3, dilation=2, window=(0, 0))
    assert found.after_range[1] == float(found.after.abs().max())
    small = convolve(np.full((9, 9), 100, np.uint8) + np.eye(9, dtype=np.uint8), "1 -1", window=(4, 0))
    assert small.after_range[1] >= abs(small.output(0))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 2, 3, 0), (5, 1, 0, 7)])
def test_inner_windows_read_no_padding(padding: tuple[int, ...], stride: int) -> None:
    found = convolve(torch.ones(11, 12), torch.ones(2, 3), padding=padding, stride=stride, dilation=(2, 1))
    full = found.after[0] == 6
    rows, columns = found.inner or (slice(0), slice(0))
    assert full[rows, columns].all()
    assert full[rows, columns].sum() == full.sum() > 0


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


def test_showing_changes_nothing() -> None:
    values = torch.tensor([[-1.0, 2.0]])
    displayed(values)
    assert values.tolist() == [[-1, 2]]


# save_result


@pytest.fixture
def found() -> Convolved:
    return convolve(noise(4, 5, 3), "1.5")


def test_npy_keeps_every_number(found: Convolved) -> None:
    assert save_result(found, "a.npy") == 0
    got = np.load("a.npy")
    assert (got.dtype, got.shape) == (np.float32, (3, 4, 5))
    np.testing.assert_array_equal(got, found.after.numpy())


def test_a_png_of_a_picture_rounds_clips_and_counts() -> None:
    picture = noise(4, 5, 3)
    found, exact = convolve(picture, "1.1"), picture * np.float32(1.1)
    assert save_result(found, "a.PNG") == (exact.round() > 255).sum() > 0
    with Image.open("a.PNG") as image:
        np.testing.assert_array_equal(np.asarray(image), exact.round().clip(0, 255).astype(np.uint8))
    assert save_result(convolve(torch.tensor([[-0.4, -0.6, 255.4, 256.0]]), "identity"), "grey.png") == 2
    with Image.open("grey.png") as image:
        assert (image.mode, np.asarray(image).tolist()) == ("L", [[0, 0, 255, 255]])


def test_a_png_of_a_derivative_has_0_at_mid_grey() -> None:
    found = convolve(np.array([[0, 200, 200, 100]], np.uint8), "-1 1", padding="valid")
    assert (save_result(found, "a.png"), found.after_range) == (0, (-200, 200))
    with Image.open("a.png") as image:
        assert np.asarray(image).tolist() == [[255, 128, 64]]


def test_files_that_exist_are_kept_unless_told(found: Convolved) -> None:
    Path("a.png").write_bytes(b"mine")
    with pytest.raises(NeocogError) as error:
        save_result(found, "a.png")
    assert str(error.value) == "'a.png' exists already; give another name, or --overwrite (in Python, overwrite=True)"
    assert Path("a.png").read_bytes() == b"mine"
    save_result(found, "a.png", overwrite=True)
    with Image.open("a.png") as image:
        assert image.size == (5, 4)
    assert [path.name for path in Path().iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.jpg", "cannot write 'a.jpg': its suffix tells its kind; give .png or .npy"),
        ("a", "cannot write 'a': its suffix tells its kind; give .png or .npy"),
        ("x/a.png", "cannot write 'x/a.png': there is no folder 'x'; make it first"),
    ],
)
def test_places_that_cannot_be_written_are_refused(found: Convolved, path: str, text: str) -> None:
    with pytest.raises(NeocogError) as error:
        save_result(found, path)
    assert str(error.value) == text


def test_a_disk_that_is_full_leaves_nothing(found: Convolved, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(NeocogError) as error:
        save_result(found, "a.npy")
    assert str(error.value) == "cannot write 'a.npy': No space left on device; give a place that can be written"
    assert list(Path().iterdir()) == []


def test_a_wrong_flip_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-worked picture tells the kernel from its mirror image: plant the mistake and see."""

    def mirrored(self: Kernel, dtype: object = None) -> Tensor:
        return torch.tensor(self.rows).flip(1)

    monkeypatch.setattr(Kernel, "tensor", mirrored)
    assert convolve(NINE, TWO, padding="valid").after.tolist() != [[[19, 25], [37, 43]]]
    found = convolve("digit:7", "sobel")
    want = by_hand(found.before[0].numpy(), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(found.after[0].numpy(), -want)
