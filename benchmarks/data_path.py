"""Batches a second: neocog's resident batches against a DataLoader that works on one picture at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from statistics import median
from typing import Any

from torch.utils.data import DataLoader

from benchmarks.common import Report
from benchmarks.plain import PlainPictures, mnist
from neocog.data.augment import Augmentation
from neocog.data.batches import Batches, Normalization

BATCH = 100


def rate(batches: Iterable[Any], count: int) -> float:
    """Batches a second over the first `count`."""
    began = time.perf_counter()
    for number, _ in enumerate(batches, 1):
        if number == count:
            break
    return count / (time.perf_counter() - began)


def main() -> None:
    report = Report("data_path", f"the data path alone: shuffled MNIST batches of {BATCH}")
    train, _ = mnist()
    loader = DataLoader(PlainPictures(train, False), batch_size=BATCH, shuffle=True)
    normalization = Normalization((0.0,), (1.0,))
    ours = Batches(train.images, train.labels, BATCH, 0, normalization, Augmentation())
    moved = Augmentation(shift=2, rotate=10, scale=0.1)
    changed = Batches(train.images, train.labels, BATCH, 0, normalization, moved)
    ratios, figures = [], []
    for _ in range(7):
        plain, fast, affine = rate(loader, 200), rate(ours.from_step(0), 4000), rate(changed.from_step(0), 500)
        ratios.append(fast / plain)
        figures.append((plain, fast, affine))
    plain, fast, affine = (median(column) for column in zip(*figures, strict=True))
    report(f"DataLoader, one picture at a time        {plain:8.0f} batches a second")
    report(f"neocog                                   {fast:8.0f} batches a second")
    report(f"neocog with a random affine map of each  {affine:8.0f} batches a second")
    report("")
    spread = f"median of {len(ratios)} pairs, from {min(ratios):.0f} to {max(ratios):.0f}"
    report(f"neocog / DataLoader  {median(ratios):.0f} × ({spread})")
    report.save()


if __name__ == "__main__":
    main()
