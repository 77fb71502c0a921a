"""A sweep as text, Markdown and HTML: every configuration, the best first, and how far the best may be believed."""

from __future__ import annotations

from html import escape

from neocog.render.words import TextStyle, few_pictures, items, mean_text, p_text, prose, seconds_text
from neocog.statistics.comparison import Metric
from neocog.statistics.sweep import Configuration, Sweep
from neocog.tables import table

_MOST_ROWS = 30  # in the text; the Markdown and the JSON have all
_MOST_FAILURES = 5


def sweep_text(sweep: Sweep) -> str:
    """Configurations, verdict, test accuracy of the best, failures, notes, conditions, the command; 100 signs wide."""
    return "\n\n".join(_parts(sweep, "text"))


def sweep_markdown(sweep: Sweep) -> str:
    """The same as `sweep_text`, as Markdown, with every configuration."""
    return "\n\n".join([f"# Sweep of {sweep.recipe}", *_parts(sweep, "markdown")])


def sweep_html(sweep: Sweep) -> str:
    """The same as `sweep_text`, as HTML, the verdict first."""
    verdict = prose(sweep.verdict, "html", strong=True)
    return "\n".join([verdict, *(part for part in _parts(sweep, "html") if part != verdict)])


def _parts(sweep: Sweep, style: TextStyle) -> list[str]:
    parts = [
        _table(sweep, style),
        prose(_how(sweep), style),
        prose(sweep.verdict, style, strong=True),
        prose(sweep.optimism or "", style),
        prose(_test(sweep), style),
        items([*_failures(sweep), *(f"note: {note}" for note in _notes(sweep))], style),
        items(_conditions(sweep), style),
        _command(sweep, style),
    ]
    return [part for part in parts if part]


def _table(sweep: Sweep, style: TextStyle) -> str:
    metric = sweep.metric
    keys = sweep.varying
    sized = len({each.side.parameters for each in sweep.configurations}) > 1
    shown = sweep.configurations if style == "markdown" else sweep.configurations[:_MOST_ROWS]
    rows = [
        [
            *(each.labels[key] for key in keys),
            mean_text(each.side, metric, "failed"),
            str(len(each.side.values)),
            _behind(each, metric),
            p_text(each.p_adjusted, ""),
            *([f"{each.side.parameters:,}"] if sized else []),
            seconds_text(each.side, ""),
        ]
        for each in shown
    ]
    unit = "%" if metric.scale == 100 else metric.unit
    # The end of a key says enough where no other has the same.
    ends = [key.rpartition(".")[2] for key in keys]
    heads = [end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)]
    measured = [f">{metric.title.removeprefix('validation ')}, {unit}", ">n", f">best − this, {metric.unit}", ">p"]
    columns = [*heads, *measured, *([">parameters"] if sized else []), ">s a run"]
    text = table(columns, rows, style)
    left = len(sweep.configurations) - len(shown)
    return f"{text}\n{prose(f'… and {left} more, which sweep.md has', style)}" if left else text


def _behind(each: Configuration, metric: Metric) -> str:
    if each.difference is None:
        return ""
    return metric.text(each.difference.mean, each.difference.half_width).removesuffix(f" {metric.unit}")


def _how(sweep: Sweep) -> str:
    """What stands in the table."""
    compared = [each.difference for each in sweep.configurations if each.difference is not None]
    methods = list(dict.fromkeys(each.method for each in compared if each.p is not None))
    if not methods:
        return "one seed has no standard deviation and no interval" if sweep.seeds == 1 else ""
    spread = "± after a mean is the standard deviation over its seeds"
    sure = f"{sweep.confidence * 100:g} %"
    interval = f"best − this: mean difference ± its {sure} interval over paired seeds ({', '.join(methods)})"
    decides = f"p up to {1 - sweep.confidence:.2g} tells apart"
    if sweep.pairs > 1:
        pair = "an interval is that of its pair alone, while p, which decides"
        decides = f"{pair}, is corrected for all {sweep.pairs:,} pairs (Holm); {decides}"
    return f"{spread}; {interval}; {decides}"


def _test(sweep: Sweep) -> str:
    found = sweep.test_interval
    if found is None:
        return "test accuracy of the best: not measured, the data has no test part"
    spread = "" if found.sd is None else f" ± {found.sd * 100:.2f}"
    return (
        f"test accuracy of the best: {found.mean * 100:.2f}{spread} % (n = {found.n}); the test part was opened once "
        "for each of its runs, after the choice; it is not what the choice was made on"
    )


def _notes(sweep: Sweep) -> list[str]:
    return [*sweep.notes, *few_pictures(sweep.conditions)]


def _failures(sweep: Sweep) -> list[str]:
    failures: dict[tuple[str, str], list[str]] = {}
    for each in sweep.configurations:
        for seed, line in each.side.failures.items():
            failures.setdefault((each.name, line), []).append(str(seed))
    lines = [
        f"failed: {name}, seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}: {line}"
        for (name, line), seeds in [*failures.items()][:_MOST_FAILURES]
    ]
    if left := len(failures) - _MOST_FAILURES:
        lines += [f"failed: {left} more, which sweep.json names"] if left > 0 else []
    if failures and any(not each.side.failures for each in sweep.configurations):
        lines.append("note: what failed with some seed stands behind all that finished with each")
    return lines


def _conditions(sweep: Sweep) -> list[str]:
    facts = sweep.conditions
    lines = []
    if "trained" in facts:
        runs = facts["trained"] + facts["kept"]
        kept = f", {facts['kept']} of them kept from before" if facts["kept"] else ""
        threads = f", threads a run: {facts['threads']}" if "cpu" in facts["device"] else ""
        lines.append(
            f"{sweep.seeds} seed{'s' * (sweep.seeds > 1)} each, {runs} runs{kept}; data {facts['data']}, "
            f"{facts['validation_pictures']:,} validation pictures; {facts['device']}, {facts['precision']}{threads}; "
            f"neocog {facts['neocog']}, torch {facts['torch']}"
        )
    if "saved" in facts:
        lines.append(f"saved in {facts['saved']}")
    return lines


def _command(sweep: Sweep, style: TextStyle) -> str:
    """Never wrapped: it is there to be copied."""
    if sweep.command is None:
        return ""
    if style == "html":
        return f"<pre>{escape(sweep.command)}</pre>"
    return f"```\n{sweep.command}\n```" if style == "markdown" else sweep.command
