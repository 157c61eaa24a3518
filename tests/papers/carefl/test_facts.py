"""Facts of CAREFL (Khemakhem et al., 2020): orders, interventions, counterfactuals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import jacrev, vmap

from implementations.carefl import (
    Laplace,
    carefl,
    counterfactual,
    cubic,
    do,
    had_been,
    laplace,
    less_error,
    likelihood_ratio,
    linear,
    pairs,
    system,
)
from implementations.core.bijection import Bijection, Compose, Mapped
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.made import Autoregressive
from implementations.real_nvp import Affine
from tests.support.perturb import noise, perturbed

ORDER = (2, 0, 3, 1)


class System(Bijection):
    """Eq. 12 as a flow that knows it: z is the noise of x."""

    def __init__(self) -> None:
        super().__init__((4,))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return 2 * x - system(x), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return system(z), z.new_zeros(len(z))


def known() -> Flow:
    return Flow(Laplace((4,)), System()).double()


def shortcut(flow: Flow, n: int, i: int, a: float) -> Tensor:
    """The authors' intervention: z_i from a point whose other variables are 0."""
    z = flow.base.sample(n)
    point = torch.zeros(1, z.shape[1]).to(z)
    point[0, i] = a
    z[:, i] = flow.bijection(point)[0][0, i]
    return flow.bijection.inverse(z)[0]


def jacobians(f: Bijection, x: Tensor) -> Tensor:
    return vmap(jacrev(lambda row: f(row[None])[0][0]))(x)


def test_laplace_is_that_of_torch() -> None:
    z = noise(50, 3)
    theirs = torch.distributions.Laplace(z.new_zeros(3), 1.0)
    base = Laplace((3,)).double()
    torch.testing.assert_close(base.log_prob(z), theirs.log_prob(z).sum(1))
    torch.manual_seed(0)
    drawn = base.sample(40_000)[:, 0].sort().values
    steps = torch.linspace(0.5, 39_999.5, 40_000).double() / 40_000
    assert drawn.dtype == torch.float64
    assert (torch.distributions.Laplace(0.0, 1.0).cdf(drawn) - steps).abs().max() < 0.01


def test_the_jacobian_is_triangular_in_the_order_and_full_below() -> None:
    """Halves, as in the authors' layer, would leave zeros: x_1 would not cause x_2."""
    flow, x = perturbed(carefl(4, 3, order=ORDER)), noise(20, 4)
    j = jacobians(flow.bijection, x)
    ordered = j[:, list(ORDER)][:, :, list(ORDER)]
    assert not ordered.triu(1).any()
    assert (ordered.abs().amax(0)[*torch.tril_indices(4, 4, -1)] > 1e-3).all()
    exact = torch.linalg.slogdet(j).logabsdet
    torch.testing.assert_close(flow.bijection(x)[1], exact)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_layers_of_one_order_are_one_affine_map_of_each_variable(layers: int) -> None:
    flow, x = perturbed(carefl(3, layers)), noise(20, 3)
    moved = torch.cat((x[:, :2], x[:, 2:] + 3), 1)
    first, second = (jacobians(flow.bijection, each)[:, 2, 2] for each in (x, moved))
    torch.testing.assert_close(first, second)
    assert first.std() > 0.01


def test_layers_that_take_turns_are_not() -> None:
    f = Compose(
        *(Autoregressive(3, Affine(), (10,), each) for each in (None, (2, 1, 0)))
    )
    f, x = perturbed(f), noise(20, 3)
    moved = x + torch.tensor([0.0, 3.0, 0.0])
    first, second = (jacobians(f, each)[:, 1, 1] for each in (x, moved))
    assert (first - second).abs().max() > 0.01


def test_scale_and_shift_of_a_root_are_free() -> None:
    """In the authors' layer one parameter is both, so z = exp(a) x + a."""
    flow, x = carefl(2, 1).double(), torch.tensor([[0.0, 0.0], [1.0, 0.0]]).double()
    layer = next(m for m in flow.modules() if isinstance(m, Autoregressive))
    bias = layer.m.output.bias
    assert bias is not None
    seen = set()
    for s in (-0.5, 0.5):
        for t in (-2.0, 1.0):
            with torch.no_grad():
                # Outputs lie side by side by kind: s of both variables, then t.
                bias[0], bias[2] = s, t
                z = flow.bijection(x)[0][:, 0]
            assert z[0].item() == pytest.approx(t)
            slope = torch.tensor(s).tanh().exp().item()
            assert (z[1] - z[0]).item() == pytest.approx(slope)
            seen.add((round(slope, 6), t))
    assert len(seen) == 4


def test_an_order_is_a_permutation() -> None:
    with pytest.raises(
        ValueError, match=r"expected an order of 0 … 2, got \[0, 0, 1\]"
    ):
        carefl(3, order=(0, 0, 1))


