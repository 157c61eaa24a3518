"""Facts of OT-Flow (Onken et al., 2020): derivatives by hand, and costs of the way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.func import grad, jacrev, vmap

from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.nets import size
from implementations.core.odes import FixedSteps
from implementations.core.transport import travel
from implementations.neural_ode import Continuous
from implementations.ot_flow import (
    Derivatives,
    Potential,
    Slope,
    costs,
    gradient,
    hjb,
    laplacian,
    objective,
    ot_flow,
    passes,
    sigma,
    with_time,
)
from tests.support.perturb import noise, perturbed


def slope_of(flow: Flow) -> Slope:
    f = flow.bijection
    assert isinstance(f, Continuous) and isinstance(f.g, Slope)
    return f.g


class Cone(Slope):
    """Φ(t, z) = ‖z - y‖² / (2(t + c)): it solves the HJB equation, and leads to y."""

    def __init__(self, y: Tensor, c: float) -> None:
        super().__init__(Potential(len(y), 1), len(y))
        self.y, self.c = y, c

    def derivatives(self, t: Tensor, z: Tensor) -> Derivatives:
        away = z - self.y
        in_time = -away.square().sum(1) / (2 * (t + self.c) ** 2)
        trace = (len(self.y) / (t + self.c)).expand(len(z))
        return Derivatives(away / (t + self.c), in_time, trace)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return self.derivatives(t, z).velocity


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_derivatives_by_hand_are_those_of_autograd(depth: int, dim: int) -> None:
    phi, s = perturbed(Potential(dim, 8, depth, rank=3)), noise(6, dim + 1)
    at = passes(phi, s)
    of_row = grad(lambda row: phi(row[None])[0])
    slope, second = vmap(of_row)(s), vmap(jacrev(of_row))(s)
    bent = second.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(gradient(phi, s, at), slope, atol=1e-12, rtol=1e-12)
    trace = laplacian(phi, at)
    torch.testing.assert_close(trace, bent[:, :-1].sum(1), atol=1e-12, rtol=1e-12)
    # The trace of z and t together is another.
    assert bent[:, -1].abs().min() > 1e-4


def test_the_field_is_the_slope_and_turns_nothing() -> None:
    """∂v_i/∂z_j is symmetric, and its trace is the one by hand."""
    field, z, t = slope_of(perturbed(ot_flow(4, 8, 2))), noise(6, 4), noise(1)[0]
    j = vmap(jacrev(lambda row: field(t, row[None])[0]))(z)
    torch.testing.assert_close(j, j.mT, atol=1e-12, rtol=1e-12)
    assert (j - j[0]).abs().max() > 0.01
    velocity, trace = field.with_trace(t, z, ())
    torch.testing.assert_close(trace, j.diagonal(dim1=1, dim2=2).sum(1))
    torch.testing.assert_close(velocity, field(t, z))
    in_time = vmap(grad(lambda s: field.phi(s[None])[0]))(with_time(t, z))[:, -1]
    torch.testing.assert_close(field.derivatives(t, z).in_time, in_time)


def test_sigma_does_not_overflow() -> None:
    """Written as a logarithm of exponentials it would, from 90 on in float32."""
    a = torch.tensor([-1000.0, -1.0, 0.0, 2.0, 1000.0], requires_grad=True)
    exact = torch.tensor([1000.0, math.log(2 * math.cosh(1)), math.log(2), 2.0, 1000.0])
    exact[3] = math.log(2 * math.cosh(2))
    torch.testing.assert_close(sigma(a).detach(), exact)
    [slope] = torch.autograd.grad(sigma(a).sum(), a)
    torch.testing.assert_close(slope, a.detach().tanh())


def test_a_parabola_alone_gives_the_matrix_exponential() -> None:
    """Where w = 0, the field is linear in z and t, and log |det| is a constant."""
    flow = perturbed(ot_flow(3, 4, rank=2, solve=FixedSteps(64)))
    phi, x = slope_of(flow).phi, noise(5, 3)
    with torch.no_grad():
        phi.w.zero_()
    z, log_det = flow.bijection(x)
    # Of (z, t, 1), whose velocity is linear, from t = 1 to 0.
    square = phi.a.T @ phi.a
    linear = torch.zeros(5, 5).double()
    linear[:3, :4], linear[:3, 4], linear[3, 4] = square[:3], phi.b[:3], 1
    start = torch.cat((x, torch.ones(5, 2).double()), 1)
    exact = start @ torch.matrix_exp(-linear).T
    torch.testing.assert_close(z, exact[:, :3], atol=1e-6, rtol=0)
    trace = square[:3, :3].trace()
    torch.testing.assert_close(log_det, -trace.expand(5), atol=1e-10, rtol=0)


def test_a_solution_of_the_equation_moves_straight_at_one_speed() -> None:
    """Its residual is 0, and L is half the squared distance, unless a sign is wrong."""
    y, x, c = noise(3, seed=2), noise(6, 3), 0.5
    flow = Flow(StandardNormal((3,)), Continuous(Cone(y, c), FixedSteps(64)))
    flow, t = flow.double(), torch.tensor(0.3).double()
    assert hjb(slope_of(flow).derivatives(t, x)).abs().max() < 1e-12
    z, log_det = flow.bijection(x)
    torch.testing.assert_close(z, y + (x - y) * c / (1 + c), atol=1e-7, rtol=0)
    shrunk = torch.tensor(3 * math.log(c / (1 + c))).double()
    torch.testing.assert_close(log_det, shrunk.expand(6), atol=1e-6, rtol=0)
    found = costs(flow, x)
    assert found.hjb.abs().max() < 1e-12
    half = (z - x).square().sum(1) / 2
    torch.testing.assert_close(found.way, half, atol=1e-6, rtol=0)


def of_the_paper(phi: Potential, x: np.ndarray) -> np.ndarray:
    """z, ℓ, L and R of one point by eq. 2, 5 and 7, in the paper's time and signs."""
    dim = len(x)

    def of_papers_time(s: Tensor) -> Tensor:
        return phi(torch.cat((s[:-1], 1 - s[-1:]))[None])[0]

    def change(t: float, state: np.ndarray) -> np.ndarray:
        s = torch.from_numpy(np.append(state[:dim], t))
        slope = grad(of_papers_time)(s).detach().numpy()
        bent = jacrev(grad(of_papers_time))(s).detach().numpy()
        velocity = -slope[:dim]
        energy = velocity @ velocity / 2
        trace = -np.trace(bent[:dim, :dim])
        return np.array([*velocity, trace, energy, abs(slope[dim] - energy)])

    start = np.append(x, np.zeros(3))
    return solve_ivp(change, (0, 1), start, rtol=1e-6, atol=1e-8).y[:, -1]


