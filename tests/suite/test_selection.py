"""Which tests a command runs, and what it says of them."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.flows.conftest import own_cases
from tests.suite import ledger, small_suite
from tests.suite.rooms import BUDGETS, LINTING
from tests.suite.selection import PARTS, of_paper


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


SUITE = """
import pytest

def test_cheap(): pass

@pytest.mark.thorough
def test_thorough(): pass

@pytest.mark.long
def test_long(): pass

def case(name, *kinds):
    return pytest.param(name, id=name, marks=pytest.mark.kinds(*kinds))

@pytest.mark.sampled
@pytest.mark.parametrize("case", [case("a", "x"), case("b", "x", "y"), case("c", "z")])
def test_kinds(case): pass

@pytest.mark.sampled("output")
@pytest.mark.parametrize("text", ["1", "2"])
@pytest.mark.parametrize("output", ["page", "feed"])
def test_outputs(text, output): pass

@pytest.mark.sampled
@pytest.mark.parametrize("n", [1, 2, 3])
def test_any(n): pass
"""
QUICK = [
    "test_cheap",
    *("test_kinds[b]", "test_kinds[c]"),
    *("test_outputs[page-2]", "test_outputs[feed-2]"),
    "test_any[3]",
]


@pytest.mark.thorough
def test_make_test_and_the_rest_are_all(tmp_path: Path) -> None:
    small_suite.make(tmp_path, test_some=SUITE)

    def named(*options: str) -> list[str]:
        listed = small_suite.run(tmp_path, "--collect-only", "-q", *options).stdout
        return re.findall(r"::(\S+)", listed)

    whole = named()
    quick, rest, both = (named(f"--part={part}") for part in PARTS)
    assert quick == QUICK
    assert both == whole and len(whole) == 1 + 1 + 3 + 4 + 3
    assert sorted([*quick, *rest]) == sorted(whole)


SPENDS = """
import subprocess, sys, time

def spend(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until: pass

def test_cheap(): pass

def test_spends(): spend({spent})

def test_spends_elsewhere():
    code = "import time\\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", code])
"""


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_rooms_and_tests_that_take_too_long_are_told(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    spent = ledger.TOO_LONG + 0.5
    assert spent > BUDGETS["base"][0]
    small_suite.make(tmp_path, base__test_base=SPENDS.format(spent=spent))
    ran = small_suite.run(tmp_path, *workers, "--part=quick", "-q")
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"^ 0:\d\d  base: 3 tests, [78] s$", ran.stdout, re.M), ran.stdout
    assert re.search(r"^base +[78]\.\d of +6 s  OVER BUDGET$", ran.stdout, re.M)
    (long,) = re.findall(r"^ *[67]\.\d s: (\S+)", ran.stdout, re.M)
    assert long == "tests/base/test_base.py::test_spends"


def test_on_a_slow_machine_a_test_may_take_longer(
    pytestconfig: pytest.Config,
) -> None:
    told = ledger.Ledger(pytestconfig, "quick")
    assert told.too_long == ledger.TOO_LONG
    told.collected(3.0 * sum(told.allowed.values()))
    assert told.too_long == pytest.approx(3 * ledger.TOO_LONG)


def test_two_cores_have_the_time() -> None:
    quick, rest = (sum(column) for column in zip(*BUDGETS.values(), strict=True))
    assert LINTING + quick <= 2 * 5 * 60
    assert LINTING + quick + rest <= 2 * 30 * 60
