"""Files that somebody else may have made: bounded, never run, and refused in one line."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import json
import math
import os
import pickle
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

import neocog
from conftest import STEPS, TINY, Answer, fill
from neocog import untrusted
from neocog.errors import NeocogError
from neocog.finished import Run
from neocog.insight import reporting
from neocog.insight.pictures import KeptPictures
from neocog.kernels import read_kernel
from neocog.recipe import Recipe
from neocog.run import RunDirectory
from neocog.snapshots import put_state, put_weights
from neocog.untrusted import Unreadable

SOURCES = sorted(Path(neocog.__file__).parent.rglob("*.py"))


def refusal(action: Callable[..., object], *arguments: Any, **options: Any) -> str:
    with pytest.raises((Unreadable, NeocogError)) as caught:
        action(*arguments, **options)
    assert str(caught.value).isprintable(), "one line, and safe to print"
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "it is empty"),
        (b" <html></html>", "it is a web page"),
        (b"[1]", "it holds no object, as in {…}"),
        (b'{"a": 1', "it is no JSON: Expecting ',' delimiter: line 1 column 8 (char 7)"),
        (b'{"a": "\xff"}', "it is no text: byte 8 is not UTF-8"),
        (b'{"a": NaN}', "NaN is no finite number"),
        (b'{"a": -Infinity}', "-Infinity is no finite number"),
        (b'{"a": 1e999}', "1e999 is no finite number"),
        (b'{"a": 9223372036854775808}', "the number 9223372036854775808 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the number 99999999999999999999… is too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
        (b'{"a": {"\\u001b[2J": 1, "\\u001b[2J": 3}}', "'\\x1b[2J' is there twice"),
        (b'{"a": "\\ud83d"}', "it holds half a sign, '\\ud83d'"),
        (b'{"a":' + b"[" * 100_000, "its brackets are nested too deep"),
    ],
)
def test_what_is_no_json_object_of_ours(raw: bytes, reason: str) -> None:
    assert refusal(untrusted.json_object, raw) == reason


def test_what_is_a_json_object() -> None:
    raw = '{"a": [1, -9223372036854775808, 0.5, true, null, {"ü": "\\ud83d\\ude00 \\n"}]}'
    assert untrusted.json_object(raw.encode()) == json.loads(raw)
    assert math.isinf(untrusted.json_object(b'{"a": Infinity}', finite=False)["a"])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"a = " + b"[" * 5_000, "its brackets are nested too deep"),
        (b"a" + b".a" * 400_000 + b" = 1", "a line has more than 1,000 dots"),
        (b"a = 1\na = 2", "Cannot overwrite a value (at end of document)"),
        (b"a = '\xff'", "it is no text: byte 6 is not UTF-8"),
        (b'a = "\\ud800"', "Escaped character is not a Unicode scalar value (at line 1, column 12)"),
    ],
)
def test_what_is_no_toml(raw: bytes, reason: str) -> None:
    assert refusal(untrusted.toml_table, raw) == reason
    assert refusal(untrusted.toml_table, b"a = " + b"9" * 5000).startswith("Exceeds the limit (4300")


def test_only_ordinary_files_within_bounds_are_opened(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"12345")
    assert untrusted.content_of(small, 5) == b"12345"
    assert refusal(untrusted.content_of, small, 4) == "it holds more than 0 MB"
    os.mkfifo(tmp_path / "pipe")  # to open it is to wait for ever
    assert refusal(untrusted.content_of, tmp_path / "pipe") == "it is no ordinary file"
    (tmp_path / "link").symlink_to("/dev/zero")
    assert refusal(untrusted.content_of, tmp_path / "link") == "it is no ordinary file"
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10**12)
    assert refusal(untrusted.content_of, tmp_path / "holes") == "it holds more than 64 MB"
    with pytest.raises(IsADirectoryError):
        untrusted.content_of(tmp_path)


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert untrusted.shown("a\x1b[31m\r\n\t\x9b2J\u202eb\u2028") == "a\\x1b[31m\\r\\n\\t\\x9b2J\\u202eb\\u2028"
    assert untrusted.shown("Zoë\u00a0三 👩\u200d🔬") == "Zoë\u00a0三 👩\u200d🔬"
    assert untrusted.shown_lines("a\nb\x07") == "a\nb\\x07"


# ----------------------------------------------------------------------------------------------- arrays


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def npy(header: bytes, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + content


def zipped(*members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def head(descr: str = "'<f4'", shape: str = "(2,)") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()


def test_arrays_come_back_as_numpy_reads_them() -> None:
    arrays = {
        "a": np.arange(6, dtype=">f8").reshape(2, 3),
        "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "c": np.array(["x", "yé😀"]),
        "d": np.zeros((0, 3), np.uint8),
        "e": np.array(True),
    }
    found = untrusted.arrays_of(npz(**arrays))
    with np.load(io.BytesIO(npz(**arrays)), allow_pickle=False) as want:
        assert list(found) == list(want)
        for name in want:
            np.testing.assert_array_equal(found[name], want[name])
    assert found["a"].dtype.isnative and found["a"].flags.writeable
    assert list(untrusted.arrays_of(npz(test_a=1, val_a=2), "val_")) == ["val_a"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (npy(head("'|O'")), "it holds Python objects, which are never loaded"),
        (npy(head("[('a', '|O')]")), "it holds Python objects, which are never loaded"),
        (npy(head("'<b4'"), bytes(8)), "it holds <b4; numbers, booleans or texts are wanted"),
        (npy(head("'<c8'"), bytes(16)), "it holds <c8; numbers, booleans or texts are wanted"),
        (npy(head("'<U0'", f"({10**18},)")), "it holds <U0; numbers, booleans or texts are wanted"),
        (npy(head(shape="(1000000000000,)"), bytes(8)), "it promises 4,000,000,000,000 bytes of numbers, but 8 follow"),
        (npy(head(shape="(-2,)"), bytes(8)), "it has no numpy header"),
        (npy(head(), bytes(9)), "it promises 8 bytes of numbers, but 9 follow"),
        (npy(head(shape=f"(0, {10**30})")), "it has no shape that an array can have"),
        (npy(head("'<U1'", "(1,)"), b"\xff\xff\xff\x7f"), "it holds signs that are none"),
        (npy(head(), bytes(8), b"\3\0"), "it has no numpy header"),
        *((npy(head(shape=shape), bytes(8)), "it has no numpy header") for shape in ("{2: 1}", "[2]", "2", "(True,)")),
        (npy(b"__import__('os').system('touch ran')"), "it has no numpy header"),
        (npy(b"-" * 9000 + b"1"), "it has no numpy header"),
        (npy(b"(" * 9000), "it has no numpy header"),
        (b"\x93NUMPY", "it has no numpy header"),
    ],
)  # fmt: skip
def test_a_header_is_believed_only_as_far_as_there_are_bytes(raw: bytes, reason: str) -> None:
    assert refusal(untrusted.array_of, raw) == reason
    assert refusal(untrusted.arrays_of, zipped(("x.npy", raw))) == reason.replace("it", "its array 'x'", 1)
    assert not Path("ran").exists()


def bomb(size: int) -> bytes:
    """An archive of 8 zero bytes whose list of contents claims so many."""
    raw = bytearray(zipped(("x.npy", npy(head(), bytes(8)))))
    place = raw.index(b"PK\1\2")
    raw[place + 24 : place + 28] = struct.pack("<I", size)
    return bytes(raw)


def test_sizes_count_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    large = bomb(4_000_000_000)
    many = zipped(*((f"{name}.npy", npy(head(shape="(250,)"), bytes(1000))) for name in "abc"))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("was unpacked"))
    assert refusal(untrusted.arrays_of, large) == "it unpacks to more than 2,000 MB"
    assert refusal(untrusted.arrays_of, many, "a", most=3000) == "it unpacks to more than 0 MB"


def test_archives_that_are_none_of_ours() -> None:
    good = npy(head(), bytes(8))
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(("x.npy", good), ("x.npy", good))
    assert refusal(untrusted.arrays_of, twice) == "its member 'x.npy' is there twice"
    packed = "its member 'x.npy' is packed in a way that numpy doesn't use"
    assert refusal(untrusted.arrays_of, zipped(("x.npy", good), how=zipfile.ZIP_LZMA)) == packed
    locked = bytearray(zipped(("x.npy", good)))
    locked[locked.index(b"PK\1\2") + 8] |= 1
    assert refusal(untrusted.arrays_of, bytes(locked)) == "its member 'x.npy' is encrypted"
    many = bytearray(zipped(("x.npy", good)))
    many[many.index(b"PK\5\6") + 12 :][:4] = b"\xff\xff\xff\x7f"
    end = many.index(b"PK\5\6") + 12
    many[end : end + 4] = b"\xff\xff\xff\x7f"
    assert refusal(untrusted.arrays_of, bytes(many)) == "it has more members than any of ours"
    assert refusal(untrusted.arrays_of, b"PK") == "it is no whole numpy archive: its end is missing"
    assert refusal(untrusted.arrays_of, b"") == "it is empty"
    outside = untrusted.arrays_of(zipped(("../../x.npy", good)))
    assert list(outside) == ["../../x"] and list(Path().iterdir()) == []  # a name, and nothing on the disk


# ---------------------------------------------------------------------------------------------- tensors


def tensors(header: Any, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def entry(kind: str = "F32", shape: tuple[int, ...] = (2,), offsets: tuple[int, int] = (0, 8)) -> dict[str, Any]:
    return {"dtype": kind, "shape": list(shape), "data_offsets": list(offsets)}


def test_tensors_come_back_with_their_notes() -> None:
    state = {"a": torch.arange(3.0), "b": torch.zeros(0, 2), "c": torch.tensor(True)}
    raw = save(state, {"note": "x"})
    found, notes = untrusted.tensors_and_notes(raw)
    assert notes == {"note": "x"} and found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "it is empty"),
        (b"<html>", "it is a web page"),
        (b"123", None),
        (tensors({}, length=2**63), "its header holds more than 16 MB"),
        (tensors({"a": entry()}, bytes(8), length=16_000_001), "its header holds more than 16 MB"),
        (tensors({"a": entry()}, bytes(8), length=16_000_000), None),
        (tensors(b"no json"), None),
        (tensors(b"[" * 90_000), None),
        (tensors(b'{"a":' * 90_000), None),
        (tensors(b'{"\\ud800": 1}'), None),
        (tensors({"__metadata__": {"a": 1}}), None),
        (tensors({"a": entry(shape=(2**64,))}), None),
        (tensors({"a": entry(shape=(0, 2**62, 2**62), offsets=(0, 0))}), None),
        (tensors({"a": entry("F4", (2, 8))}, bytes(8)), None),
        (tensors({"a": entry("F99")}, bytes(8)), None),
        (tensors({"a": entry()}, bytes(7)), None),
        (tensors({"a": entry()}, bytes(9)), None),
        (tensors({"a": entry(shape=(3,))}, bytes(8)), None),
        (tensors({"a": entry(shape=(-2,))}, bytes(8)), None),
        (tensors({"a": entry(offsets=(8, 0))}, bytes(8)), None),
        (tensors({"a": entry(offsets=(-8, 0))}, bytes(8)), None),
        (tensors({"a": entry(), "b": entry()}, bytes(8)), None),
        (tensors({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), None),
        (tensors({"a": entry(shape=(2**32, 2**32))}, bytes(8)), None),
        (tensors({"a": 1}), None),
        (tensors({"a": {}}), None),
        (pickle.dumps({"a": 1}), "its header holds more than 16 MB"),
    ],
)  # fmt: skip
def test_a_malformed_header_is_refused(raw: bytes, reason: str | None) -> None:
    text = refusal(untrusted.tensors_of, raw)
    assert text == reason or (reason is None and text.startswith(("it is no whole safetensors", "it holds numbers of")))


def test_a_reason_is_no_longer_than_a_few_lines() -> None:
    text = refusal(untrusted.tensors_of, tensors(b'{"a": "' + b"x" * 1_000_000 + b'"}'))
    assert text.startswith("it is no whole safetensors file: ") and text.endswith("x…") and len(text) == 301


def test_one_flipped_bit_changes_the_sha(tmp_path: Path) -> None:
    raw = save({"a": torch.arange(100.0)})
    digest = hashlib.sha256(raw).hexdigest()
    for offset in range(0, len(raw), 7):
        changed = bytearray(raw)
        changed[offset] ^= 1
        assert refusal(untrusted.tensors_of, bytes(changed), digest) == (
            "its SHA-256 is not the one that was noted, so it is damaged or another file"
        )


# ---------------------------------------------------------------------------------------- gzip and tar


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def member(name: str = "a/b", kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def test_a_gzip_bomb_goes_no_further_than_its_bound() -> None:
    bombed = gzip.compress(bytes(3_000_000))
    assert refusal(untrusted.gunzipped, bombed, 2_000_000) == "it unpacks to more than 2 MB"
    assert refusal(untrusted.untarred, bombed, 2_000_000) == "it unpacks to more than 2 MB"
    assert untrusted.gunzipped(bombed, 3_000_000) == bytes(3_000_000)
    assert untrusted.gunzipped(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert refusal(untrusted.gunzipped, b"no") == "not a gzip file"
    assert refusal(untrusted.gunzipped, bombed[:-1]) == (
        "Compressed file ended before the end-of-stream marker was reached"
    )


def test_members_of_a_tar_that_are_refused(tmp_path: Path) -> None:
    good = untrusted.untarred(packed((member("a", tarfile.DIRTYPE), b""), (member(), b"12")))
    assert good == {"a/b": b"12"}
    for name in ("../a", "a/../../b", "/etc/x", "..\\a"):
        assert refusal(untrusted.untarred, packed((member(name), b"1"))) == (
            f"its member '{name}' leads out of the archive"
        )
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        link = packed((member("x", kind, "/etc/passwd"), b""))
        assert refusal(untrusted.untarred, link) == "its member 'x' is no ordinary file"
    assert refusal(untrusted.untarred, packed((member(), b"1"), (member(), b"2"))) == "its member 'a/b' is there twice"
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------- nothing is ever run


FORBIDDEN = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}


def running(text: str) -> list[str]:
    """Calls and imports that run what a file holds."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [each.name for each in node.names] + [getattr(node, "module", None) or ""]
            found += [ast.unparse(node) for name in names if name.split(".")[0] in FORBIDDEN]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        last, options = called.split(".")[-1], {each.arg: ast.unparse(each.value) for each in node.keywords}
        if called in ("eval", "exec", "__import__", "compile") or called.split(".")[0] in FORBIDDEN:
            found.append(called)
        if called in ("np.load", "numpy.load", "np.lib.format.read_array") and options.get("allow_pickle") != "False":
            found.append(called)
        if last in ("read_pickle", "fromregex", "load_module", "run_path") or called in (
            "torch.load",
            "torch.jit.load",
        ):
            found.append(called)
    return found


