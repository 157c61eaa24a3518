"""Backpropagation that stores nothing: exact, and flat in depth."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from implementations.core.bijection import Bijection, Compose
from implementations.core.flow import Flow
from implementations.core.held import Held
from implementations.core.nets import mlp
from implementations.core.reversible import Reversible, reversible
from implementations.glow import ActNorm, ChannelCoupling, glow
from implementations.gnf import gnf
from implementations.nice import Coupling
from implementations.nsf import Linear, Spline
from implementations.real_nvp import Affine, BatchNorm
from implementations.registrations import Case
from tests.flows.cases import perturbed

Stack = Callable[..., Bijection]

FLOWS: dict[str, Callable[[int, Stack], Flow]] = {
    "glow": lambda depth, stack: glow((1, 8, 8), 2, depth, 6, stack=stack),
    "gnf": lambda depth, stack: gnf(6, 4, depth, 8, stack=stack),
}


def pair(name: str, depth: int) -> list[Flow]:
    """Return the same flow twice: stored, and recomputed."""
    build = FLOWS[name]
    return [
        perturbed(Case(partial(build, depth, stack)), spread=0.05)
        for stack in (Compose, Reversible)
    ]


def gradient(flow: Flow, x: Tensor) -> Tensor:
    flow.zero_grad()
    x = x.clone().requires_grad_()
    flow.log_prob(x).mean().backward()
    grads = (each.grad for each in (x, *flow.parameters()))
    return torch.cat([each.flatten() for each in grads if each is not None])


def events(flow: Flow, n: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = flow.bijection.x_shape
    return torch.randn(n, *shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("depth", [1, 32])
@pytest.mark.parametrize("name", FLOWS)
def test_gradients_are_exact(name: str, depth: int) -> None:
    stored, anew = pair(name, depth)
    x = events(stored)
    torch.testing.assert_close(anew.log_prob(x), stored.log_prob(x))
    expected, found = gradient(stored, x), gradient(anew, x)
    assert expected.isfinite().all() and expected.norm() > 0
    assert ((found - expected).norm() / expected.norm()).item() < 1e-10


def held(flow: Flow, x: Tensor) -> int:
    count = Held(flow)
    with count.hooks:
        flow.log_prob(x).mean().backward()
    return count.peak


@pytest.mark.parametrize("name", FLOWS)
def test_memory_is_flat_in_depth(name: str) -> None:
    few, many = pair(name, 2), pair(name, 32)
    x = events(few[0])
    assert held(many[0], x) > 8 * held(few[0], x)
    assert held(many[1], x) == held(few[1], x)


def small(context: int = 0) -> list[Bijection]:
    m = partial(mlp, hidden=(8,))
    coupling = partial(Coupling, 4, conditioner=m, context=context)
    layers = [
        coupling(univariate=Affine()),
        Linear(4),
        coupling(univariate=Spline(4), swap=True),
    ]
    with torch.no_grad():
        for layer in layers:
            for weight in layer.double().parameters():
                weight.add_(0.3 * torch.randn_like(weight))
    return layers


def test_contexts_have_gradients() -> None:
    torch.manual_seed(0)
    layers, x = small(context=2), torch.randn(5, 4).double()
    found = []
    for run in (Compose(*layers), partial(reversible, layers)):
        context = torch.ones(5, 2).double().requires_grad_()
        z, log_det = run(x, context)
        (z.square().sum() + log_det.square().sum()).backward()
        assert context.grad is not None
        found.append(context.grad)
    assert found[0].abs().min() > 0
    torch.testing.assert_close(found[1], found[0])


def test_weights_that_do_not_learn_stay_out() -> None:
    torch.manual_seed(0)
    layers = small()
    layers[1].requires_grad_(False)
    x = torch.randn(5, 4).double()
    expected = copy.deepcopy(layers)
    for run in (Compose(*expected), Reversible(*layers)):
        run(x)[1].sum().backward()
    weights = (weight for layer in layers for weight in layer.parameters())
    for weight, other in zip(weights, Compose(*expected).parameters(), strict=True):
        if other.requires_grad:
            torch.testing.assert_close(weight.grad, other.grad)
        else:
            assert weight.grad is None


def test_it_is_its_own_inverse_and_initialises() -> None:
    _, flow = pair("glow", 2)
    x = events(flow, 20)
    flow.initialise(x)
    z, log_det = flow.bijection(x)
    back, negated = flow.bijection.inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(negated, -log_det)


@pytest.mark.parametrize("name", FLOWS)
def test_the_backward_pass_runs_under_the_autocast_of_the_forward_pass(
    name: str,
) -> None:
    flow = pair(name, 4)[1].float()
    x, weights = events(flow).float(), list(flow.parameters())

    def gradient(inside: bool) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            loss = flow.log_prob(x).mean()
            with torch.autocast("cpu", torch.bfloat16, enabled=inside):
                return torch.autograd.grad(loss, weights, materialize_grads=True)

    assert all(map(torch.equal, gradient(False), gradient(True)))


def convolutions(*between: nn.Module) -> Bijection:
    def network(n_in: int, n_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(n_in, n_out, 1), *between)

    return ChannelCoupling((2, 4, 4), Affine(), network)


UNSTEADY: dict[str, Callable[[], Bijection]] = {
    "BatchNorm": lambda: BatchNorm((2, 4, 4)),
    "BatchNorm2d": lambda: convolutions(nn.BatchNorm2d(2)),
    "InstanceNorm2d": lambda: convolutions(
        nn.InstanceNorm2d(2, track_running_stats=True)
    ),
    "Dropout": lambda: convolutions(nn.Dropout()),
}


@pytest.mark.parametrize("name", UNSTEADY)
def test_layers_that_do_not_do_the_same_every_time_are_refused(name: str) -> None:
    message = f"Reversible: expected layers that do the same every time, got {name} in"
    with pytest.raises(ValueError, match=f"{message} layer 2"):
        Reversible(ActNorm((2, 4, 4)), Compose(UNSTEADY[name]()))


def test_layers_that_always_do_the_same_are_taken() -> None:
    Reversible(
        ActNorm((2, 4, 4)), convolutions(nn.InstanceNorm2d(2), nn.GroupNorm(1, 2))
    )


def test_second_derivatives_are_refused() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 4).double().requires_grad_()
    z, _ = reversible(small(), x)
    (slope,) = torch.autograd.grad(z.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
