"""Planar and radial maps of a posterior's noise."""

from __future__ import annotations

from functools import partial

from implementations.registrations import Case, Compared, Examined, Registration
from implementations.vi_flows import Diagonal, Planar, Radial, vi_flows

REGISTRATION = Registration(
    family="Variational inference",
    cases={
        "planar": Case(lambda: Planar(3)),
        "planar, amortised": Case(lambda: Planar(2, context=3)),
        "planar, 1-d": Case(lambda: Planar(1)),
        "radial": Case(lambda: Radial(3)),
        "radial, amortised": Case(lambda: Radial(2, context=3)),
        "radial, 1-d": Case(lambda: Radial(1)),
        "diagonal, amortised": Case(lambda: Diagonal(2, context=3)),
        "vi_flows, 2-d": Case(lambda: vi_flows(2, 2)),
        "vi_flows, 2-d, amortised": Case(lambda: vi_flows(2, 2, context=3)),
        "vi_flows, 5-d, radial": Case(lambda: vi_flows(5, 4, Radial)),
    },
    compared=(
        Compared("Planar", "planar maps", partial(vi_flows, 2, layer=Planar)),
        Compared("Radial", "radial maps", partial(vi_flows, 2, layer=Radial)),
    ),
    examined=(
        Examined(
            "planar",
            lambda dim, layers, context: vi_flows(dim, layers, Planar, context),
            contextual=True,
        ),
        Examined(
            "radial",
            lambda dim, layers, context: vi_flows(dim, layers, Radial, context),
            contextual=True,
        ),
    ),
)
