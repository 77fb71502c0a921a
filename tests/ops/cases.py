"""What the tests of convolution share: specifications listed and drawn, numbers in any memory layout, two oracles.

Each `check_…` raises where an algorithm is wrong; `tests/ops/test_mutations.py` plants mistakes and sees them do so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log2, prod

import torch
from hand_worked import WORKED, Worked
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from neocog.errors import OperationError
from neocog.ops import functions
from neocog.ops.contract import Algorithm
from neocog.ops.spec import ConvSpec, Shape4

OPERATIONS = ("forward", "grad_x", "grad_w")
# Where products cancel, the rest is no measure of their rounding errors: each is at most 2⁻⁵³ of the largest product.
RELATIVE, CANCELLED = 1e-10, 1e-13


@dataclass(frozen=True)
class Case:
    """A specification with shapes that fit it."""

    what: str
    x: Shape4
    kernels: int
    spec: ConvSpec

    @property
    def w(self) -> Shape4:
        return (self.kernels, self.x[1] // self.spec.groups, *self.spec.kernel_size)

    @property
    def y(self) -> Shape4:
        return (self.x[0], self.kernels, *self.spec.output_size(self.x[2:]))

    def tensors(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
        """x, w and g = ∂L/∂y, normally distributed."""
        source = torch.Generator().manual_seed(seed)
        x, w, g = (torch.randn(shape, generator=source, dtype=dtype) for shape in (self.x, self.w, self.y))
        return x, w, g


def _case(what: str, x: Shape4, kernels: int, kernel_size: object, **walk: object) -> Case:
    return Case(what, x, kernels, ConvSpec.make(kernel_size, **walk))


LISTED = [
    _case("one of everything", (1, 1, 1, 1), 1, 1),
    _case("plain", (2, 3, 6, 5), 4, 3),
    _case("one channel, one kernel", (2, 1, 5, 7), 1, 3),
    _case("batch of 0", (0, 3, 6, 5), 4, 3),
    _case("batch of 0, no fit for winograd", (0, 4, 6, 5), 2, (2, 3), stride=2, padding=1, groups=2),
    _case("stride", (2, 2, 7, 7), 3, 3, stride=2),
    _case("unequal strides", (2, 2, 7, 8), 3, (3, 2), stride=(3, 2)),
    _case("stride larger than the kernel", (1, 2, 8, 8), 2, 2, stride=3),
    _case("stride that leaves rows unread", (1, 2, 8, 9), 2, 3, stride=4),
    _case("padding", (2, 2, 5, 4), 3, 3, padding=1),
    _case("unequal padding", (1, 2, 4, 5), 3, (3, 5), padding=(1, 2)),
    _case("four-sided padding", (2, 2, 5, 4), 3, 3, padding=(2, 0, 1, 3)),
    _case("padding on one side", (1, 2, 4, 4), 2, 2, padding=(0, 0, 0, 1)),
    _case("padding on one side of one map", (1, 1, 4, 4), 1, 2, padding=(0, 1, 0, 0)),
    _case("padding larger than the kernel", (1, 1, 2, 3), 2, 2, padding=3),
    _case("most windows see nothing but padding", (2, 2, 1, 1), 2, 1, stride=2, padding=2),
    _case("padding and stride", (2, 2, 6, 7), 3, 5, padding=2, stride=(2, 3)),
    _case("same", (2, 2, 5, 6), 3, 5, padding="same"),
    _case("same for even kernels", (2, 2, 5, 6), 3, (4, 2), padding="same"),
    _case("same at a dilation", (1, 2, 5, 6), 2, (2, 3), padding="same", dilation=(3, 2)),
    _case("valid", (2, 2, 5, 6), 3, (2, 4), padding="valid"),
    _case("dilation", (2, 2, 7, 6), 3, 3, dilation=2),
    _case("unequal dilations", (1, 2, 6, 8), 3, (2, 3), dilation=(1, 3)),
    _case("dilation and stride", (2, 2, 9, 8), 2, 3, dilation=(2, 3), stride=(3, 2), padding=2),
    _case("groups", (2, 4, 5, 5), 6, 3, groups=2),
    _case("groups of 1×1 kernels", (2, 6, 3, 4), 3, 1, groups=3),
    _case("depthwise", (2, 3, 5, 6), 3, 3, padding="same", groups=3),
    _case("depthwise, two kernels each", (1, 3, 6, 5), 6, (3, 2), stride=2, groups=3),
    _case("1×1", (2, 3, 4, 5), 4, 1),
    _case("1×1 with stride, three pictures", (3, 4, 5, 6), 2, 1, stride=2),
    _case("1×1 with stride and padding", (2, 3, 4, 5), 2, 1, stride=2, padding=1),
    _case("even kernel", (2, 2, 5, 4), 3, 2),
    _case("one row", (2, 2, 1, 9), 3, (1, 4), stride=(1, 2)),
    _case("one column", (2, 2, 9, 1), 3, (3, 1), padding=(1, 0)),
    _case("kernel as large as the picture", (2, 2, 4, 5), 3, (4, 5)),
    _case("kernel as large as the padded picture", (1, 2, 3, 2), 2, (5, 4), padding=1),
    _case("3×3 as large as the picture", (2, 2, 3, 3), 3, 3),
    _case("3×3 on one pixel", (2, 2, 1, 1), 3, 3, padding=1),
    _case("3×3 on one row", (2, 2, 1, 9), 3, 3, padding=1),
    _case("3×3, padding larger than the kernel", (1, 2, 4, 3), 2, 3, padding=(4, 5, 6, 0)),
    _case("3×3 depthwise, two kernels each", (1, 3, 7, 5), 6, 3, padding=1, groups=3),
    _case("3×3, tiles that fit", (1, 2, 10, 6), 2, 3),
    _case("3×3, tiles that hang over", (1, 2, 9, 8), 2, 3, padding=(2, 1, 0, 1)),
    _case("all at once", (2, 4, 7, 8), 6, (2, 3), stride=(2, 1), padding=(1, 0, 2, 3), dilation=(3, 2), groups=2),
]


def listed(what: str) -> Case:
    """The one of that description."""
    (found,) = (case for case in LISTED if case.what == what)
    return found


@st.composite
def drawn_cases(draw: st.DrawFn, any_spec: bool = True) -> Case:
    """Any small case; those that every algorithm can do have 3×3 kernels, stride 1 and dilation 1."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel_size, stride, dilation = (pair(1, 4), pair(1, 3), pair(1, 3)) if any_spec else ((3, 3), (1, 1), (1, 1))
    padding = draw(st.just("same") | st.just("valid") | st.tuples(*[st.integers(0, 3)] * 4))
    groups = draw(st.integers(1, 3))
    spec = ConvSpec.make(kernel_size, 1 if padding == "same" else stride, padding, dilation, groups)
    room = spec.padded_size((0, 0))
    height, width = (max(1, span - sides) for span, sides in zip(spec.extent, room, strict=True))
    rows, columns = pair(0, 5)
    channels, kernels = (groups * each for each in pair(1, 2))
    return Case("drawn", (draw(st.integers(0, 2)), channels, height + rows, width + columns), kernels, spec)


