"""Results as text, Markdown and JSON: what people and programs read. Draws, never computes.

runs          a training, an evaluation, a layer table, predictions, a data set; `as_json` for any result
comparison    two or more sides over seeds, and two runs picture by picture
reproduction  published figures beside ours; `figures` fills the cells
sweep         many configurations
rates         a range of learning rates
explanation   why a network answers as it does for one picture
mistakes      what a run gets wrong, and why that may be
stress        accuracy as pictures change more and more
measures      the table of measures with their intervals
data_check    what is found about data
html          any of these in a notebook
words         what their texts share
"""
