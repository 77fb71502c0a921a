"""What `neocog.check_data` finds: what the data holds, what is wrong with it, and whether it can be trained on.

Shapes: N pictures, H W rows and columns, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocog.data.findings import Finding, Level
from neocog.tables import table

LEVELS: tuple[Level, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Samples:
    """A few pictures of each class, as they are prepared for training.

    Attributes:
        pictures: uint8 (N, H, W, C).
        labels: the class of each.
        names: which picture each is.
    """

    pictures: NDArray[np.uint8]
    labels: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """What the files of a folder are, as they lie there; each count is of files that can be read.

    Attributes:
        formats: "PNG", "JPEG", … → how many.
        modes: Pillow's "L", "RGB", "P", … → how many.
        sizes: (height, width) as stored → how many.
    """

    formats: Mapping[str, int]
    modes: Mapping[str, int]
    sizes: Mapping[tuple[int, int], int]


@dataclass(frozen=True, repr=False)
class DataCheck:
    """All that was found about some data, for one recipe.

    Attributes:
        name: of the data.
        origin: where they lie, or come from.
        recipe: for whose training they were checked.
        refusal: the line with which training refuses them; None where they can be trained on.
        findings: errors first, then warnings, then notes.
        classes: their names, in order.
        counts: part → class → how many pictures, as they would be trained on: with what is held out of the training
            pictures in parts of its own. Where training is refused, as the data brings them.
        carved: the parts that are held out of the training pictures.
        checksum: of all pictures and labels, which a run has, too; None where training is refused.
        image_shape: (C, H, W) of a picture as the network gets it; None where nothing can be read.
        mean, std: of each channel over the training pictures, 0 to 1; empty where nothing can be read.
        files: how many pictures were looked at.
        stored: what the files of a folder are; None for other data.
        samples: pictures to look at.
    """

    name: str
    origin: str
    recipe: str
    refusal: str | None
    findings: tuple[Finding, ...]
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    image_shape: tuple[int, int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    files: int
    carved: tuple[str, ...] = ()
    checksum: str | None = None
    stored: Stored | None = None
    samples: Samples | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on, however many warnings there are."""
        return self.refusal is None

    def of_level(self, level: Level) -> tuple[Finding, ...]:
        """The findings of one level."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can hold it; all files of each finding are in it."""
        return {
            "name": self.name,
            "from": self.origin,
            "recipe": self.recipe,
            "ok": self.ok,
            "refusal": self.refusal,
            "shape": self.image_shape and list(self.image_shape),
            "classes": list(self.classes),
            "counts": {part: dict(counts) for part, counts in self.counts.items()},
            "carved": list(self.carved),
            "mean": list(self.mean),
            "std": list(self.std),
            "checksum": self.checksum,
            "files": self.files,
            "stored": self.stored
            and {
                "formats": dict(self.stored.formats),
                "modes": dict(self.stored.modes),
                "sizes": [[*size, count] for size, count in self.stored.sizes.items()],
            },
            "findings": [
                {
                    "kind": each.kind,
                    "level": each.level,
                    "text": each.text,
                    "files": list(each.files),
                    "groups": [list(group) for group in each.groups],
                }
                for each in self.findings
            ],
        }

    def __str__(self) -> str:
        found = [f"{len(some):,} {level}{'s' * (len(some) != 1)}" for level in LEVELS if (some := self.of_level(level))]
        verdict = "can be trained on" if self.refusal is None else f"cannot be trained on: {self.refusal}"
        return f"{self.name}: {self.files:,} pictures, {', '.join(found) or 'nothing found'}; {verdict}"

    def __repr__(self) -> str:
        return f"<DataCheck {self}>"

    def _repr_html_(self) -> str:
        """The verdict and one row a finding, for notebooks."""
        rows = [[each.level, each.kind, each.text] for each in self.findings]
        head = f"<p><strong>{escape(str(self))}</strong></p>"
        return f"{head}\n{table(['level', 'kind', 'finding'], rows, 'html')}" if rows else head