def _sliced(tensor: Tensor) -> Tensor:
    """Every second number of a larger tensor, which has something that isn't a number between them."""
    wide = tensor.new_full((*tensor.shape[:3], 2 * tensor.shape[3] + 1), torch.nan)
    wide[..., 1::2] = tensor
    return wide[..., 1::2]


# The same numbers, laid out otherwise.
LAYOUTS = {
    "contiguous": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.mT.contiguous().mT,
    "channels_last": lambda tensor: tensor.contiguous(memory_format=torch.channels_last),
    "batch last": lambda tensor: tensor.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
    "sliced": _sliced,
}


def computed(algorithm: Algorithm, operation: str, case: Case, x: Tensor, w: Tensor, g: Tensor) -> Tensor:
    """One of the three operations, as the wrapped functions call it."""
    if operation == "forward":
        return functions.forward(x, w, None, case.spec, algorithm)
    if operation == "grad_x":
        return functions.input_gradient(g, w, None, case.spec, algorithm, case.x[2:])
    return functions.weight_gradient(g, x, case.spec, algorithm)


def by_torch(operation: str, case: Case, x: Tensor, w: Tensor, g: Tensor) -> Tensor:
    """The same by torch: its convolution of a picture padded by hand, and its automatic derivatives."""
    spec, (top, bottom, left, right) = case.spec, case.spec.padding
    x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
    padded = functional.pad(x, (left, right, top, bottom))
    y = functional.conv2d(padded, w, None, spec.stride, 0, spec.dilation, spec.groups)
    return y.detach() if operation == "forward" else torch.autograd.grad(y, x if operation == "grad_x" else w, g)[0]


