"""Facts of BNAF (De Cao, Aziz and Titov, 2019): blocks, logarithms, and the hole."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import root_scalar
from torch import Tensor
from torch.autograd.functional import jacobian
from torch.distributions import Normal
from torch.nn.functional import softplus

from implementations.bnaf import (
    BlockAutoregressive,
    BlockLinear,
    bnaf,
    kept,
    learn_all,
    log_tanh_slope,
    predicted,
    reached,
    star,
)
from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.core.toy import eight_gaussians
from implementations.glow import Permute
from tests.support.perturb import noise

GATES = (math.inf, 20.0, 3.0, 0.0, -3.0)


def layer(
    dim: int, hidden: tuple[int, ...] = (5, 4), gate: float = 3.0, leak: float = 0.0
) -> BlockAutoregressive:
    torch.manual_seed(0)
    return BlockAutoregressive(dim, hidden, gate, leak).double()


def jacobians(f: BlockAutoregressive, x: Tensor) -> Tensor:
    return torch.stack([jacobian(lambda row: f(row[None])[0][0], row) for row in x])


def dense(block: BlockLinear) -> Tensor:
    """W, of shape (dim · out, dim · in), by masks as in eq. form: exp on the diagonal,
    rows scaled to exp(s) after they are masked."""
    dim, n_out, n_in = block.positive.shape
    v = torch.zeros(dim, n_out, dim, n_in).double()
    pair = 0
    for i in range(dim):
        for j in range(i):
            v[i, :, j] = block.free[pair]
            pair += 1
        v[i, :, i] = block.positive[i].exp()
    rows = v.reshape(dim * n_out, dim * n_in)
    lengths = block.s.exp().reshape(-1, 1)
    return lengths * rows / rows.norm(dim=1, keepdim=True)


def plain_network(f: BlockAutoregressive, x: Tensor) -> Tensor:
    """The network alone, as any other: no blocks, no logarithms."""
    h = x
    for k, block in enumerate(f.layers):
        h = (h.tanh() + f.leak * h) if k else h
        h = h @ dense(block).T + block.c.reshape(-1)
    return h


@pytest.mark.parametrize("leak", [0.0, 0.1])
@pytest.mark.parametrize("gate", GATES)
def test_it_is_a_plain_network_with_a_gate(gate: float, leak: float) -> None:
    """Oracle: autograd on a network of dense matrices."""
    f, x = layer(3, gate=gate, leak=leak), noise(20, 3)
    share = f.gate.sigmoid()
    z, log_det = f(x)
    torch.testing.assert_close(z, share * plain_network(f, x) + (1 - share) * x)
    found = torch.linalg.slogdet(jacobians(f, x)).logabsdet
    torch.testing.assert_close(log_det, found, atol=1e-12, rtol=0)


@pytest.mark.parametrize("gate", GATES)
def test_the_jacobian_is_triangular_and_rises(gate: float) -> None:
    found = jacobians(layer(4, gate=gate), 3 * noise(20, 4))
    assert not found.triu(1).any()
    assert (found.diagonal(dim1=1, dim2=2) > 0).all()
    below = found.abs().amax(0).tril(-1)
    assert (below > 0).sum() == 6


def test_rows_have_the_length_that_they_learn() -> None:
    """Scaled after masking: what is cut does not count. Scaling all of V before it is
    masked, as one may write it, gives shorter rows."""
    torch.manual_seed(0)
    block = BlockLinear(3, 4, 5).double()
    log_diagonal, below = block.weights()
    squares = below.square().sum(-1) + (2 * log_diagonal).exp().sum(-1)
    torch.testing.assert_close(squares.sqrt(), block.s.exp())
    rows = dense(block).reshape(3, 5, 3, 4)
    for i in range(3):
        torch.testing.assert_close(log_diagonal[i], rows[i, :, i].log())
        assert not rows[i, :, i + 1 :].any()
        torch.testing.assert_close(below[i, :, : 4 * i], rows[i, :, :i].flatten(1))


def test_weights_may_be_huge_or_tiny() -> None:
    """log W_ii is that of the raw numbers: exp and log would end at ±∞."""
    block = BlockLinear(2, 3, 2)
    with torch.no_grad():
        block.positive.copy_(torch.tensor([-200.0, 0.0, 90.0]).expand(2, 2, 3))
    log_diagonal, below = block.weights()
    assert log_diagonal.isfinite().all() and below.isfinite().all()
    wanted = torch.tensor([-290.0, -90.0, 0.0])
    torch.testing.assert_close(
        log_diagonal - block.s[..., None], wanted.expand(2, 2, 3)
    )
    assert block.positive.exp().isinf().any()


def test_star_is_a_product_of_matrices_in_logarithms() -> None:
    A, B = noise(2, 5, 4), 5 * noise(7, 2, 4)
    wanted = torch.einsum("doi,bdi->bdo", A.exp(), B.exp()).log()
    torch.testing.assert_close(star(A, B), wanted)
    torch.testing.assert_close(star(A, B), (A + B[:, :, None]).logsumexp(-1))


def test_star_is_associative() -> None:
    A, B, c = noise(1, 3, 5), noise(1, 5, 4, seed=2), noise(7, 1, 4, seed=3)
    first = torch.stack([star(A, column[None, None])[0, 0] for column in B[0].T], 1)
    torch.testing.assert_close(star(A, star(B, c)), star(first[None], c))


def test_star_does_not_underflow() -> None:
    A, B = noise(1, 3, 4), noise(2, 1, 4) - 5000
    found = star(A.requires_grad_(), B.requires_grad_())
    torch.testing.assert_close(found, (A + B[:, :, None]).logsumexp(-1))
    found.sum().backward()
    assert A.grad is not None and A.grad.isfinite().all()


def test_the_slope_of_tanh_has_no_log_of_zero() -> None:
    """Public code took the logarithm of autograd's slope."""
    a = torch.tensor([-30.0, 0.0, 1.0, 30.0, 1e4])
    far = -2 * a.abs() + 2 * math.log(2)
    found = log_tanh_slope(a)
    torch.testing.assert_close(found[[0, 3, 4]], far[[0, 3, 4]])
    torch.testing.assert_close(found[1:3], (1 - a[1:3].tanh().square()).log())
    assert (1 - a.tanh().square()).log().isinf().any()


