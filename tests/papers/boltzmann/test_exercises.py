"""Boltzmann generators, three to try: the answers are what comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import pytest
import torch
from torch import Tensor

from implementations import boltzmann as original
from implementations.core.fit import fit
from implementations.core.weights import effective_share, weigh
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "boltzmann"


def by_example(module: ModuleType) -> tuple[float, float]:
    """The flow's ESS, and the share of its draws in the right well."""
    torch.manual_seed(0)
    data, flow = module.short_runs(), module.boltzmann(2, 3, (32, 32))
    draw = partial(module.batch, data)
    fit(flow, partial(module.by_example, flow), 300, draw, lr=4e-3, clip=10)
    x, log_w = weigh(flow, lambda x: -module.double_well(x), 50_000)
    right = x[:, 0] > 1
    return effective_share(log_w), right.double().mean().item()


@pytest.mark.thorough
def test_weights_find_no_state() -> None:
    both, left = by_example(original), by_example(edited(PAPER, 1))
    assert both[1] > 0.3
    assert left[1] < 1e-3
    assert left[0] > both[0]


def test_less_hot(monkeypatch: pytest.MonkeyPatch) -> None:
    module = edited(PAPER, 2)
    truth = original.exact()
    inner = truth.r.abs() < 2.5
    log_mu = truth.mass[inner].log()
    flow, n = original.boltzmann(2, 1, (8,)), 1000
    flows = {"by both": flow}
    drawn = {"by both": weigh(flow, lambda x: -original.double_well(x), n)}
    for name, value in {
        "truth": truth,
        "r": truth.r[inner],
        "log_mu": log_mu,
        "balance": log_mu.softmax(0),
        "flows": flows,
        "drawn": drawn,
        "data": noise(10, 2).float(),
        "found": {},
        "learn": lambda flow, *_: flow,
        "weigh": lambda flow, log_p, _: weigh(flow, log_p, n),
    }.items():
        monkeypatch.setattr(module, name, value, raising=False)
    module.run("hotter, bins_of_r")
    of_text = module.spread["text's RC"]
    assert of_text["at best"] == pytest.approx(0.077, abs=0.003)
    assert of_text["ESS at best"] == pytest.approx(0.45, abs=0.01)


def gradient(
    module: ModuleType, along_r: Callable[[Tensor], Tensor], patch: pytest.MonkeyPatch
) -> tuple[float, Tensor]:
    """The loss of `learn` and its gradient, for the same draws at each call."""
    torch.manual_seed(0)
    flow, caught = perturbed(original.boltzmann(2, 1, (8,))), []
    patch.setattr(module, "fit", lambda _, loss, *a, **k: caught.append(loss))
    module.learn(flow, noise(10, 2), 1, along_r=along_r)
    loss = caught[0](noise(10, 2))
    grads = torch.autograd.grad(loss, [*flow.parameters()])
    return loss.item(), torch.cat([g.flatten() for g in grads])


def test_a_histogram_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, learns in ((original, True), (edited(PAPER, 3), False)):
        none, plain = gradient(module, torch.zeros_like, monkeypatch)
        value, found = gradient(module, original.even_bins, monkeypatch)
        assert value > none + 1
        assert (not torch.allclose(found, plain)) == learns
