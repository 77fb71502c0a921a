"""The way back from a number through a picture's calls, to the last layer that mixes numbers.

A maximum only picks one of its numbers, so the way goes on through it, along the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn

from neocog.errors import ExplanationError
from neocog.explanations.arithmetic import Arithmetic, Place, Step, exact, half_step, place_text, shown
from neocog.explanations.mixing import joined, largest
from neocog.explanations.network import Network
from neocog.explanations.terms import MIXING, RENAMING, SINGLE, entry
from neocog.explanations.watching import Seen
from neocog.layers.layer import shape_text
from neocog.layers.modules import BranchesModule, ResidualModule

_MAXIMA = (nn.MaxPool2d, nn.AdaptiveMaxPool2d)
_AGAIN = "from no module, or one that was called again since, of which only the last call is kept"
_TYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class _Link:
    """A layer on the way, and where the number stands in what it gives."""

    name: str
    place: Place


class Walk:
    """The way back through one picture's calls."""

    def __init__(self, network: Network, x_1CHW: Tensor, seen: dict[str, Seen]) -> None:
        self.network, self.x_1CHW, self.seen = network, x_1CHW, seen
        self.order = list(seen)

    def steps(self, name: str, place: Place) -> list[Step]:
        """From the last layer that mixes numbers, or from where the modules end, down to this one."""
        links, start = self._back(name, place)
        steps = [] if start is None else [start]
        for link in reversed(links):
            steps.append(self._step(link, steps[-1] if steps else None))
        return steps

    def _back(self, name: str, place: Place) -> tuple[list[_Link], Step | None]:
        """The links from the asked layer backwards, and what they begin with if that is no layer that mixes."""
        links: list[_Link] = []
        while True:
            seen = self.seen[name]
            kind, tensor, value_tensor, before = _kind(seen.module), seen.took, seen.input, self.order.index(name)
            if kind == "unknown":
                inner = self._giver(seen.gave, before) if list(seen.module.children()) else None
                if inner is None:
                    raise ExplanationError(_no_entry(self._label(name), seen.module))
                name = inner
                continue
            self._check(name, place)
            links.append(_Link(name, place))
            if kind == "mixing":
                giver = self._giver(tensor, before) if isinstance(seen.module, _MAXIMA) else None
                if giver is None or not torch.equal(self.seen[giver].output, value_tensor):
                    return links, None
                window = entry(seen.module)(seen.module, value_tensor, place).terms
                place = next(term.place for term in window if term.mark)
                name = giver
                continue
            if kind == "branches":
                branch, place = self._branch(name, place)
                inner_seen, before = self.seen[branch], self.order.index(branch) + 1
                tensor, value_tensor = inner_seen.gave, inner_seen.output
            elif kind == "renaming":
                place = entry(seen.module)(tuple(seen.input.shape[1:]), tuple(seen.output.shape[1:]), place)
            giver = self._giver(tensor, before)
            if giver is None or not torch.equal(self.seen[giver].output, value_tensor):
                value, origin = float(value_tensor[(0, *place)]), self._origin(tensor, value_tensor, before)
                if not isfinite(value):
                    raise ExplanationError(
                        f"{self._label(name)} gets {value} at {place_text(place)}; only finite numbers can be traced"
                    )
                return links, Step(origin, place, "", shown(value), (f"value = {exact(value)}",), value, value, 0.0)
            name = giver

    def _step(self, link: _Link, before: Step | None) -> Step:
        seen = self.seen[link.name]
        kind, found, unit = _kind(seen.module), entry(seen.module), half_step(seen.output.dtype)
        network_value, label, source = float(seen.output[(0, *link.place)]), self._label(link.name), ""
        try:
            if isinstance(seen.module, ResidualModule):
                parts = [self.seen[f"{link.name}.{part}".lstrip(".")].output for part in ("body", "shortcut")]
                body, shortcut = (float(part[(0, *link.place)]) for part in parts)
                done = joined(body, shortcut, link.place, seen.output.dtype)
                source = self._added(link.name)
            elif kind == "mixing":
                done = found(seen.module, seen.input, link.place)
                if before is not None:
                    done = largest(done.terms, before.value)
                source = self._origin(seen.took, seen.input, self.order.index(link.name))
            else:
                assert before is not None
                if kind == "single":
                    given = float(seen.input[(0, *link.place)])
                    done = found(seen.module, link.place, before.value, given, unit)
                else:
                    done = Arithmetic(_moved(kind, before.place, link.place), (), before.value, 0.0, 1.0)
        except ExplanationError as error:
            raise ExplanationError(f"{label}: {error}") from None
        except OverflowError:
            raise ExplanationError(f"{label}: its numbers are too large for float64; give smaller ones") from None
        rounding = done.rounding + (done.slope * before.rounding if before else 0.0)
        rest = (done.formula, done.code, done.value, network_value, rounding, done.terms, done.bias)
        return Step(label, link.place, source, *rest)

    def _added(self, name: str) -> str:
        """In words, which two layers give the numbers that a residual block adds, and how they are asked for."""
        numbers = {layer.name: layer.number for layer in self.network.layers}
        found = []
        for part in ("body", "shortcut"):
            gave = self.seen[f"{name}.{part}".lstrip(".")].gave
            # The module that an empty part consists of has no number of its own; what feeds it has.
            givers = [each for each in self.order if self.seen[each].gave is gave and each in numbers]
            if givers:
                found.append(f"what {self._label(givers[0])} gives ({part}; --layer {numbers[givers[0]]})")
            else:
                found.append(f"{'the picture' if gave is self.x_1CHW else 'what no layer by itself gives'} ({part})")
        return " and ".join(found)

    def _branch(self, name: str, place: Place) -> tuple[str, Place]:
        """The branch whose channels these are, and the place in what it gives."""
        channel, branch = place[0], ""
        for inner, _ in self.seen[name].module.named_children():
            branch = f"{name}.{inner}".lstrip(".")
            count = self.seen[branch].output.shape[1]
            if channel < count:
                break
            channel -= count
        return branch, (channel, *place[1:])

    def _giver(self, tensor: Tensor, before: int) -> str | None:
        """The last module called before that position which gave this tensor and has an entry."""
        names = (name for name in reversed(self.order[:before]) if self.seen[name].gave is tensor)
        return next((name for name in names if _kind(self.seen[name].module) != "unknown"), None)

    def _origin(self, tensor: Tensor, values: Tensor, before: int) -> str:
        """In words, where a tensor comes from that had these values when it was taken."""
        giver = self._giver(tensor, before)
        if giver is None and tensor is not self.x_1CHW:
            giver = next((name for name in reversed(self.order[:before]) if self.seen[name].gave is tensor), None)
        if giver is not None:
            changed = "" if torch.equal(self.seen[giver].output, values) else ", changed in place since"
            return f"what {self._label(giver)} gives{changed}"
        return "the picture" if tensor is self.x_1CHW else _AGAIN

    def _label(self, name: str) -> str:
        """The layer's name for people; a module inside of one goes by the whole layer's."""
        around = [each for each in self.network.layers if name == each.name or name.startswith(f"{each.name}.")]
        if around:
            return str(max(around, key=lambda each: len(each.name)))
        return f"layer {name} '{type(self.seen[name].module).__name__}'" if name else "the network"

    def _check(self, name: str, place: Place) -> None:
        """Raises ExplanationError where no arithmetic could be shown."""
        seen, label = self.seen[name], self._label(name)
        if len(seen.output) != 1 or len(seen.input) != 1:
            shape = shape_text(tuple(seen.output.shape))
            raise ExplanationError(f"{label} gives {shape} for one picture; only layers with the pictures first fit")
        if seen.output.dtype not in _TYPES or seen.input.dtype not in _TYPES:
            kind = str(seen.output.dtype).removeprefix("torch.")
            raise ExplanationError(f"{label} computes in {kind}; make the network float32 with model.float()")
        value = float(seen.output[(0, *place)])
        if not isfinite(value):
            raise ExplanationError(f"{label} gives {value} at {place_text(place)}; only finite numbers can be traced")
        if _kind(seen.module) == "mixing" and not bool(seen.input.isfinite().all()):
            raise ExplanationError(f"{label} gets numbers that aren't finite; only finite ones can be traced")


def _kind(module: nn.Module) -> str:
    """What a module does to a number: "mixing", "single", "renaming", "branches", or "unknown" if it has no entry."""
    if type(module) is BranchesModule:
        return "branches"
    if type(module) is ResidualModule:
        return "mixing"
    found = entry(module)
    for kind, entries in (("mixing", MIXING), ("single", SINGLE), ("renaming", RENAMING)):
        if found is not None and found in entries.values():
            return kind
    return "unknown"


def _moved(kind: str, before: Place, after: Place) -> str:
    if kind == "branches":
        return f"{place_text(before)} of its branch, side by side with the others"
    return "stays as it is" if before == after else f"{place_text(before)} becomes {place_text(after)}"


def _no_entry(label: str, module: nn.Module) -> str:
    kinds = ", ".join(sorted({kind.__name__ for kind in (*MIXING, *SINGLE, *RENAMING)}))
    return (
        f"{label} is a {type(module).__name__}, whose numbers can't be taken apart; those that can are {kinds}, "
        "ResidualModule and BranchesModule. Its feature map can still be shown"
    )
