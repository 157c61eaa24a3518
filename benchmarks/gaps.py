"""The gap of each flow of ours to the truth, all with the same budget.

`python -m benchmarks.gaps` trains every flow on the plane by maximum likelihood on
fresh samples of eight Gaussians, and writes benchmarks/results/gaps.json. Minutes: some
flows are slow to evaluate at points that they have not drawn; `--only "NICE"` trains
that one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median

import torch

from benchmarks.command import FOLDER, Command, joined, write
from benchmarks.machine import head
from benchmarks.ours import OUR_FLOWS, OurFlow
from implementations.core.fit import fit
from implementations.core.flow import Base, Flow
from implementations.core.toy import Toy, eight_gaussians
from implementations.registrations import PLANE
from scripts.results import forms
from scripts.results.files import read
from scripts.results.forms import Gap

RESULTS = FOLDER / "gaps.json"
TARGET = "eight Gaussians"
STEPS, BATCH, RATE, SEEDS = 400, 256, 5e-3, 3
POINTS = 1000
ON_THE_PLANE = tuple(own for own in OUR_FLOWS if own.shape == PLANE)


def trained(own: OurFlow, target: Toy, seed: int, steps: int) -> Flow | Base:
    """Build the flow and train it on fresh samples of the target."""
    torch.manual_seed(seed)
    model = own.build()
    fit(
        model,
        lambda x: -model.log_prob(x).mean(),
        steps,
        lambda: target.sample(BATCH),
        lr=RATE,
    )
    return model


@torch.no_grad()
def round_trip(flow: Flow, target: Toy) -> float:
    """Largest |f⁻¹(f(x)) - x| at fresh samples of the target, in float32."""
    x = target.sample(POINTS)
    return (flow.bijection.inverse(flow.bijection(x)[0])[0] - x).abs().max().item()


@torch.no_grad()
def kl(target: Toy, model: Flow | Base, n: int = 50_000) -> float:
    """KL(target ‖ model) in nats, estimated on n fresh points."""
    x = target.sample(n)
    return (target.log_prob(x) - model.log_prob(x)).double().mean().item()


def gap(own: OurFlow, steps: int = STEPS, seeds: int = SEEDS) -> Gap:
    """Train the flow once for each seed, and measure what has come of it."""
    target = eight_gaussians()
    models = [trained(own, target, seed, steps) for seed in range(seeds)]
    errors = [round_trip(m, target) for m in models if isinstance(m, Flow)]
    return Gap(
        paper=own.paper,
        name=own.name,
        gap=tuple(round(kl(target, model), 4) for model in models),
        round_trip=float(f"{max(errors):.2g}") if errors else None,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all, print and write the gaps."""
    command = Command(
        RESULTS,
        f"Train each flow of ours for {STEPS} steps on {TARGET}, over "
        f"{SEEDS} seeds, and measure the gap to the exact density. Takes minutes.",
        flows=[own.name for own in ON_THE_PLANE],
    )
    args = command.parse(arguments)
    torch.set_num_threads(1)
    gaps = []
    for own in ON_THE_PLANE:
        if args.flows and own.name not in args.flows:
            continue
        gaps.append(gap(own))
        print(f"{own.name:22} {median(gaps[-1].gap):.3g} nats", flush=True)
    write(report(gaps, joining=bool(args.flows)), args.output)
    return 0


def report(gaps: Sequence[Gap], joining: bool) -> forms.Gaps:
    """Put the gaps under their head, or among those that are there, under theirs."""
    if joining:
        there = read(forms.Gaps, RESULTS)
        gaps = joined(there.gaps, gaps, "paper", "name")
        return there.model_copy(update={"gaps": gaps})
    return forms.Gaps(
        **head(), target=TARGET, steps=STEPS, batch=BATCH, gaps=tuple(gaps)
    )


if __name__ == "__main__":
    sys.exit(main())
