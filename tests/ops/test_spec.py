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
    numbers = [*spec.kernel_size, *spec.stride, *spec.padding, *spec.dilation, spec.groups]
    assert {type(number) for number in numbers} == {int}


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
