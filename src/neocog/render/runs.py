"""Runs, evaluations, layer tables, predictions and data sets as text, Markdown and JSON."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from neocog.evaluation import Calibration, Evaluation
from neocog.recipe import shipped_recipes
from neocog.render.measures import (
    BEFORE_AND_AFTER,
    NO_F1_INTERVAL,
    before_and_after,
    class_shares,
    measures_table,
)
from neocog.render.words import TextStyle, gap, wrapped
from neocog.summary import Summary
from neocog.tables import WIDTH, Style, percent, table

_MOST_CLASSES = 20  # in the tables that people read; the JSON has all
_MOST_PAIRS = 5
_MOST_VALUES = 20  # of a progress meter
_LABEL = 20  # the width of what stands before a figure
_PICTURES = {"train": "training", "test": "test"}


def summary_text(summary: Summary) -> str:
    """The layer table with its totals, at most 100 signs wide."""
    return str(summary)


def summary_markdown(summary: Summary) -> str:
    """The layer table with its totals as Markdown."""
    return "\n".join([summary.table("markdown"), "", *(f"- {line}" for line in summary.totals())])


def evaluation_text(evaluation: Evaluation, calibration: Calibration | None = None) -> str:
    """The measures with their intervals, the measures of each class, the confusion matrix, what was confused most.

    `calibration` says what the temperature of these probabilities was fitted on.
    """
    return "\n\n".join(_evaluation_parts(evaluation, "text", calibration))


def evaluation_markdown(evaluation: Evaluation, calibration: Calibration | None = None) -> str:
    """The same as `evaluation_text`, as Markdown."""
    return "\n\n".join(_evaluation_parts(evaluation, "markdown", calibration))


def temperature_text(temperature: float, calibration: Calibration | None = None) -> str:
    """What a temperature did to probabilities, and what it was fitted on; nothing for temperature 1."""
    if temperature == 1:
        return ""
    told = f"probabilities {'softened' if temperature > 1 else 'sharpened'} by temperature {temperature:.3g}"
    return told if calibration is None else f"{told} (fitted on {calibration.n:,} {calibration.part} pictures)"


def calibration_text(calibration: Calibration, run: Path | None = None) -> str:
    """The temperature, loss and ECE before and after on each part with their intervals, and whether it helped.

    Of a `run` whose report or figures show the probabilities as they were before, also what makes them anew.
    """
    rows = before_and_after(calibration.part, calibration.as_dict(), "(fitted on these)")
    if calibration.test is not None:
        rows += before_and_after("test", calibration.test)
    lines = [f"{temperature_text(calibration.temperature, calibration) or calibration}; no class changes"]
    if calibration.at_bound:
        lines.append(
            f"{calibration.temperature:g} is the end of the temperatures that are searched; the loss still falls there"
        )
    lines += ["", table(BEFORE_AND_AFTER, rows), "", wrapped(_whether_it_helped(calibration))]
    return "\n".join(lines if run is None else [*lines, *_from_before(run)])


def train_text(results: Mapping[str, Any]) -> str:
    """The answer of a training: how good, how sure, how long, how large, and where it lies.

    Of a published recipe also what its lesson measures in its own way, what is wrong with that, and where our seeds
    are held against the lesson's own figure; one training says too little of it. `calibration` in the results, a
    `Calibration` or none, is told with them.
    """
    threads = f", {results['threads']} thread{'s' * (results['threads'] > 1)}" if results["device"] == "cpu" else ""
    pictures = f"{results['train_pictures']:,} pictures"
    lines = [
        ("test accuracy", _measured(results, "test") or f"not measured: {_why_no_test(results)}"),
        ("validation accuracy", _measured(results, "val") or "not measured: no validation part was held out"),
        (
            "training",
            f"{results['train_seconds']:.1f} s for {results['steps']:,} steps on {pictures} "
            f"({results['device']}, {results['precision']}{threads})",
        ),
        ("parameters", f"{results['parameters']:,}"),
        ("run", str(results["run"])),
    ]
    if results.get("calibration") is not None:
        lines.insert(2, ("calibration", _calibrated(results["calibration"])))
    ended = [wrapped(text, f"{label:<{_LABEL}}", " " * _LABEL) for label, text in _of_lesson(results)]
    return "\n".join([*(f"{label:<{_LABEL}}{text}" for label, text in lines), *ended])


def predictions_text(answers: Sequence[Mapping[str, Any]]) -> str:
    """One line for each picture, its classes from the most probable on."""
    ranks = max(len(answer["top"]) for answer in answers)
    rows = [
        [answer["picture"], *(f"{item['class']} {percent(item['probability'])}" for item in answer["top"])]
        for answer in answers
    ]
    names = ["picture", "answer", *(f"{rank}." for rank in range(2, ranks + 1))]
    notes = [f"note: {answer['picture']} is {answer['note']}" for answer in answers if answer["note"]]
    return "\n".join([table(names, rows, width=10**6), *notes])


def dataset_text(facts: Mapping[str, Any]) -> str:
    """What a data set holds: origin, shape, counts for each part and class, and remarks."""
    lines = [
        *dataset_lines(facts),
        ("licence", facts["licence"]),
        ("citation", facts["citation"]),
        ("checksum", facts["checksum"]),
    ]
    return "\n".join(
        [
            *(f"{label:<17}{text}" for label, text in lines if text),
            "",
            class_table(facts["classes"], facts["counts"]),
            *(f"note: {note}" for note in facts["notes"]),
        ]
    )


def dataset_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a data set is: labels and texts, empty where there is nothing to say."""
    shape, statistics = facts["shape"], zip(facts["mean"], facts["std"], strict=True)
    return [
        ("name", facts["name"]),
        ("from", facts["from"]),
        ("pictures", f"{'×'.join(str(size) for size in shape)} (channels × height × width)" if shape else ""),
        ("mean, deviation", ", ".join(f"{mean:.4f} ± {std:.4f}" for mean, std in statistics)),
        ("held out", f"{' and '.join(facts['carved'])}, drawn from the training pictures" if facts["carved"] else ""),
    ]