def test_no_source_runs_what_a_file_holds() -> None:
    found = {str(path): running(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert len(found) > 100 and {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from yaml import load", "np.load(x)", "numpy.load(x, allow_pickle=True)", "torch.load(x)",
     "eval(x)", "exec(x)", "marshal.loads(x)", "import joblib as j", "torch.load(x, weights_only=True)"],
)  # fmt: skip
def test_what_would_run_is_found(text: str) -> None:
    assert len(running(text)) == 1
    assert running("np.load(x, allow_pickle=False)\nmodel.eval()\nre.compile(x)") == []


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran").absolute(),)


def pickles() -> Iterator[bytes]:
    """Malicious pickles: plain, as torch saves them, and as numpy does."""
    yield pickle.dumps(Payload())
    file = io.BytesIO()
    torch.save({"a": Payload()}, file)
    yield file.getvalue()
    for write in (np.save, lambda file, array: np.savez(file, samples=array, test_label=array)):
        file = io.BytesIO()
        write(file, np.array([Payload()], dtype=object))
        yield file.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trained")
    data = fill(place / "shapes")
    run = neocog.train(
        "fast", data=data, model=TINY, set=STEPS, run=place / "run", figures=False, checkpoint_every=None
    )
    return run.path


@pytest.fixture
def run(trained: Path) -> Path:
    place = Path("run")
    place.mkdir()
    for file in trained.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return place


def look(run: Path) -> None:
    """Opens everything that a run holds."""
    found = Run.open(run)
    str(found)
    found._repr_html_()
    KeptPictures.read(found)
    _ = found.metrics, found.test, found.validation, found.test_openings, found.calibration
    found.directory.read_json("environment.json")
    found.directory.read_json("split.json")
    neocog.load(found)


def test_payloads_never_run(run: Path) -> None:
    assert pickle.loads(next(pickles())) is None and Path("ran").exists(), "the payload works"
    Path("ran").unlink()
    names = [path.name for path in run.iterdir()]
    assert len(names) == 8, names
    for name in names:
        before = (run / name).read_bytes()
        for content in pickles():
            (run / name).write_bytes(content)
            refusal(look, run)
        (run / name).write_bytes(before)
    for content in pickles():
        for name in ("k.npy", "k.txt"):
            Path(name).write_bytes(content)
            refusal(read_kernel, name)
        Path("recipe.toml").write_bytes(content)
        refusal(Recipe.load, "recipe.toml")
    assert not Path("ran").exists()
    look(run)


def test_a_flipped_byte_in_a_finished_run_is_refused(run: Path) -> None:
    weights = run / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-3] ^= 4
    weights.write_bytes(raw)
    assert refusal(neocog.load, run) == (
        "'run/weights.safetensors' can't be read: its SHA-256 is not the one that was noted, so it is damaged or "
        "another file; train again"
    )
    results = json.loads((run / "results.json").read_text())
    del results["weights_sha256"]  # as a run from before
    (run / "results.json").write_text(json.dumps(results))
    assert len(neocog.load(run).classes) == 3


