"""What stands in a report, as plain texts and tables: nothing is drawn and no HTML is written in here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neocog.errors import NeocogError
from neocog.evaluation import Evaluation
from neocog.finished import Run
from neocog.insight.pictures import WORST
from neocog.recipe import Recipe
from neocog.render.measures import (
    BEFORE_AND_AFTER,
    NO_F1_INTERVAL,
    before_and_after,
    between,
    class_shares,
    measures_table,
)
from neocog.summary import summarize
from neocog.tables import percent

_MOST_PAIRS = 10
_MOST_OPEN = 20  # rows; a longer table is folded


@dataclass(frozen=True)
class Text:
    """A sentence or two; what stands between backticks is code."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Note:
    """Something that is missing or must be known, set apart from the rest."""

    text: str
    kind: str = "note"


@dataclass(frozen=True)
class Table:
    """Rows below column names; a name that starts with `>` is aligned to the right. The first cell names its row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    kind: str = "table"

    @property
    def folded(self) -> bool:
        """Whether it is too long to lie open on the page."""
        return len(self.rows) > _MOST_OPEN


@dataclass(frozen=True)
class Code:
    """Lines to be copied, perhaps under a title that opens them."""

    text: str
    title: str = ""
    kind: str = "code"


@dataclass(frozen=True)
class Place:
    """Where the figure of that name belongs."""

    name: str
    kind: str = "figure"


Block = Text | Note | Table | Code | Place


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading; `place` is its address in the page."""

    place: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole report without its figures."""

    title: str
    answer: str
    conditions: tuple[str, ...]
    sections: tuple[Section, ...]


def page_of(run: Run) -> Page:
    """What there is to say of a run. A part of the run that can't be read becomes a note; the rest is told.

    Raises RunError when not even results.json and recipe.toml can be read.
    """
    results, recipe = run.results, run.recipe
    parts, faults = _evaluations(run)
    return Page(
        title=f"{recipe.name} on {results['data']}",
        answer=_answer(results, parts),
        conditions=_conditions(run, parts, faults),
        sections=(
            Section("measures", "How good it is", _measures(run, parts)),
            Section("sureness", "How sure it may be", _calibration(run)),
            Section("mistakes", "What it gets wrong", _mistakes(parts)),
            Section("training", "How it learned", _training(results)),
            Section("network", "The network", _network(recipe)),
            Section("data", "The data", _data(run, parts)),
            Section("recipe", "The recipe", _recipe(recipe)),
            Section("again", "How to repeat it", _again(run)),
        ),
    )


def _evaluations(run: Run) -> tuple[dict[str, Evaluation], list[str]]:
    """The measured parts, the one that answers first, and what could not be read."""
    parts, faults = {}, []
    for part in ("test", "validation"):
        try:
            found = run.test if part == "test" else run.validation
        except NeocogError as error:
            faults.append(f"the {part} predictions are missing here: {error}")
            continue
        if found is not None:
            parts[part] = found
    return parts, list(dict.fromkeys(faults))


def _answer(results: Mapping[str, Any], parts: Mapping[str, Evaluation]) -> str:
    """The answer in one sentence, from results.json, which every finished run has."""
    for part, key in (("test", "test"), ("validation", "val")):
        if results.get(f"{key}_accuracy") is not None:
            low, high = results[f"{key}_interval"]
            return (
                f"It classifies {percent(results[f'{key}_accuracy'])} of {results[f'{key}_pictures']:,} {part} "
                f"pictures rightly (95 % interval {between((low, high), percent)}, Wilson)."
            )
    return "Nothing is known of how good it is: no picture was held out to measure it on."


def _conditions(run: Run, parts: Mapping[str, Evaluation], faults: Sequence[str]) -> tuple[str, ...]:
    results = run.results
    lines = []
    if results.get("test_accuracy") is not None:
        openings = run.test_openings
        once = "once, after the last step; the training chose nothing on it"
        often = f"{openings} times; a choice made in between would flatter the figure"
        lines.append(f"The test part was opened {once if openings == 1 else often}.")
    elif results.get("val_accuracy") is not None:
        why = "was kept closed" if not results.get("open_test", True) else "is not there: the data has none"
        lines.append(
            f"These are validation pictures; the test part {why}. Whatever was chosen on them flatters the figure."
        )
    lines.append(
        f"One training, seed {results['seed']}: the interval says what other pictures of the same kind would change, "
        "not what another seed would. `neocog compare` trains recipes with several seeds."
    )
    return (*lines, *(f"{fault[0].upper()}{fault[1:]}" for fault in faults))


def _measures(run: Run, parts: Mapping[str, Evaluation]) -> tuple[Block, ...]:
    if not parts:
        return (Note("No predictions are stored, so nothing can be measured here."),)
    columns, rows = measures_table(parts)
    pictures = " and ".join(f"{found.n:,} {part} pictures" for part, found in parts.items())
    first_part, first = next(iter(parts.items()))
    blocks: list[Block] = [
        Table(f"Measures on {pictures}", columns, rows),
        Text(
            "Accuracy and top-k count right answers: the first, or one of the first k. Macro F1 is the mean F1 of the "
            "classes, each with the same weight. Kappa is the agreement beyond chance. Negative log likelihood, in "
            "nats, and calibration error judge the probabilities; less is better."
        ),
        Place("confusion"),
    ]
    if pairs := first.most_confused(_MOST_PAIRS):
        rows_of_pairs = tuple((true, got, f"{count:,}") for true, got, count in pairs)
        blocks.append(Table(f"Most confused, {first_part} pictures", ("true", "predicted", ">times"), rows_of_pairs))
    rows_of_classes = tuple(
        (name, *class_shares(first, at), f"{first.support[at]:,}") for at, name in enumerate(first.classes)
    )
    columns_of_classes = ("class", ">precision %", ">recall %", ">F1 %", ">pictures")
    blocks += [
        Place("classes"),
        Text(f"Each class: {NO_F1_INTERVAL}."),
        Table(f"Each class, {first_part} pictures", columns_of_classes, rows_of_classes),
    ]
    return tuple(blocks)


def _calibration(run: Run) -> tuple[Block, ...]:
    blocks: list[Block] = [Place("reliability")]
    try:
        found = run.calibration
    except NeocogError as error:
        return (*blocks, Note(f"The calibration can't be read: {error}"))
    if found is None:
        command = f"neocog calibrate {shlex.quote(str(run.path))}"
        return (*blocks, Text(f"The probabilities are as the network gives them; `{command}` fits a temperature."))
    rows = before_and_after(found.part, found.as_dict(), "(fitted on these)")
    if found.test is not None:
        rows += before_and_after("test", found.test)
    told = f"softmax(scores / {found.temperature:.3f}), fitted on {found.n:,} {found.part} pictures"
    return (
        *blocks,
        Text(
            f"Its probabilities are {told}. The answers are the same with any temperature; only their sureness moves."
        ),
        Table("Loss (negative log likelihood, nats) and expected calibration error", BEFORE_AND_AFTER, tuple(rows)),
    )


def _mistakes(parts: Mapping[str, Evaluation]) -> tuple[Block, ...]:
    if not parts:
        return (Note("No predictions are stored, so its mistakes are not known."),)
    part, found = next(iter(parts.items()))
    if not found.errors:
        return (Text(f"It made no mistake on {found.n:,} {part} pictures."),)
    worst = found.worst_mistakes(WORST)  # those that are drawn; predictions.npz has all
    named = any(mistake.name for mistake in worst)
    rows = tuple(
        (
            mistake.name or f"{mistake.index}",
            mistake.true,
            mistake.predicted,
            percent(mistake.probability),
            percent(mistake.true_probability),
        )
        for mistake in worst
    )
    columns = ("picture" if named else "number", "true", "predicted", ">how sure", ">sure of the true class")
    shown = f"The {len(worst)} worst of {found.errors:,} mistakes" if len(worst) < found.errors else "All mistakes"
    return (
        Text(f"It is wrong on {found.errors:,} of {found.n:,} {part} pictures; worst first."),
        Place("mistakes"),
        Table(f"{shown}, {part} pictures", columns, rows),
    )


def _training(results: Mapping[str, Any]) -> tuple[Block, ...]:
    threads = f", {results['threads']} thread{'s' * (results['threads'] > 1)}" if results["device"] == "cpu" else ""
    text = (
        f"{results['steps']:,} steps on {results['train_pictures']:,} pictures in {results['train_seconds']:.1f} s "
        f"({results['device']}, {results['precision']}{threads}); reading data and measuring are not counted."
    )
    return (Text(text), Place("curves"))


def _network(recipe: Recipe) -> tuple[Block, ...]:
    assert recipe.resolved is not None
    if recipe.layers is None:
        code = f"The network is the user's code, `{recipe.model.factory}`"
        return (Note(f"{code}; its layers can't be listed without running it."), Place("kernels"))
    summary = summarize(recipe.layers, recipe.resolved.image_shape, len(recipe.resolved.classes))
    rows = tuple(
        (
            row.number,
            row.text,
            _shape(row.output_shape),
            row.formula or "—",
            f"{row.parameters:,}",
            "—" if row.macs is None else f"{row.macs:,}",
            _shape(row.receptive_field),
        )
        for row in summary.rows
    )
    columns = ("layer", "text", ">output", "size, with the formula", ">parameters", ">multiply-adds", ">sees")
    return (*(Text(line) for line in summary.totals()), Table("Layers", columns, rows), Place("kernels"))


def _shape(shape: tuple[int, ...] | None) -> str:
    return "×".join(map(str, shape)) if shape else "—"


def _data(run: Run, parts: Mapping[str, Evaluation]) -> tuple[Block, ...]:
    results, resolved = run.results, run.recipe.resolved
    assert resolved is not None
    counts: dict[str, Sequence[int]] = {}
    if results.get("train_counts") is not None:
        counts["training"] = results["train_counts"]
    counts |= {part: parts[part].support.tolist() for part in ("validation", "test") if part in parts}
    pictures = [f"{results['train_pictures']:,} training"]
    pictures += [
        f"{results[f'{key}_pictures']:,} {part}"
        for key, part in (("val", "validation"), ("test", "test"))
        if results.get(f"{key}_pictures")
    ]
    channels, height, width = resolved.image_shape
    blocks: list[Block] = [
        Text(
            f"{results['data']}: {', '.join(pictures)} pictures of {len(resolved.classes):,} classes, as the network "
            f"gets them {height}×{width} with {channels} channel{'s' * (channels > 1)}."
        ),
        *(Note(note) for note in results.get("notes", ())),
        Place("samples"),
    ]
    if not counts:
        return (*blocks, Note("The run has not stored how many pictures each class has."))
    if "training" not in counts:
        blocks.append(Note("The run has not stored how many training pictures each class has; a new training does."))
    blocks += [Text(line) for line in _balance(counts, resolved.classes)]
    rows = [
        (name, *(cell for column in counts.values() for cell in _counted(column, at)))
        for at, name in enumerate(resolved.classes)
    ]
    rows.append(("all", *(cell for column in counts.values() for cell in (f"{sum(column):,}", "100.0 %"))))
    columns = ("class", *(head for part in counts for head in (f">{part}", ">share")))
    blocks.append(Table("Pictures of each class", columns, tuple(rows)))
    return tuple(blocks)


def _counted(column: Sequence[int], at: int) -> tuple[str, str]:
    return f"{column[at]:,}", f"{column[at] / max(sum(column), 1) * 100:.1f} %"


def _balance(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> list[str]:
    """How even the classes of the first part are."""
    part, column = next(iter(counts.items()))
    most, least = max(range(len(column)), key=column.__getitem__), min(range(len(column)), key=column.__getitem__)
    if column[most] == column[least]:
        return [f"Every class has the same {column[most]:,} {part} pictures."]
    if not column[least]:
        return [f"{classes[least]} has no {part} picture; {classes[most]} has the most, {column[most]:,}."]
    ratio = column[most] / column[least]
    return [
        f"The largest class, {classes[most]}, has {ratio:.2f} times the {part} pictures of the smallest, "
        f"{classes[least]} ({column[most]:,} and {column[least]:,})."
    ]


def _recipe(recipe: Recipe) -> tuple[Block, ...]:
    optimizer, schedule, train = recipe.optimizer, recipe.schedule, recipe.train
    length = f"{train.iterations:,} steps" if train.iterations else f"{train.epochs:g} epochs" if train.epochs else "—"
    augment = [
        key if value is True else f"{key} {value:g}"
        for key, value in recipe.dataset.augment.model_dump().items()
        if value
    ]
    weights = "" if recipe.loss.class_weights == "none" else f", class weights {recipe.loss.class_weights}"
    facts = [
        ("data", recipe.dataset.name),
        ("augmentation", ", ".join(augment) or "none"),
        ("batch", f"{recipe.loader.batch_size:,} pictures"),
        ("loss", f"cross-entropy, label smoothing {recipe.loss.label_smoothing:g}{weights}"),
        ("optimizer", f"{optimizer.name}, rate {optimizer.lr:g}"),
        ("schedule", schedule.name),
        ("length", length),
        ("seed", str(train.seed)),
        ("device, precision", f"{train.device}, {train.precision}"),
    ]
    about: list[Block] = [Text(" ".join(recipe.about.split()))] if recipe.about else []
    if recipe.published:
        about += [Note(f"Published with a fault: {fault}") for fault in recipe.published.faults]
    return (*about, Table("What was chosen", ("step", "value"), tuple(facts)), Code(recipe.to_toml(), "recipe.toml"))


def _again(run: Run) -> tuple[Block, ...]:
    recipe = run.recipe
    resolved = recipe.resolved
    assert resolved is not None
    path = str(run.path / "recipe.toml")
    model = f" --model {shlex.quote(recipe.model.factory)}" if recipe.model.factory else ""
    if recipe.dataset.name == "arrays":
        code = f", model={recipe.model.factory!r}" if recipe.model.factory else ""
        command = f"neocog.train({path!r}, data=(images, labels){code})"
        needs = "the arrays it was trained on, which are not kept"
    else:
        command = f"neocog train {shlex.quote(path)}{model}"
        needs = f"the data '{recipe.dataset.name}'"
    blocks: list[Block] = [
        Code(command),
        Text(
            f"It takes {needs} (checksum `{resolved.data_checksum}`). The seed fixes the split, the first weights, the "
            "order and the augmentation. With the same versions, processor and threads it gives the same numbers; with "
            "others, sums are rounded in another order, and the accuracy moves as with another seed."
        ),
    ]
    try:
        found = run.directory.read_json("environment.json")
    except NeocogError as error:
        return (*blocks, Note(f"What it ran on can't be told: {error}"))
    names = {"git_commit": "commit of the folder it ran in", "data": "data checksum", "cpu": "processor"}
    rows = tuple((names.get(key, key), "not known" if value is None else str(value)) for key, value in found.items())
    return (*blocks, Table("What it ran on", ("what", "value"), rows))