def class_table(
    classes: Sequence[str], counts: Mapping[str, Sequence[int]], style: Style = "text", *, width: int = WIDTH
) -> str:
    """One row a class with its pictures in each part, and all of them."""
    rows = [[name, *(f"{counts[part][place]:,}" for part in counts)] for place, name in enumerate(classes)]
    rows.append(["all", *(f"{sum(counts[part]):,}" for part in counts)])
    return table(["class", *(f">{part}" for part in counts)], rows, style, width=width)


def _measured(results: Mapping[str, Any], name: str) -> str:
    if results[f"{name}_accuracy"] is None:
        return ""
    low, high = results[f"{name}_interval"]
    openings = results.get("test_openings", 1) if name == "test" else 1
    return (
        f"{percent(results[f'{name}_accuracy'])}   (95 % interval {low * 100:.2f}–{high * 100:.2f} %, "
        f"{results[f'{name}_pictures']:,} pictures{f'; opened {openings} times' if openings > 1 else ''})"
    )


def _why_no_test(results: Mapping[str, Any]) -> str:
    # An older neocog wrote no `open_test`, and knew no other reason.
    return "the data has no test part" if results.get("open_test", True) else "the test part was kept closed"


def _of_lesson(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a lesson measures in its own way, its faults, and where they are mended: labels and texts."""
    found = results.get("as_published")
    if found is None:
        return []
    lines = [("as published", text) for text in _own_measures(found, results["test_openings"])]
    if changed := found.get("changed"):  # an older neocog didn't say
        text = f"{', '.join(changed)}, so no longer as published; the lesson's faults may not apply"
        return [*lines, ("changed", text)]
    lines += [("as published", f"fault: {fault}") for fault in found["faults"]]
    if found["faults"] and found.get("twin"):  # nor did it know these
        lines.append(("mended in", found["twin"]))
    if found.get("reported") is not None:
        more = "more than " * found["at_least"]
        ours = f"; `neocog reproduce {results['recipe']}` holds seeds against it"
        shipped = results["recipe"] in shipped_recipes()
        lines.append(("lesson", f"reports {more}{percent(found['reported'])}{ours * shipped}"))
    return lines


def _own_measures(found: Mapping[str, Any], openings: int) -> list[str]:
    items = []
    own_way = found["part"] != "test" or found["dropout"]
    if own_way and found["accuracy"] is not None:  # else it is the test accuracy, which stands above
        dropout = " with dropout on" * found["dropout"]
        called = ", which the lesson calls test" * (found["part"] != "test")
        items.append(f"{percent(found['accuracy'])} on the {_PICTURES[found['part']]} pictures{dropout}{called}")
    if found["train_accuracy"] is not None:
        items.append(f"{percent(found['train_accuracy'])} on the training pictures")
    meter = [line["test_accuracy"] for line in found["log"] if "test_accuracy" in line]
    if meter:
        values = [str(int(share * 100 + 1e-9)) for share in meter]  # cut, not rounded, as the lessons print them
        if len(values) > _MOST_VALUES:
            values = [*values[: _MOST_VALUES // 2], "…", *values[-_MOST_VALUES // 2 :]]
        items.append(f"the test set as progress meter: {' '.join(values)} % (opened {openings} times)")
    return items


def as_json(value: Any) -> str:
    """Any result as one JSON text: by its own `as_dict`, or field by field.

    Arrays become lists and paths texts. A number that isn't finite becomes null, which JSON has in its place.

    >>> print(as_json({"loss": float("nan"), "shape": (1, 28)}))
    {
      "loss": null,
      "shape": [
        1,
        28
      ]
    }
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return _plain(value.as_dict())
    if hasattr(value, "tolist"):  # numpy arrays and numbers, torch tensors
        return _plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, PathLike):
        return str(value)
    return value


