"""The figures of a run: which there are, what they say, why one is left out, and where they are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import nn

import neocog
from conftest import STEPS, TINY
from neocog.errors import NeocogError, RunError
from neocog.evaluation import Evaluation, evaluate_predictions
from neocog.finished import Run
from neocog.insight.figures import FIGURES, Drawn, check_folder, draw, first_kernels, names, write_figures
from neocog.plots.style import new_figure

OLD = "the run has no pictures.npz, which an older neocog didn't write; train again"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, arrays: tuple[np.ndarray, np.ndarray]) -> Path:
    """A tiny run of a convolutional network; nobody writes into it."""
    place = tmp_path_factory.mktemp("figures") / "run"
    neocog.train("fast", data=arrays, model=TINY, figures=False, run=place, set=STEPS, tell=print)
    return place


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    """A copy of it."""
    return Run.open(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Figures are not drawn, only what they say is made."""
    for home in ("samples", "learning", "confusion", "classes", "reliability", "layer_kernels", "mistakes"):
        name = f"plot_{home}"
        monkeypatch.setattr(f"neocog.plots.{home}.{name}", lambda *_, **__: Figure())
    yield


def judged(right: int, wrong: int) -> Evaluation:
    """Predictions of `right` cats, rightly, and `wrong` dogs taken for cats, all with 90 %."""
    labels = [0] * right + [1] * wrong
    return evaluate_predictions([[0.9, 0.1]] * (right + wrong), labels, ("cat", "dog"), "test")


def said(run: Run, name: str) -> str:
    (drawn,), left_out = draw(run, [name])
    assert left_out == []
    return drawn.says


