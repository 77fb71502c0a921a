"""Draws docs/accuracy.png, the README's picture, from the results of `fast`, `small` and `accurate`."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.common import RESULTS

PICTURE = Path(__file__).parent.parent / "docs" / "accuracy.png"
# Okabe & Ito's palette, which colour-blind people can tell apart, and a mark of its own for each.
STYLES = {"fast": ("#0072B2", "o"), "small": ("#009E73", "s"), "accurate": ("#D55E00", "D")}


def main() -> None:
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    plain = json.loads((RESULTS / "fast.json").read_text())["plain"]
    axes.plot(
        *zip(*[(s, 100 * a) for s, a in plain], strict=True), color="#666666", marker="x", label="plain loop, by epoch"
    )
    for name, (color, marker) in STYLES.items():
        runs = json.loads((RESULTS / f"{name}.json").read_text())["runs"]
        times, accuracies = [run[0] for run in runs], [100 * run[1] for run in runs]
        axes.plot(times, accuracies, marker, color=color, alpha=0.7, label=f"neocog train {name} ({len(runs)} seeds)")
    axes.set_xscale("log")
    axes.set_xticks([2, 5, 10, 20, 50, 100, 200, 400], labels=["2", "5", "10", "20", "50", "100", "200", "400"])
    axes.minorticks_off()
    axes.set_xlabel("training time on two CPU cores (seconds)")
    axes.set_ylabel("MNIST test accuracy (%)")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=160)


if __name__ == "__main__":
    main()
