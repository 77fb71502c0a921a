"""What a summary holds: one row for each layer, and totals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from neocog.layers.layer import Shape, shape_text
from neocog.tables import Style, table


@dataclass(frozen=True)
class SummaryRow:
    """One layer. Shapes leave the batch out; None stands for what isn't known."""

    number: str  # what people call it: the layer's number in a text, the name of a module
    name: str  # as in the state dict
    text: str
    input_shape: Shape | None
    output_shape: Shape | None
    formula: str  # the output size with its numbers filled in
    parameters: int  # those that no earlier row has counted
    macs: int | None  # multiply-adds for one picture, bias excluded
    receptive_field: tuple[int, int] | None  # rows, columns of the picture that one value depends on
    unread: tuple[int, int]  # rows, columns of the input that no window reads


@dataclass(frozen=True)
class UnknownOperation:
    """An operation whose cost isn't known, so that it is not in the total: where it was met, and how often."""

    operation: str
    where: str
    calls: int

    def __str__(self) -> str:
        return f"{self.operation} in {self.where}" + (f" ({self.calls} calls)" if self.calls > 1 else "")


@dataclass(frozen=True)
class Summary:
    """The layer table of a network. Made by `summarize`; prints as a table."""

    rows: tuple[SummaryRow, ...]
    input_shape: Shape | None
    output_shape: Shape | None
    total_parameters: int
    trainable_parameters: int
    total_macs: int | None  # None when no input shape was given
    unknown: tuple[UnknownOperation, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON."""
        return asdict(self)

    def table(self, style: Style = "text") -> str:
        """The rows alone, as text, Markdown or HTML."""
        columns = ["", "layer", ">output", "size", ">parameters", ">MACs", ">sees"]
        rows = [
            [
                row.number,
                row.text,
                shown(row.output_shape),
                row.formula,
                f"{row.parameters:,}",
                "—" if row.macs is None else f"{row.macs:,}",
                shown(row.receptive_field),
            ]
            for row in self.rows
        ]
        used = [place for place in range(len(columns)) if any(row[place] not in ("", "—") for row in rows)]
        return table([columns[place] for place in used], [[row[place] for place in used] for row in rows], style)

    def totals(self) -> list[str]:
        """The lines under the table: totals, then notes, then what could not be counted."""
        lines = []
        if self.input_shape is not None:
            lines.append(f"input {shown(self.input_shape)} → output {shown(self.output_shape)}")
        frozen = self.total_parameters - self.trainable_parameters
        parameters = f"{self.total_parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")
        macs = "" if self.total_macs is None else f" · {self.total_macs:,} multiply-adds (MACs) for each picture"
        lines.append(parameters + macs)
        lines.extend(self.notes)
        if self.unknown:
            lines.append(f"not counted, because their cost isn't known: {'; '.join(map(str, self.unknown))}")
        return lines

    def __str__(self) -> str:
        return "\n".join([self.table(), "", *self.totals()])

    def _repr_html_(self) -> str:
        from html import escape

        return "\n".join([self.table("html"), *(f"<div>{escape(line)}</div>" for line in self.totals())])


def shown(shape: Shape | None) -> str:
    """A shape as people write it; `—` where it isn't known, or is that of a single number.

    >>> shown((16, 28, 28)), shown(None)
    ('16×28×28', '—')
    """
    return shape_text(shape) if shape else "—"


def unread_notes(rows: tuple[SummaryRow, ...]) -> tuple[str, ...]:
    """A line for each layer whose windows don't reach the end of what they get."""
    return tuple(
        f"layer {row.number} '{row.text}' leaves {_some(row.unread[0], 'row')} "
        f"and {_some(row.unread[1], 'column')} of its input unread"
        for row in rows
        if any(row.unread)
    )


def _some(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
