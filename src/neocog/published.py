"""A published recipe measured as its lesson measures it, mistakes included: the log, and the figure at its end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from neocog.curve import Plan, Point
from neocog.data.batches import Normalization, inference_batches
from neocog.data.dataset import Dataset, Split
from neocog.inference import evaluation_mode, float32_convolutions, logits_of
from neocog.randomness import seed_torch
from neocog.recipe import Recipe
from neocog.training import Observer


class PublishedLog(Observer):
    """The log that a published recipe prints while it trains; `record` adds the figures of its end.

    A line has the step, the epoch, the loss (of the last batch, or its mean over the steps since the line before), the
    accuracy on the last batch, and, where the lesson takes the test part for its progress meter, the accuracy there.
    Steps after the last whole epoch, or the last multiple of `every`, have no line, as in the lessons' own loops.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, dataset: Dataset, normalization: Normalization) -> None:
        assert recipe.published is not None
        self.published, self.seed = recipe.published, recipe.train.seed
        self.model, self.dataset, self.normalization = model, dataset, normalization
        self.openings = 0
        self.lines: list[dict[str, Any]] = []
        self._last = 0  # the step of the point before
        self._sum = 0.0  # of the losses since the line before

    def start(self, plan: Plan) -> None:
        assert plan.log_every is not None
        self.every = plan.log_every

    def point(self, point: Point) -> None:
        self._sum += point.train_loss * (point.step - self._last)
        self._last = point.step
        if point.step % self.every:
            return
        line: dict[str, Any] = {
            "step": point.step,
            "epoch": point.epoch,
            "loss": point.batch_loss if self.published.loss == "batch" else self._sum / self.every,
            "batch_accuracy": point.batch_accuracy,
        }
        self._sum = 0.0
        if self.published.meter and self.dataset.test is not None:
            line["test_accuracy"] = self._opened_test(self.dataset.test)
        self.lines.append(line)

    def remembered(self) -> dict[str, Any]:
        return {"openings": self.openings, "lines": self.lines, "last": self._last, "sum": self._sum}

    def remember(self, what: dict[str, Any]) -> None:
        self.openings, self.lines = int(what["openings"]), list(what["lines"])
        self._last, self._sum = int(what["last"]), float(what["sum"])

    def record(self, test_accuracy: float | None) -> dict[str, Any]:
        """What the lesson measures: `accuracy`, on `part`, the log, and how often this opened the test part.

        `reported` is the lesson's own figure of it, `twin` the recipe that mends its faults. Where keys were `changed`,
        the training is no longer the lesson's, and its faults may not be there.

        `test_accuracy` is that of the finished model, which is what all lessons but one report; None without a test
        part. It is measured elsewhere, so it is not among the openings.
        """
        published, train = self.published, self.dataset.train
        reported = test_accuracy
        if published.part == "train":
            reported = self._accuracy(train, published.dropout)
        elif published.dropout and self.dataset.test is not None:
            reported = self._opened_test(self.dataset.test, dropout=True)
        return {
            "accuracy": reported,
            "part": published.part,
            "dropout": published.dropout,
            "train_accuracy": self._accuracy(train) if published.train_accuracy else None,
            "openings": self.openings,
            "faults": list(published.faults),
            "twin": published.twin,
            "reported": published.accuracy,
            "at_least": published.at_least,
            "changed": list(published.changed or ()),
            "log": self.lines,
        }

    def _opened_test(self, test: Split, dropout: bool = False) -> float:
        self.openings += 1
        return self._accuracy(test, dropout)

    def _accuracy(self, split: Split, dropout: bool = False) -> float:
        return accuracy_of(self.model, split, self.normalization, dropout_seed=self.seed if dropout else None)


def accuracy_of(
    model: nn.Module, split: Split, normalization: Normalization, *, dropout_seed: int | None = None
) -> float:
    """The share of pictures that the model names rightly; with a seed, while dropout goes on throwing values away.

    What dropout throws away comes from that seed's own stream. The model's modes and torch's random state are left as
    found.
    """
    if dropout_seed is None:
        logits = logits_of(model, split.images, normalization)
    else:
        logits = _logits_with_dropout(model, split, normalization, dropout_seed)
    return float((logits.argmax(1) == split.labels).double().mean())


def _logits_with_dropout(model: nn.Module, split: Split, normalization: Normalization, seed: int) -> Tensor:
    weight = next(model.parameters())
    devices = [weight.device] if weight.device.type == "cuda" else []
    with evaluation_mode(model), float32_convolutions(), torch.inference_mode(), torch.random.fork_rng(devices):
        seed_torch(weight.device, seed, "published dropout")
        for module in model.modules():
            if isinstance(module, _DropoutNd):  # alone: batch normalisation would learn from what it measures
                module.train()
        batches = inference_batches(split.images, normalization, weight.device)
        return torch.cat([model(x_NCHW.to(weight.dtype)).float().cpu() for x_NCHW in batches])
