"""Chains, against exact moments and by what each algorithm must keep."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from implementations.core.samplers import Chains, hmc, metropolis

COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.5]])
PRECISION = COVARIANCE.inverse()
LANGEVIN = partial(hmc, step_size=0.5, leaps=1)
ALGORITHMS = {
    "Metropolis": partial(metropolis, width=0.8),
    "Hamiltonian": partial(hmc, step_size=0.4, leaps=4),
    "Langevin": LANGEVIN,
}
Algorithm = Callable[..., Chains]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def gaussian(x: Tensor) -> Tensor:
    return -(x @ PRECISION * x).sum(1) / 2


def wells(x: Tensor) -> Tensor:
    """Two wells that touch: ∫ x² is found by quadrature."""
    return -(x[:, 0] ** 4) / 4 + x[:, 0].square() / 2 + x[:, 0] / 5


@pytest.mark.parametrize("run", ALGORITHMS.values(), ids=[*ALGORITHMS])
def test_a_gaussian_has_its_moments(run: Algorithm) -> None:
    states, accepted = run(gaussian, torch.zeros(500, 2), steps=600, every=5)
    assert states.shape == (120, 500, 2) and 0.2 < accepted < 0.99
    x = states[20:].flatten(0, 1)
    torch.testing.assert_close(x.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    torch.testing.assert_close(x.T.cov(), COVARIANCE, atol=0.03, rtol=0)


@pytest.mark.parametrize("run", ALGORITHMS.values(), ids=[*ALGORITHMS])
def test_two_wells_have_their_moments(run: Algorithm) -> None:
    """A wrong ratio, or a momentum that is not redrawn, shows here."""
    grid = torch.linspace(-6, 6, 4001).double()
    p = wells(grid[:, None]).softmax(0)
    states, _ = run(wells, torch.zeros(500, 1), steps=800, every=5)
    x = states[40:].double()
    for power in (1, 2):
        exact = (p * grid**power).sum().item()
        assert (x**power).mean().item() == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("run", ALGORITHMS.values(), ids=[*ALGORITHMS])
def test_beyond_the_density_nothing_is_taken(run: Algorithm) -> None:
    """Outside of [0, 1] the log-density is not finite."""

    def uniform(x: Tensor) -> Tensor:
        inside = ((x > 0) & (x < 1)).all(1)
        return torch.where(inside, 0 * x.sum(1), math.nan)

    states, accepted = run(uniform, torch.full((300, 1), 0.5), steps=300)
    assert ((states > 0) & (states < 1)).all() and 0.05 < accepted < 0.9
    assert states[100:].mean().item() == pytest.approx(0.5, abs=0.02)
    assert states[100:].var().item() == pytest.approx(1 / 12, rel=0.05)


def test_rejected_chains_stay_where_they_are() -> None:
    states, accepted = metropolis(gaussian, torch.zeros(50, 2), steps=40, width=3.0)
    stayed = (states[1:] == states[:-1]).all(2).double().mean().item()
    assert stayed == pytest.approx(1 - accepted, abs=0.05) and stayed > 0.5


def test_small_steps_keep_the_energy() -> None:
    """The leapfrog's error falls with the square of its step."""
    missed = [
        1 - hmc(gaussian, torch.randn(4000, 2), 5, size, round(1 / size)).accepted
        for size in (0.4, 0.1)
    ]
    assert missed[0] > 8 * missed[1] > 0


def test_chains_of_images_stay_images() -> None:
    def flat(x: Tensor) -> Tensor:
        return -x.flatten(1).square().sum(1) / 2

    for run in ALGORITHMS.values():
        assert run(flat, torch.zeros(3, 1, 4, 4), steps=2).states.shape[2:] == (1, 4, 4)
