"""CAREFL, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import carefl as original
from implementations.carefl import linear, pairs
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "carefl"


def test_with_turns_an_intervention_moves_causes_and_misses_its_value() -> None:
    module, x = edited(PAPER, 1), noise(50, 4)
    for build, holds in ((original.carefl, True), (module.carefl, False)):
        flow = perturbed(build(4))
        y = original.counterfactual(flow, x, 2, 2.0)
        causes = (y - x)[:, :2].abs().amax(0)
        missed = (y[:, 2] - 2).abs().max()
        assert (missed < 1e-9) == holds
        assert ((causes < 1e-9) == holds).all()


def test_zeros_are_right_for_the_first_variable_only() -> None:
    module, x, flow = edited(PAPER, 2), noise(50, 4), perturbed(original.carefl(4))
    for i in range(4):
        y = module.counterfactual(flow, x, i, 2.0)
        assert ((y[:, i] - 2).abs().max() < 1e-9) == (i == 0)
        assert y[:, i].std() < 1e-9 or y[:, i].std() > 0.1


@pytest.mark.thorough
def test_with_gaussian_noise_assumed_the_effect_looks_like_the_cause() -> None:
    torch.manual_seed(0)
    x, module = pairs(linear, 40, 200), edited(PAPER, 3)
    laplace, gaussian = (
        (each.likelihood_ratio(x, steps=120) > 0).double().mean()
        for each in (original, module)
    )
    assert laplace > 0.6
    assert gaussian < 0.4
