"""OT-Flow, three to try: the answers are what comes out."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor

from implementations import ot_flow as original
from implementations.core.flow import Flow, StandardNormal
from implementations.core.odes import FixedSteps
from implementations.neural_ode import Continuous
from tests.support.exercises import edited

PAPER = "ot_flow"


def test_the_sign_of_the_paper_in_our_time_is_noticed() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="slope of the HJB residual"):
        module.run("rise = grad(")


def test_a_trace_over_time_too_is_noticed() -> None:
    module = edited(PAPER, 2)
    with pytest.raises(AssertionError, match="trace of the slope"):
        module.run("wrong = (laplacian(phi, at)")


def best_shrinking(module: ModuleType) -> float:
    """The factor by which N(0, 2²) is best shrunk along straight ways."""

    class ConeAtZero(module.Slope):
        """Φ(t, z) = ‖z‖² / (2(t + c)), which shrinks by c / (1 + c)."""

        def __init__(self, c: float) -> None:
            super().__init__(module.Potential(1, 1), 1)
            self.c = c

        def derivatives(self, t: Tensor, z: Tensor) -> tuple[Tensor, ...]:
            after = t + self.c
            in_time = -z.square().sum(1) / (2 * after**2)
            return module.Derivatives(z / after, in_time, (1 / after).expand(len(z)))

    def loss(a: float) -> float:
        bijection = Continuous(ConeAtZero(a / (1 - a)), FixedSteps(16))
        flow = Flow(StandardNormal((1,)), bijection).double()
        x = torch.tensor([[2.0], [-2.0]]).double()
        return module.objective(flow, x).item()

    return min((k / 50 for k in range(20, 50)), key=loss)


def test_with_a_small_weight_of_the_fit_points_hardly_move() -> None:
    assert best_shrinking(original) < 0.55
    assert best_shrinking(edited(PAPER, 3)) > 0.9
