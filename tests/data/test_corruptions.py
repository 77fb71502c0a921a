"""corruptions: each change by hand, against scipy, and with its drawn numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from neocog.data.corruptions import CORRUPTIONS, blurred, inverted, moved, noisy, paled, rotated, scaled
from neocog.randomness import torch_stream


def pictures(count: int = 3, side: int = 12, channels: int = 3, width: int | None = None) -> Tensor:
    """Smooth pictures, so that reading between pixels is no matter of luck."""
    random = np.random.default_rng(4).integers(0, 256, (count, side, width or side, channels)).astype(float)
    smooth = ndimage.gaussian_filter(random, (0, 1.5, 1.5, 0)) * 3 - 256
    return torch.from_numpy(smooth.clip(0, 255).astype(np.uint8))


def stream() -> torch.Generator:
    return torch_stream(0, "corruptions")


def test_whole_pixels_move_without_a_change() -> None:
    images = pictures()
    found = moved(images, down=2, right=-3)
    assert torch.equal(found[:, 2:, :-3], images[:, :-2, 3:])
    assert torch.equal(found[:, 0], found[:, 2]) and torch.equal(found[:, :, -1], found[:, :, -4])  # the border again


def test_each_picture_goes_its_own_way() -> None:
    images = pictures(2)
    found = moved(images, torch.tensor([1.0, 0]), torch.tensor([0.0, 2]))
    assert torch.equal(found[0], moved(images[:1], 1, 0)[0])
    assert torch.equal(found[1], moved(images[1:], 0, 2)[0])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_numpys(turns: int) -> None:
    images = pictures()
    assert np.array_equal(rotated(images, 90 * turns).numpy(), np.rot90(images.numpy(), turns, axes=(1, 2)))


@pytest.mark.parametrize(("width", "degrees"), [(12, 20.0), (17, -35.0)])
def test_a_turn_is_scipys(width: int, degrees: float) -> None:
    images = pictures(2, width=width)
    want = ndimage.rotate(images.numpy().astype(float), degrees, axes=(1, 2), reshape=False, order=1, mode="nearest")
    assert np.abs(rotated(images, degrees).numpy() - want).max() <= 0.51  # rounding to whole grey levels


def test_a_scale_is_scipys_affine_map() -> None:
    images, factor = pictures(1), 1.3
    middle = (images.shape[1] - 1) / 2
    want = [
        ndimage.affine_transform(
            images[0, ..., channel].numpy().astype(float),
            np.eye(2) / factor,
            middle * (1 - 1 / factor),
            order=1,
            mode="nearest",
        )
        for channel in range(3)
    ]
    assert np.abs(scaled(images, factor).numpy()[0] - np.stack(want, axis=-1)).max() <= 0.51


def test_a_blur_is_scipys() -> None:
    images = pictures(2)
    want = ndimage.gaussian_filter(images.numpy().astype(float), (0, 1.2, 1.2, 0), mode="nearest", truncate=5 / 1.2)
    assert np.abs(blurred(images, 1.2).numpy() - want).max() <= 0.51
    assert blurred(images, 0) is images


def test_a_blur_may_be_wider_than_the_picture() -> None:
    flat = torch.full((1, 3, 3, 1), 77, dtype=torch.uint8)
    assert torch.equal(blurred(flat, 5), flat)


def test_noise_has_the_deviation_asked_for_and_stays_in_range() -> None:
    grey = torch.full((20, 32, 32, 1), 128, dtype=torch.uint8)
    apart = noisy(grey, 16, stream()).float() - 128
    assert abs(float(apart.mean())) < 0.5
    assert abs(float(apart.std()) - 16) < 0.3
    black = noisy(torch.zeros_like(grey), 16, stream())
    assert black.max() < 128 and (black == 0).float().mean() > 0.4


def test_contrast_keeps_each_pictures_mean() -> None:
    images = pictures()
    found = paled(images, 0.2).float()
    assert float((found.mean((1, 2, 3)) - images.float().mean((1, 2, 3))).abs().max()) < 0.5
    assert torch.equal(paled(images, 1), images)


@pytest.mark.parametrize("side", range(4))
def test_a_band_comes_in_from_its_side(side: int) -> None:
    images = pictures(1, side=10)
    changed = (inverted(images, 0.3, side) != images).any(dim=3)[0]
    band = [changed[:3], changed[-3:], changed[:, :3], changed[:, -3:]][side]
    assert band.all() and int(changed.sum()) == 30
    assert torch.equal(inverted(images, 1, side), 255 - images)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_change_is_the_same_each_time_and_stays_a_picture(name: str) -> None:
    corruption, images = CORRUPTIONS[name], pictures(5)
    before = images.clone()
    for strength in corruption.strengths(12):
        found = corruption.change(images, strength, stream())
        assert found.dtype == torch.uint8 and found.shape == images.shape
        assert torch.equal(found, corruption.change(images, strength, stream()))
        assert not torch.equal(found, images)
    assert torch.equal(corruption.change(images, corruption.unchanged, stream()), images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("side", [8, 28, 32, 64, 224])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strengths_grow_from_mild_to_strong(name: str, side: int) -> None:
    corruption = CORRUPTIONS[name]
    apart = [abs(strength - corruption.unchanged) for strength in corruption.strengths(side)]
    assert apart == sorted(set(apart)) and apart[0] > 0
    assert 2 <= len(apart) <= 6 and (len(apart) >= 5 or side < 28)


def test_strengths_in_pixels_follow_the_side() -> None:
    assert CORRUPTIONS["shift"].strengths(28) == (1, 2, 3, 4, 6)
    assert CORRUPTIONS["shift"].strengths(224) == (1, 2, 5, 10, 21, 45)
    assert CORRUPTIONS["blur"].strengths(28) == (0.5, 0.7, 1.1, 1.6, 2.4, 3.5)


def test_directions_are_the_same_at_every_strength() -> None:
    images = pictures(8)
    once, twice = (CORRUPTIONS["shift"].change(images, strength, stream()) for strength in (1.0, 2.0))
    for before, one, two in zip(images, once, twice, strict=True):
        ways = [(1, 0), (-1, 0), (0, 1), (0, -1)]
        found = [way for way in ways if torch.equal(moved(before[None], *way)[0], one)]
        assert len(found) == 1
        assert torch.equal(moved(before[None], 2 * found[0][0], 2 * found[0][1])[0], two)
