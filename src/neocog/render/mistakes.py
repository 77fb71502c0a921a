"""Mistakes as text: the worst of them, labels that may be wrong, and pictures that were trained on as well."""

from __future__ import annotations

from neocog.render.words import wrapped
from neocog.statistics.mistakes import SURE, Mistakes
from neocog.tables import percent, table

_WIDTH = 80
_MOST_DUPLICATES = 10  # the JSON has all


def mistakes_text(found: Mistakes) -> str:
    """What was asked for, the mistakes, the likely label errors, the duplicates, and remarks."""
    parts = [_head(found)]
    if found.items:
        parts.append(_items(found))
    parts.append(_label_errors(found))
    if found.duplicates is not None:
        parts.append(_duplicates(found))
    if found.notes:
        parts.append("\n".join(wrapped(f"note: {text}", rest="  ", width=_WIDTH) for text in found.notes))
    return "\n\n".join(parts)


def _head(found: Mistakes) -> str:
    which = found.runs[0] if len(found.runs) == 1 else f"{len(found.runs)} runs together, by their mean probabilities"
    share = percent(found.errors / found.n)
    lines = [
        ("run" if len(found.runs) == 1 else "runs", which),
        (
            "mistakes",
            f"{found.errors:,} of {found.n:,} pictures ({share}), {found.part} part",
        ),
    ]
    if asked := " and ".join(
        f"{name} {value}" for name, value in (("true", found.true), ("predicted", found.pred)) if value is not None
    ):
        lines.append(("of these", f"{found.total:,} with {asked}"))
    return "\n".join(wrapped(text, f"{label:<20}", " " * 20, width=_WIDTH) for label, text in lines)


def _items(found: Mistakes) -> str:
    rows = [
        [
            item.name or str(item.index),
            item.true,
            item.predicted,
            percent(item.probability),
            percent(item.true_probability),
        ]
        for item in found.items
    ]
    more = f", {len(rows):,} of {found.total:,}" if found.total > len(rows) else ""
    head = f"the worst mistakes{more}: the least probability for the true class first"
    return "\n".join([head, table(["picture", "true", "predicted", ">how sure", ">of the true class"], rows)])


def _label_errors(found: Mistakes) -> str:
    several = len(found.runs) > 1
    who = f"all {len(found.runs)} runs name one other class, on average" if several else "the run names another class,"
    rule = f"{who} with {SURE * 100:g} % or more"
    what = "likely label errors" if several else "candidates for label errors"
    if not found.label_errors:
        return wrapped(f"no {what}: on no picture {rule}", width=_WIDTH)
    rows = [
        [
            item.name or str(item.index),
            item.label,
            item.suggested,
            percent(item.probability),
            percent(item.label_probability),
        ]
        for item in found.label_errors
    ]
    more = (
        f"{len(rows):,} of {found.label_errors_total:,}" if found.label_errors_total > len(rows) else f"{len(rows):,}"
    )
    head = wrapped(f"{what}, {more}: {rule}", width=_WIDTH)
    return "\n".join([head, table(["picture", "label", "suggested", ">how sure", ">of the label"], rows)])


def _duplicates(found: Mistakes) -> str:
    assert found.duplicates is not None
    if not found.duplicates:
        return wrapped(
            f"no duplicates found: no picture of the {found.part} part is among the training pictures, pixel for pixel "
            "or by its likeness",
            width=_WIDTH,
        )
    exact = sum(each.exact for each in found.duplicates)
    other = sum(not each.same_label for each in found.duplicates)
    rows = [
        [
            each.name,
            each.label,
            each.train_name,
            each.train_label,
            "0, the same" if each.exact else f"{each.difference:.1f}",
        ]
        for each in found.duplicates[:_MOST_DUPLICATES]
    ]
    count = len(found.duplicates)
    more = f"; {len(rows)} are shown" if count > len(rows) else ""
    doubt = "; those found by likeness are for you to judge, --out shows them" if exact < count else ""
    those = "picture" if count == 1 else "pictures"
    head = wrapped(
        f"duplicates: {count:,} {those} of the {found.part} part ({percent(count / found.n)}) found among the "
        f"training pictures, {exact:,} pixel for pixel, {count - exact:,} by their likeness; {other:,} with another "
        f"label there{more}{doubt}",
        width=_WIDTH,
    )
    columns = ["picture", "label", "training picture", "its label", ">grey levels apart"]
    return "\n".join([head, table(columns, rows)])
