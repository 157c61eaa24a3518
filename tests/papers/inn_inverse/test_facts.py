"""Facts of INNs (Ardizzone et al., 2018): parts, losses, a posterior that is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from implementations import inn_inverse as module
from implementations.core.bijection import Bijection, Mapped
from implementations.core.calibration import central_levels
from implementations.core.flow import StandardNormal
from implementations.inn_inverse import (
    HAND_MEAN,
    HAND_SPREAD,
    LINKS,
    NOISE,
    PADDING,
    SPREAD,
    WEIGHTS,
    Effects,
    InverseProblem,
    ask,
    conditional,
    conditional_flow,
    discrepancies,
    examples,
    inn_inverse,
    joint,
    joints,
    kernel,
    learn,
    loss_x,
    loss_y,
    loss_z,
    measure,
    miscalibrated,
    misses,
    nearest,
    standardised,
)
from tests.support.perturb import noise, perturbed


class Rotation(Bijection):
    """z = Qx of an orthogonal Q: its first rows are y, the others z."""

    q: Tensor

    def __init__(self, q: Tensor) -> None:
        super().__init__((len(q),))
        self.register_buffer("q", q)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x @ self.q.T, x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z @ self.q, z.new_zeros(len(z))


def orthogonal(dim: int) -> Tensor:
    return torch.linalg.qr(noise(dim, dim)).Q


SIZES = [
    (4, 2, 2, 0),
    (4, 2, 3, 0),
    (2, 3, 0, 0),
    (3, 1, 2, 3),
    (3, 0, 3, 0),
    (2, 2, 0, 0),
]


@pytest.mark.parametrize(("x_dim", "y_dim", "z_dim", "extra"), SIZES)
def test_parts_have_their_widths(
    x_dim: int, y_dim: int, z_dim: int, extra: int
) -> None:
    inn = perturbed(inn_inverse(x_dim, y_dim, z_dim, 2, (8,), extra))
    found = inn(noise(5, x_dim))
    padding = max(x_dim, y_dim + z_dim) + extra - y_dim - z_dim
    assert [part.shape[1] for part in found] == [y_dim, padding, z_dim]
    x, padding = inn.inverse(found.y, found.z)
    assert x.shape == (5, x_dim)
    assert padding.shape[1] == max(0, y_dim + z_dim - x_dim) + extra
    assert inn.sample(5, found.y).shape == (5, x_dim)


def test_z_is_as_wide_as_what_y_leaves() -> None:
    assert inn_inverse(5, 2).effects == [2, 0, 3]
    assert inn_inverse(2, 3).effects == [3, 0, 0]
    assert inn_inverse(2, 3).causes == [2, 1]


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_lead_back(seed: int) -> None:
    """With (z, y) on the way back, as users of the authors' code had it, it fails."""
    inn = perturbed(inn_inverse(4, 2, None, 3, (8, 8)), seed)
    x, y, z = noise(20, 4), noise(20, 2, seed=2), noise(20, 2, seed=3)
    found = inn(x)
    torch.testing.assert_close(inn.inverse(found.y, found.z)[0], x)
    again = inn(inn.inverse(y, z)[0])
    torch.testing.assert_close((again.y, again.z), (y, z))
    assert (found.y - x[:, :2]).abs().max() > 0.1


def test_parts_stand_in_their_order() -> None:
    """Untrained, one block is the identity of (x, padding) and (y, padding, z)."""
    inn = inn_inverse(3, 1, 2, 1, (8,), 2).double()
    x, y, z = noise(500, 3), noise(500, 1, seed=2), noise(500, 2, seed=3)
    found = inn(x)
    torch.testing.assert_close(found.y, x[:, :1])
    torch.testing.assert_close(found.padding, x[:, 1:])
    assert found.z.std().item() == pytest.approx(PADDING, rel=0.1)
    drawn, padding = inn.inverse(y, z)
    torch.testing.assert_close(drawn[:, :1], y)
    torch.testing.assert_close(padding, z)
    assert drawn[:, 1:].std().item() == pytest.approx(PADDING, rel=0.1)


def test_what_pads_is_drawn_anew() -> None:
    """Without noise, information hides there."""
    inn, x = inn_inverse(2, 2, 0, 1, (8,), 2), torch.zeros(4, 2)
    first, second = inn(x).padding, inn(x).padding
    assert not torch.equal(first, second)
    assert len(first.unique()) == 8


def test_what_hides_in_the_padding_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """y = x₁ in both, so that L_y is 0; one also puts x₂ where noise should be."""
    monkeypatch.setattr(module, "WEIGHTS", (10.0, 0.0, 0.0))
    torch.manual_seed(0)
    x, costs = noise(500, 2), []
    for order in ([0, 1, 2], [0, 2, 1]):
        inn = InverseProblem(Rotation(torch.eye(3).double()[order]), 2, 1, 1)
        costs.append(discrepancies(inn, x, x[:, :1]).item())
    # On the way back, a z of variance 1 ends in the padding of x, too.
    assert 17 < costs[0] < 23
    assert costs[1] < 0.1


