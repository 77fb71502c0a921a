"""Which pictures are nearly the same: one measure, for pictures of one part as for those of several.

Brightness and contrast are taken out of the pixels p of a picture, of each channel its own mean p̄, so that pictures of
one colour only have nothing left that could be alike:

    z = (p − p̄) / |p − p̄|,      distance of two pictures d = |z − z'|,      correlation r = z·z' = 1 − d²/2

first on a coarse grid, where 8×8 means of brightness stand for a picture; that finds its ten nearest among thousands
in one matrix product, and forgives a small shift. Two pictures are nearly the same when all their pixels have
r ≥ 0.995, or when three things hold: they have r ≥ 0.8; on the coarse grid they are much nearer than others are,
d ≤ d₁₀/2 with the tenth nearest of all; and their fine detail, which is left of a picture of at most 32×32 means when
its blurred self is taken away, agrees much better than with the other nine: r ≥ 0.35 + the median of theirs, each at
its best shift. Where that median is above 0.28, details tell little, and all pixels must have r ≥ 0.95.

A limit on r alone can't do: two different ones (1) written by hand are more alike than two prints of one photograph,
but so are the others around them. A picture of which there are five or more changed copies is therefore only found
where r ≥ 0.995, and a picture is compared by all its pixels with no more than the ten it is most like.

The limits were set by eye, on the training pictures of three sets and among them all. In the 60,000 of MNIST, no two
of which are one, 0.99 alone for all pixels would report 2 pairs of ones, and details without a limit for the median
11 pairs that another hand wrote alike; with the limits above nothing is left. In Fashion-MNIST most pairs between
0.99 and 0.995 are different trousers; above, most are one garment in two prints. In CIFAR-10 nearly all that is found
is one photograph. A shift by one pixel of a picture of 28×28 strokes leaves r ≈ 0.6 and is not found; one of a
photograph of 32×32 is found most often.

Legend: N pictures, H W rows and columns, C channels, h w those of a grid, D numbers of a coarse picture, G a picture
and its crowd, P pairs. Pictures are uint8 (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocog.data.dataset import Progress
from neocog.data.room import chunks

COARSE = 8  # rows and columns of a coarse picture
FINE = 32  # the most rows and columns of a picture whose details are looked at
CERTAIN = 0.995  # a correlation of all pixels that is enough by itself
PROMISING = 0.97  # a correlation of coarse pictures for which all pixels are compared, though it doesn't stand out
LIKELY = 0.8  # the least correlation of all pixels
LIKELIER = 0.95  # the least where the details of all are alike
NEARER = 0.5  # than the tenth nearest
CROWD = 10
CLEARER = 0.35  # the correlation of details above the median of the crowd's
TELLING = 0.28  # the highest median with which details tell enough; those of strokes are all alike
FLAT = 0.01  # grey levels: what varies by less is flat, but for rounding
_VALUES_AT_ONCE = 1 << 24  # correlations in memory: 64 MB as float32

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """Some pictures of several arrays as if they were one array, without copying them."""

    arrays: Sequence[Pixels]
    places: Places  # of each picture in the arrays one after the other

    def __len__(self) -> int:
        return len(self.places)

    def take(self, numbers: Sequence[int] | Places) -> Pixels:
        """A copy of these pictures."""
        starts = np.cumsum([0, *(len(array) for array in self.arrays)])
        wanted = self.places[np.asarray(numbers, np.int64)]
        held_by = np.searchsorted(starts, wanted, side="right") - 1
        found = np.empty((len(wanted), *self.arrays[0].shape[1:]), np.uint8)
        for number in np.unique(held_by):
            here = held_by == number
            found[here] = self.arrays[number][wanted[here] - starts[number]]
        return found


@dataclass(frozen=True)
class Near:
    """Two pictures that are nearly the same, by their numbers, and how much all their pixels agree."""

    first: int
    second: int
    alike: float


def near(pictures: Pictures, rows: int, progress: Progress | None = None) -> Iterator[Near]:
    """The pictures that are nearly the same as one of the first `rows`, which are looked at one after the other.

    Whether a pair is found depends on all the pictures, but not on how many rows are looked at.
    """
    coarse = _coarse(pictures)
    others = np.ascontiguousarray(coarse.T)  # which is a fifth faster to multiply by
    at_once = max(1, min(rows, _VALUES_AT_ONCE // max(1, len(pictures))))
    room = np.empty((at_once, len(pictures)), np.float32)
    for start in range(0, rows, at_once):
        own = np.arange(start, min(start + at_once, rows))
        alike = np.matmul(coarse[own], others, out=room[: len(own)])
        alike[own - start, own] = -1
        highest = _of_sixteen(alike)
        best = highest.max(axis=1)
        yield from _certain(pictures, alike, start, np.flatnonzero(best >= PROMISING))
        if len(pictures) > CROWD:
            # d ≤ NEARER·d₁₀ says that fewer than ten are nearer than d/NEARER, and r = 1 − d²/2.
            nearer = (highest > (1 - (1 - best) / NEARER**2)[:, None]).sum(axis=1)
            yield from _standing_out(pictures, alike, start, np.flatnonzero((nearer < CROWD) & (best >= LIKELY / 2)))
        if progress:
            progress("looking for duplicates", int(own[-1]) + 1, rows)


def _of_sixteen(alike: Values) -> Values:
    """The highest of each sixteen values of a row; they stand far apart, which is faster than side by side."""
    count, columns = alike.shape
    even = columns - columns % 16
    return np.concatenate([alike[:, :even].reshape(count, 16, -1).max(axis=1), alike[:, even:]], axis=1)


def _certain(pictures: Pictures, alike: Values, start: int, rows: Places) -> Iterator[Near]:
    """Those whose pixels are all but equal, among the ten nearest of each."""
    seconds = []
    for row in rows:
        promising = np.flatnonzero(alike[row] >= PROMISING)
        seconds.append(promising[_highest(alike[row, promising], CROWD)])
    if not seconds:
        return
    first, second = np.repeat(rows + start, [len(each) for each in seconds]), np.concatenate(seconds)
    agree = _correlations(pictures, first, second)
    for place in np.flatnonzero(agree >= CERTAIN):
        yield Near(int(first[place]), int(second[place]), float(agree[place]))


def _standing_out(pictures: Pictures, alike: Values, start: int, rows: Places) -> Iterator[Near]:
    """Those that are much nearer than others are, and whose details agree."""
    for row in rows:
        ten = _highest(alike[row], CROWD)
        far = 1 - alike[row, ten].min()
        nearer = ten[1 - alike[row, ten] <= NEARER**2 * far]
        agree = _correlations(pictures, np.full(len(nearer), start + row), nearer)
        for place, each in zip(nearer, agree, strict=True):
            if LIKELY <= each < CERTAIN and _clearer(pictures, start + int(row), int(place), ten[ten != place], each):
                yield Near(start + int(row), int(place), float(each))


def _highest(values: Values, count: int) -> Places:
    """The places of the highest so many values, in no order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(-values, count - 1)[:count]


