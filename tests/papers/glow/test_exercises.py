"""Glow, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from implementations import glow
from tests.support.exercises import edited


def test_without_the_pixels_log_det_is_sixteen_times_too_small() -> None:
    module = edited("glow", 1)
    x = torch.randn(2, 3, 4, 4)
    right, wrong = (each.Conv1x1((3, 4, 4)) for each in (glow, module))
    assert wrong(x)[1].abs().max() < 1e-5
    nn.init.normal_(right.matrix.W)
    wrong.load_state_dict(right.state_dict())
    torch.testing.assert_close(16 * wrong(x)[1], right(x)[1])
    with pytest.raises(AssertionError, match=r"1×1 convolution: log \|det J\|"):
        module.run("for kept in (Plain, LU):")


def test_divided_by_the_variance_a_deviation_of_3_becomes_a_third() -> None:
    module = edited("glow", 2)
    with pytest.raises(AssertionError, match=r"first batch: deviation: 0\.33"):
        module.run("norm, x = ActNorm((3, 4, 4))")
    unit = torch.randn(1000, 1, 4, 4)
    norm = module.ActNorm((1, 4, 4))
    norm.initialise(unit / unit.std())
    assert norm(unit)[0].std().item() == pytest.approx(1, abs=0.01)


def test_random_last_layers_change_the_start_and_nothing_else() -> None:
    module = edited("glow", 3)
    with pytest.raises(AssertionError, match="what its new couplings change"):
        module.run("small, x = glow(")
    assert module.change > 0.1
    assert module.error < 1e-8 and module.wrong < 1e-8
