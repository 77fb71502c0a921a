"""Pictures that occur more than once: exactly the same pixels, or nearly the same.

Exact ones have one hash. For near ones, brightness and contrast are taken out of the pixels p of a picture,

    z = (p − p̄) / |p − p̄|,      distance of two pictures d = |z − z'|,      correlation r = z·z' = 1 − d²/2

first on a coarse grid, where 8×8 means of brightness stand for a picture; that finds its nearest neighbour among
thousands in one matrix product, and forgives a small shift. It is a near duplicate when all its pixels have r ≥ 0.99,
or when they have r ≥ 0.8 and on the coarse grid it is much nearer than others are: d ≤ 0.45·d₁₀, with the tenth nearest
of all pictures. A limit on r alone can't do: two different ones (1) written by hand are more alike than two prints of
one photograph. So a picture of which there are ten or more changed copies is only found where r ≥ 0.99.

Legend: N pictures, H W rows and columns, C channels, D numbers of a coarse picture. Pictures are uint8 (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from neocog.data.dataset import Progress
from neocog.data.room import chunks

COARSE = 8  # rows and columns of a coarse picture
CERTAIN = 0.99  # a correlation of all pixels that is enough by itself
LIKELY = 0.8  # the least correlation of all pixels
NEARER = 0.45  # than the tenth nearest
CROWD = 10
_VALUES_AT_ONCE = 1 << 24  # correlations in memory: 64 MB as float32

Pixels = NDArray[np.uint8]
Coarse = NDArray[np.float32]
Candidate = tuple[int, int, bool]  # a picture, its nearest, and whether that stands out from the crowd


@dataclass(frozen=True)
class Pair:
    """Two pictures that are one: the place of each, and the mean absolute difference of their pixels."""

    first: int
    second: int
    difference: float  # grey levels of 0 to 255; 0 is exactly the same

    @property
    def exact(self) -> bool:
        """Whether all pixels are the same."""
        return self.difference == 0


def across(images: Pixels, others: Pixels, progress: Progress | None = None) -> list[Pair]:
    """The pictures that are among others as well, each with the one it is most like, in the order of `images`.

    >>> stripes = np.array([[0, 200], [200, 0], [90, 10]], np.uint8).reshape(3, 1, 2, 1)
    >>> across(stripes[:1], stripes[1:]), across(stripes[1:2], stripes)
    ([], [Pair(first=0, second=1, difference=0.0)])
    """
    places: dict[bytes, int] = {}
    for place, digest in enumerate(_digests(others)):
        places.setdefault(digest, place)
    exact = {row: places[digest] for row, digest in enumerate(_digests(images)) if digest in places}
    found = [Pair(row, place, 0.0) for row, place in exact.items()]
    near = _nearest(_coarse(images), _coarse(others), progress, same=False)
    found += _verified(images, others, [each for each in near if each[0] not in exact])
    return sorted(found, key=lambda pair: pair.first)


def groups(images: Pixels, progress: Progress | None = None) -> list[tuple[int, ...]]:
    """The places of pictures that are one, two or more in each group, in rising order.

    >>> stripes = np.array([[0, 200], [200, 0], [0, 200]], np.uint8).reshape(3, 1, 2, 1)
    >>> groups(stripes)
    [(0, 2)]
    """
    leader = list(range(len(images)))

    def lead(place: int) -> int:
        while leader[place] != place:
            leader[place] = place = leader[leader[place]]
        return place

    places: dict[bytes, int] = {}
    pairs = [(place, places.setdefault(digest, place)) for place, digest in enumerate(_digests(images))]
    coarse = _coarse(images)
    pairs += [
        (pair.first, pair.second) for pair in _verified(images, images, _nearest(coarse, coarse, progress, same=True))
    ]
    for one, other in pairs:
        low, high = sorted((lead(one), lead(other)))
        leader[high] = low
    found: dict[int, list[int]] = {}
    for place in range(len(images)):
        found.setdefault(lead(place), []).append(place)
    return [tuple(members) for members in found.values() if len(members) > 1]


def _digests(images: Pixels) -> Iterator[bytes]:
    for picture in images:
        yield blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()


def _coarse(images: Pixels) -> Coarse:
    """(N, D) means over a coarse grid, each picture with mean 0 and length 1."""
    count, height, width, channels = images.shape
    down, across = (np.linspace(0, side, min(side, COARSE) + 1).round().astype(int) for side in (height, width))
    area = np.diff(down)[:, None, None] * np.diff(across)[None, :, None]
    found = np.empty((count, area.size * channels), np.float32)
    for chunk in chunks(images):
        sums = np.add.reduceat(images[chunk].astype(np.float32), down[:-1], axis=1)
        means = np.add.reduceat(sums, across[:-1], axis=2) / area
        found[chunk] = _standard(means.reshape(len(means), -1))
    return found


def _standard(values_ND: NDArray[np.floating]) -> Coarse:
    """Rows with mean 0 and length 1; a row of one value only becomes 0, which is like nothing."""
    values_ND = values_ND - values_ND.mean(axis=1, keepdims=True)
    length = np.linalg.norm(values_ND, axis=1, keepdims=True)
    found: Coarse = np.divide(values_ND, length, out=np.zeros_like(values_ND), where=length > 1e-3).astype(np.float32)
    return found


def _nearest(
    images_ND: Coarse, others_MD: Coarse, progress: Progress | None, *, same: bool
) -> list[tuple[int, int, bool]]:
    """Each picture that may be a duplicate; with `same`, a picture is not its own neighbour."""
    found: list[Candidate] = []
    at_once = max(1, _VALUES_AT_ONCE // len(others_MD))
    for start in range(0, len(images_ND), at_once):
        alike = images_ND[start : start + at_once] @ others_MD.T
        rows = np.arange(len(alike))
        if same:
            alike[rows, start + rows] = -np.inf
        nearest = alike.argmax(axis=1)
        best = alike[rows, nearest]
        # d ≤ NEARER·d₁₀ says that fewer than ten are nearer than d/NEARER, and r = 1 − d²/2.
        crowd = (alike > (1 - (1 - best) / NEARER**2)[:, None]).sum(axis=1)
        stands_out = (crowd < CROWD) & (alike.shape[1] - same >= CROWD)
        likely = np.flatnonzero(best >= LIKELY / 2)
        found += [(start + int(row), int(nearest[row]), bool(stands_out[row])) for row in likely]
        if progress:
            progress("looking for duplicates", min(start + at_once, len(images_ND)), len(images_ND))
    return found


def _verified(images: Pixels, others: Pixels, candidates: list[Candidate]) -> list[Pair]:
    """The candidates whose pixels agree, too."""
    found = []
    size = max(1, (1 << 22) // images[0].size)
    for start in range(0, len(candidates), size):
        some = candidates[start : start + size]
        left, right = images[[each[0] for each in some]], others[[each[1] for each in some]]
        flat = [_standard(side.reshape(len(some), -1).astype(np.float32)) for side in (left, right)]
        alike = (flat[0] * flat[1]).sum(axis=1)
        for place, (first, second, stands_out) in enumerate(some):
            if alike[place] >= (LIKELY if stands_out else CERTAIN):
                difference = np.abs(left[place].astype(np.int16) - right[place]).mean()
                found.append(Pair(first, second, float(difference)))
    return found
