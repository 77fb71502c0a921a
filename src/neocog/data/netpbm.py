"""The pixels of PBM, PGM and PPM files written as text, or of a range other than 0 to 255 or 65535.

Pillow goes through these in Python, a second for each megapixel; here NumPy does, to the same bits.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from PIL import Image

from neocog.data.bounds import TRUNCATED, BadPicture, too_many_pieces
from neocog.data.plain import bands

MOST_TEXT = 32_000_000  # bytes of a picture written as text
MOST_COMMENTS = 100_000
PIECE = 1 << 20  # bytes of text read at once
SPACE = b" \t\n\v\f\r"


def decoded(image: Image.Image, data: bytes) -> Image.Image:
    """The picture with its pixels, where `image` has its header read; other files' images are given back."""
    tiles: list[Any] = getattr(image, "tile", [])
    if image.format != "PPM" or not tiles or tiles[0][0] == "raw":
        return image
    codec, _, start, arguments = tiles[0]
    width, height = image.size
    count = width * height * len(image.getbands())
    if codec == "ppm":
        return scaled(image, samples(data, start, count, arguments[1]), arguments[1])
    if len(data) > MOST_TEXT:
        raise BadPicture(f"it is text of more than {MOST_TEXT // 1_000_000} MB", "save it as PNG")
    # each number takes a digit, and a space except in a picture of black and white
    if len(data) - start < (count if image.mode == "1" else 2 * count - 1):
        raise BadPicture(TRUNCATED)
    if data.count(b"#", start) > MOST_COMMENTS:
        raise too_many_pieces()
    text = re.sub(rb"#[^\r\n]*[\r\n]?", b"", data[start:])
    if image.mode == "1":
        digits = text.translate(None, SPACE)[:count]
        if digits.translate(None, b"01"):
            raise BadPicture("it is damaged (something other than 0 and 1 among its pixels)")
        return Image.frombytes("L", image.size, full(digits, count).translate(bytes.maketrans(b"01", b"\xff\x00")))
    return scaled(image, numbers(text, count, arguments[1]), arguments[1])


def full(found: Any, count: int) -> Any:
    """What was found, if it is all."""
    if len(found) < count:
        raise BadPicture(TRUNCATED)
    return found


def samples(data: bytes, start: int, count: int, most: int) -> np.ndarray:
    """The binary numbers, of one byte, or of two with the high one first."""
    kind = np.dtype(np.uint8 if most < 256 else ">u2")
    if start + count * kind.itemsize > len(data):
        raise BadPicture(TRUNCATED)
    return np.frombuffer(data, kind, count, start)


def numbers(text: bytes, count: int, most: int) -> np.ndarray:
    """The numbers of a text, `count` of them."""
    found = np.empty(count, np.uint16)
    done = place = 0
    while done < count and place < len(text):
        end = place + PIECE
        while end < len(text) and text[end : end + 1] not in SPACE:
            end += 1
        piece = text[place:end]
        place = end
        if piece.translate(None, SPACE + b"0123456789"):
            raise BadPicture("it is damaged (something other than digits among its pixels)")
        values = np.fromstring(piece, np.float64, sep=" ")[: count - done]
        if len(values) and values.max() > most:
            raise BadPicture(f"it is damaged (a pixel of {values.max():.0f}, where {most} is the highest)")
        found[done : done + len(values)] = values
        done += len(values)
    return full(found[:done], count)  # type: ignore[no-any-return]


def scaled(image: Image.Image, values: np.ndarray, most: int) -> Image.Image:
    """The values 0 to `most` as 0 to 255, or to 65535 where the picture is of 16 bits."""
    white, kind = (65535, np.dtype(np.int32)) if image.mode == "I" else (255, np.dtype(np.uint8))
    table = np.minimum(white, np.rint(np.arange(65536) / most * white)).astype(kind)
    out = Image.new(image.mode, image.size)
    across = image.width * len(image.getbands())
    for box in bands(image):
        rows = table[values[box[1] * across : box[3] * across]]
        out.paste(Image.frombytes(image.mode, (image.width, box[3] - box[1]), rows.tobytes()), box)
    return out
