from __future__ import annotations

import io
import os
import socket
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import chunk, encoded, noise, raw_png
from PIL import Image

from neocog.data import bounds, decode, room
from neocog.data.decode import Preprocess, quiet_pillow
from neocog.errors import DataError, PictureError
from neocog.untrusted import shown

RGB = Preprocess((8, 8), 3)
GREY = Preprocess((8, 8), 1)
FORMATS = "(PNG, JPEG, GIF, BMP, WebP, TIFF, PPM)"
REPLACE = "remove it, or replace it by an intact copy"


def flat(color: object, mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new(mode, size, color)  # type: ignore[arg-type]


def one(pixels: np.ndarray) -> list[int]:
    """The colour of a picture of one colour."""
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_every_format_from_bytes_path_and_image(kind: str, tmp_path: Path) -> None:
    data = encoded(flat((200, 100, 50)), kind, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / "picture.dat"  # the content tells the format, not the name
    path.write_bytes(data)
    got = RGB(data)
    assert got.shape == (8, 8, 3) and got.dtype == np.uint8
    assert np.abs(got.astype(int) - [200, 100, 50]).max() <= (2 if kind == "JPEG" else 0)
    np.testing.assert_array_equal(RGB(path), got)
    np.testing.assert_array_equal(RGB(str(path)), got)
    with Image.open(path) as image:
        np.testing.assert_array_equal(RGB(image), got)


def test_pixels_of_the_right_size_are_kept_exactly() -> None:
    pixels = noise(1, (8, 8))
    np.testing.assert_array_equal(RGB(encoded(Image.fromarray(pixels), "PNG")), pixels)
    np.testing.assert_array_equal(RGB(pixels), pixels)
    np.testing.assert_array_equal(GREY(pixels[..., :1]), pixels[..., :1])


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (encoded(flat(1, "1"), "PNG"), 255),
        (encoded(flat(7, "L"), "PNG"), 7),
        (raw_png(8, 8, 2, 0, b"\x55\x55"), 85),
        (encoded(flat((9, 20, 30)).quantize(2), "PNG"), [9, 20, 30]),
        (encoded(flat((0, 255, 255, 0), "CMYK"), "TIFF"), [255, 0, 0]),
        (encoded(Image.fromarray(np.full((8, 8), 40000, np.uint16)), "PNG"), 156),
        (encoded(Image.fromarray(np.full((8, 8), 65535, np.uint16)), "TIFF"), 255),
        (encoded(Image.fromarray(np.full((8, 8), 300, np.uint16)), "PPM"), 1),
        (b"P5 8 8 4095\n" + struct.pack(">H", 4095) * 64, 255),
        (b"P2 1 1 100\n50\n", 128),
        (raw_png(8, 8, 16, 2, struct.pack(">HHH", 40000, 20000, 0) * 8), [156, 78, 0]),
        (raw_png(8, 8, 16, 4, struct.pack(">HH", 40000, 65535) * 8), 156),
    ],
    ids=["1bit", "grey", "2bit", "palette", "cmyk", "16png", "16tiff", "16pgm", "12pgm", "ascii", "16rgb", "16la"],
)
def test_colour_models_become_8_bits(data: bytes, color: int | list[int]) -> None:
    assert one(RGB(data)) == (color if isinstance(color, list) else [color] * 3)


def test_cmyk_jpeg_keeps_its_colours() -> None:
    got = RGB(encoded(flat((0, 255, 255, 0), "CMYK"), "JPEG", quality=95))
    assert np.abs(got.astype(int) - [255, 0, 0]).max() <= 8


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
    got = GREY(encoded(Image.fromarray(ramp), "PNG"))[..., 0]
    np.testing.assert_array_equal(got, np.round(ramp / 257).astype(np.uint8))


PALETTE = flat((10, 20, 30)).quantize(2)
CLEAR_16 = raw_png(8, 8, 16, 0, struct.pack(">H", 40000) * 8, chunk(b"tRNS", struct.pack(">H", 40000)))


