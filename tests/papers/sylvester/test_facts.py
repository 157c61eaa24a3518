"""Facts of Sylvester flows (van den Berg et al., 2018): determinants, Q, inverses."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection
from implementations.core.toy import Banana
from implementations.sylvester import (
    Bananas,
    HouseholderSylvester,
    OrthogonalSylvester,
    Sylvester,
    TriangularSylvester,
    by_iteration,
    householder,
    orthogonal,
    shake,
    sylvester,
    times,
)
from implementations.vi_flows import Planar
from tests.support.perturb import noise

Kind = Literal["orthogonal", "householder", "triangular"]
KINDS: tuple[Kind, ...] = ("orthogonal", "householder", "triangular")
CYCLE = (1, 2, 3, 4, 0)


def shaken(f: Bijection, seed: int = 0) -> Bijection:
    torch.manual_seed(seed)
    shake(f)
    return f


def of_each_kind(dim: int = 5, context: int = 0) -> list[Sylvester]:
    return [
        OrthogonalSylvester(dim, 3, context),
        HouseholderSylvester(dim, 4, context),
        TriangularSylvester(dim, [*range(1, dim), 0], context),
    ]


def jacobians(f: Bijection, x: Tensor) -> Tensor:
    return vmap(jacrev(lambda row: f(row[None])[0][0]))(x)


def log_dets(f: Bijection, x: Tensor) -> Tensor:
    return torch.linalg.slogdet(jacobians(f, x)).logabsdet


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def written(
    layer: Sylvester,
    upper: Tensor | None = None,
    other: Tensor | None = None,
    b: Tensor | None = None,
    raw: Tensor | None = None,
) -> Sylvester:
    """The layer, with R, R̃ (diagonals inside (-1, 1)), b and raw numbers as given."""
    layer = layer.double()
    both, r, tilde, bias, rest = (
        part.detach().clone() for part in layer.steering.start.split(layer.split)
    )
    both = both.view(layer.units, layer.units)
    if upper is not None:
        both, r = both.tril(-1) + upper.triu(1), upper.diagonal().atanh()
    if other is not None:
        both, tilde = both.triu(1) + other.triu(1).T, other.diagonal().atanh()
    numbers = (
        both.flatten(),
        r,
        tilde,
        bias if b is None else b,
        rest if raw is None else raw.flatten(),
    )
    with torch.no_grad():
        layer.steering.start.copy_(torch.cat(numbers))
    return layer


# Matrices with orthonormal columns


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_householder_multiplies_reflections_in_their_order(k: int) -> None:
    v = noise(k, 5)
    product = torch.eye(5).double()
    for row in v:
        product = product @ (
            torch.eye(5).double() - 2 * torch.outer(row, row) / row.dot(row)
        )
    q = householder(v)
    close(q, product)
    assert torch.linalg.det(q).item() == pytest.approx((-1) ** k)
    close(householder(1e-4 * v), q)
    close(householder(torch.stack((v, v.flip(0))))[0], q)


def test_householder_is_that_of_lapack() -> None:
    """Which stores vectors below a diagonal of ones."""
    below = noise(6, 4).tril(-1)
    v = below + torch.eye(6, 4).double()
    tau = 2 / v.square().sum(0)
    close(householder(v.T)[:, :4], torch.linalg.householder_product(below, tau))


def test_a_vector_of_zeros_reflects_nothing() -> None:
    v = noise(2, 4)
    v[0] = 0
    v.requires_grad_()
    q = householder(v)
    close(q, householder(v[1:]))
    q.sum().backward()
    assert v.grad is not None and v.grad.isfinite().all()


def test_derivatives_of_householder() -> None:
    v = noise(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(householder, v)
    assert torch.autograd.gradgradcheck(householder, v)


def test_few_reflections_reach_part_of_all_rotations() -> None:
    """What K reflections leave as it is has D - K dimensions, or more."""
    q = householder(noise(2, 6))
    assert torch.linalg.matrix_rank(q - torch.eye(6).double()).item() == 2


@pytest.mark.parametrize("columns", [1, 3, 5])
def test_orthogonal_finds_the_closest_matrix(columns: int) -> None:
    """The polar factor; scipy finds it by singular values."""
    raw = noise(20, 6, columns)
    q = orthogonal(raw)
    close(q.mT @ q, torch.eye(columns).double().expand(20, -1, -1), 1e-6)
    polar = np.stack([scipy.linalg.polar(each)[0] for each in raw.numpy()])
    close(q, torch.from_numpy(polar), 1e-6)
    close(orthogonal(1e3 * raw), q)


def test_singular_values_follow_the_cubic() -> None:
    """σ ← σ (3 - σ²) / 2: up to one half more at each step, and never up from 0."""
    u, v = (torch.linalg.qr(noise(4, 4, seed=s))[0] for s in (1, 2))
    sigma = torch.tensor([1.0, 1e-1, 1e-3, 0.0]).double()
    sigma = sigma / sigma.norm()
    for k in range(30):
        found = torch.linalg.svdvals(orthogonal(u @ sigma.diag() @ v.T, k))
        expected = sigma.clone()
        for _ in range(k):
            expected = expected * (3 - expected.square()) / 2
        close(found, expected.sort(descending=True).values, 1e-10)
    # 10⁻³ takes about 20 steps, as the docstring says.
    grown = torch.tensor(1e-3).double()
    for _ in range(20):
        grown = grown * (3 - grown.square()) / 2
    assert grown > 0.99


# The map


def test_the_identity_of_sylvester() -> None:
    a, c = noise(50, 4, seed=1) / 7, noise(4, 50, seed=2)
    wide = torch.linalg.slogdet(torch.eye(50).double() + a @ c)
    small = torch.linalg.slogdet(torch.eye(4).double() + c @ a)
    close(wide.logabsdet, small.logabsdet)
    assert wide.sign == small.sign


@pytest.mark.parametrize("seed", range(3))
def test_the_log_det_is_exact_and_the_map_goes_back(seed: int) -> None:
    x = 2 * noise(50, 5)
    for layer in of_each_kind():
        f = shaken(layer, seed)
        z, log_det = f(x)
        close(log_det, log_dets(f, x), 1e-11)
        back, negated = f.inverse(z)
        close(back, x, 1e-9)
        close(negated, -log_det, 1e-9)


@pytest.mark.parametrize("product", [-0.999, 0.0, 0.999])
def test_the_inverse_at_the_limits_of_the_diagonal(product: float) -> None:
    """Also for r̃_ii = 0, where the paper's condition would not hold."""
    d = 4
    diagonal = torch.full((d,), abs(product) ** 0.5).double()
    upper = noise(d, d, seed=3).triu(1) + math.copysign(1, product) * diagonal.diag()
    other = noise(d, d, seed=4).triu(1) + diagonal.diag()
    if product == 0:
        upper = upper + 0.7 * torch.eye(d).double()
    f = written(HouseholderSylvester(d), upper, other)
    x = 3 * noise(200, d)
    z, log_det = f(x)
    close(log_det, log_dets(f, x), 1e-9)
    close(f.inverse(z)[0], x, 1e-9)


