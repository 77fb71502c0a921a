from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocog.data.splits import amount, shares, stratified
from neocog.errors import DataError

COUNTS = st.lists(st.integers(1, 60), min_size=2, max_size=8)


@given(counts=COUNTS, share=st.floats(0, 1), seed=st.integers(0, 5))
def test_a_split_is_a_stratified_partition(counts: list[int], share: float, seed: int) -> None:
    total = sum(counts)
    count = int(share * (total - len(counts)))
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    kept, taken = stratified(labels, count, np.random.default_rng(seed))
    assert len(taken) == count
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, taken])), np.arange(total))
    assert (np.diff(kept) > 0).all() and (np.diff(taken) > 0).all()
    left = np.bincount(labels[kept], minlength=len(counts))
    assert left.min() >= 1
    given_ = np.bincount(labels[taken], minlength=len(counts))
    np.testing.assert_array_equal(given_, shares(np.array(counts), count))
    # Where no class had to be spared, each gives its share to within one picture.
    if all(n - 1 >= -(-count * n // total) for n in counts):
        assert (np.abs(given_ - count * np.array(counts) / total) < 1).all()


def test_largest_remainders_by_hand() -> None:
    # 10 of 61: exact shares 5.08, 3.28, 1.64 → 5, 3, 1 and one more to the largest remainder, the third.
    assert shares(np.array([31, 20, 10]), 10).tolist() == [5, 3, 2]
    assert shares(np.array([1, 1, 10]), 5).tolist() == [0, 0, 5]


def test_the_seed_decides() -> None:
    labels = np.repeat(np.arange(3), 50)
    first = stratified(labels, 30, np.random.default_rng(0))[1]
    np.testing.assert_array_equal(first, stratified(labels, 30, np.random.default_rng(0))[1])
    assert first.tolist() != stratified(labels, 30, np.random.default_rng(1))[1].tolist()


@pytest.mark.parametrize(
    ("wanted", "total", "part", "count"),
    [
        ("auto", 60000, "validation", 5000),
        ("auto", 1000, "validation", 100),
        ("auto", 1000, "test", 200),
        ("auto", 4, "test", 0),
        (0, 100, "validation", 0),
        (0.0, 100, "validation", 0),
        (0.25, 100, "validation", 25),
        (7, 100, "test", 7),
    ],
)
def test_amounts(wanted: str | int | float, total: int, part: str, count: int) -> None:
    assert amount(wanted, total, 2, part) == count


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("all", "validation = 'all' is not understood; give \"auto\", a count, or a share below 1"),
        (-1, "validation = -1 is not understood; give a count, or a share below 1"),
        (True, "validation = True is not understood; give a count, or a share below 1"),
        (float("nan"), "validation = nan is not understood; give a count, or a share below 1"),
        (1.5, "validation = 1.5 is neither a count nor a share; give a whole number, or below 1"),
        (
            5000,
            "validation = 5000 takes 5000 of 300 training pictures, but each of the 3 classes must keep at least"
            " one; give at most 297, or a share such as 0.1",
        ),
    ],
)
def test_impossible_amounts(wanted: str | int | float, text: str) -> None:
    with pytest.raises(DataError) as error:
        amount(wanted, 300, 3, "validation")
    assert str(error.value) == text
