"""optim: torch's own optimizers and schedulers, and values worked by hand, are the oracles."""

from __future__ import annotations

import copy
import inspect
import math

import pytest
import torch
from torch import nn

from neocog.errors import RecipeError
from neocog.optim import Muon, build_optimizer, orthogonalized, rate_factor, set_rate
from neocog.steps import OPTIMIZERS, SCHEDULES


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3),
        nn.Flatten(),
        nn.Linear(6 * 16, 3),
    )


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        stream = torch.Generator().manual_seed(step)
        images, labels = torch.randn(8, 1, 8, 8, generator=stream), torch.randint(3, (8,), generator=stream)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


def assert_same_weights(one: nn.Module, other: nn.Module, rtol: float = 0.0, atol: float = 0.0) -> None:
    for (name, got), want in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(got, want, rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    ("name", "options", "oracle"),
    [
        ("sgd", {}, lambda p: torch.optim.SGD(p, lr=0.05)),
        (
            "sgd",
            {"momentum": 0.9, "nesterov": True},
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
        ),
        ("adam", {"betas": (0.7, 0.9)}, lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.7, 0.9))),
        ("adamw", {"eps": 1e-6}, lambda p: torch.optim.AdamW(p, lr=0.05, eps=1e-6, weight_decay=0)),
        ("adadelta", {"rho": 0.8}, lambda p: torch.optim.Adadelta(p, lr=0.05, rho=0.8)),
    ],
)
def test_same_steps_as_torch(name, options, oracle):
    ours, theirs = small_net(), small_net()
    train(ours, build_optimizer(ours, name, lr=0.05, **options), 4)
    train(theirs, oracle(theirs.parameters()), 4)
    # The fused kernels round in another order: a few float32 ulps per step, which Adam's division enlarges.
    assert_same_weights(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_goes_on_to_the_same_bits(name):
    straight = small_net()
    train(straight, build_optimizer(straight, name, lr=0.02, momentum=0.9), 6)

    broken = small_net()
    optimizer = build_optimizer(broken, name, lr=0.02, momentum=0.9)
    train(broken, optimizer, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    resumed = build_optimizer(broken, name, lr=0.02, momentum=0.9)
    resumed.load_state_dict(saved)
    train(broken, resumed, 3, first=3)
    assert_same_weights(broken, straight)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_acts_on_weights_only(name):
    model = small_net()
    optimizer = build_optimizer(model, name, lr=0.02, weight_decay=0.25)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {key: decay[id(p)] for key, p in model.named_parameters()} == {
        "0.weight": 0.25, "1.weight": 0.0, "1.bias": 0.0,
        "3.weight": 0.25, "3.bias": 0.0, "5.weight": 0.25, "5.bias": 0.0,
    }  # fmt: skip


def test_adamw_decay_by_hand():
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, 2.0)
    nn.init.constant_(model.bias, 2.0)
    optimizer = build_optimizer(model, "adamw", lr=0.1, weight_decay=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    # Adam's first step is lr; the decay takes lr · 0.5 · 2 = 0.1 more, from the weight alone.
    torch.testing.assert_close(model.weight.item(), 1.8, rtol=1e-6, atol=0)
    torch.testing.assert_close(model.bias.item(), 1.9, rtol=1e-6, atol=0)


def test_fused_where_there_is_a_fused_form():
    model = small_net()
    for name in ("sgd", "adam", "adamw"):
        assert all(group["fused"] for group in build_optimizer(model, name, lr=0.1).param_groups), name


def test_frozen_parameters_are_left_out():
    model = small_net()
    model[0].requires_grad_(False)
    held = {id(p) for group in build_optimizer(model, "muon", lr=0.1).param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}


def test_orthogonalized_matches_the_polynomial_on_the_singular_values():
    torch.manual_seed(0)
    for shape in ((5, 9), (9, 5), (6, 6)):
        matrix = torch.randn(shape, dtype=torch.float64)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        values = values / values.norm()
        for _ in range(5):
            values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
        torch.testing.assert_close(orthogonalized(matrix), left * values @ right, rtol=1e-9, atol=1e-11)


def test_muon_first_step_by_hand():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 8, 2, bias=False), nn.Flatten(), nn.Linear(8, 2))
    before = model[1].weight.detach().clone()
    optimizer = build_optimizer(model, "muon", lr=0.02, weight_decay=0.5)
    gradient = torch.randn(8, 1, 2, 2)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    model[1].weight.grad = gradient.clone()
    optimizer.step()
    # 8 kernels of 4 numbers: a tall matrix, scale √(8/4). Momentum only scales the first gradient.
    want = before * (1 - 0.01) - 0.02 * math.sqrt(2) * orthogonalized(gradient.reshape(8, 4)).reshape(8, 1, 2, 2)
    torch.testing.assert_close(model[1].weight.detach(), want, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model[1].weight.grad, gradient, rtol=0, atol=0)


