"""A training in a process of its own that is killed in the midst of what it is doing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from conftest import ENVIRONMENT

SCRIPT = Path(__file__).with_name("told_training.py")
LONGEST = 300  # seconds; no training of a test takes so long
PHASES = ("step", "validation", "checkpoint", "results")
LATEST = {"step": 0.01, "validation": 0.03, "checkpoint": 0.004, "results": 0.05}  # seconds; about as long as it takes


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status, which phases were open then, how often each began, and what it said."""

    status: int
    during: frozenset[str]
    begun: Mapping[str, int]
    error: str


def killed(words: Sequence[object], during: str = "", number: int = 0, after: float = 0.0) -> Ended:
    """Runs a command and kills it (SIGKILL), `after` seconds past the `number`-th time that `during` begins.

    `during` is one of PHASES; without one, or with one that doesn't begin so often, the command comes to its end.
    """
    reading, writing = os.pipe()
    command = [sys.executable, str(SCRIPT), str(writing), *(str(word) for word in words)]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    told: Counter[str] = Counter()
    with os.fdopen(reading, encoding="ascii") as pipe:
        for line in pipe:
            told[line.strip()] += 1
            if line.strip() == during and told[during] == number:
                time.sleep(after)
                process.kill()
    _, error = process.communicate(timeout=LONGEST)
    open_ = frozenset(phase for phase in PHASES if told[phase] > told[f"/{phase}"])
    return Ended(process.returncode, open_, {phase: told[phase] for phase in PHASES}, error)


def moments(
    seed: int, begun: Mapping[str, int], phases: Sequence[str] = PHASES, share: float = 1.0
) -> Iterator[tuple[str, int, float]]:
    """Moments for `killed`, of each phase in turn, drawn from a stream of random numbers.

    `begun` says how often each begins in the whole training; moments are drawn from the first `share` of them. Not all
    fall into their phase: it may be over after the delay.
    """
    random = np.random.default_rng(seed)
    for phase in cycle(phases):
        last = max(1, int(begun[phase] * share))
        yield phase, int(random.integers(1, last + 1)), float(random.uniform(0, LATEST[phase]))
