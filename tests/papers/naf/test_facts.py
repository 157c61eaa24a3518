"""Facts of NAF (Huang et al., 2018): its transformers, their slopes and inverses."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor
from torch.distributions import (
    AffineTransform,
    Categorical,
    MixtureSameFamily,
    SigmoidTransform,
    TransformedDistribution,
    Uniform,
)
from zuko.transforms import MonotonicTransform

from implementations.core.bijection import Inverse, Univariate
from implementations.core.flow import Flow, StandardNormal
from implementations.core.toy import eight_gaussians
from implementations.iaf import backwards, excess
from implementations.made import Autoregressive
from implementations.naf import (
    DenseSigmoidal,
    Sigmoidal,
    log_cdf,
    log_moves,
    logit_of_sum,
    naf,
    spread_units,
)
from implementations.nice import Logistic
from tests.support.perturb import noise, perturbed

BUILDERS: dict[str, Callable[[], Sigmoidal | DenseSigmoidal]] = {
    "one unit": partial(Sigmoidal, 1),
    "sigmoidal": Sigmoidal,
    "alike": partial(Sigmoidal, 5, 1.0, 0.0),
    "dense, one layer": partial(DenseSigmoidal, 6, 1),
    "dense": partial(DenseSigmoidal, 6, 2),
    "dense, three layers": partial(DenseSigmoidal, 4, 3),
}
each = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def steered(
    build: Callable[[], Sigmoidal | DenseSigmoidal], n: int = 200, scale: float = 1.0
) -> tuple[Sigmoidal | DenseSigmoidal, Tensor, Tensor]:
    """A transformer in float64, points, and parameters of this scale."""
    torch.manual_seed(0)
    g = build().double()
    return g, 3 * noise(n), scale * noise(n, g.n_params, seed=2)


def slopes(g: Univariate, x: Tensor, params: Tensor) -> Tensor:
    """dz/dx by automatic differentiation."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(g(x, params)[0].sum(), x)
    return slope


def test_parameters_are_three_a_unit() -> None:
    assert Sigmoidal(16).n_params == 48
    assert DenseSigmoidal(8, 1).n_params == 24
    assert DenseSigmoidal(8, 3).n_params == 24 + 2 * 32


def test_log_cdf_is_that_of_the_sum() -> None:
    s, log_w = 3 * noise(50, 7), noise(50, 7, seed=2).log_softmax(-1)
    p = (log_w.exp() * s.sigmoid()).sum(-1)
    log_p, log_rest = log_cdf(s, log_w)
    torch.testing.assert_close(log_p, p.log())
    torch.testing.assert_close(log_rest, (1 - p).log())


def test_the_logarithms_are_exact_where_p_is_rounded() -> None:
    s = torch.tensor([[-1e4, -2e4], [1e4, 2e4]])
    log_p, log_rest = log_cdf(s, torch.full((2, 2), -math.log(2)))
    expected = torch.tensor([-1e4 - math.log(2), -1e4 - math.log(2)])
    torch.testing.assert_close(torch.stack((log_p[0], log_rest[1])), expected)


def test_moves_are_the_gradient_of_the_logit() -> None:
    s, log_w = noise(50, 7).requires_grad_(), noise(50, 7, seed=2).log_softmax(-1)
    log_p, log_rest = log_cdf(s, log_w)
    (gradient,) = torch.autograd.grad((log_p - log_rest).sum(), s)
    torch.testing.assert_close(log_moves(s, log_w).exp(), gradient)


def test_the_slope_is_the_formula_of_the_authors_code() -> None:
    """LSE(log w + log a + log σ(s) + log σ(-s)) - log p - log(1 - p)."""
    s, log_a = 4 * noise(80, 6), noise(80, 6, seed=3)
    log_w = noise(80, 6, seed=2).log_softmax(-1)
    parts = log_w + log_a + s.sigmoid().log() + (-s).sigmoid().log()
    expected = parts.logsumexp(-1) - sum(log_cdf(s, log_w))
    torch.testing.assert_close(logit_of_sum(s, log_a, log_w)[1], expected)


