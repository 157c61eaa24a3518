"""Numerical inverses, against maps whose inverse is known, and by their round trip."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import jacfwd, jacrev, vmap

from implementations.core.bijection import Mapped, by_kind
from implementations.core.roots import REACH, STEPS, Unsolved, find_root
from tests.support.perturb import noise

CUBE_ROOTS = {-8.0: -2.0, 1e-6: 0.01, 1.0: 1.0, 1e12: 1e4}


def cube(x: Tensor) -> Mapped:
    """x³, flat at 0."""
    return x**3, (3 * x.square()).log()


def corner(x: Tensor) -> Mapped:
    """A map that rises a thousand times as fast on the right of 3."""
    steep = x > 3
    slope = torch.where(steep, 1000.0, 1.0).to(x)
    return 3 + (x - 3) * slope, slope.log()


class Waves(Unsolved):
    """a x + b sin x, with a > |b|."""

    n_params = 2

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        scale, share = by_kind(params)
        a, b = scale.exp(), scale.exp() * share.tanh()
        return a * x + b * x.sin(), (a + b * x.cos()).log()


def test_roots_are_found_far_and_near() -> None:
    y = torch.tensor([*CUBE_ROOTS], dtype=torch.float64)
    x, log_slope = find_root(cube, y)
    expected = torch.tensor([*CUBE_ROOTS.values()], dtype=torch.float64)
    torch.testing.assert_close(x, expected, atol=0, rtol=1e-14)
    torch.testing.assert_close(log_slope, -(3 * expected**2).log())


@pytest.mark.parametrize("y", [2.999, 3.0, 3.001, 1e5, -1e5])
def test_a_corner_does_not_lead_astray(y: float) -> None:
    x, _ = find_root(corner, torch.tensor([y], dtype=torch.float64))
    torch.testing.assert_close(corner(x)[0].item(), y, atol=1e-12, rtol=1e-14)


def test_a_root_that_was_found_is_not_left() -> None:
    """Rounding makes Newton's steps useless there; halving would lead away."""
    y = noise(1000).double()
    once, _ = find_root(lambda x: (x + x**3, (1 + 3 * x**2).log()), y)
    long, _ = find_root(lambda x: (x + x**3, (1 + 3 * x**2).log()), y, steps=200)
    torch.testing.assert_close(once, long, atol=1e-15, rtol=1e-14)
    torch.testing.assert_close(once + once**3, y, atol=1e-15, rtol=1e-14)


def test_where_nothing_is_found_the_end_is_returned() -> None:
    y = torch.tensor([1e9, 1.0, -1.0], dtype=torch.float64)
    x, _ = find_root(lambda x: (x.exp(), x), y, -10, 10)
    ends = torch.tensor([10.0, 0.0, -10.0], dtype=torch.float64)
    torch.testing.assert_close(x, ends, atol=1e-7, rtol=0)


def test_every_number_takes_the_same_steps() -> None:
    calls: list[int] = []

    def counted(x: Tensor) -> Mapped:
        calls.append(len(x))
        return x, torch.zeros_like(x)

    find_root(counted, noise(5))
    assert calls == [5] * (STEPS + 3)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-5)]
)
def test_a_univariate_map_without_a_formula_is_inverted(
    dtype: torch.dtype, tolerance: float
) -> None:
    g, x, params = Waves(), 30 * noise(200, 3).to(dtype), noise(200, 3, 2).to(dtype)
    z, log_slope = g(x, params)
    back, negated = g.inverse(z, params)
    assert back.dtype == dtype
    torch.testing.assert_close(g(back, params)[0], z, atol=tolerance, rtol=tolerance)
    well = log_slope > -3  # elsewhere rounding of z moves x more
    torch.testing.assert_close(back[well], x[well], atol=0, rtol=30 * tolerance)
    torch.testing.assert_close(
        negated[well], -log_slope[well], atol=1e3 * tolerance, rtol=0
    )


def test_derivatives_are_those_of_the_implicit_function() -> None:
    g, z, params = Waves(), noise(4, 3).double(), noise(4, 3, 2).double()
    z, params = z.requires_grad_(), params.requires_grad_()
    assert torch.autograd.gradcheck(g.inverse, (z, params))
    assert torch.autograd.gradgradcheck(g.inverse, (z, params))


def test_a_root_is_a_number_where_the_map_is_flat() -> None:
    assert find_root(cube, torch.zeros(1))[0] == 0


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_transforms_and_the_compiler_go_through() -> None:
    g, z, params = Waves(), noise(4).double(), noise(4, 2, seed=2).double()

    def one(z: Tensor, params: Tensor) -> Tensor:
        return torch.stack(g.inverse(z[None], params[None]))[:, 0]

    expected = torch.stack(g.inverse(z, params), 1)
    torch.testing.assert_close(vmap(one)(z, params), expected)
    both = [vmap(by(one, (0, 1)))(z, params) for by in (jacrev, jacfwd)]
    for backwards, forwards in zip(*both, strict=True):
        torch.testing.assert_close(backwards, forwards)
    compiled = torch.compile(g.inverse, backend="eager", fullgraph=True)
    torch.testing.assert_close(torch.stack(compiled(z, params), 1), expected)


def test_a_nan_stays_one_and_leaves_others_alone() -> None:
    x, log_slope = find_root(cube, torch.tensor([8.0, math.nan]))
    assert x[0] == 2 and x[1].isnan() and log_slope[1].isnan()
    assert find_root(cube, torch.zeros(0))[0].shape == (0,)


def test_without_a_bracket_of_its_own_a_map_is_searched_as_far_as_any() -> None:
    z = noise(3)
    low, high = Waves().bracket(z, noise(3, 2))
    assert (low == -REACH).all() and (high == REACH).all()
