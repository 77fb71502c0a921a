"""neocog mistakes"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mistakes(run: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    """To be written."""
