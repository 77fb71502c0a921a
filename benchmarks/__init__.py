"""Each figure of the README comes from a script here: `python -m benchmarks.NAME`, or `make bench` for all of them."""
