"""Ctrl-C and SIGTERM: the first asks a training to stop after its step, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A training that was asked to stop, and that can go on: its text says how. Not an error, so not an Exception."""

    def __init__(self, run: Path, number: int, text: str) -> None:
        super().__init__(text)
        self.run, self.signal = run, number

    @property
    def status(self) -> int:
        """The exit status by which shells know a process that ended by this signal."""
        return 128 + self.signal


@contextmanager
def heeding(ask: Callable[[int], Any]) -> Iterator[None]:
    """Calls `ask` with the number of the first signal; the second one does what it did before, which is to stop.

    Elsewhere than in a program's first thread, where Python takes no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored stays so: `nohup` and shells' background jobs ask for it. None is not ours to put back.
    before = {
        number: handler
        for number in SIGNALS
        if (handler := signal.getsignal(number)) is not None and handler != signal.SIG_IGN
    }

    def first(number: int, _: Any) -> None:
        for each in before:
            signal.signal(each, second)
        ask(number)

    def second(number: int, frame: Any) -> None:
        raise SystemExit(128 + number) if number != signal.SIGINT else KeyboardInterrupt

    try:
        for number in before:
            signal.signal(number, first)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
