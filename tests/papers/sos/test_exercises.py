"""SOS, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import sos as original
from implementations.core.fit import fit
from implementations.made import Autoregressive
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "sos"


def test_a_node_too_few_is_seen_by_both_checks() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="five nodes against the double sum"):
        module.run("by_sum")
    assert module.wrong > 1e-5
    x, a = noise(50).abs(), noise(50, 2, 3, seed=2)
    rules = module.nodes_and_weights(3), original.nodes_and_weights(3)
    assert len(rules[0][0]) == 2
    ours, theirs = (original.climb(x, a, rule)[0] for rule in rules)
    assert (ours < theirs).all()


def test_squares_that_start_alike_are_one() -> None:
    module = edited(PAPER, 2)
    torch.manual_seed(0)
    spots = original.four_spots()
    for build, alike in ((module.sos, True), (original.sos, False)):
        flow = build(2, 1, hidden=(8,))
        fit(
            flow,
            lambda x, f=flow: -f.log_prob(x).mean(),
            20,
            lambda: spots.sample(64),
            lr=1e-2,
        )
        [layer] = [m for m in flow.modules() if isinstance(m, Autoregressive)]
        x = spots.sample(50)
        theta = layer.m(x)[..., 1:].unflatten(-1, (3, 3)).detach()
        same = torch.allclose(theta, theta[..., :1, :], atol=1e-5)
        assert same == alike


def test_without_negative_coefficients_slopes_only_grow_right_of_0() -> None:
    module = edited(PAPER, 3)
    x = torch.linspace(0, 4, 200).double()
    falls = {}
    for name, g in (
        ("edited", module.SumOfSquares()),
        ("ours", original.SumOfSquares()),
    ):
        params = noise(50, 1, g.n_params).expand(-1, 200, -1)
        _, log_slope = g.double()(x.expand(50, -1), params)
        falls[name] = (log_slope.diff(dim=1) < 0).any(1).double().mean().item()
    assert falls["edited"] == 0 and falls["ours"] > 0.5
