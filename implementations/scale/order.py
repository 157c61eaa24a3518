"""The order of the data, and seeds: functions of the step alone, so nothing to keep."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from implementations.scale.inputs import Rows


def permutation(rows: int, seed: int, epoch: int) -> Tensor:
    """Return the order of an epoch's rows, on the CPU."""
    generator = torch.Generator().manual_seed(mixed(seed, epoch, 0))
    return torch.randperm(rows, generator=generator)


def mixed(seed: int, number: int, purpose: int) -> int:
    """Return a seed of its own for each number and purpose, from 0 to 2⁶³ − 1.

    Neighbouring numbers get seeds that have nothing in common (SplitMix64).
    """
    z = (seed * 0x9E3779B97F4A7C15 + number * 3 + purpose) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> shift)) * factor % 2**64
    return (z ^ (z >> 31)) >> 1


def pieces(rows: Rows, at_once: int) -> Iterator[Rows]:
    """Yield the rows in pieces of so many; 0 means all together."""
    n = len(rows.x)
    for start in range(0, max(n, 1), at_once or max(n, 1)):
        yield rows.take(slice(start, start + (at_once or n)))
