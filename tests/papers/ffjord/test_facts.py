"""Facts of FFJORD (Grathwohl et al., 2018): one product, one vector, any network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
import torch
import zuko
from torch import Tensor
from torch.func import jacrev, vmap

from implementations.core.bijection import Compose
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.numerics import basis, signs
from implementations.core.odes import TRACES, Adaptive, FixedSteps
from implementations.ffjord import (
    GatedLayer,
    GatedNetwork,
    estimates,
    evaluations,
    ffjord,
    hutchinson,
    narrow,
    redrawn,
    variances,
    whole_jacobian,
)
from implementations.neural_ode import Continuous
from tests.flows.fields import Turn
from tests.support.perturb import noise, perturbed

# Of S = [[1, 2.5], [2.5, 4]].
MATRIX = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double()
T = torch.tensor(0.3).double()


def all_signs(dim: int) -> Tensor:
    """Every vector of signs, of shape (2^dim, dim)."""
    return torch.tensor([*product((-1.0, 1.0), repeat=dim)]).double()


def continuous(flow: Flow) -> Continuous:
    f = flow.bijection
    assert isinstance(f, Continuous)
    return f


def jacobians(g: GatedNetwork, z: Tensor) -> Tensor:
    return vmap(jacrev(lambda row: g(T, row[None])[0]))(z)


# One product


def test_signs_have_the_mean_and_the_variance_of_the_formula() -> None:
    """Over all four vectors of signs: exactly, not up to luck."""
    v = all_signs(2)
    found = hutchinson(lambda z: z @ MATRIX.T, torch.zeros(4, 2).double(), v)[1]
    formula = variances(MATRIX[None])
    assert found.mean().item() == 5
    assert found.var(correction=0).item() == formula["signs"].item() == 25
    assert formula["normals"].item() == 59


def test_normals_have_the_variance_of_the_formula() -> None:
    torch.manual_seed(0)
    v = torch.randn(400_000, 2).double()
    found = hutchinson(lambda z: z @ MATRIX.T, torch.zeros_like(v), v)[1]
    assert found.mean().item() == pytest.approx(5, abs=0.06)
    assert found.var().item() == pytest.approx(59, rel=0.03)


def test_a_diagonal_has_no_noise_with_signs_and_a_turn_has_none_at_all() -> None:
    diagonal, turn = torch.diag_embed(noise(1, 4)), noise(1, 4, 4)
    assert variances(diagonal)["signs"].abs().max() < 1e-12
    assert variances(diagonal)["normals"].item() > 0.1
    for found in variances(turn - turn.mT).values():
        assert not found.any()


def test_one_product_gives_the_velocity_and_the_quadratic_form() -> None:
    g, z, v = perturbed(GatedNetwork(5, (8,))), noise(6, 5), noise(6, 5, seed=2)
    dz, found = hutchinson(lambda z: g(T, z), z, v)
    expected = torch.einsum("bi,bij,bj->b", v, jacobians(g, z), v)
    torch.testing.assert_close(dz, g(T, z))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(g.with_trace(T, z, [v])[1], expected)


@pytest.mark.parametrize("dim", [1, 2, 3, 7])
def test_the_exact_trace_is_that_of_autograd_in_any_dimension(dim: int) -> None:
    g, z = perturbed(GatedNetwork(dim, (8, 8))), noise(6, dim)
    expected = jacobians(g, z).diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(g.with_trace(T, z, basis(z))[1], expected)
    assert expected.abs().max() > 0.01


def test_two_vectors_are_averaged() -> None:
    """Σ v vᵀ = I, so each is divided by √2; their plain sum has twice the mean."""
    z = torch.zeros(4, 2).double()
    one, other = all_signs(2), all_signs(2).roll(1, 0)
    g = Turn(MATRIX)
    both = g.with_trace(T, z, [one / 2**0.5, other / 2**0.5])[1]
    assert both.mean().item() == pytest.approx(5)
    assert g.with_trace(T, z, [one, other])[1].mean().item() == pytest.approx(10)


def test_the_trace_of_what_is_less_its_input_is_less_the_dimension() -> None:
    """Of f(z) - z it is Tr J_f - D, not Tr J_f - 1."""
    z, f = noise(6, 3), perturbed(GatedNetwork(3, (8,)))
    less = sum(hutchinson(lambda z: f(T, z) - z, z, e)[1] for e in basis(z))
    torch.testing.assert_close(less, f.with_trace(T, z, basis(z))[1] - 3)


# A narrow layer


def test_factors_may_change_places() -> None:
    """Both traces are equal; the second takes vectors as wide as the layer (eq. 9)."""
    a, b, z = noise(5, 2), noise(2, 5, seed=2), noise(6, 5)

    def h(z: Tensor) -> Tensor:
        return (z @ b.T).tanh()

    def g(h: Tensor) -> Tensor:
        return (h @ a.T).sin()

    expected = vmap(jacrev(lambda row: g(h(row[None]))[0]))(z)
    trace = expected.diagonal(dim1=1, dim2=2).sum(1)
    found = sum(narrow(g, h, z, e)[1] for e in basis(z[:, :2]))
    torch.testing.assert_close(found, trace)
    torch.testing.assert_close(narrow(g, h, z, noise(6, 2))[0], g(h(z)))
    assert trace.abs().min() > 1e-3


def test_narrow_products_have_the_variance_of_the_other_order() -> None:
    a, b, v = noise(5, 2), noise(2, 5, seed=2), all_signs(2)
    z = torch.zeros(4, 5).double()
    found = narrow(lambda h: h @ a.T, lambda z: z @ b.T, z, v)[1]
    torch.testing.assert_close(found.mean(), (b @ a).trace())
    expected = variances((b @ a)[None])["signs"].squeeze()
    torch.testing.assert_close(found.var(correction=0), expected)


# The network


def test_a_gated_layer_by_hand() -> None:
    layer, h = perturbed(GatedLayer(3, 4)), noise(6, 3)
    w, b = layer.linear.weight, layer.linear.bias
    gate = 1 / (1 + (-(layer.a * 0.3 + layer.c)).exp())
    expected = torch.stack([(w @ row + b) * gate + layer.d * 0.3 for row in h])
    torch.testing.assert_close(layer(T, h), expected)


def test_a_time_for_each_row() -> None:
    g, z = perturbed(GatedNetwork(2, (8,))), noise(6, 2)
    times = torch.linspace(0, 1, 6).double()
    found = g(times[:, None], z)
    each = [g(t, row[None]) for t, row in zip(times, z, strict=True)]
    torch.testing.assert_close(found, torch.cat(each))
    assert not torch.allclose(g(T, z), g(T + 0.5, z))


def test_a_new_flow_is_the_identity_and_costs_the_same_in_any_dimension() -> None:
    """Normal data need no velocity, however many numbers there are (§5.2)."""
    counts = set()
    for dim in (2, 64):
        flow, x = ffjord(dim, (8,)), torch.randn(10, dim)
        z, log_det = flow.bijection(x)
        assert torch.equal(z, x) and not log_det.any()
        counts.add(evaluations(continuous(flow).change(x), x, 1e-5))
    assert len(counts) == 1 and counts.pop() < 60


def test_the_defaults_are_those_of_the_toys() -> None:
    """Three layers of 64 with tanh, one block."""
    f = continuous(ffjord(2))
    assert isinstance(f.g, GatedNetwork) and f.g.activation is torch.tanh
    shapes = [tuple(layer.linear.weight.shape) for layer in f.g.layers]
    assert shapes == [(64, 2), (64, 64), (64, 64), (2, 64)]
    assert f.train_vectors is signs


def test_log_dets_of_blocks_add_up() -> None:
    flow, x = perturbed(ffjord(3, (8,), blocks=3)), noise(6, 3)
    assert isinstance(flow.bijection, Compose)
    z, total = x, torch.zeros(6).double()
    for block in flow.bijection.layers:
        z, log_det = block(z)
        total = total + log_det
    torch.testing.assert_close(flow.bijection(x), (z, total))
    weights = [block.g.layers[0].a for block in flow.bijection.layers]  # pyright: ignore
    assert not torch.equal(weights[0], weights[1])


# The sign of eq. 4


def test_the_density_of_a_linear_field() -> None:
    """The change is subtracted on the way to the data: eq. 4 as printed adds it."""
    x = noise(6, 2)
    for trace in ("signs", "normals", "exact"):
        f = Continuous(Turn(MATRIX / 4), FixedSteps(64), trace)
        flow, root = (
            Flow(StandardNormal((2,)), f).double().eval(),
            (MATRIX / 4).matrix_exp(),
        )
        exact = torch.distributions.MultivariateNormal(
            torch.zeros(2).double(), root @ root.T
        ).log_prob(x)
        torch.testing.assert_close(flow.log_prob(x), exact, atol=1e-7, rtol=0)
        wrong = flow.base.log_prob(f(x)[0]) - f(x)[1]
        torch.testing.assert_close(wrong - exact, exact.new_full((6,), 2 * 5 / 4))


# One vector for a whole solution


def test_a_solution_draws_once_and_for_each_row() -> None:
    flow, drawn = perturbed(ffjord(2, (8,))), []
    f = continuous(flow).train()

    def noted(x: Tensor) -> list[Tensor]:
        drawn.append(signs(x))
        return drawn[-1]

    f.train_vectors = noted
    f(noise(200, 2))
    assert len(drawn) == 1
    assert len(drawn[0][0].unique(dim=0)) == 4
    drawn.clear()
    evaluations(redrawn(f, noise(4, 2)), noise(4, 2), 1e-1, most=50)
    assert len(drawn) > 10


def test_a_solution_is_one_estimate_of_one_matrix() -> None:
    """∫ vᵀ J v dt = vᵀ (∫ J dt) v, for each v; over all signs the mean is exact."""
    flow, x = perturbed(ffjord(2, (8, 8))), noise(5, 2)
    f = continuous(flow)
    whole, exact = whole_jacobian(f, x), f(x)[1]
    torch.testing.assert_close(whole.diagonal(dim1=1, dim2=2).sum(1), exact)
    found = []
    for v in all_signs(2):
        f.train_vectors = lambda x, v=v: [v.expand_as(x)]
        found.append(f.train()(x)[1])
        torch.testing.assert_close(found[-1], torch.einsum("i,bij,j->b", v, whole, v))
    each = torch.stack(found)
    torch.testing.assert_close(each.mean(0), exact)
    torch.testing.assert_close(each.var(0, correction=0), variances(whole)["signs"])
    assert each.std(0).min() > 1e-3


def test_the_mean_gradient_is_that_of_the_exact_trace() -> None:
    """Over all four vectors of signs, for all weights."""
    flow, x = perturbed(ffjord(2, (8,))), noise(4, 2)
    f, weights = continuous(flow), [*flow.parameters()]
    exact = torch.autograd.grad(flow.log_prob(x).mean(), weights)
    f.train()
    found = [torch.zeros_like(each) for each in exact]
    for v in all_signs(2):
        f.train_vectors = lambda x, v=v: [v.expand_as(x)]
        got = torch.autograd.grad(flow.log_prob(x).mean(), weights)
        found = [total + each / 4 for total, each in zip(found, got, strict=True)]
    for ours, theirs in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("dim", [2, 3])
def test_training_is_noisy_and_evaluation_is_not(dim: int) -> None:
    """In any dimension, not on the plane only."""
    flow, x = perturbed(ffjord(dim, (8,))), noise(6, dim)
    torch.manual_seed(0)
    assert torch.equal(flow.log_prob(x), flow.log_prob(x))
    flow.train()
    assert not torch.equal(flow.log_prob(x), flow.log_prob(x))
    z = [flow.bijection(x)[0] for _ in range(2)]
    assert torch.equal(*z)


@pytest.mark.parametrize("kind", ["signs", "normals"])
def test_estimates_are_right_on_average_and_their_exponentials_too_large(
    kind: str,
) -> None:
    flow, x = perturbed(ffjord(3, (8,), trace=kind)), noise(2, 3)
    torch.manual_seed(0)
    found, exact = estimates(flow, x, 20_000), flow.log_prob(x).detach()
    off = (found.mean(0) - exact).abs()
    assert (off < 4.5 * found.std(0) / 20_000**0.5).all() and found.std(0).min() > 0.05
    excess = found.exp().mean(0).log() - exact
    assert (excess > 0.25 * found.var(0)).all()


def test_a_solver_does_not_come_to_an_end_where_vectors_are_redrawn() -> None:
    flow, x = perturbed(ffjord(2, (8,))), noise(10, 2)
    f = continuous(flow).train()
    torch.manual_seed(0)
    once = evaluations(f.change(x), x, 1e-5, most=1500)
    assert once < 150
    assert evaluations(redrawn(f, x), x, 1e-5, most=1500) == 1500


def test_evaluations_stop_where_they_should() -> None:
    flow, x = perturbed(ffjord(2, (8,))), noise(10, 2)
    whole = evaluations(continuous(flow).change(x), x, 1e-5)
    assert whole > 20
    assert evaluations(continuous(flow).change(x), x, 1e-5, most=20) == 20


# Another library


def test_a_free_form_map_is_that_of_zuko() -> None:
    flow, x = perturbed(ffjord(3, (8, 8), solve=FixedSteps(32))), noise(6, 3)
    g = continuous(flow).g
    times = torch.tensor(1.0).double(), torch.tensor(0.0).double()
    theirs = zuko.transforms.FreeFormJacobianTransform(
        g, *times, tuple(g.parameters()), 1e-9, 1e-9, exact=True
    )
    z, log_det = theirs.call_and_ladj(x)
    for ours, other in zip(flow.bijection(x), (z, log_det), strict=True):
        torch.testing.assert_close(ours, other, atol=1e-6, rtol=0)
    exact = -0.5 * (z.square() + LOG_2PI).sum(1) + log_det
    torch.testing.assert_close(flow.log_prob(x), exact, atol=1e-6, rtol=0)


def test_adaptive_steps_agree_and_come_back() -> None:
    flow, x = perturbed(ffjord(3, (8, 8), solve=FixedSteps(40))), noise(6, 3)
    f = continuous(flow)
    fixed = f(x)
    f.solve = Adaptive(1e-9)
    torch.testing.assert_close(f(x), fixed, atol=1e-6, rtol=0)
    torch.testing.assert_close(f.inverse(f(x)[0])[0], x, atol=1e-6, rtol=0)


def test_the_density_integrates_to_one_within_the_tolerance() -> None:
    """Appendix C, Figure 8."""
    flow = perturbed(ffjord(2, (8,), solve=Adaptive(1e-4)))
    line = torch.linspace(-12, 12, 161).double()
    with torch.no_grad():
        p = flow.log_prob(torch.cartesian_prod(line, line)).exp()
    assert p.sum().item() * 0.15**2 == pytest.approx(1, abs=1e-3)


def test_kinds_of_noise_are_named() -> None:
    with pytest.raises(ValueError, match="expected a trace of exact, signs, normals"):
        ffjord(2, trace="uniform")
    assert {*variances(MATRIX[None])} == {*TRACES} - {"exact"}
    drawn: Sequence[Tensor] = TRACES["normals"](torch.zeros(3, 2))
    assert len(drawn) == 1
