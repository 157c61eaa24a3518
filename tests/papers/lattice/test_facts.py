"""Facts of lattice flows (Albergo et al., 2019): the action, the flow, the chain."""

from __future__ import annotations

import math
from collections.abc import Callable

import normflows
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor, nn

from implementations.core.bijection import Compose, Inverse
from implementations.core.flow import Flow
from implementations.core.samplers import hmc
from implementations.core.weights import effective_share, log_normaliser, weigh
from implementations.lattice import (
    PhiFour,
    autocorrelation_time,
    chain_mean,
    free_field,
    independence_metropolis,
    lattice,
    mean_square,
    susceptibility,
    walk,
)
from implementations.real_nvp import MaskedCoupling, with_dense_networks
from tests.support.perturb import noise

THEORY = PhiFour(-4.0, 6.975)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def shaken(side: int, layers: int = 3, size: float = 0.3) -> Flow:
    """A flow of float64 whose parameters are random."""
    torch.manual_seed(0)
    flow = lattice(side, layers, (4,)).double()
    for numbers in flow.parameters():
        numbers.data.add_(size * torch.randn_like(numbers))
    return flow


# The action


@pytest.mark.parametrize(
    "moved",
    [
        lambda x: x.roll((1, 3), (2, 3)),
        lambda x: x.rot90(1, (2, 3)),
        lambda x: x.flip(2),
        torch.neg,
    ],
)
def test_the_action_has_the_symmetries_of_the_torus(
    moved: Callable[[Tensor], Tensor],
) -> None:
    phi = noise(5, 1, 6, 6)
    close(THEORY.action(moved(phi)), THEORY.action(phi))


def test_the_action_has_no_half_and_no_factorial() -> None:
    c, lam = 0.7, THEORY.lam
    constant = torch.full((1, 1, 6, 6), c).double()
    expected = 36 * (THEORY.m2 * c**2 + lam * c**4)
    assert THEORY.action(constant).item() == pytest.approx(expected)
    bump = torch.zeros(1, 1, 6, 6).double()
    bump[0, 0, 2, 5] = c
    expected = (4 + THEORY.m2) * c**2 + lam * c**4
    assert THEORY.action(bump).item() == pytest.approx(expected)


def test_the_action_is_that_of_the_authors_tutorial() -> None:
    """Σ (2φ² - φ φ(x + μ) - φ φ(x - μ)) in the place of squared differences."""
    phi = noise(5, 1, 4, 6)
    theirs = THEORY.m2 * phi**2 + THEORY.lam * phi**4
    for mu in (2, 3):
        theirs = theirs + 2 * phi**2 - phi * (phi.roll(1, mu) + phi.roll(-1, mu))
    close(THEORY.action(phi), theirs.sum((1, 2, 3)))


def test_the_free_field_is_the_gaussian_of_its_precision_matrix() -> None:
    side, theory = 4, PhiFour(0.3, 0.0)

    def action(flat: Tensor) -> Tensor:
        return theory.action(flat.view(1, side, side))

    x = noise(side**2)
    hessian = torch.autograd.functional.hessian(action, x)
    assert isinstance(hessian, Tensor)
    sigma = torch.linalg.inv(hessian)
    square, chi, log_z = free_field(side, theory.m2)
    assert square == pytest.approx(sigma.diagonal().mean().item())
    assert chi == pytest.approx(sigma.sum().item() / side**2)
    oracle = multivariate_normal(cov=sigma.numpy()).logpdf(x.numpy())
    assert (-action(x)).item() - log_z == pytest.approx(float(oracle))


# The flow


def test_a_new_flow_is_the_standard_normal() -> None:
    flow, phi = lattice(6), torch.randn(10, 1, 6, 6)
    close(flow.log_prob(phi), flow.base.log_prob(phi), 1e-5)


@pytest.mark.parametrize("shift", [(2, 0), (0, 2), (1, 1), (3, -1)])
def test_the_flow_knows_no_edges(shift: tuple[int, int]) -> None:
    """Shifts that keep the colours of the checkerboard change nothing."""
    flow, phi = shaken(6), noise(20, 1, 6, 6)
    close(flow.log_prob(phi.roll(shift, (2, 3))), flow.log_prob(phi))
    assert (flow.log_prob(phi.roll(1, 2)) - flow.log_prob(phi)).abs().max() > 1e-3


def test_an_odd_torus_has_no_checkerboard() -> None:
    with pytest.raises(ValueError, match="even side, got 5"):
        lattice(5)


