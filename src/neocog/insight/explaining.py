"""Why a network answers as it does for one picture: everything there is to ask, computed when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neocog.data import Progress
from neocog.data.batches import Normalization
from neocog.data.dataset import Split
from neocog.data.samples import Sample, open_sample
from neocog.device import choose
from neocog.errors import DataError, ExplanationError, NeocogError, unknown
from neocog.explanations.attributions import Attribution, attributions, known_methods
from neocog.explanations.fields import ReceptiveField, receptive_field
from neocog.explanations.flips import Flip, flips
from neocog.explanations.maps import FeatureMaps, as_picture, every_feature_map, feature_maps
from neocog.explanations.neighbours import Neighbour
from neocog.explanations.neighbours import nearest as nearest_of
from neocog.explanations.network import Network
from neocog.explanations.questions import check_finite
from neocog.explanations.trace import NeuronTrace, trace
from neocog.finished import Data, Run, Tell, classifier_of, open_data, opened, own_data, warn
from neocog.inference import evaluation_mode, float32_convolutions
from neocog.layers.layer import shape_text
from neocog.networks import Model
from neocog.plots.saving import figure_bytes
from neocog.predict import Classifier, Picture
from neocog.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEIGHBOURS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """One picture, the network's answer, and what can be asked about it. Made by `explain`.

    Each property and method computes when it is first asked, and leaves the network as it was.
    """

    name: str
    picture: NDArray[np.uint8]  # (H, W, C), as the network sees it before normalisation
    x: Tensor  # (1, C, H, W), what goes into the network
    network: Network
    probabilities: NDArray[np.float32]  # (classes,)
    target: int  # the class that is explained
    normalization: Normalization | None = None  # None: for a module of one's own, whose input is given as it is
    temperature: float = 1.0  # that the probabilities are softened by
    baseline: str = "black"
    methods: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()  # how the picture was prepared, and what is odd about it
    training: Split | None = field(default=None)
    progress: Progress | None = None

    def __post_init__(self) -> None:
        """Refuses an answer that is no number: nothing could be said about it."""
        check_finite(torch.from_numpy(self.probabilities))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.network.classes

    @property
    def answer(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """That of the answer, 0 to 1."""
        return float(self.probabilities.max())

    @cached_property
    def why(self) -> tuple[Attribution, ...]:
        """What speaks for the target, by each method that fits the network, each with its checks."""
        return attributions(
            self.network,
            self.x,
            self.target,
            methods=self.methods,
            baseline=self.baseline,
            normalization=self.normalization,
            progress=self.progress,
        )

    @cached_property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """The training pictures most alike in the last hidden layer, nearest first; empty without training pictures."""
        if self.training is None or self.normalization is None or self.network.last_hidden() is None:
            return ()
        return nearest_of(
            self.network,
            self.x,
            self.training.images,
            self.training.labels,
            self.training.names,
            self.classes,
            self.normalization,
            k=_NEIGHBOURS,
            progress=self.progress,
        )

    @cached_property
    def flips(self) -> tuple[Flip, ...]:
        """The smallest shift, rotation and erased patch that turn the answer; empty for a module of one's own."""
        if self.normalization is None:
            return ()
        return flips(self.network, self.picture, self.normalization, temperature=self.temperature)

    def feature_maps(self, layer: str) -> FeatureMaps:
        """What comes out of a layer for this picture."""
        return feature_maps(self.network, self.x, layer)

    def field(self, layer: str, neuron: tuple[int, ...] | None = None) -> ReceptiveField:
        """The pixels that one number of a layer depends on; its largest unless one is named."""
        return receptive_field(self.network, self.x, layer, neuron)

    def trace(self, layer: str, neuron: tuple[int, ...] | None = None) -> NeuronTrace:
        """One number of a layer taken apart, product by product; its largest unless one is named.

        See `neocog.explanations.trace.trace`, also for modules that are called more than once, of which the last call
        is kept.
        """
        if neuron is None:
            maps = self.feature_maps(layer)
            values = maps.maps_CHW.reshape(maps.layer.output_shape)
            neuron = tuple(int(place) for place in np.unravel_index(int(values.argmax()), values.shape))
        return trace(self.network, self.x, layer, neuron)

    def why_figure(self) -> Figure:
        """The maps of what speaks for the target, each with its verdict."""
        from neocog.plots.attributions import plot_attributions

        return plot_attributions(self.picture, self.why, title=self.sentence)

    def figures(self) -> dict[str, Figure]:
        """Everything there is to see of the picture as a whole, and of each layer that has something to show."""
        from neocog.plots.feature_maps import maps_and_kernels
        from neocog.plots.flips import plot_flips
        from neocog.plots.neighbours import plot_neighbours

        found = {"why": self.why_figure()}
        if self.neighbours:
            found["neighbours"] = plot_neighbours(self.picture, self.neighbours, self.answer)
        if self.flips:
            found["flips"] = plot_flips(self.picture, self.flips, self.answer)
        for place, maps in enumerate(every_feature_map(self.network, self.x)):
            found |= maps_and_kernels(maps, f"{place + 1:02}-")
        return found

    def layer_figures(self, layer: str, neuron: tuple[int, ...] | None = None) -> dict[str, Figure]:
        """One layer: its maps, its kernels, and one of its numbers with its field and its arithmetic."""
        from neocog.plots.feature_maps import maps_and_kernels
        from neocog.plots.fields import plot_receptive_field
        from neocog.plots.trace import plot_trace

        traced = self.trace(layer, neuron)
        return {
            "trace": plot_trace(traced),
            "field": plot_receptive_field(self.picture, self.field(layer, traced.neuron)),
            **maps_and_kernels(self.feature_maps(layer)),
        }

    @property
    def sentence(self) -> str:
        """The answer with its probability, and the class that is explained where that is another."""
        other = "" if self.classes[self.target] == self.answer else f"; explained is {self.classes[self.target]}"
        return f"{self.name}: {self.answer}, {percent(self.probability)}{other}"

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain numbers and texts, worked out where it wasn't yet; maps and pictures are left out."""
        return {
            "picture": self.name,
            "answer": self.answer,
            "probability": self.probability,
            "probabilities": dict(zip(self.classes, map(float, self.probabilities), strict=True)),
            "target": self.classes[self.target],
            "baseline": self.baseline,
            "notes": list(self.notes),
            "why": [
                {
                    "method": each.method,
                    "verdict": each.verdict,
                    "facts": dict(each.facts),
                    "checks": [asdict(check) for check in each.checks],
                }
                for each in self.why
            ],
            "neighbours": [_without_picture(each) for each in self.neighbours],
            "flips": [_without_picture(each) for each in self.flips],
        }

    def __str__(self) -> str:
        from neocog.render.explanation import explanation_text

        return explanation_text(self)

    def _repr_html_(self) -> str:
        """The answer, the figure of the maps and their checks, for notebooks."""
        from neocog.render.explanation import explanation_html

        return explanation_html(self, figure_bytes(self.why_figure(), "png"))

    def __repr__(self) -> str:
        return f"<Explanation of {self.sentence}>"


