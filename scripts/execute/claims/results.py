"""The results of claims over seeds, as they are committed: form, state, merging.

Each seed that has finished is kept, with the fingerprint of the code that it came from
(plotting left out) and what it ran on. Seeds of other code, another Python, torch or
device never stand beside each other.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.execute.trace import Trace
from scripts.papers import PACKAGE
from scripts.papers.cells import CellError, export
from scripts.papers.fingerprint import Fingerprints

Results = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """One seed's run: its seconds, its claims, and what it ran on.

    `facts` are python, torch and device.
    """

    seed: int
    seconds: int
    claims: Sequence[Mapping[str, Any]]
    facts: Mapping[str, str]


class DifferentClaims(Exception):
    """A seed claims something else than the others do; says which seed."""


@dataclass(frozen=True)
class CodeFingerprints:
    """A paper's code of today, figures left out, as two fingerprints.

    `experiments` is of what a short run does not show (scripts/execute/replay.py).
    """

    fingerprint: str
    experiments: str


def codes(root: Path, papers: Iterable[str]) -> dict[str, CodeFingerprints]:
    """Return the papers' code of today, by id; CellError where it is no notebook."""
    fingerprints = Fingerprints(root)
    found = {}
    for paper in papers:
        file = f"{PACKAGE}/{paper}.py"
        exported = export((root / file).read_text("utf-8"), file)
        cells = [cell for cell in exported if "plot" not in cell.tags]
        found[paper] = CodeFingerprints(
            fingerprints.of(cells), fingerprints.experiments(cells)
        )
    return found


def stamp(code: CodeFingerprints, trace: Trace) -> Results:
    """Return what results say of the code that they came from.

    Of the trace of its short run they keep the numbers: the words are the notebook's.
    """
    return asdict(code) | {"trace": asdict(trace.numbers)}


def replayed(results: Results, stamp: Results) -> Results:
    """Return the results with the stamp of today's code."""
    return results | stamp | {"replayed": _today()}


def path(root: Path, paper: str) -> Path:
    """Where the paper's results are committed."""
    return root / PACKAGE / "results" / f"{paper}.json"


def read(root: Path, paper: str) -> Results | None:
    """Return the paper's committed results, if there are any; CellError for no JSON."""
    file = path(root, paper)
    if not file.exists():
        return None
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        name = file.relative_to(root).as_posix()
        problem = (
            f"is no JSON: restore it, or delete it and run make claims ONLY={paper}"
        )
        raise CellError(name, getattr(error, "lineno", 1), problem) from None


def left_to_run(
    results: Results | None, code: CodeFingerprints, here: Mapping[str, str], seeds: int
) -> list[int]:
    """Return the seeds below `seeds` that have not finished with today's code.

    All of them when some have not, and the others ran on another Python or torch than
    what is `here`.
    """
    if results is None or results["fingerprint"] != code.fingerprint:
        return list(range(seeds))
    left = [seed for seed in range(seeds) if seed not in results["seeds"]]
    if left and any(results[name] != here[name] for name in here):
        return list(range(seeds))
    return left


def with_seed(results: Results | None, stamp: Results, run: Finished) -> Results:
    """Return the results with one finished seed more, or with a new run of it.

    `stamp` is that of the code that ran.

    Those that came from other code or ran on something else are left out. Raises
    DifferentClaims.
    """
    head = {"fingerprint": stamp["fingerprint"], **run.facts}
    columns: dict[int, tuple[int, list[float]]] = {}
    same_code: Results = {}
    claims = [{"text": each["text"], "bound": each["bound"]} for each in run.claims]
    if results and all(results[name] == head[name] for name in head):
        others = [seed for seed in results["seeds"] if seed != run.seed]
        before = [{"text": c["text"], "bound": c["bound"]} for c in results["claims"]]
        if others and before != claims:
            raise DifferentClaims(_difference(before, claims, run.seed, others))
        columns, same_code = _columns(results), results
    values = [float(f"{claim['value']:.4g}") for claim in run.claims]
    columns[run.seed] = (run.seconds, values)
    ordered = dict(sorted(columns.items()))
    return {
        **same_code,
        **stamp,
        "executed": _today(),
        **run.facts,
        "gpu": "not measured" if head["device"] == "cpu" else head["device"],
        "seeds": [*ordered],
        "seconds": [seconds for seconds, _ in ordered.values()],
        "claims": [
            {**claim, "values": [values[number] for _, values in ordered.values()]}
            for number, claim in enumerate(claims)
        ],
    }


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _columns(results: Results) -> dict[int, tuple[int, list[float]]]:
    """Seed → its seconds, and the value of each claim."""
    return {
        seed: (seconds, [claim["values"][number] for claim in results["claims"]])
        for number, (seed, seconds) in enumerate(
            zip(results["seeds"], results["seconds"], strict=True)
        )
    }


def _difference(
    before: Sequence[Any], now: Sequence[Any], seed: int, others: Sequence[int]
) -> str:
    new = [claim["text"] for claim in now if claim not in before]
    gone = [claim["text"] for claim in before if claim not in now]
    what = "; ".join(
        [f"new {text!r}" for text in new] + [f"no {text!r}" for text in gone]
    )
    return (
        f"seed {seed} claims something else than seed {others[0]}: "
        f"{what or 'in another order'} (make the same claims, with the same bounds, "
        "under every seed)"
    )


def holds(claim: Mapping[str, Any], value: float) -> bool:
    """Return whether a value is inside the claim's bounds."""
    bound = claim["bound"]
    return bound.get("above", float("-inf")) < value < bound.get("below", float("inf"))


def broken(results: Results) -> list[str]:
    """Say which claims did not hold, and under which seeds."""
    return [
        f"{claim['text']}: {value:.3g} under seed {seed}, claimed {limits(claim)}"
        for claim in results["claims"]
        for seed, value in zip(results["seeds"], claim["values"], strict=True)
        if not holds(claim, value)
    ]


def limits(claim: Mapping[str, Any]) -> str:
    """Say a claim's bounds in words."""
    return " and ".join(f"{side} {limit:g}" for side, limit in claim["bound"].items())
