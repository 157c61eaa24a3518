"""Facts of sum-of-squares polynomial flows (Jaini, Selby and Yu, 2019)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import zuko
from torch import Tensor

from implementations.core.bijection import Mapped
from implementations.core.fit import fit
from implementations.core.flow import Flow
from implementations.sos import (
    LEAST,
    SumOfSquares,
    climb,
    far_out,
    four_spots,
    learn,
    nodes_and_weights,
    sos,
    spread_out,
    stack,
    sum_of_squares,
    without_bound,
)
from tests.support.perturb import noise, perturbed


def climbed(x: Tensor, a: Tensor) -> Mapped:
    """∫₀ˣ s(u) du and s(x)."""
    return climb(x, a, nodes_and_weights(a.shape[-1]))


def expanded(x: Tensor, a: Tensor) -> Tensor:
    """∫₀ˣ Σ_κ (Σ_l a_κl uˡ)² du by NumPy's algebra, for x (n,), a (n, k, r + 1)."""
    values = []
    for at, rows in zip(x.tolist(), a.numpy(), strict=True):
        slope = sum(
            (np.polynomial.Polynomial(row) ** 2 for row in rows),
            start=np.polynomial.Polynomial([0.0]),
        )
        values.append(slope.integ()(at))
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("r", [0, 1, 2, 4])
@pytest.mark.parametrize("k", [1, 3])
def test_the_nodes_integrate_exactly(k: int, r: int) -> None:
    """One node fewer, and every value is too small."""
    x, a = 2 * noise(50), noise(50, k, r + 1, seed=2)
    value, slope = climbed(x, a)
    torch.testing.assert_close(value, expanded(x, a) + LEAST * x)
    torch.testing.assert_close(slope, LEAST + sum_of_squares(x, a))


