"""Facts of MADE (Germain, Gregor, Murray and Larochelle, 2015)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import pytest
import torch
from nflows.transforms.made import MADE as Peer
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

from implementations.core.bijection import Inverse
from implementations.core.nets import mlp
from implementations.made import (
    MADE,
    Autoregressive,
    Binary,
    Gaussian,
    MaskedLinear,
    MaskedMLP,
    draw_by_passes,
    logits,
    made,
    mask,
    reconstruction,
    spread,
)
from implementations.nice import Shift

M = TypeVar("M", bound=nn.Module)

ORDERS = [(0, 1, 2, 3, 4), (3, 1, 4, 0, 2), (4, 3, 2, 1, 0)]
NETS: dict[str, Callable[[], MaskedMLP]] = {
    "plain": lambda: MaskedMLP(5, 2, (16, 12)),
    "orders": lambda: MaskedMLP(5, 2, (16, 12), ORDERS),
    "direct": lambda: MaskedMLP(5, 1, (8,), ORDERS, direct=True),
    "context": lambda: MaskedMLP(5, 3, (16, 9), ORDERS, context=2, direct=True),
    "no hidden layer": lambda: MaskedMLP(5, 2, (), ORDERS),
    "few units": lambda: MaskedMLP(5, 2, (3, 2, 7), ORDERS),
    "one component": lambda: MaskedMLP(1, 2, (4,), direct=True),
    "one component, context": lambda: MaskedMLP(1, 2, (4,), context=3),
}


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest) -> MaskedMLP:
    return perturbed(NETS[request.param]())


def perturbed(module: M, seed: int = 0) -> M:
    """Return the module in float64, with random weights."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return module.double()


def data(net: MaskedMLP, n: int = 6) -> tuple[Tensor, Tensor | None]:
    x = torch.randn(n, net.dim, dtype=torch.float64)
    return x, torch.randn(n, net.context, dtype=x.dtype) if net.context else None


def states(dim: int) -> Tensor:
    return torch.cartesian_prod(*[torch.arange(2).double()] * dim).reshape(-1, dim)


def paths(net: MaskedMLP, k: int) -> Tensor:
    """The number of paths from each input to each output, of shape (D, P, inputs)."""
    count = net.output.mask(k).double()
    for layer in reversed(net.hidden):
        count = count @ layer.mask(k).double()
    if net.direct is not None:
        count = count + net.direct.mask(k)
    return count.unflatten(0, (net.dim, net.n_params))


def test_outputs_see_what_is_before_them_and_nothing_else(net: MaskedMLP) -> None:
    for k in range(net.masks):
        place = net.place[k]
        before = place[:, None] > place
        seen = paths(net, k)
        assert (seen[:, :, : net.context] > 0).all()
        assert not seen[:, :, net.context :][
            ~before[:, None].expand_as(seen[:, :, net.context :])
        ].any()


def test_with_units_enough_outputs_see_all_that_is_before_them() -> None:
    net = MaskedMLP(5, 2, (16, 12), ORDERS)
    for k, order in enumerate(ORDERS):
        seen = (paths(net, k)[list(order)][..., list(order)] > 0).all(1)
        assert torch.equal(seen, torch.ones(5, 5).tril(-1).bool())


def test_the_jacobian_is_strictly_triangular_in_every_order(net: MaskedMLP) -> None:
    x, context = data(net)
    for k in range(net.masks):

        def one(x: Tensor, context: Tensor | None, k: int = k) -> Tensor:
            return net(x[None], None if context is None else context[None], k)[0]

        dims = (0, None if context is None else 0)
        jacobian = vmap(jacrev(one), in_dims=dims)(x, context)
        order = net.place[k].argsort()
        assert (jacobian[:, order][..., order].movedim(2, 1).triu() == 0).all()


def test_what_comes_later_changes_no_bit(net: MaskedMLP) -> None:
    x, context = data(net)
    for k in range(net.masks):
        for d in range(net.dim):
            moved = x.clone()
            moved[:, d] += 1
            same = net.place[k] <= net.place[k, d]
            before, after = net(x, context, k), net(moved, context, k)
            assert torch.equal(before[:, same], after[:, same])


