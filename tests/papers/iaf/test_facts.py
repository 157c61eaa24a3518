"""Facts of IAF (Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling, 2016)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal
from torch.func import jacrev, vmap
from torch.nn.functional import logsigmoid
from zuko.transforms import (
    AutoregressiveTransform,
    DependentTransform,
    MonotonicAffineTransform,
)

from implementations.core.bijection import Compose, Inverse
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.toy import Banana
from implementations.iaf import (
    SPREAD,
    Amortised,
    Gated,
    autoencoder,
    backwards,
    draw,
    encoded,
    excess,
    gated_steps,
    iaf,
    log_evidence,
    log_joint,
    step_back,
)
from implementations.iaf import step as readable_step
from implementations.made import Autoregressive, MaskedMLP
from implementations.maf import maf
from implementations.nice import Shift
from implementations.vi_flows import Diagonal
from tests.support.perturb import perturbed


def step(order: tuple[int, ...] | None = None, context: int = 3) -> Autoregressive:
    """Return one gated step for four components."""
    return perturbed(Autoregressive(4, Gated(), (32, 32), order, context, nn.ELU))


def batch(n: int = 20, dim: int = 4, context: int = 3) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, dim).double(), torch.randn(n, context).double()


def jacobians(f: nn.Module, x: Tensor, h: Tensor) -> Tensor:
    return vmap(jacrev(lambda x, h: f(x[None], h[None])[0][0]))(x, h)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)])
def test_the_jacobian_is_triangular_with_the_gates_on_its_diagonal(
    order: tuple[int, ...],
) -> None:
    """Equations 10 to 14; -Σ logsigmoid(s) is what log q gains (eq. 11)."""
    f, (z, h) = step(order), batch()
    s = f.m(z, h)[..., 1] + 2
    places = list(order)
    jacobian = jacobians(f, z, h)
    ordered = jacobian[:, places][:, :, places]
    assert (ordered.triu(1) == 0).all()
    assert (ordered != 0).any(0)[torch.ones(4, 4).tril().bool()].all()
    close(jacobian.diagonal(dim1=1, dim2=2), s.sigmoid())
    log_det = f(z, h)[1]
    close(log_det, logsigmoid(s).sum(1))
    close(log_det, torch.linalg.slogdet(jacobian).logabsdet)


def test_the_gated_step_is_a_plain_one() -> None:
    """z = μ + σ z with μ = (1 - σ) m, written out (eq. 10)."""
    f, (z, h) = step(), batch()
    m, s = f.m(z, h).unbind(-1)
    sigma = torch.sigmoid(s + 2)
    close(f(z, h)[0], (1 - sigma) * m + sigma * z)
    back, _ = f.inverse(f(z, h)[0], h)
    close(back, z)


def test_starts_almost_as_the_identity() -> None:
    f = Autoregressive(3, Gated(), (8,))
    x = torch.randn(5, 3)
    z, log_det = f(x)
    torch.testing.assert_close(z, 0.8808 * x, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        log_det.exp(), torch.full((5,), 0.8808**3), rtol=1e-3, atol=0
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_stays_finite_and_exact_however_far_the_gate_is_pushed(
    dtype: torch.dtype,
) -> None:
    g = Gated()
    s = torch.tensor([-1e4, -7.5, -7.0, 0.0, 30.0, 1e4], dtype=dtype)
    x = torch.full_like(s, 0.7).requires_grad_()
    params = torch.stack((torch.full_like(s, -3.0), s), -1).requires_grad_()
    z, log_slope = g(x, params)
    back, negated = g.inverse(z, params)
    small = 1e-12 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(back, x, atol=small, rtol=small)
    torch.testing.assert_close(negated, -log_slope, atol=0, rtol=0)
    (back.sum() + negated.sum()).backward()
    assert params.grad is not None and params.grad.isfinite().all()
    # Where the gate never closes, nothing is forgotten, not even in the last bit.
    assert z[-1] == x[-1] and log_slope[-1] == 0


def test_who_sees_what() -> None:
    """h moves all; z_j moves the components after it; the first one's m, s are h's."""
    f, (z, h) = step(), batch()
    assert ((f(z, h + 1)[0] - f(z, h)[0]).abs() > 1e-6).all()
    for j in range(4):
        other = z.clone()
        other[:, j] += 1
        change = (f.m(other, h) - f.m(z, h)).abs().amax(-1)
        assert (change[:, : j + 1] == 0).all()
        assert (change[:, j + 1 :] > 0).all()
    close(f.m(z, h)[:, 0], f.m(0 * z, h)[:, 0])


def test_order_turns_from_step_to_step() -> None:
    steps = gated_steps(5, 3, (8,))
    places = [f.get_submodule("m").get_buffer("place")[0].tolist() for f in steps]
    assert places == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]]
    for before, after in pairwise(places):
        assert before == after[::-1]
    turned, (z, h) = perturbed(Compose(*gated_steps(4, 2, (32,), 3))), batch()
    assert (jacobians(turned, z, h) != 0).any(0).all()


def test_the_density_is_that_of_equation_11() -> None:
    flow, (noise, h) = perturbed(iaf(4, 3, (16, 16), context=3)), batch()
    chain = flow.bijection.get_submodule("bijection")
    assert isinstance(chain, Compose)
    torch.manual_seed(2)
    z, log_q = flow.rsample_and_log_prob(20, h)
    torch.manual_seed(2)
    noise = flow.base.sample(20)
    first, *steps = chain.layers
    assert isinstance(first, Diagonal)
    log_sigma = first(noise, h)[1]
    inner = first(noise, h)[0]
    for f in steps:
        assert isinstance(f, Autoregressive)
        log_sigma = log_sigma + logsigmoid(f.m(inner, h)[..., 1] + 2).sum(1)
        inner = f(inner, h)[0]
    close(z, inner)
    close(log_q, -0.5 * (noise.square() + LOG_2PI).sum(1) - log_sigma)
    close(log_q, flow.log_prob(z, h))


def test_the_same_weights_in_zuko() -> None:
    """zuko's autoregressive map, inverted by passes, and our slices."""
    f, (z, h) = step((2, 0, 3, 1)), batch()

    def meta(x: Tensor) -> DependentTransform:
        m, s = f.m(x, h).unbind(-1)
        gate = torch.sigmoid(s + 2)
        # zuko bounds its log-scales, smoothly: hand it what it turns into ours.
        log_gate = gate.log()
        wide = log_gate / (1 - (log_gate / math.log(1e-3)).abs())
        affine = MonotonicAffineTransform((1 - gate) * m, wide, slope=1e-3)
        return DependentTransform(affine, 1)

    theirs = AutoregressiveTransform(meta, passes=4)
    out, log_det = theirs.call_and_ladj(z)
    assert log_det is not None
    close(f(z, h)[0], out)
    close(f(z, h)[1], log_det)
    back = theirs.inv(z)
    assert back is not None
    close(f.inverse(z, h)[0], back)