def test_refuses_parts_of_other_widths() -> None:
    inn = inn_inverse(4, 2)
    with pytest.raises(ValueError, match="got"):
        inn(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="got"):
        inn.inverse(torch.zeros(3, 2), torch.zeros(3, 1))


def test_no_gradient_of_z_goes_to_the_fit_of_y() -> None:
    """Else the discrepancy pulls at f_y, against L_y."""
    y, z = noise(50, 2).requires_grad_(), noise(50, 2, seed=2).requires_grad_()
    loss_z(Effects(y, torch.empty(50, 0), z), noise(50, 2, seed=3)).backward()
    assert y.grad is None
    assert z.grad is not None and z.grad.abs().max() > 0


def test_the_kernel_is_that_of_its_formula_and_reaches_far() -> None:
    squares = torch.tensor([0.0, 1.0, 100.0]).double().requires_grad_()
    values = kernel(squares)
    exact = [sum(1 / (1 + s / h**2) for h in (0.2, 0.7, 2.0)) for s in (0, 1, 100)]
    torch.testing.assert_close(values.tolist(), exact)
    values.sum().backward()
    assert squares.grad is not None
    # A Gaussian of width 2 has a slope of exp(-12.5) there, 10 away.
    assert squares.grad[2].abs() > 10 * math.exp(-100 / 8) / 8


@pytest.mark.thorough
def test_a_linear_problem_has_a_known_answer() -> None:
    """x ~ N(0, I), y = Ax: f(x) = (Ax, Bx), and the posterior is N(Aᵀy, BᵀB)."""
    torch.manual_seed(0)
    q, n = orthogonal(4), 2500
    inn = InverseProblem(Rotation(q), 4, 2, 2)
    x = torch.randn(n, 4).double()
    y = x @ q[:2].T
    found = inn(x)
    assert loss_y(found, y) < 1e-20
    assert abs(loss_z(found, y)) < 0.003
    assert abs(loss_x(inn.draw(y)[0], x)) < 0.003
    at = torch.tensor([[1.0, -2.0]]).double()
    draws = inn.sample(n, at.expand(n, 2))
    torch.testing.assert_close(draws.mean(0), (at @ q[:2])[0], atol=0.1, rtol=0)
    torch.testing.assert_close(draws.T.cov(), q[2:].T @ q[2:], atol=0.1, rtol=0)
    many = inn.sample(100 * n, y.repeat_interleave(100, 0)).unflatten(0, (n, 100))
    exact = miscalibrated(central_levels(x, many))
    assert exact.max() < 3 / n**0.5


def test_a_z_that_knows_y_is_found_by_pairs_alone() -> None:
    """(z + y)/√2 is standard normal, L_y stays 0, and L_z rises."""
    torch.manual_seed(0)
    turned = torch.eye(4).double()
    turned[2:] = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1]]).double() / 2**0.5
    x = torch.randn(1500, 4).double()
    whole = x @ turned.T
    found = Effects(whole[:, :2], whole[:, :0], whole[:, 2:])
    assert loss_y(found, x[:, :2]) == 0
    assert abs(loss_x(found.z, torch.randn_like(found.z))) < 0.004
    assert loss_z(found, x[:, :2]) > 0.01


def test_an_arm_has_links_of_its_lengths_and_turns_by_its_angles() -> None:
    x = noise(50, 4)
    places = joints(x)
    assert (places[:, 0].real == 0).all()
    torch.testing.assert_close(places[:, 0].imag, SPREAD[0] * x[:, 0])
    links = places.diff(dim=1)
    torch.testing.assert_close(links.abs(), torch.tensor([LINKS] * 50).double())
    turns = (links[:, 1:] / links[:, :-1]).angle()
    torch.testing.assert_close(turns, (x * torch.tensor(SPREAD))[:, 2:])


def test_the_hand_is_where_the_formula_says() -> None:
    x1, x2, x3, x4 = (x := noise(50, 4) * torch.tensor(SPREAD)).T
    a, b, c = x2, x2 + x3, x2 + x3 + x4
    across = 0.5 * a.cos() + 0.5 * b.cos() + c.cos()
    along = x1 + 0.5 * a.sin() + 0.5 * b.sin() + c.sin()
    exact = standardised(torch.stack((across, along), 1))
    torch.testing.assert_close(measure(x / torch.tensor(SPREAD)), exact)


