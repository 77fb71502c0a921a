"""Running out of memory, on a CPU or a GPU, in words that help; and whether that can be known beforehand.

Linux promises memory that it doesn't have, and ends whoever uses too much of it without a word. So what a training
needs is held against what is free before it starts; that is an estimate, and so a remark at most. Nothing here imports
torch by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# torch says it with a RuntimeError where the memory isn't its own GPU cache's. oneDNN, which computes convolutions on a
# CPU, names no reason; "primitive descriptor" is another fault: a layer that it can't compute.
_WORDS = re.compile(
    r"can't allocate memory|not enough memory|out of memory|bad_alloc|unable to allocate|cannot allocate memory"
    r"|(CUBLAS|CUDNN|HIPBLAS)\w*_ALLOC_FAILED"
    r"|could not (create|execute) a primitive(?! descriptor)|could not create a memory",
    re.IGNORECASE,
)
_ERRORS = (RuntimeError, OSError)
_SPARE = 0.8  # how much of the free memory a batch size that is suggested may take


@dataclass(frozen=True)
class Need:
    """Bytes that a training takes besides its data and its weights.

    `kept` is what the forward pass keeps of each picture for the backward pass, `largest` the largest piece of it.
    """

    weights: int
    kept: int
    largest: int
    picture: int

    def likely(self, batch: int) -> int:
        """What is taken at most, about.

        To what is kept come the gradients of a layer's input and output at the largest of them, the pictures as they
        are made ready, and what the optimizer remembers: two numbers for each weight.
        """
        return 3 * self.weights + batch * (self.kept + 2 * self.largest + 3 * self.picture)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a CPU or a GPU.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."))
    True
    >>> out_of_memory(RuntimeError("could not create a primitive descriptor for a convolution"))
    False
    """
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, _ERRORS) and bool(_WORDS.search(str(error)))


def free_memory(device: torch.device, root: Path = Path("/")) -> int | None:
    """The bytes that are free on a device; None where nothing tells. On Linux the limits of containers count, too."""
    if device.type == "cuda":
        import torch

        free: int = torch.cuda.mem_get_info(device)[0]
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    table = _table(root / "proc/meminfo")
    if device.type != "cpu" or "MemAvailable" not in table:
        return None
    swap = 1024 * table.get("SwapFree", 0)
    return max(0, swap + min([1024 * table["MemAvailable"], *_left_by_groups(root)]))


def need_of(forward: Callable[[Tensor], Tensor], model: nn.Module, x_NCHW: Tensor) -> Need:
    """What training takes, from what one forward pass of a few pictures keeps for its backward pass."""
    import torch

    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, tuple[Tensor, int]] = {}  # the tensors, too: a freed one's number may come again

    def keep(tensor: Tensor) -> None:  # nothing is given back: a tensor that its own graph holds would stay for ever
        # What isn't as many as the pictures, such as weights rounded to bf16, doesn't grow with the batch.
        if tensor.ndim and len(tensor) == len(x_NCHW):
            if tensor.is_mkldnn:  # has no storage to ask
                kept[id(tensor)] = tensor, tensor.numel() * tensor.element_size()
            elif (number := tensor.untyped_storage()._cdata) not in own:
                kept[number] = tensor, tensor.untyped_storage().nbytes()

    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda nothing: nothing):
            torch.log_softmax(forward(x_NCHW), 1)
        sizes = [size // len(x_NCHW) for _, size in kept.values()]
    finally:
        kept.clear()  # which the graph holds, too
    weights = sum(parameter.nbytes for parameter in model.parameters())
    return Need(weights, sum(sizes), max(sizes, default=0), x_NCHW.nbytes // len(x_NCHW))


def doubt(batch: int, shape: tuple[int, int, int], need: Need, free: int, smallest: int = 1) -> str | None:
    """A remark where batches of that size likely need more memory than is free."""
    likely = need.likely(batch)
    if likely <= free:
        return None
    text = f"{_pictures(batch)} need about {in_words(likely)} of memory to train on and {in_words(free)} are free"
    return f"{text}, so the training may be killed without a word; {advice(batch, shape, need, free, smallest)}"


def refusal(
    batch: int, shape: tuple[int, int, int], device: object, need: Need | None, free: int | None, smallest: int = 1
) -> str:
    """The line for a training that has run out of memory."""
    return f"out of memory on {device} with {_pictures(batch)}; {advice(batch, shape, need, free, smallest)}"


def advice(batch: int, shape: tuple[int, int, int], need: Need | None, free: int | None, smallest: int = 1) -> str:
    """What to try: a smaller batch, or smaller pictures where no batch is small enough.

    The batch is the largest power of two below the present one of which `need` says that it takes no more than four
    fifths of the free memory; where nothing is known of the need, or it should have fitted, that below half of it.
    """
    size = _power_of_two_below(batch)
    if need is None or free is None or need.likely(batch) <= free:
        size = _power_of_two_below(batch // 2 + 1)
        why = "at most half as much"
    else:
        while size >= smallest and need.likely(size) > _SPARE * free:
            size //= 2
        why = f"about {in_words(need.likely(size))} where {in_words(free)} were free"
    if size >= smallest:
        return f"train with --set loader.batch_size={size} ({why})"
    _, height, width = shape
    smaller = f"{max(1, height // 2)}" if height == width else f"[{max(1, height // 2)},{max(1, width // 2)}]"
    return f"no batch is small enough, so train on smaller pictures: --set dataset.image_size={smaller}"


def in_words(count: float) -> str:
    """A number of bytes.

    >>> in_words(1_234_567_890), in_words(70_000)
    ('1.2 GB', '0.1 MB')
    """
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _pictures(batch: int) -> str:
    return f"batches of {batch} pictures" if batch > 1 else "one picture at a time"


def _power_of_two_below(number: int) -> int:
    """The largest power of two that is less; 0 for 1 and less."""
    return 1 << (number - 1).bit_length() - 1 if number > 1 else 0


def _table(path: Path) -> dict[str, int]:
    """`name: number`, or `name number`, line by line; empty where there is no such file."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = (re.match(r"(\w+):?\s+(\d+)", line) for line in lines)
    return {match[1]: int(match[2]) for match in found if match}


def _number(path: Path) -> int | None:
    """The number in a file of the system's; None for none, such as `max`."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each control group that this process is in has left of its limit; caches are given up in need."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, place = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        mounted = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        folder = mounted / place.strip("/")
        # A container may see its own group as the root, under a path that is the host's.
        for each in (folder, *(parent for parent in folder.parents if parent.is_relative_to(mounted))):
            limit, used = (_number(each / name) for name in names)
            if limit is not None and used is not None:
                caches = _table(each / "memory.stat")
                yield limit - used + caches.get("active_file", 0) + caches.get("inactive_file", 0)
