"""Named kernels against what they must do to flat pictures, ramps and points; texts, files and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from math import cos, exp, fsum, pi, radians, sin
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from conftest import ENVIRONMENT
from neocog import ops
from neocog.errors import KernelError, OperationError
from neocog.kernels import KERNELS, Kernel, kernel, learn_kernel, learning, read_kernel

KNOWN = ", ".join(sorted(KERNELS))
HINT = "give a kernel's name, a file with rows of numbers, or a text such as '1 0 -1; 2 0 -2; 1 0 -1'"
KEEP = ("identity", "box", "gaussian", "sharpen", "unsharp", "emboss", "motion")
CHANGE = ("sobel", "prewitt", "scharr", "laplacian", "outline", "gabor")
WRONG = ("box-as-published", "gaussian-as-published")


def laid(picture_HW: Tensor, named: Kernel) -> Tensor:
    """What torch makes of a picture and a kernel, in float64 and without padding."""
    w_11RS = named.tensor(torch.float64)[None, None]
    return functional.conv2d(picture_HW.double()[None, None], w_11RS)[0, 0]


def ramp(across: int, down: int) -> Tensor:
    """A picture that changes by so much per pixel to the right and downwards."""
    i, j = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    return across * j + down * i


def photograph() -> Tensor:
    """A drawn picture of 40×40, from 0 to 255: light from one side, a dark disc, a bright bar, grain."""
    i, j = np.mgrid[0:40, 0:40]
    pixels = 80 + 2.0 * j
    pixels[(i - 15) ** 2 + (j - 14) ** 2 < 60] = 30
    pixels[28:33, 5:35] = 230
    return torch.from_numpy(np.clip(pixels + np.random.default_rng(3).normal(0, 4, pixels.shape), 0, 255))


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


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((), "kernel 'k' has no numbers; give at least one"),
        (((),), "kernel 'k' has no numbers; give at least one"),
        (((1, 2), (3,)), "kernel 'k': row 2 has 1 number but row 1 has 2; give every row as many"),
        (((1, float("nan")),), "kernel 'k': row 1, number 2 is nan; give finite numbers that float32 can hold"),
        (((1,), (1e39,)), "kernel 'k': row 2, number 1 is 1e+39; give finite numbers that float32 can hold"),
        (((10**400,),), f"kernel 'k': row 1, number 1 is 1{'0' * 38}…; give finite numbers that float32 can hold"),
        ((("a",),), "kernel 'k': row 1, number 1 is 'a'; give finite numbers that float32 can hold"),
        (((1, 1j),), "kernel 'k': row 1, number 2 is 1j; give finite numbers that float32 can hold"),
        ((1, 0), "kernel 'k': rows = (1, 0): give rows of numbers, such as ((1, 0, -1), (2, 0, -2))"),
    ],
)
def test_rows_that_are_no_kernel(rows: object, text: str) -> None:
    with pytest.raises(KernelError) as refused:
        Kernel("k", rows)  # type: ignore[arg-type]
    assert str(refused.value) == text


# -------------------------------------------------------------------------------------------------- reading and writing


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1 0 -1; 2 0 -2; 1 0 -1", ((1, 0, -1), (2, 0, -2), (1, 0, -1))),
        ("1, 0, −1;2, 0, −2;", ((1, 0, -1), (2, 0, -2))),
        ("1/9 2/9 -1/9", ((1 / 9, 2 / 9, -1 / 9),)),
        ("0/5 1e-45", ((0, 1e-45),)),
        ("1 2.e3", ((1, 2000),)),
        ("\n # an edge\n1e-3 .5 # to the right\n\n-2. +4\n", ((0.001, 0.5), (-2, 4))),
        ("1;0;-1\n2;0;-2\n", ((1, 0, -1), (2, 0, -2))),
        ("1,0,-1,\n2,0,-2,\n", ((1, 0, -1), (2, 0, -2))),
        ("1 2;\n3 4;", ((1, 2), (3, 4))),
        ("1; 2; 3", ((1,), (2,), (3,))),
        ("7", ((7,),)),
        ("0.25\t0.75", ((0.25, 0.75),)),
    ],
)
def test_rows_are_read(text: str, rows: tuple[tuple[float, ...], ...], tmp_path: Path) -> None:
    found = read_kernel(text)
    assert (found.name, found.rows) == ("kernel", rows)
    file = tmp_path / "my kernel.txt"
    file.write_text(text, encoding="utf-8-sig")
    assert read_kernel(file) == Kernel("my kernel", rows)
    assert read_kernel(str(file)) == Kernel("my kernel", rows)


def test_names_go_before_files() -> None:
    Path("box").write_text("1 2")
    Path("mine").write_text("1 2")
    assert read_kernel("box", size=3) == kernel("box", size=3)
    assert read_kernel("./box") == Kernel("box", ((1, 2),))
    assert read_kernel("mine", size=None) == Kernel("mine", ((1, 2),))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            "1 0 -1; 2 0",
            "kernel '1 0 -1; 2 0': row 2 has 2 numbers but row 1 has 3; give every row as many",
        ),
        ("1 2\n# no\n3\n", "kernel '1 2 # no 3': line 3 has 1 number but line 1 has 2; give every row as many"),
        ("1 x; 2 3", "kernel '1 x; 2 3': row 1, number 2: 'x' is no number; write one such as -2, 0.5 or 1/9"),
        ("1 2\n3 nan", "kernel '1 2 3 nan': line 2, number 2: 'nan' is no number; write one such as -2, 0.5 or 1/9"),
        ("1 inf", "kernel '1 inf': row 1, number 2: 'inf' is no number; write one such as -2, 0.5 or 1/9"),
        ("1 1_0", "kernel '1 1_0': row 1, number 2: '1_0' is no number; write one such as -2, 0.5 or 1/9"),
        ("1/2/3", "kernel '1/2/3': row 1, number 1: '1/2/3' is no number; write one such as -2, 0.5 or 1/9"),
        ("1/0 2", "kernel '1/0 2': row 1, number 1: '1/0' divides by 0"),
        ("1,,2", "kernel '1,,2': row 1, number 2 is missing between two commas; write 0 for a zero"),
        (
            "1 1e-50",
            "kernel '1 1e-50': row 1, number 2: '1e-50' is 0 in float32; write 0, or a number of at least 1e-45",
        ),
        (
            "1e-999",
            "kernel '1e-999': row 1, number 1: '1e-999' is 0 in float32; write 0, or a number of at least 1e-45",
        ),
        (
            "1 0 -1 / 2 0 -2",
            "kernel '1 0 -1 / 2 0 -2': row 1, number 4: '/' is no number; rows are separated by ; and fractions "
            "have no spaces, such as 1/9",
        ),
        (
            "1 0|2 0",
            "kernel '1 0|2 0': row 1, number 2: '0|2' is no number; rows are separated by ; and fractions have no "
            "spaces, such as 1/9",
        ),
        (
            "[[1, 0], [2, 0]]",
            "kernel '[[1, 0], [2, 0]]': row 1, number 1: '[[1' is no number; rows are separated by ; and fractions "
            "have no spaces, such as 1/9",
        ),
        (
            r"1 0\n2 0",
            r"kernel '1 0\n2 0': row 1, number 2: '0\n2' is no number; rows are separated by ; and fractions have no "
            "spaces, such as 1/9",
        ),
        (
            "0,5;1\n2,0;1",
            "kernel '0,5;1 2,0;1': line 1 has both , and ;: write decimals with a point, such as 0.5, and separate "
            "numbers by one of the two",
        ),
        (
            "1,0 0,5; 1 2",
            "kernel '1,0 0,5; 1 2': row 1 separates numbers by both , and spaces: write decimals with a point, such as "
            "0.5, or put a space after each comma",
        ),
        ("gaussian 5", "kernel 'gaussian 5': settings are options: --size 5, in Python size=5"),
        ("sobel(y)", "kernel 'sobel(y)': settings are options; sobel takes --direction, --normalize"),
        ("sharpen 3", "kernel 'sharpen 3': sharpen takes no settings; give its name alone"),
        ("4x4.txt", f"there is no kernel file '4x4.txt'; {HINT}"),
        ("my own.csv", f"there is no kernel file 'my own.csv'; {HINT}"),
        ("3x3/k", f"there is no kernel file '3x3/k'; {HINT}"),
        (".", "'.' is a folder; give a file in it"),
        ("~", "'~' is a folder; give a file in it"),
        (3, f"no kernel can be read from 3; {HINT}"),
        (b"1", f"no kernel can be read from b'1'; {HINT}"),
        ("1 1e999", "kernel 'kernel': row 1, number 2 is inf; give finite numbers that float32 can hold"),
        ("", f"kernel '' is empty; {HINT}"),
        ("# 1 2", f"kernel '# 1 2' is empty; {HINT}"),
        ("sobl", f"unknown kernel 'sobl'; did you mean 'sobel'? Known: {KNOWN}; {HINT}"),
        ("k.txt", f"there is no kernel file 'k.txt'; {HINT}"),
        ("folder/k", f"there is no kernel file 'folder/k'; {HINT}"),
        (
            "1 2; " * 2000 + "3",
            "kernel '1 2; 1 2; 1 2; 1 2; 1 2; 1 2; 1 2; 1 2;…': row 2001 has 1 number but row 1 has 2; give every row "
            "as many",
        ),
    ],
)
def test_texts_that_are_no_kernel(text: str, want: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    with pytest.raises(KernelError) as refused:
        read_kernel(text)
    assert str(refused.value) == want


@pytest.mark.parametrize(
    ("content", "want"),
    [
        (b"1 2\n3\n", "kernel file 'k.csv': line 2 has 1 number but line 1 has 2; give every row as many"),
        (b"", f"kernel file 'k.csv' is empty; {HINT}"),
        (b"\x89PNG\r\n\x1a\n\xff", f"kernel file 'k.csv' is no text with rows of numbers; {HINT}"),
        (b"1 " * 600_000, f"kernel file 'k.csv' is no text with rows of numbers; {HINT}"),
    ],
)
def test_files_that_are_no_kernel(content: bytes, want: str) -> None:
    Path("k.csv").write_bytes(content)
    with pytest.raises(KernelError) as refused:
        read_kernel("k.csv")
    assert str(refused.value) == want


def test_a_file_of_numpy_is_read() -> None:
    for numbers in (np.array([[1, 0, -1], [2, 0, -2]]), np.array([[0.25, 0.75]], np.float16)):
        np.save("saved.npy", numbers)
        assert read_kernel("saved.npy") == Kernel("saved", numbers.tolist())


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (
            np.zeros((2, 2, 2)),
            "kernel file 'k.npy' has the shape (2, 2, 2) and the type float64; save rows and columns of whole "
            "numbers or floats",
        ),
        (
            np.array([["a"]]),
            "kernel file 'k.npy' has the shape (1, 1) and the type <U1; save rows and columns of whole "
            "numbers or floats",
        ),
        (
            np.array([[None]]),
            "kernel file 'k.npy' is no .npy file of at most 1,000,000 bytes with plain numbers",
        ),
        (
            np.zeros((400, 400)),
            "kernel file 'k.npy' is no .npy file of at most 1,000,000 bytes with plain numbers",
        ),
        (np.array([[np.nan]]), "kernel 'k': row 1, number 1 is nan; give finite numbers that float32 can hold"),
    ],
    ids=["three axes", "text", "objects", "large", "nan"],
)
def test_files_of_numpy_that_are_no_kernel(given: np.ndarray, want: str) -> None:
    np.save("k.npy", given)
    with pytest.raises(KernelError) as refused:
        read_kernel("k.npy")
    assert str(refused.value) == want


def test_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("k.json").write_text("[[1, 0]]")
    with pytest.raises(KernelError) as refused:
        read_kernel("k.json")
    assert str(refused.value) == (
        "kernel file 'k.json': JSON is not read here; write rows of numbers, one on each line, such as 1 0 -1"
    )
    Path("home").mkdir()
    Path("home/k").write_text("1 2")
    monkeypatch.setenv("HOME", str(Path("home").resolve()))
    assert read_kernel("~/k") == Kernel("k", ((1, 2),))
    assert read_kernel(" home/k ") == Kernel("k", ((1, 2),))
    assert read_kernel(" sobel ") == kernel("sobel")
    with pytest.raises(KernelError) as refused:
        read_kernel("home")
    assert str(refused.value) == "'home' is a folder; give a file in it"


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()  # what <(…) gives in a shell
    os.write(writing, b"1 2\n3 4\n")
    os.close(writing)
    try:
        assert read_kernel(f"/dev/fd/{reading}") == Kernel("kernel", ((1, 2), (3, 4)))
    finally:
        os.close(reading)


def test_numbers_take_no_settings() -> None:
    with pytest.raises(KernelError) as refused:
        read_kernel("1 0 -1", size=3)
    assert str(refused.value) == "kernel '1 0 -1' is numbers, which take no size; give a kernel's name to set one"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (((1, -2), (30, 0)), " 1 -2\n30  0"),
        (((0.25, 1), (-0.5, 0)), " 0.25  1.00\n-0.50     0"),
        (((1 / 9, 1e-9), (0, -1)), " 0.1111  0.0000\n      0 -1.0000"),
        (((1e-6, 2e-6),), "1e-06 2e-06"),
        (((0, 0),), "0 0"),
    ],
)
def test_rows_are_written_in_columns(rows: tuple[tuple[float, ...], ...], text: str) -> None:
    assert Kernel("k", rows).text() == text


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 3), min_size=1, max_size=4))
def test_what_is_written_can_be_read(rows: list[tuple[float, ...]]) -> None:
    made = Kernel("kernel", tuple(rows))
    again = read_kernel(made.text().replace("\n", ";"))
    largest = max(abs(value) for row in made.rows for value in row)
    assert_close(torch.tensor(again.rows), torch.tensor(made.rows), rtol=1e-3, atol=1e-3 * largest + 1e-12)


def test_the_total_has_no_rounding_left() -> None:
    assert Kernel("k", ((0.1, 0.2), (0.3, -0.6))).total == 0
    assert Kernel("k", ((0.1,) * 10,)).total == 1
    assert Kernel("k", ((1e-20, 0),)).total == 1e-20


def test_tensors() -> None:
    made = kernel("sobel")
    assert (made.tensor().dtype, made.tensor(torch.float64).dtype) == (torch.float32, torch.float64)
    assert made.tensor().tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert made.shape == (3, 3)


def test_kernels_need_no_torch() -> None:
    script = (
        "import sys, neocog.kernels as k; k.kernel('gabor').text(); k.read_kernel('1 2; 3 4').total; "
        "sys.exit(str({'torch', 'scipy', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT
    )
    assert done.stderr.strip() == "set()"


# ------------------------------------------------------------------------------------------- learning, as in the lesson


STRIPE = torch.tensor([[0.0, 0, 1, 1, 1, 1, 0, 0]] * 6)  # 6×8


@pytest.fixture
def stripe() -> Tensor:
    return STRIPE.clone()


def test_edges_of_the_stripe(stripe: Tensor) -> None:
    edges = laid(stripe, Kernel("edge", ((1, -1),)))
    assert edges.tolist() == [[0, -1, 0, 0, 0, 1, 0]] * 6


@pytest.mark.parametrize("seed", range(8))
def test_the_lessons_kernel_is_learned(stripe: Tensor, seed: int) -> None:
    edges = stripe[:, :-1] - stripe[:, 1:]
    found = learn_kernel(stripe, edges, (1, 2), seed=seed)
    ((left, right),) = found.kernel.rows
    # Along (1, −1) the loss curves by 12, so each step leaves 1 − 0.01·12 = 0.88 of the way; along (1, 1), 0.16.
    ((first, second),) = found.history[0]
    left_over = (1 - (first - second) / 2) * 0.88**50
    assert (left, right) == pytest.approx((1 - left_over, -1 + left_over), abs=2e-6)
    assert abs(left_over) < 0.0030, "within ±1/√2 the start is never further away"
    assert found.losses[-1] == pytest.approx(12 * left_over**2, rel=1e-2)
    assert found.losses[-1] < 0.0001
    assert found.converged and found.best_loss < 1e-20 and found.lr == 0.01
    assert (len(found.losses), len(found.history)) == (51, 51)
    assert found.history[-1] == found.kernel.rows
    assert all(later < earlier for earlier, later in zip(found.losses, found.losses[1:], strict=False))


def test_the_lessons_figures(stripe: Tensor) -> None:
    edges = stripe[:, :-1] - stripe[:, 1:]
    printed = {}
    for seed in range(8):
        found = learn_kernel(stripe, edges, (1, 2), seed=seed)
        printed[seed] = (f"{found.losses[-1]:.4f}", f"{found.kernel.rows[0][0]:.3f}", f"{found.kernel.rows[0][1]:.3f}")
    assert printed[0] == ("0.0000", "0.998", "-0.998")
    assert ("0.0000", "0.999", "-0.999") in printed.values()
    assert {loss for loss, _, _ in printed.values()} <= {"0.0000", "0.0001"}


def test_learning_matches_torch_step_by_step() -> None:
    picture = photograph()[:12, :10] / 255
    targets = laid(picture, kernel("gaussian", size=3, sigma=0.8))
    found = learn_kernel(picture, targets, 3, steps=20, lr=0.002, seed=4)
    w_11RS = torch.tensor(found.history[0], dtype=torch.float64)[None, None]
    for loss_found, rows in zip(found.losses, found.history, strict=True):
        w_11RS = w_11RS.detach().requires_grad_()
        loss = (functional.conv2d(picture[None, None], w_11RS) - targets).square().sum()
        assert loss_found == pytest.approx(loss.item(), rel=1e-9)
        assert_close(torch.tensor(rows, dtype=torch.float64), w_11RS.detach()[0, 0], rtol=1e-9, atol=1e-12)
        w_11RS = w_11RS - 0.002 * torch.autograd.grad(loss, w_11RS)[0]
    assert found.losses[-1] < 0.2 * found.losses[0]


@pytest.mark.parametrize("method", ["loops", "im2col", "fft"])
def test_a_sobel_is_found_again_from_several_pictures(method: str) -> None:
    random = np.random.default_rng(0)
    inputs = random.integers(0, 2, (3, 1, 8, 8))  # whole numbers
    want = kernel("sobel")
    floats = inputs[:, 0].astype(float)
    targets = np.stack([ndimage.correlate(each, np.array(want.rows), mode="constant") for each in floats])
    found = learn_kernel(inputs, targets, 3, steps=60, lr=0.002, padding="same", method=method)
    assert_close(found.kernel.tensor(), want.tensor(), rtol=0, atol=0.02)
    assert found.kernel.about.startswith("learned from 3 pictures in 60 steps at lr = 0.002: summed squared error ")
    assert found.kernel.name == "learned"


def test_the_start_is_that_of_nn_conv2d(stripe: Tensor) -> None:
    starts = [
        value
        for seed in range(30)
        for value in learn_kernel(stripe, stripe, 3, padding="same", steps=1, lr=1e-9, seed=seed).history[0][1]
    ]
    assert max(abs(value) for value in starts) <= 1 / 3
    assert max(starts) > 0.25 and min(starts) < -0.25


def test_a_photograph_teaches_slowly_but_never_runs_away() -> None:
    picture = photograph()
    targets = laid(picture, kernel("box", size=3))
    found = learn_kernel(picture.float(), targets.float(), 3, lr="auto")
    assert all(later < earlier for earlier, later in zip(found.losses, found.losses[1:], strict=False))
    assert found.losses[-1] < 0.01 * found.losses[0]
    assert not found.converged and found.best_loss < 1e-6 * found.losses[-1]
    assert found.kernel.about == (
        f"learned from 1 picture in 50 steps at lr = {found.lr:.4g}: summed squared error {found.losses[-1]:.4g}; the "
        f"best possible is {found.best_loss:.2g}; more steps, or pictures with less alike neighbours such as noise, "
        "get nearer"
    )
    with pytest.raises(KernelError) as refused:
        learn_kernel(picture, targets, 3)
    assert str(refused.value) == (
        "lr = 0.01 runs away on these pictures: use less than 4.5e-09, such as 2.2e-09, or lr='auto'"
    )
    assert learn_kernel(picture, targets, 3, lr=4.5e-09).losses[-1] < found.losses[0]


def test_noise_teaches_in_few_steps() -> None:
    noise = torch.from_numpy(np.random.default_rng(5).normal(0, 50, (40, 40))).float()
    blur = kernel("gaussian", size=3, sigma=0.8)
    found = learn_kernel(noise, laid(noise, blur).float(), 3, lr="auto")
    assert_close(found.kernel.tensor(), blur.tensor(), rtol=0, atol=1e-5)
    assert found.converged and found.kernel.about.endswith(f"summed squared error {found.losses[-1]:.4g}")


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_bowl_and_its_bottom(padding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """λmax and the least loss against autograd's Hessian and numpy's least squares, with noise that no kernel makes."""
    monkeypatch.setattr(learning, "_BLOCK", 100)  # several blocks for each picture
    random = np.random.default_rng(2)
    x_N1HW = torch.from_numpy(random.normal(20, 5, (2, 1, 9, 8)))
    spec = ops.ConvSpec.make((2, 3), padding=padding)
    y_N1PQ = torch.from_numpy(random.normal(size=(2, 1, *spec.output_size((9, 8)))))
    top, bottom, left, right = spec.padding
    whole = functional.pad(x_N1HW, (left, right, top, bottom))

    def loss(w_RS: Tensor) -> Tensor:
        return (functional.conv2d(whole, w_RS[None, None]) - y_N1PQ).square().sum()

    hessian = torch.autograd.functional.hessian(loss, torch.zeros(2, 3, dtype=torch.float64)).reshape(6, 6)
    steepest = float(torch.linalg.eigvalsh(hessian)[-1])
    patches = functional.unfold(whole, (2, 3)).transpose(1, 2).reshape(-1, 6).numpy()
    ((least,),) = [np.linalg.lstsq(patches, y_N1PQ.reshape(-1).numpy())[1]]
    found = learn_kernel(x_N1HW, y_N1PQ, (2, 3), lr="auto", padding=padding, steps=1)
    assert found.lr == pytest.approx(1 / steepest, rel=1e-9)
    assert found.best_loss == pytest.approx(least, rel=1e-9)


def test_a_kernel_that_the_pictures_leave_open_has_a_best_loss(stripe: Tensor) -> None:
    found = learn_kernel(stripe, stripe[1:], (2, 1), lr="auto")  # rows are alike: any two numbers that sum to 1
    assert found.best_loss == pytest.approx(0, abs=1e-20)
    assert sum(row[0] for row in found.kernel.rows) == pytest.approx(1)
    assert found.converged


def test_learning_leaves_the_arguments_and_the_callers_modes_alone(stripe: Tensor) -> None:
    before = stripe.clone().requires_grad_()
    with torch.no_grad():
        learn_kernel(before, before[:, 1:], (1, 2), steps=2)
        assert not torch.is_grad_enabled()
    assert before.grad is None
    assert_close(before.detach(), stripe, rtol=0, atol=0)
    read_only = stripe.numpy()
    read_only.setflags(write=False)
    assert learn_kernel(read_only, read_only, 1, steps=1).kernel.shape == (1, 1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"steps": 0}, "steps = 0: give a whole number of at least 1"),
        ({"steps": 1.5}, "steps = 1.5: give a whole number of at least 1"),
        ({"lr": 0}, "lr = 0: give a number above 0, or 'auto'"),
        ({"lr": float("nan")}, "lr = nan: give a number above 0, or 'auto'"),
        ({"lr": "fast"}, "lr = 'fast': give a number above 0, or 'auto'"),
        ({"lr": 10**400}, f"lr = 1{'0' * 38}…: give a number above 0, or 'auto'"),
        ({"steps": -(10**5000)}, "steps = a number of thousands of digits: give a whole number of at least 1"),
        ({"seed": 10**400}, f"seed = 1{'0' * 38}…: give a whole number"),
        ({"size": (40, 26)}, "size = (40, 26): learn a kernel of at most 1024 numbers, such as 32×32"),
        ({"seed": "a"}, "seed = 'a': give a whole number"),
        ({"padding": 1}, "padding = 1: give 'valid' or 'same'"),
        ({"lr": 10}, "lr = 10 runs away on these pictures: use less than 0.023, such as 0.011, or lr='auto'"),
        (
            {"lr": 2 / 84},
            "lr = 0.0238095 runs away on these pictures: use less than 0.023, such as 0.011, or lr='auto'",
        ),
        (
            {"inputs": torch.zeros(6, 8)},
            "inputs are 0 everywhere, or nearly; every kernel leaves them so: give other pictures",
        ),
        ({"inputs": "a"}, "inputs can't be read as numbers; give a tensor or array (H, W)"),
        ({"inputs": [[1, 2], [3]]}, "inputs can't be read as numbers; give a tensor or array (H, W)"),
        ({"inputs": torch.zeros(3)}, "inputs has the shape (3,): give pictures (H, W), (N, H, W) or (N, 1, H, W)"),
        (
            {"targets": torch.zeros(2, 3, 6, 7)},
            "targets has the shape (2, 3, 6, 7): give pictures (H, W), (N, H, W) or (N, 1, H, W)",
        ),
        (
            {"inputs": torch.zeros(0, 6, 8)},
            "inputs has the shape (0, 6, 8): give pictures (H, W), (N, H, W) or (N, 1, H, W)",
        ),
        ({"inputs": torch.zeros(6, 8) * 1j}, "inputs has complex numbers; give real ones"),
        (
            {"targets": torch.full((6, 7), float("nan"))},
            "targets has numbers that are infinite or not a number; give finite ones",
        ),
        (
            {"inputs": torch.zeros(2, 6, 8)},
            "there are 2 pictures in inputs but 1 in targets; give one target for each input",
        ),
        (
            {"targets": torch.zeros(6, 8)},
            "targets are 6×8 but with padding 'valid' a 1×2 kernel makes 6×7 of the 6×8 inputs; give targets of 6×7, "
            "or padding='same'",
        ),
        (
            {"padding": "same"},
            "targets are 6×7 but with padding 'same' a 1×2 kernel makes 6×8 of the 6×8 inputs; give targets of 6×8, or "
            "padding='valid'",
        ),
        (
            {"targets": torch.zeros(5, 5)},
            "targets are 5×5 but with padding 'valid' a 1×2 kernel makes 6×7 of the 6×8 inputs; give targets of 6×7",
        ),
        (
            {"inputs": torch.full((6, 8), 1e30), "targets": torch.zeros(6, 7)},
            "the loss is infinite before the first step; give smaller numbers, such as pictures from 0 to 1",
        ),
        (  # the loss is 1.8e38, just what float32 can hold, but its gradient is more
            {"inputs": STRIPE * 5e18, "targets": torch.zeros(6, 7), "lr": "auto", "seed": 1},
            "the loss became infinite after step 1; use pictures of smaller numbers",
        ),
    ],
)
def test_learning_refuses(stripe: Tensor, change: dict[str, object], text: str) -> None:
    asked: dict[str, object] = {"inputs": stripe, "targets": stripe[:, :-1] - stripe[:, 1:], "size": (1, 2), **change}
    with pytest.raises(KernelError) as refused:
        learn_kernel(**asked)  # type: ignore[arg-type]
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "size = 0: give a whole number of at least 1, or two (rows, columns)"),
        ((2, "b"), "size = (2, 'b'): give a whole number of at least 1, or two (rows, columns)"),
        (9, "a 9×9 kernel does not fit the 6×8 picture; use a smaller kernel, or 2 more padding on each side"),
    ],
)
def test_learning_refuses_a_size(stripe: Tensor, size: object, text: str) -> None:
    with pytest.raises(OperationError) as refused:
        learn_kernel(stripe, stripe, size)  # type: ignore[arg-type]
    assert str(refused.value) == text
