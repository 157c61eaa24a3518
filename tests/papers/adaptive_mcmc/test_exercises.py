"""Adaptive MCMC, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import adaptive_mcmc as original
from tests.support.exercises import edited

PAPER = "adaptive_mcmc"


@pytest.mark.thorough
def test_from_the_left_alone_the_plane_has_luck() -> None:
    module = edited(PAPER, 1)
    module.run("def _walk")
    start, end = (module.path[k][:, 0] > 0 for k in (0, -1))
    assert not start.any()
    assert 0.5 < end.float().mean().item() < 0.9


@pytest.mark.thorough
def test_one_scout_is_slow() -> None:
    module, base = edited(PAPER, 2), original.InformedBase(original.AllenCahn())
    assert pytest.approx(0.99) == module.START
    torch.manual_seed(0)
    exact = original.TransferMatrix(original.AllenCahn())
    run = module.learn_field(base, module.START, exact)
    up = (run.walkers.path[module.ITERATIONS][:, 16] > 0).float().mean().item()
    assert up > 0.5


def test_a_coarse_grid_is_enough_and_a_coarser_one_is_not() -> None:
    module, field = edited(PAPER, 3), original.AllenCahn()
    fine, coarse = (m.TransferMatrix(field).log_z for m in (original, module))
    assert abs(coarse - fine) < 1e-7
    module.__dict__["GRID"] = 21
    assert abs(module.TransferMatrix(field).log_z - fine) > 0.01