def agree(got: Tensor, want: Tensor, what: object, *, rtol: float, atol: float) -> None:
    torch.testing.assert_close(
        got, want, rtol=rtol, atol=atol, msg=lambda text: f"{what}\n{text}\ngot {got.tolist()}\nwanted {want.tolist()}"
    )


def terms(operation: str, case: Case) -> int:
    """How many products one result sums, at most."""
    cells, (pictures, _, rows, columns) = case.w[2] * case.w[3], case.y
    channels, kernels = case.w[1], case.kernels // case.spec.groups
    return {"forward": channels * cells, "grad_x": kernels * cells, "grad_w": pictures * rows * columns}[operation]


def factors(operation: str, x: Tensor, w: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """The two that the operation multiplies."""
    return {"forward": (x, w), "grad_x": (g, w), "grad_w": (g, x)}[operation]


def largest(*tensors: Tensor) -> float:
    """The largest product of one number of each."""
    return prod(tensor.abs().max().item() if tensor.numel() else 0.0 for tensor in tensors)


def check_against_torch(algorithm: Algorithm, operation: str, case: Case, seed: int = 0) -> None:
    tensors = case.tensors(seed)
    atol = CANCELLED * terms(operation, case) * largest(*factors(operation, *tensors))
    want, got = by_torch(operation, case, *tensors), computed(algorithm, operation, case, *tensors)
    what = f"{type(algorithm).__name__}.{operation}, seed {seed}, {case}"
    agree(got, want, what, rtol=RELATIVE, atol=atol)
    for tensor, before in zip(tensors, case.tensors(seed), strict=True):
        agree(tensor, before, f"{what} changed what it was given", rtol=0, atol=0)


def check_by_hand(algorithm: Algorithm, operation: str, worked: Worked) -> None:
    x, w, g = (torch.tensor(numbers, dtype=torch.float64) for numbers in (worked.x, worked.w, worked.g))
    case = Case(worked.what, tuple(x.shape), len(w), worked.spec)
    want = {"forward": worked.y, "grad_x": worked.gx, "grad_w": worked.gw}[operation]
    got = computed(algorithm, operation, case, x, w, g)
    agree(got, torch.tensor(want, dtype=torch.float64), case, rtol=RELATIVE, atol=1e-10)


def check_sums(algorithm: Algorithm, operation: str, case: Case, seed: int = 0) -> None:
    """⟨g, conv(x, w)⟩ = ⟨grad_x(g, w), x⟩ = ⟨grad_w(g, x), w⟩: three ways to sum the same products x·w·g."""
    x, w, g = case.tensors(seed)
    partner = {"forward": g, "grad_x": x, "grad_w": w}
    sums = {name: (computed(algorithm, name, case, x, w, g) * partner[name]).sum() for name in OPERATIONS}
    atol = CANCELLED * terms("forward", case) * g.numel() * largest(x, w, g)
    for other in OPERATIONS:
        agree(sums[operation], sums[other], f"{operation} and {other}, {case}", rtol=RELATIVE, atol=atol)


def check_float32(algorithm: Algorithm, operation: str, case: Case, seed: int = 0) -> None:
    """No further from the exact result than rounding explains."""
    tensors = case.tensors(seed, torch.float32)
    exact = [tensor.double() for tensor in tensors]
    got, want = computed(algorithm, operation, case, *tensors), by_torch(operation, case, *exact)
    assert got.dtype == torch.float32
    bound = float32_bound(algorithm, operation, case, *exact).clamp_min(1e-30)  # of no products at all: exactly 0
    agree(got.double() / bound, want / bound, f"in units of the bound, seed {seed}, {case}", rtol=0, atol=1)


def float32_bound(algorithm: Algorithm, operation: str, case: Case, x: Tensor, w: Tensor, g: Tensor) -> Tensor:
    """How far rounding can move each result, u = 2⁻²⁴ at a time.

    A sum of n products, in whatever order, is off by at most γ(n)·Σ|products| with γ(n) = n·u/(1 − n·u).

    Winograd's transforms make a result of larger terms that mostly cancel: `error_factor` times larger at worst than
    the n products of numbers as large as any in the tensors. Along the way each is rounded in n sums, in the four
    passes of both data transforms (t each), and less than 16 times more in the kernel's, the product and where tiles
    meet. The last tiles are whole, and a number of the picture lies in up to 4 of them.

    Fourier's mix a whole picture; the bound is derived in `neocog.ops.fft`.

    Source: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd edition, 2002), equation 3.5.
    """
    n = terms(operation, case)
    pair = factors(operation, x, w, g)
    sizes = by_torch(operation, case, x.abs(), w.abs(), g.abs())
    if algorithm.errors_follow == "norms":
        maps = {"forward": case.w[1], "grad_x": case.kernels // case.spec.groups, "grad_w": case.x[0]}[operation]
        norms = prod(largest(factor.norm(dim=(2, 3))) for factor in pair)
        longest = 4 * prod(case.spec.padded_size(case.x[2:]))  # fast lengths are less than twice those wanted
        return torch.full_like(sizes, (algorithm.error_factor * log2(longest) + 3 + 2 * maps) * 2**-24 * maps * norms)
    if algorithm.errors_follow == "largest":
        (pictures, _, P, Q), m = case.y, algorithm.outputs
        n = {"forward": n, "grad_x": 4 * n, "grad_w": pictures * (P + m - 1) * (Q + m - 1)}[operation]
        return torch.full_like(sizes, algorithm.error_factor * _gamma(n + 4 * (m + 2) + 16) * n * largest(*pair))
    return algorithm.error_factor * _gamma(n) * sizes


def _gamma(n: int) -> float:
    return n * 2**-24 / (1 - n * 2**-24)


def caught_by(algorithm: Algorithm, operation: str) -> Iterator[str]:
    """The kinds of checks that an algorithm fails: none if it's right, at least two if it's wrong."""
    listed = [case for case in LISTED if algorithm.supports(case.spec)]
    worked = [item for item in WORKED if algorithm.supports(item.spec)]
    for kind, check, given in (
        ("torch", check_against_torch, listed),
        ("by hand", check_by_hand, worked),
        ("sums", check_sums, listed),
    ):
        if any(_fails(check, algorithm, operation, item) for item in given):
            yield kind


def _fails(check: Callable[..., None], algorithm: Algorithm, operation: str, item: object) -> bool:
    try:
        check(algorithm, operation, item)
    except (
        AssertionError,
        OperationError,
        RuntimeError,
        LookupError,
        ValueError,
    ):  # a mistake may also end in shapes that don't fit
        return True
    return False
