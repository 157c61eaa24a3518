"""Facts of neural importance sampling: maps of the interval, weights, and integrals."""

from __future__ import annotations

import math

import pytest
import torch
from nflows.transforms.splines.linear import linear_spline
from nflows.transforms.splines.quadratic import quadratic_spline
from torch import Tensor
from torch.nn.functional import softplus

from implementations.core.bijection import Univariate
from implementations.core.flow import Flow
from implementations.core.weights import effective_share, effective_share_of_target
from implementations.nis import (
    LEAST,
    PiecewiseLinear,
    PiecewiseQuadratic,
    camel,
    draw,
    light,
    middles,
    mixed,
    nis,
    one_blob,
    photograph,
    pixel_at,
    weighted_loss,
)
from tests.support.perturb import noise, perturbed

KINDS = [PiecewiseLinear, PiecewiseQuadratic]


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def points(n: int = 500) -> Tensor:
    return torch.linspace(0, 1, n).double()


# The maps


@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_is_mapped_onto_itself(kind: type, size: float) -> None:
    g = kind(7)
    params, x = size * noise(50, 1, g.n_params).expand(-1, 500, -1), points()
    z, log_slope = g(x.expand(50, -1), params)
    close(z[:, 0], 0 * z[:, 0], 0)
    close(z[:, -1], 0 * z[:, 0] + 1, 0)
    assert (z.diff() > 0).all()
    back, negated = g.inverse(z, params)
    close(back, x.expand(50, -1), 1e-9)
    close(negated, -log_slope, 1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_go_to_ends_and_the_outside_stays(kind: type, dtype: torch.dtype) -> None:
    g = kind(32)
    x = torch.tensor([-1e4, -0.1, 0.0, 1.0, 1.1, 1e4], dtype=dtype)
    params = 10 * noise(6, g.n_params).to(dtype)
    for image, log_slope in (g(x, params), g.inverse(x, params)):
        assert torch.equal(image, x)
        assert log_slope.isfinite().all() and not log_slope[[0, 1, 4, 5]].any()
    assert g(x * math.nan, params)[0].isnan().all()


@pytest.mark.parametrize("kind", KINDS)
def test_with_extreme_numbers_no_slope_is_zero(kind: type) -> None:
    """Also in float32, where a softmax of them has zeros."""
    g, x = kind(32), points().float().requires_grad_()
    params = (1e3 * noise(500, g.n_params).float()).requires_grad_()
    z, log_slope = g(x, params)
    assert ((z >= 0) & (z <= 1)).all()
    assert log_slope.min() >= math.log(LEAST) - 1e-3
    (z.sum() + log_slope.sum()).backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert params.grad is not None and params.grad.isfinite().all()
    back, log_slope = g.inverse(z.detach(), params)
    assert back.isfinite().all() and log_slope.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_numbers_are_the_identity_both_ways(kind: type) -> None:
    """A textbook's root of the quadratic equation is 0 / 0 there."""
    g, x = kind(32), points()
    for size in (0.0, 3.0):
        params = torch.full((500, g.n_params), size).double().requires_grad_()
        for z, log_slope in (g(x, params), g.inverse(x, params)):
            close(z, x)
            close(log_slope, 0 * x)
            (grad,) = torch.autograd.grad(z.sum() + log_slope.sum(), params)
            assert grad.isfinite().all()


def test_the_textbooks_inverse_is_nan_at_the_start_and_ours_elsewhere() -> None:
    def textbook(s: Tensor, left: Tensor, right: Tensor) -> Tensor:
        v = ((1 - s) * left.square() + s * right.square()).sqrt()
        return (v - left) / (right - left)

    def ours(s: Tensor, left: Tensor, right: Tensor) -> Tensor:
        v = ((1 - s) * left.square() + s * right.square()).sqrt()
        return s * (left + right) / (left + v)

    s, ends = torch.rand(100).double(), noise(2, 100).exp()
    close(ours(s, *ends), textbook(s, *ends), 1e-10)
    assert not textbook(s, ends[0], ends[0]).isfinite().any()
    close(ours(s, ends[0], ends[0]), s)
    nearly = ends[0] * (1 + 1e-13)
    assert (textbook(s, ends[0], nearly) - s).abs().max() > 1e-4
    close(ours(s, ends[0], nearly), s)


def test_linear_maps_are_those_of_nflows() -> None:
    # Backwards, theirs moves the end of the last bin by 10⁻⁶.
    params, x = noise(200, 8), torch.rand(200).double()
    shares = LEAST / 8 + (1 - LEAST) * params.softmax(-1)
    for inverse in (False, True):
        g = PiecewiseLinear(8)
        theirs = linear_spline(x, shares.log(), inverse)
        for a, b in zip((g.inverse if inverse else g)(x, params), theirs, strict=True):
            close(a, b, 1e-4 if inverse else 1e-10)


def test_quadratic_maps_are_those_of_nflows() -> None:
    """Their heights are a softplus, ours an exp of its logarithm."""
    widths, raw, x = noise(200, 8), noise(200, 9, seed=2), torch.rand(200).double()
    params = torch.cat((widths, (softplus(raw) + 1e-3).log()), 1)
    for inverse in (False, True):
        g = PiecewiseQuadratic(8)
        theirs = quadratic_spline(
            x, widths, raw, inverse, min_bin_width=LEAST, min_bin_height=LEAST
        )
        for a, b in zip((g.inverse if inverse else g)(x, params), theirs, strict=True):
            close(a, b, 1e-8)


def test_nflows_inverts_no_quadratic_map_of_equal_heights() -> None:
    zeros = torch.zeros(50, 8).double(), torch.zeros(50, 9).double()
    theirs, _ = quadratic_spline(torch.rand(50).double(), *zeros, inverse=True)
    assert theirs.isnan().all()


def test_quadratic_densities_have_no_jumps_and_linear_ones_have() -> None:
    x = torch.linspace(0.001, 0.999, 100_001).double()
    jumps = []
    for g in (PiecewiseLinear(8), PiecewiseQuadratic(8)):
        _, log_slope = g(x, noise(1, g.n_params).expand(len(x), -1))
        jumps.append(log_slope.diff().abs().max().item())
    assert jumps[0] > 0.1 and jumps[1] < 1e-2


def test_the_slopes_at_the_ends_are_free() -> None:
    """On a cube nothing holds them at 1, as it does where the identity goes on."""
    g = PiecewiseQuadratic(4)
    params = torch.zeros(2, 9).double()
    params[:, 4], params[:, 8] = 2.0, -2.0
    low, high = g(torch.tensor([0.0, 1.0]).double(), params)[1].exp()
    assert low > 3 and high < 0.3


def test_one_bar_is_the_identity() -> None:
    close(PiecewiseLinear(1)(points(), noise(500, 1))[0], points())


# The flow


def test_one_blob_is_a_bump() -> None:
    x = torch.rand(50, 3).double()
    seen = one_blob(x, 32)
    assert seen.shape == (50, 96)
    close(one_blob(1 - x, 32).view(50, 3, 32), seen.view(50, 3, 32).flip(2))
    inside = one_blob(torch.linspace(0.2, 0.8, 100).double()[:, None])
    close(inside.sum(1), torch.full((100,), math.sqrt(2 * math.pi)).double(), 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_flow_starts_even(dim: int, kind: type[Univariate]) -> None:
    flow, x = nis(dim, univariate=kind).double(), torch.rand(20, dim).double()
    close(flow.log_prob(x), 0 * x[:, 0])
    assert (flow.log_prob(x + 1) == -math.inf).all()
    flow = perturbed(flow)
    assert flow.log_prob(x).std() > 1e-3
    x, log_q = flow.rsample_and_log_prob(1000)
    assert ((x >= 0) & (x <= 1)).all()
    close(flow.log_prob(x), log_q, 1e-8)


# Weights


def learned() -> tuple[Flow, Tensor]:
    flow = perturbed(nis(1, 1, (8,), PiecewiseLinear, bins=5))
    return flow, torch.linspace(0, 1, 4002).double()[1::2, None]


def test_the_loss_has_the_gradient_of_kl() -> None:
    """Against a sum over a grid; with gradients through the weights it has another."""
    flow, grid = learned()

    def log_f(x: Tensor) -> Tensor:
        return 3 * x[:, 0] + math.log(7)

    p = log_f(grid).softmax(0)
    weights = list(flow.parameters())
    exact = torch.autograd.grad(-(p * flow.log_prob(grid)).sum(), weights)
    for even in (0.0, 0.3):
        torch.manual_seed(0)
        loss = weighted_loss(flow, log_f, 400_000, even)
        found = torch.autograd.grad(loss, weights)
        for a, b in zip(found, exact, strict=True):
            close(a, b, 0.02)


@pytest.mark.parametrize("even", [0.0, 0.2, 1.0])
def test_weights_of_the_density_itself_are_one_on_average(even: float) -> None:
    """For any share of even points; and all are one where no point is even."""
    torch.manual_seed(0)
    flow = perturbed(nis(2, 2, (8, 8), bins=4))
    with torch.no_grad():
        x = draw(flow, n := 50_000, even)
        w = (flow.log_prob(x) - mixed(flow.log_prob(x), even)).exp()
    assert w.mean().item() == pytest.approx(1, abs=5 * w.std().item() / n**0.5 + 1e-12)
    if even == 0:
        close(w, torch.ones_like(w))
    else:
        assert w.max() <= 1 / even * flow.log_prob(x).exp().max()
        ratio = flow.log_prob(x) - mixed(flow.log_prob(x), even)
        assert ratio.max() <= -math.log(even) + flow.log_prob(x).max()


@pytest.mark.parametrize("even", [0.2, 1.0])
def test_integrals_are_right_for_any_share_of_even_points(even: float) -> None:
    """Of 6 x₁ (1 - x₁), which is 1; weighed by q alone it is another."""
    torch.manual_seed(0)
    flow = perturbed(nis(2, 2, (8, 8), PiecewiseLinear, bins=4))
    with torch.no_grad():
        x = draw(flow, 400_000, even)
        f, log_q = 6 * x[:, 0] * (1 - x[:, 0]), flow.log_prob(x)
    right, wrong = f / mixed(log_q, even).exp(), f / log_q.exp()
    assert right.mean().item() == pytest.approx(1, abs=4 * right.std().item() / 632)
    assert abs(wrong.mean().item() - 1) > 8 * wrong.std().item() / 632


def test_a_constant_has_no_variance_by_even_points() -> None:
    flow = nis(3).double()
    assert torch.equal(mixed(flow.log_prob(draw(flow, 50, 0.5)), 0.5), noise(50) * 0)


# Integrals


def test_the_camel() -> None:
    """∫ f² is known by a formula; the product of marginals has a share of 0.13."""
    torch.manual_seed(0)
    f, one = camel(4), camel(1)
    truth = f.sample((200_000,))
    outside = ((truth < 0) | (truth > 1)).any(1).double().mean().item()
    assert outside < 1e-4
    close(
        f.log_prob(truth).exp().mean(), torch.tensor((0.02 * math.pi) ** -2 / 2), 0.02
    )
    at = f.log_prob(truth).double()
    assert 1 / effective_share_of_target(at, 0.0) - 1 == pytest.approx(125.7, rel=0.02)
    apart = sum(one.log_prob(truth[:, k, None]) for k in range(4))
    assert isinstance(apart, Tensor)
    share = effective_share_of_target(at - apart.double(), 0.0)
    assert share == pytest.approx(0.132, abs=0.002)


def test_a_sampler_that_lost_a_hill_looks_good() -> None:
    """It sees half of the integral, and an effective share of one."""
    torch.manual_seed(0)
    f = camel(4)
    lost = f.component_distribution  # pyright: ignore[reportAttributeAccessIssue]
    x = lost.sample((50_000,))[:, 0]
    log_w = (f.log_prob(x) - lost.log_prob(x[:, None])[:, 0]).double()
    assert effective_share(log_w) > 0.999
    assert log_w.exp().mean().item() == pytest.approx(0.5, abs=1e-3)


def test_the_photograph_has_the_entropy_of_the_sheet() -> None:
    photo = photograph()
    assert photo.shape == (104, 160) and photo.mean().item() == pytest.approx(1)
    entropy = -(photo * photo.log()).mean().item()
    assert entropy == pytest.approx(-0.4029, abs=1e-4)
    x = middles(104, 160)
    assert torch.equal(pixel_at(x, photo), photo.flatten())
    edges = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    assert torch.equal(pixel_at(edges, photo), photo[[0, -1], [0, -1]])


def test_light_on_the_table() -> None:
    """One point at a time, by school geometry; and the ball throws a shadow."""
    photo, x, places = photograph().double(), torch.rand(30, 2), torch.rand(30, 2)
    found = light(x.double(), places.double(), photo).exp()
    ball, shaded = (0.35, 0.45, 0.2), 0
    for u, at, value in zip(x.tolist(), places.tolist(), found.tolist(), strict=True):
        a = 2 * at[0] - 1, 1.3 * at[1] + 0.03, 0.0
        b = 1.6 * u[0] - 0.8, 0.0, 1.04 * u[1]
        r2 = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
        g = a[1] * b[2] / r2**2  # two cosines, over the squared distance
        way = [torch.tensor(a).lerp(torch.tensor(b), t) for t in points(2000)]
        near = min((p - torch.tensor(ball)).norm().item() for p in way)
        glow = pixel_at(torch.tensor([u]).double(), photo).item()
        shaded += near < 0.2
        assert value == pytest.approx(g * glow * (near > 0.2), rel=1e-3)
    assert shaded
