"""inference: the network's answers, and everything left as it was found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neocog.data.batches import Normalization
from neocog.errors import DeviceError
from neocog.inference import evaluation_mode, logits_of

PLAIN = Normalization((0.0,), (1.0,))


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no")


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3))


def test_each_module_gets_its_own_mode_back() -> None:
    model = net()
    model.train()
    model[1].eval()
    before = [module.training for module in model.modules()]
    with evaluation_mode(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before


def test_modes_come_back_when_forward_raises() -> None:
    model = nn.Sequential(nn.Dropout(), Fails())
    model.train()
    model[0].eval()
    with pytest.raises(RuntimeError, match=r"^no$"):
        logits_of(model, torch.zeros(2, 4, 4, 1, dtype=torch.uint8), PLAIN)
    assert [module.training for module in model.modules()] == [True, False, True]
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_logits_are_the_networks_own_in_evaluation_mode() -> None:
    model = net()
    images = torch.randint(0, 256, (7, 4, 4, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    got = logits_of(model, images, PLAIN)
    want = net().eval()(images.permute(0, 3, 1, 2) / 255)
    assert got.dtype == torch.float32
    assert not got.requires_grad
    torch.testing.assert_close(got, want.detach(), rtol=1e-5, atol=1e-6)


def test_statistics_and_weights_are_not_touched() -> None:
    model = net()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits_of(model, torch.full((5, 4, 4, 1), 200, dtype=torch.uint8), PLAIN)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_pieces_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model = net()
    images = torch.randint(0, 256, (11, 4, 4, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = logits_of(model, images, PLAIN)
    monkeypatch.setattr("neocog.data.batches._VALUES_AT_ONCE", 3 * 16)
    torch.testing.assert_close(logits_of(model, images, PLAIN), whole, rtol=1e-6, atol=1e-7)


class Hungry(nn.Module):
    """Has memory for so many pictures at a time; notes how many it was given."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error, self.network = most, error, net()
        self.given: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.given.append(len(x))
        if len(x) > self.most:
            raise self.error
        answers: Tensor = self.network(x)
        return answers


# A GPU's own error is raised by hand: no test has one.
ENDS = [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), RuntimeError("could not create a primitive")]


@pytest.mark.parametrize("error", ENDS, ids=[type(error).__name__ for error in ENDS])
def test_where_memory_ends_fewer_pictures_go_through_at_a_time(error: Exception) -> None:
    images = torch.randint(0, 256, (11, 4, 4, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    hungry = Hungry(2, error)
    got = logits_of(hungry, images, PLAIN)
    torch.testing.assert_close(got, logits_of(net(), images, PLAIN), rtol=1e-6, atol=1e-7)
    assert hungry.given == [11, 6, 3, 2, 1, 3, 2, 1, 5, 3, 2, 1, 2]
    assert [module.training for module in hungry.modules()] == [True] * len(list(hungry.modules()))


def test_no_memory_for_a_single_picture_is_one_line() -> None:
    images = torch.zeros(5, 4, 4, 1, dtype=torch.uint8)
    with pytest.raises(DeviceError) as caught:
        logits_of(Hungry(0, ENDS[0]), images, PLAIN)
    assert str(caught.value) == (
        "out of memory on cpu with a single picture of 1×4×4 (channels, height, width); close other programs, take "
        "another device, or train on smaller pictures (dataset.image_size)"
    )
    assert caught.value.__context__ is None


def test_convolutions_are_kept_in_float32_and_the_users_choice_comes_back() -> None:
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision
    seen = []

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            seen.append(conv.fp32_precision)
            return x.flatten(1) * self.weight

    conv.fp32_precision = "tf32"
    try:
        logits_of(Looks(), torch.zeros(2, 4, 4, 1, dtype=torch.uint8), PLAIN)
        with pytest.raises(RuntimeError, match=r"^no$"):
            logits_of(Fails(), torch.zeros(2, 4, 4, 1, dtype=torch.uint8), PLAIN)
        assert conv.fp32_precision == "tf32"
    finally:
        conv.fp32_precision = before
    assert seen == ["ieee"]
