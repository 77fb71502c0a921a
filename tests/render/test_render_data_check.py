"""The text of a data check, whole, with and without a refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from goldens import check_golden

from neocog.data.doctor import DataCheck, Stored
from neocog.data.findings import Finding
from neocog.render.data_check import data_check_text, verdict

COUNTS = {"train": {"cat": 1200, "dog": 7}, "validation": {"cat": 133, "dog": 1}, "test": {"cat": 333, "dog": 2}}
BALANCE = Finding("class-balance", "warning", "class 'cat' has 171 times as many training pictures as 'dog'")
TWICE = Finding(
    "near-duplicates",
    "note",
    "train holds 8 pictures that are nearly the same as others, in 4 groups: 'cat/194.png' and 'cat/249.png'; "
    "'dog/036.png' and 'dog/260.png'; look at them, and keep one of each",
    ("cat/194.png", "cat/249.png", "dog/036.png", "dog/260.png"),
)
UNREADABLE = Finding("unreadable", "error", "cannot read 'cat/7.png': it is damaged; remove it", ("cat/7.png",))
REFUSAL = (
    "cannot read 'pets/cat/7.png': it is damaged (a checksum inside the file is wrong); remove it, or replace it by an "
    "intact copy"
)


def check() -> DataCheck:
    return DataCheck(
        name="pets",
        origin="photos/pets",
        recipe="fast",
        refusal=None,
        findings=(BALANCE, TWICE),
        classes=("cat", "dog"),
        counts=COUNTS,
        image_shape=(3, 64, 64),
        mean=(0.5, 0.25, 0.125),
        std=(0.2, 0.1, 0.05),
        files=1676,
        carved=("test", "validation"),
        checksum="sha256:0123",
        stored=Stored({"JPEG": 1670, "PNG": 6}, {"RGB": 1676}, {(480, 640): 1600, (1080, 1920): 76}),
    )


def refused() -> DataCheck:
    counts = {"train": {"cat": 1666, "dog": 10}}
    return replace(
        *(check(),), findings=(UNREADABLE, BALANCE), refusal=REFUSAL, counts=counts, carved=(), checksum=None
    )


def test_the_whole_text() -> None:
    check_golden("data_check.txt", data_check_text(check()))


def test_the_whole_text_of_what_is_refused() -> None:
    text = data_check_text(refused())
    check_golden("data_check_refused.txt", text)
    assert text.splitlines()[-1] == f"cannot be trained on: {REFUSAL}"


def test_the_last_line_tells_whether_there_is_something_to_read() -> None:
    assert verdict(check()) == "can be trained on, but read the warning first"
    assert verdict(replace(check(), findings=(BALANCE, BALANCE))) == "can be trained on, but read the warnings first"
    assert verdict(replace(check(), findings=(TWICE,))) == "can be trained on"


def test_where_nothing_was_seen_there_is_the_refusal_alone() -> None:
    empty = DataCheck("a.txt", "a.txt", "fast", "'a.txt' is a file", (), (), {}, None, (), (), 0)
    assert data_check_text(empty).splitlines() == [
        "name             a.txt",
        "from             a.txt",
        "",
        "cannot be trained on: 'a.txt' is a file",
    ]


def test_no_line_but_the_last_is_wider_than_a_page() -> None:
    long = Finding("same-name-in-classes", "warning", "a few words " * 40)
    lines = data_check_text(replace(refused(), findings=(long, UNREADABLE))).splitlines()
    assert max(map(len, lines[:-1])) <= 100 < len(lines[-1])


def test_a_narrow_page_holds_it_too_but_a_place_stays_whole() -> None:
    place = "/home/ann/pictures of " + "pets/" * 20
    lines = data_check_text(replace(check(), origin=place), 60).splitlines()
    assert lines[1] == f"from             {place}"
    assert max(map(len, lines[:1] + lines[2:])) <= 60
    assert lines[7:10] == [
        "stored as        JPEG (1,670) and PNG (6); RGB; 2 sizes from",
        "                 480×640 to 1080×1920 (height × width)",
        "",
    ]


def test_a_class_of_two_lines_has_one_row() -> None:
    counts = {"train": {"cat\nfish": 2, "dog": 1}}
    text = data_check_text(replace(check(), classes=("cat\nfish", "dog"), counts=counts, findings=()))
    assert text.split("\n\n")[1].splitlines()[1].split() == ["cat\\nfish", "2"]


@pytest.mark.parametrize("count", [40, 41, 1000])
def test_of_very_many_classes_the_first_are_shown(count: int) -> None:
    classes = tuple(f"c{number}" for number in range(count))
    counts = {"train": dict.fromkeys(classes, 2), "test": dict.fromkeys(classes, 1)}
    text = data_check_text(replace(check(), classes=classes, counts=counts, findings=()))
    rows = text.split("\n\n")[1].splitlines()[1:]
    if count == 40:
        assert (len(rows), rows[-2].split()) == (41, ["c39", "2", "1"])
    else:
        assert (len(rows), rows[-3].split()) == (42, ["c39", "2", "1"])
        rest = count - 40
        assert rows[-2].split() == ["…", str(rest), "more", f"{2 * rest:,}", str(rest)]
    assert rows[-1].split() == ["all", f"{2 * count:,}", f"{count:,}"]


def test_a_notebook_gets_it_escaped() -> None:
    lines = replace(refused(), name="<b>pets")._repr_html_().splitlines()
    assert lines[0] == (
        "<p><strong>&lt;b&gt;pets: 1,676 pictures, 1 error, 1 warning; cannot be trained on: "
        "cannot read &#x27;pets/cat/7.png&#x27;: it is damaged (a checksum inside the file is wrong); remove it, or "
        "replace it by an intact copy</strong></p>"
    )
    assert sum("<tr><td" in line for line in lines) == 2
    assert "cannot read &#x27;cat/7.png&#x27;: it is damaged; remove it" in "".join(lines)
    nothing = replace(check(), findings=())._repr_html_()
    assert nothing == "<p><strong>pets: 1,676 pictures, nothing found; can be trained on</strong></p>"
