"""randomness: streams that depend on seed, purpose and keys, and on nothing else."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neocog.randomness import derived_seed, numpy_stream, seed_torch, torch_stream

seeds = st.integers(0, 2**40)
purposes = st.sampled_from(["order", "split", "augment", "weights"])


def test_a_derived_seed_worked_by_hand():
    # The first eight bytes of `printf 0/order/3 | sha256sum`, without the last bit.
    assert derived_seed(0, "order", 3) == int(hashlib.sha256(b"0/order/3").hexdigest()[:16], 16) // 2


def test_derived_seeds_stay_what_they_were():
    # Runs are repeated from their recipe years later: these numbers never change.
    assert [derived_seed(0, "order"), derived_seed(0, "order", 1), derived_seed(7, "augment", 1, 2)] == [
        5231958647509549229,
        4489457307835839548,
        5718977710814413307,
    ]


@given(seeds, purposes, st.lists(st.integers(0, 100), max_size=3))
def test_seeds_fit_into_63_bits_and_come_again(seed, purpose, keys):
    derived = derived_seed(seed, purpose, *keys)
    assert 0 <= derived < 2**63
    assert derived == derived_seed(seed, purpose, *keys)


def test_each_name_has_a_stream_of_its_own():
    names = [
        (seed, purpose, *keys)
        for seed in range(12)
        for purpose in ("order", "split")
        for keys in ((), (1,), (12,), (1, 2), (2, 1))
    ]
    assert len({derived_seed(*name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.rand(5, generator=torch_stream(3, "order", 1)).tolist(),
        lambda: numpy_stream(3, "order", 1).random(5).tolist(),
    ],
)
def test_streams_start_again_at_the_same_place(draw):
    assert draw() == draw()


def test_streams_leave_the_global_generators_alone():
    before = torch.get_rng_state(), numpy.random.get_state()[1].copy()  # noqa: NPY002
    torch.rand(3, generator=torch_stream(0, "order"))
    numpy_stream(0, "order").random(3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (numpy.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_one_stream_is_not_moved_by_another():
    alone = torch.rand(4, generator=torch_stream(0, "order", 1))
    first = torch_stream(0, "order", 1)
    torch.rand(100, generator=torch_stream(0, "augment", 1))
    torch.testing.assert_close(torch.rand(4, generator=first), alone, rtol=0, atol=0)


def test_another_process_gets_the_same_seed():
    # Python's own hash() would differ: it is salted for each process.
    code = "from neocog.randomness import derived_seed; print(derived_seed(5, 'split', 2))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(out) == derived_seed(5, "split", 2)


def test_torch_draws_the_same_after_seeding():
    cpu = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        seed_torch(cpu, 0, "dropout", 3)
        first = torch.rand(4)
        seed_torch(cpu, 0, "dropout", 4)
        other = torch.rand(4)
        seed_torch(cpu, 0, "dropout", 3)
        again = torch.rand(4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first, torch.rand(4, generator=torch_stream(0, "dropout", 3)))


@pytest.mark.parametrize(("device", "seeded"), [("cuda:0", 0), ("cuda:1", 1), ("cuda", 1)])
def test_the_gpu_that_trains_is_the_one_seeded(device, seeded, monkeypatch):
    generators = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    with torch.random.fork_rng(devices=[]):
        seed_torch(torch.device(device), 0, "dropout", 3)
    want = [1, 1]
    want[seeded] = derived_seed(0, "dropout", 3)
    assert [generator.initial_seed() for generator in generators] == want
