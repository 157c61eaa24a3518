"""Facts of Gaussianization flows (Meng et al., 2020): kernels, quantiles, rotations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
import zuko
from scipy import stats
from torch import Tensor
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.fit import fit
from implementations.core.flow import Flow
from implementations.core.normal import quantile
from implementations.gaussianization import (
    KernelLayer,
    Reflections,
    as_is,
    exponentials,
    gaps_of,
    gaussianization,
    learn_spelled,
    learn_three,
    log_phi,
    other_units,
    standardised,
    turned_grid,
    with_a_jump,
)
from tests.support.perturb import noise, perturbed

UNITS = torch.tensor([100.0, 0.01]).double()


def layer(dim: int = 3, anchors: int = 5) -> KernelLayer:
    """A layer of random kernels, in units of its own."""
    f = perturbed(KernelLayer(dim, anchors))
    f.mean.copy_(noise(dim, seed=3))
    f.std.copy_(noise(dim, seed=4).exp())
    return f


def layers(flow: Flow) -> list[Bijection]:
    assert isinstance(flow.bijection, Compose)
    return [*flow.bijection.layers]


def by_scipy(f: KernelLayer, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """z and the log-slopes, by scipy's distributions."""
    mu = (f.mean[:, None] + f.std[:, None] * f.mu).detach().numpy()
    h = (f.std[:, None] * f.log_h.exp()).detach().numpy()
    kernels: Any = stats.logistic(mu, h)
    at = x.numpy()[..., None]
    z = stats.norm.ppf(kernels.cdf(at).mean(-1))
    return z, np.log(kernels.pdf(at).mean(-1)) - stats.norm.logpdf(z)


def moons_like(n: int = 400) -> Tensor:
    """Dependent, skewed points on the plane."""
    a, e = noise(2, n, seed=5)
    return torch.stack((a, a.square() + 0.5 * e), -1)


# A kernel layer.


def test_a_layer_is_the_normal_quantile_of_a_mean_of_logistics() -> None:
    f, x = layer(), 2 * noise(50, 3)
    z, log_det = f(x)
    expected, log_slope = by_scipy(f, x)
    torch.testing.assert_close(z, torch.from_numpy(expected))
    torch.testing.assert_close(log_det, torch.from_numpy(log_slope.sum(1)))


@pytest.mark.parametrize("dim", [1, 4])
def test_log_det_is_that_of_autograd(dim: int) -> None:
    """Without log φ(z), the slope of Φ⁻¹, it is that of F."""
    flow, x = perturbed(gaussianization(dim, 3, 5)), noise(20, dim)
    jacobians = vmap(jacrev(lambda row: flow.bijection(row[None])[0][0]))(x)
    exact = torch.linalg.slogdet(jacobians).logabsdet
    torch.testing.assert_close(flow.bijection(x)[1], exact)


