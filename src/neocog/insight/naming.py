"""A choice by names, given as a list or as one text with commas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neocog.errors import NeocogError, unknown


def chosen_names(only: str | Sequence[str] | None, known: Iterable[str], kind: str) -> list[str]:
    """Those of the known names that are wanted, in the order of `known`; all of them for None.

    Raises NeocogError for an unknown name, or where none is given.

    >>> chosen_names("noise, shift", ["shift", "blur", "noise"], "change")
    ['shift', 'noise']
    """
    names = list(known)
    if only is None:
        return names
    asked = [name.strip() for name in (only.split(",") if isinstance(only, str) else only)]
    asked = [name for name in asked if name]
    for name in asked:
        if name not in names:
            raise NeocogError(unknown(kind, name, names))
    if not asked:
        raise NeocogError(f"no {kind} was named; give some of {', '.join(names)}")
    return [name for name in names if name in asked]
