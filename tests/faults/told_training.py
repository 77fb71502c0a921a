"""Runs the command line as `python -m neocog` does, and tells on a pipe what the training is doing.

    python told_training.py PIPE train fast --run RUN …

A line on the pipe is what begins: `step`, `validation`, `checkpoint` or `results`; with a slash before it, what ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from neocog import checkpoint, cli, training, workflow


def told(pipe: int, place: Any, name: str, what: str) -> None:
    """Puts a function in the place of another that does the same and tells of it."""
    function: Callable[..., Any] = getattr(place, name)

    def telling(*words: Any, **named: Any) -> Any:
        os.write(pipe, f"{what}\n".encode())
        try:
            return function(*words, **named)
        finally:
            os.write(pipe, f"/{what}\n".encode())

    setattr(place, name, telling)


if __name__ == "__main__":
    number = int(sys.argv.pop(1))
    told(number, training.functional, "cross_entropy", "step")  # in the midst of one: what it changed is in memory only
    told(number, training, "_measure", "validation")
    told(number, checkpoint.Checkpoints, "write", "checkpoint")
    told(number, workflow, "_finished", "results")
    cli.main()
