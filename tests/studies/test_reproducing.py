"""`reproduce`: which recipes are trained, in which order, what is read from their runs, and what is saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

import neocog
from neocog.errors import RecipeError, RunError, TrainingError
from neocog.recipe import Recipe, shipped_recipes
from neocog.statistics.reproduction import Reproduced
from neocog.studies import reproducing
from neocog.studies.jobs import Job, Outcome
from neocog.studies.reproducing import published_recipes, reproduce

STEPS = """
[dataset]
name = "shapes"
validation = 0
[loader]
batch_size = 8
[model]
layers = "conv 4 3 same | relu | maxpool 2 | flatten | dropout 0.5 | linear classes"
[optimizer]
name = "adam"
lr = 0.01
[train]
iterations = 6
precision = "float32"
device = "cpu"
"""
TEST_METER = """
[published]
source = "lesson 9"
faults = ["test pictures as progress meter"]
twin = "mended.toml"
accuracy = 0.5
every = 2
loss = "batch"
losses = [1.25, 1.1, 0.125]
accuracies = [0.33, 0.5, 0.66]
meter = true
"""
ON_TRAINING = """
[published]
source = "lesson 8"
accuracy = 0.9
part = "train"
dropout = true
train_accuracy = true
batch_accuracies = [0.5, 0.75]
batch_epochs = [0, 1]
seconds_per_epoch = 7.5
"""


@pytest.fixture
def lessons(shapes: Path) -> None:
    """Two published recipes on the drawn shapes, and the mended twin of one."""
    for name, table in (("lesson", TEST_METER), ("backwards", ON_TRAINING), ("mended", "")):
        Path(f"{name}.toml").write_text(f'about = "As {name}."\n{STEPS}{table}', encoding="utf-8")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Job]:
    """The jobs that were asked for, which are trained in this process; one seed of `failing` fails. No picture."""
    asked: list[Job] = []

    def train(wanted: Sequence[Job], **options: Any) -> list[Outcome]:
        asked.extend(wanted)
        return [outcome(job) for job in wanted]

    def outcome(job: Job) -> Outcome:
        place = tmp_path / "kept" / job.recipe.name / str(job.seed)
        if place.exists():
            return Outcome(job, neocog.Run.open(place), reused=True)
        if job.seed == 1 and "failing" in job.recipe.about:
            return Outcome(job, None, str(TrainingError("the loss is nan")))
        return Outcome(job, neocog.train(job.recipe, run=place))

    monkeypatch.setattr(reproducing, "train_jobs", train)
    monkeypatch.setattr(reproducing, "_draw", lambda *_: None)
    return asked


def results(name: str, seeds: int) -> list[dict[str, Any]]:
    return [neocog.Run.open(f"kept/{name}/{seed}").results for seed in range(seeds)]


def only(*names: str, **options: Any) -> Reproduced:
    (found,) = reproduce(*names, **options).recipes
    return found


@pytest.mark.usefixtures("lessons")
def test_figures_are_those_of_the_runs(jobs: list[Job]) -> None:
    found = only("lesson.toml", seeds=3)
    runs = results("lesson", 3)
    logs = [run["as_published"]["log"] for run in runs]
    assert [(job.recipe.name, job.seed, job.open_test) for job in jobs] == [
        (name, seed, True) for seed in range(3) for name in ("lesson", "mended")
    ]
    assert (found.seeds, found.twin_seeds, found.name, found.twin) == ((0, 1, 2), (0, 1, 2), "lesson", "mended")
    assert [figure.what for figure in found.figures] == [
        "test accuracy",
        *(f"loss, step {step}" for step in (2, 4, 6)),
        *(f"accuracy, step {step}" for step in (2, 4, 6)),
    ]
    assert [figure.published for figure in found.figures] == [0.5, 1.25, 1.1, 0.125, 0.33, 0.5, 0.66]
    assert found.called_test.ours == found.accuracy == tuple(run["test_accuracy"] for run in runs)
    for line, figure in enumerate(found.of_kind("log loss")):
        assert figure.ours == tuple(log[line]["loss"] for log in logs)
        assert (figure.digits, figure.unit, figure.scale) == (3, "nats", 1)
    for line, figure in enumerate(found.of_kind("log accuracy")):
        # Of 6 test pictures: cut to whole per cent, 1/6 is 16 % and 2/3 is 66 %.
        whole = {0: 0.0, 1: 0.16, 2: 0.33, 3: 0.5, 4: 0.66, 5: 0.83, 6: 1.0}
        assert figure.as_printed == tuple(whole[round(log[line]["test_accuracy"] * 6)] for log in logs)
    assert found.log.ours == tuple(tuple(line["loss"] for line in log) for log in logs)
    assert (found.log.steps, found.log.of, found.log.every) == ((2, 4, 6), "batch", 2)
    assert found.twin_accuracy == tuple(run["test_accuracy"] for run in results("mended", 3))
    assert (found.openings, found.precision, found.epochs) == (4, "float32", 2)
    assert (found.about, found.twin_about, found.source) == ("As lesson.", "As mended.", "lesson 9")


@pytest.mark.usefixtures("lessons", "jobs")
def test_a_lesson_that_measures_on_training_pictures() -> None:
    found = only("backwards.toml", seeds=2)
    runs = results("backwards", 2)
    records = [run["as_published"] for run in runs]
    figures = {figure.what: figure for figure in found.figures}
    assert list(figures) == [
        "training, dropout on",
        "test accuracy",
        "training accuracy",
        "lowest batch, epochs 0–1",
        "highest batch, epochs 0–1",
    ]
    assert figures["training, dropout on"].ours == tuple(record["accuracy"] for record in records)
    assert figures["test accuracy"].ours == tuple(run["test_accuracy"] for run in runs) == found.accuracy
    assert figures["training accuracy"].ours == tuple(record["train_accuracy"] for record in records)
    # 24 training pictures in batches of 8: epochs end after 3 and 6 steps.
    ends = [[line["batch_accuracy"] for line in record["log"] if line["step"] in (3, 6)] for record in records]
    assert figures["lowest batch, epochs 0–1"].ours == tuple(min(pair) for pair in ends)
    assert figures["highest batch, epochs 0–1"].ours == tuple(max(pair) for pair in ends)
    assert (found.twin, found.gain, found.seconds_per_epoch) == (None, None, 7.5)


@pytest.mark.usefixtures("lessons")
def test_seed_by_seed_over_all_recipes(jobs: list[Job]) -> None:
    reproduce("lesson.toml", "backwards.toml", seeds=2)
    order = [(job.recipe.name, job.seed) for job in jobs]
    assert order == [(name, seed) for seed in (0, 1) for name in ("lesson", "mended", "backwards")]


@pytest.mark.usefixtures("lessons")
def test_a_second_call_with_more_seeds_goes_on(jobs: list[Job]) -> None:
    first = reproduce("lesson.toml", seeds=1)
    second = reproduce("lesson.toml", seeds=2)
    assert second.recipes[0].accuracy[:1] == first.recipes[0].accuracy
    assert (first.conditions["kept"], second.conditions["kept"], second.conditions["runs"]) == (0, 2, 4)
    assert (first.conditions["saved"], second.conditions["saved"]) == ("runs/reproduce-1", "runs/reproduce-2")


@pytest.mark.usefixtures("lessons")
def test_without_twins(jobs: list[Job]) -> None:
    found = only("lesson.toml", seeds=1, twins=False)
    assert (found.twin, found.twin_accuracy, found.gain) == (None, (), None)
    assert [job.recipe.name for job in jobs] == ["lesson"]


@pytest.mark.usefixtures("lessons", "jobs")
def test_a_seed_that_fails_is_named_and_the_others_stay() -> None:
    text = Path("lesson.toml").read_text(encoding="utf-8")
    Path("lesson.toml").write_text(text.replace("As lesson.", "failing"), encoding="utf-8")
    found = only("lesson.toml", seeds=3)
    assert (found.seeds, found.called_test.n, len(found.log.ours)) == ((0, 2), 2, 2)
    assert found.failures == {"lesson, seed 1": "the loss is nan"}
    assert (found.twin_seeds, found.gain and found.gain.n) == ((0, 1, 2), 2)


@pytest.mark.usefixtures("lessons", "jobs")
def test_a_log_shorter_than_the_published_one_is_held_as_far_as_it_goes() -> None:
    found = reproduce("lesson.toml", seeds=2, set={"train.iterations": 4})
    assert [figure.what for figure in found.recipes[0].of_kind("log loss")] == ["loss, step 2", "loss, step 4"]
    assert found.conditions["changes"] == {"train.iterations": 4}


@pytest.mark.usefixtures("lessons", "jobs")
def test_figures_of_a_lesson_that_contradict_each_other_are_noted() -> None:
    text = Path("lesson.toml").read_text(encoding="utf-8")
    assert only("lesson.toml", seeds=1).notes == (
        "the lesson's last line, 66 % after 6 steps, and its test accuracy, 50.00 %, can't be of one network: "
        "cut to whole per cent they would be equal",
    )
    Path("lesson.toml").write_text(text.replace("accuracy = 0.5\n", "accuracy = 0.667\n"), encoding="utf-8")
    assert only("lesson.toml", seeds=1).notes == ()


@pytest.mark.usefixtures("lessons", "jobs")
def test_what_is_saved() -> None:
    found = reproduce("lesson.toml", "backwards.toml", seeds=2, out="tables/first")
    folder = Path("tables/first")
    assert {item.name for item in folder.iterdir()} == {"reproduction.md", "reproduction.json"}
    assert json.loads((folder / "reproduction.json").read_text(encoding="utf-8")) == found.as_dict()
    assert (folder / "reproduction.md").read_text(encoding="utf-8").startswith("# Published figures, reproduced\n")
    conditions = found.conditions
    assert (conditions["seeds"], conditions["runs"], conditions["threads"], conditions["changes"]) == (2, 6, "1", {})
    assert conditions["data"] == "shapes"


def test_all_shipped_recipes_with_published_figures_are_known() -> None:
    names = published_recipes()
    assert {"model-a", "mlp-softmax", "lenet-1998", "dropout-adam", "small-3x3"} <= set(names) < set(shipped_recipes())
    for name in names:
        published = Recipe.load(name).published
        assert published is not None
        assert published.twin is None or published.twin in shipped_recipes()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that were asked for; none is trained."""
    jobs: list[Job] = []

    def train(wanted: Sequence[Job], **options: Any) -> list[Outcome]:
        jobs.extend(wanted)
        return [Outcome(job, None, "not now") for job in wanted]

    monkeypatch.setattr(reproducing, "train_jobs", train)
    return jobs


