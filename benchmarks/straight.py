"""Six continuous flows on one target: how straight they move, and what it costs.

`python -m benchmarks.straight` trains each paper's way over three seeds, and writes
benchmarks/results/straight.json. All have one network, but OT-Flow, which needs a
potential of about as many parameters. Likelihood gets 300 batches. Regression gets
3,000, which take a tenth of the time or less each. About ten minutes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.command import FOLDER, Command, say, write
from benchmarks.machine import head
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.matching import line
from implementations.core.nets import size
from implementations.core.odes import (
    Adaptive,
    Counted,
    FixedSteps,
    TimeNetwork,
    VelocityField,
    solver_cost,
)
from implementations.core.toy import Toy, eight_gaussians, kl_to
from implementations.core.transport import travel
from implementations.flow_matching import Straight, matching_loss
from implementations.neural_ode import Continuous
from implementations.ot_cfm import learn, optimal, velocity
from implementations.ot_flow import objective, ot_flow
from implementations.rectified_flow import OrderedPairs, pairs_of, rectify, some
from scripts.results.straight import Carried, EulerError, StraightLines

RESULTS = FOLDER / "straight.json"
TARGET = "eight Gaussians"
HIDDEN = (64, 64, 64)
# As many parameters as the perceptron has, to a hundredth.
POTENTIAL = 90
BATCH = 256
# The steps and Adam's rate of each kind of training.
LIKELIHOOD, REGRESSION = 300, 3000
RATE, RATE_OF_POTENTIAL, RATE_OF_REGRESSION = 1e-2, 0.1, 5e-3
PAIRS = 20_000
EULER = (1, 2, 4, 8, 16, 32, 64)
TOLERANCE = 1e-5
EXACT = FixedSteps(100)
REACH, AXIS = 3.2, 13
PATHS, TIMES = 40, 33


class StraightPlan(NamedTuple):
    """The seeds, how many points are carried, and by how much trainings are cut."""

    seeds: int
    points: int
    cut: int = 1


FULL = StraightPlan(3, 1000)
QUICK = StraightPlan(1, 50, 50)


class Way(NamedTuple):
    """One paper's way to train a flow, on so many batches of the target."""

    paper: str
    name: str
    training: str
    steps: int
    train: Callable[[Toy, int], Flow]


def new(trace: str = "exact") -> Flow:
    """Build the flow that all but OT-Flow have, along a perceptron of z and t."""
    field = TimeNetwork(2, HIDDEN, nn.SiLU)
    return Flow(StandardNormal((2,)), Continuous(field, FixedSteps(8), trace))


def by_likelihood(trace: str, target: Toy, steps: int) -> Flow:
    """Neural ODEs and FFJORD: lower -log p(x) through the solver."""
    flow = new(trace)
    draw = partial(target.sample, BATCH)
    fit(flow, lambda x: -flow.log_prob(x).mean(), steps, draw, lr=RATE, clip=5)
    return flow


def by_likelihood_and_costs(target: Toy, steps: int) -> Flow:
    """OT-Flow: -log p(x), and the costs of transport."""
    flow = ot_flow(2, POTENTIAL)
    draw = partial(target.sample, BATCH)
    lr = RATE_OF_POTENTIAL
    fit(flow, lambda x: objective(flow, x), steps, draw, lr=lr, clip=5)
    return flow


def by_matching(target: Toy, steps: int) -> Flow:
    """Flow matching, on straight conditional paths."""
    flow, path = new(), Straight()

    def loss(x: Tensor) -> Tensor:
        return matching_loss(velocity(flow), x, path)

    fit(flow, loss, steps, partial(target.sample, BATCH), lr=RATE_OF_REGRESSION)
    return flow