def of_variables(x: Tensor, i: int, a: float) -> Tensor:
    """Counterfactuals of eq. 12, written out by hand."""
    x1, x2, x3, x4 = x.unbind(1)
    match i:
        case 0:
            rows = (x1 * 0 + a, x2, x3 + a - x1, x4 + (a * a - x1 * x1) / 2)
        case 1:
            rows = (x1, x2 * 0 + a, x3 + (a**3 - x2**3) / 2, x4 - (a - x2))
        case 2:
            rows = (x1, x2, x3 * 0 + a, x4)
        case _:
            rows = (x1, x2, x3, x4 * 0 + a)
    return torch.stack(rows, 1)


@pytest.mark.parametrize("i", range(4))
def test_counterfactuals_of_the_known_system_are_exact(i: int) -> None:
    x = noise(30, 4)
    by_hand = of_variables(x, i, 1.7)
    torch.testing.assert_close(counterfactual(known(), x, i, 1.7), by_hand)
    torch.testing.assert_close(had_been(x, i, 1.7), by_hand)


def test_the_observation_of_the_paper() -> None:
    n = torch.tensor([[2.0, 1.5, 1.4, -1.0]]).double()
    expected = torch.tensor([[2.0, 1.5, 5.0875, -0.5]]).double()
    torch.testing.assert_close(system(n), expected)


def test_means_of_interventions_are_those_of_the_formulas() -> None:
    torch.manual_seed(0)
    for a in (-2.0, 1.0):
        x = do(known(), 200_000, 0, a)
        # The base has scale 1 here, and variance 2.
        error = x.std(0) / 200_000**0.5
        assert abs(x[:, 2].mean() - a) < 4 * error[2]
        assert abs(x[:, 3].mean() - a * a / 2) < 4 * error[3]


@pytest.mark.parametrize("i", range(4))
def test_an_intervention_sets_its_variable_and_moves_only_what_follows(i: int) -> None:
    flow, x = perturbed(carefl(4, 3, order=ORDER)), noise(40, 4)
    y = counterfactual(flow, x, i, 0.8)
    torch.testing.assert_close(y[:, i], torch.full((40,), 0.8).double())
    place = ORDER.index(i)
    before, after = list(ORDER[:place]), list(ORDER[place + 1 :])
    torch.testing.assert_close(y[:, before], x[:, before], atol=1e-12, rtol=0)
    assert ((y - x)[:, after].abs().amax(0) > 1e-3).all()


def test_a_variable_that_keeps_its_value_changes_nothing() -> None:
    flow, x = perturbed(carefl(4, 3)), noise(1, 4)
    for i in range(4):
        same = counterfactual(flow, x, i, x[0, i].item())
        torch.testing.assert_close(same, x, atol=1e-12, rtol=0)


def test_the_observation_is_left_alone() -> None:
    flow, x = perturbed(carefl(3, 2)), noise(5, 3)
    before = x.clone()
    counterfactual(flow, x, 1, 2.0)
    assert torch.equal(x, before)


def test_the_shortcut_is_right_for_a_root_only() -> None:
    flow = perturbed(carefl(4, 3))
    for i in range(4):
        torch.manual_seed(0)
        ours = do(flow, 500, i, 2.0)
        torch.manual_seed(0)
        theirs = shortcut(flow, 500, i, 2.0)
        assert (ours[:, i] - 2).abs().max() < 1e-9
        if i == 0:
            torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)
        else:
            assert theirs[:, i].std() > 0.1


def test_for_a_root_to_do_is_to_condition() -> None:
    """The density of the others, given x_1 = a, is that of where do puts them."""
    flow, a = perturbed(carefl(2, 2, base=StandardNormal)), 0.7
    torch.manual_seed(0)
    drawn = do(flow, 100_000, 0, a)[:, 1]
    grid = torch.linspace(-60, 60, 120_001).double()
    joint = flow.log_prob(torch.stack((torch.full_like(grid, a), grid), 1)).exp()
    given = joint / torch.trapezoid(joint, grid)
    mean = torch.trapezoid(given * grid, grid)
    var = torch.trapezoid(given * (grid - mean) ** 2, grid)
    assert abs(drawn.mean() - mean) < 4 * (var / 100_000) ** 0.5
    assert drawn.var().item() == pytest.approx(var.item(), rel=0.02)