def explain(
    what: str | Path | Run | Classifier | nn.Module,
    picture: Picture,
    *,
    target: str | int | None = None,
    methods: str | Sequence[str] | None = None,
    baseline: str = "black",
    nearest: bool = True,
    data: Data | None = None,
    model: Model | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Explanation:
    """Opens one answer of a network to question: why this class, what else is like it, what would change its mind.

    Args:
        what: a run or its directory, a `Classifier`, or any torch module that gives (N, classes) for (N, C, H, W).
        picture: a file, an array, or anything else that a classifier takes; `digit:7` is a picture of MNIST's test
            part. It is prepared as for prediction. For a torch module it is the input itself, float (C, H, W) or
            (1, C, H, W).
        target: the name of the class to explain; the answer unless given.
        methods: one or more of "gradient-x-input", "integrated-gradients", "grad-cam" and "occlusion"; all that fit
            unless given.
        baseline: what counts as nothing: "black", "mean" or "white".
        nearest: whether the training pictures of a run are read, too, to find those most alike.
        data: of a run alone: the training pictures once more, where its own are no longer in their place.
        model: of a run alone: the code of its network, where that is no layer text.
        device: of a run alone: where the network computes.
        tell: called with a line where something can't be shown; they are warnings unless given.

    A module that a network calls more than once for a picture is seen at its last call.

    Raises a NeocogError for a picture that can't be read, for what the network doesn't have, and for an answer that is
    no number.

    >>> linear = nn.Linear(2, 2, bias=False)
    >>> _ = linear.weight.data.copy_(torch.tensor([[3.0, 1.0], [0.0, 0.0]]))
    >>> found = explain(nn.Sequential(nn.Flatten(), linear), torch.tensor([[[1.0, 2.0]]]), methods="gradient-x-input")
    >>> found.answer, found.why[0].map_HW
    ('0', array([[3., 2.]]))
    """
    tell = tell or warn
    methods = known_methods(methods)
    if isinstance(what, nn.Module | Classifier):
        _only_of_runs(what, data=data, model=model, device=device)
    if isinstance(what, nn.Module):
        return _of_module(what, picture, target, methods, baseline, progress)
    training = None
    if isinstance(what, Classifier):
        classifier, layers = what, None
    else:
        run = opened(what)
        classifier = classifier_of(run.directory, model, choose(device or "auto", "float32"), as_written=True)
        layers = run.recipe.layers
        training = _training(run, data, progress, tell) if nearest else None
    sample, notes = _sample(picture, classifier)
    prepared = classifier.prepare(picture if sample is None or isinstance(picture, Path) else sample.pixels)
    if len(prepared) != 1:
        raise DataError(f"{len(prepared)} pictures were given; explain one at a time")
    if (note := classifier.note(prepared[0])) is not None:
        notes.append(f"it is {note}")
    channels, (height, width) = classifier.preprocess.channels, classifier.preprocess.image_size
    network = Network.of(classifier.model, (channels, height, width), classifier.classes, layers)
    probabilities = classifier.probabilities(prepared)[0]
    return Explanation(
        name=sample.name if sample else "picture",
        picture=prepared[0].numpy(),
        x=classifier.normalization(prepared.to(network.device)),
        network=network,
        probabilities=probabilities,
        target=_target(target, classifier.classes, probabilities),
        normalization=classifier.normalization,
        temperature=classifier.temperature,
        baseline=baseline,
        methods=methods,
        notes=tuple(notes),
        training=training,
        progress=progress,
    )


def _only_of_runs(what: nn.Module | Classifier, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise ExplanationError(
                f"{name} belongs to a run, and a {type(what).__name__} was given; leave {name} out, or give the run"
            )


def folder_name(name: str) -> str:
    """What a folder of figures of that picture is called: `digit:7 (label 9)` becomes digit-7."""
    stem = name.split(" (")[0]
    return re.sub(r"[^\w.=+-]+", "-", Path(stem).stem if Path(stem).suffix else stem).strip("-.") or "picture"


def _of_module(
    model: nn.Module,
    picture: Any,
    target: str | int | None,
    methods: tuple[str, ...] | None,
    baseline: str,
    progress: Progress | None,
) -> Explanation:
    if not isinstance(picture, Tensor) or not picture.is_floating_point() or picture.ndim not in (3, 4):
        raise ExplanationError(
            "a torch module is explained on the input it takes: give a float tensor (C, H, W) or (1, C, H, W)"
        )
    x_1CHW = (picture if picture.ndim == 4 else picture[None]).detach()
    if len(x_1CHW) != 1:
        raise DataError(f"{len(x_1CHW)} pictures were given; explain one at a time")
    network = Network.of(model, tuple(x_1CHW.shape[1:]))
    x_1CHW = network.given(x_1CHW)
    with evaluation_mode(model), float32_convolutions(), torch.inference_mode():
        probabilities = torch.softmax(model(x_1CHW.clone()).double(), dim=1)[0].float().cpu().numpy()
    return Explanation(
        name="input",
        picture=as_picture(x_1CHW[0]),
        x=x_1CHW,
        network=network,
        probabilities=probabilities,
        target=_target(target, network.classes, probabilities),
        baseline=baseline,
        methods=methods,
        notes=(f"shown from its least number, black, to its largest, white; it is {shape_text(x_1CHW.shape[1:])}",),
        progress=progress,
    )


def _sample(picture: Picture, classifier: Classifier) -> tuple[Sample | None, list[str]]:
    """The picture as it was given, where it has a name, and in what it differs from what the network sees."""
    preprocess = classifier.preprocess
    sample = open_sample(picture) if isinstance(picture, str | Path) else None
    if sample is None:
        return None, []
    height, width, channels = sample.pixels.shape
    same = (height, width) == preprocess.image_size and channels == preprocess.channels
    if same:
        return sample, []
    colour = {1: "grey", 3: "RGB"}
    return sample, [
        f"{width}×{height} {colour[channels]} was prepared as for prediction: {preprocess.resize} to "
        f"{preprocess.image_size[1]}×{preprocess.image_size[0]} {colour[preprocess.channels]}"
    ]


def _target(name: object, classes: Sequence[str], probabilities: NDArray[np.float32]) -> int:
    if name is None:
        return int(probabilities.argmax())
    if str(name) not in classes:
        raise ExplanationError(unknown("class", str(name), classes))
    return list(classes).index(str(name))


def _training(run: Run, data: Data | None, progress: Progress | None, tell: Tell) -> Split | None:
    """The pictures that the run was trained on, or None, said, where they can't be had."""
    recipe = run.recipe
    assert recipe.resolved is not None
    try:
        dataset = open_data(own_data(recipe, data), data).load(seed=recipe.train.seed, progress=progress)
    except NeocogError as error:
        tell(f"nearest training pictures are left out: {error}")
        return None
    if dataset.checksum != recipe.resolved.data_checksum:
        tell(f"nearest training pictures are left out: data '{dataset.name}' is not what this run had")
        return None
    return dataset.train


def _without_picture(item: Neighbour | Flip) -> dict[str, Any]:
    return {key: value for key, value in vars(item).items() if key != "picture"}
