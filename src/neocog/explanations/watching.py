"""What goes into modules and comes out of them while a picture passes; hooks go off again whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from neocog.inference import evaluation_mode


@dataclass(frozen=True)
class Seen:
    """One call of a module: its first input and its output, and which tensors these were.

    `took` and `gave` are the very tensors that passed, to tell which module feeds which; a later in-place operation
    may have changed their values. `input` and `output` hold the values at the time of the call, but for an `input` that
    wasn't copied and that the module itself works on in place.
    """

    module: nn.Module
    input: Tensor
    output: Tensor
    took: Tensor
    gave: Tensor


@contextmanager
def watched(model: nn.Module, names: Iterable[str] | None = None, *, copies: bool = True) -> Iterator[dict[str, Seen]]:
    """Evaluation mode, and a dict that fills with what the named modules see as pictures pass: all unless given.

    Of a module that is called more than once, as one ReLU for all may be, only the last call is kept. The order is that
    of the calls' ends. With
    `copies=False` values stay in the graph, for gradients. Modes and hooks are as they were afterwards, also when the
    network raises.

    >>> import torch
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> with watched(model) as seen:
    ...     _ = model(torch.ones(1, 1, 2, 2))
    >>> {name: tuple(each.output.shape) for name, each in seen.items()}
    {'0': (1, 4), '1': (1, 2), '': (1, 2)}
    """
    modules = dict(model.named_modules())
    seen: dict[str, Seen] = {}
    taken: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def kept(tensor: Tensor) -> Tensor:
        return tensor.detach().clone() if copies else tensor

    def before(name: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            tensor = next((each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)), None)
            if tensor is not None:
                taken.setdefault(name, []).append((kept(tensor), tensor))

        return hook

    def after(name: str) -> Any:
        def hook(module: nn.Module, _: Any, output: Any) -> Tensor | None:
            if not isinstance(output, Tensor) or not taken.get(name):
                return None
            value, tensor = taken[name].pop()
            # In the graph, a copy goes on instead, so that what works in place later doesn't change the one kept.
            passes = output if copies else output.clone()
            seen.pop(name, None)
            seen[name] = Seen(module, value, kept(output), tensor, passes)
            return None if copies else passes

        return hook

    hooks = []
    try:
        for name in modules if names is None else names:
            module = modules[name]
            hooks.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
            hooks.append(module.register_forward_hook(after(name)))
        with evaluation_mode(model):
            yield seen
    finally:
        for hook in hooks:
            hook.remove()