def linear_gaussian(x: Tensor) -> Flow:
    """The linear flow of greatest likelihood, in the order of the columns."""
    mean, cov = x.mean(0), x.T.cov(correction=0)
    slope = cov[0, 1] / cov[0, 0]
    rest = cov[1, 1] - slope * cov[0, 1]
    flow = Flow(StandardNormal((2,)), Autoregressive(2, Affine(), ())).double()
    layer = flow.bijection
    assert isinstance(layer, Autoregressive) and layer.m.output.bias is not None
    assert isinstance(layer.univariate, Affine)
    s = torch.stack((cov[0, 0], rest)).log() / -2
    shift = torch.stack((mean[0], mean[1] - slope * mean[0]))
    with torch.no_grad():
        layer.univariate.a.fill_(4.0)
        bias = torch.cat(((s / 4).atanh(), -shift * s.exp()))
        layer.m.output.bias.copy_(bias)
        layer.m.output.weight[3, 0] = -slope * s[1].exp()
    return flow


def test_linear_gaussian_flows_fit_both_orders_equally_well() -> None:
    x = noise(300, 2) @ torch.tensor([[1.0, 0.8], [0.0, 0.5]]).double() + 1
    best = -1 - LOG_2PI - x.T.cov(correction=0).logdet() / 2
    for columns in (x, x.flip(1)):
        flow = linear_gaussian(columns)
        value = flow.log_prob(columns).mean()
        torch.testing.assert_close(value, best)
        value.backward()
        layer = flow.bijection
        assert isinstance(layer, Autoregressive) and layer.m.output.bias is not None
        # No other linear flow is better: shifts, scales and the slope are at rest.
        assert layer.m.output.bias.grad is not None
        assert layer.m.output.weight.grad is not None
        assert layer.m.output.bias.grad.abs().max() < 1e-10
        assert layer.m.output.weight.grad[3].abs().max() < 1e-10


def test_a_curved_density_that_fits_both_orders() -> None:
    """exp(-½(x² + y² + x²y²)): each is Gaussian given the other, with its own scale."""
    grid = torch.linspace(-8, 8, 801).double()
    x, y = grid[:, None], grid[None]
    p = (-(x**2 + y**2 + x**2 * y**2) / 2).exp()
    given = p / torch.trapezoid(p, grid, dim=1)[:, None]
    normal = torch.distributions.Normal(0.0, (1 + x**2) ** -0.5)
    torch.testing.assert_close(given, normal.log_prob(y.expand(801, 801)).exp())
    assert torch.equal(p, p.T)


def after_seed(x: Tensor) -> Tensor:
    """R after a short training from the same weights each time."""
    torch.manual_seed(1)
    return likelihood_ratio(x, steps=15)


def test_r_changes_its_sign_with_the_columns() -> None:
    torch.manual_seed(0)
    x = pairs(cubic, 3, 40)
    one, other = after_seed(x), after_seed(x.flip(2))
    torch.testing.assert_close(one, -other, atol=1e-5, rtol=0)
    assert one.abs().min() > 1e-4


def test_points_that_are_held_out_take_no_part_in_training() -> None:
    """R is a mean over them: without one of them, it is what the others say."""
    torch.manual_seed(0)
    x = pairs(cubic, 3, 40)
    far = x.clone()
    far[:, 32:36] *= 2
    mixed = torch.cat((x[:, :32], far[:, 32:36], far[:, 32:36]), 1)
    same = torch.cat((x[:, :32], x[:, 36:], x[:, 36:]), 1)
    halves = (after_seed(mixed) + after_seed(same)) / 2
    torch.testing.assert_close(after_seed(far), halves, atol=1e-5, rtol=1e-4)


def test_units_do_not_matter() -> None:
    torch.manual_seed(0)
    x = pairs(cubic, 3, 40)
    moved = x * torch.tensor([10.0, 0.1]) + 5
    torch.testing.assert_close(after_seed(x), after_seed(moved), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(less_error(x), less_error(moved), atol=1e-4, rtol=1e-4)


def test_regression_is_that_of_numpy() -> None:
    torch.manual_seed(0)
    x = pairs(cubic, 3, 40)
    for each, found in zip(x.double().numpy(), less_error(x), strict=True):
        errors = []
        for cause, effect in (each.T[::-1], each.T):
            fitted = np.polyval(np.polyfit(cause, effect, 3), cause)
            errors.append((fitted - effect).var() / effect.var())
        assert errors[0] - errors[1] == pytest.approx(found.item(), abs=1e-6)


def test_linear_data_of_one_law_leave_equal_errors() -> None:
    """E[x_1 | x_2] = x_2 / 2 where cause and noise can be exchanged."""
    torch.manual_seed(0)
    assert less_error(pairs(linear, 1, 400_000)).abs().item() < 0.01
    assert less_error(pairs(cubic, 1, 400_000)).item() > 0.1


def test_a_fit_that_diverges_is_not_passed_over() -> None:
    """A mean that leaves out NaN would hide it."""
    x = torch.randn(3, 20, 2)
    x[1, 3, 0] = torch.nan
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1"):
        likelihood_ratio(x, steps=3)


def test_noises_have_variance_one() -> None:
    torch.manual_seed(0)
    assert laplace(100_000).var().item() == pytest.approx(1, abs=0.05)
