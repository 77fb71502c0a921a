"""Every worked example of the lessons on sizes, cross-correlation, channels, padding, stride, edges and flattening."""

from __future__ import annotations

import pytest
import torch
from cases import agree
from torch.nn import functional

from neocog import ops
from neocog.geometry import Window, output_size
from neocog.ops.methods import METHODS
from neocog.ops.spec import ConvSpec
from neocog.ops.toeplitz import toeplitz_matrix

# the lessons' kernels are 1×2, 2×2, …, which Winograd's transforms for 3×3 can't do
GENERAL = [method for method in METHODS if not method.startswith("winograd")]


def counted(first, *shape):
    """Numbers in order from `first` on, (N, C, H, W) or less."""
    numbers = torch.arange(first, first + shape[-2] * shape[-1], dtype=torch.float64)
    return numbers.reshape(shape)


def same(got, want, method):
    agree(got, torch.as_tensor(want, dtype=torch.float64), method, rtol=1e-12, atol=1e-12)


# ---- sizes: ⌊(W − K + 2P)/S⌋ + 1


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "stride", "want"),
    [
        (4, 3, 0, 1, 2),
        (5, 3, 1, 1, 5),
        (30, 3, 0, 1, 28),
        (224, 5, 1, 2, 111),
        (528, 7, 2, 3, 176),
        (5, 1, 0, 2, 3),
    ],
)
def test_output_sizes(size, kernel, padding, stride, want):
    spec = ConvSpec.make(kernel, stride, padding)
    assert spec.output_size((size, size)) == (want, want)
    assert (size - kernel + 2 * padding) // stride + 1 == want
    assert spec.formula((size, size))[0].endswith(f" = {want}")


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9])
def test_same_padding_is_half_of_what_the_kernel_takes(kernel):
    half = (kernel - 1) // 2
    assert ConvSpec.make(kernel, padding="same").padding == (half,) * 4
    assert ConvSpec.make(kernel, padding=half).output_size((28, 20)) == (28, 20)


def test_a_pooling_window_that_steps_by_its_own_size_divides():
    for size, window in ((28, 2), (14, 2), (9, 3), (28, 7)):
        assert output_size(size, Window(window, stride=window)) == size // window
        assert output_size(size, Window(window)) == size - window + 1


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "side", "features"),
    [(30, 3, 1, 0, 28, 784), (224, 5, 2, 1, 111, 12_321), (528, 7, 3, 2, 176, 30_976)],
)
def test_the_exercise_with_100_rgb_pictures(size, kernel, stride, padding, side, features):
    spec = ConvSpec.make(kernel, stride, padding)
    assert spec.output_size((size, size)) == (side, side)
    assert side * side == features
    y = ops.conv2d(torch.zeros(1, 3, size, size), torch.zeros(1, 3, kernel, kernel), stride=stride, padding=padding)
    assert y.flatten(1).shape == (1, features)


@pytest.mark.parametrize("method", METHODS)
def test_the_exercise_is_really_computed(method):
    """The smallest of the three sizes; index by index, 100 pictures would take a while."""
    pictures = torch.ones(2 if method == "loops" else 100, 3, 30, 30, dtype=torch.float64)
    y = ops.conv2d(pictures, torch.ones(1, 3, 3, 3, dtype=torch.float64), method=method)
    same(y, torch.full((len(pictures), 1, 28, 28), 27.0), method)


@pytest.mark.parametrize("method", GENERAL)
def test_a_window_of_1_at_stride_2_takes_every_second_number(method):
    row = counted(1, 1, 1, 1, 5)
    y = ops.conv2d(row, torch.ones(1, 1, 1, 1, dtype=torch.float64), stride=2, method=method)
    same(y, [[[[1, 3, 5]]]], method)


# ---- cross-correlation


@pytest.mark.parametrize("method", GENERAL)
def test_cross_correlation(method):
    image, kernel = counted(0, 3, 3), counted(0, 2, 2)
    want = [[19, 25], [37, 43]]
    same(ops.correlate2d(image, kernel, method=method), want, method)
    same(ops.conv2d(image[None, None], kernel[None, None], method=method)[0, 0], want, method)
    same(functional.conv2d(image[None, None], kernel[None, None])[0, 0], want, "torch")


@pytest.mark.parametrize("method", GENERAL)
def test_true_convolution_turns_the_kernel_by_180_degrees(method):
    """Kernel [[3, 2], [1, 0]] on the picture: 0·3 + 1·2 + 3·1 + 4·0 = 5; turned by 90° it's [[1, 3], [0, 2]]: 11."""
    image, kernel = counted(0, 3, 3), counted(0, 2, 2)
    got = ops.convolve2d(image, kernel, method=method)
    same(got, [[5, 11], [23, 29]], method)
    same(ops.correlate2d(image, kernel.rot90(2), method=method), got, method)
    same(ops.correlate2d(image, kernel.rot90(1), method=method), [[11, 17], [29, 35]], method)


# ---- channels


def two_channels():
    """Channel 0 counts from 0, channel 1 from 1; so do the two layers of the kernel."""
    x = torch.stack([counted(0, 3, 3), counted(1, 3, 3)])[None]
    w = torch.stack([counted(0, 2, 2), counted(1, 2, 2)])[None]
    return x, w


@pytest.mark.parametrize("method", GENERAL)
def test_two_channels_in(method):
    x, w = two_channels()
    same(ops.conv2d(x, w, method=method), [[[[56, 72], [104, 120]]]], method)
    each = [ops.correlate2d(x[0, c], w[0, c], method=method) for c in (0, 1)]
    same(each[0], [[19, 25], [37, 43]], method)
    same(each[0] + each[1], [[56, 72], [104, 120]], method)


