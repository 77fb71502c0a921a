from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, LayerGradCam, Occlusion
from torch import Tensor, nn
from torch.nn import functional

from neocog.data.batches import Normalization
from neocog.errors import ExplanationError
from neocog.explanations import methods as ways
from neocog.explanations import questions
from neocog.explanations.attributions import METHODS, attribute, attributions, fitting
from neocog.explanations.methods import gradient_x_input, integrated_gradients, weighed_module
from neocog.explanations.network import Network
from neocog.explanations.questions import Question
from neocog.layers.modules import SameConv2d

NORMALIZATION = Normalization((0.5,), (0.25,))


def network(*layers: nn.Module, shape: tuple[int, int, int] = (2, 14, 14), seed: int = 0) -> Network:
    """Those layers with weights of normal size, so that kinks and curves are strong, in float64."""
    model = nn.Sequential(*layers).double()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in model.parameters():
            each.copy_(torch.randn(each.shape, generator=random) * (3 / max(1, each[0].numel()) ** 0.5))
    return Network.of(model, shape)


def convolutional(activation: Callable[[], nn.Module] = nn.ReLU, seed: int = 0) -> Network:
    front = [nn.Conv2d(2, 6, 3), activation(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8)]
    return network(*front, activation(), nn.Flatten(), nn.Linear(128, 3), seed=seed)


def picture(shape: tuple[int, ...] = (1, 2, 14, 14), seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear() -> tuple[Network, Tensor]:
    """f₀ = Σ w x over a picture of 2×3, and w."""
    weights = torch.tensor([[1.0, -2, 0], [4, 0.5, -1]])
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        model[1].weight[0] = weights.flatten()
    return Network.of(model, (1, 2, 3)), weights


@pytest.mark.parametrize("method", ["gradient-x-input", "integrated-gradients", "occlusion"])
@pytest.mark.parametrize(
    ("baseline", "normalization", "level", "said"),
    [
        ("black", None, 0.0, "black, taken as 0"),
        ("white", None, 1.0, "white, taken as 1"),
        ("mean", None, 0.0, "mean, taken as 0"),
        ("black", NORMALIZATION, -2.0, "black"),
        ("white", NORMALIZATION, 2.0, "white"),
        ("mean", NORMALIZATION, 0.0, "mean"),
    ],
)
def test_a_linear_network_is_shared_out_term_by_term(
    method: str, baseline: str, normalization: Normalization | None, level: float, said: str
) -> None:
    asked, weights_HW = linear()
    x_HW = torch.tensor([[0.5, 1, 2], [-1, 0.25, 3]])
    found = attribute(asked, x_HW[None, None], 0, method, baseline=baseline, normalization=normalization)
    # With pictures this small a patch is one pixel.
    np.testing.assert_allclose(found.map_HW, weights_HW * (x_HW - level), rtol=1e-5, atol=1e-6)
    assert (found.method, found.target, found.baseline, found.verdict) == (method, 0, said, "not checked")
    assert found.values_CHW.dtype == np.float32
    assert found.values_CHW.shape == (1, 2, 3)


def test_a_product_is_shared_out_in_equal_halves() -> None:
    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).prod(dim=1, keepdim=True)

    asked = Network.of(Product(), (1, 1, 2))
    x = torch.tensor([[[[3.0, 5.0]]]])
    by_hand = {"gradient-x-input": [15, 15], "integrated-gradients": [7.5, 7.5], "occlusion": [15, 15]}
    for method, values in by_hand.items():
        np.testing.assert_allclose(attribute(asked, x, 0, method).map_HW, [values], rtol=1e-6)
    assert attribute(asked, x, 0, "gradient-x-input").facts["completeness_error"] == pytest.approx(1.0)


