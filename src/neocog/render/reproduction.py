"""A reproduction as text for the terminal, and as the Markdown that is kept: figures, logs, what each mistake costs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from neocog.render.figures import LOGS, NONE, Style, figures_table, main_table, number, published_text, spread_text
from neocog.render.words import html_list, paragraph, wrapped
from neocog.statistics.paired import PairedDifference
from neocog.statistics.reproduction import FEWEST_FOR_RANGE, Figure, Reproduced, Reproduction, chance_in_range
from neocog.tables import table


def reproduction_text(reproduction: Reproduction) -> str:
    """The main table, the mended twins, each recipe's log and what lies outside, at most 100 signs wide."""
    parts = [
        _changes(reproduction),
        main_table(reproduction, "text"),
        "\n".join(line for sentence in _reading(reproduction) for line in _wrapped(sentence)),
        *_twin_parts(reproduction, "text"),
        *(
            "\n".join([*_wrapped(f"{each.name}: {_log_title(each)}"), figures_table(logged, "text")])
            for each in reproduction.recipes
            if (logged := _logged(each))
        ),
        _section(_outside_title(reproduction), [*_outside(reproduction), *_expected_outside(reproduction)]),
        _section("failed", _failures(reproduction)),
        _section("notes", _notes(reproduction)),
        _section("conditions", _conditions(reproduction)),
    ]
    return "\n\n".join(part for part in parts if part)


def reproduction_markdown(reproduction: Reproduction) -> str:
    """The same as a page that stands by itself: conditions, main table, one section a recipe, what is outside."""
    parts = [
        "# Published figures, reproduced",
        "Each recipe of a lesson is trained exactly as published, its mistakes included, and measured as the lesson "
        "measures it. So is its mended twin, with the same seeds.",
        _changes(reproduction),
        _listed(_conditions(reproduction)),
        "## All figures",
        main_table(reproduction, "markdown"),
        _listed(_reading(reproduction)),
        "![Published figures beside the range of our seeds](reproduction.png)",
        *_twin_parts(reproduction, "markdown"),
    ]
    for each in reproduction.recipes:
        parts += _recipe_parts(each)
    outside = _outside(reproduction)
    title = _outside_title(reproduction)
    parts += [f"## {title[0].upper()}{title[1:]}", _listed(outside) if outside else "Nothing."]
    parts += _expected_outside(reproduction)
    if failures := _failures(reproduction):
        parts += ["## Failed", _listed(failures)]
    return "\n\n".join(part for part in parts if part)


def reproduction_html(reproduction: Reproduction) -> str:
    """The main table with how to read it, what lies outside, what failed, and the conditions, for a notebook."""
    parts = [
        paragraph(_changes(reproduction), strong=True),
        main_table(reproduction, "html"),
        html_list([sentence for each in reproduction.recipes if (sentence := price(each))]),
        html_list(_reading(reproduction)),
        *_titled(_outside_title(reproduction), [*_outside(reproduction), *_expected_outside(reproduction)]),
        *_titled("failed", _failures(reproduction)),
        *_titled("notes", _notes(reproduction)),
        *_titled("conditions", _conditions(reproduction)),
    ]
    return "\n".join(part for part in parts if part)


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return [paragraph(title, strong=True), html_list(lines)] if lines else []


def price(each: Reproduced) -> str:
    """What the mistakes of a published recipe cost, in one sentence; nothing where there is no twin to tell.

    The subject is what the first fault is called (`softmax twice: …`), or "what TWIN mends" where it has no name.
    """
    if each.gain is None or each.twin is None:
        return ""
    gain, twin = each.gain, each.twin
    called, colon, _ = (each.faults or ("",))[0].partition(": ")
    subject = called if colon and len(called) <= 40 else f"what {twin} mends"
    points = f"{abs(gain.mean) * 100:.2f}{_plus_minus(gain)} points of test accuracy"
    if gain.mean == 0 and not gain.sd:
        sentence = f"{twin} gives the same test accuracy as {each.name}, seed by seed (n = {gain.n})"
    elif gain.p is not None and gain.p > 0.05:
        seen = f"{_signed(gain.mean)}{_plus_minus(gain)} points of test accuracy with {twin}"
        sentence = f"whether {subject} costs anything can't be told with {gain.n} seeds: {seen} ({_known(gain)})"
    elif gain.n == 1:
        sentence = f"{twin} has {points} {'more' if gain.mean > 0 else 'less'} ({_known(gain)})"
    elif gain.mean > 0:
        sentence = f"{subject} costs {points} ({_known(gain)})"
    else:
        sentence = f"{twin} has {points} less ({_known(gain)})"
    return sentence if sentence.startswith(twin) else sentence[0].upper() + sentence[1:]


