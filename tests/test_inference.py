"""inference: the network's answers, and everything left as it was found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neocog.data.batches import Normalization
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
