"""Facts of graph normalizing flows (Liu, Kumar, Ba, Kiros and Swersky, 2019)."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import TypeVar

import networkx as nx
import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.flow import Flow
from implementations.core.graphs import Graphs, dense
from implementations.core.held import Held
from implementations.core.reversible import reversible
from implementations.gnf import (
    AutoEncoder,
    HalfStep,
    MessagePassing,
    backpropagate,
    gnf,
    gradients,
)
from tests.support.perturb import noise

M = TypeVar("M", bound=nn.Module)


def perturbed(module: M, seed: int = 0, spread: float = 0.5) -> M:
    """Return the module in float64 with weights away from their start."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            fan_in = max(1, weight.shape[1:].numel())
            weight.add_(torch.randn_like(weight), alpha=spread / fan_in**0.5)
    return module.double()


def layers(flow: Flow) -> list[Bijection]:
    assert isinstance(flow.bijection, Compose)
    return list(flow.bijection.layers)


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


SIZES = torch.tensor([[4.0], [6.0], [1.0], [3.0], [5.0]]).double()


def sized() -> tuple[Flow, Tensor]:
    """Return a flow over at most 6 nodes, and sets of 4, 6, 1, 3 and 5 of them."""
    return perturbed(gnf(6, 4, 3, 8, sized=True)), noise(5, 6, 4)


def test_a_half_step_is_the_formula_and_keeps_its_half() -> None:
    layer = perturbed(HalfStep(5, 4, 8, swap=False))
    x = noise(3, 5, 4)
    z, log_det = layer(x)
    kept, moved = x.chunk(2, -1)
    everyone = torch.ones(1, 5, 5, dtype=torch.bool)
    f1, f2 = layer.m(kept, everyone).unflatten(-1, (2, 2)).unbind(-1)
    s = layer.univariate.a * f1.tanh()
    close(z, torch.cat((kept, moved * s.exp() + f2), -1))
    close(log_det, s.sum((1, 2)))
    other = perturbed(HalfStep(5, 4, 8, swap=True))
    z = other(x)[0]
    assert torch.equal(z[..., 2:], x[..., 2:]) and (z[..., :2] != x[..., :2]).all()


def test_log_det_and_round_trip() -> None:
    """On 4 nodes of 4 features: the Jacobian of all 16 numbers at once."""
    flow = perturbed(gnf(4, 4, 3, 8))
    x = noise(5, 4, 4)
    z, log_det = flow.bijection(x)
    jacobian = vmap(jacrev(lambda x: flow.bijection(x[None])[0].flatten()))(x)
    close(log_det, torch.linalg.slogdet(jacobian.flatten(2)).logabsdet)
    close(flow.bijection.inverse(z)[0], x)
    assert log_det.std() > 0.01


def test_nodes_hear_each_other() -> None:
    """Not so a flow of independent nodes, whose Jacobian would be block diagonal."""
    flow = perturbed(gnf(3, 2, 2, 8))
    x = noise(1, 3, 2)
    jacobian = vmap(jacrev(lambda x: flow.bijection(x[None])[0][0]))(x)[0]
    for v, u in combinations(range(3), 2):
        assert jacobian[v, :, u].abs().max() > 1e-3


def test_permuted_nodes_give_permuted_noise_and_the_same_density() -> None:
    flow = perturbed(gnf(6, 4, 3, 8))
    x = noise(5, 6, 4)
    z, log_det = flow.bijection(x)
    for seed in range(3):
        order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
        permuted, same = flow.bijection(x[:, order])
        close(permuted, z[:, order])
        close(same, log_det)
        close(flow.log_prob(x[:, order]), flow.log_prob(x))
        close(flow.bijection.inverse(z[:, order])[0], x[:, order])


