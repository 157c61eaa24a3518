"""Every flow of ours that is compared, as its paper's registration has it."""

from __future__ import annotations

from dataclasses import dataclass

from implementations.registrations import Compared, registrations


@dataclass(frozen=True, kw_only=True)
class OurFlow(Compared):
    """A flow that is compared, and the paper that it is of."""

    paper: str


OUR_FLOWS = tuple(
    OurFlow(**vars(flow), paper=paper)
    for paper, registration in registrations().items()
    for flow in registration.compared
)
# Papers whose flows stand above, and that a maintainer is still to measure.
WAITING = {paper for paper, each in registrations().items() if each.waiting}
# Why none of a paper's flows stands above; shown with the next measurement.
UNMEASURED = tuple(
    each.unmeasured
    for each in registrations().values()
    if each.unmeasured and not each.compared
)
