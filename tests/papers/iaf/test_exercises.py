"""IAF, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from implementations import iaf
from implementations.core.toy import Banana
from tests.support.exercises import edited
from tests.support.perturb import perturbed


def bend(flow: nn.Module) -> Tensor:
    """How far z₂ is from a straight line as its own noise moves from -1 to 1."""
    chain = perturbed(flow).get_submodule("bijection.bijection")
    own = torch.tensor([[0.7, -1.0], [0.7, 0.0], [0.7, 1.0]], dtype=torch.float64)
    low, middle, high = chain(own)[0][:, 1]
    return (low + high - 2 * middle).abs()


def test_steps_of_one_order_are_one_step() -> None:
    module = edited("iaf", 1)
    assert bend(module.iaf(2, 3, (16,))) < 1e-12
    assert bend(iaf.iaf(2, 3, (16,))) > 1e-3


@pytest.mark.parametrize(("half_open", "left"), [(False, 0.281), (True, 0.001)])
def test_gates_half_open_forget_all(half_open: bool, left: float) -> None:
    module = edited("iaf", 2) if half_open else iaf
    z, x = torch.eye(3), torch.zeros(3, 3)
    for step in module.gated_steps(3, 10, (8,)):
        z, x = step(z)[0], step(x)[0]
    slopes = (z - x).diagonal()
    torch.testing.assert_close(slopes, torch.full((3,), left), atol=1e-3, rtol=0)


def test_without_the_determinant_the_posterior_shrinks() -> None:
    module, target = edited("iaf", 3), Banana()
    spreads, values = [], []
    for each in (iaf, module):
        torch.manual_seed(0)
        flow = each.iaf(2, 0)
        each.learn(flow, target)
        noise = flow.base.sample(2000)
        with torch.no_grad():
            z, _ = flow.bijection.inverse(noise)
            values.append(each.excess(flow, target, noise).mean().item())
        spreads.append(z.std(0))
    assert (spreads[1] < 0.95 * spreads[0]).all()
    assert values[0] > 0.5 and values[1] < -1
