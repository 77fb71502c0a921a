"""Results as text, Markdown and JSON: what people and programs read. Draws, never computes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from os import PathLike
from typing import Any, Literal

from neocog.evaluate import Evaluation
from neocog.summary import Summary
from neocog.tables import WIDTH, table

_MOST_CLASSES = 20  # in the tables that people read; the JSON has all
_MOST_PAIRS = 5

TextStyle = Literal["text", "markdown"]


def summary_text(summary: Summary) -> str:
    """The layer table with its totals, at most 100 signs wide."""
    return str(summary)


def summary_markdown(summary: Summary) -> str:
    """The layer table with its totals as Markdown."""
    return "\n".join([summary.table("markdown"), "", *(f"- {line}" for line in summary.totals())])


def evaluation_text(evaluation: Evaluation) -> str:
    """Accuracy and loss, the measures of each class, the confusion matrix, and what was confused most."""
    return "\n\n".join(_evaluation_parts(evaluation, "text"))


def evaluation_markdown(evaluation: Evaluation) -> str:
    """The same as `evaluation_text`, as Markdown."""
    return "\n\n".join(_evaluation_parts(evaluation, "markdown"))


def as_json(value: Any) -> str:
    """Any result as one JSON text: by its own `as_dict`, or field by field.

    Arrays become lists and paths texts. A number that isn't finite becomes null, which JSON has in its place.

    >>> print(as_json({"loss": float("nan"), "shape": (1, 28)}))
    {
      "loss": null,
      "shape": [
        1,
        28
      ]
    }
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return _plain(value.as_dict())
    if hasattr(value, "tolist"):  # numpy arrays and numbers, torch tensors
        return _plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, PathLike):
        return str(value)
    return value


def _evaluation_parts(evaluation: Evaluation, style: TextStyle) -> list[str]:
    wrong = f"{evaluation.errors:,} error{'' if evaluation.errors == 1 else 's'}"
    parts = [
        f"{evaluation.split}: {evaluation}\nloss {evaluation.loss:.4f} · {wrong}",
        *_class_table(evaluation, style),
    ]
    if evaluation.errors:
        parts += _confusion_table(evaluation, style)
        pairs = [f"{true} → {got} {count:,}×" for true, got, count in evaluation.most_confused(_MOST_PAIRS)]
        parts.append(f"most confused (true → predicted): {', '.join(pairs)}")
    return parts


def _class_table(evaluation: Evaluation, style: TextStyle) -> list[str]:
    places = list(range(len(evaluation.classes)))
    heading = []
    if len(places) > _MOST_CLASSES:
        # Those with the lowest F1 are what a reader looks for; sorted is stable, so equal ones keep their order.
        places = sorted(places, key=lambda place: evaluation.f1[place])[:_MOST_CLASSES]
        heading = [f"the {_MOST_CLASSES} of {len(evaluation.classes)} classes with the lowest F1:"]
    rows = [
        [
            evaluation.classes[place],
            *(f"{measure[place] * 100:.2f}" for measure in (evaluation.precision, evaluation.recall, evaluation.f1)),
            f"{evaluation.support[place]:,}",
        ]
        for place in places
    ]
    rows.append(["mean", "", "", f"{evaluation.macro_f1 * 100:.2f}", f"{evaluation.n:,}"])
    return [*heading, table(["class", ">precision %", ">recall %", ">F1 %", ">pictures"], rows, style)]


def _confusion_table(evaluation: Evaluation, style: TextStyle) -> list[str]:
    count = len(evaluation.classes)
    if count > _MOST_CLASSES:
        return []
    numbers = [[f"{cell:,}" if cell else "·" for cell in row] for row in evaluation.confusion.tolist()]
    names = list(evaluation.classes)
    text = table(["", *(f">{name}" for name in names)], _labelled(names, numbers), style, width=10**6)
    if style == "text" and _width(text) > WIDTH:
        # Long names don't fit above narrow columns; their numbers do.
        short = [str(place + 1) for place in range(count)]
        rows = _labelled([f"{number} {name}" for number, name in zip(short, names, strict=True)], numbers)
        text = table(["", *(f">{number}" for number in short)], rows, style)
    if style == "text" and _width(text) > WIDTH:
        return []
    return [f"confusion matrix (rows: true class, columns: predicted class)\n{_gap(style)}{text}"]


def _labelled(labels: list[str], cells: list[list[str]]) -> list[list[str]]:
    return [[label, *row] for label, row in zip(labels, cells, strict=True)]


def _width(text: str) -> int:
    return max(len(line) for line in text.split("\n"))


def _gap(style: TextStyle) -> str:
    return "\n" if style == "markdown" else ""
