"""Facts of flows on tori and spheres (Rezende, Papamakarios et al., 2020)."""

from __future__ import annotations

import math

import pytest
import scipy.special
import scipy.stats
import torch
from nflows.transforms.splines.rational_quadratic import rational_quadratic_spline
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn.functional import normalize

from implementations.core.bijection import Bijection, Univariate
from implementations.core.flow import Flow
from implementations.core.splines import LEAST, UNIT
from implementations.tori_spheres import (
    BESSEL,
    TURN,
    WITHIN,
    CircularSpline,
    ExponentialMap,
    FreeSpline,
    Mobius,
    SpherePeaks,
    TorusPeaks,
    Turned,
    UniformSphere,
    across,
    along_sphere,
    exponential,
    peel,
    projection,
    tori_spheres,
    wrap,
)
from tests.support.perturb import noise, perturbed

ENDS = torch.tensor([0.0, TURN], dtype=torch.float64)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def even(n: int) -> Tensor:
    """Middles of n parts of the circle."""
    return TURN * (torch.arange(n).double() + 0.5) / n


def centre(omega: tuple[float, float]) -> Tensor:
    """The numbers that steer `Mobius(1)` to have this ω."""
    w = torch.tensor(omega, dtype=torch.float64)
    w = w / (WITHIN**2 - w.square().sum()).sqrt()
    return torch.cat((w, torch.zeros(1).double()))


def circle_maps() -> list[tuple[Univariate, Tensor]]:
    maps = Mobius(1), Mobius(5), CircularSpline(1), CircularSpline(6)
    return [(f, 2 * noise(f.n_params, seed=k)) for k, f in enumerate(maps)]


# Maps of a circle


@pytest.mark.parametrize(("f", "params"), circle_maps())
def test_a_map_of_a_circle_keeps_its_conditions(f: Univariate, params: Tensor) -> None:
    z, log_slope = f(ENDS, params.expand(2, -1))
    close(z, ENDS)
    close(log_slope[0], log_slope[1])
    x = even(4000)
    z, log_slope = f(x, params.expand(4000, -1))
    assert (z.diff() > 0).all()
    slope = vmap(jacrev(lambda t: f(t[None], params[None])[0][0]))(x[::40])
    close(log_slope[::40], slope.log(), 1e-9)
    assert log_slope.exp().mean().item() == pytest.approx(1, abs=1e-3)
    back, negated = f.inverse(z, params.expand(4000, -1))
    close(back, x, 1e-8)
    close(negated, -log_slope, 1e-7)


@pytest.mark.parametrize(("f", "params"), circle_maps())
def test_the_ends_stay_in_float32(f: Univariate, params: Tensor) -> None:
    ends = ENDS.float()
    close(f(ends, params.float().expand(2, -1))[0], ends, 2e-6)


def test_a_moebius_map_is_that_of_complex_numbers() -> None:
    x, omega = even(100), complex(0.5, -0.6)
    z = torch.polar(torch.ones_like(x), x)
    image = (z - omega) / (1 - omega.conjugate() * z)
    fixed = (1 - omega) / (1 - omega.conjugate())
    ours = Mobius(1)(x, centre((0.5, -0.6)).expand(100, 3))[0]
    close(torch.polar(torch.ones_like(x), ours), image / fixed)
    # The paper's form, with real vectors; and that of chords, on the other side.
    apart = z - omega
    real = (1 - abs(omega) ** 2) / apart.abs().square() * apart - omega
    close(real, image)
    end = omega - (1 - abs(omega) ** 2) / apart.abs().square() * apart
    close(end, -image)


def test_minus_omega_undoes_omega() -> None:
    x = even(200)
    z = torch.polar(torch.ones_like(x), x)
    omega = complex(0.3, 0.7)
    there = (z - omega) / (1 - omega.conjugate() * z)
    close((there + omega) / (1 + omega.conjugate() * there), z)


def test_one_moebius_map_makes_a_wrapped_cauchy_density() -> None:
    """Around -ω, turned, with ρ = |ω|; scipy has the density and the entropy."""
    omega = complex(0.5, -0.6)
    x = even(2000)
    z, log_slope = Mobius(1)(x, centre((0.5, -0.6)).expand(2000, 3))
    fixed = (1 - omega) / (1 - omega.conjugate())
    peak = (-omega / fixed).real, (-omega / fixed).imag
    around = (z - math.atan2(peak[1], peak[0])).remainder(TURN)
    expected = scipy.stats.wrapcauchy.pdf(around.numpy(), abs(omega))
    close((-log_slope).exp() / TURN, torch.from_numpy(expected))
    entropy = math.log(TURN) + log_slope.mean().item()
    assert entropy == pytest.approx(math.log(TURN * (1 - abs(omega) ** 2)))
    assert entropy == pytest.approx(0.896269, abs=1e-6)


