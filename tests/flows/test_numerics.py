"""Numerical methods, each against what is known in closed form."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from implementations.core.numerics import (
    Contraction,
    basis,
    exact_log_det,
    jacobian,
    multiply_adds,
    products,
    roulette,
    signs,
    within,
)
from tests.support.perturb import noise


def standard_errors(draws: Tensor, truth: float) -> float:
    return abs(draws.mean().item() - truth) / (draws.std().item() / len(draws) ** 0.5)


def contraction(lipschitz: float = 0.9, dim: int = 3) -> Contraction:
    torch.manual_seed(0)
    g = Contraction(dim, (16, 16), lipschitz).double()
    with torch.no_grad():
        for weight in g.parameters():
            # Layers of mostly positive weights stretch in the same direction.
            weight.normal_(1, 1)
    return g


def test_products_and_jacobians_are_those_of_autograd() -> None:
    g, x = contraction().bounded(), noise(6, 3)
    y, j = jacobian(g, x)
    assert torch.equal(y, g(x))
    exact = torch.stack(
        [torch.autograd.functional.jacobian(lambda x: g(x[None])[0], row) for row in x]
    )
    torch.testing.assert_close(j, exact)
    _, times_j = products(g, x)
    v = noise(6, 3, seed=2)
    torch.testing.assert_close(times_j(v), torch.einsum("bi,bij->bj", v, exact))
    eye = torch.eye(3, dtype=x.dtype)
    torch.testing.assert_close(torch.stack(basis(x), 1), eye.expand(6, 3, 3))
    log_det = torch.linalg.slogdet(exact + eye).logabsdet
    torch.testing.assert_close(exact_log_det(g, x)[1], log_det)


def test_random_signs_estimate_the_trace() -> None:
    """Of [[1, 2], [3, 4]]: mean 5, variance 25, as the diagonal drops out."""
    torch.manual_seed(0)
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    (v,) = signs(torch.empty(40_000, 2))
    assert v.abs().unique().tolist() == [1]
    estimates = ((v @ a.T) * v).sum(1)
    assert standard_errors(estimates, 5.0) < 4
    assert estimates.var().item() == pytest.approx(25, rel=0.03)


@pytest.mark.parametrize("draw", [partial(roulette, first) for first in (0, 2)])
def test_roulette_is_unbiased(draw) -> None:
    """Σ_k 0.3^k over all k, by its first terms and weights for the rest."""
    torch.manual_seed(0)
    sums = [sum(w * 0.3**k for k, w in enumerate(draw(), 1)) for _ in range(20_000)]
    assert standard_errors(torch.tensor(sums), 0.3 / 0.7) < 4


def test_roulette_takes_the_first_terms_always_and_more_of_them_for_small_p() -> None:
    torch.manual_seed(0)
    drawn = [roulette(3, 0.1) for _ in range(2000)]
    assert all(weights[:4] == [1, 1, 1, 1] for weights in drawn)
    lengths = torch.tensor([len(weights) - 3.0 for weights in drawn])
    assert standard_errors(lengths, 10.0) < 4


def test_roulette_varies_without_bound_beyond_its_radius() -> None:
    """ρ² ≥ 1 - p: the squares of the terms, weighed, no longer sum up."""

    def square(rho: float, p: float, n: int) -> float:
        """E (…)², for N ≤ n, of the estimate for g(x) = -ρx in one dimension."""
        total, value = 0.0, 0.0
        for k in range(1, n + 1):
            value -= rho**k / k / (1 - p) ** (k - 1)
            total += p * (1 - p) ** (k - 1) * value**2
        return total

    assert square(0.6, 0.5, 400) == pytest.approx(square(0.6, 0.5, 200))
    assert square(0.8, 0.5, 400) > 100 * square(0.8, 0.5, 200)


@pytest.mark.parametrize("shape", [(16, 2), (2, 16), (8, 8)])
@pytest.mark.parametrize("size", [0.01, 5.0])
def test_singular_values_are_cut_and_small_ones_left(shape, size: float) -> None:
    weight = size * noise(*shape) / 4
    largest = torch.linalg.svdvals(weight)[0].item()
    bounded = within(weight, 0.8)
    assert torch.linalg.svdvals(bounded)[0].item() <= 0.8 + 1e-12
    if largest <= 0.8:
        assert torch.equal(bounded, weight)
    else:
        torch.testing.assert_close(bounded, weight * 0.8 / largest)


def test_zero_weights_have_gradients() -> None:
    weight = torch.zeros(4, 2, requires_grad=True)
    within(weight, 0.8).sum().backward()
    assert weight.grad is not None and (weight.grad == 1).all()


def test_power_iteration_would_miss_weights_that_moved() -> None:
    """Why singular values are exact here: torch's estimate is stale in evaluation."""
    layer = spectral_norm(nn.Linear(8, 8)).eval()
    with torch.no_grad():
        original = layer.get_parameter("parametrizations.weight.original")
        original.copy_(noise(8, 8).float())
    assert torch.linalg.svdvals(layer.weight)[0] > 1.2


@pytest.mark.parametrize("lipschitz", [0.5, 0.97])
def test_contractions_contract(lipschitz: float) -> None:
    g = contraction(lipschitz).bounded()
    slopes = torch.linalg.matrix_norm(jacobian(g, 3 * noise(500, 3))[1], 2)
    assert lipschitz / 2 < slopes.max() <= lipschitz


def test_activations_have_slopes_of_at_most_one() -> None:
    x = torch.linspace(-20, 20, 100_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad((nn.functional.silu(x) / 1.1).sum(), x)
    assert 0.999 < slope.abs().max() < 1


def test_a_product_of_matrices_is_counted() -> None:
    layer = nn.Linear(5, 7, bias=False)
    assert multiply_adds(lambda: layer(torch.zeros(3, 5))) == 3 * 5 * 7
    assert math.isclose(multiply_adds(lambda: torch.zeros(3).exp()), 0)
