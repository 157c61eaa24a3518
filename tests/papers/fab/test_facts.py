"""Facts of FAB (Midgley et al., 2022): bridges, weights, the buffer and many wells."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from implementations.core.flow import Flow, StandardNormal
from implementations.core.weights import effective_share, log_normaliser
from implementations.fab import (
    PEAKS,
    Drawn,
    ManyWell,
    Replay,
    anneal,
    bootstrap,
    bridge,
    fab,
    score,
)
from implementations.nice import Scaling
from tests.support.perturb import noise


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def gaussian(s: float) -> Flow:
    """q = N(0, e^(-2s)), of precision e^(2s)."""
    scaling = Scaling(1)
    scaling.s.data.fill_(s)
    return Flow(StandardNormal((1,)), scaling).double()


def bell(mean: float, sigma: float) -> Callable[[Tensor], Tensor]:
    """log N(mean, σ²), less a constant of 3."""
    law = torch.distributions.Normal(
        torch.tensor(mean).double(), torch.tensor(sigma).double()
    )
    return lambda x: law.log_prob(x).sum(1) - 3


def exact_integral(
    flow: Flow, log_p: Callable[[Tensor], Tensor], alpha: float
) -> float:
    x = torch.linspace(-12, 12, 24_001).double()[:, None]
    log_g = bridge(flow.log_prob(x), log_p(x), 1.0, alpha)
    return log_g.logsumexp(0).item() + math.log(1e-3)


# The bridge


def test_the_bridge_of_two_passes_the_target_half_way() -> None:
    log_q, log_p = noise(2, 9)
    torch.testing.assert_close(bridge(log_q, log_p, 0.0), log_q)
    torch.testing.assert_close(bridge(log_q, log_p, 0.5), log_p)
    torch.testing.assert_close(bridge(log_q, log_p, 1.0), 2 * log_p - log_q)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_the_bridge_is_a_straight_line_to_g(alpha: float) -> None:
    log_q, log_p = noise(2, 9)
    log_g = alpha * log_p + (1 - alpha) * log_q
    for beta in (0.0, 0.3, 1.0):
        expected = (1 - beta) * log_q + beta * log_g
        torch.testing.assert_close(bridge(log_q, log_p, beta, alpha), expected)


def slope(of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(of(x).sum(), x)[0]


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 3.0])
def test_the_slope_with_a_fixed_two_is_that_of_two_alone(alpha: float) -> None:
    """fab-torch: (1 - αβ) ∇log q + 2β ∇log p, whatever α is; fab-jax has αβ."""
    q, p, x, beta = gaussian(0.3), bell(1.0, 0.7), noise(20, 1), 0.4
    ours = slope(lambda x: bridge(q.log_prob(x), p(x), beta, alpha), x)
    of_q, of_p = slope(q.log_prob, x), slope(p, x)
    theirs = (1 - beta + beta * (1 - alpha)) * of_q + 2 * beta * of_p
    torch.testing.assert_close(ours, (1 - alpha * beta) * of_q + alpha * beta * of_p)
    assert torch.allclose(ours, theirs) == (alpha == 2)


def taken(alpha: float, factor: float) -> float:
    """Mean odds to take three leapfrogs from π_β, with `factor` β ∇log p as a slope."""
    q, p, beta, size = gaussian(0.0), bell(0.5, 0.4), 0.5, 0.3
    precision = 1 - alpha * beta + alpha * beta / 0.16
    mean = alpha * beta / 0.16 * 0.5 / precision
    x = mean + precision**-0.5 * noise(4000, 1, seed=1)
    m = noise(4000, 1, seed=2)

    def energy(x: Tensor, m: Tensor) -> Tensor:
        return m.square().sum(1) / 2 - bridge(q.log_prob(x), p(x), beta, alpha)

    def force(x: Tensor) -> Tensor:
        weight = 1 - alpha * beta
        return weight * slope(q.log_prob, x) + factor * beta * slope(p, x)

    with torch.no_grad():
        before = energy(x, m)
        for _ in range(3):
            with torch.enable_grad():
                m = m + size / 2 * force(x)
                x = x + size * m
                m = m + size / 2 * force(x)
        return (before - energy(x, m)).exp().clamp(max=1).mean().item()


def test_a_fixed_two_costs_steps() -> None:
    for alpha in (1.0, 3.0):
        assert taken(alpha, alpha) > taken(alpha, 2.0) + 0.05


# Weights


@pytest.mark.parametrize("sizes", [(), (0.4,), (0.4, 0.4, 0.4)])
@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0])
def test_the_mean_weight_is_the_integral_of_g(
    alpha: float, sizes: tuple[float, ...]
) -> None:
    q, p = gaussian(-0.2), bell(0.8, 0.7)
    drawn = anneal(q, p, 100_000, sizes, alpha)
    estimate = log_normaliser(drawn.log_w)
    exact = exact_integral(q, p, alpha)
    assert estimate.value == pytest.approx(exact, abs=4 * estimate.error + 1e-3)


def test_for_gaussians_the_integral_has_a_formula() -> None:
    """∫ p²/q of N(0, 1) and N(0, 1/t), which is 1 / √(t (2 - t)); 6 is for p̃."""
    s = -0.3
    t = math.exp(2 * s)
    formula = -math.log(t * (2 - t)) / 2 - 6
    found = exact_integral(gaussian(s), bell(0.0, 1.0), 2.0)
    assert found == pytest.approx(formula, abs=1e-6)


def test_steps_make_weights_more_equal() -> None:
    q, p = gaussian(-0.7), bell(1.5, 0.4)
    shares = [
        effective_share(anneal(q, p, 20_000, (0.3,) * m).log_w) for m in (0, 2, 8)
    ]
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
def test_of_the_target_itself_all_weights_are_equal(alpha: float) -> None:
    drawn = anneal(gaussian(0.0), bell(0.0, 1.0), 1000, (0.5, 0.5), alpha)
    expected = torch.full((1000,), -3 * alpha).double()
    torch.testing.assert_close(drawn.log_w, expected)


def test_points_come_with_their_density_and_no_gradients() -> None:
    flow = gaussian(0.2)
    drawn = anneal(flow, bell(0.0, 1.0), 100, (0.3, 0.3))
    torch.testing.assert_close(drawn.log_q, flow.log_prob(drawn.x).detach())
    assert not any(each.requires_grad for each in drawn[:3])
    assert len(drawn.accepted) == 2 and drawn.log_w.dtype == torch.float64


def test_how_often_the_target_is_asked() -> None:
    """11 times for M = 2: so 410 batches of 128 cost what 564 of 1024 do."""
    asked, p = 0, bell(0.0, 1.0)

    def counted(x: Tensor) -> Tensor:
        nonlocal asked
        asked += x.shape[0]
        return p(x)

    anneal(gaussian(0.2), counted, 10, (0.3, 0.3))
    assert asked == 110
    assert 410 * 128 * 11 == pytest.approx(564 * 1024, rel=0.01)


# The buffer


def filled(log_w: Tensor) -> Replay:
    replay = Replay(10_000)
    n = log_w.shape[0]
    replay.add(
        Drawn(torch.arange(n).double()[:, None], log_w, torch.zeros(n).double(), [])
    )
    return replay


def test_the_oldest_make_room_and_bad_weights_stay_out() -> None:
    replay = Replay(5)
    for start in (0, 4):
        x = torch.arange(start, start + 4.0)[:, None]
        log_w = torch.tensor([0.0, -math.inf, math.nan, 1.0])
        replay.add(Drawn(x, log_w, x[:, 0], []))
    assert replay.x.flatten().tolist() == [0, 3, 4, 7]
    replay.add(Drawn(torch.full((3, 1), 9.0), torch.zeros(3), torch.zeros(3), []))
    assert replay.x.flatten().tolist() == [4, 7, 9, 9, 9]
    assert replay.log_w.shape == replay.log_q.shape == (5,)


def test_places_are_drawn_by_weight_and_once() -> None:
    w = torch.tensor([0.05, 0.15, 0.3, 0.5]).double()
    replay = filled(w.log() + 700)
    first = torch.stack([replay.draw(2) for _ in range(4000)])
    assert (first[:, 0] != first[:, 1]).all()
    counts = torch.bincount(first[:, 0], minlength=4)
    assert stats.chisquare(counts, 4000 * w / w.sum()).pvalue > 1e-3
    assert replay.draw(9).sort().values.tolist() == [0, 1, 2, 3]


def test_a_correction_makes_weights_of_the_new_flow() -> None:
    """Whose mean is then ∫ p²/q for the new q."""
    old, new, p = gaussian(-0.3), gaussian(-0.1), bell(0.5, 0.8)
    replay = Replay(50_000)
    replay.add(anneal(old, p, 50_000, (0.3, 0.3)))
    replay.loss(new, 50_000)
    mean = log_normaliser(replay.log_w).value
    assert mean == pytest.approx(exact_integral(new, p, 2.0), abs=0.02)
    torch.testing.assert_close(replay.log_q, new.log_prob(replay.x).detach())
    again = replay.log_w.clone()
    replay.loss(new, 50_000)
    torch.testing.assert_close(replay.log_w, again)


def of_loss(replay: Replay, flow: Flow, n: int = 2000) -> float:
    """Derivative of the loss with respect to s."""
    s = next(flow.parameters())
    return torch.autograd.grad(replay.loss(flow, n), s)[0].item()


@pytest.mark.parametrize("s", [-0.3, -0.1, 0.0])
def test_the_gradient_is_that_of_the_integral(s: float) -> None:
    """Also for a flow that has changed since: ∇ ∫ p²/q, over ∫ p²/q of the old q.

    With t = e^(2s), it is (t / (2 - t) - 1) √(t₀ (2 - t₀) / (t (2 - t))).
    """
    t, old = math.exp(2 * s), math.exp(-0.6)
    replay, found = Replay(200_000), []
    for _ in range(8):
        replay.add(anneal(gaussian(-0.3), bell(0.0, 1.0), 200_000, (0.5, 0.5)))
        found.append(of_loss(replay, gaussian(s), 4000))
    exact = (t / (2 - t) - 1) * math.sqrt(old * (2 - old) / (t * (2 - t)))
    assert sum(found) / 8 == pytest.approx(exact, abs=0.03)


def test_for_one_there_is_nothing_to_correct() -> None:
    replay = Replay(100, alpha=1.0)
    replay.add(anneal(gaussian(-0.3), bell(0.0, 1.0), 100, (0.5,), 1.0))
    before, flow = replay.log_w.clone(), gaussian(0.4)
    loss = replay.loss(flow, 100)
    torch.testing.assert_close(replay.log_w, before)
    torch.testing.assert_close(loss, -flow.log_prob(replay.x).mean())


def test_no_gradient_flows_through_the_correction() -> None:
    replay = filled(torch.zeros(50).double())
    replay.x /= 25
    flow = gaussian(0.1)
    s, x = next(flow.parameters()), replay.x.clone()
    log_q = flow.log_prob(x)
    c = (-log_q).detach().exp().clamp(max=10)
    (expected,) = torch.autograd.grad(-(c * log_q).mean(), s)
    assert of_loss(replay, flow, 50) == pytest.approx(expected.item())
    assert not replay.log_w.requires_grad and not replay.log_q.requires_grad


def test_a_correction_is_cut_in_the_loss_alone() -> None:
    replay = filled(torch.zeros(1).double())
    replay.log_q += 50
    flow = gaussian(0.0)
    loss, log_q = replay.loss(flow, 1), flow.log_prob(replay.x).item()
    assert loss.item() == pytest.approx(-10 * log_q)
    assert replay.log_w.item() == pytest.approx(50 - log_q)


# Many wells


def well(x: float) -> float:
    return math.exp(-(x**4) + 6 * x**2 + x / 2)


def test_constants_of_a_well_are_those_of_quadrature() -> None:
    """11784.50927 is the constant in the authors' code."""
    z = integrate.quad(well, -4, 4)[0]
    right = integrate.quad(well, 0, 4)[0] / z
    assert z == pytest.approx(11784.50927, abs=1e-4)
    assert right == pytest.approx(0.84431, abs=1e-5)
    target = ManyWell(6)
    assert target.log_z == pytest.approx(3 * (math.log(z) + math.log(2 * math.pi) / 2))
    expected = [right**k * (1 - right) ** (3 - k) for k in (0, 1, 1, 2, 1, 2, 2, 3)]
    assert target.shares.tolist() == pytest.approx(expected, rel=1e-3)
    assert math.log(target.shares.max()) == pytest.approx(-0.508, abs=1e-3)