def test_all_figures_of_a_run_are_drawn_and_written(run):
    drawn, left_out = draw(run)
    if not (run.test and run.test.errors):
        left_out = [line for line in left_out if "'mistakes'" not in line]
    assert left_out == []
    assert {each.name for each in drawn} | {"mistakes"} == {
        *("samples", "curves", "confusion", "classes", "reliability", "kernels", "mistakes")
    }
    assert [each.name for each in drawn] == [name for name in names() if name in {each.name for each in drawn}]
    assert all(isinstance(each.figure, Figure) and each.says.endswith(".") and each.title for each in drawn)
    written = write_figures(run, drawn[:1])
    assert [path.relative_to(run.path).as_posix() for path in written] == ["figures/samples.png", "figures/samples.svg"]
    assert written[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in written[1].read_bytes()[:1000]


def test_they_are_named_in_any_way(run):
    assert list(neocog.plot(run, only=["kernels", "curves"])) == ["curves", "kernels"]
    found = neocog.plot(str(run.path), only=" kernels ")
    assert list(found) == ["kernels"]
    assert isinstance(found["kernels"], Figure)
    with pytest.raises(NeocogError) as told:
        draw(run, "curves,confuson")
    assert str(told.value) == (
        "unknown figure 'confuson'; did you mean 'confusion'? "
        "Known: classes, confusion, curves, kernels, mistakes, reliability, samples"
    )
    for none in ([], "", " , "):
        with pytest.raises(NeocogError) as told:
            neocog.plot(run, only=none)
        assert str(told.value) == (
            "no figure was named; give some of samples, curves, confusion, classes, reliability, kernels, mistakes"
        )


def test_what_they_say_are_the_numbers_of_the_run(run, undrawn, monkeypatch):
    monkeypatch.setattr(Run, "test", judged(30, 10))
    assert said(run, "confusion") == (
        "Of 40 test pictures 30 are classified rightly (75.00 %); most often dog taken for cat (10)."
    )
    assert said(run, "classes") == (
        "Of the test pictures of each class, the fewest are found of dog (0.0 % of 10), "
        "the most of cat (100.0 % of 30)."
    )
    # |0.90 − 0.75| of all 40.
    assert said(run, "reliability") == (
        "On average the network is 90.00 % sure of its answers for 40 test pictures, and 75.00 % are right; the "
        "expected calibration error is 15.00 points."
    )
    weights = run.directory.read_weights()["0.weight"]
    assert said(run, "kernels") == (
        f"The weights of 4 kernels of 1×3×3, from −{-float(weights.min()):.3g} to {float(weights.max()):.3g}."
    )
    assert said(run, "samples").endswith(
        " of 8×8 pixels (grey) as the network sees them, of 0, 1; nothing is augmented."
    )
    metrics = run.metrics
    assert said(run, "curves") == (
        f"6 steps; the training loss goes from {metrics['train_loss'][0]:.3g} to {metrics['train_loss'][-1]:.3g}; "
        f"the validation accuracy ends at {100 * run.validation.accuracy:.2f} %, its highest is "
        f"{100 * np.nanmax(metrics['validation_accuracy']):.2f} %."
    )


def test_curves_without_a_training_loss_say_the_rest(run, undrawn, monkeypatch):
    columns = {"step": [3.0, 6.0], "train_loss": [np.nan, np.nan], "validation_accuracy": [0.5, np.nan]}
    monkeypatch.setattr(Run, "metrics", {name: np.array(column) for name, column in columns.items()})
    assert said(run, "curves") == "6 steps; the validation accuracy ends at 50.00 %, its highest is 50.00 %."


def test_curves_without_a_point_are_left_out(run, monkeypatch):
    monkeypatch.setattr(Run, "metrics", {name: column[:0] for name, column in run.directory.read_metrics().items()})
    drawn, (line,) = draw(run, "curves")
    assert drawn == []
    assert line.startswith("no figure 'curves': no learning curve to plot: not one point was measured; ")


def keep_mistakes(run: Run, count: int) -> None:
    """As if the first pictures of the test part were those that were missed."""
    kept = run.directory.read_arrays("pictures.npz")
    kept["test_index"] = np.arange(30, 30 + count)
    kept["test_pictures"] = np.zeros((count, 8, 8, 1), np.uint8)
    run.directory.write_arrays("pictures.npz", kept)


def test_mistakes_say_how_many_there_are(run, undrawn, monkeypatch):
    captions = []
    monkeypatch.setattr("neocog.plots.mistakes.plot_mistakes", lambda *_, caption: captions.append(caption))
    for wrong, kept in ((40, 25), (3, 3), (1, 1)):
        monkeypatch.setattr(Run, "test", judged(30, wrong))
        keep_mistakes(run, kept)
        captions.append(said(run, "mistakes"))
    order = "those that gave the true class the least probability first"
    worst = "The worst: predicted cat, true dog, 90 % sure."
    assert captions == [
        f"25 of 40 mistakes among 70 test pictures (57.1 %), {order}",
        f"25 of 40 mistakes among 70 test pictures. {worst}",
        f"all 3 mistakes among 33 test pictures (9.09 %), {order}",
        f"All 3 mistakes among 33 test pictures. {worst}",
        f"the only mistake among 31 test pictures (3.23 %), {order}",
        f"The only mistake among 31 test pictures. {worst}",
    ]


def test_what_can_not_be_drawn_is_left_out_with_a_reason(run, undrawn, monkeypatch):
    monkeypatch.setattr(Run, "test", judged(30, 0))
    assert draw(run, "mistakes") == ([], ["no figure 'mistakes': there is no mistake among the 30 test pictures"])
    with pytest.raises(NeocogError, match=r"^no figure 'mistakes': there is no mistake among the 30 test pictures$"):
        neocog.plot(run, only="mistakes")
    (run.path / "pictures.npz").unlink()
    monkeypatch.setattr(Run, "test", judged(30, 1))
    with pytest.warns(UserWarning, match=f"^no figure 'samples': {OLD}$") as told:
        assert list(neocog.plot(run, only="samples,curves")) == ["curves"]
    assert [Path(each.filename).name for each in told] == ["test_figures.py"]
    assert draw(run, "mistakes") == ([], [f"no figure 'mistakes': {OLD}"])
    monkeypatch.setattr(Run, "test", None)
    monkeypatch.setattr(Run, "validation", None)
    drawn, left_out = draw(run)
    assert [each.name for each in drawn] == ["curves", "kernels"]
    why = f"run '{run.path}' was measured on no part of its data; train again with a validation or test part"
    measured = [f"no figure '{name}': {why}" for name in ("confusion", "classes")]
    assert left_out[1:3] == measured


def test_a_run_without_predictions_still_has_figures(run, undrawn):
    (run.path / "predictions.npz").unlink()
    drawn, left_out = draw(Run.open(run.path))
    assert [each.name for each in drawn] == ["samples", "curves", "kernels"]
    assert left_out == [
        f"no figure '{name}': run '{run.path}' has no predictions.npz; train again"
        for name in ("confusion", "classes", "reliability", "mistakes")
    ]


def changed(run: Run, model: str) -> Run:
    """The run with the text of another network in its recipe."""
    recipe = run.recipe
    run.directory.write_recipe(recipe.changed({"model.layers": model}).model_copy(update={"resolved": recipe.resolved}))
    return Run.open(run.path)


def weights_of(run: Run, monkeypatch: pytest.MonkeyPatch, module: nn.Module) -> None:
    monkeypatch.setattr("neocog.run.RunDirectory.read_weights", lambda self: dict(module.state_dict()))


def test_the_first_kernels_of_any_network(run, monkeypatch):
    weights_KCRS, title, what = first_kernels(run)
    assert (weights_KCRS == run.directory.read_weights()["0.weight"].numpy()).all()
    assert (title, what) == ("Kernels of layer 1, conv 4 3 same", "kernel")

    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 200))
    weights_of(run, monkeypatch, net)
    weights_KCRS, title, what = first_kernels(changed(run, "flatten | linear 200 | relu | linear classes"))
    assert weights_KCRS.shape == (128, 1, 8, 8)
    assert (weights_KCRS[5, 0, 2] == net[1].weight[5, 16:24].detach().numpy()).all()
    assert (title, what) == (
        "Weights of layer 2, linear 200, in the shape of the picture, the first 128 of 200",
        "neuron",
    )

    inner = nn.Sequential(nn.ReLU(), nn.ModuleDict({"body": nn.Sequential(nn.Conv2d(1, 1, 3))}))
    weights_of(run, monkeypatch, inner)
    text = "relu | residual( conv 1 3 same ) | flatten | linear classes"
    assert first_kernels(changed(run, text))[1] == "Kernels of layer 2.body.1, conv 1 3 same"

    with pytest.raises(RunError) as told:
        first_kernels(changed(run, "avgpool 2 | flatten | linear classes"))
    assert str(told.value) == (
        f"the network of run '{run.path}' has no convolution, and no linear layer that reads the picture itself, so it "
        "has no kernels to show"
    )