def test_a_projection_is_a_moebius_map() -> None:
    x, (alpha, beta) = even(500), (0.7, -1.3)
    params = projection(*torch.tensor((alpha, beta), dtype=torch.float64))
    z, log_slope = Mobius(1)(x, params.expand(500, 3))
    close(z, 2 * (alpha * (x / 2 - math.pi / 2).tan() + beta).atan() + math.pi)
    s, c = (x / 2).sin(), (x / 2).cos()
    inverse_slope = (
        (1 + beta**2) / alpha * s.square() + alpha * c.square() - beta * x.sin()
    )
    close(-log_slope, inverse_slope.log())
    # Its inverse is the projection of 1/α and -β/α.
    other = (1 / alpha, -beta / alpha)
    other = projection(*torch.tensor(other, dtype=torch.float64))
    close(Mobius(1)(z, other.expand(500, 3))[0], x, 1e-9)


def test_slopes_of_moebius_maps_are_bounded() -> None:
    params = torch.tensor([1e6, -1e6, 0]).double()
    log_slope = Mobius(1)(even(10_000), params.expand(10_000, 3))[1]
    assert log_slope.abs().max().exp().item() < 1.99 / 0.01 + 1e-6


def test_an_average_of_maps_is_no_mixture_of_densities() -> None:
    params = torch.cat((centre((0.8, 0.0))[:2], centre((0.0, 0.8))[:2]))
    both = torch.stack((params[0::2], params[1::2], torch.zeros(2))).flatten()
    z, log_slope = Mobius(2)(even(500), both.expand(500, 6))
    mixture = torch.zeros(500).double()
    for omega in ((0.8, 0.0), (0.0, 0.8)):
        back = Mobius(1).inverse(z, centre(omega).expand(500, 3))[1]
        mixture += back.exp() / 2
    assert ((-log_slope).exp() - mixture).abs().max() > 0.1


@pytest.mark.parametrize("bins", [1, 7])
def test_splines_are_those_of_nflows(bins: int) -> None:
    """With free derivatives at the ends, as both offer."""
    for f in (FreeSpline(bins), CircularSpline(bins)):
        params = noise(50, f.n_params)
        low, high = f.middle - f.bound, f.middle + f.bound
        x = low + (high - low) * noise(50, seed=2).sigmoid()
        widths, heights = params[:, : 2 * bins].split(bins, 1)
        raw = params[:, 2 * bins :]
        raw = torch.cat((raw, raw[:, :1]), 1) if isinstance(f, CircularSpline) else raw
        theirs = rational_quadratic_spline(
            x,
            widths,
            heights,
            raw + UNIT,
            left=low,
            right=high,
            bottom=low,
            top=high,
            min_bin_width=LEAST,
            min_bin_height=LEAST,
            min_derivative=LEAST,
        )
        for ours, expected in zip(f(x, params), theirs, strict=True):
            close(ours, expected, 1e-8)


# Mistakes that are made in public: slopes of 1 at the seam, no turn, raw angles


def test_slopes_at_the_seam_are_free() -> None:
    f = CircularSpline(4)
    params = torch.zeros(12).double()
    params[8] = 3.0
    slopes = f(ENDS, params.expand(2, -1))[1].exp()
    assert slopes[0].item() == pytest.approx(slopes[1].item())
    assert slopes[0] > 2
    heights = FreeSpline(4)
    params = noise(heights.n_params)
    ends = torch.tensor([-1.0, 1.0]).double()
    log_slopes = heights(ends, params.expand(2, -1))[1]
    assert (log_slopes.abs() > 1e-2).all() and log_slopes.diff().abs() > 1e-2


def test_equal_slopes_of_a_spline_of_one_bin_are_the_identity() -> None:
    params = torch.zeros(3).double().expand(50, -1)
    close(CircularSpline(1)(even(50), params)[0], even(50))


def test_the_circle_is_turned() -> None:
    f = Turned(Mobius(2))
    params = noise(7)
    params[0] = 1.0
    zero = torch.zeros(1).double()
    close(f(zero, params[None])[0], zero + 1)
    assert f.inverse(zero, params[None])[0].item() > 0.01
    beyond = torch.tensor([-0.1, TURN + 0.1]).double()
    close(f(beyond, params.expand(2, -1))[0], beyond)
    assert (
        tori_spheres(1, "torus").double().log_prob(beyond[:, None]).exp() == 0
    ).all()


