"""The form of benchmarks/results/, which `benchmarks` writes and the site reads."""
