"""One hash for each thing that a training leaves behind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from same_bits import curve

# Of results.json, what no two trainings share: their places, their times and how they came about.
_OWN = ("run", "train_seconds", "resumed")


def hashes(run: Path) -> dict[str, str]:
    """SHA-256 of weights, curve without its seconds, predictions, split and results without their times."""
    with np.load(run / "predictions.npz", allow_pickle=False) as held:
        predictions = b"".join(name.encode() + held[name].tobytes() for name in sorted(held.files))
    results: dict[str, Any] = json.loads((run / "results.json").read_text(encoding="utf-8"))
    contents = {
        "weights": (run / "weights.safetensors").read_bytes(),
        "curve": repr(curve(run)).encode(),
        "predictions": predictions,
        "split": (run / "split.json").read_bytes(),
        "results": repr(sorted((key, value) for key, value in results.items() if key not in _OWN)).encode(),
    }
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
