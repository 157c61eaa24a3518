"""Facts of flow matching (Lipman et al., 2022): paths, their mean, two losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from implementations.core.matching import squared_misses
from implementations.core.odes import Adaptive, FixedSteps, TimeNetwork, solver_cost
from implementations.flow_matching import (
    Diffusion,
    GaussianPath,
    Mean,
    Schedule,
    Straight,
    flow_matching,
    matching_loss,
    rate,
    solved,
    work,
)
from tests.flows.fields import velocity_by_autograd
from tests.support.perturb import noise, perturbed


class Exploding(GaussianPath):
    """α = 1, σ = 5 (1 - t) + 0.01: a "variance exploding" path (eq. 16)."""

    def at(self, t: Tensor) -> Schedule:
        one = torch.ones_like(t)
        return Schedule(one, 5 * (1 - t) + 0.01, 0 * one, -5 * one)


PATHS: dict[str, GaussianPath] = {"straight": Straight(), "diffusion": Diffusion()}
ALL: dict[str, GaussianPath] = {
    **PATHS,
    "blurred": Straight(0.3),
    "exploding": Exploding(),
}
EACH = pytest.mark.parametrize("path", ALL.values(), ids=ALL)


def some_times(n: int = 6) -> Tensor:
    return torch.linspace(0.05, 0.95, n).double()[:, None]


def normal(x: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """N(x; mean, σ² I), of shape (batch,)."""
    d = x.shape[-1]
    log_p = -((x - mean) / sigma).square().sum(-1) / 2 - d * math.log(2 * math.pi) / 2
    return (log_p - d * sigma.log().squeeze(-1)).exp()


@EACH
def test_points_move_as_autograd_says(path: GaussianPath) -> None:
    """Eq. 15, and the time derivative of eq. 11, a time for each row."""
    t, x0, x1 = some_times(), noise(6, 3), noise(6, 3, seed=2)
    exact = velocity_by_autograd(path, t, x0, x1)
    point, velocity = path(t, x0, x1)
    torch.testing.assert_close(velocity, exact)
    torch.testing.assert_close(path.velocity(t, point, x1), exact)
    assert exact.std() > 0.1
    for row, time in enumerate(t[:, 0]):
        torch.testing.assert_close(rate(path, time, x0, x1)[row], exact[row])


def test_time_runs_from_noise_to_data() -> None:
    x0, x1 = noise(6, 3), noise(6, 3, seed=2)
    zero, one = torch.zeros(2, 6, 1).double() + torch.tensor([[[0.0]], [[1.0]]])
    straight, diffusion = Straight(), Diffusion()
    assert torch.equal(straight(zero, x0, x1).point, x0)
    torch.testing.assert_close(straight(one, x0, x1).point, x1 + 1e-4 * x0)
    start, end = (diffusion(t, x0, x1).point for t in (zero, one))
    torch.testing.assert_close(start, x0, atol=0.05, rtol=0)
    torch.testing.assert_close(end, x1, atol=0.01, rtol=0)


def test_a_diffusion_begins_only_nearly_at_noise() -> None:
    alpha, sigma, *_ = Diffusion().at(torch.tensor(0.0).double())
    assert alpha.item() == pytest.approx(math.exp(-5.025))
    assert alpha.square() + sigma.square() == pytest.approx(1)


def test_straight_paths_keep_their_speed() -> None:
    """And it is that of eq. 23: x₁ - (1 - σ_min) x₀."""
    t, x0, x1 = some_times(), noise(1, 3), noise(1, 3, seed=2)
    velocity = Straight(0.2)(t, x0, x1).velocity
    torch.testing.assert_close(velocity, (x1 - 0.8 * x0).expand(6, 3))


def test_without_shrinking_all_points_move_alike() -> None:
    """σ_min = 1: the velocity is x₁ wherever the point is."""
    x1 = noise(6, 2)
    torch.testing.assert_close(Straight(1.0).velocity(some_times(), 9 * x1, x1), x1)


def test_the_velocity_of_a_diffusion_is_eq_19() -> None:
    """And ½ T'(1 - t) (x + score): a plus, where eq. 43 with eq. 46 has a minus."""
    t, x, x1 = some_times(), noise(6, 2).requires_grad_(), noise(6, 2, seed=2)
    s = 1 - t
    total, beta = 0.1 * s + 19.9 * s.square() / 2, 0.1 + 19.9 * s
    decayed = (-total).exp() * x - (-total / 2).exp() * x1
    ours = Diffusion().velocity(t, x, x1)
    torch.testing.assert_close(ours, -beta / 2 * decayed / (1 - (-total).exp()))
    mean, sigma = (-total / 2).exp() * x1, (1 - (-total).exp()).sqrt()
    log_p = normal(x, mean, sigma).log().sum()
    (score,) = torch.autograd.grad(log_p, x)
    torch.testing.assert_close(ours, beta / 2 * (x + score))
    assert (ours - beta / 2 * (x - score)).abs().min() > 1e-3


