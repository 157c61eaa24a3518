"""The claims of a paper beside the values that came out; a broken claim fails."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from implementations.core.environment import in_notebook, smoke


def claim(
    text: str, value: float, *, below: float | None = None, above: float | None = None
) -> None:
    """Print the claim beside `value`, and fail when it is broken.

    Smoke runs, in which nothing is trained, never fail; nor do those of `make claims`,
    which set CLAIMS_OUT to the file in which to record what came out.

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
    path = os.environ.get("CLAIMS_OUT")
    if path:
        record = json.dumps({"text": text, "bound": bound, "value": value})
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(record + "\n")
    holds = bound.get("above", -math.inf) < value < bound.get("below", math.inf)
    if not holds and not path and not smoke():
        raise AssertionError(line)


def repeated(paper: str) -> None:
    """Show the values of the paper's claims over the seeds of `make claims`."""
    path = Path(__file__).parents[1] / "results" / f"{paper}.json"
    if not path.exists():
        print("not repeated over seeds yet: `make claims`")
        return
    runs = json.loads(path.read_text("utf-8"))
    rows = [
        (
            claim["text"],
            " and ".join(f"{side} {limit:g}" for side, limit in claim["bound"].items()),
            f"{min(claim['values']):.3g} to {max(claim['values']):.3g}",
        )
        for claim in runs["claims"]
    ]
    table(("claim", "bound", f"over {len(runs['seeds'])} seeds"), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show a table: as Markdown in a notebook, as its source on a terminal."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    text = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    if not in_notebook():
        print(text)
        return
    from IPython.display import Markdown, display

    display(Markdown(text))
