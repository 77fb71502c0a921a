"""Mistakes: what is kept, and as which JSON, text and HTML."""

from __future__ import annotations

import json

import numpy as np

from neocog.evaluation import Mistake
from neocog.statistics.mistakes import Duplicate, LikelyLabelError, Mistakes

PIXELS = np.zeros((2, 2, 1), np.uint8)


def found(**changes) -> Mistakes:
    kept = {
        "runs": ("runs/a",),
        "part": "test",
        "n": 200,
        "items": (Mistake(3, "a<b.png", "cat", "dog", 0.9, 0.05),),
        "total": 5,
        "errors": 8,
        "true": "cat",
        "label_errors": (LikelyLabelError(4, None, "cat", "dog", 0.99, 0.001, 1),),
        "label_errors_total": 2,
        "duplicates": (Duplicate(1, "x", "cat", 9, "y", "dog", 0.0, (PIXELS, PIXELS)),),
        "notes": ("a remark",),
        "pictures": {3: PIXELS},
    }
    return Mistakes(**{**kept, **changes})


def test_everything_but_pixels_is_in_the_json() -> None:
    read = json.loads(json.dumps(found().as_dict()))
    assert read == {
        "runs": ["runs/a"],
        "part": "test",
        "n": 200,
        "errors": 8,
        "true": "cat",
        "pred": None,
        "total": 5,
        "mistakes": [
            {
                "index": 3,
                "name": "a<b.png",
                "true": "cat",
                "predicted": "dog",
                "probability": 0.9,
                "true_probability": 0.05,
            }
        ],
        "label_errors_total": 2,
        "label_errors": [
            {
                "index": 4,
                "name": None,
                "label": "cat",
                "suggested": "dog",
                "probability": 0.99,
                "label_probability": 0.001,
                "runs": 1,
            }
        ],
        "duplicates": [
            {
                "index": 1,
                "name": "x",
                "label": "cat",
                "train_index": 9,
                "train_name": "y",
                "train_label": "dog",
                "difference": 0.0,
                "exact": True,
                "same_label": False,
            }
        ],
        "notes": ["a remark"],
    }
    assert found(duplicates=None).as_dict()["duplicates"] is None
    assert found(duplicates=()).as_dict()["duplicates"] == []


def test_it_says_in_short_what_was_asked() -> None:
    assert str(found()) == "5 of 200 pictures wrong (test part, true cat)"
    assert str(found(runs=("a", "b"), pred="dog")) == (
        "5 of 200 pictures wrong by 2 runs together (test part, true cat, predicted dog)"
    )
    assert repr(found(true=None)) == "<Mistakes: 5 of 200 pictures wrong (test part)>"


def test_a_notebook_shows_names_as_names() -> None:
    shown = found()._repr_html_()
    assert "a&lt;b.png" in shown and "a<b.png" not in shown
    evil = found(true="<script>alert(1)</script>", pred='"><img src=x>')._repr_html_()
    assert "<script" not in evil and "<img" not in evil
    assert "true &lt;script&gt;alert(1)&lt;/script&gt;, predicted &quot;&gt;&lt;img src=x&gt;)</p>" in evil
    assert "<p>5 of 200 pictures wrong (test part, true cat)</p>" in shown
