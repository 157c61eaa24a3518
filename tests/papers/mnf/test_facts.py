"""Facts of MNF (Louizos and Welling, 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, kl_divergence
from torch.distributions import Normal as Gaussian
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.doubt import LeNet
from implementations.core.flow import Flow
from implementations.mnf import (
    MNF,
    Gaussians,
    MeanField,
    MeanFieldConv2d,
    MeanFieldLinear,
    Normal,
    gates,
    kl,
    mnf,
)
from implementations.nice import Coupling
from implementations.vi_flows import Diagonal, Steering
from tests.support.perturb import noise

M = TypeVar("M", bound=nn.Module)


def perturbed(module: M, seed: int = 0, size: float = 0.3) -> M:
    """Return the module in float64, its weights moved away from their start."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=size)
    return module.double()


def layers(flow: Flow) -> Sequence[Bijection]:
    assert isinstance(flow.bijection, Compose)
    return flow.bijection.layers


def steering(normal: Bijection) -> Steering:
    """What gives the mean and log σ of a Gaussian."""
    assert isinstance(normal, Normal) and isinstance(normal.bijection, Diagonal)
    return normal.bijection.steering


def set_gaussians(model: MNF, mean: float, log_sigma: float) -> None:
    """Let q(z₀) and r's Gaussian be the same, the latter whatever W is."""
    for normal in (layers(model.q)[-1], layers(model.r)[-1]):
        each = steering(normal)
        with torch.no_grad():
            dim = len(each.start) // 2
            each.start.copy_(torch.tensor([mean] * dim + [log_sigma] * dim))
            if each.weight is not None:
                each.weight.zero_()


def fixed(layer: MeanField, z: Tensor, n: int) -> Tensor:
    """Draw n weight matrices given one z, as rows × columns."""
    g = layer.weights
    eps = torch.randn(n, *g.mu.shape, dtype=torch.float64)
    return z[:, None] * g.mu + g.log_sigma.exp() * eps


def close_in_moments(ours: Tensor, theirs: Tensor) -> None:
    """Means and variances over the first axis agree, to six standard errors."""
    n = min(len(ours), len(theirs))
    var = theirs.var(0)
    off = (ours.mean(0) - theirs.mean(0)).abs() / (2 * var / n).sqrt()
    assert off.max() < 6
    assert (ours.var(0) / var - 1).abs().max() < 6 * math.sqrt(4 / n)


def test_a_step_keeps_088_at_the_start() -> None:
    (step,) = gates(4, 1, 7)
    x = noise(3, 4)
    z, log_det = step.double()(x)
    gate = torch.tensor(2.0).double().sigmoid()
    torch.testing.assert_close(z[:, 0::2], x[:, 0::2])
    torch.testing.assert_close(z[:, 1::2], gate * x[:, 1::2])
    torch.testing.assert_close(log_det, (2 * gate.log()).expand(3))


def test_steps_move_every_other_unit_in_turns() -> None:
    steps = [perturbed(step) for step in gates(5, 4, 7)]
    x = noise(6, 5)
    for t, step in enumerate(steps):
        z, log_det = step(x)
        moved = torch.arange(5) % 2 == (t + 1) % 2
        assert torch.equal(z[:, ~moved], x[:, ~moved])
        assert (z[:, moved] != x[:, moved]).all()
        jacobian = vmap(jacrev(lambda x, f=step: f(x[None])[0][0]))(x)
        exact = torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_det, exact, atol=1e-12, rtol=0)


def test_divergence_of_gaussians() -> None:
    """KL(q(W | z) ‖ p(W)), against torch's, for a prior that is not standard."""
    g = perturbed(Gaussians(torch.randn(3, 4), prior=0.7, sigma=0.4))
    z = noise(5, 3)
    q = Gaussian(z[:, :, None] * g.mu, g.log_sigma.exp())
    p = Gaussian(torch.zeros(3, 4).double(), 0.7)
    exact = kl_divergence(q, p).sum((1, 2))
    torch.testing.assert_close(g.kl(z), exact)


def test_mean_field_is_torch_s_divergence() -> None:
    net = perturbed(mnf(LeNet((1, 8, 8), 5, (3,), 3, (7,)), nn.Identity()))
    total = torch.zeros((), dtype=torch.float64)
    for g in net.modules():
        if isinstance(g, Gaussians):
            q, zero = Gaussian(g.mu, g.log_sigma.exp()), torch.zeros_like(g.mu)
            total = total + kl_divergence(q, Gaussian(zero, 1)).sum()
    torch.testing.assert_close(kl(net), total)


@pytest.mark.parametrize(
    "layer", [MeanFieldLinear(4, 3), MeanFieldConv2d(2, 3, 3)], ids=["dense", "conv"]
)
def test_without_noise_it_is_mean_field(layer: MeanField) -> None:
    """A point mass at z = 1, which r knows, adds nothing to the closed form."""
    model = perturbed(MNF(perturbed(layer), steps=0), seed=2, size=0)
    set_gaussians(model, 1.0, -20.0)
    exact = layer.kl().expand(5)
    torch.testing.assert_close(model.kl(5), exact, atol=1e-6, rtol=1e-6)


