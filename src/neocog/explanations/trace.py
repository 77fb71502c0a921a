"""One number of any layer, taken apart: from the last layer that mixes numbers down to the number asked for.

A chain such as conv → maxpool → batchnorm → relu begins with the numbers that the network itself put into the
convolution, and goes on with our own results, in float64. A maximum picks one of its numbers, the largest, so the chain
goes on through it; the others in its window are the network's own. How far the network's float32 may be from our
results is bounded at each step: by the step's own rounding, and by the bound before it times the steepest slope of the
step,

    |network − ours| after a step  ≤  own rounding + slope · (|network − ours| before it)

so that the last bound holds for the chain as a whole. `neocog.explanations.terms` has the arithmetic of each layer and
its own rounding. Which layer feeds which is told by the tensors that pass, not by names, so that branches and plain
torch modules can be traced as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from math import fsum, isfinite
from textwrap import wrap
from typing import Any

import torch
from torch import Tensor

from neocog.errors import ExplanationError
from neocog.explanations.arithmetic import Place, Step, Term, exact, place_text, shown
from neocog.explanations.network import NamedLayer, Network, place_names
from neocog.explanations.walking import Walk
from neocog.explanations.watching import watched
from neocog.inference import float32_convolutions
from neocog.tables import table

_LEAST_WIDTH, _INDENT = 40, "  "
_ROWS = 30


@dataclass(frozen=True, eq=False, repr=False)
class NeuronTrace:
    """One number of a layer and all it is made of.

    Attributes:
        layer, neuron: which number of which layer.
        steps: from the last layer that mixes numbers down to the number asked for.
        value: ours, in float64, from the numbers that the network put into the first step.
        network_value: the network's own.
        rounding: how far these two may be from each other by rounding alone.
    """

    layer: NamedLayer
    neuron: Place
    steps: tuple[Step, ...]

    @property
    def value(self) -> float:
        return self.steps[-1].value

    @property
    def network_value(self) -> float:
        return self.steps[-1].network_value

    @property
    def rounding(self) -> float:
        return self.steps[-1].rounding

    @property
    def agrees(self) -> bool:
        """Whether the network's number is ours within the rounding; a hook that changes numbers can make it another."""
        return abs(self.network_value - self.value) <= self.rounding

    def text(self, width: int = 100, *, rows: int | None = _ROWS) -> str:
        """The arithmetic, step by step, with one row for each number that the first step mixes.

        Of more than `rows` numbers the `rows` largest are shown, and what the others add up to; None shows all. Lines
        have at most `width` characters, and those of tables as many as they need.
        """
        width = max(width, _LEAST_WIDTH)
        lines = [*_wrapped(f"{self.layer}, {place_text(self.neuron)}", width)]
        for step in self.steps:
            if len(self.steps) > 1:
                lines += ["", *_wrapped(f"{step.layer}, {place_text(step.place)}:", width)]
            if step.terms:
                lines += [*_wrapped(f"its numbers are {step.source}", width), *_table(step, rows)]
            lines += [f"{_INDENT}{line}" for line in _wrapped(step.formula, width - len(_INDENT))]
            if step.code or len(self.steps) == 1:
                lines += _wrapped(f"{_INDENT}network {shown(step.network_value)}", width)
        pairs = self._compared().items()
        return "\n".join([*lines, "", *(line for name, said in pairs for line in _wrapped(f"{name:<9}{said}", width))])

    def _compared(self) -> dict[str, str]:
        """Our number, the network's, and what may lie between them."""
        apart = abs(self.network_value - self.value)
        limit = f"rounding explains at most {self.rounding:.2g}" if self.rounding else "nothing rounds here"
        verdict = "" if self.agrees else "; so the network does something that its layers don't say, such as a hook"
        return {
            "ours": exact(self.value).replace("-", "−"),
            "network": exact(self.network_value).replace("-", "−"),
            "apart": f"{apart:.2g}; {limit}{verdict}",
        }

    def python(self) -> str:
        """The whole chain as Python that runs by itself and prints `value`: every product, with all digits."""
        body = []
        for step in self.steps:
            body += [f"# {step.layer}, {place_text(step.place)}", *step.code]
        names = ("erf", "exp", "expm1", "fsum", "sqrt", "tanh")
        used = [name for name in names if any(re.search(rf"\b{name}\(", line) for line in body if line[0] != "#")]
        imports = [f"from math import {', '.join(used)}", ""] if used else []
        return "\n".join([*imports, *body, "print(value)", ""])

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, texts and lists; a number of the padding that isn't finite is None."""
        steps = []
        for step in self.steps:
            kept = asdict(step)
            for term in kept["terms"]:
                term.update({key: None for key, each in term.items() if isinstance(each, float) and not isfinite(each)})
            steps.append(kept)
        return {
            "layer": self.layer.number,
            "text": self.layer.text,
            "neuron": list(self.neuron),
            "value": self.value,
            "network_value": self.network_value,
            "rounding": self.rounding,
            "agrees": self.agrees,
            "steps": steps,
        }

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """The numbers that are mixed, and a row for each step, for notebooks."""
        parts = [f"<p><strong>{escape(str(self.layer))}, {place_text(self.neuron)}</strong></p>"]
        first = self.steps[0]
        if first.terms:
            heads, rows, rest = _rows(first, _ROWS)
            parts += [
                f"<p>its numbers are {escape(first.source)}</p>",
                table([*(f">{head}" for head in heads[:-1]), ""], rows, "html"),
            ]
            parts += [f"<p>{escape(line)}</p>" for line in rest]
        steps = [
            [f"{step.layer}, {place_text(step.place)}", step.formula, shown(step.network_value)] for step in self.steps
        ]
        parts.append(table(["step", "ours", ">network"], steps, "html"))
        parts.append(f"<p>{'<br>'.join(f'{name}: {escape(said)}' for name, said in self._compared().items())}</p>")
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"NeuronTrace({self.layer}, {place_text(self.neuron)}: {self.value!r}, {len(self.steps)} steps)"


