"""Time and memory of every way to compute a convolution, beside what each says it costs; draws docs/convolutions.png.

Time is the median of rounds in which all ways take turns, so that a disturbance meets all of them. Memory is the peak
of torch's allocator beside input and output; lists of Python are counted by tracemalloc. What MKL and oneDNN keep for
themselves is seen by neither.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from benchmarks.common import Report, train
from benchmarks.picture import PICTURE
from neocog.ops.contract import Cost, definition_macs
from neocog.ops.methods import METHODS, algorithm
from neocog.ops.spec import ConvSpec, Shape4

ROUNDS = 7
SAMPLE = 0.01  # seconds that one figure takes at least: faster calls are repeated
SLOW = 1.0  # seconds after which one call must do
# What a method may be predicted to take before it is left out, in multiply-adds and bytes.
MOST_MACS = {"loops": 3e6, "toeplitz": 4e8, "toeplitz-dense": 2e9}
MOST_MACS_ELSE, MOST_BYTES = 2e10, 4e8
# Bounds at the main shape: how many times torch's forward time each may take; how many times faster than loops.
BOUNDS = {"im2col": 4, "shift": 8, "fft": 30}
TOEPLITZ_BOUND = 100
# Ways that a person would wait for, and how long.
TRAINED = ("torch", "shift", "im2col", "toeplitz", "fft")
STEPS, ROUNDS_OF_TRAINING = 100, 3

DRAWN = PICTURE.with_name("convolutions.png")
# Okabe & Ito's palette, which colour-blind people can tell apart, and a mark of its own for each.
STYLES = {
    "torch": ("#666666", "x"),
    "loops": ("#000000", "P"),
    "shift": ("#56B4E9", "s"),
    "im2col": ("#0072B2", "o"),
    "toeplitz": ("#009E73", "D"),
    "toeplitz-dense": ("#F0E442", "p"),
    "fft": ("#D55E00", "^"),
    "winograd": ("#CC79A7", "v"),
    "winograd-4x4": ("#7F3C6B", "<"),
}
NAMES = ("torch", *METHODS)


@dataclass(frozen=True)
class Problem:
    """Pictures, kernels and how these walk, in float32."""

    x_shape: Shape4
    kernels: int
    spec: ConvSpec

    def cost(self, name: str) -> Cost | None:
        """What a method says it takes; torch says nothing of bytes; None where a method can't do it."""
        if name == "torch":
            return Cost(definition_macs(self.spec, self.x_shape, self.kernels), 0)
        found = algorithm(name)
        return found.cost(self.spec, self.x_shape, self.kernels) if found.supports(self.spec) else None

    @property
    def padding(self) -> tuple[int, int]:
        """As torch knows it: as many zeros on opposite sides."""
        top, bottom, left, right = self.spec.padding
        assert (top, left) == (bottom, right)
        return top, left

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, kernels and an output gradient."""
        source = torch.Generator().manual_seed(0)
        w_shape = (self.kernels, self.x_shape[1], *self.spec.kernel_size)
        y_shape = (self.x_shape[0], self.kernels, *self.spec.output_size(self.x_shape[2:]))
        x, w, g = (torch.randn(shape, generator=source) for shape in (self.x_shape, w_shape, y_shape))
        return x, w, g

    def forward(self, name: str) -> Callable[[], Tensor]:
        x, w, _ = self.tensors()
        if name == "torch":
            return lambda: functional.conv2d(x, w, padding=self.padding)
        found = algorithm(name)
        return lambda: found.forward(x, w, self.spec)

    def backward(self, name: str) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        """∂L/∂x and ∂L/∂w."""
        (x, w, g), size = self.tensors(), (self.x_shape[2], self.x_shape[3])
        if name == "torch":
            p = self.padding
            return lambda: conv2d_input(x.shape, w, g, padding=p), lambda: conv2d_weight(x, w.shape, g, padding=p)
        found = algorithm(name)
        return lambda: found.grad_x(g, w, self.spec, size), lambda: found.grad_w(g, x, self.spec)


@dataclass(frozen=True)
class Sweep:
    """Problems that differ in one size."""

    what: str  # of the axis in the picture
    title: str
    problems: dict[int, Problem]


def same(pictures: int, channels: int, size: int, kernel: int) -> Problem:
    """As many kernels as channels, and as many pixels out as in."""
    return Problem((pictures, channels, size, size), channels, ConvSpec.make(kernel, padding="same"))


MAIN = Problem((32, 16, 28, 28), 32, ConvSpec.make(5))
KERNEL_CHANNELS, KERNEL_SIZE = 8, 128
SWEEPS = (
    Sweep(
        "kernel size",
        f"2 pictures of {KERNEL_SIZE}×{KERNEL_SIZE}, {KERNEL_CHANNELS} channels to {KERNEL_CHANNELS}, kernels of K×K",
        {kernel: same(2, KERNEL_CHANNELS, KERNEL_SIZE, kernel) for kernel in (3, 5, 7, 9, 11, 15, 19, 23, 31, 47, 63)},
    ),
    Sweep(
        "picture size",
        "4 pictures of H×H, 8 channels to 8, kernels of 3×3",
        {size: same(4, 8, size, 3) for size in (4, 8, 16, 32, 64, 128, 256)},
    ),
    Sweep(
        "channels",
        "4 pictures of 28×28, C channels to C, kernels of 3×3",
        {channels: same(4, channels, 28, 3) for channels in (1, 2, 4, 8, 16, 32, 64, 128, 256)},
    ),
)


@dataclass(frozen=True)
class Figure:
    """What one method took; `measured` and `predicted` are bytes."""

    seconds: float
    macs: int
    measured: int
    predicted: int


def take_turns(calls: dict[str, Callable[[], Tensor]]) -> dict[str, list[float]]:
    """Seconds a call takes, for each round; a single round for a slow one."""
    taken, times = {}, {}
    for name, call in calls.items():
        call()  # what is prepared once isn't counted
        taken[name] = elapsed(call, 1)
        times[name] = [taken[name]]
    for _ in range(ROUNDS - 1):
        for name, call in calls.items():
            if taken[name] < SLOW:
                times[name].append(elapsed(call, max(1, round(SAMPLE / taken[name]))))
    return times


def elapsed(call: Callable[[], Tensor], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def extra_bytes(call: Callable[[], Tensor], lists: bool) -> int:
    """The peak of what a call allocates, less its result; with `lists`, what Python allocates, too."""
    with torch.autograd.profiler.profile(profile_memory=True) as profiled:
        y = call()
    now = peak = 0
    events = [event for event in profiled.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    if lists:
        tracemalloc.start()
        call()
        peak += tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak - y.nbytes


def left_out(name: str, cost: Cost) -> bool:
    return cost.macs > MOST_MACS.get(name, MOST_MACS_ELSE) or cost.extra_bytes > MOST_BYTES


def measure(problem: Problem) -> dict[str, Figure | str]:
    """A figure for each method, or why there is none."""
    found: dict[str, Figure | str] = {}
    costs: dict[str, Cost] = {}
    for name in NAMES:
        cost = problem.cost(name)
        if cost is None or left_out(name, cost):
            found[name] = "·" if cost is None else "—"
        else:
            costs[name] = cost
    calls = {name: problem.forward(name) for name in costs}
    times = take_turns(calls)
    for name, cost in costs.items():
        measured = extra_bytes(calls[name], lists=name == "loops")
        found[name] = Figure(median(times[name]), cost.macs, measured, cost.extra_bytes)
    return found


def table(report: Report, corner: str, rows: dict[int, dict[str, Figure | str]], cell: Callable[..., str]) -> None:
    """A row for each size, a column for each method."""
    report(f"{corner:>12}" + "".join(f"{name:>16}" for name in NAMES))
    for size, found in rows.items():
        cells = [entry if isinstance(entry, str) else cell(name, entry) for name, entry in found.items()]
        by_name = dict(zip(found, cells, strict=True))
        report(f"{size:>12}" + "".join(f"{by_name[name]:>16}" for name in NAMES))
    report("")


def memory_cell(name: str, measured: int, predicted: int) -> str:
    return f"{measured / 1e6:.2f}" + ("" if name == "torch" else f" / {predicted / 1e6:.2f}")


def crossover(rows: dict[int, dict[str, Figure | str]]) -> int | None:
    """The first size from which on fft is faster than im2col at every size measured."""
    first = None
    for size, found in rows.items():
        fft, im2col = found["fft"], found["im2col"]
        if isinstance(fft, Figure) and isinstance(im2col, Figure):
            first = (first or size) if fft.seconds < im2col.seconds else None
    return first


def main_shape(report: Report) -> None:
    """Forward and both gradients at the shape that the bounds are for."""
    report(f"{MAIN.x_shape} * {(MAIN.kernels, MAIN.x_shape[1], *MAIN.spec.kernel_size)}, one step each way")
    report(
        f"{'':10}{'forward':>12}{'× torch':>10}{'GMAC/s':>10}{'∂L/∂x':>12}{'× torch':>10}{'∂L/∂w':>12}{'× torch':>10}"
        f"{'extra MB':>18}"
    )
    costs = {name: cost for name in NAMES if (cost := MAIN.cost(name)) is not None}
    # Loops are measured whole, but once, without gradients and memory: one pass takes a good part of a minute.
    ways = [name for name, cost in costs.items() if name != "loops" and not left_out(name, cost)]
    calls = {name: MAIN.forward(name) for name in ways}
    gradients = [{name: MAIN.backward(name)[number] for name in ways} for number in (0, 1)]
    forward, *backward = (take_turns(each) for each in (calls, *gradients))
    forward["loops"] = [elapsed(MAIN.forward("loops"), 1)]
    for name in (*ways, "loops"):
        line = f"{name:10}" + "".join(
            (f"{median(times[name]) * 1e3:9.2f} ms{against(times, name, 'torch'):10.2f}" if name in times else "")
            + (f"{costs[name].macs / median(times[name]) / 1e9:10.3g}" if times is forward else "")
            for times in (forward, *backward)
        )
        if name in calls:
            measured = extra_bytes(calls[name], lists=False)
            line += f"{memory_cell(name, measured, costs[name].extra_bytes):>18}"
        report(line)
    report("")
    for name, bound in BOUNDS.items():
        verdict(report, f"{name} takes", against(forward, name, "torch"), "× torch's time, at most", bound, -1)
    faster = against(forward, "loops", "toeplitz")
    verdict(report, "toeplitz (sparse) is", faster, "× as fast as loops, at least", TOEPLITZ_BOUND, 1)
    report("")
    report.figures["main"] = dict(zip(("forward", "grad_x", "grad_w"), (forward, *backward), strict=True))


def training(report: Report) -> None:
    """A whole training on each method, which is forward and both gradients of two convolutions a step."""
    report(f"{STEPS} steps of model-a in float32, batches of 100 (median of {ROUNDS_OF_TRAINING} rounds)")
    times: dict[str, list[float]] = {name: [] for name in TRAINED}
    for _ in range(ROUNDS_OF_TRAINING):
        for name in TRAINED:
            changes = {"train.iterations": STEPS, "train.precision": "float32", "model.convolution": name}
            times[name].append(train("model-a", 0, set=changes).train_seconds)
    for name in TRAINED:
        report(f"{name:10}{median(times[name]):9.2f} s{against(times, name, 'torch'):10.2f} × torch")
    report("")
    report.figures["training"] = times


def against(times: dict[str, list[float]], name: str, other: str) -> float:
    """How many times as long as the other: the median over rounds, or over medians where one had a single round."""
    if len(times[name]) == len(times[other]):
        return median(ours / theirs for ours, theirs in zip(times[name], times[other], strict=True))
    return median(times[name]) / median(times[other])


def verdict(report: Report, start: str, value: float, wanted: str, bound: float, sign: int) -> None:
    kept = "kept" if sign * value >= sign * bound else "MISSED"
    report(f"{start:22}{value:8.1f} {wanted} {bound}: {kept}")


def draw(measured: Sequence[dict[int, dict[str, Figure | str]]], first: int | None) -> None:
    """For each sweep the time, the multiply-adds predicted and the memory, of which the prediction is a line."""
    figure, panels = plt.subplots(3, len(SWEEPS), figsize=(12, 10.5), layout="constrained", sharex="col", sharey="row")
    for sweep, rows, (above, middle, below) in zip(SWEEPS, measured, panels.T, strict=True):
        for name, (color, marker) in STYLES.items():
            points = [(size, entry) for size, found in rows.items() if isinstance(entry := found[name], Figure)]
            if not points:
                continue
            sizes = [size for size, _ in points]
            dashed: dict[str, Any] = {"color": color, "linestyle": "--" if name == "torch" else "-"}
            above.plot(sizes, [entry.seconds * 1e3 for _, entry in points], marker=marker, label=name, **dashed)
            middle.plot(sizes, [entry.macs / 1e9 for _, entry in points], marker=marker, **dashed)
            below.plot(sizes, [megabytes(entry.measured) for _, entry in points], marker, color=color)
            if name != "torch":
                below.plot(sizes, [megabytes(entry.predicted) for _, entry in points], color=color, linewidth=1)
        above.set_title(sweep.title, fontsize=9)
        below.set_xlabel(sweep.what)
        for axes in (above, middle, below):
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(list(rows), labels=[str(size) for size in rows], fontsize=8)
            axes.minorticks_off()
            axes.yaxis.set_major_formatter("{x:g}")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
    if first is not None:
        panels[0, 0].axvline(first, color=STYLES["fft"][0], linewidth=1, linestyle=":")
        panels[0, 0].annotate(
            f"fft overtakes im2col\nat {first}×{first}",
            (first, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=9,
        )
    panels[0, 0].set_ylabel("one forward pass (ms)")
    panels[1, 0].set_ylabel("predicted multiply-adds (GMAC)")
    panels[2, 0].set_ylabel("extra memory (MB)\nmarks measured, lines predicted")
    figure.legend(*panels[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=9, frameon=False)
    DRAWN.parent.mkdir(exist_ok=True)
    figure.savefig(DRAWN, dpi=160)


def megabytes(count: int) -> float:
    """What a logarithmic axis can show: methods that need nothing lie on its lowest line."""
    return max(count, 1000) / 1e6


def main() -> None:
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # torch's profiler would print a line whenever it starts
    report = Report("convolutions", "convolutions in float32: each method's time and memory beside what it predicts")
    main_shape(report)
    training(report)
    report("sweeps: · the method can't do it")
    report(
        f"        — not run: predicted beyond {MOST_MACS_ELSE:.0e} multiply-adds ("
        + ", ".join(f"{name} {most:.0e}" for name, most in MOST_MACS.items())
        + f") or {MOST_BYTES / 1e6:.0f} MB"
    )
    report("")
    measured = []
    for sweep in SWEEPS:
        rows = {size: measure(problem) for size, problem in sweep.problems.items()}
        measured.append(rows)
        report(f"{sweep.what}: {sweep.title}")
        table(report, "ms", rows, lambda _, figure: f"{figure.seconds * 1e3:.3f}")
        table(report, "GMAC/s", rows, lambda _, figure: f"{figure.macs / figure.seconds / 1e9:.3g}")
        table(report, "extra MB", rows, lambda name, figure: memory_cell(name, figure.measured, figure.predicted))
        report.figures[sweep.what] = {
            size: {name: vars(entry) if isinstance(entry, Figure) else entry for name, entry in found.items()}
            for size, found in rows.items()
        }
    report("GMAC/s are of the multiply-adds that the method itself predicts; extra MB are measured / predicted")
    ratios = [
        (entry.measured / entry.predicted, f"{name} at {sweep.what} {size}")
        for sweep, rows in zip(SWEEPS, measured, strict=True)
        for size, found in rows.items()
        for name, entry in found.items()
        if isinstance(entry, Figure) and entry.predicted
    ]
    report(f"measured / predicted is {median(ratio for ratio, _ in ratios):.2f} in the median (n = {len(ratios)}),")
    for word, pick in (("least", min), ("most", max)):
        ratio, where = pick(ratios)
        report(f"    {word:5} {ratio:.2f}, {where}")
    first = crossover(measured[0])
    where = f"on a {KERNEL_SIZE}×{KERNEL_SIZE} picture with {KERNEL_CHANNELS} channels"
    if first is None:
        report(f"fft is not faster than im2col at any kernel measured, {where}")
    else:
        report(f"fft is faster than im2col from a {first}×{first} kernel on, {where}")
    draw(measured, first)
    report.save()


if __name__ == "__main__":
    main()
