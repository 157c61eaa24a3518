"""The processes that train a model together, as torchrun starts them; or one alone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """One process among `count`: its number and its device; number 0 writes files."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """True in the process that writes files and shows how far all are."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """Return which of so many rows are this process's: as many, or one more.

        The shares follow one another, so that together they are the rows in order.
        """
        ends = [k * rows // self.count for k in (self.rank, self.rank + 1)]
        return slice(*ends)

    def total(self, values: Tensor) -> Tensor:
        """Add up what each process has; all get the sum."""
        if self.count > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def from_first(self, value: Any) -> Any:
        """Return the first process's value in all."""
        if self.count == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, device=self.device)
        return box[0]


def join(device: str = "") -> Processes:
    """Join the processes of torchrun's environment: gloo on CPUs, nccl on GPUs.

    Without that environment there is one. `device` is "cpu" or "cuda"; by default it is
    a GPU where there is one. Where there are several, each is to end by `leave`.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda":
        own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(own)
    else:
        own = torch.device(kind)
    if not several():
        return Processes(0, 1, own)
    # Not there where torch was built without it.
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, world_size = next(rendezvous("env://"))
    # After a restart, torchrun's store still has the addresses of those that ended.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        store=PrefixStore(f"attempt {attempt}", store),
        rank=rank,
        world_size=world_size,
    )
    return Processes(rank, world_size, own)


def several() -> bool:
    """True where torchrun has started more processes than one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leave(status: int) -> NoReturn:
    """End the process at once, without taking its connections apart.

    That may wait for ever: gloo's destructor joins a thread which may want the lock of
    the interpreter that the destructor holds.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class _Total(torch.autograd.Function):
    """The sum over processes, with the gradient of every process's loss by it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        values = values.clone()
        dist.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient


def total(values: Tensor) -> Tensor:
    """Add up what each process has; gradients flow back to all."""
    if not (dist.is_available() and dist.is_initialized()):
        return values
    add: Any = _Total.apply
    return add(values)


class StopSignal:
    """Remembers that SIGTERM came; a second one ends the process at once."""

    def __init__(self) -> None:
        self.to_stop = False

    @contextmanager
    def listening(self) -> Iterator[StopSignal]:
        """Listen until the end of the block."""
        before = signal.signal(signal.SIGTERM, self._hear)
        try:
            yield self
        finally:
            signal.signal(signal.SIGTERM, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.to_stop = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
