"""Which of the tests a command runs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from scripts.base.project import ROOT
from scripts.catalogue import load

if TYPE_CHECKING:
    from tests.flows.cases import Case


@cache
def own_cases(paper: str) -> dict[str, Case]:
    """Name of each case that belongs to the paper → the case."""
    from scripts.scaffold.cases import FILE, owners
    from tests.flows.cases import CASES

    papers = load(ROOT / "resources.yaml", ROOT / "implementations").publications
    order = [each.id for each in papers if each.implemented]
    owner = owners((ROOT / FILE).read_text("utf-8"), order)
    return {name: case for name, case in CASES.items() if owner.get(name) == paper}


def of_paper(paper: str, items: list[pytest.Item]) -> list[pytest.Item]:
    """The paper's own tests.

    Those in its files of facts, those with the parameter `paper`, and of the contract
    those whose `case` belongs to it.
    """
    cases = [*own_cases(paper).values()]

    def own(item: pytest.Item) -> bool:
        if item.path.parent.name == paper:
            return True
        values = getattr(item, "callspec", None)
        given = values.params if values else {}
        return given.get("paper") == paper or any(
            given.get("case") is case for case in cases
        )

    return [item for item in items if own(item)]