def test_muon_agrees_with_torch_on_a_linear_weight():
    ours, theirs = (
        nn.Sequential(nn.Linear(2, 6), nn.Linear(6, 4, bias=False), nn.Linear(4, 2, bias=False)) for _ in range(2)
    )
    theirs.load_state_dict(ours.state_dict())
    one = build_optimizer(ours, "muon", lr=0.02, momentum=0.9)
    other = torch.optim.Muon([theirs[1].weight], lr=0.02, momentum=0.9, weight_decay=0)
    for step in range(3):
        stream = torch.Generator().manual_seed(step)
        ours[1].weight.grad = torch.randn(4, 6, generator=stream)
        theirs[1].weight.grad = ours[1].weight.grad.clone()
        one.step()
        other.step()
    # torch's runs the iteration in bfloat16: 8 bits, and steps of 0.02.
    torch.testing.assert_close(ours[1].weight, theirs[1].weight, rtol=0, atol=2e-3)


def test_muon_moves_hidden_weights_and_adamw_the_first_the_last_and_the_rest():
    model = small_net()
    optimizer = build_optimizer(model, "muon", lr=0.02)
    assert isinstance(optimizer, Muon)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {name for name, p in model.named_parameters() if rates[id(p)] == 0.02} == {"3.weight"}
    assert set(rates.values()) == {0.02, 0.002}


def test_muon_works_where_no_weight_is_hidden_and_on_channels_last():
    for model in (
        nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
        small_net().to(memory_format=torch.channels_last),
    ):
        optimizer = build_optimizer(model, "muon", lr=0.05)
        before = copy.deepcopy(model)
        train(model, optimizer, 2)
        changed = [not torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True)]
        assert all(changed)


def test_muon_step_returns_the_closure_loss():
    model = small_net()
    optimizer = build_optimizer(model, "muon", lr=0.05)
    assert optimizer.step(lambda: 1.5) == 1.5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"name": "adm", "lr": 0.1},
            "unknown optimizer 'adm'; did you mean 'adam'? Known: adadelta, adam, adamw, muon, sgd",
        ),
        ({"name": "sgd", "lr": 0.0}, "optimizer.lr = 0 is out of range; it must be above 0"),
        ({"name": "sgd", "lr": math.nan}, "optimizer.lr = nan is out of range; it must be above 0"),
        (
            {"name": "sgd", "lr": 0.1, "momentum": 1.5},
            "optimizer.momentum = 1.5 is out of range; it must be in [0, 1)",
        ),
        (
            {"name": "adam", "lr": 0.1, "betas": (0.9, 1.0)},
            "optimizer.betas = 1 is out of range; it must be in [0, 1)",
        ),
        (
            {"name": "sgd", "lr": 0.1, "weight_decay": -1.0},
            "optimizer.weight_decay = -1 is out of range; it must be 0 or more",
        ),
        (
            {"name": "adadelta", "lr": 0.1, "rho": 2.0},
            "optimizer.rho = 2 is out of range; it must be in [0, 1]",
        ),
        (
            {"name": "muon", "lr": 0.1, "other_lr": 0.0},
            "optimizer.other_lr = 0 is out of range; it must be above 0",
        ),
        (
            {"name": "sgd", "lr": 0.1, "nesterov": True},
            "optimizer.nesterov needs a momentum above 0; set optimizer.momentum=0.9",
        ),
    ],
)
def test_bad_values_are_refused(arguments, text):
    with pytest.raises(RecipeError) as caught:
        build_optimizer(small_net(), **arguments)
    assert str(caught.value) == text


def test_a_model_without_parameters_is_refused():
    with pytest.raises(RecipeError) as caught:
        build_optimizer(nn.Flatten(), "sgd", lr=0.1)
    assert str(caught.value) == "the model has no parameters to train; give it a conv or linear layer"


# ---------------------------------------------------------------- schedules


