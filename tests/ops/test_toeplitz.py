"""Toeplitz: matrices written out by hand, the blocks they are made of, how they are stored, costs and refusals."""

from __future__ import annotations

import subprocess
import sys
from math import prod

import numpy as np
import pytest
import torch
from cases import LISTED, OPERATIONS, RELATIVE, Case, agree, by_torch, check_against_torch, listed
from torch import Tensor

from conftest import ENVIRONMENT
from neocog.errors import OperationError
from neocog.ops import toeplitz
from neocog.ops.contract import Cost, definition_macs
from neocog.ops.convolution import conv2d
from neocog.ops.spec import ConvSpec
from neocog.ops.toeplitz import DENSE, SPARSE, toeplitz_matrix

LAYOUT = pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])

PICTURES = pytest.mark.parametrize("case", [case for case in LISTED if case.x[0]], ids=lambda case: case.what)


def counted(*shape: int) -> Tensor:
    """1, 2, 3, …, so that each number of the kernels is known again."""
    return torch.arange(1.0, prod(shape) + 1).reshape(shape)


def matrix(rows: list[list[float]], input_shape: tuple[int, int, int], **walk: object) -> list[list[float]]:
    """A for one kernel, as numbers, once both ways of storing it agree."""
    w = torch.tensor(rows)[None, None]
    spec = ConvSpec.make(tuple(w.shape[2:]), **walk)
    dense = toeplitz_matrix(w, input_shape, spec)
    assert torch.equal(toeplitz_matrix(w, input_shape, spec, sparse=True).to_dense(), dense)
    return dense.tolist()


def test_the_lessons_first_example_by_hand():
    A = torch.tensor(matrix([[0.0, 1.0], [2.0, 3.0]], (1, 3, 3)))
    assert A.tolist() == [
        [0, 1, 0, 2, 3, 0, 0, 0, 0],
        [0, 0, 1, 0, 2, 3, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 2, 3, 0],
        [0, 0, 0, 0, 0, 1, 0, 2, 3],
    ]
    assert (A @ torch.arange(9.0)).tolist() == [19, 25, 37, 43]


def test_padding_has_no_columns():
    # with zeros around it the window of three lies on the three pixels at 0, 1 and 2 places from the left
    assert matrix([[1.0, 2.0, 3.0]], (1, 1, 3), padding=(0, 0, 1, 1)) == [[2, 3, 0], [1, 2, 3], [0, 1, 2]]
    assert matrix([[1.0], [2.0]], (1, 2, 1), padding=(0, 1, 0, 0)) == [[1, 2], [0, 1]]


def test_a_stride_leaves_out_rows_and_a_dilation_leaves_gaps():
    assert matrix([[1.0, 2.0]], (1, 1, 5), stride=2) == [[1, 2, 0, 0, 0], [0, 0, 1, 2, 0]]
    assert matrix([[1.0, 2.0]], (1, 1, 5), dilation=3) == [[1, 0, 0, 2, 0], [0, 1, 0, 0, 2]]


def test_channels_stand_side_by_side_and_kernels_below_each_other():
    w = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]], [[[5.0, 6.0]], [[7.0, 8.0]]]])
    assert toeplitz_matrix(w, (2, 1, 3), ConvSpec.make((1, 2))).tolist() == [
        [1, 2, 0, 3, 4, 0],
        [0, 1, 2, 0, 3, 4],
        [5, 6, 0, 7, 8, 0],
        [0, 5, 6, 0, 7, 8],
    ]
    grouped = toeplitz_matrix(w[:, :1], (2, 1, 3), ConvSpec.make((1, 2), groups=2))
    assert grouped.tolist() == [[1, 2, 0, 0, 0, 0], [0, 1, 2, 0, 0, 0], [0, 0, 0, 5, 6, 0], [0, 0, 0, 0, 5, 6]]


