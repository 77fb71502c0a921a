"""explain: one door to everything that is asked of one answer, and what it refuses."""

from __future__ import annotations

import base64
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import neocog
from conftest import STEPS, TINY, fill
from html_checks import check_fragment
from neocog.errors import DataError, ExplanationError, PictureError
from neocog.explanations.attributions import attribute
from neocog.explanations.methods import MOST_STEPS
from neocog.finished import Run, open_data
from neocog.insight.explaining import explain, folder_name

LAYERS = "1 'conv 4 3 same'; 2 'relu'; 3 'maxpool 2'; 4 'flatten'; 5 'linear 3'"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawn shapes, and a network that has learned something about them."""
    root = tmp_path_factory.mktemp("explain")
    fill(root / "shapes", each=20)
    settings = {**STEPS, "train.iterations": 60}
    neocog.train("fast", data=root / "shapes", model=TINY, set=settings, run=root / "run", figures=False, tell=str)
    return root


@pytest.fixture(scope="module")
def cross(place):
    return explain(place / "run", place / "shapes/cross/3.png")


def test_the_answer_is_that_of_predict(place, cross):
    classifier = neocog.load(place / "run")
    probabilities = classifier.predict_proba(place / "shapes/cross/3.png")[0]
    np.testing.assert_allclose(cross.probabilities, probabilities, rtol=1e-5)
    assert cross.answer == classifier.predict(place / "shapes/cross/3.png")[0] == cross.classes[cross.target]
    assert cross.sentence == f"3.png: {cross.answer}, {probabilities.max() * 100:.2f} %"
    assert cross.notes == ()


def test_every_layer_stands_where_the_recipe_has_it(cross):
    assert "; ".join(f"{layer.number} '{layer.text}'" for layer in cross.network.layers) == LAYERS
    assert cross.feature_maps("2").maps_CHW.shape == (4, 10, 10)


def test_the_number_traced_by_default_is_the_largest_of_the_layer(cross):
    values = cross.feature_maps("1").maps_CHW
    traced = cross.trace("1")
    assert traced.neuron == np.unravel_index(values.argmax(), values.shape)
    assert traced.network_value == values.max()
    assert abs(traced.value - traced.network_value) <= traced.rounding


def test_a_vector_is_traced_by_one_number(cross):
    assert cross.trace("5").neuron == (int(cross.probabilities.argmax()),)
    assert cross.trace("5", (1,)).neuron == (1,)


def test_the_nearest_of_a_training_picture_is_itself(place):
    run = Run.open(place / "run")
    training = open_data(run.recipe).load(seed=run.recipe.train.seed).train
    found = explain(run, place / "shapes" / training.names[0])
    assert found.neighbours[0].distance == 0
    assert found.neighbours[0].name == training.names[0]


def test_another_class_can_be_explained(place, cross):
    other = next(name for name in cross.classes if name != cross.answer)
    found = explain(place / "run", place / "shapes/cross/3.png", target=other, methods=["occlusion"], nearest=False)
    assert [(each.method, found.classes[each.target]) for each in found.why] == [("occlusion", other)]
    assert found.sentence.endswith(f"; explained is {other}")
    assert found.neighbours == ()


def test_a_picture_of_another_size_and_mode_is_prepared_as_for_prediction(place):
    picture = Image.fromarray(np.random.default_rng(3).integers(0, 255, (40, 30, 3), dtype=np.uint8))
    picture.save("photo.png")
    found = explain(place / "run", "photo.png", nearest=False)
    assert found.notes[0] == "30×40 RGB was prepared as for prediction: crop to 10×10 grey"
    assert found.picture.shape == (10, 10, 1)
    digit = explain(place / "run", "digit:7", nearest=False)
    assert digit.name == "digit:7 (label 9)"
    assert digit.notes[0] == "28×28 grey was prepared as for prediction: crop to 10×10 grey"


def test_pictures_without_a_name_and_a_classifier_do_as_well(place, cross):
    classifier = neocog.load(place / "run")
    found = explain(classifier, cross.picture)
    np.testing.assert_allclose(found.probabilities, cross.probabilities, rtol=1e-5)
    assert found.name == "picture"
    assert found.training is None


def test_any_torch_module_can_be_asked():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).train()
    x = torch.rand(1, 6, 6)
    found = explain(model, x, methods=["integrated-gradients"])
    with torch.no_grad():
        expected = torch.softmax(model(x[None]).double(), 1)[0].numpy()
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-6)
    assert [each.method for each in found.why] == ["integrated-gradients"]
    assert found.classes == ("0", "1", "2")
    assert (found.flips, found.neighbours) == ((), ())
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_layers_that_work_in_place_leave_the_input_as_it_was():
    torch.manual_seed(1)
    x = torch.randn(1, 3, 3)
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(9, 2))
    before = x.clone()
    found = explain(model, x)
    assert (found.feature_maps("0").maps_CHW == before.clamp(min=0).numpy()).all()
    found.field("2", (0,))
    assert found.trace("0", (0, 0, 0)).steps[0].value == float(before[0, 0, 0])
    assert torch.equal(x, before)
    assert torch.equal(found.x, before[None])


def test_a_network_in_float64_gets_its_own_type():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)).double()
    found = explain(model, torch.rand(1, 4, 4), methods=["gradient-x-input"])
    assert found.trace("0", (0, 1, 1)).rounding < 1e-12
    assert found.field("0", (0, 1, 1)).box == (1, 1, 3, 3)


def test_a_notebook_shows_the_answer_the_maps_and_their_checks(cross):
    shown = check_fragment(replace(cross, name="<b> & 写真", methods=("gradient-x-input",))._repr_html_())
    assert shown.text("strong") == f"<b> & 写真: {cross.answer}, {cross.probability * 100:.2f} %"
    (image,) = shown.of("img")
    assert image["alt"] == f"What speaks for {cross.answer}, by Gradient × input"
    picture = Image.open(BytesIO(base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))))
    assert picture.format == "PNG"
    assert shown.text("th") == "map check verdict found"
    assert [text for text in shown.texts["td"] if text in ("deletion", "insertion", "randomisation")]


def test_data_that_is_gone_is_said_and_the_rest_explained(place, tmp_path):
    told: list[str] = []
    fill(tmp_path / "moved", each=4)
    run = neocog.train("fast", data=tmp_path / "moved", model=TINY, set=STEPS, figures=False, tell=told.append)
    (tmp_path / "moved").rename(tmp_path / "elsewhere")
    told.clear()
    found = explain(run, tmp_path / "elsewhere/cross/1.png", tell=told.append)
    assert len(told) == 1
    assert told[0].startswith("nearest training pictures are left out: ")
    assert found.neighbours == ()


def test_figures_are_matplotlibs_and_named_by_what_they_show(cross):
    assert list(cross.layer_figures("1", (0, 2, 3))) == ["trace", "field", "maps", "kernels"]
    assert list(cross.layer_figures("2")) == ["trace", "field", "maps"]


def test_what_json_gets_holds_no_pictures(cross):
    found = cross.as_dict()
    assert found["answer"] == cross.answer
    assert found["probabilities"][cross.answer] == pytest.approx(cross.probability)
    assert [each["method"] for each in found["why"]] == [each.method for each in cross.why]
    assert all("picture" not in each for each in [*found["neighbours"], *found["flips"]])


@pytest.mark.parametrize(
    ("name", "folder"),
    [("digit:7 (label 9)", "digit-7"), ("my photo.jpeg", "my-photo"), ("…", "picture"), ("a.b.png", "a.b")],
)
def test_the_folder_is_called_after_the_picture(name, folder):
    assert folder_name(name) == folder


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"target": "cros"}, "unknown class 'cros'; did you mean 'cross'? Known: circle, cross, square"),
        ({"picture": np.zeros((2, 9, 9), np.uint8)}, "2 pictures were given; explain one at a time"),
    ],
)
def test_what_the_classifier_doesnt_know_is_refused(place, options, text):
    picture = options.pop("picture", place / "shapes/cross/3.png")
    with pytest.raises((ExplanationError, DataError)) as refused:
        explain(place / "run", picture, nearest=False, **options)
    assert str(refused.value) == text


def test_a_layer_or_a_number_that_isnt_there_is_refused(cross):
    with pytest.raises(ExplanationError) as refused:
        cross.trace("9")
    assert str(refused.value) == f"there is no layer '9'; the layers are {LAYERS}"
    with pytest.raises(ExplanationError, match=r"^layer 1 'conv 4 3 same' gives 4×10×10: channel 0 to 3, row 0 to 9"):
        cross.trace("1", (4, 0, 0))


def test_a_module_takes_the_input_itself():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    for wrong in ("a.png", torch.zeros(4), torch.zeros(1, 2, 2, dtype=torch.uint8)):
        with pytest.raises(ExplanationError) as refused:
            explain(model, wrong)
        assert str(refused.value) == (
            "a torch module is explained on the input it takes: give a float tensor (C, H, W) or (1, C, H, W)"
        )
    with pytest.raises(DataError, match=r"^2 pictures were given; explain one at a time$"):
        explain(model, torch.zeros(2, 1, 2, 2))


def test_a_picture_that_cannot_be_read_is_named(place):
    Path("bad.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"^cannot read 'bad\.png': it is damaged, or no picture"):
        explain(place / "run", "bad.png", nearest=False)


def test_the_shares_of_a_trained_network_add_up(place):
    """Each class of some pictures, against each baseline: within 1 % in no more steps than stated."""
    for name in ("cross/3", "circle/1", "square/2"):
        found = explain(place / "run", place / f"shapes/{name}.png", nearest=False)
        for baseline in ("black", "mean", "white"):
            for target in range(3):
                options = {"baseline": baseline, "normalization": found.normalization}
                facts = attribute(found.network, found.x, target, "integrated-gradients", **options).facts
                assert facts["completeness_error"] < 0.01
                assert facts["steps"] <= MOST_STEPS


def test_a_class_may_be_named_by_a_number_and_a_method_by_its_name_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    found = explain(model, torch.rand(1, 2, 2), target=2, methods="occlusion")
    assert (found.target, found.methods) == (2, ("occlusion",))
    with pytest.raises(ExplanationError, match=r"^unknown class '9'; "):
        explain(model, torch.rand(1, 2, 2), target=9)
    with pytest.raises(ExplanationError, match=r"^no method is given; leave methods out for all that fit, or name "):
        explain(model, torch.rand(1, 2, 2), methods=[])


def test_what_belongs_to_a_run_is_refused_for_others(place, cross):
    for what, kind in ((nn.Linear(1, 1), "Linear"), (neocog.load(place / "run"), "Classifier")):
        for name in ("data", "model", "device"):
            with pytest.raises(ExplanationError) as refused:
                explain(what, cross.picture, **{name: "cpu"})
            assert str(refused.value) == (
                f"{name} belongs to a run, and a {kind} was given; leave {name} out, or give the run"
            )


def test_a_network_whose_weights_are_lost_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    nn.init.constant_(model[1].weight, float("nan"))
    with pytest.raises(ExplanationError, match=r"^the network answers with nan, which can't be explained: "):
        explain(model, torch.rand(1, 2, 2))
