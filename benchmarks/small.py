"""The recipe `small` over 10 seeds: accuracy at the last step, and time."""

from benchmarks.common import recipe_over_seeds

if __name__ == "__main__":
    recipe_over_seeds("small", "small", 10, "small on MNIST, one training after another")
