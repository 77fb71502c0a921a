"""How kernels walk: what people write, its one normal form, the sizes that come out, and every refusal's whole text."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from itertools import product
from types import ModuleType

import numpy as np
import pytest
import torch
from cases import LISTED, drawn_cases
from hypothesis import given, settings
from torch.nn import functional

from neocog import ops
from neocog.errors import OperationError
from neocog.ops.contract import definition_macs
from neocog.ops.methods import METHODS, algorithm
from neocog.ops.spec import ConvSpec


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"kernel_size": 3}, ConvSpec((3, 3), (1, 1), (0, 0, 0, 0), (1, 1), 1)),
        ({"kernel_size": (3, 5)}, ConvSpec((3, 5))),
        ({"kernel_size": [3, 5]}, ConvSpec((3, 5))),
        ({"kernel_size": torch.Size([3, 5])}, ConvSpec((3, 5))),
        ({"kernel_size": 3, "stride": 2}, ConvSpec((3, 3), stride=(2, 2))),
        ({"kernel_size": 3, "stride": (2, 1)}, ConvSpec((3, 3), stride=(2, 1))),
        ({"kernel_size": 3, "dilation": [1, 2]}, ConvSpec((3, 3), dilation=(1, 2))),
        ({"kernel_size": 3, "groups": 4}, ConvSpec((3, 3), groups=4)),
        ({"kernel_size": 3, "padding": 1}, ConvSpec((3, 3), padding=(1, 1, 1, 1))),
        ({"kernel_size": 3, "padding": (1, 2)}, ConvSpec((3, 3), padding=(1, 1, 2, 2))),
        ({"kernel_size": 3, "padding": [1, 2, 3, 4]}, ConvSpec((3, 3), padding=(1, 2, 3, 4))),
        ({"kernel_size": 3, "padding": "valid", "stride": 2}, ConvSpec((3, 3), stride=(2, 2))),
        ({"kernel_size": (3, 1), "padding": "same"}, ConvSpec((3, 1), padding=(1, 1, 0, 0))),
        ({"kernel_size": (2, 4), "padding": "same"}, ConvSpec((2, 4), padding=(0, 1, 1, 2))),
        ({"kernel_size": (2, 4), "padding": "same", "dilation": 3}, ConvSpec((2, 4), (1, 1), (1, 2, 4, 5), (3, 3))),
        (
            {"kernel_size": np.int64(3), "stride": (np.int32(2), 1), "padding": np.uint8(1), "groups": np.int64(2)},
            ConvSpec((3, 3), (2, 1), (1, 1, 1, 1), (1, 1), 2),
        ),
    ],
)
def test_normal_forms(given, want):
    spec = ConvSpec.make(**given)
    assert spec == want
    assert ConvSpec.make(**{item.name: getattr(spec, item.name) for item in fields(spec)}) == spec
    assert all_ints(spec)


def all_ints(spec):
    numbers = [*spec.kernel_size, *spec.stride, *spec.padding, *spec.dilation, spec.groups]
    return {type(number) for number in numbers} == {int}


def test_numpys_numbers_become_pythons_however_a_spec_is_made():
    direct = ConvSpec((np.int64(3), 3), padding=(np.uint8(1),) * 4, groups=np.int32(2))
    assert all_ints(direct)
    assert direct == ConvSpec.make(3, padding=1, groups=2)


def test_a_spec_is_frozen_and_can_be_a_key():
    spec = ConvSpec.make(3)
    with pytest.raises(FrozenInstanceError):
        spec.stride = (2, 2)
    assert {spec: "found"}[ConvSpec.make((3, 3), padding="valid")] == "found"


PAIR = "give a whole number of at least 1, or two (rows, columns)"
SIDES = "give a whole number of at least 0, two (rows, columns), four (top, bottom, left, right), 'same' or 'valid'"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"kernel_size": 0}, f"kernel_size = 0: {PAIR}"),
        ({"kernel_size": (3, -1)}, f"kernel_size = (3, -1): {PAIR}"),
        ({"kernel_size": (3, 3, 3)}, f"kernel_size = (3, 3, 3): {PAIR}"),
        ({"kernel_size": 3.0}, f"kernel_size = 3.0: {PAIR}"),
        ({"kernel_size": "33"}, f"kernel_size = '33': {PAIR}"),
        ({"kernel_size": None}, f"kernel_size = None: {PAIR}"),
        ({"kernel_size": b"\x03\x03"}, f"kernel_size = b'\\x03\\x03': {PAIR}"),
        ({"kernel_size": 2**31}, "kernel_size = 2147483648 is too large; give at most 2147483647"),
        ({"stride": (1, 2**62)}, "stride = (1, 4611686018427387904) is too large; give at most 2147483647"),
        ({"dilation": 10**30}, f"dilation = {10**30} is too large; give at most 2147483647"),
        ({"stride": 10**5000}, "stride = an int of many digits is too large; give at most 2147483647"),
        ({"groups": 2**31}, "groups = 2147483648 is too large; give at most 2147483647"),
        ({"padding": 2**62}, "padding = 4611686018427387904 is too large; give at most 2147483647"),
        (
            {"kernel_size": 7, "dilation": 2**30, "padding": "same"},
            "padding = (3221225472, 3221225472, 3221225472, 3221225472) is too large; give at most 2147483647",
        ),
        ({"padding": b"\x01\x01"}, f"padding = b'\\x01\\x01': {SIDES}"),
        ({"padding": np.zeros((2, 2))}, f"padding = array([[0., 0.], [0., 0.]]): {SIDES}"),
        ({"padding": "a\n" * 99}, f"padding = '{'a' + chr(92) + 'n'}{('a' + chr(92) + 'n') * 25}a…: {SIDES}"),
        ({"stride": 0}, f"stride = 0: {PAIR}"),
        ({"stride": -2}, f"stride = -2: {PAIR}"),
        ({"stride": (1, 0)}, f"stride = (1, 0): {PAIR}"),
        ({"stride": []}, f"stride = []: {PAIR}"),
        ({"stride": True}, f"stride = True: {PAIR}"),
        ({"stride": {1, 2}}, f"stride = {{1, 2}}: {PAIR}"),
        ({"dilation": 0}, f"dilation = 0: {PAIR}"),
        ({"dilation": (1, 1.5)}, f"dilation = (1, 1.5): {PAIR}"),
        ({"groups": 0}, "groups = 0: give a whole number of at least 1"),
        ({"groups": -1}, "groups = -1: give a whole number of at least 1"),
        ({"groups": 1.0}, "groups = 1.0: give a whole number of at least 1"),
        ({"groups": True}, "groups = True: give a whole number of at least 1"),
        ({"groups": (2, 2)}, "groups = (2, 2): give a whole number of at least 1"),
        ({"padding": -1}, f"padding = -1: {SIDES}"),
        ({"padding": (0, -1)}, f"padding = (0, -1): {SIDES}"),
        ({"padding": (1, 2, 3)}, f"padding = (1, 2, 3): {SIDES}"),
        ({"padding": 0.5}, f"padding = 0.5: {SIDES}"),
        ({"padding": "full"}, f"padding = 'full': {SIDES}"),
        ({"padding": ""}, f"padding = '': {SIDES}"),
        ({"padding": "1234"}, f"padding = '1234': {SIDES}"),
        ({"padding": None}, f"padding = None: {SIDES}"),
        ({"padding": np.array([1, 2])}, f"padding = array([1, 2]): {SIDES}"),
        (
            {"padding": "same", "stride": 2},
            "padding 'same' keeps the size only at stride 1, not at stride 2; give the padding as numbers",
        ),
        (
            {"padding": "same", "stride": (1, 2)},
            "padding 'same' keeps the size only at stride 1, not at stride 1×2; give the padding as numbers",
        ),
    ],
)
def test_refusals(given, want):
    with pytest.raises(OperationError) as caught:
        ConvSpec.make(**{"kernel_size": 3, **given})
    assert str(caught.value) == want


TUPLE = "ConvSpec takes a tuple of {} whole numbers of at least {}; ConvSpec.make takes what people write"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"kernel_size": 3}, f"kernel_size = 3: {TUPLE.format(2, 1)}"),
        ({"kernel_size": [3, 3]}, f"kernel_size = [3, 3]: {TUPLE.format(2, 1)}"),
        ({"stride": (0, 0)}, f"stride = (0, 0): {TUPLE.format(2, 1)}"),
        ({"stride": (1.0, 1.0)}, f"stride = (1.0, 1.0): {TUPLE.format(2, 1)}"),
        ({"padding": (1, 1)}, f"padding = (1, 1): {TUPLE.format(4, 0)}"),
        ({"padding": (-1, 0, 0, 0)}, f"padding = (-1, 0, 0, 0): {TUPLE.format(4, 0)}"),
        ({"padding": "same"}, f"padding = 'same': {TUPLE.format(4, 0)}"),
        ({"dilation": (True, 1)}, f"dilation = (True, 1): {TUPLE.format(2, 1)}"),
        ({"dilation": (1, 2**31)}, "dilation = (1, 2147483648) is too large; give at most 2147483647"),
        ({"groups": 0}, "groups = 0: give a whole number of at least 1"),
    ],
)
def test_a_spec_made_directly_is_checked_as_well(given, want):
    with pytest.raises(OperationError) as caught:
        ConvSpec(**{"kernel_size": (3, 3), **given})
    assert str(caught.value) == want


@pytest.mark.parametrize(
    ("method", "spec", "x", "want"),
    [
        (
            "winograd",
            ConvSpec.make(5),
            (1, 2, 8, 8),
            "method 'winograd' does 3×3 kernels at stride 1 and dilation 1, not a 5×5 kernel at stride 1 and "
            "dilation 1; methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft",
        ),
        *(
            (
                method,
                ConvSpec.make(3),
                (1, 2, 2, 8),
                "a 3×3 kernel does not fit the 2×8 picture; use a smaller kernel, or 1 more padding on each side",
            )
            for method in METHODS
        ),
        *(
            (
                method,
                ConvSpec.make(3, groups=3),
                (1, 2, 8, 8),
                "groups = 3 must divide both the 2 channels of x and the 4 kernels of w; the largest that does is 2",
            )
            for method in METHODS
        ),
    ],
)
def test_what_conv2d_refuses_has_no_cost(method, spec, x, want):
    with pytest.raises(OperationError) as by_cost:
        algorithm(method).cost(spec, x, 4)
    w = torch.ones(4, max(1, x[1] // spec.groups), *spec.kernel_size)
    walk = {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": spec.groups}
    with pytest.raises(OperationError) as by_conv2d:
        ops.conv2d(torch.ones(x), w, method=method, **walk)
    assert str(by_cost.value) == str(by_conv2d.value) == want


@pytest.mark.parametrize("method", [["im2col"], None, b"im2col", "im2\ncol"])
def test_an_algorithm_that_does_not_exist(method):
    with pytest.raises(OperationError) as caught:
        algorithm(method)
    text = str(caught.value)
    assert text.startswith(f"unknown method '{' '.join(str(method).split())}'; ")
    assert text.endswith("Known: fft, im2col, loops, shift, toeplitz, toeplitz-dense, winograd, winograd-4x4")


@pytest.mark.parametrize(
    ("spec", "size", "want"),
    [
        (
            ConvSpec.make(3),
            (2, 5),
            "a 3×3 kernel does not fit the 2×5 picture; use a smaller kernel, or 1 more padding on each side",
        ),
        (
            ConvSpec.make((2, 7), padding=1),
            (5, 2),
            "a 2×7 kernel does not fit the 5×2 picture (7×4 with its padding); use a smaller kernel, "
            "or 2 more padding on each side",
        ),
        (
            ConvSpec.make(3, dilation=4, padding=(1, 0, 0, 0)),
            (6, 9),
            "a 3×3 kernel at dilation 4 spans 9×9 pixels and does not fit the 6×9 picture (7×9 with its padding); "
            "use a smaller kernel, or 1 more padding on each side",
        ),
        (
            ConvSpec.make(2, dilation=(1, 3)),
            (2, 3),
            "a 2×2 kernel at dilation 1×3 spans 2×4 pixels and does not fit the 2×3 picture; use a smaller kernel, "
            "or 1 more padding on each side",
        ),
    ],
)
def test_kernels_that_do_not_fit(spec, size, want):
    with pytest.raises(OperationError) as caught:
        spec.output_size(size)
    assert str(caught.value) == want


@given(case=drawn_cases())
@settings(max_examples=100, deadline=None)
def test_sizes_are_torchs(case):
    spec, (top, bottom, left, right) = case.spec, case.spec.padding
    padded = functional.pad(torch.zeros(case.x), (left, right, top, bottom))
    y = functional.conv2d(padded, torch.zeros(case.w), None, spec.stride, 0, spec.dilation, spec.groups)
    assert tuple(padded.shape[2:]) == spec.padded_size(case.x[2:])
    assert tuple(y.shape) == case.y
    for text, size in zip(spec.formula(case.x[2:]), y.shape[2:], strict=True):
        left_side, right_side = text.rsplit(" = ", 1)
        assert int(right_side) == size
        python = left_side.replace("−", "-").replace("·", "*").replace("/", "//")
        assert eval(python.replace("⌊", "(").replace("⌋", ")")) == size, text  # our own digits and signs


def test_macs_are_counted_one_by_one():
    for case in LISTED:
        (N, C, *_), K, (R, S), (_, _, P, Q) = case.x, case.kernels, case.spec.kernel_size, case.y
        counted = 0
        for _, k, _, _, c in product(range(N), range(K), range(P), range(Q), range(C)):
            if k // (K // case.spec.groups) == c // (C // case.spec.groups):
                counted += R * S
        assert definition_macs(case.spec, case.x, K) == counted, case


def test_the_definitions_macs_are_those_of_the_plain_methods():
    """Those that do exactly the products of the definition, padded zeros included."""
    for case, method in product(LISTED, set(METHODS) & {"loops", "shift", "im2col"}):
        macs = algorithm(method).cost(case.spec, case.x, case.kernels).macs
        assert macs == definition_macs(case.spec, case.x, case.kernels), (method, case)


def test_every_public_name_is_what_its_file_says():
    """A file of the same name would hide it as soon as it's imported."""
    for name in ops.__all__:
        assert not isinstance(getattr(ops, name), ModuleType), name
    assert sorted(ops.__all__) == dir(ops)
    with pytest.raises(AttributeError) as caught:
        ops.conv3d  # noqa: B018
    assert str(caught.value) == "module 'neocog.ops' has no attribute 'conv3d'"
