"""The exactness and robustness of flows, ours and those of other libraries.

`python -m benchmarks.exactness` asks the same of all, prints what is not as it should
be, and writes benchmarks/results/exactness.json; with `--only "NICE"`, of that flow.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import torch

from benchmarks.command import FOLDER, Command, joined, say, write
from benchmarks.exactness.checks import CHECKS, GROUPS, examine
from benchmarks.exactness.subjects import OURS, SUBJECTS, Subject
from benchmarks.libraries.families import PEERS
from benchmarks.machine import card, head
from scripts.results import forms
from scripts.results.files import read
from scripts.results.forms import FlowAnswer, Question

RESULTS = FOLDER / "exactness.json"
# One affine and one spline flow of each library, and nothing that takes long.
QUICK = ("Real NVP", "NSF, autoregressive")
SLOW = ("compile", "integral", "deep", "one_dimension", "log_det_32")


def findings(subject: Subject, checks: Sequence[str]) -> Iterator[FlowAnswer]:
    """Ask one flow everything."""
    for check in CHECKS:
        if check.name not in checks:
            continue
        outcome = examine(check, subject)
        numerical = subject.approximate if check in GROUPS["Exact"] else ""
        yield FlowAnswer(
            library=subject.library,
            flow=subject.name,
            check=check.name,
            shown=outcome.shown,
            verdict=outcome.verdict,
            reason=subject.exempt.get(check.name) or numerical or None,
        )


def broken(finding: FlowAnswer) -> bool:
    """Return whether one of ours breaks its promise."""
    promised = finding.library == "ours" and finding.reason is None
    return promised and finding.verdict in ("fails", "stops")


def measure(subjects: Sequence[Subject], checks: Sequence[str]) -> list[FlowAnswer]:
    """Ask all flows everything; tell how far it is on stderr."""
    torch.set_num_threads(1)
    rows: list[FlowAnswer] = []
    for number, subject in enumerate(subjects, 1):
        say(f"[{number}/{len(subjects)}] {subject.library}: {subject.name}")
        with warnings.catch_warnings():
            # What libraries warn of is not what is asked here.
            warnings.simplefilter("ignore")
            rows += findings(subject, checks)
    return rows


def report(rows: Sequence[FlowAnswer]) -> forms.Exactness:
    """Put the findings under their head."""
    asked = {row.check for row in rows}
    return forms.Exactness(
        **head(*PEERS, gpu=card()),
        questions=tuple(
            Question(check=each.name, group=group, head=each.head, asks=each.asks)
            for group, checks in GROUPS.items()
            for each in checks
            if each.name in asked
        ),
        findings=tuple(rows),
    )


def with_others(rows: Sequence[FlowAnswer]) -> forms.Exactness:
    """Put the findings among those that are there, by library, under their head."""
    there = read(forms.Exactness, RESULTS)
    found = joined(there.findings, rows, "library", "flow", "check")
    libraries = [*dict.fromkeys(row.library for row in found)]
    found = sorted(found, key=lambda row: libraries.index(row.library))
    return there.model_copy(update={"findings": tuple(found)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, print, write; return 1 when one of ours breaks a promise."""
    command = Command(
        RESULTS,
        "Ask our flows, and those of zuko, nflows and normflows, for round "
        "trips, log-determinants, odd inputs and what PyTorch's users expect. Exit 1 "
        "where one of ours does not keep a promise. All of it takes minutes.",
        quick="two flows of each library, quick questions",
        flows=[subject.name for subject in OURS],
    )
    args = command.parse(arguments)
    if args.flows:
        subjects = [s for s in OURS if s.name in args.flows]
    else:
        subjects = [s for s in SUBJECTS if not args.quick or s.name in QUICK]
    checks = [c.name for c in CHECKS if not args.quick or c.name not in SLOW]
    rows = measure(subjects, checks)
    for row in rows:
        if row.verdict in ("fails", "stops"):
            print(f"{row.library:10} {row.flow:22} {row.check:16} {row.shown}")
    write(with_others(rows) if args.flows else report(rows), args.output)
    return int(any(map(broken, rows)))
