"""Facts of graphical flows (Wehenkel and Louppe, 2020): graphs as masks, and cycles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import networkx as nx
import pytest
import torch
import zuko
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.distributions import MultivariateNormal, Normal

from implementations.core.bijection import Bijection, Compose, Univariate
from implementations.graphical import (
    GraphicalLayer,
    Lagrangian,
    Learner,
    SixVariables,
    acyclicity,
    adjacency,
    cut_cycles,
    depths,
    full,
    graphical,
    judge,
    learn_graph,
    log_dets,
)
from implementations.nsf import Spline
from implementations.real_nvp import Affine
from tests.support.perturb import noise, perturbed

Parents = Sequence[Sequence[int]]

CHAIN: Parents = ((), (0,), (1,), (2,))
DIAMOND: Parents = ((), (0,), (0,), (1, 2))


def layer(parents: Parents, univariate: Univariate | None = None) -> GraphicalLayer:
    g = Affine() if univariate is None else univariate
    return perturbed(GraphicalLayer(parents, g, (16,)))


def random_graph(dim: int, seed: int) -> Parents:
    """A graph with about half of the arrows of a random order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(dim, generator=generator).tolist()
    coins = torch.rand(dim, dim, generator=generator) < 0.5
    return [[j for j in of_i if coins[i, j]] for i, of_i in enumerate(full(order))]


def jacobians(f: Bijection, x: Tensor) -> Tensor:
    return torch.stack([jacobian(lambda row: f(row[None])[0][0], row) for row in x])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("univariate", [Affine, Spline])
def test_noise_depends_on_its_variable_and_its_parents_alone(
    univariate: type[Univariate], seed: int
) -> None:
    parents = random_graph(6, seed)
    found = jacobians(layer(parents, univariate()), noise(20, 6)).abs().amax(0) > 0
    assert torch.equal(found, (adjacency(parents) + torch.eye(6)).bool())


@pytest.mark.parametrize("seed", range(3))
def test_log_det_is_that_of_autograd_whatever_the_order(seed: int) -> None:
    f, x = layer(random_graph(6, seed)), noise(20, 6)
    torch.testing.assert_close(f(x)[1], log_dets(f, x))


def test_with_a_cycle_the_slopes_make_no_determinant() -> None:
    f, x = layer(CHAIN), noise(20, 4)
    f.A[0, 3] = 1
    assert (f(x)[1] - log_dets(f, x)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("parents", "passes"),
    [([()] * 4, 1), (DIAMOND, 3), (CHAIN, 4), (full(range(4)), 4)],
)
def test_the_inverse_takes_as_many_passes_as_the_longest_path_and_one(
    parents: Parents, passes: int
) -> None:
    f, x = layer(parents), noise(20, 4)
    z, log_det = f(x)
    assert f.passes == passes
    back, negated = f.inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(negated, -log_det)
    f.passes -= 1
    off = (f.inverse(z)[0] - x).abs().amax(0)
    wrong = torch.tensor([depth >= f.passes for depth in depths(parents)])
    assert torch.equal(off > 1e-6, wrong)


def test_two_layers_are_undone_the_last_one_first() -> None:
    """Public code undoes the first layer first, and leaves the reversal as it is."""
    reversed_chain = ((1,), (2,), (3,), ())
    stack, x = Compose(layer(CHAIN), layer(reversed_chain)), noise(20, 4)
    z = stack(x)[0]
    torch.testing.assert_close(stack.inverse(z)[0], x)
    for undo in stack.layers:
        z = undo.inverse(z)[0]
    assert (z - x).abs().max() > 0.1


def test_rows_are_children_and_columns_parents() -> None:
    """In libraries of graphs, rows are where an arrow starts."""
    arrows = [(j, i) for i, of_i in enumerate(DIAMOND) for j in of_i]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(4))
    graph.add_edges_from(arrows)
    theirs = torch.from_numpy(nx.to_numpy_array(graph)).float()
    assert torch.equal(adjacency(DIAMOND), theirs.T)
    assert max(depths(DIAMOND)) == nx.dag_longest_path_length(graph)
    seen = jacobians(layer(DIAMOND), noise(20, 4))[:, 3].abs().amax(0) > 0
    assert seen.tolist() == [False, True, True, True]


