"""GNF, three to try: the answers are what comes out."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from torch import nn
from torch.func import jacrev

from implementations.core.graphs import dense
from tests.support.exercises import edited


def test_nodes_that_hear_only_themselves_are_independent() -> None:
    flow = edited("gnf", 1).gnf(3, 2, 2, 8)
    torch.manual_seed(0)
    for weights in flow.parameters():
        nn.init.normal_(weights, std=0.5)
    x = torch.randn(1, 3, 2)
    jacobian = jacrev(lambda x: flow.bijection(x)[0])(x)[0, :, :, 0]
    for v in range(3):
        for u in range(3):
            assert (jacobian[v, :, u].abs().max() > 1e-3) == (u == v)


@pytest.mark.thorough
def test_without_log_determinants_gradients_are_wrong_and_memory_flat() -> None:
    module = edited("gnf", 2)
    with pytest.raises(AssertionError, match="gradients, float64"):
        module.run("depths = (2, 4")
    assert module.flat == 1 and module.exact > 0.1


def test_without_noise_all_nodes_have_one_place() -> None:
    module = edited("gnf", 3)
    torch.manual_seed(0)
    encoder = module.AutoEncoder()
    for weights in encoder.parameters():
        nn.init.normal_(weights, std=0.5)
    graphs = dense([nx.star_graph(4), nx.path_graph(6)], 6)
    with torch.no_grad():
        places = encoder.encode(graphs)
    assert places[0].norm() > 0.1
    for row, n in enumerate((5, 6)):
        same = places[row, :1].expand(n, -1)
        torch.testing.assert_close(places[row, :n], same, rtol=1e-4, atol=0)
