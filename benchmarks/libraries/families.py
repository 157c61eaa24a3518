"""The same families of flows from four libraries: family → library → builder.

Bare layers are the same mathematics in all, so that times can be compared: networks
have two hidden layers and ReLU, splines 8 bins on [-3, 3], the base is a standard
normal; there is no batch normalisation and there are no linear layers between, which
not all of them have. Whole flows are each built from their library's own parts.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.libraries import nflows, normflows, ours, zuko
from benchmarks.libraries.model import Builder, FlowModel
from implementations.core.nets import size

PEERS = ("zuko", "nflows", "normflows")
LIBRARIES = ("ours", *PEERS)
Table = Mapping[str, Builder]


def _by_family(*tables: Table) -> dict[str, dict[str, Builder]]:
    """Turn a table for each of LIBRARIES into one for each family."""
    return {
        family: {
            name: table[family] for name, table in zip(LIBRARIES, tables, strict=True)
        }
        for family in tables[0]
    }


WHOLE = _by_family(ours.WHOLE, zuko.WHOLE, nflows.WHOLE, normflows.WHOLE)
BARE = _by_family(ours.BARE, zuko.BARE, nflows.BARE, normflows.BARE)
# How many layers, and how wide the networks are, where times are compared.
LAYERS = dict.fromkeys(BARE, 5) | {"real_nvp": 8}
WIDTH = 128
# How far apart the parameter counts of one family may be.
TOLERANCE = 0.02


def offers(family: str, library: str, context: int) -> bool:
    """Return whether the library has the family, with a context where one is asked."""
    return not (context and library == "normflows" and family == "real_nvp")


def bare(family: str, dim: int) -> dict[str, FlowModel]:
    """Build the family's bare flow on vectors of width `dim` in each library.

    Raises:
        ValueError: when parameter counts are further apart than `TOLERANCE`.
    """
    return refuse_unequal(
        family,
        dim,
        {
            name: build(dim, LAYERS[family], WIDTH, 0)
            for name, build in BARE[family].items()
        },
    )


def refuse_unequal(
    family: str, dim: int, built: dict[str, FlowModel]
) -> dict[str, FlowModel]:
    """Return the flows, which have as many parameters as one another.

    Raises:
        ValueError: when they have not, by more than `TOLERANCE`.
    """
    counts = {name: size(each) for name, each in built.items()}
    if max(counts.values()) > (1 + TOLERANCE) * min(counts.values()):
        raise ValueError(
            f"{family}, {dim} dimensions: expected parameter counts within "
            f"{TOLERANCE:.0%} of one another, got {counts}"
        )
    return built