def test_one_kernel_is_the_quantile_of_a_sigmoid_and_odd_about_its_anchor() -> None:
    f, x = layer(1, 1), noise(50, 1)
    mu, h = f.mean + f.std * f.mu[:, 0], f.std * f.log_h[:, 0].exp()
    z = f(x)[0]
    torch.testing.assert_close(z, torch.special.ndtri(((x - mu) / h).sigmoid()))
    torch.testing.assert_close(f(2 * mu - x)[0], -z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_map_rises_without_end_and_without_a_jump(dtype: torch.dtype) -> None:
    f = layer(1).to(dtype)
    x = torch.linspace(-1e4, 1e4, 40_001, dtype=dtype)[:, None].requires_grad_()
    z, log_det = f(x)
    (slope,) = torch.autograd.grad(z.sum() + log_det.sum(), x)
    assert z.isfinite().all() and log_det.isfinite().all() and slope.isfinite().all()
    assert (z.diff(dim=0) > 0).all()
    assert z[0, 0] < -50 and z[-1, 0] > 50


def test_zuko_ends_where_ours_goes_on() -> None:
    """Its F is bounded away from 0 and 1, so z is, too; ours has no end."""
    one: Any = torch.ones(1).double()
    theirs = zuko.transforms.GaussianizationTransform(0 * one, 0 * one)
    x = torch.tensor([3.0, 6.0, 50.0]).double()
    bounded = theirs.f(x)
    assert bounded[0].item() == pytest.approx(3, abs=1e-3)
    assert bounded[2] < 5 and bounded[2] - bounded[1] < 0.1
    z = layer(1)(x[:, None])[0][:, 0]
    assert z[2] - z[1] > 1


def test_zuko_finds_the_same_slope_and_inverse_of_our_map() -> None:
    f, x = layer(1, 8), noise(50, 1)
    theirs = zuko.transforms.MonotonicTransform(lambda x: f(x)[0], bound=50.0)
    z, log_det = f(x)
    torch.testing.assert_close(theirs.log_abs_det_jacobian(x, z)[:, 0], log_det)
    torch.testing.assert_close(theirs.inv(z), f.inverse(z)[0], atol=1e-4, rtol=0)


def test_both_formulas_for_the_tail_and_the_jump_between_them() -> None:
    cut = math.log(0.5e-7)
    log_p = torch.tensor([cut - 1e-9, cut + 1e-9], dtype=torch.float64)
    ours, theirs = (
        f(log_p) for f in (lambda p: quantile(p, (-p.exp()).log1p()), with_a_jump)
    )
    exact = torch.from_numpy(scipy.special.ndtri_exp(log_p.numpy()))
    torch.testing.assert_close(ours, exact, atol=1e-12, rtol=0)
    assert theirs.diff().item() == pytest.approx(5.798 - 5.327, abs=1e-3)
    assert theirs[1].item() == pytest.approx(exact[1].item(), abs=1e-6)


def test_no_layer_jumps_where_the_authors_change_their_formula() -> None:
    f = layer(1, 1)
    h, mu = f.std * f.log_h[0].exp(), f.mean + f.std * f.mu[0]
    x = mu + h * torch.linspace(-18, -16, 2001).double()[:, None]
    assert f(x)[0].diff(dim=0).max() < 1e-3


def test_the_inverse_is_enclosed_exactly() -> None:
    """By the quantiles of the kernels themselves."""
    f, z = layer(), 3 * noise(200, 3)
    x = f.inverse(z)[0]
    logit = torch.special.log_ndtr(z) - torch.special.log_ndtr(-z)
    ends = f.mu + f.log_h.exp() * logit[..., None]
    u = (x - f.mean) / f.std
    assert (u >= ends.amin(-1) - 1e-9).all() and (u <= ends.amax(-1) + 1e-9).all()
    torch.testing.assert_close(f(x)[0], z, atol=1e-11, rtol=1e-11)


def test_the_inverse_reaches_as_far_as_the_widest_kernel() -> None:
    """Not to ±1000 only, where the authors' bisection ends."""
    f, z = layer(), torch.tensor([[-4.0] * 3, [4.0] * 3]).double()
    with torch.no_grad():
        f.log_h.add_(8)
    x = f.inverse(z)[0]
    assert ((x - f.mean) / f.std).abs().min() > 1000
    torch.testing.assert_close(f(x)[0], z)


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_samples_come_in_any_units(size: float) -> None:
    """The authors' sampler looks for x from -1000 to 1000 only."""
    torch.manual_seed(0)
    x = size * moons_like()
    flow = gaussianization(2, 3, 30).double()
    flow.initialise(x)
    ratio = flow.sample(4000).std(0) / x.std(0)
    assert ((0.7 < ratio) & (ratio < 1.4)).all()
    torch.testing.assert_close(
        flow.bijection.inverse(flow.bijection(x)[0])[0] / size,
        x / size,
        atol=1e-8,
        rtol=0,
    )


# The start.


def test_anchors_are_the_first_rows_and_their_images() -> None:
    x, flow = moons_like(), gaussianization(2, 3, 20).double()
    flow.initialise(x)
    for f in layers(flow):
        if isinstance(f, KernelLayer):
            anchors = f.mean[:, None] + f.std[:, None] * f.mu
            torch.testing.assert_close(anchors.detach(), x[:20].T)
            torch.testing.assert_close(f.mean, x.mean(0))
            torch.testing.assert_close(f.std, x.std(0, correction=0))
        with torch.no_grad():
            x = f(x)[0]


def test_the_start_is_rbig_with_kernels() -> None:
    """The same loop by scipy, with the same rotations."""
    x, flow = moons_like(), gaussianization(2, 3, 50).double()
    flow.initialise(x)
    y, log_det = x.numpy(), 0.0
    h = (4 * math.sqrt(math.pi) / (math.pi**4 * 50)) ** 0.2
    for f in layers(flow):
        if isinstance(f, Reflections):
            y = y @ f(torch.eye(2).double())[0].detach().numpy()
            continue
        kernels: Any = stats.logistic(y[:50].T, h * y.std(0)[:, None])
        at = y[..., None]
        z = stats.norm.ppf(kernels.cdf(at).mean(-1))
        slope = np.log(kernels.pdf(at).mean(-1)) - stats.norm.logpdf(z)
        y, log_det = z, log_det + slope.sum(1)
    found = flow.bijection(x)
    for ours, theirs in zip(found, (y, log_det), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs), atol=1e-5, rtol=0)


def test_widths_are_those_of_the_authors() -> None:
    for anchors, expected in ((50, 0.271), (100, 0.236)):
        h = KernelLayer(1, anchors).log_h.exp()
        assert h[0].tolist() == pytest.approx([expected] * anchors, abs=5e-4)


def test_with_all_rows_as_anchors_columns_become_gaussian() -> None:
    x = moons_like(1000)
    f = KernelLayer(2, 1000).double()
    f.initialise(x)
    for column in f(x)[0].detach().T:
        assert stats.kstest(column.numpy(), "norm").statistic < 0.05


