"""An explanation as text, against a file."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from goldens import check_golden

from neocog.explanations.attributions import Attribution
from neocog.explanations.checks import Check
from neocog.explanations.flips import Flip
from neocog.explanations.neighbours import Neighbour
from neocog.render.explanation import explanation_text, flips_text

PIXELS = np.zeros((4, 4, 1), np.uint8)
VALUES = np.zeros((1, 4, 4), np.float32)


def explained(**changes):
    good = Check("completeness", True, 0.002, 0.01, "shares add up to 1.85, the logit changes by 1.84: 0.2 % apart")
    bad = Check("randomisation", False, 0.8, 0.5, "likeness to maps of weights by chance |ρ| = 0.80 (n = 5 draws)")
    facts = {
        "sentence": "seven.png: 7, 93.10 %",
        "classes": ("1", "7", "9"),
        "probabilities": np.array([0.02, 0.931, 0.049]),
        "notes": ("30×40 RGB was prepared as for prediction: crop to 28×28 grey",),
        "why": (
            Attribution("integrated-gradients", "Integrated gradients", 1, VALUES, "black", {}, (good,)),
            Attribution("grad-cam", "Grad-CAM", 1, VALUES, None, {}, (bad,)),
        ),
        "neighbours": (
            Neighbour(3, "mnist/train/3", "7", 0.0, PIXELS),
            Neighbour(9, "mnist/train/9", "1", 12.3456, PIXELS),
        ),
        "flips": (
            Flip("shift", True, 2.0, "pixels", "2 pixels up", "9", 0.512, PIXELS, "shift of up to 7 pixels"),
            Flip("rotation", False, 0.0, "degrees", "", "", 0.0, None, "rotation of up to 45° either way"),
        ),
    }
    return SimpleNamespace(**{**facts, **changes})


def test_the_whole_text():
    check_golden("explanation.txt", explanation_text(explained()))


def test_where_nothing_turns_the_answer_there_is_no_table_and_nothing_is_cut():
    searched = "erased patch of up to 16×16 pixels, filled with the picture's median, in steps of 2 pixels or more"
    nothing = Flip("erased patch", False, 0.0, "pixels", "", "", 0.0, None, searched)
    assert flips_text((nothing,)) == (
        "what would change its mind\n"
        "no erased patch of up to 16×16 pixels, filled with the picture's median, in steps of 2 pixels or\n"
        "  more changes it"
    )


def test_what_was_not_found_out_has_no_heading():
    text = explanation_text(explained(neighbours=(), flips=(), why=(), notes=()))
    assert text == "seven.png: 7, 93.10 %\nprobabilities: 7 93.10 %, 9 4.90 %, 1 2.00 %"
