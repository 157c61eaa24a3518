"""FAB, three to try: the answers are what comes out."""

from __future__ import annotations

import math
from types import ModuleType

import pytest
import torch
from torch import Tensor

from implementations import fab as original
from implementations.core.flow import Flow, StandardNormal
from implementations.core.weights import effective_share, log_normaliser
from implementations.nice import Scaling
from tests.support.exercises import edited

PAPER = "fab"
CELL = "normal = Flow"


def one_well(x: Tensor) -> Tensor:
    return (-(x**4) + 6 * x.square() + x / 2)[:, 0]


def gaussian(s: float) -> Flow:
    scaling = Scaling(1)
    scaling.s.data.fill_(s)
    return Flow(StandardNormal((1,)), scaling).double()


def off(module: ModuleType, alpha: float) -> float:
    """Log of the mean weight, less that of quadrature."""
    torch.manual_seed(0)
    q, x = gaussian(0.0), torch.linspace(-4, 4, 1601).double()[:, None]
    log_g = original.bridge(q.log_prob(x), one_well(x), 1.0, alpha)
    exact = log_g.logsumexp(0).item() + math.log(0.005)
    drawn = module.anneal(q, one_well, 20_000, (0.15,) * 8, alpha)
    return log_normaliser(drawn.log_w).value - exact


def test_a_fixed_two_is_wrong_for_all_but_two() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match=r"α = 1\.0"):
        module.run(CELL)
    assert off(module, 2.0) == off(original, 2.0)
    for alpha in (1.0, 1.5, 2.5):
        assert abs(off(original, alpha)) < 0.1 < abs(off(module, alpha))


def test_without_steps_means_stay_right_and_shares_fall() -> None:
    module = edited(PAPER, 2)
    module.run(CELL)
    assert [row[0] for row in module.rows] == ["1.0", "1.5", "2.0", "2.5"]
    assert all(abs(float(row[1])) < 0.1 for row in module.rows)
    assert float(module.rows[2][2]) == pytest.approx(0.04, abs=0.005)
    torch.manual_seed(0)
    drawn = original.anneal(gaussian(0.0), one_well, 50_000, (0.15,) * 8)
    assert effective_share(drawn.log_w) == pytest.approx(0.10, abs=0.01)


def test_without_the_correction_the_old_lack_is_still_mended() -> None:
    """The flow has become p, so there is nothing to mend."""

    def log_p(x: Tensor) -> Tensor:
        return -x.square().sum(1) / 2

    found = []
    for module in (original, edited(PAPER, 3)):
        torch.manual_seed(0)
        replay, flow = module.Replay(200_000), gaussian(0.0)
        replay.add(module.anneal(gaussian(-0.3), log_p, 200_000, (0.5, 0.5)))
        s = next(flow.parameters())
        found.append(torch.autograd.grad(replay.loss(flow, 20_000), s)[0].item())
    assert abs(found[0]) < 0.03
    # E x² - 1 under the old p²/q, which is N(0, 1 / (2 - e^(-0.6))).
    assert found[1] == pytest.approx(1 / (2 - math.exp(-0.6)) - 1, abs=0.03)
