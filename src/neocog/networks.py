"""The network of a recipe: built from its layer text, or by code of the user's own, which only the user may name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neocog.errors import LayerError, NeocogError, OperationError, RecipeError
from neocog.inference import evaluation_mode
from neocog.initial import set_first_weights
from neocog.layers import Layers
from neocog.layers.modules import SameConv2d
from neocog.layers.stack import Placed
from neocog.ops import Conv2d
from neocog.randomness import seed_shared, shared_kept
from neocog.recipe import Recipe

_PRODUCTS_A_SECOND = 1e7  # of plain Python, about; benchmarks/convolutions.py

Model = str | Layers | Callable[[int, int], nn.Module]


def model_changes(model: Model | None) -> dict[str, Any]:
    """What a network given in place of the recipe's changes in the recipe."""
    if model is None:
        return {}
    if isinstance(model, nn.Module):
        raise RecipeError(
            f"model is a {type(model).__name__} that exists already, but its first weights must come from the seed; "
            "give a callable that makes it, such as lambda channels, classes: Net(channels, classes)"
        )
    if isinstance(model, Layers):
        return {"model.layers": model.text()}
    if isinstance(model, str) and not is_factory(model):
        return {"model.layers": model}
    return {"model.factory": code_name(model)}


def is_factory(text: str) -> bool:
    """Whether a text is `module:factory` and not a layer text, which has no colon."""
    return ":" in text


def refuse_foreign_code(recipe: Recipe, model: Model | None) -> None:
    """Raises RecipeError when the recipe names code that the user has not named in this call."""
    if recipe.model.factory is not None and model is None:
        raise RecipeError(
            f"this recipe's network is code, '{recipe.model.factory}', and files may not choose code to run; "
            f"allow it with --model {recipe.model.factory}"
        )


def build(
    recipe: Recipe,
    image_shape: tuple[int, int, int],
    classes: int,
    model: Model | None,
    *,
    as_written: bool = False,
) -> nn.Module:
    """The network with its initial weights, which depend on the seed alone.

    With `as_written` each layer of a text stands where the recipe has it, for who looks into the network.
    """
    with shared_kept(), torch.random.fork_rng(devices=[]):
        seed_shared(torch.device("cpu"), recipe.train.seed, "weights")
        if recipe.layers is not None:
            # Pooling before the activation is the same function and less work; an error names the layers as written.
            placed = recipe.layers.check(image_shape, classes)
            layers = recipe.layers if as_written else recipe.layers.pool_first()
            network: nn.Module = layers.build(image_shape, classes)
            names = dict(_named(placed))
        else:
            assert model is not None
            network, names = from_code(model, image_shape, classes), {}
    set_first_weights(network, recipe.model.init, recipe.train.seed)
    if recipe.model.convolution != "torch":
        _use_method(network, recipe.model.convolution, image_shape, names)
    return network


def _named(placed: tuple[Placed, ...]) -> Iterator[tuple[str, str]]:
    """Torch's name and ours of each layer, those inside blocks, too."""
    for item in placed:
        yield item.name, f"layer {item.number} '{item.layer.text()}'"
        for part in item.parts:
            yield from _named(part)


def _use_method(network: nn.Module, method: str, image_shape: tuple[int, int, int], names: Mapping[str, str]) -> None:
    """Puts every convolution of a network on one of our own algorithms, and tries it on a blank picture."""
    key = f"model.convolution = '{method}'"
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    if not layers:
        raise RecipeError(f"{key} but the network has no nn.Conv2d; leave it out")
    called = _calls(network, layers, image_shape)
    for name, layer in layers.items():
        where = names.get(name, f"module '{name}'")
        if type(layer) not in (nn.Conv2d, SameConv2d) or name not in called:
            raise RecipeError(
                f"{key}: {where} is computed by code of its own ({type(layer).__name__}); call an nn.Conv2d, or leave "
                "model.convolution out"
            )
        try:
            Conv2d.adopt(layer, method)
        except OperationError as error:
            raise RecipeError(f"{key}: {where}: {error}") from None
    if method == "loops":  # which takes any size, but minutes for one picture
        return
    called.clear()
    try:
        _calls(network, layers, image_shape, called)
    except OperationError as error:
        where = names.get(called[-1], f"module '{called[-1]}'")
        raise RecipeError(f"{key}: {where}: {error}; use another method") from None


