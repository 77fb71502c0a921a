"""What each picture file is, found before a training: damaged, misnamed, turned, transparent, tiny, huge.

Every file is decoded through the same door as for training, so that what is said here is what training meets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median_low
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neocog.data.bounds import REPLACE, BadPicture
from neocog.data.dataset import Progress
from neocog.data.decode import Preprocess, is_grey, orientation, quiet_pillow, read
from neocog.data.findings import SHOWN, Finding, Level, count_of, listed, quoted
from neocog.data.plain import bands
from neocog.data.threads import over_cores

HUGE = 25_000_000  # pixels: a second or so of decoding and 75 MB of memory each, for a picture that is then scaled down
NARROW = 2  # how much wider or higher than the wanted shape: from here on, the crop throws away more than it keeps
BLURRED = 2  # how many times a picture is enlarged before that is a warning: three pixels of four are then made up
EXTENSIONS = {
    "PNG": ("png", "apng"),
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "MPO": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "WEBP": ("webp",),
    "TIFF": ("tif", "tiff"),
    "PPM": ("ppm", "pgm", "pbm", "pnm"),
}
# A phone's JPEG (MPO) may hold several, too, but those are previews of itself or depths, no animation.
COUNTED = ("PNG", "WEBP")  # the header tells how many frames there are
CHAINED = ("GIF", "TIFF")  # each frame leads to the next
# The raw pictures of cameras are TIFF by their content, but what can be read of them is a preview.
RAW = frozenset(("dng", "nef", "nrw", "cr2", "arw", "sr2", "pef", "orf", "rw2", "3fr", "iiq"))

# The size is of no matter here; one that is small lets large JPEGs be decoded as fast as for training.
_LOOK = Preprocess((64, 64), 3, "stretch")


@dataclass(frozen=True)
class Inspected:
    """What one file is.

    Attributes:
        name: relative to the data set's root, "/" between folders.
        bytes: its length.
        format: "PNG", "JPEG", … by its content; None if that is no picture.
        size: (height, width) in pixels, as stored: before it is turned upright.
        mode: how Pillow holds it: "L" grey, "RGB", "P" palette, "I;16", …
        bits: of each number that is stored for a pixel.
        orientation: by EXIF, 1 (upright) to 8.
        frames: how many pictures are in the file: of an animation, or pages.
        alpha: some of it is transparent.
        cmyk: its colours are those of printing.
        reason, mend: why it can't be read and what to do, in training's words; None if it can.
    """

    name: str
    bytes: int
    format: str | None = None
    size: tuple[int, int] | None = None
    mode: str | None = None
    bits: int | None = None
    orientation: int = 1
    frames: int = 1
    alpha: bool = False
    cmyk: bool = False
    reason: str | None = None
    mend: str | None = None

    @property
    def extension(self) -> str:
        """What the name says it is: "jpg"."""
        return PurePosixPath(self.name).suffix.removeprefix(".").lower()

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) after it is turned upright; (0, 0) where it can't be read."""
        height, width = self.size or (0, 0)
        return (width, height) if self.orientation in (5, 6, 7, 8) else (height, width)


def inspected(root: Path, name: str, preprocess: Preprocess = _LOOK, out: NDArray[np.uint8] | None = None) -> Inspected:
    """What the file `name` below `root` is; a bad picture is described, never raised.

    Its pixels, prepared so, are written into `out` (H, W, C), so that one decoding is enough for who needs both;
    what can't be read leaves `out` as it was.
    """
    path, facts = root / name, dict[str, Any]()

    def look(image: Image.Image) -> np.ndarray:
        # What the header tells is kept even where the pixels turn out to be damaged.
        facts.update(_header(image))
        clear = image.has_transparency_data
        pixels = preprocess.fitted(image)
        facts.update(alpha=clear)
        return pixels

    try:
        length = path.stat().st_size
    except (OSError, ValueError):
        length = 0
    try:
        pixels = read(path, look)
    except BadPicture as error:
        return Inspected(name, length, **facts, reason=error.reason, mend=error.mend)
    if out is not None:
        out[...] = pixels
    if facts["alpha"]:
        facts["alpha"] = _asked(path, _see_through, True)
    if facts["format"] in CHAINED:
        facts["frames"] = _asked(path, lambda image: getattr(image, "n_frames", 1), 1)
    return Inspected(name, length, **facts)


