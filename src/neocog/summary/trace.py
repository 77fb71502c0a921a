"""One forward pass of any torch module, watched: hooks tell whose turn it is, a dispatch mode what is done."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

from neocog.errors import LayerError
from neocog.geometry import Field, Window, formula, unread
from neocog.layers.layer import Shape
from neocog.randomness import torch_stream
from neocog.summary.data import Summary, SummaryRow, UnknownOperation, shown, unread_notes
from neocog.summary.operations import (
    UNCLEAR,
    WHOLE,
    Spot,
    is_work,
    multiply_adds,
    operation_name,
    result_spot,
    tensors,
    window_pair,
)

# Two pictures, not one: a forward with a bare `squeeze()` drops a batch dimension of one.
_BATCH = 2
_DEFAULTS = r", (padding=0|dilation=1|groups=1|ceil_mode=False|bias=True)(?=,|$)"  # not worth their place in a row
_MOST_OPERATIONS = 6  # named in the text of a module that works by itself


def of_module(model: nn.Module, input_shape: Shape | None) -> Summary:
    """The summary of a module; with an input shape from a forward pass, without one from its parameters alone."""
    model = getattr(model, "_orig_mod", model)  # what torch.compile wrapped
    lazy = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
    if lazy:
        raise LayerError(f"parameter '{lazy[0]}' has no size yet; send one batch through the model first")
    counter = _ParameterCounter()
    if input_shape is None:
        rows = [_row_of_parameters(name, module, counter) for name, module in model.named_modules()]
        return _summary(model, [row for row in rows if row.parameters], None, None, None)
    picture = _picture(model, input_shape)
    watcher = _Watcher(counter, picture)
    with _as_found(model), torch.no_grad(), watcher.watching(model), watcher:
        try:
            output = model(picture)
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            raise LayerError(
                f"the model can't take a picture of {shown(input_shape)}: {type(error).__name__}: {reason}"
            ) from error
    rows = watcher.rows
    for name, module in model.named_modules():
        row = _row_of_parameters(name, module, counter)
        if row.parameters:
            rows.append(row)
            watcher.notes.append(f"{row.number} holds parameters but isn't called as a module")
    outputs = list(tensors(output))
    if not outputs:
        raise LayerError(f"the model gives a {type(output).__name__} without a tensor; it must give one")
    if len(outputs) > 1:
        watcher.notes.append(f"the model gives {len(outputs)} tensors; the first is shown")
    if outputs[0].shape[:1] != (_BATCH,):
        watcher.notes.append(
            f"the model's output for {_BATCH} pictures is {shown(outputs[0].shape)}; its batch is lost"
        )
    unknown = [UnknownOperation(name, where, calls) for (name, where), calls in watcher.unknown.items()]
    return _summary(model, rows, input_shape, _without_batch(outputs[0]), tuple(unknown), tuple(watcher.notes))


def _summary(
    model: nn.Module,
    rows: list[SummaryRow],
    input_shape: Shape | None,
    output_shape: Shape | None,
    unknown: tuple[UnknownOperation, ...] | None,
    notes: tuple[str, ...] = (),
) -> Summary:
    parameters = list(model.parameters())
    total = sum(parameter.numel() for parameter in parameters)
    assert sum(row.parameters for row in rows) == total, "each parameter must stand in one row"
    return Summary(
        rows=tuple(rows),
        input_shape=input_shape,
        output_shape=output_shape,
        total_parameters=total,
        trainable_parameters=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        total_macs=None if unknown is None else sum(row.macs or 0 for row in rows),
        unknown=unknown or (),
        notes=(*unread_notes(tuple(rows)), *notes),
    )


@dataclass
class _Frame:
    """A module whose forward is running, with what it did itself, outside its own modules."""

    name: str
    module: nn.Module
    input: Tensor | None
    macs: int = 0
    operations: list[str] = field(default_factory=list)
    windows: list[tuple[Shape, tuple[Window, Window]]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)


class _Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects a row for each leaf module, and for each other module that does work of its own."""

    def __init__(self, counter: _ParameterCounter, picture: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rows: list[SummaryRow] = []
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.notes: list[str] = []
        self._counter = counter
        self._frames: list[_Frame] = []
        self._size = tuple(picture.shape[2:])
        # Each tensor is kept beside its spot, so that no later one can get its id.
        self._spots: dict[int, tuple[Tensor, Spot]] = {}
        if picture.ndim == 4:
            self._spots[id(picture)] = picture, (Field(), Field())

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        spots = [self._spots[id(tensor)][1] for tensor in tensors([args, kwargs]) if id(tensor) in self._spots]
        windows = window_pair(function, args)
        out = function(*args, **kwargs)
        for result in tensors(out) if spots else ():
            self._spots[id(result)] = result, result_spot(function, args, result, spots, _BATCH)
        if self._frames:
            frame = self._frames[-1]
            name, cost = operation_name(function), multiply_adds(function, args, kwargs, out)
            if is_work(function):
                frame.operations.append(name)
            frame.macs += cost or 0
            if cost is None:
                frame.unknown[name] += 1
            if windows is not None:
                frame.windows.append((tuple(args[0].shape[2:]), windows))
        return out

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks on every module, taken off again whatever happens."""
        handles = []
        try:
            for name, module in model.named_modules():
                handles.append(module.register_forward_pre_hook(self._opener(name), with_kwargs=True))
                handles.append(module.register_forward_hook(self._close))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _opener(self, name: str) -> Any:
        def open_frame(module: nn.Module, args: Any, kwargs: Any) -> None:
            self._frames.append(_Frame(name, module, next(tensors([args, kwargs]), None)))

        return open_frame

    def _close(self, module: nn.Module, args: Any, output: Any) -> None:
        frame = self._frames.pop()
        while frame.module is not module:  # a forward that raised and was caught further out
            frame = self._frames.pop()
        for operation, calls in frame.unknown.items():
            self.unknown[operation, frame.name or type(module).__name__] += calls
        parameters = self._counter.new_in(module)
        is_leaf = next(module.children(), None) is None
        if not (is_leaf or parameters or frame.operations):
            return
        result = next(tensors(output), None)
        size_formula, left = "", (0, 0)
        if is_leaf and len(frame.windows) == 1:
            shape, windows = frame.windows[0]
            both = [formula(size, window) for size, window in zip(shape, windows, strict=True)]
            size_formula = both[0] if both[0] == both[1] else " and ".join(both)
            left = (unread(shape[0], windows[0]), unread(shape[1], windows[1]))
        self.rows.append(
            SummaryRow(
                number=frame.name or "(model)",
                name=frame.name,
                text=_text(module, is_leaf, frame.operations),
                input_shape=_without_batch(frame.input),
                output_shape=_without_batch(result),
                formula=size_formula,
                parameters=parameters,
                # Work that doesn't grow with the batch is shared between its pictures, rounded up.
                macs=-(-frame.macs // _BATCH),
                receptive_field=self._seen(result),
                unread=left,
            )
        )

    def _seen(self, result: Tensor | None) -> tuple[int, int] | None:
        spot = self._spots[id(result)][1] if id(result) in self._spots else UNCLEAR
        if isinstance(spot, str):
            return (self._size[0], self._size[1]) if spot == WHOLE else None
        return spot[0].size, spot[1].size


class _ParameterCounter:
    """Sizes of the parameters that a module holds itself; each parameter is given once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def new_in(self, module: nn.Module) -> int:
        new = {id(parameter): parameter.numel() for parameter in module.parameters(recurse=False)}
        total = sum(size for key, size in new.items() if key not in self._seen)
        self._seen |= new.keys()
        return total


def _row_of_parameters(name: str, module: nn.Module, counter: _ParameterCounter) -> SummaryRow:
    text = _text(module, next(module.children(), None) is None, [])
    return SummaryRow(name or "(model)", name, text, None, None, "", counter.new_in(module), None, None, (0, 0))


def _text(module: nn.Module, is_leaf: bool, operations: list[str]) -> str:
    kind = type(module).__name__
    if is_leaf and (detail := module.extra_repr()):
        detail = re.sub(r"\((\d+)(?:, \1)+\)", r"\1", detail)  # (5, 5) as 5
        return f"{kind}({re.sub(_DEFAULTS, '', detail)})"
    own = [name.strip("_") for name in dict.fromkeys(operations)]
    if not own or (is_leaf and type(module).__module__.startswith("torch.nn.")):
        return f"{kind}()" if is_leaf else kind
    return f"{kind}: {', '.join(own[:_MOST_OPERATIONS])}{', …' if len(own) > _MOST_OPERATIONS else ''}"


def _without_batch(tensor: Tensor | None) -> Shape | None:
    if tensor is None:
        return None
    shape = tuple(tensor.shape)
    return shape[1:] if shape[:1] == (_BATCH,) else shape


def _picture(model: nn.Module, input_shape: Shape) -> Tensor:
    """Random pictures of the kind, and in the place, of the model's parameters."""
    like = next((parameter for parameter in model.parameters() if parameter.is_floating_point()), torch.empty(0))
    values = torch.rand((_BATCH, *input_shape), generator=torch_stream(0, "summary"))
    return values.to(device=like.device, dtype=like.dtype)


@contextmanager
def _as_found(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards modes, buffers and random state are what they were."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    # The fast path of attention is one fused operation that nothing can look into.
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    model.eval()
    try:
        with torch.random.fork_rng(devices=list(devices)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what forward warns of is for training to say, not for a table
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for module, name, buffer, value in buffers:
                module._buffers[name] = buffer
                buffer.copy_(value)
