"""The contract: each promise is run with every case, and a broken one told in words.

With DEVICE set, what a test makes by itself is made there, too. Where pytest-xdist only
hands out tests, torch need not be imported, so each hook imports for itself.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, TypeGuard

import pytest

if TYPE_CHECKING:
    from implementations.core.flow import Flow
    from implementations.registrations import Case


def own_cases(paper: str) -> Mapping[str, Case]:
    """Name of each case that the paper's registration has → the case."""
    from implementations.registrations import registrations

    registered = registrations().get(paper)
    return registered.cases if registered else {}


def _kind(name: str) -> str:
    """The kind of a case, of each of which `make test` asks one: its family."""
    from implementations.registrations import registrations

    families = (r.family for r in registrations().values() if name in r.cases)
    return next(families, "")


@pytest.fixture(autouse=True)
def there() -> Iterator[None]:
    if place := os.environ.get("DEVICE"):
        import torch

        with torch.device(place):
            yield
    else:
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each promise with every case that makes it."""
    if "case" in metafunc.fixturenames:
        from tests.flows.cases import CASES
        from tests.flows.promises import promise

        name = promise(metafunc.function)
        paper = metafunc.config.getoption("paper")
        cases = own_cases(paper) if paper else CASES
        cases = {n: case for n, case in cases.items() if name not in case.unkept}
        if name == "density_integrates_to_one":
            cases = {n: case for n, case in cases.items() if _is_planar(case)}
        metafunc.parametrize(
            "case",
            [
                pytest.param(case, id=name, marks=pytest.mark.kinds(_kind(name)))
                for name, case in cases.items()
            ],
        )


def _is_planar(case: Case) -> bool:
    from tests.flows.cases import start

    return start(case).bijection.x_shape == (2,)


@pytest.fixture
def flow(case: Case) -> Flow:
    from tests.flows.cases import perturbed

    return perturbed(case)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give sentences in the place of a page of numbers (not with -vv)."""
    report = yield
    if report.failed and _is_promise(item):
        from tests.flows.promises import not_asked

        if why := not_asked(item):
            # tests/conftest.py counts it as failed, and tells each reason once.
            path, line, _ = item.location
            report.outcome, report.longrepr = "skipped", (path, line or 0, why)
            return report
    plain = item.config.get_verbosity() > 1 or item.config.getoption("fulltrace", False)
    if report.failed and call.excinfo and not plain and _is_promise(item):
        from tests.flows.promises import in_words

        report.longrepr = in_words(item, call.excinfo)
        # What torch logs of a compilation or an export that stops fills pages.
        report.sections = [part for part in report.sections if "stdout" in part[0]]
    return report


def _is_promise(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and "case" in item.fixturenames
