"""What came out as a file: pixels or numbers, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from noise import noise
from PIL import Image

from neocog.errors import NeocogError
from neocog.filtering import Convolved, convolve, save_result


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
    want = r"disk full: a\.npy in '\.' found no room \(free now: [\d.,]+ \w+\); make room, or give another place"
    assert re.fullmatch(want, str(error.value))
    assert list(Path().iterdir()) == []
