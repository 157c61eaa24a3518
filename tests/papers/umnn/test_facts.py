"""Facts of UMNN (Wehenkel and Louppe, 2019): a rule, its slope, and its inverse."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import zuko
from scipy.integrate import quad
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn.functional import softplus

from implementations.core.bijection import Compose
from implementations.core.roots import REACH
from implementations.made import Autoregressive
from implementations.umnn import (
    FLOOR,
    ONE,
    Braid,
    ByLeibniz,
    MonotonicNetwork,
    area_below,
    clenshaw_curtis,
    umnn,
)
from tests.support.perturb import noise, perturbed


def random_network(
    kind: type[MonotonicNetwork] = MonotonicNetwork, nodes: int = 20, spread: float = 1
) -> MonotonicNetwork:
    g = perturbed(kind(3, (16, 16), nodes))
    with torch.no_grad():
        for weights in g.parameters():
            weights *= spread
    return g


def f_alone(g: MonotonicNetwork, t: Tensor, h: Tensor) -> Tensor:
    """f of g, written anew: one t and one h of each row."""
    m = torch.cat((t[:, None], h), 1)
    for layer in g.layers:
        m = layer(m)
        m = m if layer is g.layers[-1] else m.tanh()
    return FLOOR + softplus(m.squeeze(1) + ONE)


# The rule.


@pytest.mark.parametrize("n", [2, 4, 6, 10, 20, 50])
def test_weights_sum_to_one_and_are_exact_for_powers(n: int) -> None:
    t, w = clenshaw_curtis(n)
    assert sum(w) == pytest.approx(1, abs=1e-14) and min(w) > 0
    for k in range(n + 2):  # An even rule is exact for one degree more.
        power = sum(b * a**k for a, b in zip(t, w, strict=True))
        assert power == pytest.approx(1 / (k + 1), abs=1e-14)
    beyond = sum(b * a ** (n + 2) for a, b in zip(t, w, strict=True))
    assert n > 6 or abs(beyond - 1 / (n + 3)) > 1e-8


@pytest.mark.parametrize("n", [-2, 0, 1, 3, 21])
def test_odd_numbers_of_nodes_are_refused(n: int) -> None:
    """Public code takes the formula for even n, and is wrong for others."""
    with pytest.raises(ValueError, match=f"expected n = 2, 4, 6 …, got {n}"):
        MonotonicNetwork(2, (8,), n)


def test_weights_are_those_of_the_dtype() -> None:
    """Public code keeps them in float32, for a model of float64 as well."""
    g = perturbed(MonotonicNetwork(0, (4,)))
    with torch.no_grad():
        for layer in g.layers:
            layer.weight.zero_()
            layer.bias.zero_()
    x = 5 * noise(100)
    z, log_slope = g(x, torch.zeros(100, 1).double())
    torch.testing.assert_close(z, x, atol=0, rtol=1e-14)
    torch.testing.assert_close(log_slope, torch.zeros_like(x), atol=1e-14, rtol=0)


def test_the_area_below_is_that_of_scipy() -> None:
    x = 4 * noise(20)
    found = area_below(lambda t: (t.sin() + 2).sqrt(), x, 60)
    exact = [quad(lambda t: math.sqrt(math.sin(t) + 2), 0, end)[0] for end in x]
    torch.testing.assert_close(found, torch.tensor(exact).double())


# The map.


def test_f_is_the_network_and_its_derivative_that_of_autograd() -> None:
    g, t, h = random_network(), noise(20), noise(20, 3, seed=2)
    f, df = g.f_and_slope(t[:, None], h)
    assert torch.equal(f, g.f(t[:, None], h))
    t.requires_grad_()
    expected = f_alone(g, t, h)
    (by_autograd,) = torch.autograd.grad(expected.sum(), t)
    torch.testing.assert_close(f[:, 0], expected)
    torch.testing.assert_close(df[:, 0], by_autograd)


def test_the_map_is_the_integral_on_both_sides_of_zero() -> None:
    g, x, params = random_network(nodes=40), 2 * noise(12), noise(12, 4, seed=2)
    z, _ = g(x, params)

    def f(t: float, h: Tensor) -> float:
        return f_alone(g, torch.tensor([t]).double(), h[None]).item()

    for x_i, z_i, (beta, *_), h in zip(x, z, params, params[:, 1:], strict=True):
        area, _ = quad(f, 0, x_i.item(), (h,), epsabs=1e-11)
        assert z_i.item() == pytest.approx(beta.item() + area, abs=1e-8)


def test_zuko_has_the_same_map_and_slope() -> None:
    g = random_network(ByLeibniz, 60)
    x, params = 2 * noise(50), noise(50, 4, seed=2)

    def f(t: Tensor) -> Tensor:
        h = params[:, 1:].expand(*t.shape, -1)
        return f_alone(g, t.flatten(), h.flatten(0, -2)).view_as(t)

    theirs: Any = zuko.transforms.UnconstrainedMonotonicTransform(f, 60)
    area, log_slope = theirs.call_and_ladj(x)
    z, ours = g(x, params)
    torch.testing.assert_close(z, params[:, 0] + area, atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(ours, log_slope)


@pytest.mark.parametrize("n", [2, 4, 20])
def test_zero_goes_to_beta(n: int) -> None:
    params = noise(50, 4)
    z, _ = random_network(nodes=n)(torch.zeros(50).double(), params)
    assert torch.equal(z, params[:, 0])


@pytest.mark.parametrize("n", [4, 6, 20])
def test_the_slope_is_that_of_the_sum_for_any_number_of_nodes(n: int) -> None:
    g, x, params = random_network(nodes=n), 2 * noise(100), noise(100, 4, seed=2)
    slope = vmap(jacrev(lambda x, p: g(x[None], p[None])[0][0]))(x, params)
    well = slope > 1e-3
    assert well.double().mean() > 0.9
    torch.testing.assert_close(g(x, params)[1][well], slope[well].log())


def test_by_leibniz_value_and_slope_disagree_but_for_many_nodes() -> None:
    """In public code the density is off by this."""
    x, params, off = 2 * noise(100), noise(100, 4, seed=2), []
    for n in (4, 100):
        g = random_network(ByLeibniz, n)
        slope = vmap(jacrev(lambda x, p, g=g: g(x[None], p[None])[0][0]))(x, params)
        off.append((slope / g(x, params)[1].exp() - 1).abs().max())
    assert off[0] > 1e-3
    assert off[1] < 1e-9


def test_both_slopes_meet_as_nodes_are_added() -> None:
    x, params = 2 * noise(100), noise(100, 4, seed=2)
    two = (random_network(kind, 100) for kind in (MonotonicNetwork, ByLeibniz))
    (z, ours), (same, theirs) = (g(x, params) for g in two)
    assert torch.equal(z, same)
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)


@pytest.mark.parametrize("n", [4, 20])
def test_leibniz_and_backpropagation_give_weights_one_gradient(n: int) -> None:
    """∇F = x Σ w_j ∇f(t_j x), node by node, for which no graph need be kept."""
    g, x, params = random_network(nodes=n), 2 * noise(10), noise(10, 4, seed=2)
    weights = list(g.parameters())
    expected = torch.autograd.grad(g(x, params)[0].sum(), weights)
    total = [torch.zeros_like(each) for each in weights]
    for t, w in zip(*clenshaw_curtis(n), strict=True):
        f = f_alone(g, t * x, params[:, 1:])
        for each, term in zip(
            total, torch.autograd.grad((w * x * f).sum(), weights), strict=True
        ):
            each += term
    torch.testing.assert_close(total, list(expected))


@pytest.mark.thorough
def test_with_many_nodes_it_rises_whatever_the_weights() -> None:
    g = random_network(nodes=200, spread=2)
    x = torch.linspace(-4, 4, 1000).double()
    for h in noise(20, 4):
        z, _ = g(x, h.expand(1000, 4))
        assert (z.diff() > 0).all()


def test_f_never_falls_below_its_floor() -> None:
    """Public code has log(f + 1e-10) instead, which is no density's slope."""
    t = torch.linspace(-1e4, 1e4, 1001).double()
    f = random_network(spread=20).f(t[:, None], 10 * noise(1001, 3))
    assert f.min() >= FLOOR and f.isfinite().all()
    assert f.min() < 1.01 * FLOOR