def test_maf_read_backwards_is_iaf_with_the_same_weights() -> None:
    """The samples of one are what the other makes of data, and so are densities."""
    forth = perturbed(maf(4, 3, (16, 16)))
    turned = Flow(forth.base, Inverse(forth.bijection))
    own = {id(p) for p in forth.parameters()}
    assert {id(p) for p in turned.parameters()} == own
    noise = torch.randn(20, 4).double()
    u, log_det = forth.bijection(noise)
    torch.manual_seed(3)
    sample, log_q = turned.rsample_and_log_prob(20)
    torch.manual_seed(3)
    drawn = forth.base.sample(20)
    assert torch.equal(sample, forth.bijection(drawn)[0])
    normal = forth.base.log_prob
    # log q at what was drawn, from MAF's log-density at the noise.
    close(log_q, normal(drawn) + normal(sample) - forth.log_prob(drawn))
    close(turned.log_prob(u), normal(noise) - log_det)


def test_fitting_iaf_to_a_density_is_fitting_maf_to_noise() -> None:
    flow, target = perturbed(iaf(2, 2, (16,))), Banana().double()
    noise = torch.randn(30, 2).double()
    log_p = backwards(flow, target).log_prob(noise)
    left, right = excess(flow, target, noise), flow.base.log_prob(noise) - log_p
    close(left, right)
    weights = list(flow.parameters())
    gradients = (
        torch.autograd.grad(side.mean(), weights, allow_unused=True)
        for side in (left, right)
    )
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            close(a, b)


