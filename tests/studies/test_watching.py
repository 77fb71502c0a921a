"""watching: the live table, drawn to a console that is recorded."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from neocog.recipe import Recipe
from neocog.studies.jobs import Job, Outcome, Watcher
from neocog.studies.seeds import seeds_of
from neocog.studies.watching import SeedTable

RECIPE = Recipe.load("fast")


def console(terminal: bool = True, width: int = 160) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None, legacy_windows=False)


def text(table: SeedTable, width: int = 160) -> list[str]:
    plain = console(terminal=False, width=width)
    plain.print(table)
    assert isinstance(plain.file, io.StringIO)
    return [" ".join(line.split()) for line in plain.file.getvalue().splitlines()]


def trained(job: Job, accuracy: float | None, **more: Any) -> Outcome:
    run: Any = SimpleNamespace(results={"val_accuracy": accuracy})
    return Outcome(job, run, **more)


def test_the_table_follows_the_trainings() -> None:
    table = SeedTable(console())
    first, second = seeds_of(RECIPE, 3, "model-a"), seeds_of(RECIPE, 8, "model-b [x]")
    table.planned([*first, *second])
    assert text(table) == ["model-a 0 of 3", "model-b [x] 0 of 8"]
    table.started(first[0])
    table.started(first[1])
    table.progress(first[1], 9, 20, 0.5)
    assert text(table)[0].endswith("seed 0 0 %, seed 1 45 %")
    table.finished(trained(first[0], 0.98))
    assert text(table)[0] == "model-a 1 of 3 98.00 % ━━━━━━━╸ seed 1 45 %"  # 1.45 of 3, in 32 half signs
    table.finished(trained(first[1], 0.97, reused=True))
    # the mean of 98 and 97 is 97.5, and √(0.5² + 0.5²) = 0.707 their standard deviation
    assert text(table)[0] == "model-a 2 of 3 (1 kept) 97.50 ± 0.71 % ━━━━━━━━━━╸"
    table.finished(Outcome(first[2], None, "the loss became nan"))
    assert text(table)[0].startswith("model-a 2 of 3 (1 kept, 1 failed) 97.50 ± 0.71 %")
    table.finished(trained(second[0], None))
    assert text(table)[1] == "model-b [x] 1 of 8 ━━"
    for job in second[1:]:
        table.started(job)
    assert text(table)[1].startswith("model-b [x] 1 of 8 ━━ seed 1 0 %, seed 2 0 %, seed 3 0 %")
    assert text(table)[1].endswith("seed 4 0 %, 3 more")
    (narrow,) = [line for line in text(table, width=100) if "model-b" in line]
    assert narrow.startswith("model-b [x] 1 of 8 ━━ seed 1")
    assert narrow.endswith("…"), "the seeds give way, the name stays"
    table.close()


def test_the_bar_counts_what_is_under_way() -> None:
    table = SeedTable(console())
    jobs = seeds_of(RECIPE, 4, "fast")
    table.planned(jobs)
    table.started(jobs[1])
    table.finished(trained(jobs[0], 0.9))
    table.progress(jobs[1], 3, 4, None)
    (row,) = [list(column.cells) for column in table.__rich__().columns if column._index == 3]
    assert (row[0].completed, row[0].total) == (1.75, 4)
    table.close()


def test_the_table_is_live_while_it_is_open_and_can_be_opened_again() -> None:
    screen = console()
    table = SeedTable(screen)
    jobs = seeds_of(RECIPE, 1, "fast")
    for _ in range(2):
        table.planned(jobs)
        table.remark("a network [of code]")
        table.finished(trained(jobs[0], 0.9))
        table.close()
        table.close()
    assert isinstance(screen.file, io.StringIO)
    drawn = screen.file.getvalue()
    assert drawn.count("a network [of code]") == 2
    assert "1 of 1" in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 2  # the cursor is hidden and shown again


def test_the_table_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    table = SeedTable()
    jobs = seeds_of(RECIPE, 2, "fast")
    table.planned(jobs)
    table.started(jobs[0])
    table.progress(jobs[0], 1, 2, None)
    table.finished(trained(jobs[0], 0.9))
    table.remark("a remark")
    table.close()
    assert capsys.readouterr() == ("", "")
    assert text(table)[0].startswith("fast 1 of 2 90.00 %")


def test_a_watcher_needs_no_method_of_its_own() -> None:
    watcher, job = Watcher(), Job("fast", RECIPE)
    watcher.planned([job])
    watcher.started(job)
    watcher.progress(job, 1, 2, None)
    watcher.finished(Outcome(job, None, "no"))
    watcher.remark("a remark")
    watcher.close()
    assert list(Path().iterdir()) == []
