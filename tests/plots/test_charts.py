"""Axes whose ticks can be read, texts that fit, and looks that differ."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from neocog.plots.charts import (
    Look,
    Span,
    cut_text,
    fitted,
    heading,
    loss_span,
    metric_span,
    plain,
    short_name,
    value_text,
    within,
)
from neocog.plots.keys import Key
from neocog.plots.numbers import text_width
from neocog.plots.style import HEADING, SMALL, new_figure, styled
from neocog.statistics.comparison import METRICS

RANGES = [(0.9359, 0.9704), (97.0, 97.0), (0, 0), (-3, 5), (1e-9, 1e-8), (0, 1e12), (29_034, 1_200_000), (1e-7, 10)]


def gaps(span: Span, length: float) -> list[float]:
    """Inches between the labels of an axis."""
    ends = [
        (
            span.share(tick) * length - text_width(label, SMALL) / 2,
            span.share(tick) * length + text_width(label, SMALL) / 2,
        )
        for tick, label in zip(span.ticks, span.labels, strict=True)
    ]
    return [after[0] - before[1] for before, after in pairwise(ends)]


@pytest.mark.parametrize("length", [0.8, 2.0, 7.0])
@pytest.mark.parametrize("values", RANGES)
def test_ticks_lie_inside_and_their_labels_apart(values, length):
    spans = [Span.linear(values, length)] + ([Span.decades(values, length)] if values[0] > 0 else [])
    for span in spans:
        assert span.low < min(values) <= max(values) < span.high
        assert span.ticks
        assert all(span.low <= tick <= span.high for tick in span.ticks)
        assert len(set(span.labels)) == len(span.labels)
        assert all(gap > 0.1 for gap in gaps(span, length))
        assert [float(span.share(end)) for end in (span.low, span.high)] == pytest.approx([0, 1])


def test_ticks_of_an_axis_by_hand():
    accuracy = Span.linear([93.0, 97.0], 5.0)
    assert (accuracy.low, accuracy.high) == pytest.approx((92.72, 97.28))
    assert accuracy.labels == ("93.0", "93.5", "94.0", "94.5", "95.0", "95.5", "96.0", "96.5", "97.0")
    assert Span.linear([93.0, 97.0], 2.0).labels == ("93", "94", "95", "96", "97")
    assert Span.linear([-1, 1], 1.5, upright=True).labels == ("−1.0", "−0.5", "0.0", "0.5", "1.0")
    assert Span.decades([0.02, 2.0], 5.0).labels == ("0.02", "0.05", "0.1", "0.2", "0.5", "1", "2")
    assert Span.decades([1e-7, 10.0], 7.0).labels[:4] == ("1e−7", "1e−6", "1e−5", "0.0001")
    assert Span.linear([99.0, 100.0], 3.0, (0, 100)).ticks[-1] == 100


def test_a_label_that_would_leave_the_page_is_left_out():
    # 100 million is as wide as 0.8 inches, and its tick a hundredth of an inch from the chart's end.
    wide = Span.decades([2.8e6, 8e7], 7.0)
    assert wide.high > 1e8
    assert wide.labels[-1] == "50 million"
    assert Span.decades([2.8e6, 8e7], 7.0, upright=True).labels[-1] == "100 million"


def test_a_place_beyond_an_axis_is_its_end():
    linear, log = Span.linear([0, 1], 3.0), Span.decades([1, 100], 3.0)
    assert [linear.share(value) for value in (-5, 0.5, 5)] == pytest.approx([0, 0.5, 1])
    assert [log.share(value) for value in (-5, 10, 1e9)] == pytest.approx([0, 0.5, 1])


def test_equal_values_still_have_an_axis_of_a_thousandth():
    span = Span.linear([97.0, 97.0], 5.0)
    assert span.high - span.low == pytest.approx(0.097 * 1.14)


def test_losses_of_very_different_size_are_on_a_logarithmic_axis():
    loss, accuracy = METRICS["loss"], METRICS["accuracy"]
    assert metric_span([0.1, 3.1], [-1, 4], loss, 5.0).log
    assert not metric_span([0.1, 2.9], [-1, 4], loss, 5.0).log
    assert not metric_span([1.0, 99.0], [0, 100], accuracy, 5.0).log
    assert metric_span([0.1, 3.1], [-1, 4], loss, 5.0).low > 0
    assert [loss_span([low, 1.0], 2.0).log for low in (0.09, 0.11, 0.0)] == [True, False, False]


def test_texts_are_broken_to_fit():
    text = "one comes first: it beats two and three, and " + "averyverylongword" * 8
    for width in (0.5, 1.7, 6.0):
        lines = fitted(text, SMALL, width).split("\n")
        assert all(text_width(line, SMALL) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert fitted("", SMALL, 1.0) == ""
    assert fitted("a side, n = 9", SMALL, 0.5) == "a side,\nn = 9"
    assert fitted("it reaches 97 ± 1 %", SMALL, 1.0) == "it reaches\n97 ± 1 %"
    assert styled(fitted)("写真", SMALL, 0.01) == "写\n真"


def test_names_and_numbers_are_short():
    assert short_name("fast  optimizer.lr=0.1") == "fast optimizer.lr=0.1"
    assert short_name("a" * 40 + "b" * 40) == "a" * 36 + "…" + "b" * 36
    assert value_text(0.97123, METRICS["loss"]) == "0.9712"
    assert value_text(1e12, METRICS["loss"]) == "1e12"
    assert value_text(-0.5, METRICS["accuracy"]) == "−0.50"
    assert [plain(value) for value in (0, 999, 1000, 0.0034, -2500, 1.5e9)] == [
        "0",
        "999",
        "1,000",
        "0.0034",
        "−2,500",
        "1.5 billion",
    ]


def test_fifty_looks_differ_and_the_first_seven_in_colour_and_mark():
    looks = [Look.of(position) for position in range(50)]
    assert len({(look.colour, look.mark, str(look.line)) for look in looks}) == 50
    assert len({look.colour for look in looks[:7]}) == len({look.mark for look in looks[:7]}) == 7
    distances = [math.dist(to_rgb(one.colour), to_rgb(other.colour)) for one, other in pairwise(looks[:8])]
    assert min(distances) > 0.3


def test_a_key_stands_in_a_row_or_in_columns():
    @styled
    def places(names: list[str], width: float) -> tuple[float, list[tuple[float, float]]]:
        key, figure = Key(tuple((name, Look.of(0)) for name in names), width), new_figure(10, 2)
        key.draw(figure, 0.5, 1.5)
        return key.height, [tuple(np.round(text.get_position(), 6)) for text in figure.texts]

    height, row = places(["a", "a longer name"], 8.0)
    assert len({y for _, y in row}) == 1
    assert row[0][0] < row[1][0]
    taller, grid = places(["a name that is long"] * 10, 5.0)
    assert len({x for x, _ in grid}) == 2
    assert taller == pytest.approx(5 * height)
    assert len(set(grid)) == 10


def test_a_share_of_an_axis_and_its_value_are_each_others_reverse():
    for span in (Span.linear([93.0, 97.0], 5.0), Span.decades([2e3, 5e6], 5.0)):
        assert [span.at(0), span.at(1)] == pytest.approx([span.low, span.high])
        assert [span.share(span.at(share)) for share in (0.1, 0.5, 0.9)] == pytest.approx([0.1, 0.5, 0.9])


def test_intervals_end_where_their_metric_does_and_a_caption_says_where():
    assert within(-1.0, 101.0, (0, 100)) == (0, 100)
    assert within(97.0, 98.0, (0, 100)) == (97.0, 98.0)
    assert cut_text([(97.0, 101.0), (50.0, 60.0)], (0, 100), "%") == "cut at 100 %"
    assert cut_text([(-0.5, 2.0)], (0, math.inf), "nats") == "cut at 0 nats"
    assert cut_text([(-1.0, 101.0)], (0, 100), "%") == "cut at 0 and 100 %"
    assert cut_text([(0.0, 100.0)], (0, 100), "%") == cut_text([], (0, 100), "%") == ""


def test_the_lines_of_a_title_end_well_before_the_edge():
    lines = heading("one word and another " * 20, 7.6).split("\n")
    assert len(lines) > 2
    assert max(text_width(line, HEADING) for line in lines) <= 0.92 * 7.6
