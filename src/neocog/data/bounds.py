"""What is looked at before a decoder may touch a picture file: what kind of file it is, and what it claims to hold.

A decoder believes its file. These bounds keep a file from costing more than about two seconds and 500 MB: they are
counts of bytes, pixels, reads and tags, never a clock, so that a picture is refused everywhere or nowhere.
"""

from __future__ import annotations

import os
import stat
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

LIMIT = 100_000_000  # pixels; more than any camera a user is likely to hold, less than what fills the memory
MEMORY = 450_000_000  # bytes for a file, what its decoder needs, and the pixels
MOST_BYTES = 200_000_000  # of a file
COMPRESSED = 100_000_000  # bytes of a compressed one, of which a decoder does about 70 MB a second
MOST_READS = 300_000  # a picture of 100 MB in pieces of 1 KB
MOST_EXIF = 1_000_000  # bytes
USUAL_EXIF = 65_533  # bytes, for which a JPEG has room
MOST_SHARED = 1_000_000  # bytes of a TIFF or EXIF block that several tags may hold
MOST_VALUES = 100_000  # of a TIFF tag; a scan of 65,535 rows may have a strip for each
MOST_RATIONALS = 10_000  # of a TIFF tag; each becomes a Python object
MOST_SCANS = 500  # of a JPEG; libjpeg-turbo's advice
SCANNED = 2_000_000_000  # pixels times passes over a JPEG: 80 over one of 24 megapixels, where encoders make about 10
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
RUNS = 3_000_000  # bytes and pixels of a run-length encoded BMP, which is decoded by Python
REPLACE = "remove it, or replace it by an intact copy"
SMALLER = "scale it down first"

