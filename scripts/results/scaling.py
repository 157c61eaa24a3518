"""The form of benchmarks/results/scaling.json, and the curves in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveInt

from scripts.results.forms import Form, Head, Seconds, Task

Along = Literal["dim", "batch"]


class Curve(NamedTuple):
    """One library's task of a flow, timed along an axis on so many threads."""

    threads: int
    family: str
    task: Task
    library: str


class OfCurve(Form):
    """A form that belongs to a curve; where it names none, to our sampling."""

    family: str
    library: str = "ours"
    threads: PositiveInt = 1
    task: Task = "sample"

    @property
    def curve(self) -> Curve:
        """The curve that it belongs to."""
        return Curve(self.threads, self.family, self.task, self.library)


class Cost(OfCurve):
    """The seconds of a task at one size: processor time on one thread, else a clock's.

    For our sampling, also the multiply-adds of matrix products per event; `forward` are
    those of one pass from data to noise.
    """

    dim: PositiveInt
    batch: PositiveInt
    seconds: Seconds
    multiply_adds: PositiveInt | None = None
    forward: PositiveInt | None = None


class Growth(OfCurve):
    """Exponents of one curve along one axis: time ∝ axis^time, and the like.

    Fitted from `start` on: below, calls take the time, however much they do. For our
    sampling, `multiply_adds` is that of what is multiplied in all, `passes` that of
    `dim` forward passes in its place.
    """

    along: Along
    start: PositiveInt
    time: float
    multiply_adds: float | None = None
    passes: float | None = None


class ScalingResults(Head):
    """The form of scaling.json, which `python -m benchmarks.scaling` writes.

    A curve ends where one call takes more than `longest` seconds, but our sampling goes
    on. Calls that are nearly as slow have fewer repeats.
    """

    repeats: PositiveInt
    longest: Annotated[float, Field(gt=0)] | None = None
    growth: Annotated[tuple[Growth, ...], Field(strict=False)]
    along_dim: Annotated[tuple[Cost, ...], Field(strict=False)]
    along_batch: Annotated[tuple[Cost, ...], Field(strict=False)]
    # Which curves end before the largest size, and why.
    left_out: Annotated[tuple[str, ...], Field(strict=False)] = ()


def curves(rows: Iterable[Cost]) -> dict[Curve, list[Cost]]:
    """Gather the rows of each curve, in their order."""
    found: dict[Curve, list[Cost]] = {}
    for row in rows:
        found.setdefault(row.curve, []).append(row)
    return found
