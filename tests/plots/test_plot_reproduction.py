"""Published figures beside our seeds: a card a recipe."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chart_checks import LONG, check_files, check_layout, drawn, near, points, written
from scipy import stats

from neocog.errors import NeocogError
from neocog.plots import plot_reproduction
from neocog.statistics.reproduction import Figure, LossLog, Reproduced, Reproduction

OURS = (0.969, 0.971, 0.972)
LOG = LossLog((500, 1000), (0.433, 0.251), ((0.4, 0.2), (0.5, 0.3), (0.6, 0.25)), "batch", 500, 3)


def recipe(
    name="model-a",
    published=0.9704,
    ours=OURS,
    *,
    log=LOG,
    twin=None,
    what="test accuracy",
    honest=None,
    at_least=False,
    failed=0,
):
    seeds = tuple(range(len(ours)))
    return Reproduced(
        name,
        seeds,
        (Figure(what, published, ours, at_least=at_least),),
        log,
        honest or ours,
        tuple(10.0 for _ in seeds),
        5.0,
        twin=twin and f"{name}-fixed",
        twin_seeds=seeds if twin else (),
        twin_accuracy=twin or (),
        failures={f"{name}, seed {seed}": "the loss became nan" for seed in range(failed)},
    )


DROPOUT = recipe("dropout-adam", 0.8943, (0.88, 0.9), log=LossLog(), what="training, dropout on", honest=(0.95, 0.96))


def chart(figure, name):
    (found,) = [axes for axes in figure.axes if axes.get_label() == name]
    return found


def cases():
    made = np.random.default_rng(0)
    twelve = [
        recipe(
            f"recipe-{number}",
            float(made.uniform(0.7, 0.99)),
            tuple(made.uniform(0.7, 0.99, 5).tolist()),
            log=LOG if number % 3 else LossLog(),
            twin=tuple(made.uniform(0.97, 0.99, 5).tolist()),
            failed=number % 2,
        )
        for number in range(12)
    ]
    return {
        "one": Reproduction((recipe(),)),
        "twelve": Reproduction(tuple(twelve)),
        "kinds": Reproduction(
            (DROPOUT, recipe("small-3x3", 0.98, at_least=True), recipe("lenet", None, log=LossLog()))
        ),
        "one seed": Reproduction((recipe(ours=OURS[:1], log=LossLog((1,), (2.0,), ((1.0,),))),)),
        "no seed": Reproduction((recipe(ours=(), log=LossLog((), (2.0, 1.0))), recipe("b", None, (), log=LossLog()))),
        "long": Reproduction((recipe(f"$x_1$ {LONG * 3}", ours=(0.5,) * 40, twin=(0.5,) * 40),)),
        "chance": Reproduction((recipe(ours=(0.1, 1.0, 0.99)),)),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_reproduction(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_published_figure_seeds_prediction_interval_and_twin_stand_at_their_values():
    axes = chart(plot_reproduction(Reproduction((recipe(twin=(0.975, 0.976, 0.977)),))), "model-a: accuracy")
    ((published, height),) = points(drawn(axes, "published")[0])
    ours, mended = points(drawn(axes, "ours")[0]), points(drawn(axes, "mended")[0])
    assert published == pytest.approx(97.04)
    assert [x for x, _ in ours] == pytest.approx([96.9, 97.1, 97.2])
    assert [x for x, _ in mended] == pytest.approx([97.5, 97.6, 97.7])
    assert height > max(y for _, y in ours) >= min(y for _, y in ours) > max(y for _, y in mended)
    marks = [drawn(axes, name)[0] for name in ("published", "ours", "mended")]
    assert marks[0].get_marker() == "D"
    assert len({mark.get_marker() for mark in marks}) == len({mark.get_color() for mark in marks}) == 3
    values = np.array(OURS) * 100
    half = stats.t.ppf(0.975, 2) * values.std(ddof=1) * np.sqrt(1 + 1 / 3)
    (bar,) = drawn(axes, "interval")
    assert [x for x, _ in points(bar)] == pytest.approx([values.mean() - half, values.mean() + half])
    assert axes.get_xlabel() == "test accuracy in %"


def test_the_log_is_published_beside_our_mean_with_its_band():
    axes = chart(figure_of("one"), "model-a: loss")
    assert points(drawn(axes, "published")[0]) == [(500, 0.433), (1000, 0.251)]
    assert points(drawn(axes, "ours")[0]) == near((500, 0.5), (1000, 0.25))
    (band,) = [patch for patch in axes.collections if patch.get_gid() == "band"]
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert corners == {(500, 0.4), (500, 0.6), (1000, 0.2), (1000, 0.3)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("steps", "loss in nats")


def test_a_log_without_steps_is_one_of_epochs():
    log = LossLog((600, 1200), (2.2, 2.0), ((2.3, 2.1),))
    axes = chart(plot_reproduction(Reproduction((recipe(log=log),))), "model-a: loss")
    assert axes.get_xlabel() == "epochs"
    assert points(drawn(axes, "ours")[0]) == [(1, 2.3), (2, 2.1)]
    assert list(axes.collections) == []  # one seed has no band


def test_a_published_log_may_be_shorter_than_ours():
    log = LossLog((500, 1000), (0.4,), ((0.4, 0.2), (0.5, 0.3)), "batch", 500)
    axes = chart(plot_reproduction(Reproduction((recipe(log=log),))), "model-a: loss")
    assert [len(points(drawn(axes, name)[0])) for name in ("published", "ours")] == [1, 2]


def test_the_texts_say_what_was_found():
    figure = plot_reproduction(Reproduction((recipe(twin=(0.975, 0.976, 0.977), failed=2),)))
    assert [line for line in written(figure).splitlines() if "mark" not in line] == [
        "model-a: the published accuracy lies in the 95 % interval",
        "published",
        "our seeds, trained and measured as published",
        "mended twin on the test set",
        "model-a",
        "published 97.04 %; ours: 97.07 ± 0.15 % (n = 3) the published figure lies in the 95 % interval "
        "mended, model-a-fixed: 97.60 ± 0.10 % (n = 3) 2 trainings failed",
        "published",
        "ours",
        "mended",
    ]


@pytest.mark.parametrize(
    ("published", "ours", "at_least", "text"),
    [
        (0.9704, OURS, False, "the published figure lies in the 95 % interval"),
        (0.9725, OURS, False, "the published figure lies in the 95 % interval, but outside our range"),
        (0.9725, OURS[:2], False, "the published figure lies in the 95 % interval"),
        (0.99, OURS, False, "the published figure lies outside the 95 % interval"),
        (0.96, OURS, True, "the published figure is true of all our seeds"),
        (0.97, OURS, True, "the published figure is not true of all our seeds"),
    ],
)
def test_where_the_published_figure_lies_is_said(published, ours, at_least, text):
    figure = plot_reproduction(Reproduction((recipe(published=published, ours=ours, at_least=at_least),)))
    assert text in [line for each in figure.texts for line in each.get_text().splitlines()]


def test_the_title_counts_what_lies_in_the_interval():
    def title(*recipes):
        return written(plot_reproduction(Reproduction(recipes))).splitlines()[0]

    inside, outside, more = recipe(), recipe("b", 0.99), recipe("c", 0.96, at_least=True)
    assert title(inside, outside, more) == (
        "1 of 2 published accuracies lie in the 95 % interval for one more seed of ours"
    )
    assert title(outside, more) == "b: the published accuracy lies outside the 95 % interval"
    assert title(more, recipe(ours=OURS[:1])) == "Published accuracies beside ours"


def test_what_a_lesson_wrongly_calls_test_accuracy_stands_beside_the_true_one():
    figure = plot_reproduction(Reproduction((DROPOUT,)))
    (axes,) = figure.axes  # no log
    assert [x for x, _ in points(drawn(axes, "ours, as published")[0])] == pytest.approx([88, 90])
    assert [x for x, _ in points(drawn(axes, "ours, test set")[0])] == pytest.approx([95, 96])
    assert axes.get_xlabel() == "accuracy in %"
    assert "what it calls test accuracy: training, dropout on; on the test set 95.50 ± 0.71 % (n = 2)" in written(
        figure
    )


def test_more_than_a_figure_is_no_diamond():
    axes = chart(plot_reproduction(Reproduction((recipe(published=0.96, at_least=True),))), "model-a: accuracy")
    assert drawn(axes, "more than")[0].get_marker() == ">"


def test_a_recipe_without_seeds_is_named():
    figure = figure_of("no seed")
    assert [axes.get_label() for axes in figure.axes] == ["model-a: accuracy", "model-a: loss"]
    assert written(figure).endswith("\nb\nno accuracy published; ours: no seed finished")


def test_the_picture_is_readable_at_1200_pixels():
    figure = figure_of("twelve")
    dots = 1200 / figure.get_figwidth()
    assert all(text.get_fontsize() / 72 * dots >= 11 for text in figure.texts)
    assert len(figure.axes) == 12 + 8


def test_the_same_reproduction_gives_the_same_bytes():
    check_files(lambda: plot_reproduction(cases()["kinds"]))


@pytest.mark.parametrize("recipes", [(), (recipe(published=None, ours=(), log=LossLog()),)])
def test_nothing_to_draw_is_refused(recipes):
    with pytest.raises(NeocogError) as caught:
        plot_reproduction(Reproduction(recipes))
    want = "no reproduction to plot: no seed finished and nothing was published; mend what failed first"
    assert str(caught.value) == want


def test_an_interval_that_is_cut_is_called_so():
    assert "95 % prediction interval for one more seed, cut at 0 and 100 %; bands" in written(figure_of("chance"))
    assert "cut at" not in written(figure_of("one"))