def by_reflow(target: Toy, steps: int) -> Flow:
    """Rectified flow: half of the batches of random pairs, half of the flow's own."""
    flow = new()

    def random_pairs() -> OrderedPairs:
        return OrderedPairs(torch.randn(BATCH, 2), target.sample(BATCH))

    rectify(velocity(flow), random_pairs, steps // 2)
    own = pairs_of(velocity(flow), torch.randn(PAIRS, 2), FixedSteps(25))
    rectify(velocity(flow), partial(some, own, BATCH), steps - steps // 2)
    return flow


def by_assigned_pairs(target: Toy, steps: int) -> Flow:
    """OT-CFM: regression on pairs that an assignment makes of each batch."""
    flow = new()
    learn(flow, target.sample, optimal, line, steps, BATCH)
    return flow


WAYS = (
    Way(
        "neural_ode",
        "Neural ODE",
        "likelihood, with the exact trace",
        LIKELIHOOD,
        partial(by_likelihood, "exact"),
    ),
    Way(
        "ffjord",
        "FFJORD",
        "likelihood, with an estimated trace",
        LIKELIHOOD,
        partial(by_likelihood, "signs"),
    ),
    Way(
        "ot_flow",
        "OT-Flow",
        "likelihood and the costs of transport",
        LIKELIHOOD,
        by_likelihood_and_costs,
    ),
    Way(
        "flow_matching",
        "Flow matching",
        "regression, random pairs",
        REGRESSION,
        by_matching,
    ),
    Way(
        "rectified_flow",
        "Rectified flow",
        "regression, random pairs, then its own",
        REGRESSION,
        by_reflow,
    ),
    Way(
        "ot_cfm",
        "OT-CFM",
        "regression, assigned pairs",
        REGRESSION,
        by_assigned_pairs,
    ),
)


class Seen(NamedTuple):
    """The measurements of one training."""

    flow: Flow
    seconds: float
    gap: float
    bend: float
    euler: list[float]
    adaptive: int


def trained(way: Way, seed: int, plan: StraightPlan) -> Seen:
    """Train once, and measure."""
    torch.manual_seed(seed)
    target = eight_gaussians()
    start = time.process_time()
    flow = way.train(target, max(2, way.steps // plan.cut))
    seconds = time.process_time() - start
    field, noise = velocity(flow), torch.randn(plan.points, 2)
    exact = Flow(flow.base, Continuous(field, FixedSteps(32))).eval()
    end, energy = travel(field, noise, EXACT)
    counted = Counted(Adaptive(TOLERANCE))
    with torch.no_grad():
        counted(field, noise, noise.new_tensor((0.0, 1.0)))
    return Seen(
        flow,
        seconds,
        kl_to(target, exact, 20 * plan.points),
        (energy.mean() / (end - noise).square().sum(1).mean()).item() - 1,
        [
            solver_cost(field, noise, FixedSteps(steps, "euler"), EXACT).error
            for steps in EULER
        ],
        counted.evaluations,
    )


def carried(way: Way, plan: StraightPlan) -> Carried:
    """Train one paper's way over the seeds."""
    seen = [trained(way, seed, plan) for seed in range(plan.seeds)]
    return Carried(
        paper=way.paper,
        name=way.name,
        training=way.training,
        steps=way.steps,
        parameters=size(seen[0].flow),
        seconds=tuple(round(each.seconds, 1) for each in seen),
        gap=tuple(round(each.gap, 4) for each in seen),
        bend=tuple(round(each.bend, 5) for each in seen),
        euler=tuple(
            EulerError(
                evaluations=steps,
                error=tuple(float(f"{each.euler[k]:.4g}") for each in seen),
            )
            for k, steps in enumerate(EULER)
        ),
        adaptive=tuple(float(each.adaptive) for each in seen),
        paths=paths(velocity(seen[0].flow)),
        field=velocities(velocity(seen[0].flow)),
    )


def rounded(points: Tensor) -> tuple[tuple[float, float], ...]:
    """Points of shape (n, 2), to two digits behind the point."""
    return tuple((round(x, 2), round(y, 2)) for x, y in points.tolist())


@torch.no_grad()
def paths(field: VelocityField) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Follow some points of noise, the same for every field."""
    noise = torch.randn(PATHS, 2, generator=torch.Generator().manual_seed(0))
    found = EXACT(field, noise, torch.linspace(0, 1, TIMES))
    return tuple(map(rounded, found.transpose(0, 1)))


def grid() -> Tensor:
    """Points of a square grid, of shape (AXIS², 2)."""
    axis = torch.linspace(-REACH, REACH, AXIS + 2)[1:-1]
    return torch.cartesian_prod(axis, axis)


@torch.no_grad()
def velocities(field: VelocityField) -> tuple[tuple[float, float], ...]:
    """Ask the field at half-time, on the grid."""
    return rounded(field(torch.tensor(0.5), grid()))


def told(flow: Carried) -> str:
    """Say on one line what came of a flow."""
    return (
        f"{flow.name:16} gap {median(flow.gap):.3f} nats, bend {median(flow.bend):.3f},"
        f" {median(flow.adaptive):.0f} evaluations, {median(flow.seconds):.0f} s"
    )


def measure(plan: StraightPlan) -> StraightLines:
    """Train all ways; tell how far it is on stderr."""
    torch.set_num_threads(1)
    flows = []
    for number, way in enumerate(WAYS, 1):
        say(f"[{number}/{len(WAYS)}] {way.name}")
        flows.append(carried(way, plan))
        print(told(flows[-1]), flush=True)
    return StraightLines(
        **head("torchdiffeq"),
        target=TARGET,
        batch=BATCH,
        tolerance=TOLERANCE,
        reach=REACH,
        grid=rounded(grid()),
        flows=tuple(flows),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print and write."""
    command = Command(
        RESULTS,
        "Train six continuous flows on one target, and measure how straight they move. "
        "Takes ten minutes.",
        quick="a few steps of one seed",
    )
    args = command.parse(arguments)
    write(measure(QUICK if args.quick else FULL), args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