def _evaluation_parts(evaluation: Evaluation, style: TextStyle, calibration: Calibration | None) -> list[str]:
    wrong = f"{evaluation.errors:,} error{'' if evaluation.errors == 1 else 's'}"
    softened = temperature_text(evaluation.temperature, calibration)
    if softened and calibration is not None and evaluation.split == calibration.part:
        softened += ", so loss and calibration error flatter here"
    columns, rows = measures_table({evaluation.split: evaluation})
    parts = [
        f"{evaluation.split}: {evaluation}\nloss {evaluation.loss:.4f} · {wrong}"
        + (f"\n{wrapped(softened) if style == 'text' else softened}" if softened else ""),
        table(columns, rows, style),
        _by_chance(evaluation, style),
        *_class_table(evaluation, style),
    ]
    if evaluation.errors:
        parts += _confusion_table(evaluation, style)
        pairs = [[true, got, f"{count:,}"] for true, got, count in evaluation.most_confused(_MOST_PAIRS)]
        parts.append(f"most confused\n{gap(style)}{table(['true', 'predicted', '>times'], pairs, style)}")
    return parts


def _by_chance(evaluation: Evaluation, style: TextStyle) -> str:
    text = (
        f"a network that is right just as often as this one is sure would have a calibration error of "
        f"{percent(evaluation.ece_by_chance)} by chance alone, with {evaluation.n:,} picture{'s' * (evaluation.n > 1)}"
    )
    return wrapped(text) if style == "text" else text


def _whether_it_helped(calibration: Calibration) -> str:
    found = calibration.test
    if found is None:
        return "whether it helps elsewhere is not known: no test predictions are stored"
    low, high = found["intervals"]["loss_change"]
    if low is None:
        return "whether it helps elsewhere is not known: the stored test part is one picture"
    change = (
        f"the test loss changes by {_signed(found['loss_change'])} (95 % interval {_signed(low)} to {_signed(high)}, "
        f"paired over {found['n']:,} pictures)"
    )
    verdict = {True: "it helped", False: "it made the probabilities worse", None: "whether it helped can't be told"}
    return f"{verdict[calibration.helped]}: {change}"


def _from_before(run: Path) -> list[str]:
    """What draws the run's report and figures anew, if it has them: they show what was before."""
    verbs = [verb for verb, name in (("report", "report.html"), ("plot", "figures")) if (run / name).exists()]
    commands = " and ".join(f"`neocog {verb} {shlex.quote(str(run))}`" for verb in verbs)
    return (
        [wrapped(f"what was drawn before shows the probabilities as they were; anew with {commands}")] if verbs else []
    )


def _calibrated(calibration: Calibration) -> str:
    found, part = calibration.test, "test"
    if found is None:
        found, part = calibration.as_dict(), calibration.part
    return f"{calibration}; {part} loss {found['loss_before']:.4f} → {found['loss_after']:.4f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _class_table(evaluation: Evaluation, style: TextStyle) -> list[str]:
    places = list(range(len(evaluation.classes)))
    heading = f"each class: {NO_F1_INTERVAL}"
    if len(places) > _MOST_CLASSES:
        # Those with the lowest F1 are what a reader looks for; sorted is stable, so equal ones keep their order.
        places = sorted(places, key=lambda place: evaluation.f1[place])[:_MOST_CLASSES]
        heading = f"the {_MOST_CLASSES} of {len(evaluation.classes)} classes with the lowest F1: {NO_F1_INTERVAL}"
    rows = [
        [
            evaluation.classes[place],
            *class_shares(evaluation, place),
            f"{evaluation.support[place]:,}",
        ]
        for place in places
    ]
    rows.append(["mean", "", "", percent(evaluation.macro_f1).removesuffix(" %"), f"{evaluation.n:,}"])
    found = table(["class", ">precision %", ">recall %", ">F1 %", ">pictures"], rows, style)
    return [f"{wrapped(heading) if style == 'text' else heading}\n{gap(style)}{found}"]


def _confusion_table(evaluation: Evaluation, style: TextStyle) -> list[str]:
    count = len(evaluation.classes)
    if count > _MOST_CLASSES:
        return []
    numbers = [[f"{cell:,}" if cell else "·" for cell in row] for row in evaluation.confusion.tolist()]
    names = list(evaluation.classes)
    text = table(["", *(f">{name}" for name in names)], _labelled(names, numbers), style, width=10**6)
    if style == "text" and _width(text) > WIDTH:
        # Long names don't fit above narrow columns; their numbers do.
        short = [str(place + 1) for place in range(count)]
        rows = _labelled([f"{number} {name}" for number, name in zip(short, names, strict=True)], numbers)
        text = table(["", *(f">{number}" for number in short)], rows, style)
    if style == "text" and _width(text) > WIDTH:
        return []
    return [f"confusion matrix (rows: true class, columns: predicted class)\n{gap(style)}{text}"]


def _labelled(labels: list[str], cells: list[list[str]]) -> list[list[str]]:
    return [[label, *row] for label, row in zip(labels, cells, strict=True)]


def _width(text: str) -> int:
    return max(len(line) for line in text.split("\n"))
