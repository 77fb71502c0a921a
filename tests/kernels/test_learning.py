"""Kernels learned from examples: the lesson, photographs, noise, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from laying import laid, photograph
from scipy import ndimage
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from neocog import ops
from neocog.errors import KernelError, OperationError
from neocog.kernels import Kernel, kernel, learn_kernel, learning

# ------------------------------------------------------------------------------------------- learning, as in the lesson


STRIPE = torch.tensor([[0.0, 0, 1, 1, 1, 1, 0, 0]] * 6)  # 6×8


@pytest.fixture
def stripe() -> Tensor:
    return STRIPE.clone()


def test_edges_of_the_stripe(stripe: Tensor) -> None:
    edges = laid(stripe, Kernel("edge", ((1, -1),)))
    assert edges.tolist() == [[0, -1, 0, 0, 0, 1, 0]] * 6


@pytest.mark.parametrize("seed", range(8))
def test_the_lessons_kernel_is_learned(stripe: Tensor, seed: int) -> None:
    edges = stripe[:, :-1] - stripe[:, 1:]
    found = learn_kernel(stripe, edges, (1, 2), seed=seed)
    ((left, right),) = found.kernel.rows
    # Along (1, −1) the loss curves by 12, so each step leaves 1 − 0.01·12 = 0.88 of the way; along (1, 1), 0.16.
    ((first, second),) = found.history[0]
    left_over = (1 - (first - second) / 2) * 0.88**50
    assert (left, right) == pytest.approx((1 - left_over, -1 + left_over), abs=2e-6)
    assert abs(left_over) < 0.0030, "within ±1/√2 the start is never further away"
    assert found.losses[-1] == pytest.approx(12 * left_over**2, rel=1e-2)
    assert found.losses[-1] < 0.0001
    assert found.converged and found.best_loss < 1e-20 and found.lr == 0.01
    assert (len(found.losses), len(found.history)) == (51, 51)
    assert found.history[-1] == found.kernel.rows
    assert all(later < earlier for earlier, later in zip(found.losses, found.losses[1:], strict=False))


def test_the_lessons_figures(stripe: Tensor) -> None:
    edges = stripe[:, :-1] - stripe[:, 1:]
    printed = {}
    for seed in range(8):
        found = learn_kernel(stripe, edges, (1, 2), seed=seed)
        printed[seed] = (f"{found.losses[-1]:.4f}", f"{found.kernel.rows[0][0]:.3f}", f"{found.kernel.rows[0][1]:.3f}")
    assert printed[0] == ("0.0000", "0.998", "-0.998")
    assert ("0.0000", "0.999", "-0.999") in printed.values()
    assert {loss for loss, _, _ in printed.values()} <= {"0.0000", "0.0001"}


def test_learning_matches_torch_step_by_step() -> None:
    picture = photograph()[:12, :10] / 255
    targets = laid(picture, kernel("gaussian", size=3, sigma=0.8))
    found = learn_kernel(picture, targets, 3, steps=20, lr=0.002, seed=4)
    w_11RS = torch.tensor(found.history[0], dtype=torch.float64)[None, None]
    for loss_found, rows in zip(found.losses, found.history, strict=True):
        w_11RS = w_11RS.detach().requires_grad_()
        loss = (functional.conv2d(picture[None, None], w_11RS) - targets).square().sum()
        assert loss_found == pytest.approx(loss.item(), rel=1e-9)
        assert_close(torch.tensor(rows, dtype=torch.float64), w_11RS.detach()[0, 0], rtol=1e-9, atol=1e-12)
        w_11RS = w_11RS - 0.002 * torch.autograd.grad(loss, w_11RS)[0]
    assert found.losses[-1] < 0.2 * found.losses[0]


@pytest.mark.parametrize("method", ["loops", "im2col", "fft"])
def test_a_sobel_is_found_again_from_several_pictures(method: str) -> None:
    random = np.random.default_rng(0)
    inputs = random.integers(0, 2, (3, 1, 8, 8))  # whole numbers
    want = kernel("sobel")
    floats = inputs[:, 0].astype(float)
    targets = np.stack([ndimage.correlate(each, np.array(want.rows), mode="constant") for each in floats])
    found = learn_kernel(inputs, targets, 3, steps=60, lr=0.002, padding="same", method=method)
    assert_close(found.kernel.tensor(), want.tensor(), rtol=0, atol=0.02)
    assert found.kernel.about.startswith("learned from 3 pictures in 60 steps at lr = 0.002: summed squared error ")
    assert found.kernel.name == "learned"


def test_the_start_is_that_of_nn_conv2d(stripe: Tensor) -> None:
    starts = [
        value
        for seed in range(30)
        for value in learn_kernel(stripe, stripe, 3, padding="same", steps=1, lr=1e-9, seed=seed).history[0][1]
    ]
    assert max(abs(value) for value in starts) <= 1 / 3
    assert max(starts) > 0.25 and min(starts) < -0.25


def test_a_photograph_teaches_slowly_but_never_runs_away() -> None:
    picture = photograph()
    targets = laid(picture, kernel("box", size=3))
    found = learn_kernel(picture.float(), targets.float(), 3, lr="auto")
    assert all(later < earlier for earlier, later in zip(found.losses, found.losses[1:], strict=False))
    assert found.losses[-1] < 0.01 * found.losses[0]
    assert not found.converged and found.best_loss < 1e-6 * found.losses[-1]
    assert found.kernel.about == (
        f"learned from 1 picture in 50 steps at lr = {found.lr:.4g}: summed squared error {found.losses[-1]:.4g}; the "
        f"best possible is {found.best_loss:.2g}; more steps, or pictures with less alike neighbours such as noise, "
        "get nearer"
    )
    with pytest.raises(KernelError) as refused:
        learn_kernel(picture, targets, 3)
    assert str(refused.value) == (
        "lr = 0.01 runs away on these pictures: use less than 4.5e-09, such as 2.2e-09, or lr='auto'"
    )
    assert learn_kernel(picture, targets, 3, lr=4.5e-09).losses[-1] < found.losses[0]


def test_noise_teaches_in_few_steps() -> None:
    noise = torch.from_numpy(np.random.default_rng(5).normal(0, 50, (40, 40))).float()
    blur = kernel("gaussian", size=3, sigma=0.8)
    found = learn_kernel(noise, laid(noise, blur).float(), 3, lr="auto")
    assert_close(found.kernel.tensor(), blur.tensor(), rtol=0, atol=1e-5)
    assert found.converged and found.kernel.about.endswith(f"summed squared error {found.losses[-1]:.4g}")


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_bowl_and_its_bottom(padding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """λmax and the least loss against autograd's Hessian and numpy's least squares, with noise that no kernel makes."""
    monkeypatch.setattr(learning, "_BLOCK", 100)  # several blocks for each picture
    random = np.random.default_rng(2)
    x_N1HW = torch.from_numpy(random.normal(20, 5, (2, 1, 9, 8)))
    spec = ops.ConvSpec.make((2, 3), padding=padding)
    y_N1PQ = torch.from_numpy(random.normal(size=(2, 1, *spec.output_size((9, 8)))))
    top, bottom, left, right = spec.padding
    whole = functional.pad(x_N1HW, (left, right, top, bottom))

    def loss(w_RS: Tensor) -> Tensor:
        return (functional.conv2d(whole, w_RS[None, None]) - y_N1PQ).square().sum()

    hessian = torch.autograd.functional.hessian(loss, torch.zeros(2, 3, dtype=torch.float64)).reshape(6, 6)
    steepest = float(torch.linalg.eigvalsh(hessian)[-1])
    patches = functional.unfold(whole, (2, 3)).transpose(1, 2).reshape(-1, 6).numpy()
    ((least,),) = [np.linalg.lstsq(patches, y_N1PQ.reshape(-1).numpy())[1]]
    found = learn_kernel(x_N1HW, y_N1PQ, (2, 3), lr="auto", padding=padding, steps=1)
    assert found.lr == pytest.approx(1 / steepest, rel=1e-9)
    assert found.best_loss == pytest.approx(least, rel=1e-9)


def test_a_kernel_that_the_pictures_leave_open_has_a_best_loss(stripe: Tensor) -> None:
    found = learn_kernel(stripe, stripe[1:], (2, 1), lr="auto")  # rows are alike: any two numbers that sum to 1
    assert found.best_loss == pytest.approx(0, abs=1e-20)
    assert sum(row[0] for row in found.kernel.rows) == pytest.approx(1)
    assert found.converged


def test_learning_leaves_the_arguments_and_the_callers_modes_alone(stripe: Tensor) -> None:
    before = stripe.clone().requires_grad_()
    with torch.no_grad():
        learn_kernel(before, before[:, 1:], (1, 2), steps=2)
        assert not torch.is_grad_enabled()
    assert before.grad is None
    assert_close(before.detach(), stripe, rtol=0, atol=0)
    read_only = stripe.numpy()
    read_only.setflags(write=False)
    assert learn_kernel(read_only, read_only, 1, steps=1).kernel.shape == (1, 1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"steps": 0}, "steps = 0: give a whole number of at least 1"),
        ({"steps": 1.5}, "steps = 1.5: give a whole number of at least 1"),
        ({"lr": 0}, "lr = 0: give a number above 0, or 'auto'"),
        ({"lr": float("nan")}, "lr = nan: give a number above 0, or 'auto'"),
        ({"lr": "fast"}, "lr = 'fast': give a number above 0, or 'auto'"),
        ({"lr": 10**400}, f"lr = 1{'0' * 38}…: give a number above 0, or 'auto'"),
        ({"steps": -(10**5000)}, "steps = a number of thousands of digits: give a whole number of at least 1"),
        ({"seed": 10**400}, f"seed = 1{'0' * 38}…: give a whole number"),
        ({"size": (40, 26)}, "size = (40, 26): learn a kernel of at most 1024 numbers, such as 32×32"),
        ({"seed": "a"}, "seed = 'a': give a whole number"),
        ({"padding": 1}, "padding = 1: give 'valid' or 'same'"),
        ({"lr": 10}, "lr = 10 runs away on these pictures: use less than 0.023, such as 0.011, or lr='auto'"),
        (
            {"lr": 2 / 84},
            "lr = 0.0238095 runs away on these pictures: use less than 0.023, such as 0.011, or lr='auto'",
        ),
        (
            {"inputs": torch.zeros(6, 8)},
            "inputs are 0 everywhere, or nearly; every kernel leaves them so: give other pictures",
        ),
        ({"inputs": "a"}, "inputs can't be read as numbers; give a tensor or array (H, W)"),
        ({"inputs": [[1, 2], [3]]}, "inputs can't be read as numbers; give a tensor or array (H, W)"),
        ({"inputs": torch.zeros(3)}, "inputs has the shape (3,): give pictures (H, W), (N, H, W) or (N, 1, H, W)"),
        (
            {"targets": torch.zeros(2, 3, 6, 7)},
            "targets has the shape (2, 3, 6, 7): give pictures (H, W), (N, H, W) or (N, 1, H, W)",
        ),
        (
            {"inputs": torch.zeros(0, 6, 8)},
            "inputs has the shape (0, 6, 8): give pictures (H, W), (N, H, W) or (N, 1, H, W)",
        ),
        ({"inputs": torch.zeros(6, 8) * 1j}, "inputs has complex numbers; give real ones"),
        (
            {"targets": torch.full((6, 7), float("nan"))},
            "targets has numbers that are infinite or not a number; give finite ones",
        ),
        (
            {"inputs": torch.zeros(2, 6, 8)},
            "there are 2 pictures in inputs but 1 in targets; give one target for each input",
        ),
        (
            {"targets": torch.zeros(6, 8)},
            "targets are 6×8 but with padding 'valid' a 1×2 kernel makes 6×7 of the 6×8 inputs; give targets of 6×7, "
            "or padding='same'",
        ),
        (
            {"padding": "same"},
            "targets are 6×7 but with padding 'same' a 1×2 kernel makes 6×8 of the 6×8 inputs; give targets of 6×8, or "
            "padding='valid'",
        ),
        (
            {"targets": torch.zeros(5, 5)},
            "targets are 5×5 but with padding 'valid' a 1×2 kernel makes 6×7 of the 6×8 inputs; give targets of 6×7",
        ),
        (
            {"inputs": torch.full((6, 8), 1e30), "targets": torch.zeros(6, 7)},
            "the loss is infinite before the first step; give smaller numbers, such as pictures from 0 to 1",
        ),
        (  # the loss is 1.8e38, just what float32 can hold, but its gradient is more
            {"inputs": STRIPE * 5e18, "targets": torch.zeros(6, 7), "lr": "auto", "seed": 1},
            "the loss became infinite after step 1; use pictures of smaller numbers",
        ),
    ],
)
def test_learning_refuses(stripe: Tensor, change: dict[str, object], text: str) -> None:
    asked: dict[str, object] = {"inputs": stripe, "targets": stripe[:, :-1] - stripe[:, 1:], "size": (1, 2), **change}
    with pytest.raises(KernelError) as refused:
        learn_kernel(**asked)  # type: ignore[arg-type]
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "size = 0: give a whole number of at least 1, or two (rows, columns)"),
        ((2, "b"), "size = (2, 'b'): give a whole number of at least 1, or two (rows, columns)"),
        (9, "a 9×9 kernel does not fit the 6×8 picture; use a smaller kernel, or 2 more padding on each side"),
    ],
)
def test_learning_refuses_a_size(stripe: Tensor, size: object, text: str) -> None:
    with pytest.raises(OperationError) as refused:
        learn_kernel(stripe, stripe, size)  # type: ignore[arg-type]
    assert str(refused.value) == text
