"""Facts of RBIG (Laparra et al., 2011): marginal moves, turns, and what they gain."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from scipy.stats import special_ortho_group as haar_of_scipy
from sklearn.decomposition import FastICA
from torch import Tensor
from torch.autograd import gradcheck
from torch.special import ndtr, ndtri

from implementations.core.bijection import Compose
from implementations.core.fit import fit
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.toy import TwoMoons
from implementations.rbig import (
    LEAST,
    FittedMarginals,
    FittedRotation,
    climb,
    counts,
    fitted,
    gaps,
    haar,
    histogram_bins,
    ica,
    kernels,
    multi_information,
    nearest,
    pca,
    rbig,
)
from tests.support.perturb import noise

Estimate = Callable[[Tensor, Tensor], Tensor]
Choice = Callable[[Tensor], Tensor]
ESTIMATES = pytest.mark.parametrize("estimate", [kernels, histogram_bins])
CHOICES = pytest.mark.parametrize("choose", [haar, pca, ica])


def moons(n: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return TwoMoons().double().sample(n)


def one_layer(x: Tensor, estimate: Estimate = kernels) -> FittedMarginals:
    layer = FittedMarginals(x.shape[1], estimate).double()
    layer.initialise(x)
    return layer


def edges_of(x: Tensor, cells: int = 1022) -> Tensor:
    low, high = x.amin(0)[:, None], x.amax(0)[:, None]
    return low + (high - low) * torch.linspace(0, 1, cells + 1).double()


def test_kernels_are_those_of_scipy() -> None:
    """Up to where in its narrow cell each point lies."""
    x = moons(500)
    edges = edges_of(x)
    found = kernels(x, edges).cumsum(1)[:, :-1]
    for i in (0, 1):
        column = x[:, i].numpy()
        kde = gaussian_kde(column, 1.06 * 500**-0.2 * column.std() / column.std(ddof=1))
        exact = [kde.integrate_box_1d(-np.inf, edge) for edge in edges[i, ::73].numpy()]
        np.testing.assert_allclose(found[i, ::73].numpy(), exact, atol=1e-3)


def test_kernels_lose_nothing() -> None:
    x = moons(500)
    torch.testing.assert_close(kernels(x, edges_of(x)).sum(1), torch.ones(2).double())


def test_the_histogram_is_that_of_numpy() -> None:
    """The density of 25 bins, in cells that lie in one bin."""
    x = moons(625)
    edges = edges_of(x, 1000)
    found = histogram_bins(x, edges)[:, 1:-1].unflatten(1, (25, 40))
    for i in (0, 1):
        expected, _ = np.histogram(x[:, i].numpy(), 25)
        bins = found[i].sum(1) * 625
        np.testing.assert_allclose(bins.numpy(), expected, atol=1e-9)
    assert (found == found[..., :1]).all()


def test_cells_count_all_points() -> None:
    x = moons(300)
    torch.testing.assert_close(
        counts(x, edges_of(x, 10)).sum(1), torch.ones(2).double()
    )


@ESTIMATES
def test_log_det_is_the_slope_and_the_way_back_is_exact(estimate: Estimate) -> None:
    layer, x = one_layer(moons(2000), estimate), 1.5 * noise(500, 2)
    z, log_det = layer(x)
    back, negated = layer.inverse(z)
    torch.testing.assert_close(back, x, atol=1e-10, rtol=0)
    torch.testing.assert_close(negated, -log_det, atol=1e-9, rtol=0)
    h = 1e-7
    slopes = (layer(x + h)[0] - layer(x - h)[0]) / (2 * h)
    error = (slopes.log().sum(1) - log_det).abs()
    # A few points have a knot within reach.
    assert error.median() < 1e-6 and (error < 1e-5).double().mean() > 0.97


@ESTIMATES
def test_the_density_of_an_axis_integrates_to_one(estimate: Estimate) -> None:
    """Exactly: between two knots, it is a piece of the Gaussian."""
    layer = one_layer(moons(300), estimate)
    steps = ndtr(layer.z_knots).diff(dim=1)
    ends = ndtr(layer.z_knots[:, 0]) + ndtr(-layer.z_knots[:, -1])
    torch.testing.assert_close(steps.sum(1) + ends, torch.ones(2).double())
    assert (layer.z_knots.diff(dim=1) > 0).all()
    assert (layer.x_knots.diff(dim=1) > 0).all()
    ruler = torch.linspace(-8, 8, 400_001).double()[:, None]
    axis = one_layer(moons(300)[:, :1], estimate)
    p = Flow(StandardNormal((1,)), axis).log_prob(ruler).exp()
    assert torch.trapezoid(p, ruler[:, 0]).item() == pytest.approx(1, abs=1e-4)


@ESTIMATES
def test_marginals_become_gaussian_as_points_grow(estimate: Estimate) -> None:
    """The distance of distribution functions is that of chance, and of the kernel."""
    for n in (1000, 100_000):
        x = noise(n, 1).sinh()
        z = one_layer(x, estimate)(x)[0].sort(0).values[:, 0]
        steps = (torch.arange(n).double() + 0.5) / n
        assert (ndtr(z) - steps).abs().max() < 2 / n**0.5 + 1e-3 * (n > 1000)


def test_gaussian_points_are_left_alone() -> None:
    x = noise(100_000, 1)
    inside = torch.linspace(-2.5, 2.5, 101).double()[:, None]
    assert (one_layer(x)(inside)[0] - inside).abs().max() < 0.05


@ESTIMATES
@pytest.mark.parametrize("size", [1e3, 1e6, 1e12])
def test_points_beyond_the_fit_are_finite(estimate: Estimate, size: float) -> None:
    """As fresh points were NaN where their distribution function was 0 or 1."""
    flow = fitted(rbig(2, 10, haar, estimate), moons(500))
    far = torch.tensor([[size, 0.0], [-size, size], [0.0, -size]]).double()
    assert flow.log_prob(far).isfinite().all()
    z, _ = flow.bijection(far)
    back = flow.bijection.inverse(z)[0]
    torch.testing.assert_close(back, far, rtol=1e-9, atol=1e-9 * size)


def test_ends_are_straight_and_as_steep_as_a_gaussian() -> None:
    x = 3 * noise(1000, 1) + 1
    layer, end = one_layer(x), x.amax()
    far = torch.stack((end + 1, end + 100))[:, None]
    rise = layer(far)[0].diff(dim=0).item() / 99
    assert rise == pytest.approx(1 / x.std(correction=0).item())


def test_without_half_a_point_ends_would_be_infinite() -> None:
    x = noise(50, 1)
    share = histogram_bins(x, edges_of(x))
    assert ndtri(share[:, 0]).item() == -math.inf
    assert ndtri(1 - share[:, -1]).item() == math.inf
    assert one_layer(x, histogram_bins).z_knots.isfinite().all()


def test_a_mirror_mirrors_the_map() -> None:
    """Also far out, where 1 - F would have no digits."""
    x = torch.cat((noise(20_000, 1), torch.tensor([[9.0]]).double()))
    right, left = one_layer(x), one_layer(-x)
    at = torch.linspace(-10, 10, 501).double()[:, None]
    torch.testing.assert_close(right(at)[0], -left(-at)[0], atol=1e-6, rtol=1e-6)


def test_a_column_of_one_value_is_finite() -> None:
    x = torch.cat((noise(50, 1), torch.ones(50, 1).double()), 1)
    for estimate in (kernels, histogram_bins):
        flow = fitted(rbig(2, 3, pca, estimate), x)
        assert flow.log_prob(x).isfinite().all()
        assert flow.sample(20).isfinite().all()


def test_nowhere_is_the_map_flat() -> None:
    """Between two heaps no point is, and the slope is a hundredth of a line's."""
    x = torch.cat((noise(500, 1) / 10 - 5, noise(500, 1, seed=2) / 10 + 5))
    layer = one_layer(x, histogram_bins)
    _, log_det = layer(torch.zeros(1, 1).double())
    floor = math.log(LEAST / x.std(correction=0).item())
    assert log_det.item() == pytest.approx(floor, abs=1e-6)


