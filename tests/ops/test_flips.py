"""correlate2d and convolve2d: with the kernel as it is and turned by 180°, against scipy and by hand."""

from __future__ import annotations

import pytest
import torch
from cases import agree
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from neocog import ops
from neocog.errors import OperationError
from neocog.ops.methods import METHODS, algorithm
from neocog.ops.spec import ConvSpec

MODES = ("valid", "same", "full")
sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))


def fits(method, kernel):
    return algorithm(method).supports(ConvSpec.make(kernel))


def compare(method, image_size, kernel_size, mode, seed=0):
    source = torch.Generator().manual_seed(seed)
    image, kernel = (torch.randn(size, dtype=torch.float64, generator=source) for size in (image_size, kernel_size))
    for ours, theirs in ((ops.correlate2d, signal.correlate2d), (ops.convolve2d, signal.convolve2d)):
        got = ours(image, kernel, mode, method=method)
        want = torch.from_numpy(theirs(image.numpy(), kernel.numpy(), mode))
        agree(got, want, f"{ours.__name__} {image_size} {kernel_size} {mode} {method}", rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_they_are_scipys(method, mode):
    for kernel_size in ((1, 1), (3, 3), (2, 2), (4, 3), (1, 4), (5, 2), (5, 6)):
        if fits(method, kernel_size):
            compare(method, (5, 6), kernel_size, mode)


@pytest.mark.parametrize("mode", ["same", "full"])
@given(image=sizes, kernel=sizes, seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_kernels_of_any_size_larger_ones_too(mode, image, kernel, seed):
    compare("shift", image, kernel, mode, seed)


def test_valid_refuses_what_scipy_would_turn_round():
    """scipy swaps image and kernel when the kernel is the larger one; here it's an error, as for conv2d."""
    with pytest.raises(OperationError) as caught:
        ops.correlate2d(torch.ones(2, 3), torch.ones(3, 3))
    assert str(caught.value) == (
        "a 3×3 kernel does not fit the 2×3 picture; use a smaller kernel, or 1 more padding on each side"
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_flip_by_hand(method):
    """A kernel that marks one corner: correlation fetches from that corner, convolution from the opposite one."""
    image = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    corner = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    same = [[0, 0, 0], [0, 1, 2], [0, 4, 5]], [[5, 6, 0], [8, 9, 0], [0, 0, 0]]
    for function, valid, moved in ((ops.correlate2d, 1, same[0]), (ops.convolve2d, 9, same[1])):
        # the transforms of Winograd's and Fourier's round
        agree(function(image, corner, method=method), torch.tensor([[float(valid)]]), method, rtol=1e-5, atol=1e-5)
        agree(function(image, corner, "same", method=method), torch.tensor(moved).float(), method, rtol=1e-5, atol=1e-5)


def test_a_flip_is_a_half_turn_not_a_quarter():
    image = torch.arange(9.0).reshape(3, 3)
    kernel = torch.arange(4.0).reshape(2, 2)
    # the lessons' [[19, 25], [37, 43]] is a correlation; turned by 180°: 0·3 + 1·2 + 3·1 + 4·0 = 5
    assert ops.correlate2d(image, kernel).tolist() == [[19, 25], [37, 43]]
    assert ops.convolve2d(image, kernel).tolist() == [[5, 11], [23, 29]]
    assert torch.equal(ops.convolve2d(image, kernel), ops.correlate2d(image, kernel.rot90(2)))
    for quarter in (1, 3):
        assert not torch.equal(ops.convolve2d(image, kernel), ops.correlate2d(image, kernel.rot90(quarter)))


def test_convolution_commutes_and_correlation_does_not():
    image, kernel = torch.tensor([[1.0, 2, 3]]), torch.tensor([[1.0, 10]])
    assert ops.convolve2d(image, kernel, "full").tolist() == [[1, 12, 23, 30]]
    assert ops.convolve2d(kernel, image, "full").tolist() == [[1, 12, 23, 30]]
    assert ops.correlate2d(image, kernel, "full").tolist() == [[10, 21, 32, 3]]
    assert ops.correlate2d(kernel, image, "full").tolist() == [[3, 32, 21, 10]]


def test_torch_can_differentiate_them():
    image = torch.zeros(3, 3, requires_grad=True)
    ops.convolve2d(image, torch.tensor([[1.0, 2], [3, 4]]))[0, 0].backward()
    assert image.grad.tolist() == [[4, 3, 0], [2, 1, 0], [0, 0, 0]]
