"""The report: what it says, how it is built, and that nothing of a run can get out of its place in it."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

import neocog
from conftest import STEPS, TINY
from html_checks import Markup, check_fragment, check_page
from neocog.errors import NeocogError, RunError
from neocog.finished import Run
from neocog.insight import reporting
from neocog.insight.figures import Drawn, names
from neocog.insight.page import page_of
from neocog.insight.reporting import look, report
from neocog.plots.style import new_figure

EVIL = ('<script>alert("&")</script>', '"><img src=x onerror=alert(1)>')
MOST = 3_000_000  # bytes of a report of up to hundreds of classes
FIGURES = 2_600_000  # bytes that the figures take in any report


def trained(path: Path, data: Any, **changes: Any) -> Run:
    return neocog.train(
        "fast", data=data, model=TINY, set=STEPS | changes, seed=1, run=path, figures=False, tell=lambda text: None
    )


def mixed(arrays: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Each picture five times, once with the other label, so that no network can be right on all."""
    images, labels = arrays
    wrong = np.arange(200) >= 160
    return np.tile(images, (5, 1, 1)), np.array(EVIL)[np.where(wrong, 1 - np.tile(labels, 5), np.tile(labels, 5))]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, arrays: tuple[np.ndarray, np.ndarray]) -> Path:
    """A run whose two classes have names that would be tags if nothing held them back."""
    return trained(tmp_path_factory.mktemp("made") / "run", mixed(arrays)).path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """The same in a place of its own."""
    shutil.copytree(made, tmp_path / "run")
    return Run.open("run")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Figures that cost nothing; the names of those that were drawn."""
    asked: list[str] = []

    def draw(run: Run, only: list[str]) -> tuple[list[Drawn], list[str]]:
        asked.extend(only)
        if only == ["kernels"]:
            return [], ["no figure 'kernels': the network has no convolution"]
        return [Drawn(only[0], f"The {only[0]}", new_figure(2, 1), f"Says: {EVIL[0]} 5 %")], []

    monkeypatch.setattr(reporting, "draw", draw)
    return asked


def section(page: str, place: str) -> Markup:
    """The part under the heading of that name."""
    found = re.search(f'<section aria-labelledby="{place}">.*?</section>', page, re.DOTALL)
    assert found
    return Markup(found.group())


def test_the_whole_page_with_its_figures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = report("run")
    assert path == Path("run/report.html")
    html = path.read_text(encoding="utf-8")
    page = check_page(html)
    assert len(html.encode()) < MOST
    assert page.texts["h1"] == ["fast on arrays"]
    assert len(page.of("img")) == len(names())
    kinds = {image["src"].partition(";")[0] for image in page.of("img")}
    assert kinds == {"data:image/svg+xml", "data:image/png"}

    # The same run gives the same bytes, as lines and as pixels.
    monkeypatch.setattr(reporting, "names", lambda: ["curves", "kernels"])
    again = check_page(report("run").read_text(encoding="utf-8")).of("img")
    assert len(again) == 2
    assert {image["src"] for image in again} <= {image["src"] for image in page.of("img")}


def test_the_answer_comes_first_with_its_interval_and_conditions(run: Run, quick: list[str]) -> None:
    page = page_of(run)
    assert run.test is not None
    right, n = run.test.correct, run.test.n
    low, high = binomtest(right, n).proportion_ci(method="wilson")
    assert page.answer == (
        f"It classifies {right / n * 100:.2f} % of {n} test pictures rightly "
        f"(95 % interval {low * 100:.2f} to {high * 100:.2f} %, Wilson)."
    )
    assert page.conditions == (
        "The test part was opened once, after the last step; the training chose nothing on it.",
        "One training, seed 1: the interval says what other pictures of the same kind would change, not what another "
        "seed would. `neocog compare` trains recipes with several seeds.",
    )
    html = report(run).read_text(encoding="utf-8")
    assert html.index("It classifies") < html.index("<nav") < html.index("<main")


def test_each_look_at_the_test_part_is_counted(run: Run, arrays: tuple[np.ndarray, np.ndarray]) -> None:
    neocog.evaluate(run, data=mixed(arrays))
    assert page_of(Run.open("run")).conditions[0] == (
        "The test part was opened 2 times; a choice made in between would flatter the figure."
    )


def test_without_a_test_part_the_validation_pictures_answer(run: Run) -> None:
    results = run.directory.read_results()
    run.directory.write_json("results.json", results | {"test_accuracy": None, "open_test": False})
    page = page_of(Run.open("run"))
    assert f"of {results['val_pictures']} validation pictures rightly" in page.answer
    assert page.conditions[0] == (
        "These are validation pictures; the test part was kept closed. Whatever was chosen on them flatters the figure."
    )
    run.directory.write_json("results.json", results | {"test_accuracy": None, "val_accuracy": None})
    assert page_of(Run.open("run")).answer == (
        "Nothing is known of how good it is: no picture was held out to measure it on."
    )


def test_what_comes_from_a_run_is_text(run: Run, quick: list[str]) -> None:
    html = report(run).read_text(encoding="utf-8")
    page = check_page(html)  # which knows no script, no handler, and no picture but ours
    assert set(EVIL) <= set(page.texts["th"])
    assert all(image["alt"] == f"Says: {EVIL[0]} 5 %" for image in page.of("img"))
    assert EVIL[0] in page.text("figcaption")
    toml = section(html, "recipe").texts["code"][0]
    assert toml == run.recipe.to_toml()


def test_counts_of_each_class_and_part(run: Run, quick: list[str]) -> None:
    assert run.validation is not None and run.test is not None
    results = run.directory.read_results()
    sizes = [results["train_pictures"], run.validation.n, run.test.n]
    # The training has kept its own counts: all pictures of a class that the other parts don't have.
    own = [100 - val - test for val, test in zip(run.validation.support, run.test.support, strict=True)]
    assert results["train_counts"] == own
    run.directory.write_json("results.json", results | {"train_counts": [sizes[0] - 6, 6]})
    data = section(report(Run.open("run")).read_text(encoding="utf-8"), "data")
    assert data.texts["th"][:7] == ["class", "training", "share", "validation", "share", "test", "share"]
    cells = np.array(data.texts["td"]).reshape(3, 6)
    assert cells[:2, 0].tolist() == [str(sizes[0] - 6), "6"]
    assert cells[2].tolist() == [text for size in sizes for text in (str(size), "100.0 %")]
    assert [int(text) for text in cells[:2, 4]] == run.test.support.tolist()
    ratio = (sizes[0] - 6) / 6
    assert f"has {ratio:.2f} times the training pictures of the smallest" in data.text("p")


def test_a_run_from_before_counts_were_kept(run: Run, quick: list[str]) -> None:
    results = run.directory.read_results()
    del results["train_counts"]
    run.directory.write_json("results.json", results)
    data = section(report(Run.open("run")).read_text(encoding="utf-8"), "data")
    assert "The run has not stored how many training pictures each class has; a new training does." in data.texts["p"]
    assert data.texts["th"][:5] == ["class", "validation", "share", "test", "share"]


def test_a_run_shows_itself_in_a_notebook(run: Run) -> None:
    shown = check_fragment(run._repr_html_())
    assert shown.texts["pre"] == [str(run)]
    assert shown.texts["th"][1] == "test"
    Path("run/predictions.npz").unlink()
    assert check_fragment(Run.open("run")._repr_html_()).texts["pre"] == [str(run)]


def test_how_to_repeat_it(run: Run, quick: list[str], tmp_path: Path) -> None:
    again = section(report(run).read_text(encoding="utf-8"), "again")
    assert again.texts["code"][0] == "neocog.train('run/recipe.toml', data=(images, labels))"
    assert run.recipe.resolved is not None
    assert run.recipe.resolved.data_checksum in again.texts["code"]
    rows = dict(zip(again.texts["th"][2:], again.texts["td"], strict=True))
    assert rows["torch"] == run.directory.read_json("environment.json")["torch"]

    recipe = run.recipe.changed({"dataset.name": "mnist"})
    (tmp_path / "my runs").mkdir()
    shutil.move("run", "my runs/one")
    other = Run.open("my runs/one")
    other.directory.write_recipe(recipe)
    again = section(report(other).read_text(encoding="utf-8"), "again")
    assert again.texts["code"][0] == "neocog train 'my runs/one/recipe.toml'"


def test_a_network_that_is_code(run: Run) -> None:
    recipe = run.recipe.changed({"model.factory": "mine:net", "dataset.name": "mnist"})
    run.directory.write_recipe(recipe)
    blocks = {each.place: each.blocks for each in page_of(Run.open("run")).sections}
    assert blocks["network"][0].text == (
        "The network is the user's code, `mine:net`; its layers can't be listed without running it."
    )
    assert blocks["again"][0].text == "neocog train run/recipe.toml --model mine:net"


def test_a_calibrated_run_says_its_temperature(run: Run, quick: list[str]) -> None:
    before = section(report(run).read_text(encoding="utf-8"), "sureness")
    assert before.texts["code"] == ["neocog calibrate run"]
    found = neocog.calibrate(run)
    html = report(Run.open("run")).read_text(encoding="utf-8")
    after = section(html, "sureness")
    assert f"softmax(scores / {found.temperature:.3f}), fitted on {found.n} validation" in after.text("p")
    low, high = found.intervals["loss_after"]
    assert after.texts["td"][0] == "loss"
    assert after.texts["td"][3:5] == [f"{found.loss_after:.4f}", f"{low:.4f} to {high:.4f}"]


@pytest.mark.parametrize(
    ("lost", "place", "figure"),
    [
        ("predictions.npz", "measures", "confusion"),
        ("metrics.csv", "training", "curves"),
        ("weights.safetensors", "network", "kernels"),
        ("environment.json", "again", None),
    ],
)
def test_a_run_that_lacks_a_part_says_so_in_its_place(
    run: Run, monkeypatch: pytest.MonkeyPatch, lost: str, place: str, figure: str | None
) -> None:
    monkeypatch.setattr(reporting, "names", lambda: [figure] if figure else [])
    Path("run", lost).unlink()
    told: list[str] = []
    html = report(run, tell=told.append).read_text(encoding="utf-8")
    assert "It classifies" in html
    check_page(html)
    missing = f"run 'run' has no {lost}; train again"
    assert told == ([f"no figure '{figure}': {missing}"] if figure else [])
    said = section(html, place).texts["p"]
    if lost == "predictions.npz":
        assert f"The test predictions are missing here: {missing}" in Markup(html).texts["li"]
        assert said == ["No predictions are stored, so nothing can be measured here."]
    else:
        assert said[-1] == (told[0] if told else f"What it ran on can't be told: {missing}")


def test_a_place_of_its_own_is_never_written_over(run: Run, quick: list[str]) -> None:
    def refused(out: str) -> str:
        with pytest.raises(NeocogError) as error:
            report(run, out=out)
        return str(error.value)

    assert report(run, out="mine.html") == Path("mine.html")
    assert not Path("run/report.html").exists()
    quick.clear()
    assert refused("mine.html") == ("'mine.html' exists already; give another name")
    assert refused("mine.txt") == "cannot write 'mine.txt': its suffix tells its kind; give .html or .htm"
    assert refused("no/mine.html") == "cannot write 'no/mine.html': there is no folder 'no'; make it first"
    assert quick == []  # nothing was drawn in vain
    with pytest.raises(RunError) as error:
        report("nowhere")
    assert str(error.value) == "there is no run directory 'nowhere'; `neocog train` prints where a run lies"


def test_a_place_that_cannot_be_written(run: Run, quick: list[str]) -> None:
    Path("run/report.html").mkdir()
    with pytest.raises(NeocogError) as error:
        report(run)
    assert str(error.value) == "cannot write 'run/report.html': Is a directory; give a place that can be written"
    told: list[str] = []
    assert all(path.parent.name == "figures" for path in look(run, told.append))
    assert len(told) == 1 and told[0].startswith("not all there is to look at was made: cannot write 'run/report.html'")
    assert not [path.name for path in Path("run").iterdir() if path.name.startswith(".")]


def test_what_follows_a_training(run: Run, quick: list[str]) -> None:
    told: list[str] = []
    written = look(run, told.append)
    assert told == []
    expected = [f"run/figures/{name}{kind}" for name in names() if name != "kernels" for kind in (".png", ".svg")]
    assert [str(path) for path in written] == [*expected, "run/report.html"]
    assert quick == names()
    html = written[-1].read_text(encoding="utf-8")
    assert "no figure &#39;kernels&#39;: the network has no convolution" in html
    assert report(run).read_text(encoding="utf-8") == html, "whether the figures came from files or not"


@pytest.mark.parametrize(
    ("name", "fault", "remark"),
    [
        ("draw", MemoryError(), "MemoryError"),
        ("write_figures", RunError("cannot write 'x': no space left"), "cannot write 'x': no space left"),
        ("page_of", ValueError("two\nlines"), "two lines"),
    ],
)
def test_what_goes_wrong_after_a_training_is_one_remark(
    run: Run, quick: list[str], monkeypatch: pytest.MonkeyPatch, name: str, fault: Exception, remark: str
) -> None:
    def broken(*given: object) -> None:
        raise fault

    monkeypatch.setattr(reporting, name, broken)
    told: list[str] = []
    look(run, told.append)
    assert told == [f"not all there is to look at was made: {remark}; `neocog report run` tries again"]
    assert not [path.name for path in Path("run").iterdir() if path.name.startswith((".", "report"))]


def test_two_hundred_classes_stay_small_and_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Those that grow with the classes, and not the pictures, of which there are always as many.
    monkeypatch.setattr(reporting, "names", lambda: ["confusion", "classes", "reliability", "kernels"])
    random = np.random.default_rng(0)
    labels = np.arange(1000) % 200
    names_of_classes = np.array(
        [f"a class with quite a long name of its own, number {number}" for number in range(200)]
    )
    images = random.integers(0, 255, (1000, 6, 6, 3), dtype=np.uint8)
    run = trained(tmp_path / "run", (images, names_of_classes[labels]))
    html = report(run).read_text(encoding="utf-8")
    embedded = sum(len(image["src"]) for image in check_page(html).of("img"))
    assert 200_000 < embedded < 4 / 3 * reporting._MOST_BYTES < FIGURES
    assert len(html.encode()) < MOST
    folded = re.findall(r"<summary>(.*?)</summary>", html)
    assert folded[0].startswith("Each class, test pictures (200 rows)")
    assert "Pictures of each class (201 rows)" in folded


def test_pictures_lose_colours_and_then_pixels_until_the_page_can_be_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)

    def draw(run: Run, only: list[str]) -> tuple[list[Drawn], list[str]]:
        figure = new_figure(1, 1)
        figure.figimage(noise)
        return [Drawn("samples", "Noise", figure, "Noise.")], []

    def shown(most: int) -> tuple[Image.Image, str, int]:
        monkeypatch.setattr(reporting, "_MOST_BYTES", most)
        image = check_page(report(run).read_text(encoding="utf-8")).of("img")[0]
        content = base64.b64decode(image["src"].partition(",")[2])
        return Image.open(io.BytesIO(content)), image["width"], len(content)

    monkeypatch.setattr(reporting, "names", lambda: ["samples"])
    monkeypatch.setattr(reporting, "draw", draw)
    whole, width, size = shown(10**6)
    np.testing.assert_array_equal(np.asarray(whole), noise)
    assert (width, size > 70_000) == ("96", True)
    less, width, size = shown(40_000)
    assert (less.mode, less.size, width, size <= 40_000) == ("P", (160, 160), "96", True)
    least, width, size = shown(10_000)
    assert (least.mode, least.size[0] < 160, width, size <= 10_000) == ("P", True, "96", True)


def test_a_palette_loses_nothing(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    Image.fromarray(grey).convert("RGBA").save("grey.png")
    (tmp_path / "less.png").write_bytes(reporting._fewer_bytes(Path("grey.png").read_bytes()))
    with Image.open("less.png") as less:
        assert less.mode == "P"
        np.testing.assert_array_equal(np.asarray(less.convert("RGB")), np.repeat(grey[:, :, None], 3, axis=2))


def test_code_stands_between_backticks() -> None:
    show: Callable[[str], str] = reporting._code
    assert show("run `neocog <x>` at 5 %") == "run <code>neocog &lt;x&gt;</code> at 5\N{NO-BREAK SPACE}%"
    assert show("one ` alone <b>") == "one ` alone &lt;b&gt;"


def test_only_charts_turn_dark(run: Run, quick: list[str]) -> None:
    html = report(run).read_text(encoding="utf-8")
    turned = {image["alt"] for image in check_page(html).of("img") if image.get("class") == "chart"}
    assert turned  # a photograph, never
    charts = re.findall(r'<figure aria-label="The (\w+)">\s*<div class="card" tabindex="0"><img class="chart"', html)
    assert sorted(charts) == ["classes", "confusion", "curves", "reliability"]
