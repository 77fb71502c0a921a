"""Sweeps and ranges of rates as text: whole texts, and what is left out of long ones."""

from __future__ import annotations

from dataclasses import replace

from goldens import check_golden

from neocog.render.rates import rates_text
from neocog.render.sweep import sweep_markdown, sweep_text
from neocog.statistics.comparison import METRICS, Side
from neocog.statistics.rates import EXPLODES, REACHED, RateCurve, range_of
from neocog.statistics.sweep import Configuration, rank

CONDITIONS = {
    "data": "mnist", "validation_pictures": 5000, "trained": 6, "kept": 2, "device": "cpu", "precision": "float32",
    "threads": "1", "neocog": "0.1.0", "torch": "2.13.0", "saved": "runs/sweep-fast-1",
}  # fmt: skip


def configuration(rate, *values, parameters=10, failures=()):
    kept = {seed: value for seed, value in enumerate(values) if seed not in failures}
    error = dict.fromkeys(failures, "the loss became nan at step 2 of 20")
    side = Side(f"optimizer.lr={rate}", kept, {}, dict.fromkeys(kept, 2.25), parameters, 20, error)
    changes = {"optimizer.lr": rate, "loader.batch_size": 50}
    return Configuration(side, changes, {key: str(value) for key, value in changes.items()})


def swept(*tried, metric="accuracy", **changes):
    return replace(rank("fast", tried, METRICS[metric], 3), conditions=CONDITIONS, **changes)


def three(**changes):
    return swept(
        configuration(0.1, 0.98, 0.97, 0.985),
        configuration(0.01, 0.90, 0.92, 0.91),
        configuration(10.0, 0, 0, 0.5, failures=[0, 1]),
        test={0: 0.981, 1: 0.975, 2: 0.984},
        command="neocog train fast --set optimizer.lr=0.1 --set loader.batch_size=50",
        notes=("optimizer.lr is drawn log-uniformly from 0.001..10",),
        **changes,
    )


def test_a_sweep_as_text_and_markdown():
    check_golden("sweep.txt", sweep_text(three()))
    check_golden("sweep.md", sweep_markdown(three()))


def test_sizes_are_shown_where_they_differ():
    found = swept(configuration(1, 0.9, 0.9, 0.8), configuration(2, 0.5, 0.6, 0.6, parameters=1234))
    head = sweep_text(found).splitlines()[0].split()
    assert head == ["lr", "accuracy,", "%", "n", "best", "−", "this,", "points", "p", "parameters", "s", "a", "run"]
    assert "1,234" in sweep_text(found)
    assert "parameters" not in sweep_text(three())


def test_a_long_sweep_is_cut_in_the_text_alone():
    found = swept(*(configuration(number, 0.9, 0.8, 0.001 * number) for number in range(35)))
    assert "\n… and 5 more, which sweep.md has\n" in sweep_text(found)
    assert "which sweep.md has" not in sweep_markdown(found)
    assert all(len(line) <= 100 for line in sweep_text(found).splitlines())


def test_one_seed_has_no_interval():
    found = rank("fast", [configuration(1, 0.9), configuration(2, 0.5)], METRICS["accuracy"], 1)
    text = sweep_text(found)
    assert "one seed has no standard deviation and no interval" in text
    assert "test accuracy of the best: not measured, the data has no test part" in text


def test_few_validation_pictures_are_noted():
    found = replace(three(), conditions=CONDITIONS | {"validation_pictures": 7})
    noted = "\nnote: 7 validation pictures: one is 14.29 points; --set dataset.validation=0.3 holds out more\n"
    assert noted in sweep_text(found)
    assert "holds out more" not in sweep_text(three())


def test_p_and_not_the_interval_decides_among_more_than_two():
    told = "an interval is that of its pair alone, while p, which decides, is corrected for all 3 pairs (Holm)"
    # 6.83 ± 3.99 points leave out 0, but can't be told apart.
    assert told in " ".join(sweep_text(three()).split())
    two = swept(configuration(1, 0.9, 0.9, 0.8), configuration(2, 0.5, 0.6, 0.6))
    assert "Holm" not in sweep_text(two)
    assert "(Student's paired t); p up to 0.05 tells apart\n" in sweep_text(two)


def test_bars_of_losses_begin_at_zero():
    lines = rates_text(ranged(0.1)).splitlines()
    bars = {line.split()[1]: line.count("█") for line in lines if "█" in line}
    # 40 signs for 2.3
    assert bars == {"2.3000": 40, "2.0500": 36, "1.2500": 22, "1.0000": 17, "0.3000": 5, "5.0000": 40}


def test_a_loss_is_in_nats():
    found = swept(configuration(1, 0.25, 0.3, 0.35), configuration(2, 0.5, 0.6, 0.6), metric="loss")
    assert sweep_text(found).splitlines()[0].split()[:3] == ["lr", "loss,", "nats"]
    assert "0.3000 ± 0.0500" in sweep_text(found)


# ------------------------------------------------------------------------------------------------------------- rates

RATES = tuple(float(f"1e{power}") for power in range(-8, 4))
FALLING = (2.3, 2.3, 2.3, 2.3, 2.3, 2.3, 2.05, 1.25, 1.0, 0.3, 2.3, 5.0)


def ranged(*suggestions, losses=FALLING, **changes):
    curves = [
        RateCurve(seed, RATES, losses, losses, EXPLODES if seed == 0 else REACHED, one)
        for seed, one in enumerate(suggestions)
    ]
    conditions = {"steps": 20, "seeds": [*range(len(curves))], "optimizer": "muon", "batch_size": 8, "device": "cpu"}
    return replace(range_of(curves, recipe="fast", data="mnist", conditions=conditions), **changes)


def test_a_range_of_rates_as_text():
    found = ranged(
        0.1,
        changes={"optimizer.lr": 0.1, "optimizer.other_lr": 0.025},
        command="neocog train fast --set optimizer.lr=0.1 --set optimizer.other_lr=0.025",
    )
    check_golden("rates.txt", rates_text(found))


def test_seeds_that_disagree_are_told():
    assert "over seeds          2 of 3 suggest 0.1 to 0.3\n" in rates_text(ranged(0.1, 0.3, None))
    assert "over seeds          1 of 2 suggest a rate\n" in rates_text(ranged(0.1, None))


def test_a_flat_curve_has_warnings_and_no_command():
    text = rates_text(ranged(None, losses=(2.3, 2.31) * 6))
    assert "suggestion" not in text and "neocog train" not in text
    assert text.split("\n\n")[-1].split("\n") == [
        "warning: the loss never falls between 1e-08 and 1e+03, so no rate can be suggested; give more",
        "  --steps, or check that the network can learn at all",
    ]


def test_many_seeds_and_a_long_name_stay_within_the_width():
    found = replace(ranged(*[0.1] * 30), recipe="model-a " + "optimizer.lr=0.02 " * 8)
    assert all(len(line) <= 100 for line in rates_text(found).split("\n"))


def test_a_long_curve_has_about_twenty_lines():
    losses = tuple(2.3 - 0.01 * step for step in range(95))
    rates = tuple(1e-5 * 1.1**step for step in range(95))
    found = replace(ranged(0.1), rates=rates, smoothed=losses, losses=losses)
    lines = rates_text(found).split("\n\n")[0].splitlines()
    assert len(lines) == 1 + 20
    assert lines[-1].split()[1] == f"{losses[-1]:.4f}"
