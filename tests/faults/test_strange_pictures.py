"""Every file is answered by its pixels or by one clear line, soon and in little memory, whatever it holds."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tarfile
import zlib
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from measured import Cost, measured
from mutations import damaged, mutated, pictures, saved
from PIL import Image

from neocog.data.decode import Preprocess, whole
from neocog.errors import PictureError

SECONDS, MEGABYTES = 2, 500
VERSIONS = ("12.0.0", "13.0.0")  # of Pillow, whose own test images are read


def held(costs: list[Cost]) -> Counter[bool]:
    """How many were answered and refused, after a look at each."""
    wrong = [cost for cost in costs if not cost.clean or cost.seconds > SECONDS or cost.megabytes > MEGABYTES]
    assert not wrong, f"{len(wrong)} of {len(costs)}: {wrong[:5]}"
    return Counter(cost.answered for cost in costs)


def told(data: bytes, way: object) -> str:
    """The refusal's text, or nothing."""
    try:
        pixels = way(data)  # type: ignore[operator]
    except PictureError as error:
        return str(error)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)
    return ""


def test_the_seeds_are_whole_and_of_six_formats() -> None:
    found = pictures()
    assert {name.split()[0] for name in found} == {"PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"}
    for data in found.values():
        assert sorted(whole(data).shape[:2]) == [20, 24]


def test_mutations_repeat_and_differ() -> None:
    first = dict(mutated(60, seed=1))
    assert first == dict(mutated(60, seed=1)) != dict(mutated(60, seed=2))
    assert len(set(first.values())) > 55
    assert Counter(name.split("-")[1] for name in first) == dict.fromkeys(
        ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"), 10
    )
    assert damaged(b"", Random(0)) == b""


def test_damaged_pictures_are_answered_or_refused_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    texts = [told(data, way) for _, data in mutated(240) for way in (Preprocess((16, 16), 3), whole)]
    for text in filter(None, texts):
        assert text.startswith("cannot read the bytes picture: ") and "; " in text and text.isprintable(), text
    assert 100 < sum(not text for text in texts) < 400  # damage that shows, and damage that doesn't
    assert capfd.readouterr() == ("", "")


@pytest.mark.faults
def test_two_thousand_damaged_pictures(tmp_path: Path) -> None:
    paths = []
    for name, data in mutated(2000):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    found = held(measured(paths))
    assert found[True] > 500 and found[False] > 1000


@pytest.fixture(params=VERSIONS)
def pillow_images(request: pytest.FixtureRequest) -> Path:
    """The folder of Pillow's test images, from $PILLOW_IMAGES or from its source distribution, which pip fetches."""
    version = request.param
    if given := os.environ.get("PILLOW_IMAGES"):
        if version != VERSIONS[0]:
            pytest.skip("$PILLOW_IMAGES names one folder, which has been read already")
        return Path(given)
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("pillow")
    images = folder / f"pillow-{version}" / "Tests" / "images"
    if not images.is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", "pillow", "--no-deps"]
        done = subprocess.run(
            [*command, f"pillow=={version}", "--dest", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"pip can't have Pillow's sources: {done.stderr.strip()[-200:]}")
        with tarfile.open(folder / f"pillow-{version}.tar.gz") as archive:
            wanted = [each for each in archive.getmembers() if "/Tests/images/" in each.name]
            archive.extractall(folder, wanted, filter="data")
    return images


@pytest.mark.faults
def test_every_one_of_pillows_own_images(pillow_images: Path) -> None:
    paths = sorted(path for path in pillow_images.rglob("*") if path.is_file())
    found = held(measured(paths))
    assert found[True] > 1000 and found[False] > 300


def blank_png(width: int, height: int, bits: int, colour: int, channels: int) -> bytes:
    """A PNG of zeros, a thousandth of what it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row, packer = bytes(1 + width * channels * bits // 8), zlib.compressobj(1)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.faults
def test_large_pictures_made_of_little(tmp_path: Path) -> None:
    made = {
        "rgb100": blank_png(10000, 10000, 8, 2, 3),
        "rgba100": blank_png(10000, 10000, 8, 6, 4),
        "rgba48": blank_png(8000, 6000, 8, 6, 4),
        "deep100": blank_png(10000, 10000, 16, 0, 1),
        "grey100": blank_png(10000, 10000, 8, 0, 1),
        "gif": saved(Image.new("L", (10000, 10000)), "GIF"),
        "gif clear": saved(Image.new("L", (9000, 9000)), "GIF", transparency=0, disposal=2),
        "webp": saved(Image.new("RGB", (4000, 4000)), "WEBP", method=0),
        "webp lossless": saved(Image.new("RGBA", (4000, 4000)), "WEBP", lossless=True, quality=0, method=0),
        "jpeg": saved(Image.new("RGB", (10000, 10000)), "JPEG"),
        "progressive": saved(Image.new("RGB", (10000, 10000)), "JPEG", progressive=True),
        "tiff": saved(Image.new("RGB", (9900, 9900)), "TIFF", compression="tiff_lzw"),
        "tiff cmyk": saved(Image.new("CMYK", (7000, 7000)), "TIFF", compression="tiff_adobe_deflate"),
        "text": b"P2 4000 3900 9\n" + b"1 " * 15_600_000,
        "odd range": b"P6 6000 6000 100\n" + bytes(108_000_000),
    }
    paths = [tmp_path / name for name in made]
    for path, data in zip(paths, made.values(), strict=True):
        path.write_bytes(data)
    assert held(measured(paths))[True] > 15


@pytest.mark.faults
def test_large_honest_pictures_are_read(tmp_path: Path) -> None:
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = small.resize((8192, 6144), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "50.jpg", quality=92)
    photo.save(tmp_path / "50 progressive.jpg", quality=92, progressive=True)
    photo.save(tmp_path / "50 turned.jpg", quality=92, exif=turned)
    photo = photo.resize((6000, 4000))
    for name in ("24.png", "24.webp", "24.bmp", "24.tif"):
        photo.save(tmp_path / name)
    photo.putalpha(200)
    photo.save(tmp_path / "24 clear.png", compress_level=1)
    assert held(measured(sorted(tmp_path.iterdir()))) == {True: 16}