def test_dense_outputs_are_those_of_drawn_weights() -> None:
    """Local reparametrisation against drawn (W, b), z held fixed (algorithm 1)."""
    n, layer = 40_000, perturbed(MeanFieldLinear(3, 2, sigma=0.4))
    x, z = noise(3), noise(3, seed=2)
    with torch.no_grad():
        ours = layer.given(x.expand(n, 3), z.expand(n, 3))
        bias = layer.bias.mu + layer.bias.log_sigma.exp() * noise(n, 2, seed=3)
        theirs = torch.einsum("i,nij->nj", x, fixed(layer, z, n)) + bias
    close_in_moments(ours, theirs)


def test_convolutions_are_those_of_drawn_filters() -> None:
    """The same, for a convolution whose z multiplies its bias too (algorithm 2)."""
    n, layer = 20_000, perturbed(MeanFieldConv2d(2, 3, 2, sigma=0.4))
    x, z = noise(2, 3, 3), noise(3, seed=2)
    with torch.no_grad():
        ours = layer.given(x.expand(n, 2, 3, 3), z.expand(n, 3))
        rows = fixed(layer, z, n)
        filters, bias = rows[..., :-1].unflatten(2, (2, 2, 2)), rows[..., -1]
        patches = x.unfold(1, 2, 1).unfold(2, 2, 1)
        theirs = torch.einsum("chwij,nkcij->nkhw", patches, filters)
    close_in_moments(ours, theirs + bias[:, :, None, None])


def test_without_variance_layers_are_torch_s_own() -> None:
    dense, conv = (
        MeanFieldLinear(4, 3, sigma=1e-9),
        MeanFieldConv2d(2, 3, 3, sigma=1e-9),
    )
    linear, conv2d = nn.Linear(4, 3).double(), nn.Conv2d(2, 3, 3).double()
    dense, conv = dense.double(), conv.double()
    with torch.no_grad():
        dense.weights.mu.copy_(linear.weight.T)
        dense.bias.mu.copy_(linear.bias)
        conv.weights.mu[:, :-1] = conv2d.weight.flatten(1)
        conv.weights.mu[:, -1] = conv2d.get_parameter("bias")
    for ours, theirs, x in (
        (dense, linear, noise(5, 4)),
        (conv, conv2d, noise(5, 2, 6, 6)),
    ):
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=0)


def test_every_example_has_a_z_of_its_own() -> None:
    model = MNF(MeanFieldLinear(3, 2, sigma=1e-9)).double()
    y = model(noise(1, 3).expand(6, 3))
    # A shared z would leave them apart by σ alone.
    assert (y - y.roll(1, 0)).abs().min() > 1e-5


def test_the_projection_is_that_of_drawn_weights() -> None:
    n, layer = 40_000, perturbed(MeanFieldLinear(3, 4, sigma=0.4))
    c, z = noise(3), noise(3, seed=2)
    with torch.no_grad():
        ours = layer.weights.project(c, z.expand(n, 3))
        theirs = torch.einsum("i,nij->nj", c, fixed(layer, z, n))
    close_in_moments(ours, theirs)


def one_weight() -> MNF:
    """One weight, no flow: z ~ N(1.2, 0.3), w ~ N(0.8 z, 0.4²), no bias to speak of."""
    layer = MeanFieldLinear(1, 1, sigma=0.4)
    model = MNF(layer, steps=0).double()
    with torch.no_grad():
        layer.weights.mu.fill_(0.8)
        layer.bias.log_sigma.zero_()
    set_gaussians(model, 1.2, 0.5 * math.log(0.3))
    return model


class Exact(nn.Module):
    """q(z | w) of `one_weight`, by Bayes' rule."""

    def __init__(self, w: list[Tensor]) -> None:
        super().__init__()
        self.w = w

    def log_prob(self, z: Tensor, context: Tensor) -> Tensor:
        precision = 1 / 0.3 + 0.8**2 / 0.4**2
        mean = (1.2 / 0.3 + 0.8 * self.w[-1] / 0.4**2) / precision
        return Gaussian(mean, precision**-0.5).log_prob(z).sum(1)


