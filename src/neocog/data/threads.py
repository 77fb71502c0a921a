"""The same work on many pictures, over all cores.

Threads, not processes: Pillow lets go of the interpreter's lock while it decodes and resizes, and threads write
straight into the array or mapped file that is being filled.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from neocog.data.dataset import Progress

PIECE = 32  # pictures that a thread takes at a time

Result = TypeVar("Result")


def over_cores(work: Callable[[range], Result], count: int, text: str, progress: Progress | None) -> list[Result]:
    """What `work` gives for each piece of `count` pictures, in their order; progress is told by the calling thread.

    >>> over_cores(len, 70, "counting pictures", None)
    [32, 32, 6]
    """
    pieces = [range(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found: list[Result] = []
    with ThreadPoolExecutor(cores) as pool:
        try:
            for piece, result in zip(pieces, pool.map(work, pieces), strict=True):
                found.append(result)
                if progress:
                    progress(text, piece.stop, count)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return found
