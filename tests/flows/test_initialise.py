"""A first batch sets what depends on data; no later one does it again."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from implementations.core.bijection import Compose, DataDependent
from implementations.core.fit import fit
from implementations.core.flow import Flow
from implementations.core.reversible import Reversible
from implementations.glow import glow
from implementations.maf import maf
from implementations.real_nvp import real_nvp
from implementations.vi_flows import vi_flows

FLOWS: dict[str, Callable[[], Flow]] = {
    "batch normalisation": lambda: maf(3, 2, (8,)),
    "batch normalisation of images": lambda: real_nvp((1, 8, 8), maps=2, blocks=1),
    "actnorm": lambda: glow((1, 4, 4), 2, 1, 4),
    "actnorm, recomputed": lambda: glow((1, 4, 4), 2, 1, 4, stack=Reversible),
}


@pytest.fixture(params=FLOWS)
def build(request: pytest.FixtureRequest) -> Callable[[], Flow]:
    torch.manual_seed(0)
    return FLOWS[request.param]


def events(flow: Flow, n: int, size: float = 1) -> Tensor:
    return size * torch.randn(n, *flow.bijection.x_shape) + size


def state(flow: Flow) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in flow.state_dict().items()}


def flags(f: nn.Module) -> list[bool]:
    return [bool(m.initialised) for m in f.modules() if isinstance(m, DataDependent)]


def unchanged(flow: Flow, before: dict[str, Tensor]) -> bool:
    now = flow.state_dict()
    return all(torch.equal(value, before[name]) for name, value in now.items())


def loaded(flow: Flow, build: Callable[[], Flow]) -> Flow:
    other = build()
    other.load_state_dict(flow.state_dict())
    return other


def loaded_from_before_the_flag(flow: Flow, build: Callable[[], Flow]) -> Flow:
    """As if the weights had been saved by a version that knew no flag."""
    other, saved = build(), flow.state_dict()
    for name in [name for name in saved if name.endswith(".initialised")]:
        del saved[name]
    names = set(saved)
    other.load_state_dict(saved)
    assert set(saved) == names < set(flow.state_dict())
    return other


@pytest.mark.parametrize(
    "way",
    [
        lambda flow, build: flow,
        lambda flow, build: copy.deepcopy(flow),
        loaded,
        loaded_from_before_the_flag,
    ],
    ids=["the same", "a copy", "loaded", "loaded from before"],
)
def test_a_second_batch_changes_nothing(
    build: Callable[[], Flow], way: Callable[[Flow, Callable[[], Flow]], Flow]
) -> None:
    flow = build()
    fresh = state(flow)
    flow.initialise(events(flow, 50))
    assert not unchanged(flow, fresh)
    flow = way(flow, build).train()
    assert all(flags(flow))
    before = state(flow)
    flow.initialise(events(flow, 50, size=9))
    assert unchanged(flow, before)


def test_a_second_training_goes_on_where_the_first_ended(
    build: Callable[[], Flow],
) -> None:
    """A batch of two of another size would cost nats."""
    flow = build()

    def loss(x: Tensor) -> Tensor:
        return -flow.log_prob(x).mean()

    fit(flow, loss, 20, lambda: events(flow, 50))
    x = events(flow, 500)
    before = loss(x)
    batches = iter([events(flow, 2, size=9), events(flow, 500)])
    fit(flow, loss, 1, lambda: next(batches), lr=1e-6)
    assert loss(x).item() == pytest.approx(before.item(), abs=0.1)


def test_statistics_of_training_are_not_overwritten_either() -> None:
    """Whoever trains in a loop of one's own, and then calls `fit`, keeps them."""
    flow = maf(3, 2, (8,))
    for _ in range(50):
        flow.log_prob(events(flow, 50, size=3))
    before = state(flow)
    flow.initialise(events(flow, 2))
    assert unchanged(flow, before)


def test_it_is_done_again_where_the_flag_is_taken_back(
    build: Callable[[], Flow],
) -> None:
    flow, other = build(), build()
    other.load_state_dict(flow.state_dict())
    x = events(flow, 50, size=3)
    flow.initialise(events(flow, 50))
    for module in flow.modules():
        if isinstance(module, DataDependent):
            module.initialised.fill_(False)
    for each in (flow, other):
        each.initialise(x)
    torch.testing.assert_close(flow.eval().log_prob(x), other.eval().log_prob(x))


def test_a_new_layer_beside_trained_ones_is_still_set() -> None:
    trained, new = maf(3, 1, (8,)).bijection, maf(3, 1, (8,)).bijection
    x = 3 * torch.randn(50, 3) + 2
    trained.initialise(x)
    Compose(trained, new).initialise(x)
    assert all(flags(new))


def test_where_nothing_is_to_be_set_a_batch_may_be_anything() -> None:
    """Variational inference draws contexts, and no events."""
    flow, context = vi_flows(2, 1, context=4), torch.randn(8, 4)
    fit(flow, lambda c: flow.rsample_and_log_prob(8, c)[1].mean(), 1, lambda: context)


def test_a_first_batch_of_wrong_shape_is_refused(build: Callable[[], Flow]) -> None:
    flow = build()
    wrong = torch.randn(8, *flow.bijection.x_shape, 1)
    with pytest.raises(ValueError, match=r"expected x of shape \(batch, "):
        flow.initialise(wrong)
    assert not any(flags(flow))