@pytest.mark.parametrize(
    "data",
    [
        encoded(flat((0, 0, 0, 0), "RGBA"), "PNG"),
        encoded(flat((0, 0), "LA"), "PNG"),
        encoded(flat(7, "L"), "PNG", transparency=7),
        encoded(flat((1, 2, 3)), "PNG", transparency=(1, 2, 3)),
        encoded(PALETTE, "PNG", transparency=bytes([0, 0])),
        encoded(PALETTE, "GIF", transparency=0),
        encoded(flat((0, 0, 0, 0), "RGBA"), "WEBP", lossless=True),
        encoded(flat((0, 0, 0, 0), "RGBA"), "TIFF"),
        CLEAR_16,
    ],
    ids=["rgba", "la", "grey", "rgb", "palette", "gif", "webp", "tiff", "grey16"],
)
def test_transparency_shows_the_background(data: bytes) -> None:
    assert one(RGB(data)) == [255, 255, 255]
    assert one(Preprocess((8, 8), 3, background="#102030")(data)) == [16, 32, 48]
    assert one(Preprocess((8, 8), 1, background="black")(data)) == [0]


def test_half_transparent_black_over_white_is_grey() -> None:
    assert one(RGB(encoded(flat((0, 0, 0, 128), "RGBA"), "PNG"))) == [127, 127, 127]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animated_files_give_their_first_frame(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(flat("red"), kind, save_all=True, append_images=[flat("blue")], **options)
    assert one(RGB(data)) == [255, 0, 0]


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_applied(turn: int) -> None:
    upright = noise(3, (8, 6), 1)
    # What a camera stores so that the orientation brings it back.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.fromarray(np.ascontiguousarray(stored))
    data = encoded(image, "PNG", exif=exif)
    np.testing.assert_array_equal(Preprocess((8, 6), 1)(data)[..., 0], upright)


def test_orientation_and_early_shrinking_agree() -> None:
    """A portrait stored lying down gives what the upright picture gives."""
    upright = Image.fromarray(noise(4, (80, 60))).resize((600, 800), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=98, exif=exif)
    prepare = Preprocess((20, 40), 3)  # 1/4 suits it, but 1/8 would if height and width were mixed up
    plain = encoded(upright, "JPEG", quality=98)
    assert np.abs(prepare(lying).astype(int) - prepare(plain)).max() <= 3


def test_jpeg_shrunk_while_decoding_is_close_to_shrinking_later() -> None:
    image = Image.fromarray(noise(5, (30, 40))).resize((1600, 1200), Image.Resampling.BICUBIC)
    data = encoded(image, "JPEG", quality=95)
    prepare = Preprocess((32, 32), 3)
    decoded = Image.open(io.BytesIO(data))
    decoded.load()
    assert np.abs(prepare(data).astype(int) - prepare(decoded)).max() <= 4
    # An image that Pillow opened and hasn't decoded gives exactly what its file gives, and isn't touched.
    lazy = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(prepare(lazy), prepare(data))
    assert lazy.size == (1600, 1200)


def test_damaged_exif_does_not_hide_a_good_picture() -> None:
    data = encoded(flat((5, 6, 7)), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert one(RGB(data)) == [5, 6, 7]


# left half black, right half white, twice as wide as high
HALVES = Image.fromarray(np.repeat(np.array([[0] * 8 + [255] * 8], np.uint8), 8, axis=0))


def test_resize_crop_letterbox_stretch() -> None:
    crop = Preprocess((4, 4), 1)(HALVES)[..., 0]
    assert crop[:, 0].max() < 30 and crop[:, -1].min() > 225
    stretch = Preprocess((8, 4), 1, "stretch")(HALVES)[..., 0]
    assert stretch.shape == (8, 4) and stretch[0, 0] < 60 and stretch[-1, -1] > 195
    box = Preprocess((8, 8), 1, "letterbox", "#808080")(HALVES)[..., 0]
    assert (box[:2] == 128).all() and (box[6:] == 128).all()
    assert box[3, 0] < 30 and box[3, 7] > 225


def test_shrinking_is_smooth() -> None:
    """A fine chequerboard becomes grey, not one of its colours."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(GREY(board).astype(int) - 127).max() <= 3


def test_extreme_shapes() -> None:
    assert one(RGB(encoded(flat("red", size=(1, 5000)), "PNG"))) == [255, 0, 0]
    assert Preprocess((8, 8), 3, "letterbox")(flat("red", size=(1, 5000))).shape == (8, 8, 3)


def test_many_resizes_arrays_and_leaves_fitting_ones_alone() -> None:
    pictures = np.stack([noise(seed, (8, 8)) for seed in range(3)])
    assert RGB.many(pictures) is pictures
    told: list[tuple[str, int, int]] = []
    got = Preprocess((4, 4), 1).many(pictures, lambda *step: told.append(step))
    np.testing.assert_array_equal(got[1], Preprocess((4, 4), 1)(pictures[1]))
    assert told == [("resizing pictures", 3, 3)]


def test_many_may_be_more_than_fits_into_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.stack([noise(seed, (8, 8)) for seed in range(70)])
    prepare = Preprocess((5, 6), 3)
    plain = prepare.many(pictures)
    monkeypatch.setattr(room, "IN_MEMORY", 100)
    told: list[tuple[str, int, int]] = []
    mapped = prepare.many(pictures, lambda *step: told.append(step))
    assert isinstance(mapped, np.memmap) and not isinstance(plain, np.memmap)
    np.testing.assert_array_equal(mapped, plain)
    np.testing.assert_array_equal(plain[69], prepare(pictures[69]))
    assert told == [("resizing pictures", done, 70) for done in (32, 64, 70)]


def test_many_refuses_pictures_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LIMIT", 50)
    with pytest.raises(PictureError, match=r"^cannot read the ndarray picture: .*; scale it down first$"):
        Preprocess((4, 4), 3).many(noise(0, (2, 8, 8)))


def whole(kind: str, **options: object) -> bytes:
    return encoded(Image.fromarray(noise(6, (32, 32))), kind, **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "PPM", "GIF"])
@pytest.mark.parametrize("kept", [0.5, 0.9, -2])
def test_truncated_pictures_are_refused(kind: str, kept: float) -> None:
    data = whole(kind)
    if kind == "GIF" and kept < 0:
        kept = -4  # its last two bytes only close the file
    cut = data[: int(len(data) * kept)] if kept > 0 else data[: int(kept)]
    with pytest.raises(PictureError) as error:
        RGB(cut)
    assert str(error.value) == (f"cannot read the bytes picture: it is truncated: the file ends too early; {REPLACE}")


@pytest.mark.parametrize("data", [whole("WEBP")[:-30], whole("TIFF", compression="tiff_lzw")[:-400]])
def test_other_damage_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match=r"^cannot read the bytes picture: it is damaged"):
        RGB(data)


def test_one_flipped_bit_in_a_png_is_found() -> None:
    data = bytearray(whole("PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(PictureError) as error:
        RGB(bytes(data))
    assert str(error.value) == (
        f"cannot read the bytes picture: it is damaged (a checksum inside the file is wrong); {REPLACE}"
    )


UNREADABLE = {
    "no such file": (None, "there is no such file; check the path"),
    "zero bytes": (b"", f"it is empty (0 bytes); {REPLACE}"),
    "html": (
        b"<html><body>404</body></html>",
        f"it is damaged, or no picture of a format neocog reads {FORMATS}; save it as PNG or JPEG",
    ),
    "icon": (
        encoded(flat("red", size=(16, 16)), "ICO"),
        f"it is damaged, or no picture of a format neocog reads {FORMATS}; save it as PNG or JPEG",
    ),
    "float": (
        encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
        "its pixels are floating-point numbers whose range nothing states; save it with 8 or 16 bits",
    ),
    "32 bits": (
        encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"),
        "its pixels are 32-bit integers whose range nothing states; save it with 8 or 16 bits",
    ),
    "large": (
        raw_png(12000, 9000, 1, 0, b"", rows=0),
        "it is 12000 × 9000 pixels, more than the 100 megapixels allowed; scale it down first",
    ),
    "absurd": (
        raw_png(60000, 60000, 1, 0, b"", rows=0),
        "it has more than the 100 megapixels allowed; scale it down first",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_named(case: str, tmp_path: Path) -> None:
    data, reason = UNREADABLE[case]
    path = tmp_path / "x.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(PictureError) as error:
        RGB(path)
    assert str(error.value) == f"cannot read '{path}': {reason}"


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(PictureError) as error:
        RGB(tmp_path)
    assert str(error.value) == f"cannot read '{tmp_path}': it is a folder; give one picture in it"


def test_images_out_of_range_are_refused() -> None:
    with pytest.raises(PictureError) as error:
        RGB(Image.fromarray(np.full((2, 2), 70000, np.int32)))
    assert str(error.value) == (
        "cannot read the Image picture: its pixels run from 70000 to 70000, outside 0 to 65535;"
        " save it with 8 or 16 bits"
    )


def test_arrays_of_other_kinds_are_refused() -> None:
    with pytest.raises(PictureError) as error:
        RGB(np.ones((4, 4)))
    assert str(error.value) == (
        "cannot read the ndarray picture: its pixels are float64, not uint8; give uint8 from 0 to 255"
    )
    with pytest.raises(PictureError) as error:
        RGB(np.ones((4, 4, 2), np.uint8))
    assert str(error.value) == (
        "cannot read the ndarray picture: its shape is (4, 4, 2); give (H, W), (H, W, 1) or (H, W, 3)"
    )


@pytest.mark.parametrize("raised", [SyntaxError("x"), struct.error("x"), IndexError("x"), KeyError("x")])
def test_whatever_a_decoder_raises_becomes_one_line(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise raised

    monkeypatch.setattr(decode, "plain_image", broken)
    with pytest.raises(PictureError, match=r"^cannot read the bytes picture: it is damaged \('?x'?\); remove it"):
        RGB(whole("PNG"))


def test_memory_that_runs_out_is_not_the_pictures_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode, "plain_image", full)
    for ask in (RGB, RGB.pixels, decode.whole):
        monkeypatch.setattr(decode, "pixels_of", full)
        with pytest.raises(PictureError) as error:
            ask(whole("PNG"))
        assert str(error.value) == (
            "cannot read the bytes picture: too little memory is free, of which a picture may take 450 MB;"
            " close other programs, or scale large pictures down"
        )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"image_size": (0, 4)}, "image_size = (0, 4) is not a size; give a number, or (height, width)"),
        ({"channels": 2}, "channels = 2 is not understood; give 1 for grey or 3 for RGB"),
        (
            {"resize": "krop"},
            "unknown resize 'krop'; did you mean 'crop'? Known: crop, letterbox, stretch",
        ),
        (
            {"background": "whit"},
            "background = 'whit' is not a colour; give a name such as white, or #rrggbb",
        ),
    ],
)
def test_settings_are_checked(given: dict[str, object], text: str) -> None:
    with pytest.raises(DataError) as error:
        Preprocess(**{"image_size": (4, 4), "channels": 1, **given})  # type: ignore[arg-type]
    assert str(error.value) == text


def test_warnings_are_left_as_found_even_among_threads() -> None:
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(50):
            with quiet_pillow():
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_tiff_is_turned_once(turn: int) -> None:
    """Pillow turns a TIFF itself as it decodes it, and no other format."""
    upright = noise(7, (8, 6), 1)
    exif = Image.Exif()
    exif[0x0112] = turn
    as_png = encoded(Image.fromarray(upright), "PNG", exif=exif)
    as_tiff = encoded(Image.fromarray(upright), "TIFF", tiffinfo={0x0112: turn})
    np.testing.assert_array_equal(decode.whole(as_tiff), decode.whole(as_png))
    np.testing.assert_array_equal(GREY(as_tiff), GREY(as_png))


def refusal(data: bytes, prepare: object = RGB) -> str:
    """Why a file isn't read."""
    with pytest.raises(PictureError) as error:
        prepare(data)  # type: ignore[operator]
    return str(error.value).removeprefix("cannot read the bytes picture: ")


PIECES = "it is cut into too many pieces to be a picture; save it anew as PNG or JPEG"
TRUNCATED = f"it is truncated: the file ends too early; {REPLACE}"
HEAD = raw_png(8, 8, 8, 0, bytes(8))[:33]  # signature and IHDR
TAIL = raw_png(8, 8, 8, 0, bytes(8))[33:]


def bmp(width: int, height: int, bits: int, compression: int, body: bytes) -> bytes:
    """A BMP with any header, and 256 colours where it has eight bits."""
    colours = 256 if bits == 8 else 0
    start = 54 + 4 * colours
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, colours, 0)
    return (
        b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + bytes(range(256)) * (colours // 64) + body
    )


def tiff(*tags: tuple[int, int, int, int], body: bytes = b"") -> bytes:
    """A TIFF of 8 × 8 grey pixels with more tags: (tag, type, count, value or place)."""
    usual = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 277: 1, 278: 8, 279: 64}
    entries = {tag: (tag, 4, 1, value) for tag, value in usual.items()} | {each[0]: each for each in tags}
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries.setdefault(273, (273, 4, 1, start))
    return (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(entries))
        + b"".join(struct.pack("<HHII", *entries[tag]) for tag in sorted(entries))
        + bytes(4)
        + bytes(64)
        + body
    )