@pytest.mark.parametrize("circle", [Mobius, CircularSpline])
def test_densities_have_no_seam(circle: type[Mobius] | type[CircularSpline]) -> None:
    flow = perturbed(tori_spheres(3, "torus", circle))
    x = TURN * noise(20, 3).sigmoid()
    for i in range(3):
        x0, x1 = x.clone(), x.clone()
        x0[:, i], x1[:, i] = 0, TURN
        close(flow.log_prob(x0), flow.log_prob(x1), 1e-8)


# Tori and spheres


def test_peeling_is_undone_by_wrapping() -> None:
    for dim in (1, 2, 3, 5):
        x = normalize(noise(100, dim + 1), dim=1)
        assert peel(x).shape == (100, dim)
        close(wrap(peel(x)), x)
    close(peel(torch.tensor([[0.0, -1, 0]]).double())[0, 1], ENDS[1] * 3 / 4)


def test_heights_are_uniform_on_s2_and_not_on_s3() -> None:
    """Archimedes: of a uniform direction, r has the density (1 - r²)^{d/2 - 1}."""
    torch.manual_seed(0)
    for dim, variance in ((2, 1 / 3), (3, 1 / 4), (4, 1 / 5)):
        x = UniformSphere(dim).double().sample(100_000)
        r = peel(x)[:, 0]
        assert r.var().item() == pytest.approx(variance, abs=5e-3)
        close(x.norm(dim=1), torch.ones(100_000).double())


@pytest.mark.parametrize(("dim", "area"), [(1, TURN), (2, 2 * TURN), (3, TURN**2 / 2)])
def test_areas_of_spheres(dim: int, area: float) -> None:
    base = UniformSphere(dim).double()
    assert base.log_area == pytest.approx(math.log(area))
    x = base.sample(3)
    log_p = base.log_prob(torch.stack((x[0], 2 * x[1], x[2] * torch.nan)))
    assert log_p[0].item() == pytest.approx(-math.log(area))
    assert log_p[1] == -math.inf and log_p[2].isnan()


def test_what_is_off_the_sphere_has_density_0() -> None:
    for flow in (tori_spheres(2), exponential(2, 1)):
        x = flow.double().base.sample(5)
        assert (flow.log_prob(1.1 * x) == -math.inf).all()


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("recursive", [True, False])
def test_the_log_det_is_that_along_the_sphere(dim: int, recursive: bool) -> None:
    torch.manual_seed(0)
    flow = tori_spheres(dim, bins=5, hidden=(8,)) if recursive else exponential(dim, 2)
    x, f = flow.double().base.sample(50), flow.bijection
    z, log_det = f(x)
    close(log_det, along_sphere(f, x), 1e-9)
    close(z.norm(dim=1), torch.ones(50).double())
    close(f.inverse(z)[0], x, 1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["recursive", "exponential"])
def test_densities_integrate_to_one_over_the_sphere(name: str) -> None:
    """On a grid of Archimedes' cylinder."""
    torch.manual_seed(0)
    flow = (
        tori_spheres(2, bins=5, hidden=(8,)) if name == "recursive" else exponential(2)
    )
    r, angle = 2 * even(200) / TURN - 1, even(200)
    x = wrap(torch.cartesian_prod(r, angle))
    with torch.no_grad():
        mean = flow.double().log_prob(x).exp().mean()
    assert (2 * TURN * mean).item() == pytest.approx(1, abs=2e-3)


def test_near_a_pole_all_is_finite() -> None:
    for dim in (2, 3):
        flow = tori_spheres(dim, bins=5)
        x = torch.zeros(2, dim + 1)
        x[:, -1] = torch.tensor([1.0, -1.0])
        x.requires_grad_()
        log_p = flow.log_prob(x)
        assert log_p.isfinite().all()
        log_p.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in flow.parameters())


# Exponential maps


def basis_form(f: ExponentialMap, x: Tensor) -> Tensor:
    """½ log det EᵀJᵀJE, for a basis E of directions at x, as in public code."""
    j = vmap(jacrev(lambda row: f._moved(row[None])[0][0]))(x)
    e = torch.linalg.qr(torch.cat((x[..., None], noise(len(x), 3, 2)), 2))[0][..., 1:]
    return torch.linalg.slogdet(e.mT @ j.mT @ j @ e).logabsdet / 2


def shaken(centres: int = 5, spread: float = 1.0) -> ExponentialMap:
    torch.manual_seed(0)
    f = ExponentialMap(2, centres).double()
    for numbers in f.parameters():
        numbers.data.add_(spread * torch.randn_like(numbers))
    return f


