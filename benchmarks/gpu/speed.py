"""The speed table on a GPU: ours, zuko, nflows and normflows in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from benchmarks.flows import library_timings, line
from benchmarks.gpu import words
from benchmarks.gpu.parts import Emit, Place
from benchmarks.libraries.families import bare
from benchmarks.libraries.model import FlowModel
from benchmarks.plan import Raced
from benchmarks.speed.tasks import tasks
from benchmarks.speed.timing import Clock, processor, waiting
from scripts.results.forms import Task
from scripts.results.races import races

# Those that matter most come first: time may be over before the last.
DIMS = (
    ("real_nvp", 64),
    ("maf", 64),
    ("nsf", 64),
    ("nsf_autoregressive", 6),
    ("iaf", 64),
    ("real_nvp", 2),
    ("nsf", 2),
    ("maf", 6),
    ("nsf_autoregressive", 64),
)
BATCHES, REPEATS = (512, 4096), 5
SMOKE = (("real_nvp", 2),), (8,), 3


def run(place: Place, emit: Emit) -> None:
    """Time every task of every flow, a batch size after the other."""
    torch.manual_seed(0)
    dims, batches, repeats = SMOKE if place.smoke else (DIMS, BATCHES, REPEATS)
    for batch in batches:
        for family, dim in dims:
            with words.left_out_if_it_fails(f"{family}, {dim}-d, {batch}", emit):
                where = raced(family, dim, batch)
                planned = where.tasks()
                libraries = on_device(family, dim, batch, planned, place, emit)
                x = torch.randn(batch, dim, device=place.device)
                clocks = [clock(place)]
                rows = list(library_timings(where, libraries, x, repeats, clocks))
                emit(*(row.model_dump(mode="json") for row in rows))
                for race in races(rows):
                    print(line(race), flush=True)


def raced(family: str, dim: int, batch: int) -> Raced:
    """Return what is raced there: equal layers."""
    return Raced("equal", torch.get_num_threads(), family, dim, batch)


def clock(place: Place) -> Clock:
    """Return what tells the seconds there."""
    return waiting if place.device == "cuda" else processor


def on_device(
    family: str, dim: int, batch: int, planned: Sequence[Task], place: Place, emit: Emit
) -> Mapping[str, FlowModel]:
    """Build the flow in all libraries; leave out, in words, who does not run there.

    Raises:
        RuntimeError: when no peer does, or ours does not.
    """
    x = torch.randn(batch, dim, device=place.device)
    found: dict[str, FlowModel] = {}
    for name, model in bare(family, dim).items():
        what = f"{family}, {dim}-d, {batch}: {name}"
        with words.left_out_if_it_fails(what, emit):
            runs = tasks(model.to(place.device), x)
            for task in planned:
                runs[task]()
            found[name] = model
    if "ours" not in found or len(found) < 2:
        raise RuntimeError(f"nothing to compare: {', '.join(found) or 'none'} runs")
    return found
