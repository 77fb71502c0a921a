"""stopping: the first signal asks, the second one stops, and everything is as found afterwards."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Thread

import pytest

from neocog.stopping import Stopped, heeding

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_handlers_are_put_back(number: int) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    asked: list[int] = []
    with heeding(asked.append):
        assert signal.getsignal(number) not in before
        send(number)
    assert asked == [number]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_second_signal_stops_at_once_whichever_it_is() -> None:
    asked: list[int] = []
    with pytest.raises(KeyboardInterrupt) as caught, heeding(asked.append):
        send(signal.SIGTERM)
        send(signal.SIGINT)
    assert caught.type is KeyboardInterrupt
    with pytest.raises(SystemExit) as ended, heeding(asked.append):
        send(signal.SIGINT)
        send(signal.SIGTERM)
    assert ended.value.code == 143
    assert asked == [signal.SIGTERM, signal.SIGINT]


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    asked: list[int] = []
    try:
        with heeding(asked.append):
            send(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert asked == []


def test_a_handler_that_python_does_not_know_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    found = signal.getsignal
    monkeypatch.setattr(signal, "getsignal", lambda number: None if number == signal.SIGTERM else found(number))
    with heeding(lambda number: None):
        assert found(signal.SIGTERM) == before
    assert found(signal.SIGTERM) == before


def test_another_thread_takes_no_signals() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with heeding(lambda number: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_stopped_is_a_ctrl_c_that_says_how_to_go_on() -> None:
    stopped = Stopped(Path("run"), signal.SIGTERM, "stopped after step 3")
    assert isinstance(stopped, KeyboardInterrupt)
    assert (str(stopped), stopped.run, stopped.status) == ("stopped after step 3", Path("run"), 143)
    assert Stopped(Path("run"), signal.SIGINT, "").status == 130
