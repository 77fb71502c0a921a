"""Named kernels against what they must do to flat pictures, ramps and points, and the settings they refuse."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, exp, fsum, pi, radians, sin

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from laying import laid, photograph, ramp
from scipy import ndimage
from torch import Tensor
from torch.testing import assert_close

from neocog import ops
from neocog.errors import KernelError
from neocog.kernels import KERNELS, kernel

KNOWN = ", ".join(sorted(KERNELS))
HINT = "give a kernel's name, a file with rows of numbers, or a text such as '1 0 -1; 2 0 -2; 1 0 -1'"
KEEP = ("identity", "box", "gaussian", "sharpen", "unsharp", "emboss", "motion")
CHANGE = ("sobel", "prewitt", "scharr", "laplacian", "outline", "gabor")
WRONG = ("box-as-published", "gaussian-as-published")


# --------------------------------------------------------------------------------------------------------- the one rule


def test_every_kernel_is_in_one_of_three_groups_and_says_what_it_is() -> None:
    assert sorted([*KEEP, *CHANGE, *WRONG]) == sorted(KERNELS)
    for name, named in KERNELS.items():
        assert named.name == name
        made = kernel(name)
        assert (made.name, made.about, made.source) == (name, named.about, named.source)
        assert named.about and named.source and len(named.about) <= 78
        assert (name in WRONG) == bool(named.instead) == named.about.startswith("WRONG")
        assert not named.instead or named.instead in KERNELS


@pytest.mark.parametrize("name", KEEP)
def test_a_flat_picture_stays_as_it_is(name: str) -> None:
    assert_close(kernel(name).total, 1.0, rtol=0, atol=1e-14)
    out_PQ = laid(torch.full((30, 30), 77.0), kernel(name))
    assert_close(out_PQ, torch.full_like(out_PQ, 77.0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", CHANGE)
@pytest.mark.parametrize("normalize", [None, True])
def test_a_flat_picture_gives_0(name: str, normalize: bool | None) -> None:
    made = kernel(name, normalize=normalize if "normalize" in KERNELS[name].settings else None)
    assert made.total == 0
    out_PQ = laid(torch.full((30, 30), 77.0), made)
    assert_close(out_PQ, torch.zeros_like(out_PQ), rtol=0, atol=1e-12)


# ----------------------------------------------------------------------------------------------------- kernel by kernel


@pytest.mark.parametrize(
    ("name", "settings", "rows"),
    [
        ("identity", {}, [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("identity", {"size": 1}, [[1]]),
        ("box", {"size": 2}, [[0.25, 0.25], [0.25, 0.25]]),
        ("sharpen", {}, [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("emboss", {}, [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        ("outline", {}, [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        ("sobel", {}, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel", {"direction": "y"}, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        ("prewitt", {}, [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
        ("prewitt", {"direction": "y"}, [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
        ("scharr", {"direction": "x"}, [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]),
        ("scharr", {"direction": "y"}, [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]),
        ("laplacian", {}, [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("laplacian", {"neighbours": 8}, [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        ("motion", {"length": 3}, [[0, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 0]]),
        ("motion", {"length": 3, "angle": 90}, [[0, 1 / 3, 0], [0, 1 / 3, 0], [0, 1 / 3, 0]]),
        ("box-as-published", {"size": 2}, [[1, 1], [1, 1]]),
    ],
)
def test_published_numbers(name: str, settings: dict[str, object], rows: list[list[float]]) -> None:
    assert kernel(name, **settings).rows == tuple(tuple(map(float, row)) for row in rows)


@pytest.mark.parametrize(("name", "scale"), [("sobel", 8), ("prewitt", 6), ("scharr", 32)])
def test_a_ramp_has_its_change_per_pixel(name: str, scale: int) -> None:
    for direction, change in (("x", 3.0), ("y", -2.0)):
        published = laid(ramp(3, -2), kernel(name, direction=direction))
        normalized = laid(ramp(3, -2), kernel(name, direction=direction, normalize=True))
        assert_close(published, torch.full_like(published, scale * change), rtol=1e-12, atol=0)
        assert_close(normalized, torch.full_like(normalized, change), rtol=1e-12, atol=0)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_the_laplacian_of_a_bowl_is_its_second_derivative(neighbours: int) -> None:
    i, j = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    bowl = 2 * i**2 + 0.5 * j**2 + 7 * i - j  # ∂²/∂y² + ∂²/∂x² = 4 + 1
    out_PQ = laid(bowl, kernel("laplacian", neighbours=neighbours, normalize=True))
    assert_close(out_PQ, torch.full_like(out_PQ, 5.0), rtol=1e-12, atol=0)


def test_the_gaussian_is_a_bell_and_not_binomial() -> None:
    edge, corner = exp(-1 / (2 * 0.7**2)), exp(-2 / (2 * 0.7**2))
    total = 1 + 4 * edge + 4 * corner
    rows = kernel("gaussian", size=3, sigma=0.7).rows
    want = [[corner, edge, corner], [edge, 1, edge], [corner, edge, corner]]
    assert_close(torch.tensor(rows) * total, torch.tensor(want), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("sigma", "size"), [(0.3, 3), (1.0, 7), (1.5, 11), (4, 25), (42, 253)])
def test_the_size_follows_from_sigma(sigma: float, size: int) -> None:
    made = kernel("gaussian", sigma=sigma)
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1
    want = ndimage.gaussian_filter(point, sigma, radius=size // 2, mode="constant")
    assert made.shape == (size, size)
    np.testing.assert_allclose(np.array(made.rows), want, rtol=1e-9)


def test_sigma_follows_from_the_size() -> None:
    assert kernel("gaussian") == kernel("gaussian", size=5, sigma=1.1)
    assert kernel("gaussian", size=3) == kernel("gaussian", size=3, sigma=0.8)
    assert kernel("gaussian", sigma=1e-300, size=3).rows == kernel("identity").rows


def test_unsharp_adds_what_a_blur_takes_away() -> None:
    picture = photograph()
    blurred = laid(picture, kernel("gaussian", size=5, sigma=1.2))
    sharp = laid(picture, kernel("unsharp", size=5, sigma=1.2, amount=1.5))
    inner = picture[2:-2, 2:-2]
    assert_close(sharp, inner + 1.5 * (inner - blurred), rtol=1e-12, atol=1e-9)


def test_sharpen_is_identity_minus_laplacian() -> None:
    difference = kernel("identity").tensor() - kernel("laplacian").tensor()
    assert_close(kernel("sharpen").tensor(), difference, rtol=0, atol=0)


@given(length=st.integers(0, 12).map(lambda half: 2 * half + 1), angle=st.floats(-720, 720))
def test_motion_is_a_line_through_the_centre(length: int, angle: float) -> None:
    weights = kernel("motion", length=length, angle=angle).tensor(torch.float64)
    assert weights.shape == (length, length)
    assert weights.min() >= 0
    assert_close(weights.sum().item(), 1.0, rtol=1e-12, atol=0)
    assert_close(weights, weights.flip(0, 1), rtol=0, atol=1e-8)
    place = torch.arange(length, dtype=torch.float64) - length // 2
    right, up = weights.sum(0) @ place**2, weights.sum(1) @ place**2
    along = (length**2 - 1) / 12  # the spread of so many points, one pixel apart
    assert along - 1e-6 <= right + up <= along + 0.5 + 1e-6  # shares of a point widen it, ¼ each way
    assert abs(right - along * cos(radians(angle)) ** 2) <= 0.25 + 1e-6


def test_a_rising_line_rises() -> None:
    weights = kernel("motion", length=5, angle=45).tensor()
    assert weights[:2, 3:].sum() > 0.29
    assert weights[:2, :2].sum() == 0


@pytest.mark.parametrize(("angle", "turns"), [(0, 0), (90, 1), (180, 2)])
def test_gabor_answers_to_its_stripes(angle: float, turns: int) -> None:
    stripes = torch.cos(2 * pi * torch.arange(30.0) / 4).expand(30, 30)
    along, across = stripes.rot90(turns), stripes.rot90(turns + 1)
    made = kernel("gabor", angle=angle)
    assert 1.9 < laid(along, made).abs().max() <= 2, "never more than the picture's contrast, from −1 to 1"
    assert laid(across, made).abs().max() < 1e-6
    wider = torch.cos(2 * pi * torch.arange(30.0) / 12).expand(30, 30).rot90(turns)
    assert laid(wider, made).abs().max() < 0.1


@given(
    size=st.integers(1, 6).map(lambda half: 2 * half + 1),
    wavelength=st.floats(2.5, 9),
    angle=st.floats(-360, 360),
    phase=st.floats(-360, 360),
    aspect=st.floats(0.3, 2),
)
def test_gabors_positive_numbers_sum_to_1_and_the_negative_to_minus_1(
    size: int, wavelength: float, angle: float, phase: float, aspect: float
) -> None:
    rows = kernel("gabor", size=size, wavelength=wavelength, angle=angle, phase=phase, aspect=aspect).rows
    values = [value for row in rows for value in row]
    assert_close(fsum(value for value in values if value > 0), 1.0, rtol=1e-6, atol=0)
    assert_close(fsum(value for value in values if value < 0), -1.0, rtol=1e-6, atol=0)


@pytest.mark.parametrize("angle", [30, 45, 120, -20])
def test_gabors_angle_goes_up_as_it_grows(angle: float) -> None:
    i, j = torch.meshgrid(torch.arange(30.0), torch.arange(30.0), indexing="ij")

    def stripes(direction: float) -> Tensor:
        return torch.cos(2 * pi * (j * cos(radians(direction)) - i * sin(radians(direction))) / 4)

    made = kernel("gabor", angle=angle)
    assert laid(stripes(angle), made).abs().max() > 1.5
    assert laid(stripes(-angle), made).abs().max() < 0.8


@pytest.mark.parametrize("settings", [{}, {"angle": 30}, {"aspect": 2, "wavelength": 3}, {"sigma": 1.2}])
def test_gabor_is_as_large_as_its_bell(settings: dict[str, float]) -> None:
    made = kernel("gabor", **settings)
    weights = made.tensor(torch.float64).abs()
    rim = torch.cat([weights[0], weights[-1], weights[:, 0], weights[:, -1]])
    assert rim.max() < 0.012 * weights.max(), "exp(−3²/2) = 0.011"
    used = KERNELS["gabor"].used(**settings)
    assert used["size"] == made.shape[0] == 2 * np.ceil(3 * used["sigma"] * max(1, 1 / used["aspect"])) + 1


def test_gabor_at_the_formula() -> None:
    sigma = kernel("gabor", sigma=0.5622 * 4).tensor()
    assert_close(kernel("gabor").tensor(), sigma, rtol=1e-3, atol=1e-5)  # one octave: σ = 0.56 λ
    # phase 90°: an odd wave, so nothing has to be taken away: −sin(2πx/6)·bell, up to its scale.
    got = kernel("gabor", size=5, wavelength=6, sigma=2, phase=90, aspect=1).tensor(torch.float64)
    place = torch.arange(-2.0, 3, dtype=torch.float64)
    bell = torch.exp(-(place**2) / 8)
    want = bell[:, None] * bell * -torch.sin(2 * pi * place / 6)
    assert_close(got, want * (2 / want.abs().sum()), rtol=1e-10, atol=1e-14)


# -------------------------------------------------------------------------------------- the two published blur mistakes


def test_the_published_box_brightens_25_times() -> None:
    flat = torch.full((9, 9), 10.0)
    assert laid(flat, kernel("box", size=5)).unique().tolist() == pytest.approx([10])
    assert laid(flat, kernel("box-as-published", size=5)).unique().tolist() == [250]
    picture = photograph()
    right, published = laid(picture, kernel("box")), laid(picture, kernel("box-as-published"))
    assert_close(published, 25 * right, rtol=1e-12, atol=0)
    assert right.max() <= picture.max()
    assert (published > 255).all(), "white everywhere"


def test_the_published_gaussian_is_noise() -> None:
    picture = photograph()
    right, published = laid(picture, kernel("gaussian")), laid(picture, kernel("gaussian-as-published"))
    assert picture.min() <= right.min() and right.max() <= picture.max()
    assert published.min() < 0, "a blur can't be darker than black"
    assert kernel("gaussian-as-published", seed=1) == kernel("gaussian-as-published", seed=1)
    assert kernel("gaussian-as-published", seed=1) != kernel("gaussian-as-published", seed=2)
    noise = kernel("gaussian-as-published", size=101).tensor()
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05


def coloured() -> np.ndarray:
    """A photograph (40, 40, 3) of the drawn picture, in which the channels differ."""
    grey = photograph().numpy()
    return np.stack([grey, 255 - grey, np.roll(grey, 7, 0)], 2).round().astype(np.uint8)


def astronaut() -> np.ndarray:
    """scikit-image's photograph, as in the lesson."""
    data = pytest.importorskip("skimage.data", reason="the astronaut comes with scikit-image, which is not needed")
    return np.asarray(data.astronaut())


