"""The promises of every flow, with parameters away from the identity.

The text of each says what the promise means, and is shown to whoever breaks it.
"""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from implementations.core.bijection import Bijection, Compose, DataDependent, Mapped
from implementations.core.flow import Flow, StandardNormal
from implementations.core.spaces import Box, OnSpace, space_of
from implementations.registrations import Case
from tests.flows.cases import BATCH, batch, noise, perturbed, start
from tests.flows.promises import (
    DTYPES,
    cast,
    close,
    finite,
    log_det_by_autograd,
    maps_a_batch,
    tolerance,
)


def test_maps_a_batch(case: Case) -> None:
    """Each way, a batch gives a batch of images and log-determinants (batch,).

    Where it does not, no other promise is asked.
    """
    maps_a_batch(case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(case: Case, flow: Flow, dtype: torch.dtype) -> None:
    """Data come back from their noise, and noise from its data."""
    flow, x, context = cast(flow, dtype)
    f, small = flow.bijection, tolerance(case, dtype)
    close(f.inverse(f(x, context)[0], context)[0], x, small)
    z = noise(flow).to(dtype)
    close(f(f.inverse(z, context)[0], context)[0], z, small)


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_det_is_that_of_the_jacobian(
    case: Case, flow: Flow, dtype: torch.dtype
) -> None:
    """The log-determinant is that of the Jacobian which autograd finds."""
    flow, x, context = cast(flow, dtype)
    log_det = flow.bijection(x, context)[1]
    assert log_det.shape == (BATCH,) and log_det.dtype == dtype
    close(log_det, log_det_by_autograd(flow, x, context), tolerance(case, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_det_of_inverse_negates(case: Case, flow: Flow, dtype: torch.dtype) -> None:
    """The inverse's log-determinant is that of the map, negated."""
    flow, x, context = cast(flow, dtype)
    z, log_det = flow.bijection(x, context)
    _, back = flow.bijection.inverse(z, context)
    assert back.shape == (BATCH,) and back.dtype == dtype
    close(back, -log_det, tolerance(case, dtype))


@pytest.mark.sampled
def test_density_integrates_to_one(flow: Flow) -> None:
    """The density of two variables has a volume of 1."""
    _, context = batch(flow, 1)
    many = None if context is None else context.expand(5000, -1)
    low, high = flow.sample(5000, many).aminmax(dim=0)
    low, high = low - (high - low), high + (high - low)
    space = space_of(flow.base)
    if isinstance(space, Box):
        low, high = low * 0 + space.low, high * 0 + space.high

    def volume(parts: int) -> float:
        """The mean of the density in the middle of so many parts of each axis."""
        middles = (torch.arange(parts).double() + 0.5) / parts
        points = low + torch.cartesian_prod(middles, middles) * (high - low)
        wide = None if context is None else context.expand(len(points), -1)
        with torch.no_grad():
            mean = flow.log_prob(points, wide).exp().mean()
        return (mean * (high - low).prod()).item()

    one = pytest.approx(1, abs=1e-3)
    # Most densities are smooth enough for a quarter of the points.
    assert volume(400) == one or volume(800) == one


@pytest.mark.sampled
def test_gradients(flow: Flow) -> None:
    """Gradients are those of finite differences, for weights and inputs."""
    x, context = batch(flow, 3)
    names, parameters = zip(*flow.named_parameters(), strict=True)
    inputs = (x, *(() if context is None else (context,)))
    for tensor in inputs:
        tensor.requires_grad_()

    def log_prob(*tensors: Tensor) -> Tensor:
        values, inputs = tensors[: len(names)], tensors[len(names) :]
        weights = dict(zip(names, values, strict=True))
        return functional_call(flow, weights, inputs)

    assert torch.autograd.gradcheck(log_prob, (*parameters, *inputs), fast_mode=True)


def test_rows_do_not_see_each_other(case: Case, flow: Flow) -> None:
    """A row has the same density alone as in a batch."""
    x, context = batch(flow)
    rows = [
        flow.log_prob(x[i : i + 1], None if context is None else context[i : i + 1])
        for i in range(BATCH)
    ]
    close(flow.log_prob(x, context), torch.cat(rows), case.float64)


def test_context_matters(flow: Flow) -> None:
    """Another context gives another density."""
    x, context = batch(flow)
    if context is not None:
        other = flow.log_prob(x, context + 1)
        assert (flow.log_prob(x, context) - other).abs().min() > 1e-6


def test_samples_come_with_their_density(case: Case, flow: Flow) -> None:
    """Samples have gradients, and come with the density that log_prob gives them."""
    _, context = batch(flow)
    x, log_prob = flow.rsample_and_log_prob(BATCH, context)
    close(log_prob, flow.log_prob(x, context), case.float64)
    gradients = torch.autograd.grad(
        x.sum() + log_prob.sum(), list(flow.parameters()), allow_unused=True
    )
    moved = any(g is not None and g.abs().sum() > 0 for g in gradients)
    assert moved, "no weight has a gradient through samples"
    drawn = flow.sample(BATCH, context)
    assert not drawn.requires_grad, "what sample draws has a gradient"


def test_empty_batch(flow: Flow) -> None:
    """A batch of no events gives no densities and no samples."""
    x, context = batch(flow, 0)
    assert flow.log_prob(x, context).shape == (0,)
    assert flow.sample(0, context).shape == x.shape
    sample, log_prob = flow.rsample_and_log_prob(0, context)
    assert sample.shape == x.shape and log_prob.shape == (0,)


def test_refuses_wrong_shapes(flow: Flow) -> None:
    """Events of a wrong shape are refused, with the shape that was expected."""
    f = flow.bijection
    # Where nothing is to be set, a first batch may be anything: contexts, for one.
    sets = any(isinstance(m, DataDependent) and not m.initialised for m in f.modules())
    takes = (f, flow.log_prob, *[flow.initialise] * sets)
    takers = [("x", f.x_shape, take) for take in takes]
    for side, shape, run in (*takers, ("z", f.z_shape, f.inverse)):
        wanted = ", ".join(map(str, ("batch", *shape)))
        wider, flat = (BATCH, *shape[:-1], shape[-1] + 1), (BATCH * shape[0],)
        for got in (wider, flat, (2, BATCH, *shape), ()):
            message = f"expected {side} of shape ({wanted}), got {got}"
            with pytest.raises(ValueError, match=re.escape(message)):
                run(torch.zeros(got).double(), None)


def test_refuses_what_is_no_number_of_events(flow: Flow) -> None:
    """Fewer than no events, and parts of an event, are refused."""
    for n in (-1, 2.5):
        message = f"Flow: expected a number of events, 0 or more, got {n}"
        for draw in (flow.sample, flow.rsample_and_log_prob):
            with pytest.raises(ValueError, match=re.escape(message)):
                draw(n)  # pyright: ignore[reportArgumentType]


def test_refuses_integers(flow: Flow) -> None:
    """Integers are refused: no density is meant for them."""
    f = flow.bijection
    for side, shape, run in (("x", f.x_shape, f), ("z", f.z_shape, f.inverse)):
        message = f"expected floating-point {side}, got torch.int64"
        with pytest.raises(ValueError, match=re.escape(message)):
            run(torch.zeros(BATCH, *shape, dtype=torch.int64), None)


def test_refuses_wrong_contexts(flow: Flow) -> None:
    """A missing, misshapen or needless context is refused."""
    x, context = batch(flow)
    if context is None:
        with pytest.raises(ValueError, match=r"expected no context, got one of shape"):
            flow.log_prob(x, x)
        return
    wanted = f"expected context of shape {(BATCH, flow.context)}, got "
    # Where the base alone has a context, the bijection takes any.
    f = [flow.bijection, flow.bijection.inverse] * bool(flow.bijection.context)
    for wrong in (None, context[:, 1:], context[1:], context[0]):
        got = "none" if wrong is None else str(tuple(wrong.shape))
        for run in (flow.log_prob, *f):
            with pytest.raises(ValueError, match=re.escape(wanted + got)):
                run(x, wrong)
        with pytest.raises(ValueError, match=re.escape(wanted + got)):
            flow.sample(BATCH, wrong)


def test_nan_row_stays_alone(case: Case, flow: Flow) -> None:
    """A row of NaN has the density NaN; the others keep theirs."""
    x, context = batch(flow)
    clean = flow.log_prob(x, context)
    x[2] = torch.nan
    spoilt = flow.log_prob(x, context)
    assert spoilt[2].isnan(), f"the density of the row of NaN is {spoilt[2].item()}"
    others = torch.arange(BATCH) != 2
    close(spoilt[others], clean[others], case.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_inputs_stay_finite(flow: Flow, size: float, dtype: torch.dtype) -> None:
    """Densities and gradients stay finite for components of ten thousand.

    What is not is often an exp of what a network gives without a bound: bound it, as
    real_nvp.Affine does.
    """
    flow, x, context = cast(flow, dtype)
    x = space_of(flow.base).points(x * 0 + size).requires_grad_()
    log_prob = flow.log_prob(x, context)
    finite("log_prob", log_prob)
    log_prob.sum().backward()
    assert x.grad is not None, "log_prob has no gradient for its inputs"
    finite("the gradient for the inputs", x.grad)
    for name, parameter in flow.named_parameters():
        if parameter.grad is not None:
            finite(f"the gradient for {name}", parameter.grad)


def test_autocast_may_end_before_the_backward_pass(flow: Flow) -> None:
    """Gradients are those without autocast, as far as bfloat16 is exact.

    That of a mirror is 0, as a difference of numbers that are rounded to eight bits.
    """
    flow, x, context = cast(flow, torch.float32)
    weights = list(flow.parameters())

    def gradient(lower: bool) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=lower):
            loss = -flow.log_prob(x, context).mean()
        grads = torch.autograd.grad(loss, weights, materialize_grads=True)
        return torch.cat([grad.flatten() for grad in grads])

    expected, found = gradient(False), gradient(True)
    finite("the gradients under autocast", found)
    assert (found - expected).norm() < 0.1 * expected.norm() + 0.1


class Reshape(Bijection):
    """Noise in the shape of data, so that a map that flattens can be stacked."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x.reshape(-1, *self.z_shape), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z.reshape(-1, *self.x_shape), z.new_zeros(len(z))


@torch.no_grad()
@pytest.mark.sampled
def test_deep_stack(case: Case) -> None:
    """A hundred copies are still exact, each initialised on what it gets.

    With the statistics of other data, normalising layers would each shrink what they
    get; a hundred of them by e⁻⁵⁰, which no arithmetic undoes.
    """
    layers: list[Bijection] = []
    for seed in range(100):
        f = perturbed(case, seed, spread=0.05).bijection
        layers += [f, Reshape(f.z_shape, f.x_shape)]
    base = start(case).base.double()
    if not isinstance(base, OnSpace):
        base = StandardNormal(layers[0].x_shape)
    deep = Flow(base, Compose(*layers))
    sets = [module for module in deep.modules() if isinstance(module, DataDependent)]
    for module in sets:
        module.initialised.fill_(False)
    if sets:
        deep.initialise(*batch(deep, 50, seed=2))
    x, context = batch(deep)
    z, log_det = deep.bijection(x, context)
    back, negated = deep.bijection.inverse(z, context)
    close(back, x, 100 * case.float64)
    close(negated, -log_det, 100 * case.float64)
    finite("log_prob", deep.base.log_prob(z) + log_det)
