"""A logarithmic axis for plots that a template draws, in percent of their width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Room for half a mark at either end.
MARGIN = 3.0


class Axis(NamedTuple):
    """From the first tick to the last."""

    ticks: Sequence[float]

    def at(self, value: float) -> str:
        """Return where a value stands, as SVG says it."""
        low, high = math.log(self.ticks[0]), math.log(self.ticks[-1])
        share = (math.log(value) - low) / (high - low)
        return f"{MARGIN + (100 - 2 * MARGIN) * share:.2f}%"


def axis(values: Iterable[float]) -> Axis:
    """Return the axis whose ticks (1, 2 and 5 times powers of ten) hold all values."""
    values = list(values)
    low, high = min(values), max(values)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [
        step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)
    ]
    below = max(tick for tick in ticks if tick <= low)
    above = min(tick for tick in ticks if tick >= high and tick > below)
    return Axis([tick for tick in ticks if below <= tick <= above])