def _header(image: Image.Image) -> dict[str, Any]:
    """What is known before a pixel is decoded."""
    format, size, mode, bits = image.format, image.size, image.mode, _bits(image)
    turn = orientation(image)  # last, as Pillow decodes a PNG to look for it
    # Pillow tells a TIFF's size as it is after turning.
    turned = format == "TIFF" and turn in (5, 6, 7, 8)
    return {
        "format": format,
        "size": size if turned else size[::-1],
        "mode": mode,
        "cmyk": mode == "CMYK",
        "bits": bits,
        "orientation": turn if 1 <= turn <= 8 else 1,  # any other number means nothing
        "frames": getattr(image, "n_frames", 1) if format in COUNTED else 1,
    }


def _asked(path: Path, question: Callable[[Image.Image], Any], otherwise: Any) -> Any:
    """What a second look tells, as the first has closed the picture; `otherwise` where that fails, unlike the first."""
    answer = otherwise

    def look(image: Image.Image) -> np.ndarray:
        nonlocal answer
        answer = question(image)
        return np.zeros(0, np.uint8)

    with suppress(BadPicture):  # what stands behind the first frame may be damaged, and is not used
        read(path, look)
    return answer


def inspect_all(root: Path, names: Sequence[str], progress: Progress | None = None) -> list[Inspected]:
    """What each file is, in their order, over all cores."""
    with quiet_pillow():
        pieces = over_cores(
            lambda piece: [inspected(root, names[index]) for index in piece],
            len(names),
            "inspecting pictures",
            progress,
        )
    return [each for piece in pieces for each in piece]


def unused_pictures(root: Path, names: Sequence[str], progress: Progress | None = None) -> list[Inspected]:
    """Those of the files which training passes by for their extensions, though their content is a picture it reads."""
    some = [name for name in names if PurePosixPath(name).suffix.removeprefix(".").lower() not in RAW]
    return [each for each in inspect_all(root, some, progress) if each.format is not None]


def _bits(image: Image.Image) -> int:
    """How many bits each stored number has; Pillow's mode doesn't tell, as 16-bit RGB is read as 8-bit."""
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return int(np.max(tags.get(258, 1)))
    tiles: list[Any] = getattr(image, "tile", [])
    packed = tiles[0][3] if tiles else ""  # as Pillow calls them: "RGB;16B", or of a PPM with the value of white
    if image.format == "PPM" and isinstance(packed, tuple):
        return int(packed[-1]).bit_length()
    stated = re.search(r";(\d+)", packed) if image.format in ("PNG", "PPM") and isinstance(packed, str) else None
    return int(stated[1]) if stated else 1 if image.mode == "1" else 8


def _see_through(image: Image.Image) -> bool:
    """Whether any pixel is transparent; many pictures carry an alpha channel that is all opaque."""
    image.load()
    clear = image.info.get("transparency")
    if image.mode.startswith("I") and isinstance(clear, int):
        return any(bool((np.asarray(image.crop(box)) == clear).any()) for box in bands(image))
    return any(image.crop(box).convert("RGBA").getchannel("A").getextrema() != (255, 255) for box in bands(image))


