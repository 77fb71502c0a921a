"""Runs every benchmark, one after another: `python -m benchmarks`."""

import subprocess
import sys

NAMES = (
    "start",
    "memory",
    "load",
    "data_path",
    "fast",
    "model_a",
    "small",
    "accurate",
    "convolutions",
    "seeds",
    "picture",
    "explain",
    "report",
    "coverage",
    "checkpoints",
)

for name in NAMES:
    print(f"== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
