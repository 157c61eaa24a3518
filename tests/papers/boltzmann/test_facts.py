"""Facts of Boltzmann generators (Noé et al., 2018): energies, losses, weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import brentq, minimize
from scipy.stats import kstest
from torch import Tensor

from implementations import boltzmann as module
from implementations.boltzmann import (
    boltzmann,
    by_example,
    double_well,
    even_bins,
    exact,
    free_energy,
    learn,
    negative_entropy,
    optimum,
    profile,
    short_runs,
    soft_bins,
    tame,
)
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.weights import (
    effective_share,
    log_normaliser,
    reverse_kl,
    weigh,
    weighted_mean,
)
from implementations.nice import Coupling, Scaling
from tests.support.perturb import noise, perturbed


def along(r: float) -> float:
    return r**4 - 6 * r**2 + r


def gaussian(x: Tensor) -> Tensor:
    """-u for u = ½‖x‖², in nats."""
    return -x.square().sum(1) / 2


def log_p(x: Tensor) -> Tensor:
    return -double_well(x)


# The double well, and its exact answer


def test_the_energy_is_that_of_the_code() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-2.0, 0.0]])
    assert double_well(x).tolist() == [0.0, -2.0, -10.0]


def test_wells_and_barrier() -> None:
    r = torch.linspace(-2.5, 2.5, 50_001).double()
    u = double_well(torch.stack((r, torch.zeros_like(r)), 1))
    left, top, right = u[r < 0].min(), u[r.abs() < 1].max(), u[r > 0].min()
    assert r[u.argmin()].item() == pytest.approx(-1.77, abs=0.01)
    assert (top - left).item() == pytest.approx(10.8, abs=0.05)
    assert (top - right).item() == pytest.approx(7.33, abs=0.05)


def test_without_tilt_both_double_wells_have_a_barrier_of_9_kt() -> None:
    """The preprint has another one than the code, ¼x⁴ - 3x² + x."""
    for a, b in ((1.0, 6.0), (0.25, 3.0)):
        assert b**2 / (4 * a) == 9


def test_quadrature_is_that_of_scipy() -> None:
    parts = [
        quad(lambda r: math.exp(-along(r)), *ends, epsabs=0, epsrel=1e-12)[0]
        for ends in ((-5, 0), (0, 5))
    ]
    left, right = parts
    found = exact()
    assert found.right == pytest.approx(right / (left + right), rel=1e-7)
    assert found.delta == pytest.approx(math.log(left / right), abs=1e-7)
    assert found.log_z == pytest.approx(math.log(left + right) + LOG_2PI / 2, abs=1e-7)
    numbers = (found.right, found.delta, found.log_z)
    assert [round(v, 4) for v in numbers] == [0.0329, 3.3799, 11.0205]


def test_exact_samples() -> None:
    torch.manual_seed(0)
    found = exact()
    x = found.sample(20_000).double()
    assert kstest(x[:, 1].numpy(), "norm").pvalue > 1e-3
    cumulative = found.mass.cumsum(0).numpy()
    edges = found.r.numpy() + (found.r[1] - found.r[0]).item() / 2
    cdf = lambda r: np.interp(r, edges, cumulative)  # noqa: E731
    assert kstest(x[:, 0].numpy(), cdf).pvalue > 1e-3


# Weights


def test_the_flow_that_is_the_target_has_equal_weights() -> None:
    torch.manual_seed(0)
    flow = boltzmann(3, 2, (8, 8)).double()  # New, so the identity.
    _, log_w = weigh(flow, gaussian, 500)
    torch.testing.assert_close(log_w, log_w.new_full((500,), 1.5 * LOG_2PI))
    assert effective_share(log_w) == pytest.approx(1)
    # The floor of the loss, -log Z.
    assert reverse_kl(flow, gaussian, 10).item() == pytest.approx(-1.5 * LOG_2PI)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_the_log_determinant(sign: int) -> None:
    """A scaled Gaussian by a scaling: weights are equal, with the right sign alone."""
    torch.manual_seed(0)
    flow = Flow(StandardNormal((2,)), Scaling(2)).double()
    s = torch.tensor([0.7, -1.1]).double()
    flow.bijection.s.data.copy_(s)  # pyright: ignore
    x, log_w = weigh(flow, lambda x: gaussian(x * s.exp()), 200)
    wrong_or_right = log_w + (1 - sign) * flow.bijection(x)[1].detach()
    expected = LOG_2PI - s.sum()
    assert torch.allclose(wrong_or_right, expected) == (sign == 1)


def test_the_loss_by_energy_stays_above_its_floor() -> None:
    log_z = exact().log_z
    for seed in range(3):
        flow = perturbed(boltzmann(2, 2, (8, 8)), seed)
        _, log_w = weigh(flow, log_p, 4000)
        assert reverse_kl(flow, log_p, 4000).item() + log_z > 0
        assert log_w.mean().item() < log_z


def test_any_flow_of_full_support_tells_the_truth() -> None:
    """An untrained one, whose draws are mostly on the barrier."""
    torch.manual_seed(1)
    found = exact()
    x, log_w = weigh(boltzmann(2, 1, (8,)).double(), log_p, 1_000_000)
    right = x[:, 0] > 0
    share = weighted_mean(right.double(), log_w)
    assert abs(share.value - found.right) < 4 * share.error
    delta = free_energy(right, ~right, log_w)
    assert abs(delta.value - found.delta) < 4 * delta.error < 0.2
    z = log_normaliser(log_w)
    assert abs(z.value - found.log_z) < 4 * z.error


def test_free_energies_are_antisymmetric_and_add_up() -> None:
    r, log_w = 2 * noise(1000, seed=1), noise(1000, seed=2)
    a, b, c = r < -1, (r > -1) & (r < 1), r > 1
    ab, ba, bc, ac = (
        free_energy(*pair, log_w) for pair in ((a, b), (b, a), (b, c), (a, c))
    )
    assert ab.value == pytest.approx(-ba.value)
    assert ab.error == pytest.approx(ba.error)
    assert ab.value + bc.value == pytest.approx(ac.value)
    shifted = free_energy(a, b, log_w + 700)
    assert shifted.value == pytest.approx(ab.value)


def test_the_standard_error_is_that_of_repetitions() -> None:
    torch.manual_seed(0)
    flow = boltzmann(2, 1, (8,)).double()
    found = []
    for _ in range(200):
        x, log_w = weigh(flow, log_p, 20_000)
        found.append(free_energy(x[:, 0] > 0, x[:, 0] < 0, log_w))
    spread = np.std([each.value for each in found])
    told = np.mean([each.error for each in found])
    assert told == pytest.approx(spread, rel=0.2)


def test_what_was_never_drawn_is_infinite_and_looks_perfect() -> None:
    """Draws of the truth, but for the right state."""
    torch.manual_seed(0)
    found = exact()
    x = found.sample(5000)
    x = x[x[:, 0] < 0]
    # The density of these draws, and their weights.
    log_q = log_p(x) - found.log_z - math.log(1 - found.right)
    log_w = (log_p(x) - log_q).double()
    assert effective_share(log_w) == pytest.approx(1, abs=1e-5)
    missing = log_normaliser(log_w).value - found.log_z
    assert missing == pytest.approx(math.log(1 - found.right), abs=1e-5)
    right = x[:, 0] > 0
    assert free_energy(right, ~right, log_w).value == math.inf


def test_a_profile_is_of_the_weights() -> None:
    r, log_w = noise(500, seed=1), noise(500, seed=2)
    edges = torch.linspace(-1, 1, 6).double()
    w = log_w.softmax(0).numpy()
    counts, _ = np.histogram(r.numpy(), edges.numpy(), weights=w)
    np.testing.assert_allclose(profile(r, log_w, edges).numpy(), -np.log(counts))
    far = torch.tensor([9.0, 10.0]).double()
    assert profile(r, log_w, far).tolist() == [math.inf]


# The losses


def test_by_example_is_half_a_square_and_a_log_determinant() -> None:
    """The text of the preprint lacks the ½; the code has it."""
    flow, x = perturbed(boltzmann(2, 2, (8, 8))), noise(50, 2)
    z, log_det = flow.bijection(x)
    j = (z.square().sum(1) / 2 - log_det).mean() + LOG_2PI
    assert by_example(flow, x).item() == pytest.approx(j.item())


def test_tamed_energies() -> None:
    u = torch.tensor([-11.0, 99.0, 100.0, 101.0, 1e6, 1e10, 1e20, math.inf]).double()
    found = tame(u)
    high = [100 + math.log1p(v - 100) for v in (101, 1e6, 1e10, 1e10, 1e10)]
    assert found.tolist() == pytest.approx([-11.0, 99.0, 100.0, *high])
    assert (found.diff() >= 0).all()
    u = torch.tensor([5.0, 1100.0, 1e12]).double().requires_grad_()
    (slope,) = torch.autograd.grad(tame(u).sum(), u)
    assert slope.tolist() == pytest.approx([1.0, 1 / 1001, 0.0])


def test_one_overlap_does_not_decide_the_gradient() -> None:
    x = torch.tensor([[-1.5, 0.0], [60.0, 0.0]]).requires_grad_()
    plain, tamed = (
        torch.autograd.grad(f(double_well(x)).mean(), x)[0].norm(dim=1)
        for f in (lambda u: u, tame)
    )
    assert plain[1] > 1e4 * plain[0]
    assert tamed[1] < tamed[0]


def test_data_are_half_and_half_and_never_cross() -> None:
    torch.manual_seed(0)
    data = short_runs(4, 500)
    assert data.shape == (400, 2)
    assert (data[:, 0] > 0).float().mean() == 0.5
    assert data[:, 0].abs().min() > 0.5


@pytest.mark.parametrize("loss", [negative_entropy, even_bins])
def test_the_loss_along_r_reaches_each_sample(loss: module.Callable) -> None:
    r = (0.3 * noise(64) - 1.5).requires_grad_()
    (slope,) = torch.autograd.grad(loss(r), r)
    assert (slope != 0).all()
    # A step against it spreads them.
    assert (r - 0.01 * slope.sign()).std() > r.std()


@pytest.mark.parametrize("loss", [negative_entropy, even_bins])
def test_the_loss_along_r_is_least_where_r_is_even(loss: module.Callable) -> None:
    even = torch.linspace(-2.5, 2.5, 2000).double()
    others = (even / 2, even.clamp(max=0), even - even.sin() / 2, 1.8 * even.sign())
    assert all(loss(even) < loss(r) for r in others)


def test_the_texts_loss_is_the_negative_entropy() -> None:
    """Of a Gaussian, whose variance the kernel widens."""
    torch.manual_seed(0)
    r = 0.5 * torch.randn(20_000).double()
    wide = 0.5**2 + (1.5 * 5 / 59) ** 2
    expected = -(math.log(2 * math.pi * math.e * wide)) / 2
    assert negative_entropy(r).item() == pytest.approx(expected, abs=0.02)


def test_the_codes_loss_is_a_sum_over_eleven_bins() -> None:
    r = noise(30).numpy()
    means, std = np.linspace(-2.5, 2.5, 11), 5 / 11
    near = np.exp(-((r[:, None] - means) ** 2) / (2 * std**2)) + 1e-6
    h = (near / near.sum(1, keepdims=True)).mean(0)
    expected = -np.log(h).sum()
    assert even_bins(torch.from_numpy(r)).item() == pytest.approx(expected)
    # The least value is 11 log 11, and not 0 or log 11.
    rows = soft_bins(torch.from_numpy(r))
    assert rows.sum(1).numpy() == pytest.approx(1)
    assert expected > 11 * math.log(11)


def test_empty_bins_cost_the_code_far_more_than_the_text() -> None:
    """When the right half is empty: log 2 in the text, at any energy."""
    r = torch.linspace(-2.5, 2.5, 4001).double()
    left = r[r < 0]
    lost = [(f(left) - f(r)).item() for f in (negative_entropy, even_bins)]
    assert lost[0] == pytest.approx(math.log(2), abs=0.1)
    assert lost[1] > 20
    # The kernels overlap: one bin that is empty borrows from its neighbours.
    gap = r[(r < -0.25) | (r > 0.25)]
    assert even_bins(gap) - even_bins(r) < 1


def test_a_loss_outside_of_autograd_teaches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A public mistake: a library computed the histogram, and no error was raised."""

    def gradient(along_r: module.Callable) -> Tensor:
        torch.manual_seed(0)
        flow, caught = perturbed(boltzmann(2, 1, (8,))), []
        monkeypatch.setattr(module, "fit", lambda _, loss, *a, **k: caught.append(loss))
        learn(flow, noise(10, 2), 1, along_r=along_r)
        caught[0](noise(10, 2)).backward()
        return torch.cat([w.grad.flatten() for w in flow.parameters()])  # pyright: ignore

    def by_library(r: Tensor) -> Tensor:
        counts, _ = np.histogram(r.detach().numpy(), 11, (-2.5, 2.5))
        return torch.tensor(-np.log(counts / len(r) + 1e-6).sum())

    none = gradient(torch.zeros_like)
    torch.testing.assert_close(gradient(by_library), none)
    for loss in (negative_entropy, even_bins):
        assert (gradient(loss) - none).norm() > 1e-3 * none.norm()


