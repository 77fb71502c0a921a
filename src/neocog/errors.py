"""Every error a user can cause, as one family.

    NeocogError               catch this one to catch them all
    ├── LayerError            a layer text that can't be read, or a layer that can't follow the one before it
    ├── OperationError        a convolution or pooling that can't be done on these numbers
    ├── KernelError           a kernel that has no such name, can't be read or can't be learned
    ├── RecipeError           an unknown recipe or key, or a value out of range
    ├── DataError             a data set, folder or array that can't be trained on
    │   ├── PictureError      one picture that can't be read
    │   └── DownloadError     no source gave the bytes that were wanted
    ├── DeviceError           a device or precision this machine doesn't have
    ├── RunError              a run directory that exists already, is incomplete, or can't be written
    ├── TrainingError         training that can't go on: the loss became infinite or not a number
    └── ExplanationError      a layer or neuron that isn't there, or a method that doesn't fit the network

A message says what, where, which value, and how to mend it, in one line. The command line prints that line and
exits with status 2; a traceback is a bug of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_LISTED = 25  # a longer list hides the hint


class NeocogError(Exception):
    """Something the user gave can't be used; the text says what and how to mend it."""


class LayerError(NeocogError):
    """A layer text that can't be read, or a layer that can't follow the one before it."""


class OperationError(NeocogError):
    """A convolution or pooling that can't be done: shapes that don't fit, a wrong type, a method that can't do it."""


class KernelError(NeocogError):
    """A kernel that has no such name, can't be read or can't be learned."""


class RecipeError(NeocogError):
    """An unknown recipe or key, or a value out of range."""


class DataError(NeocogError):
    """A data set, folder or array that can't be trained on."""


class PictureError(DataError):
    """One picture that can't be read."""


class DownloadError(DataError):
    """No source gave the bytes that were wanted."""


class DeviceError(NeocogError):
    """A device or precision this machine doesn't have."""


class RunError(NeocogError):
    """A run directory that exists already, is incomplete, or can't be written."""


class TrainingError(NeocogError):
    """Training that can't go on."""


class ExplanationError(NeocogError):
    """A layer or neuron that isn't there, or a method that doesn't fit the network."""


def unknown(kind: str, got: str, known: Iterable[str]) -> str:
    """The sentence for a name that isn't one of ours, with the nearest right one.

    >>> unknown("data set", "mnst", ["mnist", "kmnist", "digits"])
    "unknown data set 'mnst'; did you mean 'mnist'? Known: digits, kmnist, mnist"
    """
    choices = sorted(known)
    close = get_close_matches(got.lower(), choices, n=1, cutoff=0.5)
    if close and len(choices) > _MOST_LISTED:
        return f"unknown {kind} '{got}'; did you mean '{close[0]}'?"
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"unknown {kind} '{got}'; {hint}Known: {', '.join(choices)}"
