"""Gaussianization flows, three to try: the answers are what comes out."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch

from implementations import gaussianization as original
from tests.support.exercises import edited

PAPER = "gaussianization"


def start(module: ModuleType | Any, spell: str = "as_is") -> float:
    """Mean gap of four flows at their start, in nats, in units of the data."""
    torch.manual_seed(0)
    truth = original.turned_grid()
    x, gaps = truth.sample(1000), []
    for _ in range(4):
        flow = module.gaussianization(2, 5, 20)
        rows = x[torch.randperm(1000)]
        with torch.no_grad():
            y, log_det = getattr(original, spell)(rows)
            flow.initialise(y)
            log_q = flow.log_prob(y) + log_det
        gaps.append((truth.log_prob(rows) - log_q).mean().item())
    return sum(gaps) / 4


def test_raw_units_suit_neither_column() -> None:
    module = edited(PAPER, 1)
    assert start(module, "other_units") > start(original, "other_units") + 1


def test_after_a_turn_the_small_column_is_lost() -> None:
    module = edited(PAPER, 2)
    assert abs(start(module) - start(original)) < 0.3
    assert start(module, "other_units") > start(original, "other_units") + 1


def test_anchors_from_the_data_are_worth_less_than_units() -> None:
    module = edited(PAPER, 3)
    assert 0.05 < start(module) - start(original) < 0.5
    assert start(module, "other_units") < start(original, "other_units") + 0.5
