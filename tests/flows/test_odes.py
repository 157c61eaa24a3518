"""Velocity fields and solvers, against linear equations, whose solutions are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from implementations.core.odes import (
    TRACES,
    Adaptive,
    Counted,
    FixedSteps,
    TimeNetwork,
    solver_cost,
)
from tests.flows.fields import Turn
from tests.support.perturb import noise

TIMES = torch.tensor([0.0, 1.0]).double()


@pytest.mark.parametrize(
    ("method", "order", "evaluations"),
    [("euler", 1, 1), ("midpoint", 2, 2), ("rk4", 4, 4)],
)
def test_halving_steps_divides_the_error_by_the_order(
    method: str, order: int, evaluations: int
) -> None:
    """On z' = A z, whose solution is exp(tA) z."""
    field, z, errors = Turn(noise(3, 3) / 2), noise(5, 3), []
    for steps in (20, 40, 80):
        counted = Counted(FixedSteps(steps, method))
        end = counted(field, z, TIMES)[-1]
        exact = z @ torch.matrix_exp(field.a).T
        errors.append((end - exact).abs().max().item())
        assert counted.evaluations == evaluations * steps
    for before, after in pairwise(errors):
        assert before / after == pytest.approx(2**order, rel=0.2)


def test_backwards_is_the_way_back() -> None:
    field, z = Turn(noise(3, 3) / 2), noise(5, 3)
    end = FixedSteps(40)(field, z, TIMES)[-1]
    start = FixedSteps(40)(field, end, TIMES.flip(0))[-1]
    torch.testing.assert_close(start, z, atol=1e-6, rtol=0)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_adaptive_steps_keep_the_tolerance(tolerance: float) -> None:
    field, z = Turn(noise(3, 3) / 2), noise(5, 3)
    found = Adaptive(tolerance)(field, z, TIMES)[-1]
    exact = z @ torch.matrix_exp(field.a).T
    assert (found - exact).abs().max() < 20 * tolerance


@pytest.mark.parametrize("solve", [FixedSteps(60), Adaptive(1e-8)])
def test_adjoint_gradients_agree_with_those_through_the_steps(
    solve: FixedSteps | Adaptive,
) -> None:
    """Up to the error of the solver, which runs a second time, backwards."""
    field, z = perturbed(TimeNetwork(2, (8,))), noise(6, 2)
    weights = tuple(field.parameters())
    found = []
    for adjoint in (False, True):
        counted = Counted(type(solve)(**{**vars(solve), "adjoint": adjoint}))
        end = counted(field, z, TIMES, weights)[-1]
        there = counted.evaluations
        found.append(torch.autograd.grad(end.square().sum(), weights))
        assert (counted.evaluations > there) == adjoint
    for through, back in zip(*found, strict=True):
        torch.testing.assert_close(through, back, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("trace", TRACES)
def test_traces_are_right_on_average(trace: str) -> None:
    field = perturbed(TimeNetwork(3, (8,)))
    z, t = noise(1, 3).expand(20_000, 3), torch.tensor(0.4).double()
    j = torch.func.jacrev(lambda z: field(t, z[None])[0])(z[0])
    torch.manual_seed(0)
    with torch.no_grad():
        _, found = field.with_trace(t, z, TRACES[trace](z))
    if trace == "exact":
        torch.testing.assert_close(found, j.trace().expand(20_000))
        return
    error = found.std() / math.sqrt(len(found))
    assert (found.mean() - j.trace()).abs() < 4 * error
    # Signs miss the diagonal's part of the variance, normals have all of it.
    s = (j + j.T) / 2
    off = s - s.diag().diag()
    expected = 2 * (off if trace == "signs" else s).square().sum()
    assert found.var().item() == pytest.approx(expected.item(), rel=0.1)


def test_a_new_network_of_time_stands_still() -> None:
    assert torch.equal(
        TimeNetwork(2)(torch.tensor(0.5), torch.ones(3, 2)), torch.zeros(3, 2)
    )


def test_cost_has_evaluations_and_distance() -> None:
    field, z = Turn(torch.eye(2).double()), noise(4, 2)
    found = solver_cost(field, z, FixedSteps(1, "euler"), FixedSteps(50))
    assert found.evaluations == 1
    # One step of Euler's ends at 2z, the solution at e z.
    expected = (math.e - 2) * z.square().sum(1).mean().sqrt().item()
    assert found.error == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FixedSteps(0), "FixedSteps: expected at least 1, got 0"),
        (lambda: Adaptive(0.0), r"Adaptive: expected a positive tolerance, got 0\.0"),
        (lambda: Adaptive(math.nan), "expected a positive tolerance, got nan"),
    ],
)
def test_bad_solvers_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def perturbed(field: TimeNetwork) -> TimeNetwork:
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in field.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.5)
    return field.double()
