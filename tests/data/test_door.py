from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import make_folder

from neocog.data import open_source
from neocog.errors import DataError

KNOWN = "mnist, fashion-mnist, kmnist, cifar10, svhn, digits"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            "fashon-mnist",
            "'fashon-mnist' is no data set neocog knows, and there is no such folder; did you mean 'fashion-mnist'?"
            f" Known: {KNOWN}",
        ),
        (
            "/no/photos",
            f"'/no/photos' is no data set neocog knows, and there is no such folder; Known: {KNOWN}",
        ),
        (7, "data is a int, but a name, a folder, or the pair (images, labels) is needed"),
        (("a", "b"), "data is a tuple, but a name, a folder, or the pair (images, labels) is needed"),
    ],
)
def test_what_is_no_data_is_refused(data: object, text: str) -> None:
    with pytest.raises(DataError) as error:
        open_source(data)  # type: ignore[arg-type]
    assert str(error.value) == text


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(b"x")
    with pytest.raises(DataError) as error:
        open_source(path)
    assert str(error.value) == (
        f"'{path}' is a file; give the folder that holds the class folders, or a data set's name"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"color": "gray"}, "unknown color 'gray'; did you mean 'grey'? Known: auto, grey, rgb"),
        ({"resize": "fit"}, "unknown resize 'fit'; Known: crop, letterbox, stretch"),
        ({"background": "whte"}, "background = 'whte' is not a colour; give a name such as white, or #rrggbb"),
        ({"image_size": 0}, "image_size = 0 is not a size; give a number, or (height, width)"),
        ({"image_size": (1, 2, 3)}, "image_size = (1, 2, 3) is not a size; give a number, or (height, width)"),
    ],
)
def test_options_are_checked(options: dict[str, object], text: str) -> None:
    with pytest.raises(DataError) as error:
        open_source("mnist", **options)  # type: ignore[arg-type]
    assert str(error.value) == text


def test_a_source_is_known_before_anything_is_read() -> None:
    source = open_source("mnist", image_size=32, color="rgb", resize="letterbox", background="black")
    assert source.image_shape == (3, 32, 32)
    assert source.licence == "CC BY-SA 3.0"
    assert (source.preprocess.resize, source.preprocess.background) == ("letterbox", "black")
    assert source.counts == {"train": 60000, "test": 10000}


def test_a_named_set_in_another_size() -> None:
    pytest.importorskip("sklearn")
    source = open_source("digits", image_size=(6, 4), color="rgb", validation=0, test=0)
    data, plain = source.load(seed=0), open_source("digits", validation=0, test=0).load(seed=0)
    assert data.train.images.shape == (1797, 6, 4, 3) and len(data.mean) == 3
    np.testing.assert_array_equal(data.train.images[5].numpy(), source.preprocess(plain.train.images[5].numpy()))


def test_a_folder_named_like_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "mnist", {"a": 2, "b": 2})
    monkeypatch.chdir(tmp_path)
    assert open_source("mnist").origin == "embedded"
    assert open_source("./mnist").classes == ("a", "b")
    assert open_source(Path("mnist")).classes == ("a", "b")


def test_what_the_system_refuses_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(data: object) -> str:
        with pytest.raises(DataError) as error:
            open_source(data)  # type: ignore[arg-type]
        return str(error.value)

    def locked(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    long = "x" * 300
    assert refusal(long) == f"cannot look at '{long}': file name too long; check the path"
    assert refusal("~no-such-user/x") == (
        "cannot look at '~no-such-user/x': could not determine home directory; check the path"
    )
    assert refusal("a\0b") == (f"'a\\x00b' is no data set neocog knows, and there is no such folder; Known: {KNOWN}")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", locked)
        assert refusal(tmp_path) == f"cannot look into the folder '{tmp_path}': permission denied"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", locked)
        got = refusal("/locked/photos")
    assert got == "cannot look at '/locked/photos': permission denied; check the path"


def test_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    root = tmp_path / "caf\udce9"
    try:
        root.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (tmp_path / "link").symlink_to(root)
    for path, name in ((root, f"{tmp_path}/caf\\udce9"), (tmp_path / "link", "caf\\udce9")):
        with pytest.raises(DataError) as error:
            open_source(path)
        assert str(error.value) == f"the folder '{name}' has a name that is not UTF-8; rename it"


def test_importing_needs_no_torch() -> None:
    code = "import sys, neocog.data; neocog.data.open_source('mnist'); sys.exit('torch' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=env).returncode == 0