def test_a_network_far_larger_than_its_weights_is_never_made(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run / "recipe.toml"
    path.write_text(path.read_text().replace("linear classes", "linear 1000000000 | linear classes"))
    monkeypatch.setattr(nn.Linear, "__init__", lambda *_, **__: pytest.fail("was made"))
    assert refusal(neocog.load, run) == (
        "the weights don't fit the network of the recipe: it has 104,000,000,043 parameters, and "
        "'run/weights.safetensors' holds 343 numbers; train again"
    )


# as the first neocog that had such wrote them
LESSON = {"accuracy": 0.5, "part": "test", "dropout": False, "train_accuracy": None, "faults": [], "log": []}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"steps": None}, "steps is None"),
        ({"parameters": 1.5}, "parameters is 1.5"),
        ({"seed": True}, "seed is True"),
        ({"val_accuracy": 3}, "val_accuracy is 3"),
        ({"test_interval": [0.5]}, "test_interval is [0.5]"),
        ({"test_interval": [0.5, "1"]}, "test_interval.1 is '1'"),
        ({"test_interval": None}, "test_interval is null beside a test_accuracy"),
        ({"notes": "\x1b[2J"}, r"notes is '\x1b[2J'"),
        ({"notes": [{"a": "b" * 99}]}, "notes.0 is {'a': 'bbbbbbbbbbbb...bbbbbbbbbbbbb'}"),
        ({"as_published": {}}, "it has no as_published.accuracy"),
        ({"as_published": LESSON | {"part": "val"}}, "as_published.part is 'val'"),
        ({"as_published": LESSON | {"log": [{}]}}, "it has no as_published.log.0.step"),
        ({"as_published": LESSON | {"reported": 0.9}}, "it has no as_published.at_least"),
    ],
)
def test_figures_of_a_wrong_kind(run: Path, change: dict[str, Any], reason: str) -> None:
    directory = RunDirectory.open(run)
    directory.write_json("results.json", {**directory.read_results(), **change})
    assert refusal(directory.read_results) == f"'run/results.json' can't be read: {reason}; train again"


