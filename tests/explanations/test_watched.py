"""What goes into modules and comes out of them, and that everything is as before afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neocog.explanations.watching import watched


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("broken")


class Twice(nn.Module):
    """One layer called twice, and one that is given its input by name and gives a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.add = nn.Linear(1, 1)
        self.pair = Pair()
        nn.init.ones_(self.add.weight)
        nn.init.ones_(self.add.bias)

    def forward(self, x: Tensor) -> Tensor:
        first, _ = self.pair(x=self.add(self.add(x)))
        return first


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


def hooks(model: nn.Module) -> int:
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules())


def test_inputs_and_outputs_are_seen_in_the_order_of_the_calls_ends():
    model = nn.Sequential(nn.Flatten(), nn.Sequential(nn.ReLU(), nn.Linear(2, 1, bias=False)))
    nn.init.constant_(model[1][1].weight, 3.0)
    with watched(model) as seen:
        model(torch.tensor([[[-1.0], [2.0]]]))
    assert list(seen) == ["0", "1.0", "1.1", "1", ""]
    assert seen["1.0"].input.tolist() == [[-1, 2]]
    assert seen["1.0"].output.tolist() == [[0, 2]]
    assert seen["1"].output.tolist() == seen[""].output.tolist() == [[6]]
    assert seen["1.1"].took is seen["1.0"].gave
    with watched(model, ["1.1"]) as seen:
        model(torch.zeros(1, 2, 1))
    assert list(seen) == ["1.1"]
    assert seen["1.1"].module is model[1][1]


def test_the_last_of_several_calls_is_kept_and_what_gives_no_tensor_is_left_out():
    model = Twice()
    with watched(model) as seen:
        model(torch.zeros(1, 1))
    assert list(seen) == ["add", ""]
    assert (seen["add"].input.item(), seen["add"].output.item()) == (1, 2)


@pytest.mark.parametrize("copies", [True, False])
def test_what_works_in_place_later_changes_nothing_that_is_kept(copies):
    model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(inplace=True))
    nn.init.ones_(model[0].weight)
    with watched(model, ["0"], copies=copies) as seen:
        out = model(torch.tensor([[-3.0]]))
    assert out.tolist() == [[0, 0]]
    assert seen["0"].output.tolist() == [[-3, -3]]


def test_without_copies_gradients_flow_to_and_through_what_is_kept():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU(inplace=True), nn.Linear(1, 1, bias=False))
    for place, weight in ((0, 2.0), (2, 5.0)):
        nn.init.constant_(model[place].weight, weight)
    x = torch.tensor([[1.0]], requires_grad=True)
    with watched(model, ["0"], copies=False) as seen:
        out = model(x)
    kept = seen["0"].output
    assert [each.item() for each in torch.autograd.grad(out, (kept, x), retain_graph=True)] == [5, 10]
    assert torch.autograd.grad(kept, x)[0].item() == 2
    assert all(each.grad is None for each in model.parameters())


@pytest.mark.parametrize("last", [nn.Identity(), Broken()])
def test_modes_and_hooks_are_as_found_also_when_forward_raises(last):
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(2), last).train()
    model[1].eval()
    own = model[0].register_forward_hook(lambda *_: None)
    means = model[1].running_mean.clone()
    modes = [each.training for each in model.modules()]
    try:
        with watched(model) as seen:
            assert not any(each.training for each in model.modules())
            model(torch.ones(4, 2))
    except ValueError as error:
        assert str(error) == "broken"
        assert list(seen) == ["0", "1"]
    else:
        assert list(seen) == ["0", "1", "2", ""]
    assert [each.training for each in model.modules()] == modes == [True, True, False, True]
    assert hooks(model) == 1
    assert torch.equal(model[1].running_mean, means)
    own.remove()


def test_a_name_that_is_none_leaves_no_hook():
    model = nn.Sequential(nn.Identity())
    with pytest.raises(KeyError), watched(model, ["0", "nothing"]):
        pass
    assert hooks(model) == 0
