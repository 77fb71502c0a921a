"""The kernels with a name: each a function of its settings, with its source; normalised as `neocog.kernels` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from math import ceil, cos, exp, floor, fsum, log, pi, radians, sin, sqrt
from numbers import Integral
from types import MappingProxyType
from typing import Any

from neocog.errors import KernelError, unknown
from neocog.kernels.rows import Kernel, Rows, is_number, quoted

LARGEST_SIZE = 255
Maker = Callable[..., Rows]
_GONZALEZ = "Gonzalez & Woods, Digital Image Processing"
_POWELL = "Powell, Image Kernels Explained Visually (setosa.io/ev/image-kernels)"


@dataclass(frozen=True)
class NamedKernel:
    """A kernel that has a name: what it does, where it comes from, and its numbers as a function of settings.

    `instead` names the right kernel, for one that is here to show a published mistake.
    """

    name: str
    about: str
    source: str
    make: Maker
    instead: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """What it takes, with the values used when nothing is said; None is worked out from the others."""
        return {name: parameter.default for name, parameter in signature(self.make).parameters.items()}

    def used(self, **given: Any) -> dict[str, Any]:
        """The settings that `kernel` makes it of, those worked out from the others included.

        >>> KERNELS["gaussian"].used(size=5)
        {'size': 5, 'sigma': 1.1}
        """
        found = {**self.settings, **{key: value for key, value in given.items() if value is not None}}
        if self.name == "gabor":
            found["size"], found["sigma"] = _gabor_size_and_sigma(
                found["size"], found["sigma"], found["wavelength"], found["aspect"]
            )
        elif "sigma" in found:
            found["size"], found["sigma"] = _size_and_sigma(self.name, found["size"], found["sigma"])
        return found


_FOUND: dict[str, NamedKernel] = {}
KERNELS: Mapping[str, NamedKernel] = MappingProxyType(_FOUND)


def kernel(name: str, /, **settings: Any) -> Kernel:
    """The kernel of that name; a setting that is None counts as not given.

    Sizes, lengths, σ and wavelengths are in pixels. Angles are in degrees and go up as they grow: 0 is to the right,
    90 up. (OpenCV's and scikit-image's Gabor take radians and turn the other way, as their rows count downwards.)
    `normalize` divides by the multiple that `about` names; for a Laplacian with 4 neighbours that is 1.

    Raises:
        KernelError: an unknown name, a setting it doesn't take, or a value that makes no sense.

    >>> print(kernel("sobel", direction="y").text())
    -1 -2 -1
     0  0  0
     1  2  1
    >>> kernel("gaussian", size=5, sigma=1).total
    1.0
    """
    if not isinstance(name, str):
        raise KernelError(f"a kernel has no name {quoted(name)}; give one such as 'sobel'")
    if name not in KERNELS:
        if name.strip().startswith(tuple("+-−.([0123456789")):
            raise KernelError(
                f"kernel {quoted(name)} is rows of numbers, and not a name such as 'sobel'; read_kernel and convolve "
                "take rows"
            )
        raise KernelError(unknown("kernel", name, KERNELS))
    found = KERNELS[name]
    given = {key: value for key, value in settings.items() if value is not None}
    for key, value in given.items():
        if key not in found.settings:
            taken = " and ".join([", ".join([*found.settings][:-1]), [*found.settings][-1]]) if found.settings else ""
            raise KernelError(f"{name} takes no {key}; it takes {taken.removeprefix(' and ') or 'no settings'}")
        wanted, fits = _SETTINGS[key]
        if not fits(value):
            raise KernelError(f"{name}: {key} = {quoted(value)}: give {wanted}")
    return Kernel(name, found.make(**found.used(**given)), found.about, found.source)


def _number(value: Any) -> bool:
    return is_number(value) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and _number(value)


_SETTINGS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "size": (f"a whole number from 1 to {LARGEST_SIZE}", lambda value: _whole(value) and 1 <= value <= LARGEST_SIZE),
    "sigma": ("a number above 0, in pixels", lambda value: _number(value) and value > 0),
    "amount": ("a number above 0", lambda value: _number(value) and value > 0),
    "direction": ("'x' or 'y'", lambda value: value in ("x", "y")),
    "normalize": ("True or False", lambda value: isinstance(value, bool)),
    "neighbours": ("4 or 8", lambda value: _whole(value) and value in (4, 8)),
    "length": (
        f"an odd whole number from 1 to {LARGEST_SIZE}, in pixels",
        lambda value: _whole(value) and 1 <= value <= LARGEST_SIZE and value % 2 == 1,
    ),
    "angle": ("a number, in degrees", _number),
    "wavelength": ("a number of at least 2, in pixels", lambda value: _number(value) and value >= 2),
    "phase": ("a number, in degrees", _number),
    "aspect": ("a number above 0", lambda value: _number(value) and value > 0),
    "seed": ("a whole number", _whole),
}


def _named(name: str, about: str, source: str, instead: str = "") -> Callable[[Maker], Maker]:
    def enter(make: Maker) -> Maker:
        _FOUND[name] = NamedKernel(name, about, source, make, instead)
        return make

    return enter


# ---------------------------------------------------------------------------------- keeping brightness: they sum to 1


@_named("identity", "leaves the picture as it is: 1 in the centre, 0 around it", "the neutral element of convolution")
def _identity(*, size: int = 3) -> Rows:
    centre = _radius("identity", size)
    return _grid(size, lambda row, column: float(row == column == centre))


@_named("box", "blur: the mean of size × size pixels, each weighing 1/size²", f"{_GONZALEZ}, smoothing spatial filters")
def _box(*, size: int = 5) -> Rows:
    return _grid(size, lambda row, column: 1 / size**2)


@_named(
    "gaussian",
    "blur: exp(−(i² + j²)/2σ²), i rows and j columns from the centre, over its sum",
    f"{_GONZALEZ}; σ of a size: the formula of OpenCV's getGaussianKernel, 0.15·size + 0.35",
)
def _gaussian(*, size: int | None = None, sigma: float | None = None) -> Rows:
    """OpenCV itself takes fixed tables, and not its formula, for sizes up to 7 without a σ."""
    size, sigma = _size_and_sigma("gaussian", size, sigma)
    radius = _radius("gaussian", size)
    bell = [_bell((place - radius) / sigma) for place in range(size)]
    return _over(_grid(size, lambda row, column: bell[row] * bell[column]), fsum(bell) ** 2)


@_named(
    "sharpen",
    "the pixel plus its difference from its 4 neighbours: identity − laplacian",
    f"{_GONZALEZ}, sharpening with the Laplacian",
)
def _sharpen() -> Rows:
    return ((0, -1, 0), (-1, 5, -1), (0, -1, 0))


@_named(
    "unsharp",
    "sharpens by what a blur takes away: identity + amount·(identity − gaussian)",
    f"{_GONZALEZ}, unsharp masking and highboost filtering",
)
def _unsharp(*, size: int | None = None, sigma: float | None = None, amount: float = 1.0) -> Rows:
    size, sigma = _size_and_sigma("unsharp", size, sigma)
    centre, blur = _radius("unsharp", size), _gaussian(size=size, sigma=sigma)
    return _grid(size, lambda row, column: (1 + amount) * (row == column == centre) - amount * blur[row][column])


@_named(
    "emboss",
    "relief: the pixel plus the change towards the lower right",
    _POWELL,
)
def _emboss() -> Rows:
    return ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))


@_named(
    "motion",
    "blur: the mean along a line of length pixels; angle 0 to the right, 90 up",
    f"{_GONZALEZ}, image restoration: blur by uniform linear motion",
)
def _motion(*, length: int = 5, angle: float = 0.0) -> Rows:
    radius = length // 2
    weights = [[0.0] * length for _ in range(length)]
    for step in range(-radius, radius + 1):
        # Rounded, so that a right angle hits its pixels although its cosine isn't quite 0.
        row = round(radius - step * sin(radians(angle)), 9)
        column = round(radius + step * cos(radians(angle)), 9)
        # A point between pixels counts for the four around it, the nearer the more.
        for i, row_share in _shares(row):
            for j, column_share in _shares(column):
                weights[i][j] += row_share * column_share / length
    return tuple(tuple(row) for row in weights)


# ------------------------------------------------------------------------------------ measuring change: they sum to 0

_SLOPE = "times the change per pixel to the right (direction x) or downwards (y)"


@_named(
    "sobel",
    f"8 {_SLOPE}",
    "Sobel & Feldman, An Isotropic 3×3 Image Gradient Operator (talk at Stanford, 1968)",
)
def _sobel(*, direction: str = "x", normalize: bool = False) -> Rows:
    return _slope((1, 2, 1), direction, normalize)


@_named(
    "prewitt",
    f"6 {_SLOPE}",
    "Prewitt, Object Enhancement and Extraction (Picture Processing and Psychopictorics, 1970)",
)
def _prewitt(*, direction: str = "x", normalize: bool = False) -> Rows:
    return _slope((1, 1, 1), direction, normalize)


@_named(
    "scharr",
    f"32 {_SLOPE}",
    "after Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung (Heidelberg, 2000), in whole numbers",
)
def _scharr(*, direction: str = "x", normalize: bool = False) -> Rows:
    return _slope((3, 10, 3), direction, normalize)


@_named(
    "laplacian",
    "second derivative ∂²/∂x² + ∂²/∂y²; 3 times as much with 8 neighbours",
    f"{_GONZALEZ}, sharpening with the Laplacian",
)
def _laplacian(*, neighbours: int = 4, normalize: bool = False) -> Rows:
    if neighbours == 4:  # is the second derivative already, so normalize changes nothing
        return ((0, 1, 0), (1, -4, 1), (0, 1, 0))
    return _over(((1, 1, 1), (1, -8, 1), (1, 1, 1)), 3 if normalize else 1)


@_named(
    "outline",
    "8 times the pixel minus its 8 neighbours: bright where a pixel stands out",
    _POWELL,
)
def _outline() -> Rows:
    return ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))


@_named(
    "gabor",
    "stripes of one wavelength, crossed at angle; positive numbers sum to 1",
    "Petkov & Kruizinga, Biological Cybernetics 76 (1997), 83–96",
)
def _gabor(
    *,
    size: int | None = None,
    wavelength: float = 4.0,
    angle: float = 0.0,
    sigma: float | None = None,
    phase: float = 0.0,
    aspect: float = 0.5,
) -> Rows:
    """exp(−(x′² + aspect²·y′²)/2σ²) · (cos(2πx′/wavelength + phase) − c), x′ across the stripes and y′ along them.

    c is chosen so that the numbers sum to 0. Unless sigma is given, the frequencies answered to with at least half the
    strength span one octave: σ/λ = √(ln 2 / 2)/π · (2 + 1)/(2 − 1) = 0.56. Unless size is given, it holds 3σ across the
    stripes and 3σ/aspect along them, whatever the angle.
    """
    size, sigma = _gabor_size_and_sigma(size, sigma, wavelength, aspect)
    radius = _radius("gabor", size)
    bells: list[list[float]] = []
    waves: list[list[float]] = []
    for row in range(size):
        x, y = [column - radius for column in range(size)], radius - row
        across = [i * cos(radians(angle)) + y * sin(radians(angle)) for i in x]
        along = [y * cos(radians(angle)) - i * sin(radians(angle)) for i in x]
        bells.append([_bell(a / sigma) * _bell(b / sigma * aspect) for a, b in zip(across, along, strict=True)])
        waves.append([cos(2 * pi * a / wavelength + radians(phase)) for a in across])
    under = fsum(b for row in bells for b in row)
    shift = fsum(b * w for rows in zip(bells, waves, strict=True) for b, w in zip(*rows, strict=True)) / under
    rows = _grid(size, lambda row, column: bells[row][column] * (waves[row][column] - shift))
    half = fsum(abs(value) for row in rows for value in row) / 2
    if half < 1e-6:
        raise KernelError(
            f"gabor: with size = {size}, wavelength = {wavelength:g}, sigma = {sigma:g} and phase = {phase:g} nothing "
            "of the wave falls on the pixels; change one of them"
        )
    return _over(rows, half)


# ----------------------------------------------------------------------- two published mistakes, to see what they do


@_named(
    "box-as-published",
    "WRONG: 1/H*W is (1/H)·W = 1, so the sum of the pixels, not their mean",
    "a published lesson's blur, as it was run",
    instead="box",
)
def _box_as_published(*, size: int = 5) -> Rows:
    return _grid(size, lambda row, column: 1 / size * size)


@_named(
    "gaussian-as-published",
    "WRONG: normally distributed noise, not bell-shaped weights",
    "a published lesson's Gaussian blur, as it was run; seed names the noise",
    instead="gaussian",
)
def _gaussian_as_published(*, size: int = 5, seed: int = 0) -> Rows:
    from neocog.randomness import numpy_stream

    noise = numpy_stream(seed, "gaussian-as-published").standard_normal((size, size)).tolist()
    return tuple(tuple(row) for row in noise)


# ---------------------------------------------------------------------------------------------------- what they share


def _grid(size: int, weight: Callable[[int, int], float]) -> Rows:
    return tuple(tuple(weight(row, column) for column in range(size)) for row in range(size))


def _over(rows: Rows, divisor: float) -> Rows:
    return tuple(tuple(value / divisor for value in row) for row in rows)


def _bell(deviations: float) -> float:
    return exp(-deviations * deviations / 2)


def _slope(across: tuple[int, ...], direction: str, normalize: bool) -> Rows:
    """Right minus left, smoothed over the rows; both are two pixels apart, hence 2·Σ for the change per pixel."""
    rows = tuple((float(-weight), 0.0, float(weight)) for weight in across)
    turned = rows if direction == "x" else tuple(zip(*rows, strict=True))
    return _over(turned, 2 * sum(across) if normalize else 1)


def _radius(name: str, size: int) -> int:
    if size % 2 == 0:
        raise KernelError(f"{name}: size = {size} has no centre; give an odd size, such as {size - 1} or {size + 1}")
    return size // 2


def _size_and_sigma(name: str, size: int | None, sigma: float | None) -> tuple[int, float]:
    """The one that isn't given: a size that holds 3σ on each side, or σ from the size; size 5 when neither is."""
    if sigma is None:
        size = 5 if size is None else size
        return size, round(0.15 * size + 0.35, 2)
    if size is None:
        if 3 * sigma > LARGEST_SIZE // 2:
            raise KernelError(
                f"{name}: sigma = {sigma:g} needs more than {LARGEST_SIZE} pixels; give at most "
                f"{LARGEST_SIZE // 2 // 3}, or a size"
            )
        size = 2 * ceil(3 * sigma) + 1
    return size, sigma


def _gabor_size_and_sigma(size: int | None, sigma: float | None, wavelength: float, aspect: float) -> tuple[int, float]:
    sigma = wavelength * sqrt(log(2) / 2) / pi * 3 if sigma is None else sigma
    if size is None:
        widest = 3 * sigma * max(1, 1 / aspect)
        if widest > LARGEST_SIZE // 2:
            raise KernelError(
                f"gabor: with wavelength = {wavelength:g}, sigma = {sigma:g} and aspect = {aspect:g} the bell needs "
                f"more than {LARGEST_SIZE} pixels; give a size, or another of them"
            )
        size = 2 * ceil(widest) + 1
    return size, sigma


def _shares(place: float) -> list[tuple[int, float]]:
    """The whole numbers on both sides of a place, with the share of each; those with none are left out."""
    share = place - floor(place)
    return [(floor(place), 1 - share)] + ([(floor(place) + 1, share)] if share else [])