def test_modes_are_where_the_slope_is_zero() -> None:
    for peak in PEAKS:
        assert abs(-4 * peak**3 + 12 * peak + 0.5) < 0.03
    assert ManyWell(4).centres.shape == (4, 2)


def test_samples_follow_the_density() -> None:
    target = ManyWell(4)
    x = target.sample(20_000)
    line = torch.linspace(-4, 4, 8001).double()
    p = (-(line**4) + 6 * line.square() + line / 2).exp()
    cdf = (p.cumsum(0) / p.sum()).numpy()
    for k in (0, 2):
        found = stats.kstest(
            x[:, k].double().numpy(),
            lambda a: torch.from_numpy(
                cdf[((torch.from_numpy(a) + 4) * 1000).round().long()]
            ).numpy(),
        )
        assert found.pvalue > 1e-3
        assert stats.kstest(x[:, k + 1].numpy(), "norm").pvalue > 1e-3


def test_the_density_integrates_to_one() -> None:
    line = torch.linspace(-6, 6, 1201)
    x = torch.cartesian_prod(line, line)
    total = ManyWell(2).log_prob(x).double().exp().sum() * 1e-4
    assert total.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dim", [0, 3])
def test_pairs_are_needed(dim: int) -> None:
    with pytest.raises(ValueError, match=f"even dimension, got {dim}"):
        ManyWell(dim)


