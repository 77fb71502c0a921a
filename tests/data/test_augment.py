"""augment: each change against an answer worked by hand or scipy's map, and what is random against its bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from neocog.data.augment import Augmentation, sampled

EVERYTHING: dict[str, Any] = {
    "shift": 2,
    "rotate": 15,
    "scale": 0.1,
    "shear": 5,
    "crop": 0.1,
    "flip": True,
    "erase": 0.3,
    "elastic": 1,
}


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 4, channels: int = 1, height: int = 8, width: int = 8) -> Tensor:
    return torch.rand(count, height, width, channels, generator=stream(1)).permute(0, 3, 1, 2)


def ramps(count: int, height: int, width: int) -> Tensor:
    """Channel 0 holds each pixel's row, channel 1 its column: what comes out says where a pixel was read from."""
    rows = torch.arange(height, dtype=torch.float32).view(-1, 1).expand(height, width)
    columns = torch.arange(width, dtype=torch.float32).expand(height, width)
    return torch.stack([rows, columns]).expand(count, 2, height, width).contiguous()


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`draw(u)`: every random number between 0 and 1 is u; 1 is the farthest change one way, 0 the other."""

    def always(value: float) -> None:
        monkeypatch.setattr(torch, "rand", lambda *shape, generator: torch.full(shape, value))

    return always


def test_all_zero_is_the_same_tensor_and_draws_nothing() -> None:
    x, generator = pictures(), stream()
    before = generator.get_state()
    assert Augmentation()(x, generator) is x
    assert torch.equal(generator.get_state(), before)
    assert not Augmentation().moves
    assert not Augmentation(erase=0.5).moves


@pytest.mark.parametrize("change", sorted(set(EVERYTHING) - {"erase"}))
def test_each_change_alone_moves_pixels(change: str) -> None:
    augmentation, x = Augmentation(**{change: EVERYTHING[change]}), pictures(16)
    assert augmentation.moves
    got = augmentation(x, stream())
    assert got.shape == x.shape
    assert not torch.allclose(got, x)


def test_a_shift_of_two_pixels_by_hand(draw: Callable[[float], None]) -> None:
    draw(1.0)
    x = torch.arange(20.0).view(1, 1, 4, 5)
    # Read two pixels further down and to the right; what moves in repeats the border.
    want = x[:, :, [2, 3, 3, 3]][:, :, :, [2, 3, 4, 4, 4]]
    torch.testing.assert_close(Augmentation(shift=2)(x, stream()), want, rtol=0, atol=1e-4)
    draw(0.0)
    want = x[:, :, [0, 0, 0, 1]][:, :, :, [0, 0, 0, 1, 2]]
    torch.testing.assert_close(Augmentation(shift=2)(x, stream()), want, rtol=0, atol=1e-4)


def test_a_quarter_turn_of_a_square_by_hand(draw: Callable[[float], None]) -> None:
    draw(1.0)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    want = torch.tensor([[[[2.0, 4.0], [1.0, 3.0]]]])
    torch.testing.assert_close(Augmentation(rotate=90)(x, stream()), want, rtol=0, atol=1e-5)
    draw(0.0)
    want = torch.tensor([[[[3.0, 1.0], [4.0, 2.0]]]])
    torch.testing.assert_close(Augmentation(rotate=90)(x, stream()), want, rtol=0, atol=1e-5)


def test_a_quarter_turn_keeps_angles_and_lengths_in_a_picture_that_is_not_square(
    draw: Callable[[float], None],
) -> None:
    draw(1.0)
    x = pictures(2, 1, 5, 9)
    got = Augmentation(rotate=90)(x, stream())
    middle = slice(2, 7)
    torch.testing.assert_close(got[..., middle], torch.rot90(x[..., middle], 1, (2, 3)), rtol=0, atol=1e-5)


def test_flip_mirrors_left_to_right(draw: Callable[[float], None]) -> None:
    x = pictures(2, 3, 4, 7)
    draw(0.0)
    torch.testing.assert_close(Augmentation(flip=True)(x, stream()), x.flip(3), rtol=0, atol=1e-5)
    draw(0.9)
    torch.testing.assert_close(Augmentation(flip=True)(x, stream()), x, rtol=0, atol=1e-5)


def test_flip_happens_to_half_of_the_pictures() -> None:
    x = ramps(1000, 2, 4)
    flipped = (Augmentation(flip=True)(x, stream())[:, 1, 0, 0] > 1).sum()
    assert 440 < int(flipped) < 560  # 500 ± 3.8 deviations


@pytest.mark.parametrize(("height", "width"), [(12, 12), (9, 16), (16, 9)])
@pytest.mark.parametrize("u", [0.0, 0.2, 0.8, 1.0])
def test_all_affine_changes_together_are_scipys_map(
    height: int, width: int, u: float, draw: Callable[[float], None]
) -> None:
    change = {"shift": 1.5, "rotate": 30.0, "scale": 0.2, "shear": 10.0, "crop": 0.3}
    x = pictures(1, 1, height, width)
    draw(u)
    got = Augmentation(**change, flip=True)(x, stream())[0, 0]

    share = 2 * u - 1
    angle, slope = math.radians(30 * share), math.tan(math.radians(10 * share))
    zoom = (1 + 0.2 * share) * (1 - 0.3 * u)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])  # on (x, y)
    mirror = np.diag([-1.0 if u < 0.5 else 1.0, 1.0])
    map_xy = zoom * turn @ np.array([[1.0, slope], [0.0, 1.0]]) @ mirror
    slack = max(0.0, 1 - zoom) * share
    move_xy = slack * np.array([width, height]) / 2 + 1.5 * share
    map_yx = map_xy[::-1, ::-1]
    centre = np.array([height - 1, width - 1]) / 2
    offset = centre + move_xy[::-1] - map_yx @ centre
    want = ndimage.affine_transform(x[0, 0].double().numpy(), map_yx, offset, order=1, mode="nearest")
    torch.testing.assert_close(got.double(), torch.from_numpy(want), rtol=0, atol=1e-4)


def test_shifts_fill_their_range_and_stay_in_it() -> None:
    x = ramps(200, 21, 21)
    read = Augmentation(shift=3)(x, stream())[:, :, 10, 10] - 10  # (N, 2): from where the middle was read
    assert float(read.abs().max()) <= 3 + 1e-4
    assert float(read.max()) > 2.7
    assert float(read.min()) < -2.7
    assert float(read.mean(0).abs().max()) < 0.5


def test_a_crop_stays_inside_the_picture_and_lies_anywhere_in_it() -> None:
    read = Augmentation(crop=0.5)(ramps(300, 17, 17), stream())
    # The outermost pixels that are read: inside, and near every border once in a while.
    first, last = read[:, :, 0, 0], read[:, :, -1, -1]
    assert float((last - first).min()) > 16 * 0.5 - 0.5
    assert float(first.max()) > 5
    assert float(last.min()) < 11
    assert float(first.min()) < 0.5
    assert float(last.max()) > 15.5


def test_elastic_bends_smoothly_by_about_so_many_pixels() -> None:
    size, reach = 29, 2.0
    x = ramps(50, size, size)
    bend = (Augmentation(elastic=reach)(x, stream()) - x)[:, :, 8:-8, 8:-8]  # where the border isn't met
    assert 0.4 * reach < float(bend.std()) < 1.2 * reach
    assert float(bend.abs().max()) < 6 * reach
    for axis in (2, 3):
        assert float(bend.diff(dim=axis).abs().max()) < 0.8 * reach
    assert float(bend.mean().abs()) < 0.3 * reach


@pytest.mark.parametrize(("height", "width"), [(20, 20), (10, 30)])
def test_erase_sets_one_rectangle_within_its_bound_to_zero(height: int, width: int) -> None:
    count, share = 300, 0.4
    x = torch.ones(count, 2, height, width)
    got = Augmentation(erase=share)(x, stream())
    assert set(got.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(got[:, 0], got[:, 1])
    holes = got[:, 0] == 0
    high, wide = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.equal(holes.sum((1, 2)), high * wide)  # nothing but rectangles
    bound = share * min(height, width)
    assert int(torch.maximum(high, wide).max()) <= math.ceil(bound)
    assert int(high.max()) >= bound - 1
    assert int((high * wide).min()) == 0
    assert torch.equal(x, torch.ones_like(x))  # the batch given is not written to


def test_erase_leaves_every_other_pixel_alone() -> None:
    x = pictures(50, 3, 9, 9) + 1
    got = Augmentation(erase=0.5)(x, stream())
    assert torch.equal(got[got != 0], x[got != 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_memory_format_is_kept(channels: int) -> None:
    for change in ({"shift": 1}, {"erase": 0.5}, EVERYTHING):
        last = pictures(2, channels, 8, 6)
        assert Augmentation(**change)(last, stream()).is_contiguous(memory_format=torch.channels_last), change
        first = last.contiguous()
        assert Augmentation(**change)(first, stream()).is_contiguous(), change


def test_both_memory_formats_give_the_same_pictures() -> None:
    x = pictures(3, 3)
    one, other = Augmentation(**EVERYTHING)(x, stream()), Augmentation(**EVERYTHING)(x.contiguous(), stream())
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_each_picture_of_a_batch_is_changed_in_its_own_way() -> None:
    x = pictures(1).expand(6, 1, 8, 8).contiguous()
    for name in sorted(set(EVERYTHING) - {"flip"}):
        got = Augmentation(**{name: 5 * EVERYTHING[name] if name != "erase" else 0.9})(x, stream(2))
        assert len({tuple(picture.flatten().tolist()) for picture in got}) >= 4, name


def test_the_same_stream_gives_the_same_bits_and_another_does_not() -> None:
    x, change = pictures(8), Augmentation(**EVERYTHING)
    assert torch.equal(change(x, stream(7)), change(x, stream(7)))
    assert not torch.equal(change(x, stream(7)), change(x, stream(8)))


def test_values_stay_within_those_that_were_there() -> None:
    x = pictures(20)
    got = Augmentation(**{**EVERYTHING, "erase": 0})(x, stream())
    assert float(got.min()) >= float(x.min()) - 1e-6
    assert float(got.max()) <= float(x.max()) + 1e-6


def test_border_without_border_padding_is_the_same() -> None:
    stream = torch.Generator().manual_seed(0)
    x = torch.rand(3, 2, 7, 5, generator=stream)
    grid = torch.rand(3, 7, 5, 2, generator=stream) * 4 - 2
    torch.testing.assert_close(
        sampled(x, grid, native_border=False), sampled(x, grid, native_border=True), rtol=1e-5, atol=1e-6
    )