def test_one_unit_is_affine() -> None:
    g, x, params = steered(partial(Sigmoidal, 1))
    assert isinstance(g, Sigmoidal)
    log_a, b, _ = g.units(params)
    z, log_slope = g(x, params)
    torch.testing.assert_close(z, log_a[:, 0].exp() * x + b[:, 0])
    torch.testing.assert_close(log_slope, log_a[:, 0])


@pytest.mark.parametrize(
    "build",
    [partial(Sigmoidal, 7, 1.0, 0.0), partial(DenseSigmoidal, 5, 3, 1.0, 0.0)],
)
def test_slope_1_and_offset_0_are_the_identity_for_all_weights(
    build: Callable[[], Sigmoidal | DenseSigmoidal],
) -> None:
    """A softmax over the wrong axis of U breaks this: h would not be an average."""
    g, x, params = steered(build)
    units = g.n_units if isinstance(g, DenseSigmoidal) else 7
    for start in range(0, g.n_params, 4 * units):
        params[:, start : start + 2 * units] = 0
    z, log_slope = g(x, params)
    torch.testing.assert_close(z, x, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(log_slope, torch.zeros_like(x), atol=1e-12, rtol=0)


@each
def test_log_slopes_are_those_of_autograd(
    build: Callable[[], Sigmoidal | DenseSigmoidal],
) -> None:
    """Slopes of hidden units add up, weighted by U; they do not multiply."""
    g, x, params = steered(build)
    expected = slopes(g, x, params).log()
    torch.testing.assert_close(g(x, params)[1], expected, atol=1e-9, rtol=1e-9)


@each
def test_round_trip(build: Callable[[], Sigmoidal | DenseSigmoidal]) -> None:
    g, z, params = steered(build)
    x, log_slope = g.inverse(z, params)
    again, forth = g(x, params)
    torch.testing.assert_close(again, z, atol=1e-11, rtol=1e-11)
    torch.testing.assert_close(log_slope, -forth)


@each
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_the_bracket_holds(
    build: Callable[[], Sigmoidal | DenseSigmoidal], scale: float
) -> None:
    g, x, params = steered(build, scale=scale)
    low, high = g.bracket(g(x, params)[0], params)
    slack = 1e-9 * (1 + x.abs())
    assert (low <= x + slack).all() and (x - slack <= high).all()


@each
def test_for_extreme_parameters_it_still_rises(
    build: Callable[[], Sigmoidal | DenseSigmoidal],
) -> None:
    g, _, _ = steered(build)
    ruler = torch.linspace(-50, 50, 2001).double()
    for seed in range(5):
        params = (50 * noise(1, g.n_params, seed=seed)).expand(2001, -1)
        z, log_slope = g(ruler, params)
        assert (z.diff() >= 0).all() and z[-1] > z[0]
        assert z.isfinite().all() and log_slope.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("x", [-1e4, 1e4, -1e7, 1e7])
def test_far_out_the_flattest_unit_counts(x: float, dtype: torch.dtype) -> None:
    """A clipped p would have a slope of 0 there, and |z| below 14.6.

    The authors' formula subtracts numbers as large as x: at 1e7 it is off by 0.1.
    """
    g, _, params = steered(Sigmoidal)
    g, far = g.to(dtype), torch.full((200,), x, dtype=dtype)
    assert isinstance(g, Sigmoidal)
    z, log_slope = g(far, params.to(dtype))
    flattest = g.units(params.to(dtype))[0].amin(-1)
    torch.testing.assert_close(log_slope, flattest, atol=1e-3, rtol=0)
    assert (z.sign() == math.copysign(1, x)).all() and (z.abs() > 100).all()


def test_a_clipped_p_is_not_onto() -> None:
    """What the authors' code does, for contrast."""
    p = torch.tensor([-100.0, 100.0], dtype=torch.float64).sigmoid()
    z = ((1 - 1e-6) * p + 0.5e-6).logit()
    assert z.abs().max() < 14.6
    assert (
        Sigmoidal().double()(100 * torch.ones(1).double(), torch.zeros(1, 48))[0] > 99
    )


def test_at_the_start_tails_are_those_of_the_identity() -> None:
    far = torch.tensor([-1e3, 1e3], dtype=torch.float64)
    z, log_slope = Sigmoidal().double()(far, torch.zeros(2, 48).double())
    moved = torch.tensor([-math.log(16), math.log(16)]).double()
    torch.testing.assert_close(z - far, moved, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_slope, torch.zeros(2).double(), atol=1e-9, rtol=0)


def random_layer(dim: int = 3) -> Autoregressive:
    return perturbed(Autoregressive(dim, Sigmoidal(8), (16,)))


def test_with_logistic_noise_it_is_a_mixture_of_logistics() -> None:
    """By torch.distributions, one conditional after another."""
    layer, x = random_layer(), noise(100, 3)
    assert isinstance(layer.univariate, Sigmoidal)
    log_a, b, w = layer.univariate.units(layer.m(x))
    scale = (-log_a).exp()
    zero = torch.zeros_like(b)
    logistic = TransformedDistribution(
        Uniform(zero, zero + 1),
        [SigmoidTransform().inv, AffineTransform(-b * scale, scale)],
    )
    mixture = MixtureSameFamily(Categorical(logits=w), logistic)
    found = Flow(Logistic((3,)), layer).log_prob(x)
    torch.testing.assert_close(found, mixture.log_prob(x).sum(1))


def test_zuko_finds_the_same_slope_and_inverse() -> None:
    """Its "NAF" is another transformer; here it inverts ours, inside a bound."""
    g, x, params = steered(partial(Sigmoidal, 6), 40)
    theirs = MonotonicTransform(lambda x: g(x, params)[0], (), bound=20.0, eps=1e-9)
    z, log_slope = g(x, params)
    found, ladj = theirs.call_and_ladj(x)
    torch.testing.assert_close(found, z)
    torch.testing.assert_close(ladj, log_slope)
    back = theirs.inv(z)
    torch.testing.assert_close(g.inverse(z, params)[0], back, atol=1e-5, rtol=1e-5)


def test_scipy_finds_the_same_root_far_beyond_ten() -> None:
    g = Sigmoidal(5).double()
    params = noise(1, 15)
    for target in (-300.0, -2.0, 0.0, 5.0, 4000.0):
        z = torch.tensor([target]).double()
        x, _ = g.inverse(z, params)

        def missed(at: float, z: float = target) -> float:
            return g(torch.tensor([at]).double(), params)[0].item() - z

        assert x.item() == pytest.approx(brentq(missed, -1e5, 1e5, xtol=1e-10))


def test_gradients_go_through_the_inverse() -> None:
    g, z, params = steered(partial(Sigmoidal, 4), 5)
    z, params = z.requires_grad_(), params.requires_grad_()
    assert torch.autograd.gradcheck(lambda *t: g.inverse(*t), (z, params))


def test_one_layer_serves_both_directions() -> None:
    """Data below as in MAF, noise below as in IAF; all points have a density in both.

    Fast one way only, it is often said to have no inverse at all.
    """
    layer, x = random_layer(2), noise(50, 2)
    z, log_det = layer(x)
    torch.testing.assert_close(layer.inverse(z)[0], x, atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(layer.inverse(z)[1], -log_det, atol=1e-7, rtol=1e-7)
    target = eight_gaussians().double()
    turned = Flow(StandardNormal((2,)).double(), Inverse(layer))
    left = excess(turned, target, x)
    right = turned.base.log_prob(x) - backwards(turned, target).log_prob(x)
    torch.testing.assert_close(left, right)
    drawn, log_q = turned.rsample_and_log_prob(20)
    torch.testing.assert_close(turned.log_prob(drawn), log_q, atol=1e-6, rtol=1e-6)


def trained(g: Sigmoidal) -> Tensor:
    """The units' a, b and w after some steps from outputs of 0, of shape (3, K)."""
    torch.manual_seed(0)
    params = torch.zeros(g.n_params, requires_grad=True)
    optimiser = torch.optim.Adam([params], 1e-2)
    for _ in range(50):
        side = torch.randint(2, (64,)) - 0.5
        z, log_slope = g(side + 0.2 * torch.randn(64), params.expand(64, -1))
        optimiser.zero_grad()
        (z.square() / 2 - log_slope).mean().backward()
        optimiser.step()
    return torch.stack(g.units(params.detach()))


def test_alike_units_stay_alike_and_spread_ones_do_not() -> None:
    alike = trained(Sigmoidal(6, 1.0, 0.0))
    assert (alike - alike[:, :1]).abs().max() < 1e-5
    assert alike[0].abs().max() > 0.05
    for start in (Sigmoidal(6), Sigmoidal(6, 1.0)):
        moved = trained(start) - torch.stack(start.units(torch.zeros(18)))
        assert moved[1:].std(1).min() > 0.1


def test_the_start_is_spread() -> None:
    log_a, b = spread_units(5, 8.0, 3.0)
    assert log_a == [0, *[math.log(8)] * 4]
    centres = [-b_k / math.exp(a_k) for a_k, b_k in zip(log_a, b, strict=True)]
    assert centres == pytest.approx([0, -2.25, -0.75, 0.75, 2.25])
    assert spread_units(1, 8.0, 3.0) == ([0], [0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sigmoidal(0), "expected units and a positive slope, got 0"),
        (lambda: Sigmoidal(4, slope=-1.0), "a positive slope, got 4 of slope -1"),
        (lambda: DenseSigmoidal(4, 0), "DenseSigmoidal: expected a layer, got 0"),
    ],
)
def test_what_cannot_be_built_is_refused(
    build: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_conditioner_steers_every_number_of_the_dense_flow() -> None:
    """With a softmax over the wrong axis, what it adds to W or U would cancel."""
    g, x, params = steered(partial(DenseSigmoidal, 5, 3))
    params.requires_grad_()
    (gradient,) = torch.autograd.grad(g(x, params)[0].sum(), params)
    assert gradient.abs().mean(0).min() > 1e-6


def test_no_number_depends_on_later_ones_and_all_layers_take_turns() -> None:
    flow, x = perturbed(naf(4, 1, (16,))), noise(5, 4)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: flow.bijection(x)[0].sum(0), x
    )
    assert isinstance(jacobian, Tensor)
    assert jacobian.transpose(0, 1).triu(1).abs().max() < 1e-12
    two = perturbed(naf(4, 2, (16,)))
    both = torch.autograd.functional.jacobian(lambda x: two.bijection(x)[0].sum(0), x)
    assert isinstance(both, Tensor)
    assert both.transpose(0, 1).triu(1).abs().max() > 1e-3


def test_a_single_number_has_a_density_of_mass_1() -> None:
    flow = perturbed(naf(1, 2, (4,)))
    grid = torch.linspace(-60, 60, 40_001).double()[:, None]
    with torch.no_grad():
        total = flow.log_prob(grid).exp().sum() * 120 / 40_000
    assert total.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.thorough
def test_the_dense_flow_has_mass_1_on_a_grid_as_fine_as_its_peaks() -> None:
    """Three steep layers make narrow peaks, which coarse grids miss."""
    flow = perturbed(naf(1, 1, (4,), transformer=partial(DenseSigmoidal, 3, 3)))
    grid = torch.linspace(-30, 30, 600_001).double()[:, None]
    with torch.no_grad():
        total = flow.log_prob(grid).exp().sum() * 60 / 600_000
    assert total.item() == pytest.approx(1, abs=1e-4)
