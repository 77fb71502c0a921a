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
    from neocog.errors import NeocogError
    from neocog.evaluation import Evaluation, mean_interval, wilson_interval
    from neocog.layers import parse
    from neocog.predict import Classifier
    from neocog.recipe import Recipe
    from neocog.summary import Summary, summarize
    from neocog.training import Observer, Plan, Point
    from neocog.workflow import Run, evaluate, load, train

_HOMES = {
    "NeocogError": "errors",
    "Evaluation": "evaluation",
    "mean_interval": "evaluation",
    "wilson_interval": "evaluation",
    "parse": "layers",
    "Classifier": "predict",
    "Recipe": "recipe",
    "Summary": "summary",
    "summarize": "summary",
    "Observer": "training",
    "Plan": "training",
    "Point": "training",
    "Run": "workflow",
    "evaluate": "workflow",
    "load": "workflow",
    "train": "workflow",
}
__all__ = [
    "Classifier",
    "Evaluation",
    "NeocogError",
    "Observer",
    "Plan",
    "Point",
    "Recipe",
    "Run",
    "Summary",
    "evaluate",
    "load",
    "mean_interval",
    "parse",
    "summarize",
    "train",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neocog' has no attribute '{name}'")
    return getattr(import_module(f"neocog.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
