"""Graphs as tensors: drawing them, and how far apart two sets of them are.

The distances are those of GraphRNN (You et al., 2018, arXiv:1802.08773): squared
maximum mean discrepancies of degrees, clustering coefficients and orbits.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import networkx as nx
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn.functional import one_hot, pad

from implementations.core.claims import table
from implementations.core.environment import device
from implementations.core.plots import BLUE, GREY


class Graphs(NamedTuple):
    """Adjacency matrices (batch, most, most), and numbers of nodes (batch, 1)."""

    edges: Tensor
    n: Tensor


def all_pairs(n: Tensor, most: int) -> Tensor:
    """Say which pairs of different nodes there are, as (batch, most, most)."""
    there = torch.arange(most, device=n.device) < n
    different = ~torch.eye(most, dtype=torch.bool, device=n.device)
    return there[:, :, None] & there[:, None] & different


def draw_edges(p: Tensor, n: Tensor) -> Graphs:
    """Draw each edge of graphs of n nodes with its probability."""
    upper = torch.where(all_pairs(n, p.shape[1]), p, 0).bernoulli().triu(1)
    return Graphs(upper + upper.mT, n)


def canonical(x: Tensor, n: Tensor) -> Tensor:
    """Shift and turn places to their principal axes, with random signs."""
    there = (torch.arange(x.shape[1], device=n.device) < n)[..., None]
    x = torch.where(there, x - torch.where(there, x, 0).sum(1, True) / n[..., None], 0)
    axes = torch.linalg.eigh(x.mT @ x).eigenvectors.flip(-1)
    return x @ axes * random_signs(x)


def random_signs(x: Tensor) -> Tensor:
    """Draw ±1 for each axis of each graph."""
    return torch.randint(2, (len(x), 1, x.shape[-1]), device=x.device) * 2.0 - 1


def communities(copies: int, rng: random.Random) -> list[nx.Graph]:
    """Draw graphs of two communities, so many of each size, in random order."""
    graphs = []
    for k in (6, 7, 8, 9, 10) * copies:
        graph = nx.caveman_graph(2, k)
        graph.remove_edges_from([e for e in graph.edges if rng.random() < 0.2])
        graph.add_edge(rng.randrange(k), k + rng.randrange(k))
        graphs.append(graph.subgraph(max(nx.connected_components(graph), key=len)))
    rng.shuffle(graphs)
    return graphs


def egos(n: int, rng: random.Random) -> list[nx.Graph]:
    """Draw n ego graphs of 4 to 12 nodes."""
    network = nx.powerlaw_cluster_graph(6 * n, 2, 0.6, seed=rng.randrange(2**32))
    graphs = [nx.ego_graph(network, node) for node in network]
    return rng.sample([graph for graph in graphs if 4 <= len(graph) <= 12], n)


def dense(graphs: Sequence[nx.Graph], most: int) -> Graphs:
    """Return graphs of up to `most` nodes as tensors, filled up with zeros."""
    edges = [torch.from_numpy(nx.to_numpy_array(graph)).float() for graph in graphs]
    padded = [pad(a, (0, most - len(a), 0, most - len(a))) for a in edges]
    n = torch.tensor([[float(len(a))] for a in edges])
    return Graphs(torch.stack(padded).to(device()), n.to(device()))


def connected(graphs: Graphs) -> Tensor:
    """Say of each graph whether a path leads from every node to every other one."""
    each = (_networkx(graphs, which) for which in range(len(graphs.n)))
    return torch.tensor([nx.is_connected(graph) for graph in each])


def _networkx(graphs: Graphs, which: int) -> nx.Graph:
    size = int(graphs.n[which])
    return nx.from_numpy_array(graphs.edges[which, :size, :size].cpu().numpy())


def draw(ax: Axes, graphs: Graphs, which: int) -> None:
    """Draw one of the graphs."""
    graph = _networkx(graphs, which)
    # Weak springs between all nodes keep the lonely ones on the page.
    springs = graphs._replace(edges=graphs.edges + 0.05)
    places = nx.spring_layout(_networkx(springs, which), seed=0)
    nx.draw_networkx_edges(graph, places, ax=ax, edge_color=GREY, width=0.5)
    nx.draw_networkx_nodes(graph, places, ax=ax, node_size=14, node_color=BLUE)
    ax.axis("off")


# Edges and largest degree of each graphlet of four nodes; its roles, by how many nodes.
GRAPHLETS = {
    "path": (3, 2, (2, 2)),
    "claw": (3, 3, (3, 1)),
    "cycle": (4, 2, (4,)),
    "paw": (4, 3, (1, 2, 1)),
    "diamond": (5, 3, (2, 2)),
    "clique": (6, 3, (4,)),
}


def orbits(edges: Tensor) -> Tensor:
    """Count the nodes in each of the 15 orbits, as (batch, 15), ordered as by ORCA."""
    degree = edges.sum(-1)
    triangles = triangles_at(edges).sum(-1) / 3
    paths = (degree * (degree - 1) / 2).sum(-1) - 3 * triangles
    counts = [degree.sum(-1), 2 * paths, paths, 3 * triangles]
    four = torch.combinations(torch.arange(edges.shape[1], device=edges.device), 4)
    inside = edges.new_zeros(len(edges), len(four), 4)
    for a, b in combinations(range(4), 2):
        ends = [float(k in (a, b)) for k in range(4)]
        joined = edges[:, four[:, a], four[:, b]]
        inside = inside + joined[..., None] * inside.new_tensor(ends)
    size, low, high = inside.sum(-1) / 2, inside.amin(-1), inside.amax(-1)
    for n_edges, degree_of_hub, roles in GRAPHLETS.values():
        found = (size == n_edges) & (high == degree_of_hub) & (low > 0)
        counts += [nodes * found.sum(-1) for nodes in roles]
    return torch.stack(counts, -1)


def triangles_at(edges: Tensor) -> Tensor:
    """Count the triangles at each node, as (batch, most)."""
    return (edges @ edges * edges).sum(-1) / 2


def histogram(bins: Tensor, n: Tensor, n_bins: int) -> Tensor:
    """Return the share of a graph's nodes in each bin, as (batch, n_bins)."""
    there = torch.arange(bins.shape[1], device=n.device) < n
    return (one_hot(bins.long(), n_bins) * there[..., None]).sum(1) / n


