"""Many trainings for one answer: which is better, does it repeat, what rate, which setting.

comparing     `compare`: sides over paired seeds; `sides` reads them, `alike` makes them comparable
predictions   `compare` of finished runs, picture by picture
reproducing   `reproduce`: published figures beside ours
sweeping      `sweep`: many configurations; `grid` lays them out
measures      the cost and the figures of each thing that is compared or swept
saving        the folder of an answer
rate_finding  `lr_find`: a range of learning rates
jobs          one training among many, what became of it, and those who watch
seeds         trains recipes over seeds, several at once, and keeps every finished one
preparing     data opened, networks tried, and where each run belongs, before anything is trained
store         where finished seeds are kept
crew          the worker processes, which share the orders; `worker` is one of them
watching      the live table
"""
