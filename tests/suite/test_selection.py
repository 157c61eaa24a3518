"""Which tests a command runs: one paper's own, with `--paper`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.flows.conftest import own_cases
from tests.suite.selection import of_paper


def test_of_the_contract_the_cases_of_a_paper_are_its_own() -> None:
    found = own_cases("real_nvp")
    assert "masked coupling" in found
    assert not {"additive coupling", "reversible"} & {*found}


def test_the_option_keeps_a_papers_own_tests() -> None:
    def item(file: str, *marks: str, **params: object) -> Any:
        return SimpleNamespace(
            path=Path("tests") / file,
            callspec=SimpleNamespace(params=params),
            get_closest_marker=lambda name: name in marks,
        )

    plain: Any = SimpleNamespace(path=Path("tests/papers/real_nvp/test_oracle.py"))
    own = [
        plain,
        item("papers/real_nvp/test_facts.py", seed=1),
        item("papers/test_smoke.py", paper="real_nvp"),
        item("flows/test_contract.py", case="masked coupling"),
    ]
    others: list[Any] = [
        SimpleNamespace(path=Path("tests/papers/real_nvp_2/test_facts.py")),
        item("papers/test_smoke.py", paper="nice"),
        item("flows/test_contract.py", "skip", case="not set"),
        item("flows/test_plots.py", colour="red"),
    ]
    assert of_paper("real_nvp", [*others, *own]) == own
