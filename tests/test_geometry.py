"""geometry: torch's own shapes, windows walked by hand, and the lessons' worked examples are the oracles."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from neocog import geometry
from neocog.geometry import Field, Window, formula, output_size, same_padding, unread

# W, window, O: the lessons' worked examples of O = ⌊(W − K + 2P)/S⌋ + 1.
WORKED = [
    (4, Window(3), 2),
    (5, Window(3, before=1, after=1), 5),
    (30, Window(3), 28),
    (224, Window(5, stride=2, before=1, after=1), 111),
    (528, Window(7, stride=3, before=2, after=2), 176),
    (5, Window(1, stride=2), 3),
    (28, Window(2, stride=2), 14),
    (28, Window(5, before=2, after=2), 28),
    (28, Window(5), 24),
    (3, Window(2), 2),
    (3, Window(2, stride=2, before=1, after=1), 2),
]

windows = st.builds(
    Window,
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    before=st.integers(0, 4),
    after=st.integers(0, 4),
    dilation=st.integers(1, 3),
)


def check_worked_sizes() -> None:
    for size, window, want in WORKED:
        assert geometry.output_size(size, window) == want, f"{size} through {window}"


def check_same_padding_keeps_the_size() -> None:
    for kernel in range(1, 9):
        for dilation in (1, 2, 3):
            before, after = geometry.same_padding(kernel, dilation)
            window = Window(kernel, before=before, after=after, dilation=dilation)
            assert geometry.output_size(20, window) == 20, f"kernel {kernel}, dilation {dilation}"


def check_same_padding_places_as_torch() -> None:
    """A kernel that picks one of its own pixels shows where the padding went."""
    for kernel in (3, 5, 7):
        before = geometry.same_padding(kernel)[0]
        picture = torch.arange(9, dtype=torch.float64).view(1, 1, 9)
        weight = torch.zeros(1, 1, kernel, dtype=torch.float64)
        weight[0, 0, before] = 1
        torch.testing.assert_close(functional.conv1d(picture, weight, padding="same"), picture, rtol=0, atol=0)


def walked(size: int, window: Window) -> list[list[int]]:
    """The pixels each window reads, by moving it one step at a time until it no longer fits; no formula."""
    reads, start = [], -window.before
    while start + window.extent <= size + window.after:
        reads.append([start + tap * window.dilation for tap in range(window.kernel)])
        start += window.stride
    return reads


def test_worked_sizes():
    check_worked_sizes()


@pytest.mark.parametrize(
    ("size", "window", "squared"),
    [(30, Window(3), 784), (224, Window(5, 2, 1, 1), 12321), (528, Window(7, 3, 2, 2), 30976)],
)
def test_exercise_features_per_channel(size, window, squared):
    assert output_size(size, window) ** 2 == squared


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9, 11])
def test_same_padding_of_odd_kernels_is_half_of_k_minus_1(kernel):
    assert same_padding(kernel) == ((kernel - 1) // 2, (kernel - 1) // 2)


@pytest.mark.parametrize(
    ("kernel", "dilation", "want"),
    [(2, 1, (0, 1)), (4, 1, (1, 2)), (6, 1, (2, 3)), (2, 2, (1, 1)), (2, 3, (1, 2)), (3, 2, (2, 2)), (4, 3, (4, 5))],
)
def test_same_padding_of_even_kernels_puts_the_odd_pixel_after(kernel, dilation, want):
    assert same_padding(kernel, dilation) == want


def test_same_padding_keeps_the_size():
    check_same_padding_keeps_the_size()


def test_same_padding_places_as_torch():
    check_same_padding_places_as_torch()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("kernel", [2, 4, 6])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_of_even_kernels_equals_torch(kernel, dilation):
    picture = torch.randn(1, 1, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(kernel))
    weight = torch.randn(1, 1, kernel, dtype=torch.float64, generator=torch.Generator().manual_seed(dilation))
    padded = functional.pad(picture, same_padding(kernel, dilation))
    got = functional.conv1d(padded, weight, dilation=dilation)
    want = functional.conv1d(picture, weight, padding="same", dilation=dilation)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


@given(st.integers(1, 30), windows)
def test_output_size_is_the_number_of_steps_walked(size, window):
    assert output_size(size, window) == len(walked(size, window))


@given(st.integers(1, 20), windows)
@settings(deadline=None)
def test_output_size_is_torch_convolution(size, window):
    window = Window(window.kernel, window.stride, window.before, window.before, window.dilation)
    picture, weight = torch.zeros(1, 1, size), torch.zeros(1, 1, window.kernel)
    try:
        want = functional.conv1d(
            picture, weight, stride=window.stride, padding=window.before, dilation=window.dilation
        ).shape[-1]
    except RuntimeError:
        want = 0
    assert output_size(size, window) == want


@given(st.integers(1, 20), st.integers(1, 7), st.integers(1, 5), st.integers(0, 3), st.booleans())
@settings(deadline=None)
def test_output_size_is_torch_pooling(size, kernel, stride, padding, ceil):
    assume(padding <= kernel // 2)
    try:
        want = functional.max_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, ceil_mode=ceil).shape[-1]
    except RuntimeError:
        want = 0
    assert output_size(size, Window(kernel, stride, padding, padding, ceil=ceil)) == want


def test_ceil_needs_a_start_inside_the_picture():
    # 5 + 2 − 2 = 5 steps of room: ⌈5/3⌉ would start the third window at 5, in the padding after the picture.
    assert output_size(5, Window(2, stride=3, before=1, after=1, ceil=True)) == 2
    assert output_size(7, Window(2, stride=2, ceil=True)) == 4
    assert output_size(1, Window(2, stride=2, ceil=True)) == 1, "one window, hanging over"


@given(st.integers(1, 30), windows)
def test_unread_counts_the_last_pixels_no_window_reads(size, window):
    assume(output_size(size, window) > 0)
    read = {pixel for taps in walked(size, window) for pixel in taps if 0 <= pixel < size}
    assert unread(size, window) == size - 1 - max(read, default=-1)


@pytest.mark.parametrize(
    ("size", "window", "want"),
    [
        (7, Window(2, 2), 1),
        (8, Window(2, 2), 0),
        (7, Window(2, 2, ceil=True), 0),
        (28, Window(5, 4), 3),
        (6, Window(3, 2, 2, 2, dilation=2), 1),
        (5, Window(1, 2, 1, 1), 1),
    ],
)
def test_unread_by_hand(size, window, want):
    assert unread(size, window) == want


@pytest.mark.parametrize(
    ("size", "window", "want"),
    [
        (28, Window(5, before=2, after=2), "(28 + 2·2 − 5)/1 + 1 = 28"),
        (28, Window(4, before=1, after=2), "(28 + 1 + 2 − 4)/1 + 1 = 28"),
        (28, Window(2, 2), "(28 − 2)/2 + 1 = 14"),
        (7, Window(2, 2), "⌊(7 − 2)/2⌋ + 1 = 3"),
        (7, Window(2, 2, ceil=True), "⌈(7 − 2)/2⌉ + 1 = 4"),
        (8, Window(2, 2, ceil=True), "(8 − 2)/2 + 1 = 4"),
        (28, Window(3, dilation=2), "(28 − (2·(3 − 1) + 1))/1 + 1 = 24"),
        (224, Window(5, 2, 1, 1), "⌊(224 + 2·1 − 5)/2⌋ + 1 = 111"),
        (5, Window(2, 3, 1, 1, ceil=True), "⌊(5 + 2·1 − 2)/3⌋ + 1 = 2"),
    ],
)
def test_formula_text(size, window, want):
    assert formula(size, window) == want


@given(st.integers(1, 40), windows, st.booleans())
def test_formula_is_true_when_worked_out(size, window, ceil):
    window = Window(window.kernel, window.stride, window.before, window.after, window.dilation, ceil)
    assume(output_size(size, window) > 0)
    left, right = formula(size, window).split(" = ")
    python = left.replace("·", "*").replace("−", "-")
    python = re.sub(r"⌊(.*)/(\d+)⌋", r"(\1//\2)", python)
    python = re.sub(r"⌈(.*)/(\d+)⌉", r"(-(-\1//\2))", python)
    assert eval(python) == int(right) == output_size(size, window), left


@given(st.lists(windows, min_size=1, max_size=4))
def test_field_is_the_span_of_pixels_reached_backwards(chain):
    def span(value: int) -> tuple[int, int]:
        first = last = value
        for window in reversed(chain):
            first = first * window.stride - window.before
            last = last * window.stride - window.before + (window.kernel - 1) * window.dilation
        return first, last

    field = Field()
    for window in chain:
        field = field.through(window)
    for value in (0, 1, 5):
        first, last = span(value)
        assert (field.start + value * field.jump, field.size) == (first, last - first + 1)


def test_field_by_hand():
    # LeNet's conv 5, pool 2, conv 5, pool 2: 5 → 6 → 14 → 16 (Araujo et al. give the same recursion).
    sizes, field = [], Field()
    for window in (Window(5), Window(2, 2), Window(5), Window(2, 2)):
        field = field.through(window)
        sizes.append((field.size, field.jump))
    assert sizes == [(5, 1), (6, 2), (14, 2), (16, 4)]


def test_fields_join_from_first_pixel_to_last():
    right, left = Field(3, 2, start=0), Field(3, 2, start=-1)
    assert left.joined(right) == right.joined(left) == Field(4, 2, start=-1)
    assert Field(7, start=-3).joined(Field(1)) == Field(7, start=-3)


def test_windows_stay_as_they_were_made():
    with pytest.raises(AttributeError):
        Window(3).kernel = 5


# -------------------------------------------------------------------- planted mistakes: the checks above must see them


def test_an_output_size_off_by_one_is_seen(monkeypatch):
    right = geometry.output_size
    monkeypatch.setattr(geometry, "output_size", lambda size, window: right(size, window) + 1)
    for check in (check_worked_sizes, check_same_padding_keeps_the_size):
        with pytest.raises(AssertionError):
            check()


def test_a_same_padding_one_too_wide_is_seen(monkeypatch):
    monkeypatch.setattr(geometry, "same_padding", lambda kernel, dilation=1: (kernel // 2 + 1, kernel // 2))
    for check in (check_same_padding_keeps_the_size, check_same_padding_places_as_torch):
        with pytest.raises(AssertionError):
            check()
