"""Random numbers that depend on what they are for, and on nothing else.

Each use draws from its own stream, named by (seed, purpose, keys…). So the order of one epoch, the augmentation of
one step or the split of a data set stay the same however the work around them is arranged, stopped or resumed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    import torch


def derived_seed(seed: int, purpose: str, *keys: int) -> int:
    """A 63-bit number that SHA-256 makes of the seed, the purpose and the keys.

    >>> derived_seed(0, "order", 3) == derived_seed(0, "order", 3)
    True
    >>> derived_seed(0, "order", 3) == derived_seed(0, "order", 4)
    False
    """
    text = "/".join([str(seed), purpose, *(str(key) for key in keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_stream(seed: int, purpose: str, *keys: int) -> torch.Generator:
    """A CPU generator for torch, at the start of the named stream."""
    import torch

    return torch.Generator().manual_seed(derived_seed(seed, purpose, *keys))


def seed_torch(device: torch.device, seed: int, purpose: str, *keys: int) -> None:
    """Puts torch's own generators of the CPU and of `device` at the start of the named stream.

    For what draws from them and takes no generator, such as dropout.
    """
    import torch

    number = derived_seed(seed, purpose, *keys)
    # torch.manual_seed asks every kind of device, which takes a tenth of a small step.
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def seed_shared(device: torch.device, seed: int, purpose: str, *keys: int) -> None:
    """As `seed_torch`, and the generators that Python and numpy share among all callers, too.

    A network of the user's own may draw from any of them.
    """
    import numpy

    seed_torch(device, seed, purpose, *keys)
    number = derived_seed(seed, purpose, *keys)
    random.seed(number)
    numpy.random.seed(number % 2**32)  # noqa: NPY002 - theirs, not ours


@contextmanager
def shared_kept() -> Iterator[None]:
    """The generators that Python and numpy share are afterwards as they were."""
    import numpy

    python, own = random.getstate(), numpy.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        numpy.random.set_state(own)  # noqa: NPY002


def numpy_stream(seed: int, purpose: str, *keys: int) -> numpy.random.Generator:
    """A generator for numpy, at the start of the named stream."""
    import numpy

    return numpy.random.default_rng(derived_seed(seed, purpose, *keys))
