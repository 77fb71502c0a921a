"""What one picture costs the door that reads it: seconds and megabytes, each in a process that reads nothing else.

`measured(paths)` starts a small Python that imports only the door, and forks a child from it for each picture, so that
the peak of a child's memory belongs to its picture alone and a child that hangs or dies takes nobody with it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WAY = 30.0  # seconds on the clock after which a picture is given up, whatever it does
ROOM = 4 << 30  # bytes of address space beyond what the process has, so that a flood ends the child and not the machine


@dataclass(frozen=True)
class Cost:
    """How one picture went.

    Attributes:
        name: its path.
        way: "fitted" for Preprocess((64, 64), 3), "whole" for whole().
        answered: pixels came back; otherwise `text` is the refusal.
        text: the pixels' shape, or the refusal's one line, or a traceback's last line after "TRACEBACK".
        seconds: of the processor (user and system).
        megabytes: how far the peak of the resident memory lay above what the process had before.
        noise: what was written to standard error, by Python or by a library below it.
    """

    name: str
    way: str
    answered: bool
    text: str
    seconds: float
    megabytes: float
    noise: str = ""

    @property
    def clean(self) -> bool:
        """An answer, or one line that names the picture, the reason and the mend."""
        line = self.text.startswith(f"cannot read '{self.name}': ") and "; " in self.text and self.text.isprintable()
        return (self.answered or line) and not self.noise


def measured(paths: Sequence[Path], ways: Sequence[str] = ("fitted", "whole")) -> list[Cost]:
    """What each of the pictures costs, each way."""
    jobs = [[str(path), way] for path in paths for way in ways]
    root = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    if done.returncode or done.stderr:
        raise RuntimeError(f"the measuring process ended with {done.returncode}: {done.stderr[-2000:]}")
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def resident() -> int:
    """Bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def child(name: str, way: str, out: int) -> None:
    """Read one picture and tell how it went."""
    import traceback

    from neocog.data.decode import Preprocess, whole
    from neocog.errors import PictureError

    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + ROOM, virtual + ROOM))
    answered, base, begun = False, resident(), time.process_time()
    try:
        pixels = Preprocess((64, 64), 3)(Path(name)) if way == "fitted" else whole(Path(name))
        answered, text = True, str(pixels.shape)
    except PictureError as error:
        text = str(error)
    except BaseException:
        text = "TRACEBACK " + traceback.format_exc().strip().splitlines()[-1]
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    os.lseek(2, 0, os.SEEK_SET)
    noise = os.read(2, 500).decode(errors="replace")
    cost = Cost(name, way, answered, text, seconds, (peak - base) / 1e6, noise)
    os.write(out, json.dumps(vars(cost)).encode())


def given_up(name: str, way: str) -> bytes:
    """The answer of a child that gave none in time: its whole process group is ended."""
    read, write = os.pipe()
    begun = time.monotonic()
    number = os.fork()
    if number == 0:
        os.close(read)
        try:
            os.dup2(os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR), 2)
            child(name, way, write)
        finally:
            os._exit(0)
    os.close(write)
    told = b""
    while select.select([read], [], [], max(0.0, begun + WAY - time.monotonic()))[0]:
        piece = os.read(read, 65536)
        if not piece:
            break
        told += piece
    os.close(read)
    late = not told and time.monotonic() - begun >= WAY
    if late:
        os.kill(number, signal.SIGKILL)
    _, status, used = os.wait4(number, 0)
    if told:
        return told
    text = f"TRACEBACK no answer after {WAY:g} s" if late else f"TRACEBACK the process died, status {status}"
    cost = Cost(name, way, False, text, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)
    return json.dumps(vars(cost)).encode()


def main() -> None:
    """Answer the jobs on standard input, a line for each."""
    jobs = json.load(sys.stdin)
    import io

    from PIL import Image

    from neocog.data.decode import Preprocess

    # every plugin is loaded and has run once, so that no picture pays for that
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        file = io.BytesIO()
        Image.new("RGB", (4, 4)).save(file, kind)
        Preprocess((2, 2), 3)(file.getvalue())
    for name, way in jobs:
        sys.stdout.write(given_up(name, way).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
