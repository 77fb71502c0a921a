"""How a result shows itself in a notebook."""

from __future__ import annotations

from typing import Any


def html_of(result: Any, renderer: str) -> str:
    """The HTML that a function of `neocog.render.html` makes of a result.

    The one import that goes up: results stand below the rooms that render them, and notebooks ask the results.
    """
    from neocog.render import html

    return str(getattr(html, renderer)(result))
