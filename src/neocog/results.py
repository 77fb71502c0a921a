"""What results.json holds: each figure of its kind, whoever wrote it; one that isn't there is missed where it is used.

So the run of an older neocog opens, which knew fewer figures, and so does one that a user has added some to.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from neocog.errors import RunError
from neocog.untrusted import Unreadable

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[list[Share], Field(min_length=2, max_length=2)]


class Results(dict[str, Any]):
    """The figures of a run. One that is asked for and isn't there is a RunError, for `path` is not whole then."""

    def __init__(self, figures: Mapping[str, Any], path: Path) -> None:
        super().__init__(figures)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise RunError(f"'{self.path}' can't be read: it has no {name}; train again")


def check_results(found: Mapping[str, Any]) -> None:
    """Raises Unreadable for a figure of a wrong kind.

    >>> check_results({"steps": 380, "my_own": "note"})
    >>> check_results({"steps": -1})
    Traceback (most recent call last):
    neocog.untrusted.Unreadable: steps is -1
    """
    try:
        _Figures.model_validate(found)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        if fault["type"] == "missing":
            raise Unreadable(f"it has no {where}") from None
        if fault["type"] == "value_error":
            raise Unreadable(fault["msg"].removeprefix("Value error, ")) from None
        raise Unreadable(f"{where} is {reprlib.repr(fault['input'])}") from None


class _Kinds(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Line(_Kinds):
    """Of a published recipe's log."""

    step: Count
    epoch: float
    loss: float
    batch_accuracy: Share
    test_accuracy: Share = 0


class _Lesson(_Kinds):
    """What a published recipe has measured in its lesson's own way. The last five are of a later neocog."""

    accuracy: Share | None
    part: Literal["test", "train"]
    dropout: bool
    train_accuracy: Share | None
    faults: list[str]
    log: list[_Line]
    openings: Count = 0
    twin: str | None = None
    reported: Share | None = None
    at_least: bool = False
    changed: list[str] = []

    @model_validator(mode="after")
    def _together(self) -> _Lesson:
        if self.reported is not None and "at_least" not in self.model_fields_set:
            raise ValueError("it has no as_published.at_least")
        return self


class _Figures(_Kinds):
    """The defaults are never read: they only say that a figure may be missing."""

    recipe: str = ""
    data: str = ""
    device: str = ""
    precision: str = ""
    seed: Count = 0
    parameters: Count = 0
    classes: Count = 0
    train_pictures: Count = 0
    train_counts: list[Count] | None = None
    steps: Count = 0
    steps_per_epoch: Count = 0
    threads: Count = 0
    train_seconds: float = 0
    notes: list[str] = []
    val_accuracy: Share | None = None
    val_interval: Interval | None = None
    val_loss: float | None = None
    val_pictures: Count | None = None
    test_accuracy: Share | None = None
    test_interval: Interval | None = None
    test_loss: float | None = None
    test_pictures: Count | None = None
    open_test: bool = True
    test_openings: Count = 0
    as_published: _Lesson | None = None
    weights_sha256: str | None = None

    @model_validator(mode="after")
    def _together(self) -> _Figures:
        for part in ("val", "test"):
            for name in ("interval", "pictures") if getattr(self, f"{part}_accuracy") is not None else ():
                key = f"{part}_{name}"
                if key in self.model_fields_set and getattr(self, key) is None:
                    raise ValueError(f"{key} is null beside a {part}_accuracy")
        return self
