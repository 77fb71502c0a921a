"""One picture by name: a file, `digit:7` from MNIST's test part, or a photograph that scikit-image brings along."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from neocog.data import mnist
from neocog.data.decode import whole
from neocog.data.door import COLOURS
from neocog.errors import DataError, PictureError, unknown

DIGITS = mnist.COUNTS["test"]  # 10,000: every number of up to four digits
# name in skimage.data → its file. Those that scikit-image doesn't bring along it downloads when they are first used.
SCIKIT_IMAGE = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cell": "cell.png",
    "checkerboard": "chessboard_GRAY.png",
    "chelsea": "chelsea.png",
    "clock": "clock_motion.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "colorwheel": "color.png",
    "eagle": "eagle.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "horse": "horse.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "human_mitosis": "mitosis.tif",
    "immunohistochemistry": "ihc.png",
    "logo": "logo.png",
    "microaneurysms": "microaneurysms.png",
    "moon": "moon.png",
    "page": "page.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "shepp_logan_phantom": "phantom.png",
    "skin": "skin.jpg",
    "text": "text.png",
}


@dataclass(frozen=True)
class Sample:
    """One picture: what to call it, and its pixels, uint8 (H, W, C)."""

    name: str
    pixels: np.ndarray


def open_sample(what: str | Path, color: str = "auto") -> Sample:
    """The picture that a name stands for, at its own size.

    Args:
        what: a picture file; `digit:INDEX`, a picture of MNIST's test part; or the name of a picture in skimage.data. A
            file wins over a picture of scikit-image; a text that starts with `digit:` is never a file, a Path always.
        color: "grey", "rgb", or "auto" for what is stored: grey stays grey, everything else becomes RGB.

    Raises:
        DataError: there is no such picture; the text names the nearest.
        PictureError: the file can't be read.

    >>> seven = open_sample("digit:0")
    >>> seven.name, seven.pixels.shape, int(seven.pixels.max())
    ('digit:0 (label 7)', (28, 28, 1), 255)
    """
    if color not in COLOURS:
        raise DataError(unknown("color", str(color), COLOURS))
    channels = COLOURS[color]
    if isinstance(what, str):
        if what.startswith("digit:"):
            return digit(what, channels)
        if what in SCIKIT_IMAGE and not lies_there(what, Path.is_file):
            return Sample(what, whole(scikit_image(what), channels))
        if what and what == Path(what).stem and not lies_there(what, Path.exists):
            raise DataError(no_such_word(what))
    return Sample(Path(what).name or str(what), whole(what, channels))


def digit(what: str, channels: int) -> Sample:
    """The picture that `digit:7` stands for, with its label in its name."""
    found = re.fullmatch("digit:0*([0-9]{1,4})", what)
    if found is None:
        raise DataError(f"'{what}': give a number from 0 to {DIGITS - 1}, the place in MNIST's test part: digit:7")
    place, test = int(found[1]), mnist.read("test")
    return Sample(f"digit:{place} (label {mnist.CLASSES[test.labels[place]]})", whole(test.images[place], channels))


def scikit_image(name: str) -> Path:
    """The file of that name in the installed scikit-image, which isn't imported for it."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise DataError(f"the picture '{name}' needs scikit-image: pip install scikit-image; or give a picture file")
    path = Path(found.origin).parent / "data" / SCIKIT_IMAGE[name]
    if not path.is_file():
        downloaded = sorted(scikit_image_downloads().glob(f"*/data/{SCIKIT_IMAGE[name]}"))
        if downloaded:
            return downloaded[-1]
        raise PictureError(
            f"scikit-image would have to download '{name}', which neocog never does unasked; run `python -c \"from "
            f"skimage import data, io; io.imsave('{name}.png', data.{name}())\"` and give {name}.png"
        )
    return path


def scikit_image_downloads() -> Path:
    """Where scikit-image keeps what it has downloaded, a folder for each of its versions."""
    import platformdirs

    return Path(os.environ.get("SKIMAGE_DATADIR") or platformdirs.user_cache_dir("scikit-image"))


def lies_there(what: str, question: Callable[[Path], bool]) -> bool:
    """Whether a file of that name exists; what may not be looked at counts, since reading it tells why."""
    try:
        return question(Path(what).expanduser())
    except (OSError, RuntimeError, ValueError):
        return True


def no_such_word(what: str) -> str:
    """The sentence for a word that is neither a file nor one of our names."""
    close = get_close_matches(what.lower(), ["digit:7", *SCIKIT_IMAGE], n=1, cutoff=0.5)
    known = f"Known: picture files, digit:0 to digit:{DIGITS - 1}, and with scikit-image {', '.join(SCIKIT_IMAGE)}"
    hint = f"did you mean '{close[0]}'?" if close else known
    return f"'{what}' is no picture neocog knows, and there is no such file; {hint}"