def test_the_tiff_of_these_tests_is_one() -> None:
    assert decode.whole(tiff()).shape == (8, 8, 1)


HOSTILE = {
    "webp canvas": (
        b"RIFF" + struct.pack("<I", 90) + b"WEBPVP8X" + struct.pack("<II", 10, 16) + b"\xff\xff\0" * 2 + bytes(60),
        "it is 65536 × 65536 pixels, more than the 100 megapixels allowed; scale it down first",
    ),
    "webp memory": (
        b"RIFF" + struct.pack("<I", 90) + b"WEBPVP8L" + struct.pack("<IBI", 10, 0x2F, 5999 | 5999 << 14) + bytes(60),
        "to read its 36 megapixels takes 720 MB of memory, more than the 450 MB allowed;"
        " scale it down to 22.4 megapixels first",
    ),
    "gif frame beyond its screen": (
        b"GIF89a\x08\0\x08\0\0\0\0!\xf9\x04\x08\0\0\0\0,"
        + struct.pack("<4HB", 50000, 50000, 60000, 60000, 0)
        + b"\x02\0;",
        "it is 110000 × 110000 pixels, more than the 100 megapixels allowed; scale it down first",
    ),
    "png with a long EXIF": (
        HEAD + chunk(b"eXIf", b"II*\0" + bytes(1_000_000)) + TAIL,
        "its EXIF block has more than 1 MB; save it anew without it",
    ),
    "jpeg with a long EXIF in pieces": (
        b"\xff\xd8" + (b"\xff\xe1" + struct.pack(">H", 65_008) + b"Exif\0\0" + bytes(65_000)) * 16,
        "its EXIF block has more than 1 MB; save it anew without it",
    ),
    "bmp that jumps": (
        bmp(9000, 9000, 8, 1, b"\0\2\xff\xff" * 10),
        "it is a run-length encoded BMP too large to be read; save it as PNG",
    ),
    "bmp that claims": (bmp(9000, 9000, 24, 0, bytes(100)), TRUNCATED),
    "ppm that claims": (b"P6 9000 9000 255\n" + bytes(100), TRUNCATED),
    "ppm of an odd range that claims": (b"P6 4000 4000 100\n" + bytes(100), TRUNCATED),
    "text that claims": (b"P3 4000 4000 255\n1 2 3", TRUNCATED),
    "text of letters": (
        b"P2 2 2 9\n1 2 x 4",
        f"it is damaged (something other than digits among its pixels); {REPLACE}",
    ),
    "text too bright": (b"P2 2 2 9\n1 2 3 10", f"it is damaged (a pixel of 10, where 9 is the highest); {REPLACE}"),
    "bits of letters": (
        b"P1 2 2\n01 2 1",
        f"it is damaged (something other than 0 and 1 among its pixels); {REPLACE}",
    ),
    "tiff that claims": (tiff((256, 4, 1, 9000), (257, 4, 1, 9000)), TRUNCATED),
    "tiff of many strips": (
        tiff((273, 4, 9_000_000, 8)),
        "its tag 273 has 9000000 values; save it anew as PNG or JPEG",
    ),
    "tiff of many fractions": (tiff((282, 5, 90_000, 8)), "its tag 282 has 90000 values; save it anew as PNG or JPEG"),
    "tiff that begins with the other byte": (
        b"II\0*" + tiff((282, 5, 90_000, 8))[4:],
        "its tag 282 has 90000 values; save it anew as PNG or JPEG",
    ),
    "tiff that Pillow takes for a small one": (
        b"MM\0+\0\0\0\x08" + struct.pack(">HHHII", 1, 282, 5, 90_000, 8) + bytes(4),
        "its tag 282 has 90000 values; save it anew as PNG or JPEG",
    ),
    "tiff of many fractions below": (
        tiff((34665, 4, 1, 8 + 2 + 12 * 10 + 4 + 64), body=struct.pack("<HHHII", 1, 0x829A, 5, 90_000, 8) + bytes(4)),
        "its tag 33434 has 90000 values; save it anew as PNG or JPEG",
    ),
    "tiff of huge tiles": (
        tiff((259, 4, 1, 5), (322, 4, 1, 32768), (323, 4, 1, 32768), (324, 4, 1, 8), (325, 4, 1, 64)),
        "its tiles are 32768 × 32768 pixels, far larger than the picture; save it as PNG",
    ),
    "tiff of an odd compression": (tiff((259, 4, 1, 34925)), "it is a TIFF compressed by lzma; save it as PNG"),
    "tiff of endless tags": (
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1 << 40),
        f"it is damaged (a directory of 1099511627776 tags); {REPLACE}",
    ),
}


