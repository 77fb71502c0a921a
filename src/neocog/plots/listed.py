"""What `neocog.mistakes` lists, as pictures: mistakes, labels that may be wrong, and pictures that were trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neocog.plots.grid import Tile, draw_tiles, in_rows
from neocog.plots.mistakes import plot_mistakes, sure
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neocog.statistics.mistakes import Mistakes

_PAIRS = 24  # of duplicates
_ACROSS = 4  # pairs in a row


def plot_listed(found: Mistakes) -> Figure | None:
    """The mistakes that are listed, worst first; None where there are none, or no pictures of them."""
    items = [item for item in found.items if item.index in found.pictures]
    if not items:
        return None
    asked = "".join(f", {word} {name}" for word, name in (("true", found.true), ("predicted", found.pred)) if name)
    caption = (
        f"{len(items):,} of {found.total:,} mistakes{asked}; {found.n:,} pictures, {found.part} part{_runs(found)}"
    )
    return plot_mistakes([found.pictures[item.index] for item in items], items, caption=caption)


@styled
def plot_label_errors(found: Mistakes) -> Figure | None:
    """The pictures whose labels may be wrong; None where there are none, or no pictures of them."""
    tiles = [
        Tile(
            found.pictures[item.index],
            (f"label {item.label}", f"perhaps {item.suggested}", f"{sure(item.probability)} sure"),
        )
        for item in found.label_errors
        if item.index in found.pictures
    ]
    if not tiles:
        return None
    title = "Labels that may be wrong" if len(found.runs) > 1 else "Labels that may be wrong, or just mistakes"
    caption = f"{len(tiles):,} of {found.label_errors_total:,}; {found.n:,} pictures, {found.part} part{_runs(found)}"
    return draw_tiles(in_rows(tiles), title=title, caption=caption)


@styled
def plot_duplicates(found: Mistakes) -> Figure | None:
    """Pictures of the part, each beside the training picture that it is; None where there are none."""
    some = (found.duplicates or ())[:_PAIRS]
    pairs = [
        (
            Tile(each.pictures[0], (each.label, f"{each.difference:.1f} apart")),
            Tile(each.pictures[1], (each.train_label, "in training")),
        )
        for each in some
        if each.pictures is not None
    ]
    if not pairs:
        return None
    count = len(found.duplicates or ())
    flat = [tile for pair in pairs for tile in pair]
    return draw_tiles(
        in_rows(flat, min(2 * _ACROSS, len(flat))),
        title=f"Duplicates: pictures of the {found.part} part beside training pictures",
        caption=f"{len(pairs)} of {count:,}, other labels first; differences are means over pixels, in grey levels",
    )


def _runs(found: Mistakes) -> str:
    return f", {len(found.runs)} runs" if len(found.runs) > 1 else ""
