"""Facts of Kirichenko, Izmailov and Wilson (2020): scores, masks, and regressions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest
import torch
from scipy.stats import chi2, f
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from implementations.core.bijection import Shape
from implementations.core.flow import Flow
from implementations.core.pixels import bits_per_pixel, with_noise
from implementations.ood import (
    Patches,
    Step,
    auroc,
    checkers,
    cycle,
    dense,
    learn,
    learn_apart,
    ood,
    photographs,
    regression,
    strangers,
    toy_auroc,
)
from implementations.real_nvp import MaskedCoupling
from tests.support.perturb import noise, perturbed

SHAPE = (1, 4, 4)
Masks = Callable[[Shape, int], list[Step]]


@pytest.fixture(scope="module")
def photos() -> dict[str, Patches]:
    return photographs()


def couplings(flow: Flow) -> list[MaskedCoupling]:
    return [m for m in flow.modules() if isinstance(m, MaskedCoupling)]


@pytest.mark.parametrize("levels", [3, 10**9])
def test_auroc_counts_pairs(levels: int) -> None:
    """With ties and without."""
    torch.manual_seed(0)
    home, foreign = torch.randint(levels, (70,)), torch.randint(levels, (50,)) - 1
    above, equal = home[:, None] > foreign, home[:, None] == foreign
    share = (above.double() + 0.5 * equal).mean().item()
    assert auroc(home.double(), foreign.double()) == pytest.approx(share)


def test_swapped_sets_have_the_other_auroc() -> None:
    home, foreign = noise(40), noise(30, seed=2) + 1
    assert auroc(home, foreign) == pytest.approx(1 - auroc(foreign, home))
    assert auroc(home, home) == pytest.approx(0.5)
    assert auroc(home + 99, home) == 1


def test_a_mean_hides_what_auroc_shows() -> None:
    """A few very unlikely patches pull the mean of an inverted set below home's."""
    home, foreign = noise(1000), noise(1000, seed=2) + 1
    foreign[:20] = -1000
    assert foreign.mean() < home.mean() and auroc(home, foreign) < 0.3


def test_the_toy_is_inverted_in_many_dimensions() -> None:
    assert toy_auroc(64, 0.5) == pytest.approx(f(64, 64).sf(2), rel=1e-9)
    assert toy_auroc(64, 0.5) == pytest.approx(0.0031, abs=5e-5)
    assert toy_auroc(5, 1.0) == pytest.approx(0.5)
    assert toy_auroc(9, 0.7) == pytest.approx(1 - toy_auroc(9, 1 / 0.7))
    falling = [toy_auroc(dim, 0.8) for dim in (1, 4, 16, 64, 256)]
    assert falling == sorted(falling, reverse=True) and falling[-1] < 0.05


def test_the_toy_gains_by_half_of_what_it_varies_less() -> None:
    """E log p is higher by D (1 - σ²) / 2: the mean of χ²_D is D."""
    dim, variance = 64, 0.5
    x = noise(4000, dim)
    lengths = x.square().sum(1)
    assert lengths.mean().item() == pytest.approx(chi2(dim).mean(), rel=0.02)
    gain = (lengths - variance * lengths).mean().item() / 2
    assert gain == pytest.approx(dim * (1 - variance) / 2, rel=0.02)


def test_bits_of_a_uniform_density_are_eight() -> None:
    assert bits_per_pixel(torch.zeros(1), 64).item() == 8


def test_test_patches_share_no_pixel_with_training(photos: dict[str, Patches]) -> None:
    """Their rows are from bands that take turns: 4 to train on, 3 to test on."""
    for photo in photos.values():
        assert photo.train.shape == (4 * 14 * 159, 1, 8, 8)
        assert photo.test.shape == (3 * 7 * 80, 1, 8, 8)
        assert photo.train.min() >= 0 and photo.train.max() <= 255
        seen = {tuple(x.flatten().tolist()) for x in photo.train if x.std() > 5}
        assert not any(tuple(x.flatten().tolist()) in seen for x in photo.test)


def test_strangers_are_what_they_are_called(photos: dict[str, Patches]) -> None:
    torch.manual_seed(0)
    home, other = photos["temple"].test, photos["flower"].test
    found = strangers(home, other)
    assert torch.equal(found["other photo"], other)
    assert (found["one grey"].flatten(1).std(1) == 0).all()
    for mixed in (found["shuffled"], home):
        torch.testing.assert_close(
            mixed.flatten(1).sort(1).values, home.flatten(1).sort(1).values
        )
    assert not torch.equal(found["shuffled"], home)