def file_findings(
    files: Sequence[Inspected], image_size: tuple[int, int], unused: Sequence[Inspected] = ()
) -> list[Finding]:
    """What the owner of these files should know, one finding a kind: errors, which stop a training, first.

    Args:
        files: what `inspect_all` gave.
        image_size: (height, width) that pictures are trained at.
        unused: what `unused_pictures` gave.
    """
    good = [each for each in files if each.reason is None]
    found = [*_unreadable(files), *_unused(unused), *_enlarged(good, image_size), *_cut(good, image_size), *_huge(good)]
    for kind, level, has, what, then in _KINDS:
        some = [each for each in good if has(each)]
        if some:
            names = [each.name for each in some]
            text = f"{count_of(len(some), 'picture')} {what}: {listed(names)}; {then}"
            found.append(Finding(kind, level, text, tuple(names)))
    order = ("error", "warning", "note")
    return sorted([*found, *_mixed(good)], key=lambda finding: order.index(finding.level))


def _is_misnamed(each: Inspected) -> bool:
    return each.format in EXTENSIONS and each.extension not in EXTENSIONS[each.format]


# kind, level, which files, what they are, what becomes of them
_KINDS: tuple[tuple[str, Level, Callable[[Inspected], bool], str, str], ...] = (
    (
        "animated",
        "warning",
        lambda each: each.frames > 1,
        "with more than one frame or page",
        "only the first is used: save the others as files of their own if they matter",
    ),
    (
        "cmyk",
        "note",
        lambda each: each.cmyk,
        "in CMYK, made for printing",
        "made RGB without a colour profile: save as RGB if the exact colours matter",
    ),
    (
        "alpha",
        "note",
        lambda each: each.alpha,
        "transparent in places",
        "laid over the background colour, white unless told",
    ),
    ("16-bit", "note", lambda each: (each.bits or 0) > 8, "with more than 8 bits a value", "scaled to 8 bits"),
    (
        "rotated",
        "note",
        lambda each: each.orientation != 1,
        "stored turned or mirrored, with a remark (EXIF) how to put that right",
        "turned upright",
    ),
    (
        "extension",
        "note",
        _is_misnamed,
        "of another format than the name says",
        "read by content, so training is not troubled, but other programs may be",
    ),
)


def _unreadable(files: Sequence[Inspected]) -> list[Finding]:
    """What stops a training, in its words."""
    kinds: dict[str, list[Inspected]] = {}
    for each in files:
        if each.reason is not None:
            kind = "truncated" if each.reason.startswith("it is truncated") else "unreadable"
            kinds.setdefault("empty-file" if each.reason.startswith("it is empty") else kind, []).append(each)
    found = []
    for kind, some in kinds.items():
        shown = "; ".join(f"{quoted(each.name)}: {each.reason}" for each in some[:SHOWN])
        more = f"; and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
        if len(some) == 1:
            text = f"cannot read {shown}; {some[0].mend or REPLACE}"
        else:
            text = f"cannot read {len(some)} of {len(files)} pictures: {shown}{more}; remove or replace them"
        found.append(Finding(kind, "error", text, tuple(each.name for each in some)))
    return found


def _unused(unused: Sequence[Inspected]) -> list[Finding]:
    """Pictures that nobody would see."""
    if not unused:
        return []
    shown = ", ".join(f"{quoted(each.name)} ({each.format})" for each in unused[:SHOWN])
    more = f" and {len(unused) - SHOWN} more" if len(unused) > SHOWN else ""
    holds = "1 file holds a picture" if len(unused) == 1 else f"{len(unused)} files hold pictures"
    them, their = ("it", "its name is") if len(unused) == 1 else ("them", "their names are")
    text = (
        f"{holds} but {their} not a picture's, so training passes {them} by: {shown}{more}; rename {them} to use {them}"
    )
    return [Finding("unused-pictures", "warning", text, tuple(each.name for each in unused))]


