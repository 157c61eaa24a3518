"""Facts of noise regularisation (Rothfuss et al., 2019): noise, lines, and the flow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from torch import Tensor, nn

from implementations import noise_reg as paper
from implementations.noise_reg import (
    Conditioned,
    Econ,
    Fork,
    Remedy,
    draw_sets,
    learn,
    noise_reg,
    noisy,
    ridge,
    rule_of_thumb,
    spread,
)
from tests.support.perturb import noise, perturbed


def points(n: int = 40) -> tuple[Tensor, Tensor]:
    """x of standard deviation 3, and y around a line, in float64."""
    x = 3 * noise(n, 1)
    return x, 0.5 * x - 1 + noise(n, 1, seed=2)


def hermite(h: float, order: int = 40) -> tuple[Tensor, Tensor]:
    """Nodes hξ and weights of the mean over ξ ~ N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    return torch.from_numpy(h * nodes), torch.from_numpy(weights / weights.sum())


def test_no_noise_changes_no_bit() -> None:
    x, _ = points()
    assert torch.equal(noisy(x, 0.0), x)


def test_noise_is_fresh_at_each_call_and_row() -> None:
    """The authors' current code draws it once: other points, not a smooth density."""
    x, _ = points()
    first, second = noisy(x, 0.2) - x, noisy(x, 0.2) - x
    assert len(torch.cat((first, second)).unique()) == 80


@pytest.mark.parametrize("unit", [0.001, 1.0, 1000.0])
def test_noise_is_in_standard_deviations_of_each_column(unit: float) -> None:
    torch.manual_seed(0)
    data = noise(20_000, 2) * torch.tensor([unit, 5.0])
    added = noisy(data, 0.3) - data
    torch.testing.assert_close(
        added.std(0) / data.std(0), torch.tensor([0.3, 0.3]).double(), rtol=0.03, atol=0
    )
    assert abs(added.T.corrcoef()[0, 1]) < 0.03


def test_sets_side_by_side_have_noise_of_their_own_size() -> None:
    torch.manual_seed(0)
    data = torch.stack((noise(5000, 1), 10 * noise(5000, 1)))
    h = torch.tensor([0.1, 0.4])[:, None, None]
    sizes = (noisy(data, h) - data).std(1).flatten()
    torch.testing.assert_close(
        sizes, torch.tensor([0.1, 4.0]).double(), rtol=0.05, atol=0
    )


def test_where_all_are_equal_the_unit_is_one() -> None:
    assert spread(torch.full((5, 2), 7.0)).tolist() == [[1.0, 1.0]]
    assert spread(torch.tensor([[3.0]])).item() == 1


def test_the_rule_of_thumb_counts_both_dimensions() -> None:
    """The authors' current code counts those of x alone."""
    assert rule_of_thumb(100, 2) == pytest.approx(0.46416, abs=1e-5)
    assert rule_of_thumb(100, 1) < 0.4
    assert rule_of_thumb(6400, 2, c=2.0) == pytest.approx(rule_of_thumb(100, 2))


def expected_loss(line: Tensor, x: Tensor, y: Tensor, h_x: float, h_y: float) -> Tensor:
    """Mean of -log N(y; a x + b, s²) under noise, by quadrature, of a, b, log s."""
    a, b, log_s = line
    (u, u_weights), (v, v_weights) = hermite(h_x, 5), hermite(h_y, 5)
    moved_x, moved_y = x + u, y + v
    miss = moved_y[:, None, :] - a * moved_x[:, :, None] - b
    losses = (miss * (-log_s).exp()).square() / 2 + log_s + math.log(2 * math.pi) / 2
    return (losses * u_weights[:, None] * v_weights).sum((1, 2)).mean()


@pytest.mark.parametrize(("h_x", "h_y"), [(0.0, 0.0), (1.5, 0.0), (0.0, 0.7), (2, 1)])
def test_the_ridge_line_is_the_best(h_x: float, h_y: float) -> None:
    x, y = points()
    found = ridge(x, y, h_x, h_y)
    best = torch.tensor([found.a, found.b, math.log(found.variance) / 2]).double()
    best.requires_grad_()
    loss = expected_loss(best, x, y, h_x, h_y)
    (gradient,) = torch.autograd.grad(loss, best)
    assert gradient.abs().max() < 1e-6
    for k in range(3):
        step = torch.eye(3).double()[k] * 0.05
        for moved in (best + step, best - step):
            assert expected_loss(moved, x, y, h_x, h_y) > loss


def test_noise_of_h_flattens_by_one_plus_its_square() -> None:
    x, y = points()
    plain, noised = ridge(x, y), ridge(x, y, 0.5 * spread(x).item(), 0.0)
    assert plain.a / noised.a == pytest.approx(1.25)
    design = torch.cat((x, torch.ones_like(x)), 1)
    a, b = torch.linalg.lstsq(design, y).solution.flatten().tolist()
    assert (plain.a, plain.b) == (pytest.approx(a), pytest.approx(b))