def test_without_names_every_published_recipe_and_twin_is_trained(asked: list[Job]) -> None:
    with pytest.raises(
        TrainingError, match=r"^none of the \d+ trainings finished; the first: [a-z]+.*, seed 0: not now$"
    ):
        reproduce(seeds=2)
    names = published_recipes()
    wanted = [job.recipe for job in asked if job.seed == 0]
    twins = [recipe.published.twin for recipe in wanted if recipe.published and recipe.published.twin]
    assert {recipe.name for recipe in wanted} == {*names, *twins}
    assert len(asked) == 2 * (len(names) + len(twins))


def test_recipes_are_trained_exactly_as_published(asked: list[Job]) -> None:
    with pytest.raises(TrainingError) as refused:
        reproduce("model-a", seeds=1, twins=False)
    assert str(refused.value) == "none of the 1 trainings finished; the first: model-a, seed 0: not now"
    assert asked[0].recipe == Recipe.load("model-a")


@pytest.mark.usefixtures("lessons")
def test_the_device_is_no_change_of_the_recipe(jobs: list[Job]) -> None:
    found = reproduce("lesson.toml", seeds=1, device="cpu")
    assert {job.recipe.train.device for job in jobs} == {"cpu"}
    assert found.conditions["changes"] == {}


def nearest(name: str) -> str:
    """All published recipes, by the share of signs that they have in common with a name."""
    return ", ".join(
        sorted(published_recipes(), key=lambda known: (SequenceMatcher(None, known, name).ratio(), known), reverse=True)
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: reproduce("fast"),
            RecipeError,
            "recipe 'fast' has no [published] table, so there is nothing to hold it against; these can be reproduced, "
            f"the nearest first: {nearest('fast')}",
        ),
        (
            lambda: reproduce("lenet-sofmax"),
            RecipeError,
            f"there is no recipe 'lenet-sofmax'; these can be reproduced, the nearest first: {nearest('lenet-sofmax')}",
        ),
        (
            lambda: reproduce("empty.toml"),
            RecipeError,
            "there is no recipe file 'empty.toml'; give a recipe's name, a TOML file or a run directory",
        ),
        (
            lambda: reproduce("mlp", "model-a", "mlp"),
            RecipeError,
            "recipe 'mlp' is given twice; give it once, and more seeds for more trainings",
        ),
        (
            lambda: reproduce(["mlp"]),  # type: ignore[arg-type]
            RecipeError,
            "a name is of type list; give names apart, each a recipe or a TOML file, such as "
            'reproduce("mlp", "model-a")',
        ),
        (lambda: reproduce("mlp", processes=0), RecipeError, "processes = 0: give a whole number of 1 or more"),
        (lambda: reproduce("model-a", seeds=0), RecipeError, "seeds = 0: give a whole number of 1 or more"),
        (lambda: reproduce("model-a", seeds=True), RecipeError, "seeds = True: give a whole number of 1 or more"),
        (
            lambda: reproduce("model-a", set=["train.iterations=5"]),  # type: ignore[arg-type]
            RecipeError,
            "set is a list; give a mapping such as {'train.iterations': 500}",
        ),
        (
            lambda: reproduce("model-a", out="."),
            RunError,
            "directory '.' exists already and is never overwritten; give another --out",
        ),
    ],
)
@pytest.mark.usefixtures("asked")
def test_refusals(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refused:
        call()
    assert str(refused.value) == message


def test_a_place_that_can_not_be_written_is_told_before_any_training(asked: list[Job]) -> None:
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(RunError) as refused:
        reproduce("model-a", out="file/table")
    assert (
        str(refused.value) == "cannot write 'file/table': Not a directory; give a --out in a place that can be written"
    )
    assert asked == []


@pytest.mark.usefixtures("asked")
@pytest.mark.usefixtures("lessons", "asked")
def test_two_recipes_of_one_name_are_refused() -> None:
    Path("model-a.toml").write_text(Path("lesson.toml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        reproduce("model-a", "model-a.toml")
    assert str(refused.value) == "two recipes are called 'model-a', so their lines can't be told apart; rename one"


@pytest.mark.usefixtures("lessons")
def test_a_recipe_without_a_test_part_is_refused_before_any_training(asked: list[Job]) -> None:
    text = Path("lesson.toml").read_text(encoding="utf-8")
    Path("lesson.toml").write_text(text.replace("validation = 0", "validation = 0\ntest = 0"), encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        reproduce("lesson.toml", seeds=1, twins=False)
    assert str(refused.value) == (
        "recipe 'lesson' holds out no test part, so there is nothing to measure; give it dataset.test = \"auto\""
    )
    assert asked == []
