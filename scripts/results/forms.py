"""The form of benchmarks/results/: what `benchmarks` writes and the site reads."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

Task = Literal["log_density", "sample", "training_step"]
# Each library's flow as it comes, or the same layers in all.
Kind = Literal["default", "equal"]
# Seconds of one call, once for each repeat.
Seconds = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, strict=False)
]
Shape = Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)]


class Form(BaseModel):
    """A form that knows all of its fields, and cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Machine(Form):
    """The computer that measured."""

    cores: PositiveInt
    model: str
    memory_gb: PositiveInt


class Head(Form):
    """The fields that every file of results begins with.

    `versions` are by package; `gpu` is the card's name, or "not measured".
    """

    date: Annotated[datetime.date, Field(strict=False)]
    machine: Machine
    versions: dict[str, str]
    threads: PositiveInt
    gpu: str


class LibraryTiming(Form):
    """One library's times of one task of one flow.

    `seconds` are those of a clock, and `processor` those of all cores together; where
    only processor time was measured, it stands under `seconds`.
    """

    kind: Kind = "equal"
    threads: PositiveInt = 1
    family: str
    dim: PositiveInt
    batch: PositiveInt
    task: Task
    library: str
    parameters: PositiveInt
    seconds: Seconds
    processor: Seconds | None = None


class Memory(Form):
    """Bytes of tensors that a training step has allocated at its peak."""

    kind: Kind = "equal"
    family: str
    dim: PositiveInt
    batch: PositiveInt
    library: str
    bytes: PositiveInt


class Timing(Form):
    """The times of one flow of ours; `paper` is the publication's id."""

    paper: str
    name: str
    family: str
    shape: Shape
    parameters: PositiveInt
    batch: PositiveInt
    log_det: str
    log_density: Seconds
    sample: Seconds
    training_step: Seconds


class Flows(Head):
    """The form of flows.json, which `python -m benchmarks.flows` writes.

    `holds` says what each library's default flow has, by family.
    """

    repeats: PositiveInt
    holds: dict[str, str] = {}
    flows: Annotated[tuple[Timing, ...], Field(strict=False)]
    contests: Annotated[tuple[LibraryTiming, ...], Field(strict=False)]
    memory: Annotated[tuple[Memory, ...], Field(strict=False)]
    # What was not measured, and why.
    left_out: Annotated[tuple[str, ...], Field(strict=False)]


class Gap(Form):
    """The distance of one flow of ours to the truth.

    `gap` is KL(target ‖ flow) in nats, a value for each seed; `round_trip` the largest
    |f⁻¹(f(x)) - x| in float32, at fresh samples of the target; none without a map f.
    """

    paper: str
    name: str
    gap: Annotated[tuple[float, ...], Field(min_length=1, strict=False)]
    round_trip: float | None


class Gaps(Head):
    """The form of gaps.json, by `python -m benchmarks.gaps`; all had one budget."""

    target: str
    steps: PositiveInt
    batch: PositiveInt
    gaps: Annotated[tuple[Gap, ...], Field(strict=False)]


class Compilation(Form):
    """One library's times of one task of one flow, eager and under torch.compile.

    `flow` is a default flow's family, or the name of a flow of ours, which has a
    `paper`. `seconds` are those of a clock, `processor` those of all cores together.
    `first` are the seconds of the first call, which compiles; `breaks` counts where
    the compiler leaves a piece to Python. `difference` is the largest one of the two
    log-densities, relative to 1 + |log p|; null where it is not finite, or where a flow
    estimates its log-density. `fault` says why nothing was compiled, and then what is
    compiled is null, or that it computes something else; "" where all is well.
    """

    paper: str | None
    flow: str
    dim: PositiveInt
    batch: PositiveInt
    task: Task
    library: str
    parameters: PositiveInt
    seconds: Seconds
    processor: Seconds
    compiled_seconds: Seconds | None
    compiled_processor: Seconds | None
    first: PositiveFloat | None
    breaks: NonNegativeInt | None
    difference: float | None
    fault: str


class CompiledFlows(Head):
    """The form of compiled.json, which `python -m benchmarks.compiled` writes."""

    repeats: PositiveInt
    # Seconds after which a compilation is given up.
    limit: PositiveInt
    rows: Annotated[tuple[Compilation, ...], Field(strict=False)]


class FittedTarget(Form):
    """A density to fit: its width, that of its context, and its entropy in nats."""

    name: str
    dim: PositiveInt
    context: NonNegativeInt
    entropy: float


class Course(Form):
    """One training: at each checkpoint, processor seconds so far, and the gap in nats.

    A gap is null where the flow's log-density was not finite.
    """

    target: str
    family: str
    library: str
    seed: NonNegativeInt
    parameters: PositiveInt
    seconds: Seconds
    gaps: Annotated[tuple[float | None, ...], Field(strict=False)]


class Accuracy(Head):
    """The form of accuracy.json, which `python -m benchmarks.accuracy` writes.

    All had the same budget: Adam, its rate falling to 0 on a cosine; `checkpoints` are
    steps, the last one the end.
    """

    batch: PositiveInt
    rate: float
    held_out: PositiveInt
    checkpoints: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)]
    targets: Annotated[tuple[FittedTarget, ...], Field(strict=False)]
    courses: Annotated[tuple[Course, ...], Field(strict=False)]
    left_out: Annotated[tuple[str, ...], Field(strict=False)]


# kept: as it should be. stops: an error, from within torch, or half of it works.
# fails: not accurate enough, not finite, or silently wrong. absent: the library says
# that it has no such thing, or there can be none.
Verdict = Literal["kept", "stops", "fails", "absent"]


class Question(Form):
    """A question to every flow, its heading, and when it counts as kept."""

    check: str
    group: str
    head: str
    asks: str


class FlowAnswer(Form):
    """The answer of one flow: a number or a few words, and what they amount to.

    `reason` says why a flow of ours does not promise it, or why any flow is only
    approximate.
    """

    library: str
    flow: str
    check: str
    shown: str
    verdict: Verdict
    reason: str | None


class Exactness(Head):
    """The form of exactness.json, which `python -m benchmarks.exactness` writes."""

    questions: Annotated[tuple[Question, ...], Field(strict=False)]
    findings: Annotated[tuple[FlowAnswer, ...], Field(strict=False)]
