"""The folder of a study's answer: asked for before any training, made when everything is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from neocog.files import whole_file
from neocog.run import RunDirectory

_OPTION = "--out"
_LONGEST_NAME = 60


def check_out(out: str | Path | None) -> None:
    """Raises RunError when that folder is taken or can't be made."""
    RunDirectory.check_place(out, _OPTION)


def new_folder(out: str | Path | None, *words: str) -> Path:
    """A new folder: `out`, or one in ./runs that is called by some words. Raises RunError."""
    name = "-".join(re.sub(r"[^\w.=+-]+", "_", word).strip("_.") for word in words)
    return RunDirectory.create(out, name[:_LONGEST_NAME], _OPTION).path


def save_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Each text as a file of that name."""
    for name, text in texts.items():
        with whole_file(folder / name, overwrite=False) as file:
            file.write_text(f"{text}\n", encoding="utf-8")