def test_one_variable_rises() -> None:
    f, x = layer(1, gate=math.inf), torch.linspace(-8, 8, 200).double()[:, None]
    x.requires_grad_()
    z, log_det = f(x)
    [slope] = torch.autograd.grad(z.sum(), x)
    assert (z.diff(dim=0) > 0).all()
    torch.testing.assert_close(log_det.exp(), slope[:, 0])


def test_a_closed_gate_is_the_identity_and_an_open_one_the_network() -> None:
    x = noise(10, 3)
    z, log_det = layer(3, gate=-math.inf)(x)
    assert torch.equal(z, x) and not log_det.any()
    f = layer(3, gate=math.inf)
    torch.testing.assert_close(f(x)[0], plain_network(f, x))
    nearly = layer(3, gate=40.0)(x)
    for ours, theirs in zip(nearly, f(x), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("gate", [0.0, 3.0, -3.0])
def test_the_gate_is_that_of_the_authors(gate: float) -> None:
    """softplus(L + g) - softplus(g), of σ(g) f + (1 - σ(g)) x. Some code has the shares
    the other way round, which fails here."""
    x = noise(10, 3)
    f, network = layer(3, gate=gate), layer(3, gate=math.inf)
    j = jacobians(network, x).diagonal(dim1=1, dim2=2).log()
    g = f.gate
    theirs = (softplus(j + g) - softplus(g)).sum(1)
    torch.testing.assert_close(f(x)[1], theirs)
    swapped = (softplus(j - g) - softplus(-g)).sum(1)
    assert gate == 0 or (f(x)[1] - swapped).abs().min() > 1e-2


def test_the_published_last_layer_needs_no_limit() -> None:
    """softplus(L + g) - softplus(g) is no number for g = ∞."""
    f, x = layer(2, gate=math.inf), 1e4 * noise(5, 2)
    z, log_det = f(x)
    assert z.isfinite().all() and log_det.isfinite().all() and (log_det < -1e3).all()
    (z.sum() + log_det.sum()).backward()
    for weight in f.parameters():
        assert weight.grad is not None and weight.grad.isfinite().all()
    assert (softplus(f.gate) - softplus(f.gate)).isnan()


@pytest.mark.parametrize("gate", [math.inf, 3.0, 0.0])
def test_what_is_kept_is_the_integral_of_the_density(gate: float) -> None:
    f = layer(1, (16, 16), gate)
    x = torch.linspace(-400, 400, 400_001).double()[:, None]
    with torch.no_grad():
        p = Flow(StandardNormal((1,)).double(), f).log_prob(x).exp()
    mass = torch.trapezoid(p, x[:, 0]).item()
    assert mass == pytest.approx(kept(f, 400), abs=1e-6)
    if gate == math.inf:
        low, high = f(torch.tensor([[-1e6], [1e6]]).double())[0][:, 0]
        wanted = Normal(0.0, 1.0).cdf(high) - Normal(0.0, 1.0).cdf(low)
        assert mass == pytest.approx(wanted.item(), abs=1e-6)
        assert mass < 0.7
    else:
        assert mass == pytest.approx(1, abs=1e-6)


def test_the_share_of_noise_that_is_reached_is_the_mass() -> None:
    torch.manual_seed(0)
    f = layer(1, (16, 16), math.inf)
    share = reached(Flow(StandardNormal((1,)).double(), f), 20_000)
    assert share == pytest.approx(kept(f, 1e6), abs=0.015)


def test_noise_outside_of_the_box_has_no_data() -> None:
    """The inverse ends somewhere, without nan; a gate finds all."""
    z = torch.tensor([[9.0, 9.0], [-9.0, 3.0]]).double()
    x, log_det = layer(2, gate=math.inf).inverse(z)
    assert x.isfinite().all() and log_det.isfinite().all()
    assert (layer(2, gate=math.inf)(x)[0] - z).abs().max() > 1
    for gate in (10.0, 3.0, 0.0):
        f = layer(2, gate=gate)
        torch.testing.assert_close(f(f.inverse(z)[0])[0], z)


@pytest.mark.parametrize("gate", [math.inf, 3.0, 0.0])
def test_scipy_finds_the_same_roots(gate: float) -> None:
    """One variable after another, each by Brent's method."""
    f, x = layer(3, gate=gate), noise(4, 3)
    z = f(x)[0].detach()
    found = torch.zeros_like(x)
    for row, wanted in zip(found, z, strict=True):
        for i in range(3):

            def missed(
                value: float, row: Tensor = row, i: int = i, end: Tensor = wanted
            ) -> float:
                row[i] = value
                return (f(row[None])[0][0, i] - end[i]).item()

            row[i] = root_scalar(missed, bracket=(-50, 50), xtol=1e-13).root
    torch.testing.assert_close(found, x)
    torch.testing.assert_close(f.inverse(z)[0], x)


def test_the_inverse_has_seen_nothing_before() -> None:
    """Public code answers from a cache, and only for what `forward` made."""
    z = noise(10, 3)
    x, negated = layer(3).inverse(z)
    again, log_det = layer(3)(x)
    torch.testing.assert_close(again, z)
    torch.testing.assert_close(log_det, -negated)


def test_samples_have_gradients() -> None:
    """Of weights: those of finite differences."""
    f, z = layer(2), noise(5, 2)
    x, log_det = f.inverse(z)
    weight = f.layers[1].free
    [slope] = torch.autograd.grad(x.sum() + log_det.sum(), weight)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            weight[0, 1, 2] += step
            values.append(sum(part.sum().item() for part in f.inverse(z)))
            weight[0, 1, 2] -= step
    difference = (values[0] - values[1]) / 2e-5
    assert slope[0, 1, 2].item() == pytest.approx(difference, rel=1e-5)


def test_without_hidden_layers_it_is_a_triangular_matrix() -> None:
    f, x = layer(4, (), math.inf), noise(10, 4)
    z, log_det = f(x)
    matrix = dense(f.layers[0])
    torch.testing.assert_close(z, x @ matrix.T + f.layers[0].c[:, 0])
    wanted = torch.linalg.slogdet(matrix).logabsdet
    torch.testing.assert_close(log_det, wanted.expand(10))


@pytest.mark.parametrize(("dim", "hidden"), [(1, (3,)), (2, (16, 16)), (5, (4, 2))])
def test_numbers_to_learn(dim: int, hidden: tuple[int, ...]) -> None:
    """d a b positive and d (d-1)/2 a b free for each layer, and two for each row."""
    wanted = 1
    for a, b in zip((1, *hidden), (*hidden, 1), strict=True):
        wanted += dim * a * b + dim * (dim - 1) // 2 * a * b + 2 * dim * b
    assert size(layer(dim, hidden)) == wanted


def test_predicted_maps_take_more() -> None:
    """For 4 variables and 3 units: degrees 1, 2, 3 of 4 hidden units each."""
    numbers = 16 + 6
    first = 4 * (1 + 2 + 3) + 12
    second = 4 * (4 + 8 + 12) + 12
    last = numbers * (0 + 4 + 8 + 12) + 4 * numbers
    assert predicted(4, 3) == first + second + last
    ratio = predicted(16, 8) / size(BlockAutoregressive(16, (8, 8)))
    assert 6 < ratio < 12


def test_a_context_shifts_units_once_it_is_learned() -> None:
    torch.manual_seed(0)
    f = BlockAutoregressive(2, (4,), context=3).double()
    x, context = noise(5, 2), noise(5, 3, seed=2)
    before = f(x, context)[0]
    torch.testing.assert_close(before, f(x, context + 1)[0])
    assert f.m is not None
    with torch.no_grad():
        for weight in f.m.parameters():
            weight.copy_(torch.randn_like(weight) / 4)
    assert (f(x, context)[0] - f(x, context + 1)[0]).abs().min() > 1e-4


def test_the_stack_is_that_of_the_paper_but_for_its_last_gate() -> None:
    f = bnaf(3).bijection
    assert isinstance(f, Compose)
    kinds = [type(each) for each in f.layers]
    assert kinds == [BlockAutoregressive, Permute] * 4 + [BlockAutoregressive]
    blocks = [each for each in f.layers if isinstance(each, BlockAutoregressive)]
    assert [each.gate.item() for each in blocks] == [0, 0, 0, 0, 3]
    published = bnaf(3, last=math.inf).bijection
    assert isinstance(published, Compose)
    last = published.layers[-1]
    assert isinstance(last, BlockAutoregressive) and last.gate.isinf()


def test_flows_that_learn_side_by_side_learn_as_one_alone() -> None:
    target, seen = eight_gaussians(), []
    for gates in ((3.0,), (3.0, math.inf)):
        torch.manual_seed(0)
        normal = StandardNormal((2,))
        flows = []
        for gate in gates:
            torch.manual_seed(1)
            flows.append(Flow(normal, BlockAutoregressive(2, (4,), gate)))
        torch.manual_seed(2)
        learn_all(flows, 1, lambda: target.sample(50))
        seen.append(flows[0].log_prob(torch.ones(1, 2)).item())
        assert all(flow.log_prob(torch.ones(1, 2)).isfinite() for flow in flows)
    assert seen[0] == pytest.approx(seen[1], abs=0.05)
