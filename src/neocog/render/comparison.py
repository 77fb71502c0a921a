"""Comparisons as text, Markdown and HTML: sides over seeds, and finished runs picture by picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from neocog.render.words import TextStyle, few_pictures, gap, items, mean_text, p_text, prose, seconds_text
from neocog.statistics.comparison import Comparison, Difference, RunComparison
from neocog.statistics.many_runs import RunComparisons
from neocog.statistics.power import POWER
from neocog.tables import table

_MOST_PICTURES = 20  # of those on which two runs differ; --json and --out have all
_MOST_FAILURES = 3  # of each side
_ROOM_FOR_NAMES = 36  # signs, for two names beside the figures of their pair


def comparison_text(comparison: Comparison) -> str:
    """Sides, pairs, verdict, cost, test accuracy, failures, notes and conditions, at most 100 signs wide."""
    return "\n\n".join(_comparison_parts(comparison, "text"))


def comparison_markdown(comparison: Comparison) -> str:
    """The same as `comparison_text`, as Markdown."""
    title = f"# {_listed([side.name for side in comparison.sides])}"
    return "\n\n".join([title, *_comparison_parts(comparison, "markdown")])


def comparison_html(comparison: Comparison) -> str:
    """The same as `comparison_text`, as HTML, the verdict first."""
    verdict = prose(comparison.verdict, "html", strong=True)
    return "\n".join([verdict, *(part for part in _comparison_parts(comparison, "html") if part != verdict)])


def run_comparison_text(comparison: RunComparison | RunComparisons) -> str:
    """Which of two runs, or of more, is right more often, and on which pictures they differ; at most 100 signs wide."""
    return "\n\n".join(_run_parts(comparison, "text"))


def run_comparison_markdown(comparison: RunComparison | RunComparisons) -> str:
    """The same as `run_comparison_text`, as Markdown."""
    pairs = comparison.pairs if isinstance(comparison, RunComparisons) else (comparison,)
    title = f"# {_listed(list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second))))}"
    return "\n\n".join([title, *_run_parts(comparison, "markdown")])


def run_comparison_html(comparison: RunComparison | RunComparisons) -> str:
    """The same as `run_comparison_text`, as HTML, the verdict first."""
    verdict = prose(comparison.verdict, "html", strong=True)
    return "\n".join([verdict, *(part for part in _run_parts(comparison, "html") if part != verdict)])


def _comparison_parts(comparison: Comparison, style: TextStyle) -> list[str]:
    parts = [
        _side_table(comparison, style),
        _pair_table(comparison, style),
        prose(comparison.verdict, style, strong=True),
        items(_costs(comparison), style),
        *_test(comparison, style),
        items([*_failures(comparison), *(f"note: {note}" for note in _notes(comparison))], style),
        items(_conditions(comparison), style),
    ]
    return [part for part in parts if part]


def _side_table(comparison: Comparison, style: TextStyle) -> str:
    metric = comparison.metric
    short = _placed([side.name for side in comparison.ordered])
    rows = [
        [
            _named(short, side.name),
            mean_text(side, metric, "—"),
            str(len(side.values)),
            f"{side.parameters:,}",
            "?" if side.macs is None else f"{side.macs:,}",
            seconds_text(side, "?"),
        ]
        for side in comparison.ordered
    ]
    unit = "%" if metric.scale == 100 else metric.unit
    heading = f"{metric.title} in {unit} over seeds; seconds are those of a training:"
    columns = ["side", ">mean ± sd", ">n", ">parameters", ">MACs", ">seconds"]
    return f"{prose(heading, style)}\n{gap(style)}{table(columns, rows, style)}"


def _pair_table(comparison: Comparison, style: TextStyle) -> str:
    short = _placed([side.name for side in comparison.ordered])
    rows = [
        [
            short[pair.first],
            short[pair.second],
            comparison.metric.text(pair.difference.mean, pair.difference.half_width),
            f"{pair.wins.share:.2f} ({pair.wins.low:.2f}–{pair.wins.high:.2f})",
            p_text(pair.p_adjusted, "—"),
            str(pair.difference.n),
        ]
        for pair in comparison.pairs
    ]
    columns = ["A", "B", ">A − B", ">P(A better)", ">p (Holm)" if comparison.correction else ">p", ">n"]
    return f"{table(columns, rows, style)}\n{gap(style)}{prose(_method(comparison), style)}"


def _method(comparison: Comparison) -> str:
    methods = [pair.difference.method for pair in comparison.pairs if pair.difference.half_width is not None]
    sure = f"{comparison.confidence * 100:g} %"
    wins = f"P: share of seeds in which A is better, with its {sure} interval (Wilson)"
    if not methods:
        return f"A − B: so few seeds give no interval; {wins}"
    named = _listed(list(dict.fromkeys(methods)))
    text = f"A − B: mean difference ± its {sure} interval over paired seeds ({named}); {wins}"
    if comparison.correction:
        return f"{text}; an interval is that of its pair alone, while p, which decides, is corrected for all pairs"
    if " would " in comparison.verdict:
        return f"{text}; would show: in {POWER * 100:g} % of repetitions with so many seeds"
    return text


def _costs(comparison: Comparison) -> list[str]:
    """What the best side gains over each other, and what it costs beside it."""
    best, *others = [side for side in comparison.ordered if side.values]
    lines = []
    for other in others:
        pair = comparison.pair(best.name, other.name)
        if pair is None:
            continue
        gain = "with no gain shown"
        if pair.beats and pair.first == best.name:
            more = "more" if comparison.metric.higher_is_better else "less"
            gain = f"for {comparison.metric.text(abs(pair.difference.mean))} {more}"
        lines.append(f"{comparison.cost(best.name, other.name)}, {gain}")
    return lines


def _test(comparison: Comparison, style: TextStyle) -> list[str]:
    """The test figures, kept apart from what the choice was made on."""
    rows = []
    for side in comparison.ordered:
        if found := side.test_interval:
            spread = "" if found.sd is None else f" ± {found.sd * 100:.2f}"
            rows.append([side.name, f"{found.mean * 100:.2f}{spread}", str(found.n)])
    if not rows:
        return [prose("test accuracy: not measured, the data has no test part", style)]
    told = "the test part was opened once a run, after the last step; it is not what the choice was made on"
    return [f"{prose(f'{told}:', style)}\n{gap(style)}{table(['side', '>test accuracy ± sd, %', '>n'], rows, style)}"]


def _notes(comparison: Comparison) -> list[str]:
    return [*comparison.notes, *few_pictures(comparison.conditions)]


def _failures(comparison: Comparison) -> list[str]:
    lines = []
    for side in comparison.sides:
        shown = list(side.failures.items())[:_MOST_FAILURES]
        lines += [f"failed: {side.name}, seed {seed}: {line}" for seed, line in shown]
        if left := len(side.failures) - len(shown):
            lines.append(f"failed: {side.name}, {left} more seeds, which comparison.json names")
    return lines


def _conditions(comparison: Comparison) -> list[str]:
    facts = comparison.conditions
    lines = []
    if "seeds" in facts:
        total = facts["trained"] + facts["kept"]
        kept = f", {facts['kept']} of them kept from before" if facts["kept"] else ""
        lines.append(
            f"{facts['seeds']} seed{'s' * (facts['seeds'] != 1)} a side, {total} runs{kept}; data {facts['data']}, "
            f"{facts['validation_pictures']:,} validation pictures; {_machine(facts)}"
        )
    if "saved" in facts:
        lines.append(f"saved in {facts['saved']}")
    return lines


def _machine(facts: Mapping[str, Any]) -> str:
    threads = f", {facts['threads']} thread{'s' * (facts['threads'] != '1')} a run" if "cpu" in facts["device"] else ""
    return f"{facts['device']}, {facts['precision']}{threads}; neocog {facts['neocog']}, torch {facts['torch']}"


def _run_parts(comparison: RunComparison | RunComparisons, style: TextStyle) -> list[str]:
    return _many_parts(comparison, style) if isinstance(comparison, RunComparisons) else _two_parts(comparison, style)


def _two_parts(comparison: RunComparison, style: TextStyle) -> list[str]:
    test = comparison.test
    names = [comparison.first, comparison.second]
    first, second = (_placed(names)[name] for name in names)
    rows = [
        [f"{first} right", f"{test.both_right:,}", f"{test.only_first:,}"],
        [f"{first} wrong", f"{test.only_second:,}", f"{test.both_wrong:,}"],
    ]
    return [
        _measured([comparison], style),
        table(["", f">{second} right", f">{second} wrong"], rows, style),
        prose(comparison.verdict, style, strong=True),
        *_pictures(comparison, [first, second], style),
    ]


def _measured(pairs: Sequence[RunComparison], style: TextStyle) -> str:
    """What all the runs were measured on, and how well each did."""
    right: dict[str, int] = {}
    for pair in pairs:
        right[pair.first] = pair.test.both_right + pair.test.only_first
        right[pair.second] = pair.test.both_right + pair.test.only_second
    short, n = _placed(list(right)), pairs[0].test.n
    shares = [f"{_named(short, name)} {count / n * 100:.2f} % right" for name, count in right.items()]
    return prose(f"the same {n:,} {pairs[0].part} pictures: {', '.join(shares)}", style)


def _pictures(comparison: RunComparison, names: Sequence[str], style: TextStyle) -> list[str]:
    count = len(comparison.differ)
    if not count:
        return []
    shown = comparison.differ[:_MOST_PICTURES]
    heading = "the pictures on which one is right and the other wrong, the most certain mistake first"
    if count > len(shown):
        heading = f"{len(shown)} of the {count:,} pictures on which one is right and the other wrong, the most certain "
        heading += f"mistakes first; {count - len(shown):,} are left out here, --json or --out has all"
    rows = [_picture(each) for each in shown]
    return [f"{prose(f'{heading}:', style)}\n{gap(style)}{table(['picture', 'true', *names], rows, style)}"]


def _picture(difference: Difference) -> list[str]:
    return [
        difference.name or str(difference.index),
        difference.true,
        f"{difference.first} ({difference.first_probability * 100:.2f} %)",
        f"{difference.second} ({difference.second_probability * 100:.2f} %)",
    ]


def _many_parts(comparison: RunComparisons, style: TextStyle) -> list[str]:
    short = _placed(list(dict.fromkeys(name for pair in comparison.pairs for name in (pair.first, pair.second))))
    rows = [
        [
            short[pair.first],
            short[pair.second],
            f"{pair.test.only_first:,}",
            f"{pair.test.only_second:,}",
            f"{_points(pair.test.difference)} ({_points(pair.test.low)} to {_points(pair.test.high)})",
            p_text(p, "—"),
        ]
        for pair, p in zip(comparison.pairs, comparison.p_adjusted, strict=True)
    ]
    columns = ["A", "B", ">only A right", ">only B right", ">A − B, points", ">p (Holm)"]
    method = (
        f"McNemar's exact test; {comparison.confidence * 100:g} % intervals of A − B: Tango, each for itself; p, which "
        "decides, is corrected for all pairs"
    )
    about = "This speaks of these trained networks, not of the recipes that made them: --seeds compares those. "
    pictures = "Give two of the runs to see the pictures on which they differ; --json or --out has all."
    return [
        _measured(comparison.pairs, style),
        f"{table(columns, rows, style)}\n{gap(style)}{prose(method, style)}",
        prose(comparison.verdict, style, strong=True),
        prose(about + pictures, style),
    ]


def _placed(names: Sequence[str]) -> dict[str, str]:
    """What to call each in a table: its name, or its place where two names take too much room beside figures."""
    if sum(sorted(cell_len(name) for name in names)[-2:]) <= _ROOM_FOR_NAMES:
        return {name: name for name in names}
    return {name: f"({place})" for place, name in enumerate(names, 1)}


def _named(short: Mapping[str, str], name: str) -> str:
    """The name with its place, where the tables say the place."""
    return name if short[name] == name else f"{short[name]} {name}"


def _points(share: float) -> str:
    return f"{share * 100:.2f}".replace("-", "−")


def _listed(words: Sequence[str]) -> str:
    """Words in a sentence: `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
