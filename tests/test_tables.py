"""tables: alignment as a terminal counts signs, the width bound, and escaping."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from neocog.tables import percent, table

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


@given(st.floats(0, 1), st.integers(0, 4))
def test_only_all_is_100_per_cent_and_only_nothing_is_0(share, digits):
    text = percent(share, digits)
    assert (text.startswith("100"), text in ("0 %", f"0.{'0' * digits} %")) == (share == 1, share == 0)
    number = float(text.removesuffix(" %").lstrip("<> ")) / 100
    if text[0] in "<>":
        assert (share < number) if text[0] == "<" else (share > number)
    else:
        assert abs(number - share) <= 0.5001 * 10.0 ** (-digits - 2)


def test_per_cent_by_hand():
    assert [percent(share, 0) for share in (0.9951, 0.004, 0.5)] == ["> 99 %", "< 1 %", "50 %"]
    assert [percent(share) for share in (0.9999946, 0.99994, 0.00004)] == ["> 99.99 %", "99.99 %", "< 0.01 %"]