def test_what_is_at_right_angles_to_q_stays() -> None:
    f, x = shaken(OrthogonalSylvester(5, 2)), noise(20, 5)
    assert isinstance(f, Sylvester)
    q = f.columns(f.steering.start.split(f.split)[-1])
    moved = f(x)[0] - x
    close(moved, moved @ q @ q.T, 1e-10)
    assert torch.linalg.matrix_rank(moved, atol=1e-8).item() == 2


def test_a_planar_map_moves_along_a_line() -> None:
    f, x = Planar(5).double(), noise(20, 5)
    with torch.no_grad():
        f.steering.start.add_(torch.randn_like(f.steering.start))
    assert torch.linalg.matrix_rank(f(x)[0] - x, atol=1e-8).item() == 1


def test_no_r_no_motion() -> None:
    for layer in of_each_kind():
        zero = torch.zeros(layer.units, layer.units).double()
        f, x = written(layer, upper=zero), noise(10, 5)
        close(f(x)[0], x)
        close(f(x)[1], x.new_zeros(10))


def test_new_maps_are_close_to_the_identity() -> None:
    torch.manual_seed(0)
    x = noise(500, 8)
    for kind in KINDS:
        f = sylvester(8, 1, kind).double().bijection
        assert (f.inverse(x)[0] - x).square().mean().sqrt() < 0.5


def test_diagonal_triangles_are_maps_of_one_number_each() -> None:
    r, tilde, b = 0.8 * noise(3, 4).tanh()
    f = written(TriangularSylvester(4), r.diag(), tilde.diag(), b)
    x = noise(30, 4)
    z, log_det = f(x)
    t = (tilde * x + b).tanh()
    close(z, x + r * t)
    close(log_det, (1 + r * tilde * (1 - t * t)).log().sum(1))


