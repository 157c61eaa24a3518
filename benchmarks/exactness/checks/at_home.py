"""At home in PyTorch: dtypes, devices, and what torch does to functions."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from benchmarks.exactness.outcomes import (
    Check,
    Missing,
    Outcome,
    error,
    fails,
    in_float32,
    kept,
    model,
    name_of,
    points,
    relative,
)
from benchmarks.exactness.subjects import Subject


def bfloat16(subject: Subject) -> Outcome:
    """Compare with float32, of the same rounded weights and points, per dimension."""
    built = model(subject).bfloat16()
    x = points(subject.shape(subject.dim)).bfloat16()
    log_prob = built.log_prob(x)
    if log_prob.dtype != torch.bfloat16:
        return fails(f"returns {name_of(log_prob.dtype)}")
    exact = copy.deepcopy(built).float().log_prob(x.float())
    off = (log_prob.float() - exact).abs() / (1 + exact.abs())
    return error(off.max().item(), 0.1)


def sampling_in_double(subject: Subject) -> Outcome:
    """Sample from a model in float64, and ask for the samples' density."""
    built = model(subject)
    x = built.sample(5)
    if x.dtype != torch.float64:
        return fails(f"samples {name_of(x.dtype)}")
    log_prob = built.log_prob(x)
    if log_prob.dtype != torch.float64:
        return fails(f"returns {name_of(log_prob.dtype)}")
    return kept("float64")


def compiles(subject: Subject) -> Outcome:
    """Compile the density and the way back, each into one graph."""
    built, x = model(subject), points(subject.shape(subject.dim))
    z = built.normalise(x)[0].detach()
    density = _compiled(built.log_prob, x)
    generation = _compiled(lambda z: built.generate(z)[0], z)
    if density and generation:
        return kept("both ways")
    if density or generation:
        return Outcome("density only" if density else "samples only", "stops")
    return Outcome("graph breaks", "stops")


def _compiled(call: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    torch._dynamo.reset()
    expected = call(x)
    try:
        found = torch.compile(call, fullgraph=True, backend="eager")(x)
    except Exception:
        return False
    return relative(found, expected) <= 1e-6


def vmaps(subject: Subject) -> Outcome:
    """Take scores row by row, by vmap of a gradient, and compare with autograd."""
    built, x = model(subject), points(subject.shape(subject.dim), 5)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(built.log_prob(leaf).sum(), leaf)
    scores = vmap(jacrev(lambda row: built.log_prob(row[None])[0]))(x)
    return error(relative(scores, expected), 1e-6)


def saved(subject: Subject) -> Outcome:
    """Save in float32, load into another model in float32, and into one in float64."""
    built, x = in_float32(model(subject)), points(subject.shape(subject.dim))
    file = io.BytesIO()
    torch.save(built.state_dict(), file)
    file.seek(0)
    state = torch.load(file)
    expected = built.log_prob(x.float())
    other = model(subject, seed=7)
    other.load_state_dict(state)
    if not torch.equal(in_float32(other).log_prob(x.float()), expected):
        return fails("differs")
    return error(relative(other.log_prob(x), expected), 1e-3)


def device(subject: Subject) -> Outcome:
    """Move to a GPU where there is one, else to the device that has shapes alone."""
    built, x = in_float32(model(subject)), points(subject.shape(subject.dim)).float()
    there = torch.device("cuda" if torch.cuda.is_available() else "meta")
    try:
        found = built.to(there).log_prob(x.to(there)), built.sample(2)
    except RuntimeError as problem:
        if "cannot be called on meta" in str(problem):
            # It looks at values, of which there are none: only a GPU could tell.
            raise Missing from None
        raise
    moved = all(tensor.device.type == there.type for tensor in found)
    return kept("moves") if moved else fails("stays behind")


QUESTIONS = (
    Check(
        "bfloat16",
        "bfloat16",
        "log-density beside float32's, relative to 1 + |it|, ≤ 0.1",
        bfloat16,
    ),
    Check(
        "double_sampling",
        "sampling in float64",
        "`.double()` is all it takes",
        sampling_in_double,
    ),
    Check(
        "compile",
        "compile",
        "`torch.compile(fullgraph=True)` of density and inverse",
        compiles,
    ),
    Check("vmap", "vmap", "of the density's gradient, beside autograd", vmaps),
    Check(
        "state_dict",
        "state_dict",
        "into another model bit for bit, and from float32 into float64",
        saved,
    ),
    Check(
        "device",
        "device",
        "`.to(device)` is all it takes (the meta device, where there is no GPU)",
        device,
    ),
)
