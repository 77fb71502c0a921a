"""The only way a picture file becomes pixels: for training, for prediction, and for whatever serves pictures later.

A picture of any of the formats below is turned upright (EXIF), freed of palette, transparency and other colour
models, scaled to 8 bits, resized, and given as uint8 (H, W, C). What can't be read is refused in one line, never
guessed at: truncated files, floating-point pixels of unknown range, pictures beyond LIMIT pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

from neocog.data import bounds, netpbm
from neocog.data.bounds import BadPicture
from neocog.data.plain import is_plain, pixels_of, plain_image
from neocog.data.quiet import quiet_pillow as quiet_pillow
from neocog.data.room import empty
from neocog.data.threads import over_cores
from neocog.errors import DataError, PictureError, unknown
from neocog.untrusted import shown

if TYPE_CHECKING:
    from neocog.data.dataset import Progress

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
RESIZES = ("crop", "letterbox", "stretch")

MOST_OF_A_PIXEL = 15  # bytes: as stored, made plain, and turned, 4 each, and 3 in the array

Picture = Path | str | bytes | Image.Image | np.ndarray

# EXIF orientation → how to turn the stored picture upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes what the network sees; stored in a run, so that prediction repeats it exactly.

    Attributes:
        image_size: (height, width).
        channels: 1 grey or 3 RGB.
        resize: "crop" scales the picture to cover the size and cuts the middle out, "letterbox" scales it to fit
            inside and fills the bars, "stretch" changes its proportions.
        background: colour under transparency and in the bars; a name or "#rrggbb".

    >>> Preprocess((2, 2), 1)(Image.new("RGB", (4, 4), "white")).tolist()
    [[[255], [255]], [[255], [255]]]
    """

    image_size: tuple[int, int]
    channels: int
    resize: str = "crop"
    background: str = "white"

    def __post_init__(self) -> None:
        if len(self.image_size) != 2 or min(self.image_size) < 1:
            raise DataError(f"image_size = {self.image_size} is not a size; give a number, or (height, width)")
        if self.channels not in (1, 3):
            raise DataError(f"channels = {self.channels} is not understood; give 1 for grey or 3 for RGB")
        if self.resize not in RESIZES:
            raise DataError(unknown("resize", str(self.resize), RESIZES))
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise DataError(
                f"background = '{self.background}' is not a colour; give a name such as white, or #rrggbb"
            ) from None

    def __call__(self, picture: Picture) -> np.ndarray:
        """The pixels of one picture, uint8 (H, W, C).

        Raises:
            PictureError: the picture can't be read; the text names it, the reason and the mend.
        """
        return read_or_refuse(picture, self.fitted)

    def pixels(self, picture: Picture) -> np.ndarray:
        """As calling it, but raises the bare `BadPicture`, for those who collect many."""
        return read(picture, self.fitted)

    def fitted(self, image: Image.Image) -> np.ndarray:
        """Upright, plain, resized."""
        if image.format == "PNG":
            self.check_memory(image)  # now, as Pillow decodes it to look for its orientation
        turn = orientation(image)
        turned = turn in (5, 6, 7, 8)
        rows, columns = self.image_size[::-1] if turned else self.image_size
        if image.format == "TIFF":  # Pillow turns these itself as it decodes them
            rows, columns = self.image_size
        self.shrink_early(image, columns, rows)
        turns = turn in UPRIGHT and image.format != "TIFF"
        if turns or image.format != "PNG":
            self.check_memory(image, turns)
        file = content_of(image)
        if file:
            image = netpbm.decoded(image, file.getvalue())
        image.load()
        if not turns and image.size == self.image_size[::-1]:
            return pixels_of(image, self.channels, self.background)
        plain = plain_image(image, self.channels, self.background)
        if turns:
            plain = plain.transpose(UPRIGHT[turn])
        if file and plain is not image:
            image.close()
        return pixels_of(self.resized(plain), self.channels, self.background)

    def check_memory(self, image: Image.Image, turns: bool = False) -> None:
        """Refuse a picture whose pixels, and what is made of them on the way, would fill the memory."""
        width, height = image.size
        bounds.few_pixels(width, height)
        pixels, file = width * height, content_of(image)
        decoder, length = (file.needs, len(file.getvalue())) if file else (0, 0)
        if length + decoder + pixels * MOST_OF_A_PIXEL <= bounds.MEMORY:
            return
        same = sorted(image.size) == sorted(self.image_size)
        stored = pixels * bounds.stored(image.mode) + (decoder if image.format == "GIF" else 0)
        turned = pixels * (1 if self.channels == 1 else 4) if turns else 0
        copied = (
            0 if is_plain(image, self.channels) or (same and not turns) else pixels * (1 if self.channels == 1 else 4)
        )
        kept = pixels * self.channels if same else 0
        before = 0 if turned or copied else stored
        most = max(stored + decoder, stored + copied + turned, before + copied + turned + kept)
        bounds.little_memory(length, file.pixels if file else pixels, most)

    def shrink_early(self, image: Image.Image, columns: int, rows: int) -> None:
        """Let JPEG decode at 1/2, 1/4 or 1/8 while that is still twice the wanted size: several times faster."""
        if image.format in ("JPEG", "MPO") and getattr(image, "tile", None):
            width, height = image.size
            across, down = columns / width, rows / height
            if self.resize == "crop":
                across = down = max(across, down)
            elif self.resize == "letterbox":
                across = down = min(across, down)
            image.draft(None, (max(1, round(2 * width * across)), max(1, round(2 * height * down))))

    def resized(self, image: Image.Image) -> Image.Image:
        """The picture at `image_size`, smoothed as it shrinks."""
        height, width = self.image_size
        if image.size == (width, height):
            return image
        wide, high = image.size
        if self.resize == "crop":
            scale = max(width / wide, height / high)
            left, top = (wide - width / scale) / 2, (high - height / scale) / 2
            box = (max(0.0, left), max(0.0, top), min(wide, wide - left), min(high, high - top))
            return image.resize((width, height), Image.Resampling.BICUBIC, box, reducing_gap=3.0)
        if self.resize == "stretch":
            return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        scale = min(width / wide, height / high)
        inner = (max(1, round(wide * scale)), max(1, round(high * scale)))
        canvas = Image.new(image.mode, (width, height), colour(self.background, image.mode))
        small = image.resize(inner, Image.Resampling.BICUBIC, reducing_gap=3.0)
        canvas.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return canvas

    def many(self, pictures: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """A uint8 (N, H, W, C) array made this size and colour; the same array if it is so already.

        Raises:
            PictureError: a picture is too large.
            DataError: there is no room for the resized ones.
        """
        if pictures.shape[1:] == (*self.image_size, self.channels):
            return pictures
        out = empty((len(pictures), *self.image_size, self.channels))

        def work(piece: range) -> None:
            for index in piece:
                out[index] = self(pictures[index])

        with quiet_pillow():
            over_cores(work, len(out), "resizing pictures", progress)
        return out


def whole(picture: Picture, channels: int = 0) -> np.ndarray:
    """The pixels of one picture upright and at its own size, over white where it is transparent: uint8 (H, W, C).

    `channels` is 1 for grey and 3 for RGB; 0 leaves grey what is stored as grey, and makes the rest RGB.
    Raises PictureError, as calling a Preprocess does.

    >>> whole(Image.new("RGB", (5, 2), "white")).shape, whole(Image.new("L", (5, 2))).shape
    ((2, 5, 3), (2, 5, 1))
    """

    def at_its_size(image: Image.Image) -> np.ndarray:
        if not all(image.size):
            raise BadPicture("it has no pixels", "give a picture of at least 1 × 1")
        plain = Preprocess(image.size[::-1], channels or (1 if is_grey(image) else 3))
        plain.check_memory(image)  # now, as Pillow decodes a PNG to look for its orientation
        turned = image.format != "TIFF" and orientation(image) in (5, 6, 7, 8)
        return (replace(plain, image_size=image.size) if turned else plain).fitted(image)

    return read_or_refuse(picture, at_its_size)


def is_grey(image: Image.Image) -> bool:
    """Whether a picture is stored as grey; one stored in colours may show nothing but grey, too."""
    return image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;16")


def read_or_refuse(picture: Picture, work: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """What `work` makes of the opened picture, or one line that names the picture, the reason and the mend."""
    try:
        return read(picture, work)
    except BadPicture as error:
        raise PictureError(f"cannot read {named(picture)}: {error.reason}; {error.mend}") from None


def read(picture: Picture, work: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """What `work` makes of the opened picture, or the bare `BadPicture`; a PictureError where memory runs out."""
    with quiet_pillow():
        try:
            with opened(picture) as image:
                return work(image)
        except BadPicture:
            raise
        except MemoryError:  # the bounds have let it pass, so nothing is wrong with the picture
            raise PictureError(
                f"cannot read {named(picture)}: too little memory is free, of which a picture may take"
                f" {bounds.MEMORY // 1_000_000} MB; close other programs, or scale large pictures down"
            ) from None
        # Pillow's plugins let nearly every built-in exception escape on damaged files (SyntaxError, ValueError,
        # struct.error, zlib.error, IndexError, …), so the door names them all.
        except Exception as error:
            raise explained(error) from None


def named(picture: Picture) -> str:
    """What to call a picture in a message."""
    if isinstance(picture, str | Path):
        return f"'{shown(picture)}'"
    filename = getattr(picture, "filename", "")
    return f"'{shown(filename)}'" if isinstance(filename, str) and filename else f"the {type(picture).__name__} picture"


@contextmanager
def opened(picture: Picture) -> Iterator[Image.Image]:
    """The picture as Pillow knows it, header read and pixels not yet; a caller's own image is never changed."""
    if isinstance(picture, np.ndarray):
        yield from_array(picture)
        return
    if isinstance(picture, Image.Image):
        raw = undecoded(picture)
        if raw is not None and picture.format not in ("JPEG", "MPO", "PPM"):
            with recognised(raw):
                raw = None  # the file is sound; Pillow decodes it, and closes it
        if raw is None:
            bounds.few_pixels(*picture.size)
            yield picture.copy() if getattr(picture, "tile", None) else picture
            return
        picture = raw
    if isinstance(picture, str):
        picture = Path(picture)
    data = bounds.content(picture) if isinstance(picture, Path) else picture
    bounds.few_bytes(len(data))
    with recognised(data) as image:
        yield image


def recognised(data: bytes) -> Image.Image:
    """The picture in a file, its format told from the content; a PNG's own checksums are compared."""
    # Pillow loads these two only when it searches all formats, which the list of allowed ones forbids.
    from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401

    bounds.check_header(data)
    file = bounds.Counted(data) if len(data) > bounds.MOST_READS else bounds.Content(data)
    image = Image.open(file, formats=FORMATS)
    file.needs, file.pixels = bounds.check_claims(image, data), image.width * image.height
    if image.format not in ("JPEG", "MPO"):  # these may be made smaller as they are decoded
        bounds.little_memory(len(data), file.pixels, file.pixels * bounds.stored(image.mode) + file.needs)
    if image.format == "PNG":
        check_png(data)
    return image


def content_of(image: Image.Image) -> bounds.Content | None:
    """The file that an image is about to be decoded from; None for one that has its pixels."""
    file = getattr(image, "fp", None)
    return file if isinstance(file, bounds.Content) else None


def check_png(data: bytes) -> None:
    """Compare the CRC-32 of each chunk, which Pillow doesn't for pixels: flipped bits would go unnoticed."""
    view = memoryview(data)
    place, kind = 8, b""
    for _ in range(bounds.MOST_READS):
        if kind == b"IEND":
            return
        length, kind = int.from_bytes(view[place : place + 4], "big"), bytes(view[place + 4 : place + 8])
        end = place + 8 + length
        if len(view) < end + 4:
            raise BadPicture(bounds.TRUNCATED)
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise BadPicture("it is damaged (a checksum inside the file is wrong)")
        place = end + 4
    raise bounds.too_many_pieces()


def undecoded(image: Image.Image) -> bytes | None:
    """The file behind an image that Pillow opened but hasn't decoded, so that it is decoded as its path would be."""
    file = getattr(image, "fp", None)
    if file is None or not getattr(image, "tile", None) or image.format not in (*FORMATS, "MPO") or image.tell():
        return None
    place = file.tell()
    file.seek(0)
    raw: bytes = file.read(bounds.MOST_BYTES + 1)
    file.seek(place)
    return raw


def from_array(pixels: np.ndarray) -> Image.Image:
    """An image of a uint8 array (H, W), (H, W, 1) or (H, W, 3)."""
    if pixels.dtype != np.uint8:
        raise BadPicture(f"its pixels are {pixels.dtype}, not uint8", "give uint8 from 0 to 255")
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    if not (flat.ndim == 2 or (flat.ndim == 3 and flat.shape[2] == 3)):
        raise BadPicture(f"its shape is {pixels.shape}", "give (H, W), (H, W, 1) or (H, W, 3)")
    return Image.fromarray(np.ascontiguousarray(flat))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or where the EXIF block is nonsense."""
    if image.format == "PNG" and "exif" not in image.info:
        image.load()  # as Pillow would to find its EXIF, but what is wrong with the pixels is told
    bounds.little_exif(bounds.exif_of(image))  # of a PNG, it may stand behind the pixels
    try:
        return int(image.getexif().get(0x0112, 1))
    except MemoryError:
        raise
    except Exception:  # damaged EXIF says nothing about the pixels, which may be fine
        return 1


def colour(name: str, mode: str) -> Any:
    """A colour as Pillow wants it for a mode."""
    return ImageColor.getcolor(name, mode)


def explained(error: Exception) -> BadPicture:
    """A library's exception as reason and mend."""
    if isinstance(error, FileNotFoundError):
        return BadPicture("there is no such file", "check the path")
    if isinstance(error, IsADirectoryError):
        return BadPicture("it is a folder", "give one picture in it")
    if isinstance(error, OSError) and error.strerror:
        return BadPicture(error.strerror.lower(), "check the path and its permissions")
    if isinstance(error, UnidentifiedImageError):
        return BadPicture(
            "it is damaged, or no picture of a format neocog reads (PNG, JPEG, GIF, BMP, WebP, TIFF, PPM)",
            "save it as PNG or JPEG",
        )
    if isinstance(error, Image.DecompressionBombError):
        return BadPicture(f"it has more than the {bounds.LIMIT // 1_000_000} megapixels allowed", "scale it down first")
    text = shown(" ".join(str(error).split())[:200]) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return BadPicture(bounds.TRUNCATED)
    return BadPicture(f"it is damaged ({text})")