def test_in_natural_order_the_jacobian_is_upper_triangular() -> None:
    j = jacobians(shaken(TriangularSylvester(5)), noise(10, 5))
    assert not j.tril(-1).any()
    assert (j.abs().amax(0)[*torch.triu_indices(5, 5)] > 1e-3).all()
    backwards = TriangularSylvester(5, range(5)[::-1])
    assert not jacobians(shaken(backwards), noise(10, 5)).triu(1).any()


def test_a_planar_map_is_two_units_of_which_one_is_off() -> None:
    w, b = 0.8 * noise(4, seed=1) / noise(4, seed=1).norm(), 0.3
    planar = Planar(4).double()
    u = 0.4 * noise(4, seed=2)
    with torch.no_grad():
        planar.steering.start.copy_(torch.cat((u, w, w.new_tensor([b]))))
    hat, _, _, _ = planar._constrained(None)
    q2 = w / w.norm()
    q1 = hat - hat.dot(q2) * q2
    q1 = q1 / q1.norm()
    upper = torch.zeros(2, 2).double()
    upper[0, 1], upper[1, 1] = hat.dot(q1), hat.dot(q2)
    other = torch.zeros(2, 2).double()
    other[1, 1] = w.norm()
    f = OrthogonalSylvester(4, 2)
    raw = torch.stack((q1, q2), 1)
    f = written(f, upper, other, torch.tensor([0.0, b]).double(), raw)
    x = noise(30, 4)
    for ours, theirs in zip(f(x), planar(x), strict=True):
        close(ours, theirs, 1e-7)


def test_one_unit_is_no_planar_map() -> None:
    """It pushes along the line on which it looks: u and w are parallel."""
    f = shaken(OrthogonalSylvester(3, 1))
    assert isinstance(f, Sylvester)
    q = f.columns(f.steering.start.split(f.split)[-1])[:, 0]
    x = noise(10, 3)
    moved = f(x)[0] - x
    close(moved, torch.outer(moved @ q, q), 1e-10)
    across = x + torch.linalg.cross(x, q.expand_as(x))
    close(f(across)[0] - across, moved, 1e-10)


def test_in_one_dimension_it_is_a_planar_map() -> None:
    f = shaken(HouseholderSylvester(1, 1))
    planar, x = Planar(1).double(), noise(20, 1)
    _, r, tilde, b, _ = f.steering.start.split(f.split)  # pyright: ignore
    r, w = r.tanh(), -tilde.tanh()  # One reflection: Q = -1.
    # softplus(m) = 1 + r r̃ is what a planar map makes of w u = m.
    m = (1 - r * w).expm1().log()
    with torch.no_grad():
        planar.steering.start.copy_(torch.cat((m / w, w, b)))
    for ours, theirs in zip(f(x), planar(x), strict=True):
        close(ours, theirs, 1e-9)


def test_no_map_folds() -> None:
    """For 10,000 parameters of any size, each at a point of its own."""
    for layer in of_each_kind(3, context=1):
        with torch.no_grad():
            layer.steering.start.zero_()
        layer = layer.double()
        n = 10_000
        numbers = 3 * noise(n, sum(layer.split))
        layer.steering = Given(numbers)  # pyright: ignore[reportAttributeAccessIssue]
        x, c = noise(n, 3, seed=5), noise(n, 1)
        assert layer(x, c)[1].isfinite().all()
        layer.steering = Given(numbers[:200])  # pyright: ignore
        x, c = x[:200], c[:200]

        def of_row(x: Tensor, f: Sylvester = layer, c: Tensor = c) -> Tensor:
            return f(x, c)[0].sum(0)

        rows = torch.autograd.functional.jacobian(of_row, x)
        assert isinstance(rows, Tensor)
        assert (torch.linalg.det(rows.movedim(1, 0)) > 0).all()


