"""What is found about data: what it holds, what is wrong with it, and whether it can be trained on."""

from __future__ import annotations

from collections.abc import Mapping

from neocog.data.doctor import LEVELS, DataCheck, Stored
from neocog.data.findings import Finding
from neocog.render.runs import class_table, dataset_lines
from neocog.render.words import wrapped
from neocog.tables import WIDTH
from neocog.untrusted import shown

_HEADS = {"error": "errors", "warning": "warnings", "note": "notes"}
_MOST = 5  # formats or modes in one line; the JSON has all
_MOST_CLASSES = 40  # rows of the table; the JSON has all


def data_check_text(found: DataCheck, width: int = WIDTH) -> str:
    """What the data is, its classes by parts, the findings level by level, and the verdict.

    No line is wider than `width` but those that hold one long name, and the verdict.
    """
    lines = [*dataset_lines(found.as_dict()), ("stored as", _stored(found.stored) if found.stored else "")]
    parts = ["\n".join(_line(label, text, width) for label, text in lines if text)]
    if found.classes:
        parts.append(_class_table(found, width))
    levels = ((_HEADS[level], found.of_level(level)) for level in LEVELS)
    parts += ["\n".join([head, *_entries(some, width)]) for head, some in levels if some]
    return "\n\n".join([*parts, verdict(found)])


def verdict(found: DataCheck) -> str:
    """Whether training takes the data, on one line: a refusal in training's own words."""
    if found.refusal is not None:
        return f"cannot be trained on: {found.refusal}"
    warnings = len(found.of_level("warning"))
    but = f", but read the {'warning' if warnings == 1 else 'warnings'} first" if warnings else ""
    return f"can be trained on{but}"


def _line(label: str, text: str, width: int) -> str:
    """A name or a place stays whole, so that it can be copied."""
    head = f"{label:<17}"
    return head + text if label in ("name", "from") else wrapped(text, head, " " * len(head), width)


def _entries(findings: tuple[Finding, ...], width: int) -> list[str]:
    """One entry each, its kind in a column of its own."""
    indent = max(len(each.kind) for each in findings) + 4
    return [wrapped(each.text, f"  {each.kind:<{indent - 2}}", " " * indent, width) for each in findings]


def _class_table(found: DataCheck, width: int) -> str:
    """The classes with their counts; of very many only the first, as the findings below would be out of sight."""
    classes, counts = found.classes, found.counts
    first = classes[:_MOST_CLASSES]
    columns = {part: [some[name] for name in first] for part, some in counts.items()}
    names = [shown(name) for name in first]
    if len(first) == len(classes):
        return class_table(names, columns, width=width)
    for part, some in counts.items():
        columns[part].append(sum(some.values()) - sum(columns[part]))
    return class_table([*names, f"… {len(classes) - len(first):,} more"], columns, width=width)


def _stored(stored: Stored) -> str:
    """Formats, colour and sizes of the files.

    >>> _stored(Stored({"PNG": 28, "JPEG": 2}, {"L": 30}, {(28, 28): 29, (10, 12): 1}))
    'PNG (28) and JPEG (2); L; 2 sizes from 10×12 to 28×28 (height × width)'
    """
    sizes = sorted(stored.sizes, key=lambda size: (size[0] * size[1], size))
    if not sizes:
        return ""
    ends = [f"{height}×{width}" for height, width in (sizes[0], sizes[-1])]
    extent = f"all {ends[0]}" if len(sizes) == 1 else f"{len(sizes):,} sizes from {ends[0]} to {ends[1]}"
    return f"{_some(stored.formats)}; {_some(stored.modes)}; {extent} (height × width)"


def _some(counts: Mapping[str, int]) -> str:
    """Names with their counts, if there is more than one."""
    if len(counts) == 1:
        return next(iter(counts))
    some = [f"{name} ({count:,})" for name, count in list(counts.items())[:_MOST]]
    if len(counts) > _MOST:
        some.append(f"{len(counts) - _MOST} more")
    return f"{', '.join(some[:-1])} and {some[-1]}"
