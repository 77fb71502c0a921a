"""Pictures that are among others as well: exactly the same pixels, or nearly the same.

Exact ones have one hash. For near ones, brightness and contrast are taken out of the pixels p of a picture,

    z = (p − p̄) / |p − p̄|,      distance of two pictures d = |z − z'|,      correlation r = z·z' = 1 − d²/2

first on a coarse grid, where 8×8 means of brightness stand for a picture; that finds its nearest neighbour among
thousands in one matrix product, and forgives a small shift. It is a near duplicate when all its pixels have r ≥ 0.99,
or when three things hold: they have r ≥ 0.8; on the coarse grid it is much nearer than others are, d ≤ d₁₀/2 with the
tenth nearest of all; and its fine detail, which is left of a picture of at most 32×32 means when its blurred self is
taken away, agrees much better than that of the others: r ≥ 0.35 + the median of the nine next, each at its best shift.

A limit on r alone can't do: two different ones (1) written by hand are more alike than two prints of one photograph,
but so are the others around them. A picture of which there are five or more changed copies is therefore only found
where r ≥ 0.99. The limits were set by eye, with the 10,000 test pictures of MNIST, where nothing is reported, and of
CIFAR-10, where 208 are. Mirrored and strongly cut copies are not found, and plain shapes drawn by a program, which have
no detail of their own, may be reported: what is found by likeness is to be looked at.

Legend: N pictures, H W rows and columns, C channels, D numbers of a coarse picture, G a picture and its crowd.
Pictures are uint8 (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from neocog.data.dataset import Progress
from neocog.data.room import chunks

COARSE = 8  # rows and columns of a coarse picture
FINE = 32  # the most rows and columns of a picture whose details are looked at
CERTAIN = 0.99  # a correlation of all pixels that is enough by itself
LIKELY = 0.8  # the least correlation of all pixels
NEARER = 0.5  # than the tenth nearest
CROWD = 10
CLEARER = 0.35  # the correlation of details above that of the crowd's
_VALUES_AT_ONCE = 1 << 24  # correlations in memory: 64 MB as float32

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class _Candidate:
    place: int
    nearest: int
    crowd: tuple[int, ...]  # the next nine, where the nearest stands out from them


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
    near = _nearest(_coarse(images), _coarse(others), progress)
    found += _verified(images, others, [each for each in near if each.place not in exact])
    return sorted(found, key=lambda pair: pair.first)


def _digests(images: Pixels) -> Iterator[bytes]:
    for picture in images:
        yield blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()


def _coarse(images: Pixels) -> Values:
    """(N, D) means over a coarse grid, each picture with mean 0 and length 1."""
    return _standard(_means(images, COARSE))


def _means(images: Pixels, most: int) -> Values:
    """(N, h, w, C) means over a grid of at most so many rows and columns."""
    count, height, width, channels = images.shape
    down, across = (np.linspace(0, side, min(side, most) + 1).round().astype(int) for side in (height, width))
    area = (np.diff(down)[:, None, None] * np.diff(across)[None, :, None]).astype(np.float32)
    found = np.empty((count, len(down) - 1, len(across) - 1, channels), np.float32)
    for chunk in chunks(images):
        sums = np.add.reduceat(images[chunk].astype(np.float32), down[:-1], axis=1)
        found[chunk] = np.add.reduceat(sums, across[:-1], axis=2) / area
    return found


def _standard(values: NDArray[np.floating]) -> Values:
    """(N, D) rows with mean 0 and length 1; a row of one value only becomes 0, which is like nothing."""
    values_ND = values.reshape(len(values), -1)
    values_ND = values_ND - values_ND.mean(axis=1, keepdims=True)
    length = np.linalg.norm(values_ND, axis=1, keepdims=True)
    found: Values = np.divide(values_ND, length, out=np.zeros_like(values_ND), where=length > 1e-3).astype(np.float32)
    return found


def _nearest(images_ND: Values, others_MD: Values, progress: Progress | None) -> list[_Candidate]:
    """Each picture that may be a duplicate, with its nearest."""
    found: list[_Candidate] = []
    at_once = max(1, _VALUES_AT_ONCE // len(others_MD))
    for start in range(0, len(images_ND), at_once):
        alike = images_ND[start : start + at_once] @ others_MD.T
        nearest = alike.argmax(axis=1)
        best = alike[np.arange(len(alike)), nearest]
        # d ≤ NEARER·d₁₀ says that fewer than ten are nearer than d/NEARER, and r = 1 − d²/2.
        crowd = (alike > (1 - (1 - best) / NEARER**2)[:, None]).sum(axis=1)
        stands_out = (crowd < CROWD) & (alike.shape[1] >= CROWD)
        for row in np.flatnonzero(best >= LIKELY / 2):
            others = np.argpartition(-alike[row], CROWD - 1)[:CROWD] if stands_out[row] else ()
            found.append(
                _Candidate(start + int(row), int(nearest[row]), tuple(int(k) for k in others if k != nearest[row]))
            )
        if progress:
            progress("looking for duplicates", min(start + at_once, len(images_ND)), len(images_ND))
    return found


def _verified(images: Pixels, others: Pixels, candidates: Sequence[_Candidate]) -> list[Pair]:
    """The candidates whose pixels agree, too."""
    found = []
    size = max(1, (1 << 22) // images[0].size)
    for start in range(0, len(candidates), size):
        some = candidates[start : start + size]
        left, right = images[[each.place for each in some]], others[[each.nearest for each in some]]
        alike = (_standard(left.astype(np.float32)) * _standard(right.astype(np.float32))).sum(axis=1)
        for row, each in enumerate(some):
            if alike[row] >= CERTAIN or (alike[row] >= LIKELY and each.crowd and _clearer(images, others, each)):
                difference = np.abs(left[row].astype(np.int16) - right[row]).mean()
                found.append(Pair(each.place, each.nearest, float(difference)))
    return found


def _clearer(images: Pixels, others: Pixels, candidate: _Candidate) -> bool:
    """Whether the details of a picture are its nearest's much more than those of the crowd."""
    own = _details(images[[candidate.place]])
    their = _details(others[[candidate.nearest, *candidate.crowd]])
    first, *rest = _alike_at_best(own, their)
    return bool(first >= CLEARER + np.median(rest))


def _details(images: Pixels) -> Values:
    """(N, h, w, C) what a blur takes away."""
    from scipy.ndimage import gaussian_filter

    fine = _means(images, FINE)
    sigma = min(fine.shape[1:3]) / 16
    found: Values = fine - gaussian_filter(fine, (0, sigma, sigma, 0), mode="nearest")
    return found


def _alike_at_best(own_1HWC: Values, their_GHWC: Values) -> Values:
    """(G,) the highest correlation over small shifts."""
    reach = round(min(own_1HWC.shape[1:3]) / 16)
    _, height, width, _ = own_1HWC.shape
    rows, columns = height - 2 * reach, width - 2 * reach
    own = _standard(own_1HWC[:, reach : reach + rows, reach : reach + columns])
    moved = [
        _standard(their_GHWC[:, down : down + rows, right : right + columns])
        for down in range(2 * reach + 1)
        for right in range(2 * reach + 1)
    ]
    found: Values = (np.stack(moved) * own).sum(axis=2).max(axis=0)
    return found