@pytest.mark.parametrize("method", GENERAL)
def test_three_kernels_out(method):
    x, w = two_channels()
    y = ops.conv2d(x, torch.cat([w, w + 1, w + 2]), method=method)
    same(y, [[[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]], method)


@pytest.mark.parametrize("method", GENERAL)
def test_a_1x1_kernel_mixes_channels_like_a_linear_layer(method):
    x, weights = two_channels()[0], torch.tensor([[1.0, 10.0], [2.0, -1.0], [0.0, 1.0]], dtype=torch.float64)
    want = (weights @ x[0].flatten(1)).reshape(1, 3, 3, 3)
    same(ops.conv2d(x, weights[:, :, None, None], method=method), want, method)


# ---- padding and stride: 1…9 under a 2×2 kernel of ones


@pytest.mark.parametrize("method", GENERAL)
def test_padding_by_hand_is_padding_by_number(method):
    x, ones = counted(1, 1, 1, 3, 3), torch.ones(1, 1, 2, 2, dtype=torch.float64)
    same(ops.conv2d(x, ones, method=method), [[[[12, 16], [24, 28]]]], method)
    want = [[[[1, 3, 5, 3], [5, 12, 16, 9], [11, 24, 28, 15], [7, 15, 17, 9]]]]
    same(ops.conv2d(x, ones, padding=1, method=method), want, method)
    same(ops.conv2d(functional.pad(x, (1, 1, 1, 1)), ones, method=method), want, method)


@pytest.mark.parametrize("method", GENERAL)
def test_stride_2_keeps_every_second_window(method):
    x, ones = counted(1, 1, 1, 3, 3), torch.ones(1, 1, 2, 2, dtype=torch.float64)
    every = ops.conv2d(x, ones, padding=1, method=method)
    second = ops.conv2d(x, ones, padding=1, stride=2, method=method)
    same(second, [[[[1, 5], [11, 28]]]], method)
    same(second, every[..., ::2, ::2], method)


# ---- edges


@pytest.mark.parametrize("method", GENERAL)
def test_edges(method):
    """6×8, ones in columns 2 to 5: left − right is −1 where they begin and +1 where they end."""
    image = torch.zeros(6, 8, dtype=torch.float64)
    image[:, 2:6] = 1
    kernel = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    same(ops.correlate2d(image, kernel, method=method), [[0, -1, 0, 0, 0, 1, 0]] * 6, method)
    same(ops.correlate2d(image.mT, kernel, method=method), [[0] * 5] * 8, method)
    same(ops.correlate2d(image.mT, kernel.mT, method=method), torch.tensor([[0, -1, 0, 0, 0, 1, 0]] * 6).mT, method)


# ---- flattening


def test_three_ways_to_flatten():
    picture = torch.arange(784.0).reshape(1, 28, 28)
    for flat in (picture.view(-1), picture.reshape(-1), picture.flatten()):
        assert flat.tolist() == list(range(784))
    assert torch.zeros(5, 3, 4, 6).flatten(1).shape == (5, 3 * 4 * 6)
    assert torch.zeros(3, 224, 224).numel() == 150_528


# ---- one matrix product


def test_the_toeplitz_matrix_of_the_first_example():
    """Each row is one window: the kernel's rows 0 1 and 2 3, a picture's row of 3 apart."""
    kernel = counted(0, 1, 1, 2, 2)
    matrix = toeplitz_matrix(kernel, (1, 3, 3), ConvSpec.make(2))
    same(
        matrix,
        [
            [0, 1, 0, 2, 3, 0, 0, 0, 0],
            [0, 0, 1, 0, 2, 3, 0, 0, 0],
            [0, 0, 0, 0, 1, 0, 2, 3, 0],
            [0, 0, 0, 0, 0, 1, 0, 2, 3],
        ],
        "toeplitz_matrix",
    )
    same(matrix @ counted(0, 3, 3).flatten(), [19, 25, 37, 43], "toeplitz_matrix")


def test_it_is_doubly_blocked():
    """One block for each row of the kernel, constant along its diagonals; the blocks are constant along theirs."""
    kernel, spec = counted(1, 1, 1, 3, 2), ConvSpec.make((3, 2))
    matrix = toeplitz_matrix(kernel, (1, 5, 4), spec)
    blocks = matrix.reshape(3, 3, 5, 4).transpose(1, 2)  # P × H blocks of Q × W
    for p in range(3):
        for h in range(5):
            r = h - p
            if 0 <= r < 3:
                first, second = 2 * r + 1, 2 * r + 2
                want = [[first, second, 0, 0], [0, first, second, 0], [0, 0, first, second]]
                same(blocks[p, h], want, f"block {p}, {h}")
            else:
                same(blocks[p, h], torch.zeros(3, 4), f"block {p}, {h}")


@pytest.mark.parametrize("method", GENERAL)
def test_a_convolution_is_one_matrix_product(method):
    """The kernel becomes a matrix, the picture a vector: with channels, padding and stride, too."""
    x, w = two_channels()
    for walk in ({}, {"padding": 1}, {"padding": (1, 0, 0, 2), "stride": (1, 2)}):
        kernels = torch.cat([w, w + 1, w + 2])
        matrix = toeplitz_matrix(kernels, (2, 3, 3), ConvSpec.make(2, **walk))
        y = ops.conv2d(x, kernels, method=method, **walk)
        assert matrix.shape == (y.numel(), x.numel())
        same(matrix @ x.flatten(), y.flatten(), f"{method} {walk}")
