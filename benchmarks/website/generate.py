"""A valid catalogue of any size, the same for the same seed."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator

_FIRST = "Ada Béla Chen Dmitri Emmy Farid Grace Hiro Inês Jan Kofi Lin Zoë".split()
_LAST = "Abel Bayes Cauchy Euler Fisher Gauss Hölder Itô Jacobi Noether Wei".split()
_HOW = "Coupled Invertible Residual Masked Spline Continuous Stochastic".split()
_WHAT = (
    "Flows for Density Estimation",
    "Bijections on Manifolds",
    "Maps: a Variational View",
    "Transport of Images & Graphs",
    "Posteriors at Scale",
)
_TAGS = "autoregressive coupling graphs images introduction review spline".split()
_NOTES = (
    "Shifts one half of the vector by a network of the other, which keeps the "
    "determinant at 1. Read it for the proofs.",
    "Compares `{how}` layers with [a baseline](https://example.org/{number}) on the "
    "tabular benchmarks; the gap is 0.2 nats.",
    "A careful account of what makes log-determinants cheap, with σ → 0 as the limit.",
)


def generate(publications: int, videos: int, blogs: int, code: int, seed: int) -> str:
    """Write the YAML of a catalogue without faults, about 400 bytes an entry.

    Every publication is marked wanted, so no implementations are needed.
    """
    chance = random.Random(seed)
    lines = ["tags:", *(f"  {tag}: Has to do with {tag}" for tag in _TAGS)]
    sizes = {
        "publications": publications,
        "videos": videos,
        "blogs": blogs,
        "code": code,
    }
    for section, size in sizes.items():
        lines += [f"{section}:" if size else f"{section}: []"]
        for number in range(size):
            lines += _entry(section, number, size, publications, chance)
    return "\n".join(lines) + "\n"


def _entry(
    section: str, number: int, size: int, publications: int, chance: random.Random
) -> Iterator[str]:
    how, what = chance.choice(_HOW), chance.choice(_WHAT)
    people = chance.sample([f"{a} {b}" for a in _FIRST for b in _LAST], 3)
    day = datetime.date(2014, 10, 30) + datetime.timedelta(4_000 * number // size)
    note = chance.choice(_NOTES).format(how=how.lower(), number=number)
    yield f"  - id: {section}_{number}"
    yield f'    title: "{how} {what}, No. {number}"'
    yield f"    authors: [{', '.join(people)}]"
    yield f"    date: {day}"
    yield f"    url: {_url(section, number)}"
    yield f"    tags: [{', '.join(sorted(chance.sample(_TAGS, 2)))}]"
    yield "    added: 2025-12-31"
    if section == "publications":
        yield "    venue: Journal of Invertible Maps 7(3)"
        yield "    implementation: wanted"
    elif publications:
        yield f"    papers: [publications_{chance.randrange(publications)}]"
    if section == "code":
        yield "    kind: package"
        yield "    languages: [Python]"
    yield "    note: >-"
    yield f"      {note}"
    yield ""


def _url(section: str, number: int) -> str:
    if section == "publications":
        year, month = divmod(number // 10_000, 12)
        return f"https://arxiv.org/abs/{15 + year}{month + 1:02}.{number % 10_000:05}"
    return f"https://example.org/{section}/{number}"