def test_the_network_is_not_linear_in_a_context_where_the_first_sees_no_more() -> None:
    net = perturbed(MaskedMLP(3, 1, (16,), context=2))
    x, context = data(net, 9)
    assert context is not None
    first = [net(x, scale * context)[:, 0] for scale in (0, 1, 2)]
    assert (first[2] - first[1] - (first[1] - first[0])).abs().max() > 1e-3


def test_degrees_are_spread_evenly_and_the_same_for_all_masks() -> None:
    assert spread(6, 1, 3) == [1, 1, 2, 2, 3, 3]
    assert spread(2, 1, 4) == [1, 3]
    assert spread(3, 0, 0) == [0, 0, 0]
    torch.manual_seed(0)
    net = MaskedMLP(5, 1, (16, 12), ORDERS)
    for layer in net.hidden:
        first, *others = layer.after
        assert torch.equal(first, first.sort().values)
        assert all(torch.equal(other.sort().values, first) for other in others)
        assert not any(torch.equal(other, first) for other in others)


def slow(net: MaskedMLP, z: Tensor, context: Tensor | None, k: int) -> Tensor:
    """Solve x_i = sin z_i + Σ params_i with a pass of the network for each i."""
    x = torch.zeros_like(z)
    for i in net.place[k].argsort().tolist():
        x = x.clone()
        x[:, i] = z[:, i].sin() + net(x, context, k)[:, i].sum(-1)
    return x


def test_unrolling_agrees_with_a_pass_for_each_component(net: MaskedMLP) -> None:
    z, context = data(net)
    for k in range(net.masks):
        x = net.unroll(z, lambda z_i, params: z_i.sin() + params.sum(-1), context, k)
        expected = slow(net, z, context, k)
        torch.testing.assert_close(x, expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(), (128,), (128, 128)])
def test_unrolling_takes_half_the_multiplications_of_one_pass(
    hidden: tuple[int, ...],
) -> None:
    f, x = Autoregressive(32, Shift(), hidden), torch.randn(4, 32)
    with FlopCounterMode(display=False) as forward:
        f(x)
    with FlopCounterMode(display=False) as inverse:
        f.inverse(x)
    ratio = inverse.get_total_flops() / forward.get_total_flops()
    assert 0.45 < ratio < 0.55


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("direction", [lambda f: f, Inverse])
def test_bijections_are_triangular_in_their_order(
    order: tuple[int, ...], direction: Callable
) -> None:
    f = perturbed(direction(Autoregressive(5, Shift(), (64, 64), order)))
    x = torch.randn(20, 5, dtype=torch.float64)
    jacobian = vmap(jacrev(lambda x: f(x[None])[0][0]))(x)[:, order][..., order]
    assert (jacobian.triu() == torch.eye(5)).all()
    assert (jacobian != 0).any(0)[torch.ones(5, 5).tril().bool()].all()


@pytest.mark.parametrize("context", [0, 2])
def test_probabilities_sum_to_one_under_every_mask(context: int) -> None:
    torch.manual_seed(1)
    model = perturbed(made(8, (20, 20), masks=3, context=context))
    x = states(8)
    given = torch.randn(1, context).double().expand(len(x), -1) if context else None
    for k in range(3):
        total = model.log_prob_under(k, x, given).exp().sum().item()
        assert total == pytest.approx(1, abs=1e-12)
    assert model.log_prob(x, given).exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert len({model.log_prob_under(k, x, given)[7].item() for k in range(3)}) == 3


def test_those_of_an_autoencoder_do_not() -> None:
    copier = perturbed(mlp(8, 8, (20,)))
    assert abs(reconstruction(copier, states(8)).exp().sum().item() - 1) > 0.1


def test_one_dimension_is_a_coin() -> None:
    model = perturbed(made(1, (4,), masks=2))
    zero, one = model.log_prob(states(1)).exp().tolist()
    assert zero + one == pytest.approx(1, abs=1e-12) and 0.01 < one < 0.99


def test_log_probability_is_minus_the_cross_entropy() -> None:
    model, x = perturbed(MADE(8, Binary(), (20,))), states(8)
    logits = model.m(x).squeeze(-1)
    expected = -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    torch.testing.assert_close(model.log_prob(x), expected)