@pytest.mark.parametrize(
    ("walk", "entries"),  # pairs of window and cell that meet inside the picture: along the rows × along the columns
    [
        ({}, 10 * 15),
        ({"padding": (2, 0, 1, 3)}, 11 * 20),
        ({"dilation": (2, 3)}, 8 * 3),
        ({"padding": 2, "dilation": 2}, 12 * 17),
    ],
)
def test_it_is_doubly_blocked_toeplitz_at_stride_1(walk, entries):
    """Each block is constant along its diagonals, and so is the matrix along the diagonals of blocks."""
    spec = ConvSpec.make((2, 3), **walk)
    P, Q = spec.output_size((6, 7))
    blocks = toeplitz_matrix(counted(1, 1, 2, 3), (1, 6, 7), spec).view(P, Q, 6, 7).transpose(1, 2)
    assert torch.equal(blocks[..., 1:, 1:], blocks[..., :-1, :-1])
    assert torch.equal(blocks[1:, 1:], blocks[:-1, :-1])
    assert blocks.count_nonzero() == entries


def test_what_stride_dilation_and_padding_do_to_the_whole_matrix():
    w, shape = counted(2, 3, 2, 3), (3, 7, 8)
    plain = toeplitz_matrix(w, shape, ConvSpec.make((2, 3)))
    strided = toeplitz_matrix(w, shape, ConvSpec.make((2, 3), stride=(2, 3)))
    assert torch.equal(strided, plain.view(2, 6, 6, -1)[:, ::2, ::3].flatten(0, 2))
    spread = w.new_zeros(2, 3, 3, 7)
    spread[..., ::2, ::3] = w
    dilated = toeplitz_matrix(w, shape, ConvSpec.make((2, 3), dilation=(2, 3)))
    assert torch.equal(dilated, toeplitz_matrix(spread, shape, ConvSpec.make((3, 7))))
    padded = toeplitz_matrix(w, (3, 4, 4), ConvSpec.make((2, 3), padding=(1, 2, 3, 1)))
    assert torch.equal(padded, plain.view(-1, 3, 7, 8)[..., 1:5, 3:7].flatten(1))


@PICTURES
def test_the_matrix_does_what_the_convolution_does(case):
    x, w, g = case.tensors()
    want = by_torch("forward", case, x, w, g)[0]
    dense = toeplitz_matrix(w, case.x[1:], case.spec)
    sparse = toeplitz_matrix(w, case.x[1:], case.spec, sparse=True)
    assert dense.shape == (want.numel(), x[0].numel())
    for A in (dense, sparse):
        agree(A @ x[0].flatten(), want.flatten(), case, rtol=RELATIVE, atol=1e-12)
    assert torch.equal(sparse.to_dense(), dense)


@PICTURES
@pytest.mark.parametrize("make", [toeplitz._sparse, toeplitz._sparse_transposed], ids=["A", "transposed"])
def test_the_sparse_layout_keeps_torchs_rules(case, make):
    """Among them: columns ascend within a row, and no entry stands twice."""
    _, w, _ = case.tensors()
    A = make(w, case.x[2:], case.spec)
    parts = A.crow_indices(), A.col_indices(), A.values()
    torch.sparse_csr_tensor(*parts, size=A.shape, check_invariants=True)
    assert {part.dtype for part in parts} == {torch.int32, torch.float64}
    assert A.values().numel() == toeplitz_matrix(torch.ones_like(w), case.x[1:], case.spec).count_nonzero()


def test_the_transposed_matrix_has_its_columns_kernel_by_kernel():
    w, spec = counted(4, 2, 2, 3), ConvSpec.make((2, 3), padding=1, groups=2)
    A = toeplitz_matrix(w, (4, 3, 4), spec)
    reordered = A.view(2, 2, 4 * 4, -1).transpose(1, 2).flatten(0, 2)  # (groups, J, P·Q, …) to (groups, P·Q, J, …)
    assert torch.equal(toeplitz._sparse_transposed(w, (3, 4), spec).to_dense(), reordered.T)


def test_indices_too_large_for_int32_are_int64(monkeypatch):
    monkeypatch.setattr(toeplitz, "_INT32_ENTRIES", 1)
    case = listed("all at once")
    _, w, _ = case.tensors()
    assert toeplitz_matrix(w, case.x[1:], case.spec, sparse=True).col_indices().dtype == torch.int64
    for operation in OPERATIONS:
        check_against_torch(SPARSE, operation, case)


