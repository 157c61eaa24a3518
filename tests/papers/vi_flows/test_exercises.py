"""Planar flows, three to try: the answers are what comes out."""

from __future__ import annotations

import math

import pytest
import torch

from implementations import vi_flows
from tests.support.exercises import edited

CHECKS = "x = torch.randn(200, 3).double()"


def test_the_norm_for_its_square_spoils_the_determinant() -> None:
    module = edited("vi_flows", 1)
    with pytest.raises(AssertionError, match=r"planar: log \|det J\|, by autograd"):
        module.run(CHECKS)
    layer = module.Planar(2).double()
    layer.steering.start.data.copy_(torch.tensor([-0.5, 1.0, 0.6, 0.8, 0.1]))
    x = torch.randn(50, 2, dtype=torch.float64)
    right = vi_flows.Planar(2).double()
    right.load_state_dict(layer.state_dict())
    # Where the norm of w is 1, nothing changes.
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[0], right(x)[0])


def test_u_of_0_squeezes() -> None:
    module = edited("vi_flows", 2)
    with pytest.raises(AssertionError, match="how far it moves z"):
        module.run(CHECKS)
    layer = module.Planar(1).double()
    _, w, b = layer.steering.start.detach()
    middle = (-b / w).reshape(1, 1)
    with torch.no_grad():
        log_det = layer(middle)[1].item()
    assert log_det == pytest.approx(math.log(math.log(2)), abs=1e-6)


def test_the_radius_alone_is_enough_in_one_dimension() -> None:
    module = edited("vi_flows", 3)
    with pytest.raises(AssertionError, match=r"radial: log \|det J\|, by autograd"):
        module.run(CHECKS)
    for dim, same in ((1, True), (2, False)):
        layer, right = module.Radial(dim).double(), vi_flows.Radial(dim).double()
        right.load_state_dict(layer.state_dict())
        for each in (layer, right):
            each.steering.start.data[-1] = 2.0
        x = torch.randn(50, dim, dtype=torch.float64)
        with torch.no_grad():
            error = (layer(x)[1] - right(x)[1]).abs().max().item()
        assert (error == 0) is same