def test_each_method_is_captums() -> None:
    asked, x = convolutional(), picture()
    model, black = asked.model.eval(), torch.zeros_like(x)

    def ours(method: str) -> np.ndarray:
        return attribute(asked, x, 1, method).values_CHW

    def same(got: np.ndarray, want: Tensor) -> None:
        np.testing.assert_allclose(got, want[0].detach(), rtol=1e-5, atol=1e-5)

    same(ours("gradient-x-input"), InputXGradient(model).attribute(x.clone().requires_grad_(), target=1))
    exact = IntegratedGradients(model).attribute(x, black, 1, n_steps=20, method="riemann_middle")
    torch.testing.assert_close(integrated_gradients(Question.make(asked, x, 1), 20)[0], exact[0].detach())
    window = Occlusion(model).attribute(x, (2, 2, 2), (2, 1, 1), baselines=0, target=1, perturbations_per_eval=64)
    same(ours("occlusion") * 2, window)  # captum gives each channel the whole drop
    cam = LayerGradCam(model, model[5]).attribute(x, 1, relu_attributions=True)
    large = functional.interpolate(cam, size=(14, 14), mode="bilinear")
    same(ours("grad-cam").sum(axis=0, keepdims=True), large)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(576, 3)],
        [nn.AvgPool2d(2), SameConv2d(2, 4, 2), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(100, 3)],
        [nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten(), nn.Linear(392, 3), nn.ReLU()],
        [nn.ReLU(), nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(576, 3)],
        [nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(576, 3)],
    ],
)
def test_affine_layers_that_begin_a_network_change_no_gradient(layers: list[nn.Module]) -> None:
    asked = network(*layers)
    asked.model.float()
    for each in asked.model:
        if getattr(each, "running_mean", None) is not None:
            each.running_mean.copy_(torch.linspace(-1, 1, each.num_features))
            each.running_var.copy_(torch.linspace(0.5, 2, each.num_features))
    question = Question.make(asked, picture().float(), 1, "white")
    white = torch.ones_like(question.x_1CHW)
    places = (torch.arange(20, dtype=torch.float64) + 0.5) / 20
    logits, slopes, total_CHW = question.gradients_along(places, torch.full((20,), 0.05, dtype=torch.float64))
    along = white + places.float()[:, None, None, None] * (question.x_1CHW - white)
    plain, gradients = question.gradients(along)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(logits, plain, **close)
    torch.testing.assert_close(slopes, torch.tensordot(gradients, question.difference_CHW, dims=3), **close)
    torch.testing.assert_close(total_CHW, gradients.mean(dim=0), **close)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Tanh, nn.GELU])
def test_integrated_gradients_add_up_to_the_change_of_the_logit(activation: Callable[[], nn.Module]) -> None:
    errors, steps = [], []
    for seed in range(6):
        question = Question.make(convolutional(activation, seed), picture(seed=seed), 0)
        values_CHW, facts = integrated_gradients(question)
        assert abs(question.logit_change) > float(values_CHW.abs().sum()) / 1000
        errors.append(abs(float(values_CHW.sum()) / question.logit_change - 1))
        assert facts["completeness_error"] == pytest.approx(errors[-1], abs=1e-9)
        steps.append(facts["steps"])
    assert max(errors) < 0.01
    assert min(steps) == 64


def test_there_are_never_more_steps_than_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "WANTED", 0.0)
    for most in (65, 100, 201):
        monkeypatch.setattr(ways, "MOST_STEPS", most)
        assert integrated_gradients(Question.make(convolutional(), picture(), 1))[1]["steps"] == most


