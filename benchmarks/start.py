"""How long `neocog --help` takes beside `python -c "import torch"`, in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.common import Report


def seconds(command: list[str]) -> float:
    """Wall time of one whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    report = Report("start", "start-up: `neocog --help` against `python -c 'import torch'`")
    ours, theirs = [str(Path(sys.executable).with_name("neocog")), "--help"], [sys.executable, "-c", "import torch"]
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(9)]
    report(f"neocog --help  {median(a for a, _ in pairs):.3f} s")
    report(f"import torch   {median(b for _, b in pairs):.3f} s")
    report("")
    report(f"ratio          {median(a / b for a, b in pairs):.2f} (median of {len(pairs)} pairs)")
    report.save()


if __name__ == "__main__":
    main()