def _reading(reproduction: Reproduction) -> list[str]:
    """How to read the main table."""
    seeds = max((len(each.seeds) for each in reproduction.recipes), default=0)
    lines = [
        "ours: mean ± standard deviation of n seeds; in 95 %: the published figure lies in the 95 % prediction "
        "interval, where one more seed of ours would lie in 95 of 100 cases; in range: it lies between our lowest and "
        "our highest seed."
    ]
    if seeds > 1:
        out = f"{(1 - chance_in_range(seeds)) * 100:.0f} %"
        lines.append(
            f"Go by the interval: the range of {seeds} seeds is narrow, and even another seed of ours would miss it in "
            f"{out} of cases."
        )
    if any(len(each.of_kind(kind)) for each in reproduction.recipes for kind in ("log loss", "log accuracy")):
        lines.append(
            "loss log, accuracy log: the lines that the lesson printed while it trained, each held against ours at the "
            "same step; '4 of 6' means that 4 of its 6 lines lie in the interval, or in the range."
        )
    if seeds == 1:
        lines.append("One seed has no deviation, no range and no interval; train more with --seeds.")
    if any(figure.at_least for each in reproduction.recipes for figure in each.figures):
        lines.append(
            "over: the lesson says no more than that; in range where all our seeds are above it, in 95 % where all of "
            "the prediction interval is."
        )
    if any(figure.cut for each in reproduction.recipes for figure in each.figures):
        lines.append(
            "cut: before ours are held against the lesson they are cut to whole per cent, as it cuts its own: 96.9 % "
            "counts as 96 %. Mean, deviation and interval are of what was measured."
        )
    lines += [
        f"{each.called_test.what}: what the lesson of {each.name} calls test accuracy."
        for each in reproduction.recipes
        if each.called_test.what != "test accuracy"
    ]
    return lines


def _twin_parts(reproduction: Reproduction, style: Style) -> list[str]:
    """The table of the mended twins; in text also the sentences, which Markdown has in the sections."""
    told = [each for each in reproduction.recipes if each.twin]
    if not told:
        return []
    rows = [
        [
            each.name,
            _share(each.accuracy),
            str(each.twin),
            _share(each.twin_accuracy),
            str(each.gain.n) if each.gain else "0",
            f"{_signed(each.gain.mean)}{_plus_minus(each.gain)}" if each.gain else NONE,
            f"× {each.times:.2f}" if each.times is not None else NONE,
        ]
        for each in told
    ]
    columns = ["as published", ">test %", "mended", ">test %", ">n", ">points", ">seconds"]
    lines = [table(columns, rows, style)]
    if style == "markdown":
        return [
            "## What the mistakes cost",
            lines[0],
            "Test accuracy after the last step, on all test pictures and without dropout, whatever the lesson "
            "measures; points: mended less published with its 95 % interval, paired by seed; seconds: training time "
            "of the twin over that of the published recipe.",
        ]
    sentences = [f"{each.name}: {sentence}" for each in told if (sentence := price(each))]
    return [
        "what the mistakes cost: test accuracy after the last step, without dropout; points: mended less\n"
        f"published with its 95 % interval, paired by seed; seconds: training time\n{lines[0]}",
        "\n".join(line for sentence in sentences for line in _wrapped(sentence)),
    ]


def _recipe_parts(each: Reproduced) -> list[str]:
    parts = [f"## {each.name}"]
    facts = [
        f"Published in {each.source}" if each.source else "",
        f"{each.parameters:,} parameters" if each.parameters else "",
        f"{each.epochs:g} epochs",
        each.precision,
        f"the test part is opened {each.openings} times in a run" if each.openings > 1 else "",
    ]
    parts.append("; ".join(fact for fact in facts if fact) + ".")
    parts.append(" ".join(each.about.split()))
    if each.faults:
        parts += ["What is wrong with it:", _listed(each.faults)]
    parts.append(figures_table(each.figures, "markdown"))
    if logged := _log_title(each):
        parts.append(f"The log: {logged}.")
    if sentence := price(each):
        parts += [
            f"**{sentence}.** {each.twin} reaches {_share(each.twin_accuracy)} % (n = {len(each.twin_seeds)})"
            + (f" in {each.times:.2f} times the training time." if each.times is not None else "."),
            " ".join(each.twin_about.split()),
        ]
    if seconds := _seconds(each):
        parts.append(seconds)
    parts.append(_listed(each.notes))
    return parts


def _seconds(each: Reproduced) -> str:
    if not each.seconds or not each.epochs:
        return ""
    ours = [taken / each.epochs for taken in each.seconds]
    spread = f" ± {stdev(ours):.1f}" if len(ours) > 1 else ""
    published = (
        f", where the lesson reports {each.seconds_per_epoch:g} s on a machine of its own"
        if each.seconds_per_epoch
        else ""
    )
    return f"An epoch took {fmean(ours):.1f}{spread} s of training (n = {len(ours)}){published}."


def _logged(each: Reproduced) -> list[Figure]:
    return [figure for kind in LOGS for figure in each.of_kind(kind)]


def _log_title(each: Reproduced) -> str:
    """What the lines of a recipe's log are."""
    parts = []
    if each.of_kind("log loss"):
        mean = "mean training loss since the line before" if each.log.every else "mean training loss of each epoch"
        parts.append("loss of the last batch" if each.log.of == "batch" else mean)
    if each.of_kind("log accuracy"):
        parts.append("accuracy on the test part, cut to whole per cent")
    if each.of_kind("batch accuracy"):
        parts.append("accuracy on the last batch of an epoch")
    return "; ".join(parts)