def test_the_kernels_of_code_are_drawn_where_they_can_be_told(run, monkeypatch):
    recipe = run.recipe
    code = recipe.changed({"model.factory": "my:net"}).model_copy(update={"resolved": recipe.resolved})
    run.directory.write_recipe(code)
    run = Run.open(run.path)
    weights_of(run, monkeypatch, nn.ModuleDict({"stem": nn.Conv2d(1, 2, 3), "next": nn.Conv2d(2, 2, 3)}))
    weights_KCRS, title, what = first_kernels(run)
    assert (weights_KCRS.shape, title, what) == ((2, 1, 3, 3), "Kernels of 'stem'", "kernel")
    weights_of(run, monkeypatch, nn.ModuleDict({"one": nn.Conv2d(1, 2, 3), "two": nn.Conv2d(1, 2, 3)}))
    with pytest.raises(RunError) as told:
        first_kernels(run)
    assert str(told.value) == (
        f"the network of run '{run.path}' is code of your own, and its weights don't tell which convolution is the "
        "first"
    )


def test_writing_replaces_only_what_is_ours(run):
    ours, other = run.path / "figures", run.path.parent / "other.png"
    ours.mkdir()
    (ours / "notes.txt").write_text("mine")
    (ours / "curves.svg").write_text("old")
    other.write_text("not ours")
    (ours / "curves.png").symlink_to(other)
    written = write_figures(run, [Drawn("curves", "", new_figure(1, 1), "")])
    assert sorted(path.name for path in ours.iterdir()) == ["curves.png", "curves.svg", "notes.txt"]
    assert (ours / "notes.txt").read_text() == "mine"
    assert other.read_text() == "not ours"
    assert all(path.stat().st_size > 100 and not path.is_symlink() for path in written)


def test_places_that_can_not_be_written_are_refused(run, monkeypatch):
    (run.path / "figures").write_text("a file")
    mend = "give --out a folder in a place that can be written"
    for refuse in (lambda: check_folder(run, None), lambda: write_figures(run, [])):
        with pytest.raises(RunError) as told:
            refuse()
        reason = str(told.value).removeprefix(f"cannot write '{run.path}/figures': ").removesuffix(f"; {mend}")
        assert reason in ("Not a directory", "File exists")
    (run.path / "figures").unlink()
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    places = ((None, f"{run.path}/figures", mend), (Path("new"), "new", "give a --out in a place that can be written"))
    for out, place, mend in places:
        with pytest.raises(RunError) as told:
            check_folder(run, out)
        assert str(told.value) == f"cannot write '{place}': Permission denied; {mend}"


def test_a_folder_of_ones_own_is_new(run):
    assert check_folder(run, None) == run.path / "figures"
    assert check_folder(run, Path("a/b")) == Path("a/b")
    Path("empty").mkdir()
    Path("mine.txt").write_text("x")
    for place in ("empty", "mine.txt"):
        with pytest.raises(RunError) as told:
            check_folder(run, Path(place))
        assert str(told.value) == f"directory '{place}' exists already and is never overwritten; give another --out"


def test_every_figure_has_a_name_of_its_own():
    assert names() == ["samples", "curves", "confusion", "classes", "reliability", "kernels", "mistakes"]
    assert len({figure.title for figure in FIGURES}) == len(FIGURES)