# Bytes that WebP's decoder needs for a pixel beyond the pixels themselves: two canvases, a copy, and a lossless frame.
WEBP, LOSSLESS = 12, 16
STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}  # bytes a pixel; the other modes: 4
INTEGERS, FRACTIONS = (3, 4, 8, 9, 13, 16), (5, 10, 11, 12)  # TIFF's types: shorts, longs; rationals, floats
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # bytes, by type
POINTERS = (34665, 34853, 40965)  # TIFF's tags that hold the place of another directory
TIFF_CODECS = frozenset(
    (
        *("raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "zstd"),
        *("tiff_ccitt", "group3", "group4", "jpeg", "tiff_jpeg"),
    )
)


class BadPicture(Exception):
    """Why one picture can't be used, and the mend; the door turns it into a PictureError with the picture's name."""

    def __init__(self, reason: str, mend: str = REPLACE) -> None:
        super().__init__(reason)
        self.reason, self.mend = reason, mend


TRUNCATED = "it is truncated: the file ends too early"


def too_many_pieces() -> BadPicture:
    """A file of a million tiny pieces, which Python would go through one by one."""
    return BadPicture("it is cut into too many pieces to be a picture", "save it anew as PNG or JPEG")


class Content(BytesIO):
    """A file's bytes, and what decoding them takes beside the pixels; too few of them to take long to read."""

    needs = 0  # bytes of memory, as `check_claims` finds
    pixels = 0  # of the whole picture, which a JPEG's decoder may make smaller


class Counted(Content):
    """A longer file's bytes, for so many reads: Python's loops over a million tiny pieces of a file are slow."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's."""
        self.left -= 1
        if self.left < 0:
            raise too_many_pieces()
        return super().read(size)


def content(path: Path) -> bytes:
    """All bytes of a regular file; a pipe, a socket or a device isn't waited for."""
    try:
        path = path.expanduser()
        kind = path.stat().st_mode
    except (ValueError, RuntimeError):  # a zero byte in the name, a home that nobody has
        raise BadPicture("there is no such file", "check the path") from None
    # The kind is asked before the file is opened, as to open a device may do something, and after, as it may change.
    if not stat.S_ISREG(kind):
        raise not_regular(kind)
    with os.fdopen(os.open(path, FLAGS), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise not_regular(found.st_mode)
        few_bytes(found.st_size)
        return file.read(found.st_size)  # to ask for more takes memory, and so time, for what isn't there


def not_regular(kind: int) -> BadPicture:
    """What stands there instead of a file."""
    if stat.S_ISDIR(kind):
        return BadPicture("it is a folder", "give one picture in it")
    names = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return BadPicture(f"it is {names.get(stat.S_IFMT(kind), 'no regular file')}", "give a regular file")


def few_bytes(count: int) -> None:
    """Refuse a file that is empty, or longer than any picture that may be read."""
    if count == 0:
        raise BadPicture("it is empty (0 bytes)")
    if count > MOST_BYTES:
        raise too_long(MOST_BYTES)


def too_long(most: int) -> BadPicture:
    """A file has more bytes than it may have."""
    return BadPicture(f"the file has more than the {most // 1_000_000} MB allowed", SMALLER)


def few_pixels(width: int, height: int) -> None:
    """Refuse a picture beyond LIMIT."""
    if width * height > LIMIT:
        raise BadPicture(
            f"it is {width} × {height} pixels, more than the {LIMIT // 1_000_000} megapixels allowed", SMALLER
        )


def little_memory(file: int, pixels: int, needed: float) -> None:
    """Refuse what would fill the memory: `needed` bytes for as many pixels, beside those of the file."""
    if file + needed > MEMORY:
        fit = int((MEMORY - file) * pixels / needed / 100_000) / 10
        raise BadPicture(
            f"to read its {pixels / 1_000_000:.3g} megapixels takes {(file + needed) / 1_000_000:.0f} MB of memory,"
            f" more than the {MEMORY // 1_000_000} MB allowed",
            f"scale it down to {fit:g} megapixels first",
        )


def stored(mode: str) -> int:
    """Bytes that Pillow keeps for a pixel.

    >>> stored("L"), stored("RGB")
    (1, 4)
    """
    return STORED.get(mode, 4)


def check_header(data: bytes) -> None:
    """What Pillow would allocate, or go through in Python, while it only opens a file."""
    if is_tiff(data):
        check_directories(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP" and (size := webp_size(data)):
        few_pixels(*size)
        pixels = size[0] * size[1]
        little_memory(len(data), pixels, pixels * (4 + webp_needs(data)))
    elif data[:4] == b"GIF8" and (size := gif_size(data)):
        few_pixels(*size)
    elif data[:2] == b"\xff\xd8" and len(data) > USUAL_EXIF:
        little_exif(jpeg_exif(data))


def is_tiff(data: bytes) -> bool:
    """Whether it begins as a TIFF or an EXIF block does; Pillow takes either byte first."""
    return data[:2] in (b"II", b"MM") and data[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+")


def little_exif(block: bytes) -> None:
    """Refuse an EXIF block that has more bytes than cameras write, or whose tags hold the same bytes over and over."""
    if len(block) > MOST_EXIF:
        raise BadPicture(f"its EXIF block has more than {MOST_EXIF // 1_000_000} MB", "save it anew without it")
    if len(block) > USUAL_EXIF:  # what overlaps in fewer bytes is at most 90 MB
        while block.startswith(b"Exif\0\0"):
            block = block[6:]
        if is_tiff(block):
            check_directories(block)


def exif_of(image: Image.Image) -> bytes:
    """The EXIF block that Pillow would go through; a PNG may have it as text."""
    block = image.info.get("exif")
    if isinstance(block, bytes):
        return block
    text = image.info.get("Raw profile type exif")
    try:
        return bytes.fromhex("".join(text.split("\n")[3:])) if isinstance(text, str) else b""
    except ValueError:  # nor does Pillow understand it
        return b""


def jpeg_exif(data: bytes) -> bytes:
    """The EXIF of a JPEG: a piece has 65,533 bytes at most, but Pillow joins all, and goes through them as it opens."""
    found, pieces = bytearray(), 0
    place = data.find(b"Exif\0\0")
    while place >= 0 and len(found) <= MOST_EXIF:
        if data[place - 4 : place - 2] == b"\xff\xe1":
            found += data[place + 6 : place - 2 + int.from_bytes(data[place - 2 : place], "big")]
        pieces += 1
        if pieces > MOST_READS:
            raise too_many_pieces()
        place = data.find(b"Exif\0\0", place + 6)
    return bytes(found)


def webp_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a WebP's canvas; its decoder makes room for that when it is opened."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 30:
        return struct.unpack("<H", data[26:28])[0] & 0x3FFF, struct.unpack("<H", data[28:30])[0] & 0x3FFF
    return None


def webp_needs(data: bytes) -> int:
    """Bytes that a WebP's decoder needs for a pixel beyond the pixels themselves."""
    return LOSSLESS if b"VP8L" in data or b"ALPH" in data else WEBP


def gif_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a GIF with its first frame, which may stand out of the screen that the header tells."""
    if len(data) < 13:
        return None
    width, height, flags = struct.unpack("<HHB", data[6:11])
    place = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    blocks = 0
    while data[place : place + 1] == b"!":
        place += 2
        blocks += 1  # an extension without a block is a piece, too
        while place < len(data) and data[place] and blocks <= MOST_READS:
            place += 1 + data[place]
            blocks += 1
        if blocks > MOST_READS:
            raise too_many_pieces()
        place += 1
    if data[place : place + 1] != b"," or len(data) < place + 9:
        return width, height
    left, top, wide, high = struct.unpack("<4H", data[place + 1 : place + 9])
    return max(width, left + wide), max(height, top + high)


def check_directories(data: bytes) -> None:
    """A TIFF's first directory and those it points to: Pillow makes Python objects of their values."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2] == 43  # as Pillow tells it, which doesn't know one that begins with the high byte
    count_of, entry, inline = (f"{order}Q", f"{order}HHQ", 8) if big else (f"{order}H", f"{order}HHI", 4)
    head, step = struct.calcsize(count_of), struct.calcsize(entry) + inline
    word = f"{order}{'Q' if big else 'I'}"
    waiting, seen = [struct.unpack_from(word, data, 8 if big else 4)[0]] if len(data) >= 16 else [], set[int]()
    left = MOST_READS  # directories may overlap: each of 65,535 tags may lead to one of as many
    held = 0  # bytes of all values: of overlapping ones, each becomes a copy
    while waiting:
        place = waiting.pop()
        if place in seen or place + head > len(data):
            continue
        seen.add(place)
        (count,) = struct.unpack_from(count_of, data, place)
        if count > 65535:
            raise BadPicture(f"it is damaged (a directory of {count} tags)")
        left -= count + 1
        if left < 0:
            raise too_many_pieces()
        for at in range(place + head, min(place + head + count * step, len(data) - step + 1), step):
            tag, kind, values = struct.unpack_from(entry, data, at)
            if values > (MOST_RATIONALS if kind in FRACTIONS else MOST_VALUES) and kind in INTEGERS + FRACTIONS:
                raise BadPicture(f"its tag {tag} has {values} values", "save it anew as PNG or JPEG")
            size = values * WIDTHS.get(kind, 0)
            if size > inline and struct.unpack_from(word, data, at + step - inline)[0] + size <= len(data):
                held += size
            if held > len(data) + MOST_SHARED:
                raise BadPicture("its tags hold the same bytes over and over", "save it anew as PNG or JPEG")
            if tag in POINTERS:
                waiting.append(struct.unpack_from(word, data, at + step - inline)[0])


def check_claims(image: Image.Image, data: bytes) -> int:
    """Bytes that the decoder needs beside the pixels of a picture whose header was read; refuse what is hostile."""
    width, height = image.size
    few_pixels(width, height)
    little_exif(exif_of(image))
    tiles: list[Any] = getattr(image, "tile", [])
    if len(data) > COMPRESSED and not (tiles and tiles[0][0] in ("raw", "ppm")):
        raise too_long(COMPRESSED)
    if image.format in ("JPEG", "MPO"):
        return check_scans(image, data)
    if image.format == "TIFF":
        return check_tiles(image, len(data))
    if image.format == "WEBP":
        return width * height * webp_needs(data)
    if image.format == "GIF":
        return width * height  # what stands there when a frame is taken away
    if image.format == "BMP" and tiles and tiles[0][0] == "bmp_rle":
        if len(data) + width * height > RUNS:
            raise BadPicture("it is a run-length encoded BMP too large to be read", "save it as PNG")
        file = getattr(image, "fp", None)
        if isinstance(file, Counted):
            file.left = RUNS  # it is read two bytes at a time
    elif image.format in ("BMP", "PPM") and tiles and tiles[0][0] == "raw":
        enough(tiles[0][2], width, height, tiles[0][3], len(data))
    return 0


def enough(offset: int, width: int, height: int, kind: Any, length: int) -> None:
    """Refuse an uncompressed picture that claims more pixels than its file has."""
    raw = kind if isinstance(kind, str) else kind[0]
    row = kind[1] if not isinstance(kind, str) and kind[1] else -(-width * bits_of(raw) // 8)
    if offset + row * (height - 1) >= length:  # the last row may lack the bytes that fill it up
        raise BadPicture(TRUNCATED)


def bits_of(raw: str) -> int:
    """Bits a pixel takes in an uncompressed file, as Pillow names it."""
    if raw.startswith("F;") or raw in ("CMYK", "RGBA"):
        return 32
    if raw.startswith(("I;16", "BGR;16", "BGR;15")):
        return 16
    return {"1": 1, "1;I": 1, "P;1": 1, "P;4": 4, "RGB": 24, "BGR": 24}.get(raw, 8)


def check_scans(image: Image.Image, data: bytes) -> int:
    """Bytes that a JPEG in several passes needs for its coefficients; refuse passes without end."""
    layers = getattr(image, "layer", [])
    place = 2
    while data[place : place + 1] == b"\xff" and data[place + 1] != 0xDA:
        filled = data[place + 1] == 0xFF
        place += 1 if filled else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    first = data[place + 4] if len(data) > place + 4 else 0
    if first >= len(layers) and not image.info.get("progressive"):
        return 0
    width, height = image.size
    scans = data.count(b"\xff\xda", place)  # within compressed data 0xFF is followed by 0
    if scans > MOST_SCANS or scans * width * height > SCANNED:
        raise BadPicture(f"it goes {scans} times over its pixels", "save it anew as PNG or JPEG")
    across, down = max((each[1] for each in layers), default=1), max((each[2] for each in layers), default=1)
    return sum(2 * width * height * each[1] * each[2] // max(1, across * down) for each in layers)


def check_tiles(image: Image.Image, length: int) -> int:
    """Bytes that a TIFF needs for a strip or tile; refuse odd compressions, and tiles larger than any picture."""
    tags: Any = getattr(image, "tag_v2", {})
    codec = image.info.get("compression")
    if codec not in TIFF_CODECS:
        raise BadPicture(f"it is a TIFF compressed by {codec}", "save it as PNG")
    wide, high = image.size
    bits = tags.get(258, (1,))
    depth = sum(bits if len(bits) > 1 else bits * int(tags.get(277, 1)))
    if codec == "raw":
        if wide * high * depth // 8 > length:
            raise BadPicture(TRUNCATED)
        return 0
    if 322 not in tags:
        return int(wide * min(high, int(tags.get(278, high))) * depth // 8)
    width, height = int(tags[322]), int(tags.get(323, 1))
    if width * height > max(4 * wide * high, 1 << 22):
        raise BadPicture(f"its tiles are {width} × {height} pixels, far larger than the picture", "save it as PNG")
    return int(width * height * depth // 8)
