"""model-a, 3,000 steps: the lessons' loop against neocog in float32 and in bf16, and how near that is to the machine.

All are run in turn, so that a change of the machine's speed meets them alike.
"""

from __future__ import annotations

import time
from statistics import median

import torch

import neocog
from benchmarks.common import Report, percent, seconds, train
from benchmarks.plain import in_own_process

SEEDS = 5
PLAIN_RUNS = 3
STEPS, BATCH = 3000, 100


def matrix_rate(size: int = 2048, repeats: int = 15) -> float:
    """The machine's float32 matrix product: the best of some, in multiply-adds a second."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = a @ b
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - began)
    return size**3 / best


def macs_of_a_step() -> int:
    """Multiply-adds of a step: forward, and as many for each gradient; the first layer needs none for its input."""
    recipe = neocog.Recipe.load("model-a")
    assert recipe.layers is not None
    rows = recipe.layers.table((1, 28, 28), 10)
    return BATCH * (3 * sum(row.macs for row in rows) - rows[0].macs)


def main() -> None:
    report = Report("model_a", "model-a, 3,000 steps of 100 pictures: the lessons' loop against neocog")
    plain_times, plain_accuracy, rates = [], [], []
    found: dict[str, list[neocog.Run]] = {"float32": [], "bf16": []}
    for seed in range(SEEDS):
        rates.append(matrix_rate())
        if seed < PLAIN_RUNS:
            spent, reached = next(in_own_process("tutorial_model_a", seed))
            plain_times.append(spent)
            plain_accuracy.append(reached)
            report(f"seed {seed}: lessons' loop {spent:.1f} s, test {reached * 100:.2f} %")
        for precision, runs in found.items():
            run = train("model-a", seed, precision=precision)
            runs.append(run)
            report(
                f"seed {seed}: neocog {precision:<8}{run.train_seconds:.1f} s, "
                f"test {run.results['test_accuracy'] * 100:.2f} %"
            )
    report("")
    plain = median(plain_times)
    report(f"lessons' loop    {seconds(plain_times)}; test {percent(plain_accuracy)}")
    rate, macs = median(rates), macs_of_a_step()
    report(
        f"matrix product   {2 * rate / 1e9:.0f} GFLOP/s in float32 (2048 × 2048, best of 15, median of {len(rates)})"
    )
    report(f"a step           {2 * macs / 1e9:.3f} GFLOP by the definition of each layer")
    for precision, runs in found.items():
        times = [run.train_seconds for run in runs]
        middle = median(times)
        report("")
        report(f"neocog {precision}: {seconds(times)}; test {percent([run.results['test_accuracy'] for run in runs])}")
        report(f"  {plain / middle:.2f} × the lessons' loop")
        share = macs * STEPS / middle / rate
        report(f"  {middle / STEPS * 1e3:.2f} ms a step, data and logging included")
        report(f"  {share * 100:.0f} % of the machine's float32 matrix-product rate")
    both = zip(found["bf16"], found["float32"], strict=True)
    gaps = [b.results["test_accuracy"] - f.results["test_accuracy"] for b, f in both]
    report("")
    report(f"bf16 − float32, paired by seed: {neocog.mean_interval([gap * 100 for gap in gaps]).text('points')}")
    report.save()


if __name__ == "__main__":
    main()