def test_a_second_first_batch_changes_nothing() -> None:
    flow = gaussianization(2, 2, 10).double()
    flow.initialise(moons_like())
    before = {name: each.clone() for name, each in flow.state_dict().items()}
    flow.initialise(noise(100, 2, seed=9))
    assert all(torch.equal(before[k], each) for k, each in flow.state_dict().items())


def test_a_first_batch_with_too_few_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 10 rows, as many as anchors, got 9"):
        gaussianization(2, 2, 10).initialise(torch.randn(9, 2))


def test_a_column_of_one_value_is_no_trouble() -> None:
    x = moons_like()
    x[:, 1] = 3.0
    flow = gaussianization(2, 3, 20).double()
    flow.initialise(x)
    assert flow.log_prob(x).isfinite().all()


# Units.


@pytest.mark.parametrize("steps", [0, 30])
def test_neither_start_nor_training_depends_on_units(steps: int) -> None:
    """With anchors in raw units, as the authors have them, both do."""
    x, found = moons_like(), []
    for units in (torch.ones(2).double(), UNITS):
        torch.manual_seed(0)
        y, flow = units * x - 5 * units, gaussianization(2, 3, 10).double()
        flow.initialise(y)
        if steps:
            fit(flow, lambda y=y, q=flow: -q.log_prob(y).mean(), steps, lr=1e-2)
        found.append(flow.log_prob(y) + units.log().sum())
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)


def test_spellings_are_maps_and_their_determinants() -> None:
    x = turned_grid().double().sample(50)
    rescaled = standardised(exponentials, x)
    for spell in (as_is, other_units, exponentials, rescaled):
        j = vmap(jacrev(lambda row, f=spell: f(row[None])[0][0]))(x)
        torch.testing.assert_close(spell(x)[1], torch.linalg.slogdet(j).logabsdet)
    y = rescaled(x)[0]
    torch.testing.assert_close(y.mean(0), torch.zeros(2).double())
    torch.testing.assert_close(y.std(0), torch.ones(2).double())


def test_gaps_are_in_units_of_the_data() -> None:
    torch.manual_seed(0)
    truth = turned_grid().double()
    x, starts = truth.sample(2000), []
    for spell in (as_is, other_units):
        torch.manual_seed(1)
        flow = gaussianization(2, 2, 20).double()
        starts.append(learn_spelled(truth, x, spell, flow, 1e-2, 1)[0])
    assert starts[0] == pytest.approx(starts[1], abs=1e-8)


# Rotations.


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_reflections_keep_lengths_and_angles(dim: int) -> None:
    f, x = perturbed(Reflections(dim)), noise(20, dim)
    z, log_det = f(x)
    torch.testing.assert_close(z @ z.T, x @ x.T)
    assert not log_det.any()
    torch.testing.assert_close(f.inverse(z)[0], x)
    r = f(torch.eye(dim).double())[0]
    assert torch.linalg.det(r).item() == pytest.approx((-1) ** dim)


def test_only_anchors_widths_and_rotations_are_trained() -> None:
    """Weights of the kernels are equal, and stay so, as in the authors' code."""
    flow = gaussianization(2, 5, 20)
    kinds = {name.rpartition(".")[2] for name, _ in flow.named_parameters()}
    assert kinds == {"mu", "log_h", "v"}
    assert sum(each.numel() for each in flow.parameters()) == 416


def test_columns_come_first_and_last() -> None:
    found = layers(gaussianization(3, 4, 5))
    kinds = [KernelLayer if k % 2 == 0 else Reflections for k in range(7)]
    assert [type(each) for each in found] == kinds


def test_rotations_are_trained_only_if_asked() -> None:
    torch.manual_seed(0)
    x = turned_grid().sample(300)
    for rotations in (False, True):
        torch.manual_seed(1)
        start = learn_three(x, rotations, 2, 10, 0)
        torch.manual_seed(1)
        flows = learn_three(x, rotations, 2, 10, 2)
        names = [name for name, _ in gaussianization(2, 2, 10).named_parameters()]
        moved = {
            name.rpartition(".")[2]: not torch.equal(a, b)
            for name, a, b in zip(names, start.weights, flows.weights, strict=True)
        }
        assert moved == {"mu": True, "log_h": True, "v": rotations}
        assert len(gaps_of(turned_grid(), flows, 100)) == 3


# Data.


def test_the_turned_grid_has_its_entropy() -> None:
    truth = turned_grid().double()
    along = torch.linspace(-4, 4, 801, dtype=torch.float64)
    log_p = truth.log_prob(torch.cartesian_prod(along, along))
    area = (along[1] - along[0]).item() ** 2
    assert log_p.exp().sum().item() * area == pytest.approx(1, abs=1e-9)
    entropy = -(log_p.exp() * log_p).sum().item() * area
    assert truth.entropy == pytest.approx(entropy, abs=2e-6)
    inside = (along[:, None] > truth.box[0]) & (along[:, None] < truth.box[1])
    outside = ~(inside & inside.T).flatten()
    assert log_p.exp()[outside].sum().item() * area < 1e-6


def test_log_phi_is_the_normal_density() -> None:
    z = noise(20)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    torch.testing.assert_close(log_phi(z), expected)
