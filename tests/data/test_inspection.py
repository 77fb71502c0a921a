from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import chunk, encoded, noise, raw_png
from PIL import Image

from neocog.data.bounds import BadPicture
from neocog.data.decode import Preprocess
from neocog.data.findings import Finding, Level
from neocog.data.inspection import Inspected, file_findings, inspect_all, inspected, unused_pictures

PICTURE = Image.fromarray(noise())
MORE = [Image.fromarray(noise(seed)) for seed in (1, 2)]
CLEAR = Image.new("RGBA", (5, 4), (1, 2, 3, 128))
SMALL = Preprocess((16, 16), 3)


def exif(turn: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = turn
    return found


def look(root: Path, name: str, content: bytes) -> Inspected:
    (root / name).write_bytes(content)
    found = inspected(root, name)
    assert (found.name, found.bytes) == (name, len(content))
    return found


def found_in(files: list[Inspected], size: tuple[int, int] = (16, 16), **options: Any) -> dict[str, Finding]:
    """The findings by their kind; each is one line, and there is one of a kind."""
    findings = file_findings(files, size, **options)
    assert all(each.text.isprintable() for each in findings)
    assert len({each.kind for each in findings}) == len(findings)
    return {each.kind: each for each in findings}


def fine(name: str = "a.png", **facts: Any) -> Inspected:
    return Inspected(name, **{"bytes": 9, "format": "PNG", "size": (16, 16), "mode": "RGB", "bits": 8, **facts})


def test_what_a_file_is(tmp_path: Path) -> None:
    assert look(tmp_path, "a.png", content := encoded(PICTURE, "PNG")) == fine(bytes=len(content))


@pytest.mark.parametrize(
    ("content", "bits", "mode"),
    [
        (raw_png(4, 4, 16, 2, bytes(24)), 16, "RGB"),
        (raw_png(4, 4, 16, 0, bytes(8)), 16, "I;16"),
        (raw_png(4, 4, 4, 0, bytes(2)), 4, "L"),
        (encoded(Image.new("I;16", (4, 4)), "TIFF"), 16, "I;16"),
        (encoded(Image.new("1", (4, 4)), "TIFF"), 1, "1"),
        (b"P5 2 2 65535\n" + bytes(8), 16, "I"),
        (b"P5 2 2 1023\n" + bytes(8), 10, "I"),
        (b"P4 8 1\n\0", 1, "1"),
        (encoded(PICTURE, "WEBP"), 8, "RGB"),
    ],
)
def test_bits_are_those_of_the_file(tmp_path: Path, content: bytes, bits: int, mode: str) -> None:
    found = look(tmp_path, "a", content)
    assert (found.bits, found.mode, found.reason) == (bits, mode, None)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("turn", [1, 2, 6, 8, 99])
def test_turned_pictures(tmp_path: Path, kind: str, turn: int) -> None:
    found = look(tmp_path, "a", encoded(Image.fromarray(noise(size=(8, 20))), kind, exif=exif(turn)))
    assert found.orientation == (1 if turn == 99 else turn)
    assert found.size == (8, 20)
    assert found.upright == ((20, 8) if turn in (6, 8) else (8, 20))


def test_frames_are_counted_and_previews_are_not(tmp_path: Path) -> None:
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        content = encoded(PICTURE, kind, save_all=True, append_images=MORE)
        assert look(tmp_path, "a", content).frames == 3
        assert look(tmp_path, "a", encoded(PICTURE, kind)).frames == 1
    assert look(tmp_path, "a", encoded(PICTURE, "MPO", save_all=True, append_images=MORE)).frames == 1


@pytest.mark.parametrize(
    ("content", "alpha"),
    [
        (encoded(CLEAR, "PNG"), True),
        (encoded(CLEAR, "WEBP", lossless=True), True),
        (encoded(Image.new("LA", (5, 5), (1, 254)), "PNG"), True),
        (encoded(Image.new("P", (4, 4)), "GIF", transparency=0), True),
        (encoded(Image.new("P", (4, 4)), "GIF", transparency=1), False),
        (raw_png(4, 4, 16, 0, bytes(8), chunk(b"tRNS", b"\0\0")), True),
        (raw_png(4, 4, 16, 0, bytes(8), chunk(b"tRNS", b"\1\0")), False),
        (encoded(Image.new("RGBA", (5, 5), (1, 2, 3, 255)), "PNG"), False),
        (encoded(PICTURE, "PNG"), False),
    ],
)
def test_alpha_is_what_can_be_seen_through(tmp_path: Path, content: bytes, alpha: bool) -> None:
    assert look(tmp_path, "a", content).alpha == alpha


def test_printers_colours(tmp_path: Path) -> None:
    assert look(tmp_path, "a.jpg", encoded(Image.new("CMYK", (9, 9)), "JPEG")).cmyk


def test_what_cannot_be_read_is_described(tmp_path: Path) -> None:
    reasons = {
        "empty": (b"", "it is empty (0 bytes)"),
        "cut": (encoded(PICTURE, "JPEG")[:-80], "it is truncated: the file ends too early"),
        "page": (
            b"<html>",
            "it is damaged, or no picture of a format neocog reads (PNG, JPEG, GIF, BMP, WebP, TIFF, PPM)",
        ),
    }
    for name, (content, reason) in reasons.items():
        assert look(tmp_path, name, content).reason == reason
    cut = inspected(tmp_path, "cut")
    assert (cut.format, cut.size) == ("JPEG", (16, 16))  # its header can be read
    assert inspected(tmp_path, "gone").reason == "there is no such file"
    assert inspected(tmp_path, "no\0name").reason == "there is no such file"
    assert inspected(tmp_path, ".").reason == "it is a folder"


def test_what_is_found_is_what_training_meets(tmp_path: Path) -> None:
    """The same words for damaged files as the door's, and the same pixels for others."""
    dice = random.Random(0)
    kinds = {kind: encoded(PICTURE, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")}
    refused = 0
    for kind, content in [*kinds.items()] * 12:
        damaged = bytearray(content)
        for place in dice.sample(range(len(content)), dice.choice([0, 1, 3])):
            damaged[place] ^= 1 << dice.randrange(8)
        path = tmp_path / f"a.{kind}"
        path.write_bytes(damaged[: dice.choice([len(damaged), len(damaged) - 40])])
        out = np.full((16, 16, 3), 7, np.uint8)
        found = inspected(tmp_path, path.name, SMALL, out)
        try:
            pixels, reason, mend = SMALL.pixels(path), None, None
        except BadPicture as error:
            pixels, reason, mend = np.full_like(out, 7), error.reason, error.mend
            refused += 1
        assert (found.reason, found.mend) == (reason, mend)
        np.testing.assert_array_equal(out, pixels)
    assert 20 < refused < 70


def test_many_at_once_keep_their_order(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(70)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(encoded(Image.new("L", (1 + number, 2)), "PNG"))
    told: list[tuple[str, int, int]] = []
    files = inspect_all(tmp_path, names, lambda *what: told.append(what))
    assert [(each.name, each.size) for each in files] == [(name, (2, 1 + k)) for k, name in enumerate(names)]
    assert told[-1] == ("inspecting pictures", 70, 70)


def test_pictures_under_other_extensions(tmp_path: Path) -> None:
    content = encoded(PICTURE, "PNG")
    texts = {"a.txt": b"P1 notes of the day", "b.pdf": b"%PDF-1.4", "c": b"", "raw.dng": encoded(PICTURE, "TIFF")}
    for name, what in {"x.dat": content, "y": content, **texts}.items():
        (tmp_path / name).write_bytes(what)
    unused = unused_pictures(tmp_path, ["x.dat", *texts, "y"])
    assert found_in([], unused=unused)["unused-pictures"] == Finding(
        "unused-pictures",
        "warning",
        "2 files hold pictures but their names are not a picture's, so training passes them by: 'x.dat' (PNG), 'y'"
        " (PNG); rename them to use them",
        ("x.dat", "y"),
    )


def test_good_files_give_no_findings() -> None:
    assert file_findings([], (16, 16)) == []
    assert file_findings([fine("a.png"), fine("b.jpg", format="JPEG"), fine("c.jpg", format="MPO")], (16, 16)) == []
    assert file_findings([fine(size=(1000, 700))], (64, 64)) == []


def test_one_bad_file_is_told_as_training_tells_it() -> None:
    bad = Inspected("a/two\nlines.png", 0, reason="it is empty (0 bytes)", mend="remove it, or replace it")
    assert file_findings([bad, fine()], (16, 16)) == [
        Finding(
            "empty-file",
            "error",
            "cannot read 'a/two\\nlines.png': it is empty (0 bytes); remove it, or replace it",
            ("a/two\nlines.png",),
        )
    ]


def test_bad_files_are_counted_and_the_first_named() -> None:
    cut = [Inspected(f"{k}.png", 5, reason="it is truncated: the file ends too early") for k in range(6)]
    other = Inspected("it's.png", 5, reason="it is a folder")
    found = found_in([*cut, other, fine()])
    shown = "; ".join(f"'{k}.png': it is truncated: the file ends too early" for k in range(5))
    assert list(found) == ["truncated", "unreadable"]
    assert found["truncated"].text == (f"cannot read 6 of 8 pictures: {shown}; and 1 more; remove or replace them")
    assert found["truncated"].files == tuple(each.name for each in cut)
    assert found["unreadable"].text.startswith("cannot read 'it's.png': it is a folder; ")


@pytest.mark.parametrize(
    ("kind", "level", "facts", "what", "then"),
    [
        (
            *("animated", "warning", {"frames": 2}, "with more than one frame or page"),
            "only the first is used: save the others as files of their own if they matter",
        ),
        (
            *("cmyk", "note", {"cmyk": True}, "in CMYK, made for printing"),
            "made RGB without a colour profile: save as RGB if the exact colours matter",
        ),
        (
            *("alpha", "note", {"alpha": True}, "transparent in places"),
            "laid over the background colour, white unless told",
        ),
        ("16-bit", "note", {"bits": 16}, "with more than 8 bits a value", "scaled to 8 bits"),
        (
            *("rotated", "note", {"orientation": 3}),
            "stored turned or mirrored, with a remark (EXIF) how to put that right",
            "turned upright",
        ),
        (
            *("extension", "note", {"format": "GIF"}, "of another format than the name says"),
            "read by content, so training is not troubled, but other programs may be",
        ),
    ],
)
def test_one_finding_a_kind(kind: str, level: Level, facts: dict[str, Any], what: str, then: str) -> None:
    some = [fine("三.png", **facts), fine("b.png", **facts)]
    text = f"2 pictures {what}: '三.png', 'b.png'; {then}"
    assert file_findings(some, (16, 16)) == [Finding(kind, level, text, ("三.png", "b.png"))]


def test_huge_pictures_the_largest_first() -> None:
    some = [fine("a.png", size=(5001, 5000)), fine("b.png", size=(5000, 6000)), fine("c.png", size=(5000, 5000))]
    assert found_in(some)["huge"] == Finding(
        "huge",
        "note",
        "2 pictures of more than 25 megapixels, the largest 5000 × 6000: 'b.png', 'a.png'; slow to decode, which is"
        " done once: smaller copies would train alike",
        ("b.png", "a.png"),
    )


def test_one_odd_picture_among_small_ones() -> None:
    """Sizes that differ make 64 × 64 of all; the one that is really tiny comes first."""
    files = [fine(f"{k}.png", size=(28, 40)) for k in range(6)]
    files += [fine("large.png", size=(300, 300)), fine("tiny.png", size=(28, 19))]
    found = {each.kind: each for each in file_findings(files, (64, 64))}
    assert found["tiny"].text == (
        "7 pictures are smaller than 64 × 64, the smallest 28 × 19: 'tiny.png', '0.png', '1.png', '2.png', '3.png' and"
        " 2 more; they are enlarged, up to 3.37 times, and will be blurred: train smaller, --set dataset.image_size=28,"
        " or take larger pictures; the first is less than half of the usual 28 × 40"
    )


def test_sizes_against_the_wanted_one() -> None:
    files = [fine("a.png", size=(16, 8)), fine("b.png", size=(16, 5)), fine("c.png"), fine("d.png", size=(40, 100))]
    found = found_in(files)
    assert found["tiny"] == Finding(
        "tiny",
        "warning",
        "2 pictures are smaller than 16 × 16, the smallest 16 × 5: 'b.png', 'a.png'; they are enlarged, up to 3.2"
        " times, and will be blurred: train smaller, --set dataset.image_size=8, or take larger pictures",
        ("b.png", "a.png"),
    )
    assert found["narrow"].files == ("b.png", "d.png")  # twice as high is not reported
    assert found["narrow"].text == (
        "2 pictures are more than 2 times as wide or as high as the shape of 16 × 16: 'b.png', 'd.png'; resize = crop"
        " cuts more than half away, resize = letterbox keeps all"
    )
    assert (
        found["sizes"].text
        == "pictures have 4 sizes, from 16 × 5 ('b.png') to 40 × 100 ('d.png'); all are made one size"
    )
    (little,) = file_findings([fine(size=(12, 12))], (16, 16))
    assert (little.level, little.text) == (
        "note",
        "1 picture is smaller than 16 × 16, the smallest 12 × 12: 'a.png'; it is enlarged",
    )
    turned = [fine(size=(16, 32), orientation=6)]
    assert [each.kind for each in file_findings(turned, (32, 16))] == ["rotated"]


def test_grey_among_colours() -> None:
    found = found_in([fine("a.png", mode="L"), fine("b.png"), fine("c.png", mode="I;16"), fine("d.png", mode="P")])
    assert found["colours"].text == (
        "2 of 4 pictures are stored in grey, the others in colours: 'a.png', 'c.png'; all are made alike"
    )


def test_errors_come_before_warnings_and_notes(tmp_path: Path) -> None:
    file = io.BytesIO(encoded(CLEAR, "GIF", save_all=True, append_images=MORE))
    (tmp_path / "a.png").write_bytes(file.getvalue())
    (tmp_path / "b.png").write_bytes(b"")
    found = file_findings(inspect_all(tmp_path, ["a.png", "b.png"]), (4, 5))
    assert [(each.level, each.kind) for each in found][:2] == [("error", "empty-file"), ("warning", "animated")]
    assert {each.level for each in found[2:]} == {"note"}
