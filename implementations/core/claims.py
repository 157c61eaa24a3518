"""Claims and checks: each is asserted, recorded, and repeated over seeds."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from implementations.core.environment import in_notebook, smoke


class Checked(NamedTuple):
    """A statement, the bound on its value, and the value that came out."""

    text: str
    bound: dict[str, float]
    value: float

    @property
    def holds(self) -> bool:
        """True where the value is inside the bound."""
        low, high = (
            self.bound.get("above", -math.inf),
            self.bound.get("below", math.inf),
        )
        return low < self.value < high


# Those of this run, in order: `all_checks` shows them.
_MADE: list[Checked] = []


def claim(
    sentence: str,
    value: float,
    *,
    below: float | None = None,
    above: float | None = None,
) -> None:
    """Show one of the paper's main claims as a sentence with its number and bound.

    The number stands where the sentence has `{}`, or behind it. Fails when the value is
    not inside the bound, except in smoke runs and in those of `make claims`.

    Raises:
        AssertionError: when `value` is not inside the bounds.
        ValueError: when there is no bound.
    """
    made, line = _record(sentence, value, below, above)
    if in_notebook():
        from IPython.display import Markdown, display

        number = f"**{value:.3g}**"
        said = sentence.replace("{}", number)
        said = said if "{}" in sentence else f"{sentence}: {number}"
        mark = "✓" if made.holds else "✗"
        display(Markdown(f"> {mark} {said} (claimed: {_words(made.bound)})"))
    else:
        print(line)
    _refuse_if_broken(made, line)


def check(
    text: str, value: float, *, below: float | None = None, above: float | None = None
) -> None:
    """Hold a value against its bound, as `claim` does, and leave it to `all_checks`.

    Raises:
        AssertionError: when `value` is not inside the bounds.
        ValueError: when there is no bound.
    """
    made, line = _record(text, value, below, above)
    if not in_notebook():
        print(line)
    _refuse_if_broken(made, line)


def _record(
    text: str, value: float, below: float | None, above: float | None
) -> tuple[Checked, str]:
    """Keep the check, and write it to the file CLAIMS_OUT where `make claims` asks."""
    bounds = {"above": above, "below": below}
    bound = {side: limit for side, limit in bounds.items() if limit is not None}
    if not bound:
        raise ValueError(f"claim {text!r}: expected a bound, below=… or above=…")
    made = Checked(text.replace("{}", "…"), bound, value)
    _MADE.append(made)
    if path := os.environ.get("CLAIMS_OUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(made._asdict()) + "\n")
    return made, f"{made.text}: {value:.3g} (claimed: {_words(bound)})"


def _refuse_if_broken(made: Checked, line: str) -> None:
    if not (made.holds or os.environ.get("CLAIMS_OUT") or smoke()):
        raise AssertionError(line)


def _words(bound: Mapping[str, float]) -> str:
    return " and ".join(f"{side} {limit:g}" for side, limit in bound.items())


def all_checks(paper: str) -> None:
    """Show, folded, every check of this run beside its values over other seeds."""
    results = _repeated(paper)
    columns = {each["text"]: each["values"] for each in results.get("claims", [])}
    header = ["check", "bound", "here", "over seeds"]
    rows = [
        (
            made.text,
            _words(made.bound),
            f"{made.value:.3g} {'✓' if made.holds else '✗'}",
            _range(columns.get(made.text, [])),
        )
        for made in _MADE
    ]
    hold = sum(made.holds for made in _MADE)
    told = f"All checks: {hold} of {len(_MADE)} hold here"
    if seeds := len(results.get("seeds", [])):
        header[3] = f"over {seeds} seeds"
        told += f"; their values over {seeds} seeds"
    if not in_notebook():
        print(told)
        return
    from IPython.display import Markdown, display

    text = _markdown(header, rows)
    fold = f"<details><summary>{told}</summary>\n\n{text}\n\n</details>"
    display(Markdown(fold))


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}" if values else "–"


def _repeated(paper: str) -> dict[str, Any]:
    """Return implementations/results/<paper>.json; nothing where there is none."""
    path = Path(__file__).parents[1] / "results" / f"{paper}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show a table: as Markdown in a notebook, as its source on a terminal."""
    text = _markdown(header, rows)
    if not in_notebook():
        print(text)
        return
    from IPython.display import Markdown, display

    display(Markdown(text))


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