def trace(network: Network, x_1CHW: Tensor, layer: str, neuron: Sequence[int]) -> NeuronTrace:
    """The number at place `neuron` of what a layer gives for a picture, and how it comes about.

    The way back goes through max pooling along the largest number, and through branches along the one that gives the
    channel. A residual block adds the number of its body and that of its shortcut, at one place: the step names the two
    layers that gave them, to be asked for by their numbers, such as "3.body.2". Of a module that is called more than
    once for a picture, the last call is taken.

    Args:
        network: the layers under their names, `Network.of(model, …)`.
        x_1CHW: one prepared picture.
        layer: number or torch's name.
        neuron: (channel, row, column) of a map, (number,) of a vector.

    Raises:
        ExplanationError: no such layer or neuron, a kind of layer that has no entry, numbers that aren't finite, a
            picture of another size, or a network in float16 or bfloat16.

    Source: the layers' definitions; N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, for
    the bounds of sums.

    >>> linear = torch.nn.Linear(2, 1)
    >>> linear.load_state_dict({"weight": torch.tensor([[3.0, 0.5]]), "bias": torch.tensor([-10.0])})
    <All keys matched successfully>
    >>> network = Network.of(torch.nn.Sequential(torch.nn.Flatten(), linear, torch.nn.ReLU()), (1, 1, 2))
    >>> found = trace(network, torch.tensor([[[[4.0, 1.0]]]]), "2", (0,))
    >>> [step.formula for step in found.steps]
    ['Σ input · weight over 2 products + (−10) = 2.5', 'max(0, 2.5) = 2.5']
    """
    named = network.layer(layer)
    place = named.place(neuron)
    x_1CHW = network.given(x_1CHW)
    with watched(network.model) as seen, float32_convolutions(), torch.no_grad():
        network.model(x_1CHW)
        if named.name not in seen:
            raise ExplanationError(
                f"{named} wasn't reached by this picture, so it has no number to take apart; choose another layer"
            )
        # In here, as a weight that is made anew when it is asked for is another one in training (spectral_norm).
        return NeuronTrace(named, place, tuple(Walk(network, x_1CHW, seen).steps(named.name, place)))


# ----------------------------------------------------------------------------------------------------- texts, refusals


def _table(step: Step, rows: int | None) -> list[str]:
    """One line for each number, in order; of many the marked and the largest, and what the others come to."""
    heads, lines, rest = _rows(step, rows)
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    signs = {"weight": " × ", "product": " = "}
    texts = []
    for line in (heads, *lines):
        *cells, _ = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        joints = [signs.get(head, "  ") if line is not heads else " " * len(signs.get(head, "  ")) for head in heads]
        texts.append("".join(f"{joint}{cell}" for joint, cell in zip(joints, cells, strict=False)))
        if line[-1]:
            texts[-1] += f"  {line[-1]}"
    return [*texts, *(f"{_INDENT}{line}" for line in rest)]


def _rows(step: Step, rows: int | None) -> tuple[list[str], list[list[str]], list[str]]:
    """What the columns hold, of which the last is for marks; a row for each number; and what is said below them."""
    terms = list(step.terms)
    order = sorted(range(len(terms)), key=lambda index: (not terms[index].mark, -_size(terms[index])))
    few, others = (terms, []) if rows is None or len(terms) <= rows else _picked(terms, order, max(rows, 1))
    weighted, powers = terms[0].weight is not None, any(term.product != term.input for term in terms)
    heads = [*place_names(len(terms[0].place)), "input"]
    heads += ["weight", "product"] if weighted else ["power"] if powers else []
    lines = []
    for term in few:
        cells = [f"{index}".replace("-", "−") for index in term.place]
        cells.append(shown(term.input) if term.inside else f"({shown(term.input)})")
        if weighted:
            cells += [shown(term.weight or 0.0), shown(term.product)]
        elif powers:
            cells.append(shown(term.product))
        lines.append([*cells, f"← {term.mark}" if term.mark else ""])
    rest = []
    if others:
        largest = any(term.mark == "the largest" for term in few)
        total = "" if largest else f", which add up to {shown(fsum(term.product for term in others))}"
        rest.append(f"… and {len(others):,} more{total}")
    if any(not term.inside for term in few):
        rest.append("in brackets: padding")
    if step.bias is not None:
        rest.append(f"products {shown(fsum(term.product for term in terms))}, bias {shown(step.bias)}")
    return [*heads, ""], lines, rest


def _picked(terms: Sequence[Term], order: Sequence[int], count: int) -> tuple[list[Term], list[Term]]:
    return [terms[index] for index in order[:count]], [terms[index] for index in sorted(order[count:])]


def _size(term: Term) -> float:
    return abs(term.product) if isfinite(term.product) else 0.0


def _wrapped(line: str, width: int) -> list[str]:
    return wrap(line, width, subsequent_indent=_INDENT, break_on_hyphens=False) or [""]
