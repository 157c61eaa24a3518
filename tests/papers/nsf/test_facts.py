"""Facts of neural spline flows (Durkan, Bekasov, Murray and Papamakarios, 2019)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from statistics import median

import pytest
import torch
import zuko
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations.core import splines
from implementations.core.bijection import Compose
from implementations.core.flow import Flow
from implementations.core.splines import LEAST, UNIT, find_bin
from implementations.made import Autoregressive
from implementations.nice import Coupling
from implementations.nsf import (
    Linear,
    Spline,
    cycle,
    nsf,
    nsf_autoregressive,
    search,
)
from tests.support.papers import ROOT

BINS, BOUND = 6, 3.0


@pytest.fixture
def spline() -> Spline:
    return Spline(BINS, BOUND)


def random_params(n: int, size: float = 1.0, bins: int = BINS) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    params = torch.randn(n, 3 * bins - 1, generator=generator, dtype=torch.float64)
    return size * params


def knots(params: Tensor, bound: float = BOUND) -> tuple[Tensor, Tensor, Tensor]:
    """x, y and slopes at all K + 1 knots, by the paper's recipe, step by step."""
    bins = (params.shape[-1] + 1) // 3
    places = []
    for logits in params[..., : 2 * bins].split(bins, -1):
        shares = logits.exp() / logits.exp().sum(-1, keepdim=True)
        sizes = 2 * bound * (LEAST + (1 - LEAST * bins) * shares)
        start = -bound * torch.ones_like(sizes[..., :1])
        places.append(torch.cat((start, start + sizes.cumsum(-1)), -1))
    one = torch.ones_like(params[..., :1])
    slopes = (1 + (params[..., 2 * bins :] + UNIT).exp()).log() + LEAST
    return places[0], places[1], torch.cat((one, slopes, one), -1)


def perturbed(flow: Flow, spread: float = 0.5) -> Flow:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return flow.double()


def test_takes_3k_minus_1_numbers_and_starts_as_the_identity(spline: Spline) -> None:
    assert spline.n_params == 3 * BINS - 1
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    for start in (Spline(1), spline):
        for run in (start, start.inverse):
            z, log_slope = run(x, x.new_zeros(101, start.n_params))
            assert (z - x).abs().max() < 1e-14 and log_slope.abs().max() < 1e-14


def test_one_bin_is_always_the_identity() -> None:
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    z, log_slope = Spline(1)(x, random_params(101, 5.0, bins=1))
    assert (z - x).abs().max() < 1e-14 and log_slope.abs().max() < 1e-14


@pytest.mark.parametrize("bins", [0, -1, 1000])
def test_refuses_bins_that_do_not_fit(bins: int) -> None:
    message = f"Spline: expected 1 to 999 bins, got {bins}"
    with pytest.raises(ValueError, match=re.escape(message)):
        Spline(bins)


def test_passes_through_its_knots_with_their_slopes(spline: Spline) -> None:
    params = random_params(50)
    x, y, slopes = knots(params)
    many = params[:, None].expand(-1, BINS + 1, -1)
    z, log_slope = spline(x, many)
    torch.testing.assert_close(z, y, atol=1e-12, rtol=0)
    torch.testing.assert_close(log_slope, slopes.log(), atol=1e-10, rtol=0)
    back, log_slope = spline.inverse(y, many)
    torch.testing.assert_close(back, x, atol=1e-12, rtol=0)
    torch.testing.assert_close(log_slope, -slopes.log(), atol=1e-10, rtol=0)


def test_value_and_slope_are_continuous_at_knots_and_edges(spline: Spline) -> None:
    params = random_params(50)
    x, _, _ = knots(params)
    many = params[:, None].expand(-1, BINS + 1, -1)
    (z, slope), (z_after, slope_after) = (
        spline(x + step, many) for step in (-1e-9, 1e-9)
    )
    assert (z - z_after).abs().max() < 1e-6
    assert (slope - slope_after).abs().max() < 1e-5


