"""Results as text, Markdown and JSON: what people and programs read. Draws, never computes.

runs          a training, an evaluation, a layer table, predictions, a data set; `as_json` for any result
comparison    two or more sides over seeds, and two runs picture by picture
reproduction  published figures beside ours
sweep         many configurations, and a range of learning rates
"""

from __future__ import annotations

from neocog.render.runs import (
    as_json,
    dataset_text,
    evaluation_markdown,
    evaluation_text,
    predictions_text,
    summary_markdown,
    summary_text,
    train_text,
)

__all__ = [
    "as_json",
    "dataset_text",
    "evaluation_markdown",
    "evaluation_text",
    "predictions_text",
    "summary_markdown",
    "summary_text",
    "train_text",
]