def test_s_and_t_see_only_sites_that_stay() -> None:
    layer = next(m for m in shaken(4).modules() if isinstance(m, MaskedCoupling))
    x = noise(3, 1, 4, 4)
    close(layer._params(x), layer._params(torch.where(layer.mask, x, 7.0)))
    close(torch.where(layer.mask, layer(x)[0] - x, 0), torch.zeros_like(x))


class NetworkOutput(nn.Module):
    """s or t of a layer, as a network of normflows."""

    def __init__(self, layer: MaskedCoupling, which: int) -> None:
        super().__init__()
        self.layer, self.which = layer, which

    def forward(self, x: Tensor) -> Tensor:
        s, t = self.layer._params(x).unbind(-1)
        return (self.layer.univariate.a * s.tanh(), t)[self.which]  # pyright: ignore


def test_couplings_are_those_of_normflows() -> None:
    """Both go from noise to the field: φ_b = exp(s) z_b + t."""
    flow, z = shaken(4, 4), noise(10, 1, 4, 4)
    assert isinstance(flow.bijection, Inverse)
    ours = flow.bijection.bijection
    assert isinstance(ours, Compose)
    phi, log_det = z, torch.zeros(10).double()
    for layer in ours.layers:
        assert isinstance(layer, MaskedCoupling)
        mask = layer.mask.double()
        theirs = normflows.flows.MaskedAffineFlow(
            mask, NetworkOutput(layer, 1), NetworkOutput(layer, 0)
        )
        phi, term = theirs(phi)
        log_det = log_det + term
    close(ours(z)[0], phi)
    close(ours(z)[1], log_det)


def test_dense_networks_are_those_of_the_paper() -> None:
    flow = with_dense_networks(lattice(4, 2), (8,)).double()
    for numbers in flow.parameters():
        numbers.data.add_(0.1 * torch.randn_like(numbers))
    phi = noise(10, 1, 4, 4)
    z, log_det = flow.bijection(phi)
    back, negated = flow.bijection.inverse(z)
    close(back, phi)
    close(negated, -log_det)


def test_gradients_go_through_the_samples() -> None:
    """With samples that are detached, the mean gradient is 0: nothing is learned."""

    def slope(detached: bool) -> float:
        torch.manual_seed(0)
        flow = lattice(4, 1, (4,))
        x, log_q = flow.rsample_and_log_prob(20_000)
        if detached:
            x = x.detach()
            log_q = flow.log_prob(x)
        (log_q - THEORY.log_density(x)).mean().backward()
        biases = [p for n, p in flow.named_parameters() if n.endswith("m.2.bias")]
        (grad,) = (b.grad for b in biases)
        assert grad is not None
        return grad[0].item()

    assert abs(slope(detached=True)) < 0.03 * abs(slope(detached=False))


def test_the_loss_bounds_log_z() -> None:
    """Their difference is KL(q ‖ p), which is known for an untrained flow."""
    theory = PhiFour(1.0, 0.0)
    _, log_w = weigh(lattice(4), theory.log_density, 20_000)
    log_z = free_field(4, 1.0)[2]
    k = 2 - 2 * (math.pi / 2 * torch.arange(4).double()).cos()
    precision = 2 * (1 + k + k[:, None])
    kl = (precision - 1 - precision.log()).sum().item() / 2
    assert log_z - log_w.mean().item() == pytest.approx(kl, rel=0.03)


# The chain

P = torch.tensor([0.5, 0.3, 0.2]).double()
Q = torch.tensor([0.1, 0.2, 0.7]).double()


def shares(states: Tensor) -> Tensor:
    return states.flatten().bincount(minlength=3).double() / states.numel()


def of_three(n: int = 4000, chains: int = 50) -> tuple[Tensor, Tensor]:
    """Draws from Q of which P is the target, and log w."""
    torch.manual_seed(0)
    drawn = torch.multinomial(Q, n * chains, replacement=True).view(n, chains)
    return drawn, (P / Q).log()[drawn]


def test_the_chain_has_the_shares_of_the_target() -> None:
    drawn, log_w = of_three()
    at = walk(log_w)
    states = drawn.gather(0, at)
    close(shares(states[100:]), P, 0.01)
    # Each pair of states is as frequent as the kernel says.
    ratio = ((P / Q) / (P / Q)[:, None]).clamp(max=1)
    kernel = Q * ratio
    kernel = kernel + (1 - kernel.sum(1)).diag()
    close(P @ kernel, P)
    pairs = (3 * states[100:-1] + states[101:]).flatten().bincount(minlength=9)
    close(pairs.view(3, 3).double() / pairs.sum(), P[:, None] * kernel, 0.01)


