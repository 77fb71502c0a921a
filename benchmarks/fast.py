"""`fast` over ten seeds, and its time against PyTorch's own MNIST example run to its first epoch at 99.0 %."""

from __future__ import annotations

from benchmarks.common import Report, percent, raw, seconds, train
from benchmarks.plain import in_own_process

SEEDS = 10
GOAL = 0.99


def main() -> None:
    report = Report("fast", "fast on MNIST, against PyTorch's MNIST example as a plain loop")
    runs = [train("fast", seed) for seed in range(SEEDS // 2)]
    report("plain loop (PyTorch's example: DataLoader, one picture at a time, float32):")
    plain, epochs = 0.0, []
    for epoch, (plain, reached) in enumerate(in_own_process("pytorch_example", seed=0), 1):
        epochs.append([plain, reached])
        report(f"  epoch {epoch}: {plain:.1f} s of training, test {reached * 100:.2f} %")
        if reached >= GOAL:
            break
    runs += [train("fast", seed) for seed in range(SEEDS // 2, SEEDS)]
    times = sorted(run.train_seconds for run in runs)
    report("")
    report("neocog train fast:")
    for run in runs:
        report(
            f"  seed {run.results['seed']}: test {run.results['test_accuracy'] * 100:.2f} %, {run.train_seconds:.2f} s"
        )
    report("")
    report(f"test accuracy        {percent([run.results['test_accuracy'] for run in runs])}")
    report(f"validation accuracy  {percent([run.results['val_accuracy'] for run in runs])}")
    report(f"training time        {seconds(times)}, {runs[0].results['precision']}")
    middle = times[len(times) // 2]
    report(f"plain / neocog       {plain / middle:.0f} × ({plain:.1f} s to the first epoch at {GOAL * 100:.1f} %)")
    report.figures |= {"runs": raw(runs), "plain": epochs}
    report.save()


if __name__ == "__main__":
    main()
