"""Neural importance sampling, three to try: the answers are what comes out."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import pytest
import torch

from implementations import nis as original
from implementations.core.fit import fit
from implementations.core.flow import Flow
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "nis"


def test_the_textbooks_root_is_no_number_at_the_start() -> None:
    g, z = edited(PAPER, 1).PiecewiseQuadratic(8), torch.rand(500).double()
    assert g.inverse(z, torch.zeros(500, 17).double())[0].isnan().all()
    params = noise(500, 17)
    right = original.PiecewiseQuadratic(8).inverse(z, params)[0]
    torch.testing.assert_close(g.inverse(z, params)[0], right, atol=1e-9, rtol=1e-9)


def trained(module: ModuleType) -> tuple[Flow, float]:
    """A flow that learned the camel of the square, and its gap."""
    torch.manual_seed(0)
    f, flow = original.camel(2), original.nis(2, 2, (32, 32), bins=16)
    fit(flow, partial(module.weighted_loss, flow, f.log_prob, 500, 0.05), 100, lr=5e-3)
    x = f.sample((20_000,)).clamp(0, 1)
    with torch.no_grad():
        return flow, (f.log_prob(x) - flow.log_prob(x)).mean().item()


@pytest.mark.thorough
def test_gradients_through_the_weights_and_weights_without_the_mixture() -> None:
    flow, gap = trained(original)
    _, without = trained(edited(PAPER, 2))
    assert without > 3 * gap
    f = original.camel(2)
    for module, low, high in ((original, 0.995, 1.005), (edited(PAPER, 3), 0.95, 0.99)):
        with torch.no_grad():
            x = module.draw(flow, 200_000, 0.05)
            w = (f.log_prob(x) - module.mixed(flow.log_prob(x), 0.05)).double().exp()
        assert low < w.mean() < high
        assert w.std() / 200_000**0.5 < 2e-3
