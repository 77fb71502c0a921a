"""Many trainings for one answer: which is better, does it repeat, what rate, which setting.

seeds         trains recipes over seeds, several at once, and keeps every finished one
worker        the process that one seed is trained in
comparing     `compare`: sides over paired seeds
predictions   `compare` of finished runs, picture by picture
reproducing   `reproduce`: published figures beside ours
sweeping      `sweep`: many configurations
rate_finding  `lr_find`: a range of learning rates
"""
