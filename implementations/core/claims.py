"""What a paper claims and what came out, side by side; a broken claim fails."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from implementations.core.environment import smoke


def claim(
    text: str, value: float, *, below: float | None = None, above: float | None = None
) -> None:
    """Print the claim beside `value`; append it to the file CLAIMS_OUT, where set.

    In smoke mode, where nothing is trained, claims are recorded and never fail.

    Raises:
        AssertionError: when `value` is not inside the bounds.
        ValueError: when there is no bound.
    """
    bounds = {"above": above, "below": below}
    bound = {side: limit for side, limit in bounds.items() if limit is not None}
    if not bound:
        raise ValueError(f"claim {text!r}: expected a bound, below=… or above=…")
    wanted = " and ".join(f"{side} {limit:g}" for side, limit in bound.items())
    line = f"{text}: {value:.3g} (claimed: {wanted})"
    print(line)
    if path := os.environ.get("CLAIMS_OUT"):
        record = json.dumps({"text": text, "value": value, "bound": bound})
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(record + "\n")
    holds = bound.get("above", -math.inf) < value < bound.get("below", math.inf)
    if not holds and not smoke():
        raise AssertionError(line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show a table: as Markdown in a notebook, as its source on a terminal."""
    lines = [header, ["---"] * len(header), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if "ipykernel" not in sys.modules:
        print(text)
        return
    from IPython.display import Markdown, display

    display(Markdown(text))
