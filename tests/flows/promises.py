"""Helpers of the contract's promises, and the message of a broken one."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import torch
from _pytest._code.code import (
    ExceptionChainRepr,
    ReprEntryNative,
    ReprFileLocation,
    ReprTraceback,
)
from torch import Tensor

from implementations.core.flow import Flow
from implementations.registrations import Case
from scripts.base.project import ROOT
from tests.flows.cases import BATCH, CASES, batch, perturbed

DTYPES = [torch.float64, torch.float32]


def tolerance(case: Case, dtype: torch.dtype) -> float:
    return case.float64 if dtype == torch.float64 else case.float32


def close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


def cast(flow: Flow, dtype: torch.dtype) -> tuple[Flow, Tensor, Tensor | None]:
    x, context = batch(flow)
    return flow.to(dtype), x.to(dtype), None if context is None else context.to(dtype)


def maps_a_batch(case: Case) -> None:
    """Run the map both ways, which checks the shapes of what it returns."""
    flow = perturbed(case)
    x, context = batch(flow)
    flow.bijection(x, context)
    flow.bijection.inverse(x.new_zeros(BATCH, *flow.bijection.z_shape), context)


FIRST = maps_a_batch.__name__
# Name of a case → why it does not even map a batch, or "" where it does.
_why: dict[str, str] = {}


def not_asked(item: pytest.Function) -> str:
    """Say why a promise of a case need not be asked, if another has said it already."""
    name = _name(item)
    if promise(item.function) == FIRST or FIRST in CASES[name].unkept:
        return ""
    if name not in _why:
        try:
            maps_a_batch(CASES[name])
            _why[name] = ""
        except Exception:
            _why[name] = _found(pytest.ExceptionInfo.from_current())
    return _why[name] and f'not asked, since "{name}" breaks {FIRST}: {_why[name]}'


def promise(function: Any) -> str:
    return function.__name__.removeprefix("test_")


def in_words(
    item: pytest.Function, error: pytest.ExceptionInfo[BaseException]
) -> ExceptionChainRepr:
    """Say which promise of which case is broken, what it means, and what to do."""
    name = promise(item.function)
    case = _name(item)
    meaning = " ".join((item.function.__doc__ or "").split())
    entries = [(Path(entry.path), entry) for entry in error.traceback]
    here = [pair for pair in entries if ROOT / "implementations" in pair[0].parents]
    asked = [pair for pair in entries if pair[0].name.startswith("test_")]
    places = [
        f"{path.relative_to(ROOT)}:{entry.lineno + 1}, in {entry.name}:\n"
        + indent(str(entry.statement).strip(), "  ")
        for path, entry in (*asked[-1:], *here[-1:])
    ]
    found = _found(error)
    told = (
        f'"{case}" breaks the promise {name}: {meaning}',
        *(indent(line, "  ") for line in (f"found: {found}", *places)),
        "Where the map itself cannot keep the promise, its case in "
        "implementations/registrations/ says why:",
        f'  exempt=(Exemption("{case}", "the reason", promises=("{name}",)),)',
        "Traceback and values: run pytest with -vv.",
    )
    # Of pytest's own form, so that what reads reports finds a message of one line.
    lines = [f"{line}\n" for line in told]
    text = ReprTraceback([ReprEntryNative(lines)], None, "native")
    path, line, _ = item.location
    return ExceptionChainRepr([(text, ReprFileLocation(path, line or 0, found), None)])


def _name(item: pytest.Function) -> str:
    """Return the name of its case."""
    case = item.callspec.params["case"]
    return next(name for name, other in CASES.items() if other is case)


def _found(error: pytest.ExceptionInfo[BaseException]) -> str:
    """Say what went wrong in a line."""
    lines = str(error.value).splitlines() or [""]
    sizes = [line for line in lines if "bsolute difference" in line]
    if sizes:
        return sizes[0]
    where = error.traceback[-1]
    if (
        where.name in ("checked", "_check_returned")
        and "mend the class" not in lines[0]
    ):
        owner = where.locals["name"]
        said = f"{error.typename}: {lines[0]}"
        return f"{owner} returns no pair of tensors, image and log-determinant ({said})"
    if not error.errisinstance(AssertionError):
        return f"{error.typename}: {' '.join(lines)[:300]}"
    message = lines[0]
    return "what it asserts is false" if message[:7] in ("", "assert ") else message
