"""Facts of neural ODEs (Chen et al., 2018): traces, the adjoint, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest
import torch
import zuko
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.numerics import signs
from implementations.core.odes import Adaptive, FixedSteps, TimeNetwork
from implementations.neural_ode import (
    Continuous,
    PlanarField,
    adjoint,
    gradient,
    neural_ode,
)
from implementations.vi_flows import Planar
from tests.flows.fields import Turn
from tests.support.perturb import noise

M = TypeVar("M", bound=nn.Module)


def perturbed(module: M, size: float = 0.5) -> M:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, size)
    return module.double().eval()


def log_dets(f: Bijection, x: Tensor) -> Tensor:
    j = torch.stack([jacobian(lambda row: f(row[None])[0][0], row) for row in x])
    return torch.linalg.slogdet(j).logabsdet


def test_a_linear_field_gives_the_matrix_exponential() -> None:
    """And log-dets of ± Tr A: noise to data adds it, data to noise takes it away."""
    a, u = noise(3, 3) / 2, noise(5, 3)
    flow = Continuous(Turn(a), FixedSteps(40)).eval()
    x, log_det = flow.inverse(u)
    torch.testing.assert_close(x, u @ torch.matrix_exp(a).T, atol=1e-7, rtol=0)
    torch.testing.assert_close(log_det, a.trace().expand(5), atol=1e-12, rtol=0)
    back, negated = flow(x)
    torch.testing.assert_close(back, u, atol=1e-7, rtol=0)
    torch.testing.assert_close(negated, -log_det, atol=1e-12, rtol=0)


def test_a_linear_field_makes_a_gaussian() -> None:
    """Of covariance exp(A) exp(A)ᵀ: the sign of eq. 10, as printed, would not."""
    a, x = noise(2, 2) / 2, noise(6, 2)
    flow = Flow(StandardNormal((2,)), Continuous(Turn(a), FixedSteps(64))).double()
    root = torch.matrix_exp(a)
    exact = torch.distributions.MultivariateNormal(
        torch.zeros(2).double(), root @ root.T
    )
    torch.testing.assert_close(flow.log_prob(x), exact.log_prob(x), atol=1e-8, rtol=0)


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("units", [1, 7])
def test_the_trace_of_planar_units_is_that_of_autograd(dim: int, units: int) -> None:
    field = perturbed(PlanarField(dim, units, 8))
    z, t = noise(6, dim), torch.tensor(0.7).double()
    j = vmap(jacrev(lambda row: field(t, row[None])[0]))(z)
    velocity, trace = field.with_trace(t, z, ())
    torch.testing.assert_close(trace, j.diagonal(dim1=1, dim2=2).sum(1))
    assert torch.equal(velocity, field(t, z)) and trace.abs().max() > 0.01


def test_units_add_up() -> None:
    """The trace of M units is the sum of their own; closed gates leave nothing."""
    field = perturbed(PlanarField(2, 3, 8))
    z, t = noise(6, 2), torch.tensor(0.2).double()
    w, u, b, gate = field.at(t)
    total = torch.zeros(6).double()
    for n in range(3):
        h = (z @ w[n] + b[n]).tanh()
        total += field.time / 3 * gate[n] * (w[n] @ u[n]) * (1 - h * h)
    torch.testing.assert_close(field.with_trace(t, z, ())[1], total)
    last = field.of_time[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        gates = last.bias.view(3, 6)[:, -1], last.weight.view(3, 6, 8)[:, -1]
        gates[0].fill_(-1e4)
        gates[1].zero_()
    assert not field(t, z).any()


def test_one_small_step_is_a_planar_map() -> None:
    """Its exact log-determinant differs from h Tr J by O(h²)."""
    field = perturbed(PlanarField(2, 1, 8))
    z, t = noise(6, 2), torch.tensor(0.0).double()
    differences = []
    for h in (1e-2, 5e-3):
        w, u, b, gate = field.at(t)
        planar = Planar(2).double()
        velocity, trace = field.with_trace(t, z, ())
        push = h * field.time * gate[0] * u[0]
        moved = z + push * (z @ w[0] + b[0]).tanh()[:, None]
        torch.testing.assert_close(moved, z + h * velocity)
        slope = 1 - (z @ w[0] + b[0]).tanh().square()
        exact = (1 + (w[0] @ push) * slope).log()
        differences.append((exact - h * trace).abs().max().item())
        assert planar.split == (2, 2, 1)
    assert differences[0] / differences[1] == pytest.approx(4, rel=0.1)


@pytest.mark.thorough
def test_log_det_is_that_of_the_jacobian() -> None:
    for g in (TimeNetwork(3, (8, 8)), PlanarField(3, 8, 8)):
        flow = Continuous(perturbed(g), FixedSteps(60)).double().eval()
        x = noise(6, 3)
        exact = log_dets(flow, x)
        torch.testing.assert_close(flow(x)[1], exact, atol=1e-5, rtol=0)
        assert exact.std() > 0.05


def test_adaptive_steps_agree() -> None:
    flow = perturbed(Continuous(TimeNetwork(2, (8,)), FixedSteps(80)))
    x = noise(6, 2)
    z, log_det = flow(x)
    flow.solve = Adaptive(1e-9)
    for ours, theirs in zip((z, log_det), flow(x), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=0)


def test_a_row_does_not_depend_on_its_company_with_fixed_steps() -> None:
    flow = perturbed(neural_ode(2, 8, 8))
    x = noise(50, 2)
    alone = torch.cat([flow.log_prob(row[None]) for row in x])
    torch.testing.assert_close(flow.log_prob(x), alone, atol=1e-12, rtol=0)


def test_paths_never_cross_on_a_line() -> None:
    flow = perturbed(neural_ode(1, 8, 8), 1.0)
    z = noise(100, 1).sort(0).values
    x, _ = flow.bijection.inverse(z)
    assert (x.diff(dim=0) > 0).all()


@pytest.mark.parametrize("steps", [(8, 64)])
def test_the_adjoint_becomes_the_gradient_as_steps_shrink(
    steps: tuple[int, int],
) -> None:
    torch.manual_seed(0)
    flow, x = neural_ode(2, 8, 8).double(), noise(16, 2)
    truth, _ = gradient(flow, x, 200, False)
    off = [
        ((gradient(flow, x, n, True)[0] - truth).norm() / truth.norm()).item()
        for n in steps
    ]
    assert off[1] < 1e-4 and off[1] < off[0] / 30


def test_our_adjoint_is_that_of_torchdiffeq() -> None:
    torch.manual_seed(0)
    field, z = PlanarField(2, 8, 8).double(), noise(6, 2)
    weights, times = tuple(field.parameters()), torch.tensor([0.0, 1.0]).double()
    end = FixedSteps(8, adjoint=True)(field, z, times, weights)[-1]
    theirs = torch.autograd.grad(end.square().sum() / 2, weights)
    end = end.detach()
    ours = adjoint(field, weights, end, end, times.flip(0), 8)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-9)


def test_memory_of_the_adjoint_does_not_grow() -> None:
    torch.manual_seed(0)
    flow, x = neural_ode(2, 8, 8), torch.randn(64, 2)
    through, back = (
        [gradient(flow, x, n, by)[1] for n in (4, 32)] for by in (False, True)
    )
    assert through[1] > 7 * through[0]
    assert back[1] <= 1.05 * back[0]


def test_the_trace_is_estimated_without_bias_in_training_and_exact_after() -> None:
    flow = perturbed(Continuous(TimeNetwork(4, (8,)), FixedSteps(5), trace="signs"))
    x = noise(1, 4).expand(20_000, 4)
    exact = flow(x)[1]
    assert (exact == exact[0]).all() and exact[0].abs() > 0.05
    torch.manual_seed(0)
    with torch.no_grad():
        estimate = flow.train()(x)[1]
    error = estimate.std().item() / len(estimate) ** 0.5
    assert estimate.std() > 0.05
    assert abs(estimate.mean().item() - exact[0].item()) < 4 * error


def test_vectors_stay_the_same_within_one_solution() -> None:
    flow = perturbed(Continuous(TimeNetwork(2, (8,)), FixedSteps(3))).train()
    drawn: list[Sequence[Tensor]] = []

    def once(x: Tensor) -> list[Tensor]:
        drawn.append(signs(x))
        return signs(x)

    flow.train_vectors = once
    flow(noise(4, 2))
    assert len(drawn) == 1


def test_an_unknown_trace_is_refused() -> None:
    expected = "Continuous: expected a trace of exact, signs, normals; got 'sign'"
    with pytest.raises(ValueError, match=expected):
        Continuous(TimeNetwork(2), trace="sign")


def test_the_sign_is_that_of_zuko() -> None:
    """Of a free-form field that only stretches: z' = c z."""
    torch.manual_seed(0)
    theirs = zuko.flows.CNF(2, hidden_features=()).double()
    weight, bias = theirs.parameters()
    with torch.no_grad():
        # Features of the time come first.
        weight.zero_()[:, -2:] = 0.5 * torch.eye(2)
        bias.zero_()
    x = noise(6, 2)
    # Theirs goes from data at t = 0 to noise at t = 1, so noise grows as e^0.5.
    ours = Flow(
        StandardNormal((2,)),
        Continuous(Turn(-0.5 * torch.eye(2).double()), FixedSteps(32)),
    ).double()
    exact = -0.5 * ((x * torch.e**0.5).square() + LOG_2PI).sum(1) + 1
    torch.testing.assert_close(ours.log_prob(x), exact, atol=1e-6, rtol=0)
    torch.testing.assert_close(theirs().log_prob(x), exact, atol=1e-4, rtol=0)
