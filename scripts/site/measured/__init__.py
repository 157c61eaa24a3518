"""Results of the benchmarks → what pages show of them."""
