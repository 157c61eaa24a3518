"""Facts of temporal flows (Rasul et al., 2020): time, feedback, scales and scores."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from implementations.core.flow import Flow, StandardNormal
from implementations.temporal import (
    ConditionalGaussian,
    Forecaster,
    SharedDemand,
    gaussian,
    learn,
    scaled_log_prob,
    scores,
    sizes,
    temporal,
)
from tests.support.perturb import noise, perturbed


def forecaster(dim: int = 3, features: int = 2) -> Forecaster:
    return perturbed(temporal(dim, features, 6, 4, 8))


def autoregression(phi: float = 0.9, dim: int = 2) -> Forecaster:
    """x_t = φ x_{t-1} + ε_t, as a forecaster whose weights are set by hand."""
    errors = ConditionalGaussian(dim, dim, 0, ())
    model = Forecaster(Flow(StandardNormal((dim,)), errors), 0).double()
    tiny, one = 1e-4, torch.eye(dim).double()
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        # The update gate is shut, so that h_t = tanh(tiny x_{t-1}).
        gates = dict(model.gru.named_parameters())
        gates["bias_ih_l0"][dim : 2 * dim] = -50.0
        gates["weight_ih_l0"][2 * dim :] = tiny * one
        linear = errors.m[0]
        assert isinstance(linear, nn.Linear)
        linear.weight[:dim] = phi / tiny * one
    return model


def no_features(*shape: int) -> Tensor:
    return torch.zeros(*shape, 0).double()


@pytest.mark.parametrize("step", range(6))
def test_a_step_sees_no_later_step(step: int) -> None:
    """With h_t of x_t, off by one, the terms before a change move, too."""
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 6, 2, seed=2)
    changed = x.clone()
    changed[:, step] += 1
    moved = (model.log_prob(changed, c) - model.log_prob(x, c)).abs()
    assert (moved[:, :step] == 0).all()
    assert (moved[:, step:] > 1e-6).all()
    # Its own values it may see in the flow, and not in the state.
    moved = (model.states(changed, c) - model.states(x, c)).abs().amax(2)
    assert (moved[:, : step + 1] == 0).all()
    assert (moved[:, step + 1 :] > 1e-6).all()


def test_a_step_may_see_its_own_hour() -> None:
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 6, 2, seed=2)
    changed = c.clone()
    changed[:, 3] += 1
    moved = (model.log_prob(x, changed) - model.log_prob(x, c)).abs()
    assert (moved[:, :3] == 0).all() and (moved[:, 3:] > 1e-6).all()


def test_step_by_step_is_all_at_once() -> None:
    """A state that is carried on gives the terms of the whole window."""
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 6, 2, seed=2)
    h, previous, terms = torch.zeros(1, 4, 6).double(), torch.zeros(4, 3).double(), []
    for x_t, c_t in zip(x.unbind(1), c.unbind(1), strict=True):
        h = model.gru(torch.cat((previous, c_t), 1)[:, None], h)[1]
        terms.append(model.emission.log_prob(x_t, h[0]))
        previous = x_t
    torch.testing.assert_close(torch.stack(terms, 1), model.log_prob(x, c))


def test_the_next_state_is_known_before_its_values() -> None:
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 7, 2, seed=2)
    longer = torch.cat((x, noise(4, 1, 3, seed=3)), 1)
    torch.testing.assert_close(model.states(x, c), model.states(longer, c))
    assert model.states(x[:, :0], c[:, :1]).shape == (4, 1, 6)


def test_a_flow_that_ignores_its_context_ignores_the_past() -> None:
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 6, 2, seed=2)
    with torch.no_grad():
        for layer in model.emission.modules():
            if isinstance(layer, nn.Linear) and layer.in_features > 6:
                layer.weight[:, -6:] = 0
    alone = model.log_prob(x[:, 3:], c[:, 3:])
    torch.testing.assert_close(model.log_prob(x, c)[:, 3:], alone)


def test_before_training_it_is_normal_noise() -> None:
    x = torch.randn(5, 4, 3)
    exact = StandardNormal((3,)).log_prob(x.flatten(0, 1)).view(5, 4)
    for model in (temporal(3), gaussian(3, 0, 2)):
        torch.testing.assert_close(model.log_prob(x, torch.zeros(5, 4, 0)), exact)


@pytest.mark.parametrize("model", [temporal(1, 1, 4, 2, 8), gaussian(1, 1, 0, 4, 8)])
def test_one_series_is_enough(model: Forecaster) -> None:
    """A public version divides by D - 1."""
    x, c = torch.randn(5, 4, 1), torch.randn(5, 6, 1)
    assert model.log_prob(x, c[:, :4]).isfinite().all()
    assert model.forecast(x, c, 3).shape == (5, 3, 2, 1)


def test_paths_have_noise_of_their_own_and_seeds_repeat_them() -> None:
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 8, 2, seed=2)
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        drawn.append(model.forecast(x, c, 5))
    assert torch.equal(*drawn)
    assert len(drawn[0].flatten().unique()) == 4 * 5 * 2 * 3


def test_paths_stay_with_their_window() -> None:
    """With windows repeated along the wrong axis, paths would start elsewhere."""
    past = torch.tensor([-1000.0, 0.0, 1000.0]).double()[:, None, None].expand(-1, 4, 2)
    drawn = autoregression().forecast(past, no_features(3, 6), 7)
    for window, level in zip(drawn, (-900.0, 0.0, 900.0), strict=True):
        assert (window[:, 0] - level).abs().max() < 10


def test_by_hand_the_density_is_that_of_the_autoregression() -> None:
    x = noise(5, 8, 2)
    previous = torch.cat((torch.zeros(5, 1, 2).double(), x[:, :-1]), 1)
    exact = StandardNormal((2,)).log_prob((x - 0.9 * previous).flatten(0, 1)).view(5, 8)
    found = autoregression().log_prob(x, no_features(5, 8))
    torch.testing.assert_close(found, exact, atol=1e-6, rtol=0)


def test_uncertainty_feeds_back() -> None:
    """var x_k = (1 - φ^2k) / (1 - φ²); with means fed back, it would stay at 1."""
    torch.manual_seed(0)
    past = torch.full((1, 3, 2), 2.0).double()
    drawn = autoregression().forecast(past, no_features(1, 3 + 8), 20_000)[0]
    k = torch.arange(1, 9).double()[:, None].expand(-1, 2)
    exact = (1 - 0.81**k) / 0.19
    torch.testing.assert_close(drawn.var(0), exact, rtol=0.06, atol=0)
    torch.testing.assert_close(drawn.mean(0), 2 * 0.9**k, rtol=0, atol=0.08)


@pytest.mark.parametrize("reach", [0, 1, 3])
def test_gaussian_errors_are_those_of_torch(reach: int) -> None:
    errors, x = perturbed(ConditionalGaussian(4, 3, reach, (8,))), noise(6, 4)
    h = noise(6, 3, seed=2)
    mean, s, a = errors._parts(h)
    exact = MultivariateNormal(mean, precision_matrix=a.mT @ a).log_prob(x)
    flow = Flow(StandardNormal((4,)).double(), errors)
    torch.testing.assert_close(flow.log_prob(x, h), exact)
    torch.testing.assert_close(a.diagonal(dim1=1, dim2=2), s.exp())
    below = a.tril(-1) != 0
    expected = [[0 < i - j <= reach for j in range(4)] for i in range(4)]
    assert torch.equal(below, torch.tensor(expected).expand(6, -1, -1))


@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_a_scale_shifts_the_log_density(factor: float) -> None:
    """By -D log k: a public version leaves it out, and shifts by nothing."""
    model, x, c = forecaster(), noise(4, 6, 3), noise(4, 6, 2, seed=2)
    scale, kept = sizes(x[:, :4]), factor * x
    before = kept.clone()
    found = scaled_log_prob(model, kept, c, factor * scale)
    exact = scaled_log_prob(model, x, c, scale) - 3 * math.log(factor)
    torch.testing.assert_close(found, exact)
    # That version divides in place, so that the caller's series changes.
    assert torch.equal(kept, before)


def test_scaled_densities_are_densities() -> None:
    """One series, next step: the integral is 1 whatever the scale, else it is ν."""
    model, grid = forecaster(1, 0), torch.linspace(-9, 9, 2001).double()
    for nu in (0.1, 1.0, 50.0):
        scale = torch.full((1, 1, 1), nu).double()
        x = torch.stack((torch.full_like(grid, 0.3), grid), 1)[..., None] * nu
        with torch.no_grad():
            log_p = scaled_log_prob(model, x, no_features(2001, 2), scale)[:, 1]
        assert torch.trapezoid(log_p.exp(), nu * grid).item() == pytest.approx(1, 0.01)


def test_sizes_are_above_zero_and_those_of_each_series() -> None:
    past = torch.tensor([[[1.0, 0.0], [-3.0, 0.0]]])
    found = sizes(past)
    assert found.shape == (1, 1, 2)
    assert found[0, 0, 0] == 2 and 0 < found[0, 0, 1] < 1e-3


def test_the_process_has_its_moments() -> None:
    """Mean m, and covariance LLᵀ + k² (1, -1, 0, 0)ᵀ (1, -1, 0, 0)."""
    torch.manual_seed(0)
    process, x = SharedDemand(), torch.tensor([0.5, -1.0, 0.8, 0.2]).double()
    c = torch.tensor([0.6, 0.8]).double()
    m, jump, root = process.parts(x, c)
    drawn = process.go_on(x.expand(40_000, -1), c.expand(40_000, 1, -1))[:, 0]
    torch.testing.assert_close(drawn.mean(0), m, atol=0.03, rtol=0)
    exact = root @ root.T + jump[:, None] * jump
    torch.testing.assert_close(drawn.T.cov(), exact, atol=0.03, rtol=0)
    assert jump[0] > 0 and jump[0] == -jump[1] and (jump[2:] == 0).all()


def test_the_process_has_the_density_that_it_says() -> None:
    """Against the mixture written out; and no other forecast of a step is better."""
    torch.manual_seed(0)
    process = SharedDemand()
    x, c = (each.double() for each in process.windows(300, 5))
    exact = process.log_prob(x, c)
    for t in range(5):
        before = x[:, t - 1] if t else torch.zeros_like(x[:, 0])
        m, jump, root = process.parts(before, c[:, t])
        parts = [
            MultivariateNormal(m + sign * jump, root @ root.T).log_prob(x[:, t]).exp()
            for sign in (-1, 1)
        ]
        torch.testing.assert_close(torch.stack(parts).mean(0).log(), exact[:, t])
        one = root @ root.T + jump[:, :, None] * jump[:, None]
        assert MultivariateNormal(m, one).log_prob(x[:, t]).mean() < exact[:, t].mean()


def test_hours_run_on() -> None:
    x, c = SharedDemand().windows(50, 30)
    assert x.shape == (50, 30, 4) and c.shape == (50, 30, 2)
    torch.testing.assert_close(c[:, 24:], c[:, :6], atol=1e-5, rtol=0)
    torch.testing.assert_close(c.square().sum(2), torch.ones(50, 30))
    turned = c[:, 1:, 0] * c[:, :-1, 1] - c[:, 1:, 1] * c[:, :-1, 0]
    expected = torch.full_like(turned, math.sin(2 * math.pi / 24))
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)


def test_each_score_is_blind_to_something() -> None:
    y, draws = noise(20, 3, 4), noise(20, 30, 3, 4, seed=2)
    best = scores(y, draws)
    shuffled, opposed = draws.clone(), draws.clone()
    shuffled[..., 0] = draws[..., 0].roll(1, 1)
    errors = 3 * noise(20, 30, 3, seed=3)
    opposed[..., 0] += errors
    opposed[..., 1] -= errors
    spoilt = [scores(y, each) for each in (shuffled, opposed)]
    assert spoilt[0]["CRPS"] == pytest.approx(best["CRPS"], rel=1e-12)
    assert spoilt[1]["CRPS-sum"] == pytest.approx(best["CRPS-sum"], rel=1e-12)
    assert abs(spoilt[0]["CRPS-sum"] - best["CRPS-sum"]) > 1e-4
    for name in ("CRPS", "energy score"):
        assert spoilt[1][name] > 1.1 * best[name]


def test_the_sum_of_scores_is_no_score_of_the_sum() -> None:
    """Of a point: |Σ (x - y)| against Σ |x - y| / D, for errors of opposite signs."""
    y = torch.zeros(1, 1, 4).double()
    point = torch.tensor([1.0, -1.0, 2.0, 0.0]).double().expand(1, 5, 1, 4)
    found = scores(y, point)
    assert found["CRPS"] == pytest.approx(1)
    assert found["CRPS-sum"] == pytest.approx(2)
    assert found["energy score"] == pytest.approx(math.sqrt(6))


def test_a_linear_process_is_learned() -> None:
    """VAR(1): the gap goes to 0, and one step's covariance to that of the errors."""
    torch.manual_seed(0)
    root = torch.tensor([[0.5, 0.0], [-0.4, 0.3]])
    turn = torch.tensor([[0.7, 0.3], [-0.3, 0.7]])
    e = torch.randn(12, 600, 2) @ root.T
    steps = [e[0]]
    for each in e[1:]:
        steps.append(steps[-1] @ turn.T + each)
    x = torch.stack(steps, 1)
    model, c = gaussian(2, 0, 1, 8, 16), x.new_zeros(600, 12, 0)
    exact = MultivariateNormal(torch.zeros(2), scale_tril=root).log_prob(e).mean()
    before = (exact - model.log_prob(x, c).mean()).item()
    learn(model, x, c, 300)
    with torch.no_grad():
        gap = (exact - model.log_prob(x, c).mean()).item()
    assert before > 0.4 and gap < 0.06
    drawn = model.forecast(x[:, :6], c[:, :7], 50)[:, :, 0]
    away = (drawn - x[:, 5:6] @ turn.T).flatten(0, 1)
    torch.testing.assert_close(away.T.cov(), root @ root.T, atol=0.04, rtol=0)
