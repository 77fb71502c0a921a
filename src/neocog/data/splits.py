"""Carving a part off a training set: stratified, drawn from the seed, and never emptying a class.

Each class gives its share by the method of largest remainders: floor(count · n_c / N) pictures first, then one
more to the classes with the largest fractional parts until the count is reached.
"""

from __future__ import annotations

import numpy as np

from neocog.errors import DataError


def amount(wanted: str | int | float, total: int, classes: int, part: str) -> int:
    """How many of `total` training pictures the part `validation` or `test` gets.

    "auto" is min(5000, 10 %) for validation and 20 % for test; an int is a count, a float in (0, 1) a share.

    >>> amount("auto", 60000, 10, "validation"), amount(0.25, 1000, 10, "test"), amount(0, 1000, 10, "test")
    (5000, 250, 0)

    Raises:
        DataError: the value is none of these, or leaves no training picture for some class.
    """
    if isinstance(wanted, str):
        if wanted != "auto":
            raise DataError(f"{part} = '{wanted}' is not understood; give \"auto\", a count, or a share below 1")
        share = total // 10 if part == "validation" else total // 5
        return max(0, min(share, 5000 if part == "validation" else share, total - classes))
    if isinstance(wanted, bool) or not wanted >= 0:
        raise DataError(f"{part} = {wanted} is not understood; give a count, or a share below 1")
    if isinstance(wanted, float):
        if wanted >= 1:
            raise DataError(f"{part} = {wanted} is neither a count nor a share; give a whole number, or below 1")
        count = round(wanted * total)
    else:
        count = int(wanted)
    if count > total - classes:
        raise DataError(
            f"{part} = {wanted} takes {count} of {total} training pictures, but each of the {classes} classes must"
            f" keep at least one; give at most {total - classes}, or a share such as 0.1"
        )
    return count


def shares(counts: np.ndarray, count: int) -> np.ndarray:
    """How many pictures each class gives: largest remainders, and each class keeps at least one.

    >>> shares(np.array([50, 30, 20]), 9).tolist()
    [4, 3, 2]
    """
    room = np.maximum(counts - 1, 0)
    exact = count * counts / counts.sum()
    given: np.ndarray = np.minimum(np.floor(exact).astype(np.int64), room)
    # Stable order: of equal remainders the class that comes first gives first.
    order = np.argsort(given - exact, kind="stable")
    while (missing := count - int(given.sum())) > 0:
        for label in [label for label in order if given[label] < room[label]][:missing]:
            given[label] += 1
    return given


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices (kept, taken), with `count` pictures taken in each class's proportion."""
    per_class = shares(np.bincount(labels), count)
    taken = [
        generator.permutation(np.flatnonzero(labels == label))[:number]
        for label, number in enumerate(per_class)
        if number
    ]
    chosen = np.zeros(len(labels), bool)
    if taken:
        chosen[np.concatenate(taken)] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
