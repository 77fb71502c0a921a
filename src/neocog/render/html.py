"""Results as HTML for a notebook, small and escaped: what `_repr_html_` gives back."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from neocog.errors import PictureError
from neocog.evaluation import Evaluation
from neocog.render.comparison import comparison_html, run_comparison_html
from neocog.render.measures import measures_table
from neocog.render.reproduction import reproduction_html
from neocog.render.sweep import sweep_html
from neocog.tables import table

__all__ = ["comparison_html", "evaluation_html", "reproduction_html", "run_comparison_html", "run_html", "sweep_html"]

_THUMBNAIL = (220, 220)  # pixels that a figure has at most in a notebook


def evaluation_html(evaluation: Evaluation) -> str:
    """The measures with their intervals, and what was confused most."""
    columns, rows = measures_table({evaluation.split: evaluation})
    parts = [f"<p><strong>{escape(str(evaluation))}</strong></p>", table(columns, rows, "html")]
    if pairs := evaluation.most_confused(5):
        confused = [[true, got, f"{count:,}"] for true, got, count in pairs]
        parts.append(table(["true", "predicted", ">times"], confused, "html"))
    return "\n".join(parts)


def run_html(answer: str, parts: Mapping[str, Evaluation], path: Path) -> str:
    """A run's answer, the measures of each part by its name, its figures made small, and the way to its report."""
    shown = [f"<pre>{escape(answer)}</pre>"]
    if parts:
        columns, rows = measures_table(parts)
        shown.append(table(columns, rows, "html"))
    thumbnails = [_thumbnail(file) for file in sorted((path / "figures").glob("*.png"))]
    if any(thumbnails):
        shown.append(f"<p>{' '.join(filter(None, thumbnails))}</p>")
    report = path / "report.html"
    if report.is_file():
        shown.append(f'<p><a href="{escape(quote(report.as_posix()))}">{escape(str(report))}</a></p>')
    return "\n".join(shown)


def _thumbnail(file: Path) -> str:
    """A figure made small; nothing where the file is none, as a notebook's answer is no place for an error."""
    from PIL import Image

    from neocog.data.decode import whole

    try:
        small = Image.fromarray(whole(file, 3))
    except PictureError:
        return ""
    small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
    found = io.BytesIO()
    small.quantize(64).save(found, format="png", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(found.getvalue()).decode()}"
    return f'<img src="{source}" alt="{escape(file.stem)}" title="{escape(file.stem)}">'
