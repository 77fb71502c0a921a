"""From stored predictions to measures, each with its interval. No model in here.

`judged` holds the measures, `intervals` and `resampling` what is known of their errors, `reliability` whether
probabilities mean what they say, and `calibration` the temperature that mends them.
"""

from neocog.evaluation.calibration import Calibration, fit_temperature, softened
from neocog.evaluation.intervals import CONFIDENCE, MeanInterval, mean_interval, wilson_interval
from neocog.evaluation.judged import METHODS, Evaluation, Mistake, evaluate_predictions
from neocog.evaluation.reliability import ReliabilityBin

__all__ = [
    "CONFIDENCE",
    "METHODS",
    "Calibration",
    "Evaluation",
    "MeanInterval",
    "Mistake",
    "ReliabilityBin",
    "evaluate_predictions",
    "fit_temperature",
    "mean_interval",
    "softened",
    "wilson_interval",
]