def test_a_figure_is_missed_where_it_is_used_and_more_are_no_harm(run: Path) -> None:
    directory = RunDirectory.open(run)
    figures = {"mine": ["a note"], **directory.read_results(), "as_published": LESSON}
    del figures["steps"], figures["steps_per_epoch"]
    directory.write_json("results.json", figures)
    found = Run.open(run)
    assert found.results["mine"] == ["a note"] and found.test is not None
    want = "'run/results.json' can't be read: it has no steps; train again"
    assert refusal(str, found) == want
    assert refusal(lambda: found.results["steps"]) == want


def test_a_forged_memory_of_an_optimizer_never_reaches_its_kernels() -> None:
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters(), fused=True)
    good = {f"0.{name}": torch.zeros(2, 2) for name in ("exp_avg", "exp_avg_sq")} | {"0.step": torch.tensor(1.0)}
    put_state(optimizer, good)
    for key, value in (
        *(("0.exp_avg", torch.zeros(3, 7)), ("0.exp_avg", torch.zeros(2, 2).half()), ("0.exp_avg", torch.zeros(4))),
        *(("9.exp_avg", torch.zeros(2, 2)), ("-1.exp_avg", torch.zeros(2)), ("00.exp_avg", torch.zeros(2, 2))),
        *(("0.step", torch.ones(9)), ("0.step", torch.tensor(0.0)), ("0.step", torch.tensor(math.nan))),
        *(
            ("0.step", torch.tensor(1.0).double()),
            ("0.step", torch.tensor(1)),
            ("0.momentum_buffer", torch.zeros(2, 2)),
            ("0", torch.zeros(2, 2)),
        ),
    ):
        assert refusal(put_state, optimizer, {**good, key: value}) == (
            f"the checkpoint's optimizer is another one's: '{key}' has no place in it; train again"
        )
    for key in good:  # torch would look for it, or begin anew
        assert refusal(put_state, optimizer, {name: value for name, value in good.items() if name != key}) == (
            f"the checkpoint's optimizer has lost its '{key}'; train again"
        )


