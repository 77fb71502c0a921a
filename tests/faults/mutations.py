"""Damage of every kind, the same for the same seed: for picture files, and for any other bytes.

`damaged(data, random)` works on any file; `pictures()` are small whole files of many kinds; `mutated(count)` damages
them.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
from PIL import Image

SIZE = (24, 20)  # width, height of the whole pictures
# Where formats keep lengths, sizes and counts, what is most often asked for by those who mean harm.
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 60000)


def flipped(data: bytes, random: Random) -> bytes:
    """One to eight bits changed."""
    out = bytearray(data)
    for _ in range(random.randint(1, 8)):
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def overwritten(data: bytes, random: Random) -> bytes:
    """Some bytes in a row replaced by random ones."""
    start, length = random.randrange(len(data)), random.randint(1, 16)
    return data[:start] + random.randbytes(length) + data[start + length :]


def cut(data: bytes, random: Random) -> bytes:
    """Truncated anywhere."""
    return data[: random.randrange(len(data))]


def without(data: bytes, random: Random) -> bytes:
    """A piece taken out."""
    start = random.randrange(len(data))
    return data[:start] + data[start + random.randint(1, 64) :]


def repeated(data: bytes, random: Random) -> bytes:
    """A piece, such as a chunk, there many times over."""
    start = random.randrange(len(data))
    piece = data[start : start + random.randint(1, 64)]
    return data[:start] + piece * random.choice((2, 3, 50, 5000)) + data[start:]


def renumbered(data: bytes, random: Random) -> bytes:
    """A number of two or four bytes near the start, either byte order, made extreme."""
    kind = random.choice(("<H", ">H", "<I", ">I"))
    length = struct.calcsize(kind)
    start = random.randrange(max(1, min(len(data), 160) - length))
    number = random.choice(EXTREMES) & (256**length - 1)
    return data[:start] + struct.pack(kind, number) + data[start + length :]


def moved(data: bytes, random: Random) -> bytes:
    """A piece of the file written over another place of it."""
    length = random.randint(2, 64)
    source, target = random.randrange(len(data)), random.randrange(len(data))
    return data[:target] + data[source : source + length] + data[target + length :]


DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(flipped, overwritten, cut, without, repeated),
    *(renumbered, renumbered, moved),
)


def damaged(data: bytes, random: Random) -> bytes:
    """The bytes with one to three damages."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(DAMAGES)(data, random) if data else data
    return data


def spliced(first: bytes, second: bytes, random: Random) -> bytes:
    """The start of one file and the end of another."""
    return first[: random.randrange(1, len(first))] + second[random.randrange(len(second)) :]


def mended(png: bytes) -> bytes:
    """A damaged PNG with the checksums of its chunks made right again, so that more than its checksums is tried."""
    out, place = png[:8], 8
    while place + 12 <= len(png):
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        if end + 4 > len(png):
            break
        out += png[place:end] + struct.pack(">I", zlib.crc32(png[place + 4 : end]))
        place = end + 4
    return out + png[place:]


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def run_length_bmp() -> bytes:
    """A BMP of eight bits with runs, literal pixels, a jump and ends of lines."""
    body = (
        b"\x05\x01\x00\x03\x02\x03\x04\x00\x00\x00" * 8 + b"\x00\x02\x03\x01\x14\x07\x00\x00" + b"\x18\x09\x00\x00" * 10
    )
    head = struct.pack("<IiiHHIIiiII", 40, *SIZE, 1, 8, 1, len(body), 0, 0, 256, 0)
    palette = bytes(range(256)) * 4
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(body), 0, 0, 54 + 1024) + head + palette + body + b"\x00\x01"


def tiled_tiff() -> bytes:
    """An uncompressed TIFF of grey tiles of 16 × 16."""
    tiles = bytes(range(256)) * 4
    tags = [(256, 24), (257, 20), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16)]
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    entries += struct.pack("<HHIIHHII", 324, 4, 4, start, 325, 4, 4, start + 16)
    places = struct.pack("<8I", *(start + 32 + 256 * tile for tile in range(4)), *[256] * 4)
    return b"II*\0" + struct.pack("<IH", 8, len(tags) + 2) + entries + bytes(4) + places + tiles


def pictures() -> dict[str, bytes]:
    """Small whole pictures of the kinds that the door reads, by "FORMAT what"."""
    width, height = SIZE
    pixels = np.random.default_rng(6).integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels[:, :8] //= 64
    rgba = Image.fromarray(pixels)
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("RGB").quantize(16)
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    cmyk, black = rgb.convert("CMYK"), grey.convert("1")
    frames = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "PNG rgb": saved(rgb, "PNG", exif=turned),
        "PNG rgba": saved(rgba, "PNG"),
        "PNG palette": saved(palette, "PNG", transparency=bytes([0, 128])),
        "PNG 16": saved(deep, "PNG"),
        "PNG bits": saved(black, "PNG"),
        "PNG animated": saved(rgb, "PNG", **frames),
        "JPEG rgb": saved(rgb, "JPEG", exif=turned),
        "JPEG grey": saved(grey, "JPEG"),
        "JPEG cmyk": saved(cmyk, "JPEG"),
        "JPEG progressive": saved(rgb, "JPEG", progressive=True, comment=b"a comment"),
        "GIF one": saved(palette, "GIF", transparency=3),
        "GIF animated": saved(rgb, "GIF", disposal=2, **frames),
        "GIF interlaced": saved(grey, "GIF", interlace=1, comment=b"a comment"),
        "BMP rgb": saved(rgb, "BMP"),
        "BMP rgba": saved(rgba, "BMP"),
        "BMP palette": saved(palette, "BMP"),
        "BMP bits": saved(black, "BMP"),
        "BMP runs": run_length_bmp(),
        "WEBP lossy": saved(rgb, "WEBP", exif=turned),
        "WEBP lossless": saved(rgba, "WEBP", lossless=True),
        "WEBP alpha": saved(rgba, "WEBP"),
        "WEBP animated": saved(rgb, "WEBP", **frames),
        "TIFF raw": saved(rgb, "TIFF", tiffinfo=turned),
        "TIFF tiled": tiled_tiff(),
        "TIFF lzw": saved(rgba, "TIFF", compression="tiff_lzw"),
        "TIFF deflate": saved(deep, "TIFF", compression="tiff_adobe_deflate"),
        "TIFF jpeg": saved(rgb, "TIFF", compression="jpeg"),
        "TIFF group4": saved(black, "TIFF", compression="group4"),
        "TIFF packbits": saved(cmyk, "TIFF", compression="packbits"),
        "TIFF pages": saved(palette, "TIFF", compression="tiff_lzw", save_all=True, append_images=[grey]),
        "TIFF big": saved(rgb, "TIFF", big_tiff=True),
    }


def mutated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """`count` damaged pictures, with names such as "0007-JPEG-cmyk"; the six formats take turns."""
    whole = pictures()
    kinds = {name.split()[0]: [each for each in whole if each.startswith(name.split()[0])] for name in whole}
    for number in range(count):
        random = Random(f"{seed} {number}")  # each its own, so that one can be made again without the others
        same = kinds[list(kinds)[number % len(kinds)]]
        name = random.choice(same)
        data = whole[name]
        data = spliced(data, whole[random.choice(same)], random) if random.random() < 0.1 else damaged(data, random)
        if name.startswith("PNG") and random.random() < 0.7:
            data = mended(data)
        yield f"{number:04}-{name.replace(' ', '-')}", data