def test_models_are_averaged_as_probabilities() -> None:
    model, x = perturbed(made(6, (20,), masks=4)), states(6)
    members = torch.stack([model.log_prob_under(k, x) for k in range(4)])
    torch.testing.assert_close(model.log_prob(x), members.exp().mean(0).log())
    assert (model.log_prob(x) >= members.mean(0)).all()


@pytest.mark.parametrize("masks", [1, 3])
def test_samples_follow_their_probabilities(masks: int) -> None:
    model = perturbed(made(4, (12,), masks=masks))
    torch.manual_seed(0)
    n = 200_000
    x = model.sample(n)
    assert x.shape == (n, 4) and x.dtype == torch.float64
    places = torch.tensor([8.0, 4.0, 2.0, 1.0]).double()
    seen = torch.bincount((x @ places).long(), minlength=16) / n
    expected = model.log_prob(states(4)).exp()
    assert (seen - expected).abs().max() < 5 * 0.5 / n**0.5


def test_samples_follow_their_contexts() -> None:
    model = perturbed(made(3, (12,), masks=3, context=1))
    context = torch.tensor([[-1.0], [2.0]]).double().repeat(50_000, 1)
    torch.manual_seed(0)
    x = model.sample(len(context), context)
    for row in range(2):
        p = model.log_prob(states(3), context[row].expand(8, 1)).exp() @ states(3)
        assert (x[row::2].mean(0) - p).abs().max() < 5 * 0.5 / 50_000**0.5


def test_gaussian_outputs_are_a_density() -> None:
    model = perturbed(MADE(2, Gaussian(), (8,), orders=[(1, 0), (0, 1)]))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.3)
        side = torch.linspace(-12, 12, 1201).double()
        q = model.log_prob(torch.cartesian_prod(side, side)).exp()
        assert (q.sum() * (side[1] - side[0]) ** 2).item() == pytest.approx(1, abs=1e-3)
        torch.manual_seed(0)
        x = model.sample(100_000)
        p = q / q.sum()
        mean = p @ torch.cartesian_prod(side, side)
    assert (x.mean(0) - mean).abs().max() < 0.03


def test_starts_as_fair_coins_or_standard_normal() -> None:
    model = made(7, (12,), masks=2)
    assert torch.equal(
        model.log_prob(torch.zeros(3, 7)), 7 * torch.full((3,), 0.5).log()
    )
    x = torch.randn(5, 3)
    expected = torch.distributions.Normal(0, 1).log_prob(x).sum(1)
    start = MADE(3, Gaussian(), (8,)).log_prob(x)
    torch.testing.assert_close(start, expected)


def test_masks_are_saved_with_the_weights() -> None:
    x = states(6)
    first, second = (perturbed(made(6, (20,), masks=3), seed) for seed in (0, 1))
    assert not torch.equal(first.m.place, second.m.place)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.log_prob(x), second.log_prob(x))
    torch.manual_seed(0)
    sample = first.sample(50)
    torch.manual_seed(0)
    assert torch.equal(second.sample(50), sample)


def test_a_model_of_several_masks_can_be_built_on_meta() -> None:
    x, source = states(6), perturbed(made(6, (20,), masks=3))
    with torch.device("meta"):
        model = made(6, (20,), masks=3)
    assert model.log_prob(x.to("meta")).shape == (len(x),)
    model.load_state_dict(source.state_dict(), assign=True)
    assert torch.equal(model.log_prob(x), source.log_prob(x))
    assert model.sample(3).shape == (3, 6)


def test_masked_weights_have_no_gradient_and_keep_their_values() -> None:
    model, x = perturbed(MADE(6, Binary(), (20, 20))), states(6)
    layers = [layer for layer in model.modules() if isinstance(layer, MaskedLinear)]
    assert len(layers) == 4
    before = [layer.weight.clone() for layer in layers]
    model.log_prob(x).sum().backward()
    for layer, weight in zip(layers, before, strict=True):
        assert layer.weight.grad is not None
        assert (layer.weight.grad[~layer.mask()] == 0).all()
        assert torch.equal(layer.weight, weight)


