"""memory: what says that it ran out, how much there is, how much a training needs, and what is suggested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from conftest import ENVIRONMENT
from neocog.memory import Need, advice, doubt, free_memory, need_of, out_of_memory, refusal

CPU = torch.device("cpu")
SHAPE = (1, 28, 28)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9.31 GiB for an array"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not execute a primitive"),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_what_says_that_memory_ran_out(error: BaseException) -> None:
    assert out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("could not create a primitive descriptor for a convolution forward propagation primitive"),
        RuntimeError("shape '[2, 3]' is invalid for input of size 5"),
        ValueError("out of memory"),
        OSError(28, "No space left on device"),
    ],
)
def test_what_says_something_else(error: BaseException) -> None:
    assert not out_of_memory(error)


def test_torchs_own_words_are_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(caught.value)
    with pytest.raises(MemoryError) as other:
        np.empty(1 << 60, dtype=np.uint8)
    assert out_of_memory(other.value)


# ------------------------------------------------------------------------------------------------------ what there is


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMINFO = "MemTotal:       8000 kB\nMemFree: 10 kB\nMemAvailable:   5000 kB\nSwapTotal: 1000 kB\nSwapFree: 400 kB\n"


def test_the_systems_memory_and_what_of_it_is_swap(tmp_path: Path) -> None:
    assert free_memory(CPU, written(tmp_path, {"proc/meminfo": MEMINFO})) == 5400 * 1024


def test_a_second_version_groups_limit_counts_wherever_it_is_set(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/b/memory.current": "70000\n",
        "sys/fs/cgroup/a/memory.max": "3000000\n",
        "sys/fs/cgroup/a/memory.current": "2000000\n",
        "sys/fs/cgroup/a/memory.stat": "anon 900000\ninactive_file 600000\nactive_file 400000\n",
    }
    # 3,000,000 less 2,000,000 used, of which 1,000,000 are caches, and 409,600 of swap.
    assert free_memory(CPU, written(tmp_path, files)) == 2_409_600


def test_a_first_version_groups_limit_counts_under_the_root_too(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "8:pids:/\n4:cpu,memory:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000\n",
    }
    assert free_memory(CPU, written(tmp_path, files)) == 1_909_600


def test_where_nothing_tells_nothing_is_said(tmp_path: Path) -> None:
    assert free_memory(CPU, tmp_path) is None
    assert free_memory(torch.device("mps"), written(tmp_path, {"proc/meminfo": MEMINFO})) is None


def test_what_torch_keeps_of_a_gpu_is_free_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in: no test has a GPU.
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (300, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    assert free_memory(torch.device("cuda"), Path("/nowhere")) == 700


# ------------------------------------------------------------------------------------------------ what a training needs


def test_what_a_network_keeps_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5))
    got = need_of(model, model, torch.zeros(3, 1, 8, 8))
    # The picture (256 bytes), the 4·64 outputs of the ReLU once, though two layers keep them, and 5 answers.
    assert got == Need(weights=4 * (40 + 1285), kept=256 + 1024 + 20, largest=1024, picture=256)
    assert got.likely(10) == 3 * 5300 + 10 * (1300 + 2 * 1024 + 3 * 256)


def test_a_network_in_two_layouts_keeps_about_the_same() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    x = torch.zeros(3, 1, 8, 8)
    plain = need_of(lambda x: model(x).flatten(1), model, x)
    opaque = need_of(lambda x: model(x.to_mkldnn()).to_dense().flatten(1), model, x)
    assert (opaque.largest, opaque.weights) == (plain.largest, plain.weights)
    assert plain.kept <= opaque.kept <= 3 * plain.kept


def test_what_does_not_grow_with_the_batch_is_not_counted_as_if_it_did() -> None:
    model = nn.Linear(1000, 10)
    with torch.autocast("cpu", torch.bfloat16):  # keeps the 10,000 weights once more, rounded
        got = need_of(lambda x: model(x.flatten(1)), model, torch.zeros(3, 1, 10, 100))
    assert got.kept <= 4 * 1000 + 2 * 1000 + 4 * 10 + 2 * 10


class Tabled(nn.Module):
    """Multiplies by a large table of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.ones(1, 1, 1000, 8, 8))
        self.linear = nn.Linear(64, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.linear((x * self.table[:, :, 0].expand(len(x), -1, -1, -1)).flatten(1))
        return answers


def test_a_table_of_the_networks_own_is_there_once(tmp_path: Path) -> None:
    model = Tabled()
    got = need_of(model, model, torch.zeros(3, 1, 8, 8, requires_grad=True))
    assert got.kept == 256 + 8  # the 64 products and 2 answers; not a third of 256,000 bytes for each picture


# ------------------------------------------------------------------------------------------------------ what is said

NEED = Need(weights=1_000_000, kept=1_000_000, largest=200_000, picture=100_000)


def test_the_batch_that_is_suggested_is_the_largest_power_of_two_that_fits() -> None:
    # 3,000,000 for the weights and 1,700,000 for each picture: 16 take 30.2 MB, 32 take 57.4 MB, of 48 MB.
    assert refusal(100, SHAPE, "cpu", NEED, 60_000_000) == (
        "out of memory on cpu with batches of 100 pictures; train with --set loader.batch_size=16 (about 30.2 MB where "
        "60.0 MB were free)"
    )
    assert "loader.batch_size=32 " in advice(100, SHAPE, NEED, 71_750_000)
    assert "loader.batch_size=16 " in advice(100, SHAPE, NEED, 71_740_000)


@pytest.mark.parametrize(("batch", "suggested"), [(2, 1), (3, 1), (4, 2), (7, 2), (64, 32), (65, 32), (60_000, 16_384)])
@pytest.mark.parametrize("known", [False, True])
def test_without_knowledge_at_most_half_is_suggested(batch: int, suggested: int, known: bool) -> None:
    need, free = (NEED, 10**15) if known else (None, None)  # or it should have fitted
    assert advice(batch, SHAPE, need, free) == (
        f"train with --set loader.batch_size={suggested} (at most half as much)"
    )
    assert suggested <= batch // 2


@pytest.mark.parametrize(("shape", "smaller"), [((1, 28, 28), "14"), ((3, 300, 201), "[150,100]"), ((1, 1, 1), "1")])
def test_where_no_batch_is_small_enough_the_pictures_are_too_large(shape: Any, smaller: str) -> None:
    want = f"no batch is small enough, so train on smaller pictures: --set dataset.image_size={smaller}"
    assert refusal(1, shape, "cuda:0", None, None) == f"out of memory on cuda:0 with one picture at a time; {want}"
    assert advice(64, shape, NEED, 1000) == want
    assert advice(2, shape, None, None, smallest=2) == want  # batch normalisation


def test_a_doubt_before_a_training() -> None:
    assert doubt(8, SHAPE, NEED, 10**9) is None
    assert doubt(100, SHAPE, NEED, 173_000_000) is None
    assert doubt(100, SHAPE, NEED, 60_000_000) == (
        "batches of 100 pictures need about 173.0 MB of memory to train on and 60.0 MB are free, so the training may "
        "be killed without a word; train with --set loader.batch_size=16 (about 30.2 MB where 60.0 MB were free)"
    )


def test_whatever_runs_out_of_memory_is_one_line(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("neocog.workflow.describe_data", fail)
    answer = cli("data", "show", "mnist")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "error: out of memory; close other programs, or give less at a time\n"


# ---------------------------------------------------------------------------------------------------- a real process

LIMITED = """
import resource, sys
import torch, neocog, neocog.workflow, neocog.insight.reporting, PIL.Image
from neocog.cli import main
extra = int(sys.argv.pop(1))
limit = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + extra
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
main()
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for kind in ("left", "right"):
        (root / kind).mkdir()
        for number in range(40):
            pixels = random.integers(0, 256, (64, 64), dtype=np.uint8)
            Image.fromarray(pixels).save(root / kind / f"{number}.png")
    return root


@pytest.mark.faults
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of the address space")
def test_a_process_that_runs_out_of_memory_ends_in_one_line(photos: Path, tmp_path: Path) -> None:
    words = ["train", "--data", photos, "--run", "mine", "--set", "loader.batch_size=60000", "--precision", "float32"]
    words += ["--set", "train.iterations=3", "--set", "dataset.test=0", "--set", "dataset.validation=0", "--no-figures"]
    words += ["--set", "dataset.image_size=128"]
    model = "conv 64 3 same | relu | conv 64 3 same | relu | globalavgpool | flatten | linear classes"
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, "700000000", *map(str, words), "--model", model],
        env=ENVIRONMENT,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "batches of 80 pictures" in last
    assert "--set loader.batch_size=" in last
    suggested = int(last.split("loader.batch_size=")[1].split()[0])
    assert 1 <= suggested <= 64
    # The run begins anew: `resume` finds all that it needs.
    assert {"recipe.toml", "split.json", "environment.json"} <= {path.name for path in (tmp_path / "mine").iterdir()}
    assert not (tmp_path / "mine/run.lock").exists()
    assert not (tmp_path / "mine/weights.safetensors").exists()
