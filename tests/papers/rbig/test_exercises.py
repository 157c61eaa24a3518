"""RBIG, three to try: the answers are what comes out."""

from __future__ import annotations

import math
from types import ModuleType

import pytest
import torch

from implementations import rbig as original
from implementations.core.toy import TwoMoons
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "rbig"


def gap(module: ModuleType, seed: int, layers: int = 30) -> float:
    torch.manual_seed(seed)
    target = TwoMoons().double()
    flow = module.fitted(module.rbig(2, layers), target.sample(20_000))
    return module.gaps(target, flow)[-1]


def test_turns_from_positive_numbers_do_as_well() -> None:
    module, x = edited(PAPER, 1), noise(2, 10)
    torch.manual_seed(0)
    assert all((module.haar(x)[:, 0] > 0).all() for _ in range(50))
    assert not any((original.haar(x)[:, 0] > 0).all() for _ in range(50))
    assert gap(module, 0) == pytest.approx(gap(original, 0), abs=0.04)
    assert gap(module, 0) < 0.12


def test_steep_ends_throw_fresh_points_out() -> None:
    module = edited(PAPER, 2)
    assert gap(original, 0) < 0.1
    assert gap(module, 0) > 10


def test_flat_places_have_no_density() -> None:
    module, x = edited(PAPER, 3), noise(100, 2) ** 3
    fresh = noise(1000, 2, seed=5) ** 3
    for each, floor in ((original, True), (module, False)):
        flow = each.fitted(each.rbig(2, 1, estimate=each.histogram_bins), x)
        assert flow.log_prob(x).mean().isfinite()
        assert (flow.log_prob(fresh).mean() > -math.inf) == floor
