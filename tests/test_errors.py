"""errors: the family as its tree draws it, and the sentence for an unknown name."""

from __future__ import annotations

import inspect

import pytest

from neocog import errors
from neocog.errors import NeocogError, unknown


def test_the_family_is_the_tree_in_the_docstring():
    parents = {
        "LayerError": "NeocogError",
        "OperationError": "NeocogError",
        "KernelError": "NeocogError",
        "RecipeError": "NeocogError",
        "DataError": "NeocogError",
        "PictureError": "DataError",
        "DownloadError": "DataError",
        "DeviceError": "NeocogError",
        "RunError": "NeocogError",
        "TrainingError": "NeocogError",
        "ExplanationError": "NeocogError",
        "NeocogError": "Exception",
    }
    family = {
        name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    }
    assert {name: kind.__base__.__name__ for name, kind in family.items()} == parents
    for name, kind in family.items():
        assert kind.__doc__, name
        assert name in errors.__doc__, "the tree at the top of the file"


def test_one_except_catches_every_one():
    for name in (
        "LayerError",
        "OperationError",
        "KernelError",
        "RecipeError",
        "PictureError",
        "DownloadError",
        "DeviceError",
        "RunError",
        "TrainingError",
    ):
        with pytest.raises(NeocogError, match=r"^what, where$"):
            raise getattr(errors, name)("what, where")


@pytest.mark.parametrize(
    ("got", "known", "want"),
    [
        ("mnst", ["mnist", "digits"], "unknown thing 'mnst'; did you mean 'mnist'? Known: digits, mnist"),
        ("MNIST", ["mnist", "digits"], "unknown thing 'MNIST'; did you mean 'mnist'? Known: digits, mnist"),
        ("zzz", ["mnist", "digits"], "unknown thing 'zzz'; Known: digits, mnist"),
        ("", ["b", "a"], "unknown thing ''; Known: a, b"),
        ("item7x", [f"item{n}" for n in range(30)], "unknown thing 'item7x'; did you mean 'item7'?"),
        ("q", ["b", "a", "c"], "unknown thing 'q'; Known: a, b, c"),
    ],
)
def test_unknown(got, known, want):
    assert unknown("thing", got, known) == want
    assert unknown("thing", got, iter(known)) == want, "any iterable"


def test_a_long_list_is_shown_whole_only_where_there_is_no_better_hint():
    known = [f"item{n:02}" for n in range(30)]
    assert unknown("thing", "zzz", known) == f"unknown thing 'zzz'; Known: {', '.join(known)}"