@pytest.mark.parametrize("seed", range(3))
def test_zuko_has_the_same_dependencies_and_passes(seed: int) -> None:
    parents = random_graph(6, seed)
    ours = layer(parents)
    mask: Any = adjacency(parents).bool() | torch.eye(6).bool()
    theirs = zuko.flows.MaskedAutoregressiveTransform(6, adjacency=mask).double()
    assert theirs.passes == ours.passes
    torch.manual_seed(0)
    for weight in theirs.parameters():
        nn.init.normal_(weight)
    x = noise(20, 6)
    found = [
        torch.stack([jacobian(f, row) for row in x]).abs().amax(0) > 0
        for f in (theirs(), lambda row: ours(row[None])[0][0])
    ]
    assert torch.equal(*found)


def test_zuko_finds_the_same_points_with_our_conditioner() -> None:
    """Its fixed-point inverse, of our maps, in as many passes."""
    f, z = layer(random_graph(6, 0)), noise(20, 6)

    def meta(x: Tensor) -> zuko.transforms.Transform:
        s, t = f.m(x, f.A).unbind(-1)
        assert isinstance(f.univariate, Affine)
        s = f.univariate.a * s.tanh()
        # zuko bounds its log-scales, smoothly: hand it what it turns into ours.
        affine = zuko.transforms.MonotonicAffineTransform(t, s / (1 - s.abs() / 6.9078))
        return zuko.transforms.DependentTransform(affine, 1)

    theirs = zuko.transforms.AutoregressiveTransform(meta, f.passes)
    torch.testing.assert_close(theirs.inv(z), f.inverse(z)[0], atol=1e-4, rtol=1e-4)


def graphs_of_three() -> list[tuple[Tensor, nx.DiGraph]]:
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    found = []
    for kept in product((False, True), repeat=6):
        A, graph = torch.zeros(3, 3), nx.DiGraph()
        graph.add_nodes_from(range(3))
        for (i, j), there in zip(pairs, kept, strict=True):
            if there:
                A[i, j] = 1
                graph.add_edge(j, i)
        found.append((A, graph))
    return found


def test_w_is_zero_where_there_is_no_cycle_and_only_there() -> None:
    """All 64 graphs of three variables."""
    for A, graph in graphs_of_three():
        acyclic = nx.is_directed_acyclic_graph(graph)
        assert (acyclicity(A.double()).abs().item() < 1e-12) == acyclic
        parents = [row.nonzero()[:, 0].tolist() for row in A]
        if acyclic:
            assert max(depths(parents)) == nx.dag_longest_path_length(graph)
            layer(parents)
        else:
            with pytest.raises(ValueError, match="no cycle, got"):
                layer(parents)


@pytest.mark.parametrize("length", range(1, 7))
def test_w_counts_closed_walks(length: int) -> None:
    """A single cycle of k arrows of D = 6 adds k C(6, k) / 6^k, or more."""
    A = torch.zeros(6, 6).double()
    for i in range(length):
        A[(i + 1) % length, i] = 1
    walks = sum(
        torch.linalg.matrix_power(A, k).trace().item()
        * torch.tensor([6, 15, 20, 15, 6, 1])[k - 1].item()
        / 6**k
        for k in range(1, 7)
    )
    assert acyclicity(A).item() == pytest.approx(walks, rel=1e-9) and walks > 1e-5


def test_a_parent_that_is_no_variable_is_refused() -> None:
    with pytest.raises(ValueError, match="expected parents from 0 to 1"):
        graphical(((), (2,)))


def test_without_arrows_variables_are_independent() -> None:
    flow = perturbed(graphical([()] * 3, (8,)))
    x, y = noise(10, 3), noise(10, 3, seed=2)
    mixed = [torch.where(torch.arange(3) == k, y, x) for k in range(3)]
    changes = sum(flow.log_prob(each) - flow.log_prob(x) for each in mixed)
    torch.testing.assert_close(changes, flow.log_prob(y) - flow.log_prob(x))


