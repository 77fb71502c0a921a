"""The command line refuses in one line, with exit status 2, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import neocog
from conftest import STEPS, TINY, Answer, fill
from neocog.layers import WORDS
from neocog.layers.blocks import BLOCKS

Cli = Callable[..., Answer]
SETS = [word for key, value in STEPS.items() for word in ("--set", f"{key}={value}")]
NO_DATA = (
    "'mnst' is no data set neocog knows, and there is no such folder; did you mean 'mnist'? "
    f"Known: {', '.join(neocog.catalogue)}"
)
LAYERS = ", ".join(sorted([*WORDS, *BLOCKS]))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["train", "fats"],
            "unknown recipe 'fats'; did you mean 'fast'? `neocog recipes` lists them; a TOML file or a run directory "
            "will do, too",
        ),
        (
            ["train", "mine.toml"],
            "there is no recipe file 'mine.toml'; give a recipe's name, a TOML file or a run directory",
        ),
        (["train", "--device", "gpu"], "unknown device 'gpu'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        (
            ["train", "--precision", "fp16"],
            "recipe 'fast': train.precision: unknown value 'fp16'; did you mean 'bf16'? Known: auto, bf16, float32, "
            "float64",
        ),
        (
            ["train", "--model", "conv 16 5 | relo | flatten | linear classes"],
            f"recipe 'fast': layer 2 'relo': unknown layer 'relo'; did you mean 'relu'? Known: {LAYERS}",
        ),
        (
            ["train", "--set", "optimizer.rate"],
            "--set 'optimizer.rate': write it as key=value, such as optimizer.lr=0.02",
        ),
        (["train", "--set", "optimizer.lrr=1"], "unknown key 'optimizer.lrr'; did you mean 'optimizer.lr'?"),
        (["train", "--run", "."], "run directory '.' exists already and is never overwritten; give another --run"),
        (
            ["train", "--model", "conv 64 40 | flatten | linear classes"],
            "layer 1 'conv 64 40': a 40×40 kernel does not fit the 28×28 map it gets; use a kernel of at most 28, or "
            "padding=6",
        ),
        (
            ["train", "--model", "flatten | linear 7"],
            "layer 2 'linear 7': gives 7 values but the data has 10 classes; write 'linear classes'",
        ),
        (
            ["train", "--model", "linear classes"],
            "layer 1 'linear 10': needs a vector but gets a 1×28×28 map; put 'flatten' or 'globalavgpool' before it",
        ),
        (
            ["train", "--model", "no_such_code:net"],
            "model 'no_such_code:net': cannot import 'no_such_code': No module named 'no_such_code'",
        ),
        (["evaluate", "nowhere"], "there is no run directory 'nowhere'; `neocog train` prints where a run lies"),
        (["evaluate", "nowhere", "--split", "train"], "split 'train': give val or test"),
        (
            ["predict", "nowhere", "a.png"],
            "there is no run directory 'nowhere'; `neocog train` prints where a run lies",
        ),
        (["predict", ".", "a.png"], "'.' is no finished run: it has no recipe.toml; train again into a new directory"),
        (
            ["summary", "conv 16 5", "--input", "28x28"],
            "--input '28x28': write channels, height and width, such as 1x28x28",
        ),
        (
            ["summary", "fast", "--input", "1x0x28"],
            "--input '1x0x28': write channels, height and width, such as 1x28x28",
        ),
        (
            ["recipes", "fats"],
            "unknown recipe 'fats'; did you mean 'fast'? `neocog recipes` lists them; a TOML file or a run directory "
            "will do, too",
        ),
        (["train", "--data", "mnst"], NO_DATA),
        (["data", "show", "mnst"], NO_DATA),
        (
            ["data", "fetch", "mnst"],
            f"unknown data set 'mnst'; did you mean 'mnist'? Known: {', '.join(sorted(neocog.catalogue))}",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_and_nothing_left(cli: Cli, words: list[str], text: str) -> None:
    assert cli(*words) == Answer(2, "", f"error: {text}\n")
    assert list(Path().iterdir()) == []


def test_a_json_command_refuses_on_standard_error_too(cli: Cli) -> None:
    answer = cli("evaluate", "nowhere", "--json")
    want = "error: there is no run directory 'nowhere'; `neocog train` prints where a run lies\n"
    assert answer == Answer(2, "", want)


def test_other_classes_are_one_line(cli: Cli, shapes: Path) -> None:
    assert cli("train", "--data", shapes, "--model", TINY, *SETS).status == 0
    fill(Path("others"), kinds=("circle", "star"))
    want = (
        "error: data 'others' has classes that run 'runs/fast-shapes-1' doesn't know: star; "
        "it knows circle, cross, square\n"
    )
    assert cli("evaluate", "runs/fast-shapes-1", "--data", "others") == Answer(2, "", want)


def test_the_kernel_is_refused_before_a_picture_is_read(cli: Cli, shapes: Path) -> None:
    (shapes / "circle" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    words = ["train", "--data", shapes, "--set", "dataset.image_size=10"]
    want = (
        "error: layer 1 'conv 4 11': an 11×11 kernel does not fit the 10×10 map it gets; use a kernel of at most 10, "
        "or padding=1\n"
    )
    assert cli(*words, "--model", "conv 4 11 | flatten | linear classes") == Answer(2, "", want)
    answer = cli(*words)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: cannot read 'shapes/circle/broken.png': ")
    assert not Path("runs").exists()


def test_a_picture_that_cannot_be_read_is_one_line(cli: Cli, shapes: Path) -> None:
    assert cli("train", "--data", shapes, "--model", TINY, *SETS).status == 0
    Path("zero.png").write_bytes(b"")
    answer = cli("predict", "runs/fast-shapes-1", "zero.png")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: cannot read 'zero.png': it is empty (0 bytes); ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (PermissionError(13, "Permission denied", "photos/a.png"), "error: photos/a.png: Permission denied\n"),
        (FileExistsError(17, "File exists", "photos", None, "other"), "error: photos: File exists\n"),
    ],
)
def test_a_file_that_no_room_answers_for_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, fault: OSError, text: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("neocog.workflow.describe_data", fail)
    assert cli("data", "show", "photos") == Answer(2, "", text)


def test_an_error_of_the_system_that_names_no_file_is_a_bug_of_ours(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("neocog.workflow.describe_data", fail)
    with pytest.raises(OSError, match=r"^\[Errno 9\] Bad file descriptor$"):
        cli("data", "show", "photos")


def test_a_loss_that_explodes_is_one_line(cli: Cli, shapes: Path) -> None:
    answer = cli("train", "--data", shapes, "--model", TINY, *SETS, "--set", "optimizer.lr=1e30")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: the loss became ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        (["train", "--nope"], "No such option: --nope", "; see 'neocog train --help'"),
        (["predict", "run"], "Missing argument 'IMAGE…'", "; see 'neocog predict --help'"),
        (["nope"], "No such command 'nope'", "; see 'neocog --help'"),
        (["data", "nope"], "No such command 'nope'", "; see 'neocog data --help'"),
        (["train", "--seed", "x"], "Invalid value for '--seed': ", "; see 'neocog train --help'"),
        (["train", "--seed", "-1"], "Invalid value for '--seed': ", "; see 'neocog train --help'"),
        (["train", "fast", "more"], "Got unexpected extra argument", "; see 'neocog train --help'"),
        (["predict", "run", "a.png", "--top", "0"], "Invalid value for '--top': ", "; see 'neocog predict --help'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_make_no_command_are_one_line_too(cli: Cli, words: list[str], start: str, end: str) -> None:
    """What stands between start and end is typer's own, and changes with its version."""
    answer = cli(*words)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {start}")
    assert answer.err.endswith(f"{end}\n")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["predict"], ["data"], ["summary"]], ids=" ".join)
def test_a_verb_alone_shows_its_help(cli: Cli, words: list[str]) -> None:
    answer = cli(*words)
    assert answer.status in (0, 2)
    assert f"Usage: {' '.join(['neocog', *words])}" in answer.out + answer.err
    assert "error" not in answer.err


def test_markup_in_what_was_typed_is_shown_as_it_is(cli: Cli) -> None:
    answer = cli("evaluate", "[red]nowhere[/red]")
    assert answer.err == (
        "error: there is no run directory '[red]nowhere[/red]'; `neocog train` prints where a run lies\n"
    )
