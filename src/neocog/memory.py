"""Running out of memory, on a CPU or a GPU, in words that help."""