# Its inverse.


@pytest.mark.parametrize("n", [4, 20])
def test_the_bracket_holds_x_for_any_number_of_nodes(n: int) -> None:
    g, x, params = random_network(nodes=n), 100 * noise(200), noise(200, 4, seed=2)
    low, high = g.bracket(g(x, params)[0], params)
    assert ((low <= x) & (x <= high)).all()
    assert (high - low).max() < REACH


def test_every_number_is_reached_even_where_f_has_fallen_off() -> None:
    """Without a floor, an area ends somewhere, and no x is left for what is beyond."""
    g = perturbed(MonotonicNetwork(0, (8,)))
    with torch.no_grad():
        g.layers[-1].bias.sub_(50)  # f is at its floor.
    z = torch.tensor([-30.0, 30.0]).double()
    x, log_slope = g.inverse(z, torch.zeros(2, 1).double())
    torch.testing.assert_close(x, z / FLOOR)
    torch.testing.assert_close(log_slope, torch.full((2,), -math.log(FLOOR)).double())


def test_round_trips_in_double_precision() -> None:
    g, x, params = random_network(), 3 * noise(500), noise(500, 4, seed=2)
    z, log_slope = g(x, params)
    back, negated = g.inverse(z, params)
    torch.testing.assert_close(back, x, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(negated, -log_slope, atol=1e-8, rtol=1e-8)


# The flow.


@pytest.mark.parametrize("layers", [1, 2])
def test_noise_depends_on_what_comes_before_and_each_order_is_reversed(
    layers: int,
) -> None:
    flow, x = perturbed(umnn(4, layers, (16,), 3, (8,))), noise(20, 4)
    assert isinstance(flow.bijection, Compose)
    f = flow.bijection.layers[layers - 1]
    seen = vmap(jacrev(lambda row: f(row[None])[0][0]))(x).abs().amax(0) > 0
    full = torch.ones(4, 4).bool()
    assert torch.equal(seen, full.tril() if layers == 1 else full.triu())


def test_each_component_has_its_own_beta_and_embedding() -> None:
    """Public code once read them across components."""
    g, x, params = random_network(), noise(10, 3), noise(10, 3, 4, seed=2)
    alone = [g(x[:, i], params[:, i]) for i in range(3)]
    for both, each in zip(g(x, params), zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(both, torch.stack(each, 1))


def test_a_constant_integrand_makes_an_affine_map() -> None:
    """So MAF is inside."""
    g, x, params = random_network(), noise(50), noise(50, 4, seed=2)
    with torch.no_grad():
        g.layers[0].weight[:, 0] = 0
    z, log_slope = g(x, params)
    torch.testing.assert_close(z, params[:, 0] + log_slope.exp() * x)
    assert log_slope.std() > 0.1


def test_far_points_are_less_and_less_probable() -> None:
    """Public code clamps z to ±10 in its likelihood, which is then constant."""
    flow = perturbed(umnn(1, 1, (8,), 3, (8, 8)))
    x = torch.tensor([50.0, 100.0, 1e3, 1e4]).double()
    for side in (x, -x):
        assert (flow.log_prob(side[:, None]).diff() < -10).all()


def test_mass_is_one_by_the_sum_and_not_by_leibniz_with_few_nodes() -> None:
    masses = []
    for kind in (MonotonicNetwork, ByLeibniz):
        g = random_network(kind, 4, spread=2)
        x = torch.linspace(-40, 40, 20_001).double()
        z, log_slope = g(x, noise(1, 4).expand(len(x), 4))
        p = (-z.square() / 2 + log_slope).exp() / math.sqrt(2 * math.pi)
        masses.append(torch.trapezoid(p, x).item())
    assert masses[0] == pytest.approx(1, abs=1e-9)
    assert abs(masses[1] - 1) > 1e-5


def test_components_do_not_wait_for_whole_batches() -> None:
    """Rows are taken in pieces, which changes no number."""
    f = perturbed(Autoregressive(2, MonotonicNetwork(3, (8,)), (8,)))
    x = noise(3000, 2)
    z, log_det = f(x)
    torch.testing.assert_close(z[:50], f(x[:50])[0])
    torch.testing.assert_close(log_det[-50:], f(x[-50:])[1])


# Data.


def test_the_braid_has_its_density() -> None:
    torch.manual_seed(0)
    braid = Braid().double()
    x, y = torch.linspace(-7, 7, 701).double(), torch.linspace(-4, 4, 801).double()
    p = braid.log_prob(torch.cartesian_prod(x, y)).exp().view(701, 801)
    assert p.sum().item() * 0.02 * 0.01 == pytest.approx(1, abs=1e-6)
    points = braid.sample(40_000)
    second = (p.sum(0) * y.square()).sum() * 0.02 * 0.01
    assert points[:, 1].square().mean().item() == pytest.approx(second.item(), rel=0.03)
    both = (p * x[:, None].square() * y.square()).sum() * 0.02 * 0.01
    found = points.square().prod(1).mean().item()
    assert found == pytest.approx(both.item(), rel=0.06)
