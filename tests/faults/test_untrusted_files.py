"""Thousands of damaged files of each kind, and of each file of a run: read, or refused in one line."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
import pytest

from neocog.errors import NeocogError
from test_untrusted import READERS, look, mutated, run, trained, try_mutations

__all__ = ["run", "trained"]  # fixtures
pytestmark = pytest.mark.faults
MEGABYTES = 1024 if Path("/proc").exists() else 1024 * 1024  # of the system's peak of memory


@pytest.mark.parametrize("name", READERS)
def test_thousands_of_mutations_are_read_or_refused(name: str) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    good, refused = try_mutations(name, 5000)
    assert good + refused == 5000 and refused > 1000
    assert time.monotonic() - began < 120
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MEGABYTES < 300


FILES = (
    *("results.json", "recipe.toml", "metrics.csv", "environment.json", "split.json"),
    *("predictions.npz", "pictures.npz", "weights.safetensors"),
)


@pytest.mark.parametrize("name", FILES)
def test_a_run_with_a_mutated_file_opens_or_is_refused(run: Path, name: str) -> None:
    raw = (run / name).read_bytes()
    random = np.random.default_rng(len(name))
    refused = 0
    for _ in range(100):
        (run / name).write_bytes(mutated(raw, random))
        try:
            look(run)
        except NeocogError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 10