def test_short_steps_find_a_jump_of_the_gradient() -> None:
    class Step(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            high = functional.relu(x.flatten(1).sum(dim=1, keepdim=True) - 0.99)
            return 1000 * high + 0 * x.flatten(1)

    question = Question.make(Network.of(Step(), (1, 1, 2)), torch.tensor([[[[0.75, 0.25]]]]), 0)
    equal, refined = (integrated_gradients(question, steps) for steps in (64, None))
    assert equal[1]["completeness_error"] > 0.2
    assert refined[1]["completeness_error"] < 0.01
    assert 64 < refined[1]["steps"] < 80
    torch.testing.assert_close(refined[0], torch.tensor([[[7.5, 2.5]]], dtype=torch.float64), rtol=0.01, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_grad_cam_of_a_linear_head_is_its_closed_form(seed: int) -> None:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)]
    asked, x = network(nn.Conv2d(2, 5, 3, stride=2), nn.ReLU(inplace=True), *head, seed=seed), picture()
    maps_KPQ = functional.relu(asked.model[0](x))[0]
    closed_1MPQ = torch.einsum("mk,kpq->mpq", asked.model[4].weight, maps_KPQ).clamp(min=0)[None].detach() / 36
    closed_MHW = functional.interpolate(closed_1MPQ, size=(14, 14), mode="bilinear")[0]
    target = int(closed_MHW.amax(dim=(1, 2)).argmax())
    assert float(closed_MHW[target].max()) > 0
    found = attribute(asked, x, target, "grad-cam")
    np.testing.assert_allclose(found.map_HW, closed_MHW[target], rtol=1e-6, atol=1e-9)
    assert (found.baseline, found.facts) == (None, {"maps": 5, "rows": 6, "columns": 6})


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ([nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2)], "2"),
        ([nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)], "1"),
        ([nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.ReLU()], "0"),
        ([nn.Conv2d(2, 3, 3), nn.GELU(), nn.Conv2d(3, 3, 3), nn.Dropout(), nn.ReLU()], "2"),
    ],
)
def test_grad_cam_weighs_what_directly_follows_the_last_convolution(layers: list[nn.Module], name: str) -> None:
    asked = network(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    assert weighed_module(Question.make(asked, picture(), 0)) == name


def test_occlusion_computes_only_patches_that_change_something(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, x = convolutional(), torch.zeros(1, 2, 14, 14, dtype=torch.float64)
    x[0, 1, 6, 7] = 1.0
    seen = []
    logits = Question.logits
    monkeypatch.setattr(Question, "logits", lambda self, batch: seen.append(len(batch)) or logits(self, batch))
    found = attribute(asked, x, 0, "occlusion")
    assert found.facts == {"patch": 2, "stride": 1, "patches": 169}
    assert seen == [2, 1, 4]  # whether the answers are finite, the picture, four patches
    assert np.argwhere(found.map_HW).tolist() == [[row, column] for row in (5, 6, 7) for column in (6, 7, 8)]


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, x = convolutional(), picture()
    whole = [attribute(asked, x, 1, method).values_CHW for method in METHODS]
    monkeypatch.setattr(questions, "_AT_ONCE", 3)
    for values_CHW, method in zip(whole, METHODS, strict=True):
        np.testing.assert_allclose(attribute(asked, x, 1, method).values_CHW, values_CHW, rtol=1e-5, atol=1e-9)


def test_all_maps_come_with_all_checks() -> None:
    asked, x = convolutional(), picture()
    told: list[tuple[str, int, int]] = []
    state = torch.get_rng_state()
    found = attributions(asked, x, 1, progress=lambda *each: told.append(each))
    assert torch.equal(torch.get_rng_state(), state)
    assert [each.method for each in found] == [*METHODS]
    along = ["deletion", "insertion", "randomisation", "agreement"]
    names = [[check.name for check in each.checks] for each in found]
    assert names == [along, ["completeness", *along], along, along]
    assert {each.deletion.shape for each in found} == {each.insertion.shape for each in found} == {(33,)}
    assert told == [("maps", done, 9) for done in (0, 1, 2, 3, 4, 9)]
    again = attributions(asked, x, 1)
    assert [c.text for each in again for c in each.checks] == [c.text for each in found for c in each.checks]
    (alone,) = attributions(asked, x, 1, methods=["occlusion"])
    assert [check.name for check in alone.checks] == along[:3]


def test_a_network_without_a_convolution_gets_the_methods_that_fit() -> None:
    asked, _ = linear()
    assert fitting(asked) == ("gradient-x-input", "integrated-gradients", "occlusion")
    assert len(attributions(asked, torch.ones(1, 1, 2, 3), 0)) == 3
    with pytest.raises(ExplanationError) as error:
        attributions(asked, torch.ones(1, 1, 2, 3), 0, methods=["grad-cam"])
    assert str(error.value) == (
        "grad-cam weighs the maps of the last convolution, and this network has none; "
        "gradient-x-input, integrated-gradients, occlusion fit"
    )


class Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach().flatten(1)


@pytest.mark.parametrize(
    ("asked", "x", "options", "text"),
    [
        (
            linear()[0],
            torch.ones(1, 1, 3, 3),
            {},
            "the picture is 1×1×3×3; this network takes 1×1×2×3, one prepared picture",
        ),
        (linear()[0], torch.ones(1, 1, 2, 3), {"target": 2}, "there is no class 2; give a number from 0 to 1"),
        (linear()[0], torch.ones(1, 1, 2, 3), {"target": -1}, "there is no class -1; give a number from 0 to 1"),
        (
            linear()[0],
            torch.ones(1, 1, 2, 3),
            {"baseline": "blak"},
            "unknown baseline 'blak'; did you mean 'black'? Known: black, mean, white",
        ),
        (
            linear()[0],
            torch.ones(1, 1, 2, 3),
            {"method": "gradcam"},
            "unknown method 'gradcam'; did you mean 'grad-cam'? "
            "Known: grad-cam, gradient-x-input, integrated-gradients, occlusion",
        ),
        (
            Network.of(Detached(), (1, 1, 2)),
            torch.ones(1, 1, 1, 2),
            {},
            "no gradient reaches the picture through its forward, so only occlusion fits this network",
        ),
    ],
)
def test_what_cannot_be_asked(asked: Network, x: Tensor, options: dict[str, object], text: str) -> None:
    with pytest.raises(ExplanationError) as error:
        attribute(asked, x, **{"target": 0, "method": "gradient-x-input", **options})
    assert str(error.value) == text


class Breaking(nn.Module):
    """Raises at its second call from now."""

    calls = -1  # the first is Network.of's

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("not twice")
        return x


def traces(model: nn.Module) -> list[object]:
    hooks = [(len(each._forward_hooks), len(each._forward_pre_hooks), each.training) for each in model.modules()]
    weights = [
        (each.requires_grad, each._version, each.grad is None or each.grad.tolist()) for each in model.parameters()
    ]
    return [hooks, weights]


@pytest.mark.parametrize("breaks", [False, True])
def test_the_network_is_left_as_found(breaks: bool) -> None:
    middle = Breaking() if breaks else nn.ReLU(inplace=True)
    front = [nn.ReLU(inplace=True), nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), middle]
    asked = network(*front, nn.Dropout(), nn.Flatten(), nn.Linear(432, 2))
    model, x = asked.model.train(), picture()
    model[4].eval()
    model[1].weight.requires_grad_(False)
    model[6].bias.grad = torch.ones(2, dtype=torch.float64)
    before, values = traces(model), [each.clone() for each in model.state_dict().values()]
    for methods in (["gradient-x-input"], ["integrated-gradients"], ["grad-cam"], ["occlusion"], None):
        if breaks:
            middle.calls = 0 if methods != ["gradient-x-input"] else 1
            with pytest.raises(RuntimeError, match=r"^not twice$"):
                attributions(asked, x, 0, methods=methods)
        else:
            attributions(asked, x, 0, methods=methods)
        assert traces(model) == before
        assert all(torch.equal(a, b) for a, b in zip(values, model.state_dict().values(), strict=True))
    assert (x.requires_grad, x.grad) == (False, None)


def test_frozen_float32_and_inference_networks_answer_alike() -> None:
    asked, x = convolutional(), picture()
    want = attribute(asked, x, 1, "grad-cam").map_HW, gradient_x_input(Question.make(asked, x, 1))[0]
    with torch.inference_mode():
        asked.model.requires_grad_(False)
        inside = Network.of(convolutional().model, (2, 14, 14))
        for each in (asked, inside):
            got = attribute(each, x.clone(), 1, "grad-cam").map_HW
            np.testing.assert_allclose(got, want[0], rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(gradient_x_input(Question.make(asked, x, 1))[0], want[1])
    single = Network.of(asked.model.float(), (2, 14, 14))
    torch.testing.assert_close(gradient_x_input(Question.make(single, x, 1))[0], want[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_answers_that_are_no_numbers_are_refused(bad: float) -> None:
    asked, _ = linear()
    with torch.no_grad():
        asked.model[1].bias[1] = bad
    with pytest.raises(ExplanationError) as refused:
        attributions(asked, torch.ones(1, 1, 2, 3), 0)
    assert str(refused.value) == (
        f"the network answers with {bad}, which can't be explained: its weights or the picture hold nan or numbers "
        "that are too large; look at its metrics, and train it again with a lower learning rate"
    )


def test_one_method_may_be_given_by_its_name_and_none_is_refused() -> None:
    asked, _ = linear()
    x = torch.rand(1, 1, 2, 3)
    assert [each.method for each in attributions(asked, x, 0, methods="occlusion")] == ["occlusion"]
    with pytest.raises(ExplanationError) as refused:
        attributions(asked, x, 0, methods=[])
    assert str(refused.value) == (
        "no method is given; leave methods out for all that fit, or name gradient-x-input, integrated-gradients, "
        "grad-cam, occlusion"
    )
