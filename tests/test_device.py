"""device: auto, refusals, and what the environment record says."""

from __future__ import annotations

import pytest
import torch

import neocog
from neocog.device import Compute, choose, environment
from neocog.errors import DeviceError

CPU = torch.device("cpu")


def refusal(device: str = "cpu", precision: str = "auto") -> str:
    with pytest.raises(DeviceError) as caught:
        choose(device, precision)
    return str(caught.value)


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: not including_emulation)


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize("native", [True, False])
def test_auto_on_a_cpu_takes_bf16_only_where_it_is_native(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    assert choose() == Compute(CPU, "bf16" if native else "float32")
    assert choose("cpu", "float32") == Compute(CPU, "float32")
    assert choose("cpu", "bf16") == Compute(CPU, "bf16")


@pytest.mark.usefixtures("two_gpus")
def test_auto_prefers_the_gpu_and_an_index_is_kept() -> None:
    assert choose() == Compute(torch.device("cuda"), "bf16")
    assert choose("cuda:1", "float32") == Compute(torch.device("cuda", 1), "float32")
    assert refusal("cuda:2") == "device 'cuda:2': the last one here is cuda:1"


def test_auto_takes_mps_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose() == Compute(torch.device("mps"), "float32")
    assert refusal("mps", "bf16") == "precision 'bf16' is not offered on mps; use --precision float32"
    assert refusal("mps", "float64") == "precision 'float64' is not offered on mps; use --precision float32"


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize(
    ("device", "precision", "text"),
    [
        ("cdua", "auto", "unknown device 'cdua'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        ("tpu", "auto", "unknown device 'tpu'; did you mean 'cpu'? Known: auto, cpu, cuda, mps"),
        ("gpu", "auto", "unknown device 'gpu'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        ("GPU:1", "auto", "unknown device 'GPU:1'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        ("cuda:²", "auto", "unknown device 'cuda:²'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        ("cuda:x", "auto", "unknown device 'cuda:x'; did you mean 'cuda'? Known: auto, cpu, cuda, mps"),
        ("", "auto", "unknown device ''; Known: auto, cpu, cuda, mps"),
        ("cuda", "auto", "device 'cuda': this machine or this build of torch has none; use --device cpu"),
        ("cuda:0", "auto", "device 'cuda': this machine or this build of torch has none; use --device cpu"),
        ("mps", "auto", "device 'mps': this machine or this build of torch has none; use --device cpu"),
        ("cpu", "fp16", "unknown precision 'fp16'; did you mean 'bf16'? Known: auto, bf16, float32, float64"),
    ],
)
def test_what_is_not_there_is_refused(device: str, precision: str, text: str) -> None:
    assert refusal(device, precision) == text


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_gives_the_products_their_precision(precision: str, dtype: torch.dtype) -> None:
    with Compute(CPU, precision).autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_compute_reads_as_device_and_precision() -> None:
    assert str(Compute(CPU, "float32")) == "cpu in float32"


def test_environment_holds_what_a_figure_depends_on() -> None:
    found = environment()
    assert {"neocog", "python", "torch", "numpy", "system", "cpu", "threads"} <= set(found)
    assert found["neocog"] == neocog.__version__
    assert found["torch"] == torch.__version__
    assert found["cpu"]
    assert all(isinstance(value, str | int) for value in found.values())


def test_environment_counts_the_threads_of_now() -> None:
    torch.set_num_threads(1)
    one = environment()["threads"]
    torch.set_num_threads(2)
    assert (one, environment()["threads"]) == (1, 2)
