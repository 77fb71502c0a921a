"""The package's face: every public name, in whatever order it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import neocog
from conftest import ENVIRONMENT

ORDERS = """
import importlib, sys, types
import neocog
assert "torch" not in sys.modules, "importing neocog imported torch"
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
        assert callable(value) and not isinstance(value, types.ModuleType), f"{name} after {order} is {value}"
"""


def test_any_order_of_first_use_gives_functions_and_no_modules() -> None:
    orders = [
        "load train",
        "import:workflow",
        "import:training import:summary",
        "Evaluation evaluate wilson_interval",
        " ".join(reversed(neocog.__all__)),
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ORDERS, *orders],
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_public_name_is_there_and_listed() -> None:
    assert set(neocog.__all__) <= set(dir(neocog))
    for name in neocog.__all__:
        assert getattr(neocog, name) is getattr(neocog, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError) as caught:
        neocog.trian  # noqa: B018
    assert str(caught.value) == "module 'neocog' has no attribute 'trian'"
