"""A count of modes that neither noise nor luck passes."""

from __future__ import annotations

import pytest
import torch

from implementations.core.modes import modes_held, shares_held
from implementations.core.toy import eight_gaussians

MIXTURE = eight_gaussians()
# Three standard deviations around each centre.
RADIUS = 0.6
DUE = torch.full((8,), 0.989 / 8)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_exact_samples_hold_all() -> None:
    x = MIXTURE.sample(4000)
    torch.testing.assert_close(
        shares_held(x, MIXTURE.means, RADIUS), DUE, atol=0.02, rtol=0
    )
    assert modes_held(x, MIXTURE.means, RADIUS, DUE).all()


def test_a_mode_that_is_missing_or_starved_is_not_held() -> None:
    x = MIXTURE.sample(8000)
    near = torch.cdist(x, MIXTURE.means).argmin(1)
    kept = (near != 3) | (torch.rand(8000) < 0.1)
    held = modes_held(x[kept & (near != 5)], MIXTURE.means, RADIUS, DUE)
    assert held.tolist() == [k not in (3, 5) for k in range(8)]


def test_stray_points_are_no_mode() -> None:
    """A few points by chance: their share alone would do, but is not sure."""
    strays = MIXTURE.means[1:4]
    x = torch.cat((MIXTURE.means[:1].expand(37, 2), strays))
    assert (shares_held(x, MIXTURE.means, RADIUS)[1:4] > 0.2 * DUE[1:4]).all()
    assert modes_held(x, MIXTURE.means, RADIUS, DUE).sum() == 1


def test_points_everywhere_hold_nothing() -> None:
    """The nearest centre would count all eight."""
    x = 20 * torch.rand(20_000, 2) - 10
    assert torch.cdist(x, MIXTURE.means).argmin(1).unique().numel() == 8
    assert not modes_held(x, MIXTURE.means, RADIUS, DUE).any()


def test_nan_holds_nothing() -> None:
    x = torch.full((100, 2), torch.nan)
    assert not modes_held(x, MIXTURE.means, RADIUS, DUE).any()