def test_without_repeated_states_the_shares_are_wrong() -> None:
    drawn, log_w = of_three()
    at = walk(log_w)
    taken = at == torch.arange(1, at.shape[0] + 1)[:, None]
    assert (shares(drawn[1:][taken]) - P).abs().max() > 0.05


def test_walk_is_the_loop_of_one_chain() -> None:
    log_w = noise(50, 3)
    torch.manual_seed(1)
    found = walk(log_w)
    torch.manual_seed(1)
    log_u = torch.rand_like(log_w).log()
    for chain in range(3):
        current = 0
        for step in range(1, 50):
            if log_u[step, chain] < log_w[step, chain] - log_w[current, chain]:
                current = step
            assert found[step - 1, chain] == current


def test_only_differences_of_weights_count() -> None:
    log_w = noise(200, 4)
    found = []
    for constant in (0.0, 1000.0):
        torch.manual_seed(0)
        found.append(walk(log_w + constant))
    assert torch.equal(*found)


def test_weights_that_are_not_finite_are_never_taken() -> None:
    log_w = torch.tensor([0.0, math.nan, math.inf, -math.inf, 5.0])[:, None]
    assert walk(log_w).flatten().tolist() == [0, 0, 0, 4]
    assert walk(torch.tensor([math.nan, -3.0])[:, None]).item() == 1


def test_a_perfect_flow_is_always_accepted() -> None:
    flow = lattice(4)
    run = independence_metropolis(flow, flow.log_prob, 100, 3)
    assert run.accepted == 1
    assert torch.equal(run.at, torch.arange(1, 101)[:, None].expand(-1, 3))
    assert torch.equal(run.states, run.proposals[1:])


def test_states_are_proposals_and_keep_their_weights() -> None:
    flow = shaken(4)
    run = independence_metropolis(flow, THEORY.log_density, 60, 5)
    assert run.states.shape == (60, 5, 1, 4, 4)
    assert run.log_w.dtype == torch.float64
    flat = run.states.flatten(0, 1)
    log_w = (THEORY.log_density(flat) - flow.log_prob(flat)).view(60, 5)
    close(log_w, run.log_w.gather(0, run.at))
    moved = (run.at.diff(dim=0, prepend=run.at.new_zeros(1, 5)) > 0).double()
    assert run.accepted == pytest.approx(moved.mean().item())


def narrow(phi: Tensor) -> Tensor:
    """The log-density of N(0, ¼), without its constant."""
    return -2 * phi.square().sum((1, 2, 3))


def test_from_a_start_of_the_target_the_chain_keeps_the_target() -> None:
    """Whatever flow made the start: its log q is that of the flow which proposes."""
    torch.manual_seed(0)
    flow, n = lattice(2, 1), 100_000
    start = 0.5 * torch.randn(n, 1, 2, 2)
    run = independence_metropolis(flow, narrow, 1, n, start)
    first = narrow(start) - flow.log_prob(start)
    close(run.log_w[0], first.double(), 1e-5)
    assert mean_square(run.states).mean().item() == pytest.approx(0.25, rel=0.01)
    # With the log q of the flow of the start, a perfect one, it does not.
    old = run.log_w.clone()
    old[0] = 0
    wrong = run.proposals[walk(old)[0], torch.arange(n)]
    assert abs(mean_square(wrong).mean().item() / 0.25 - 1) > 0.03


def test_a_start_has_a_row_for_each_chain() -> None:
    flow = lattice(2, 1)
    with pytest.raises(RuntimeError):
        independence_metropolis(flow, narrow, 5, 3, torch.zeros(2, 1, 2, 2))


def test_heavy_states_stay_as_long_as_their_weight_says() -> None:
    """At least w over the mean weight, on average."""
    w = noise(1000).exp()
    acceptance = (w / w[:, None]).clamp(max=1).mean(1)
    assert (1 / acceptance >= w / w.mean() - 1e-9).all()


def two_by_two(theory: PhiFour, n: int = 28, end: float = 1.8) -> tuple[float, float]:
    """⟨φ²⟩ and log Z on 2×2 sites, by quadrature."""
    ticks = torch.linspace(-end, end, n).double()
    phi = torch.cartesian_prod(*[ticks] * 4).view(-1, 1, 2, 2)
    log_p = theory.log_density(phi)
    square = (log_p.softmax(0) * mean_square(phi)).sum()
    cell = 4 * math.log(ticks[1] - ticks[0])
    return square.item(), log_p.logsumexp(0).item() + cell


