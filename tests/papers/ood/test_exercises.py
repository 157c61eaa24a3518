"""Out of distribution, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest

from tests.support.exercises import edited

PAPER = "ood"


def test_from_smooth_to_rough_strangers_are_found() -> None:
    module = edited(PAPER, 1)
    module.run("bell.covariance_matrix")
    assert module.found["Gaussian"]["other photo"] > 0.8
    assert module.calm < 0.5


def test_what_is_wider_is_found() -> None:
    module = edited(PAPER, 2)
    with pytest.raises(AssertionError, match="AUROC in 64 dimensions"):
        module.run("variance = ")
    assert module.inverted == pytest.approx(1 - module.toy_auroc(64, 0.5))
    assert module.inverted == pytest.approx(0.9969, abs=5e-5)


def test_a_cycle_that_is_none_is_noticed() -> None:
    module = edited(PAPER, 3)
    with pytest.raises(AssertionError, match="sees beyond its quadrant"):
        module.run("derivatives by what is hidden")