@pytest.mark.parametrize("photo", [coloured, astronaut])
def test_the_lessons_blurs_of_a_photograph(photo: Callable[[], np.ndarray]) -> None:
    """RGB averaged to grey, a blur and a Gaussian blur of 5×5; and what the published kernels make of it."""
    grey = photo().mean(axis=2)

    def blurred(name: str) -> np.ndarray:
        w_11RS = kernel(name, size=5).tensor(torch.float64)[None, None]
        return ops.conv2d(torch.from_numpy(grey)[None, None], w_11RS, padding="same")[0, 0].numpy()

    box, bell = blurred("box"), blurred("gaussian")
    np.testing.assert_allclose(box, ndimage.uniform_filter(grey, 5, mode="constant"), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(bell, ndimage.gaussian_filter(grey, 1.1, radius=2, mode="constant"), rtol=1e-10)
    assert bell.max() <= grey.max() and box.max() <= grey.max(), "a mean is never brighter than the brightest"
    np.testing.assert_allclose(blurred("box-as-published"), 25 * box, rtol=1e-10)
    assert (blurred("box-as-published") > 255).mean() > 0.5, "mostly white"
    assert blurred("gaussian-as-published").min() < 0, "a blur can't be darker than black"


# -------------------------------------------------------------------------------------------------- what kernels refuse


@pytest.mark.parametrize(
    ("name", "settings", "text"),
    [
        ("sobl", {}, f"unknown kernel 'sobl'; did you mean 'sobel'? Known: {KNOWN}"),
        ("sobel", {"sigma": 1}, "sobel takes no sigma; it takes direction and normalize"),
        ("sharpen", {"size": 3}, "sharpen takes no size; it takes no settings"),
        ("box", {"sgima": 3}, "box takes no sgima; it takes size"),
        ("gabor", {"seed": 3}, "gabor takes no seed; it takes size, wavelength, angle, sigma, phase and aspect"),
        ("gaussian", {"size": 4}, "gaussian: size = 4 has no centre; give an odd size, such as 3 or 5"),
        ("identity", {"size": 2}, "identity: size = 2 has no centre; give an odd size, such as 1 or 3"),
        ("gabor", {"size": 6}, "gabor: size = 6 has no centre; give an odd size, such as 5 or 7"),
        ("box", {"size": 0}, "box: size = 0: give a whole number from 1 to 255"),
        ("box", {"size": 5.0}, "box: size = 5.0: give a whole number from 1 to 255"),
        ("box", {"size": True}, "box: size = True: give a whole number from 1 to 255"),
        ("gaussian", {"size": 257}, "gaussian: size = 257: give a whole number from 1 to 255"),
        ("gaussian", {"sigma": 0}, "gaussian: sigma = 0: give a number above 0, in pixels"),
        ("gaussian", {"sigma": float("nan")}, "gaussian: sigma = nan: give a number above 0, in pixels"),
        ("unsharp", {"sigma": float("inf")}, "unsharp: sigma = inf: give a number above 0, in pixels"),
        ("gaussian", {"sigma": 50}, "gaussian: sigma = 50 needs more than 255 pixels; give at most 42, or a size"),
        ("unsharp", {"amount": -1}, "unsharp: amount = -1: give a number above 0"),
        ("sobel", {"direction": "z"}, "sobel: direction = 'z': give 'x' or 'y'"),
        ("sobel", {"normalize": 1}, "sobel: normalize = 1: give True or False"),
        ("laplacian", {"neighbours": 6}, "laplacian: neighbours = 6: give 4 or 8"),
        ("motion", {"length": 4}, "motion: length = 4: give an odd whole number from 1 to 255, in pixels"),
        ("motion", {"angle": "up"}, "motion: angle = 'up': give a number, in degrees"),
        ("gabor", {"wavelength": 1.5}, "gabor: wavelength = 1.5: give a number of at least 2, in pixels"),
        ("gaussian", {"sigma": 10**400}, f"gaussian: sigma = 1{'0' * 38}…: give a number above 0, in pixels"),
        ("motion", {"angle": 10**400}, f"motion: angle = 1{'0' * 38}…: give a number, in degrees"),
        (
            "gaussian-as-published",
            {"seed": 10**5000},
            "gaussian-as-published: seed = a number of thousands of digits: give a whole number",
        ),
        (
            "gabor",
            {"wavelength": 40},
            "gabor: with wavelength = 40, sigma = 22.4869 and aspect = 0.5 the bell needs more than 255 pixels; give a "
            "size, or another of them",
        ),
        (["x"], {}, "a kernel has no name ['x']; give one such as 'sobel'"),
        (
            "1 0 -1",
            {},
            "kernel '1 0 -1' is rows of numbers, and not a name such as 'sobel'; read_kernel and convolve take rows",
        ),
        ("gaussian-as-published", {"seed": 0.5}, "gaussian-as-published: seed = 0.5: give a whole number"),
        (
            "gabor",
            {"size": 1},
            "gabor: with size = 1, wavelength = 4, sigma = 2.24869 and phase = 0 nothing of the wave falls on the "
            "pixels; change one of them",
        ),
        (
            "gabor",
            {"wavelength": 2, "phase": 90},
            "gabor: with size = 15, wavelength = 2, sigma = 1.12434 and phase = 90 nothing of the wave falls on the "
            "pixels; change one of them",
        ),
    ],
)
def test_settings_that_make_no_sense(name: str, settings: dict[str, object], text: str) -> None:
    with pytest.raises(KernelError) as refused:
        kernel(name, **settings)
    assert str(refused.value) == text


def test_a_setting_that_is_none_is_not_given() -> None:
    assert kernel("sharpen", size=None) == kernel("sharpen")
    assert kernel("box", size=np.int64(3)) == kernel("box", size=3)
