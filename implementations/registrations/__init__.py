"""One file a paper: what it joins beside its notebook.

The contract runs its cases, the comparison measures its flows, the exactness table asks
them, and the gallery shows the paper in its family. A new paper adds a file, and edits
none. `scripts/papers/registrations.py` reads these files without running them: so
families, names and reasons are written as literals.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module

from implementations.core.bijection import Bijection, Shape
from implementations.core.flow import Base, Flow
from implementations.core.nets import mlp

# Of flows that are compared.
HIDDEN = (64, 64)
PLANE: Shape = (2,)
IMAGE: Shape = (1, 8, 8)
GRAPH: Shape = (4, 2)
# Of flows that are examined, and of cases.
WIDTH = 8
SMALL_IMAGE: Shape = (1, 4, 4)
small = partial(mlp, hidden=(WIDTH, WIDTH))


@dataclass(frozen=True)
class Exemption:
    """Promises that a flow does not make, and why; its paper's page says so.

    `promises` are tests of the contract without `test_`, which are not run for a case;
    `checks` are questions of the exactness table, which are asked all the same.
    """

    flow: str
    reason: str
    promises: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A flow's builder, and how well it keeps the contract."""

    build: Callable[[], Bijection | Flow]
    float64: float = 1e-10
    float32: float = 1e-4
    exempt: tuple[Exemption, ...] = ()

    @property
    def unkept(self) -> dict[str, str]:
        """Promise that the flow cannot keep → the reason."""
        return {name: each.reason for each in self.exempt for name in each.promises}


@dataclass(frozen=True)
class Compared:
    """A flow that the comparison times, and trains where its events are points.

    As deep as its builder makes it by default; on the plane its networks have two
    hidden layers of 64, so that what differs is the idea. Those for images and graphs
    are as large as in their notebooks. `log_det` says how log|det| is evaluated.
    """

    name: str
    family: str
    build: Callable[[], Flow | Base]
    shape: Shape = PLANE
    log_det: str = "exact"


@dataclass(frozen=True)
class Examined:
    """A flow that is asked how exact and robust it is.

    `build` takes the dimension, the number of layers and the context's width; a name
    stands for the flow that `benchmarks/libraries` builds in all four libraries. An
    `image` has events of shape SMALL_IMAGE, whatever the dimension. `least` is the
    least dimension; a flow in `one` piece has no layers to stack. `approximate` says
    why a map or its determinant is only as exact as a solver.
    """

    name: str
    build: Callable[[int, int, int], Flow] | str
    contextual: bool = False
    image: bool = False
    event: Callable[[int], Shape] = lambda dim: (dim,)
    least: int = 1
    one: bool = False
    approximate: str = ""
    exempt: tuple[Exemption, ...] = ()

    @property
    def unkept(self) -> dict[str, str]:
        """Question whose answer is not promised → the reason."""
        return {name: each.reason for each in self.exempt for name in each.checks}


@dataclass(frozen=True)
class Registration:
    """Everything that a paper joins.

    `unmeasured` says why none of its flows is compared; where `compared` names some,
    why they are not measured yet. `unasked` names bijections that no case builds,
    since they are no map of all numbers, and where they are asked.
    """

    family: str
    cases: Mapping[str, Case]
    compared: tuple[Compared, ...] = ()
    unmeasured: str = ""
    examined: tuple[Examined, ...] = ()
    unasked: Mapping[str, str] = field(default_factory=dict)

    @property
    def waiting(self) -> bool:
        """Flows are registered, and a maintainer is still to measure them."""
        return bool(self.compared and self.unmeasured)


@cache
def registrations() -> dict[str, Registration]:
    """Id of each paper, and "core" → what it joins, in order of the ids."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").REGISTRATION for name in names}
