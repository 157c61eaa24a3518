"""Measurements on a GPU, for the day that one is there: `make gpu`, eight minutes.

Every part is a process of its own with a time of its own, so that one that fails,
crashes, hangs or fills the card's memory takes nothing from the others. What it has
measured until then counts. gpu.json is written after each part; its form is in
`scripts/results/gpu.py`. Nothing here needs a network, and parts say which packages
they miss.
"""
