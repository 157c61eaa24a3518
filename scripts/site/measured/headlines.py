"""Numbers that answer first: on the Compare page, on exactness and on paper's size."""

from __future__ import annotations

from typing import NamedTuple

from scripts.base.text import significant
from scripts.site.measured.exactness import Examination
from scripts.site.measured.scale import AtSize
from scripts.site.measured.speed import Comparison


class Headline(NamedTuple):
    """A number, what it counts, and the anchor of the section that has the rest."""

    number: str
    words: str
    anchor: str


def of_comparison(comparison: Comparison) -> list[Headline]:
    """The smallest gap, the speed, and how often somebody else is faster."""
    nearest, races = comparison.nearest_first[0], comparison.main
    even = len(races.times) - len(races.slower)
    flows = len(comparison.nearest_first)
    return [
        Headline(
            f"{significant(nearest.gap or 0.0, 2)} nats",
            f"from the truth: {nearest.name}, the nearest of {flows} flows",
            "our-flows",
        ),
        Headline(
            f"×{significant(races.mean, 2)}",
            "our speed, where the fastest of three other libraries is 1 "
            f"(mean of {len(races.times)} tasks)",
            "beside-other-libraries",
        ),
        Headline(
            f"{even} of {len(races.times)}",
            "tasks in which no other library is faster by more than 5 %",
            "beside-other-libraries",
        ),
    ]


def of_examination(examination: Examination) -> list[Headline]:
    """The tests passed, those failed, and how often somebody else is nearer."""
    ours, *others = examination.tallies
    theirs = ", ".join(f"{each.library}: {each.fails}" for each in others)
    headlines = [
        Headline(f"{ours.kept} of {ours.asked}", "checks pass for our flows", "checks"),
        Headline(str(ours.fails), f"fail for ours ({theirs})", "checks"),
    ]
    if fits := examination.fits:
        ahead = len(fits.matches) - len(fits.behind)
        headlines.append(
            Headline(
                f"{ahead} of {len(fits.matches)}",
                "trainings in which no other library ends nearer to the truth",
                "how-near-to-the-truth",
            )
        )
    return headlines


def of_size(at_size: AtSize) -> list[Headline]:
    """The rows trained here, those within the error bar, those not run."""
    rows = [row for table in at_size.tables for row in table.rows]
    run = sum(bool(row.attempts) for row in rows)
    whole = [each for table in at_size.tables for each in table.run if not each.cut]
    return [
        Headline(
            f"{run} of {len(rows)}",
            f"rows were trained here, {len(whole)} of them with nothing cut",
            "reported-and-obtained",
        ),
        Headline(
            str(len(at_size.within)),
            "came within the error bar: the paper's, or ours where it gives none",
            "reported-and-obtained",
        ),
        Headline(str(len(rows) - run), "are ready, not run", "ready-not-run"),
    ]
