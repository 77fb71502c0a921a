from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, noise, raw_png
from PIL import Image

from neocog.data import mnist
from neocog.data.decode import whole
from neocog.data.samples import SCIKIT_IMAGE, open_sample
from neocog.errors import DataError, PictureError

NAMES = ", ".join(SCIKIT_IMAGE)


@pytest.fixture
def scikit_image(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures of a scikit-image that is installed, but breaks when it is imported."""
    root = tmp_path_factory.mktemp("site")
    folder = root / "skimage" / "data"
    folder.mkdir(parents=True)
    (root / "skimage" / "__init__.py").write_text("raise RuntimeError('imported')")
    Image.fromarray(noise(1, (6, 9))).save(folder / "astronaut.png")
    Image.fromarray(noise(2, (6, 9), 1)).save(folder / "camera.png")
    for name in [each for each in sys.modules if each.partition(".")[0] == "skimage"]:
        monkeypatch.delitem(sys.modules, name)  # another test of this process may have imported the real one
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setenv("SKIMAGE_DATADIR", str(root / "nothing"))
    return folder


@pytest.fixture
def no_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocog.data.samples.find_spec", lambda name: None)


def test_a_digit_is_that_picture_of_the_test_part() -> None:
    test = mnist.read("test")
    for index, label in ((0, 7), (7, 9), (9999, 6)):
        sample = open_sample(f"digit:{index}")
        assert sample.name == f"digit:{index} (label {label})"
        np.testing.assert_array_equal(sample.pixels, test.images[index])
    assert open_sample("digit:007").name == "digit:7 (label 9)"
    assert open_sample("digit:7", "rgb").pixels.shape == (28, 28, 3)


@pytest.mark.parametrize("index", ["10000", "-1", "", "x", "1.5", "²", "9" * 5000])
def test_a_digit_that_is_none_is_refused_with_the_range(index: str) -> None:
    with pytest.raises(DataError) as error:
        open_sample(f"digit:{index}")
    assert str(error.value) == (
        f"'digit:{index}': give a number from 0 to 9999, the place in MNIST's test part: digit:7"
    )


def test_a_file_is_given_at_its_own_size_and_colour() -> None:
    colours, grey = noise(3, (5, 31)), noise(4, (40, 3), 1)
    Path("sub").mkdir()
    Image.fromarray(colours).save("sub/colours.png")
    Image.fromarray(grey).save("grey.png")
    for what in ("sub/colours.png", Path("sub/colours.png")):
        sample = open_sample(what)
        assert sample.name == "colours.png"
        np.testing.assert_array_equal(sample.pixels, colours)
    np.testing.assert_array_equal(open_sample("grey.png").pixels, grey[..., None])
    np.testing.assert_array_equal(open_sample("grey.png", "rgb").pixels, np.repeat(grey[..., None], 3, 2))
    luma = np.asarray(Image.fromarray(colours).convert("L"))
    np.testing.assert_array_equal(open_sample("sub/colours.png", "grey").pixels, luma[..., None])


def test_names_of_scikit_image_are_found_without_importing_it(scikit_image: Path) -> None:
    sample = open_sample("astronaut")
    assert sample.name == "astronaut"
    np.testing.assert_array_equal(sample.pixels, noise(1, (6, 9)))
    assert open_sample("camera").pixels.shape == (6, 9, 1)
    assert open_sample("astronaut", "grey").pixels.shape == (6, 9, 1)
    assert "skimage" not in sys.modules


def test_a_file_wins_over_a_name_and_a_folder_does_not(scikit_image: Path) -> None:
    Path("camera").mkdir()
    assert open_sample("camera").pixels.shape == (6, 9, 1)
    Path("astronaut").write_bytes(encoded(Image.fromarray(noise(9, (2, 2))), "PNG"))
    assert open_sample("astronaut").pixels.shape == (2, 2, 3)
    with pytest.raises(PictureError) as error:
        open_sample(Path("camera"))
    assert str(error.value) == "cannot read 'camera': it is a folder; give one picture in it"


def test_what_scikit_image_has_downloaded_is_there(scikit_image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIMAGE_DATADIR", "downloads")
    for version, number in (("0.24.0", 5), ("0.25.2", 6)):
        Path("downloads", version, "data").mkdir(parents=True)
        Image.fromarray(noise(number, (6, 9))).save(Path("downloads", version, "data", "eagle.png"))
    np.testing.assert_array_equal(open_sample("eagle").pixels, noise(6, (6, 9)))
    assert open_sample("camera").pixels.shape == (6, 9, 1)
    assert "skimage" not in sys.modules


def test_a_picture_that_would_be_downloaded_is_refused(scikit_image: Path) -> None:
    with pytest.raises(PictureError) as error:
        open_sample("eagle")
    assert str(error.value) == (
        "scikit-image would have to download 'eagle', which neocog never does unasked; run "
        "`python -c \"from skimage import data, io; io.imsave('eagle.png', data.eagle())\"` and give eagle.png"
    )


@pytest.mark.usefixtures("no_scikit_image")
def test_scikit_image_may_be_missing() -> None:
    with pytest.raises(DataError) as error:
        open_sample("astronaut")
    assert str(error.value) == (
        "the picture 'astronaut' needs scikit-image: pip install scikit-image; or give a picture file"
    )


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("astronot", "'astronot' is no picture neocog knows, and there is no such file; did you mean 'astronaut'?"),
        ("Digit7", "'Digit7' is no picture neocog knows, and there is no such file; did you mean 'digit:7'?"),
        (
            "xyzzy",
            "'xyzzy' is no picture neocog knows, and there is no such file; Known: picture files, digit:0 to "
            f"digit:9999, and with scikit-image {NAMES}",
        ),
        ("astronaut.png", "cannot read 'astronaut.png': there is no such file; check the path"),
        ("./astronaut", "cannot read './astronaut': there is no such file; check the path"),
        ("", "cannot read '': it is a folder; give one picture in it"),
        ("a" * 300, f"cannot read '{'a' * 300}': file name too long; check the path and its permissions"),
    ],
)
def test_words_that_are_no_picture_are_refused(what: str, text: str) -> None:
    with pytest.raises(DataError) as error:
        open_sample(what)
    assert str(error.value) == text


def test_colours_are_three_words() -> None:
    with pytest.raises(DataError) as error:
        open_sample("digit:7", "gray")
    assert str(error.value) == "unknown color 'gray'; did you mean 'grey'? Known: auto, grey, rgb"


# decode.whole, which opens them


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_whole_picture_is_upright_and_of_its_own_size(turn: int) -> None:
    upright = noise(5, (8, 6))
    stored = np.rot90(upright, {1: 0, 3: 2, 6: 1, 8: -1}[turn])
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    np.testing.assert_array_equal(whole(data), upright)


def test_a_large_jpeg_is_not_shrunk_as_it_is_decoded() -> None:
    image = Image.fromarray(noise(6, (100, 70))).resize((1400, 2000))
    data = encoded(image, "JPEG", quality=90)
    Path("x.jpg").write_bytes(data)
    with Image.open("x.jpg") as decoded:
        np.testing.assert_array_equal(whole(data), np.asarray(decoded))


@pytest.mark.parametrize(
    ("image", "channels"),
    [
        (Image.new("1", (3, 2)), 1),
        (Image.new("L", (3, 2)), 1),
        (Image.new("LA", (3, 2)), 1),
        (Image.fromarray(np.zeros((2, 3), np.uint16)), 1),
        (Image.new("RGB", (3, 2)), 3),
        (Image.new("RGBA", (3, 2)), 3),
        (Image.new("CMYK", (3, 2)), 3),
        (Image.new("RGB", (3, 2)).quantize(2), 3),
    ],
    ids=["1", "L", "LA", "I;16", "RGB", "RGBA", "CMYK", "P"],
)
def test_grey_stays_grey_and_the_rest_becomes_rgb(image: Image.Image, channels: int) -> None:
    assert whole(image).shape == (2, 3, channels)
    assert whole(image, 4 - channels).shape == (2, 3, 4 - channels)


def test_transparency_lies_over_white() -> None:
    assert whole(Image.new("LA", (1, 1), (0, 0))).tolist() == [[[255]]]


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        (b"", "cannot read the bytes picture: it is empty (0 bytes); remove it, or replace it by an intact copy"),
        (
            Image.new("L", (0, 4)),
            "cannot read the Image picture: it has no pixels; give a picture of at least 1 × 1",
        ),
        (
            np.zeros((2, 2)),
            "cannot read the ndarray picture: its pixels are float64, not uint8; give uint8 from 0 to 255",
        ),
        (
            raw_png(12000, 9000, 1, 0, b"", rows=0),
            "cannot read the bytes picture: it is 12000 × 9000 pixels, more than the 100 megapixels allowed; scale it "
            "down first",
        ),
    ],
    ids=["empty", "no pixels", "floats", "huge"],
)
def test_a_whole_picture_that_cannot_be_read_is_named(picture: bytes, text: str) -> None:
    with pytest.raises(PictureError) as error:
        whole(picture)
    assert str(error.value) == text
