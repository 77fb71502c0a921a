"""What automatic differentiation makes of the three operations: higher derivatives, and only those asked for."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from cases import Case, agree, by_torch, listed
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from neocog import ops
from neocog.errors import OperationError
from neocog.ops.methods import METHODS, algorithm
from neocog.ops.spec import ConvSpec

SMALL = [
    Case("3×3", (2, 1, 2, 3), 2, ConvSpec.make(3, padding=(1, 0, 0, 1))),
    Case("3×3 in groups", (1, 2, 2, 3), 2, ConvSpec.make(3, padding="same", groups=2)),
    Case("2×3, all at once", (1, 2, 3, 4), 2, ConvSpec.make((2, 3), (2, 1), (1, 0, 2, 1), (1, 2), groups=2)),
]
# one for each method, as differences in all directions take time; groups, padding and all else that the method can do
GRID = [(method, SMALL[1] if method.startswith("winograd") else SMALL[2]) for method in METHODS]


def walk(spec):
    return {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": spec.groups}


def leaves(case, dtype=torch.float64):
    """x, w, b, for which gradients are wanted, and g."""
    x, w, g = case.tensors(3, dtype)
    b = torch.linspace(-1, 2, case.kernels, dtype=dtype)
    return [tensor.requires_grad_() for tensor in (x, w, b)], g


@pytest.mark.parametrize(("method", "case"), GRID)
def test_derivatives_are_those_of_differences(method, case):
    (x, w, b), g = leaves(case)

    def convolved(x, w, b):
        return ops.conv2d(x, w, b, method=method, **walk(case.spec))

    assert gradcheck(convolved, (x, w, b))
    assert gradgradcheck(convolved, (x, w, b), (g.requires_grad_(),))


@pytest.mark.parametrize(("method", "case"), GRID)
def test_derivatives_of_the_transposed_are_those_of_differences(method, case):
    _, w, g = (tensor.requires_grad_() for tensor in case.tensors(4))
    b = torch.linspace(-1, 2, case.x[1], dtype=torch.float64, requires_grad=True)

    def convolved(g, w, b):
        return ops.conv_transpose2d(g, w, b, method=method, **walk(case.spec))

    assert gradcheck(convolved, (g, w, b))
    assert gradgradcheck(convolved, (g, w, b))


@pytest.mark.parametrize("method", METHODS)
def test_only_the_gradients_that_are_wanted(method):
    case = SMALL[0]
    tensors, g = leaves(case)
    want = [by_torch("grad_x", case, *tensors[:2], g), by_torch("grad_w", case, *tensors[:2], g), g.sum((0, 2, 3))]
    for wanted in product((True, False), repeat=3):
        if not any(wanted):
            continue
        x, w, b = (tensor.detach().requires_grad_(wish) for tensor, wish in zip(tensors, wanted, strict=True))
        ops.conv2d(x, w, b, method=method, **walk(case.spec)).backward(g)
        for tensor, wish, gradient in zip((x, w, b), wanted, want, strict=True):
            if wish:
                agree(tensor.grad, gradient, f"{method}, {wanted}", rtol=1e-10, atol=1e-12)
            else:
                assert tensor.grad is None


class Counting(type(algorithm("loops"))):
    """Says which of the three operations were computed."""

    def __init__(self):
        self.calls = []

    def forward(self, *given):
        self.calls.append("forward")
        return super().forward(*given)

    def grad_x(self, *given):
        self.calls.append("grad_x")
        return super().grad_x(*given)

    def grad_w(self, *given):
        self.calls.append("grad_w")
        return super().grad_w(*given)


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        ((True, True, True), ["forward", "grad_x", "grad_w"]),
        ((False, True, True), ["forward", "grad_w"]),
        ((True, False, False), ["forward", "grad_x"]),
        ((False, False, True), ["forward"]),
    ],
)
def test_nothing_is_computed_in_vain(wanted, calls):
    """The first layer of a network needs no gradient for its pictures, a frozen one none for its kernels."""
    case, counting = SMALL[0], Counting()
    tensors, g = leaves(case)
    given = (tensor.detach().requires_grad_(wish) for tensor, wish in zip(tensors, wanted, strict=True))
    ops.functions.forward(*given, case.spec, counting).backward(g)
    assert counting.calls == calls


def third(convolution, x, w):
    """∂³L/∂x²∂w and ∂³L/∂w²∂x of a sum of cubes, each along the tensor itself."""
    loss = convolution(x, w).pow(3).sum()
    gx, gw = torch.autograd.grad(loss, (x, w), create_graph=True)
    (along_x,) = torch.autograd.grad(gx, x, x.detach(), create_graph=True)
    (along_w,) = torch.autograd.grad(gw, w, w.detach(), create_graph=True)
    return torch.autograd.grad(along_x, w, x.detach(), retain_graph=True) + torch.autograd.grad(along_w, x, w.detach())


@pytest.mark.parametrize("method", METHODS)
def test_third_derivatives(method):
    (x, w, _), _ = leaves(SMALL[1])
    got = third(lambda x, w: ops.conv2d(x, w, padding=1, groups=2, method=method), x, w)
    want = third(lambda x, w: functional.conv2d(x, w, padding=1, groups=2), x, w)
    for one, other in zip(got, want, strict=True):
        agree(one, other, method, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_bias(method):
    """Added to every number of its channel; its gradient is the sum of g over them, worked by hand here."""
    x, w = torch.zeros(2, 1, 4, 3, dtype=torch.float64), torch.ones(2, 1, 3, 3, dtype=torch.float64)
    b = torch.tensor([5.0, -7.0], dtype=torch.float64, requires_grad=True)
    y = ops.conv2d(x, w, b, method=method)
    agree(y, torch.tensor([[[[5.0], [5]], [[-7], [-7]]]] * 2, dtype=torch.float64), method, rtol=0, atol=0)
    y.backward(torch.arange(8.0, dtype=torch.float64).reshape(2, 2, 2, 1))
    agree(b.grad, torch.tensor([0.0 + 1 + 4 + 5, 2 + 3 + 6 + 7], dtype=torch.float64), method, rtol=0, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_of_0_trains(method):
    case = listed("batch of 0")
    (x, w, b), g = leaves(case)
    y = ops.conv2d(x, w, b, method=method)
    assert y.shape == (0, 4, 4, 3)
    y.backward(g)
    assert (x.grad.shape, w.grad.abs().sum().item(), b.grad.tolist()) == (x.shape, 0, [0] * 4)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_learns_its_kernels(method):
    """Steps of SGD on our gradients follow those on torch's."""
    x, target = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(1)).double().split([2, 1])
    losses = {}
    for name in ("ours", "torch"):
        w = torch.full((3, 2, 3, 3), 0.1, dtype=torch.float64, requires_grad=True)
        b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimizer, losses[name] = torch.optim.SGD([w, b], lr=0.1), []
        for _ in range(5):
            optimizer.zero_grad()
            convolved = ops.conv2d(x, w, b, method=method) if name == "ours" else functional.conv2d(x, w, b)
            loss = (convolved.relu() - target[:, :1, 1:4, 1:3]).square().mean()
            loss.backward()
            optimizer.step()
            losses[name].append(loss.item())
    assert losses["ours"][0] > 2 * losses["ours"][-1], "the loss falls"
    agree(torch.tensor(losses["ours"]), torch.tensor(losses["torch"]), method, rtol=1e-10, atol=0)


@pytest.mark.parametrize("method", ["shift", "im2col", "fft"])
def test_what_no_memory_holds_is_one_sentence(method):
    with pytest.raises(OperationError) as caught:
        ops.conv2d(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3), padding=10**9, method=method)
    assert str(caught.value) == (
        "there is not enough memory on cpu to make (1, 1, 2000000002, 2000000002) of (1, 1, 4, 4) and (1, 1, 3, 3) in "
        "this way; use less padding, fewer pictures at a time or another method"
    )