def bell(photos: dict[str, Patches]) -> MultivariateNormal:
    torch.manual_seed(0)
    x = with_noise(photos["temple"].train).flatten(1).double()
    return MultivariateNormal(x.mean(0), x.T.cov())


def test_a_gaussian_is_inverted_one_way_only(photos: dict[str, Patches]) -> None:
    here, there = photos["temple"].test, photos["flower"].test
    sets = [with_noise(x).flatten(1).double() for x in (here, there)]
    assert auroc(*map(bell(photos).log_prob, sets)) < 0.42
    back = bell({"temple": photos["flower"]})
    assert auroc(*map(back.log_prob, reversed(sets))) > 0.8


def test_white_noise_is_found_by_anything(photos: dict[str, Patches]) -> None:
    """So it shows nothing."""
    p = bell(photos)
    home = with_noise(photos["temple"].test).flatten(1).double()
    assert auroc(p.log_prob(home), p.log_prob(noise(500, 64).sigmoid())) > 0.99


def test_sets_with_other_noise_do_not_compare(photos: dict[str, Patches]) -> None:
    """The same patches, with noise of another width, seem foreign."""
    p, levels = bell(photos), photos["temple"].test.flatten(1)
    home, again = (p.log_prob(with_noise(levels).double()) for _ in range(2))
    coarse = p.log_prob(with_noise((levels / 32).floor(), 8).double())
    assert auroc(home, again) == pytest.approx(0.5, abs=0.01)
    assert auroc(home, coarse) > 0.6


def test_the_cycle_moves_each_quadrant_once_in_four_layers() -> None:
    steps = cycle((2, 6, 4), 8)
    moved = torch.stack([step.moved.int() for step in steps[:4]]).sum(0)
    assert torch.equal(moved, torch.ones_like(moved))
    for before, after in itertools.pairwise(steps):
        assert torch.equal(before.moved, after.seen)
        assert not (after.seen & after.moved).any()
    assert torch.equal(steps[0].seen, steps[4].seen)
    # Clockwise, from the upper left.
    corners = [step.seen[0, ::5, ::3].flatten().tolist() for step in steps[:4]]
    assert [corner.index(True) for corner in corners] == [0, 1, 3, 2]


@pytest.mark.parametrize("masks", [checkers, cycle])
def test_a_coupling_sees_what_its_mask_says(masks: Masks) -> None:
    """Moved pixels depend on all that is seen, on themselves, and on nothing else."""
    flow = perturbed(ood(SHAPE, 8, masks, partial(dense, hidden=(32,))))
    for layer, step in zip(couplings(flow), masks(SHAPE, 8), strict=True):
        x = noise(1, *SHAPE)
        slopes = torch.autograd.functional.jacobian(lambda x, f=layer: f(x)[0], x)
        depends = slopes.reshape(16, 16) != 0  # pyright: ignore
        seen, moved = step.seen.flatten(), step.moved.flatten()
        itself = torch.eye(16).bool()
        assert torch.equal(depends, itself | (moved[:, None] & seen))


def test_information_comes_back_after_four_layers() -> None:
    """The first quadrant is moved by the fourth layer, which sees what it set off."""
    flow = perturbed(ood(SHAPE, 4, network=partial(dense, hidden=(32,))))
    x = noise(1, *SHAPE)
    slopes = torch.autograd.functional.jacobian(lambda x: flow.bijection(x)[0], x)
    depends = slopes.reshape(16, 16) != 0  # pyright: ignore
    quadrants = [step.seen.flatten() for step in cycle(SHAPE, 4)]
    assert depends[quadrants[0]][:, quadrants[0]].all()
    for k in (1, 2, 3):
        assert depends[quadrants[k]][:, quadrants[0]].all()
        assert not depends[quadrants[1]][:, quadrants[3]].any()


def test_a_coupling_is_a_gaussian_regression() -> None:
    """log N(z; 0, 1) + s = log N(x; -t e⁻ˢ, e⁻²ˢ), of what noise 0 and 1 turn into."""
    layer, step = couplings(perturbed(ood(SHAPE, 1)))[0], cycle(SHAPE, 1)[0]
    x = noise(20, *SHAPE)
    z, log_det = layer(x)
    mean, above = (
        layer.inverse(torch.where(step.moved, value, x))[0][:, step.moved]
        for value in (0.0, 1.0)
    )
    ours = Normal(0, 1).log_prob(z[:, step.moved]).sum(1) + log_det
    exact = Normal(mean, above - mean).log_prob(x[:, step.moved]).sum(1)
    torch.testing.assert_close(ours, exact)


