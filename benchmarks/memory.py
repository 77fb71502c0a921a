"""Peak memory of `neocog train fast`, the whole process, beside that of importing torch alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import Report


def peak_megabytes(command: list[str]) -> float:
    """The largest resident size of a process, in MB, as the operating system counts it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed with status {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024  # Linux counts in KB
    return usage.ru_maxrss * scale / 1e6


def main() -> None:
    report = Report("memory", "peak memory of a whole process")
    with tempfile.TemporaryDirectory() as folder:
        ours = [
            peak_megabytes([sys.executable, "-m", "neocog", "train", "fast", "--run", str(Path(folder) / str(number))])
            for number in range(3)
        ]
    torch_alone = peak_megabytes([sys.executable, "-c", "import torch"])
    report(f"neocog train fast  {max(ours):.0f} MB (largest of {len(ours)})")
    report(f"import torch       {torch_alone:.0f} MB")
    report.save()


if __name__ == "__main__":
    main()
