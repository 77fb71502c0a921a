"""The recipe `accurate` over 3 seeds: accuracy at the last step, and time."""

from benchmarks.common import recipe_over_seeds

if __name__ == "__main__":
    recipe_over_seeds("accurate", "accurate", 3, "accurate on MNIST, one training after another")