def test_defaults_are_those_for_mnist() -> None:
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(made).parameters.items()
    }
    assert defaults["hidden"] == (8000, 8000) and defaults["masks"] == 32
    model = made(9, (30,))
    assert model.m.masks == 32 and model.m.direct is not None
    assert len({tuple(place.tolist()) for place in model.m.place}) == 32
    assert isinstance(model.m.activation, nn.ReLU)


def test_wrong_input_is_refused() -> None:
    model = made(4, (8,), masks=2, context=1)
    context = torch.zeros(3, 1)
    for wrong, message in [
        (torch.zeros(3, 5), "MADE: expected x of shape (batch, 4), got (3, 5)"),
        (torch.zeros(4), "MADE: expected x of shape (batch, 4), got (4,)"),
        (torch.zeros(3, 4).long(), "MADE: expected floating-point x, got torch.int64"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            model.log_prob(wrong, context)
    message = "MADE: expected context of shape (3, 1), got none"
    for run in (lambda: model.log_prob(torch.zeros(3, 4)), lambda: model.sample(3)):
        with pytest.raises(ValueError, match=re.escape(message)):
            run()
    message = "MaskedMLP: expected an order of 0 … 2, got [0, 0, 1]"
    with pytest.raises(ValueError, match=re.escape(message)):
        Autoregressive(3, Shift(), order=(0, 0, 1))


def test_what_is_no_number_of_events_is_refused() -> None:
    with pytest.raises(ValueError, match="MADE: expected a number of events, 0 or"):
        made(3, (4,), masks=2).sample(-1)


def test_empty_batches_are_fine_and_bad_rows_stay_alone() -> None:
    model = perturbed(made(4, (8,), masks=2))
    assert model.log_prob(torch.zeros(0, 4).double()).shape == (0,)
    assert model.sample(0).shape == (0, 4)
    x = states(4)
    clean = model.log_prob(x)
    x[3] = torch.nan
    spoilt = model.log_prob(x)
    others = torch.arange(16) != 3
    assert spoilt[3].isnan() and torch.equal(spoilt[others], clean[others])


def test_agrees_with_nflows_under_the_same_weights() -> None:
    torch.manual_seed(0)
    peer = Peer(5, 12, num_blocks=2, output_multiplier=2, use_residual_blocks=False)
    peer = peer.double()
    net = perturbed(MaskedMLP(5, 2, (12, 12, 12)))
    theirs = [peer.initial_layer, *(block.linear for block in peer.blocks)]
    # nflows deals degrees out in turn; ours are sorted.
    order = theirs[0].degrees.argsort(stable=True)
    before = torch.arange(5)
    for layer, other in zip(net.hidden, theirs, strict=True):
        layer.weight.data = other.weight.data[order][:, before]
        layer.bias.data, before = other.bias.data[order], order
    net.output.weight.data = peer.final_layer.weight.data[:, order]
    net.output.bias.data = peer.final_layer.bias.data
    x = torch.randn(50, 5, dtype=torch.float64)
    torch.testing.assert_close(net(x).flatten(1), peer(x), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(16,), (16, 12)])
def test_the_page_and_the_class_are_one_network(hidden: tuple[int, ...]) -> None:
    """`logits` and `draw_by_passes` are what MaskedMLP does by slices."""
    net = perturbed(MaskedMLP(5, 1, hidden))
    layers = [*net.hidden, net.output]
    degrees = [net.hidden[0].before[0], *(layer.after[0] for layer in layers)]
    x, u = states(5), torch.rand(300, 5, dtype=torch.float64)
    masks = [mask(a, b).bool() for a, b in pairwise(degrees)]
    for layer, kept in zip(layers, masks, strict=True):
        assert torch.equal(layer.mask(), kept)
    a = logits(x, layers, degrees)
    torch.testing.assert_close(net(x).squeeze(2), a, atol=1e-12, rtol=1e-12)
    slices = net.unroll(u, lambda u_d, a: (u_d < a[:, 0].sigmoid()).double())
    assert torch.equal(slices, draw_by_passes(u, layers, degrees))
    assert 0.1 < slices.mean() < 0.9
