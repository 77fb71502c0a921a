"""snapshots: everything that changes from step to step, taken down and put back to the same bits."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from neocog.errors import RunError
from neocog.optim import build_optimizer
from neocog.snapshots import Snapshot, copied, found_under, put_state, put_weights, state_of, weights_of

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
    "adam": {"lr": 0.1},
    "adamw": {"lr": 0.1, "weight_decay": 0.1},
    "adadelta": {"lr": 1.0},
    "muon": {"lr": 0.1, "weight_decay": 0.1},
}


class Counting(nn.Module):
    """A network with a buffer that no state dict holds, and on which its answers depend."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.Flatten())
        self.last = nn.Linear(16, 2)
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.last(self.layers(x)) * self.calls


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        x = torch.randn((8, 1, 6, 6), generator=torch.Generator().manual_seed(step))
        x = x.to(next(model.parameters()).dtype)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), torch.arange(8) % 2).backward()
        optimizer.step()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_put_back_goes_on_to_the_same_bits(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    first = Counting().to(dtype).to(memory_format=torch.channels_last)
    fresh = copy.deepcopy(first)
    optimizer = build_optimizer(first, name, **OPTIMIZERS[name])
    steps(first, optimizer, 0, 3)
    tensors = copied(weights_of(first), "model") | copied(state_of(optimizer), "optimizer")
    frozen = {key: value.clone() for key, value in tensors.items()}
    steps(first, optimizer, 3, 6)
    for key, value in frozen.items():  # copies, which the steps since have not touched
        torch.testing.assert_close(tensors[key], value, rtol=0, atol=0)

    second = build_optimizer(fresh, name, **OPTIMIZERS[name])
    snapshot = Snapshot(3, tensors, {})
    put_weights(fresh, found_under(snapshot, "model"))
    put_state(second, found_under(snapshot, "optimizer"))
    steps(fresh, second, 3, 6)
    for key, value in weights_of(first).items():
        assert torch.equal(weights_of(fresh)[key], value), key
    for key, value in state_of(optimizer).items():
        got = state_of(second)[key]
        assert torch.equal(got, value), key
        assert (got.dtype, got.stride()) == (value.dtype, value.stride()), key


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_memory_that_lacks_a_part_is_refused(name: str) -> None:
    model = Counting()
    optimizer = build_optimizer(model, name, **OPTIMIZERS[name])
    steps(model, optimizer, 0, 1)
    whole = copied(state_of(optimizer), "")
    state = {key.removeprefix("."): value for key, value in whole.items()}
    put_state(optimizer, state)  # all that torch keeps is known, under the names that it has today
    alone = [key for key in state if sum(other.split(".")[0] == key.split(".")[0] for other in state) == 1]
    for key in set(state) - set(alone):  # a parameter without any memory is one that has got no gradient yet
        with pytest.raises(RunError) as caught:
            put_state(optimizer, {other: value for other, value in state.items() if other != key})
        assert str(caught.value) == f"the checkpoint's optimizer has lost its '{key}'; train again"


def test_names_tell_what_belongs_to_whom() -> None:
    weight = torch.arange(8.0).reshape(1, 2, 2, 2).to(memory_format=torch.channels_last)
    tensors = copied({"a.b": weight}, "model") | copied({"a": torch.ones(1)}, "models")
    snapshot = Snapshot(1, tensors, {"x": 1})
    assert list(tensors) == ["model.a.b", "models.a"]
    assert tensors["model.a.b"].is_contiguous()
    assert list(found_under(snapshot, "model")) == ["a.b"]
    assert snapshot.without("model") == Snapshot(1, {"models.a": tensors["models.a"]}, {"x": 1})


@pytest.mark.gpu
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_on_a_gpu_too(name: str) -> None:
    torch.manual_seed(1)
    first = Counting().cuda()
    optimizer = build_optimizer(first, name, **OPTIMIZERS[name])
    state = {"cuda": torch.ones(8, 1, 6, 6, device="cuda")}
    optimizer.zero_grad()
    first(state["cuda"]).sum().backward()
    optimizer.step()
    kept = copied(state_of(optimizer), "optimizer")
    second = build_optimizer(first, name, **OPTIMIZERS[name])
    put_state(second, found_under(Snapshot(1, kept, {}), "optimizer"))
    for key, value in state_of(optimizer).items():
        assert state_of(second)[key].device == value.device, key
        assert torch.equal(state_of(second)[key], value), key
    second.step()