@LAYOUT
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_matrix_has_the_type_of_its_kernels(kind, sparse):
    A = toeplitz_matrix(torch.tensor([[[[1.0, 2.0]]]], dtype=kind), (1, 1, 3), ConvSpec.make((1, 2)), sparse=sparse)
    assert A.dtype == kind
    assert A.layout == (torch.sparse_csr if sparse else torch.strided)
    assert A.to_dense().tolist() == [[1, 2, 0], [0, 1, 2]]


@LAYOUT
def test_torch_differentiates_through_the_matrix(sparse):
    case = Case("one picture", (1, 1, 4, 3), 2, ConvSpec.make(2, padding=1))
    x, w, g = case.tensors()
    y = toeplitz_matrix(w.requires_grad_(), case.x[1:], case.spec, sparse=sparse) @ x.flatten()
    y.backward(g.flatten())
    agree(w.grad, by_torch("grad_w", case, x, w, g), case, rtol=RELATIVE, atol=1e-12)


def test_torchs_warning_about_its_sparse_layout_reaches_nobody_and_others_do():
    """In a process of its own, since torch gives that warning once."""
    code = """if True:
        import warnings, torch
        from neocog.ops.spec import ConvSpec
        from neocog.ops.toeplitz import toeplitz_matrix
        warnings.simplefilter("error")
        print(toeplitz_matrix(torch.ones(1, 1, 1, 1), (1, 1, 2), ConvSpec.make(1), sparse=True).to_dense().tolist())
        warnings.warn("Sparse CSR tensor support is in beta", UserWarning)
    """
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False
    )
    assert ended.stdout == "[[1.0, 0.0], [0.0, 1.0]]\n"
    assert ended.stderr.splitlines()[-1] == "UserWarning: Sparse CSR tensor support is in beta"


def test_cost_by_hand():
    """A picture of 1×3 and a kernel of three with a zero on either side: 2 + 3 + 2 entries for each of 2 kernels."""
    spec, x_shape = ConvSpec.make((1, 3), padding=(0, 0, 1, 1)), (10, 1, 1, 3)
    matrix = 14 * (4 + 4) + 6 * 4  # float32 values and int32 columns, the ends of six rows
    copies = 10 * 3 * 4 + 2 * 10 * 6 * 4
    assert SPARSE.cost(spec, x_shape, 2) == Cost(macs=140, extra_bytes=matrix + copies)
    # beside the matrix of 6×3: its 14 values, and for 7 entries three numbers of the pattern and a place, of int64
    assert DENSE.cost(spec, x_shape, 2) == Cost(macs=10 * 6 * 3, extra_bytes=6 * 3 * 4 + 14 * 4 + 7 * 4 * 8)
    # with little else, the pattern while it is worked out: six numbers for each entry
    assert SPARSE.cost(spec, (1, 1, 1, 3), 1, itemsize=8) == Cost(macs=7, extra_bytes=7 * 6 * 8)


@PICTURES
def test_cost_counts_what_is_stored(case):
    given = case.spec, case.x, case.kernels
    A = toeplitz_matrix(case.tensors()[1], case.x[1:], case.spec, sparse=True)
    assert SPARSE.cost(*given).macs == A.values().numel() * case.x[0]
    assert DENSE.cost(*given).macs == A.numel() * case.x[0]
    if not any(case.spec.padding):
        assert SPARSE.cost(*given).macs == definition_macs(*given)


def test_cost_knows_the_larger_indices():
    """98² windows of nine: the first number of kernels whose entries int32 can't count."""
    spec, x_shape, kernels = ConvSpec.make(3), (1, 1, 100, 100), 2**31 // (9 * 98**2) + 1
    small, large = (SPARSE.cost(spec, x_shape, count).extra_bytes for count in (kernels - 1, kernels))
    assert small == (kernels - 1) * 98**2 * (9 * (4 + 4) + 4 + 2 * 4) + 100**2 * 4  # y twice for each kernel, and x
    assert large == kernels * 98**2 * (9 * (4 + 8) + 2 * 8) + 98**2 * 9 * 24  # the ends of rows twice, and the pattern


