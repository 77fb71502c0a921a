"""Tables as aligned text, Markdown or HTML, and shares in per cent. Knows nothing of what stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal

from rich.cells import cell_len, set_cell_size

Style = Literal["text", "markdown", "html"]
WIDTH = 100
_SHORTEST = 8  # a column is never cut below this


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], style: Style = "text", *, width: int = WIDTH) -> str:
    """Rows under column names; a name that starts with `>` is aligned to the right.

    Text is at most `width` signs wide, as a terminal counts them (`三` takes two): the widest left-aligned columns
    are cut with `…` to fit. Markdown and HTML are never cut. The text has no line end after its last row.

    >>> print(table(["layer", ">parameters"], [["conv 16 5", "416"], ["relu", "0"]]))
    layer      parameters
    conv 16 5         416
    relu                0
    >>> print(table(["layer", ">parameters"], [["a|b", "0"]], "markdown"))
    | layer | parameters |
    | :-- | --: |
    | a\\|b | 0 |
    """
    right = [column.startswith(">") for column in columns]
    names = [column.removeprefix(">") for column in columns]
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    assert all(len(row) == len(names) for row in cells), "each row needs a cell for each column"
    if style == "markdown":
        return _markdown(names, cells, right)
    if style == "html":
        return _html(names, cells, right)
    return _text(names, cells, right, width)


def percent(share: float, digits: int = 2) -> str:
    """A share in per cent, never rounded up to all or down to nothing.

    >>> percent(0.99256), percent(0.9999946), percent(0.00001), percent(1.0)
    ('99.26 %', '> 99.99 %', '< 0.01 %', '100.00 %')
    """
    text, least = f"{share * 100:.{digits}f}", 10**-digits
    if share < 1 and text == f"{100:.{digits}f}":
        return f"> {100 - least:.{digits}f} %"
    if share > 0 and text == f"{0:.{digits}f}":
        return f"< {least:.{digits}f} %"
    return f"{text} %"


def _text(names: list[str], rows: list[list[str]], right: list[bool], width: int) -> str:
    lines = [names, *rows]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(names))]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        cuttable = [place for place, size in enumerate(widths) if not right[place] and size > _SHORTEST]
        if not cuttable:
            break
        widths[max(cuttable, key=lambda place: widths[place])] -= 1
    return "\n".join(
        "  ".join(
            _fitted(cell, size, to_right) for cell, size, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _fitted(cell: str, width: int, right: bool) -> str:
    room = width - cell_len(cell)
    if room < 0:
        return set_cell_size(cell, width - 1) + "…"
    return " " * room + cell if right else cell + " " * room


def _markdown(names: list[str], rows: list[list[str]], right: list[bool]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    plain = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in [names, *rows]]
    rule = ["--:" if to_right else ":--" for to_right in right]
    return "\n".join([line(plain[0]), line(rule), *(line(row) for row in plain[1:])])


def _html(names: list[str], rows: list[list[str]], right: list[bool]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        aligned = [
            f'<{tag} style="text-align: {"right" if to_right else "left"}">{escape(cell)}</{tag}>'
            for cell, to_right in zip(cells, right, strict=True)
        ]
        return f"<tr>{''.join(aligned)}</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f"<table>\n<thead>{line('th', names)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
