"""Which pictures a network, or several, got wrong, and whether the labels or the parts may be to blame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocog.evaluation import Mistake
from neocog.tables import percent, table

SURE = 0.75  # the least mean probability of another class that makes a label suspect


@dataclass(frozen=True)
class LikelyLabelError:
    """A picture whose label may be wrong: all networks were sure of one other class."""

    index: int
    name: str | None
    label: str  # what the data say
    suggested: str  # what the networks say
    probability: float  # of the suggested class, the mean over runs
    label_probability: float  # of the label, the mean over runs
    runs: int  # all of which say so


@dataclass(frozen=True, eq=False)
class Duplicate:
    """One picture of the measured part that is in the training part, too."""

    index: int
    name: str
    label: str
    train_index: int
    train_name: str
    train_label: str
    difference: float  # mean absolute difference of their pixels, in grey levels; 0 is exactly the same
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = field(default=None, repr=False)  # (H, W, C)

    @property
    def exact(self) -> bool:
        """Whether all pixels are the same."""
        return self.difference == 0

    @property
    def same_label(self) -> bool:
        """Whether both have the same label."""
        return self.label == self.train_label

    def as_dict(self) -> dict[str, Any]:
        """What can be written down without the pixels."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "pictures"}
        return {**plain, "exact": self.exact, "same_label": self.same_label}


@dataclass(frozen=True, eq=False, repr=False)
class Mistakes:
    """The mistakes of one or more runs on one part; made by `neocog.mistakes`.

    `total` counts all mistakes that fit the question (`true`, `pred`), of which `items` are the worst: those that gave
    the true class the least probability. Several runs answer with the mean of their probabilities.
    """

    runs: tuple[str, ...]
    part: str
    n: int
    items: tuple[Mistake, ...]
    label_errors: tuple[LikelyLabelError, ...] = ()  # the most likely ones of `label_errors_total`
    duplicates: tuple[Duplicate, ...] | None = None  # None: not looked for
    total: int = 0
    errors: int = 0  # all mistakes, whatever was asked for
    true: str | None = None
    pred: str | None = None
    label_errors_total: int = 0
    notes: tuple[str, ...] = ()
    pictures: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)  # (H, W, C) of what is listed, by index

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON."""
        found = self.duplicates
        return {
            "runs": list(self.runs),
            "part": self.part,
            "n": self.n,
            "errors": self.errors,
            "true": self.true,
            "pred": self.pred,
            "total": self.total,
            "mistakes": [asdict(item) for item in self.items],
            "label_errors_total": self.label_errors_total,
            "label_errors": [asdict(item) for item in self.label_errors],
            "duplicates": None if found is None else [each.as_dict() for each in found],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        asked = "".join(f", {name} {value}" for name, value in (("true", self.true), ("predicted", self.pred)) if value)
        many = f" by {len(self.runs)} runs together" if len(self.runs) > 1 else ""
        return f"{self.total:,} of {self.n:,} pictures wrong{many} ({self.part} part{asked})"

    def __repr__(self) -> str:
        return f"<Mistakes: {self}>"

    def _repr_html_(self) -> str:
        """One row a mistake, for notebooks."""
        rows = [
            [
                str(item.index),
                item.name or "",
                item.true,
                item.predicted,
                percent(item.probability),
                percent(item.true_probability),
            ]
            for item in self.items
        ]
        names = [">index", "name", "true", "predicted", ">how sure", ">of the true class"]
        return f"<p>{escape(str(self))}</p>\n{table(names, rows, 'html')}"