def statistics(graphs: Graphs) -> dict[str, Tensor]:
    """Return what MMD compares: cumulative histograms, and orbits per node."""
    edges, n = graphs
    degree = edges.sum(-1)
    clustering = triangles_at(edges) / (degree * (degree - 1) / 2).clamp(min=1)
    bins = (100 * clustering).clamp(max=99)
    return {
        "degrees": histogram(degree, n, edges.shape[1]).cumsum(-1),
        "clustering": histogram(bins, n, 100).cumsum(-1) / 100,
        "orbits": orbits(edges) / n,
    }


def mmd(x: Tensor, y: Tensor, sigma: float, p: float) -> float:
    """Squared MMD between rows of x and y, of a Gaussian kernel on the p-distance."""

    def k(x: Tensor, y: Tensor) -> Tensor:
        distance = torch.cdist(x.double(), y.double(), p)
        return (-distance.square() / (2 * sigma**2)).exp().mean()

    return (k(x, x) + k(y, y) - 2 * k(x, y)).item()


def compare(ours: Graphs, theirs: Graphs) -> dict[str, float]:
    """Return squared MMDs of degrees, clustering coefficients and orbits."""
    x, y = statistics(ours), statistics(theirs)
    kernels = {"degrees": (1.0, 1.0), "clustering": (0.1, 1.0), "orbits": (30.0, 2.0)}
    return {name: mmd(x[name], y[name], *kernels[name]) for name in kernels}


def compare_all(
    drawn: Mapping[str, Graphs], held_out: Graphs
) -> dict[str, dict[str, float]]:
    """Show and return each one's squared MMDs to the held-out graphs.

    `connected` is the share of them in which paths join all nodes.
    """
    found = {
        name: compare(graphs, held_out)
        | {"connected": connected(graphs).float().mean().item()}
        for name, graphs in drawn.items()
    }
    rows = [(name, *(f"{v:.3f}" for v in row.values())) for name, row in found.items()]
    table(("squared MMD", "degrees", "clustering", "orbits", "connected"), rows)
    return found