W = torch.ones(4, 2, 3, 3)
REFUSALS = [
    (W, (2, 5, 5), 3, "spec is a int: give a ConvSpec, such as ConvSpec.make(3)"),
    ([[1.0]], (1, 5, 5), ConvSpec.make(1), "w is a list: give a tensor, such as torch.tensor(w)"),
    (W.int(), (2, 5, 5), ConvSpec.make(3), "w is int32: give a float type, such as w.float()"),
    (W.to_sparse(), (2, 5, 5), ConvSpec.make(3), "w is sparse_coo: give a dense tensor, such as w.to_dense()"),
    (
        W[0, 0],
        (1, 5, 5),
        ConvSpec.make(3),
        "w has the shape (3, 3): toeplitz_matrix takes (K, C/groups, R, S), none of it 0",
    ),
    (
        W[:0],
        (2, 5, 5),
        ConvSpec.make(3),
        "w has the shape (0, 2, 3, 3): toeplitz_matrix takes (K, C/groups, R, S), none of it 0",
    ),
    *(
        (
            W,
            shape,
            ConvSpec.make(3),
            f"input_shape = {shape!r}: give one picture's (channels, rows, columns), such as (1, 28, 28)",
        )
        for shape in ((5, 5), (1, 2, 5, 5), (2, 0, 5), (2, 5.0, 5), 28, "255")
    ),
    (
        W,
        (2, 5, 5),
        ConvSpec.make(5),
        "w (4, 2, 3, 3) has 3×3 kernels but the spec is for 5×5; use ConvSpec.make((3, 3), …)",
    ),
    (
        W,
        (6, 5, 5),
        ConvSpec.make(3, groups=3),
        "groups = 3 must divide the 4 kernels of w; the largest that does is 4",
    ),
    (
        W,
        (3, 5, 5),
        ConvSpec.make(3),
        "w (4, 2, 3, 3) has kernels of 2 channels, but input_shape (3, 5, 5) has 3; it must have 2",
    ),
    (
        W[:, :1],
        (1, 5, 5),
        ConvSpec.make(3, groups=2),
        "w (4, 1, 3, 3) has kernels of 1 channel in each of 2 groups, but input_shape (1, 5, 5) has 1; it must have 2",
    ),
    (
        W,
        (2, 5, 2),
        ConvSpec.make(3),
        "a 3×3 kernel does not fit the 5×2 picture; use a smaller kernel, or 1 more padding on each side",
    ),
    (
        W,
        (2, 100, 100),
        ConvSpec.make(3, padding=1),
        "the dense matrix of 40000×20000 numbers would take 3.2 GB, too much to look at; "
        "use sparse=True, or in conv2d the method 'toeplitz'",
    ),
]


@pytest.mark.parametrize(("w", "input_shape", "spec", "text"), REFUSALS, ids=[text[:40] for *_, text in REFUSALS])
def test_refusals(w, input_shape, spec, text):
    with pytest.raises(OperationError) as refused:
        toeplitz_matrix(w, input_shape, spec)
    assert str(refused.value) == text


def test_numpys_numbers_are_as_good_as_pythons():
    w, spec = torch.ones(1, 1, 2, 2), ConvSpec.make(2)
    shape = tuple(np.array([1, 3, 3]))
    for sparse in (False, True):
        got, want = (toeplitz_matrix(w, given, spec, sparse=sparse).to_dense() for given in (shape, (1, 3, 3)))
        assert torch.equal(got, want)


def test_a_dense_matrix_may_take_a_gibibyte_and_no_more(monkeypatch):
    w, spec = torch.ones(1, 1, 2, 2), ConvSpec.make(2)
    monkeypatch.setattr(toeplitz, "_LARGEST_DENSE", 4 * 9 * 4)
    assert toeplitz_matrix(w, (1, 3, 3), spec).shape == (4, 9)
    with pytest.raises(OperationError, match=r"^the dense matrix of 4×9 numbers would take 0\.0 GB, too"):
        toeplitz_matrix(w.double(), (1, 3, 3), spec)
    assert toeplitz_matrix(w.double(), (1, 3, 3), spec, sparse=True).shape == (4, 9)


def test_the_dense_method_refuses_what_is_too_large_before_it_begins():
    with pytest.raises(OperationError) as refused:
        conv2d(torch.ones(1, 1, 200, 200), torch.ones(1, 1, 3, 3), method="toeplitz-dense")
    assert str(refused.value) == (
        "the dense matrix of 39204×40000 numbers would take 6.3 GB, too much to look at; "
        "use sparse=True, or in conv2d the method 'toeplitz'"
    )