def _calls(
    network: nn.Module,
    layers: Mapping[str, nn.Module],
    image_shape: tuple[int, int, int],
    called: list[str] | None = None,
) -> list[str]:
    """The names of the layers that a blank picture comes by, in order; in `called` as they are reached."""
    called = [] if called is None else called

    def noting(name: str) -> Callable[..., None]:
        return lambda *_: called.append(name)

    hooks = [layer.register_forward_pre_hook(noting(name)) for name, layer in layers.items()]
    try:
        with evaluation_mode(network), torch.no_grad():
            network(torch.zeros(1, *image_shape))
    finally:
        for hook in hooks:
            hook.remove()
    return called


def slow_notes(recipe: Recipe, image_shape: tuple[int, int, int], classes: int) -> list[str]:
    """A remark for a recipe whose convolutions are computed product by product: hours where others take seconds."""
    if recipe.model.convolution != "loops":
        return []
    took = "minutes to hours"
    if recipe.layers is not None:
        rows = recipe.layers.table(image_shape, classes)
        picture = sum(row.macs for row in rows if row.text.startswith("conv ")) / _PRODUCTS_A_SECOND
        step = 3 * picture * recipe.loader.batch_size  # forward, and two gradients
        took = f"about {step:,.2g} s for each step and {1000 * picture:,.2g} s for 1,000 pictures it is measured on"
    return [
        f"model.convolution = 'loops' works product by product, {took}; it is meant for reading, and 'shift' or "
        "'im2col' compute the same"
    ]


def from_code(model: Model, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The network that code of the user's own makes, tried once on a blank batch."""
    name = code_name(model)
    factory = load_factory(model) if isinstance(model, str) else model
    assert not isinstance(factory, Layers)
    try:
        network = factory(image_shape[0], classes)
    except NeocogError:
        raise
    except Exception as error:
        raise RecipeError(
            f"model '{name}' fails when called with ({image_shape[0]}, {classes}), the channels and classes: "
            f"{_first_line(error)}"
        ) from error
    return _checked(network, name, image_shape, classes)


def code_name(model: Model) -> str:
    """How a recipe calls code of the user's own: `module:factory`."""
    if isinstance(model, str):
        return model
    return f"{model.__module__}:{getattr(model, '__qualname__', type(model).__qualname__)}"


def load_factory(text: str) -> Callable[[int, int], nn.Module]:
    """The callable of a `module:factory` text; modules of the current folder can be named, too."""
    module_name, _, attribute = text.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise RecipeError(f"model '{text}': cannot import '{module_name}': {_first_line(error)}") from None
    except Exception as error:  # the user's own code, run by its import
        raise RecipeError(f"model '{text}': importing '{module_name}' fails: {_first_line(error)}") from error
    try:
        factory = getattr(module, attribute)
    except AttributeError:
        raise RecipeError(f"model '{text}': module '{module_name}' has nothing called '{attribute}'") from None
    if not callable(factory):
        raise RecipeError(f"model '{text}': '{attribute}' is no callable (in_channels, classes) -> nn.Module")
    found: Callable[[int, int], nn.Module] = factory
    return found


def _checked(network: Any, name: str, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A user's own network, tried once on a blank batch before any data is read."""
    if not isinstance(network, nn.Module):
        raise RecipeError(f"model '{name}' gave a {type(network).__name__}, not an nn.Module")
    try:
        with torch.no_grad():  # not inference_mode: lazy layers make their weights here
            out = network.eval()(torch.zeros(2, *image_shape))
    except NeocogError:
        raise
    except Exception as error:
        shape = "×".join(str(size) for size in image_shape)
        raise LayerError(f"model '{name}' fails on a {shape} picture: {_first_line(error)}") from error
    if not isinstance(out, torch.Tensor):
        raise LayerError(f"model '{name}' gives a {type(out).__name__}, not a tensor (2, {classes}) for 2 pictures")
    if tuple(out.shape) != (2, classes):
        raise LayerError(
            f"model '{name}' gives the shape {tuple(out.shape)} for 2 pictures but the data has {classes} classes; "
            f"it must give (2, {classes})"
        )
    for key, value in network.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise LayerError(
                f"model '{name}' keeps a {type(value).__name__} in its state as '{key}', and only tensors can be kept; "
                "make it a buffer, or leave get_extra_state out"
            )
    return network


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
