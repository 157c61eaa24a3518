"""Facts of OT-CFM (Tong et al., 2023): pairs, paths, plans, and what they save."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from implementations.core.flow import StandardNormal
from implementations.core.matching import Path, line, squared_misses
from implementations.core.odes import FixedSteps, TimeNetwork, VelocityField
from implementations.core.transport import squared_wasserstein, travel
from implementations.ot_cfm import (
    NEAR,
    Bridge,
    Pairs,
    Tube,
    budget,
    in_parts,
    independent,
    learn,
    optimal,
    ot_cfm,
    plan,
    ring,
    velocity,
)
from tests.flows.fields import velocity_by_autograd
from tests.support.perturb import noise, perturbed

EVERY_PAIRS = [independent, optimal, in_parts(4), in_parts(1)]


def length(pairs: tuple[Tensor, Tensor]) -> float:
    return (pairs[1] - pairs[0]).square().sum(1).mean().item()


def batches(n: int, dim: int = 2) -> tuple[Tensor, Tensor]:
    return noise(n, dim), 0.5 * noise(n, dim, seed=2) + 1


@pytest.mark.parametrize("seed", range(5))
def test_no_order_is_cheaper_than_the_pairs(seed: int) -> None:
    """With the order given to x0 instead of x1, as a library had it, it fails."""
    x0, x1 = noise(5, 2, seed=seed), noise(5, 2, seed=seed + 10)
    costs = [length((x0, x1[list(order)])) for order in permutations(range(5))]
    assert length(optimal(x0, x1)) == pytest.approx(min(costs), rel=1e-12)


def test_a_cycle_of_three_is_not_turned_around() -> None:
    """Of orders of two points each is its own inverse: three tell them apart."""
    x0 = torch.tensor([[0.0], [1.0], [2.0]])
    x1 = torch.tensor([[1.1], [2.1], [0.1]])
    starts, ends = optimal(x0, x1)
    torch.testing.assert_close(ends - starts, torch.full((3, 1), 0.1))


@pytest.mark.parametrize("pairs", EVERY_PAIRS)
def test_each_point_stays_in_one_pair(pairs: Pairs) -> None:
    """So neither end changes its distribution; with replacement, 37 % are left out."""
    x0, x1 = batches(32)
    starts, ends = pairs(x0, x1)
    torch.testing.assert_close(starts.sort(0).values, x0.sort(0).values)
    assert sorted(map(tuple, ends.tolist())) == sorted(map(tuple, x1.tolist()))


def test_a_plan_of_one_is_no_plan() -> None:
    x0, x1 = batches(32)
    for ours, drawn in zip(in_parts(1)(x0, x1), (x0, x1), strict=True):
        assert torch.equal(ours, drawn)


def test_larger_plans_are_shorter() -> None:
    """Parts of a larger part are one of the orders that it chooses from."""
    lengths = [length(in_parts(size)(*batches(64))) for size in (1, 4, 16, 64)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == pytest.approx(length(optimal(*batches(64))))
    assert lengths[0] > 1.5 * lengths[-1]


def test_a_last_part_may_be_smaller() -> None:
    x0, x1 = batches(10)
    starts, ends = in_parts(4)(x0, x1)
    assert torch.equal(starts, x0) and len(ends) == 10


def test_batches_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(4, 2\)"):
        optimal(torch.zeros(3, 2), torch.zeros(4, 2))


def test_on_a_line_pairs_are_sorted() -> None:
    starts, ends = optimal(*batches(40, 1))
    order = starts[:, 0].argsort()
    assert (ends[order, 0].diff() >= 0).all()


def test_it_does_not_matter_which_side_is_the_source() -> None:
    x0, x1 = batches(20)
    there, back = optimal(x0, x1), optimal(x1, x0)
    assert length(there) == pytest.approx(length(back))
    pairs = {(*a, *b) for a, b in zip(*(e.tolist() for e in there), strict=True)}
    assert pairs == {(*a, *b) for b, a in zip(*(e.tolist() for e in back), strict=True)}


def test_a_shift_is_found_and_leaves_no_loss() -> None:
    """x1 = x0 + c in another order: its field is c, and all misses are 0."""
    x0, c = noise(64, 2), torch.tensor([3.0, -1.0]).double()
    shuffled = (x0 + c)[torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    starts, ends = optimal(x0, shuffled)
    misses = squared_misses(lambda t, x: c.expand_as(x), starts, ends, Tube(0.3))
    assert misses.max() < 1e-20


def test_optimal_lines_never_meet() -> None:
    """At any time, two points are at least some share of their distance apart."""
    x0, x1 = optimal(*batches(40))
    start, end = x0[:, None] - x0, x1[:, None] - x1
    # What makes the pairs optimal for each two of them.
    assert (start * end).sum(2).min() > -1e-12
    for t in (0.25, 0.5, 0.75):
        apart = ((1 - t) * start + t * end).norm(dim=2).fill_diagonal_(1)
        assert apart.min() > 0


@pytest.mark.parametrize("path", [Tube(0.3), Bridge(0.7)])
def test_velocities_are_those_of_autograd(path: Path) -> None:
    x0, x1 = batches(50, 3)
    t = torch.linspace(0.01, 0.99, 50).double()[:, None]
    torch.manual_seed(0)
    by_autograd = velocity_by_autograd(path, t, x0, x1)
    torch.manual_seed(0)
    torch.testing.assert_close(path(t, x0, x1).velocity, by_autograd)


@pytest.mark.parametrize("path", [Tube(0.0), Bridge(0.0)])
def test_without_noise_both_are_the_line(path: Path) -> None:
    x0, x1 = batches(20)
    t = torch.linspace(0.01, 0.99, 20).double()[:, None]
    for ours, theirs in zip(path(t, x0, x1), line(t, x0, x1), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.8])
def test_a_tube_is_as_wide_everywhere_and_a_bridge_in_the_middle(at: float) -> None:
    torch.manual_seed(0)
    zeros = torch.zeros(40_000, 2).double()
    t = torch.full((40_000, 1), at).double()
    widths = [path(t, zeros, zeros + 1).point.var() for path in (Tube(0.3), Bridge(2))]
    near = min(max(at, NEAR), 1 - NEAR)
    for found, exact in zip(widths, (0.09, 4 * near * (1 - near)), strict=True):
        assert found.item() == pytest.approx(exact, rel=0.03)


def test_rows_have_noise_of_their_own() -> None:
    zeros = torch.zeros(100, 2)
    for path in (Tube(), Bridge()):
        point = path(torch.full((100, 1), 0.3), zeros, zeros).point
        assert len(point.flatten().unique()) == 200


def marginal(t: Tensor, x: Tensor, x0: Tensor, x1: Tensor, bridge: bool) -> Tensor:
    """p_t(x) and p_t(x) u_t(x) of the mixture of all pairs, as one vector (thm 3.1)."""
    middle = (1 - t) * x0 + t * x1
    variance = 0.7**2 * t * (1 - t) if bridge else 0.7**2 * torch.ones_like(t)
    away = x - middle
    p = (-away.square().sum(1) / (2 * variance)).exp() / (2 * math.pi * variance)
    push = (1 - 2 * t) / (2 * t * (1 - t)) * away if bridge else 0
    return torch.cat((p.mean()[None], (p[:, None] * (push + x1 - x0)).mean(0)))


@pytest.mark.parametrize("bridge", [False, True])
def test_the_mean_velocity_carries_the_marginals(bridge: bool) -> None:
    """∂p/∂t = -∇·(p u): theorem 3.1, for the velocities of (15) and (21)."""
    x0, x1 = batches(5)
    for t in (0.1, 0.4, 0.9):
        for x in (1 - t) * x0[:2] + t * x1[:2] + 0.1:
            by_t, by_x = torch.autograd.functional.jacobian(
                lambda t, x: marginal(t, x, x0, x1, bridge),
                (torch.tensor(t).double(), x),
            )
            change, divergence = by_t[0], by_x[1, 0] + by_x[2, 1]
            assert change.abs() > 1e-6
            torch.testing.assert_close(change, -divergence)


def test_a_bridge_has_no_finite_loss() -> None:
    """E‖u - (x1 - x0)‖² = σ² D (½ log((1 - τ) / τ) - 1 + 2τ) on [τ, 1 - τ]."""
    torch.manual_seed(0)
    zeros, sigma, near = torch.zeros(200_000, 2).double(), 0.7, 0.01
    t = near + (1 - 2 * near) * torch.rand(200_000, 1).double()
    squares = Bridge(sigma)(t, zeros, zeros).velocity.square().sum(1)
    exact = sigma**2 * 2 * (math.log((1 - near) / near) / 2 - 1 + 2 * near)
    error = squares.std().item() / len(squares) ** 0.5
    # The mean over the interval, times its length.
    found = squares.mean().item() * (1 - 2 * near)
    assert abs(found - exact) < 4 * error


def test_at_its_ends_a_bridge_stays_finite() -> None:
    x0, x1 = batches(2)
    moving = Bridge(1.0)(torch.tensor([[0.0], [1.0]]).double(), x0, x1)
    assert all(each.isfinite().all() for each in moving)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0])
def test_an_entropic_plan_keeps_both_marginals(sigma: float) -> None:
    found = plan(*batches(30), sigma, 1000)
    torch.testing.assert_close(found.sum(0), torch.full((30,), 1 / 30).double())
    torch.testing.assert_close(
        found.sum(1), torch.full((30,), 1 / 30).double(), rtol=1e-4, atol=0
    )


def test_little_noise_gives_optimal_pairs_and_much_gives_random_ones() -> None:
    """So the regularisation is not ignored, and 2σ² goes to 0 and to infinity."""
    x0, x1 = batches(12)
    cost = torch.cdist(x0, x1).square()
    means = [(plan(x0, x1, sigma, 3000) * cost).sum() for sigma in (0.05, 0.5, 100)]
    assert means[0].item() == pytest.approx(length(optimal(x0, x1)), rel=1e-3)
    assert means[2].item() == pytest.approx(cost.mean().item(), rel=1e-3)
    assert means[0] < 0.9 * means[1] < 0.9 * means[2]


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_between_gaussians_the_plan_has_a_closed_form(sigma: float) -> None:
    """Its ε is 2σ², of squared distances as they are: none other has this covariance.

    c = ½ (√(4 s₀² s₁² + σ⁴) - σ²), as π ∝ a(x) b(y) exp(-(x - y)² / 2σ²).
    """
    levels = (torch.arange(400).double() + 0.5) / 400
    x = Normal(0.0, 1.0).icdf(levels)[:, None]
    found = (plan(x, 2 * x, sigma, 300) * (x @ (2 * x).T)).sum().item()
    closed = (math.sqrt(16 + sigma**4) - sigma**2) / 2
    assert found == pytest.approx(closed, rel=0.02)
    wrong = (math.sqrt(16 + (2 * sigma**2) ** 2) - 2 * sigma**2) / 2
    assert abs(found - wrong) > 0.05 * closed


def test_the_ring_has_the_density_that_it_says() -> None:
    torch.manual_seed(0)
    source = ring()
    x = source.sample(40_000)
    log_p = source.log_prob(x)
    error = log_p.std().item() / len(log_p) ** 0.5
    assert abs(-log_p.mean().item() - source.entropy) < 4 * error
    torch.testing.assert_close(x.mean(0), torch.tensor([0.5, 0.25]), atol=0.03, rtol=0)


def test_before_training_the_flow_is_its_source() -> None:
    source, flow = ring(), ot_cfm(2, base=ring())
    x = source.sample(20)
    torch.testing.assert_close(flow.log_prob(x), source.log_prob(x))
    assert isinstance(ot_cfm(3).base, StandardNormal)


def test_log_densities_start_from_the_source() -> None:
    flow = perturbed(ot_cfm(2, (8,), ring(), FixedSteps(20)))
    x = noise(6, 2)
    z, log_det = flow.bijection(x)
    exact = ring().double().log_prob(z) + log_det
    torch.testing.assert_close(flow.log_prob(x), exact, rtol=1e-5, atol=1e-5)
    assert log_det.abs().max() > 0.01


class BetweenGaussians(VelocityField):
    """N(0, I) → N(m, T²): v = (T - I)((1 - t) I + tT)⁻¹(x - tm) + m."""

    m: Tensor
    root: Tensor

    def __init__(self, m: Tensor, root: Tensor) -> None:
        super().__init__(len(m))
        self.register_buffer("m", m)
        self.register_buffer("root", root)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        one = torch.eye(self.dim).to(z)
        scaled = torch.linalg.solve(torch.lerp(one, self.root, t), (z - t * self.m).T)
        return scaled.T @ (self.root - one) + self.m


def gaussians() -> tuple[Tensor, Tensor]:
    m = torch.tensor([0.5, 0.0]).double()
    return m, torch.tensor([[1.25, 0.75], [0.75, 1.25]]).double()


def test_between_gaussians_the_energy_is_that_of_bures() -> None:
    """W₂² = ‖m‖² + tr(I + S - 2 S^½), and the map is x ↦ m + Tx, in one Euler step."""
    (m, root), z = gaussians(), noise(2000, 2)
    values = torch.linalg.eigvalsh(root @ root)
    bures = (m.square().sum() + (1 + values - 2 * values.sqrt()).sum()).item()
    end, energy = travel(BetweenGaussians(m, root), z, FixedSteps(1, "euler"))
    torch.testing.assert_close(end, m + z @ root)
    torch.testing.assert_close(energy, (end - z).square().sum(1))
    # Whitened, the sample has exactly the moments that the formula takes.
    white = (z - z.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov())).T
    white *= (len(z) / (len(z) - 1)) ** 0.5
    end, energy = travel(BetweenGaussians(m, root), white, FixedSteps(1, "euler"))
    assert energy.mean().item() == pytest.approx(bures, rel=1e-9)


def test_with_optimal_pairs_of_all_the_closed_form_leaves_no_loss() -> None:
    """Proposition B.2: the loss of a Monge plan is 0 as σ → 0."""
    (m, root), z = gaussians(), noise(300, 2)
    shuffled = (m + z @ root).flip(0)
    starts, ends = optimal(z, shuffled)
    torch.testing.assert_close(ends, m + z @ root)
    t = torch.rand(300, 1).double()
    point, moved = line(t, starts, ends)
    field = BetweenGaussians(m, root)
    each = [field(t[k, 0], point[k : k + 1])[0] for k in range(300)]
    torch.testing.assert_close(torch.stack(each), moved)


def test_energy_is_above_the_way_and_above_the_optimum() -> None:
    field, z = perturbed(TimeNetwork(2, (8, 8))), noise(200, 2)
    end, energy = travel(field, z, FixedSteps(40))
    way = (end - z).square().sum(1).mean().item()
    assert energy.mean().item() > way >= squared_wasserstein(z, end) > 0


def test_loss_and_energy_add_up_to_the_length_of_pairs() -> None:
    """Between two standard normals at random: 2 = (2 - π/2) + π/2 in each dimension."""

    class Best(VelocityField):
        def forward(self, t: Tensor, z: Tensor) -> Tensor:
            return (2 * t - 1) * z / (t.square() + (1 - t).square())

    torch.manual_seed(0)
    flow = ot_cfm(3)
    flow.bijection.g = Best(3)
    found = budget(flow, lambda n: torch.randn(n, 3), independent, line, 200)
    exact = [6, 1.5 * math.pi, 6 - 1.5 * math.pi]
    for value, expected in zip(found, exact, strict=True):
        assert value == pytest.approx(expected, rel=0.02)


def test_training_moves_the_source_to_the_data() -> None:
    """To another Gaussian, in a few steps, and every point of the batch counts."""
    torch.manual_seed(0)
    flow, goal = ot_cfm(2, (16,)), torch.tensor([2.0, -1.0])
    learn(flow, lambda n: goal + 0.5 * torch.randn(n, 2), optimal, Tube(), 150, 32)
    x = flow.sample(2000)
    torch.testing.assert_close(x.mean(0), goal, atol=0.15, rtol=0)
    assert x.std(0).max() < 0.85
    assert isinstance(velocity(flow), TimeNetwork)
