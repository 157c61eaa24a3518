"""Ordinary differential equations: velocity fields, solvers, and what they cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torchdiffeq import odeint, odeint_adjoint

from implementations.core.bijection import Mapped
from implementations.core.nets import mlp
from implementations.core.numerics import basis, products, signs

# The right-hand side of an equation: time of shape (), state → d state / dt.
Change = Callable[[Tensor, Tensor], Tensor]


def normals(x: Tensor) -> list[Tensor]:
    """Draw one vector from N(0, I) for each row of x: E v vᵀ = I."""
    return [torch.randn_like(x)]


# Ways to a trace, Σ_v vᵀ J v: what draws the vectors v.
TRACES: Mapping[str, Callable[[Tensor], list[Tensor]]] = {
    "exact": basis,
    "signs": signs,
    "normals": normals,
}


class VelocityField(nn.Module, ABC):
    """A velocity dz/dt = g(t, z), for t of shape () and z of shape (batch, dim)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    @abstractmethod
    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """g(t, z), of shape (batch, dim)."""

    def with_trace(self, t: Tensor, z: Tensor, vectors: Sequence[Tensor]) -> Mapped:
        """g(t, z), and Σ_v vᵀ J v of shape (batch,): Tr J if Σ v vᵀ = I.

        A field that knows its trace in closed form needs no vectors.
        """
        # Not self(t, z): torch's counter of products hooks modules, no leaf passes it.
        dz, times_j = products(lambda z: self.forward(t, z), z)
        return dz, torch.stack([(times_j(v) * v).sum(1) for v in vectors]).sum(0)


class TimeNetwork(VelocityField):
    """g(t, z) = a perceptron of z and t, smooth, and 0 until it is trained."""

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        activation: Callable[[], nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__(dim)
        self.network = mlp(dim + 1, dim, hidden, activation)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return self.network(torch.cat((z, t.expand(z.shape[0], 1)), 1))


class Solver(Protocol):
    """Solves an equation from `state` at times[0] on, through other times in [0, 1].

    Returns the states at all of these times, as torchdiffeq's `odeint` does. `weights`
    are what an adjoint must give gradients to, beside the state.
    """

    def __call__(
        self,
        change: Change,
        state: Tensor,
        times: Tensor,
        weights: Sequence[Tensor] = (),
        /,
    ) -> Tensor: ...


@dataclass(frozen=True)
class FixedSteps:
    """So many steps of equal size: "euler", "midpoint", or "rk4" of order 4.

    With `adjoint`, gradients come from a second equation, solved backwards by as many
    steps, and no step is held in memory.

    Raises:
        ValueError: when there is no step.
    """

    steps: int
    method: str = "rk4"
    adjoint: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"FixedSteps: expected at least 1, got {self.steps}")

    def __call__(
        self,
        change: Change,
        state: Tensor,
        times: Tensor,
        weights: Sequence[Tensor] = (),
        /,
    ) -> Tensor:
        how = {"method": self.method, "options": {"step_size": 1 / self.steps}}
        return _solve(self.adjoint, change, state, times, weights, how)


@dataclass(frozen=True)
class Adaptive:
    """Steps as long as keep the estimated error below a tolerance, by "dopri5".

    All rows of a batch share their steps: the result of a row depends on its company,
    up to the tolerance.

    Raises:
        ValueError: when the tolerance is not positive.
    """

    tolerance: float = 1e-5
    method: str = "dopri5"
    adjoint: bool = False

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(
                f"Adaptive: expected a positive tolerance, got {self.tolerance}"
            )

    def __call__(
        self,
        change: Change,
        state: Tensor,
        times: Tensor,
        weights: Sequence[Tensor] = (),
        /,
    ) -> Tensor:
        tolerances = {"rtol": self.tolerance, "atol": self.tolerance}
        how = {"method": self.method, **tolerances}
        return _solve(self.adjoint, change, state, times, weights, how)


def _solve(
    adjoint: bool,
    change: Change,
    state: Tensor,
    times: Tensor,
    weights: Sequence[Tensor],
    how: dict[str, Any],
) -> Tensor:
    if adjoint:
        learned = tuple(weight for weight in weights if weight.requires_grad)
        found = odeint_adjoint(change, state, times, adjoint_params=learned, **how)
    else:
        found = odeint(change, state, times, **how)
    return cast(Tensor, found)


class Counted:
    """A solver that counts how often it evaluates the velocity, going back too."""

    def __init__(self, solve: Solver) -> None:
        self.solve, self.evaluations = solve, 0

    def __call__(
        self,
        change: Change,
        state: Tensor,
        times: Tensor,
        weights: Sequence[Tensor] = (),
        /,
    ) -> Tensor:
        def counted(t: Tensor, state: Tensor) -> Tensor:
            self.evaluations += 1
            return change(t, state)

        return self.solve(counted, state, times, weights)


class SolverCost(NamedTuple):
    """A solver's evaluations of the velocity, and its error."""

    evaluations: int
    error: float


@torch.no_grad()
def solver_cost(
    field: VelocityField, start: Tensor, solve: Solver, reference: Solver
) -> SolverCost:
    """Carry points from t = 0 to t = 1; the error is the root mean square distance.

    `start` is of shape (batch, dim); the distance is to the points of the `reference`.
    """
    counted, times = Counted(solve), start.new_tensor((0.0, 1.0))
    end, exact = (each(field, start, times)[-1] for each in (counted, reference))
    error = (end - exact).square().sum(1).mean().sqrt().item()
    return SolverCost(counted.evaluations, error)
