"""All that a training needs to go on to the same bits, as tensors and numbers.

Randomness is not among it: every random number comes from a stream named by seed, purpose and step. Nor is the learning
rate, which follows from the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from neocog.errors import RunError


@dataclass(frozen=True)
class Snapshot:
    """A training after `done` steps. The tensors are copies on the CPU; the numbers can be written as JSON."""

    done: int
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]

    def without(self, name: str) -> Snapshot:
        """The same but for the tensors whose names begin with that name."""
        kept = {key: value for key, value in self.tensors.items() if not key.startswith(f"{name}.")}
        return Snapshot(self.done, kept, self.numbers)


def copied(tensors: Mapping[str, Tensor], under: str) -> dict[str, Tensor]:
    """Copies on the CPU under names that begin with `under`, in the order of rows whatever the layout."""
    return {
        f"{under}.{name}": tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }


def found_under(snapshot: Snapshot, name: str) -> dict[str, Tensor]:
    """The tensors of a snapshot whose names begin with that name, without it."""
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in snapshot.tensors.items() if key.startswith(start)}


def state_of(optimizer: Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each parameter, under the parameter's number and the name of the memory."""
    return {
        f"{number}.{name}": value
        for number, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def put_state(optimizer: Optimizer, state: Mapping[str, Tensor]) -> None:
    """Gives an optimizer its memory back, each tensor in the layout of its parameter, as if it had been made there.

    Raises RunError for a memory of other parameters: torch's fused kernels would write past its end.
    """
    _refuse_other_state(optimizer, state)
    fused = {id(each): bool(group.get("fused")) for group in optimizer.param_groups for each in group["params"]}
    parameters = list(_parameters(optimizer))
    for key, value in state.items():
        number, _, name = key.partition(".")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape and name != "step":
            own = torch.empty_like(parameter.detach(), dtype=value.dtype).copy_(value)
        else:  # torch counts steps on the CPU, unless one kernel does all of it
            own = value.to(parameter.device if name != "step" or fused[id(parameter)] else "cpu", copy=True)
        optimizer.state[parameter][name] = own


def _refuse_other_state(optimizer: Optimizer, state: Mapping[str, Tensor]) -> None:
    kinds = [_remembered_by(group) for group in optimizer.param_groups for _ in group["params"]]
    own = {str(number): parameter for number, parameter in enumerate(_parameters(optimizer))}
    for key, value in state.items():
        number, _, name = key.partition(".")
        fits = number in own and name in kinds[int(number)]
        if fits and name == "step":  # torch divides by what it makes of 0
            fits = value.ndim == 0 and value.dtype == torch.float32 and bool(value >= 1)
        elif fits:
            fits = (value.shape, value.dtype) == (own[number].shape, own[number].dtype)
        if not fits:
            raise RunError(f"the checkpoint's optimizer is another one's: '{key}' has no place in it; train again")
    for number in {key.partition(".")[0] for key in state}:  # what got no gradient has no memory at all
        if lost := sorted(name for name in kinds[int(number)] if f"{number}.{name}" not in state):
            raise RunError(f"the checkpoint's optimizer has lost its '{number}.{lost[0]}'; train again")


def _remembered_by(group: Mapping[str, Any]) -> set[str]:
    """What torch's Adam, AdamW, Adadelta and SGD, and our Muon, keep for each parameter of a group."""
    if "betas" in group:
        return {"step", "exp_avg", "exp_avg_sq"}
    if "rho" in group:
        return {"step", "square_avg", "acc_delta"}
    return {"momentum_buffer"} if group["momentum"] else set()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those that no state dict holds, too: a training may depend on them all the same."""
    return {**dict(model.named_buffers()), **model.state_dict()}


def put_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Gives a model its parameters and buffers back, in place. Raises RunError for those of another one."""
    put_tensors(weights_of(model), weights)


def put_tensors(own: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> None:
    """Copies tensors into those of the same names. Raises RunError where names, shapes or types differ."""
    ours, theirs = ({name: (each.shape, each.dtype) for name, each in tensors.items()} for tensors in (own, kept))
    for name in sorted({*own, *kept}):
        if ours.get(name) != theirs.get(name):
            raise RunError(f"the checkpoint's weights are another network's: they differ in '{name}'; train again")
    with torch.no_grad():
        for name, value in kept.items():
            own[name].copy_(value)


def _parameters(optimizer: Optimizer) -> Iterator[nn.Parameter]:
    for group in optimizer.param_groups:
        yield from group["params"]
