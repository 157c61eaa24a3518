"""The parts: their names, how long each may take, and what each is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Takes what a part hands over as it goes: rows of its table, which belong together,
# and words on what it left out.
Emit = Callable[..., None]


@dataclass(frozen=True)
class Part:
    """One part: a module with `run(place, emit)`, and a table of gpu.json.

    `seconds` is what it may take of the eight minutes, and `needs` the modules
    without which it cannot run.
    """

    name: str
    title: str
    seconds: float
    needs: tuple[str, ...] = ()
    package: str = "benchmarks.gpu"


@dataclass(frozen=True)
class Place:
    """Where a part runs: "cuda" or "cpu", and whether only to see that it does."""

    device: str
    smoke: bool


FLOWS = ("torchdiffeq", "tqdm")
PEERS = ("pydantic", "nflows", "normflows", "zuko")
PARTS = (
    Part("contract", "the contract on the device", 120, ("pytest", "xdist", *FLOWS)),
    Part("speed", "speed beside the peers", 90, (*PEERS, *FLOWS)),
    Part("compiled", "fit(compile=True) beside eager peers", 100, (*PEERS, *FLOWS)),
    Part("autocast", "bfloat16 autocast beside float32", 50, ("sklearn", *FLOWS)),
    Part("notebooks", "three notebooks", 110, ("sklearn", "matplotlib", *FLOWS)),
)
