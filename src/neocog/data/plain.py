"""A decoded picture made plain: grey or RGB of 8 bits, without palette or transparency; large ones band by band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageColor

from neocog.data.bounds import BadPicture

BAND = 1 << 20  # pixels converted at a time


def is_plain(image: Image.Image, channels: int) -> bool:
    """Whether its pixels are numbers of 8 bits, grey or RGB as wanted, none of them transparent."""
    return image.mode == ("L" if channels == 1 else "RGB") and not image.has_transparency_data


def bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """The boxes of as many rows as BAND pixels have, so that what is made of them is small beside the picture."""
    width, height = image.size
    rows = max(1, BAND // max(1, width))
    for top in range(0, height, rows):
        yield 0, top, width, min(height, top + rows)


def plain_image(image: Image.Image, channels: int, background: str) -> Image.Image:
    """The same picture in mode L or RGB: 8 bits, no palette, no transparency."""
    white = white_of(image)
    if is_plain(image, channels):
        return image
    if image.width * image.height <= BAND:
        return plain_band(image, channels, background, white)
    out = Image.new("L" if channels == 1 else "RGB", image.size)
    for box in bands(image):
        out.paste(plain_band(image.crop(box), channels, background, white), box)
    return out


def plain_band(image: Image.Image, channels: int, background: str, white: int) -> Image.Image:
    """Some rows of a picture made plain; `white` is their highest value where they have more than 8 bits, else 0."""
    target = "L" if channels == 1 else "RGB"
    if white:
        image = scaled_to_8_bits(image, white)
    if image.has_transparency_data:
        under = Image.new("RGBA", image.size, (*ImageColor.getrgb(background)[:3], 255))
        image = Image.alpha_composite(under, image.convert("RGBA"))
    if image.mode == "P":  # palette entries are colours: their grey is the colour's grey
        image = image.convert("RGB")
    return image if image.mode == target else image.convert(target)


def white_of(image: Image.Image) -> int:
    """The value of white in a picture of more than 8 bits, and 0 in others; refuses what states no range."""
    if image.mode == "F":
        raise BadPicture(
            "its pixels are floating-point numbers whose range nothing states", "save it with 8 or 16 bits"
        )
    if not (image.mode.startswith("I;16") or image.mode == "I"):
        return 0
    white = 65535
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        bits = int(np.max(tags.get(258, 16)))
        if bits > 16 or 2 in np.atleast_1d(tags.get(339, 1)):
            raise BadPicture(
                f"its pixels are {bits}-bit integers whose range nothing states", "save it with 8 or 16 bits"
            )
        white = (1 << bits) - 1
    if image.mode == "I" or white < 65535:
        found = [(int(values.min()), int(values.max())) for values in map(np.asarray, map(image.crop, bands(image)))]
        low, high = min(low for low, _ in found), max(high for _, high in found)
        if low < 0 or high > white:
            raise BadPicture(f"its pixels run from {low} to {high}, outside 0 to {white}", "save it with 8 or 16 bits")
    return white


def scaled_to_8_bits(image: Image.Image, white: int) -> Image.Image:
    """16-bit grey with 65535 as white, so v → round(v / 257); Pillow's own conversion would clip at 255."""
    values = np.asarray(image)
    table = ((np.arange(white + 1) * 255 + white // 2) // white).astype(np.uint8)
    grey = Image.fromarray(table[values])
    clear = image.info.get("transparency")
    if isinstance(clear, int):  # a PNG may name one grey value that is transparent
        return Image.merge("LA", (grey, Image.fromarray((values != clear).astype(np.uint8) * 255)))
    return grey


def pixels_of(image: Image.Image, channels: int, background: str) -> np.ndarray:
    """The pixels of a picture made plain, uint8 (H, W, C)."""
    white = white_of(image)
    if image.width * image.height <= BAND:
        pixels = np.asarray(plain_band(image, channels, background, white))
        return pixels if pixels.ndim == 3 else pixels[..., None]
    # band by band, as Pillow's own way to an array holds the pixels twice
    out = np.empty((image.height, image.width, channels), np.uint8)
    for box in bands(image):
        band = np.asarray(plain_band(image.crop(box), channels, background, white))
        out[box[1] : box[3]] = band if band.ndim == 3 else band[..., None]
    return out
