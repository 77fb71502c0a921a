"""Many comparisons at once: p values that keep their promise for all of them together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neocog.errors import DataError


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p values, in the order given: claiming where they are ≤ α makes any false claim at most α likely.

        adjusted p₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) · p₍ⱼ₎),    p₍₁₎ ≤ … ≤ p₍ₘ₎

    It holds however the comparisons depend on each other. Raises DataError for a p outside [0, 1].
    Source: Holm 1979, A simple sequentially rejective multiple test procedure.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    array = np.asarray(p_values, dtype=np.float64)
    outside = array[~((array >= 0) & (array <= 1))]
    if outside.size:
        raise DataError(f"{outside[0]:g} is no p value; it must be from 0 to 1")
    order = np.argsort(array, kind="stable")
    weights = np.arange(len(array), 0, -1)
    adjusted = np.empty_like(array)
    adjusted[order] = np.maximum.accumulate(np.minimum(1, weights * array[order]))
    return tuple(adjusted.tolist())