def test_costs_are_those_of_the_papers_equations() -> None:
    """By scipy's solver, autograd, and a time that runs from data to noise.

    The paper's -∂ₜΦ + ½‖∇Φ‖² is what `hjb` is in the other time.
    """
    flow = perturbed(ot_flow(2, 4, solve=FixedSteps(200)))
    phi, x = slope_of(flow).phi, noise(2, 2)
    found = costs(flow, x)
    for row, nats, way, off in zip(x, *found, strict=True):
        z, (log_det, energy, residual) = np.split(of_the_paper(phi, row.numpy()), [2])
        exact = z @ z / 2 + LOG_2PI - log_det
        assert nats.item() == pytest.approx(exact, abs=1e-4)
        assert way.item() == pytest.approx(energy, rel=1e-4)
        # An absolute value has a kink, at which a solver is less exact.
        assert off.item() == pytest.approx(residual, rel=1e-2)


def test_costs_agree_with_the_likelihood_and_the_energy() -> None:
    """L is half of ∫‖v‖², and positive; C is -log p."""
    flow = perturbed(ot_flow(2, 8, solve=FixedSteps(32)))
    x = noise(20, 2)
    found = costs(flow, x)
    z = flow.bijection(x)[0]
    torch.testing.assert_close(found.nats, -flow.log_prob(x), atol=1e-12, rtol=0)
    back = travel(slope_of(flow), z, FixedSteps(32))
    torch.testing.assert_close(found.way, back.energy / 2, atol=1e-4, rtol=1e-4)
    # Jensen: no way takes less than the straight one at one speed.
    assert (found.way > (z - x).square().sum(1) / 2).all() and (found.hjb > 0).all()
    alone = objective(flow, x, 1e12)
    torch.testing.assert_close(alone, found.nats.mean())
    all_three = (5 * found.nats + found.way + 2 * found.hjb).mean() / 5
    torch.testing.assert_close(objective(flow, x, 5, 2), all_three)


