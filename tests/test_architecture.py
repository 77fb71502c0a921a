"""What holds for the whole package: what importing costs, who prints, what is public, and how tests are written."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import neocog
from conftest import ENVIRONMENT

TESTS = Path(__file__).parent
PACKAGE = Path(neocog.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
LEAVING_OUT = {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}
TEST_FILES = sorted(TESTS.rglob("*.py"))
IMPORTS = """
import importlib, sys
for module, left_out in {pairs}:
    importlib.import_module(module)
    assert not left_out & set(sys.modules), (module, left_out & set(sys.modules))
"""
COMMANDS = """
import sys
from neocog.cli import main
for words in {commands}:
    sys.argv = ["neocog", *words.split()]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)
    assert "torch" not in sys.modules, words
"""
ORDERS = """
import importlib, sys, types
for order in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "neocog"]:
        del sys.modules[name]
    neocog = importlib.import_module("neocog")
    for name in order.split():
        if name.startswith("import:"):
            importlib.import_module("neocog." + name[7:])
        else:
            getattr(neocog, name)
    for name in neocog.__all__:
        value = getattr(neocog, name)
        assert not isinstance(value, types.ModuleType), f"{name} after {order} is {value}"
"""


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else TESTS))


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT
    )


def test_importing_leaves_the_heavy_out():
    # From the lowest up, in one process: what a module brings in is found before the next.
    lowest, third_party = ["neocog.errors", "neocog.geometry"], {"torch", "numpy", "pydantic", "typer"}
    others = ["neocog", "neocog.layers", "neocog.recipe", "neocog.data", "neocog.cli"]
    heavy = {"torch", "scipy", "matplotlib"}
    pairs = [(each, third_party) for each in lowest] + [(each, heavy) for each in others]
    done = python("-c", IMPORTS.format(pairs=pairs))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_line_leaves_torch_out():
    commands = ("--help", "train --help", "data check --help", "recipes", "recipes fast --json")
    done = python("-c", COMMANDS.format(commands=commands))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage: neocog") == 3, "the commands ran"


def calls(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(node.lineno, ast.unparse(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name != "cli"], ids=name_of)
def test_only_the_command_line_prints(path):
    printing = {"print", "pprint", "sys.stdout.write", "sys.stderr.write", "typer.echo", "click.echo", "rich.print"}
    assert [call for call in calls(path) if call[1] in printing] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sources_open_with_a_docstring_and_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    if not text:
        return  # an empty __init__.py marks a folder
    assert ast.get_docstring(ast.parse(text)), "say in one sentence what the file is for"
    assert [number for number, line in enumerate(text.splitlines(), 1) if len(line) > 120] == []


@pytest.mark.parametrize("name", sorted({*neocog.__all__} - {"catalogue"}))  # a mapping has no sentence of its own
def test_public_names_resolve_and_say_what_they_are(name):
    found = getattr(neocog, name)
    assert inspect.isclass(found) or inspect.isfunction(found)
    assert found.__module__.startswith("neocog.")
    docstring = inspect.getdoc(found)
    assert docstring and docstring[0].isupper(), "a sentence"
    assert not docstring.startswith(f"{name}("), "the dataclass's own signature says nothing"


def test_public_names_are_listed_in_order_and_all_have_a_home():
    assert list(neocog.__all__) == sorted(neocog.__all__)
    assert set(neocog.__all__) == set(neocog._HOMES)
    assert dir(neocog) == sorted([*neocog.__all__, "__version__"])


def test_any_order_of_first_use_gives_the_same_things_and_no_modules():
    orders = [
        "load train",
        "import:workflow",
        "import:training import:summary",
        "Evaluation evaluate wilson_interval",
        " ".join(reversed(neocog.__all__)),
    ]
    done = python("-W", "error", "-c", ORDERS, *orders)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match=r"^module 'neocog' has no attribute 'trian'$"):
        neocog.trian  # noqa: B018


def test_no_public_name_is_also_a_module():
    # `import neocog.x` binds the module over a function x.
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert modules & set(neocog.__all__) == set()


def empty_tests(text: str) -> list[int]:
    """Lines that prove nothing: `assert` of a constant, or a test left out without saying why."""
    found: list[int] = []
    with_reason: set[ast.expr] = set()
    for node in ast.walk(ast.parse(text)):  # a call comes before its own function
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and any(word.arg == "reason" for word in node.keywords):
            with_reason.add(node.func)
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) == "pytest.skip":
            with_reason.add(node.func)
        if isinstance(node, ast.Attribute) and node not in with_reason and ast.unparse(node) in LEAVING_OUT:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", [*SOURCES, *TEST_FILES], ids=name_of)
def test_nothing_is_asserted_or_skipped_without_saying_what(path):
    assert empty_tests(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("assert True", [1]),
        ("assert 1, 'why'", [1]),
        ("assert x", []),
        ("@pytest.mark.skip\ndef test(): x()", [1]),
        ("@pytest.mark.skip()\ndef test(): x()", [1]),
        ("@pytest.mark.skip(reason='no')\ndef test(): x()", []),
        ("pytest.skip()", [1]),
        ("pytest.skip('no display here')", []),
        ("@pytest.mark.skipif(y)\ndef test(): x()", [1]),
        ("@pytest.mark.skipif(y, reason='no')\ndef test(): x()", []),
    ],
)
def test_empty_tests_are_seen(text, want):
    assert empty_tests(text) == want


def test_printing_is_seen(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    print('x')\n    sys.stdout.write('x')\n")
    assert calls(planted) == [(2, "print"), (3, "sys.stdout.write")]
