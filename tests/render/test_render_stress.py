"""The text of a stress test, whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from goldens import check_golden

from neocog.render.stress import stress_text
from neocog.statistics.stress import Broken, StressCurve, StressTest

PIXELS = np.zeros((2, 2, 1), np.uint8)
CONDITIONS = {"data": "mnist", "size": [28, 28], "classes": 10}


def broken(name: str, change: str, strength: float) -> Broken:
    return Broken(7, name, "4", "9", change, strength, PIXELS, 0.876, PIXELS)


def stress() -> StressTest:
    curves = (
        StressCurve("shift", "pixels", (0, 1.0, 2.0), (990, 900, 300), 1000, 0.1, "drawn for each picture"),
        StressCurve("scale", "factor", (1, 1.1, 2), (990, 980, 970), 1000, 0.1, "larger or smaller"),
        StressCurve("inversion", "share", (0, 0.1, 1), (990, 800, 100), 1000, 0.1),
    )
    first = (
        *(broken(f"mnist/train/{number}", "shift", 1.0) for number in range(5)),
        broken("", "inversion", 0.1),
    )
    return StressTest("runs/fast-mnist-1", "validation", 1000, 0.99, curves, first, CONDITIONS)


def test_the_whole_text() -> None:
    check_golden("stress.txt", stress_text(stress()))


def test_no_line_is_wider_than_a_page_where_all_is_right() -> None:
    strengths = (0, 5, 10, 15, 20, 30, 45)
    sure = StressCurve("rotation", "degrees", strengths, (10**6,) * 7, 10**6, 0.1, "drawn")
    text = stress_text(replace(stress(), curves=(sure,), first=()))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.splitlines()[-3:] == [
        "more than half of its lead over guessing is left at 45 degrees",
        "",
        "no picture that was right is wrong under any of these",
    ]


def test_a_share_is_never_rounded_up_to_all() -> None:
    almost = StressCurve("shift", "pixels", (0, 1), (10**6 - 1, 10**6 - 2), 10**6, 0.1)
    lines = stress_text(replace(stress(), accuracy=1 - 1e-6, curves=(almost,), first=())).splitlines()
    assert "> 99.99 % (95 % interval " in lines[1]
    assert "accuracy, %    > 99.99" in lines


def test_a_network_that_only_guesses_has_no_lead() -> None:
    poor = StressCurve("noise", "grey levels", (0, 4), (10, 9), 100, 0.1)
    assert "unchanged it is no better than guessing, so there is no lead to lose" in stress_text(
        replace(stress(), curves=(poor,), first=())
    )