def test_the_nodes_have_the_precision_of_x() -> None:
    """Nodes kept in float32 would spoil the slope of a flow in float64."""
    g = SumOfSquares(3, 4).float().double()
    x, params = noise(200).requires_grad_(), noise(200, g.n_params, seed=2)
    z, log_slope = g(x, params)
    (slope,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(log_slope, slope.log(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("bound", [0.5, 4.0, math.inf])
def test_the_log_slope_is_that_of_autograd(bound: float) -> None:
    g = SumOfSquares(3, 2, bound).double()
    x, params = (2 * noise(500)).requires_grad_(), noise(500, g.n_params, seed=2)
    z, log_slope = g(x, params)
    (slope,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(log_slope, slope.log())


def test_the_degree_is_two_r_plus_one() -> None:
    """A difference of one order more is 0; that of this order is not."""
    for r in (0, 1, 2, 3):
        x = torch.arange(2 * r + 3).double() / 4
        a = noise(1, 2, r + 1).expand(len(x), -1, -1)
        value, _ = climbed(x, a)
        assert value.diff(n=2 * r + 2).abs().max() < 1e-10
        assert value.diff(n=2 * r + 1).abs().min() > 1e-5


def test_degree_0_is_a_line_whose_slope_is_the_sum_of_squares() -> None:
    """It is a², not a: so sign and size are not those of an affine layer's scale."""
    g = SumOfSquares(2, 0).double()
    params = torch.tensor([0.7, -1.5, -0.25]).double()
    a = g.start[:, 0] + 10 * (params[1:] / 10).asinh()
    x = torch.linspace(-3.9, 3.9, 50).double()
    z, log_slope = g(x, params.expand(50, -1))
    slope = a.square().sum() + LEAST
    torch.testing.assert_close(z, 0.7 + slope * x)
    torch.testing.assert_close(log_slope, slope.log().expand(50))


def test_one_constant_is_the_identity() -> None:
    x = noise(50)
    a = torch.zeros(50, 3, 4).double()
    a[:, 1, 0] = (1 - LEAST) ** 0.5
    value, slope = climbed(x, a)
    torch.testing.assert_close(value, x)
    torch.testing.assert_close(slope, torch.ones_like(x))


def test_it_starts_near_the_identity() -> None:
    for k, r in ((1, 4), (2, 2), (3, 2), (5, 4)):
        g = SumOfSquares(k, r).double()
        x = torch.linspace(-1, 1, 101).double()
        z, _ = g(x, torch.zeros(101, g.n_params).double())
        assert (z - x).abs().max() < 0.25


def test_c_shifts_and_no_more() -> None:
    g = SumOfSquares().double()
    x, params = 3 * noise(100), noise(100, g.n_params, seed=2)
    z, log_slope = g(x, params)
    params[:, 0] += 5
    moved, same = g(x, params)
    torch.testing.assert_close(moved, z + 5)
    assert torch.equal(same, log_slope)


@pytest.mark.parametrize("bound", [1.0, 4.0, math.inf])
def test_it_rises_for_all_coefficients(bound: float) -> None:
    x = torch.linspace(-6, 6, 2001).double()
    for seed in range(10):
        g = SumOfSquares(2, 3, bound).double()
        z, _ = g(x, 3 * noise(g.n_params, seed=seed).expand(2001, -1))
        assert (z.diff() > 0).all()


def test_slopes_vanish_at_common_roots_only() -> None:
    """With one square, at each of its roots; what is left there is LEAST."""
    root = torch.tensor([0.5]).double()
    shared = torch.tensor([[[-0.5, 1.0], [1.0, -2.0]]]).double()
    assert climbed(root, shared)[1].item() == pytest.approx(LEAST)
    apart = torch.tensor([[[-0.5, 1.0], [1.0, 2.0]]]).double()
    assert climbed(root, apart)[1].item() == pytest.approx(4 + LEAST)


def two_squares(roots: Tensor) -> Tensor:
    """Coefficients of p and q with p² + q² = Π |u - root|², for complex roots.

    Of each pair of conjugates take one: Π (u - root) = p + i q.
    """
    both = np.polynomial.polynomial.polyfromroots(roots.numpy())
    return torch.from_numpy(np.stack((both.real, both.imag)))


def test_any_quartic_that_is_never_negative_takes_two_squares() -> None:
    for seed in range(5):
        re, im = noise(2, 2, seed=seed)
        a = two_squares(torch.complex(re, im))
        quartic = np.polynomial.Polynomial([1.0])
        for one, other in zip(re.tolist(), im.tolist(), strict=True):
            quartic *= np.polynomial.Polynomial([one**2 + other**2, -2 * one, 1])
        x = 2 * noise(50)
        value, slope = climbed(x, a.expand(50, -1, -1))
        expected = torch.from_numpy(quartic(x.numpy()))
        torch.testing.assert_close(slope, expected + LEAST)
        integral = torch.from_numpy(quartic.integ()(x.numpy()))
        torch.testing.assert_close(value, integral + LEAST * x)


def gradients(start: Tensor) -> Tensor:
    """Gradient of a loss for all coefficients at θ = 0, of shape (k, r + 1)."""
    g = SumOfSquares(start.shape[0], start.shape[1] - 1).double()
    g.start.copy_(start)
    theta = torch.zeros(g.n_params).double().requires_grad_()
    z, log_slope = g(noise(500), theta.expand(500, -1))
    loss = (z.square() / 2 - log_slope).mean()
    return torch.autograd.grad(loss, theta)[0][1:].view_as(start)


def test_a_polynomial_at_0_has_no_gradient() -> None:
    start = spread_out(3, 2).double()
    assert (gradients(start).abs().amax(1) > 1e-3).all()
    start[1:] = 0
    moved = gradients(start)
    assert (moved[1:] == 0).all() and moved[0].abs().max() > 1e-3


def test_polynomials_that_start_alike_stay_alike() -> None:
    start = spread_out(3, 2).double()
    start[:, 1:] = 0
    alike = gradients(start)
    torch.testing.assert_close(alike, alike[:1].expand(3, -1))
    each = gradients(spread_out(3, 2).double())
    assert (each[0] - each[1]).abs().max() > 1e-3


@pytest.mark.parametrize(("k", "r"), [(1, 0), (1, 3), (2, 4), (3, 2), (5, 4)])
def test_the_start_is_no_trap(k: int, r: int) -> None:
    start = spread_out(k, r)
    assert start.shape == (k, r + 1)
    torch.testing.assert_close(start[:, 0].square().sum(), torch.tensor(1 - LEAST))
    if r:
        assert len({tuple(row) for row in start.tolist()}) == k
    # What is put on top of the constants cancels, up to its squares.
    torch.testing.assert_close(
        (start[:, :1] * start[:, 1:]).sum(0), torch.zeros(r), atol=1e-6, rtol=0
    )


def test_values_and_slopes_are_those_of_zuko() -> None:
    """zuko has a 1 inside each square, a mean over them, and u = x / 10."""
    a = noise(40, 3, 5, seed=2)
    theirs = zuko.transforms.SOSPolynomialTransform(a, slope=1e-3)
    x = 5 * noise(40)
    z, log_slope = theirs.call_and_ladj(x)
    ours = a.clone()
    ours[..., 0] += 1
    value, slope = climbed(x / 10, ours / 3**0.5)
    torch.testing.assert_close(10 * value, z)
    torch.testing.assert_close(slope.log(), log_slope)


def test_at_the_bound_value_and_slope_go_on() -> None:
    g = SumOfSquares(3, 2, 2.0).double()
    params = noise(200, g.n_params)
    for edge in (-2.0, 2.0):
        x = torch.full((200,), edge).double()
        step = 1e-9
        inside, outside = (g(x * (1 + s), params) for s in (-step, step))
        for before, after in zip(inside, outside, strict=True):
            torch.testing.assert_close(before, after, rtol=1e-6, atol=1e-6)


def test_far_out_it_is_a_shift() -> None:
    g = SumOfSquares(3, 4, 2.0).double()
    params = noise(50, g.n_params)
    for far in (60.0, -60.0):
        x = torch.full((50,), far).double()
        (z, log_slope), (next_z, _) = g(x, params), g(x + 1, params)
        torch.testing.assert_close(next_z - z, torch.ones_like(z))
        torch.testing.assert_close(log_slope, torch.zeros_like(z))


def test_inside_the_bound_there_is_no_other_map() -> None:
    near, paper = (SumOfSquares(3, 4, b).double() for b in (2.0, math.inf))
    x, params = noise(100).clamp(-2, 2), noise(100, 16, seed=2)
    for ours, theirs in zip(near(x, params), paper(x, params), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("bound", [1.0, 4.0, math.inf])
@pytest.mark.parametrize("size", [1e-3, 1.0, 10.0, 1e3])
def test_the_round_trip_is_exact(bound: float, size: float) -> None:
    g = SumOfSquares(3, 3, bound).double()
    z, params = size * noise(500), noise(500, g.n_params, seed=2)
    x, log_slope = g.inverse(z, params)
    back, forwards = g(x, params)
    torch.testing.assert_close(back, z, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(log_slope, -forwards, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bound", [1.0, 4.0, math.inf])
def test_the_bracket_encloses_the_root(bound: float) -> None:
    g = SumOfSquares(2, 2, bound).double()
    x, params = 3 * noise(2000), noise(2000, g.n_params, seed=2)
    z, _ = g(x, params)
    low, high = g.bracket(z, params)
    slack = 1e-9 * (1 + x.abs())
    assert (low <= x + slack).all() and (x <= high + slack).all()
    if bound < math.inf:
        inside = x.abs() < bound
        assert (high - low)[inside].max() <= bound + 1e-9


def test_where_slopes_are_least_the_root_is_found() -> None:
    """Newton's method would overshoot: nearly flat, then steep."""
    g = SumOfSquares(1, 4).double()
    g.start.zero_()
    params = torch.zeros(101, g.n_params).double()
    params[:, -1] = 5.0
    z = torch.linspace(-2, 2, 101).double()
    x, _ = g.inverse(z, params)
    torch.testing.assert_close(g(x, params)[0], z, rtol=1e-9, atol=1e-9)


def test_without_a_bound_tails_fall_by_the_power() -> None:
    """-log p rises like x^(4 r + 2)."""
    for r in (0, 1, 2):
        flow = perturbed(without_bound(sos(1, 1, 2, r, (4,))))
        near, far = flow.log_prob(torch.tensor([[1e3], [2e3]]).double())
        assert (far / near).log2().item() == pytest.approx(4 * r + 2, abs=0.05)


def test_with_a_bound_tails_are_those_of_a_gaussian() -> None:
    flow = perturbed(sos(1, 3, 3, 4, (4,)))
    near, far = flow.log_prob(torch.tensor([[1e12], [2e12]]).double())
    assert (far / near).log2().item() == pytest.approx(2, abs=0.01)


def test_layers_without_a_bound_raise_power_by_power() -> None:
    x = torch.tensor([30.0, 60.0]).double()
    one, two = (far_out(math.inf, layers, x) for layers in (1, 2))
    assert (one[1] / one[0]).log2().item() == pytest.approx(9, abs=0.2)
    assert (two[1] / two[0]).log2().item() == pytest.approx(81, abs=2)
    assert (far_out(4.0, 20, x) < 1e9).all()


def test_the_bound_may_go_after_training() -> None:
    flow = perturbed(sos(2, 1))
    free, x = without_bound(flow), 0.3 * noise(50, 2)
    torch.testing.assert_close(flow.log_prob(x), free.log_prob(x))
    far = torch.full((1, 2), 50.0).double()
    assert free.log_prob(far) < 1e3 * flow.log_prob(far)


def test_orders_take_turns() -> None:
    """One layer is triangular; two let each number depend on all others."""
    for layers, upper in ((1, False), (2, True)):
        flow, x = perturbed(sos(3, layers)), noise(3).requires_grad_()
        jacobian = torch.stack(
            [torch.autograd.grad(z, x, retain_graph=True)[0] for z in _map(flow, x)]
        )
        assert bool((jacobian.triu(1) != 0).any()) == upper


def _map(flow: Flow, x: Tensor) -> Tensor:
    return flow.bijection(x[None])[0][0]


def test_parameters_are_counted() -> None:
    for k, r in ((1, 0), (3, 2), (5, 4)):
        assert SumOfSquares(k, r).n_params == k * (r + 1) + 1


@pytest.mark.parametrize(("k", "r"), [(0, 2), (3, -1)])
def test_a_map_without_squares_is_refused(k: int, r: int) -> None:
    with pytest.raises(ValueError, match=f"got {k} of degree {r}"):
        SumOfSquares(k, r)


def test_the_spots_are_a_density_of_known_entropy() -> None:
    torch.manual_seed(0)
    spots = four_spots().double()
    x0, x1, y0, y1 = spots.box
    x, y = torch.linspace(x0, x1, 500).double(), torch.linspace(y0, y1, 500).double()
    log_p = spots.log_prob(torch.cartesian_prod(x, y))
    cell = (x[1] - x[0]) * (y[1] - y[0])
    assert (log_p.exp().sum() * cell).item() == pytest.approx(1, abs=1e-4)
    entropy = -(log_p.exp() * log_p).sum() * cell
    assert entropy.item() == pytest.approx(spots.entropy, abs=1e-3)


def test_a_training_that_fails_says_where() -> None:
    torch.manual_seed(0)
    flow = sos(2, 1, bound=math.inf)
    with torch.no_grad():
        next(flow.parameters()).fill_(math.nan)
    found = learn(flow, four_spots(), 3)
    assert math.isnan(found.gap) and found.failed == "1"
    assert not learn(sos(2, 1), four_spots(), 3).failed


def test_a_flow_of_right_degree_is_found() -> None:
    """Data whose exact map is x + x³/3: slope 1 + x² is two squares of degree 1."""

    def log_p(x: Tensor) -> Tensor:
        z = x + x**3 / 3
        return -z.square() / 2 - math.log(2 * math.pi) / 2 + (1 + x.square()).log()

    grid = torch.linspace(-3, 3, 601)[:, None]
    p = log_p(grid)[:, 0].exp() / 100
    assert p.sum().item() == pytest.approx(1, abs=1e-4)
    torch.manual_seed(0)
    flows = [stack(1, 1, lambda r=r: SumOfSquares(2, r), (4,)) for r in (0, 1)]
    gaps = []
    for flow in flows:
        fit(flow, lambda f=flow: -(p * f.log_prob(grid)).sum(), 300, lr=5e-2)
        with torch.no_grad():
            gap = (p * (log_p(grid)[:, 0] - flow.log_prob(grid))).sum()
        gaps.append(gap.item())
    assert gaps[1] < 1e-3 < 0.01 < gaps[0]
