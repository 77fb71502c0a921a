"""An explanation as text: answer, maps with their checks, the pictures most alike, and what turns the answer."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neocog.explanations.attributions import Attribution
from neocog.explanations.flips import Flip
from neocog.explanations.neighbours import Neighbour
from neocog.render.words import wrapped
from neocog.tables import percent, table

_MOST_CLASSES = 5


class Explained(Protocol):
    """What is told of an explanation."""

    @property
    def sentence(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def probabilities(self) -> NDArray[np.float32]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def why(self) -> tuple[Attribution, ...]: ...
    @property
    def neighbours(self) -> tuple[Neighbour, ...]: ...
    @property
    def flips(self) -> tuple[Flip, ...]: ...


def explanation_text(explanation: Explained) -> str:
    """Everything that was found out about one picture, at most 100 signs wide."""
    parts = [
        answer_text(explanation),
        why_text(explanation.why, explanation.classes),
        neighbours_text(explanation.neighbours),
        flips_text(explanation.flips),
    ]
    return "\n\n".join(part for part in parts if part)


def explanation_html(explanation: Explained, why_png: bytes) -> str:
    """The answer, the figure of the maps, and a row for each of their checks; for notebooks."""
    answer, *lines = answer_text(explanation).splitlines()
    parts = [f"<p><strong>{escape(answer)}</strong></p>", f"<p>{escape(' '.join(lines))}</p>"]
    source, target = base64.b64encode(why_png).decode(), explanation.classes[explanation.why[0].target]
    alt = escape(f"What speaks for {target}, by {', '.join(each.title for each in explanation.why)}")
    parts.append(f'<p><img src="data:image/png;base64,{source}" alt="{alt}" style="max-width:100%"></p>')
    rows = [
        [each.title, check.name, "passed" if check.passed else "FAILED", check.text]
        for each in explanation.why
        for check in each.checks
    ]
    parts.append(table(["map", "check", "verdict", "found"], rows, "html"))
    return "\n".join(parts)


def why_text(maps: Sequence[Attribution], classes: Sequence[str]) -> str:
    """Each map with its verdict, and below it one line for each check."""
    if not maps:
        return ""
    baseline = next((each.baseline for each in maps if each.baseline), None)
    against = f", against a {baseline} picture" if baseline else ""
    lines = [f"why {classes[maps[0].target]}: what speaks for its logit{against}"]
    for each in maps:
        failed = ", ".join(check.name for check in each.failed)
        lines.append(f"{each.title}: {f'FAILS {failed}' if failed else each.verdict}")
        for check in each.checks:
            mark = "passed" if check.passed else "FAILED"
            lines.append(wrapped(check.text, first=f"  {check.name:<14}{mark}  ", rest=" " * 24))
    return "\n".join(lines)


def neighbours_text(neighbours: Sequence[Neighbour]) -> str:
    """The training pictures most alike, nearest first."""
    if not neighbours:
        return ""
    rows = [
        [each.name, each.label, "0: the same picture" if each.same else f"{each.distance:.4g}"] for each in neighbours
    ]
    return f"nearest training pictures in the last hidden layer\n{table(['picture', 'label', '>distance'], rows)}"


def flips_text(flips: Sequence[Flip]) -> str:
    """The smallest change of each kind that turns the answer, or what was tried in vain."""
    if not flips:
        return ""
    rows = [[each.kind, each.detail, f"{each.answer} {percent(each.probability)}"] for each in flips if each.found]
    lines = [table(["change", "smallest that turns the answer", "new answer"], rows)] if rows else []
    lines += [wrapped(str(each), rest="  ") for each in flips if not each.found]
    return "\n".join(["what would change its mind", *lines])


def answer_text(explanation: Explained) -> str:
    """The answer with its probabilities, and what must be known of the picture: how it was prepared, what is odd."""
    order = np.argsort(-explanation.probabilities, kind="stable")[:_MOST_CLASSES]
    ranked = ", ".join(
        f"{explanation.classes[place]} {percent(float(explanation.probabilities[place]))}" for place in order
    )
    notes = [wrapped(f"note: {note}", rest="  ") for note in explanation.notes]
    return "\n".join([explanation.sentence, f"probabilities: {ranked}", *notes])
