"""neocog: from one convolution kernel to a convolutional image classifier that can be trusted.

    run = neocog.train("fast", seed=0)
    classifier = neocog.load(run.path)
    classifier.predict(["a.png", "b.png"])

Names are imported when they are first used, so that `import neocog` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neocog.curve import Plan, Point
    from neocog.data.catalogue import catalogue, fetch
    from neocog.data.doctor import DataCheck
    from neocog.errors import NeocogError
    from neocog.evaluation import Calibration, Evaluation, mean_interval, wilson_interval
    from neocog.filtering import Convolved, convolve
    from neocog.finished import Run, evaluate, load
    from neocog.insight.calibrating import calibrate
    from neocog.insight.data_checking import check_data
    from neocog.insight.explaining import Explanation, explain
    from neocog.insight.figures import plot
    from neocog.insight.mistake_finding import mistakes
    from neocog.insight.reporting import report
    from neocog.insight.stressing import stress
    from neocog.kernels import Kernel, kernel, learn_kernel
    from neocog.layers import parse
    from neocog.predict import Classifier
    from neocog.progress import ProgressBar
    from neocog.recipe import Recipe, shipped_recipes
    from neocog.resuming import resume
    from neocog.statistics.comparison import Comparison, RunComparison
    from neocog.statistics.many_runs import RunComparisons
    from neocog.statistics.mistakes import Mistakes
    from neocog.statistics.rates import RateRange
    from neocog.statistics.reproduction import Reproduction
    from neocog.statistics.stress import StressTest
    from neocog.statistics.sweep import Sweep
    from neocog.statistics.verification import Verification
    from neocog.studies.comparing import compare
    from neocog.studies.rate_finding import lr_find
    from neocog.studies.reproducing import reproduce
    from neocog.studies.sweeping import sweep
    from neocog.studies.watching import SeedTable
    from neocog.summary import Summary
    from neocog.training import Observer
    from neocog.verifying import verify
    from neocog.workflow import describe_data, summarize, train

_HOMES = {
    "Calibration": "evaluation",
    "Classifier": "predict",
    "Comparison": "statistics.comparison",
    "Convolved": "filtering",
    "DataCheck": "data.doctor",
    "Evaluation": "evaluation",
    "Explanation": "insight.explaining",
    "Kernel": "kernels",
    "Mistakes": "statistics.mistakes",
    "NeocogError": "errors",
    "Observer": "training",
    "Plan": "curve",
    "Point": "curve",
    "ProgressBar": "progress",
    "RateRange": "statistics.rates",
    "Recipe": "recipe",
    "Reproduction": "statistics.reproduction",
    "Run": "finished",
    "RunComparison": "statistics.comparison",
    "RunComparisons": "statistics.many_runs",
    "SeedTable": "studies.watching",
    "StressTest": "statistics.stress",
    "Summary": "summary",
    "Sweep": "statistics.sweep",
    "Verification": "statistics.verification",
    "calibrate": "insight.calibrating",
    "catalogue": "data",
    "check_data": "insight.data_checking",
    "compare": "studies.comparing",
    "convolve": "filtering",
    "describe_data": "workflow",
    "evaluate": "finished",
    "explain": "insight.explaining",
    "fetch": "data",
    "kernel": "kernels",
    "learn_kernel": "kernels",
    "load": "finished",
    "lr_find": "studies.rate_finding",
    "mean_interval": "evaluation",
    "mistakes": "insight.mistake_finding",
    "parse": "layers",
    "plot": "insight.figures",
    "report": "insight.reporting",
    "reproduce": "studies.reproducing",
    "resume": "resuming",
    "shipped_recipes": "recipe",
    "stress": "insight.stressing",
    "summarize": "workflow",
    "sweep": "studies.sweeping",
    "train": "workflow",
    "verify": "verifying",
    "wilson_interval": "evaluation",
}
__all__ = [
    "Calibration",
    "Classifier",
    "Comparison",
    "Convolved",
    "DataCheck",
    "Evaluation",
    "Explanation",
    "Kernel",
    "Mistakes",
    "NeocogError",
    "Observer",
    "Plan",
    "Point",
    "ProgressBar",
    "RateRange",
    "Recipe",
    "Reproduction",
    "Run",
    "RunComparison",
    "RunComparisons",
    "SeedTable",
    "StressTest",
    "Summary",
    "Sweep",
    "Verification",
    "calibrate",
    "catalogue",
    "check_data",
    "compare",
    "convolve",
    "describe_data",
    "evaluate",
    "explain",
    "fetch",
    "kernel",
    "learn_kernel",
    "load",
    "lr_find",
    "mean_interval",
    "mistakes",
    "parse",
    "plot",
    "report",
    "reproduce",
    "resume",
    "shipped_recipes",
    "stress",
    "summarize",
    "sweep",
    "train",
    "verify",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neocog' has no attribute '{name}'")
    return getattr(import_module(f"neocog.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
