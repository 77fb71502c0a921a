"""Checkpoints that a disk has damaged: never loaded, always named, and the one before still goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from damage import WEB_PAGE, flips, tenths

import neocog
from conftest import STEPS, TINY
from neocog.checkpoint import Checkpoints
from neocog.errors import RunError
from neocog.resuming import resume
from neocog.stopping import Stopped
from same_bits import Signals, check_same

FLIPS = 200


@pytest.fixture
def stopped(arrays: tuple[np.ndarray, np.ndarray]) -> Path:
    """A run that was stopped twice, so that it has two checkpoints."""
    options = {"model": TINY, "set": STEPS, "figures": False}
    with pytest.raises(Stopped):
        neocog.train("fast", data=arrays, run="stopped", observers=[Signals(2)], **options)
    with pytest.raises(Stopped):
        resume("stopped", data=arrays, figures=False, observers=[Signals(4)])
    assert [each.step for each in Checkpoints(Path("stopped")).stored()] == [4, 2]
    return Path("stopped")


def damages(content: bytes) -> Iterator[bytes]:
    return chain(flips(content, FLIPS), tenths(content), [WEB_PAGE, b"\0" * len(content), content + b"\0"])


def test_no_damage_is_loaded_and_the_one_before_stays(stopped: Path) -> None:
    checkpoints = Checkpoints(stopped)
    last, before = checkpoints.stored()
    content, other = last.path.read_bytes(), before.path.read_bytes()
    checkpoints.read(last)
    for number, damaged in enumerate(damages(content)):
        assert damaged != content
        last.path.write_bytes(damaged)
        with pytest.raises(RunError) as caught:
            checkpoints.read(last)
        told = str(caught.value)
        assert str(last.path) in told, number
        assert told.endswith("`neocog resume stopped --previous` goes on from step 2")
        assert "\n" not in told
        assert before.path.read_bytes() == other
    assert number == FLIPS + 13


def test_previous_ends_with_the_same_bits(stopped: Path, arrays: tuple[np.ndarray, np.ndarray]) -> None:
    want = neocog.train("fast", data=arrays, run="whole", model=TINY, set=STEPS, figures=False)
    last, _ = Checkpoints(stopped).stored()
    content = last.path.read_bytes()
    for number, damaged in enumerate((b"", WEB_PAGE, content[:-1], next(flips(content, 1)))):
        again = Path(shutil.copytree(stopped, f"stopped-{number}"))
        (again / "checkpoint" / last.path.name).write_bytes(damaged)
        with pytest.raises(RunError):
            resume(again, data=arrays, figures=False)
        check_same(resume(again, data=arrays, previous=True, figures=False).path, want.path)