def test_turned_upside_down_an_arm_measures_upside_down() -> None:
    x = noise(50, 4)
    torch.testing.assert_close(measure(-x), measure(x) * torch.tensor([1.0, -1.0]))
    straight = standardised(torch.tensor([[2.0, 0.0]]))
    torch.testing.assert_close(measure(torch.zeros(1, 4)), straight)


def test_hands_are_standardised() -> None:
    torch.manual_seed(0)
    hands = torch.view_as_real(joints(torch.randn(200_000, 4))[:, 3])
    assert hands.mean(0).tolist() == pytest.approx(HAND_MEAN, abs=0.01)
    assert hands.std(0).tolist() == pytest.approx(HAND_SPREAD, abs=0.01)


def test_misses_are_distances_on_the_page() -> None:
    x = noise(20, 4)
    moved = torch.tensor([0.3, -0.4]).double()
    hands = torch.view_as_real(joints(x)[:, 3])
    torch.testing.assert_close(
        misses(x, standardised(hands + moved)), torch.full((20,), 0.5).double()
    )


def test_the_nearest_arms_reach() -> None:
    torch.manual_seed(0)
    y = standardised(torch.tensor([[1.5, 0.0]]))
    assert misses(nearest(y, 40), y).max() < 0.1


def test_the_calibration_error_is_that_of_its_shares() -> None:
    """Levels of 0 are held by all intervals, those of 1 by none."""
    exact = torch.linspace(0, 1, 1001)[:, None].expand(-1, 4)
    for levels, error in ((0 * exact, 0.5), (0 * exact + 1, 0.5), (exact, 0.0)):
        found = miscalibrated(levels)
        torch.testing.assert_close(
            found, torch.full((4,), error).double(), atol=2e-3, rtol=0
        )


def test_the_prior_is_calibrated_and_misses() -> None:
    torch.manual_seed(0)
    missed, held = ask(conditional_flow())
    assert missed.shape == (60_000,)
    assert miscalibrated(held).max() < 0.06
    assert missed.median() > 0.8


def test_untrained_the_conditional_flow_is_the_prior() -> None:
    flow, x = conditional_flow().double(), noise(20, 4)
    exact = StandardNormal((4,)).double().log_prob(x)
    torch.testing.assert_close(flow.log_prob(x, noise(20, 2)), exact)


def test_the_weights_are_those_of_the_losses() -> None:
    inn = perturbed(inn_inverse(4, 2, None, 2, (8,)))
    x, y = noise(30, 4), noise(30, 2, seed=2)
    torch.manual_seed(0)
    drawn, _ = inn.draw(y)
    parts = loss_y(inn(x), y), loss_z(inn(x), y), loss_x(drawn, x)
    total = sum(w * part for w, part in zip(WEIGHTS, parts, strict=True))
    torch.manual_seed(0)
    torch.testing.assert_close(discrepancies(inn, x, y), total)


def test_the_density_of_the_network_is_that_of_its_formula() -> None:
    """Here f is a rotation, so that all is Gaussian."""
    q, sigma = orthogonal(4), NOISE
    inn = InverseProblem(Rotation(q), 4, 2, 2)
    x, y = noise(50, 4), noise(50, 2, seed=2)
    y_given_x = Normal(x @ q[:2].T, sigma).log_prob(y).sum(1)
    z = Normal(0.0, 1.0).log_prob(x @ q[2:].T).sum(1)
    constant = 2 * math.log(2 * math.pi) + 2 * math.log(sigma)
    exact = -(y_given_x + z).mean() - constant
    torch.testing.assert_close(joint(inn, x, y), exact)


def test_the_density_of_the_network_counts_volumes() -> None:
    inn, x, y = perturbed(inn_inverse(4, 2, None, 2, (8,))), noise(20, 4), noise(20, 2)
    found, log_det = inn(x), inn.f(x)[1]
    squares = found.z.square().sum(1) + ((found.y - y) / NOISE).square().sum(1)
    torch.testing.assert_close(joint(inn, x, y), (squares / 2 - log_det).mean())
    assert log_det.std() > 0.1


@pytest.mark.parametrize("objective", [discrepancies, joint])
def test_the_network_learns(objective: Callable[..., Tensor]) -> None:
    torch.manual_seed(0)
    inn, (x, y) = inn_inverse(4, 2, None, 2, (16,)), examples(300)
    before = objective(inn, x, y).item()
    learn(inn, objective, 60)
    assert objective(inn, x, y).item() < 0.7 * before


def test_the_flow_learns_from_y_with_noise() -> None:
    torch.manual_seed(0)
    flow, (x, y) = conditional_flow(), examples(300)
    before = conditional(flow, x, y).item()
    learn(flow, conditional, 40)
    assert conditional(flow, x, y).item() < before - 0.3
    assert conditional(flow, x, y) != conditional(flow, x, y)