def tiff_of_overlapping_directories() -> bytes:
    """Each of its 2,000 tags leads to a directory of 34,665 that starts within it."""
    tags = b"".join(struct.pack("<HHII", 34665, 4, 1, 10 + 12 * place) for place in range(2_000))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 2_000) + tags + bytes(4)


def overlapping(count: int, size: int) -> bytes:
    """A TIFF's or EXIF's tags that all hold the same bytes: each would become a copy of them."""
    start = 10 + 12 * count + 4
    tags = b"".join(struct.pack("<HHII", 1000 + tag, 7, size, start) for tag in range(count))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + tags + bytes(4 + size)


OVER = "its tags hold the same bytes over and over; save it anew as PNG or JPEG"
EXIF = overlapping(500, 90_000)
AS_TEXT = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 1\n" + EXIF.hex().encode())
HOSTILE |= {
    "tiff of overlapping values": (overlapping(500, 90_000), OVER),
    "png of overlapping values": (HEAD + chunk(b"eXIf", EXIF) + TAIL, OVER),
    "png of overlapping values behind its pixels": (HEAD + TAIL[:-12] + chunk(b"eXIf", EXIF) + TAIL[-12:], OVER),
    "png of overlapping values as text": (HEAD + chunk(b"zTXt", AS_TEXT) + TAIL, OVER),
    "jpeg of overlapping values in pieces": (
        b"\xff\xd8"
        + b"".join(
            b"\xff\xe1" + struct.pack(">H", len(EXIF[k : k + 65_000]) + 8) + b"Exif\0\0" + EXIF[k : k + 65_000]
            for k in range(0, len(EXIF), 65_000)
        ),
        OVER,
    ),
}


