"""Equivariant flows, three to try: the answers are what comes out."""

from __future__ import annotations

import math
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations import equivariant as original
from implementations.core.flow import Flow
from implementations.core.odes import FixedSteps
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "equivariant"


def shaken(module: ModuleType, **how: object) -> Flow:
    torch.manual_seed(0)
    flow = module.equivariant(4, 2, 12, 4, **how).double()
    nn.init.normal_(module.field_of(flow).w, std=0.2)
    return flow


def test_of_all_dimensions_the_density_is_too_low_and_samples_are_the_same() -> None:
    x = noise(50, 4, 2)
    flows = [shaken(module) for module in (original, edited(PAPER, 1))]
    right, wrong = (flow.log_prob(x) for flow in flows)
    expected = right - math.log(2 * math.pi)
    assert math.log(2 * math.pi) == pytest.approx(1.84, abs=0.005)
    torch.testing.assert_close(wrong, expected)
    drawn = []
    for flow in flows:
        torch.manual_seed(1)
        drawn.append(flow.sample(10))
    assert torch.equal(*drawn)


def test_one_step_of_euler_keeps_the_symmetry_and_not_the_likelihood() -> None:
    x, rough = 3 * noise(50, 4, 2), shaken(edited(PAPER, 2))
    found = rough.log_prob(x)
    other = rough.log_prob(original.moved(x) + 1)
    torch.testing.assert_close(other, found, atol=1e-10, rtol=1e-10)
    fine = shaken(original, solve=FixedSteps(60)).log_prob(x)
    assert (shaken(original).log_prob(x) - fine).abs().mean() < 0.01
    assert (found - fine).abs().mean() > 0.5


def test_without_the_denominator_the_divergence_is_wrong_and_far_pairs_rest() -> None:
    t, z = torch.tensor(0.3).double(), 3 * noise(30, 6)

    def off_and_far(module: ModuleType) -> tuple[float, Tensor]:
        field = module.field_of(shaken(module))
        j = vmap(jacrev(lambda z: field(t, z[None])[0]))(z)
        trace = j.diagonal(dim1=1, dim2=2).sum(1)
        off = (field.with_trace(t, z, ())[1] - trace).abs().max().item()
        return off, field(t, 100 * z).abs().amax(1)

    right, moving = off_and_far(original)
    wrong, resting = off_and_far(edited(PAPER, 3))
    assert right < 1e-10 and (moving > 1e-3).all()
    assert wrong > 1e-2 and (resting < 1e-3).any()
