"""neocog report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import say, tell


def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write it (default: RUN/report.html, made anew).", metavar="FILE.html")
    ] = None,
) -> None:
    """Write all there is to know of a run as one HTML file, which any browser shows without a network.

    Example: neocog report runs/fast-mnist-1
    """
    from neocog.insight.reporting import report as write_report

    say(str(write_report(run, out=out, tell=tell)))
