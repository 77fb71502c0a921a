"""predict: every kind of picture gives one answer, whatever way it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import neocog
from conftest import STEPS, TINY, drawn, fill
from neocog.errors import DataError, NeocogError, PictureError, RunError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grey")


@pytest.fixture(scope="module")
def grey(place: Path) -> neocog.Classifier:
    """Trained on grey drawn shapes of 10×10."""
    run = neocog.train("fast", data=fill(place / "shapes"), set=STEPS, model=TINY, run=place / "run", figures=False)
    return neocog.load(run.path)


@pytest.fixture(scope="module")
def coloured(place: Path) -> neocog.Classifier:
    """Trained on RGB pictures of 6 rows and 9 columns."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 6, 9, 3), dtype=np.uint8)
    run = neocog.train(
        "fast", data=(images, ["b", "a", "c"] * 10), set=STEPS, model=TINY, run=place / "colour", figures=False
    )
    return neocog.load(run.path)


def refusal(kind: type[NeocogError], action: Any, *arguments: Any) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments)
    return str(caught.value)


def test_each_kind_of_grey_picture_gives_the_same_answer(grey: neocog.Classifier) -> None:
    picture = drawn("circle", 77)
    picture.save("p.png")
    pixels = np.asarray(picture)
    kinds: dict[str, Any] = {
        "path": Path("p.png"),
        "text": "p.png",
        "bytes": Path("p.png").read_bytes(),
        "PIL": picture,
        "PIL in RGB": picture.convert("RGB"),
        "(H, W)": pixels,
        "(H, W, 1)": pixels[..., None],
        "(H, W, 3)": np.stack([pixels] * 3, axis=2),
        "(1, H, W, 1)": pixels[None, ..., None],
        "floats": pixels / 255,
        "float32": (pixels / 255).astype(np.float32),
        "tensor (H, W)": torch.from_numpy(pixels.copy()),
        "tensor (C, H, W)": torch.from_numpy(pixels.copy())[None],
        "tensor (3, H, W)": torch.from_numpy(pixels.copy())[None].expand(3, -1, -1),
        "tensor of floats": torch.from_numpy(pixels.copy())[None].float() / 255,
        "tensor (N, C, H, W)": torch.from_numpy(pixels.copy())[None, None],
        "not contiguous": np.ascontiguousarray(pixels[:, ::-1])[:, ::-1],
        "list": [picture],
        "tuple": ("p.png",),
    }
    want = grey.predict_proba("p.png")
    assert want.shape == (1, 3)
    assert want.dtype == np.float32
    for name, kind in kinds.items():
        np.testing.assert_array_equal(grey.predict_proba(kind), want, err_msg=name)
        assert grey.predict(kind) == [grey.classes[int(want.argmax())]], name


def test_each_kind_of_colour_picture_gives_the_same_answer(coloured: neocog.Classifier) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("p.png")
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    want = coloured.predict_proba("p.png")
    for kind in (
        Image.open("p.png"),
        pixels,
        pixels[None],
        pixels / 255,
        tensor,
        tensor[None],
        tensor.double() / 255,
        tensor.contiguous().to(memory_format=torch.contiguous_format),
        torch.from_numpy(pixels),
    ):
        np.testing.assert_array_equal(coloured.predict_proba(kind), want)
    assert coloured.classes == ("a", "b", "c")


def test_a_list_may_mix_kinds_and_keeps_their_order(grey: neocog.Classifier) -> None:
    pictures = [drawn(kind, number) for number in range(3) for kind in ("circle", "square")]
    pictures[1].save("p.png")
    mixed: Sequence[Any] = [
        pictures[0],
        "p.png",
        np.asarray(pictures[2]),
        torch.from_numpy(np.array(pictures[3]))[None],
        np.asarray(pictures[4]) / 255,
    ]
    single = np.concatenate([grey.predict_proba(picture) for picture in pictures[:5]])
    np.testing.assert_allclose(grey.predict_proba(mixed), single, rtol=1e-5)
    batch = np.stack([np.asarray(picture) for picture in pictures[:5]])
    np.testing.assert_allclose(grey.predict_proba(batch[..., None]), single, rtol=1e-5)
    np.testing.assert_allclose(grey.predict_proba(list(batch)), single, rtol=1e-5)
    np.testing.assert_allclose(grey.predict_proba(torch.from_numpy(batch)[:, None]), single, rtol=1e-5)


