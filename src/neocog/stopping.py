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
    """A training that was asked to stop: its text says how it goes on, or that it is done; no Exception."""

    def __init__(self, run: Path, number: int, text: str) -> None:
        super().__init__(text)
        self.run, self.signal = run, number

    @property
    def status(self) -> int:
        """The exit status by which shells know a process that ended by this signal."""
        return 128 + self.signal


class FirstSignal:
    """What the first signal does, which is another thing at each stage of a training.

    >>> asked = FirstSignal()
    >>> asked(2)  # while nothing is said yet it is kept in mind
    >>> asked.does(print)
    2
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._does: Callable[[int], Any] | None = None

    def __call__(self, number: int) -> None:
        """Also for the second signal, which then stops at once what is still there."""
        self.number = number
        if self._does is not None:
            self._does(number)

    def does(self, what: Callable[[int], Any]) -> None:
        """From now on this; at once, if the signal has come already."""
        self._does = what
        if self.number is not None:
            what(self.number)


@contextmanager
def heeding(ask: Callable[[int], Any]) -> Iterator[None]:
    """Calls `ask` with the number of the first signal; the second one does what it did before, which is to stop.

    A `FirstSignal` is told of the second one, too, and may stop with words.

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
        if isinstance(ask, FirstSignal):
            ask(number)
        raise SystemExit(128 + number) if number != signal.SIGINT else KeyboardInterrupt

    try:
        for number in before:
            signal.signal(number, first)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
