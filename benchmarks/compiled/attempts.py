"""Attempts to compile a flow: what comes of one, how long it takes, and a fault."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._dynamo.utils import counters

from benchmarks.gpu.words import of_error
from benchmarks.libraries.model import FlowModel
from benchmarks.speed.tasks import Run, tasks
from benchmarks.speed.timing import rounded, wall
from scripts.results.forms import Task

# Seconds after which a compilation is given up.
LIMIT = 60


class Compiled:
    """A flow whose log-density is compiled, which its first call does."""

    def __init__(self, model: FlowModel) -> None:
        self.log_prob: Callable[[Tensor], Tensor] = torch.compile(model.log_prob)
        self.sample, self.parameters = model.sample, model.parameters


@dataclass(frozen=True)
class Attempt:
    """A compiled flow and its task, with the cost of the first call; or a fault."""

    density: Compiled
    run: Run
    first: float | None = None
    breaks: int | None = None
    fault: str = ""


class TooLong(BaseException):
    """A compilation has reached its limit; no handler of torch's shall take it."""


def attempt(model: FlowModel, x: Tensor, task: Task, known: str = "") -> Attempt:
    """Compile, which may take as long as `LIMIT`; a fault is told in a line.

    What has a known fault is not tried.
    """
    density = Compiled(model)
    run = tasks(density, x)[task]
    if known:
        return Attempt(density, run, fault=known)
    counters.clear()
    start = wall()
    try:
        with limited(LIMIT):
            run()
            (first,) = rounded([wall() - start])
            run()  # What the first call left behind may ask for another compilation.
    except TooLong:
        return Attempt(density, run, fault=f"not compiled within {LIMIT} seconds")
    except Exception as error:
        # What a backend raises is wrapped.
        cause = getattr(error, "inner_exception", error)
        return Attempt(density, run, fault=of_error(cause))
    return Attempt(density, run, first, sum(counters["graph_break"].values()))


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong in what takes longer."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def difference(
    model: FlowModel, density: Compiled, x: Tensor, task: Task
) -> float | None:
    """Return the largest difference of log p(x), relative to 1 + |log p(x)|.

    All start from the same running statistics, which a call in training moves. None for
    a flow that estimates its log-density: it differs from itself.
    """
    state = copy.deepcopy(model.state_dict())
    found = []
    with torch.set_grad_enabled(task == "training_step"):
        for log_prob in (model.log_prob, model.log_prob, density.log_prob):
            model.load_state_dict(state)
            found.append(log_prob(x).detach())
    expected, again, compiled = found
    if not torch.allclose(again, expected, rtol=0, atol=0, equal_nan=True):
        return None
    return ((compiled - expected).abs() / (1 + expected.abs())).max().item()
