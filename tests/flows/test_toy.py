"""The toy densities are densities, of the entropy that they state."""

from __future__ import annotations

import math

import pytest
import torch

from implementations.core import toy
from implementations.core.flow import Flow, StandardNormal
from implementations.nice import Scaling

TOYS = {
    "banana": toy.Banana,
    "two scales": toy.two_scales,
    "eight gaussians": toy.eight_gaussians,
    "two moons": toy.TwoMoons,
    "swirl": toy.Swirl,
    "checkerboard": toy.Checkerboard,
}


@pytest.fixture(params=TOYS)
def target(request: pytest.FixtureRequest) -> toy.Toy:
    torch.manual_seed(0)
    return TOYS[request.param]()


def test_integrates_to_one_and_has_its_entropy(target: toy.Toy) -> None:
    target = target.double()
    a, b, c, d = target.box
    n = 500
    x, dx = a + (torch.arange(n).double() + 0.5) * (b - a) / n, (b - a) / n
    y, dy = c + (torch.arange(n).double() + 0.5) * (d - c) / n, (d - c) / n
    log_p = torch.cat(
        [target.log_prob(torch.cartesian_prod(some, y)) for some in x.split(50)]
    )
    p = log_p.exp()
    assert (p.sum() * dx * dy).item() == pytest.approx(1, abs=1e-5)
    entropy = -torch.where(p > 0, p * log_p, 0).sum() * dx * dy
    assert entropy.item() == pytest.approx(target.entropy, abs=1e-5)


def test_samples_follow_the_density(target: toy.Toy) -> None:
    x = target.sample(100_000)
    log_p = target.log_prob(x)
    error = log_p.std() / len(x) ** 0.5
    assert (-log_p.mean() - target.entropy).abs() <= 5 * error + 1e-6
    # Entropy alone would not see samples in the wrong place: compare with a grid.
    a, b, c, d = target.box
    cells = 8
    i = ((x[:, 0] - a) / (b - a) * cells).long()
    j = ((x[:, 1] - c) / (d - c) * cells).long()
    inside = (i >= 0) & (i < cells) & (j >= 0) & (j < cells)
    seen = torch.bincount((cells * i + j)[inside], minlength=cells**2) / len(x)
    fine = torch.linspace(0, 1, 401)[:-1] + 1 / 800
    points = torch.cartesian_prod(a + (b - a) * fine, c + (d - c) * fine)
    p = target.log_prob(points).exp().reshape(cells, 50, cells, 50).sum((1, 3))
    expected = (p * (b - a) * (d - c) / 400**2).flatten()
    assert (seen - expected).abs().max() < 5 * 0.5 / len(x) ** 0.5


def test_samples_follow_dtype_and_are_many_or_none(target: toy.Toy) -> None:
    assert target.sample(0).shape == (0, 2)
    assert target.sample(3).dtype == torch.float32
    sample = target.double().sample(3)
    assert sample.dtype == torch.float64
    assert target.log_prob(sample).dtype == torch.float64
    assert target.log_prob(sample).isfinite().all()


def test_checkerboard_samples_stay_in_their_cells() -> None:
    target = toy.Checkerboard()
    torch.manual_seed(0)
    assert target.log_prob(target.sample(1_000_000)).isfinite().all()


def test_gap_is_the_divergence() -> None:
    torch.manual_seed(0)
    target = toy.Mixture([(0.0, 0.0)], [1.0], 1 + math.log(2 * math.pi), (-6, 6, -6, 6))
    scaling = Scaling(2)
    flow = Flow(StandardNormal((2,)), scaling)
    assert toy.kl_to(target, flow) == pytest.approx(0, abs=1e-6)
    scaling.s.data.fill_(math.log(0.5))
    # KL(N(0, I) ‖ N(0, 4 I)) in two dimensions.
    exact = 2 * (math.log(2) + 1 / 8 - 1 / 2)
    assert toy.kl_to(target, flow) == pytest.approx(exact, abs=0.01)


def test_the_peaks_are_where_the_definitions_say() -> None:
    """Sampling and density could agree on another shape of the same entropy."""
    arm = 1 / (5 * 2 * math.pi * 0.3 * 0.1)
    turn = [2 * math.pi * k / 5 + math.e / 2 for k in range(5)]
    eighth = 1 / (8 * 2 * math.pi * 0.2**2)
    across = 1 / (2 * math.pi) / (0.1 * math.sqrt(2 * math.pi))
    peaks: dict[float, tuple[toy.Toy, list[tuple[float, float]]]] = {
        arm: (toy.Swirl(), [(math.cos(a), math.sin(a)) for a in turn]),
        eighth: (toy.eight_gaussians(), [(2.0, 0.0), (-2.0, 0.0), (0.0, 2.0)]),
        across: (toy.TwoMoons(), [(0.0, 1.0), (1.0, -0.5)]),
        1 / 8: (toy.Checkerboard(), [(0.5, 0.5), (-0.5, -0.5), (0.5, -1.5)]),
        1 / math.pi: (toy.Banana(), [(0.0, 0.0)]),
    }
    for height, (target, points) in peaks.items():
        p = target.log_prob(torch.tensor(points)).exp()
        assert p.tolist() == pytest.approx([height] * len(points), rel=0.01)
    outside = torch.tensor([[0.5, -0.5], [2.5, 0.5]])
    assert (toy.Checkerboard().log_prob(outside) == -math.inf).all()
