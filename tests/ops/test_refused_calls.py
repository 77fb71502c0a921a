"""What torch refuses we refuse, with one sentence that says what, which value and how to mend it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from neocog import ops
from neocog.errors import OperationError
from neocog.ops.methods import METHODS

PAIR = "give a whole number of at least 1, or two (rows, columns)"
FROM_0 = "give a whole number of at least 0, or two (rows, columns)"
SIDES = "give a whole number of at least 0, two (rows, columns), four (top, bottom, left, right), 'same' or 'valid'"
X, W, B = torch.zeros(2, 4, 5, 6), torch.zeros(6, 4, 3, 3), torch.zeros(6)

CONV2D = [
    # tensors that are none, or of a wrong type
    ((X.numpy(), W), {}, "x is a ndarray: give a tensor, such as torch.tensor(x)"),
    ((X, W.numpy()), {}, "w is a ndarray: give a tensor, such as torch.tensor(w)"),
    ((X.tolist(), W), {}, "x is a list: give a tensor, such as torch.tensor(x)"),
    ((X, W, [0.0] * 6), {}, "b is a list: give a tensor, such as torch.tensor(b)"),
    ((X, W, 0.5), {}, "b is a float: give a tensor, such as torch.tensor(b)"),
    ((None, W), {}, "x is a NoneType: give a tensor, such as torch.tensor(x)"),
    ((X.int(), W), {}, "x is int32: give a float type, such as x.float()"),
    ((X.bool(), W.bool()), {}, "x is bool: give a float type, such as x.float()"),
    ((X, W.long()), {}, "w is int64: give a float type, such as w.float()"),
    ((X, W, B.long()), {}, "b is int64: give a float type, such as b.float()"),
    ((X, W.double()), {}, "x is float32 but w is float64: give both one type, such as w.to(x.dtype)"),
    ((X.half(), W), {}, "x is float16 but w is float32: give both one type, such as w.to(x.dtype)"),
    ((X, W, B.bfloat16()), {}, "x is float32 but b is bfloat16: give both one type, such as b.to(x.dtype)"),
    ((X.to_sparse(), W), {}, "x is sparse_coo: give a dense tensor, such as x.to_dense()"),
    ((X, W.to_sparse()), {}, "w is sparse_coo: give a dense tensor, such as w.to_dense()"),
    # shapes
    ((X[0, 0], W), {}, "x has the shape (5, 6): conv2d takes (N, C, H, W) or (C, H, W)"),
    ((X[None], W), {}, "x has the shape (1, 2, 4, 5, 6): conv2d takes (N, C, H, W) or (C, H, W)"),
    ((X, W[0]), {}, "w has the shape (4, 3, 3): conv2d takes (K, C/groups, R, S)"),
    ((X, W, B[None]), {}, "b has the shape (1, 6): conv2d takes (K)"),
    ((X, W, B[0]), {}, "b has the shape (): conv2d takes (K)"),
    ((X, W, B[:4]), {}, "b has 4 numbers but there are 6 kernels; give one for each"),
    ((X, W[:, :, :0]), {}, "w has the shape (6, 4, 0, 3): only the number of pictures may be 0"),
    ((X, W[:0]), {}, "w has the shape (0, 4, 3, 3): only the number of pictures may be 0"),
    ((X[:, :, :, :0], W), {}, "x has the shape (2, 4, 5, 0): only the number of pictures may be 0"),
    ((X, W[:, :3]), {}, "w (6, 3, 3, 3) has kernels of 3 channels but x has 4; give w as (6, 4, 3, 3)"),
    ((X[:, :3], W), {}, "w (6, 4, 3, 3) has kernels of 4 channels but x has 3; give w as (6, 3, 3, 3)"),
    (
        (X, torch.zeros(6, 4, 7, 2)),
        {},
        "a 7×2 kernel does not fit the 5×6 picture; use a smaller kernel, or 1 more padding on each side",
    ),
    (
        (X, torch.zeros(6, 4, 7, 10)),
        {"padding": 1},
        "a 7×10 kernel does not fit the 5×6 picture (7×8 with its padding); use a smaller kernel, or 1 more padding "
        "on each side",
    ),
    (
        (X, W),
        {"dilation": 3},
        "a 3×3 kernel at dilation 3 spans 7×7 pixels and does not fit the 5×6 picture; use a smaller kernel, or 1 more "
        "padding on each side",
    ),
    # groups
    (
        (X, W[:, :2]),
        {"groups": 4},
        "groups = 4 must divide both the 4 channels of x and the 6 kernels of w; the largest that does is 2",
    ),
    (
        (X, W[:, :1]),
        {"groups": 3},
        "groups = 3 must divide both the 4 channels of x and the 6 kernels of w; the largest that does is 2",
    ),
    (
        (X, W),
        {"groups": 2},
        "w (6, 4, 3, 3) has kernels of 4 channels but each of 2 groups has 2; give w as (6, 2, 3, 3)",
    ),
    (
        (X, W[:, :1]),
        {"groups": 2},
        "w (6, 1, 3, 3) has kernels of 1 channels but each of 2 groups has 2; give w as (6, 2, 3, 3)",
    ),
    ((X, W), {"groups": 0}, "groups = 0: give a whole number of at least 1"),
    ((X, W), {"groups": -1}, "groups = -1: give a whole number of at least 1"),
    ((X, W), {"groups": 1.0}, "groups = 1.0: give a whole number of at least 1"),
    ((X, W), {"groups": None}, "groups = None: give a whole number of at least 1"),
    # the walk
    ((X, W), {"stride": 0}, f"stride = 0: {PAIR}"),
    ((X, W), {"stride": -1}, f"stride = -1: {PAIR}"),
    ((X, W), {"stride": (2, 0)}, f"stride = (2, 0): {PAIR}"),
    ((X, W), {"stride": (1, 1, 1)}, f"stride = (1, 1, 1): {PAIR}"),
    ((X, W), {"stride": []}, f"stride = []: {PAIR}"),
    ((X, W), {"stride": 1.5}, f"stride = 1.5: {PAIR}"),
    ((X, W), {"stride": True}, f"stride = True: {PAIR}"),
    ((X, W), {"stride": "2"}, f"stride = '2': {PAIR}"),
    ((X, W), {"stride": None}, f"stride = None: {PAIR}"),
    ((X, W), {"dilation": 0}, f"dilation = 0: {PAIR}"),
    ((X, W), {"dilation": -2}, f"dilation = -2: {PAIR}"),
    ((X, W), {"dilation": (1, 2, 3)}, f"dilation = (1, 2, 3): {PAIR}"),
    ((X, W), {"padding": -1}, f"padding = -1: {SIDES}"),
    ((X, W), {"padding": (1, -1)}, f"padding = (1, -1): {SIDES}"),
    ((X, W), {"padding": (1, 1, 1)}, f"padding = (1, 1, 1): {SIDES}"),
    ((X, W), {"padding": 0.5}, f"padding = 0.5: {SIDES}"),
    ((X, W), {"padding": "full"}, f"padding = 'full': {SIDES}"),
    ((X, W), {"padding": None}, f"padding = None: {SIDES}"),
    ((X, W), {"padding": np.array([1, 1])}, f"padding = array([1, 1]): {SIDES}"),
    (
        (X, W),
        {"padding": "same", "stride": 2},
        "padding 'same' keeps the size only at stride 1, not at stride 2; give the padding as numbers",
    ),
]

W_TRANSPOSED = torch.zeros(4, 6, 3, 3)
TRANSPOSED = [
    ((X.numpy(), W_TRANSPOSED), {}, "x is a ndarray: give a tensor, such as torch.tensor(x)"),
    ((X.int(), W_TRANSPOSED.int()), {}, "x is int32: give a float type, such as x.float()"),
    ((X, W_TRANSPOSED.double()), {}, "x is float32 but w is float64: give both one type, such as w.to(x.dtype)"),
    ((X[0, 0], W_TRANSPOSED), {}, "x has the shape (5, 6): conv_transpose2d takes (N, C, H, W) or (C, H, W)"),
    ((X, W_TRANSPOSED[0]), {}, "w has the shape (6, 3, 3): conv_transpose2d takes (C, K/groups, R, S)"),
    ((X, W_TRANSPOSED, B[:5]), {}, "b has 5 numbers but there are 6 channels that come out; give one for each"),
    (
        (X, W_TRANSPOSED, B),
        {"groups": 2},
        "b has 6 numbers but there are 12 channels that come out; give one for each",
    ),
    (
        (X, W),
        {},
        "x has 4 channels but w (6, 4, 3, 3) has 6 kernels; a transposed convolution needs one kernel for each channel "
        "that goes in",
    ),
    (
        (X, W_TRANSPOSED),
        {"groups": 3},
        "groups = 3 must divide the 4 channels of x; the largest that does is 4",
    ),
    ((X, W_TRANSPOSED), {"groups": 0}, "groups = 0: give a whole number of at least 1"),
    ((X, W_TRANSPOSED), {"stride": 0}, f"stride = 0: {PAIR}"),
    ((X, W_TRANSPOSED), {"dilation": 0}, f"dilation = 0: {PAIR}"),
    ((X, W_TRANSPOSED), {"padding": -1}, f"padding = -1: {SIDES}"),
    ((X, W_TRANSPOSED), {"output_padding": -1}, f"output_padding = -1: {FROM_0}"),
    ((X, W_TRANSPOSED), {"output_padding": (1, 2, 3)}, f"output_padding = (1, 2, 3): {FROM_0}"),
    (
        (X, W_TRANSPOSED),
        {"output_padding": 1},
        "output_padding = 1 must be less than the stride 1 or the dilation 1; use at most 0",
    ),
    (
        (X, W_TRANSPOSED),
        {"output_padding": (1, 3), "stride": (2, 3), "dilation": 2},
        "output_padding = (1, 3) must be less than the stride 2×3 or the dilation 2; use at most 2",
    ),
    (
        (X, W_TRANSPOSED),
        {"padding": 4},
        "padding (4, 4, 4, 4) cuts away all of the 3×3 window around 5×6 numbers: -1×0 would be left; use less padding",
    ),
]


def refusal(call):
    with pytest.raises(OperationError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def named(table):
    return [pytest.param(*row, id=row[-1][:60]) for row in table]


@pytest.mark.parametrize(("tensors", "walk", "want"), named(CONV2D))
def test_conv2d_refuses_what_torch_refuses(tensors, walk, want):
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        functional.conv2d(*tensors, **walk)
    assert refusal(lambda: ops.conv2d(*tensors, **walk)) == want


@pytest.mark.parametrize(("tensors", "walk", "want"), named(TRANSPOSED))
def test_conv_transpose2d_refuses_what_torch_refuses(tensors, walk, want):
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        functional.conv_transpose2d(*tensors, **walk)
    assert refusal(lambda: ops.conv_transpose2d(*tensors, **walk)) == want


def test_nothing_is_refused_for_the_wrong_reason():
    """The calls above differ by one thing from these, which are fine."""
    assert ops.conv2d(X, W, B).shape == (2, 6, 3, 4)
    assert ops.conv2d(X, W[:, :2], B, groups=2).shape == (2, 6, 3, 4)
    assert ops.conv_transpose2d(X, W_TRANSPOSED, B).shape == (2, 6, 7, 8)
    assert ops.conv_transpose2d(X, W_TRANSPOSED, groups=2).shape == (2, 12, 7, 8)


OURS = [
    ((X[:, :0], W[:, :0]), {}, "x has the shape (2, 0, 5, 6): only the number of pictures may be 0"),
    ((X.byte(), W.byte()), {}, "x is uint8: give a float type, such as x.float()"),
    ((X.long(), W.long()), {}, "x is int64: give a float type, such as x.float()"),
    ((X.to(torch.complex64), W), {}, "x is complex64: give real numbers, such as x.real"),
    ((X, W.to("meta")), {}, "x is on cpu but w is on meta: use w.to(x.device)"),
    (
        (X.to(torch.float8_e5m2), W.to(torch.float8_e5m2)),
        {},
        "x is float8_e5m2: nothing is computed in it; use x.float()",
    ),
    ((X, W), {"padding": b"\1\1"}, f"padding = b'\\x01\\x01': {SIDES}"),
    (
        (X, W),
        {"padding": 2**62, "method": "fft"},
        "padding = 4611686018427387904 is too large; give at most 2147483647",
    ),
    ((X, W), {"stride": 2**31}, "stride = 2147483648 is too large; give at most 2147483647"),
    (
        (X, W),
        {"dilation": torch.ones(9, 9)},
        f"dilation = tensor([[1., 1., 1., 1., 1., 1., 1., 1., 1.], [1., 1., 1., 1., 1., 1., 1., 1., 1…: {PAIR}",
    ),
    (
        (X, W),
        {"method": np.zeros((2, 1))},
        "unknown method '[[0.] [0.]]'; Known: fft, im2col, loops, shift, toeplitz, toeplitz-dense, winograd, "
        "winograd-4x4",
    ),
    ((X, W), {"padding": (1, 2, 3, -4)}, f"padding = (1, 2, 3, -4): {SIDES}"),
    (
        (X, W),
        {"method": "im2cols"},
        "unknown method 'im2cols'; did you mean 'im2col'? Known: fft, im2col, loops, shift, toeplitz, toeplitz-dense, "
        "winograd, winograd-4x4",
    ),
    (
        (X, W),
        {"method": None},
        "unknown method 'None'; Known: fft, im2col, loops, shift, toeplitz, toeplitz-dense, winograd, winograd-4x4",
    ),
    (
        (X, W),
        {"method": ["fft"]},
        "unknown method '['fft']'; did you mean 'fft'? Known: fft, im2col, loops, shift, toeplitz, toeplitz-dense, "
        "winograd, winograd-4x4",
    ),
    (
        (X, torch.zeros(6, 4, 5, 5)),
        {"method": "winograd"},
        "method 'winograd' does 3×3 kernels at stride 1 and dilation 1, not a 5×5 kernel at stride 1 and dilation 1; "
        "methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft",
    ),
    (
        (X, W),
        {"method": "winograd-4x4", "stride": (1, 2), "dilation": 2},
        "method 'winograd-4x4' does 3×3 kernels at stride 1 and dilation 1, not a 3×3 kernel at stride 1×2 and "
        "dilation 2; methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft",
    ),
]


@pytest.mark.parametrize(("tensors", "given", "want"), named(OURS))
def test_what_only_we_refuse(tensors, given, want):
    assert refusal(lambda: ops.conv2d(*tensors, **given)) == want


def test_a_transposed_convolution_minds_its_method_too():
    assert refusal(lambda: ops.conv_transpose2d(X, W_TRANSPOSED, stride=2, method="winograd")) == (
        "method 'winograd' does 3×3 kernels at stride 1 and dilation 1, not a 3×3 kernel at stride 2 and dilation 1; "
        "methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft"
    )


@pytest.mark.parametrize("function", [ops.correlate2d, ops.convolve2d])
@pytest.mark.parametrize(
    ("given", "want"),
    [
        ((X, W), "image has the shape (2, 4, 5, 6): give rows and columns, such as (28, 28)"),
        ((X[0, 0], W[0]), "kernel has the shape (4, 3, 3): give rows and columns, such as (28, 28)"),
        ((X[0, 0].tolist(), W[0, 0]), "image is a list: give a tensor, such as torch.tensor(image)"),
        ((X[0, 0], np.ones((3, 3))), "kernel is a ndarray: give a tensor, such as torch.tensor(kernel)"),
        ((X[0, 0].int(), W[0, 0]), "image is int32: give a float type, such as image.float()"),
        (
            (X[0, 0], W[0, 0].double()),
            "image is float32 but kernel is float64: give both one type, such as kernel.to(image.dtype)",
        ),
        ((X[0, 0, :0], W[0, 0]), "image has the shape (0, 6): give rows and columns, such as (28, 28)"),
        ((X[0, 0], W[0, 0, :, :0]), "kernel has the shape (3, 0): give rows and columns, such as (28, 28)"),
        ((X[0, 0], W[0, 0], "ful"), "unknown mode 'ful'; did you mean 'full'? Known: full, same, valid"),
        ((X[0, 0], W[0, 0], None), "unknown mode 'None'; Known: full, same, valid"),
        ((X[0, 0], W[0, 0], ["same"]), "unknown mode '['same']'; did you mean 'same'? Known: full, same, valid"),
        (
            (X[0, 0], torch.ones(6, 3)),
            "a 6×3 kernel does not fit the 5×6 picture; use a smaller kernel, or 1 more padding on each side",
        ),
    ],
)
def test_correlate2d_and_convolve2d(function, given, want):
    assert refusal(lambda: function(*given)) == want


def test_every_method_minds_the_same_door():
    """What reaches an algorithm has been checked, whichever it is."""
    texts = {refusal(lambda method=method: ops.conv2d(X, W[:, :3], method=method)) for method in METHODS}
    assert texts == {"w (6, 3, 3, 3) has kernels of 3 channels but x has 4; give w as (6, 4, 3, 3)"}
