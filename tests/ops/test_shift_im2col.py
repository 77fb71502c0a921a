"""shift and im2col: patches written out by hand, blocks of any size, and what they say they cost."""

from __future__ import annotations

from math import prod

import pytest
import torch
from cases import LISTED, OPERATIONS, check_against_torch

from neocog.errors import OperationError
from neocog.ops import conv2d, im2col
from neocog.ops.contract import Cost
from neocog.ops.im2col import IM2COL, patch_matrix
from neocog.ops.shift import SHIFT
from neocog.ops.spec import ConvSpec


def test_patch_matrix_of_a_3x3_picture() -> None:
    """As drawn at the top of im2col.py: windows are columns; the kernel times it is the lessons' answer."""
    matrix = patch_matrix(torch.arange(9.0).reshape(1, 1, 3, 3), ConvSpec.make(2))
    assert matrix.tolist() == [[[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]]
    assert (torch.arange(4.0) @ matrix).tolist() == [[19, 25, 37, 43]]


def test_patch_matrix_puts_channels_below_each_other_and_pictures_beside_each_other() -> None:
    x = torch.tensor([[[[1, 2, 3]], [[4, 5, 6]]], [[[10, 20, 30]], [[40, 50, 60]]]]).float()
    first, second = [[1, 2, 10, 20], [2, 3, 20, 30]], [[4, 5, 40, 50], [5, 6, 50, 60]]
    assert patch_matrix(x, ConvSpec.make((1, 2))).tolist() == [first + second]
    assert patch_matrix(x, ConvSpec.make((1, 2), groups=2)).tolist() == [first, second]


def test_patch_matrix_with_padding_stride_and_dilation() -> None:
    """0 1 2 3 4 5 0 0: windows read numbers 0 and 3, 2 and 5, 4 and 7 of it."""
    x = torch.arange(1.0, 6).reshape(1, 1, 1, 5)
    spec = ConvSpec.make((1, 2), stride=(1, 2), padding=(0, 0, 1, 2), dilation=(1, 3))
    assert patch_matrix(x, spec).tolist() == [[[0, 2, 4], [3, 5, 0]]]


def test_kernels_times_the_patch_matrix_are_conv2d() -> None:
    for case in LISTED:
        (x, w, _), G = case.tensors(), case.spec.groups
        matrix = patch_matrix(x, case.spec)
        assert matrix.shape == (G, prod(case.w[1:]), case.y[0] * case.y[2] * case.y[3])
        y_KNPQ = (w.reshape(G, case.kernels // G, -1) @ matrix).reshape(case.kernels, case.y[0], *case.y[2:])
        spec = case.spec
        walk = {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": G}
        torch.testing.assert_close(y_KNPQ.transpose(0, 1), conv2d(x, w, **walk))
    assert torch.equal(patch_matrix(x[0], case.spec), patch_matrix(x[:1], case.spec))


@pytest.mark.parametrize(
    ("x", "spec", "text"),
    [
        ([[1.0]], ConvSpec.make(1), "x is a list: give a tensor, such as torch.tensor(x)"),
        (torch.ones(3, 3), ConvSpec.make(1), "x has the shape (3, 3): patch_matrix takes (N, C, H, W) or (C, H, W)"),
        (
            torch.ones(1, 0, 3, 3),
            ConvSpec.make(1),
            "x has the shape (1, 0, 3, 3): only the number of pictures may be 0",
        ),
        (torch.ones(1, 3, 3, dtype=torch.int32), ConvSpec.make(1), "x is int32: give a float type, such as x.float()"),
        (torch.ones(1, 3, 3), None, "spec is a NoneType: give a ConvSpec, such as ConvSpec.make(3)"),
        (
            torch.ones(4, 3, 3),
            ConvSpec.make(1, groups=3),
            "groups = 3 must divide the 4 channels of x; the largest that does is 4",
        ),
        (
            torch.ones(1, 3, 3),
            ConvSpec.make(4),
            "a 4×4 kernel does not fit the 3×3 picture; use a smaller kernel, or 1 more padding on each side",
        ),
    ],
)
def test_patch_matrix_refuses(x: object, spec: ConvSpec, text: str) -> None:
    with pytest.raises(OperationError) as caught:
        patch_matrix(x, spec)
    assert str(caught.value) == text


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 20])
def test_blocks_of_any_size_add_up(rows: int, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a row, one row, rows that don't divide a picture, several pictures, the last block being smaller."""
    for case in LISTED:
        one_row = case.y[3] * (case.x[1] * prod(case.w[2:]) + case.kernels) * 8
        monkeypatch.setattr(im2col, "_BLOCK_BYTES", rows * one_row)
        check_against_torch(IM2COL, operation, case)


def test_cost_of_im2col_by_hand() -> None:
    """macs: 32 pictures · 32 kernels · 24·24 places · 16 channels · 5·5 cells."""
    spec, macs = ConvSpec.make(5), 235_929_600
    # One picture: 576 columns of 16·25 patch numbers and 32 results take 995,328 of 1,048,576 bytes.
    assert IM2COL.cost(spec, (32, 16, 28, 28), 32) == Cost(macs, 576 * (400 + 32) * 4)
    # In float64 a row takes 24 · 432 · 8 = 82,944 bytes, so 12 rows fit.
    assert IM2COL.cost(spec, (32, 16, 28, 28), 32, itemsize=8) == Cost(macs, 12 * 82_944)


def test_cost_of_im2col_with_padding_and_few_pictures() -> None:
    """3 pictures of 4·4 places, 9 patch numbers and 2 results each, fit one block; padded they are 3 of 6×6."""
    assert IM2COL.cost(ConvSpec.make(3, padding=1), (3, 1, 4, 4), 2) == Cost(3 * 2 * 16 * 9, 48 * 11 * 4 + 3 * 36 * 4)
    # A single row is the least: 1,000 columns of 64·9 + 8 numbers are more than a block should take.
    wide = IM2COL.cost(ConvSpec.make((3, 3)), (2, 64, 4, 1002), 8)
    assert wide == Cost(2 * 8 * 2 * 1000 * 64 * 9, 1000 * (576 + 8) * 4)


def test_cost_of_shift_by_hand() -> None:
    """Kernels once more, and the larger of a slice and the output; no second output for one picture."""
    spec = ConvSpec.make(5)
    assert SHIFT.cost(spec, (32, 16, 28, 28), 32) == Cost(235_929_600, (32 * 16 * 25 + 32 * 32 * 576) * 4)
    assert SHIFT.cost(spec, (1, 16, 28, 28), 32) == Cost(7_372_800, (32 * 16 * 25 + 16 * 576) * 4)
    # Groups: 4 kernels of 2 channels each; 2 pictures of 4 channels, padded to 5×6, give 3·4 places in float64.
    grouped = SHIFT.cost(ConvSpec.make(3, padding=(1, 0, 1, 1), groups=2), (2, 4, 4, 4), 4, itemsize=8)
    assert grouped == Cost(2 * 4 * 12 * 2 * 9, (4 * 2 * 9 + 2 * 4 * 12 + 2 * 4 * 30) * 8)