def test_noise_on_y_widens_only() -> None:
    x, y = points()
    plain, noised = ridge(x, y), ridge(x, y, 0.0, 0.7)
    assert (noised.a, noised.b) == (plain.a, plain.b)
    assert noised.variance - plain.variance == pytest.approx(0.49)


def test_a_line_loses_exactly_what_the_formula_says() -> None:
    x, y = points()
    line = torch.tensor([0.4, -1.0, 0.2]).double()
    excess = expected_loss(line, x, y, 1.3, 0.6) - expected_loss(line, x, y, 0, 0)
    closed = (0.6**2 + 0.4**2 * 1.3**2) / (2 * math.exp(0.4))
    assert excess.item() == pytest.approx(closed)


def second_order_error(h: float) -> float:
    """E l(z + hξ) - l(z) - h²/2 Σ ∂²l/∂z², at one point of Econ."""

    def loss(z: Tensor) -> Tensor:
        return -Econ().log_prob(z[..., 1:], z[..., :1])

    z = torch.tensor([1.0, 2.5]).double()
    moves, weights = hermite(h)
    moved = z + torch.cartesian_prod(moves, moves)
    mean = (loss(moved) * torch.outer(weights, weights).flatten()).sum()
    second = torch.autograd.functional.hessian(loss, z)
    assert isinstance(second, Tensor)
    return (mean - loss(z) - h**2 / 2 * second.trace()).item()


def test_elsewhere_what_is_left_falls_as_the_fourth_power() -> None:
    ratio = second_order_error(0.02) / second_order_error(0.01)
    assert ratio == pytest.approx(16, rel=0.05)


def test_the_objective_is_the_cross_entropy_of_a_kernel_estimate() -> None:
    """By SciPy's estimate, whose bandwidth is in standard deviations of the data."""
    z = noise(6, 2, seed=4).numpy()
    white = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    kernels, h = gaussian_kde(white.T, bw_method=0.4), 0.4
    np.testing.assert_allclose(kernels.covariance, h**2 * np.eye(2), atol=1e-12)
    x, y = torch.from_numpy(white).split(1, 1)
    flow = perturbed(noise_reg(1, 1, 2, (4, 4)))
    moves, weights = hermite(h, 24)
    u, v = torch.cartesian_prod(moves, moves).split(1, 1)
    both = torch.outer(weights, weights).flatten()
    with torch.no_grad():
        ours = sum(
            (flow.log_prob(y_i + v, x_i + u) * both).sum().item()
            for x_i, y_i in zip(x, y, strict=True)
        ) / len(x)
        line = torch.linspace(-7, 7, 281).double()
        grid = torch.cartesian_prod(line, line)
        log_f = flow.log_prob(grid[:, 1:], grid[:, :1])
    density = torch.from_numpy(kernels(grid.T.numpy()))
    theirs = (density * log_f).sum().item() * (14 / 280) ** 2
    assert ours == pytest.approx(theirs, abs=2e-3)


def test_densities_are_in_the_units_of_y() -> None:
    """Without Σ log σ, fits to data in other units could not be compared."""
    first, second = (perturbed(noise_reg(2, 1, 3, (8, 8))) for _ in range(2))
    x, y = noise(50, 1), noise(50, 2, seed=2)
    units = torch.tensor([1000.0, 0.1]).double()
    first.initialise(y, x)
    second.initialise(units * y + 5, 30 * x - 2)
    torch.testing.assert_close(
        second.log_prob(units * y + 5, 30 * x - 2),
        first.log_prob(y, x) - units.log().sum(),
    )


def test_densities_integrate_to_one() -> None:
    flow = perturbed(noise_reg(1, 1, 3, (8, 8)))
    x, y = points()
    flow.initialise(1000 * y, x)
    grid = torch.linspace(-60_000, 60_000, 40_001).double()[:, None]
    with torch.no_grad():
        total = flow.log_prob(grid, torch.full_like(grid, 0.3)).exp().sum() * 3
    assert total.item() == pytest.approx(1, abs=1e-3)


def test_the_first_batch_sets_the_units_and_no_other() -> None:
    flow, (x, y) = noise_reg(1, 1).double(), points()
    flow.initialise(y, x)
    flow.initialise(9 * y, 9 * x)
    assert isinstance(flow.bijection, Conditioned)
    expected = torch.cat((y, x), 1)
    torch.testing.assert_close(flow.bijection.mean, expected.mean(0))
    torch.testing.assert_close(flow.bijection.std, expected.std(0, correction=0))


def test_evaluation_adds_no_noise() -> None:
    flow, (x, y) = perturbed(noise_reg(1, 1)), points()
    values = [flow.train(mode).log_prob(y, x) for mode in (True, False, True)]
    assert torch.equal(values[0], values[1]) and torch.equal(values[0], values[2])


def test_z_rises_with_y_for_all_weights() -> None:
    for seed in range(5):
        flow = perturbed(noise_reg(1, 2, 10, (8, 8)), seed)
        y = torch.linspace(-5, 5, 500).double()[:, None]
        z, _ = flow.bijection(y, noise(1, 2).expand(500, -1))
        assert (z.diff(dim=0) > 0).all()