def test_graphs_of_fewer_nodes_are_as_if_there_were_no_others() -> None:
    flow, x = sized()
    z, log_det = flow.bijection(x, SIZES)
    log_prob = flow.log_prob(x, SIZES)
    for row, n in enumerate(SIZES[:, 0].int().tolist()):
        alone = gnf(n, 4, 3, 8).double()
        alone.load_state_dict(flow.state_dict())
        only = x[row : row + 1, :n]
        close(z[row : row + 1, :n], alone.bijection(only)[0])
        close(log_det[row : row + 1], alone.bijection(only)[1])
        close(log_prob[row : row + 1], alone.log_prob(only))


def test_what_fills_up_changes_nothing_and_does_not_change() -> None:
    flow, x = sized()
    filled = torch.arange(6)[None, :, None] >= SIZES[..., None]
    other = torch.where(filled, 100 * noise(5, 6, 4, seed=2), x)
    for f in (flow.bijection, flow.bijection.inverse):
        z, log_det = f(x, SIZES)
        again, same = f(other, SIZES)
        assert torch.equal(torch.where(filled, 0, z), torch.where(filled, 0, again))
        assert torch.equal(log_det, same)
    assert torch.equal(flow.log_prob(x, SIZES), flow.log_prob(other, SIZES))
    sample = flow.base.sample(5, SIZES)
    assert (sample[filled.expand_as(sample)] == 0).all()
    assert (sample[~filled.expand_as(sample)] != 0).all()


def test_half_steps_leave_what_fills_up_where_it_is() -> None:
    layer = perturbed(HalfStep(6, 4, 8, swap=False, context=1))
    x = noise(5, 6, 4)
    filled = torch.arange(6)[None, :] >= SIZES
    z, log_det = layer(x, SIZES)
    assert torch.equal(z[filled], x[filled])
    assert (z[~filled][:, 2:] != x[~filled][:, 2:]).all() and (log_det != 0).all()


def test_the_density_of_one_node_integrates_to_one() -> None:
    flow = perturbed(gnf(1, 2, 3, 8))
    x = torch.linspace(-12, 12, 600, dtype=torch.float64)
    with torch.no_grad():
        p = flow.log_prob(torch.cartesian_prod(x, x)[:, None]).exp()
    assert (p.sum() * (x[1] - x[0]) ** 2).item() == pytest.approx(1, abs=1e-4)


def test_it_starts_as_mirrors_only() -> None:
    flow = gnf(5, 4, 3, 8).double()
    x = noise(4, 5, 4)
    z, log_det = flow.bijection(x)
    close(z.square().sum((1, 2)), x.square().sum((1, 2)))
    assert (log_det == 0).all()


@pytest.mark.parametrize("context", [None, SIZES])
def test_recomputed_gradients_are_those_of_backpropagation(
    context: Tensor | None,
) -> None:
    flow = perturbed(gnf(6, 4, 8, 8, sized=context is not None))
    weight = noise(5, 6, 4, seed=3)
    found = []
    for run in (flow.bijection, lambda x, n: reversible(layers(flow), x, n)):
        flow.zero_grad()
        x = noise(5, 6, 4).requires_grad_()
        z, log_det = run(x, context)
        ((weight * z).sum() + (log_det.square()).sum()).backward()
        assert x.grad is not None
        grads = [p.grad.flatten() for p in flow.parameters() if p.grad is not None]
        found.append(torch.cat((z.flatten(), log_det, x.grad.flatten(), *grads)))
    assert found[0].isfinite().all() and len(found[0]) > 2000
    close(found[1], found[0])


def test_the_readable_loop_is_the_reversible_function() -> None:
    flow, x = perturbed(gnf(6, 4, 8, 8)), noise(5, 6, 4)
    found = []
    for readable in (True, False):
        flow.zero_grad()
        if readable:
            backpropagate(flow, x)
        else:
            z, log_det = reversible(layers(flow), x)
            (flow.base.log_prob(z) + log_det).sum().backward()
        grads = [p.grad.flatten() for p in flow.parameters() if p.grad is not None]
        found.append(torch.cat(grads))
    assert found[0].norm() > 1
    close(found[0], found[1], 1e-12)


