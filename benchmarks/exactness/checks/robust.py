"""Robust: parameters and inputs that nobody wants, but that come."""

from __future__ import annotations

import math
import traceback
from functools import partial

import torch
from torch import Tensor

from benchmarks.exactness.outcomes import (
    EXACT,
    POINTS,
    Check,
    Outcome,
    fails,
    in_float32,
    kept,
    model,
    points,
    raised,
    relative,
)
from benchmarks.exactness.subjects import Subject
from benchmarks.libraries.model import FlowModel

SPOILT = 3


def extreme(subject: Subject) -> Outcome:
    """Draw every parameter with a standard deviation of 10."""
    built = model(subject, spread=0.0)
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(10 * torch.randn_like(parameter))
    built.prepare(points(subject.shape(subject.dim), seed=4))
    return _finite(built.eval(), points(subject.shape(subject.dim)))


def far(subject: Subject, size: float) -> Outcome:
    """Ask in float32 for the density far from all data, and for its gradients."""
    built = in_float32(model(subject))
    x = torch.full((2, *subject.shape(subject.dim)), size)
    return _finite(built, torch.cat((x, -x)))


def _finite(built: FlowModel, x: Tensor) -> Outcome:
    x = x.requires_grad_()
    log_prob = built.log_prob(x)
    if not log_prob.isfinite().all():
        return fails("not finite")
    log_prob.sum().backward()
    gradients = [x.grad, *(p.grad for p in built.parameters())]
    if not all(g.isfinite().all() for g in gradients if g is not None):
        return fails("gradient not finite")
    return kept("finite")


def spoilt_row(subject: Subject, value: float) -> Outcome:
    """Put NaN, or infinity, in one row: the others do not change, and it shows."""
    built, x = model(subject), points(subject.shape(subject.dim))
    clean = built.log_prob(x.clone())
    x[SPOILT] = value
    spoilt = built.log_prob(x)
    others = torch.arange(POINTS) != SPOILT
    if not relative(spoilt[others], clean[others]) <= EXACT:
        return fails("spoils others")
    return fails("hidden") if spoilt[SPOILT].isfinite() else kept("that row")


def empty(subject: Subject) -> Outcome:
    """Ask for the density of no events, and for no samples."""
    shape = subject.shape(subject.dim)
    built = model(subject)
    if built.log_prob(points(shape, 0)).shape != (0,):
        return fails("wrong shape")
    try:
        x = built.sample(0)
    except Exception:
        return Outcome("density only", "stops")
    if x.shape != (0, *shape):
        return fails("samples' shape")
    return kept("empty")


def wrong_width(subject: Subject) -> Outcome:
    """Give events that are one wider and one narrower, and see who refuses them."""
    shape = subject.shape(subject.dim)
    built = model(subject)
    refusals = []
    for width in (shape[-1] + 1, shape[-1] - 1):
        refusals.append(_refusal(built, points((*shape[:-1], width))))
    return _refused(refusals)


def integers(subject: Subject) -> Outcome:
    """Give integers, and compare with the same numbers in floating point."""
    built = model(subject)
    x = points(subject.shape(subject.dim)).round()
    refusal = _refusal(built, x.long())
    if refusal is None:
        same = relative(built.log_prob(x.long()), built.log_prob(x)) <= EXACT
        return kept("converted") if same else fails("wrong, silently")
    return _refused([refusal])


def _refusal(built: FlowModel, x: Tensor) -> Exception | None:
    try:
        built.log_prob(x)
    except Exception as problem:
        return problem
    return None


def _refused(refusals: list[Exception | None]) -> Outcome:
    """Tell a check of the library's own from an error that escapes from torch."""
    for problem in refusals:
        if problem is None:
            return fails("taken, silently")
        if isinstance(problem, NotImplementedError):
            raise problem
        where = traceback.extract_tb(problem.__traceback__)[-1].filename
        checked = isinstance(problem, ValueError | TypeError | AssertionError)
        if not checked or "/torch/" in where:
            return raised(problem)
    return kept("refused")


QUESTIONS = (
    Check(
        "extreme",
        "parameters of σ = 10",
        "log-density and gradients are finite, in float64",
        extreme,
    ),
    Check(
        "large",
        "inputs of 1e4",
        "log-density and gradients are finite, in float32",
        partial(far, size=1e4),
    ),
    Check("huge", "inputs of 1e8", "the same", partial(far, size=1e8)),
    Check(
        "nan",
        "a NaN row",
        "its density is NaN, the other rows' unchanged",
        partial(spoilt_row, value=math.nan),
    ),
    Check(
        "infinite",
        "an infinite row",
        "its density is not finite, the other rows' unchanged",
        partial(spoilt_row, value=math.inf),
    ),
    Check("empty", "empty batch", "densities and samples are empty too", empty),
    Check(
        "wrong_width",
        "wrong width",
        "refused by a check of the library's own, and not by torch",
        wrong_width,
    ),
    Check(
        "integers",
        "integers",
        "refused likewise, or taken for the same numbers",
        integers,
    ),
)
