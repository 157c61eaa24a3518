"""FFJORD, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import ffjord as original
from implementations.neural_ode import Continuous
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "ffjord"


def test_the_whole_matrix_is_noticed() -> None:
    module = edited(PAPER, 1)
    j = torch.tensor([[[1.0, 3.0], [-2.0, 4.0]]])
    assert module.variances(j)["signs"].item() == 26
    assert original.variances(j)["signs"].item() == 1
    with pytest.raises(AssertionError, match="signs: variance / formula"):
        module.run("hutchinson(lambda z: z @ j.T, z, v)")


def test_fixed_steps_do_not_notice_new_vectors() -> None:
    module, flow, x = edited(PAPER, 2), perturbed(original.ffjord(2, (8,))), noise(5, 2)
    f = flow.bijection
    assert isinstance(f, Continuous)
    f.train()
    for change in (f.change(x), original.redrawn(f, x)):
        assert module.evaluations(change, x, 1e-5) == 32


def test_fixed_steps_stay_right_on_average_and_are_exact_no_more() -> None:
    flow = perturbed(original.ffjord(2, (8,)))
    f, x = flow.bijection, noise(1, 2).expand(20_000, 2)
    assert isinstance(f, Continuous)
    exact = f(x[:1])[1]
    f.train()
    torch.manual_seed(0)
    state = torch.cat((x, x.new_zeros(len(x), 1)), 1)
    with torch.no_grad():
        found = f.solve(original.redrawn(f, x), state, x.new_tensor((1.0, 0.0)))[-1]
    error = found[:, 2].std().item() / len(x) ** 0.5
    assert abs(found[:, 2].mean() - exact).item() < 4.5 * error
    assert len(found[:, 2].unique()) > 4


def test_a_mean_of_densities_is_too_large() -> None:
    flow, x = perturbed(original.ffjord(3, (8,))), noise(2, 3)
    exact = flow.log_prob(x)
    torch.manual_seed(0)
    found = edited(PAPER, 3).estimates(flow, x, 5000)
    assert found.shape == (1, 2)
    torch.manual_seed(0)
    half = original.estimates(flow, x, 5000).var(0) / 2
    assert (found[0] - exact > half / 2).all()
    assert (found[0] - exact < 2 * half).all()