@pytest.mark.parametrize("masks", [checkers, cycle])
def test_the_best_linear_guess_is_that_of_the_covariance(masks: Masks) -> None:
    """E[x_ch | x_id] = μ_ch + Σ_ch,id Σ_id,id⁻¹ (x_id - μ_id)."""
    mixing, step = noise(16, 16), masks(SHAPE, 1)[0]
    x = (noise(500, 16, seed=2) @ mixing + 3).reshape(-1, *SHAPE)
    seen, moved = x[:, step.seen], x[:, step.moved]
    covariance = torch.cat((seen, moved), 1).T.cov()
    n = seen.shape[1]
    slopes = torch.linalg.solve(covariance[:n, :n], covariance[:n, n:])
    exact = moved.mean(0) + (seen - seen.mean(0)) @ slopes
    guessed = regression(x, step)(x)
    torch.testing.assert_close(guessed[:, step.moved], exact)
    assert torch.equal(guessed[:, ~step.moved], x[:, ~step.moved])


def test_least_squares_is_the_best_linear_coupling() -> None:
    """At t = -e^s x̂, e⁻ˢ = the error's deviation, the loss of a coupling is flat."""
    step = checkers(SHAPE, 1)[0]
    x = (noise(300, 16) @ noise(16, 16, seed=2)).reshape(-1, *SHAPE)
    guessed = regression(x, step)(x)[:, step.moved]
    s = -(x[:, step.moved] - guessed).square().mean(0).sqrt().log()
    seen = nn.functional.pad(x[:, step.seen], (0, 1), value=1.0)
    weights = torch.linalg.lstsq(seen, guessed).solution

    def loss(weights: Tensor, s: Tensor) -> Tensor:
        z = s.exp() * (x[:, step.moved] - seen @ weights)
        return (z.square() / 2 - s).sum(1).mean()

    slopes = torch.autograd.functional.jacobian(loss, (weights, s))
    assert all(slope.abs().max() < 1e-9 for slope in slopes)


def test_a_bottleneck_lets_two_numbers_through() -> None:
    """s and t together change in two directions only; without one, in all."""
    x = noise(1, *SHAPE)
    for hidden, rank in (((8, 2, 8), 2), ((32, 32), 16), ((8, 0, 8), 0)):
        m = perturbed(dense(SHAPE, hidden))
        slopes = torch.autograd.functional.jacobian(m, x).reshape(32, 16)  # pyright: ignore
        assert torch.linalg.matrix_rank(slopes) == rank


def test_at_the_start_a_flow_only_normalises() -> None:
    flow, x = ood(SHAPE), 3 * noise(50, *SHAPE).float() + 2
    flow.initialise(x)
    z, log_det = flow.bijection(x)
    assert abs(z.mean()) < 1e-5 and abs(z.std() - 1) < 1e-2
    torch.testing.assert_close(log_det, (-16 * x.std(correction=0).log()).expand(50))


@pytest.mark.parametrize("floor", [1e9, -1e9])
def test_below_the_floor_foreign_patches_do_not_count(
    floor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the loss has a bound. Above it they do count."""
    monkeypatch.setenv("SMOKE", "1")
    home = torch.randint(256, (50, *SHAPE)).float()
    weights = []
    for other in (home.flip(1, 2), torch.full_like(home, 9)):
        torch.manual_seed(0)
        flow = ood(SHAPE, 2)
        learn_apart(flow, home, other, floor)
        weights.append(torch.cat([w.flatten() for w in flow.parameters()]))
    # The first batch, of both, sets the scale: so they begin alike.
    assert torch.equal(*weights) == (floor > 0)


def test_training_makes_home_more_likely() -> None:
    torch.manual_seed(0)
    x = (128 + 40 * noise(200, 1)[..., None, None]).clamp(0, 255).round().float()
    x = x.expand(-1, *SHAPE)
    flow = ood(SHAPE, 4, checkers)
    flow.initialise(with_noise(x))
    before = flow.log_prob(with_noise(x)).mean()
    learn(flow, x, 60)
    assert flow.log_prob(with_noise(x)).mean() > before + 5