def test_going_back_sums_start_at_zero() -> None:
    """Samples come with the density that `log_prob` gives them."""
    flow = perturbed(ot_flow(2, 8, solve=FixedSteps(64)))
    x, log_prob = flow.rsample_and_log_prob(20)
    torch.testing.assert_close(log_prob, flow.log_prob(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("alpha", [30.0, 0.5])
@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_the_weight_of_the_fit_says_how_far_a_gaussian_shrinks(
    alpha: float, spread: float
) -> None:
    """x ↦ ax is best for N(0, s²) where α (a s² - 1/a) = (1 - a) s²: not a = 1/s.

    The loss depends on the mean of x² alone, so two points stand for the Gaussian.
    """
    square = spread**2
    # The positive root of (α + 1) s² a² - s² a - α = 0.
    root = math.sqrt(square**2 + 4 * (alpha + 1) * square * alpha)
    a = (square + root) / (2 * (alpha + 1) * square)
    x = torch.tensor([[spread], [-spread]]).double()

    def loss(a: float) -> float:
        # c < -1 where points move away from y: never 0 between t = 0 and 1.
        field = Cone(torch.zeros(1).double(), a / (1 - a))
        flow = Flow(StandardNormal((1,)), Continuous(field, FixedSteps(32))).double()
        return objective(flow, x, alpha).item()

    assert loss(a) < min(loss(0.97 * a), loss(1.03 * a))
    assert abs(a - 1 / spread) < abs(1 - 1 / spread)


def test_errors_fall_with_the_fourth_power_of_the_steps() -> None:
    flow = perturbed(ot_flow(2, 8, solve=FixedSteps(160)))
    f, x = flow.bijection, noise(6, 2)
    assert isinstance(f, Continuous)
    exact, off = f(x)[0], []
    for steps in (20, 40):
        f.solve = FixedSteps(steps)
        off.append((f(x)[0] - exact).abs().max().item())
    assert off[0] / off[1] == pytest.approx(16, rel=0.4)


def test_parameters_are_the_papers_but_for_the_constant() -> None:
    """K and b of both layers, w, A and b: a constant would be one more."""
    assert size(ot_flow(2)) == 3 * 32 + 32 + 32 * 33 + 32 + 9 + 3
    assert size(ot_flow(20, 5)) == 21 * 5 + 5 + 5 * 6 + 5 + 10 * 21 + 21
    phi = slope_of(ot_flow(2)).phi
    assert (phi.w == 1).all() and not phi.b.any() and phi.a.any()


def test_layers_differ_from_the_start() -> None:
    """Copies of one layer would have the same gradients, and stay alike for long."""
    first, second = slope_of(ot_flow(2, 8, depth=2)).phi.layers
    assert not torch.equal(first.weight, second.weight)


def test_a_network_without_a_second_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a depth of at least 1, got 0"):
        ot_flow(2, depth=0)


def test_no_points_have_no_costs() -> None:
    assert [each.shape for each in costs(ot_flow(2), torch.zeros(0, 2))] == [(0,)] * 3
