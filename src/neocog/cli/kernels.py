"""neocog kernels"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neocog.cli.options import (
    Amount,
    Angle,
    Aspect,
    Direction,
    Json,
    Length,
    Neighbours,
    Normalize,
    Phase,
    Seed,
    Sigma,
    Size,
    Wavelength,
    columns,
    print_json,
    say,
)

if TYPE_CHECKING:
    from neocog.kernels import Kernel


def kernels(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A name, a file of rows, or a text; behind -- if it begins with a minus.", metavar="KERNEL"
        ),
    ] = None,
    size: Size = None,
    sigma: Sigma = None,
    amount: Amount = None,
    direction: Direction = None,
    normalize: Normalize = None,
    neighbours: Neighbours = None,
    length: Length = None,
    angle: Angle = None,
    wavelength: Wavelength = None,
    phase: Phase = None,
    aspect: Aspect = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Draw it, too: a .png, .svg or .pdf.", metavar="FILE")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
    json: Json = False,
) -> None:
    """List the kernels that have a name, or show the numbers of one.

    Example: neocog kernels gaussian --size 5 --sigma 1
    """
    from neocog.errors import KernelError
    from neocog.kernels import KERNELS, read_kernel

    given = {
        "size": size,
        "sigma": sigma,
        "amount": amount,
        "direction": direction,
        "normalize": normalize,
        "neighbours": neighbours,
        "length": length,
        "angle": angle,
        "wavelength": wavelength,
        "phase": phase,
        "aspect": aspect,
        "seed": seed,
    }
    settings = {key: value for key, value in given.items() if value is not None}
    if name is None:
        for option in [*settings, *(["out"] if out is not None else []), *(["overwrite"] if overwrite else [])]:
            raise KernelError(f"--{option} is for one kernel; give its name, such as: neocog kernels gaussian")
        if json:
            print_json({each.name: {"about": each.about, "source": each.source} for each in KERNELS.values()})
        else:
            say(_pairs([("kernel", "about"), *((each.name, each.about) for each in KERNELS.values())]))
        return
    if overwrite and out is None:
        raise KernelError("--overwrite replaces the file of --out; give it, too, such as: --out kernel.png")
    found = read_kernel(name, **settings)
    if out is not None:
        from neocog.plots import plot_kernel, save_figure

        save_figure(plot_kernel(found), out, overwrite=overwrite)
    if json:
        twin = _twin(found, settings)
        beside = {} if twin is None else {"wrong" if _mistaken(twin) else "right": _facts(twin, settings)}
        written = [] if out is None else [str(out)]
        print_json({**_facts(found, settings), **beside, "written": written})
        return
    say(_text(found, settings))
    if out is not None:
        say(f"\nwrote {out}: the kernel as a picture")


def _mistaken(kernel: Kernel) -> bool:
    """Whether it is here to show a published mistake."""
    from neocog.kernels import KERNELS

    return bool(kernel.source and KERNELS[kernel.name].instead)


def _used(kernel: Kernel, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that made it, those that nobody gave included; a twin takes some of them only."""
    from neocog.kernels import KERNELS

    if not kernel.source:  # its numbers were given
        return {}
    named = KERNELS[kernel.name]
    return named.used(**{key: value for key, value in settings.items() if key in named.settings})


def _twin(kernel: Kernel, settings: dict[str, Any]) -> Kernel | None:
    """The published mistake that belongs to a right kernel, or the other way round, as far as it takes the settings."""
    from neocog.errors import KernelError
    from neocog.kernels import KERNELS
    from neocog.kernels import kernel as make

    if not kernel.source:
        return None
    names = [KERNELS[kernel.name].instead, *(each.name for each in KERNELS.values() if each.instead == kernel.name)]
    used = _used(kernel, settings)
    for name in filter(None, names):
        try:
            return make(name, **{key: value for key, value in used.items() if key in KERNELS[name].settings})
        except KernelError:  # the mistake took even sizes, too
            return None
    return None


def _facts(kernel: Kernel, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": kernel.name,
        "rows": kernel.rows,
        "sum": kernel.total,
        "about": kernel.about,
        "source": kernel.source,
        "settings": _used(kernel, settings),
    }


def _text(kernel: Kernel, settings: dict[str, Any]) -> str:
    used = _used(kernel, settings).items()
    facts = [
        (kernel.name, ""),
        ("shape", "×".join(str(size) for size in kernel.shape)),
        ("sum", f"{kernel.total:.6g}"),
        ("about", kernel.about),
        ("settings", ", ".join(f"{key}={f'{value:.6g}' if type(value) is float else value}" for key, value in used)),
        ("source", kernel.source),
    ]
    said = _pairs([(label, text) for label, text in facts if text or label == kernel.name])
    twin = _twin(kernel, settings)
    if twin is None:
        return f"{_numbers(kernel)}\n\n{said}"
    right, wrong = (kernel, twin) if _mistaken(twin) else (twin, kernel)
    mistake = "\n".join(wrap(f"{wrong.name} is {wrong.about}", columns()))
    return f"{_beside(right, wrong)}\n\n{mistake}\n\n{said}"


def _beside(right: Kernel, wrong: Kernel) -> str:
    """Both under their names, side by side, or one under the other where the terminal is too narrow."""
    left, other = (
        [f"{label}: {each.name}", *_numbers(each).split("\n")] for label, each in (("right", right), ("wrong", wrong))
    )
    width = max(len(line) for line in left)
    if width + 4 + max(len(line) for line in other) > columns():
        return "\n".join([*left, "", *other])
    return "\n".join(f"{a:<{width}}    {b}".rstrip() for a, b in zip_longest(left, other, fillvalue=""))


def _numbers(kernel: Kernel) -> str:
    """The rows, or what can be said of them where they are wider than the terminal."""
    text = kernel.text()
    if len(text.split("\n")[0]) <= columns():
        return text
    values = [value for row in kernel.rows for value in row]
    said = f"{len(values):,} numbers from {min(values):.4g} to {max(values):.4g}"
    return "\n".join([said, *wrap("too wide for here: --out draws them, --json has them", columns())])


def _pairs(rows: list[tuple[str, str]]) -> str:
    """A column of labels and one of texts, which go on in the next line where they are long."""
    width = max(len(label) for label, text in rows if text)
    lines: list[str] = []
    for label, text in rows:
        parts = wrap(text, columns() - width - 2) or [""]
        lines += [
            f"{start:<{width}}  {part}".rstrip()
            for start, part in zip([label, *[""] * (len(parts) - 1)], parts, strict=True)
        ]
    return "\n".join(lines)
