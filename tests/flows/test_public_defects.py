"""Defects that other implementations are publicly known to have had: ours have none.

Each test says where; each has been seen to fail with its defect planted.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.glow import ActNorm, reverse, shuffle
from implementations.made import Autoregressive
from implementations.maf import maf
from implementations.nice import nice
from implementations.nsf import Linear, Spline, nsf, nsf_autoregressive
from implementations.real_nvp import Affine, real_nvp_vector
from implementations.vi_flows import Planar
from tests.flows.cases import CASES, batch, perturbed


def jacobians(f: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
    """∂f/∂x of each row, of shape (batch, D, D)."""
    return vmap(jacrev(lambda row: f(row[None])[0].flatten()))(x).flatten(2)


def test_planar_divides_by_the_square_of_the_norm() -> None:
    """With û = u + (m(wᵀu) - wᵀu) w/‖w‖, the map folds space where ‖w‖ is large.

    github.com/tonyduan/normalizing-flows/issues/2,
    github.com/LukasRinder/normalizing-flows/issues/2,
    github.com/abdulfatir/planar-flow-pytorch/issues/1 and
    github.com/pyro-ppl/pyro/pull/2192.
    """
    torch.manual_seed(0)
    for _ in range(300):
        planar = Planar(2).double()
        with torch.no_grad():
            for parameter in planar.parameters():
                parameter.normal_(std=3)
        _, w, b, _ = planar._constrained(None)
        # Where tanh is steepest: on the hyperplane wᵀx + b = 0.
        x = torch.randn(3, 2).double()
        x = (x - ((x @ w + b) / w.square().sum())[:, None] * w).detach()
        # Rounding may take a determinant of nearly 0 to the other side.
        determinants = torch.linalg.det(jacobians(planar, x))
        assert (determinants > -1e-9).all()
        torch.testing.assert_close(
            planar(x)[1].exp(), determinants, rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize(
    "name",
    ["affine coupling", "maf, 5-d", "iaf, 5-d", "batch normalisation", "actnorm"],
)
def test_inverse_has_the_sign_of_its_own_determinant(name: str) -> None:
    """The log-determinant of the inverse is not that of the forward map.

    github.com/ikostrikov/pytorch-flows/issues/16 and
    github.com/VincentStimper/normalizing-flows/pull/28.
    """
    flow = perturbed(CASES[name])
    z, _ = batch(flow)
    _, log_det = flow.bijection.inverse(z)
    expected = torch.linalg.slogdet(jacobians(flow.bijection.inverse, z)).logabsdet
    assert expected.abs().min() > 1e-3, "of a determinant of 1 the sign is unknown"
    torch.testing.assert_close(log_det, expected)


def test_spline_never_takes_the_root_of_a_negative_number() -> None:
    """In float32, b² - 4ac comes out negative now and then, and a sample is NaN.

    github.com/bayesiains/nflows/issues/87 and github.com/pyro-ppl/pyro/issues/3139.
    """
    torch.manual_seed(0)
    spline = Spline(8)
    params = 5 * torch.randn(200_000, spline.n_params)
    z = torch.empty(200_000).uniform_(-3.1, 3.1)
    x, log_slope = spline.inverse(z, params)
    assert x.isfinite().all() and log_slope.isfinite().all()
    assert (x.abs() <= z.abs().clamp(min=3)).all()
    # Where the slope is not extreme, float32 comes back to where it was.
    back, _ = spline(x, params)
    calm = log_slope.abs() < 2
    assert (back - z)[calm].abs().max() < 1e-4


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_points_outside_the_box_have_gradients(direction: str) -> None:
    """Of `where`, the branch that is not taken has gradients too: 0 · ∞ is NaN.

    github.com/danielward27/flowjax/issues/239.
    """
    torch.manual_seed(0)
    spline = Spline(8)
    x = torch.tensor([-1e30, -7.0, -3.0, 0.5, 3.0, 3.1, 40.0, 1e30], requires_grad=True)
    params = (5 * torch.randn(len(x), spline.n_params)).requires_grad_()
    y, log_slope = getattr(spline, direction)(x, params)
    (y.sum() + log_slope.sum()).backward()
    assert x.grad is not None and params.grad is not None
    assert x.grad.isfinite().all() and params.grad.isfinite().all()
    outside = x.abs() > 3
    assert (x.grad[outside] == 1).all() and (params.grad[outside] == 0).all()


def one_layer(dim: int, layers: int, hidden: tuple[int, ...], context: int) -> Flow:
    layer = Autoregressive(dim, Affine(), hidden, context=context)
    return Flow(StandardNormal((dim,)), layer)


@pytest.mark.parametrize(
    ("build", "dim"),
    [
        (nice, 1),
        (real_nvp_vector, 1),
        (maf, 1),
        (nsf, 1),
        (nsf_autoregressive, 1),
        (one_layer, 3),
    ],
)
def test_context_reaches_every_component(build: Callable[..., Flow], dim: int) -> None:
    """Without hidden units that see the context alone, the first component ignores it.

    In one dimension that would be all of them, and nothing would say so:
    github.com/bayesiains/nflows/pull/85 and
    github.com/danielward27/flowjax/issues/147.
    """
    torch.manual_seed(0)
    flow = build(dim, 2, hidden=(8, 8), context=2).double().eval()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    z, context = torch.randn(5, dim).double(), torch.randn(5, 2).double()

    def generated(context: Tensor, z: Tensor) -> Tensor:
        return flow.bijection.inverse(z[None], context[None])[0][0]

    by_context = vmap(jacrev(generated))(context, z)
    assert (by_context.abs().amax((0, 2)) > 1e-6).all()


@pytest.mark.parametrize("build", [nsf, nsf_autoregressive])
def test_a_spline_bends_in_one_dimension(build: Callable[..., Flow]) -> None:
    """A coupling that moves no component leaves a flow that is a Gaussian."""
    torch.manual_seed(0)
    flow = build(1, 2, (8, 8)).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    z = flow.bijection(torch.linspace(-2, 2, 41).double()[:, None])[0][:, 0]
    steps = z.diff()
    assert steps.max() > 1.1 * steps.min() > 0


PERMUTATIONS: dict[str, Callable[[], Bijection]] = {
    "reverse": lambda: reverse((4, 2, 2)),
    "shuffle": lambda: shuffle((4, 2, 2)),
    "linear": lambda: Linear(4),
    "reverse, then actnorm": lambda: Compose(
        reverse((4, 2, 2)), ActNorm((4, 2, 2)), reverse((4, 2, 2))
    ),
}


@pytest.mark.parametrize("name", PERMUTATIONS)
def test_permutations_drop_nothing(name: str) -> None:
    """Picking columns by x[:, order] takes a wider x, and drops what is too much.

    So do the permutations of normflows 1.7.3 (`Permute`) and of pyro
    (github.com/pyro-ppl/pyro/pull/1492); what follows then fits again.
    """
    f = PERMUTATIONS[name]()
    wider = torch.randn(3, 5, *f.x_shape[1:])
    for run in (f, f.inverse, Flow(StandardNormal(f.z_shape), f).log_prob):
        with pytest.raises(ValueError, match=r"expected [xz] of shape"):
            run(wider)


@pytest.mark.parametrize("name", CASES)
def test_double_models_have_double_log_determinants(name: str) -> None:
    """A float32 zero that terms are added to in place keeps float32's seven digits.

    So it is in normflows 1.7.3: `NormalizingFlow.forward_and_log_det` starts from
    `torch.zeros(len(z), device=z.device)`.
    """
    flow = perturbed(CASES[name])
    x, context = batch(flow)
    z, log_det = flow.bijection(x, context)
    _, back = flow.bijection.inverse(z, context)
    assert log_det.dtype == back.dtype == torch.float64
    # In float64 there are digits that float32 cannot hold, unless all are round.
    digits = torch.cat((log_det, back)).detach()
    held = digits.float().double() == digits
    assert not held.all() or (digits == 0).all()
