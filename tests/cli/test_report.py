"""neocog report"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neocog
from conftest import STEPS, TINY, Answer
from html_checks import check_page
from neocog.insight import reporting

Cli = Callable[..., Answer]


def test_it_prints_where_the_report_lies(
    cli: Cli, arrays: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "names", list)  # figures take their time, and have tests of their own
    neocog.train("fast", data=arrays, model=TINY, set=STEPS, run="run", figures=False, tell=lambda text: None)
    found = cli("report", "run")
    assert (found.status, found.out) == (0, "run/report.html\n")
    html = Path("run/report.html").read_text(encoding="utf-8")
    check_page(html)

    found = cli("report", "run", "--out", "mine.html")
    assert (found.status, found.out) == (0, "mine.html\n")
    assert Path("mine.html").read_text(encoding="utf-8") == html
    found = cli("report", "run", "--out", "mine.html")
    assert (found.status, found.out) == (2, "")
    assert found.err == ("error: 'mine.html' exists already; give another name\n")


def test_what_is_no_run_is_one_line(cli: Cli) -> None:
    found = cli("report", "nowhere")
    assert (found.status, found.out) == (2, "")
    assert found.err == "error: there is no run directory 'nowhere'; `neocog train` prints where a run lies\n"
