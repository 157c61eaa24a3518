"""Facts of rectified flow (Liu, Gong and Liu, 2022): lines, pairs and their cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from implementations.core.matching import squared_misses
from implementations.core.odes import (
    Change,
    FixedSteps,
    Solver,
    TimeNetwork,
    VelocityField,
)
from implementations.core.toy import Mixture, eight_gaussians
from implementations.core.transport import squared_wasserstein
from implementations.rectified_flow import (
    MeanOfLines,
    OrderedPairs,
    QuarterTurn,
    along,
    budget,
    pairs_of,
    paths_of,
    rectified_flow,
    rectify,
    reflow,
    some,
)
from tests.support.perturb import noise

ACCURATE = FixedSteps(40)
BOX = (-5.0, 5.0, -5.0, 5.0)


def of_gaussians(means: Sequence[tuple[float, float]], sigma: float) -> MeanOfLines:
    """The best velocity from N(0, I) to Gaussians of one size, in float64."""
    sigmas = [sigma] * len(means)
    return MeanOfLines(Mixture(means, sigmas, math.nan, BOX)).double()


def to_eight() -> MeanOfLines:
    return MeanOfLines(eight_gaussians()).double()


class Shifting(VelocityField):
    """v = c, everywhere."""

    def __init__(self, c: float) -> None:
        super().__init__(2)
        self.c = c

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return torch.full_like(z, self.c)


def random_pairs(n: int) -> OrderedPairs:
    torch.manual_seed(0)
    return OrderedPairs(noise(n, 2), eight_gaussians().double().sample(n))


def in_order(x0: Tensor, solve: Solver = ACCURATE) -> OrderedPairs:
    return pairs_of(to_eight(), x0, solve)


def quarter(x: Tensor) -> Tensor:
    return torch.stack((-x[:, 1], x[:, 0]), 1)


# The best velocity


@pytest.mark.parametrize("at", [0.05, 0.5, 0.95])
def test_the_best_velocity_is_that_of_the_score(at: float) -> None:
    """E[X₀ | X_t] = -(1 - t) ∇log p_t, from which v = (x + (1 - t) ∇log p_t) / t."""
    v, t = to_eight(), torch.tensor(at).double()
    x = noise(50, 2).requires_grad_()
    sigmas = ((t * v.target.sigmas).square() + (1 - t).square()).sqrt()
    away = (x[:, None] - t * v.target.means) / sigmas[:, None]
    log_p = (-0.5 * away.square().sum(2) - 2 * sigmas.log()).logsumexp(1)
    (score,) = torch.autograd.grad(log_p.sum(), x)
    expected = (x + (1 - t) * score) / t
    torch.testing.assert_close(v(t, x), expected.detach(), atol=1e-9, rtol=1e-9)


def test_the_best_velocity_takes_a_time_for_each_row() -> None:
    v, x, t = to_eight(), noise(6, 2), torch.linspace(0, 1, 6).double()
    rows = torch.cat([v(time, row[None]) for time, row in zip(t, x, strict=True)])
    torch.testing.assert_close(v(t[:, None], x), rows)


def test_no_velocity_misses_less() -> None:
    """The slope of the loss there is 0, whatever the direction."""
    v, pairs = to_eight(), random_pairs(100_000)

    def slope(direction: nn.Module) -> float:
        def moved(t: Tensor, x: Tensor) -> Tensor:
            return direction(torch.cat((x, t), 1))

        torch.manual_seed(1)
        t = torch.rand_like(pairs.x0[:, :1])
        x = t * pairs.x1 + (1 - t) * pairs.x0
        with torch.no_grad():
            rows = ((v(t, x) - (pairs.x1 - pairs.x0)) * moved(t, x)).sum(1)
        return abs(rows.mean().item()) / (rows.std().item() / len(rows) ** 0.5)

    torch.manual_seed(2)
    directions = [nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))]
    directions.append(nn.Sequential(nn.Linear(3, 2)))
    assert all(slope(each.double()) < 4 for each in directions)


def test_one_euler_step_of_the_first_flow_ends_in_the_mean() -> None:
    v = of_gaussians([(1.0, 2.0), (4.0, 0.0)], 0.3)
    ends = pairs_of(v, noise(20, 2), FixedSteps(1, "euler")).x1
    expected = torch.tensor([2.5, 1.0]).double().expand(20, 2)
    torch.testing.assert_close(ends, expected, atol=1e-6, rtol=0)


# What the flow keeps, and what it spends


def test_the_budget_of_two_normals() -> None:
    """Of D = 2: cost 4 → 0, S = 4 - π and V = π."""
    v = of_gaussians([(0.0, 0.0)], 1.0)
    x = noise(40_000, 2)
    found = budget(v, OrderedPairs(x[:20_000], x[20_000:]), ACCURATE)
    # Of the points at hand; expectations are 4, 0, 4 - π and π.
    squares = x[:20_000].square().sum(1).mean().item()
    assert found.after < 1e-12
    assert found.bends == pytest.approx(squares / 2 * (4 - math.pi), rel=1e-5)
    assert found.before == pytest.approx(4, abs=0.1)
    assert found.crossings == pytest.approx(math.pi, abs=0.1)


def test_cost_before_is_cost_after_and_bends_and_crossings() -> None:
    found = budget(to_eight(), random_pairs(10_000), FixedSteps(16))
    assert sum(found[1:]) == pytest.approx(found.before, rel=0.03)
    assert min(found) > 0.5  # None of the four is small here.


def test_bends_are_what_the_velocity_differs_from_the_whole_way() -> None:
    """S by its definition, and as energy less cost."""
    v, x0 = to_eight(), noise(500, 2)
    paths = paths_of(v, x0, 201)
    whole = paths[-1] - paths[0]
    times = torch.linspace(0, 1, 201).double()
    squares = torch.stack(
        [
            (v(t, z) - whole).square().sum(1).mean()
            for t, z in zip(times, paths, strict=True)
        ]
    )
    by_definition = torch.trapezoid(squares, times).item()
    found = budget(v, OrderedPairs(x0, x0), ACCURATE)
    assert found.bends == pytest.approx(by_definition, rel=1e-3)


def test_on_a_line_the_flow_joins_quantile_to_quantile() -> None:
    """First coordinates of ½ N(-2, ½²) + ½ N(2, ½²); the second go their own way."""
    v = of_gaussians([(-2.0, 0.0), (2.0, 0.0)], 0.5)
    x0 = noise(400, 2)
    x1 = pairs_of(v, x0, FixedSteps(200)).x1
    normal = torch.distributions.Normal(0.0, 1.0)
    quantile = normal.cdf(x0[:, 0])
    reached = sum(normal.cdf((x1[:, 0] - m) / 0.5) / 2 for m in (-2, 2))
    torch.testing.assert_close(reached, quantile, atol=1e-5, rtol=0)
    # So no order costs less: the optimum on a line.
    least = squared_wasserstein(x0[:, :1], x1[:, :1])
    assert (x1 - x0)[:, 0].square().mean().item() == pytest.approx(least)


def test_every_convex_cost_falls() -> None:
    x0, x1 = random_pairs(1000)
    after = in_order(x0).x1
    for power in (1, 1.5, 2, 4):
        cost, before = ((end - x0).norm(dim=1).pow(power).mean() for end in (after, x1))
        assert cost < 0.6 * before


def test_the_flow_ends_in_the_data() -> None:
    """Its density is that of the data: only joined anew."""
    target = eight_gaussians().double()
    flow = along(to_eight(), rectified_flow(2).base.double(), FixedSteps(60))
    x = target.sample(200)
    torch.testing.assert_close(flow.log_prob(x), target.log_prob(x), atol=2e-3, rtol=0)


# Straight pairs


def test_a_shift_is_exact_in_one_step_and_costs_nothing_more() -> None:
    x0 = noise(100, 2)
    found = budget(Shifting(3.0), OrderedPairs(x0, x0 + 3), FixedSteps(1, "euler"))
    assert found.before == pytest.approx(18) == found.after
    assert abs(found.bends) < 1e-12 and found.crossings < 1e-12


def test_a_quarter_turn_is_straight_and_not_shortest() -> None:
    x0 = noise(500, 2)
    pairs = OrderedPairs(x0, quarter(x0))
    found = budget(QuarterTurn(), pairs, FixedSteps(60))
    assert abs(found.bends) < 1e-6 and found.crossings < 1e-20
    assert found.after == pytest.approx(found.before)
    other = noise(500, 2, seed=2)
    assert found.after > 20 * squared_wasserstein(pairs.x1, other)
    # Reflow gives the same pairs again.
    again = pairs_of(QuarterTurn(), x0, FixedSteps(60)).x1
    torch.testing.assert_close(again, pairs.x1, atol=1e-7, rtol=0)


def test_a_quarter_turn_moves_as_its_lines_do() -> None:
    x0, t = noise(50, 2), torch.linspace(0, 1, 50).double()[:, None]
    x1 = quarter(x0)
    velocity = QuarterTurn()(t, (1 - t) * x0 + t * x1)
    torch.testing.assert_close(velocity, x1 - x0)


def test_straight_paths_of_crossing_looks_never_meet_at_one_time() -> None:
    x0 = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    paths = paths_of(QuarterTurn(), x0, 41)
    assert (paths[:, 0] - paths[:, 1]).norm(dim=1).min() > 0.9
    # Yet one passes a place that the other passed before.
    assert torch.cdist(paths[:, 0], paths[:, 1]).min() < 0.03


# Public mistakes


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_euler_steps_along_straight_lines_are_exact(steps: int) -> None:
    """The released loop asks at times (1 - ε) i / N + ε, with full steps: it is off."""
    x0 = noise(50, 2)
    ends = pairs_of(QuarterTurn(), x0, FixedSteps(steps, "euler")).x1
    torch.testing.assert_close(ends, quarter(x0), atol=1e-6, rtol=0)

    def late(change: Change, state: Tensor, times: Tensor, *_: object) -> Tensor:
        for i in range(steps):
            t = (1 - 1e-3) * i / steps + 1e-3
            state = state + change(times.new_tensor(t), state) / steps
        return state[None]

    assert (pairs_of(QuarterTurn(), x0, late).x1 - ends).abs().max() > 5e-4


def test_pairs_are_kept_in_order() -> None:
    """Row by row, also when some are drawn: each end is where its start is carried."""
    pairs = in_order(noise(300, 2))
    torch.manual_seed(0)
    x0, x1 = some(pairs, 200)
    torch.testing.assert_close(in_order(x0).x1, x1, atol=1e-9, rtol=0)
    assert x0.unique(dim=0).shape[0] > 100
    assert torch.equal(pairs.x0, noise(300, 2))


def test_pairs_start_at_noise_and_end_in_data() -> None:
    """Exchanged ends, as public code has had them, would start on the circle."""
    x0, x1 = in_order(noise(300, 2))
    assert (x1.norm(dim=1) - 2).abs().max() < 0.9
    assert (x0.norm(dim=1) - 2).abs().max() > 1.5


def test_regression_leads_from_the_first_end_to_the_second() -> None:
    torch.manual_seed(0)
    x0 = torch.randn(64, 2)
    pairs = OrderedPairs(x0, x0 + 3)
    v = TimeNetwork(2, (8,))
    history = rectify(v, lambda: pairs, 150, lr=0.05)
    assert history.loss[0] > 15 and history.loss[-1] < 0.1
    torch.testing.assert_close(
        pairs_of(v, x0, FixedSteps(1, "euler")).x1, x0 + 3, atol=0.5, rtol=0
    )


def test_reflow_of_crossing_pairs_uncrosses_them() -> None:
    """Two points that exchange their sides: in the middle the mean velocity is 0."""
    torch.manual_seed(0)

    def draw(n: int = 256) -> OrderedPairs:
        side = 2.0 * torch.randint(2, (n, 1)) - 1
        x0, x1 = side + 0.1 * torch.randn(n, 1), -side + 0.1 * torch.randn(n, 1)
        return OrderedPairs(x0, x1)

    v = TimeNetwork(1, (32, 32), nn.SiLU)
    rectify(v, draw, 300, lr=1e-2)
    pairs = pairs_of(v, draw(500).x0, FixedSteps(20))
    kept = (pairs.x0.sign() == pairs.x1.sign()).float().mean()
    assert kept > 0.98
    second = reflow(v, pairs, 150)
    before, after = (budget(each, pairs, FixedSteps(20)) for each in (v, second))
    assert after.bends < 0.1 * before.bends
    assert after.crossings < 0.1


def test_reflow_leaves_the_flow_that_it_starts_from() -> None:
    torch.manual_seed(0)
    v = TimeNetwork(2, (8,))
    kept = [weight.clone() for weight in v.parameters()]
    second = reflow(v, OrderedPairs(torch.randn(20, 2), torch.randn(20, 2)), 3)
    assert all(torch.equal(*each) for each in zip(kept, v.parameters(), strict=True))
    moved = zip(kept, second.parameters(), strict=True)
    assert any(not torch.equal(*each) for each in moved)


def test_distilling_asks_at_time_0_only() -> None:
    seen: list[Tensor] = []

    class Watched(TimeNetwork):
        def forward(self, t: Tensor, z: Tensor) -> Tensor:
            seen.append(t)
            return super().forward(t, z)

    pairs = OrderedPairs(torch.randn(20, 2), torch.randn(20, 2))
    v = Watched(2, (8,))
    rectify(v, partial(some, pairs, 16), 2, last=0.0)
    assert seen and not any(t.any() for t in seen)


def test_time_runs_back_when_the_ends_are_exchanged() -> None:
    """From X₁ to X₀ the best velocity is -v(x, 1 - t): here of one Gaussian."""
    v = of_gaussians([(1.0, -1.0)], 0.5)
    x1 = torch.tensor([1.0, -1.0]).double() + 0.5 * noise(100_000, 2)
    x0 = noise(100_000, 2, seed=3)

    def back(t: Tensor, x: Tensor) -> Tensor:
        return -v(1 - t, x)

    torch.manual_seed(0)
    there = squared_misses(v, x0, x1).mean().item()
    torch.manual_seed(0)
    away = squared_misses(back, x1, x0).mean().item()
    assert away == pytest.approx(there, rel=0.02)


# The flow


@pytest.mark.parametrize("dim", [1, 4])
def test_dimensions_and_single_rows(dim: int) -> None:
    torch.manual_seed(0)
    flow = rectified_flow(dim, (8,))
    bijection = flow.bijection
    pairs = OrderedPairs(torch.randn(1, dim), torch.randn(1, dim))
    rectify(bijection.g, lambda: pairs, 2)  # pyright: ignore
    assert flow.sample(1).shape == (1, dim)
    assert flow.log_prob(pairs.x1).shape == (1,)


def test_the_source_may_be_data() -> None:
    """log p(x) = log source(f(x)) + log |det|, and samples start there."""
    source = eight_gaussians()
    flow = rectified_flow(2, (8,), source=source)
    # Until it is trained its velocity is 0, so it is its source.
    x = torch.randn(20, 2)
    torch.testing.assert_close(flow.log_prob(x), source.log_prob(x))
