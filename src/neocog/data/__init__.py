"""Data: named sets, IDX files, folders of pictures and arrays, all through one door, `open_source`.

source = open_source("photos/", image_size=64)     # cheap: classes, shape, how pictures are prepared
data = source.load(seed=0)                         # reads and checks everything; carves what is missing
data.train.images, data.validation, data.mean      # uint8 (N, H, W, C)
data.test                                          # read when it is asked for
"""

from __future__ import annotations

from neocog.data.catalogue import catalogue, fetch
from neocog.data.dataset import Dataset, NumberedNames, Progress, Source, Split
from neocog.data.decode import Preprocess
from neocog.data.door import open_source

__all__ = [
    "Dataset",
    "NumberedNames",
    "Preprocess",
    "Progress",
    "Source",
    "Split",
    "catalogue",
    "fetch",
    "open_source",
]
