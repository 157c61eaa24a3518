"""NAF, three to try: the answers are what comes out."""

from __future__ import annotations

import math

import torch

from implementations import naf as original
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "naf"


def test_built_p_is_rounded_to_0_on_the_left_and_harmless_on_the_right() -> None:
    module, x = edited(PAPER, 1), torch.tensor([-1000.0, 1000.0])
    params = torch.zeros(2, 48)
    z, _ = module.Sigmoidal()(x, params)
    expected, _ = original.Sigmoidal()(x, params)
    assert z[0] == -math.inf and expected.isfinite().all()
    torch.testing.assert_close(z[1], expected[1])


def test_on_the_wrong_axis_no_check_fails_and_w_is_not_steered() -> None:
    module = edited(PAPER, 2)
    module.run('check("three layers: log-slope')
    x, steered = noise(20), {}
    for which in (original, module):
        g = perturbed(which.DenseSigmoidal(5, 2))
        params = noise(20, g.n_params, seed=2).requires_grad_()
        z, _ = g(x, params)
        (gradient,) = torch.autograd.grad(z.sum(), params)
        steered[which] = gradient[:, 10:15].abs().max()
    assert steered[module] < 1e-12 < 1e-3 < steered[original]


def test_steep_tails_move_far_points_far() -> None:
    module, x = edited(PAPER, 3), torch.tensor([100.0])
    after = {}
    for which in (original, module):
        z, params, found = x, torch.zeros(1, 48), []
        for _ in range(5):
            z, _ = which.Sigmoidal()(z, params)
            found.append(z.item())
        after[which] = found
    assert 770 < after[module][0] < 790
    assert 2e6 < after[module][4] < 4e6
    assert 102 < after[original][0] < 104
    assert 113 < after[original][4] < 115
