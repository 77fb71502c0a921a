"""Mistakes planted in the real source: each is caught by at least two kinds of checks, so by at least two tests.

The checks are those of `test_grid.py`: against torch (`test_listed`), by hand (`test_by_hand`), and the sums of the
same products in three ways (`test_the_three_sum_the_same_products`).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from types import ModuleType

import pytest
import test_autograd
import test_flips
import test_transposed
from cases import OPERATIONS, caught_by

from neocog import ops
from neocog.ops.contract import Algorithm
from neocog.ops.methods import HOMES, METHODS, algorithm


def planted(monkeypatch, name: str, old: str = "", new: str = "") -> ModuleType:
    """The file of that name, with `new` for `old`, as the module that others then import."""
    path = Path(ops.__file__).with_name(f"{name}.py")
    text = path.read_text(encoding="utf-8")
    if old and text.count(old) != 1:
        pytest.fail(f"{name}.py has {text.count(old)} times: {old}")
    module = ModuleType(f"neocog.ops.{name}")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text.replace(old, new) if old else text, str(path), "exec"), module.__dict__)
    return module


# File, mistake, and which operations of which methods it spoils; below, the text as it stands and as it would be wrong.
MISTAKES = """
loops.py: kernel flipped, which spoils forward of loops
- + s * column_gap] * w[k][d][r][s]
+ + s * column_gap] * w[k][d][R - 1 - r][S - 1 - s]

loops.py: kernel flipped, which spoils grad_x of loops
- += g[n][k][p][q] * w[k][d][r][s]
+ += g[n][k][p][q] * w[k][d][R - 1 - r][S - 1 - s]

loops.py: kernel flipped, which spoils grad_w of loops
- gw[k][d][r][s] = total
+ gw[k][d][R - 1 - r][S - 1 - s] = total

shift.py: kernel flipped, which spoils forward of shift
- y_GJM.baddbmm_(w_RSGJD[r, s]
+ y_GJM.baddbmm_(w_RSGJD[-1 - r, -1 - s]

shift.py: kernel flipped, which spoils grad_x of shift
- (w_RSGJD[r, s].mT @ g_GJM)
+ (w_RSGJD[-1 - r, -1 - s].mT @ g_GJM)

shift.py: kernel flipped, which spoils grad_w of shift
- gw_RSGJD[r, s] =
+ gw_RSGJD[-1 - r, -1 - s] =

im2col.py: kernel flipped, which spoils forward of im2col
- w_GJL = w_KCRS.reshape
+ w_GJL = w_KCRS.flip(2, 3).reshape

im2col.py: kernel flipped, which spoils grad_x of im2col
- w_GLJ = w_KCRS.reshape
+ w_GLJ = w_KCRS.flip(2, 3).reshape

im2col.py: kernel flipped, which spoils grad_w of im2col
- return gw_GJL.view(K, D, R, S)
+ return gw_GJL.view(K, D, R, S).flip(2, 3)

toeplitz.py: kernel flipped, which spoils forward of toeplitz
- w_KCRS.flatten(1)[:, pattern.cell_E]
+ w_KCRS.flip(2, 3).flatten(1)[:, pattern.cell_E]

toeplitz.py: kernel flipped, which spoils grad_x of toeplitz
- w_GCJ = w_KCRS.reshape
+ w_GCJ = w_KCRS.flip(2, 3).reshape

toeplitz.py: kernel flipped, which spoils forward grad_x of toeplitz-dense
- values_GJE = w_KCRS.reshape
+ values_GJE = w_KCRS.flip(2, 3).reshape

toeplitz.py: kernel flipped, which spoils grad_w of toeplitz toeplitz-dense
- return gw.view(K, D, *spec.kernel_size)
+ return gw.view(K, D, *spec.kernel_size).flip(2, 3)

fft.py: the conjugate left out, so the kernel is flipped, which spoils forward of fft
- _waves(_spread(w_KCRS, spec.dilation, size)).conj_physical_()
+ _waves(_spread(w_KCRS, spec.dilation, size))

fft.py: a conjugate too many, which spoils grad_x of fft
- _waves(_spread(w_KCRS, spec.dilation, size)),
+ _waves(_spread(w_KCRS, spec.dilation, size)).conj_physical_(),

fft.py: the conjugate left out, which spoils grad_w of fft
- _waves(_spread(g_NKPQ, spec.stride, size)).conj_physical_()
+ _waves(_spread(g_NKPQ, spec.stride, size))

winograd.py: kernel flipped, which spoils forward grad_x of winograd winograd-4x4
- return w_KCRS.permute(2, 3, 0, 1)
+ return w_KCRS.flip(2, 3).permute(2, 3, 0, 1)

winograd.py: kernel flipped, which spoils grad_w of winograd winograd-4x4
- .permute(2, 3, 0, 1).contiguous()
+ .permute(2, 3, 0, 1).flip(2, 3).contiguous()

padding.py: one zero too many above, one too few below, which spoils forward grad_w of loops shift im2col
- (left, right, top, bottom)
+ (left, right, top + 1, bottom - 1)

padding.py: one zero too many at the left, one too few at the right, which spoils forward grad_w of loops shift im2col
- (left, right, top, bottom)
+ (left + 1, right - 1, top, bottom)

padding.py: padding cut away one column too far right, which spoils grad_x of loops shift im2col fft
- left : left + input_size[1]]
+ left + any(spec.padding) : left + any(spec.padding) + input_size[1]]