def test_forged_weights_are_not_put_into_a_network() -> None:
    layer = nn.Linear(2, 2)
    good = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
    put_weights(layer, good)
    for key, value in (("bias", None), ("bias", torch.zeros(1)), ("bias", torch.zeros(2, dtype=torch.int64)),
                       ("more", torch.zeros(2))):  # fmt: skip
        changed = {name: tensor for name, tensor in {**good, key: value}.items() if tensor is not None}
        assert refusal(put_weights, layer, changed) == (
            f"the checkpoint's weights are another network's: they differ in '{key}'; train again"
        )


# ------------------------------------------------------------------------------ code that a recipe names


VERBS = [
    *(["train", "run"], ["train", "run/recipe.toml"], ["resume", "run"], ["evaluate", "run"], ["calibrate", "run"]),
    *(["predict", "run", "x.png"], ["explain", "run", "x.png"], ["stress", "run"], ["summary", "run"]),
    *(["sweep", "run", "--seeds", "1"], ["compare", "run", "run"], ["reproduce", "run"], ["lr-find", "run"]),
    *(["mistakes", "run"], ["plot", "run", "kernels"], ["recipes", "run"]),
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_no_file_chooses_code_to_run(run: Path, cli: Callable[..., Answer], words: list[str]) -> None:
    recipe = (run / "recipe.toml").read_text()
    begin, end = recipe.index("layers ="), recipe.index("init =")
    (run / "recipe.toml").write_text(f'{recipe[:begin]}factory = "evil:make"\n{recipe[end:]}')
    Path("evil.py").write_text("open('ran', 'w')\ndef make(channels, classes): open('ran', 'w')\n")
    fill(Path("y"), each=1)
    Path("y/circle/0.png").rename("x.png")
    if words[0] == "resume":
        (run / "results.json").unlink()
    answer = cli(*words)
    assert not Path("ran").exists() and "evil" not in sys.modules
    if words[0] not in ("mistakes", "recipes", "plot"):  # which look at the figures alone
        assert answer.status == 2, answer
        assert "Traceback" not in answer.err and len(answer.err.splitlines()) == 1, answer.err


# ------------------------------------------------------------------------------------ pages and terminals


def test_texts_of_a_strange_run_are_harmless(run: Path, cli: Callable[..., Answer]) -> None:
    evil = "<script>alert(1)\\u001b[2J\\u009b2J\\n[red]"
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace('"circle"', f'"{evil}"').replace('"fast"', f'"{evil}"'))
    directory = RunDirectory.open(run)
    text = json.loads(f'"{evil}"')
    directory.write_json("results.json", {**directory.read_results(), "data": text, "recipe": text, "notes": [text]})
    fill(Path("y"), each=1)
    for words in (["predict", "run", "y"], ["predict", "run", "y", "--json"], ["recipes", "run"]):
        answer = cli(*words)
        assert answer.status == 0, answer
        assert "\x1b" not in answer.out + answer.err and "\x9b" not in answer.out + answer.err, words
    refused = cli("evaluate", "run")  # the folder that it was trained on has no such class
    assert (refused.status, len(refused.err.splitlines())) == (2, 1)
    assert "\x1b" not in refused.err and "<script>alert(1)\\x1b[2J\\x9b2J\\n[red]" in refused.err
    found = Run.open(run)
    # Figures come into the page as images, which run nothing.
    pages = found._repr_html_(), reporting._page(found, [], dict.fromkeys(reporting.names(), text))
    assert all("<script>alert" not in page for page in pages)
    assert "&lt;script&gt;alert" in pages[1]


