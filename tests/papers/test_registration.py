"""Each paper's registration: what it names is there, and nothing is left out."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib import import_module
from inspect import getmembers, isclass

import pytest

from implementations.core.bijection import Bijection
from implementations.registrations import Exemption, registrations
from scripts.papers.registrations import file, read
from scripts.scaffold import checklist
from tests.flows.cases import CASES, start
from tests.support.papers import PAPERS, ROOT

# Those without one fail where it is asked for, and nowhere else.
REGISTERED = [paper for paper in PAPERS if paper in registrations()]


@pytest.mark.parametrize("paper", PAPERS)
def test_each_paper_has_one(paper: str) -> None:
    if lack := checklist.registration(ROOT, paper):
        pytest.fail(str(lack), pytrace=False)


def test_beside_them_there_is_the_core() -> None:
    assert registrations().keys() - PAPERS == {"core"}


def test_cases_have_a_name_of_their_own() -> None:
    names = [name for each in registrations().values() for name in each.cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"two registrations have cases of these names: {twice}"


@pytest.mark.parametrize("paper", REGISTERED)
def test_what_is_read_as_text_is_what_runs(paper: str) -> None:
    ran, read_as_text = registrations()[paper], read(ROOT, paper)
    assert read_as_text.family == ran.family
    assert read_as_text.cases == (*ran.cases,)
    points = {each.name: len(each.shape) == 1 for each in ran.compared}
    assert read_as_text.compared == points
    assert read_as_text.unmeasured == ran.unmeasured
    assert read_as_text.examined == tuple(each.name for each in ran.examined)


@pytest.mark.parametrize("paper", REGISTERED)
def test_every_exemption_is_one_of_a_flow(paper: str) -> None:
    """Else the paper's page would speak of what nothing is exempt from."""
    registration, told = registrations()[paper], read(ROOT, paper).unpromised
    flows = (*registration.cases.values(), *registration.examined)
    used = {exemption for flow in flows for exemption in flow.exempt}
    assert {Exemption(*each) for each in told} == used


@cache
def built() -> set[type]:
    """Classes of all maps that the cases are made of, and what those inherit."""
    modules = (module for case in CASES.values() for module in start(case).modules())
    return {kind for module in modules for kind in type(module).__mro__}


@pytest.mark.parametrize("paper", REGISTERED)
def test_every_bijection_has_a_case(paper: str) -> None:
    """One that a paper's flow is made of counts as well."""
    module = import_module(f"implementations.{paper}")
    own = [
        name
        for name, kind in getmembers(module, isclass)
        if issubclass(kind, Bijection) and kind.__module__ == module.__name__
        if kind not in built()
    ]
    if problem := unanswered(own, registrations()[paper].unasked):
        pytest.fail(f"{file(paper)}: {problem}", pytrace=False)


def unanswered(own: Collection[str], unasked: Collection[str]) -> str:
    """Say which bijection has neither case nor reason, or has both."""
    if left := sorted({*own} - {*unasked}):
        reasons = ", ".join(f'"{name}": "why, and where it is asked"' for name in left)
        case = f'"map": Case(lambda: {left[0]}(…))'
        fix = f"add one, as in {case}, or unasked={{{reasons}}}"
        return f"no case builds {', '.join(left)}: {fix}"
    if more := sorted({*unasked} - {*own}):
        return f"unasked names {', '.join(more)}, which a case builds, or nobody wrote"
    return ""


def test_a_bijection_has_a_case_or_a_reason() -> None:
    assert unanswered(["Stretch"], ["Stretch"]) == ""
    assert unanswered(["Stretch"], []) == (
        'no case builds Stretch: add one, as in "map": Case(lambda: Stretch(…)), '
        'or unasked={"Stretch": "why, and where it is asked"}'
    )
    assert unanswered([], ["Stretch"]).startswith("unasked names Stretch, which")
