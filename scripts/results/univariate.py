"""The form of benchmarks/results/univariate.json."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from scripts.results.forms import Form, Head, Seconds

# A value for each seed; null where it is not finite.
OrNone = Annotated[tuple[float | None, ...], Field(min_length=1, strict=False)]


class MapTrained(Form):
    """One library's flow with one univariate map, trained on each target.

    `paper` is the publication's id. `whole` flows have no conditioner and as many
    layers as `layers` says; the others are one layer. `gaps` are KL(target ‖ flow) in
    nats, a value a seed, by target. `train` and `sample` are seconds of a step and of
    drawing as many points as a batch has. `round_trip` is the largest |f⁻¹(f(x)) - x|
    in float32, `log_det` the largest distance from autograd's log-determinant in
    float64: both at fresh points, after the training; null where not finite.
    """

    paper: str
    name: str
    library: str
    whole: bool
    layers: PositiveInt
    parameters: PositiveInt
    gaps: dict[str, OrNone]
    train: Seconds
    sample: Seconds
    round_trip: NonNegativeFloat | None
    log_det: NonNegativeFloat | None


class UnivariateMaps(Head):
    """The form of univariate.json, by `python -m benchmarks.univariate`.

    All had one budget: `steps` of Adam at `rate`, which falls to 0 on a cosine, and a
    fresh batch each; `parameters` is how many those with a conditioner have, within
    2 %.
    """

    steps: PositiveInt
    batch: PositiveInt
    rate: PositiveFloat
    parameters: PositiveInt
    targets: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    flows: Annotated[tuple[MapTrained, ...], Field(min_length=1, strict=False)]
