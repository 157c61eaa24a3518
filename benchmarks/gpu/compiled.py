"""Steps of our `fit(compile=True)` beside the peers' eager ones, at batch 512.

The same `fit` trains all, on the same layers; only ours is compiled. What compiling
itself takes is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from unittest import mock

import torch
from torch import Tensor

from benchmarks.flows import line
from benchmarks.gpu import words
from benchmarks.gpu.parts import Emit, Place
from benchmarks.gpu.speed import clock, on_device, raced
from benchmarks.libraries.model import FlowModel
from benchmarks.speed.timing import interleaved, rounded
from implementations.core.fit import fit
from implementations.core.nets import size
from scripts.results.forms import LibraryTiming
from scripts.results.races import races

BATCH, STEPS, REPEATS = 512, 30, 5
DIMS = (("real_nvp", 64), ("maf", 64), ("nsf", 64), ("nsf_autoregressive", 64))
SMOKE = (("real_nvp", 2),)


# On a CPU the path is only checked: traced by torch, without a compiler for C++.
TRACED = partial(torch.compile, backend="eager")


def run(place: Place, emit: Emit) -> None:
    """Time training in each library, family after family."""
    torch.manual_seed(0)
    on_cpu = place.device == "cpu"
    with mock.patch("torch.compile", TRACED) if on_cpu else nullcontext():
        for family, dim in SMOKE if place.smoke else DIMS:
            with words.left_out_if_it_fails(f"{family}, {dim}-d", emit):
                steps = ("training_step",)
                libraries = on_device(family, dim, BATCH, steps, place, emit)
                rows = list(library_timings(family, dim, libraries, place))
                emit(*(row.model_dump(mode="json") for row in rows))
                print(*map(line, races(rows)), flush=True)


def library_timings(
    family: str, dim: int, libraries: Mapping[str, FlowModel], place: Place
) -> Iterator[LibraryTiming]:
    """Time a step of each library's training; the mean of some at a time."""
    steps, repeats = (2, 2) if place.smoke else (STEPS, REPEATS)
    draw = partial(torch.randn, BATCH, dim, device=place.device)
    runs = {
        name: training(model, draw, steps, compile=name == "ours")
        for name, model in libraries.items()
    }
    for train in runs.values():
        train()  # Compiles, which counts nowhere.
    for name, seconds in interleaved(runs, repeats, clock(place)).items():
        yield LibraryTiming(
            **raced(family, dim, BATCH)._asdict(),
            task="training_step",
            library=name,
            parameters=size(libraries[name]),
            seconds=rounded([each / steps for each in seconds]),
        )


def training(
    model: FlowModel, draw: Callable[[], Tensor], steps: int, compile: bool
) -> Callable[[], object]:
    """Return what trains the flow for some steps."""

    def loss(x: Tensor) -> Tensor:
        return -model.log_prob(x).mean()

    return partial(fit, model.flow, loss, steps, draw, compile=compile)