def test_rises_strictly_and_stays_in_its_box(spline: Spline) -> None:
    x = torch.linspace(-BOUND, BOUND, 2001, dtype=torch.float64)
    for params in random_params(20, 2.0):
        z, _ = spline(x, params.expand(2001, -1))
        assert (z.diff() > 0).all()
        assert z[0] == -BOUND and z[-1] == pytest.approx(BOUND, abs=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_is_the_identity_outside_whatever_the_weights(
    spline: Spline, dtype: torch.dtype
) -> None:
    x = torch.tensor([-1e8, -1e4, -3.5, 3.5, 1e4, 1e8], dtype=dtype, requires_grad=True)
    params = random_params(6, 50.0).to(dtype).requires_grad_()
    for run in (spline, spline.inverse):
        z, log_slope = run(x, params)
        assert torch.equal(z, x) and (log_slope == 0).all()
        gradients = torch.autograd.grad(z.sum() + log_slope.sum(), (x, params))
        assert (gradients[0] == 1).all() and (gradients[1] == 0).all()


def test_slope_is_that_of_autograd(spline: Spline) -> None:
    params = random_params(1000)
    x = torch.linspace(-3.5, 3.5, 1000, dtype=torch.float64)
    for run in (spline, spline.inverse):
        slope = vmap(jacrev(lambda x, p, run=run: run(x, p)[0]))(x, params)
        log_slope = run(x, params)[1]
        torch.testing.assert_close(log_slope, slope.log(), atol=1e-10, rtol=0)


def coefficients(y: Tensor, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """a, b and c as the paper writes them (eq. 6 to 8)."""
    b = find_bin(y, params, BOUND, axis=1)
    rest, d = y - b.y, b.right + b.left - 2 * b.s
    return (
        b.height * (b.s - b.left) + rest * d,
        b.height * b.left - rest * d,
        -b.s * rest,
    )


@pytest.mark.parametrize("bins", [1, 2, BINS, 64])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_search_on_the_page_finds_the_bin_of_the_core(bins: int, axis: int) -> None:
    params = random_params(3000, 2.0, bins).unflatten(0, (1000, 3))
    generator = torch.Generator().manual_seed(1)
    shape = params.shape[:-1]
    points = BOUND * (2 * torch.rand(shape, generator=generator).double() - 1)
    # The edges have a bin, too.
    points[0], points[1] = -BOUND, BOUND
    found = search(points, params, BOUND, axis)
    fast = find_bin(points, params, BOUND, axis)
    for name, readable, fused in zip(found._fields, found, fast, strict=True):
        # Of a bin a thousandth of the box, twelve digits are left.
        message = f"{name} differs"
        torch.testing.assert_close(readable, fused, atol=1e-12, rtol=1e-10, msg=message)


@pytest.mark.parametrize("rows", [(), (2,)])
def test_many_rows_are_searched_in_pieces_and_it_does_not_show(
    rows: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = random_params(50).reshape(*rows, -1, 3 * BINS - 1).requires_grad_()
    points = torch.linspace(-3, 3, 50).double().view(params.shape[:-1])

    def run() -> tuple[Tensor, ...]:
        found = find_bin(points, params, BOUND, axis=0)
        total = torch.stack(found).square().sum()
        return *found, *torch.autograd.grad(total, params)

    whole, asked = run(), []
    one_piece = splines._find_bin
    monkeypatch.setattr(splines, "NUMBERS", 7 * params[0].numel() + 1)
    monkeypatch.setattr(
        splines,
        "_find_bin",
        lambda x, *args: asked.append(len(x)) or one_piece(x, *args),
    )
    torch.testing.assert_close(run(), whole, atol=0, rtol=1e-14)
    assert asked == ([2] if rows else [7] * 7 + [1])


def test_the_inverse_solves_the_quadratic_of_the_paper(spline: Spline) -> None:
    params = random_params(1000)
    y = torch.linspace(-2.99, 2.99, 1000, dtype=torch.float64)
    a, b, c = coefficients(y, params)
    xi = 2 * c / (-b - (b.square() - 4 * a * c).sqrt())
    found = find_bin(y, params, BOUND, axis=1)
    x, _ = spline.inverse(y, params)
    torch.testing.assert_close(x, found.x + found.width * xi, atol=1e-9, rtol=0)


def test_no_parameters_break_the_inverse_in_float32(spline: Spline) -> None:
    """The discriminant as the paper writes it turns negative for these."""
    params = random_params(20_000, 50.0).float()
    params[:, 2 * BINS :] *= 20
    params.requires_grad_()
    generator = torch.Generator().manual_seed(1)
    y = 6 * torch.rand(20_000, generator=generator) - 3
    hit = find_bin(y, params, BOUND, axis=1)
    # Where p = 0, the square of b and 4ac are nearly alike.
    balanced = hit.y + hit.height * hit.left / (hit.left + hit.right)
    y = torch.cat((y[:10_000], balanced[10_000:])).detach()
    a, b, c = coefficients(y, params)
    assert (b.square() - 4 * a * c < 0).any()
    y.requires_grad_()
    x, log_slope = spline.inverse(y, params)
    z, opposite = spline(y, params)
    total = x.sum() + log_slope.sum() + z.sum() + opposite.sum()
    for gradient in torch.autograd.grad(total, (y, params)):
        assert gradient.isfinite().all()
    assert log_slope.isfinite().all() and opposite.isfinite().all()
    # Where the spline is steep, digits of x are lost for good; those of y are not.
    flat = log_slope >= 0
    back = spline(x, params)[0]
    assert (back - y)[flat].abs().max() < 1e-4
    assert (spline.inverse(z, params)[0] - y)[opposite >= 0].abs().max() < 1e-4


def test_agrees_with_float64(spline: Spline) -> None:
    params, x = random_params(10_000), 6 * torch.rand(10_000).double() - 3
    for run in (spline, spline.inverse):
        exact, rough = run(x, params), run(x.float(), params.float())
        for a, b in zip(exact, rough, strict=True):
            assert (a - b).abs().max() < 2e-3


def test_linear_starts_as_a_permutation_and_has_the_determinant_of_plu() -> None:
    torch.manual_seed(0)
    linear = Linear(5).double()
    x = torch.randn(3, 5, dtype=torch.float64)
    z, log_det = linear(x)
    torch.testing.assert_close(z, x[:, linear.order], atol=1e-14, rtol=0)
    assert log_det.abs().max() < 1e-14
    for parameter in linear.parameters():
        parameter.data.normal_()
    weight = linear(torch.eye(5).double())[0]
    expected = torch.linalg.slogdet(weight).logabsdet.expand(3)
    torch.testing.assert_close(linear(x)[1], expected)


@pytest.mark.parametrize("dim", [1, 2, 3, 8])
def test_a_cycle_visits_every_place(dim: int) -> None:
    order, place, visited = cycle(dim), 0, []
    for _ in range(dim):
        visited.append(place)
        place = int(order[place])
    assert sorted(visited) == list(range(dim)) and place == 0


def test_without_linear_layers_nothing_beyond_the_box_is_moved() -> None:
    layer = Coupling(2, Spline(), nn.Linear)
    x = torch.tensor([[3.5, 4.0], [-5.0, 3.1]])
    z, log_det = layer(x)
    assert torch.equal(z, x) and (log_det == 0).all()


@pytest.mark.parametrize("build", [nsf, nsf_autoregressive])
def test_bfloat16_and_autocast_stay_close(build: Callable[..., Flow]) -> None:
    flow = perturbed(build(2, hidden=(16, 16)), 0.1).float()
    torch.manual_seed(1)
    x = torch.randn(500, 2)
    exact = flow.log_prob(x)
    with torch.autocast("cpu", torch.bfloat16):
        error = (flow.log_prob(x) - exact).abs()
    assert error.mean() < 5e-2
    half = flow.bfloat16()
    log_prob, sample = half.log_prob(x.bfloat16()), half.sample(500)
    assert log_prob.dtype == sample.dtype == torch.bfloat16
    assert log_prob.isfinite().all() and sample.isfinite().all()
    assert (log_prob - exact).abs().mean() < 0.1


def peer_log_prob(flow: Flow, x: Tensor) -> Tensor:
    """The flow's log-density, its splines from zuko, its matrices by torch."""
    assert isinstance(flow.bijection, Compose)
    log_det = x.new_zeros(len(x))
    for layer in flow.bijection.layers:
        if isinstance(layer, Linear):
            weight = layer(torch.eye(x.shape[1]).to(x))[0]
            x, terms = x @ weight, torch.linalg.slogdet(weight).logabsdet
        elif isinstance(layer, Autoregressive):
            x, terms = peer_spline(x, layer.m(x))
        else:
            assert isinstance(layer, Coupling)
            params = layer.m(x[:, ::2]).unflatten(1, (-1, layer.univariate.n_params))
            moved, terms = peer_spline(x[:, 1::2], params)
            x = x.slice_scatter(moved, 1, 1, step=2)
        log_det = log_det + (terms if terms.ndim == 0 else terms.sum(1))
    return torch.distributions.Normal(0, 1).log_prob(x).sum(1) + log_det


def peer_spline(x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
    bins = params.shape[-1] // 3 + 1
    spline = zuko.transforms.MonotonicRQSTransform(
        x.new_zeros(bins), x.new_zeros(bins), x.new_zeros(bins - 1), bound=BOUND
    )
    spline.horizontal, spline.vertical, spline.derivatives = knots(params)
    return spline.call_and_ladj(x)


@pytest.mark.parametrize("build", [nsf, nsf_autoregressive])
def test_has_the_density_that_zuko_finds_with_the_same_weights(
    build: Callable[..., Flow],
) -> None:
    flow = perturbed(build(5, hidden=(16, 16), bins=6), 0.3)
    x = 2 * torch.randn(200, 5, dtype=torch.float64)
    torch.testing.assert_close(
        flow.log_prob(x), peer_log_prob(flow, x), atol=1e-9, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("target", "most"), [("two moons", 0.005), ("checkerboard", 0.05)]
)
def test_median_gap_of_five_seeds_is_as_small_as_we_aim_at(
    target: str, most: float
) -> None:
    results = json.loads((ROOT / "implementations/results/nsf.json").read_text("utf-8"))
    claims = {claim["text"]: claim["values"] for claim in results["claims"]}
    gaps = claims[f"{target}: gap of the spline flow"]
    assert len(gaps) >= 5
    assert median(gaps) <= most
