"""Four ways to share a class's logit out among the pixels. Each gives a map (C, H, W) in float64 and its facts.

C channels, H W rows and columns, K maps of the last convolution with P Q rows and columns, N pictures at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from neocog.errors import ExplanationError
from neocog.explanations.questions import Question, differentiated, differentiating
from neocog.explanations.watching import watched
from neocog.inference import evaluation_mode, float32_convolutions

Facts = Mapping[str, float]

STEPS, MOST_STEPS = 64, 16_384
WANTED = 0.005  # of the logit's change: half of what is promised
_PATCHES_AT_ONCE = 128
_PATCHES = 7  # of an occluded picture's shorter side
# What may follow a convolution and still be of it: its normalisation and its activation, value by value.
_NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Sigmoid, nn.Tanh)
_OF_THE_CONVOLUTION = _NORMS + _ACTIVATIONS


def gradient_x_input(question: Question) -> tuple[Tensor, Facts]:
    """∂f/∂x · (x − x₀): what each pixel would add if the network were linear; f is the logit, x₀ the baseline.

    Source: A. Shrikumar, P. Greenside, A. Shcherbina, A. Kundaje, "Not just a black box", 2016; they take x₀ = 0.
    """
    _, gradients_1CHW = question.gradients(question.x_1CHW)
    values_CHW = gradients_1CHW[0] * question.difference_CHW
    return values_CHW, {"completeness_error": completeness_error(values_CHW, question.logit_change)}


def integrated_gradients(question: Question, steps: int | None = None) -> tuple[Tensor, Facts]:
    """(x − x₀) · ∫₀¹ ∂f/∂x at x₀ + t·(x − x₀) dt: the gradient along the way from the baseline to the picture.

    The integral is the midpoint rule with `steps` equal steps. Unless given, there are 64, and as long as the shares
    miss the logit's change by more than half a percent, those steps are halved in which the logit changes most
    otherwise than the gradient in their middle says, until there are 16,384. ReLUs and maxima make kinks in the logit,
    and there the steps become short. Most pictures need some hundred steps; thousands are needed where the logit hardly
    changes, because what speaks for the class and against it cancels out.

    Source: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", 2017, equation 1.
    """
    edges = torch.linspace(0, 1, (steps or STEPS) + 1, dtype=torch.float64)
    if steps is not None:
        total_CHW = _gradients_along(question, (edges[1:] + edges[:-1]) / 2, edges.diff())[2]
        return total_CHW, {
            "steps": steps,
            "completeness_error": completeness_error(total_CHW, question.logit_change),
        }
    logits = question.logits(_along(question, edges))[:, question.target]
    change = float(logits[-1] - logits[0])
    low, high, logits_low, logits_high = edges[:-1], edges[1:], logits[:-1], logits[1:]
    middle, slope, total_CHW = _gradients_along(question, (low + high) / 2, high - low)
    while len(low) < MOST_STEPS:
        missed = logits_high - logits_low - slope * (high - low)
        if abs(float(missed.sum())) <= WANTED * completeness_scale(change, float(total_CHW.abs().sum())):
            break
        worst = missed.abs() > missed.abs().mean()
        worst[missed.abs().argsort(descending=True)[MOST_STEPS - len(low) :]] = False
        worst[missed.abs().argmax()] = True
        rest = ~worst
        a, b, c = low[worst], (low[worst] + high[worst]) / 2, high[worst]
        logits_a, logits_b, logits_c = logits_low[worst], middle[worst], logits_high[worst]
        # What the long steps had given is taken back as the short ones are added, so that no gradient is kept.
        halves, widths = torch.cat([(a + b) / 2, (b + c) / 2]), torch.cat([b - a, c - b])
        new_middle, new_slope, new_CHW = _gradients_along(question, halves, widths)
        total_CHW += new_CHW + _gradients_along(question, b, a - c)[2]
        low, high = torch.cat([low[rest], a, b]), torch.cat([high[rest], b, c])
        logits_low = torch.cat([logits_low[rest], logits_a, logits_b])
        logits_high = torch.cat([logits_high[rest], logits_b, logits_c])
        middle, slope = torch.cat([middle[rest], new_middle]), torch.cat([slope[rest], new_slope])
    return total_CHW, {"steps": len(low), "completeness_error": completeness_error(total_CHW, change)}


def _along(question: Question, places_N: Tensor) -> Tensor:
    """Pictures (N, C, H, W) on the way from the baseline, at 0, to the picture, at 1."""
    path_1CHW = question.x_1CHW - question.baseline_1CHW
    return question.baseline_1CHW + places_N.to(path_1CHW)[:, None, None, None] * path_1CHW


def _gradients_along(question: Question, places_N: Tensor, weights_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """At places on the way: the logit (N,), its slope (N,), and the weighted sum of gradient · (x − x₀) (C, H, W)."""
    logits_N, slopes_N, sum_CHW = question.gradients_along(places_N, weights_N)
    return logits_N, slopes_N, sum_CHW * question.difference_CHW


def grad_cam(question: Question) -> tuple[Tensor, Facts]:
    """max(0, Σ_k α_k A_k) with α_k = mean of ∂f/∂A_k: the last convolution's maps, each weighed by its mean gradient.

    The maps A are those of the last convolution, after the normalisation and the activation where these follow it
    directly. The result is enlarged to the picture's size, bilinearly, and each channel gets an
    equal part of it. Where a global mean and a linear layer follow the maps, it is CAM's closed form: the positive part
    of Σ_k w_k A_k, over the number of a map's pixels.

    Source: R. R. Selvaraju et al., "Grad-CAM", 2017, equations 1 and 2.
    """
    module = question.network.model.get_submodule(weighed_module(question))
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # which a layer that works in place may change

    hook = module.register_forward_hook(keep)
    model = question.network.model
    try:
        with evaluation_mode(model), float32_convolutions(), differentiating():
            logits_1 = model(question.x_1CHW.clone().requires_grad_().clone())[:, question.target]
            gradients_1KPQ = differentiated(logits_1, kept[-1])
    finally:
        hook.remove()
    maps_KPQ, gradients_KPQ = kept[-1].detach()[0].double(), gradients_1KPQ[0].double()
    weights_K = gradients_KPQ.mean(dim=(1, 2))
    cam_PQ = torch.tensordot(weights_K, maps_KPQ, dims=1).clamp(min=0)
    size = question.x_1CHW.shape[2:]
    cam_HW = functional.interpolate(cam_PQ[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    channels = question.x_1CHW.shape[1]
    facts = {"maps": len(maps_KPQ), "rows": cam_PQ.shape[0], "columns": cam_PQ.shape[1]}
    return (cam_HW / channels).expand(channels, -1, -1).cpu(), facts


def weighed_module(question: Question) -> str:
    """Torch's name of the module whose output are the maps that Grad-CAM weighs."""
    network = question.network
    convolution = network.last_convolution()
    if convolution is None:
        raise ExplanationError(
            "grad-cam weighs the maps of the last convolution, and this network has none; "
            f"{', '.join(name for name in METHODS if name != 'grad-cam')} fit"
        )
    with watched(network.model, copies=False) as seen, torch.inference_mode():
        network.model(question.x_1CHW.clone())
    name, passed = convolution.name, {convolution.name}
    while following := next(
        (
            other
            for other, each in seen.items()
            if other not in passed and each.took is seen[name].gave and isinstance(each.module, _OF_THE_CONVOLUTION)
        ),
        None,
    ):
        name = following
        passed.add(name)
    return name


