"""Helpers of the contract's promises, and the message of a broken one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import cache
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
from torch.func import jacrev, vmap

from implementations.core.flow import Flow
from implementations.core.spaces import space_of
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


def log_det_by_autograd(flow: Flow, x: Tensor, context: Tensor | None) -> Tensor:
    """Return log|det ∂z/∂x|, of the Jacobian that autograd finds, along the space."""

    def one(x: Tensor, context: Tensor | None) -> Tensor:
        given = None if context is None else context[None]
        return flow.bijection(x[None], given)[0].flatten()

    dims = (0, None if context is None else 0)
    jacobian = vmap(jacrev(one), in_dims=dims)(x, context).flatten(2)
    space = space_of(flow.base)
    along = space.tangent(x), space.tangent(flow.bijection(x, context)[0])
    if along[0] is not None and along[1] is not None:
        jacobian = along[1].mT @ jacobian @ along[0]
    return torch.linalg.slogdet(jacobian).logabsdet


def log_det_is_that_of_the_jacobian(case: Case) -> None:
    """Compare the two in float64."""
    flow, x, context = cast(perturbed(case), torch.float64)
    log_det = flow.bijection(x, context)[1]
    close(log_det, log_det_by_autograd(flow, x, context), case.float64)


def finite(what: str, value: Tensor) -> None:
    wrong = int((~value.isfinite()).sum())
    assert not wrong, f"{what}: {wrong} of {value.numel()} numbers are inf or nan"


FIRST, LOG_DET = maps_a_batch.__name__, log_det_is_that_of_the_jacobian.__name__
# What a wrong log-determinant breaks, too.
NEGATES = "log_det_of_inverse_negates"
FOLLOWS = {
    *(LOG_DET, NEGATES, "density_integrates_to_one", "forward_mode_derivatives"),
    *("samples_come_with_their_density", "deep_stack"),
}
# No map of ours is excused from these.
WITHOUT_EXEMPTION = {FIRST, LOG_DET, NEGATES}


def not_asked(item: pytest.Function) -> str:
    """Say why a promise of a case need not be asked, if another has said it already."""
    name, asked = _name(item), promise(item.function)
    earlier: list[Callable[[Case], None]] = []
    if asked != FIRST:
        earlier.append(maps_a_batch)
    itself = asked == LOG_DET and item.callspec.params["dtype"] == torch.float64
    if asked in FOLLOWS and not itself:
        earlier.append(log_det_is_that_of_the_jacobian)
    for each in earlier:
        broken = each.__name__
        if broken not in CASES[name].unkept and (why := _why(each, name)):
            return f'not asked, since "{name}" breaks {broken}: {why}'
    return ""


@cache
def _why(asked: Callable[[Case], None], name: str) -> str:
    """Say why a case breaks a promise, or "" where it keeps it."""
    try:
        asked(CASES[name])
    except Exception:
        return _found(pytest.ExceptionInfo.from_current())
    return ""


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
    told = [
        f'"{case}" breaks the promise {name}: {meaning}',
        *(indent(line, "  ") for line in (f"found: {found}", *places)),
    ]
    if name not in WITHOUT_EXEMPTION:
        told.append(
            "Where the map itself cannot keep it, its registration says why: "
            f'exempt=(Exemption("{case}", "the reason", promises=("{name}",)),)'
        )
    again = f".venv/bin/python -m pytest -vv {shlex.quote(item.nodeid)}"
    told.append(f"Traceback and values: {again}")
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
        said = f"{where.locals['name']} returns no pair of tensors"
        pair = "an image, and its log-determinant or log-slopes"
        return f"{said}: {pair} ({error.typename}: {lines[0]})"
    if not error.errisinstance(AssertionError):
        return f"{error.typename}: {' '.join(lines)[:300]}"
    asserted = lines[0].removeprefix("assert ")
    return lines[0] if asserted == lines[0] else f"what it asserts is false: {asserted}"