toeplitz.py: windows begin one row too high, which spoils forward grad_x grad_w of toeplitz toeplitz-dense
- (p * down - top)
+ (p * down - top - 1)

fft.py: one zero too many at the left, which spoils forward grad_w of fft
- (left, size[1] - left - W,
+ (left + 1, size[1] - left - W - 1,

winograd.py: one zero too many above, one too few below, which spoils forward grad_x grad_w of winograd winograd-4x4
- (top, bottom + below,
+ (top + 1, bottom + below - 1,

loops.py: strides of rows and columns changed over, which spoils forward of loops
- total += x[n][first + d][p * down + r * row_gap][q * right
+ total += x[n][first + d][p * right + r * row_gap][q * down

loops.py: dilations of rows and columns changed over, which spoils grad_w of loops
- x[n][c][p * down + r * row_gap][q * right + s * column_gap]
+ x[n][c][p * down + r * column_gap][q * right + s * row_gap]

padding.py: a cell's dilations changed over, which spoils forward grad_x grad_w of shift
- r * spec.dilation[0], s * spec.dilation[1]
+ r * spec.dilation[1], s * spec.dilation[0]

padding.py: a cell's stride left out along the columns, which spoils forward grad_x grad_w of shift
- left : right : spec.stride[1]]
+ left : left + output_size[1]]

im2col.py: strides changed over, which spoils forward grad_x grad_w of im2col
- unfold(2, height, down).unfold(3, width, right)
+ unfold(2, height, right).unfold(3, width, down)

toeplitz.py: a dilation left out, which spoils forward grad_x grad_w of toeplitz toeplitz-dense
- (r * (row_gap * W))
+ (r * W)

fft.py: the spread kernel's steps changed over, which spoils forward grad_x grad_w of fft
- field[..., : rows : steps[0], : columns : steps[1]]
+ field[..., : columns : steps[1], : rows : steps[0]]

loops.py: every group reads the first group's channels, which spoils grad_w of loops
- c = k // (K // spec.groups) * D + d
+ c = d

toeplitz.py: groups ignored, which spoils forward of toeplitz
- kernel_K // (K // G) * (D * pixels)
+ kernel_K * 0 * (D * pixels)

toom_cook.py: a root's sign, which spoils forward grad_x grad_w of winograd winograd-4x4
- higher - root * same
+ higher + root * same

winograd.py: a matrix multiplied from one side only, which spoils grad_w of winograd winograd-4x4
- products = _nested(At.T, _cut(g_NKPQ, writes)) @
+ products = _nested(At.T, _cut(g_NKPQ, writes)).transpose(0, 1) @
"""


@dataclass(frozen=True)
class Mistake:
    what: str
    file: str
    old: str
    new: str
    operations: list[str]
    methods: list[str]

    @classmethod
    def read(cls, lines: str) -> Mistake:
        what, old, new = lines.strip().split("\n")
        file, operations, methods = re.fullmatch(r"(\w+)\.py: .*, which spoils (.*) of (.*)", what).groups()
        return cls(what, file, old.removeprefix("- "), new.removeprefix("+ "), operations.split(), methods.split())


PLANTED = [Mistake.read(lines) for lines in MISTAKES.split("\n\n")]


@pytest.mark.parametrize("mistake", PLANTED, ids=lambda mistake: mistake.what)
def test_a_planted_mistake_is_caught_twice(mistake, monkeypatch):
    planted(monkeypatch, mistake.file, mistake.old, mistake.new)
    for method in mistake.methods:
        home, name = HOMES[method]
        module = sys.modules[f"neocog.ops.{home}"] if home == mistake.file else planted(monkeypatch, home)
        for operation in mistake.operations:
            caught = list(islice(caught_by(getattr(module, name), operation), 2))
            assert len(caught) == 2, f"{method}.{operation}: '{mistake.what}' is caught by {caught or 'nothing'}"


def test_every_operation_of_every_method_has_a_mistake():
    pairs = {pair for mistake in PLANTED for pair in product(mistake.methods, mistake.operations)}
    assert pairs == set(product(METHODS, OPERATIONS))


@pytest.mark.parametrize("method", METHODS)
def test_without_a_mistake_nothing_is_caught(method, monkeypatch):
    home, name = HOMES[method]
    for file in ("padding", "toom_cook"):
        planted(monkeypatch, file)
    found = getattr(planted(monkeypatch, home), name)
    for operation in OPERATIONS:
        assert list(caught_by(found, operation)) == []


def test_a_mistake_that_no_longer_fits_the_source_fails(monkeypatch):
    with pytest.raises(pytest.fail.Exception, match=r"^padding\.py has 0 times: a line that was there once$"):
        planted(monkeypatch, "padding", "a line that was there once", "another")


@dataclass(frozen=True)
class Misled(Algorithm):
    """A right algorithm that is given something wrong, whichever it is."""

    inner: Algorithm
    mislead: object

    def supports(self, spec):
        return self.inner.supports(spec)

    def forward(self, x_NCHW, w_KCRS, spec):
        w, spec = self.mislead(w_KCRS, spec)
        return self.inner.forward(x_NCHW, w, spec)

    def grad_x(self, g_NKPQ, w_KCRS, spec, input_size):
        w, spec = self.mislead(w_KCRS, spec)
        return self.inner.grad_x(g_NKPQ, w, spec, input_size)

    def grad_w(self, g_NKPQ, x_NCHW, spec):
        gw = self.inner.grad_w(g_NKPQ, x_NCHW, self.mislead(x_NCHW, spec)[1])
        return self.mislead(gw, spec)[0]

    def _cost(self, *given):
        return self.inner._cost(*given)


def _moved(spec):
    """The picture one row further down; a spec without padding stays as it is."""
    top, bottom, left, right = spec.padding
    return replace(spec, padding=(top + 1, bottom - 1, left, right)) if bottom else spec


MISLEADING = {
    "square kernels transposed": lambda w, spec: (w.mT if w.shape[2] == w.shape[3] else w, spec),
    "kernels flipped in their rows only": lambda w, spec: (w.flip(2), spec),
    "one off in the padding": lambda w, spec: (w, _moved(spec)),
    "kernels in another order": lambda w, spec: (w.roll(1, 0), spec),
}


@pytest.mark.parametrize("method", METHODS)
def test_misled_algorithms_are_caught_twice(method):
    for what, operation in product(MISLEADING, OPERATIONS):
        caught = list(islice(caught_by(Misled(algorithm(method), MISLEADING[what]), operation), 2))
        assert caught == ["torch", "by hand"], f"{method}.{operation}, {what}: caught by {caught or 'nothing'}"


# What is wrong in the functions that people call, and the tests that see it.
DOOR = [
    (
        "convolution",
        "turned = kernel.flip(0, 1)",
        "turned = kernel",
        [
            lambda: test_flips.test_they_are_scipys("im2col", "full"),
            lambda: test_flips.test_the_flip_by_hand("im2col"),
            test_flips.test_a_flip_is_a_half_turn_not_a_quarter,
        ],
    ),
    (
        "convolution",
        "turned = kernel.flip(0, 1)",
        "turned = kernel.rot90()",
        [
            lambda: test_flips.test_they_are_scipys("im2col", "valid"),
            lambda: test_flips.test_the_flip_by_hand("im2col"),
            test_flips.test_a_flip_is_a_half_turn_not_a_quarter,
        ],
    ),
    (
        "convolution",
        "padding=(*rows[::-1], *columns[::-1])",
        "padding=(*rows, *columns)",
        [
            lambda: test_flips.test_they_are_scipys("im2col", "same"),
            lambda: test_flips.compare("im2col", (5, 5), (2, 2), "same"),
        ],
    ),
    (
        "functions",
        "gb = g_NKPQ.sum((0, 2, 3))",
        "gb = g_NKPQ.mean((0, 2, 3))",
        [
            lambda: test_autograd.test_bias("im2col"),
            lambda: test_autograd.test_a_layer_learns_its_kernels("im2col"),
            lambda: test_autograd.test_derivatives_are_those_of_differences("im2col", test_autograd.SMALL[0]),
        ],
    ),
    (
        "functions",
        "gg = forward(x_NCHW, h_KCRS, None, ctx.spec, ctx.algorithm)",
        "gg = forward(x_NCHW, h_KCRS.flip(2, 3), None, ctx.spec, ctx.algorithm)",
        [
            lambda: test_autograd.test_derivatives_are_those_of_differences("im2col", test_autograd.SMALL[0]),
            lambda: test_autograd.test_third_derivatives("im2col"),
        ],
    ),
    (
        "convolution",
        "(size - 1) * window.stride - window.before - window.after + window.extent + more",
        "(size - 1) * window.stride - window.before - window.before + window.extent + more",
        [
            lambda: test_transposed.test_by_hand("im2col"),
            lambda: test_transposed.test_it_undoes_the_change_of_size("im2col"),
        ],
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "tests"), DOOR, ids=[row[2] for row in DOOR])
def test_a_mistake_in_the_functions_fails_at_least_two_tests(file, old, new, tests, monkeypatch):
    def use(module):
        for name in ("conv2d", "conv_transpose2d", "correlate2d", "convolve2d"):
            monkeypatch.setattr(ops, name, getattr(module, name), raising=False)

    for test in tests:
        use(planted(monkeypatch, "convolution"))
        test()
        planted(monkeypatch, file, old, new)
        use(sys.modules["neocog.ops.convolution"] if file == "convolution" else planted(monkeypatch, "convolution"))
        with pytest.raises((AssertionError, RuntimeError)):
            test()
        monkeypatch.undo()
