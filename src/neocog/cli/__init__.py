"""The command line: one file for each verb, which parses, calls the library and shows the answer.

Answers go to standard output, everything else to standard error. A NeocogError is one red line and exit status 2.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from pathlib import Path

import typer

from neocog import disk
from neocog.cli.calibrate import calibrate
from neocog.cli.compare import compare
from neocog.cli.convolve import convolve
from neocog.cli.data import app as data_app
from neocog.cli.evaluate import evaluate
from neocog.cli.explain import explain
from neocog.cli.kernels import kernels
from neocog.cli.lr_find import lr_find
from neocog.cli.mistakes import mistakes
from neocog.cli.options import say
from neocog.cli.plot import plot
from neocog.cli.predict import predict
from neocog.cli.recipes import recipes
from neocog.cli.report import report
from neocog.cli.reproduce import reproduce
from neocog.cli.resume import resume
from neocog.cli.stress import stress
from neocog.cli.summary import summary
from neocog.cli.sweep import sweep
from neocog.cli.train import train
from neocog.errors import NeocogError
from neocog.memory import out_of_memory
from neocog.untrusted import shown

app = typer.Typer(
    name="neocog",
    help="From one convolution kernel to an image classifier that can be trusted.",
    epilog="Start with: neocog train",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    *(train, resume, evaluate, predict, calibrate, explain, mistakes, stress, plot, report),
    *(compare, reproduce, sweep, lr_find, summary, recipes, convolve, kernels),
)
for verb in VERBS:
    asks = verb not in (train, reproduce, lr_find, recipes, kernels)
    app.command(verb.__name__.replace("_", "-"), no_args_is_help=asks)(verb)
app.add_typer(data_app, name="data")


@app.callback(invoke_without_command=True)
def _neocog(version: bool = typer.Option(False, "--version", help="Show the version and stop.")) -> None:
    if version:
        import neocog

        say(f"neocog {neocog.__version__}")
        raise typer.Exit


def main() -> None:
    """Runs the command line; what a user can mend becomes one line on standard error, and exit status 2."""
    _write_utf8()
    try:
        status = app(prog_name="neocog", standalone_mode=False)
        sys.stdout.flush()
        atexit.register(_end_by_ctrl_c)
        sys.exit(status)
    except NeocogError as error:
        _fail(str(error))
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # about a file or folder that no room of ours has answered for
        if error.filename is None:
            if disk.has_failed(error):
                _fail(f"a disk can't be used any more: {error.strerror}")
            if not isinstance(error, BrokenPipeError) and not disk.is_full(error):
                raise
            _drop_output()
            if isinstance(error, BrokenPipeError):  # whoever read our answer has seen enough
                sys.exit(1)
            _fail(f"cannot write the answer: {error.strerror}")
        if disk.is_full(error):
            place = Path(str(error.filename))
            _fail(disk.full(place.name, place.parent, None, "", error))
        _fail(f"{error.filename}: {error.strerror or error}")
    except Exception as error:
        if out_of_memory(error):  # elsewhere than in a training, which can say more
            _fail("out of memory; close other programs, or give less at a time")
        # The command line's own complaints, which typer doesn't export a class for: a wrong option, a missing argument.
        if not hasattr(error, "format_message"):
            raise
        message = str(error.format_message())
        if not message.strip() or "\n" in message.strip():  # no words were given: typer has shown the help
            say(message, err=True)
            sys.exit(2)
        context = getattr(error, "ctx", None)
        _fail(f"{message.rstrip('.')}; see '{context.command_path if context else 'neocog'} --help'")


def _end_by_ctrl_c() -> None:
    """All is said: Ctrl-C while Python tidies up, which takes a moment, ends the process and not in a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _write_utf8() -> None:
    """Windows would write files and pipes without × and →; what is no text in a file's name is written with escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _drop_output() -> None:
    """What is still to be printed goes nowhere: Python would try again at its end, and complain again."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _fail(message: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, emoji=False)  # `a:b:` is no emoji, but code and two dots
    console.print(f"error: {shown(message)}", style="red", markup=False, highlight=False)
    sys.exit(2)
