"""Disks of their own for tests: of any size, full, or only to be read. Where none may be mounted, a test is skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = ".ballast"


@contextmanager
def small_disk(place: Path, kilobytes: int, files: int | None = None) -> Iterator[Path]:
    """A new folder that is a disk of that size, or for so many files and folders; unmounted at the end."""
    place.mkdir(parents=True)
    most = "" if files is None else f",nr_inodes={files + 1}"  # it is one itself
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k{most}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def resize(disk: Path, kilobytes: int, files: int = 999) -> None:
    """Makes a small disk larger."""
    _mount("-o", f"remount,size={kilobytes}k,nr_inodes={files}", str(disk))


def fill(disk: Path, leaving: int = 0) -> None:
    """Takes all the room of a small disk but for so many bytes."""
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - leaving
    with (disk / BALLAST).open("ab") as file:
        if room > 0:
            os.posix_fallocate(file.fileno(), file.tell(), room)


def make_room(disk: Path) -> None:
    """Takes it back."""
    (disk / BALLAST).unlink(missing_ok=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """From now on a folder can only be read, also by root, as when a disk has failed; files that are open stay so."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*words: str) -> None:
    try:
        done = subprocess.run(["mount", *words], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("this system has no `mount`")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
