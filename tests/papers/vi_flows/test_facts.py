"""Facts of variational inference with normalizing flows (Rezende, Mohamed, 2015)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from normflows.flows import Planar as TheirPlanar
from normflows.flows import Radial as TheirRadial
from torch import Tensor
from torch.autograd import gradgradcheck
from torch.distributions import Bernoulli, Normal
from torch.func import jacrev, vmap
from torch.nn.functional import softplus

from implementations.core.bijection import Bijection, Compose
from implementations.vi_flows import (
    ENERGIES,
    LatentGaussian,
    Planar,
    Radial,
    beta,
    energy,
    kl,
    log_constants,
    vi_flows,
    wall,
    which,
)
from tests.support.perturb import noise


def planar(u: Tensor, w: Tensor, b: float = 0.0) -> Planar:
    layer = Planar(len(u)).to(u.dtype)
    with torch.no_grad():
        layer.steering.start.copy_(torch.cat((u, w, u.new_tensor([b]))))
    return layer


def radial(centre: Tensor, alpha: float, beta: float) -> Radial:
    """Return the map before softplus sees α, and α + β."""
    layer = Radial(len(centre)).to(centre.dtype)
    with torch.no_grad():
        layer.steering.start.copy_(
            torch.cat((centre, centre.new_tensor([alpha, beta])))
        )
    return layer


def pushed(layer: Planar, w: Tensor) -> Tensor:
    """Return û, by which the map pushes what lies far along w (tanh is 1 there)."""
    far = (50 * w / w.square().sum())[None]
    return (layer(far)[0] - far)[0].detach()


def exact_log_det(f: Bijection, x: Tensor) -> Tensor:
    rows = vmap(jacrev(lambda x: f(x[None])[0][0]))(x)
    return torch.linalg.slogdet(rows).logabsdet


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


# Planar


@pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(5))
def test_u_is_mended_along_w_and_only_there(size: float, seed: int) -> None:
    u, w = size * noise(4, seed=seed), noise(4, seed=seed + 10)
    mended = pushed(planar(u, w), w)
    close(w @ mended, softplus(w @ u) - 1, 1e-10)
    assert w @ mended > -1
    along = w / w.norm()
    rest = torch.eye(4).double() - torch.outer(along, along)
    close(rest @ mended, rest @ u, 1e-10)


def test_a_u_of_zero_squeezes() -> None:
    w = noise(3)
    layer = planar(torch.zeros(3).double(), w)
    assert (w @ pushed(layer, w)).item() == pytest.approx(math.log(2) - 1)
    assert layer(torch.zeros(1, 3).double())[1].exp().item() == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize("layer", [Planar(4), Radial(4), vi_flows(4).bijection])
def test_layers_start_as_the_identity(layer: Bijection) -> None:
    x = noise(9, 4)
    z, log_det = layer.double()(x)
    close(z, x, 1e-5)
    close(log_det, torch.zeros(9).double(), 1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("wu", [-1e4, -30.0, -1.0, 0.0, 30.0, 1e4])
def test_planar_is_increasing_and_has_an_inverse(scale: float, wu: float) -> None:
    """Whatever the parameters: with w'û = wu before it is mended."""
    w = scale * noise(3)
    u = wu * w / w.square().sum() + 0.1 * torch.linalg.cross(w, noise(3, seed=2))
    layer = planar(u, w, 0.3)
    s = torch.linspace(-8, 8, 401).double()[:, None]
    x = s * w / w.square().sum()
    z, log_det = layer(x)
    assert ((z @ w).diff() > 0).all()
    assert log_det.isfinite().all()
    back, negated = layer.inverse(z)
    # Where the slope comes close to 0 the map is a cubic: half of the digits are lost.
    flat = wu < -1
    close(back @ w, x @ w, 1e-4 if flat else 1e-10)
    if not flat:
        close(negated, -log_det, 1e-9)


