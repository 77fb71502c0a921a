"""Figures as files: the same bytes, whole or not at all."""

from __future__ import annotations

import errno
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from figures import worked

from neocog.errors import NeocogError
from neocog.kernels import kernel
from neocog.plots import plot_convolution, plot_kernel, plot_window, save_figure
from neocog.plots.saving import figure_bytes


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_the_same_figure_gives_the_same_bytes(suffix, start):
    paths = [save_figure(plot_convolution(worked()), f"{name}{suffix}") for name in "ab"]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.startswith(start)
    assert paths == [Path(f"a{suffix}"), Path(f"b{suffix}")]
    assert sorted(path.name for path in Path().iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_a_png_has_160_dots_an_inch():
    from PIL import Image

    figure = plot_kernel(kernel("sobel"))
    with Image.open(save_figure(figure, "sobel.png")) as picture:
        assert picture.size == tuple(math.floor(160 * inches) for inches in figure.get_size_inches())
        assert {"Software", "Creation Time"} & set(picture.info) == set()


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_bytes_are_those_of_the_file(kind):
    figure = plot_kernel(kernel("sobel"))
    assert figure_bytes(figure, kind) == save_figure(figure, f"sobel.{kind}").read_bytes()


def test_an_svg_is_well_formed_and_undated():
    path = save_figure(plot_window(worked()), "window.svg")
    assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "<dc:date>" not in path.read_text()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sobel.gif", "cannot write 'sobel.gif': its suffix tells its kind; give .png, .svg or .pdf"),
        ("sobel", "cannot write 'sobel': its suffix tells its kind; give .png, .svg or .pdf"),
        ("there.png", "'there.png' exists already; give another name, or --overwrite (in Python, overwrite=True)"),
        ("link.svg", "'link.svg' exists already; give another name, or --overwrite (in Python, overwrite=True)"),
        ("none/a.png", "cannot write 'none/a.png': there is no folder 'none'; make it first"),
        ("there.png/a.png", "cannot write 'there.png/a.png': there is no folder 'there.png'; make it first"),
        (f"{'a' * 300}.png", f"cannot write '{'a' * 300}.png': File name too long; give a place that can be written"),
    ],
)
def test_a_figure_is_refused_a_place(path, text):
    Path("there.png").write_bytes(b"mine")
    Path("link.svg").symlink_to("nowhere")
    with pytest.raises(NeocogError) as caught:
        save_figure(plot_kernel(kernel("sobel")), path)
    assert str(caught.value) == text
    assert Path("there.png").read_bytes() == b"mine"
    assert sorted(path.name for path in Path().iterdir()) == ["link.svg", "there.png"]


def test_overwriting_is_done_when_asked_for_and_never_half(monkeypatch):
    Path("a.png").write_bytes(b"mine")
    figure = plot_kernel(kernel("sobel"))

    whole = Path.write_bytes

    def full_disk(place: Path, content: bytes) -> None:
        whole(place, content[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(NeocogError) as caught:
        patch.setattr(Path, "write_bytes", full_disk)
        save_figure(figure, "a.png", overwrite=True)
    want = r"disk full: a\.png in '\.' found no room \(free now: [\d.,]+ \w+\); make room, or give another place"
    assert re.fullmatch(want, str(caught.value))
    assert [(path.name, path.read_bytes()) for path in Path().iterdir()] == [("a.png", b"mine")]

    save_figure(figure, "a.png", overwrite=True)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    Path("fresh").touch()
    assert Path("a.png").stat().st_mode == Path("fresh").stat().st_mode


def test_a_folder_that_cannot_be_written_is_named(monkeypatch):
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("neocog.files.tempfile.mkstemp", refuse)
    with pytest.raises(NeocogError) as caught:
        save_figure(plot_kernel(kernel("sobel")), "a.png")
    assert str(caught.value) == "cannot write 'a.png': Permission denied; give a place that can be written"