def test_x_matters() -> None:
    flow, (x, y) = perturbed(noise_reg(1, 1)), points()
    assert (flow.log_prob(y, x) - flow.log_prob(y, x.flip(0))).abs().max() > 0.1


@pytest.mark.parametrize("truth", [Econ(), Fork()])
def test_truths_are_densities_of_what_they_draw(truth: Econ | Fork) -> None:
    torch.manual_seed(0)
    x, y = truth.sample(3, 20_000)
    assert x.shape == y.shape == (3, 20_000, 1)
    grid = torch.linspace(-30, 40, 70_001)[:, None]
    for at in (0.0, 0.7):
        given = torch.full_like(grid, at)
        p = truth.log_prob(grid, given).double().exp()[:, None]
        assert (p.sum() / 1000).item() == pytest.approx(1, abs=1e-4)
        near = (x - at).abs() < 0.03
        second = (p * grid.square()).sum() / 1000
        found = y[near].square().mean()
        assert found.item() == pytest.approx(second.item(), rel=0.15)


def test_sets_come_one_truth_after_another() -> None:
    torch.manual_seed(0)
    x, y, log_p = draw_sets((Econ(), Fork()), 4, 50)
    assert x.shape == y.shape == (8, 50, 1) and log_p.shape == (8, 50)
    assert (x[:4] >= 0).all() and (x[4:].abs() <= 1).all() and (x[4:] < 0).any()
    torch.testing.assert_close(log_p[4:], Fork().log_prob(y[4:], x[4:]))


class Caught:
    """Takes the place of `fit`: keeps what it was called with, and trains nothing."""

    draw: Callable[[], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    model: nn.Module

    def __call__(
        self, model: nn.Module, loss: Any, steps: int, draw: Any, **_: Any
    ) -> None:
        self.model, self.loss, self.draw = model, loss, draw


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Caught:
    instead = Caught()
    monkeypatch.setattr(paper, "fit", instead)
    return instead


def test_flows_side_by_side_are_those_alone(
    caught: Caught, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, build = [], noise_reg
    monkeypatch.setattr(
        paper, "noise_reg", lambda *args: built.append(build(*args)) or built[-1]
    )
    torch.manual_seed(0)
    x, y, _ = draw_sets((Econ(), Fork()), 1, 30)
    log_q = learn(x, y, [Remedy(), Remedy(0.3), Remedy(0.1)], 1)(y, x)
    assert log_q.shape == (3, 2, 30) and len(built) == 6
    for k, flow in enumerate(built):
        alone = flow.log_prob(y[k % 2], x[k % 2])
        torch.testing.assert_close(log_q[k // 2, k % 2], alone, rtol=1e-4, atol=1e-4)


def test_each_copy_gets_its_own_remedy(caught: Caught) -> None:
    torch.manual_seed(0)
    x, y, _ = draw_sets((Econ(), Fork()), 1, 2000)
    learn(x, y, [Remedy(), Remedy(0.2), Remedy(0.4, fresh=False)], 1)
    first, second = (
        torch.stack(caught.draw()).unflatten(1, (3, 2)) - torch.stack((y, x))[:, None]
        for _ in range(2)
    )
    assert (first[:, 0] == 0).all() and (second[:, 0] == 0).all()
    assert not torch.equal(first[:, 1], second[:, 1])
    assert torch.equal(first[:, 2], second[:, 2])
    for k, h in ((1, 0.2), (2, 0.4)):
        sizes = first[:, k].std(2).squeeze(-1) / torch.stack((y, x)).std(2).squeeze(-1)
        torch.testing.assert_close(sizes, torch.full_like(sizes, h), rtol=0.06, atol=0)


def test_weights_decay_before_each_step(caught: Caught) -> None:
    torch.manual_seed(0)
    x, y, _ = draw_sets((Fork(),), 1, 10)
    learn(x, y, [Remedy(), Remedy(decay=3.0)], 1, rate=0.1)
    before = [w.detach().clone() for w in caught.model.parameters()]
    caught.draw()
    for now, old in zip(caught.model.parameters(), before, strict=True):
        assert torch.equal(now[0], old[0])
        torch.testing.assert_close(now[1], 0.7 * old[1])


def test_the_loss_has_a_part_for_each_copy(caught: Caught) -> None:
    torch.manual_seed(0)
    x, y, _ = draw_sets((Fork(),), 2, 10)
    log_q = learn(x, y, [Remedy(), Remedy()], 1)(y, x)
    loss = caught.loss(y.repeat(2, 1, 1), x.repeat(2, 1, 1))
    torch.testing.assert_close(loss.detach(), -log_q.mean(2).sum())


def test_one_point_has_a_finite_density_with_noise() -> None:
    """Without, the likelihood has no bound, and training climbs on."""
    torch.manual_seed(0)
    x, y = torch.tensor([[[0.5]]]), torch.tensor([[[2.0]]])
    log_q = learn(x, y, [Remedy(), Remedy(0.5)], 150, rate=5e-2)(y, x).flatten()
    assert log_q[0] > 2
    # That of N(0, 0.5²) at its centre is -0.23.
    assert log_q[1] < 1
