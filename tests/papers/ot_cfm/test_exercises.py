"""OT-CFM, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import ot_cfm as original
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "ot_cfm"


def test_the_order_on_the_wrong_side_is_noticed() -> None:
    module = edited(PAPER, 1)
    module.run("source, moons =")
    with pytest.raises(AssertionError, match="less the least of all orders"):
        module.run("permutations(range(6))")
    torch.manual_seed(0)
    x0, x1 = original.ring().sample(256), original.TwoMoons().sample(256)

    def length(pairs: original.Pairs) -> float:
        start, end = pairs(x0, x1)
        return (end - start).square().sum(1).mean().item()

    at_random, best = length(original.independent), length(original.optimal)
    assert length(module.optimal) > 3 * best
    assert length(module.optimal) > 0.7 * at_random
    starts, ends = module.optimal(x0, x1)
    assert torch.equal(ends, x1)
    assert torch.equal(starts.sort(0).values, x0.sort(0).values)


def test_an_entropic_plan_depends_on_the_unit_of_its_costs() -> None:
    module = edited(PAPER, 2)
    x0, x1 = noise(50, 2), 0.5 * noise(50, 2, seed=2) + 1
    cost = torch.cdist(x0, x1).square()
    right, wrong = ((m.plan(x0, x1, 0.5) * cost).sum() for m in (original, module))
    assert right < 0.8 * cost.mean() and wrong > 0.85 * cost.mean()
    with pytest.raises(AssertionError, match="covariance over the closed form"):
        module.run("torch.special.ndtri")
    near, far = (original.optimal(x0 * unit, x1 * unit)[1] / unit for unit in (1, 9))
    torch.testing.assert_close(near, far)


def test_plans_of_one_are_pairs_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOKE", "1")
    module = edited(PAPER, 3)
    module.run("source, moons =")
    module.run("TRAINED =")
    losses = module.losses
    assert len(losses["optimal"]) > 1
    assert losses["optimal"] == losses["at random"]
