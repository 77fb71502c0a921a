"""speed: the faster paths give the numbers of the plain one, forward and backward."""

from __future__ import annotations

import copy
import platform
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from conftest import ENVIRONMENT
from neocog.device import Compute
from neocog.layers import parse
from neocog.recipe import Recipe
from neocog.speed import _opaque_front, fastest

CPU = Compute(torch.device("cpu"), "float32")


def compared(model: nn.Module, shape: tuple[int, ...] = (5, 1, 12, 12)) -> None:
    """Outputs, gradients and statistics of the fast path against those of the module itself."""
    fast = copy.deepcopy(model)
    forward = fastest(fast, CPU)
    torch.manual_seed(1)
    x = torch.randn(shape).to(memory_format=torch.channels_last)
    got, want = forward(x), model(x)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(want)
    (got * weights).sum().backward()
    (want * weights).sum().backward()
    for (name, value), wanted in zip(fast.named_parameters(), model.parameters(), strict=True):
        assert not value.is_mkldnn, name
        assert value.grad is not None, name
        torch.testing.assert_close(
            value.grad, wanted.grad, rtol=1e-4, atol=1e-4, msg=lambda text, n=name: f"{n}: {text}"
        )
    for value, wanted in zip(fast.buffers(), model.buffers(), strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-5)
    fast.eval()
    torch.testing.assert_close(fast(x), copy.deepcopy(model).eval()(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "conv 4 3 same | relu | maxpool 2 | conv 6 3 same | relu | maxpool 2 | flatten | linear classes",
        "conv 4 5 | maxpool 3 stride=2 padding=1 | relu | conv 6 3 stride=2 padding=1 | flatten | linear classes",
        "conv 4 3 same bias=no | maxpool 2 | batchnorm | relu | flatten | linear classes",
        "conv 4 3 same bias=no | maxpool 2 | batchnorm | relu | conv 6 3 same bias=no | maxpool 2 | batchnorm | relu | "
        "conv 8 3 same bias=no | maxpool 2 | batchnorm | relu | flatten | linear classes",
        "conv 4 3 dilation=2 | relu | flatten | linear classes",
        "conv 4 3 | relu | conv 4 3 groups=2 | relu | flatten | linear classes",
        "conv 4 3 same | relu | avgpool 2 | flatten | linear classes",
        "maxpool 2 | relu | flatten | linear classes",
        "conv 4 12 | flatten | linear classes",
        "flatten | linear 8 | relu | linear classes",
        "conv 4 3 same | residual( conv 4 3 same | relu ) | flatten | linear classes",
    ],
)
def test_layer_texts_keep_their_function(text: str) -> None:
    torch.manual_seed(0)
    compared(parse(text).build((1, 12, 12), 3))


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [nn.Conv2d(1, 4, 3, padding="same"), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3), nn.MaxPool2d(2, dilation=2), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3), nn.MaxPool2d(3, ceil_mode=True), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d((2, 1))],
        lambda: [nn.Conv2d(1, 4, (3, 1), stride=(1, 2)), nn.ReLU()],
        lambda: [nn.Identity(), nn.Conv2d(1, 4, 3)],
        lambda: [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)],
        lambda: [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.ReLU()],
        lambda: [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, eps=0.1, momentum=0.5), nn.ReLU()],
        lambda: [nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3)],
    ],
    ids=[
        *("same", "reflect", "dilated pool", "ceil", "in place", "uneven", "identity"),
        *("norms", "not affine", "no statistics", "mean of all", "own eps", "norm first"),
    ],
)
def test_networks_of_a_users_own_keep_their_function(layers: Callable[[], list[nn.Module]]) -> None:
    torch.manual_seed(0)
    compared(ready(layers()))


def ready(layers: list[nn.Module]) -> nn.Module:
    """The layers with a head of the right size."""
    size = nn.Sequential(*layers, nn.Flatten())(torch.zeros(1, 1, 12, 12)).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, 3))


def test_ties_go_to_the_same_pixel() -> None:
    # Small whole numbers make ties in almost every window, and float32 is exact.
    stream = torch.Generator().manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=stream))
    other = copy.deepcopy(model)
    x = torch.randint(0, 2, (4, 1, 8, 8), generator=stream).float()
    for network, forward in ((model, model), (other, fastest(other, CPU))):
        forward(x).sum().backward()
        assert network[0].weight.grad is not None
    torch.testing.assert_close(other[0].weight.grad, model[0].weight.grad, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        (Recipe.load("model-a").model.layers, 6),
        (Recipe.load("fast").model.layers, 12),
        ("conv 4 3 | gelu | conv 4 3 | flatten | linear 3", 0),  # a convolution would stay behind
        ("conv 4 3 same | residual( conv 4 3 same ) | flatten | linear 3", 0),
        ("conv 4 4 same | relu | flatten | linear 3", 0),  # pads one side more than the other
        ("flatten | linear 3", 0),
    ],
)
def test_how_much_of_a_network_takes_the_blocked_layout(text: str, layers: int) -> None:
    network = parse(str(text)).build((1, 28, 28), 10 if "classes" in str(text) else 3)
    assert _opaque_front(network) == layers


# An activation of 20 MB, made and freed as in a step. Left alone, glibc takes a mapping of its own for it.
MEMORY = """
import ctypes
import torch
from neocog.speed import keep_freed_memory
class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_int) for name in names.split()]
mallinfo = ctypes.CDLL(None).mallinfo
mallinfo.restype = Info
keep_freed_memory()
before = mallinfo()
activation = torch.ones(5_000_000)
during = mallinfo()
del activation
print(during.hblks - before.hblks, "mapped", during.arena - mallinfo().arena, "given back")
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is asked")
def test_large_tensors_come_from_memory_that_is_kept() -> None:
    # In a process of its own: an earlier training in this one has asked already.
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 mapped 0 given back\n", "")
