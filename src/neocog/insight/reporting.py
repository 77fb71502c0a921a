"""The report of a run: one HTML file that needs nothing else, neither a network nor a script."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import neocog
from neocog.errors import NeocogError
from neocog.files import check_target, whole_file
from neocog.finished import Run, opened
from neocog.insight.figures import Drawn, draw, names, write_figures
from neocog.insight.page import page_of
from neocog.plots.saving import figure_bytes

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

Tell = Callable[[str], None]

NAME = "report.html"
_LARGEST_DRAWING = 250_000  # bytes of an SVG; beyond it pixels may be smaller
_MOST_BYTES = 1_900_000  # of all figures; in base64 they take a third more
_CHARTS = ("curves", "confusion", "classes", "reliability")
_SCREEN_INCH = 96  # pixels, in CSS


@dataclass(frozen=True)
class _Picture:
    """A figure as it stands in the page."""

    kind: str  # "png" or "svg+xml"
    content: bytes
    title: str
    says: str
    chart: bool  # lines and bars, whose lightness may be turned round in the dark; photographs may not
    width: int  # CSS pixels
    height: int

    @property
    def source(self) -> str:
        return f"data:image/{self.kind};base64,{base64.b64encode(self.content).decode()}"


def report(run: str | Path | Run, *, out: str | Path | None = None, tell: Tell | None = None) -> Path:
    """Writes the report of a finished run as one HTML file without scripts, and gives back where.

    Its figures take less than 2.6 MB in it, losing colours and then pixels where they must; each class adds its rows.
    The answer with its interval and conditions comes first; then measures, calibration, mistakes, the learning curve,
    the layers, the data, the recipe, and how to repeat it. What a run lacks is named in its place, and given to `tell`.
    The same run gives the same bytes. RUN/report.html is made anew each time; an `out` that exists is refused.

    Raises:
        RunError: no finished run.
        NeocogError: `out` isn't .html or exists already; or the file can't be written.
    """
    if out is not None and Path(out).exists():
        raise NeocogError(f"'{out}' exists already; give another name")
    target = None if out is None else check_target(out, (".html", ".htm"))
    found = opened(run)
    drawn, missing = _drawn(found)
    for line in missing.values():
        if tell is not None:
            tell(line)
    text = _page(found, drawn, missing)
    place = found.path / NAME if target is None else target
    with whole_file(place, overwrite=target is None) as file:
        file.write_text(text, encoding="utf-8")
    return place


def look(run: Run, tell: Tell) -> list[Path]:
    """What follows a training: its figures as files, and the report. Gives back what was written.

    The training is over and its weights are safe, so whatever goes wrong in here is one remark and no error.
    """
    written: list[Path] = []
    try:
        drawn, missing = _drawn(run)
        written += write_figures(run, drawn)
        run.directory.write_text(NAME, _page(run, drawn, missing, written))
        written.append(run.path / NAME)
    except Exception as error:
        again = shlex.quote(str(run.path))
        tell(f"not all there is to look at was made: {one_line(error)}; `neocog report {again}` tries again")
    return written


def one_line(error: Exception) -> str:
    """What an error says, on one line; its kind where it says nothing.

    >>> one_line(ValueError("two\\nlines")), one_line(MemoryError())
    ('two lines', 'MemoryError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def _drawn(run: Run) -> tuple[list[Drawn], dict[str, str]]:
    """The figures, and why each of the others can't be drawn."""
    drawn: list[Drawn] = []
    missing: dict[str, str] = {}
    for name in names():
        found, left_out = draw(run, [name])
        drawn += found
        if left_out:
            missing[name] = left_out[0]
    return drawn, missing


def _page(run: Run, drawn: Sequence[Drawn], missing: Mapping[str, str], written: Sequence[Path] = ()) -> str:
    """The whole file; figures that have been written as files just now are not rendered once more."""
    files = {path.name: path for path in written}
    pictures = _fitted({each.name: _picture(each, files) for each in drawn})
    return _template().render(page=page_of(run), pictures=pictures, missing=missing, version=neocog.__version__)


def _picture(drawn: Drawn, files: Mapping[str, Path]) -> _Picture:
    """Charts as lines, which stay sharp at any size, unless they are so many that pixels are smaller."""
    width, height = (round(inches * _SCREEN_INCH) for inches in drawn.figure.get_size_inches())
    chart = drawn.name in _CHARTS
    if chart:
        lines = _bytes(drawn, ".svg", files)
        if len(lines) <= _LARGEST_DRAWING:
            return _Picture("svg+xml", lines, drawn.title, drawn.says, chart, width, height)
    return _Picture("png", _fewer_bytes(_bytes(drawn, ".png", files)), drawn.title, drawn.says, chart, width, height)


def _bytes(drawn: Drawn, suffix: str, files: Mapping[str, Path]) -> bytes:
    """The figure as a file of that kind, as `save_figure` writes it."""
    if (path := files.get(drawn.name + suffix)) is not None:
        return path.read_bytes()
    return figure_bytes(drawn.figure, suffix[1:])


def _fewer_bytes(png: bytes) -> bytes:
    """The same picture without transparency, and with a palette where no colour is lost by it."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    few = picture.getcolors(256) is not None
    file = io.BytesIO()
    (picture.quantize(256, dither=Image.Dither.NONE) if few else picture).save(file, format="png", optimize=True)
    return file.getvalue()


def _fitted(pictures: Mapping[str, _Picture]) -> dict[str, _Picture]:
    """The same with less colours, then fewer pixels, in the largest one, until the page is small enough to be sent."""
    found = dict(pictures)
    # What is largest then is never a drawing: all of them together don't reach the limit.
    while sum(len(each.content) for each in found.values()) > _MOST_BYTES:
        name = max(found, key=lambda name: len(found[name].content))
        found[name] = _smaller(found[name])
    return found


def _smaller(picture: _Picture) -> _Picture:
    """With 256 colours, or with three quarters of each side where it has no more already."""
    from PIL import Image

    before = Image.open(io.BytesIO(picture.content))
    image = before.convert("RGB")
    if before.mode == "P":
        width, height = (side * 3 // 4 for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.quantize(256).save(file, format="png", optimize=True)
    return replace(picture, content=file.getvalue())


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"code": _code, "head": _head}
    text = (resources.files("neocog.insight") / "report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def _code(text: str) -> Markup:
    """Escaped text, in which what stood between backticks is code; a single backtick stays one."""
    from markupsafe import Markup, escape

    text = text.replace(" %", "\N{NO-BREAK SPACE}%")
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces)
    )


def _head(column: str) -> str:
    return column.removeprefix(">")