# What the losses lead to


@pytest.mark.parametrize("w", [0.0, 1.0, 10.0])
def test_the_texts_loss_is_a_temperature(w: float) -> None:
    log_mu = 3 * noise(50)
    q = optimum(log_mu, lambda q: w * (q * q.log()).sum())
    torch.testing.assert_close(q, (log_mu / (1 + w)).softmax(0))


def test_the_balance_of_two_states_has_one_equation() -> None:
    """Within a state the shapes agree, so that only the share is to be found."""
    right = exact().right

    def slope(a: float) -> float:
        on, off = math.log(a / right), math.log((1 - a) / (1 - right))
        return on - 0.5 / a - off + 0.5 / (1 - a)

    a = float(brentq(slope, 1e-6, 1 - 1e-6, xtol=1e-12))  # pyright: ignore
    mu = torch.tensor([1 - right, right]).double()
    q = optimum(mu.log(), lambda q: -(0.5 * q.log()).sum())
    assert q[1].item() == pytest.approx(a, abs=1e-8)
    assert a == pytest.approx(0.194, abs=1e-3)


def test_the_optimum_is_that_of_a_library() -> None:
    log_mu, p = 2 * noise(4, seed=1), noise(4, seed=2).softmax(0)
    q = optimum(log_mu, lambda q: -(p * q.log()).sum())

    def loss(logits: np.ndarray) -> float:
        log_q = torch.from_numpy(logits).log_softmax(0)
        return (log_q.exp() * (log_q - log_mu) - p * log_q).sum().item()

    by_library = minimize(loss, np.zeros(4), tol=1e-12).x
    expected = torch.from_numpy(by_library).softmax(0)
    torch.testing.assert_close(q, expected, atol=1e-5, rtol=0)


# The flow


def test_its_size_is_that_of_rrrr() -> None:
    flow = boltzmann(2)
    layers = [m for m in flow.modules() if isinstance(m, Coupling)]
    assert len(layers) == 8
    assert [layer.kept for layer in layers] == [0, 1] * 4
    widths = [
        m.out_features for m in layers[0].modules() if isinstance(m, torch.nn.Linear)
    ]
    assert widths == [100, 100, 100, 2]


def test_log_r_changes_its_sign_with_the_direction() -> None:
    f, x = perturbed(boltzmann(2, 2, (8, 8))).bijection, noise(50, 2)
    z, log_det = f(x)
    torch.testing.assert_close(f.inverse(z)[1], -log_det)
