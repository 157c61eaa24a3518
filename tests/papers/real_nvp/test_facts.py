"""Facts of Real NVP (Dinh, Sohl-Dickstein and Bengio, 2016)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.nice import Coupling, Scaling, Shift
from implementations.real_nvp import (
    Affine,
    BatchNorm,
    FactorOut,
    Logit,
    MaskedCoupling,
    Squeeze,
    checkerboard,
    first_channels,
    manifold,
    real_nvp,
    real_nvp_vector,
    resnet,
)
from tests.support.perturb import noise, perturbed

IMAGE = (2, 4, 4)


def jacobians(f: Bijection, x: Tensor) -> Tensor:
    rows = vmap(jacrev(lambda x: f(x[None])[0].flatten()))(x)
    return rows.flatten(2)


def test_the_scale_is_bounded_by_the_learned_number() -> None:
    affine = Affine().double()
    with torch.no_grad():
        affine.a.fill_(1.5)
    params = torch.tensor([[1e6, 0.0], [-1e6, 0.0], [0.0, 3.0]]).double()
    z, s = affine(torch.ones(3).double(), params)
    assert s.tolist() == [1.5, -1.5, 0]
    assert z.tolist() == pytest.approx([math.exp(1.5), math.exp(-1.5), 4])


def test_without_scale_it_is_nice() -> None:
    t, x = noise(9, 5, 1), noise(9, 5, seed=2)
    affine = Affine().double()(x, torch.cat((torch.zeros_like(t), t), -1))
    for ours, theirs in zip(affine, Shift()(x, t), strict=True):
        assert torch.equal(ours, theirs)


def test_couplings_change_volume_from_place_to_place() -> None:
    layer = perturbed(real_nvp_vector(4, 2, (16,))).bijection
    log_det = layer(noise(20, 4))[1]
    assert log_det.std() > 0.1


def test_vectors_start_as_they_are() -> None:
    x = noise(5, 6)
    z, log_det = real_nvp_vector(6).double().bijection(x)
    assert torch.equal(z, x) and (log_det == 0).all()


def test_images_start_as_they_are_but_for_epsilon() -> None:
    f = real_nvp((1, 8, 8), 4, 1).double().eval().bijection
    norms = [m for m in f.modules() if isinstance(m, BatchNorm)]
    assert len(norms) == 10
    for norm in norms:
        norm.eps = 0
    x = noise(5, 1, 8, 8)
    z, log_det = f(x)
    assert torch.equal(z.sort(1).values, x.flatten(1).sort(1).values)
    assert (log_det == 0).all()


def test_the_checkerboard_keeps_odd_sums() -> None:
    assert checkerboard((1, 3, 4)).int().tolist() == [
        [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
    ]
    assert checkerboard((3, 2, 2)).sum((1, 2)).tolist() == [2, 2, 2]


def test_the_channel_mask_keeps_the_first_half() -> None:
    assert first_channels((4, 1, 2)).int().tolist() == [
        [[1, 1]],
        [[1, 1]],
        [[0, 0]],
        [[0, 0]],
    ]


@pytest.mark.parametrize("mask", [checkerboard(IMAGE), first_channels(IMAGE)])
def test_what_the_mask_keeps_stays_and_counts_for_nothing(mask: Tensor) -> None:
    layer = perturbed(MaskedCoupling(mask, Affine(), resnet(2, 4, 6, 1)))
    x = noise(6, *IMAGE)
    z, log_det = layer(x)
    assert torch.equal(z[:, mask], x[:, mask])
    assert (z[:, ~mask] != x[:, ~mask]).all()
    jacobian = jacobians(layer, x)
    kept = mask.flatten()
    moved = jacobian[:, ~kept][:, :, ~kept]
    assert (moved.diagonal(dim1=1, dim2=2).diag_embed() == moved).all()
    expected = moved.diagonal(dim1=1, dim2=2).log().sum(1)
    torch.testing.assert_close(log_det, expected, atol=1e-12, rtol=0)


def test_squeezing_goes_row_by_row_through_each_block() -> None:
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    z, log_det = Squeeze((2, 4, 4))(x)
    assert z.shape == (1, 8, 2, 2)
    assert z[0, :, 0, 1].tolist() == [2, 18, 3, 19, 6, 22, 7, 23]
    assert log_det.tolist() == [0]
    assert torch.equal(Squeeze((2, 4, 4)).inverse(z)[0], x)


def test_channel_masks_split_no_block_as_checkerboards_do() -> None:
    squeeze = Squeeze((1, 4, 4))
    chosen, _ = squeeze.inverse(first_channels(squeeze.z_shape)[None].double())
    board = checkerboard((1, 4, 4))
    for pattern in (board, ~board):
        assert (chosen[0].bool() & pattern).sum() == 4


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 4, 3)])
def test_odd_images_are_not_squeezed(shape: tuple[int, int, int]) -> None:
    size = f"{shape[1]}, {shape[2]}"
    with pytest.raises(ValueError, match=f"even height and width, got {size}"):
        Squeeze(shape)


def test_factoring_out_leaves_the_first_half_alone() -> None:
    layer = perturbed(
        FactorOut((4, 2, 2), perturbed(real_nvp((2, 2, 2), 4, 1)).bijection)
    )
    x = noise(3, 4, 2, 2)
    z, log_det = layer(x)
    assert z.shape == (3, 16)
    assert torch.equal(z[:, :8], x[:, :2].flatten(1))
    expected, term = layer.rest(x[:, 2:])
    assert torch.equal(z[:, 8:], expected.flatten(1)) and torch.equal(log_det, term)
    torch.testing.assert_close(layer.inverse(z)[0], x)


def test_a_context_reaches_what_is_factored_out() -> None:
    rest = perturbed(Coupling(2, Affine(), mlp, context=3))
    layer, x, context = FactorOut((4,), rest), noise(3, 4), noise(3, 3)
    z, log_det = layer(x, context)
    expected, term = rest(x[:, 2:], context)
    assert torch.equal(z[:, 2:], expected) and torch.equal(log_det, term)
    torch.testing.assert_close(layer.inverse(z, context)[0], x)


def test_the_paper_has_22_couplings_for_32_by_32() -> None:
    flow = real_nvp((3, 32, 32), maps=1, blocks=1)
    layers = [m for m in flow.modules() if isinstance(m, MaskedCoupling)]
    checkered = (3, 32, 32), (6, 16, 16), (12, 8, 8), (24, 4, 4)
    boards, halves = [], []
    for layer in layers:
        board = checkerboard(layer.x_shape)
        found = any(torch.equal(layer.mask, mask) for mask in (board, ~board))
        (boards if found else halves).append(layer.x_shape)
    times = zip(checkered, (3, 3, 3, 4), strict=True)
    assert boards == [shape for shape, n in times for _ in range(n)]
    assert halves == [(12, 16, 16)] * 3 + [(24, 8, 8)] * 3 + [(48, 4, 4)] * 3
    assert flow.base.shape == (3072,)


def test_masks_take_turns() -> None:
    flow = real_nvp((1, 8, 8), maps=2, blocks=1)
    layers = [m for m in flow.modules() if isinstance(m, MaskedCoupling)]
    for a, b in pairwise(layers):
        if a.x_shape == b.x_shape:
            assert torch.equal(a.mask, ~b.mask)


def test_maps_double_where_resolution_halves() -> None:
    flow = real_nvp((1, 16, 16), maps=2, blocks=3)
    layers = [m for m in flow.modules() if isinstance(m, MaskedCoupling)]
    widths = [
        next(m for m in layer.m.modules() if isinstance(m, nn.BatchNorm2d)).num_features
        for layer in layers
    ]
    assert widths == [2] * 3 + [4] * 6 + [8] * 7
    norms = [m for m in layers[0].m.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2 * 3 + 1


def test_every_pixel_reaches_every_noise_of_the_last_scale() -> None:
    flow = perturbed(real_nvp((1, 8, 8), 4, 1))
    jacobian = jacobians(flow.bijection, noise(4, 1, 8, 8))
    assert (jacobian[:, 32:] != 0).any(0).all()


def test_round_trip_through_the_scales() -> None:
    flow = real_nvp((2, 8, 8), 4, 1).double()
    for _ in range(3):
        flow.bijection(2 * torch.randn(50, 2, 8, 8).double() + 1)
    f = perturbed(flow).bijection
    x = noise(5, 2, 8, 8)
    z, log_det = f(x)
    back, negated = f.inverse(z)
    torch.testing.assert_close(back, x, atol=1e-10, rtol=0)
    torch.testing.assert_close(negated, -log_det, atol=1e-10, rtol=0)
    exact = torch.linalg.slogdet(jacobians(f, x)).logabsdet
    torch.testing.assert_close(log_det, exact, atol=1e-10, rtol=0)


@pytest.mark.parametrize("shape", [(3,), (2, 4, 3)])
def test_batch_normalisation_in_training(shape: tuple[int, ...]) -> None:
    """Its averages take in the batch first; the log-determinant holds them fixed."""
    layer = BatchNorm(shape, rho=0.75).double()
    x = 3 * noise(50, *shape) + 2
    z, log_det = layer(x)
    channels = x.transpose(0, 1).flatten(1)
    mean = 0.25 * channels.mean(1)
    var = 0.75 + 0.25 * channels.var(1, correction=0)
    torch.testing.assert_close(layer.mean.flatten(), mean)
    torch.testing.assert_close(layer.var.flatten(), var)
    each = (-1, *(1 for _ in shape[1:]))
    expected = (x - mean.reshape(each)) / (var + layer.eps).sqrt().reshape(each)
    torch.testing.assert_close(z, expected)
    exact = -0.5 * (var + layer.eps).log().sum() * math.prod(shape[1:])
    torch.testing.assert_close(log_det, exact.expand(50))


def test_gradients_flow_through_the_batch_only() -> None:
    """And not back to earlier batches, whose graphs are gone (appendix E)."""
    layer = BatchNorm((3,), rho=0.75, eps=0).double()
    for size in (1, 2):
        x = (size * noise(50, 3)).requires_grad_()
        log_det = layer(x)[1]
        (gradient,) = torch.autograd.grad(log_det[0], x)
        slope = 0.25 * 2 * (x - x.mean(0)) / 50
        torch.testing.assert_close(gradient, -0.5 * slope / layer.var)


@pytest.mark.parametrize("shape", [(3,), (2, 4, 3)])
def test_batch_normalisation_after_training(shape: tuple[int, ...]) -> None:
    layer = BatchNorm(shape).double()
    layer(3 * noise(50, *shape) + 2)
    layer.eval()
    kept = layer.mean.clone(), layer.var.clone()
    x = noise(6, *shape, seed=3)
    z, log_det = layer(x)
    assert torch.equal(layer.mean, kept[0]) and torch.equal(layer.var, kept[1])
    exact = torch.linalg.slogdet(jacobians(layer, x)).logabsdet
    torch.testing.assert_close(log_det, exact, atol=1e-12, rtol=0)
    assert (log_det == log_det[0]).all()
    torch.testing.assert_close(layer.inverse(z)[0], x, atol=1e-12, rtol=0)
    torch.testing.assert_close(layer(x[:1])[0], z[:1], atol=1e-12, rtol=0)


@pytest.mark.parametrize("shape", [(3,), (2, 1, 1)])
@pytest.mark.parametrize("n", [0, 1])
def test_batch_normalisation_refuses_a_single_event(
    shape: tuple[int, ...], n: int
) -> None:
    """Its variance is 0: MAF would call any such event infinitely likely."""
    layer, x = BatchNorm(shape).double(), noise(n, *shape)
    for run in (layer, layer.initialise):
        with pytest.raises(ValueError, match=f"expected more than 1 event .*, got {n}"):
            run(x)
    assert not layer.initialised and (layer.var == 1).all()
    assert layer.eval()(x)[0].isfinite().all()


def test_batch_normalisation_takes_one_image_and_equal_events() -> None:
    layer = BatchNorm((2, 4, 3)).double()
    assert layer(noise(1, 2, 4, 3))[0].isfinite().all()
    layer, x = BatchNorm((3,)).double(), noise(1, 3).repeat(5, 1).requires_grad_()
    for _ in range(1000):
        layer(x)
    z, log_det = layer(x)
    (gradient,) = torch.autograd.grad(z.sum() + log_det.sum(), x)
    assert gradient.isfinite().all() and log_det.isfinite().all()


def test_batch_normalisation_starts_with_the_first_batch() -> None:
    f = Compose(Scaling(3), BatchNorm((3,))).double()
    x = 5 * noise(1000, 3) + 7
    f.initialise(x)
    z, _ = f.eval()(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(3).double(), atol=1e-2, rtol=0)


def test_layers_after_factoring_out_start_with_the_first_batch_too() -> None:
    flow = perturbed(real_nvp((1, 8, 8), 2, 1))
    x = 5 * noise(200, 1, 8, 8) + 7
    flow.initialise(x)
    last = flow.bijection(x)[0][:, 32:].unflatten(1, (2, 16))
    each = last.transpose(0, 1).flatten(1)
    torch.testing.assert_close(each.mean(1), torch.zeros(2).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(each.std(1), torch.ones(2).double(), atol=1e-2, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_logits_round_trip(dtype: torch.dtype) -> None:
    layer, small = Logit((4,)), 1e-10 if dtype == torch.float64 else 1e-5
    x = torch.tensor([[0, 1e-3, 0.3, 0.5], [0.999, 1, 0.7, 1e-6]], dtype=dtype)
    z, log_det = layer(x)
    back, negated = layer.inverse(z)
    torch.testing.assert_close(back, x, atol=small, rtol=0)
    torch.testing.assert_close(negated, -log_det, atol=small, rtol=0)
    exact = torch.linalg.slogdet(jacobians(layer, x)).logabsdet
    torch.testing.assert_close(log_det, exact, atol=10 * small, rtol=0)
    assert z.abs().max() < 2.945


def test_logits_leave_a_density_of_pixels() -> None:
    flow = Flow(StandardNormal((1,)), Logit((1,))).double()
    low, high = -0.05 / 0.9 + 1e-12, 1 + 0.05 / 0.9 - 1e-12
    x = torch.linspace(low, high, 100_001, dtype=torch.float64)
    total = torch.trapezoid(flow.log_prob(x[:, None]).exp(), x).item()
    assert total == pytest.approx(1, abs=1e-6)


def test_pixels_out_of_range_have_no_density_and_stay_alone() -> None:
    flow = Flow(StandardNormal((1,)), Logit((1,)))
    log_prob = flow.log_prob(torch.tensor([[0.5], [1e4], [-1e4]]))
    assert log_prob.isnan().tolist() == [False, True, True]


def test_the_manifold_goes_through_its_corners() -> None:
    """φ, φ' = 0 and π/2 give the four examples themselves (eq. 19)."""
    flow = perturbed(real_nvp_vector(3, 4, (8,)))
    x = noise(4, 3)
    page = manifold(flow, x, 5)
    assert page.shape == (5, 5, 3)
    corners = torch.stack((page[0, 0], page[0, -1], page[-1, 0], page[-1, -1]))
    torch.testing.assert_close(corners, x, atol=1e-10, rtol=0)
    z = flow.bijection(x)[0]
    middle = flow.bijection(page[2, 2][None])[0][0]
    torch.testing.assert_close(middle, z.sum(0) / 2, atol=1e-10, rtol=0)


def test_coupling_with_shift_has_constant_volume() -> None:
    flow = perturbed(real_nvp((1, 8, 8), 4, 1, univariate=Shift))
    log_det = flow.bijection(noise(5, 1, 8, 8))[1]
    torch.testing.assert_close(log_det, log_det[:1].expand(5), atol=1e-12, rtol=0)
    couplings = [m for m in flow.modules() if isinstance(m, Coupling | MaskedCoupling)]
    assert len(couplings) == 10