def test_tags_that_share_a_little_are_read() -> None:
    """Twelve tags of 90,000 bytes hold less than a file and a megabyte; thirteen hold more."""
    shared = [(1000 + tag, 7, 90_000, 8) for tag in range(13)]
    assert decode.whole(tiff(*shared[:12], body=bytes(90_000))).shape == (8, 8, 1)
    assert refusal(tiff(*shared, body=bytes(90_000))) == OVER


def test_too_little_memory_for_exif_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(image: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "getexif", none_left)
    with pytest.raises(MemoryError):
        decode.orientation(flat((1, 2, 3)))


HOSTILE["tiff of directories in directories"] = (tiff_of_overlapping_directories(), PIECES)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_would_flood_the_memory_or_take_long_is_refused(case: str) -> None:
    data, reason = HOSTILE[case]
    assert refusal(data) == reason == refusal(data, decode.whole)


@pytest.mark.parametrize(
    "data",
    [
        HEAD + chunk(b"tESt", b"") * 60 + TAIL,
        HEAD + chunk(b"IDAT", b"") * 60 + TAIL,
        b"P6 #" + b"a" * 100 + b"\n8 8 255\n" + bytes(192),
        b"\xff\xd8\xff" + bytes(100),
        b"GIF89a\x08\0\x08\0\0\0\0!\xfe" + b"\1a" * 60 + b"\0,",
        b"GIF89a\x08\0\x08\0\0\0\0" + b"!\xfe\0" * 60 + b",",
    ],
    ids=["chunks", "empty chunks", "comment", "junk", "blocks", "empty blocks"],
)
def test_files_of_countless_pieces_are_given_up(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_READS", 50)
    assert refusal(data) == PIECES


def test_the_memory_that_the_answer_takes_counts() -> None:
    head = b"GIF89a" + struct.pack("<HH", 9900, 9900) + b"\x80\0\0" + bytes([1, 2, 3, 4, 5, 6])
    data = head + b"," + struct.pack("<4HB", 0, 0, 9900, 9900, 0) + b"\x02\0;"
    takes = (
        "to read its 98 megapixels takes {} MB of memory, more than the 450 MB allowed; scale it down to {} megapixels"
        " first"
    )
    # its numbers, a frame's worth of them, and 4 bytes for a colour, or 3 bytes of the array
    assert refusal(data) == takes.format(588, 74.9)
    assert refusal(data, decode.whole) == takes.format(490, 89.9)


@pytest.mark.parametrize(("side", "times"), [(32, 600), (3000, 300)])
def test_a_jpeg_of_countless_passes_is_refused(side: int, times: int) -> None:
    data = encoded(flat("red", size=(side, side)), "JPEG", progressive=True)
    last, passes = data.rindex(b"\xff\xda"), data.count(b"\xff\xda")
    again = data[:last] + data[last:-2] * times + data[-2:]
    text = f"it goes {passes - 1 + times} times over its pixels; save it anew as PNG or JPEG"
    assert refusal(again) == text
    assert one(RGB(data[:last] + data[last:-2] * 20 + data[-2:])) == one(RGB(data))


def test_text_pictures_keep_the_bits_that_pillow_gives_them() -> None:
    values = np.random.default_rng(8).integers(0, 1001, 24)
    text = b"P2 # a comment\n4 6 1000\n#another\n" + b"\n".join(b"%d" % value for value in values)
    binary = b"P5 4 6 1000\n" + values.astype(">u2").tobytes()
    for data in (text, binary, b"P3 4 2 200\n" + b" ".join(b"%d" % (value % 201) for value in values)):
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            np.testing.assert_array_equal(decode.whole(data), decode.whole(image))
    with Image.open(io.BytesIO(b"P1 3 2\n01 1#x\n0 0 1")) as image:
        assert decode.whole(b"P1 3 2\n01 1#x\n0 0 1")[..., 0].tolist() == np.asarray(image.convert("L")).tolist()
    assert decode.whole(b"P1 3 2\n01 1#x\n0 0 1")[..., 0].tolist() == [[255, 0, 0], [255, 255, 0]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB", "CMYK", "I;16", "1"])
def test_large_pictures_are_made_plain_band_by_band_to_the_same_bits(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(39 * 41, dtype=np.uint16).reshape(39, 41) * 40)
    else:
        image = Image.fromarray(noise(9, (39, 41), 4), "RGBA").convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (encoded(image, kind), encoded(image, kind, exif=exif)):
        at_once = [decode.whole(data), decode.whole(data, 3), Preprocess((9, 8), 1)(data)]
        with monkeypatch.context() as patch:
            patch.setattr("neocog.data.plain.BAND", 100)
            banded = [decode.whole(data), decode.whole(data, 3), Preprocess((9, 8), 1)(data)]
            for got, want in zip(banded, at_once, strict=True):
                np.testing.assert_array_equal(got, want)


def test_a_png_too_large_to_be_turned_is_refused_before_it_is_decoded() -> None:
    """Pillow decodes a PNG to look for its orientation."""
    data = raw_png(9000, 9000, 8, 6, bytes(4 * 9000), rows=1)  # its pixels are missing, which decoding would find
    for ask in (RGB, decode.whole):
        assert refusal(data, ask).startswith("to read its 81 megapixels takes "), ask
    exif = Image.Exif()
    exif[0x0112] = 6
    data = raw_png(
        9000, 7000, 8, 2, bytes(3 * 9000), chunk(b"eXIf", exif.tobytes()[6:]) + chunk(b"IDAT", b"no deflate"), rows=0
    )
    assert refusal(data).startswith("to read its 63 megapixels takes 504 MB of memory")


def test_the_largest_size_that_is_told_is_of_the_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MEMORY", 1_000_000)
    data = encoded(flat("red", size=(1000, 1000)), "JPEG", progressive=True, subsampling=0)
    assert refusal(data).startswith("to read its 1 megapixels takes 6 MB of memory")  # decoded at an eighth
    assert refusal(data).endswith("scale it down to 0.1 megapixels first")


def test_files_longer_than_any_picture_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 1_000_000)
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(1_000_001)
    for given in (path, path.read_bytes()):
        with pytest.raises(PictureError, match=r": the file has more than the 1 MB allowed; scale it down first$"):
            RGB(given)


def test_what_is_no_regular_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.relpath(tmp_path / "socket.png"))
    listener.close()
    expected = {
        "pipe.png": "it is a pipe; give a regular file",
        "zero.png": "it is a device; give a regular file",
        "socket.png": "it is a socket; give a regular file",
        "circle.png": "too many levels of symbolic links; check the path and its permissions",
        "no\0name.png": "there is no such file; check the path",
    }
    for name, reason in expected.items():
        with pytest.raises(PictureError) as error:
            RGB(tmp_path / name)
        assert str(error.value) == f"cannot read '{shown(tmp_path / name)}': {reason}"


def test_a_lazily_opened_image_passes_the_same_door() -> None:
    data = bytearray(whole("PNG"))
    data[len(data) // 2] ^= 1
    lazy = Image.open(io.BytesIO(bytes(data)))
    with pytest.raises(PictureError, match=r"it is damaged \(a checksum inside the file is wrong\)"):
        RGB(lazy)
    frames = Image.open(io.BytesIO(encoded(flat("red"), "GIF", save_all=True, append_images=[flat("blue")])))
    frames.seek(1)  # a frame that the caller chose is the one that counts
    assert one(RGB(frames)) == [0, 0, 255]


def test_libraries_below_pillow_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    refusal(tiff((259, 4, 1, 5)))  # zeros are no LZW
    refusal(tiff((277, 4, 1, 60000)))
    assert capfd.readouterr() == ("", "")