def _coarse(pictures: Pictures) -> Values:
    """(N, D) means over a coarse grid, each picture with mean 0 and length 1."""
    everything = [_standard(_means(array, COARSE)) for array in pictures.arrays]
    return np.concatenate(everything)[pictures.places]


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


def _standard(values_NhwC: NDArray[np.floating]) -> Values:
    """(N, D) rows with length 1, and mean 0 in each channel; a flat one becomes 0, which is like nothing."""
    centred = values_NhwC - values_NhwC.mean(axis=(1, 2), keepdims=True)
    values_ND = centred.reshape(len(centred), int(np.prod(centred.shape[1:])))
    length = np.linalg.norm(values_ND, axis=1, keepdims=True)
    varies = length > FLAT * values_ND.shape[1] ** 0.5
    found: Values = np.divide(values_ND, length, out=np.zeros_like(values_ND), where=varies).astype(np.float32)
    return found


def _correlations(pictures: Pictures, firsts: Places, seconds: Places) -> Values:
    """(P,) how much all the pixels of pairs agree."""
    found = np.empty(len(firsts), np.float32)
    at_once = max(1, (1 << 20) // int(np.prod(pictures.arrays[0].shape[1:])))
    for begin in range(0, len(firsts), at_once):
        some = slice(begin, begin + at_once)
        left, right = (_standard(pictures.take(each[some]).astype(np.float32)) for each in (firsts, seconds))
        found[some] = np.einsum("PD,PD->P", left, right)
    return found


def _clearer(pictures: Pictures, picture: int, other: int, crowd: Places, agree: float) -> bool:
    """Whether the details of a picture are the other's much more than those of the crowd, and tell enough."""
    own, their = _details(pictures.take([picture])), _details(pictures.take([other, *crowd]))
    first, *rest = _alike_at_best(own, their)
    usual = np.median(rest)
    return bool(first >= usual + CLEARER and (usual <= TELLING or agree >= LIKELIER))


def _details(images: Pixels) -> Values:
    """(N, h, w, C) what a blur takes away."""
    from scipy.ndimage import gaussian_filter

    fine = _means(images, FINE)
    sigma = min(fine.shape[1:3]) / 16
    found: Values = fine - gaussian_filter(fine, (0, sigma, sigma, 0), mode="nearest")
    return found


def _alike_at_best(own_1hwC: Values, their_GhwC: Values) -> Values:
    """(G,) the highest correlation over small shifts."""
    reach = round(min(own_1hwC.shape[1:3]) / 16)
    _, height, width, _ = own_1hwC.shape
    rows, columns = height - 2 * reach, width - 2 * reach
    own = _standard(own_1hwC[:, reach : reach + rows, reach : reach + columns])
    moved = [
        _standard(their_GhwC[:, down : down + rows, right : right + columns])
        for down in range(2 * reach + 1)
        for right in range(2 * reach + 1)
    ]
    found: Values = (np.stack(moved) * own).sum(axis=2).max(axis=0)
    return found