def test_probabilities_are_the_softmax_of_the_networks_outputs(grey: neocog.Classifier) -> None:
    x = grey.normalization(grey.prepare(drawn("cross", 3)))
    with torch.no_grad():
        want = torch.softmax(grey.model(x).double(), 1)
    got = grey.predict_proba(drawn("cross", 3))
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-6)
    assert float(got.sum()) == pytest.approx(1.0, abs=1e-6)


def test_a_temperature_divides_the_networks_outputs_and_changes_no_answer(grey: neocog.Classifier) -> None:
    pictures = [drawn(kind, number) for kind in ("circle", "cross", "square") for number in range(4)]
    x = grey.normalization(grey.prepare(pictures))
    with torch.no_grad():
        logits = grey.model(x).double()
    for temperature in (0.4, 3.0):
        soft = replace(grey, temperature=temperature)
        np.testing.assert_allclose(soft.predict_proba(pictures), torch.softmax(logits / temperature, 1), rtol=1e-5)
        assert soft.predict(pictures) == grey.predict(pictures)


def test_a_picture_of_another_size_or_colour_is_prepared_as_training_pictures_were(grey: neocog.Classifier) -> None:
    large = drawn("circle", 5).resize((33, 21)).convert("RGBA")
    assert grey.prepare(large).shape == (1, 10, 10, 1)
    assert len(grey.predict(large)) == 1


def test_predicting_leaves_the_classifier_in_evaluation_mode(grey: neocog.Classifier) -> None:
    grey.predict(drawn("circle", 1))
    assert not any(module.training for module in grey.model.modules())


def test_a_picture_that_cannot_be_read_is_named(grey: neocog.Classifier) -> None:
    Path("zero.png").write_bytes(b"")
    Path("page.png").write_text("<html>")
    drawn("circle", 1).save("fine.png")
    assert refusal(PictureError, grey.predict, ["fine.png", "zero.png"]).startswith(
        "cannot read 'zero.png': it is empty (0 bytes); "
    )
    for bad in ("page.png", "none.png", "."):
        text = refusal(PictureError, grey.predict, bad)
        assert text.startswith(f"cannot read '{bad}': "), text
        assert "\n" not in text
        assert "; " in text


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        (np.full((4, 4), 2.0), "a picture of floats runs from 2 to 2"),
        (np.array([[0.0, -0.5]]), "a picture of floats runs from -0.5 to 0"),
        (np.array([[0.0, np.nan]]), "a picture of floats runs from nan to nan"),
        (np.array([[0.0, 255.0]]), "a picture of floats runs from 0 to 255"),
    ],
)
def test_floats_beyond_0_to_1_are_refused(grey: neocog.Classifier, picture: np.ndarray, text: str) -> None:
    want = f"{text}; give floats from 0 to 1, or uint8 from 0 to 255"
    assert refusal(DataError, grey.predict, picture) == want


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((0, 4)),
        np.zeros((1, 1, 4, 4, 1), np.uint8),
        np.array([["a", "b"]]),
    ],
    ids=["int64", "bool", "two channels", "1-d", "empty", "empty floats", "5-d", "text"],
)
def test_other_arrays_are_one_line(grey: neocog.Classifier, picture: np.ndarray) -> None:
    for form in (picture, [picture]):
        assert "\n" not in refusal(DataError, grey.predict, form)


def test_no_picture_at_all(grey: neocog.Classifier) -> None:
    want = "no picture was given; give at least one"
    assert refusal(DataError, grey.predict, []) == want
    assert refusal(DataError, grey.predict_proba, np.zeros((0, 10, 10, 1), np.uint8)) == want


def test_bfloat16_tensors_are_pictures_too(grey: neocog.Classifier) -> None:
    assert len(grey.predict(torch.full((1, 10, 10), 0.5, dtype=torch.bfloat16))) == 1