def _outside_title(reproduction: Reproduction) -> str:
    ranged = any(figure.n >= FEWEST_FOR_RANGE for each in reproduction.recipes for figure in each.figures)
    return "outside the 95 % interval or our range" if ranged else "outside the 95 % interval"


def _outside(reproduction: Reproduction) -> list[str]:
    return [
        f"{each.name}, {figure.what}: published {published_text(figure)}, ours {spread_text(figure)} "
        f"({number(figure, min(figure.as_printed))}–{number(figure, max(figure.as_printed))}, n = {figure.n}): "
        + _where(figure)
        for each in reproduction.recipes
        for figure in each.outside
    ]


def _where(figure: Figure) -> str:
    if figure.at_least:
        return "not all of ours are above it"
    if figure.expected:
        return "in the 95 % interval, but outside our range"
    return "outside the 95 % interval" + (", and outside our range" if figure.out_of_range else "")


def _expected_outside(reproduction: Reproduction) -> list[str]:
    """How many figures chance alone would put outside, were each of them one more seed of ours."""
    judged = [
        figure
        for each in reproduction.recipes
        for figure in each.figures
        if figure.in_range is not None and not figure.at_least
    ]
    beyond = sum(figure.expected is False for figure in judged)
    ranged = [figure for figure in judged if figure.n >= FEWEST_FOR_RANGE]
    outside = sum(figure.out_of_range for figure in ranged)
    if not beyond and not outside:
        return []
    of = f"of {len(judged)} figures" if len(judged) > 1 else "of one figure"
    text = f"Outside the 95 % interval: {beyond} {of}; about {0.05 * len(judged):.2g} would be by chance."
    if ranged:
        by_chance = sum(1 - chance_in_range(figure.n) for figure in ranged)
        text += f" Outside our range: {outside} of {len(ranged)}; up to {by_chance:.2g} would be by chance."
    text += " By chance means: if the lesson's training was just one more seed of ours."
    if any(figure.kind != "accuracy" for figure in judged):
        text += " The lines of one log tend to lie in or out together, so these counts vary widely."
    return [text]


def _failures(reproduction: Reproduction) -> list[str]:
    return [f"{what}: {why}" for each in reproduction.recipes for what, why in each.failures.items()]


def _notes(reproduction: Reproduction) -> list[str]:
    return [f"{each.name}: {note}" for each in reproduction.recipes for note in each.notes]


def _changes(reproduction: Reproduction) -> str:
    """What was changed in all recipes, which should not be overlooked."""
    values = ", ".join(f"{key} = {value}" for key, value in reproduction.conditions.get("changes", {}).items())
    return f"NOT as published: all recipes with {values}" if values else ""


def _conditions(reproduction: Reproduction) -> list[str]:
    facts = reproduction.conditions
    lines = []
    machine = [
        str(facts.get("date", "")),
        str(facts.get("gpu") or facts.get("cpu") or ""),
        _counted(facts.get("threads"), "thread") + " a run" if facts.get("threads") else "",
        *(f"{name} {facts[name]}" for name in ("torch", "neocog") if facts.get(name)),
    ]
    lines.append(", ".join(part for part in machine if part))
    kinds: dict[str, list[str]] = {}
    for each in reproduction.recipes:
        if each.seeds:
            kinds.setdefault(each.precision, []).append(each.name)
    lines.append("; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items()))
    if "seeds" in facts:
        seeds = f"seeds 0 to {facts['seeds'] - 1}" if facts["seeds"] > 1 else "seed 0"
        kept = f", {facts['kept']} of them kept from before" if facts.get("kept") else ""
        lines.append(
            f"{seeds}; {_counted(facts.get('runs'), 'run')} with {_time(facts.get('train_seconds', 0))} of training"
            f"{kept}; this call took {_time(facts.get('seconds', 0))}"
        )
    return [line for line in lines if line]


def _counted(count: object, what: str) -> str:
    return f"{count} {what}" if str(count) == "1" else f"{count} {what}s"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _share(values: Sequence[float]) -> str:
    if not values:
        return NONE
    spread = f" ± {stdev(values) * 100:.2f}" if len(values) > 1 else ""
    return f"{fmean(values) * 100:.2f}{spread}"


def _signed(share: float) -> str:
    return f"{share * 100:+.2f}".replace("-", "−")


def _plus_minus(gain: PairedDifference) -> str:
    return "" if gain.half_width is None else f" ± {gain.half_width * 100:.2f}"


def _known(gain: PairedDifference) -> str:
    if gain.n == 1:
        return "one seed, so no interval"
    if gain.half_width is None:
        return f"n = {gain.n}, no interval: {gain.method}"
    return f"95 % interval, n = {gain.n}, {gain.method}"


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(line for each in lines for line in _wrapped(each, "  "))]) if lines else ""


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrapped(text, indent, f"{indent}  ").split("\n")


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
