"""The sums of a learning curve between two of its points."""
