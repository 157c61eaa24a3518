"""Graphs as tensors, and the distances between sets of them."""

from __future__ import annotations

import math
import random
from itertools import combinations

import networkx as nx
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from implementations.core.graphs import (
    Graphs,
    all_pairs,
    canonical,
    communities,
    compare,
    compare_all,
    connected,
    dense,
    draw_edges,
    egos,
    orbits,
    statistics,
)
from tests.support.perturb import noise


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


def test_canonical_position_keeps_distances() -> None:
    x, n = noise(3, 6, 4), torch.tensor([[6.0], [4.0], [5.0]])
    y = canonical(x, n)
    for row, size in enumerate((6, 4, 5)):
        before, after = x[row, :size], y[row, :size]
        close(torch.cdist(after, after), torch.cdist(before, before), 1e-9)
        close(after.mean(0), torch.zeros(4).double())
        spread = after.T @ after
        close(spread, spread.diagonal().diag())
        assert (spread.diagonal().diff() <= 0).all()
        assert (y[row, size:] == 0).all()


def test_drawn_edges_are_symmetric_without_loops_among_those_there() -> None:
    torch.manual_seed(0)
    n = torch.tensor([[2.0], [5.0]])
    edges, _ = draw_edges(torch.full((2, 5, 5), 0.5), n)
    assert torch.equal(edges, edges.mT) and set(edges.unique().tolist()) <= {0, 1}
    assert (edges[~all_pairs(n, 5)] == 0).all()
    full, _ = draw_edges(torch.ones(2, 5, 5), n)
    assert full.sum((1, 2)).tolist() == [2, 20]


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.complete_graph(4), {0: 12, 3: 12, 14: 4}),
        (nx.cycle_graph(5), {0: 10, 1: 10, 2: 5, 4: 10, 5: 10}),
        (nx.star_graph(3), {0: 6, 1: 6, 2: 3, 6: 3, 7: 1}),
        (nx.path_graph(4), {0: 6, 1: 4, 2: 2, 4: 2, 5: 2}),
        (nx.cycle_graph(4), {0: 8, 1: 8, 2: 4, 8: 4}),
        (nx.empty_graph(3), {}),
    ],
)
def test_orbits_of_known_graphs(graph: nx.Graph, expected: dict[int, int]) -> None:
    (found,) = orbits(dense([graph], 6).edges).int().tolist()
    assert {k: count for k, count in enumerate(found) if count} == expected


# Each connected graph of two to four nodes, with the orbit of each of its nodes.
ROLES = [
    (nx.path_graph(2), (0, 0)),
    (nx.path_graph(3), (1, 2, 1)),
    (nx.complete_graph(3), (3, 3, 3)),
    (nx.path_graph(4), (4, 5, 5, 4)),
    (nx.star_graph(3), (7, 6, 6, 6)),
    (nx.cycle_graph(4), (8, 8, 8, 8)),
    (nx.Graph([(0, 1), (1, 2), (1, 3), (2, 3)]), (9, 11, 10, 10)),
    (nx.Graph([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]), (13, 12, 13, 12)),
    (nx.complete_graph(4), (14, 14, 14, 14)),
]


def brute_force(graph: nx.Graph) -> list[int]:
    """Count orbits by comparing every subset of nodes with every graphlet."""
    counts = [0] * 15
    for size in (2, 3, 4):
        for nodes in combinations(graph, size):
            inside = graph.subgraph(nodes)
            for graphlet, roles in ROLES:
                if nx.is_isomorphic(inside, graphlet):
                    for orbit in roles:
                        counts[orbit] += 1
    return counts


@pytest.mark.parametrize("seed", range(4))
def test_orbits_are_those_of_brute_force(seed: int) -> None:
    graph = nx.gnp_random_graph(9, 0.15 + 0.2 * seed, seed=seed)
    assert orbits(dense([graph], 12).edges)[0].int().tolist() == brute_force(graph)


def some(n: int, seed: int = 0) -> list[nx.Graph]:
    return communities(4, random.Random(seed))[:n]


def test_histograms_are_those_of_networkx() -> None:
    graphs = some(5)
    found = statistics(dense(graphs, 20))
    for row, graph in enumerate(graphs):
        degrees = [d for _, d in graph.degree]
        shares = [degrees.count(k) / len(graph) for k in range(20)]
        histogram = found["degrees"][row].diff(prepend=torch.zeros(1))
        close(histogram, torch.tensor(shares), 1e-6)
        clustering = nx.clustering(graph)
        assert isinstance(clustering, dict)
        bins = [min(int(100 * c + 1e-4), 99) for c in clustering.values()]
        shares = [bins.count(k) / len(graph) / 100 for k in range(100)]
        histogram = found["clustering"][row].diff(prepend=torch.zeros(1))
        close(histogram, torch.tensor(shares), 1e-6)


def test_distances_are_the_earth_movers() -> None:
    graphs = dense(some(2), 20)
    a, b = statistics(graphs)["degrees"].double()
    degrees = [graphs.edges[k].sum(-1)[: int(graphs.n[k])].tolist() for k in (0, 1)]
    assert (a - b).abs().sum().item() == pytest.approx(wasserstein_distance(*degrees))


def test_mmd_by_hand() -> None:
    """Of one graph and another: 2 - 2 k(x, y), and W = 1 between K2 and C3."""
    pair = dense([nx.complete_graph(2)], 4), dense([nx.cycle_graph(3)], 4)
    found = compare(*pair)
    assert found["degrees"] == pytest.approx(2 - 2 * math.exp(-1 / 2))
    assert found["clustering"] == pytest.approx(2 - 2 * math.exp(-(0.99**2) / 0.02))
    distance2 = (1 - 2) ** 2 + (0 - 1) ** 2
    assert found["orbits"] == pytest.approx(2 - 2 * math.exp(-distance2 / 1800))
    same = compare(pair[0], pair[0])
    assert max(map(abs, same.values())) < 1e-12


def test_communities_are_graphrnns() -> None:
    graphs = communities(20, random.Random(0))
    assert len(graphs) == 100
    assert all(nx.is_connected(g) and not any(nx.selfloop_edges(g)) for g in graphs)
    sizes = [len(graph) for graph in graphs]
    assert all(sizes.count(n) > 10 for n in (12, 14, 16, 18, 20))
    edges = sum(g.number_of_edges() for g in graphs) / 100
    assert 44 < edges < 51
    clustering = sum(map(nx.average_clustering, graphs)) / 100
    assert 0.73 < clustering < 0.81


def test_egos_have_a_node_that_knows_all_others() -> None:
    graphs = egos(50, random.Random(0))
    for graph in graphs:
        assert 4 <= len(graph) <= 12
        assert max(d for _, d in graph.degree) == len(graph) - 1
        assert nx.number_of_selfloops(graph) == 0


def test_connected_graphs_are_those_of_networkx() -> None:
    graphs = [nx.gnp_random_graph(n, 1.5 / n, seed=n) for n in range(2, 20)]
    graphs += [nx.path_graph(20), nx.empty_graph(1), nx.caveman_graph(2, 5)]
    expected = [nx.is_connected(graph) for graph in graphs]
    assert connected(dense(graphs, 20)).tolist() == expected
    assert any(expected[:-3]) and not all(expected[:-3])


def test_all_compared_at_once_are_as_each_alone() -> None:
    a, b = dense(some(5), 20), dense(some(5, 1), 20)
    apart = Graphs(torch.zeros_like(a.edges), a.n)
    found = compare_all({"a": a, "apart": apart}, b)
    assert found["a"] == compare(a, b) | {"connected": 1.0}
    assert found["apart"]["connected"] == 0