def test_the_bound_bounds_and_is_tight_for_the_right_r(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one weight q(w) = N(m μ, a μ² + σ²) is known, and with it the KL."""
    torch.manual_seed(0)
    model, n = one_weight(), 400_000
    q = Gaussian(0.96, math.sqrt(0.3 * 0.8**2 + 0.4**2))
    exact = kl_divergence(q, Gaussian(0.0, 1.0)).item()
    assert exact == pytest.approx(0.6589, abs=1e-4)
    with torch.no_grad():
        blind = model.kl(n).mean().item()
        # An r that does not look at w loses all that w and z tell of each other.
        information = 0.5 * math.log(1 + 0.3 * 0.8**2 / 0.4**2)
        assert blind == pytest.approx(exact + information, abs=0.01)
        drawn: list[Tensor] = []
        project = Gaussians.project

        def remember(self: Gaussians, c: Tensor, z: Tensor) -> Tensor:
            drawn.append(project(self, torch.ones_like(c), z))
            return drawn[-1]

        monkeypatch.setattr(Gaussians, "project", remember)
        model.r = Exact(drawn)  # type: ignore[assignment]
        assert model.kl(n).mean().item() == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("steps", [0, 3])
def test_q_and_r_are_densities(steps: int) -> None:
    """Both integrate to one, r under any a: no sign of a log-determinant is wrong."""
    model = perturbed(MNF(MeanFieldLinear(2, 3), steps, hidden=5))
    side = torch.linspace(-12, 14, 1301, dtype=torch.float64)
    z = torch.cartesian_prod(side, side)
    a = torch.full((len(z), 1), 0.4, dtype=torch.float64)
    with torch.no_grad():
        for log_density in (model.q.log_prob(z), model.r.log_prob(z, a)):
            assert log_density.exp().sum().item() * 0.02**2 == pytest.approx(
                1, abs=1e-3
            )


def test_r_s_log_determinant_has_a_plus() -> None:
    """log r(z_T) = log r(z_B) + log |det ∂z_B/∂z_T| (eq. 8), by hand."""
    model = perturbed(MNF(MeanFieldLinear(3, 2), 2, hidden=5))
    z, a = noise(4, 3), noise(4, 1, seed=2)
    x, log_det = z, torch.zeros(4, dtype=torch.float64)
    *steps, normal = layers(model.r)
    for step in steps:
        assert isinstance(step, Coupling)
        jacobian = vmap(jacrev(lambda x, f=step: f(x[None])[0][0]))(x)
        log_det = log_det + torch.linalg.slogdet(jacobian).logabsdet
        x, _ = step(x)
    given = steering(normal)
    assert given.weight is not None
    mean, log_sigma = (given.start + a * given.weight.T).chunk(2, 1)
    base = Independent(Gaussian(mean, log_sigma.exp()), 1).log_prob(x)
    torch.testing.assert_close(model.r.log_prob(z, a), base + log_det)


def test_q_is_drawn_forwards() -> None:
    """z_T comes from z_0 by the gates themselves, not by their inverses (eq. 6)."""
    model = MNF(MeanFieldLinear(4, 2), 2, hidden=5).double()
    assert isinstance(model.q, Flow)
    z, _ = model.q.rsample_and_log_prob(50_000)
    # Had it come by the inverses, the gates would have stretched it to 1.29.
    assert z.mean(0).tolist() == pytest.approx([1] * 4, abs=0.01)
    assert z.std(0).tolist() == pytest.approx([0.1**0.5] * 4, abs=0.01)


def test_the_bound_of_a_layer_is_above_the_exact_divergence() -> None:
    """For two weights and Gaussian z, q(W) is Gaussian; any r gives an upper bound."""
    torch.manual_seed(1)
    layer = MeanFieldLinear(2, 1, sigma=0.4)
    model = MNF(layer, steps=0).double()
    with torch.no_grad():
        layer.weights.mu.copy_(torch.tensor([[0.8], [-0.5]]))
        layer.bias.log_sigma.zero_()
        mu = layer.weights.mu[:, 0]
        (normal,) = layers(model.q)
        mean, log_sigma = steering(normal).start.chunk(2)
        var = (2 * log_sigma).exp() * mu.square() + 0.4**2
        q = MultivariateNormal(mean * mu, var.diag())
        p = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
        exact = kl_divergence(q, p).item()
        for seed in range(3):
            perturbed(model.r, seed)
            assert model.kl(50_000).mean().item() > exact - 0.01


@pytest.mark.parametrize("seed", range(5))
def test_bound_and_gradients_stay_finite(seed: int) -> None:
    net = perturbed(mnf(LeNet((1, 8, 8), 5, (4,), 3, (6,))), seed, 1.0)
    (kl(net) + net(noise(3, 1, 8, 8)).logsumexp(1).mean()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_the_paper_s_lenet() -> None:
    net = mnf()
    shapes = [
        tuple(layer.layer.weights.mu.shape) for layer in net if isinstance(layer, MNF)
    ]
    assert shapes == [(20, 26), (50, 501), (800, 500), (500, 10)]
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_divergence_counts_each_layer_once() -> None:
    net = mnf(LeNet((1, 2, 2), 3, (), 1, (5,)), nn.Identity())
    layers = [layer for layer in net if isinstance(layer, MeanField)]
    assert len(layers) == 2
    assert kl(net).item() == pytest.approx(sum(layer.kl().item() for layer in layers))
    assert kl(nn.Sequential(nn.Linear(2, 2))).item() == 0
