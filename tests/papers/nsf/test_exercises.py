"""Neural spline flows, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations.core.fit import fit
from tests.support.exercises import edited


def test_a_single_bin_is_the_identity_and_learns_nothing() -> None:
    module = edited("nsf", 1)
    module.run("places_of_peaks = ")
    # However long it is trained.
    vars(module)["fit"] = lambda model, loss, _, lr: fit(model, loss, 3, lr=lr)
    with pytest.raises(AssertionError, match="gap with the fewest bins"):
        module.run("counts = (1, 4")
    x, theta = torch.linspace(-4, 4, 101), 5 * torch.randn(101, 2)
    torch.testing.assert_close(module.Spline(1)(x, theta)[0], x)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(module.grid)
    assert module.left[1] == pytest.approx(module.gap_to_peaks(normal).item())
    assert module.left[1] > module.by_line


def test_steeper_edges_make_the_density_jump_and_leave_the_knots() -> None:
    module = edited("nsf", 2)
    with pytest.raises(AssertionError, match=r"log-slope at the edges: 0\.693 "):
        module.run("g, params = Spline(6)")
    x, y, _ = module.knots(module.params, 3.0)
    many = module.params[:, None].expand(-1, 7, -1)
    reached, _ = module.value(x, module.search(x, many, 3.0, 0))
    torch.testing.assert_close(reached, y, atol=1e-9, rtol=0)


def test_points_outside_land_on_the_edge_and_their_log_slope_does_not_tell() -> None:
    module = edited("nsf", 3)
    with pytest.raises(AssertionError, match="error of the round trip: 1 "):
        module.run("g, params = Spline(6)")
    x = torch.tensor([-4.0, -3.5, 3.5, 4.0])
    z, log_slope = module.Spline(6)(x, torch.randn(4, 17))
    torch.testing.assert_close(z, 3 * x.sign())
    torch.testing.assert_close(log_slope, torch.zeros(4), atol=1e-5, rtol=0)
