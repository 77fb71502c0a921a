"""neocog kernels"""

from __future__ import annotations

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
    print_json,
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
    out: Annotated[str | None, typer.Option(help="Draw it, too: FILE.png or FILE.svg.", metavar="FILE")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
    json: Json = False,
) -> None:
    """List the kernels that have a name, or show the numbers of one.

    Example: neocog kernels gaussian --size 5 --sigma 1
    """
    from neocog.errors import KernelError
    from neocog.kernels import KERNELS, read_kernel
    from neocog.tables import table

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
    if name is not None:
        found = read_kernel(name, **settings)
        if out is not None:
            from neocog.plots import plot_kernel, save_figure

            save_figure(plot_kernel(found), out, overwrite=overwrite)
        print_json(_facts(found, settings)) if json else typer.echo(_text(found, settings))
        return
    for option in [*settings, *(["out"] if out is not None else []), *(["overwrite"] if overwrite else [])]:
        raise KernelError(f"--{option} is for one kernel; give its name, such as: neocog kernels gaussian")
    if json:
        print_json({each.name: {"about": each.about, "source": each.source} for each in KERNELS.values()})
    else:
        typer.echo(table(["kernel", "about"], [[each.name, each.about] for each in KERNELS.values()]))


def _used(kernel: Kernel, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that made it, with those that nobody gave; None is worked out from the others."""
    from neocog.kernels import KERNELS

    return {**KERNELS[kernel.name].settings, **settings} if kernel.source else {}


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
    from neocog.kernels import KERNELS
    from neocog.tables import table

    used = ", ".join(f"{key}={'auto' if value is None else value}" for key, value in _used(kernel, settings).items())
    twins = [each for each in KERNELS.values() if kernel.source and each.instead == kernel.name]
    facts = [
        ["shape", "×".join(str(size) for size in kernel.shape)],
        ["sum", f"{kernel.total:.6g}"],
        ["about", kernel.about],
        ["settings", used],
        ["source", kernel.source],
        *(["see also", f"{twin.name}, the published mistake"] for twin in twins),
    ]
    return f"{kernel.text()}\n\n" + table([kernel.name, ""], [fact for fact in facts if fact[1]])
