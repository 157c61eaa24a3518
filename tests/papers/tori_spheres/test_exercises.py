"""Tori and spheres, three to try: the answers are what comes out."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from implementations import tori_spheres as original
from implementations.core.weights import reverse_kl
from tests.support.exercises import edited
from tests.support.perturb import perturbed

PAPER, TURN = "tori_spheres", original.TURN


def test_angles_as_they_are_make_a_step_and_still_a_density() -> None:
    steps = []
    for module in (original, edited(PAPER, 1)):
        flow = perturbed(module.tori_spheres(2, "torus", hidden=(8,)))
        grid = (torch.arange(150).double() + 0.5) / 150 * TURN
        with torch.no_grad():
            mean = flow.log_prob(torch.cartesian_prod(grid, grid)).exp().mean()
            ends = torch.stack((torch.zeros_like(grid), grid), 1)
            first = flow.log_prob(ends)
            ends[:, 0] = TURN
            steps.append((flow.log_prob(ends) - first).abs().max().item())
        assert (TURN**2 * mean).item() == pytest.approx(1, abs=2e-3)
    assert steps[0] < 1e-8
    assert steps[1] > 0.01


def centres_after_training(module: ModuleType) -> torch.Tensor:
    torch.manual_seed(0)
    flow = module.tori_spheres(2, "torus", hidden=(8,))
    target = original.TorusPeaks()
    optimiser = torch.optim.Adam(flow.parameters(), 1e-2)
    for _ in range(20):
        optimiser.zero_grad()
        reverse_kl(flow, target.log_prob, 64).backward()
        optimiser.step()
    net = flow.bijection.bijection.nets[1]
    params = net(torch.tensor([[0.6, 0.8]]))[0, 1:]
    return params.unflatten(0, (3, 12))


def test_centres_at_one_place_stay_together() -> None:
    apart = [
        centres_after_training(m).std(1).max() for m in (original, edited(PAPER, 2))
    ]
    assert apart[0] > 0.1
    assert apart[1] < 1e-4


def test_the_jacobian_of_all_directions_gives_no_density() -> None:
    totals, errors = [], []
    for module in (original, edited(PAPER, 3)):
        torch.manual_seed(0)
        flow = module.exponential(2, 2).double()
        x = flow.base.sample(20_000)
        with torch.no_grad():
            totals.append((flow.log_prob(x).exp().mean() * 4 * torch.pi).item())
        found = flow.bijection(x[:50])[1]
        exact = original.along_sphere(flow.bijection, x[:50])
        errors.append((found - exact).abs().max().item())
    assert totals[0] == pytest.approx(1, abs=0.02) and errors[0] < 1e-9
    assert abs(totals[1] - 1) > 0.1 and errors[1] > 0.1
