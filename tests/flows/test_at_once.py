"""Flows that are trained together are those that are trained alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from implementations.carefl import carefl
from implementations.core.at_once import FlowsAtOnce
from implementations.core.flow import Flow
from implementations.noise_reg import noise_reg
from tests.support.perturb import perturbed


def plain(number: int) -> Flow:
    return perturbed(carefl(2), number).train()


def with_statistics(number: int) -> Flow:
    """A conditional flow, whose buffers are other ones than its neighbours'."""
    flow = perturbed(noise_reg(1, 2, 2, (8, 8)), number)
    y, x = torch.randn(30, 3).double().mul(number + 1).split((1, 2), 1)
    flow.initialise(y, x)
    return flow.train()


@pytest.mark.parametrize(
    ("build", "widths"), [(plain, (2,)), (with_statistics, (1, 2))]
)
def test_steps_are_those_of_each_alone(
    build: Callable[[int], Flow], widths: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    flows = [build(number) for number in range(3)]
    data = [torch.randn(3, 25, width).double() for width in widths]
    together = FlowsAtOnce(flows)
    for _ in range(2):
        alone = torch.stack(
            [flow.log_prob(*each) for flow, *each in zip(flows, *data, strict=True)]
        )
        found = together.log_prob(*data)
        torch.testing.assert_close(found, alone)
        for model, loss in ((together, found), (nn.ModuleList(flows), alone)):
            optimiser = torch.optim.SGD(model.parameters(), 1e-3, maximize=True)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
