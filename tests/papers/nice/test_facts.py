"""Facts of NICE (Dinh, Krueger and Bengio, 2014)."""

from __future__ import annotations

import math
from functools import partial
from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.toy import Banana, two_scales
from implementations.nice import (
    Coupling,
    Logistic,
    Scaling,
    Shift,
    couplings,
    floor,
    inpaint,
    nice,
)
from tests.support.perturb import perturbed

SMALL = (16, 16)


def jacobians(f: Bijection, n: int = 20) -> Tensor:
    x = torch.randn(n, *f.x_shape, dtype=torch.float64)
    return vmap(jacrev(lambda x: f(x[None])[0][0]))(x)


def test_couplings_preserve_volume_and_scaling_carries_the_log_det() -> None:
    stack, scaling = perturbed(Compose(*couplings(6, 4, SMALL))), perturbed(Scaling(6))
    log_det = torch.linalg.slogdet(jacobians(stack)).logabsdet
    assert log_det.abs().max() < 1e-12
    log_det = torch.linalg.slogdet(jacobians(Compose(stack, scaling))).logabsdet
    assert (log_det - scaling.s.sum()).abs().max() < 1e-12


@pytest.mark.parametrize("dim", [6, 7])
def test_the_first_layer_moves_the_even_components_by_the_odd(dim: int) -> None:
    stack = perturbed(Compose(*couplings(dim, 4, SMALL)))
    for k, layer in enumerate(stack.layers):
        odd, even = torch.arange(0, dim, 2), torch.arange(1, dim, 2)
        kept, moved = (even, odd) if k % 2 else (odd, even)
        jacobian = jacobians(layer)
        assert (jacobian[:, kept][..., kept] == torch.eye(len(kept))).all()
        assert (jacobian[:, moved][..., moved] == torch.eye(len(moved))).all()
        assert (jacobian[:, kept][..., moved] == 0).all()
        assert (jacobian[:, moved][..., kept] != 0).any(0).all()


def test_three_layers_let_every_component_influence_every_other() -> None:
    """Two do not: the even ones are then still shifted by the odd ones alone (§3.2)."""
    odd, even = torch.arange(0, 6, 2), torch.arange(1, 6, 2)
    reached = {
        k: (jacobians(perturbed(Compose(*couplings(6, k, SMALL)))) != 0).any(0)
        for k in (1, 2, 3)
    }
    assert not reached[1][odd][:, even].any()
    assert (reached[2][even][:, even] == torch.eye(3).bool()).all()
    assert reached[2][odd].all()
    assert reached[3].all()