def test_on_a_chain_the_next_variable_forgets_the_first() -> None:
    """p(x_2 | x_0, x_1) is the same for every x_0."""
    flow, x = perturbed(graphical(((), (0,), (1,)), (8,))), noise(10, 3)
    last, first = x.clone(), x.clone()
    last[:, 2], first[:, 0] = 0.7, -1.2
    both = first.clone()
    both[:, 2] = 0.7
    by_first = [
        flow.log_prob(a) - flow.log_prob(b) for a, b in ((x, last), (first, both))
    ]
    torch.testing.assert_close(*by_first)
    middle = x.clone()
    middle[:, 1] = 0.4
    other = middle.clone()
    other[:, 2] = 0.7
    assert (
        flow.log_prob(middle) - flow.log_prob(other) - by_first[0]
    ).abs().max() > 0.01


def test_names_do_not_matter() -> None:
    """Variables, graph and one-hot vectors in another order: the same density."""
    parents, order = random_graph(5, 0), [3, 0, 4, 1, 2]
    place = {i: k for k, i in enumerate(order)}
    renamed = [[place[j] for j in parents[i]] for i in order]
    one, other = layer(parents), layer(renamed)
    first, its = (f.m.m[0] for f in (one, other))
    assert isinstance(first, nn.Linear) and isinstance(its, nn.Linear)
    with torch.no_grad():
        its.weight.copy_(first.weight[:, [*order, *(5 + i for i in order)]])
    x = noise(10, 5)
    for ours, theirs in zip(one(x), other(x[:, order]), strict=True):
        ours = ours[:, order] if ours.ndim == 2 else ours
        torch.testing.assert_close(ours, theirs)


def test_the_one_hot_vector_says_for_whom_the_network_works() -> None:
    """On the wrong axis, it would say of which event of the batch."""
    f = layer([()] * 4)
    params = f.m(noise(4, 4), f.A)
    assert (params == params[:1]).all()
    assert (params[0, 0] - params[0, 1]).abs().min() > 1e-3


def test_full_graphs_and_couplings_are_autoregressive_layers_and_couplings() -> None:
    triangular = jacobians(layer(full(range(4))), noise(20, 4)).abs().amax(0) > 0
    assert torch.equal(triangular, torch.ones(4, 4).tril().bool())
    f, x = layer(((), (), (0, 1), (0, 1))), noise(20, 4)
    halves = jacobians(f, x)
    assert f.passes == 2 and not halves[:, :2, 2:].any()
    assert not halves[:, 2, 3].any() and (halves[:, 2:, :2].abs() > 0).all()


# Learning.


def test_probabilities_are_those_of_the_authors() -> None:
    """tanh(a²) = 2 (σ(2a²) - ½)."""
    learner = Learner(4).double()
    p = learner.probabilities()
    theirs = 2 * ((2 * learner.a.square()).sigmoid() - 0.5)
    torch.testing.assert_close(p, theirs.fill_diagonal_(0))
    assert not p.diagonal().any()


def test_no_variable_ever_steers_itself() -> None:
    torch.manual_seed(0)
    drawn = Learner(4).draw(1000)
    assert drawn.diagonal(dim1=1, dim2=2).max() < 1e-3


def test_coins_fall_as_often_as_they_should() -> None:
    torch.manual_seed(0)
    learner = Learner(3)
    with torch.no_grad():
        learner.a.copy_(torch.tensor([[9.0, 0.3, 0.8], [1.2, 9.0, 0.0], [0.5, 1.0, 9]]))
        often = (learner.draw(40_000) > 0.5).float().mean(0)
    torch.testing.assert_close(often, learner.probabilities(), atol=0.01, rtol=0)


def test_each_event_has_a_graph_of_its_own() -> None:
    torch.manual_seed(0)
    drawn = Learner(4).draw(2)
    assert (drawn[0] - drawn[1]).abs().max() > 0.01