def test_two_forms_of_the_determinant_agree() -> None:
    f, x = shaken(), normalize(noise(50, 3), dim=1)
    close(f(x)[1], basis_form(f, x), 1e-9)
    # That of the Jacobian among all directions is another number.
    j = vmap(jacrev(lambda row: f._moved(row[None])[0][0]))(x)
    assert (torch.linalg.slogdet(j).logabsdet - f(x)[1]).abs().max() > 0.1


def test_without_a_potential_nothing_moves() -> None:
    f, x = shaken(), normalize(noise(50, 3), dim=1)
    f.alpha.data[0] = 50.0
    z, log_det = f(x)
    close(z, x, 1e-7)
    close(log_det, torch.zeros(50).double(), 1e-7)


def test_rotating_all_centres_rotates_the_flow() -> None:
    f, x = shaken(), normalize(noise(50, 3), dim=1)
    z, log_det = f(x)
    rotation = torch.linalg.qr(noise(3, 3, seed=5))[0]
    f.mu.data = f.mu.data @ rotation.T
    turned, same = f(x @ rotation.T)
    close(turned, z @ rotation.T)
    close(same, log_det)


def test_points_move_along_the_gradient() -> None:
    f, x = shaken(), normalize(noise(20, 3), dim=1)

    def phi(x: Tensor) -> Tensor:
        mu, beta = normalize(f.mu, dim=1), torch.nn.functional.softplus(f.beta + UNIT)
        beta = beta + LEAST
        bumps = (beta * (x @ mu.T - 1)).exp() / beta
        return (f.alpha.softmax(0)[1:] * bumps).sum()

    g = vmap(jacrev(phi))(x)
    v = g - (x * g).sum(1, keepdim=True) * x
    far = v.norm(dim=1, keepdim=True)
    close(f(x)[0], x * far.cos() + v / far * far.sin(), 1e-9)


@pytest.mark.parametrize("spread", [0.5, 2.0, 4.0])
def test_newtons_method_comes_back(spread: float) -> None:
    f: Bijection = shaken(12, spread)
    x = normalize(noise(2000, 3), dim=1)
    z, log_det = f(x)
    assert (f.inverse(z)[0] - x).norm(dim=1).max() < 1e-6
    close(f.inverse(z)[1], -log_det, 1e-4)


# The targets


def test_targets_are_normalised() -> None:
    assert scipy.special.i0(1) == pytest.approx(BESSEL)
    grid = torch.cartesian_prod(even(200), even(200))
    mean = TorusPeaks().double().log_prob(grid).exp().mean()
    assert (TURN**2 * mean).item() == pytest.approx(1)
    x = wrap(torch.cartesian_prod(2 * even(800) / TURN - 1, even(200)))
    for kappa in (10.0, 30.0):
        mean = SpherePeaks(4, kappa).double().log_prob(x).exp().mean()
        assert (2 * TURN * mean).item() == pytest.approx(1, abs=1e-4)


def test_one_peak_is_that_of_scipy() -> None:
    target = SpherePeaks(1).double()
    x = UniformSphere(2).double().sample(50)
    scipys = scipy.stats.vonmises_fisher(target.mu[0].numpy(), 10).logpdf(x.numpy())
    close(target.log_prob(x), torch.from_numpy(scipys), 1e-8)


def test_samples_have_the_density_of_their_target() -> None:
    """The mean of 1/p over samples is the volume; and moments agree."""
    torch.manual_seed(0)
    for target, area in (
        (TorusPeaks().double(), TURN**2),
        (SpherePeaks(4, 2.0), 4 * math.pi),
    ):
        x = target.double().sample(200_000)
        volume = (-target.log_prob(x)).exp().mean().item()
        assert volume == pytest.approx(area, rel=0.03)
    sharp = SpherePeaks(1, 10.0).double()
    r = sharp.sample(100_000) @ sharp.mu[0]
    assert r.mean().item() == pytest.approx(1 / math.tanh(10) - 1 / 10, abs=2e-3)


def test_across_is_never_0() -> None:
    assert (across(torch.tensor([-1.0, 0.0, 1.0])) > 0).all()


def test_sizes_are_those_of_table_1() -> None:
    flow: Flow = tori_spheres(2)
    heights, angle = flow.bijection.bijection.inner.maps  # pyright: ignore
    assert heights.bins == 32  # pyright: ignore
    assert angle.f.centres == 12  # pyright: ignore
    assert len(exponential(2).bijection.bijection.layers) == 6  # pyright: ignore
