"""The names of the algorithms. Importing this needs no torch; an algorithm is loaded when it is first asked for."""

from __future__ import annotations

from importlib import import_module

from neocog.errors import OperationError, unknown
from neocog.ops.arguments import one_line
from neocog.ops.contract import Algorithm
from neocog.ops.spec import ConvSpec, short, times

# name → file in this package, and the name of the algorithm in it
HOMES = {
    "loops": ("loops", "LOOPS"),
    "shift": ("shift", "SHIFT"),
    "im2col": ("im2col", "IM2COL"),
    "toeplitz": ("toeplitz", "SPARSE"),
    "toeplitz-dense": ("toeplitz", "DENSE"),
    "fft": ("fft", "FFT"),
    "winograd": ("winograd", "F2X2"),
    "winograd-4x4": ("winograd", "F4X4"),
}
METHODS = tuple(HOMES)


def algorithm(method: str) -> Algorithm:
    """The algorithm of that name.

    Raises:
        OperationError: there is none.
    """
    if not isinstance(method, str) or method not in HOMES:
        raise OperationError(unknown("method", one_line(str(method)), METHODS))
    home, name = HOMES[method]
    found: Algorithm = getattr(import_module(f"neocog.ops.{home}"), name)
    return found


def algorithm_for(method: str, spec: ConvSpec) -> Algorithm:
    """The algorithm of that name, if it can do the specification.

    Raises:
        OperationError: it can't, or there is none; the text names those that can.
    """
    found = algorithm(method)
    check_supports(found, spec)
    return found


def check_supports(found: Algorithm, spec: ConvSpec) -> None:
    """Raises OperationError unless that algorithm can do the specification; the text names those that can."""
    if not found.supports(spec):
        method = next((name for name in METHODS if algorithm(name) is found), type(found).__name__)
        size, stride, dilation = times(spec.kernel_size), short(spec.stride), short(spec.dilation)
        wanted = f"a {size} kernel at stride {stride} and dilation {dilation}"
        fitting = ", ".join(name for name in METHODS if algorithm(name).supports(spec))
        raise OperationError(f"method '{method}' does {found.does}, not {wanted}; methods that fit: {fitting}")