def test_the_score_is_a_log_density_where_arrows_are_sure() -> None:
    """Up to the constant of the normal."""
    learner = Learner(4, (16,)).double()
    perturbed(learner.m)
    with torch.no_grad():
        learner.a.copy_(6 * adjacency(DIAMOND))
    flow = graphical(DIAMOND, (16,)).double()
    f = flow.bijection
    assert isinstance(f, GraphicalLayer)
    f.m.load_state_dict(learner.m.state_dict())
    f.univariate.load_state_dict(learner.univariate.state_dict())
    x = noise(20, 4)
    constant = Normal(0.0, 1.0).log_prob(torch.tensor(0.0)).double() * 4
    torch.testing.assert_close(
        learner.score(x) + constant, flow.log_prob(x), atol=1e-2, rtol=0
    )


def test_multipliers_grow_until_w_halves() -> None:
    constraint = Lagrangian(2)
    w = torch.tensor(0.8)
    assert constraint(w).item() == pytest.approx(0.05 * 0.64)
    constraint(w)
    # There was no w before, so it counts as one that shrank.
    assert (constraint.multiplier, constraint.mu) == (pytest.approx(0.08), 0.1)
    constraint(w)
    constraint(w)
    assert constraint.mu == pytest.approx(0.3)
    assert constraint.multiplier == pytest.approx(0.08 + 0.08)
    small = torch.tensor(0.1)
    constraint(small)
    constraint(small)
    assert constraint.mu == pytest.approx(0.3)


def test_cycles_are_cut_at_their_weakest_arrow() -> None:
    p = torch.tensor([[0.0, 0.05, 0.3], [0.9, 0.0, 0.0], [0.0, 0.8, 0.0]])
    assert cut_cycles(p) == [[], [0], [1]]
    assert cut_cycles(torch.tensor([[0.0, 1.0], [1.0, 0.0]])) == [[], []]


def test_units_do_not_matter_when_a_graph_is_learned() -> None:
    """Else spreads that grow along the arrows would tell their order."""
    x, learned = noise(200, 3), []
    for units in (torch.ones(3), torch.tensor([1.0, 20.0, 300.0])):
        torch.manual_seed(0)
        learned.append(learn_graph(5 - units * x, steps=3))
    assert learned[0].shape == (4, 3, 3)
    torch.testing.assert_close(*learned)


def test_arrows_are_judged_one_by_one() -> None:
    assert judge(DIAMOND, DIAMOND) == {
        **{"right": 4, "reversed": 0, "too many": 0, "missed": 0}
    }
    found = judge(((), (0, 3), (3,), (0,)), DIAMOND)
    assert found == {"right": 1, "reversed": 2, "too many": 1, "missed": 1}


# Data.


def test_the_six_variables_have_their_density() -> None:
    torch.manual_seed(0)
    truth = SixVariables().double()
    x = truth.sample(40_000)
    entropy = 6 * Normal(0.0, 1.0).entropy() + 5 * torch.tensor(0.5).log()
    off = truth.log_prob(x) + entropy
    assert off.mean().abs() < 4 * off.std() / 200
    noise_of = (x - truth.means(x)) / truth.scales
    torch.testing.assert_close(
        noise_of.T.cov(), torch.eye(6).double(), atol=0.04, rtol=0
    )
    seen = jacobian(lambda row: truth.means(row[None])[0], x[0]).abs() > 0
    assert torch.equal(seen, adjacency(truth.parents).bool())


def test_both_arrows_between_two_gaussians_have_one_density() -> None:
    """So no likelihood tells them apart."""
    covariance = torch.tensor([[2.0, 0.9], [0.9, 0.8]]).double()
    exact = MultivariateNormal(torch.zeros(2).double(), covariance)
    x = noise(10, 2)
    for child, parent in ((0, 1), (1, 0)):
        slope = covariance[child, parent] / covariance[parent, parent]
        rest = covariance[child, child] - slope * covariance[child, parent]
        first = Normal(0, covariance[parent, parent].sqrt()).log_prob(x[:, parent])
        second = Normal(slope * x[:, parent], rest.sqrt()).log_prob(x[:, child])
        torch.testing.assert_close(first + second, exact.log_prob(x))
