"""What is found about data: what it holds, what is wrong with it, and whether it can be trained on."""

from __future__ import annotations

from collections.abc import Mapping

from neocog.data.doctor import LEVELS, DataCheck, Stored
from neocog.data.findings import Finding
from neocog.render.runs import class_table, dataset_lines
from neocog.render.words import wrapped

_HEADS = {"error": "errors", "warning": "warnings", "note": "notes"}
_MOST = 5  # formats or modes in one line; the JSON has all


def data_check_text(found: DataCheck) -> str:
    """What the data is, its classes by parts, the findings level by level, and the verdict."""
    lines = [*dataset_lines(found.as_dict()), ("stored as", _stored(found.stored) if found.stored else "")]
    parts = ["\n".join(f"{label:<17}{text}" for label, text in lines if text)]
    if found.classes:
        parts.append(class_table(found.classes, _counts(found)))
    levels = ((_HEADS[level], found.of_level(level)) for level in LEVELS)
    parts += ["\n".join([head, *_entries(some)]) for head, some in levels if some]
    return "\n\n".join([*parts, verdict(found)])


def verdict(found: DataCheck) -> str:
    """Whether training takes the data, on one line: a refusal in training's own words."""
    if found.refusal is not None:
        return f"cannot be trained on: {found.refusal}"
    warnings = len(found.of_level("warning"))
    but = f", but read the {'warning' if warnings == 1 else 'warnings'} first" if warnings else ""
    return f"can be trained on{but}"


def _entries(findings: tuple[Finding, ...]) -> list[str]:
    """One entry each, its kind in a column of its own."""
    width = max(len(each.kind) for each in findings) + 4
    return [wrapped(each.text, f"  {each.kind:<{width - 2}}", " " * width) for each in findings]


def _counts(found: DataCheck) -> dict[str, list[int]]:
    return {part: [counts[name] for name in found.classes] for part, counts in found.counts.items()}


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
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:_MOST]]
    if len(counts) > _MOST:
        shown.append(f"{len(counts) - _MOST} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
