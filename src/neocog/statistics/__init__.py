"""What may be said of measured numbers: differences over paired seeds, verdicts, published figures; no training.

paired        a mean difference with its interval, and how often one side wins
power         how many seeds would show a difference
mcnemar       two networks on the same pictures
holm          p values of many comparisons, corrected for their number
cost          what one side costs beside another
comparison    sides over seeds: every pair of them, two runs on the same pictures; and what is known of each
many_runs     more than two runs on the same pictures
verdict       what may be said of a comparison, in one sentence
reproduction  published figures beside the range of ours
sweep         many configurations, and how far the best of many may be believed
rates         a range test of learning rates, and what it suggests
"""
