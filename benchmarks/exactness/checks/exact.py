"""Exact: there and back, determinants, integrals, whatever the depth."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.exactness.outcomes import (
    Check,
    Missing,
    Outcome,
    error,
    fails,
    integrate,
    model,
    most,
    name_of,
    points,
    relative,
)
from benchmarks.exactness.subjects import Subject
from benchmarks.libraries.model import FlowModel, Mapped

INTEGRATED = 1e-3


def round_trip(subject: Subject, dtype: torch.dtype) -> Outcome:
    """Go to the noise and back."""
    built, x = model(subject).to(dtype), points(subject.shape(subject.dim)).to(dtype)
    back = built.generate(built.normalise(x)[0])[0]
    if back.dtype != dtype:
        return fails(f"returns {name_of(back.dtype)}")
    return error(relative(back, x), most(subject, dtype))


def log_det(subject: Subject, dtype: torch.dtype) -> Outcome:
    """Compare with the Jacobian, in float64 whatever the dtype is."""
    built, x = model(subject), points(subject.shape(subject.dim), 8)
    way = _way(built, x)
    rounded = copy.deepcopy(built).to(dtype)
    x = x.to(dtype).double()
    exact = rounded.double() if dtype != torch.float64 else built
    rows = [
        torch.autograd.functional.jacobian(
            lambda row: way(exact, row[None])[0].flatten(), row
        )
        for row in x
    ]
    jacobian = torch.stack([row.flatten(1) for row in rows])
    expected = torch.linalg.slogdet(jacobian).logabsdet
    found = way(copy.deepcopy(exact).to(dtype), x.to(dtype))[1]
    if found.dtype != dtype:
        return fails(f"{name_of(found.dtype)}, {relative(found, expected):.0e}")
    return error(relative(found, expected), most(subject, dtype))


def _way(built: FlowModel, x: Tensor) -> Callable[[FlowModel, Tensor], Mapped]:
    """Return the direction that there is: to the noise, else to the data."""
    try:
        built.normalise(x)
    except NotImplementedError:
        return lambda m, z: m.generate(z)
    return lambda m, x: m.normalise(x)


def integral(subject: Subject) -> Outcome:
    """Integrate the density on the plane."""
    if subject.image:
        raise Missing
    built = model(subject, dim=2)
    for n in (401, 1601):  # The finer grid where the coarse one is not enough.
        off = abs(integrate(built, subject.shape(2), n) - 1)
        if off <= INTEGRATED:
            break
    return error(off, INTEGRATED)


def one_dimension(subject: Subject) -> Outcome:
    """Integrate, go there and back, and see that a context is not ignored."""
    if subject.image:
        raise Missing
    built, x = model(subject, dim=1), points((1,))
    if subject.contextual:
        conditional = model(subject, dim=1, context=2)
        given = points((2,), seed=3)
        here, there = (conditional.log_prob(x, c) for c in (given, given + 1))
        if (here - there).abs().max() < 1e-9:
            return fails("context ignored")
    total = integrate(built, (1,), 20_001)
    if abs(total - 1) > INTEGRATED:
        return fails(f"integral {total:.2g}")
    back = built.generate(built.normalise(x)[0])[0]
    return error(relative(back, x), most(subject, torch.float64))


def deep(subject: Subject) -> Outcome:
    """Go through a hundred layers, each a little away from its start, and back."""
    if subject.one:
        raise Missing
    built = model(subject, layers=100, spread=0.05)
    x = points(subject.shape(subject.dim), 8)
    z, term = built.normalise(x)
    back, negated = built.generate(z)
    if not built.log_prob(x).isfinite().all():
        return fails("not finite")
    worst = max(relative(back, x), relative(negated, -term))
    return error(worst, 100 * most(subject, torch.float64))


QUESTIONS = (
    Check(
        "round_trip_64",
        "round trip, float64",
        "|f⁻¹(f(x)) - x| ≤ 1e-9 (1 + |x|)",
        partial(round_trip, dtype=torch.float64),
    ),
    Check(
        "round_trip_32",
        "round trip, float32",
        "the same, ≤ 1e-3",
        partial(round_trip, dtype=torch.float32),
    ),
    Check(
        "log_det_64",
        "log-determinant, float64",
        "beside that of autograd's Jacobian, relative to 1 + |it|, ≤ 1e-9",
        partial(log_det, dtype=torch.float64),
    ),
    Check(
        "log_det_32",
        "log-determinant, float32",
        "beside the Jacobian in float64, ≤ 1e-3",
        partial(log_det, dtype=torch.float32),
    ),
    Check(
        "integral",
        "integral",
        "|∫ p - 1| ≤ 1e-3 on the plane, by quadrature",
        integral,
    ),
    Check(
        "one_dimension",
        "one dimension",
        "∫ p = 1, there and back, and a context is not ignored",
        one_dimension,
    ),
    Check(
        "deep",
        "100 layers",
        "there and back in float64, ≤ 1e-7",
        deep,
    ),
)
