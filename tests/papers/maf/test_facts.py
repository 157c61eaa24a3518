"""Facts of MAF (Papamakarios, Pavlakou and Murray, 2017)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    AffineTransform,
    Independent,
    IndependentTransform,
    Normal,
    Transform,
)
from torch.func import jacrev, vmap
from zuko.distributions import NormalizingFlow
from zuko.transforms import AutoregressiveTransform, ComposedTransform

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.made import MADE, Autoregressive
from implementations.maf import (
    MixtureOfGaussians,
    Parabola,
    autoregressions,
    inverse_by_passes,
    maf,
    maf_mog,
    mixture_made,
)
from implementations.real_nvp import Affine, BatchNorm
from tests.support.perturb import perturbed


def test_a_layer_is_a_model_with_gaussian_conditionals() -> None:
    """Equations 2 to 5, with the densities by torch."""
    layer = perturbed(Autoregressive(4, Affine(), (32, 32)))
    x = torch.randn(30, 4, dtype=torch.float64)
    s, t = layer.m(x).unbind(-1)
    s = layer.univariate.get_parameter("a") * s.tanh()
    expected = Normal(-t / s.exp(), (-s).exp()).log_prob(x).sum(1)
    log_q = Flow(StandardNormal((4,)), layer).double().log_prob(x)
    torch.testing.assert_close(log_q, expected, atol=1e-10, rtol=1e-10)


def test_orders_take_turns_and_each_layer_is_normalised() -> None:
    f = perturbed(autoregressions(4, 3, (64, 64)))
    assert isinstance(f, Compose)
    kinds = [type(layer) for layer in f.layers]
    assert kinds == [Autoregressive, BatchNorm] * 3
    x = torch.randn(20, 4, dtype=torch.float64)
    for k, layer in enumerate(f.layers[::2]):
        jacobian = vmap(jacrev(lambda x, f=layer: f(x[None])[0][0]))(x)
        lower = jacobian.flip(1, 2) if k % 2 else jacobian
        assert (lower.triu(1) == 0).all()
        assert (lower != 0).any(0)[torch.ones(4, 4).tril().bool()].all()


def test_layers_of_one_order_are_as_triangular_as_one() -> None:
    f = perturbed(autoregressions(4, 3, (64, 64), turns=False))
    x = torch.randn(20, 4, dtype=torch.float64)
    jacobian = vmap(jacrev(lambda x: f(x[None])[0][0]))(x)
    assert (jacobian.triu(1) == 0).all()
    turned = perturbed(autoregressions(4, 2, (64, 64)))
    jacobian = vmap(jacrev(lambda x: turned(x[None])[0][0]))(x)
    assert (jacobian != 0).any(0).all()


def test_slices_and_passes_invert_alike() -> None:
    layer = perturbed(Autoregressive(6, Affine(), (32, 32)))
    u = torch.randn(20, 6, dtype=torch.float64)
    expected = inverse_by_passes(layer, u)
    torch.testing.assert_close(layer.inverse(u)[0], expected, atol=1e-10, rtol=1e-10)


def test_starts_as_the_standard_normal() -> None:
    flow, x = maf(3, 4, (16,)).eval(), torch.randn(10, 3)
    expected = flow.base.log_prob(x)
    torch.testing.assert_close(flow.log_prob(x), expected, atol=2e-3, rtol=0)


def test_the_first_variable_depends_on_the_label() -> None:
    flow = perturbed(maf(3, 1, (16,), context=2))
    x = torch.zeros(9, 3, dtype=torch.float64)
    z, _ = flow.bijection(x, torch.randn(9, 2).double())
    assert z[:, 0].std() > 1e-3


def test_mixtures_are_those_written_out() -> None:
    mixture = MixtureOfGaussians(3)
    params = torch.randn(5, 2, 9, dtype=torch.float64)
    x = torch.randn(5, 2, dtype=torch.float64)
    logits, mean, log_std = params.unflatten(-1, (3, 3)).unbind(-2)
    parts = Normal(mean, log_std.exp()).log_prob(x[..., None])
    expected = (logits.softmax(-1) * parts.exp()).sum(-1).log()
    torch.testing.assert_close(mixture(params).log_prob(x), expected)


def test_components_start_apart() -> None:
    model = mixture_made(2, 4)
    params = model.m(torch.zeros(1, 2))[0, 0].view(3, 4)
    assert all(len(row.unique()) == 4 for row in params)


def test_the_base_of_maf_mog_is_a_made() -> None:
    flow = maf_mog(3, 2, 5, (16,), context=2)
    assert isinstance(flow.base, MADE) and flow.context == 2
    assert flow.base.conditional.n_params == 15


def test_parabola_is_a_density_of_its_entropy() -> None:
    target = Parabola().double()
    a, b, c, d = target.box
    x = torch.linspace(a, b, 1500, dtype=torch.float64)
    y = torch.linspace(c, d, 1500, dtype=torch.float64)
    log_p = target.log_prob(torch.cartesian_prod(x, y))
    cell = (x[1] - x[0]) * (y[1] - y[0])
    assert (log_p.exp().sum() * cell).item() == pytest.approx(1, abs=1e-5)
    entropy = -(log_p.exp() * log_p).sum() * cell
    assert entropy.item() == pytest.approx(target.entropy, abs=1e-4)
    torch.manual_seed(0)
    sample = target.sample(100_000)
    error = target.log_prob(sample).mean() + target.entropy
    assert abs(error.item()) < 0.015


def test_the_wrong_order_is_as_far_away_as_the_notebook_says() -> None:
    """Moments of the parabola: skewed x₁ (0.119) and two-peaked x₂ (0.216)."""
    target = Parabola().double()
    x, y = torch.linspace(-9, 60, 3000).double(), torch.linspace(-14, 14, 1400).double()
    p = target.log_prob(torch.cartesian_prod(x, y)).exp().view(len(x), len(y))
    of_x, dx, dy = p.sum(1) * (y[1] - y[0]), x[1] - x[0], y[1] - y[0]
    mean = (of_x * x).sum() * dx
    var = (of_x * (x - mean).square()).sum() * dx
    best = 0.5 * (2 * torch.pi * torch.e * var).log()
    second = (p * y.square()).sum(1) * dy / of_x
    best = best + (of_x * 0.5 * (2 * torch.pi * torch.e * second).log()).sum() * dx
    assert (best - target.entropy).item() == pytest.approx(0.335, abs=1e-3)


def theirs(layer: nn.Module) -> Transform:
    """Return one of our layers, with its weights, as zuko and torch have it."""
    if isinstance(layer, BatchNorm):
        scale = (layer.var + layer.eps).rsqrt()
        return IndependentTransform(AffineTransform(-layer.mean * scale, scale), 1)
    assert isinstance(layer, Autoregressive)
    a = layer.univariate.get_parameter("a")

    def meta(x: Tensor) -> Transform:
        s, t = layer.m(x).unbind(-1)
        return IndependentTransform(AffineTransform(t, (a * s.tanh()).exp()), 1)

    return AutoregressiveTransform(meta, passes=layer.x_shape[0])


def test_has_the_density_and_the_samples_of_zuko_with_the_same_weights() -> None:
    """zuko's autoregressive maps, inverted by passes, composed by zuko."""
    flow = maf(5, 3, (32, 32)).double()
    for _ in range(3):  # statistics of its own
        flow.bijection(2 * torch.randn(50, 5).double() + 1)
    flow = perturbed(flow)
    assert isinstance(flow.bijection, Compose)
    transform = ComposedTransform(*map(theirs, flow.bijection.layers))
    base = Independent(Normal(torch.zeros(5).double(), 1.0), 1)
    x = torch.randn(30, 5, dtype=torch.float64)
    with torch.no_grad():
        log_prob = NormalizingFlow(transform, base).log_prob(x)
        torch.testing.assert_close(flow.log_prob(x), log_prob, atol=1e-10, rtol=0)
        ours, _ = flow.bijection.inverse(x)
        torch.testing.assert_close(ours, transform.inv(x), atol=1e-10, rtol=1e-10)
