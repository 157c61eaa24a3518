"""Lattice flows, three to try: the answers are what comes out."""

from __future__ import annotations

import torch
from torch import Tensor

from implementations import lattice as original
from implementations.core.weights import log_normaliser
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "lattice"


def test_against_the_last_proposal_the_average_is_closer_to_the_draws() -> None:
    p = torch.tensor([0.5, 0.3, 0.2]).double()
    q = torch.tensor([0.1, 0.2, 0.7]).double()
    torch.manual_seed(0)
    drawn = torch.multinomial(q, 200_000, replacement=True).view(4000, 50)
    log_w = (p / q).log()[drawn]
    shares: list[Tensor] = []
    for module in (original, edited(PAPER, 1)):
        states = drawn.gather(0, module.walk(log_w))
        shares.append(states.flatten().bincount(minlength=3) / states.numel())
    right, wrong = shares
    assert (right - p).abs().max() < 0.01
    assert (wrong - p).abs().max() > 0.05
    assert (wrong - q).abs().max() < (p - q).abs().max() - 0.05


def test_with_zeros_beyond_the_edges_shifts_change_the_density() -> None:
    phi = noise(20, 1, 6, 6)
    for module, same in ((original, True), (edited(PAPER, 2), False)):
        torch.manual_seed(0)
        flow = module.lattice(6, 3, (4,)).double()
        for numbers in flow.parameters():
            numbers.data.add_(0.3 * torch.randn_like(numbers))
        change = flow.log_prob(phi.roll(2, 3)) - flow.log_prob(phi)
        assert (change.abs().max() < 1e-10) == same
        assert (flow.log_prob(phi.roll(1, 3)) - flow.log_prob(phi)).abs().max() > 1e-3


def test_a_constant_changes_log_z_and_its_bound() -> None:
    runs = []
    for module in (original, edited(PAPER, 3)):
        torch.manual_seed(0)
        flow, theory = module.lattice(4, 2), module.PhiFour(1.0, 0.0)
        module.learn_theory(flow, theory, 5)
        runs.append(module.independence_metropolis(flow, theory.log_density, 200, 3))
    plain, moved = runs
    assert torch.equal(plain.at, moved.at)
    torch.testing.assert_close(plain.states, moved.states, atol=1e-4, rtol=1e-4)
    logs = [log_normaliser(run.log_w.flatten()).value for run in runs]
    assert abs(logs[1] - logs[0] - 100) < 1e-3
    assert abs((moved.log_w - plain.log_w).mean().item() - 100) < 1e-3