def test_linear_iaf_is_a_gaussian_of_any_covariance() -> None:
    """z = L z₀ with a unit triangular L: covariance L diag(σ²) Lᵀ (appendix A)."""
    linear = Autoregressive(3, Shift(), ())
    flow = perturbed(Flow(StandardNormal((3,)), Inverse(Compose(Diagonal(3), linear))))
    points = torch.randn(20, 3).double()
    chain = flow.bijection.get_submodule("bijection")
    zero = torch.zeros(1, 3).double()
    a = jacrev(lambda x: chain(x[None])[0][0])(zero[0])
    assert (a.triu(1) == 0).all()
    gaussian = MultivariateNormal(chain(zero)[0][0], a @ a.T)
    close(flow.log_prob(points), gaussian.log_prob(points))
    below = torch.ones(3, 3).tril(-1).bool()
    assert a[below].abs().min() > 1e-3


def test_without_steps_the_posterior_is_the_diagonal_gaussian() -> None:
    x = torch.rand(6, 64).round()
    models = []
    for flow in (None, Compose(*gated_steps(16, 1, (8,)))):
        torch.manual_seed(0)
        models.append(autoencoder(flow))
    plain, gated = models
    # With the gate wide open, a step changes nothing.
    with torch.no_grad():
        gated.get_parameter("flow.layers.0.m.output.bias")[16:] = 100.0
        gated.encoder.load_state_dict(plain.encoder.state_dict())
        gated.decoder.load_state_dict(plain.decoder.state_dict())
    values = []
    for model in models:
        torch.manual_seed(4)
        values.append(model.elbo(x))
    assert torch.equal(*values)
    torch.manual_seed(4)
    z, log_q = plain.posterior(x)
    mean, log_std, _ = plain.encoder(x).split(plain.sizes, -1)
    normal = torch.distributions.Normal(mean, log_std.exp())
    torch.testing.assert_close(log_q, normal.log_prob(z).sum(1))


def test_the_arch_has_the_evidence_that_the_notebook_says() -> None:
    y = torch.tensor([[-1.0], [1.3], [2.5]]).double()
    line = torch.linspace(-8, 8, 1601, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    cell = (line[1] - line[0]) ** 2
    sums = [log_joint(grid, v.expand(len(grid), 1)).exp().sum() * cell for v in y]
    expected = torch.stack(sums).log()
    torch.testing.assert_close(log_evidence(y).double(), expected, atol=1e-8, rtol=0)
    z = torch.tensor([[-2.0, 1.0]]).double()
    normal = torch.distributions.Normal(0.0, 1.0)
    given = torch.distributions.Normal(y[1], SPREAD).log_prob(
        5 * torch.ones(1).double()
    )
    close(log_joint(z, y[1:2]), normal.log_prob(z).sum(1) + given)


def test_the_page_and_the_class_are_one_step() -> None:
    """`step` and `step_back` are MADE's bijection with the gate, and its inverse."""
    f, (z, h) = step(), batch()
    assert isinstance(f.m, MaskedMLP)
    for given, net in ((h, f), (None, step(context=0))):
        out, log_det = readable_step(net.m, z, given)
        close(net(z, given)[0], out)
        close(net(z, given)[1], log_det)
        close(step_back(net.m, out, given), z)
        close(net.inverse(out, given)[0], step_back(net.m, out, given))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_a_draw_has_the_density_that_is_found_backwards(layers: int) -> None:
    """And so has the same chain as a flow, where the encoder is a constant."""
    q = perturbed(Amortised(layers))
    torch.manual_seed(5)
    y, noise = torch.randn(30, 1).double(), torch.randn(30, 2).double()
    z, log_q = draw(q.encoder, q.steps, y, noise)
    close(q.log_prob(z, y), log_q)
    mean, log_std, h = encoded(q.encoder, y, 2)
    start = MultivariateNormal(mean, torch.diag_embed((2 * log_std).exp()))
    first = mean + log_std.exp() * noise
    jacobian = torch.eye(2).double().expand(30, 2, 2)
    if layers:
        chain = Compose(*q.steps)
        jacobian = vmap(jacrev(lambda x, h: chain(x[None], h[None])[0][0]))(first, h)
    close(log_q, start.log_prob(first) - torch.linalg.slogdet(jacobian).logabsdet)
