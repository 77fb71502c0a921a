"""Make mnist.npz from the four published IDX files: `python -m neocog.data.embed_mnist FOLDER`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from neocog.data import idx, mnist
from neocog.errors import DataError


def embed(folder: Path, file: Path = mnist.FILE) -> None:
    """Write the archive that `mnist.read` reads, after checking that the files are the published ones.

    Raises:
        DataError: a file is missing, or differs from the published one.
    """
    files = idx.find(folder)
    arrays: dict[str, Any] = {}
    for role, wanted in mnist.MD5.items():
        if role not in files:
            raise DataError(f"'{folder}' holds no IDX file for {role}")
        raw = idx.unzipped(files[role])
        if (got := hashlib.md5(raw).hexdigest()) != wanted:
            raise DataError(f"'{files[role]}' has MD5 {got}, but the published file has {wanted}")
        key, images = role.replace("-", "_"), role.endswith("images")
        array = idx.parse(raw, 3 if images else 1, str(files[role]))
        pieces = {f"{key}_{at}": array[at : at + mnist.PIECE] for at in range(0, len(array), mnist.PIECE)}
        arrays |= pieces if images else {key: array}
    np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    embed(Path(sys.argv[1]))
