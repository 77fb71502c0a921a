"""Integrated gradients and occlusion in batches, against the same work one picture at a time.

    python -m benchmarks.explain [--repetitions 9]

Both answer the same question of the same network in the same run, and the numbers are compared: the loop is what one
writes first, a forward pass for each covered picture, or a forward and a backward pass for each step. The batches pass
a convolution that begins the network only twice, for the two ends of the way, since between them it is affine. The
network has random weights, which take as long as trained ones, and so has the picture, of which no patch is the
baseline already.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from benchmarks.common import Report
from neocog.explanations.methods import integrated_gradients, occlusion, patch_size
from neocog.explanations.network import Network
from neocog.explanations.questions import Question
from neocog.layers.language import parse
from neocog.recipe import Recipe

NETWORKS = {
    "fast, 28×28": ("fast", (1, 28, 28)),
    "small, 28×28": ("small", (1, 28, 28)),
    "model-a, 28×28": ("model-a", (1, 28, 28)),
    "tiny, 32×32×3": ("conv 8 5; relu; maxpool 2; conv 8 3; relu; maxpool 2; flatten; linear 10", (3, 32, 32)),
    "vgg-small, 32×32×3": ("vgg-small", (3, 32, 32)),
}
STEPS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    repetitions = parser.parse_args().repetitions
    report = Report("explain", "Explanations in batches against one picture at a time")
    for name, (recipe, shape) in NETWORKS.items():
        question = asked(recipe, shape)
        for title, batched, loop in (
            (f"integrated gradients, {STEPS} steps", integrated_batched, integrated_loop),
            ("occlusion", occluded_batched, occluded_loop),
        ):
            torch.testing.assert_close(batched(question), loop(question), rtol=1e-3, atol=1e-5)
            pairs = [(seconds(loop, question), seconds(batched, question)) for _ in range(repetitions)]
            ratios = [slow / quick for slow, quick in pairs]
            report(
                f"{name:20} {title:30} loop {median(p[0] for p in pairs) * 1000:7.1f} ms, batched "
                f"{median(p[1] for p in pairs) * 1000:6.1f} ms: {median(ratios):.1f}× (median of {repetitions}, "
                f"{min(ratios):.1f} to {max(ratios):.1f})"
            )
            report.figures[f"{name}, {title}"] = pairs
    report.save()


def asked(recipe: str, shape: tuple[int, int, int]) -> Question:
    """About a recipe's network, or that of a layer text with its layers between semicolons."""
    layers = parse(recipe.replace("; ", "\n")) if ";" in recipe else Recipe.load(recipe).layers
    assert layers is not None
    model = layers.build(shape, 10)
    random = torch.Generator().manual_seed(0)
    return Question.make(Network.of(model, shape, layers=layers), torch.rand((1, *shape), generator=random), 3)


def seconds(work: Callable[[Question], Tensor], question: Question) -> float:
    start = time.perf_counter()
    work(question)
    return time.perf_counter() - start


def integrated_batched(question: Question) -> Tensor:
    return integrated_gradients(question, STEPS)[0].float()


def integrated_loop(question: Question) -> Tensor:
    model = question.network.model.eval()
    total_1CHW = torch.zeros_like(question.x_1CHW)
    path_1CHW = question.x_1CHW - question.baseline_1CHW
    for step in range(STEPS):
        x_1CHW = (question.baseline_1CHW + (step + 0.5) / STEPS * path_1CHW).requires_grad_()
        total_1CHW += torch.autograd.grad(model(x_1CHW)[0, question.target], x_1CHW)[0]
    model.train()
    return (total_1CHW / STEPS * path_1CHW)[0]


def occluded_batched(question: Question) -> Tensor:
    return occlusion(question)[0].float()


def occluded_loop(question: Question) -> Tensor:
    model = question.network.model.eval()
    channels, height, width = question.x_1CHW.shape[1:]
    size = patch_size(height, width)
    stride = max(1, size // 2)
    total_HW, counts_HW = torch.zeros(2, height, width)
    with torch.no_grad():
        logit = model(question.x_1CHW)[0, question.target]
        for top in (*range(0, height - size, stride), height - size):
            for left in (*range(0, width - size, stride), width - size):
                covered_1CHW = question.x_1CHW.clone()
                window = (..., slice(top, top + size), slice(left, left + size))
                covered_1CHW[window] = question.baseline_1CHW[window]
                total_HW[window[1:]] += logit - model(covered_1CHW)[0, question.target]
                counts_HW[window[1:]] += 1
    model.train()
    return (total_HW / counts_HW / channels).expand(channels, -1, -1)


if __name__ == "__main__":
    main()