class Floor(nn.Module):
    """A network that no one could invert: constant nearly everywhere."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_out = n_out

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1, keepdim=True).floor().square().expand(-1, self.n_out)


def test_the_network_is_never_inverted() -> None:
    layer = Coupling(5, Shift(), Floor)
    x = torch.randn(50, 5, dtype=torch.float64)
    z, log_det = layer(x)
    assert (z != x).any()
    torch.testing.assert_close(layer.inverse(z)[0], x, atol=1e-12, rtol=0)
    assert (log_det == 0).all()


def test_logistic_is_a_density_with_bounded_score() -> None:
    base = Logistic((1,)).double()
    h = torch.linspace(-60, 60, 100_001, dtype=torch.float64)[:, None]
    h.requires_grad_()
    log_p = base.log_prob(h)
    assert torch.trapezoid(log_p.exp(), h[:, 0]).item() == pytest.approx(1, abs=1e-9)
    (score,) = torch.autograd.grad(log_p.sum(), h)
    torch.testing.assert_close(score, -torch.tanh(h / 2))


def test_logistic_is_exact_far_out() -> None:
    h = torch.tensor([[0.0], [21.0], [-40.0], [1000.0], [-1000.0]]).double()
    exact = [-a - 2 * math.log1p(math.exp(-a)) for a in (0, 21, 40, 1000, 1000)]
    log_p = Logistic((1,)).double().log_prob(h)
    assert log_p.tolist() == pytest.approx(exact, rel=1e-14)


def test_logistic_samples() -> None:
    torch.manual_seed(0)
    x = Logistic((4,)).sample(250_000)
    assert x.isfinite().all()
    assert x.mean().item() == pytest.approx(0, abs=0.01)
    assert x.var().item() == pytest.approx(math.pi**2 / 3, rel=0.01)


@pytest.mark.parametrize("dim", [2, 5])
def test_log_densities_of_samples_have_a_law_that_no_weight_changes(dim: int) -> None:
    flow = perturbed(nice(dim, 4, SMALL, StandardNormal))
    torch.manual_seed(1)
    with torch.no_grad():
        log_q = flow.log_prob(flow.sample(100_000))
    (scaling,) = (m for m in flow.modules() if isinstance(m, Scaling))
    constant = scaling.s.sum() - dim / 2 * math.log(2 * math.pi)
    assert log_q.mean().item() == pytest.approx(constant.item() - dim / 2, abs=0.02)
    assert log_q.var().item() == pytest.approx(dim / 2, rel=0.03)


def test_a_change_of_scale_costs_its_logarithm() -> None:
    """Data in [0, 256] instead of [0, 1]: D log 256 nats, and nothing else."""
    flow, shrink = perturbed(nice(6, 4, SMALL)), Scaling(6).double()
    shrink.s.data.fill_(-math.log(256))
    bytes_ = Flow(flow.base, Compose(shrink, flow.bijection))
    u = torch.rand(20, 6, dtype=torch.float64)
    expected = flow.log_prob(u) - 6 * math.log(256)
    torch.testing.assert_close(bytes_.log_prob(256 * u), expected)


def test_a_flow_starts_as_its_base() -> None:
    flow, x = nice(6, 50, SMALL), torch.randn(20, 6)
    assert torch.equal(flow.log_prob(x), flow.base.log_prob(x))


def test_defaults_are_those_for_mnist() -> None:
    with torch.device("meta"):
        flow = nice(784)
    assert isinstance(flow.base, Logistic)
    layers = [m for m in flow.modules() if isinstance(m, Coupling)]
    assert [layer.moved for layer in layers] == [1, 0, 1, 0]
    for layer in layers:
        sizes = [m.out_features for m in layer.m.modules() if isinstance(m, nn.Linear)]
        assert sizes == [1000] * 5 + [392]
        assert sum(isinstance(m, nn.ReLU) for m in layer.m.modules()) == 5
    (scaling,) = (m for m in flow.modules() if isinstance(m, Scaling))
    assert scaling.s.shape == (784,)


def test_one_dimension_is_a_logistic_of_any_place_and_scale() -> None:
    flow = perturbed(nice(1, 4, SMALL))
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    z = flow.bijection(x)[0]
    slopes = z.diff(dim=0)
    torch.testing.assert_close(slopes, slopes[:1].expand_as(slopes))
    assert z[3].abs() > 1e-3


def test_least_gaps() -> None:
    # Without scaling, a Gaussian of covariance diag(1, ¼) against one of I: log 2 - ½.
    assert floor(Banana(), c=1) == pytest.approx(math.log(2) - 0.5, abs=1e-3)
    assert floor(Banana()) == pytest.approx(0, abs=1e-3)
    assert floor(two_scales()) == pytest.approx(0.653, abs=2e-3)


def test_inpainting_climbs_and_changes_only_what_is_hidden() -> None:
    flow = perturbed(Flow(Logistic((4,)), Compose(*couplings(4, 4, SMALL), Scaling(4))))
    x = torch.rand(20, 4, dtype=torch.float64)
    hidden = torch.tensor([False, True, False, True])
    torch.manual_seed(0)
    first, *_, last = islice(inpaint(flow, x, hidden), 200)
    for state in (first, last):
        assert torch.equal(state[:, ~hidden], x[:, ~hidden])
        assert (state >= 0).all() and (state <= 1).all()
    assert flow.log_prob(last).mean() > flow.log_prob(first).mean()


def test_any_network_will_do() -> None:
    layer = perturbed(Coupling(5, Shift(), partial(mlp, hidden=(), activation=nn.Tanh)))
    x = torch.randn(10, 5, dtype=torch.float64)
    torch.testing.assert_close(layer.inverse(layer(x)[0])[0], x)