def occlusion(question: Question) -> tuple[Tensor, Facts]:
    """How far the logit falls when a patch is covered by the baseline; a pixel gets the mean of the patches over it.

    Patches have a seventh of the shorter side and stand half of that apart; the last of each row and column ends with
    the picture. Each channel gets an equal part. A patch that covers what is the baseline already changes nothing and
    isn't computed.

    Source: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.2.
    """
    x_1CHW, baseline_1CHW = question.x_1CHW, question.baseline_1CHW
    channels, height, width = x_1CHW.shape[1:]
    size = patch_size(height, width)
    stride = max(1, size // 2)
    # Which rows and which columns each patch covers: M patches, all tops with all lefts.
    rows_MH, columns_MW = (
        each.double()
        for each in (
            _covered(height, size, stride).repeat_interleave(len(_starts(width, size, stride)), dim=0),
            _covered(width, size, stride).repeat(len(_starts(height, size, stride)), 1),
        )
    )
    differs_HW = (x_1CHW != baseline_1CHW).any(dim=1)[0].cpu().double()
    tried = ((rows_MH @ differs_HW) * columns_MW).sum(dim=1).nonzero()[:, 0]
    logit = float(question.logits(x_1CHW)[0, question.target])
    drops_M = torch.zeros(len(rows_MH), dtype=torch.float64)
    for start in range(0, len(tried), _PATCHES_AT_ONCE):
        some = tried[start : start + _PATCHES_AT_ONCE]
        covers_N1HW = (rows_MH[some][:, :, None] * columns_MW[some][:, None, :] > 0)[:, None].to(x_1CHW.device)
        drops_M[some] = logit - question.logits(torch.where(covers_N1HW, baseline_1CHW, x_1CHW))[:, question.target]
    total_HW, counts_HW = rows_MH.T @ (drops_M[:, None] * columns_MW), rows_MH.T @ columns_MW
    values_CHW = (total_HW / counts_HW / channels).expand(channels, -1, -1)
    return values_CHW, {"patch": size, "stride": stride, "patches": len(drops_M)}


def patch_size(height: int, width: int) -> int:
    """A seventh of the shorter side: the grain at which a picture is looked at."""
    return max(1, round(min(height, width) / _PATCHES))


def _starts(length: int, size: int, stride: int) -> list[int]:
    return [*range(0, length - size, stride), length - size]


def _covered(length: int, size: int, stride: int) -> Tensor:
    """Which places along an axis each patch covers: (patches, length)."""
    starts, places = torch.tensor(_starts(length, size, stride))[:, None], torch.arange(length)
    return (places >= starts) & (places < starts + size)


METHODS: Mapping[str, Callable[[Question], tuple[Tensor, Facts]]] = {
    "gradient-x-input": gradient_x_input,
    "integrated-gradients": integrated_gradients,
    "grad-cam": grad_cam,
    "occlusion": occlusion,
}


def completeness_error(values_CHW: Tensor, change: float) -> float:
    """|Σ attributions − change of the logit| as a share of the latter; see `completeness_scale`."""
    scale = completeness_scale(change, float(values_CHW.abs().sum()))
    return abs(float(values_CHW.sum()) - change) / scale if scale else 0.0


def completeness_scale(change: float, magnitude: float) -> float:
    """What the error of completeness is a share of: the logit's change, or if more, a thousandth of Σ|attributions|."""
    return max(abs(change), magnitude / 1000)
