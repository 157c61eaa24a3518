"""Measurements: `make bench` writes them to `benchmarks/results/`."""
