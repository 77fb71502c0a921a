"""What one would write without neocog: a DataLoader that works on one picture at a time, and a bare float32 loop.

torchvision can't stand beside the pinned torch, so what its MNIST, ToTensor and Normalize do to a picture is done here,
step by step. Each loop runs in a process of its own, where nothing of neocog's has touched torch or the allocator:
`python -m benchmarks.plain LOOP SEED` prints one JSON line for each epoch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from neocog.data import Split, open_source


class PlainPictures(Dataset[tuple[Tensor, int]]):
    """MNIST as torchvision gives it: a PIL image of each picture, made a tensor and normalised when it is asked for."""

    def __init__(self, split: Split, normalize: bool) -> None:
        self.images, self.labels, self.normalize = split.images[..., 0].clone(), split.labels, normalize

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, label = Image.fromarray(self.images[index].numpy()), int(self.labels[index])
        pixels_HWC = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(picture.size[1], picture.size[0], 1)
        x_CHW = pixels_HWC.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255)
        return (normalized(x_CHW) if self.normalize else x_CHW), label


def normalized(x_CHW: Tensor) -> Tensor:
    """(x − 0.1307)/0.3081, with the copy and the check that torchvision makes each time."""
    x_CHW = x_CHW.clone()
    mean, std = torch.as_tensor((0.1307,)), torch.as_tensor((0.3081,))
    if (std == 0).any():
        raise ValueError("a deviation of 0")
    return x_CHW.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


def mnist() -> tuple[Split, Split]:
    """All 60,000 training and 10,000 test pictures."""
    data = open_source("mnist", validation=0).load(seed=0)
    assert data.test is not None
    return data.train, data.test


def accuracy(model: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> float:
    """Share of right answers."""
    model.eval()
    with torch.no_grad():
        right = sum(int((model(x).argmax(1) == y).sum()) for x, y in loader)
    model.train()
    return right / len(loader.dataset)  # type: ignore[arg-type]


def pytorch_example(train: Split, test: Split, seed: int) -> Iterator[tuple[float, float]]:
    """PyTorch's own MNIST example, epoch by epoch: (seconds of training so far, test accuracy).

    conv 32 and 64 3×3, max pooling, dropout 0.25 and 0.5, linear 128, Adadelta 1.0 with decay 0.7, batch 64; the facts
    are those of github.com/pytorch/examples, mnist/main.py. Testing is not counted in the seconds.
    """
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip
    train_loader = DataLoader(PlainPictures(train, True), batch_size=64, shuffle=True)
    test_loader = DataLoader(PlainPictures(test, True), batch_size=1000)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    spent = 0.0
    for _ in range(14):
        began = time.perf_counter()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = functional.nll_loss(functional.log_softmax(model(x), dim=1), y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
        spent += time.perf_counter() - began
        yield spent, accuracy(model, test_loader)


def tutorial_model_a(train: Split, test: Split, seed: int, steps: int = 3000) -> Iterator[tuple[float, float]]:
    """The lessons' own loop around model A, once: (seconds of training, test accuracy at the end).

    Batch 100, SGD 0.01, pixels from 0 to 1. The looks at the test set that the lesson takes every 500 steps are left
    out of the time.
    """
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 10),
    )  # fmt: skip
    loader = DataLoader(PlainPictures(train, False), batch_size=100, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    done = 0
    began = time.perf_counter()
    while done < steps:
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            done += 1
            if done == steps:
                break
    spent = time.perf_counter() - began
    yield spent, accuracy(model, DataLoader(PlainPictures(test, False), batch_size=1000))


LOOPS = {"pytorch_example": pytorch_example, "tutorial_model_a": tutorial_model_a}


def in_own_process(loop: str, seed: int) -> Iterator[tuple[float, float]]:
    """(seconds of training, test accuracy) of a loop, as it prints them; it is stopped when nobody asks for more."""
    command = [sys.executable, "-m", "benchmarks.plain", loop, str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                found: dict[str, Any] = json.loads(line)
                yield found["seconds"], found["accuracy"]
        finally:
            process.kill()


if __name__ == "__main__":
    for seconds, reached in LOOPS[sys.argv[1]](*mnist(), seed=int(sys.argv[2])):
        print(json.dumps({"seconds": seconds, "accuracy": reached}), flush=True)
