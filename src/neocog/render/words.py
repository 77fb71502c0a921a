"""What texts of results share: sentences as text, Markdown or HTML, lines that end where one may, and short figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import Any, Literal

from neocog.statistics.comparison import Metric, Side
from neocog.tables import WIDTH

TextStyle = Literal["text", "markdown", "html"]
_TIED = "\N{NO-BREAK SPACE}"
_FEW_PICTURES = 100  # fewer: one of them is more than a point of accuracy


def prose(text: str, style: TextStyle, *, strong: bool = False) -> str:
    """A sentence: broken into lines as text, on one line and perhaps bold as Markdown, a paragraph as HTML."""
    if style == "html":
        return paragraph(text, strong=strong)
    if style == "markdown":
        return f"**{text}**" if strong and text else text
    return wrapped(text)


def items(texts: Sequence[str], style: TextStyle) -> str:
    """One line each, as a list in Markdown and HTML; where a text is broken, it goes on indented."""
    if style == "html":
        return html_list(texts)
    if style == "markdown":
        return "\n".join(f"- {text}" for text in texts)
    return "\n".join(wrapped(text, rest="  ") for text in texts)


def paragraph(text: str, *, strong: bool = False) -> str:
    """A sentence as HTML; nothing for none.

    >>> paragraph("a < b", strong=True)
    '<p><strong>a &lt; b</strong></p>'
    """
    if not text:
        return ""
    return f"<p><strong>{escape(text)}</strong></p>" if strong else f"<p>{escape(text)}</p>"


def html_list(texts: Sequence[str]) -> str:
    """Lines as a list in HTML; nothing for none."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>" if texts else ""


def wrapped(text: str, first: str = "", rest: str = "", width: int = WIDTH) -> str:
    """Lines of at most so many signs, of which the first and the rest begin as told; numbers keep their signs.

    >>> print(wrapped("it reaches 97 ± 1 %", rest="  ", width=15))
    it reaches
      97 ± 1 %
    """
    for sign in ("×", "±", "%", "="):  # stays with what stands before it
        text = text.replace(f" {sign}", f"{_TIED}{sign}")
    for sign in ("±", "="):
        text = text.replace(f"{sign} ", f"{sign}{_TIED}")
    found = wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return "\n".join(found).replace(_TIED, " ")


def gap(style: TextStyle) -> str:
    """What stands between a heading and its table: Markdown wants an empty line."""
    return "\n" if style == "markdown" else ""


def mean_text(side: Side, metric: Metric, none: str) -> str:
    """The mean of a side ± the standard deviation over its seeds, without the unit; `none` where no seed finished."""
    found = side.interval
    if found is None:
        return none
    spread = "" if found.sd is None else f" ± {found.sd * metric.scale:.{metric.digits}f}"
    return f"{found.mean * metric.scale:.{metric.digits}f}{spread}"


def seconds_text(side: Side, none: str) -> str:
    """The mean seconds of a training."""
    return f"{sum(side.seconds.values()) / len(side.seconds):.1f}" if side.seconds else none


def few_pictures(conditions: Mapping[str, Any]) -> list[str]:
    """A note where a single validation picture moves an accuracy by more than a point; none where they are enough.

    >>> few_pictures({"validation_pictures": 7})
    ['7 validation pictures: one is 14.29 points; --set dataset.validation=0.3 holds out more']
    """
    count = conditions.get("validation_pictures")
    if not count or count >= _FEW_PICTURES:
        return []
    worth = f"{count} validation picture{'s' * (count > 1)}: one is {100 / count:.2f} points"
    return [f"{worth}; --set dataset.validation=0.3 holds out more"]


def p_text(p: float | None, none: str) -> str:
    """A p value with three decimals.

    >>> p_text(0.0421, ""), p_text(0.0004, "")
    ('0.042', '< 0.001')
    """
    return none if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
