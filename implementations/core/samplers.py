"""Markov chains that keep a density: Metropolis's, and Hamiltonian ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from implementations.core.weights import LogDensity


class Chains(NamedTuple):
    """The states of n chains, of shape (kept, n, …), and the share of steps taken."""

    states: Tensor
    accepted: float


class _State(NamedTuple):
    """Where the chains stand: x, log p̃(x), and its slope where one is needed."""

    x: Tensor
    log_p: Tensor
    slope: Tensor


# From a state to a proposed one, and the logarithm of the odds to take it, (n,).
_Move = Callable[[_State], tuple[_State, Tensor]]


def metropolis(
    log_density: LogDensity, x: Tensor, steps: int, width: float, every: int = 1
) -> Chains:
    """Chains from each row of x, with proposals from N(x, width² I).

    Proposals whose log-density is not finite are never taken. One state of `every` is
    kept. The first states are those near x: whoever wants the density drops them.
    """

    def move(state: _State) -> tuple[_State, Tensor]:
        y = state.x + width * torch.randn_like(state.x)
        log_p = log_density(y)
        return _State(y, log_p, state.slope), log_p - state.log_p

    with torch.no_grad():
        start = _State(x, log_density(x), torch.zeros_like(x))
        return _chains(move, start, steps, every)


def hmc(
    log_density: LogDensity,
    x: Tensor,
    steps: int,
    step_size: float,
    leaps: int,
    every: int = 1,
) -> Chains:
    """Chains from each row of x by Hamiltonian Monte Carlo, with unit masses.

    A proposal follows the slope of the density for `leaps` steps of the leapfrog. With
    one leap it is the Metropolis-adjusted Langevin algorithm, of step ½ step_size².
    """

    def slope_at(x: Tensor) -> _State:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            log_p = log_density(x)
            (slope,) = torch.autograd.grad(log_p.sum(), x)
        return _State(x.detach(), log_p.detach(), slope)

    def move(state: _State) -> tuple[_State, Tensor]:
        momentum = torch.randn_like(state.x)
        there, end = leapfrog(slope_at, state, momentum, step_size, leaps)
        energy = (momentum.square() - end.square()).flatten(1).sum(1) / 2
        return there, there.log_p - state.log_p + energy

    with torch.no_grad():
        return _chains(move, slope_at(x), steps, every)


def leapfrog(
    slope_at: Callable[[Tensor], _State],
    state: _State,
    momentum: Tensor,
    step_size: float,
    leaps: int,
) -> tuple[_State, Tensor]:
    """Follow Hamilton's equations: reversible, and it keeps volume."""
    for _ in range(leaps):
        momentum = momentum + step_size / 2 * state.slope
        state = slope_at(state.x + step_size * momentum)
        momentum = momentum + step_size / 2 * state.slope
    return state, momentum


def _chains(move: _Move, state: _State, steps: int, every: int) -> Chains:
    kept, taken = [], state.log_p.new_zeros(())
    for step in range(1, steps + 1):
        proposed, log_odds = move(state)
        # NaN and what is beyond the numbers compare as false.
        take = (log_odds > torch.rand_like(log_odds).log()) & proposed.log_p.isfinite()
        taken += take.to(taken).mean()
        state = _State(
            *(_where(take, *pair) for pair in zip(proposed, state, strict=True))
        )
        if step % every == 0:
            kept.append(state.x)
    return Chains(torch.stack(kept), (taken / steps).item())


def _where(take: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(take.view(-1, *[1] * (new.ndim - 1)), new, old)