def test_ranked_names_the_best_first(grey: neocog.Classifier) -> None:
    fill(Path("more"), each=2)
    drawn("circle", 9).save("one.png")
    answers = grey.ranked(["one.png", "more"], top=2)
    assert [answer["picture"] for answer in answers] == [
        "one.png",
        *(f"more/{kind}/{number}.png" for kind in ("circle", "cross", "square") for number in (0, 1)),
    ]
    for answer in answers:
        assert [set(item) for item in answer["top"]] == [{"class", "probability"}] * 2
        first, second = answer["top"]
        assert first["probability"] >= second["probability"]
        assert (answer["class"], answer["probability"]) == (first["class"], first["probability"])
    assert len(grey.ranked(["one.png"], top=50)[0]["top"]) == 3


def test_ranked_in_pieces_is_ranked_at_once(grey: neocog.Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(Path("more"), each=2)
    whole = grey.ranked(["more"])
    monkeypatch.setattr("neocog.predict._AT_ONCE", 4)
    pieces = grey.ranked(["more"])
    assert [answer["class"] for answer in pieces] == [answer["class"] for answer in whole]
    assert len(pieces) == 6


def test_a_picture_unlike_all_training_pictures_gets_a_note(grey: neocog.Classifier) -> None:
    low, high = grey.brightness
    assert 0 < low < high < 1
    Image.new("L", (10, 10), round(255 * (low + high) / 2)).save("usual.png")
    Image.new("L", (10, 10), 255).save("white.png")
    notes = [answer["note"] for answer in grey.ranked(["usual.png", "white.png"])]
    assert notes[0] is None
    assert notes[1] == (
        f"brighter (mean 1.00) than every picture it was trained on ({low:.2f} to {high:.2f}), so the answer may mean "
        "nothing; perhaps light and dark are swapped"
    )
    (answer,) = replace(grey, brightness=(0.9, 0.95)).ranked(["usual.png"])
    assert answer["note"].startswith("darker (mean 0.33) than every picture it was trained on (0.90 to 0.95), so the ")


def test_grey_pictures_without_a_channel_are_a_batch(grey: neocog.Classifier) -> None:
    pixels = np.stack([np.asarray(drawn(kind, 1)) for kind in ("circle", "cross", "square")])
    want = np.concatenate([grey.predict_proba(picture) for picture in pixels])
    np.testing.assert_allclose(grey.predict_proba(pixels), want, rtol=1e-5)
    five = torch.from_numpy(np.concatenate([pixels, pixels[:2]]))
    np.testing.assert_allclose(grey.predict_proba(five)[:3], want, rtol=1e-5)


def test_what_is_left_out_of_a_folder_is_told(grey: neocog.Classifier) -> None:
    fill(Path("more"), each=1)
    Path("more/circle/notes.txt").write_text("seen on Monday")
    told: list[str] = []
    assert len(grey.ranked(["more"], tell=told.append)) == 3
    assert told == ["folder 'more': files that are no pictures are left out (1), such as 'more/circle/notes.txt'"]


def test_hidden_files_of_a_folder_are_no_pictures(grey: neocog.Classifier) -> None:
    fill(Path("more"), each=1)
    Path("more/.ipynb_checkpoints").mkdir()
    Path("more/.ipynb_checkpoints/old.png").write_bytes(b"no picture")
    assert len(grey.ranked(["more"])) == 3


def test_a_folder_without_pictures_is_refused(grey: neocog.Classifier) -> None:
    Path("empty").mkdir()
    Path("empty/notes.txt").write_text("")
    want = "folder 'empty' holds no pictures; give picture files"
    assert refusal(DataError, grey.ranked, ["empty"]) == want


def test_weights_of_another_network_are_refused(place: Path, grey: neocog.Classifier) -> None:
    run = neocog.train(
        "fast", data=place / "shapes", set=STEPS, model="flatten | linear classes", run="other", figures=False
    )
    stored = (place / "run" / "weights.safetensors").read_bytes()
    (run.path / "weights.safetensors").write_bytes(stored)
    results = run.directory.read_results()
    del results["weights_sha256"]  # as in a run from before, which only the shapes can tell
    run.directory.write_json("results.json", results)
    text = refusal(RunError, neocog.load, run.path)
    assert text.startswith("the weights don't fit the network of the recipe: "), text
    assert "\n" not in text