def test_recomputing_holds_the_same_at_every_depth() -> None:
    x = noise(4, 6, 4)
    stored, anew = [], []
    for depth in (2, 4, 8, 16, 32, 64):
        flow = perturbed(gnf(6, 4, depth, 8), spread=0.02)
        stored.append(gradients(flow, x, recompute=False)[1])
        anew.append(gradients(flow, x, recompute=True)[1])
    assert len(set(anew)) == 1
    for before, after in pairwise(stored):
        assert 1.9 < after / before < 2.1
    assert anew[0] < stored[0]


def test_gradients_are_exact_through_64_steps() -> None:
    flow = perturbed(gnf(6, 4, 64, 8), spread=0.05)
    stored, anew = (gradients(flow, noise(4, 6, 4), r)[0] for r in (False, True))
    assert ((anew - stored).norm() / stored.norm()).item() < 1e-10


def test_held_bytes_are_counted_once_and_given_back() -> None:
    held = Held(nn.Identity())
    x = torch.ones(10, requires_grad=True)
    with held.hooks:
        y = x * x  # holds x twice
        z = y.exp()  # holds its result
    assert (held.now, held.peak) == (80, 80)
    del y, z
    assert (held.now, held.peak) == (0, 80)


def test_messages_come_from_neighbours_only() -> None:
    m = perturbed(MessagePassing(3, 2, 8))
    h = noise(1, 4, 3)
    path = torch.eye(4).bool()[None]
    for v in range(3):
        path[0, v, v + 1] = path[0, v + 1, v] = True
    jacobian = jacrev(lambda h: m(h, path)[0])(h)[:, :, 0]
    heard = jacobian.abs().amax((1, 3)) > 1e-12
    assert torch.equal(heard, path[0])
    assert m(h, torch.zeros_like(path)).isfinite().all()


def places(n: int = 7) -> tuple[AutoEncoder, Tensor]:
    return AutoEncoder(3).double(), noise(2, n, 3)


def test_the_decoder_reads_distances() -> None:
    coder, x = places()
    logits = coder.logits(x)
    assert torch.equal(logits, logits.mT)
    turn = torch.linalg.qr(noise(3, 3)).Q
    close(coder.logits(x @ turn + 2), logits)
    apart = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 0.5, 0]]]).double()
    p = coder.logits(apart).sigmoid()[0]
    assert p[0, 1].item() == pytest.approx(0.5)
    assert p[0, 2].item() == pytest.approx(1 / (1 + math.exp(10 * (0.25 - 1))))


def test_the_loss_is_that_of_all_pairs_of_different_nodes() -> None:
    coder, x = places(4)
    edges = dense([nx.path_graph(3), nx.cycle_graph(4)], 4).edges.double()
    graphs = Graphs(edges, torch.tensor([[3.0], [4.0]]))
    p = coder.logits(x).sigmoid().detach()
    total, pairs = 0.0, 0
    for row, n in enumerate((3, 4)):
        for v, u in combinations(range(n), 2):
            there = edges[row, v, u] == 1
            total -= 2 * math.log(p[row, v, u] if there else 1 - p[row, v, u])
            pairs += 2
    loss = coder.cross_entropy(graphs, x).item()
    assert loss == pytest.approx(total / pairs)


def test_encodings_follow_permutations_and_ignore_what_fills_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coder = perturbed(AutoEncoder(3, noise=5, width=8))
    graphs = dense([nx.path_graph(5), nx.star_graph(3)], 6)
    graphs = Graphs(graphs.edges.double(), graphs.n.double())
    start = noise(2, 6, 5)
    order = torch.tensor([3, 1, 4, 0, 2, 5])
    monkeypatch.setattr(torch, "randn", lambda *_, **__: start)
    x = coder.encode(graphs)
    monkeypatch.setattr(torch, "randn", lambda *_, **__: start[:, order])
    permuted = Graphs(graphs.edges[:, order][:, :, order], graphs.n)
    close(coder.encode(permuted), x[:, order])
    start[1, 4:] += 1
    monkeypatch.setattr(torch, "randn", lambda *_, **__: start)
    close(coder.encode(graphs)[1, :4], x[1, :4])