@CHOICES
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_turns_are_orthogonal(choose: Choice, dim: int) -> None:
    torch.manual_seed(0)
    x = noise(500, dim) @ noise(dim, dim, seed=3)
    layer = FittedRotation(dim, choose).double()
    layer.initialise(x)
    torch.testing.assert_close(layer.r @ layer.r.T, torch.eye(dim).double())
    z, log_det = layer(x)
    torch.testing.assert_close(z.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(layer.inverse(z)[0], x)
    assert not log_det.any()


def test_principal_axes_have_no_covariance() -> None:
    x = noise(500, 4) @ noise(4, 4, seed=3)
    covariance = (x @ pca(x).T).T.cov()
    torch.testing.assert_close(covariance, covariance.diagonal().diag())


def stays(q: Tensor) -> float:
    """|1ᵀ Q 1| / d: 1 where the direction (1, …, 1) stays."""
    return q.sum((-1, -2)).abs().mean().item() / q.shape[-1]


@pytest.mark.parametrize("dim", [2, 4, 10])
def test_random_turns_are_those_of_scipy(dim: int) -> None:
    """Uniform entries are not: they nearly keep the direction (1, …, 1)."""
    torch.manual_seed(0)
    x = noise(2, dim)
    ours = torch.stack([haar(x) for _ in range(400)])
    theirs = torch.from_numpy(haar_of_scipy(dim, seed=0).rvs(400))
    assert stays(ours) == pytest.approx(stays(theirs), abs=0.07)
    wrong = torch.stack([nearest(torch.rand(dim, dim)) for _ in range(400)])
    assert stays(wrong) > 0.9
    dets = torch.linalg.det(ours)
    torch.testing.assert_close(dets.abs(), torch.ones(400).double())
    assert (dets > 0).double().mean().item() == pytest.approx(0.5, abs=0.1)


def heavy(n: int, dim: int) -> Tensor:
    """Independent columns, which are Laplace."""
    u = ndtr(noise(n, dim)) - 0.5
    return -u.sign() * (-2 * u.abs()).log1p()


def test_independent_components_are_those_of_sklearn() -> None:
    torch.manual_seed(0)
    mixed = heavy(20_000, 3) @ (q := haar(noise(2, 3))).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sklearn = FastICA(random_state=0, whiten="unit-variance").fit(mixed.numpy())
    theirs = torch.from_numpy(sklearn.components_)
    theirs = theirs / theirs.norm(dim=1, keepdim=True)
    for found in (ica(mixed), theirs):
        # A row for each source, up to its sign.
        which = (found @ q).abs()
        assert which.amax(1).min() > 0.995
        assert which.argmax(1).sort().values.tolist() == [0, 1, 2]
    same = (ica(mixed) @ theirs.T).abs().amax(1)
    assert same.min() > 0.999


def test_turned_independent_sources_need_one_turn_and_one_move() -> None:
    """Where the turn comes first: a marginal move would bend the mixture."""
    torch.manual_seed(0)
    s, fresh = heavy(30_000, 2).split((20_000, 10_000))
    q = haar(s)
    parts = FittedRotation(2, ica), FittedMarginals(2)
    flow = fitted(Flow(StandardNormal((2,)), Compose(*parts)), s @ q.T)
    truth = (-fresh.abs() - math.log(2)).sum(1).mean()
    assert 0 < truth - flow.log_prob(fresh @ q.T).mean() < 0.05


def test_the_nearest_orthogonal_matrix_forgets_stretching() -> None:
    q = haar(noise(2, 4))
    stretched = q @ torch.tensor([0.5, 1.0, 2.0, 3.0]).double().diag()
    torch.testing.assert_close(nearest(stretched), q)


def test_a_turn_keeps_the_likelihood() -> None:
    x, fresh = moons(5000), moons(5000, seed=1)
    flow = fitted(rbig(2, 3), x)
    layer = next(m for m in flow.modules() if isinstance(m, FittedRotation))
    base, z = StandardNormal((2,)).double(), flow.bijection(fresh)[0]
    torch.testing.assert_close(base.log_prob(layer(z)[0]), base.log_prob(z))


@ESTIMATES
def test_on_the_points_of_the_fit_no_layer_loses(estimate: Estimate) -> None:
    x = moons(5000)
    path = climb(fitted(rbig(2, 30, haar, estimate), x), x)
    assert path.diff()[1:].min() > -2e-3


def test_the_last_of_climb_is_the_flow() -> None:
    x = moons(500)
    flow = fitted(rbig(2, 4), x)
    path = climb(flow, x)
    assert path.shape == (5,)
    torch.testing.assert_close(path[-1], flow.log_prob(x).mean())
    torch.testing.assert_close(path[0], StandardNormal((2,)).log_prob(x).mean())


def test_the_first_layers_are_a_flow_of_fewer() -> None:
    x = moons(500)
    paths = []
    for layers in (3, 6):
        torch.manual_seed(0)
        paths.append(climb(fitted(rbig(2, layers), x), x))
    torch.testing.assert_close(paths[0], paths[1][:4])


def test_independent_axes_need_one_layer() -> None:
    torch.manual_seed(0)
    x = noise(20_000, 3).sinh()
    flow = fitted(rbig(3, 5), x)
    z = noise(20_000, 3, seed=8)
    truth = (-0.5 * (z.square() + LOG_2PI) - z.cosh().log()).sum(1).mean()
    gap = truth - climb(flow, z.sinh())
    assert 0 < gap[1] < 0.06
    assert abs(multi_information(flow, z.sinh(), x)) < 0.01


def test_gaussians_need_one_turn_to_their_principal_axes() -> None:
    mix = noise(4, 4, seed=3)
    x, fresh = (noise(20_000, 4, seed=s) @ mix.T for s in (1, 2))
    flow = fitted(rbig(4, 4, pca), x)
    path = climb(flow, fresh)
    covariance = mix @ mix.T
    exact = (covariance.diagonal().log().sum() - covariance.logdet()) / 2
    assert (path[2] - path[1]).item() == pytest.approx(exact.item(), rel=0.05)
    assert (path[4] - path[2]).abs() < 0.01


def test_information_tells_pairs_apart() -> None:
    """Not so in a published version, where all pairs had the same."""
    a, b, c = noise(5000, 3).unbind(1)
    related = torch.stack((a, a + b), 1)
    apart = torch.stack((a, c), 1)
    found = [
        multi_information(fitted(rbig(2, 20), x[:4000]), x[4000:], x[4000:])
        for x in (related, apart)
    ]
    assert found[0] == pytest.approx(math.log(2) / 2, abs=0.06)
    assert abs(found[1]) < 0.03


def test_units_of_a_column_change_no_later_layer() -> None:
    x, fresh = moons(2000), moons(2000, seed=1)
    gains = []
    for scale, shift in ((1.0, 0.0), (50.0, 7.0)):
        torch.manual_seed(0)
        move = lambda t, scale=scale, shift=shift: t * scale + shift  # noqa: E731
        gains.append(climb(fitted(rbig(2, 8), move(x)), move(fresh)).diff()[1:])
    torch.testing.assert_close(*gains, atol=1e-6, rtol=1e-6)


def test_bending_a_column_changes_information_little() -> None:
    x, fresh = moons(20_000), moons(20_000, seed=1)
    found = []
    for bend in (lambda t: t, lambda t: torch.stack((t[:, 0], t[:, 1].exp()), 1)):
        torch.manual_seed(0)
        flow = fitted(rbig(2, 30), bend(x))
        found.append(multi_information(flow, bend(fresh), bend(x)))
    assert found[0] == pytest.approx(found[1], abs=0.05)


def test_one_axis_is_done_after_one_layer() -> None:
    x = noise(20_000, 1).sinh()
    flow = fitted(rbig(1, 5), x)
    path = climb(flow, noise(20_000, 1, seed=2).sinh())
    assert path[1] - path[0] > 0.1
    assert path[1:].diff().abs().max() < 2e-3


def test_it_is_the_identity_until_a_batch_comes() -> None:
    flow, x = rbig(3, 4).double(), 10 * noise(20, 3)
    z, log_det = flow.bijection(x)
    torch.testing.assert_close(z, x)
    assert log_det.abs().max() < 1e-6


def test_there_is_nothing_to_train() -> None:
    flow = rbig(2, 3)
    assert not list(flow.parameters())
    with pytest.raises(ValueError, match="empty parameter list"):
        fit(flow, lambda x: -flow.log_prob(x).mean(), 1, lambda: torch.randn(50, 2))


@ESTIMATES
def test_gradients_for_data_and_noise(estimate: Estimate) -> None:
    """What the contract asks of flows with weights, as well."""
    flow = fitted(rbig(2, 4, haar, estimate), moons(500))
    x, z = noise(5, 2).requires_grad_(), noise(5, 2, seed=4).requires_grad_()
    assert gradcheck(flow.log_prob, (x,))
    assert gradcheck(flow.bijection.inverse, (z,))
    drawn, log_prob = flow.rsample_and_log_prob(7)
    torch.testing.assert_close(log_prob, flow.log_prob(drawn))


def test_autocast_leaves_it_finite() -> None:
    flow = fitted(rbig(2, 10), moons(500)).float()
    x = moons(50).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = flow.log_prob(x)
    assert found.isfinite().all()
    assert (found.float() - flow.log_prob(x)).abs().median() < 0.5


def test_float32_is_near_float64() -> None:
    x, fresh = moons(5000), moons(1000, seed=1)
    torch.manual_seed(0)
    flow = fitted(rbig(2, 30), x)
    exact = flow.log_prob(fresh)
    rough = flow.float().log_prob(fresh.float()).double()
    assert (rough - exact).abs().median() < 1e-3
    assert (rough - exact).mean().abs() < 1e-2


def test_gaps_are_of_fresh_points() -> None:
    torch.manual_seed(0)
    target = TwoMoons().double()
    path = gaps(target, fitted(rbig(2, 10), target.sample(5000)), 5000)
    assert len(path) == 11
    assert path[0] > path[1] > path[10] > 0
