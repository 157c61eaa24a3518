"""Spaces, and the uniform density on a box."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from implementations.core.bijection import Bijection, Mapped
from implementations.core.flow import Flow, StandardNormal
from implementations.core.spaces import Everywhere, OnSpace, Space, Uniform, space_of
from implementations.registrations import Case
from tests.flows.cases import batch, noise
from tests.flows.promises import log_det_is_that_of_the_jacobian


@pytest.mark.parametrize("size", [0.0, 1.0, 1e4, -1e4])
def test_points_of_a_box_lie_in_it(size: float) -> None:
    points = Uniform((3,), -1, 5).space.points(torch.full((2, 3), size))
    assert points.min() >= -1 and points.max() <= 5


def test_uniform_density_is_one_over_the_volume_with_its_ends() -> None:
    base = Uniform((2, 2), 1, 4)
    z = torch.tensor([[1.0, 4, 2, 3], [1, 4, 2, 4.1], [1, 4, 0.9, 2], [1, 2, 3, 4]])
    z[3, 0] = torch.nan
    log_p = base.log_prob(z.view(4, 2, 2))
    assert log_p[0].item() == pytest.approx(-4 * math.log(3))
    assert log_p[1] == log_p[2] == -math.inf and log_p[3].isnan()


def test_uniform_samples_fill_the_box() -> None:
    z = Uniform((2,), 1, 4).double().sample(20_000)
    assert z.dtype == torch.float64 and z.min() >= 1 and z.max() <= 4
    torch.testing.assert_close(z.mean(0), z.new_full((2,), 2.5), atol=0.03, rtol=0)
    torch.testing.assert_close(z.var(0), z.new_full((2,), 0.75), atol=0.03, rtol=0)


def test_a_base_says_where_its_events_are() -> None:
    assert isinstance(space_of(StandardNormal((2,))), Everywhere)
    base = Uniform((2,))
    assert space_of(base) is base.space


class Circle(Space):
    """Points of the plane at a distance of 1 from 0."""

    def points(self, free: Tensor) -> Tensor:
        return free / free.norm(dim=-1, keepdim=True)

    def tangent(self, x: Tensor) -> Tensor:
        return torch.stack((-x[:, 1], x[:, 0]), 1)[..., None]


class UniformCircle(OnSpace):
    def __init__(self) -> None:
        super().__init__((2,), Circle())

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return z.new_full((z.shape[0],), -math.log(2 * math.pi))

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.space.points(self.zero.new_empty(n, 2).normal_())


class ToEllipse(Bijection):
    """A circle becomes an ellipse, and is pulled back to the circle.

    `along` is the change of length along the circle; else, that of the plane's area.
    """

    def __init__(self, along: bool) -> None:
        super().__init__((2,))
        self.along = along
        self.factor = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        y = torch.stack((self.factor * x[:, 0], x[:, 1]), 1)
        r = y.norm(dim=1)
        return y / r[:, None], self.factor.log() - (2 if self.along else 3) * r.log()

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        raise NotImplementedError


def test_a_log_determinant_is_measured_along_the_space() -> None:
    right, wrong = (
        Case(lambda along=along: Flow(UniformCircle(), ToEllipse(along)))
        for along in (True, False)
    )
    log_det_is_that_of_the_jacobian(right)
    with pytest.raises(AssertionError):
        log_det_is_that_of_the_jacobian(wrong)


def test_events_of_the_contract_lie_in_the_space() -> None:
    flow = Flow(UniformCircle(), ToEllipse(True))
    for points in (batch(flow)[0], noise(flow)):
        torch.testing.assert_close(points.norm(dim=1), torch.ones(7).double())
