"""The plan of `python -m benchmarks.flows`: flows, sizes, threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.libraries.defaults import IMAGE, PIXELS, default
from benchmarks.libraries.families import bare
from benchmarks.libraries.model import FlowModel
from benchmarks.ours import OUR_FLOWS, OurFlow
from benchmarks.speed.timing import Clock, processor, wall
from scripts.results.forms import Kind, Task

TASKS: dict[Task, str] = {
    "log_density": "log-density",
    "sample": "sampling",
    "training_step": "training step",
}
LEFT_OUT = (
    "A training step of IAF: it is trained on its own samples, not on given points.",
    "Sampling autoregressive NSF in 64 dimensions, 4,096 at once: it would take the "
    "peers a minute each time.",
)


@dataclass(frozen=True)
class Plan:
    """The plan of a run: families and their widths by kind, batches, threads, repeats.

    `own` are flows of ours, alone.
    """

    dims: Mapping[Kind, Mapping[str, tuple[int, ...]]]
    batches: tuple[int, ...]
    threads: tuple[int, ...]
    repeats: int
    own: Sequence[OurFlow]
    clocks: tuple[Clock, ...] = (wall, processor)

    def places(self, families: Sequence[str]) -> list[Raced]:
        """All that is to be raced, of these families."""
        return [
            Raced(kind, threads, family, dim, batch)
            for kind, dims in self.dims.items()
            for threads in dict.fromkeys(self.threads)
            for family in families
            for dim in dims.get(family, ())
            for batch in self.batches
            # Images have many numbers: fewer of them are a batch.
            for batch in [batch // 8 if family == "glow" else batch]
        ]


class Raced(NamedTuple):
    """A flow of one size that libraries race with, on so many threads."""

    kind: Kind
    threads: int
    family: str
    dim: int
    batch: int

    def tasks(self) -> list[Task]:
        """All but those of `LEFT_OUT`."""
        tasks = list(TASKS)
        if self.family == "iaf":
            tasks.remove("training_step")
        if self.family == "nsf_autoregressive" and self.dim * self.batch > 100_000:
            tasks.remove("sample")
        return tasks

    def build(self) -> dict[str, FlowModel]:
        """Build the flow in all libraries."""
        return BUILD[self.kind](self.family, self.dim)

    def draw(self) -> Tensor:
        """Draw events."""
        shape = IMAGE if self.family == "glow" else (self.dim,)
        return torch.randn(self.batch, *shape)


def on(threads: int) -> str:
    """Say on how many threads."""
    return "1 thread" if threads == 1 else f"{threads} threads"


BUILD = {"default": default, "equal": bare}
ALL_THREADS = torch.get_num_threads()
FULL = Plan(
    {
        "default": {
            "real_nvp": (2, 64),
            "maf": (6, 64),
            "iaf": (64,),
            "nsf": (2, 64),
            "nsf_autoregressive": (6, 64),
            "glow": (PIXELS,),
        },
        "equal": {
            "real_nvp": (2, 64),
            "maf": (6, 21, 64),
            "iaf": (64,),
            "nsf": (2, 6, 64),
            "nsf_autoregressive": (2, 6, 64),
        },
    },
    batches=(512, 4096),
    threads=(1, ALL_THREADS),
    repeats=7,
    own=OUR_FLOWS,
)
QUICK = Plan(
    {
        "default": {"maf": (6,), "glow": (PIXELS,)},
        "equal": {"real_nvp": (2,), "maf": (21,), "iaf": (21,), "nsf": (2,)},
    },
    batches=(64,),
    threads=(1,),
    repeats=3,
    own=[own for own in OUR_FLOWS if own.paper == "nsf"],
    # Other processes, such as tests, cannot take it.
    clocks=(processor,),
)
FAMILIES = tuple(FULL.dims["default"])
