"""The form of benchmarks/results/gpu.json, which `make gpu` writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from scripts.results.forms import Form, Head, LibraryTiming

# How far bfloat16 may move a mean log-density, in nats per dimension.
SMALL = 1e-2
Part = Literal["contract", "speed", "compiled", "autocast", "notebooks"]


class Ending(Form):
    """The end of one part.

    `why` says why it did not, or is null; `left_out` what it could not measure.
    """

    part: Part
    seconds: NonNegativeFloat
    why: str | None
    left_out: Annotated[tuple[str, ...], Field(strict=False)]


class Kept(Form):
    """One promise of the contract: how many cases make it, keep it, and break it.

    Fewer are asked than make it where the time was over before.
    """

    promise: str
    cases: PositiveInt
    kept: NonNegativeInt
    broken: Annotated[tuple[str, ...], Field(strict=False)]

    @property
    def asked(self) -> int:
        """The number of cases that were asked."""
        return self.kept + len(self.broken)


class Rounded(Form):
    """The effect of bfloat16 autocast on the log-density of one flow of ours.

    In nats per dimension, over fresh points: `shift` is by how much the mean moves,
    as a loss would; `mean` and `worst` are those of |the difference| at a point.
    """

    paper: str
    name: str
    dims: PositiveInt
    shift: NonNegativeFloat
    mean: NonNegativeFloat
    worst: NonNegativeFloat


class Claim(Form):
    """One claim of a notebook: what came out, and the bounds that it is held to."""

    text: str
    value: float
    above: float | None
    below: float | None

    @property
    def holds(self) -> bool:
        """True where the value is inside the bounds."""
        above = self.above is None or self.above < self.value
        return above and (self.below is None or self.value < self.below)


class Ran(Form):
    """One paper's notebook, run on the card under seed 0."""

    paper: str
    seconds: NonNegativeInt
    claims: Annotated[tuple[Claim, ...], Field(strict=False)]


class Gpu(Head):
    """The form of gpu.json, which `make gpu` writes part after part.

    Seconds are those of a clock, the card being waited for. In `compiled` ours are
    steps of `fit(compile=True)`, the peers' steps of `fit`.
    """

    endings: Annotated[tuple[Ending, ...], Field(strict=False)]
    contract: Annotated[tuple[Kept, ...], Field(strict=False)]
    speed: Annotated[tuple[LibraryTiming, ...], Field(strict=False)]
    compiled: Annotated[tuple[LibraryTiming, ...], Field(strict=False)]
    autocast: Annotated[tuple[Rounded, ...], Field(strict=False)]
    notebooks: Annotated[tuple[Ran, ...], Field(strict=False)]