def torch_factors(make, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for step in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return factors


def ours(name: str, steps: int, **options) -> list[float]:
    return [rate_factor(name, step, steps, **options) for step in range(steps)]


def assert_close(got: list[float], want: list[float]) -> None:
    torch.testing.assert_close(torch.tensor(got).double(), torch.tensor(want).double(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("total", [10, 50, 469])
def test_one_cycle_is_torchs(total):
    schedule = torch.optim.lr_scheduler
    assert_close(ours("one-cycle", total), torch_factors(lambda o: schedule.OneCycleLR(o, 1.0, total), total))
    options = {"warmup": 0.2, "start": 0.1, "end": 0.001}
    make = lambda o: schedule.OneCycleLR(o, 1.0, total, pct_start=0.2, div_factor=10, final_div_factor=100)  # noqa: E731
    assert_close(ours("one-cycle", total, **options), torch_factors(make, total))


def test_step_is_torchs():
    per_epoch, epochs = 4, 7
    make = lambda o: torch.optim.lr_scheduler.StepLR(o, 3 * per_epoch, gamma=0.7)  # noqa: E731
    got = ours("step", per_epoch * epochs, steps_per_epoch=per_epoch, gamma=0.7, step_epochs=3)
    assert_close(got, torch_factors(make, per_epoch * epochs))


def test_cosine_is_torchs():
    make = lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 29, eta_min=0.05)  # noqa: E731
    assert_close(ours("cosine", 30, end=0.05), torch_factors(make, 30))


def test_linear_is_torchs():
    lr_scheduler = torch.optim.lr_scheduler

    def make(optimizer):
        up = lr_scheduler.LinearLR(optimizer, 0.1, 1.0, total_iters=10)
        down = lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=30)
        return lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[10])

    assert_close(ours("linear", 41), torch_factors(make, 41))


def test_exponential_is_torchs():
    make = lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)  # noqa: E731
    assert_close(ours("exponential", 31, end=0.9**30), torch_factors(make, 31))


def test_values_by_hand():
    assert ours("constant", 3) == [1.0, 1.0, 1.0]
    assert_close(ours("linear", 9), [0.1, 0.55, 1.0, 0.835, 0.67, 0.505, 0.34, 0.175, 0.01])
    assert_close(ours("cosine", 5), [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0])
    assert_close(ours("cosine", 7, warmup=1 / 3, start=0.2, end=0.5), [0.2, 0.6, 1, 0.9267767, 0.75, 0.5732233, 0.5])
    assert_close(ours("one-cycle", 5, warmup=0.4), [0.04, 1, 0.750001, 0.250003, 4e-6])
    assert_close(ours("step", 4, steps_per_epoch=2, gamma=0.5), [1, 1, 0.5, 0.5])
    assert_close(ours("exponential", 3), [1, 0.1, 0.01])
    assert_close(ours("exponential", 5, start=1e-4, end=1.0), [1e-4, 1e-3, 1e-2, 1e-1, 1])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 3, 100])
@pytest.mark.parametrize("warmup", [None, 0.0, 0.5, 1.0])
def test_every_factor_is_between_zero_and_one(name, total, warmup):
    factors = ours(name, total, warmup=warmup)
    assert all(0 <= factor <= 1 for factor in factors), factors


def test_set_rate_scales_each_group_from_its_first_rate():
    model = small_net()
    optimizer = build_optimizer(model, "muon", lr=0.02)
    set_rate(optimizer, 0.5)
    set_rate(optimizer, 0.1)
    assert sorted({round(group["lr"], 12) for group in optimizer.param_groups}) == [0.0002, 0.002]
    resumed = build_optimizer(model, "muon", lr=0.02)
    resumed.load_state_dict(optimizer.state_dict())
    set_rate(resumed, 1.0)
    assert sorted({group["lr"] for group in resumed.param_groups}) == [0.002, 0.02]


def test_an_unknown_schedule_is_refused():
    with pytest.raises(RecipeError) as caught:
        rate_factor("onecycle", 0, 10)
    assert str(caught.value) == (
        "unknown schedule 'onecycle'; did you mean 'one-cycle'? "
        "Known: constant, cosine, exponential, linear, one-cycle, step"
    )


# ---------------------------------------------------------------- the keys of a recipe


def options_of(function) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def test_recipes_know_all_options_and_no_others():
    assert options_of(build_optimizer) == set().union(*OPTIMIZERS.values())
    assert options_of(rate_factor) == set().union(*SCHEDULES.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_listens_to_its_keys_and_to_no_others(name):
    plain = {"lr": 0.1, "momentum": 0.9, "nesterov": False}
    other = {"lr": 0.2, "momentum": 0.5, "nesterov": True, "betas": (0.5, 0.6), "weight_decay": 0.1, "rho": 0.5}
    other |= {"eps": 1e-3, "other_lr": 0.05}

    def groups(**changes):
        built = build_optimizer(small_net(), name, **{**plain, **changes})
        return [{key: value for key, value in group.items() if key != "params"} for group in built.param_groups]

    heard = {key for key, value in other.items() if groups(**{key: value}) != groups()}
    assert heard == set(OPTIMIZERS[name])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_listens_to_its_keys_and_to_no_others(name):
    plain = {"warmup": 0.5, "start": 0.2, "end": 0.1, "gamma": 0.5, "step_epochs": 1}
    other = {"warmup": 0.25, "start": 0.4, "end": 0.3, "gamma": 0.9, "step_epochs": 2}

    def curve(**changes):
        return ours(name, 20, steps_per_epoch=4, **{**plain, **changes})

    assert {key for key, value in other.items() if curve(**{key: value}) != curve()} == set(SCHEDULES[name])
