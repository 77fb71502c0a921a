"""Numbers as grey values: which is black, which white, and what lies beyond."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from noise import noise
from PIL import Image

from neocog.filtering import clipped, convolve, displayed


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


def test_showing_changes_nothing() -> None:
    values = torch.tensor([[-1.0, 2.0]])
    displayed(values)
    assert values.tolist() == [[-1, 2]]
