"""What the promises of the contract share, and how a broken one is told."""

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
from scripts.project import ROOT
from tests.flows.cases import CASES, Case, batch

DTYPES = [torch.float64, torch.float32]


def tolerance(case: Case, dtype: torch.dtype) -> float:
    return case.float64 if dtype == torch.float64 else case.float32


def close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


def cast(flow: Flow, dtype: torch.dtype) -> tuple[Flow, Tensor, Tensor | None]:
    x, context = batch(flow)
    return flow.to(dtype), x.to(dtype), None if context is None else context.to(dtype)


def promise(function: Any) -> str:
    return function.__name__.removeprefix("test_")


def in_words(
    item: pytest.Function, error: pytest.ExceptionInfo[BaseException]
) -> ExceptionChainRepr:
    """Say which promise of which case is broken, what it means, and what to do."""
    name = promise(item.function)
    (case,) = (n for n, case in CASES.items() if case is item.callspec.params["case"])
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
        "Where the map itself cannot keep the promise, its line in "
        "tests/flows/cases.py says why:",
        f'  "{case}": Case(…, exempt={{"{name}": "the reason"}})',
        "Traceback and values: run pytest with -vv.",
    )
    # Of pytest's own form, so that what reads reports finds a message of one line.
    text = ReprTraceback([ReprEntryNative(["\n".join(told)])], None, "native")
    path, line, _ = item.location
    return ExceptionChainRepr([(text, ReprFileLocation(path, line or 0, found), None)])


def _found(error: pytest.ExceptionInfo[BaseException]) -> str:
    """Say what went wrong in a line."""
    lines = str(error.value).splitlines() or [""]
    sizes = [line for line in lines if "bsolute difference" in line]
    if sizes:
        return sizes[0]
    if not error.errisinstance(AssertionError):
        return f"{error.typename}: {' '.join(lines)[:300]}"
    message = lines[0]
    return "what it asserts is false" if message[:7] in ("", "assert ") else message
