"""What turns an answer: found by hand, and against trying everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from neocog.data.batches import Normalization
from neocog.data.corruptions import moved, rotated
from neocog.data.decode import Preprocess
from neocog.explanations.flips import Flip, flips
from neocog.explanations.network import Network
from neocog.predict import Classifier

NORMAL = Normalization((0.1,), (0.3,))
BLACK_AND_WHITE = Normalization((0.0,), (1.0,))


def reading(weights_HW: np.ndarray, bias: float) -> Network:
    """Answers "yes" where the weighted sum of the pixels, black 0 and white 1, is above −bias."""
    height, width = weights_HW.shape
    model = nn.Sequential(nn.Flatten(), nn.Linear(height * width, 2))
    with torch.no_grad():
        model[1].weight[0], model[1].bias[0] = 0, 0
        model[1].weight[1], model[1].bias[1] = torch.from_numpy(weights_HW).flatten(), bias
    return Network.of(model.train(), (1, height, width), ("no", "yes"))


def dot(size: int, row: int, column: int, side: int = 1) -> np.ndarray:
    picture = np.zeros((size, size, 1), dtype=np.uint8)
    picture[row : row + side, column : column + side] = 255
    return picture


def single(size: int, row: int, column: int, side: int = 1) -> np.ndarray:
    return dot(size, row, column, side)[..., 0] / 255


def test_a_dot_that_is_read_at_one_pixel_by_hand():
    # The dot is 2×2 and only its lower right pixel is read: one step up or left leaves it, or its erasing.
    network = reading(20 * single(12, 5, 5), -10.0)
    shift, rotation, patch = flips(network, dot(12, 4, 4, 2), BLACK_AND_WHITE)
    assert (shift.kind, shift.found, shift.amount, shift.unit, shift.answer) == ("shift", True, 1, "pixels", "no")
    assert shift.detail in ("1 pixel up", "1 pixel left")
    assert str(shift) == f"shift, {shift.detail}: no, > 99.99 %"
    assert shift.probability == pytest.approx(1 / (1 + math.exp(-10)), rel=1e-6)
    assert shift.searched == "shift of up to 3 pixels"
    up, left = (1, 0) if "up" in shift.detail else (0, 1)
    np.testing.assert_array_equal(shift.picture, dot(12, 4 - up, 4 - left, 2))
    assert (patch.kind, patch.amount, patch.unit) == ("erased patch", 1, "pixels")
    assert (patch.detail, patch.box) == ("1×1 at row 5, column 5", (5, 5, 1, 1))
    assert patch.searched == "erased patch of up to 6×6 pixels, filled with the picture's median"
    want = dot(12, 4, 4, 2)
    want[5, 5] = 0
    np.testing.assert_array_equal(patch.picture, want)
    assert (rotation.kind, rotation.unit, rotation.box) == ("rotation", "degrees", None)


def test_the_shortest_shift_is_found_in_all_directions():
    # White wherever the dot comes with steps shorter than √5; of √5 only one place is dark.
    rows, columns = np.mgrid[:12, :12]
    near = np.hypot(rows - 6, columns - 6) <= math.sqrt(5)
    near[4, 7] = False
    shift, _, _ = flips(reading(20.0 * near, -10.0), dot(12, 6, 6), BLACK_AND_WHITE)
    assert (shift.amount, shift.detail) == (pytest.approx(math.sqrt(5)), "2 pixels up, 1 right")


@pytest.mark.parametrize("seed", range(3))
def test_flips_are_those_of_trying_everything_from_small_to_large(seed):
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (9, 10, 1), dtype=np.uint8)
    weights = random.normal(size=(9, 10)) * 3
    network = reading(weights, 0.2 - float((weights * (picture[..., 0] / 255 - 0.1) / 0.3).sum()))
    asked = Classifier(network.model, network.classes, Preprocess((9, 10), 1), NORMAL)
    image = torch.from_numpy(picture)[None]
    assert asked.predict(picture) == ["yes"]

    def turns(changed: torch.Tensor) -> bool:
        return asked.predict(changed[0].numpy()) == ["no"]

    shift, rotation, patch = flips(network, picture, NORMAL)
    steps = [(down, right) for down in range(-2, 3) for right in range(-2, 3) if 0 < math.hypot(down, right) <= 2]
    lengths = [math.hypot(*step) for step in steps if turns(moved(image, *step))]
    assert (shift.found, shift.amount) == ((True, min(lengths)) if lengths else (False, 0.0))

    def turned_by(angles: list[float]) -> list[float]:
        return [angle for angle in angles if any(turns(rotated(image, sign * angle)) for sign in (1, -1))]

    found = turned_by([float(angle) for angle in range(1, 46)])
    finer = turned_by([round(found[0] - 1 + tenth / 10, 6) for tenth in range(1, 10)]) if found else []
    assert rotation.amount == [*finer, *found, 0.0][0]
    assert rotation.found == bool(found)
    fill = np.sort(picture.ravel())[44]

    def erased(top: int, left: int, side: int) -> torch.Tensor:
        changed = image.clone()
        changed[0, top : top + side, left : left + side] = int(fill)
        return changed

    squares = [
        (side, top, left)
        for side in range(1, 5)
        for top in range(10 - side)
        for left in range(11 - side)
        if turns(erased(top, left, side))
    ]
    assert patch.amount == squares[0][0]
    surest = max(
        (float(asked.predict_proba(erased(*place, side)[0].numpy())[0, 0]), place)
        for side, *place in squares
        if side == squares[0][0]
    )
    assert (patch.probability, patch.box) == (pytest.approx(surest[0]), (*surest[1], squares[0][0], squares[0][0]))
    for flip in (shift, rotation, patch):
        if flip.found:
            assert asked.predict(flip.picture) == [flip.answer] == ["no"]
            assert flip.probability == asked.predict_proba(flip.picture).max()


def test_where_nothing_turns_the_answer_it_is_said_what_was_tried():
    network = reading(np.zeros((8, 8)), 3.0)
    found = flips(network, dot(8, 2, 2), NORMAL)
    assert [str(flip) for flip in found] == [
        "no shift of up to 2 pixels changes it",
        "no rotation of up to 45° either way, in steps of 1° changes it",
        "no erased patch of up to 4×4 pixels, filled with the picture's median changes it",
    ]
    for flip in found:
        assert (flip.found, flip.amount, flip.detail, flip.picture, flip.answer) == (False, 0.0, "", None, "yes")
        assert flip.probability == pytest.approx(1 / (1 + math.exp(-3)), rel=1e-6)
    assert network.model.training


def test_large_pictures_are_searched_in_steps_and_shifts_then_pixel_by_pixel():
    # White until the dot has moved 5 pixels down or more; steps are of 2 pixels.
    weights = np.zeros((64, 64))
    weights[:37] = 20
    told: list[tuple[str, int, int]] = []
    shift, rotation, patch = flips(
        reading(weights, -10.0), dot(64, 32, 32), BLACK_AND_WHITE, progress=lambda *at: told.append(at)
    )
    assert (shift.amount, shift.detail) == (5, "5 pixels down")
    assert shift.searched == "shift of up to 16 pixels, in steps of 2, the last one by single pixels"
    assert not rotation.found
    assert patch.amount == 2
    assert patch.searched == (
        "erased patch of up to 32×32 pixels, filled with the picture's median, in steps of 2 pixels or more"
    )
    assert told == [("looking for what would change its mind", done, 3) for done in (1, 2, 3)]


def test_a_patch_has_the_median_colour_and_a_temperature_softens_the_answer():
    picture = np.tile(np.array([200, 40, 90], dtype=np.uint8), (7, 7, 1))
    picture[3, 3] = 0, 255, 90
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 49, 2, bias=False))
    with torch.no_grad():
        model[1].weight[:] = 0
        model[1].weight[1, 49 + 24] = 9.0  # the green of the pixel in the middle
        model[1].weight[0, 24] = 9.0  # and its red
    colours = Normalization((0.0,) * 3, (1.0,) * 3)
    network = Network.of(model, (3, 7, 7))
    (_, _, plain), (_, _, soft) = (flips(network, picture, colours, temperature=t) for t in (1.0, 3.0))
    assert plain.picture[3, 3].tolist() == [200, 40, 90]
    assert (plain.answer, plain.box) == ("0", (3, 3, 1, 1))
    logit = 9 * (200 - 40) / 255
    assert plain.probability == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-5)
    assert soft.probability == pytest.approx(1 / (1 + math.exp(-logit / 3)), rel=1e-5)


def test_a_picture_of_one_pixel_has_its_flips_too():
    found: tuple[Flip, ...] = flips(reading(np.ones((1, 1)), -0.5), dot(1, 0, 0), BLACK_AND_WHITE)
    assert [(flip.kind, flip.found) for flip in found] == [
        ("shift", False),
        ("rotation", False),
        ("erased patch", False),
    ]


def test_a_patch_reaches_the_last_row_and_column():
    _, _, patch = flips(reading(20 * single(6, 5, 5), -10.0), dot(6, 5, 5), BLACK_AND_WHITE)
    assert patch.box == (5, 5, 1, 1)
