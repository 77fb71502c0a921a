"""What many tests share: a place of their own, tiny pictures, and the command line as a function."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import neocog

# What rich and typer take as a wish for colours, or for none, or for a width; tests compare plain text.
COLOURS = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "GITHUB_ACTIONS")
# For processes of their own, which stand in another folder.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in COLOURS},
    "PYTHONPATH": str(Path(neocog.__file__).parents[1]),
    "OMP_NUM_THREADS": "1",
}
TINY = "conv 4 3 same | relu | maxpool 2 | flatten | linear classes"
STEPS = {"train.iterations": 6, "loader.batch_size": 8, "train.precision": "float32", "train.device": "cpu"}


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def own_place(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Each test works in an empty folder with one thread, and leaves the user's cache alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEOCOG_CACHE", str(tmp_path_factory.getbasetemp() / "neocog-cache"))
    for name in COLOURS:
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a training takes longer than the tiny trainings of tests; those of the figures ask for it."""
    monkeypatch.setattr("neocog.insight.reporting.look", lambda run, tell: [])


def drawn(kind: str, number: int, size: int = 10) -> Image.Image:
    """A grey picture of a filled circle, square or cross, somewhere."""
    random = np.random.default_rng([number, len(kind)])
    picture = Image.new("L", (size, size), int(random.integers(0, 40)))
    left, top = (int(place) for place in random.integers(0, 3, 2))
    box = (left, top, left + 6, top + 6)
    draw, light = ImageDraw.Draw(picture), int(random.integers(150, 256))
    if kind == "circle":
        draw.ellipse(box, fill=light)
    elif kind == "square":
        draw.rectangle(box, fill=light)
    else:
        draw.line(box, fill=light)
        draw.line((box[0], box[3], box[2], box[1]), fill=light)
    return picture


def fill(root: Path, kinds: tuple[str, ...] = ("circle", "cross", "square"), each: int = 10, size: int = 10) -> Path:
    """A folder of drawn pictures: root/KIND/0.png, …"""
    for kind in kinds:
        (root / kind).mkdir(parents=True)
        for number in range(each):
            drawn(kind, number, size).save(root / kind / f"{number}.png")
    return root


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder `shapes` of 30 grey pictures of 10×10 in three classes."""
    fill(tmp_path / "shapes")
    return Path("shapes")


@pytest.fixture(scope="session")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """40 grey pictures (N, 8, 8) whose brighter half is their label, 0 or 1."""
    random = np.random.default_rng(5)
    labels = np.arange(40) % 2
    images = random.integers(0, 90, (40, 8, 8), dtype=np.uint8)
    images[labels == 0, :4] += 120
    images[labels == 1, 4:] += 120
    return images, labels


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """`cli("train", "fast")` runs the command line in this process."""
    from neocog.cli import main

    def run(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["neocog", *(str(word) for word in words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        code = ended.value.code
        status = code if isinstance(code, int) else int(code is not None)  # as Python does: a text is status 1
        return Answer(status, seen.out, seen.err)

    return run
