"""The command line from end to end: a folder of pictures is trained on, measured and asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neocog
from conftest import ENVIRONMENT, STEPS, TINY, Answer, drawn
from neocog.cli.options import print_json
from neocog.errors import RunError

Cli = Callable[..., Answer]
SETS = [word for key, value in STEPS.items() for word in ("--set", f"{key}={value}")]
VERBS = (
    ["train"],
    ["evaluate"],
    ["predict"],
    ["summary"],
    ["recipes"],
    ["data", "list"],
    ["data", "show"],
    ["data", "check"],
    ["data", "fetch"],
)


def parsed(answer: Answer) -> dict[str, Any]:
    """The one JSON object that is all of standard output; nothing else was said."""
    assert answer.status == 0, answer.err
    assert answer.err == ""
    found = json.loads(answer.out)
    assert isinstance(found, dict)
    return found


def train(cli: Cli, shapes: Path, *more: object) -> Answer:
    return cli("train", "fast", "--data", shapes, "--model", TINY, *SETS, *more)


def test_strange_signs_are_escaped_as_json_does_it(capsys: pytest.CaptureFixture[str]) -> None:
    content = {"class": "soft\u00adhyphen \x85 \x7f \U000e0067 \u202e Zoë 🐈"}
    print_json(content)
    out = capsys.readouterr().out
    assert json.loads(out) == content
    assert out == '{\n  "class": "soft\\u00adhyphen \\u0085 \\u007f \\udb40\\udc67 \\u202e Zoë 🐈"\n}\n'


def test_a_folder_from_end_to_end(cli: Cli, shapes: Path) -> None:
    results = parsed(train(cli, shapes, "--seed", 3, "--json"))
    assert {"run", "seed", "parameters", "train_seconds", "val_accuracy", "test_accuracy", "test_interval"} <= set(
        results
    )
    assert results["run"] == "runs/fast-shapes-1"
    assert results["seed"] == 3

    val = parsed(cli("evaluate", results["run"], "--split", "val", "--json"))
    assert (val["run"], val["split"]) == (results["run"], "validation")
    assert val["accuracy"] == results["val_accuracy"]
    test = parsed(cli("evaluate", results["run"], "--json"))
    assert (results["test_openings"], val["test_openings"], test["test_openings"]) == (1, 1, 2)
    assert test["accuracy"] == results["test_accuracy"]
    assert test["interval"] == results["test_interval"]

    pictures = [shapes / "circle" / "0.png", shapes / "square" / "1.png"]
    found = parsed(cli("predict", results["run"], *pictures, "--top", 2, "--json"))["predictions"]
    assert [item["picture"] for item in found] == [str(picture) for picture in pictures]
    assert [len(item["top"]) for item in found] == [2, 2]
    assert [item["class"] for item in found] == neocog.load(results["run"]).predict(pictures)

    summary = parsed(cli("summary", results["run"], "--json"))
    assert summary["total_parameters"] == results["parameters"]


def test_the_answers_for_people(cli: Cli, shapes: Path) -> None:
    answer = train(cli, shapes, "--run", "mine")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    heads = ["test accuracy", "validation accuracy", "training", "parameters", "run"]
    assert [line[:20].rstrip() for line in lines] == heads
    assert lines[3:] == ["parameters          343", "run                 mine"]
    assert "6 steps" in lines[2]

    answer = cli("evaluate", "mine", "--split", "test")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("test: ")
    assert answer.out.endswith("\n\nthe run's own test part: opened 2 times\n")
    for name in ("circle", "cross", "square"):
        assert name in answer.out
    assert "opened" not in cli("evaluate", "mine", "--split", "val").out

    answer = cli("predict", "mine", shapes / "circle")
    assert (answer.status, answer.err) == (0, "")
    assert len([line for line in answer.out.splitlines() if line.startswith("shapes/circle/")]) == 10


def test_a_published_recipe_says_what_its_lesson_measures(cli: Cli, shapes: Path) -> None:
    Path("lesson.toml").write_text(
        f'name = "lesson"\ndataset = {{ name = "{shapes}", validation = 0 }}\nmodel.layers = "{TINY}"\n'
        "train = { iterations = 6, precision = 'float32', device = 'cpu' }\nloader.batch_size = 8\n"
        "[published]\nsource = 'a lesson'\nfaults = ['the test set is looked at all the time']\n"
        "meter = true\nevery = 3\npart = 'train'\naccuracy = 0.9\n"
    )
    results = parsed(cli("train", "lesson.toml", "--json"))
    found = results["as_published"]
    assert (found["part"], found["openings"], results["test_openings"]) == ("train", 2, 3)
    assert (found["faults"], found["changed"]) == (["the test set is looked at all the time"], [])
    assert cli("train", "lesson.toml").out.endswith(
        "as published        fault: the test set is looked at all the time\n"
        "lesson              reports 90.00 %\n"  # a file of one's own has no name for `reproduce`
    )
    answer = cli("train", "lesson.toml", "--data", shapes, "--set", "train.iterations=9", "--run", "mine")
    assert (answer.status, answer.err) == (0, "")
    lines = [line[20:] for line in answer.out.splitlines() if line.startswith("as published ")]
    assert lines[0].endswith(" % on the training pictures, which the lesson calls test")
    assert lines[1].startswith("the test set as progress meter: ")
    assert lines[1].endswith(" % (opened 4 times)")
    # A fault may be mended by the change, so none is claimed.
    assert lines[2:] == []
    assert answer.out.splitlines()[-1] == (
        "changed             train.iterations, so no longer as published; the lesson's faults may not apply"
    )
    assert answer.out.splitlines()[0].endswith("; opened 4 times)")
    assert cli("evaluate", "mine").out.endswith("\n\nthe run's own test part: opened 5 times\n")


def test_a_run_that_can_only_be_read_is_measured_and_not_counted(
    cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise RunError("cannot write")

    run = parsed(train(cli, shapes, "--json"))["run"]
    monkeypatch.setattr("neocog.run.RunDirectory.append_evaluation", refused)
    answer = cli("evaluate", run)
    assert (answer.status, answer.err) == (0, "cannot write\n")
    assert answer.out.endswith("\n\nthe run's own test part: opened 1 time\n")


def test_remarks_go_to_standard_error(cli: Cli, shapes: Path) -> None:
    (shapes / "circle" / "notes.txt").write_text("no picture")
    answer = train(cli, shapes, "--json")
    assert answer.status == 0
    results = json.loads(answer.out)
    assert results["notes"] == answer.err.splitlines() != []
    again = cli("evaluate", results["run"], "--json")
    assert (again.status, again.err) == (0, answer.err)


def test_colours_that_are_forced_bring_no_bars(cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert parsed(train(cli, shapes, "--json"))["steps"] == 6


def test_a_run_is_repeated_from_its_recipe(cli: Cli, shapes: Path) -> None:
    first = parsed(train(cli, shapes, "--json"))["run"]
    again = parsed(cli("train", f"{first}/recipe.toml", "--json"))["run"]
    assert again != first
    assert Path(again, "weights.safetensors").read_bytes() == Path(first, "weights.safetensors").read_bytes()


def test_other_values_reach_the_recipe(cli: Cli, shapes: Path) -> None:
    run = parsed(train(cli, shapes, "--set", "optimizer.lr=0.02", "--set", "dataset.augment={rotate=10}", "--json"))[
        "run"
    ]
    recipe = neocog.Recipe.load(run)
    assert recipe.optimizer.lr == 0.02
    assert recipe.dataset.augment.rotate == 10
    assert recipe.train.precision == "float32"


def test_code_is_a_model_when_it_is_named(cli: Cli, shapes: Path) -> None:
    Path("cli_code.py").write_text(
        "from torch import nn\ndef net(c, k):\n    return nn.Sequential(nn.Flatten(), nn.Linear(100 * c, k))\n"
    )
    run = parsed(cli("train", "--data", shapes, "--model", "cli_code:net", *SETS, "--json"))["run"]
    picture = shapes / "circle" / "0.png"
    text = (
        "error: this recipe's network is code, 'cli_code:net', and files may not choose code to run; "
        "allow it with --model cli_code:net\n"
    )
    for words in (("train", run), ("evaluate", run), ("predict", run, picture), ("summary", run)):
        assert cli(*words) == Answer(2, "", text), words
    assert parsed(cli("evaluate", run, "--model", "cli_code:net", "--json"))["n"] == 6
    assert parsed(cli("predict", run, picture, "--model", "cli_code:net", "--json"))["predictions"]
    assert parsed(cli("summary", run, "--model", "cli_code:net", "--json"))["total_parameters"] == 303


def test_the_version(cli: Cli) -> None:
    assert cli("--version") == Answer(0, f"neocog {neocog.__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_each_verbs_help_has_an_example(cli: Cli, verb: list[str]) -> None:
    answer = cli(*verb, "--help")
    assert (answer.status, answer.err) == (0, "")
    lines = [line.strip() for line in answer.out.splitlines()]
    assert any(line.startswith(f"Example: neocog {' '.join(verb)}") for line in lines), answer.out


def test_help_lists_the_verbs(cli: Cli) -> None:
    answer = cli("--help")
    assert answer.status == 0
    for verb in ("train", "evaluate", "predict", "summary", "recipes", "data"):
        assert f" {verb} " in answer.out


def test_recipes_are_listed_and_shown_as_toml(cli: Cli) -> None:
    listed = parsed(cli("recipes", "--json"))
    assert "fast" in listed
    assert "model-a" in listed
    for name in listed:
        assert name in cli("recipes").out
    shown = cli("recipes", "fast")
    Path("mine.toml").write_text(shown.out)
    assert neocog.Recipe.load("mine.toml").optimizer == neocog.Recipe.load("fast").optimizer
    assert parsed(cli("recipes", "fast", "--json"))["optimizer"]["lr"] == 0.01


def test_data_are_listed_and_shown(cli: Cli, shapes: Path) -> None:
    names = [entry["name"] for entry in parsed(cli("data", "list", "--json"))["data"]]
    assert "mnist" in names
    for name in names:
        assert name in cli("data", "list").out
    facts = parsed(cli("data", "show", shapes, "--json"))
    assert facts["classes"] == ["circle", "cross", "square"]
    assert sum(sum(counts) for counts in facts["counts"].values()) == 30
    text = cli("data", "show", shapes)
    assert (text.status, text.err) == (0, "")
    assert "cross" in text.out


def test_a_summary_of_a_text(cli: Cli) -> None:
    text = "conv 16 5 same | relu | maxpool 2 | flatten | linear 10"
    answer = cli("summary", text, "--input", "1x28x28")
    assert answer.status == 0
    assert "(28 + 2·2 − 5)/1 + 1 = 28" in answer.out
    assert max(len(line) for line in answer.out.splitlines()) <= 100
    assert parsed(cli("summary", text, "--json")) == parsed(cli("summary", text, "--input", "1×28×28", "--json"))


def test_python_dash_m(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "neocog", *words],
            capture_output=True,
            text=True,
            timeout=120,
            env=ENVIRONMENT,
            check=False,
        )

    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"neocog {neocog.__version__}\n", "")
    done = run("summary", "relu", "--input", "28x28")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --input '28x28': write channels, height and width, such as 1x28x28\n"


def test_what_is_written_is_utf8_whatever_the_systems_encoding() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "neocog", "data", "list"],
        capture_output=True,
        timeout=120,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "cp1252"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "1×28×28" in done.stdout.decode()


def test_help_does_not_import_torch() -> None:
    script = (
        "import sys; sys.argv = ['neocog', 'train', '--help']\n"
        "from neocog.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_on_a_terminal_there_is_a_bar_and_then_the_answer(shapes: Path) -> None:
    import os
    import pty

    parent, child = pty.openpty()
    words = ["train", "fast", "--data", str(shapes), "--model", TINY, *SETS, "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "neocog", *words],
        stdout=subprocess.PIPE,
        stderr=child,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(child)
        shown = b""
        while True:
            try:
                piece = os.read(parent, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        out = process.stdout.read() if process.stdout else b""
    os.close(parent)
    assert process.returncode == 0, shown.decode()
    assert json.loads(out)["steps"] == 6
    assert b"decoding pictures" in shown
    assert b"training" in shown


def test_a_picture_of_another_kind_is_answered(cli: Cli, shapes: Path) -> None:
    run = parsed(train(cli, shapes, "--json"))["run"]
    drawn("circle", 50).resize((40, 25)).convert("RGBA").save("other.webp")
    assert len(parsed(cli("predict", run, "other.webp", "--json"))["predictions"]) == 1
