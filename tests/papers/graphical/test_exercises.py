"""Graphical flows, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import graphical as original
from implementations.core.toy import kl_to
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "graphical"


def test_with_a_pass_less_the_last_variables_are_wrong() -> None:
    module = edited(PAPER, 1)
    vars(module)["truth"] = module.SixVariables()
    with pytest.raises(AssertionError, match="round trips"):
        module.run("layer.passes -= 1")
    layer = perturbed(module.GraphicalLayer(((), (0,), (0,), (1, 2)), module.Affine()))
    x = noise(20, 4)
    off = (layer.inverse(layer(x)[0])[0] - x).abs().amax(0)
    assert off[:3].max() < 1e-9 and off[3] > 1e-3


def test_a_transposed_graph_is_a_flow_that_fits_worse() -> None:
    module = edited(PAPER, 2)
    truth = original.SixVariables()
    turned = module.adjacency(truth.parents)
    assert torch.equal(turned, original.adjacency(truth.parents).T)
    layer = perturbed(module.GraphicalLayer(truth.parents, module.Affine()))
    x = noise(20, 6)
    z, log_det = layer(x)
    torch.testing.assert_close(layer.inverse(z)[0], x)
    torch.testing.assert_close(log_det, original.log_dets(layer, x))
    gaps = []
    for each in (original, module):
        torch.manual_seed(0)
        points, flow = truth.sample(2000), each.graphical(truth.parents, (32, 32))
        gaps.append(kl_to(truth, each.learn(flow, points, 250), 20_000))
    assert gaps[1] > 3 * gaps[0]


def test_short_walks_do_not_see_long_cycles() -> None:
    module = edited(PAPER, 3)
    ring = original.adjacency([((i - 1) % 3,) for i in range(3)])
    pair = original.adjacency(((1,), (0,), ()))
    assert module.acyclicity(ring).abs() < 1e-6 < 0.1 < original.acyclicity(ring)
    assert module.acyclicity(pair) > 0.1
