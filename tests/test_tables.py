"""tables: alignment as a terminal counts signs, the width bound, and escaping."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from neocog.tables import table

CELL = st.text(st.sampled_from("ab |×三é<>&\n"), max_size=70)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6))
def test_every_line_fits_and_columns_stand_under_each_other(rows):
    lines = table(["name", ">count", "remark"], [(a, b[:8], c) for a, b, c in rows], width=60).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(cell_len(line) <= 60 for line in lines)


def test_wide_signs_take_two_places():
    assert table(["class", ">n"], [["三角", "1"], ["dog", "12"]]) == "class   n\n三角    1\ndog    12"


def test_the_widest_left_column_is_cut():
    got = table(["short", "long", ">number"], [["abc", "x" * 40, "123456789"]], width=30)
    assert got == "short  long             number\nabc    xxxxxxxxxxx…  123456789"


def test_numbers_are_never_cut():
    got = table(["name", ">a", ">b"], [["x" * 30, "1" * 20, "2" * 20]], width=30)
    assert got.split("\n")[1] == "xxxxxxx…  11111111111111111111  22222222222222222222"


def test_markdown_escapes_what_would_break_a_row():
    assert table(["a"], [["x|y\\\nz"]], "markdown") == "| a |\n| :-- |\n| x\\|y\\\\ z |"


def test_html():
    assert table(["a", ">n"], [["<b>", "1"]], "html") == (
        '<table>\n<thead><tr><th style="text-align: left">a</th><th style="text-align: right">n</th></tr></thead>\n'
        '<tbody>\n<tr><td style="text-align: left">&lt;b&gt;</td><td style="text-align: right">1</td></tr>\n'
        "</tbody>\n</table>"
    )


def test_a_table_without_rows_is_its_heading():
    assert table(["a", ">b"], []) == "a  b"
