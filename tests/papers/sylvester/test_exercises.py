"""Sylvester flows, three to try: the answers are what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import pytest
import torch
from torch.func import jacrev, vmap

from implementations import sylvester as original
from implementations.core.bijection import Bijection
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "sylvester"


def wrong(f: Bijection) -> float:
    """The largest error of the log-determinant, for random parameters."""
    torch.manual_seed(0)
    original.shake(f)
    x = noise(30, 4)
    j = vmap(jacrev(lambda row: f(row[None])[0][0]))(x)
    exact = torch.linalg.slogdet(j).logabsdet
    return (f(x)[1] - exact).abs().max().item()


@pytest.mark.thorough
def test_without_right_angles_it_says_that_it_is_closer_than_the_truth() -> None:
    gaps = []
    for module in (original, edited(PAPER, 1)):
        torch.manual_seed(0)
        flow = module.sylvester(4, 2, "orthogonal", 3)
        gaps.append(module.learn_target(flow, original.Bananas(4), 300))
    right, impossible = gaps
    assert right > 0.1
    assert impossible < 0


def test_with_r_of_zero_only_r_has_a_gradient() -> None:
    for module, learns in ((original, True), (edited(PAPER, 2), False)):
        f = module.HouseholderSylvester(4, 2).double()
        z, log_det = f(noise(20, 4))
        (z.square().sum() - log_det.sum()).backward()
        both, r, tilde, b, raw = f.steering.start.grad.split(f.split)
        both = both.view(4, 4)
        assert (both.triu(1).any() and r.any()).item()
        for others in (both.tril(-1), tilde, b, raw):
            assert others.any().item() == learns


def test_the_same_side_twice_is_right_for_what_is_its_own_inverse() -> None:
    def kinds(module: ModuleType) -> tuple[list[Bijection], list[Bijection]]:
        orders: Sequence[Sequence[int]] = (range(4), range(4)[::-1], (1, 2, 3, 0))
        kept, backwards, cycle = (module.TriangularSylvester(4, o) for o in orders)
        one, two = (module.HouseholderSylvester(4, k) for k in (1, 2))
        return [kept, backwards, one], [cycle, two]

    right, other = kinds(edited(PAPER, 3))
    assert all(wrong(f) < 1e-10 for f in right)
    assert all(wrong(f) > 1e-2 for f in other)
    assert all(wrong(f) < 1e-10 for fs in kinds(original) for f in fs)