def test_the_inverse_solves_for_any_target() -> None:
    """From far left to far right, without a hint where the root is."""
    layer = planar(5 * noise(2), noise(2, seed=4), 0.7)
    z = torch.logspace(-12, 6, 60).double()[:, None] * noise(60, 2)
    close(layer(layer.inverse(z)[0])[0], z, 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_derivatives_of_the_inverse_are_exact(seed: int) -> None:
    """The first and the second, by parameters and input."""
    u, w = 2 * noise(2, seed=seed), noise(2, seed=seed + 10)
    layer, z = planar(u, w, 0.2), noise(5, 2, seed=seed + 20).requires_grad_()
    start = layer.steering.start

    def inverse(z: Tensor, start: Tensor) -> tuple[Tensor, ...]:
        f = torch.func.functional_call
        return f(Inverted(layer), {"layer.steering.start": start}, (z,))

    assert torch.autograd.gradcheck(inverse, (z, start))
    assert gradgradcheck(inverse, (z, start))


class Inverted(torch.nn.Module):
    """A layer whose `forward` is the inverse, for functional_call."""

    def __init__(self, layer: Bijection) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer.inverse(z)


@pytest.mark.parametrize("wu", [-1e4, -100.0, -20.0])
def test_float32_meets_no_log_of_zero(wu: float) -> None:
    """On the hyperplane w'z + b = 0, where w'û rounds to -1."""
    w = torch.tensor([0.6, -0.8])
    layer = planar(wu * w, w)
    x = torch.tensor([[0.8, 0.6], [0.0, 0.0], [1.0, 0.0]])
    for run in (layer, layer.inverse):
        log_det = run(x)[1]
        assert log_det.isfinite().all()
        log_det.sum().backward()
        gradient = layer.steering.start.grad
        assert gradient is not None and gradient.isfinite().all()
    exact = max(wu, math.log(1e-18))
    assert layer(x)[1][1].item() == pytest.approx(exact, abs=1e-3)


# Radial


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("beta", [-30.0, -3.0, 0.0, 30.0])
@pytest.mark.parametrize("alpha", [-30.0, -3.0, 0.0, 30.0])
def test_radial_has_an_inverse(dim: int, alpha: float, beta: float) -> None:
    layer, x = radial(noise(dim, seed=2), alpha, beta), noise(20, dim)
    z, log_det = layer(x)
    close(log_det, exact_log_det(layer, x), 1e-8)
    back, negated = layer.inverse(z)
    # α ≈ e⁻³⁰ with γ = 30 tears a hole into space, whose rim is found back badly.
    torn = alpha == -30 and beta == 30
    close(back, x, 1e-3 if torn else 1e-9)
    if not torn:
        close(negated, -log_det, 1e-8)


def test_radial_pulls_and_pushes() -> None:
    """As eq. 14 has it, with β = γ - α."""
    centre, x = noise(3), noise(8, 3, seed=2)
    layer = radial(centre, 0.4, -1.0)
    alpha, gamma = softplus(x.new_tensor([0.4, -1.0]))
    r = (x - centre).norm(dim=1, keepdim=True)
    expected = x + (gamma - alpha) / (alpha + r) * (x - centre)
    close(layer(x)[0], expected)
    h, beta = 1 / (alpha + r), gamma - alpha
    factors = (1 + beta * h) ** 2 * (1 + beta * h - beta * h**2 * r)
    close(layer(x)[1], factors.log().squeeze(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_centre_of_a_radial_map(dtype: torch.dtype) -> None:
    centre = noise(2).to(dtype)
    for a, c in ((0.0, 1.0), (-200.0, -200.0)):
        layer = radial(centre, a, c)
        for run in (layer, layer.inverse):
            z, log_det = run(centre[None])
            close(z[0], centre)
            assert log_det.isfinite().all()
            (z.sum() + log_det.sum()).backward()
            gradient = layer.steering.start.grad
            assert gradient is not None and gradient.isfinite().all()


# Chains, and an independent library


def test_without_maps_it_is_the_diagonal_gaussian() -> None:
    flow = vi_flows(3, layers=0).double()
    mean, s = noise(3), noise(3, seed=2)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.copy_(torch.cat((mean, s)))
    x = noise(6, 3, seed=3)
    close(flow.log_prob(x), Normal(mean, s.exp()).log_prob(x).sum(1))


@pytest.mark.parametrize("seed", range(3))
def test_planar_agrees_with_normflows(seed: int) -> None:
    u, w = noise(3, seed=seed), noise(3, seed=seed + 10)
    b, x = noise(1, seed=seed + 20), noise(9, 3, seed=seed + 30)
    theirs = TheirPlanar((3,), u=u[None], w=w[None])
    theirs.b.data = b
    for ours, other in zip(planar(u, w, b.item())(x), theirs(x), strict=True):
        close(ours, other)


@pytest.mark.parametrize("alpha, beta", [(0.3, 2.0), (1.0, -1.0), (-2.0, 0.0)])
def test_radial_agrees_with_normflows(alpha: float, beta: float) -> None:
    """Which takes α as it is; β - α before softplus sees it is the same."""
    centre, x = noise(3), noise(9, 3, seed=2)
    theirs = TheirRadial((3,), z_0=centre[None]).double()
    theirs.alpha.data = softplus(x.new_tensor([alpha]))
    theirs.beta.data = x.new_tensor([beta])
    for ours, other in zip(radial(centre, alpha, beta)(x), theirs(x), strict=True):
        close(ours, other)


# The deep latent Gaussian model


def perturbed(flow: Bijection | None, latent: int = 1) -> LatentGaussian:
    """Return a model of three pixels, with random weights and wide posteriors."""
    torch.manual_seed(0)
    model = LatentGaussian(3, latent, (8,), flow).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        model.decoder.get_parameter("2.weight").mul_(5)
        model.encoder.get_parameter("2.bias")[latent : 2 * latent].add_(0.3)
    return model


def all_images(pixels: int) -> Tensor:
    bits = torch.tensor([0.0, 1.0]).double()
    return torch.cartesian_prod(*[bits] * pixels)


def flows() -> Sequence[Bijection | None]:
    torch.manual_seed(1)
    return [
        None,
        Planar(1),
        Compose(Planar(1, context=2), Planar(1, context=2)),
        Compose(Radial(1, context=3), Planar(1)),
    ]


@pytest.mark.parametrize("which", range(4))
def test_likelihoods_are_those_of_quadrature(which: int) -> None:
    """Importance sampling is right just if q's density is that of q's samples."""
    model, x = perturbed(flows()[which]), all_images(3)
    z = torch.linspace(-9, 9, 2001).double()[:, None]
    with torch.no_grad():
        pixels = Bernoulli(logits=model.decoder(z)).log_prob(x[:, None]).sum(2)
        joint = pixels + Normal(0.0, 1.0).log_prob(z).squeeze(1)
        exact = torch.trapezoid(joint.exp(), z.squeeze(1)).log()
        assert exact.exp().sum().item() == pytest.approx(1)
        weights = model.elbo(x.repeat(20_000, 1)).view(20_000, 8)
        close(weights.exp().mean(0).log(), exact, 0.03)
    assert (weights.mean(0) < exact).all()
    close(model.log_likelihood(x, 1000), exact, 0.2)


def test_a_chain_that_does_nothing_changes_nothing() -> None:
    x = all_images(3)
    values = []
    for flow in (None, Planar(2), Compose(Planar(2), Radial(2))):
        torch.manual_seed(3)
        model = LatentGaussian(3, 2, (8,)).double()
        model.flow = None if flow is None else flow.double()
        values.append(model.elbo(x))
    close(values[1], values[0], 1e-5)
    close(values[2], values[0], 1e-5)


def test_beta_scales_the_joint_density_only() -> None:
    model, x = perturbed(Planar(2, context=3), 2), all_images(3)
    values = []
    for scale in (0.0, 0.25, 1.0):
        torch.manual_seed(4)
        values.append(model.elbo(x, scale))
    torch.manual_seed(4)
    _, log_q = model.posterior(x)
    close(values[0], -log_q)
    close(values[1], 0.75 * values[0] + 0.25 * values[2])


def test_amortised_posteriors_learn_from_the_start() -> None:
    """Neither the context nor its weights wait for the other to leave 0."""
    torch.manual_seed(0)
    model = LatentGaussian(3, 2, (8,), Planar(2, context=4))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        model.elbo(all_images(3).float()).sum().backward()
        optimiser.step()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert all(g is not None and g.abs().sum() > 0 for g in gradients.values())


def test_images_are_drawn_from_the_prior() -> None:
    model, x = perturbed(None), all_images(3)
    drawn = model.sample(40_000)
    assert drawn.shape == (40_000, 3)
    found = (drawn[:, None] == x).all(2).double().mean(0)
    close(found, model.log_likelihood(x, 1000).exp(), 0.02)


# The four energies


VALUES = (
    (17.3624, 2.4612, 0.0118, 0.1742),
    (0.0, 0.0, 0.7812, 3.125),
    (-0.0970, 0.0, 0.3273, 0.2374),
    (-0.6716, -0.0001, 0.2008, 3.125),
)


@pytest.mark.parametrize("k", range(4))
def test_values_of_the_energies(k: int) -> None:
    z = torch.tensor([[0.0, 0.0], [1.0, 1.0], [-2.0, 0.5], [2.0, -1.0]]).double()
    close(ENERGIES[k](z), torch.tensor(VALUES[k]).double(), 1e-4)
    assert ENERGIES[k](z * 1e4).isfinite().all()


def test_the_wall_is_outside() -> None:
    z = torch.tensor([[4.0, -4.0], [4.2, 0.0], [0.0, -4.4], [-4.2, 4.2]])
    close(wall(z), torch.tensor([0.0, 0.5, 2.0, 1.0]), 1e-5)


def test_each_quarter_sees_its_own_energy() -> None:
    z, context = 2 * noise(12, 2), which(3)
    for k, u in enumerate(ENERGIES):
        own = context[:, k] == 1
        close(energy(z)[own], u(z[own]) + wall(z[own]))


def test_constants_are_those_of_the_square_and_its_wall() -> None:
    """The integral over z₂ is known for the last three; the wall adds √(2π)/5."""
    log_z = log_constants()
    length = 8 + 0.2 * math.sqrt(2 * math.pi)
    across = (0.4, 0.7, 0.75)
    for value, width in zip(log_z[1:], across, strict=True):
        free = length * width * math.sqrt(2 * math.pi)
        assert value.item() == pytest.approx(math.log(free), abs=0.02)
    expected = torch.tensor([1.8775, 2.1429, 2.7025, 2.7608]).double()
    close(log_z.cpu(), expected, 1e-4)
    close(log_constants(401), log_z, 1e-6)


def test_divergences_are_exact_where_a_formula_is_known() -> None:
    """KL of a narrow Gaussian in the wave, where the wave is flat: at its crest."""
    flow = vi_flows(2, 0, context=4)
    s = math.log(0.01)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.zero_()
        start = flow.get_parameter("bijection.bijection.layers.0.steering.start")
        start.copy_(torch.tensor([1.0, 1.0, s, s]))
        gap = kl(flow, log_constants(), 50_000)
    entropy = 1 + math.log(2 * math.pi) + 2 * s
    at_crest = 0.5 * (0.01 / 0.4) ** 2
    assert gap[1].item() == pytest.approx(2.1429 + at_crest - entropy, abs=0.03)


def test_annealing_ends() -> None:
    assert beta(0) == 0.01
    assert beta(5000) == pytest.approx(0.51)
    assert beta(9900) == 1 and beta(500_000) == 1
    assert beta(200, over=400) == pytest.approx(0.51)