def test_exact_samples_hold_all_modes_and_one_well_holds_one() -> None:
    target = ManyWell(6)
    x = target.sample(50_000)
    assert target.held(x).all()
    deepest = x[(x[:, ::2] > 0).all(1)]
    assert target.held(deepest).tolist() == [False] * 7 + [True]
    assert not target.held(torch.randn(50_000, 6) * 30).any()


# What the effective sample size hides


def test_numbers_of_the_first_figure() -> None:
    left = 1 - 0.84431
    assert left == pytest.approx(0.16, abs=0.005)
    shares = torch.tensor([left**2 / 0.001, (1 - left) ** 2 / 0.999])
    assert 1 / shares.sum().item() == pytest.approx(0.04, abs=0.001)
    assert (shares[0] / shares.sum()).item() == pytest.approx(0.97, abs=0.005)
    assert 0.999**200 > 0.8


class OneWell(Flow):
    """Stands for a flow that has learned the deepest mode, and nothing else."""

    def __init__(self) -> None:
        super().__init__(StandardNormal((2,)), Scaling(2))
        self.target = ManyWell(2)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        log_q = self.target.log_prob(x) - math.log(0.84431)
        return torch.where(x[:, 0] > 0, log_q, log_q - 100)

    def rsample_and_log_prob(
        self, n: int, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        x = self.target.sample(2 * n)
        x = x[x[:, 0] > 0][:n]
        return x, self.log_prob(x)


def test_a_perfect_share_hides_a_lost_mode_and_samples_tell() -> None:
    scores = score(OneWell(), ManyWell(2), 5000)
    assert scores["share"] == pytest.approx(1)
    assert scores["modes"] == 1 and scores["smallest"] == 0
    assert scores["log Z"] == pytest.approx(math.log(0.84431), abs=1e-3)
    assert scores["by samples"] < 1e-30
    expected = math.log(0.84431) + (1 - 0.84431) * 100
    assert scores["forward KL"] == pytest.approx(expected, rel=0.1)


# The training


@pytest.mark.thorough
def test_a_flow_learns_both_wells() -> None:
    target, flow = ManyWell(2), fab(2, 4, (32, 32))
    sizes = (0.3, 0.3)
    replay = bootstrap(flow, target.log_density, 60, sizes, batch=64, lr=5e-3)
    assert replay.x.shape == (3200, 2) and sizes == (0.3, 0.3)
    scores = score(flow, target, 5000)
    assert scores["modes"] == 2
    assert abs(scores["log Z"]) < 0.1 and scores["forward KL"] < 0.5


def test_a_new_flow_is_a_standard_normal() -> None:
    flow, x = fab(6, 3, (8, 8)).double(), noise(20, 6)
    torch.testing.assert_close(flow.log_prob(x), flow.base.log_prob(x))
