"""On a CUDA device: training, the answers of a CPU, and float32 where it is promised. `make test` leaves these out."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import neocog
from conftest import STEPS, TINY
from neocog import ops
from neocog.data.batches import Normalization
from neocog.inference import logits_of

pytestmark = pytest.mark.gpu

Arrays = tuple[np.ndarray, np.ndarray]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_recipe_trains_and_says_where(arrays: Arrays, precision: str) -> None:
    changes = {**STEPS, "train.iterations": 60, "train.device": "cuda:0", "train.precision": precision}
    run = neocog.train("fast", data=arrays, model=TINY, set=changes)
    assert (run.results["device"], run.results["precision"]) == ("cuda:0", precision)
    # The brighter half tells the class: a network that learns at all is right about all eight pictures.
    assert run.test is not None
    assert run.test.accuracy == 1


def test_a_gpu_gives_the_answers_of_a_cpu(arrays: Arrays) -> None:
    run = neocog.train("fast", data=arrays, model=TINY, set=STEPS)
    there, here = (neocog.load(run.path, device=device).predict_proba(list(arrays[0])) for device in ("cuda", "cpu"))
    # Sums of float32 in another order, and a softmax.
    np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-6)


def test_answers_are_float32_and_not_tf32() -> None:
    torch.manual_seed(0)
    model = neocog.parse("conv 64 5 | relu | conv 64 5 | relu | flatten | linear classes").build((1, 16, 16), 10)
    images = torch.randint(0, 256, (32, 16, 16, 1), dtype=torch.uint8)
    # 10 bits, as TF32 has, would be off by some ten-thousandths; 1600 sums in float32 stay below a hundred-thousandth.
    exact = copy.deepcopy(model).double().eval()(images.permute(0, 3, 1, 2).double() / 255).detach()
    got = logits_of(model.to("cuda"), images, Normalization((0.0,), (1.0,)))
    torch.testing.assert_close(got.double(), exact, rtol=0, atol=1e-5 * float(exact.abs().max()))


@pytest.mark.parametrize("method", ops.METHODS)
def test_convolutions_of_our_own_give_the_answers_of_a_cpu(method: str) -> None:
    x, w = torch.randn(2, 4, 9, 8, dtype=torch.float64), torch.randn(6, 2, 3, 3, dtype=torch.float64)

    def computed(device: str) -> list[torch.Tensor]:
        tensors = [tensor.to(device).requires_grad_() for tensor in (x, w)]
        y = ops.conv2d(*tensors, padding=(1, 0, 2, 1), groups=2, method=method)
        return [part.cpu() for part in (y, *torch.autograd.grad(y.square().sum(), tensors))]

    torch.testing.assert_close(computed("cuda"), computed("cpu"), rtol=1e-10, atol=1e-10)


def test_pooling_of_our_own_gives_the_answers_of_a_cpu() -> None:
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    for pool in (ops.max_pool2d, ops.avg_pool2d):
        torch.testing.assert_close(pool(x.cuda(), 3, 2, 1).cpu(), pool(x, 3, 2, 1))
    torch.testing.assert_close(ops.adaptive_avg_pool2d(x.cuda(), 4).cpu(), ops.adaptive_avg_pool2d(x, 4))
