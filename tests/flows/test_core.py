"""Code that flows share: combining, the environment, networks, digits, claims."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import Tensor, nn

from implementations.core import digits
from implementations.core.bijection import (
    Bijection,
    Compose,
    Inverse,
    Mapped,
    Univariate,
)
from implementations.core.environment import device, seed, smoke
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import ROWS, in_chunks, mlp
from implementations.nice import Scaling


class Flatten(Bijection):
    """Images of 2 × 3 become vectors, shifted by the mean of the first batch."""

    def __init__(self) -> None:
        super().__init__((2, 3), (6,))
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x.flatten(1) - self.mean, x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return (z + self.mean).unflatten(1, (2, 3)), z.new_zeros(len(z))

    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        self.mean = x.flatten(1).mean(0)


def test_shapes_may_change_along_the_way() -> None:
    flow = Flow(StandardNormal((6,)), Compose(Flatten(), Scaling(6)))
    assert flow.bijection.x_shape == (2, 3) and flow.bijection.z_shape == (6,)
    assert flow.sample(4).shape == (4, 2, 3)
    assert flow.log_prob(torch.zeros(4, 2, 3)).shape == (4,)
    turned = Inverse(flow.bijection)
    assert turned.x_shape == (6,) and turned.z_shape == (2, 3)
    with pytest.raises(ValueError, match=r"expected z of shape \(batch, 6\), got"):
        flow.bijection.inverse(torch.zeros(4, 2, 3))


class Misshapen(Bijection):
    """A map that returns what it is told to, whatever it gets."""

    def __init__(self, z: Tensor, log_det: Tensor) -> None:
        super().__init__((2,))
        self.z, self.log_det = z, log_det

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.z, self.log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.z, self.log_det


@pytest.mark.parametrize(
    ("z", "log_det", "message"),
    [
        ((3, 2), (3, 1), "a log-determinant of shape (3,), got (3, 1)"),
        ((3, 2), (3, 2), "a log-determinant of shape (3,), got (3, 2)"),
        ((3, 2), (), "a log-determinant of shape (3,), got ()"),
        ((3, 1), (3,), "{} of shape (3, 2), got (3, 1)"),
        ((1, 2), (3,), "{} of shape (3, 2), got (1, 2)"),
    ],
    ids=str,
)
def test_a_class_that_returns_wrong_shapes_is_named_once(
    z: tuple[int, ...], log_det: tuple[int, ...], message: str
) -> None:
    f = Misshapen(torch.zeros(z), torch.zeros(log_det))
    deep, x = Compose(Scaling(2), Inverse(Compose(f))), torch.zeros(3, 2)
    for run, side in ((deep, "x"), (deep.inverse, "z"), (f, "z"), (f.inverse, "x")):
        with pytest.raises(ValueError) as error:
            run(x)
        expected = message.format(side)
        found = f"Misshapen: expected to return {expected} (mend the class)"
        assert str(error.value) == found


class Misshaped(Univariate):
    """A scalar map that returns what it is told to, whatever it gets."""

    n_params = 1

    def __init__(self, z: Tensor, log_slope: Tensor) -> None:
        super().__init__()
        self.returned = z, log_slope

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return self.returned

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return self.returned


@pytest.mark.parametrize(
    ("z", "log_slope", "message"),
    [
        ((3, 2), (3,), "a log-slope of shape (3, 2), got (3,)"),
        ((3, 2), (), "a log-slope of shape (3, 2), got ()"),
        ((3, 1), (3, 2), "{} of shape (3, 2), got (3, 1)"),
    ],
    ids=str,
)
def test_a_scalar_map_that_returns_wrong_shapes_is_named(
    z: tuple[int, ...], log_slope: tuple[int, ...], message: str
) -> None:
    g = Misshaped(torch.zeros(z), torch.zeros(log_slope))
    x, params = torch.zeros(3, 2), torch.zeros(3, 2, 1)
    for run, side in ((g, "z"), (g.inverse, "x")):
        found = f"Misshaped: expected to return {message.format(side)} (mend the class)"
        with pytest.raises(ValueError, match=re.escape(found)):
            run(x, params)


def test_calling_a_flow_is_asking_for_its_log_density() -> None:
    flow, x = Flow(StandardNormal((2,)), Scaling(2)), torch.randn(5, 2)
    assert torch.equal(flow(x), flow.log_prob(x))


def test_initialising_runs_through_the_layers_in_order() -> None:
    flatten = Flatten()
    scaling, x = Scaling(6), torch.randn(100, 6)
    flow = Flow(StandardNormal((6,)), Compose(scaling, Inverse(Flatten()), flatten))
    scaling.s.data.fill_(math.log(2))
    flow.initialise(x)
    torch.testing.assert_close(flatten.mean, 2 * x.mean(0))
    assert not flatten.mean.requires_grad


def test_layers_that_do_not_fit_are_refused() -> None:
    message = "expected layer 2 to take events of shape (6,), got one that takes (5,)"
    with pytest.raises(ValueError, match=re.escape(f"Compose: {message}")):
        Compose(Flatten(), Scaling(5))
    with pytest.raises(ValueError, match="expected at least one layer, got none"):
        Compose()
    message = "Flow: expected a base of shape (6,), got (2, 3)"
    with pytest.raises(ValueError, match=re.escape(message)):
        Flow(StandardNormal((2, 3)), Flatten())


def test_standard_normal_is_that_of_torch() -> None:
    z = torch.randn(5, 2, 3, dtype=torch.float64)
    expected = torch.distributions.Normal(0, 1).log_prob(z).sum((1, 2))
    torch.testing.assert_close(StandardNormal((2, 3)).log_prob(z), expected)


@pytest.mark.parametrize("sizes", [(3, 2), (0, 2), (3, 0)])
def test_mlp_starts_at_zero_and_learns(sizes: tuple[int, int]) -> None:
    net = mlp(*sizes, hidden=(4, 5), activation=nn.Tanh)
    linear = [m for m in net if isinstance(m, nn.Linear)]
    assert [m.in_features for m in linear] == [sizes[0], 4, 5]
    assert linear[-1].out_features == sizes[1]
    assert isinstance(net[-1], nn.Linear)
    output = net(torch.randn(7, sizes[0]))
    assert output.shape == (7, sizes[1]) and (output == 0).all()
    (output + 1).square().sum().backward()
    assert (linear[-1].bias.grad != 0).all()


def test_rows_go_through_a_network_in_pieces_and_it_does_not_show() -> None:
    torch.manual_seed(0)
    net = mlp(3, 2, hidden=(8,)).double()
    nn.init.normal_(net[-1].get_parameter("weight"))
    asked: list[int] = []

    def f(x: Tensor) -> Tensor:
        asked.append(len(x))
        return nn.Sequential.forward(net, x)

    x = torch.randn(2 * ROWS + 5, 3).double().requires_grad_()
    for found in (in_chunks(f, x), net(x)):
        expected = nn.Sequential.forward(net, x)
        torch.testing.assert_close(found, expected)
        weights = [x, *net.parameters()]
        torch.testing.assert_close(
            torch.autograd.grad(found.square().sum(), weights),
            torch.autograd.grad(expected.square().sum(), weights),
        )
    assert asked == [ROWS, ROWS, 5]


def test_what_has_no_rows_goes_through_a_network_whole() -> None:
    wide = nn.Linear(2 * ROWS, 3)
    assert in_chunks(wide, torch.randn(2 * ROWS)).shape == (3,)
    assert in_chunks(torch.exp, torch.ones(0, 3)).shape == (0, 3)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEED", "SMOKE", "DEVICE"):
        monkeypatch.delenv(name, raising=False)
    assert seed() == 0 and not smoke()
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setenv("SMOKE", "1")
    monkeypatch.setenv("DEVICE", "meta")
    assert smoke() and device().type == "meta"


def test_seed_decides_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(value: str) -> list[float]:
        monkeypatch.setenv("SEED", value)
        assert seed() == int(value)
        return torch.randn(3).tolist()

    assert draw("3") == draw("3") != draw("4")


def test_digits_are_split_once_and_for_all() -> None:
    parts = digits.digits()
    assert [len(part.images) for part in parts] == [1297, 250, 250]
    torch.manual_seed(7)
    for part, again in zip(parts, digits.digits(), strict=True):
        assert torch.equal(part.images, again.images)
        assert part.images.dtype == torch.float32 and part.labels.dtype == torch.int64
        assert len(part.labels) == len(part.images)
        assert part.images.min() == 0 and part.images.max() == 16
    rows = torch.cat([part.images for part in parts])
    assert len(rows.unique(dim=0)) == 1797


def test_dequantised_levels_can_be_read_off() -> None:
    images = digits.digits()[2].images
    noisy = digits.dequantise(images, 3)
    assert torch.equal((17 * noisy).floor(), images.repeat(3, 1))
    assert noisy.min() >= 0 and noisy.max() < 1
    noise = (17 * noisy).frac()
    assert noise.mean().item() == pytest.approx(0.5, abs=0.01)


def test_bits_per_dimension() -> None:
    # The uniform density on the unit cube gives every level the same probability.
    assert digits.bits_per_dim(torch.zeros(5)).item() == pytest.approx(math.log2(17))
    one_bit_better = torch.full((5,), 64 * math.log(2))
    assert digits.bits_per_dim(one_bit_better).item() == pytest.approx(
        math.log2(17) - 1
    )


def test_baselines() -> None:
    torch.manual_seed(0)
    train, _, test = (part.images for part in digits.digits())
    bits = digits.baselines(train, test)
    expected = {
        "uniform": 4.087,
        "Gaussian per pixel": 3.416,
        "full Gaussian": 2.980,
        "frequencies per pixel": 2.441,
    }
    assert bits == pytest.approx(expected, abs=0.01)
