"""Facts of adaptive MCMC (Gabrié et al., 2021): both moves, the field, its base."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal
from torch import Tensor
from torch.distributions import MultivariateNormal
from torch.nn.functional import pad

from implementations.adaptive_mcmc import (
    AllenCahn,
    InformedBase,
    TransferMatrix,
    Walkers,
    adapt,
    adaptive_mcmc,
    frozen,
    share_above,
)
from implementations.core.flow import Flow, StandardNormal
from implementations.core.samplers import hmc
from implementations.core.weights import effective_share, log_normaliser, weigh
from implementations.real_nvp import MaskedCoupling
from tests.support.perturb import noise

SMALL = AllenCahn(3, 0.1, 0.02, 20.0)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def shaken(sites: int, size: float = 0.1) -> Flow:
    """A flow on the informed base whose parameters are random."""
    torch.manual_seed(0)
    flow = adaptive_mcmc(InformedBase(AllenCahn(sites)), 4, (8, 8))
    for numbers in flow.parameters():
        numbers.data.add_(size * torch.randn_like(numbers))
    return flow


# The field


def test_the_energy_is_that_of_its_sum() -> None:
    phi, n, a, b = noise(5, 6), 6, 0.3, 0.1
    ends = torch.cat((torch.zeros(5, 1), phi, torch.zeros(5, 1)), 1)
    steps = sum((ends[:, i + 1] - ends[:, i]) ** 2 for i in range(n + 1))
    wells = ((1 - phi**2) ** 2 / 4 + b * phi).sum(1)
    energy = a * n / 2 * steps + wells / (a * n)
    close(AllenCahn(n, a, b, 3.0).log_density(phi), -3 * energy)


def test_the_slope_is_that_of_the_equation() -> None:
    """β [aN (φ_{i+1} - 2φ_i + φ_{i-1}) + (φ_i - φ_i³ - b) / (aN)]."""
    field, phi = AllenCahn(7, 0.2, 0.05, 4.0), noise(3, 7).requires_grad_()
    (slope,) = torch.autograd.grad(field.log_density(phi).sum(), phi)
    bent, an = pad(phi, (1, 1)).diff().diff(), 0.2 * 7
    close(slope, 4 * (an * bent + (phi - phi**3 - 0.05) / an))


def test_beta_multiplies_all_of_the_log_density() -> None:
    """Weights that leave it out are those of another target."""
    phi = noise(5, 32)
    cold, warm = (AllenCahn(beta=beta).log_density(phi) for beta in (20.0, 1.0))
    close(cold, 20 * warm)
    close(AllenCahn(b=0).log_density(-phi), AllenCahn(b=0).log_density(phi))


# The transfer matrix


def test_two_sites_agree_with_quadrature() -> None:
    field = AllenCahn(2, 0.5, 0.1, 4.0)

    def density(y: float, x: float) -> float:
        return field.log_density(torch.tensor([x, y]).double()).exp().item()

    z = dblquad(density, -3, 3, -3, 3, epsabs=1e-6)[0]
    assert TransferMatrix(field).log_z == pytest.approx(math.log(z), abs=1e-4)


def test_three_sites_agree_with_a_sum_over_all_fields() -> None:
    ticks = torch.linspace(-2, 2, 101).double()
    phi = torch.cartesian_prod(ticks, ticks, ticks)
    log_p = SMALL.log_density(phi)
    exact = TransferMatrix(SMALL)
    cell = 3 * math.log(0.04)
    assert exact.log_z == pytest.approx(log_p.logsumexp(0).item() + cell, abs=1e-4)
    half = (1 + phi[:, 1].sign()) / 2
    share = (log_p.softmax(0) * half).sum().item()
    assert exact.above() == pytest.approx(share, rel=1e-3)
    assert exact.log_z == pytest.approx(-6.43326, abs=1e-4)
    assert exact.above() == pytest.approx(4.7375e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("b", "log_z", "above"),
    [(0.0, -59.4957, 0.5), (0.004, -59.3023, 0.2175), (0.02, None, 0.0017)],
)
def test_known_answers_of_32_sites(b: float, log_z: float | None, above: float) -> None:
    exact = TransferMatrix(AllenCahn(b=b))
    assert exact.above() == pytest.approx(above, abs=1e-4)
    assert log_z is None or exact.log_z == pytest.approx(log_z, abs=1e-3)


def test_exact_draws_have_the_exact_share_and_energy() -> None:
    torch.manual_seed(0)
    field = AllenCahn()
    exact = TransferMatrix(field)
    drawn = exact.sample(4000)
    assert drawn.shape == (4000, 32) and drawn.dtype == torch.float32
    up = (drawn[:, 16] > 0).double()
    assert up.mean().item() == pytest.approx(exact.above(), abs=0.03)
    # E[U] = -∂ log Z / ∂β; the integral over fields has its own 32 factors of none.
    step = 0.05
    pair = (TransferMatrix(AllenCahn(beta=20 + s * step)).log_z for s in (1, -1))
    mean = -(next(pair) - next(pair)) / (2 * step)
    energy = -field.log_density(drawn).mean().item() / field.beta
    assert energy == pytest.approx(mean, abs=0.02)


# The informed base


@pytest.mark.parametrize("sites", [2, 5, 32])
def test_the_base_is_the_gaussian_of_its_precision_matrix(sites: int) -> None:
    field = AllenCahn(sites, 0.2, 0.0, 3.0)
    base, an = InformedBase(field).double(), 0.2 * sites
    off = torch.ones(sites - 1).double()
    precision = 3 * ((2 * an + 1 / an) * torch.eye(sites).double())
    precision = precision - 3 * an * (off.diag(1) + off.diag(-1))
    z = noise(6, sites)
    oracle = MultivariateNormal(torch.zeros(sites).double(), precision_matrix=precision)
    close(base.log_prob(z), oracle.log_prob(z))
    by_scipy = multivariate_normal(cov=torch.linalg.inv(precision).numpy())
    assert base.log_prob(z)[0].item() == pytest.approx(by_scipy.logpdf(z[0].numpy()))


def test_draws_of_the_base_have_its_covariance() -> None:
    torch.manual_seed(0)
    base = InformedBase(AllenCahn(4, 0.5, 0.0, 2.0)).double()
    z = noise(1, 4).repeat(1, 1)
    hessian = torch.autograd.functional.hessian(
        lambda x: base.log_prob(x[None])[0], z[0]
    )
    assert isinstance(hessian, Tensor)
    drawn = base.sample(200_000)
    close(drawn.T.cov(), torch.linalg.inv(-hessian), 0.01)


def test_with_a_parabola_for_wells_the_base_is_the_target() -> None:
    """Then each jump is accepted."""
    torch.manual_seed(0)
    field = AllenCahn(6)
    flow = adaptive_mcmc(InformedBase(field), 2, (8,)).double()
    an = field.a * field.sites

    def log_density(phi: Tensor) -> Tensor:
        steps = pad(phi, (1, 1)).diff().square().sum(1)
        return -field.beta * (an / 2 * steps + phi.square().sum(1) / (2 * an))

    x, log_w = weigh(flow, log_density, 100)
    close(log_w, log_w[:1].expand(100))
    walkers = Walkers(flow, log_density, x, 0.05)
    frozen(walkers, 5)
    assert walkers.accepted == [1.0] * 5


# The flow


def test_a_new_flow_is_its_base_and_halves_lie_side_by_side() -> None:
    base = InformedBase(AllenCahn(5)).double()
    flow, x = adaptive_mcmc(base, 3, (8,)).double(), noise(4, 5)
    close(flow.log_prob(x), base.log_prob(x))
    masks = [m.mask.tolist() for m in flow.modules() if isinstance(m, MaskedCoupling)]
    left = [True, True, False, False, False]
    assert masks == [[not kept for kept in left], left, [not kept for kept in left]]


def test_a_base_has_one_axis() -> None:
    with pytest.raises(ValueError):
        adaptive_mcmc(StandardNormal((1, 4)))


# The moves


def test_one_leap_is_a_step_of_langevin() -> None:
    """y = x + δ ∇log ρ + √(2δ) ξ, for those that are taken."""
    field, x, delta = AllenCahn(4), 0.3 * noise(50, 4), 1e-3
    step = math.sqrt(2 * delta)
    torch.manual_seed(1)
    y = hmc(field.log_density, x, 1, step, 1).states[0]
    torch.manual_seed(1)
    xi, at = torch.randn_like(x), x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(field.log_density(at).sum(), at)
    moved = (y != x).all(1)
    assert moved.sum() > 40
    close(y[moved], (x + delta * slope + step * xi)[moved])


def test_the_test_makes_langevin_exact() -> None:
    """Without it, a normal of variance 1 comes out with 1 / (1 - δ / 2)."""
    torch.manual_seed(0)
    delta, x = 0.6, torch.randn(20_000, 1)
    for _ in range(30):
        x = x - delta * x + math.sqrt(2 * delta) * torch.randn_like(x)
    assert x.var().item() == pytest.approx(1 / (1 - delta / 2), rel=0.05)
    start = torch.randn(20_000, 1)
    log_p = lambda x: -x.square().sum(1) / 2  # noqa: E731
    states = hmc(log_p, start, 30, math.sqrt(2 * delta), 1).states[-1]
    assert states.var().item() == pytest.approx(1, rel=0.04)


def test_a_perfect_flow_is_always_accepted() -> None:
    flow = shaken(5)
    walkers = Walkers(flow, flow.log_prob, flow.sample(50), 0.01)
    frozen(walkers, 4)
    assert walkers.accepted == [1.0] * 4


def test_walkers_keep_their_target_whatever_the_flow() -> None:
    """From exact draws, shares and energies stay as they are, for an untrained flow."""
    torch.manual_seed(0)
    field = AllenCahn(8, 0.3, 0.05, 3.0)
    exact, flow = TransferMatrix(field), adaptive_mcmc(InformedBase(field), 2, (8,))
    walkers = Walkers(flow, field.log_density, exact.sample(4000), 0.2)
    states = frozen(walkers, 25)
    assert sum(walkers.accepted) / 25 > 0.1
    share = share_above(states[..., 4])
    assert abs(share.value - exact.above()) < 4 * share.error < 0.05
    energy = field.log_density(states[-1]).mean().item()
    start = field.log_density(walkers.path[0]).mean().item()
    assert energy == pytest.approx(start, abs=0.15)


def test_a_jump_weighs_the_walker_by_the_flow_as_it_is_now() -> None:
    """So walkers keep the target though the flow changes between jumps."""
    torch.manual_seed(0)
    flow, n = adaptive_mcmc(StandardNormal((2,)), 2, (4,)), 40_000
    log_p = lambda x: -2 * x.square().sum(1)  # noqa: E731
    walkers = Walkers(flow, log_p, 0.5 * torch.randn(n, 2), 1e-4)
    for k in range(4):
        for numbers in flow.parameters():
            numbers.data.copy_(0.5 * (-1) ** k * torch.ones_like(numbers))
        walkers()
    x = walkers.path[-1]
    assert x.square().mean().item() == pytest.approx(0.25, rel=0.03)
    assert x.mean().item() == pytest.approx(0, abs=0.01)


def test_an_iteration_is_one_jump_and_four_local_moves() -> None:
    flow = shaken(4)
    walkers = Walkers(flow, AllenCahn(4).log_density, flow.sample(10), 0.05)
    visited = walkers()
    assert visited.shape == (40, 4)
    assert torch.equal(visited[30:], walkers.path[1])
    assert len(walkers.path) == 2 and len(walkers.accepted) == 1


def test_only_adapt_changes_the_flow() -> None:
    torch.manual_seed(0)
    flow = shaken(4)
    walkers = Walkers(flow, AllenCahn(4).log_density, flow.sample(10), 0.05)
    before = [numbers.clone() for numbers in flow.parameters()]
    path = frozen(walkers, 3)
    assert path.shape == (3, 10, 4) and torch.equal(path[-1], walkers.path[-1])
    assert all(map(torch.equal, before, flow.parameters()))
    adapt(walkers, 2)
    # `fit` draws one batch more, to initialise the flow.
    assert len(walkers.path) == 7
    assert not all(map(torch.equal, before, flow.parameters()))


def test_the_error_of_a_share_is_that_between_walkers() -> None:
    x = torch.tensor([[1.0, -1.0], [1.0, -1.0], [1.0, 1.0]])
    share = share_above(x)
    assert share.value == pytest.approx(4 / 6)
    assert share.error == pytest.approx(math.sqrt(2) / 3 / math.sqrt(2))
    assert share_above(torch.ones(5, 3)) == (1.0, 0.0)


# What acceptance and effective share hide


def test_from_one_well_all_signs_are_good_and_log_z_is_that_of_the_well() -> None:
    """For normals at -3 and 3 with masses of 0.8 and 0.2, and a flow of the latter."""
    torch.manual_seed(0)
    flow = adaptive_mcmc(StandardNormal((2,)), 1, (4,))

    def log_density(x: Tensor) -> Tensor:
        near = flow.base.log_prob(x) + math.log(0.2)
        return torch.logaddexp(near, flow.base.log_prob(x + 9) + math.log(0.8))

    walkers = Walkers(flow, log_density, torch.randn(100, 2), 0.5)
    states = frozen(walkers, 50)
    log_w = weigh(flow, log_density, 2000)[1]
    assert sum(walkers.accepted) / 50 > 0.99
    assert effective_share(log_w) > 0.99
    assert log_normaliser(log_w).value == pytest.approx(math.log(0.2), abs=1e-3)
    assert (states > -6).all()