def atoms() -> Tensor:
    return noise(5, 2, seed=3)


@EACH
@pytest.mark.parametrize("t", [0.1, 0.6, 0.9])
def test_the_mean_velocity_is_weighted_by_how_likely_each_path_is(
    path: GaussianPath, t: float
) -> None:
    """Eq. 8 for single data points: u = Σ_k u(x | k) p(x | k) / Σ_k p(x | k)."""
    time, x, points = torch.tensor(t).double(), noise(7, 2), atoms()
    alpha, sigma, *_ = path.at(time)
    p = torch.stack([normal(x, alpha * each, sigma) for each in points])
    u = torch.stack([path.velocity(time, x, each) for each in points])
    exact = (p[..., None] * u).sum(0) / p.sum(0)[:, None]
    mean = Mean(points, 0.0, path).double()
    torch.testing.assert_close(mean(time, x), exact)
    torch.testing.assert_close(mean(time.expand(7, 1), x), exact)


def test_wide_gaussians_are_many_points() -> None:
    """The formula for spread data is that of single ones, averaged over the spread."""
    centres, x, t = noise(3, 1, seed=3), noise(7, 1), torch.tensor(0.7).double()
    grid = torch.linspace(-6, 6, 241).double()
    points = (centres + 0.5 * grid).reshape(-1, 1)
    chance = (-grid.square() / 2).exp().repeat(3)
    path = Straight(0.3)
    alpha, sigma, *_ = path.at(t)
    p = chance * normal(x[:, None], alpha * points, sigma)
    u = path.velocity(t, x[:, None], points)[..., 0]
    exact = ((p * u).sum(1) / p.sum(1))[:, None]
    mean = Mean(centres, 0.5, path).double()
    torch.testing.assert_close(mean(t, x), exact)