# ---------------------------------------------------------------------------------------------- mutations


def mutated(raw: bytes, random: np.random.Generator) -> bytes:
    """A flip, a cut, noise, a piece twice, or other numbers and brackets."""
    changed, place = bytearray(raw), int(random.integers(len(raw)))
    match int(random.integers(5)):
        case 0:
            changed[place] ^= 1 << int(random.integers(8))
        case 1:
            del changed[place:]
        case 2:
            changed[place : place + 4] = random.bytes(int(random.integers(9)))
        case 3:
            changed[place:place] = changed[place : place + 40]
        case _:
            for each in random.integers(len(raw), size=3):
                changed[each] = random.choice(list(b'0123456789-"{}[],:eE.\n nt'))
    return bytes(changed)


READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "json": (untrusted.json_object, json.dumps({"a": [1, 2.5, None, "\u20ac"], "b": {"c": -1e-9}}).encode()),
    "toml": (untrusted.toml_table, Recipe.load("fast").to_toml().encode()),
    "npy": (untrusted.array_of, npy(head(), bytes(8))),
    "npz": (untrusted.arrays_of, npz(a=np.arange(30.0), b=np.array(["x", "yy"]))),
    "safetensors": (untrusted.tensors_of, save({"a": torch.arange(9.0), "b": torch.ones(2, 2)}, {"n": "{}"})),
    "gzip": (untrusted.gunzipped, gzip.compress(bytes(range(200)))),
    "tar": (untrusted.untarred, packed((member(), bytes(200)), (member("c"), b"1"))),
}


def try_mutations(name: str, count: int) -> tuple[int, int]:
    """How many mutations were read, and how many refused; anything else is raised."""
    read, raw = READERS[name]
    random = np.random.default_rng([count, len(name)])
    refused = 0
    for _ in range(count):
        try:
            read(mutated(raw, random))
        except Unreadable as error:
            assert str(error) and str(error).isprintable()
            refused += 1
    return count - refused, refused


@pytest.mark.parametrize("name", READERS)
def test_mutations_are_read_or_refused(name: str) -> None:
    _, refused = try_mutations(name, 150)
    assert refused > 20
