"""Figures as files: PNG, SVG and PDF, the same bytes for the same figure."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neocog.files import check_target, whole_file
from neocog.plots.style import DOTS, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What a file would say about the moment and the program that wrote it, left out.
METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
DRAWINGS = tuple(METADATA)


@styled
def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as the content of a "png" (160 dots an inch), "svg" or "pdf" file."""
    content = BytesIO()
    figure.savefig(content, format=kind, dpi=DOTS, metadata=METADATA[f".{kind}"])
    return content.getvalue()


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a figure as .png (160 dots an inch), .svg or .pdf, by its name, and gives back where.

    Raises:
        NeocogError: another suffix, a file that exists already, or a place that can't be written to.

    >>> from neocog.kernels import kernel
    >>> from neocog.plots import plot_kernel
    >>> save_figure(plot_kernel(kernel("sobel")), "sobel.gif")
    Traceback (most recent call last):
    neocog.errors.NeocogError: cannot write 'sobel.gif': its suffix tells its kind; give .png, .svg or .pdf
    """
    target = check_target(path, DRAWINGS, overwrite=overwrite)
    with whole_file(target, overwrite=overwrite) as file:
        file.write_bytes(figure_bytes(figure, target.suffix.lower()[1:]))
    return target
