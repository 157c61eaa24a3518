"""Equivariant flows: symmetries, the divergence, the base, and the double well."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations.core.flow import Flow
from implementations.core.numerics import basis
from implementations.core.odes import FixedSteps, VelocityField
from implementations.equivariant import (
    KernelField,
    MeanFree,
    MeanFreeNormal,
    OnMeanFree,
    bumps,
    by_quadrature,
    distances,
    energy,
    equivariant,
    field_of,
    moved,
    pair_energy,
)
from implementations.real_nvp import real_nvp_vector
from tests.support.perturb import noise

T = torch.tensor(0.4).double()
SIZES = [(2, 1), (2, 3), (4, 2), (5, 3)]


def close(a: Tensor, b: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def shaken(n: int, dim: int, steps: int = 20, spread: float = 0.2) -> Flow:
    torch.manual_seed(0)
    flow = equivariant(n, dim, 12, 4, FixedSteps(steps)).double()
    nn.init.normal_(field_of(flow).w, std=spread)
    return flow


def traces(field: KernelField, z: Tensor) -> Tensor:
    j = vmap(jacrev(lambda z: field(T, z[None])[0]))(z)
    return j.diagonal(dim1=1, dim2=2).sum(1)


# Symmetries


@pytest.mark.parametrize(("n", "dim"), SIZES)
def test_the_density_is_invariant(n: int, dim: int) -> None:
    flow, x = shaken(n, dim), 3 * noise(40, n, dim)
    log_p = flow.log_prob(x)
    close(flow.log_prob(moved(x)), log_p)
    close(flow.log_prob(x + 5), log_p)
    # That of another flow is not.
    f = real_nvp_vector((n - 1) * dim, 2, (8,)).bijection
    for weights in f.parameters():
        nn.init.normal_(weights, std=0.3)
    other = Flow(MeanFreeNormal(n, dim), OnMeanFree(f, n, dim)).double()
    close(other.log_prob(x + 5), other.log_prob(x))
    assert (other.log_prob(moved(x)) - other.log_prob(x)).abs().max() > 1e-3


@pytest.mark.parametrize(("n", "dim"), SIZES)
def test_the_map_is_equivariant(n: int, dim: int) -> None:
    flow, x = shaken(n, dim), 2 * noise(20, n, dim)
    for f in (flow.bijection, flow.bijection.inverse):
        torch.manual_seed(3)
        moved_first = f(moved(x))[0]
        torch.manual_seed(3)
        close(moved(f(x)[0]), moved_first)


def test_every_step_of_a_solver_is_equivariant() -> None:
    x = 2 * noise(20, 4, 2)
    for method in ("euler", "midpoint", "rk4"):
        flow = equivariant(4, 2, 12, 4, FixedSteps(1, method)).double()
        nn.init.normal_(field_of(flow).w, std=0.2)
        close(flow.log_prob(moved(x)), flow.log_prob(x))


def test_in_float32_the_symmetry_holds_to_rounding() -> None:
    flow, x = shaken(4, 2, spread=0.05).float(), 2 * noise(50, 4, 2).float()
    assert (flow.log_prob(moved(x)) - flow.log_prob(x)).abs().max() < 1e-3


def test_moved_has_mirrors_and_all_orders() -> None:
    torch.manual_seed(0)
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 1.0]]).double()
    y = moved(x.expand(4000, 3, 2))
    close(
        distances_of(y).sort(1).values,
        distances_of(x[None]).sort(1).values[0].expand(4000, -1),
    )
    longest = y.norm(dim=2).argmax(1)
    shares = torch.bincount(longest, minlength=3) / 4000
    assert (shares - 1 / 3).abs().max() < 0.04
    places = y.norm(dim=2).argsort(1)
    a, b = (y[torch.arange(4000), places[:, k]] for k in (0, 1))
    handed = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0).double().mean()
    assert abs(handed - 0.5) < 0.04
    # Angles are uniform: their mean direction is 0.
    assert (a / a.norm(dim=1, keepdim=True)).mean(0).norm() < 0.05


def distances_of(x: Tensor) -> Tensor:
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1)
    return (x[:, i] - x[:, j]).norm(dim=2)


# The field


@pytest.mark.parametrize(("n", "dim"), SIZES)
def test_the_divergence_is_the_trace(n: int, dim: int) -> None:
    field, z = field_of(shaken(n, dim)), 3 * noise(30, (n - 1) * dim)
    v, trace = field.with_trace(T, z, ())
    close(v, field(T, z))
    close(trace, traces(field, z))
    close(trace, VelocityField.with_trace(field, T, z, basis(z))[1])


def test_the_trace_along_the_space_is_that_of_all_positions() -> None:
    field, x = field_of(shaken(4, 2)), 3 * noise(10, 4, 2)
    space = MeanFree(4, 2)

    def v(flat: Tensor) -> Tensor:
        return space.positions(field(T, space.numbers(flat.view(1, 4, 2)))).flatten()

    whole = vmap(jacrev(v))(x.flatten(1)).diagonal(dim1=1, dim2=2).sum(1)
    close(whole, field.with_trace(T, space.numbers(x), ())[1])


def test_the_field_is_that_of_the_formula() -> None:
    field, x = field_of(shaken(3, 2)), 2 * noise(1, 3, 2)
    space = MeanFree(3, 2)
    found = space.positions(field(T, space.numbers(x)))[0]
    w = field.w.detach().numpy()
    mu, tau = field.centres.numpy(), field.moments.numpy()

    def gaussians(at: float, centres: np.ndarray, width: float) -> np.ndarray:
        e = np.exp(-((at - centres) ** 2) / width**2)
        return e / e.sum()

    points, expected = x[0].numpy(), np.zeros((3, 2))
    for i in range(3):
        for j in range(3):
            if i != j:
                r = points[i] - points[j]
                k = gaussians(float(np.linalg.norm(r)), mu, 0.5)
                expected[i] += r * (k @ w @ gaussians(0.4, tau, 0.3))
    close(found, torch.from_numpy(expected), 1e-6)
    close(found.sum(0), torch.zeros(2).double())


def test_a_force_between_pairs_is_such_a_field() -> None:
    """-∇u = Σ_j r_ij φ with φ = -u′(d) / d."""
    x = noise(5, 4, 2).mul(2).requires_grad_()
    (slope,) = torch.autograd.grad(energy(x).sum(), x)
    r = x[:, :, None] - x[:, None]
    d = (r.square().sum(3) + torch.eye(4)).sqrt()
    phi = -(3.6 * (d - 4) ** 3 - 8 * (d - 4)) / d
    close((r * phi[..., None]).sum(2), -slope, 1e-9)


def test_particles_in_one_place_stay_there() -> None:
    field = field_of(shaken(3, 2))
    z = torch.zeros(2, 4).double().requires_grad_()
    v, trace = field.with_trace(T, z, ())
    assert not v.any()
    trace.sum().backward()
    assert z.grad is not None and z.grad.isfinite().all()
    close(trace, traces(field, z.detach()))


def test_a_new_flow_is_its_base() -> None:
    flow, x = equivariant(4, 2), MeanFree(4, 2).points(noise(10, 4, 2).float())
    close(flow.bijection(x)[0], x, 1e-5)
    close(flow.log_prob(x), flow.base.log_prob(x), 1e-5)


def test_the_sizes_are_those_of_the_authors() -> None:
    field = field_of(equivariant(4, 2))
    assert field.w.shape == (50, 10)
    assert field.centres[-1] == 8 and field.moments[-1] == 1
    close(field.log_widths.exp(), torch.full((50,), 0.5), 1e-6)
    close(field.log_paces.exp(), torch.full((10,), 0.3), 1e-6)


def test_one_particle_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 2 particles, got 1"):
        equivariant(1, 3)


def test_the_round_trip_gains_four_orders() -> None:
    x = MeanFree(4, 2).points(noise(10, 4, 2))
    errors = []
    for steps in (8, 16, 32):
        f = shaken(4, 2, steps, 0.05).bijection
        errors.append((f.inverse(f(x)[0])[0] - x).abs().max().item())
    assert errors[0] > 8 * errors[1] > 64 * errors[2]


# The base and its space


@pytest.mark.parametrize(("n", "dim"), SIZES)
def test_axes_are_orthonormal_and_have_no_centre(n: int, dim: int) -> None:
    space = MeanFree(n, dim)
    close(space.axes.T @ space.axes, torch.eye((n - 1) * dim).double())
    sums = space.axes.view(n, dim, -1).sum(0)
    close(sums, torch.zeros_like(sums))
    # They span what a singular value decomposition finds.
    centre = np.kron(np.ones((1, n)), np.eye(dim))
    null = torch.from_numpy(scipy.linalg.null_space(centre))
    close(space.axes @ space.axes.T, null @ null.T)
    x = noise(5, n, dim)
    close(space.positions(space.numbers(x)), space.points(x))


def test_samples_of_the_base_are_mean_free() -> None:
    torch.manual_seed(0)
    z = MeanFreeNormal(4, 2).double().sample(200_000)
    close(z.sum(1), torch.zeros(200_000, 2).double())
    covariance = z[:, :, 0].T @ z[:, :, 0] / 200_000
    close(covariance, torch.eye(4).double() - 0.25, 0.02)
    close(z.flatten(1).square().sum(1).mean(), torch.tensor(6.0).double(), 0.03)


def test_the_density_of_the_base_is_that_of_its_coordinates() -> None:
    z = MeanFree(4, 2).points(noise(10, 4, 2))
    numbers = MeanFree(4, 2).numbers(z)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(numbers).sum(1)
    close(MeanFreeNormal(4, 2).log_prob(z), expected)


def test_two_particles_have_a_density_of_volume_one() -> None:
    """On a grid; with a constant of N D numbers, the volume would be 1 / 2π."""
    flow = shaken(2, 2, 40, 0.1)
    ticks = torch.linspace(-9, 9, 181).double()
    numbers = torch.cartesian_prod(ticks, ticks)
    x = MeanFree(2, 2).positions(numbers)
    close((x[:, 0] - x[:, 1]).norm(dim=1), 2**0.5 * numbers.norm(dim=1))
    with torch.no_grad():
        volume = flow.log_prob(x).exp().sum() * 0.1**2
    assert volume.item() == pytest.approx(1, abs=2e-3)


# The double well


def test_distances_and_energies_are_those_of_all_pairs() -> None:
    x = 2 * noise(20, 4, 2)
    close(distances(x), distances_of(x))
    i, j = torch.triu_indices(4, 4, 1)
    d = (x[:, i] - x[:, j]).norm(dim=2)
    close(energy(x), (0.9 * (d - 4) ** 4 - 4 * (d - 4) ** 2).sum(1))
    # Its lowest places, and the barrier between them.
    s = math.sqrt(4 / 1.8)
    low = pair_energy(torch.tensor([4 - s, 4 + s]).double())
    close(low, torch.full_like(low, -4 / 0.9))


def test_the_quadrature_has_converged() -> None:
    exact, finer, wider = by_quadrature(), by_quadrature(0.07), by_quadrature(0.1, 9)
    for other in (finer, wider):
        assert exact.log_z == pytest.approx(other.log_z, abs=1e-6)
        assert exact.energy == pytest.approx(other.energy, abs=1e-6)
    assert exact.entropy == pytest.approx(exact.energy + exact.log_z)
    assert (exact.density.sum() * 0.1).item() == pytest.approx(1)


@pytest.mark.thorough
def test_the_quadrature_agrees_with_weights_of_a_wide_normal() -> None:
    """An independent estimate of Z: 4 million draws, in the six coordinates."""
    torch.manual_seed(0)
    space, scale = MeanFree(4, 2), 1.9
    estimates, exact = [], by_quadrature()
    for _ in range(8):
        numbers = scale * torch.randn(500_000, 6).double()
        log_q = torch.distributions.Normal(0.0, scale).log_prob(numbers).sum(1)
        log_w = -energy(space.positions(numbers)) - log_q
        estimates.append(log_w.logsumexp(0) - math.log(500_000))
    found = torch.stack(estimates)
    error = found.std().item() / 8**0.5
    assert error < 0.05
    assert found.mean().item() == pytest.approx(exact.log_z, abs=5 * error)


def test_z_of_two_particles_by_a_radius_and_by_coordinates() -> None:
    """The factor N^(D/2), for N = 2: relative vectors are √2 times the coordinates."""
    u = lambda d: float(pair_energy(torch.tensor(d).double()))  # noqa: E731
    radial = scipy.integrate.quad(
        lambda r: 2 * math.pi * r * math.exp(-u(r)), 0, 9, limit=200
    )[0]
    ticks = torch.linspace(-6, 6, 601).double()
    numbers = torch.cartesian_prod(ticks, ticks)
    x = MeanFree(2, 2).positions(numbers)
    d = (x[:, 0] - x[:, 1]).norm(dim=1)
    flat = (-pair_energy(d)).exp().sum().item() * 0.02**2
    assert flat == pytest.approx(radial / 2, rel=1e-6)


# Mistakes that are made in public


def test_far_from_all_centres_the_divergence_is_still_exact() -> None:
    """A library's φ′ divides by ε + s² where (ε + s)² is right, with s = Σ e."""
    field = KernelField(2, 2, 12, 4).double()
    nn.init.normal_(field.w, std=0.2)
    d = torch.tensor([9.5, 10.5, 12.0]).double()
    z = torch.stack((d / 2**0.5, 0 * d), 1)
    close(field.with_trace(T, z, ())[1], traces(field, z), 1e-9)
    x, epsilon = torch.tensor([9.7]).double().requires_grad_(), 1e-6
    e = (-(((x[:, None] - field.centres) / 0.5) ** 2)).exp()
    s = e.sum(1)
    (slope,) = torch.autograd.grad((e[:, -1] / (epsilon + s)).sum(), x)
    slopes = -2 * (x[:, None] - field.centres) / 0.25 * e
    theirs = slopes[:, -1] / (epsilon + s)
    theirs = theirs - e[:, -1] * slopes.sum(1) / (epsilon + s.square())
    assert (theirs - slope).abs().max() > 0.1 * slope.abs().max()


def test_bumps_add_up_to_one_everywhere() -> None:
    x = torch.tensor([-50.0, 0, 3, 8, 1e3, 1e6]).double()
    centres, widths = torch.linspace(0, 8, 12).double(), torch.full((12,), 0.5)
    k, s = bumps(x, centres, widths.double())
    close(k.sum(1), torch.ones(6).double())
    close(k[-1], torch.eye(12).double()[-1])
    assert s.isfinite().all()


def test_a_mean_over_pairs_with_the_trace_of_a_sum_is_no_density() -> None:
    """Conventions that are mixed: v over N - 1, and the divergence as it was."""
    field, z = field_of(shaken(4, 2)), 3 * noise(10, 6)
    j = vmap(jacrev(lambda z: field(T, z[None])[0] / 3))(z)
    trace = j.diagonal(dim1=1, dim2=2).sum(1)
    assert (field.with_trace(T, z, ())[1] - trace).abs().min() > 1e-3


def test_it_cannot_tell_a_hand_from_its_mirror() -> None:
    flow, x = shaken(4, 3), 2 * noise(10, 4, 3)
    close(flow.log_prob(x * torch.tensor([1, 1, -1])), flow.log_prob(x))
