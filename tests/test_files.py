"""Files that a user asked for by name."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ENVIRONMENT
from neocog import disk
from neocog.errors import NeocogError
from neocog.files import check_target, same_file, whole_file

EXISTS = "'a.png' exists already; give another name, or --overwrite (in Python, overwrite=True)"


def written(target: Path, content: str = "new", *, overwrite: bool = False) -> str:
    with whole_file(target, overwrite=overwrite) as file:
        file.write_text(content)
    return target.read_text()


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_a_file_appears_whole_and_with_the_usual_permissions() -> None:
    Path("usual").write_text("")
    with whole_file(Path("a.png"), overwrite=False) as file:
        file.write_text("new")
        assert not Path("a.png").exists()
        assert (file.resolve().parent, file.suffix) == (Path().resolve(), ".png")
    assert Path("a.png").read_text() == "new"
    assert Path("a.png").stat().st_mode == Path("usual").stat().st_mode
    assert names() == ["a.png", "usual"]


def test_nothing_is_left_when_the_writer_fails() -> None:
    with pytest.raises(ZeroDivisionError), whole_file(Path("a.png"), overwrite=False):
        raise ZeroDivisionError
    assert names() == []


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_a_file_that_came_meanwhile_is_kept(kind: str) -> None:
    with pytest.raises(NeocogError) as error, whole_file(Path("a.png"), overwrite=False) as file:
        file.write_text("new")
        Path("b").write_text("theirs")
        if kind == "file":
            Path("a.png").write_text("theirs")
        else:
            Path("a.png").symlink_to("b" if kind == "link" else "nowhere")
    assert str(error.value) == EXISTS
    assert kind == "dangling link" or Path("a.png").read_text() == "theirs"
    assert names() == ["a.png", "b"]


def test_a_replaced_file_leaves_its_permissions() -> None:
    Path("a.png").write_text("old")
    Path("a.png").chmod(0o640)
    assert written(Path("a.png"), overwrite=True) == "new"
    assert Path("a.png").stat().st_mode & 0o777 == 0o640


def test_behind_a_link_the_file_is_replaced() -> None:
    Path("deep").mkdir()
    Path("deep/real.png").write_text("old")
    Path("a.png").symlink_to("deep/real.png")
    assert written(Path("a.png"), overwrite=True) == "new"
    assert Path("a.png").is_symlink()
    assert Path("deep/real.png").read_text() == "new"
    assert [path.name for path in Path("deep").iterdir()] == ["real.png"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("35100 requested and 43 written"), "35100 requested and 43 written"),
        (OSError(), "OSError"),
    ],
)
def test_what_the_system_refuses_is_one_line(error: OSError, text: str) -> None:
    with pytest.raises(NeocogError) as raised, whole_file(Path("a.png"), overwrite=True):
        raise error
    assert str(raised.value) == f"cannot write 'a.png': {text}; give a place that can be written"
    assert raised.value.__suppress_context__
    assert names() == []


def test_a_writer_that_stumbles_over_a_full_disk_once_more_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free", lambda place: 12)
    with pytest.raises(NeocogError) as raised, whole_file(Path("a.png"), overwrite=True):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            _ = None.close  # type: ignore[attr-defined]
    assert str(raised.value) == (
        "disk full: a.png in '.' found no room (free now: 12 bytes); make room, or give another place"
    )


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
def test_a_real_limit_on_files_is_one_line_each() -> None:
    program = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
from neocog.cli import main
for words in ("--out f.pdf", "--out f.svg", "--out f.png", "--result f.npy"):
    sys.argv = ["neocog", "convolve", "digit:7", "--kernel", "sobel", *words.split()]
    try:
        main()
    except SystemExit as end:
        assert end.code == 2
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        f"error: file too large: f.{kind} in '.' needs more, and a file may have 300 bytes at most; "
        "raise the limit (ulimit -f), or give another place"
        for kind in ("pdf", "svg", "png", "npy")
    ]
    assert names() == []


def test_targets_are_checked_before() -> None:
    Path("a.png").write_text("old")
    assert check_target("b.PNG", (".png", ".npy")) == Path("b.PNG")
    assert check_target("a.png", (".png", ".npy"), overwrite=True) == Path("a.png")
    for path, text in (
        ("a.png", EXISTS),
        ("b.gif", "cannot write 'b.gif': its suffix tells its kind; give .png or .npy"),
        ("x/b.png", "cannot write 'x/b.png': there is no folder 'x'; make it first"),
        (f"{'b' * 300}.png", f"cannot write '{'b' * 300}.png': File name too long; give a place that can be written"),
    ):
        with pytest.raises(NeocogError) as error:
            check_target(path, (".png", ".npy"))
        assert str(error.value) == text


def test_paths_that_lead_to_one_file() -> None:
    Path("a").write_text("")
    Path("link").symlink_to("a")
    Path("sub").mkdir()
    assert same_file("a", "sub/../a")
    assert same_file("a", Path("link"))
    assert same_file("new", "sub/../new")
    assert not same_file("a", "new")
    assert not same_file("a", "b" * 300)
