"""The form of benchmarks/results/straight.json."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from scripts.results.forms import Form, Head

# A value for each seed.
Seeds = Annotated[tuple[float, ...], Field(min_length=1, strict=False)]
Point = Annotated[tuple[float, float], Field(strict=False)]
Points = Annotated[tuple[Point, ...], Field(strict=False)]


class EulerError(Form):
    """Distance to the exact end of a path, after so many evaluations of the velocity.

    Root mean square over points; the steps are Euler's.
    """

    evaluations: PositiveInt
    error: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1, strict=False)]


class Carried(Form):
    """One paper's field, and the ways on which it carries noise to the target.

    `gap` is KL(target ‖ flow) in nats; `seconds` those of the training; `bend` is
    ∫‖g‖² dt over the squared distance that points cover, less 1: 0 on straight lines at
    one speed; `adaptive` are evaluations of dopri5. Of the first seed: `paths` has the
    points of some paths, evenly in time, and `field` the velocities on the grid at
    half-time.
    """

    paper: str
    name: str
    training: str
    steps: PositiveInt
    parameters: PositiveInt
    seconds: Seeds
    gap: Seeds
    bend: Seeds
    euler: Annotated[tuple[EulerError, ...], Field(min_length=1, strict=False)]
    adaptive: Seeds
    paths: Annotated[tuple[Points, ...], Field(min_length=1, strict=False)]
    field: Points


class StraightLines(Head):
    """The form of straight.json, by `python -m benchmarks.straight`.

    All have one target, and see batches of `batch` points. `reach` is half the
    side of the square that is drawn, whose middle is 0; `grid` are its points at which
    `field` was asked, and `tolerance` is dopri5's.
    """

    target: str
    batch: PositiveInt
    tolerance: PositiveFloat
    reach: PositiveFloat
    grid: Points
    flows: Annotated[tuple[Carried, ...], Field(min_length=1, strict=False)]
