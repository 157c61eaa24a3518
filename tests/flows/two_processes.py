"""Two processes that train flows together, for the contract.

Starting two for each flow would take longer than all else, so one pair trains them all.
The second is a copy of the first, made before anything is trained: starting costs more
than training.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parameters_to_vector

from implementations.registrations import Case
from scripts.base.project import ROOT
from tests.flows.cases import CASES, batch, perturbed

SECONDS = 600  # for all cases, on a busy machine


def train_all(names: Iterable[str], folder: Path) -> list[dict[str, str]]:
    """Train these cases; return what each process found wrong with which.

    That is "" where nothing is; a case that is not named was not reached.
    """
    (folder / "names").write_text("\n".join(names), "utf-8")
    # Only the loopback interface: there may be no other, or a firewall.
    (loopback, *_) = (name for _, name in socket.if_nameindex() if name[:2] == "lo")
    environment = os.environ | {"GLOO_SOCKET_IFNAME": loopback}
    command = [sys.executable, "-m", "tests.flows.two_processes", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, process_group=0)
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    files = [folder / f"{rank}.jsonl" for rank in (0, 1)]
    lines = [f.read_text("utf-8").splitlines() if f.exists() else [] for f in files]
    return [dict(map(json.loads, each)) for each in lines]


def compare(case: Case, rank: int) -> str:
    """Train a flow with the other process; return what is wrong with its weights.

    In evaluation mode each row counts for itself, so two halves are the whole. In
    training mode a normalising layer has the statistics of its own half, as those of
    torch have; then the two need only agree with each other.
    """
    flow = perturbed(case)
    x, context = batch(flow, 6)
    rows = slice(3 * rank, 3 * rank + 3)
    half = x[rows], None if context is None else context[rows]
    alone, both = copy.deepcopy(flow), DistributedDataParallel(flow)
    for _ in range(2):
        step(alone, x, context)
        step(both, *half)
    expected, found = (parameters_to_vector(m.parameters()) for m in (alone, flow))
    error = ((found - expected).abs() / (1 + expected.abs())).max().item()
    if not error < case.float64:
        return f"the weights of one process and two differ by {error:.1e}"
    step(both.train(), *half)
    found = parameters_to_vector(flow.parameters()).detach()
    first = found.clone()
    dist.broadcast(first, 0)
    return "" if torch.equal(found, first) else "the two have different weights"


def step(model: nn.Module, x: Tensor, context: Tensor | None) -> None:
    """Take one step down the gradient."""
    model.zero_grad()
    (-model(x, context).mean()).backward()
    torch.optim.SGD(model.parameters(), 0.01).step()


def main(folder: Path, rank: int) -> None:
    """Be one of the two."""
    dist.init_process_group(
        "gloo",
        init_method=(folder / "store").as_uri(),
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    with (folder / f"{rank}.jsonl").open("w", encoding="utf-8") as file:
        for name in (folder / "names").read_text("utf-8").splitlines():
            try:
                wrong = compare(CASES[name], rank)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            print(json.dumps((name, wrong)), file=file, flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    import torch._dynamo  # which the first DistributedDataParallel imports

    second = os.fork()
    main(Path(sys.argv[1]), rank=0 if second else 1)
    if second:
        os.waitpid(second, 0)
