"""Facts of Glow (Kingma and Dhariwal, 2018)."""

from __future__ import annotations

import io
import math
from functools import partial
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.digits import LEVELS, bits_per_dim, dequantise
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.glow import (
    LU,
    ActNorm,
    ChannelCoupling,
    Conv1x1,
    Gate,
    Permute,
    Plain,
    TopPrior,
    by_class,
    glow,
    interpolate,
    marginal,
    network,
    reverse,
    sample,
    shuffle,
    slant,
    zero_convolution,
)
from implementations.nice import Shift
from implementations.real_nvp import Affine, FactorOut
from tests.support.perturb import noise

M = TypeVar("M", bound=nn.Module)

IMAGE = (4, 2, 3)


def perturbed(module: M, seed: int = 0, spread: float = 0.5) -> M:
    """Return the module in float64, its weights moved away from their start."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = max(1, parameter.shape[1:].numel())
            parameter.add_(torch.randn_like(parameter), alpha=spread / fan_in**0.5)
    return module.double().eval()


def jacobians(f: Bijection, x: Tensor) -> Tensor:
    return vmap(jacrev(lambda x: f(x[None])[0].flatten()))(x).flatten(2)


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("matrix", [Plain, LU])
def test_log_det_of_the_convolution(matrix: type[Plain] | type[LU]) -> None:
    """It is h · w · log|det W|, whatever the sign of det W."""
    signs = set()
    for channels in (3, 4):
        layer = perturbed(Conv1x1((channels, 2, 3), matrix))
        x = noise(5, channels, 2, 3)
        z, log_det = layer(x)
        W, _ = layer.matrix()
        sign, log_abs = torch.linalg.slogdet(W)
        signs.add(sign.item())
        assert abs(log_abs) > 1e-3
        close(log_det, (2 * 3 * log_abs).expand(5))
        close(log_det, torch.linalg.slogdet(jacobians(layer, x)).logabsdet)
        close(z, torch.einsum("ij,bjyx->biyx", W, x))
    assert signs == {-1, 1}


@pytest.mark.parametrize("matrix", [Plain, LU])
def test_the_convolution_starts_as_a_rotation(matrix: type[Plain] | type[LU]) -> None:
    layer = Conv1x1((8, 2, 2), matrix)
    W, log_det = layer.matrix()
    close(W @ W.T, torch.eye(8), 1e-5)
    assert log_det.abs() < 1e-5
    assert (W - torch.eye(8)).abs().max() > 0.1


def test_factors_start_as_the_matrix_that_they_came_from() -> None:
    source = torch.linalg.qr(noise(6, 6)).Q
    layer = LU(source)
    W, log_det = layer()
    close(W, source)
    assert log_det.abs() < 1e-12
    assert {name for name, _ in layer.named_parameters()} == {"s", "triangles"}
    assert set(layer.P.flatten().tolist()) == {0, 1}


def test_factors_keep_their_form_in_training() -> None:
    layer = perturbed(LU(torch.linalg.qr(noise(5, 5)).Q))
    W, log_det = layer()
    lower_upper = layer.P.T @ W
    lower, upper = layer.triangles.tril(-1) + torch.eye(5), layer.triangles.triu(1)
    diagonal = torch.linalg.solve(lower, lower_upper) - upper
    assert torch.equal(diagonal.diagonal().sign(), layer.sign)
    close(diagonal.diagonal().abs().log(), layer.s)
    close(diagonal - diagonal.diagonal().diag(), torch.zeros(5, 5).double())
    close(log_det, layer.s.sum())


def test_permutations_are_convolutions() -> None:
    x = noise(3, *IMAGE)
    torch.manual_seed(0)
    for fixed in (reverse(IMAGE), shuffle(IMAGE)):
        assert isinstance(fixed, Permute)
        layer = Conv1x1(IMAGE, lambda _, P=fixed: Plain(torch.eye(4)[P.order]))
        layer = layer.double()
        for run, expected in ((layer, fixed), (layer.inverse, fixed.inverse)):
            assert torch.equal(run(x)[0], expected(x)[0])
            assert (run(x)[1] == 0).all()
    assert reverse(IMAGE)(x)[0].equal(x.flip(1))


def test_shuffles_are_drawn_once_each_and_saved() -> None:
    torch.manual_seed(0)
    flow = glow((1, 8, 8), 1, 8, 2, mix=shuffle)
    orders = [m.order for m in flow.modules() if isinstance(m, Permute)]
    assert len({tuple(order.tolist()) for order in orders}) > 4
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(flow.log_prob(x), flow.log_prob(x))
    other = glow((1, 8, 8), 1, 8, 2, mix=shuffle)
    other.load_state_dict(flow.state_dict())
    found = [m.order for m in other.modules() if isinstance(m, Permute)]
    assert all(map(torch.equal, orders, found))


def outputs(flow: Flow, x: Tensor) -> list[Tensor]:
    """The output of each actnorm for x, channels first."""
    seen: list[Tensor] = []
    norms = [m for m in flow.modules() if isinstance(m, ActNorm)]
    hooks = [
        m.register_forward_hook(lambda *args: seen.append(args[2][0])) for m in norms
    ]
    flow.bijection(x)
    for hook in hooks:
        hook.remove()
    assert len(seen) == len(norms)
    return [z.transpose(0, 1).flatten(1) for z in seen]


def test_the_first_batch_comes_out_normalised_after_every_actnorm() -> None:
    flow = perturbed(glow((2, 8, 8), 2, 3, 6))
    x = 3 * noise(40, 2, 8, 8) + 5
    assert max(z.mean(1).abs().max() for z in outputs(flow, x)) > 1
    flow.initialise(x)
    for z in outputs(flow, x):
        close(z.mean(1), torch.zeros(len(z)).double(), 1e-9)
        close(z.var(1, correction=0), torch.ones(len(z)).double(), 1e-4)


def test_what_a_first_batch_set_stays() -> None:
    """A second one changes nothing, not even after saving, loading and training."""
    flow = perturbed(glow((1, 4, 4), 2, 1, 4))
    x = 3 * noise(40, 1, 4, 4) + 5
    flow.initialise(x)
    before = {name: value.clone() for name, value in flow.state_dict().items()}
    flow.initialise(x + 1)
    assert all(torch.equal(v, before[name]) for name, v in flow.state_dict().items())
    file = io.BytesIO()
    torch.save(flow.state_dict(), file)
    file.seek(0)
    other = glow((1, 4, 4), 2, 1, 4).double()
    other.load_state_dict(torch.load(file))
    other.initialise(x + 1)
    assert torch.equal(other.log_prob(x), flow.log_prob(x))
    fit(other, lambda x: -other.log_prob(x).mean(), 1, lambda: x + 1, lr=0.0)
    assert torch.equal(other.log_prob(x), flow.log_prob(x))


def test_evaluation_initialises_nothing() -> None:
    layer = ActNorm(IMAGE).double()
    x = 3 * noise(5, *IMAGE) + 1
    assert torch.equal(layer(x)[0], x)
    assert not layer.initialised


def test_a_constant_channel_stays_finite() -> None:
    layer = ActNorm(IMAGE).double()
    x = torch.cat((torch.ones(5, 1, 2, 3), noise(5, 3, 2, 3)), 1)
    layer.initialise(x)
    z, log_det = layer(x)
    close(z[:, 0], torch.zeros(5, 2, 3).double(), 1e-9)
    assert z.isfinite().all() and log_det.isfinite().all()


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_the_second_half_steers_the_first(channels: int) -> None:
    shape = (channels, 2, 4)
    layer = perturbed(ChannelCoupling(shape, Affine(), partial(network, width=5)))
    x, moved = noise(3, *shape), channels - channels // 2
    z, _ = layer(x)
    assert torch.equal(z[:, moved:], x[:, moved:])
    assert (z[:, :moved] != x[:, :moved]).all()


def test_couplings_start_as_the_identity_and_gates_at_sigmoid_of_2() -> None:
    x, net = noise(3, *IMAGE), partial(network, width=5)
    z, log_det = ChannelCoupling(IMAGE, Affine(), net).double()(x)
    assert torch.equal(z, x) and (log_det == 0).all()
    gated = ChannelCoupling(IMAGE, Gate(), net).double()
    z, log_det = gated(x)
    start = 1 / (1 + math.exp(-2))
    assert round(start, 4) == 0.8808
    close(z[:, :2], start * x[:, :2])
    close(log_det, 12 * math.log(start) * torch.ones(3).double())


def test_a_fresh_model_changes_no_volume() -> None:
    for mix in (Conv1x1, partial(Conv1x1, matrix=LU), reverse, shuffle):
        log_det = glow((1, 8, 8), 2, 2, 4, mix=mix).bijection(torch.randn(3, 1, 8, 8))[
            1
        ]
        close(log_det, torch.zeros(3), 1e-4)


def test_a_split_prior_is_a_gaussian_given_the_other_half() -> None:
    coupling = ChannelCoupling((2, 1, 1), Affine(), zero_convolution)
    f = perturbed(Compose(coupling, FactorOut((2, 1, 1), ActNorm((1, 1, 1)))))
    x = noise(9, 2, 1, 1)
    log_prob = Flow(StandardNormal((2,)), f).log_prob(x)
    s, t = coupling._params(x[:, 1:])[:, 0, 0, 0].unbind(-1)
    s = coupling.univariate.get_parameter("a") * s.tanh()
    given = Normal(-t * (-s).exp(), (-s).exp()).log_prob(x[:, 0, 0, 0])
    (norm,) = (m for m in f.modules() if isinstance(m, ActNorm))
    scale = norm.s.exp()
    rest = Normal(-norm.t / scale, 1 / scale).log_prob(x[:, 1:]).flatten()
    close(log_prob, given + rest)


def test_the_top_prior_is_a_gaussian_of_its_class() -> None:
    base = perturbed(TopPrior((5,), 3, context=2))
    y = torch.eye(2).double()
    z = noise(2, 5)
    assert base.by_context is not None
    mean, log_std = (base.shared + base.by_context).unbind(1)
    top = Normal(mean, log_std.exp()).log_prob(z[:, 2:]).sum(1)
    close(base.log_prob(z, y), top + Normal(0.0, 1.0).log_prob(z[:, :2]).sum(1))
    torch.manual_seed(0)
    drawn = base.sample(100_000, y[:1].expand(100_000, -1))
    expected = (
        torch.cat((torch.zeros(2), mean[0])),
        torch.cat((torch.ones(2), log_std[0].exp())),
    )
    for found, value in zip((drawn.mean(0), drawn.std(0)), expected, strict=True):
        close(found, value, 0.03)


def test_density_integrates_to_one() -> None:
    """So no prior, of a split or at the top, sees the value that it scores."""
    shape = (2, 1, 1)
    f = Compose(
        ActNorm(shape),
        Conv1x1(shape),
        ChannelCoupling(shape, Affine(), partial(network, width=4)),
        ChannelCoupling(shape, Affine(), zero_convolution),
        FactorOut(shape, ActNorm((1, 1, 1))),
    )
    flow = perturbed(Flow(TopPrior((2,), 1, context=2), f))
    places = torch.linspace(-30, 30, 301, dtype=torch.float64)
    x = torch.cartesian_prod(places, places)[..., None, None]
    for y in torch.eye(2).double():
        with torch.no_grad():
            log_prob = flow.log_prob(x, y.expand(len(x), -1))
        total = log_prob.exp().sum() * (places[1] - places[0]) ** 2
        assert total.item() == pytest.approx(1, abs=1e-3)


def test_contexts_reach_the_prior_and_wrong_ones_are_refused() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 1, 4, context=3))
    x, y = noise(4, 1, 4, 4), noise(4, 3, seed=2)
    assert (flow.log_prob(x, y) != flow.log_prob(x, y + 1)).all()
    for wrong in (None, y[:, 1:], y[1:], y[0]):
        for run in (partial(flow.log_prob, x), partial(flow.sample, 4)):
            with pytest.raises(ValueError, match="expected context of shape"):
                run(wrong)


def test_gradients_reach_the_prior_through_samples() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 1, 4, context=3))
    x, _ = flow.rsample_and_log_prob(4, noise(4, 3))
    x.square().sum().backward()
    for parameter in flow.base.parameters():
        assert parameter.grad is not None and (parameter.grad != 0).all()


def test_the_paper_has_32_steps_of_12_24_and_48_channels() -> None:
    with torch.device("meta"):
        flow = glow((3, 32, 32))
    shapes = [m.x_shape for m in flow.modules() if isinstance(m, Conv1x1)]
    levels = (12, 16, 16), (24, 8, 8), (48, 4, 4)
    assert shapes == [shape for shape in levels for _ in range(32)]
    assert flow.base.shape == (3072,)
    assert isinstance(flow.base, TopPrior) and flow.base.shared.shape == (2, 768)
    # 44.0 million, in table 3 of the paper on neural spline flows.
    assert round(size(flow) / 1e6, 1) == pytest.approx(44.0, abs=0.3)


def test_rows_count_one_by_one() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 2, 4))
    x = noise(2, 1, 4, 4)
    z, log_det = flow.bijection(x)
    for row in range(2):
        each = flow.bijection(x[row : row + 1])
        close(each[0], z[row : row + 1])
        close(each[1], log_det[row : row + 1])
    assert log_det[0] != log_det[1]


def test_every_pixel_reaches_every_noise_of_the_last_level() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 2, 4))
    assert (jacobians(flow.bijection, noise(4, 1, 4, 4))[:, 8:] != 0).any(0).all()


def test_temperature_scales_the_noise_around_the_mean() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 1, 4, context=2), spread=0.2)
    assert isinstance(flow.base, TopPrior)
    y = torch.eye(2).double()
    z = []
    for T in (1.0, 0.3):
        torch.manual_seed(0)
        z.append(flow.bijection(sample(flow, 2, T, y))[0])
    mean, _ = flow.base.mean_log_std(2, y)
    close(z[1] - mean, 0.3 * (z[0] - mean), 1e-10)
    torch.manual_seed(0)
    drawn = flow.sample(2, y)
    torch.manual_seed(0)
    close(sample(flow, 2, 1.0, y), drawn)
    coldest = sample(flow, 2, 0.0, y)
    assert torch.equal(coldest, sample(flow, 2, 0.0, y))
    close(coldest, flow.bijection.inverse(mean)[0])


def test_at_constant_volume_temperature_raises_the_density_to_its_inverse_square() -> (
    None
):
    """p_T ∝ p^(1/T²), which the paper prints as p^(T²)."""
    flow = perturbed(glow((1, 4, 4), 2, 1, 4, Shift))
    assert isinstance(flow.base, TopPrior)
    x, T = noise(5, 1, 4, 4), 0.7
    z, log_det = flow.bijection(x)
    mean, log_std = flow.base.mean_log_std(5, None)
    cooled = Normal(mean, T * log_std.exp()).log_prob(z).sum(1) + log_det
    ratio = cooled - flow.log_prob(x) / T**2
    close(ratio, ratio[:1].expand(5), 1e-10)


def test_no_model_beats_the_entropy_of_noise() -> None:
    """Uniform levels take log₂ 17 = 4.087 bits, whatever was learned."""
    torch.manual_seed(0)
    flow = glow((1, 8, 8), 2, 1, 4)

    def draw(n: int) -> Tensor:
        levels = torch.randint(LEVELS, (n, 64)).float()
        return dequantise(levels).unflatten(1, (1, 8, 8))

    fit(flow, lambda x: bits_per_dim(flow.log_prob(x)), 30, partial(draw, 32), lr=1e-2)
    with torch.no_grad():
        bits = bits_per_dim(flow.log_prob(draw(1000))).item()
    assert math.log2(LEVELS) < bits < math.log2(LEVELS) + 0.3


def test_the_marginal_is_the_mean_over_classes() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 1, 4, context=10))
    x, classes = noise(3, 1, 4, 4), torch.eye(10).double()
    each = torch.stack([flow.log_prob(x, y.expand(3, -1)) for y in classes], 1)
    close(by_class(flow, x), each)
    close(marginal(flow, x), each.exp().mean(1).log())


def test_interpolation_starts_and_ends_with_the_images() -> None:
    flow = perturbed(glow((1, 4, 4), 2, 1, 4))
    x, y = noise(3, 1, 4, 4), noise(3, 1, 4, 4, seed=2)
    line = interpolate(flow, x, y, 5)
    assert line.shape == (3, 5, 1, 4, 4)
    close(line[:, 0], x, 1e-10)
    close(line[:, -1], y, 1e-10)
    middle = flow.bijection(line[:, 2])[0]
    close(middle, (flow.bijection(x)[0] + flow.bijection(y)[0]) / 2, 1e-10)


def test_slant_is_the_slope_of_a_stroke() -> None:
    falling = torch.eye(8)
    upright = torch.zeros(8, 8)
    upright[:, 3] = 5
    lean = slant(torch.stack((falling, falling.flip(1), upright))[:, None])
    close(lean, torch.tensor([-1.0, 1.0, 0.0]), 1e-5)