def test_one_gaussian_has_a_linear_field_and_a_linear_flow() -> None:
    """u = m + (t s² - (1 - t)) (x - t m) / ((1 - t)² + t² s²); x ↦ m + s x."""
    m, s, path = noise(1, 2), 0.4, Straight(0.0)
    field, x = Mean(m, s, path).double(), noise(6, 2, seed=2)
    t = some_times()
    slope = (t * s**2 - (1 - t)) / ((1 - t).square() + t.square() * s**2)
    torch.testing.assert_close(field(t, x), m + slope * (x - t * m))
    flow = solved(field, FixedSteps(80)).double()
    there, log_det = flow.bijection.inverse(x)
    torch.testing.assert_close(there, m + s * x, atol=1e-6, rtol=0)
    exact = torch.full((6,), 2 * math.log(s)).double()
    torch.testing.assert_close(log_det, exact, atol=1e-6, rtol=0)
    log_p = normal(x, m, torch.tensor([s])).log()
    torch.testing.assert_close(flow.log_prob(x), log_p, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dim", [1, 3])
def test_all_noise_shrinks_to_one_point(dim: int) -> None:
    """To N(x₁, σ_min² I), where log |det| is D log σ_min for every noise."""
    x1, z, end = noise(1, dim), noise(8, dim, seed=2), 1e-4
    flow = solved(Mean(x1, 0.0, Straight(end)), Adaptive(1e-9)).double()
    x, log_det = flow.bijection.inverse(z)
    torch.testing.assert_close(x, x1 + end * z, atol=1e-7, rtol=0)
    exact = torch.full((8,), dim * math.log(end)).double()
    torch.testing.assert_close(log_det, exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_the_flow_along_the_mean_has_the_density_of_the_data(
    path: GaussianPath,
) -> None:
    """Theorem 1. A diffusion's start, which is no standard normal, costs it digits."""
    centres, spread, x = atoms(), 0.5, noise(40, 2)
    parts = [normal(x, each, torch.tensor([spread])) for each in centres]
    exact = torch.stack(parts).mean(0).log()
    flow = solved(Mean(centres, spread, path), FixedSteps(80)).double()
    with torch.no_grad():
        off = (flow.log_prob(x) - exact).abs().max().item()
    assert off < (1e-3 if isinstance(path, Straight) else 0.05)


def both_gradients(path: GaussianPath, t: float, wrong: float = 0.0) -> list[Tensor]:
    """∇L_CFM and ∇L_FM at one time on the line, both by quadrature over x."""
    field, points = perturbed(TimeNetwork(1, (8,))), noise(4, 1, seed=3)
    time, x = torch.tensor(t).double(), torch.linspace(-9, 9, 2001)[:, None].double()
    alpha, sigma, *_ = path.at(time)
    p = torch.stack([normal(x, alpha * each, sigma) for each in points])
    u = torch.stack([path.velocity(time, x, each)[:, 0] for each in points])
    mean = Mean(points, 0.0, path).double()(time, x)[:, 0] + wrong
    g = field(time, x)[:, 0]
    losses = (p * (g - u).square()).sum(), (p.sum(0) * (g - mean).square()).sum()
    weights = tuple(field.parameters())
    return [
        torch.cat(
            [
                each.flatten()
                for each in torch.autograd.grad(loss, weights, retain_graph=True)
            ]
        )
        for loss in losses
    ]


@EACH
def test_both_losses_have_the_same_gradient(path: GaussianPath) -> None:
    """Theorem 2, without chance."""
    for t in (0.2, 0.7):
        pairwise, of_mean = both_gradients(path, t)
        torch.testing.assert_close(pairwise, of_mean)
        assert of_mean.norm() > 1


def test_another_mean_has_another_gradient() -> None:
    pairwise, of_mean = both_gradients(Straight(), 0.5, wrong=0.01)
    assert (pairwise - of_mean).norm() > 1e-3 * of_mean.norm()


def test_the_floor_of_the_loss_is_the_variance_of_velocities() -> None:
    """For N(m, s² I): E ‖u - mean‖² = D ∫ s² / ((1 - t)² + t² s²) dt."""
    torch.manual_seed(0)
    s, n = 0.4, 200_000
    field = Mean(torch.zeros(1, 2), s, Straight(0.0)).double()
    x0, x1 = torch.randn(2, n, 2).double()
    misses = squared_misses(field, x0, s * x1, Straight(0.0))
    t = (torch.arange(10_000).double() + 0.5) / 10_000
    floor = 2 * (s**2 / ((1 - t).square() + (t * s).square())).mean().item()
    assert abs(misses.mean().item() - floor) < 4 * misses.std().item() / n**0.5
    shifted = squared_misses(
        lambda t, x: field(t, x) + 0.1, x0, s * x1, Straight(0.0)
    ).mean()
    assert shifted.item() > floor + 0.01


def test_the_network_is_asked_on_the_path() -> None:
    """Not at the data nor at the noise: with all data at 0, x_t is (1 - 0.5 t) x₀."""
    torch.manual_seed(0)
    seen: list[tuple[Tensor, Tensor]] = []

    def watched(t: Tensor, x: Tensor) -> Tensor:
        seen.append((t, x))
        return 0 * x

    matching_loss(watched, torch.zeros(20_000, 2), Straight(0.5))
    [(t, x)] = seen
    assert t.shape == (20_000, 1) and len(t.unique()) > 10_000
    assert (x / (1 - 0.5 * t)).std().item() == pytest.approx(1, abs=0.02)


def test_the_loss_adds_up_over_coordinates() -> None:
    """E ‖x₁ - x₀‖² = 2 D for two standard normals, whatever a mean would say."""
    torch.manual_seed(0)
    for dim in (1, 8):
        loss = matching_loss(
            lambda t, x: 0 * x, torch.randn(50_000, dim), Straight(0.0)
        )
        assert loss.item() == pytest.approx(2 * dim, rel=0.03)


def test_a_diffusion_is_never_asked_at_the_end() -> None:
    torch.manual_seed(0)
    t = torch.linspace(0, 1, 1001)[:, None]
    x0, x1 = torch.randn(2, 1001, 2)
    assert all(each.isfinite().all() for each in Diffusion()(t, x0, x1))
    field = Mean(torch.randn(3, 2), 0.0, Diffusion())
    assert field(torch.tensor(1.0), x0).isfinite().all()


def test_the_likelihood_has_a_gradient() -> None:
    """Through the trace too, against a difference: a detached trace has none."""
    flow = perturbed(flow_matching(2, (8,), FixedSteps(4)))
    x, h = noise(5, 2), 1e-6
    weight = next(flow.parameters())
    (exact,) = torch.autograd.grad(flow.log_prob(x).sum(), weight)
    values = []
    for step in (h, -h):
        with torch.no_grad():
            weight[0, 0] += step
            values.append(flow.log_prob(x).sum())
            weight[0, 0] -= step
    slope = (values[0] - values[1]) / (2 * h)
    torch.testing.assert_close(exact[0, 0], slope, atol=1e-6, rtol=1e-6)
    last = list(flow.parameters())[-2]
    (of_trace,) = torch.autograd.grad(flow.bijection(x)[1].sum(), last)
    assert of_trace.norm() > 0.01


def test_euler_steps_are_no_likelihood() -> None:
    """The density of few Euler steps is off by nats where 80 of order 4 are not."""
    centres, x = atoms(), noise(40, 2)
    field = Mean(centres, 0.3, Straight()).double()
    parts = [normal(x, each, torch.tensor([0.3])) for each in centres]
    exact = torch.stack(parts).mean(0).log()
    off = []
    for solve in (FixedSteps(8, "euler"), FixedSteps(80)):
        with torch.no_grad():
            log_p = solved(field, solve).double().log_prob(x)
        off.append((log_p - exact).abs().mean().item())
    assert off[0] > 0.1 and off[1] < 1e-3


def test_the_midpoint_rule_is_of_order_two() -> None:
    field, x0 = Mean(atoms(), 0.5, Straight()).double(), noise(50, 2)
    errors = [
        solver_cost(field, x0, FixedSteps(n, "midpoint"), FixedSteps(200)).error
        for n in (20, 40)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def test_the_builder_comes_back_and_starts_as_noise() -> None:
    for dim in (1, 3):
        flow, x = flow_matching(dim).double(), noise(6, dim)
        torch.testing.assert_close(flow.log_prob(x), flow.base.log_prob(x))
        flow = perturbed(flow)
        back = flow.bijection.inverse(flow.bijection(x)[0])[0]
        torch.testing.assert_close(back, x, atol=1e-4, rtol=0)


def test_work_counts_a_gradient() -> None:
    """One layer of 2 → 3, loss and gradient of its weights: twice its products."""
    layer, x = torch.nn.Linear(2, 3), torch.randn(1, 2)
    assert work(lambda: layer(x).sum()) == 2 * 6