class Given(torch.nn.Module):
    """Numbers that steer a layer, of which each row has its own."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.numbers = numbers

    def forward(self, context: Tensor | None) -> Tensor:
        return self.numbers


@pytest.mark.parametrize("kind", KINDS)
def test_amortised_rows_are_maps_of_their_own(kind: Kind) -> None:
    torch.manual_seed(0)
    flow = sylvester(4, 2, kind, 2, context=3).double()
    x, c = noise(6, 4), noise(6, 3)
    together = flow.log_prob(x, c)
    alone = torch.cat([flow.log_prob(x[i : i + 1], c[i : i + 1]) for i in range(6)])
    close(together, alone, 1e-10)
    # As a free map with the numbers that the context gives.
    layer = next(m for m in flow.modules() if isinstance(m, Sylvester))
    free = sylvester(4, 1, kind, 2).double()
    given = next(m for m in free.modules() if isinstance(m, Sylvester))
    with torch.no_grad():
        given.steering.start.copy_(layer.steering(c)[2])
    close(given(x[2:3])[0], layer(x, c)[0][2:3], 1e-10)


def test_sizes_are_those_of_the_authors() -> None:
    """Two triangles of one matrix, two diagonals, biases, and what makes Q."""
    sizes = [sum(layer.split) for layer in of_each_kind(5)]
    assert sizes == [9 + 9 + 15, 25 + 15 + 20, 25 + 15]
    assert OrthogonalSylvester(64).units == 8
    assert OrthogonalSylvester(2).units == 2
    assert HouseholderSylvester(64).reflections == 8
    chain = [m for m in sylvester(64).modules() if isinstance(m, Sylvester)]
    assert len(chain) == 4 and all(isinstance(m, OrthogonalSylvester) for m in chain)


def test_triangular_maps_reverse_the_order_in_turn() -> None:
    chain = sylvester(3, 4, "triangular").modules()
    orders = [
        m.q.argmax(0).tolist() for m in chain if isinstance(m, TriangularSylvester)
    ]
    assert orders == [[0, 1, 2], [2, 1, 0], [0, 1, 2], [2, 1, 0]]


# Mistakes that are made in public


def twice(f: Sylvester, x: Tensor) -> Tensor:
    """The authors' T-SNF takes the same permutation on both sides."""
    q, r, tilde, b, _ = f._steered(None)
    s = times(tilde, times(q, x)) + b
    return x + times(q, times(r, s.tanh()))


@pytest.mark.parametrize("order", [range(5), range(5)[::-1], CYCLE])
def test_the_same_permutation_twice_is_right_for_involutions(
    order: tuple[int, ...],
) -> None:
    f, x = shaken(TriangularSylvester(5, order)), noise(30, 5)
    assert isinstance(f, TriangularSylvester)
    j = vmap(jacrev(lambda row: twice(f, row[None])[0]))(x)
    theirs = torch.linalg.slogdet(j).logabsdet
    ours = f(x)[1]
    close(ours, log_dets(f, x))
    if order == CYCLE:
        assert (theirs - ours).abs().max() > 0.1
    else:
        close(theirs, ours)


def test_one_diagonal_without_bounds_folds() -> None:
    """z + r tanh(r̃ z) with r = tanh(…) alone falls where r r̃ < -1."""
    x = torch.linspace(-1, 1, 101).double()
    r, tilde = math.tanh(-1.0), 3.0
    assert ((x + r * (tilde * x).tanh()).diff() < 0).any()
    f = written(
        TriangularSylvester(1),
        torch.tensor([[r]]).double(),
        torch.tensor([[math.tanh(tilde)]]).double(),
        torch.zeros(1).double(),
    )
    assert (f(x[:, None])[0].diff(dim=0) > 0).all()


def test_iteration_leads_back_slowly_and_not_beyond_one() -> None:
    """With triangles, r r̃ < 1 is enough, though the map is no contraction."""
    f, x = shaken(HouseholderSylvester(6)), noise(50, 6)
    z = f(x)[0]
    assert (jacobians(f, x) - torch.eye(6).double()).norm(2, (1, 2)).max() > 1
    close(by_iteration(f, z, 400)[-1], x, 1e-8)

    # One unit, of r r̃ = 3: the iteration swings between two points.
    def push(x: Tensor) -> Tensor:
        return x + 3 * x.tanh()

    point = torch.tensor([0.1]).double()
    found = push(point)
    for _ in range(400):
        found = push(point) - 3 * found.tanh()
    assert (found - point).abs() > 0.1


# The posterior of the experiment


def test_bananas_are_bananas_turned() -> None:
    torch.manual_seed(0)
    target = Bananas(4).double()
    close(target.turn.T @ target.turn, torch.eye(4).double(), 1e-6)
    z = target.sample(100_000)
    entropy = -target.log_prob(z).mean()
    assert entropy.item() == pytest.approx(2 * Banana.entropy, abs=0.02)
    pairs = target.straight(z)
    assert (pairs[:, 1] - pairs[:, 0].square()).std().item() == pytest.approx(
        0.5, abs=0.01
    )
