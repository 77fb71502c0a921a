"""The page of faults cites tests: each must be there, and have the star if `make test` leaves it out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_cites_is_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    cited = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`( ★)?", page)
    assert len(cited) > 40
    for path, name, star in cited:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        found = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
        assert not name or name in found, f"docs/reliability.md cites {path}::{name}, which is not there"
        marks = [ast.unparse(mark) for mark in found[name].decorator_list] if name else []
        marks += [
            ast.unparse(each.value)
            for each in tree.body
            if isinstance(each, ast.Assign) and "pytestmark" in map(ast.unparse, each.targets)
        ]
        assert bool(star) == ("pytest.mark.faults" in marks), f"{path}::{name}"