def test_chain_weights_and_hmc_agree_with_quadrature() -> None:
    """For a flow that was never trained."""
    torch.manual_seed(0)
    square, log_z = two_by_two(THEORY)
    assert (square, log_z) == pytest.approx(two_by_two(THEORY, 36), rel=1e-6)
    run = independence_metropolis(lattice(2, 2), THEORY.log_density, 2000, 50)
    found = chain_mean(mean_square(run.states[200:]))
    assert abs(found.value - square) < 4 * found.error < 0.02
    weighted = log_normaliser(run.log_w.flatten())
    assert abs(weighted.value - log_z) < 4 * weighted.error < 0.1
    start = 0.3 * torch.randn(64, 1, 2, 2)
    states = hmc(THEORY.log_density, start, 600, 0.15, 6).states[100:]
    by_hmc = chain_mean(mean_square(states))
    assert abs(by_hmc.value - square) < 4 * by_hmc.error < 0.01


def test_hmc_agrees_with_the_free_field() -> None:
    torch.manual_seed(0)
    start = 0.3 * torch.randn(64, 1, 4, 4)
    states = hmc(PhiFour(1.0, 0.0).log_density, start, 600, 0.2, 6).states[100:]
    for each, exact in zip(
        (mean_square, susceptibility), free_field(4, 1.0)[:2], strict=True
    ):
        found = chain_mean(each(states))
        assert abs(found.value - exact) < 4 * found.error < 0.05


# Autocorrelation


@pytest.mark.parametrize("a", [0.0, 0.5, 0.9])
def test_tau_of_an_autoregression(a: float) -> None:
    """ρ(t) = a^t, so τ = (1 + a) / (1 - a): twice the τ of many physicists."""
    torch.manual_seed(0)
    e = torch.randn(20_000, 8).double()
    values = [e[0]]
    for each in e[1:]:
        values.append(a * values[-1] + math.sqrt(1 - a * a) * each)
    series = torch.stack(values)
    tau = (1 + a) / (1 - a)
    assert autocorrelation_time(series) == pytest.approx(tau, rel=0.1)
    error = math.sqrt(tau / series.numel())
    assert chain_mean(series).error == pytest.approx(error, rel=0.1)


def test_a_chain_that_never_moves_has_no_tau() -> None:
    assert autocorrelation_time(torch.ones(100, 2)) == math.inf


def test_tau_is_not_one_over_the_effective_share() -> None:
    """Draws with equal weights but one: the share is near 1, the chain still stays."""
    torch.manual_seed(0)
    log_w = torch.zeros(4000, 8).double()
    log_w[::400] = math.log(50.0)
    states = torch.randn(4000, 8).gather(0, walk(log_w))
    tau, share = autocorrelation_time(states), effective_share(log_w.flatten())
    assert tau > 1.5 / share


# The sign that is missing


def one_sign() -> Flow:
    """N(1.4, ¼²) at each of 2×2 sites."""
    flow = lattice(2, 2, (4,))
    for layer in flow.modules():
        if isinstance(layer, MaskedCoupling):
            last = layer.m[-1]  # pyright: ignore[reportIndexIssue]
            last.bias.data.copy_(torch.tensor([-9.0, 1.4]))
            layer.univariate.a.data.fill_(math.log(4))  # pyright: ignore
    return flow


def test_signs_by_chance_change_log_z_and_no_share() -> None:
    torch.manual_seed(0)
    flow, wells = one_sign(), PhiFour(-4.0, 1.0)
    exact = two_by_two(wells, 36, 2.8)[1]
    run = independence_metropolis(flow, wells.log_density, 2000, 10)
    x, log_w = run.proposals.flatten(0, 1), run.log_w.flatten()
    assert (run.states.mean((2, 3, 4)) > 0).all() and run.accepted > 0.4
    with torch.no_grad():
        log_q = torch.logaddexp(flow.log_prob(x), flow.log_prob(-x)) - math.log(2)
    both = wells.log_density(x).double() - log_q.double()
    assert log_normaliser(log_w).value == pytest.approx(exact - math.log(2), abs=0.05)
    assert log_normaliser(both).value == pytest.approx(exact, abs=0.05)
    assert effective_share(both) == pytest.approx(effective_share(log_w), rel=1e-3)
