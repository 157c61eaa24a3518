"""Facts of APT (Greenberg et al., 2019): its loss, its simulators, and its edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from implementations.apt import (
    Crescents,
    InferenceTask,
    LinearGaussian,
    apt,
    atomic_loss,
    divergence,
    infer,
    leakage,
    learn,
    lotka_volterra,
    plain_loss,
    populations,
    sample_inside,
    two_moons,
    uniform,
)
from tests.support.perturb import noise

STANDARD = Independent(Normal(torch.zeros(1), 1.0), 1)


def gaussian_pairs(n: int = 100_000) -> tuple[Tensor, Tensor]:
    """θ from the proposal N(1, 0.25), and x = θ + ε/2."""
    torch.manual_seed(0)
    theta = 1 + 0.5 * torch.randn(n, 1)
    return theta, theta + 0.5 * torch.randn_like(theta)


def exact_posterior() -> LinearGaussian:
    return LinearGaussian(0.8, 0.0, math.log(0.2) / 2)


def slope(loss: Tensor, q: LinearGaussian) -> Tensor:
    (found,) = torch.autograd.grad(loss, q.weights)
    return found


def test_the_other_atoms_are_other_rows_and_differ() -> None:
    """With M = 5 of 5 rows, each question has each row once, its own at the front."""
    torch.manual_seed(0)
    theta, seen = torch.arange(5.0)[:, None], []

    def record(theta: Tensor, x: Tensor) -> Tensor:
        seen.append((theta, x))
        return theta[:, 0]

    atomic_loss(record, theta, theta, uniform(-9, 9, 1), 5)
    among, x = (each.view(5, 5) for each in seen[0])
    assert (x == theta).all() and torch.equal(among[:, :1], theta)
    assert torch.equal(among.sort(1).values, theta.T.expand(5, 5))


@pytest.mark.parametrize("atoms", [0, 1, 101])
def test_one_atom_is_refused_and_so_are_more_than_rows(atoms: int) -> None:
    """The loss of one atom would be 0, and teach nothing."""
    theta, x = gaussian_pairs(100)
    with pytest.raises(ValueError, match=f"expected 2 to 100 atoms, got {atoms}"):
        atomic_loss(exact_posterior().log_prob, theta, x, STANDARD, atoms)


def test_the_loss_is_the_cross_entropy_of_the_quotients() -> None:
    """Written as sums over all atoms; all rows but itself where M is the batch."""
    theta, x = gaussian_pairs(7)
    q = exact_posterior()
    found = atomic_loss(q.log_prob, theta, x, STANDARD, 7)
    among = theta.view(1, 7, 1).expand(7, 7, 1).flatten(0, 1)
    ratios = q.log_prob(among, x.repeat_interleave(7, 0)) - STANDARD.log_prob(among)
    weights = ratios.view(7, 7).exp()
    expected = -(weights.diagonal() / weights.sum(1)).log().mean()
    torch.testing.assert_close(found, expected)


def test_the_loss_of_the_prior_is_log_m() -> None:
    theta, x = gaussian_pairs(50)
    q = LinearGaussian()
    found = atomic_loss(q.log_prob, theta, x, STANDARD, 10).item()
    assert found == pytest.approx(math.log(10), abs=1e-5)


def test_the_loss_cannot_see_a_factor_that_depends_on_x() -> None:
    """This is why mass leaks."""
    theta, x = gaussian_pairs(50)
    q, losses = exact_posterior(), []
    for factor in (0.0, 3.0):

        def log_q(theta: Tensor, x: Tensor, factor: float = factor) -> Tensor:
            return q.log_prob(theta, x) - factor * x.square().sum(1)

        torch.manual_seed(0)
        losses.append(atomic_loss(log_q, theta, x, STANDARD).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.parametrize("atoms", [2, 10])
def test_the_loss_stops_at_the_posterior(atoms: int) -> None:
    theta, x = gaussian_pairs()
    q = exact_posterior()
    assert slope(atomic_loss(q.log_prob, theta, x, STANDARD, atoms), q).abs().max() < (
        0.03
    )


def test_plain_likelihood_does_not() -> None:
    """Later rounds by likelihood alone, as by those who forget the proposal."""
    theta, x = gaussian_pairs()
    q = exact_posterior()
    found = slope(plain_loss(q.log_prob, theta, x), q)
    torch.testing.assert_close(
        found, torch.tensor([-0.26, -1.0, -0.05]), atol=0.1, rtol=0
    )


def test_with_the_wrong_sign_of_the_prior_neither_does_it() -> None:
    """With a uniform prior, nobody would notice."""

    class Reversed:
        def __init__(self, prior: Independent) -> None:
            self.prior = prior

        def log_prob(self, theta: Tensor) -> Tensor:
            return -self.prior.log_prob(theta)

    theta, x = gaussian_pairs(20_000)
    q = exact_posterior()
    wrong = Reversed(STANDARD)
    found = slope(atomic_loss(q.log_prob, theta, x, wrong), q)  # pyright: ignore[reportArgumentType]
    assert found.abs().max() > 0.5
    box = uniform(-9, 9, 1)
    losses = []
    for prior in (box, Reversed(box)):  # pyright: ignore[reportArgumentType]
        torch.manual_seed(0)
        losses.append(atomic_loss(q.log_prob, theta, x, prior).item())  # pyright: ignore[reportArgumentType]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def proposal_posterior(q: Normal, proposal: Normal, prior: Normal) -> Normal:
    """Return q · proposal / prior, normalised, by adding precisions (appendix A.1)."""
    terms = (q, 1), (proposal, 1), (prior, -1)
    precision = torch.stack([s / each.variance for each, s in terms]).sum()
    weighted = torch.stack([s * each.mean / each.variance for each, s in terms]).sum()
    return Normal(weighted / precision, precision.rsqrt())


def test_gaussian_transformation_is_that_of_quadrature() -> None:
    q, proposal, prior = Normal(0.7, 0.5), Normal(1.2, 0.8), Normal(0.1, 1.5)
    grid = torch.linspace(-8, 8, 4001)
    log_p = q.log_prob(grid) + proposal.log_prob(grid) - prior.log_prob(grid)
    density = log_p.softmax(0) / (grid[1] - grid[0])
    found = proposal_posterior(q, proposal, prior)
    torch.testing.assert_close(found.log_prob(grid).exp(), density, atol=1e-4, rtol=0)


def test_precision_grows_by_that_of_the_likelihood_in_each_round() -> None:
    """By plain likelihood it is 1 + 4k after round k, as the notebook says."""
    prior, exact = Normal(0.0, 1.0), Normal(0.8, math.sqrt(0.2))
    found = prior
    for k in range(1, 5):
        found = proposal_posterior(exact, found, prior)
        assert 1 / found.variance.item() == pytest.approx(1 + 4 * k, rel=1e-4)


def test_likelihood_of_the_proposals_pairs_learns_the_proposal_posterior() -> None:
    """By least squares, without training: what users get who omit the proposal."""
    theta, x = gaussian_pairs()
    design = torch.cat((x, torch.ones_like(x)), 1)
    weights = torch.linalg.lstsq(design, theta).solution[:, 0]
    std = (theta[:, 0] - design @ weights).std().item()
    exact = Normal(0.8, math.sqrt(0.2))
    told = proposal_posterior(exact, Normal(1.0, 0.5), Normal(0.0, 1.0))
    assert std == pytest.approx(told.stddev.item(), rel=0.02)
    assert weights.sum().item() == pytest.approx(told.mean.item(), abs=0.02)


def test_crescents_integrate_to_one_and_are_symmetric() -> None:
    exact = Crescents()
    axis = torch.linspace(-0.84, 0.84, 841)
    points = torch.cartesian_prod(axis, axis)
    log_p = exact.log_prob(points)
    assert (log_p.exp().sum() * 0.002**2).item() == pytest.approx(1, abs=2e-3)
    torch.testing.assert_close(exact.log_prob(-points.flip(1)), log_p)
    torch.testing.assert_close(exact.log_prob(points.flip(1)), log_p)


def test_crescents_have_their_entropy() -> None:
    r = torch.linspace(0.04, 0.16, 4001).double()
    p = Normal(0.1, 0.01).log_prob(r).exp()
    entropy = torch.trapezoid(-p * (p.log() - (8 * math.pi * r).log()), r).item()
    assert Crescents.entropy == pytest.approx(entropy, abs=1e-5)
    torch.manual_seed(0)
    exact = Crescents()
    drawn = exact.sample(50_000)
    assert -exact.log_prob(drawn).mean().item() == pytest.approx(entropy, abs=0.02)


def test_crescents_are_what_two_moons_sees_at_0() -> None:
    """Of parameters from all of the square, those whose data are close to 0."""
    torch.manual_seed(0)
    theta = 4 * torch.rand(1_000_000, 2) - 2
    close = theta[two_moons(theta).norm(dim=1) < 0.02]
    exact = Crescents().sample(20_000)
    for of in (lambda t: t.abs(), lambda t: t.sum(1).abs(), lambda t: t.square()):
        torch.testing.assert_close(
            of(close).mean(0), of(exact).mean(0), atol=0.02, rtol=0
        )
    assert (close.sum(1) > 0).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_populations_keep_what_lotka_and_volterra_conserve() -> None:
    """d u - c log u + b v - a log v does not change on the way."""
    theta = noise(50, 4)
    a, b, c, d = (0.4 * theta).exp().unbind(1)
    logs = math.log(10) * populations(theta)
    u, v = logs.unbind(-1)
    kept = d[:, None] * u.exp() - c[:, None] * u + b[:, None] * v.exp() - a[:, None] * v
    start = 2 * d - c * math.log(2) + b
    assert ((kept - start[:, None]) / start.abs()[:, None]).abs().max() < 1e-2


def test_counts_are_off_by_a_fifth() -> None:
    torch.manual_seed(0)
    theta = torch.zeros(4000, 4)
    off = lotka_volterra(theta) - populations(theta).flatten(1)
    assert off.shape == (4000, 16)
    assert off.std().item() == pytest.approx(0.08, abs=0.002)


def test_draws_are_inside_the_prior() -> None:
    torch.manual_seed(0)
    q, prior = apt(2, 1, (8,), context=1), uniform(-0.5, 1, 2)
    theta = sample_inside(q, prior, torch.zeros(500, 1))
    assert prior.log_prob(theta).isfinite().all()


def test_drawing_ends_where_all_has_leaked() -> None:
    """In place of sampling forever."""
    torch.manual_seed(0)
    q, prior = apt(1, 1, (8,), context=1), uniform(50, 51, 1)
    expected = "expected 7 draws in .* after 100 tries some are still outside"
    with pytest.raises(RuntimeError, match=expected):
        sample_inside(q, prior, torch.zeros(7, 1))


def test_leakage_and_what_is_inside_make_one() -> None:
    torch.manual_seed(0)
    q = apt(1, 1, (8,), context=1)
    task = InferenceTask(uniform(-1, 1, 1), lambda theta: theta, torch.zeros(1, 1))
    outside = 2 * Normal(0.0, 1.0).cdf(torch.tensor(-1.0)).item()
    assert leakage(q, task, 40_000) == pytest.approx(outside, abs=0.01)


def test_the_divergence_is_that_of_what_is_cut() -> None:
    """N(0, 1), cut to [-1, 1], is 0 from itself."""
    torch.manual_seed(0)
    q = apt(1, 1, (8,), context=1)
    task = InferenceTask(uniform(-1, 1, 1), lambda theta: theta, torch.zeros(1, 1))
    theta = sample_inside(q, task.prior, torch.zeros(20_000, 1))
    mass = 1 - 2 * Normal(0.0, 1.0).cdf(torch.tensor(-1.0))
    log_p = Normal(0.0, 1.0).log_prob(theta)[:, 0] - mass.log()
    assert divergence(q, task, theta, log_p) == pytest.approx(0, abs=0.02)


def test_rounds_begin_at_the_prior_and_stay_inside() -> None:
    torch.manual_seed(0)
    prior, drawn = uniform(-1, 1, 1), []

    def simulate(theta: Tensor) -> Tensor:
        drawn.append(theta)
        return theta + 0.1 * torch.randn_like(theta)

    task = InferenceTask(prior, simulate, torch.full((1, 1), 0.9))
    loss = partial(atomic_loss, prior=prior)
    done = infer(apt(1, 2, context=1), task, loss, 2, 400, 200)
    assert [len(theta) for theta in drawn] == [400, 400]
    assert drawn[0].mean().abs() < 0.15 and drawn[1].mean() > 0.3
    assert all(theta.abs().max() <= 1 for theta in drawn)
    states = [each.state_dict() for each in done]
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_first_round_has_the_plain_loss() -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("the loss of later rounds")

    torch.manual_seed(0)
    task = InferenceTask(uniform(-1, 1, 1), lambda theta: theta, torch.zeros(1, 1))
    q = apt(1, 1, (8,), context=1)
    infer(q, task, refuse, 1, 100, 2)
    with pytest.raises(AssertionError, match="the loss of later rounds"):
        infer(q, task, refuse, 2, 100, 2)


def test_no_pair_is_a_wrong_answer_of_its_own_question() -> None:
    """As it would be in batches that are drawn with replacement."""
    seen: list[int] = []

    def record(log_q: Callable[..., Tensor], theta: Tensor, x: Tensor) -> Tensor:
        seen.append(len(theta.unique()))
        return plain_loss(log_q, theta, x)

    torch.manual_seed(0)
    theta = torch.rand(80, 1)
    learn(apt(1, 1, (8,), context=1), record, theta, theta, 10)
    assert seen.count(50) == 10 and min(seen) == 8