def _enlarged(good: Sequence[Inspected], image_size: tuple[int, int]) -> list[Finding]:
    """Pictures with fewer rows or columns than the network sees."""

    def times(each: Inspected) -> float:
        return max(wanted / side for wanted, side in zip(image_size, each.upright, strict=True))

    def is_odd(each: Inspected) -> bool:
        return any(2 * side < most for side, most in zip(each.upright, usual, strict=True))

    some = sorted((each for each in good if times(each) > 1), key=times, reverse=True)
    if not some:
        return []
    smallest, most = some[0].upright, times(some[0])
    usual = (median_low(each.upright[0] for each in good), median_low(each.upright[1] for each in good))
    some.sort(key=is_odd, reverse=True)
    names, odd = [each.name for each in some], sum(map(is_odd, some))
    level: Level = "warning" if most > BLURRED else "note"
    they = ("is", "it is") if len(some) == 1 else ("are", "they are")
    text = (
        f"{count_of(len(some), 'picture')} {they[0]} smaller than {_by(image_size)}, the smallest {_by(smallest)}:"
        f" {listed(names)}; {they[1]} enlarged"
    )
    size = min(usual) if min(usual) < min(image_size) else min(smallest)
    if level == "warning":
        text += (
            f", up to {most:.3g} times, and will be blurred: train smaller, --set dataset.image_size={size},"
            " or take larger pictures"
        )
    if 0 < odd < len(good):
        text += f"; the first {'is' if odd == 1 else f'{odd:,} are'} less than half of the usual {_by(usual)}"
    return [Finding("tiny", level, text, tuple(names))]


def _huge(good: Sequence[Inspected]) -> list[Finding]:
    """Pictures that take long to decode, the largest first."""
    some = sorted((each for each in good if _area(each) > HUGE), key=_area, reverse=True)
    if not some:
        return []
    names = [each.name for each in some]
    text = (
        f"{count_of(len(some), 'picture')} of more than {HUGE // 1_000_000} megapixels, the largest"
        f" {_by(some[0].upright)}: {listed(names)}; slow to decode, which is done once: smaller copies would train"
        " alike"
    )
    return [Finding("huge", "note", text, tuple(names))]


def _cut(good: Sequence[Inspected], image_size: tuple[int, int]) -> list[Finding]:
    """Pictures of which cropping to the wanted shape leaves less than half."""
    wanted = image_size[1] / image_size[0]

    def stretch(each: Inspected) -> float:
        shape = each.upright[1] / each.upright[0] / wanted
        return max(shape, 1 / shape)

    some = sorted((each for each in good if stretch(each) > NARROW), key=stretch, reverse=True)
    if not some:
        return []
    names = [each.name for each in some]
    are = "is" if len(some) == 1 else "are"
    text = (
        f"{count_of(len(some), 'picture')} {are} more than {NARROW} times as wide or as high as the shape of"
        f" {_by(image_size)}: {listed(names)}; resize = crop cuts more than half away, resize = letterbox keeps all"
    )
    return [Finding("narrow", "note", text, tuple(names))]


def _mixed(good: Sequence[Inspected]) -> list[Finding]:
    """Pictures that differ in size, or in whether they have colours."""
    found = []
    sizes = {each.upright for each in good}
    if len(sizes) > 1:
        ends = [pick(good, key=lambda each: (_area(each), each.upright)) for pick in (min, max)]
        least, most = (f"{_by(each.upright)} ({quoted(each.name)})" for each in ends)
        text = f"pictures have {len(sizes)} sizes, from {least} to {most}; all are made one size"
        found.append(Finding("sizes", "note", text))
    grey = [each.name for each in good if _grey(each)]
    if 0 < len(grey) < len(good):
        text = (
            f"{len(grey)} of {len(good)} pictures {'is' if len(grey) == 1 else 'are'} stored in grey, the others in"
            f" colours: {listed(grey)}; all are made alike"
        )
        found.append(Finding("colours", "note", text, tuple(grey)))
    return found


def _grey(each: Inspected) -> bool:
    return is_grey(Image.new(each.mode, (0, 0))) if each.mode else False


def _area(each: Inspected) -> int:
    """Pixels."""
    return each.upright[0] * each.upright[1]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
