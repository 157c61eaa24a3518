"""Training does what it says."""

from __future__ import annotations

import itertools
import math
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from implementations.core.fit import SMOKE_STEPS, fit
from implementations.core.flow import Flow
from implementations.maf import maf
from implementations.nsf import nsf, nsf_autoregressive
from implementations.real_nvp import real_nvp, real_nvp_vector


class Bowl(nn.Module):
    """Σ x² at x, with its least value at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([3.0, -2.0]))
        self.batches: list[Tensor] = []

    def loss(self) -> Tensor:
        return self.x.square().sum()


class Initialised(Bowl):
    def initialise(self, *batch: Tensor) -> None:
        self.batches = list(batch)


def test_finds_the_least_loss_and_tells_how() -> None:
    model = Bowl()
    history = fit(model, model.loss, 300, lr=0.1)
    assert model.loss() < 1e-6
    assert len(history.loss) == 300 and history.loss[0] == 13
    assert history.loss[-1] < 1e-6
    assert history.validation == []
    assert not model.training


def test_the_rate_falls_to_nothing() -> None:
    model = Bowl()
    before: list[Tensor] = []

    def loss() -> Tensor:
        before.append(model.x.detach().clone())
        return model.x.sum()

    fit(model, loss, 100, lr=0.1)
    steps = (torch.stack(before).diff(dim=0)).abs()[:, 0]
    # Under a constant gradient Adam moves by its rate.
    assert steps[0].item() == pytest.approx(0.1, rel=1e-3)
    assert steps[49].item() == pytest.approx(0.05, rel=0.05)
    assert steps[-1] < 1e-3


def test_each_batch_is_drawn_once_and_the_first_initialises() -> None:
    model, drawn = Initialised(), []

    def draw() -> tuple[Tensor, Tensor]:
        drawn.append(len(drawn))
        return torch.tensor(float(drawn[-1])), torch.ones(())

    seen = []

    def loss(a: Tensor, b: Tensor) -> Tensor:
        seen.append(a.item())
        return model.loss() * b

    fit(model, loss, 5, draw)
    assert [batch.item() for batch in model.batches] == [0, 1]
    assert seen == [1, 2, 3, 4, 5]


def test_a_single_tensor_is_a_batch() -> None:
    model = Initialised()
    fit(model, lambda x: model.loss() * x, 2, lambda: torch.ones(()))
    assert model.batches == [1]


def test_what_needs_no_data_is_not_initialised_by_any() -> None:
    model = Initialised()
    fit(model, model.loss, 2)
    assert not model.batches


def test_keeps_the_best_weights() -> None:
    model = Bowl()
    modes, values = [], iter([5.0, 1.0, 3.0, 4.0])
    states: list[Tensor] = []

    def validate() -> Tensor:
        assert not torch.is_grad_enabled()
        modes.append(model.training)
        states.append(model.x.detach().clone())
        return torch.tensor(next(values))

    history = fit(model, model.loss, 35, validate=validate, every=10, lr=0.1)
    assert history.validation == [(10, 5.0), (20, 1.0), (30, 3.0), (35, 4.0)]
    assert modes == [False] * 4
    assert torch.equal(model.x, states[1]) and not torch.equal(states[1], states[3])


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 2, 3])
def test_the_best_is_the_lowest_finite_value(place: int, odd: float) -> None:
    model, values = Bowl(), [5.0, 1.0, 3.0]
    values.insert(place, odd)
    states: list[Tensor] = []

    def validate() -> Tensor:
        states.append(model.x.detach().clone())
        return torch.tensor(values[len(states) - 1])

    history = fit(model, model.loss, 4, validate=validate, every=1, lr=0.1)
    assert repr([value for _, value in history.validation]) == repr(values)
    assert torch.equal(model.x, states[values.index(1.0)])


def test_without_a_finite_value_the_last_weights_stay() -> None:
    model, other = Bowl(), Bowl()
    fit(model, model.loss, 4, validate=lambda: torch.tensor(math.nan), every=1)
    fit(other, other.loss, 4)
    assert torch.equal(model.x, other.x)


def test_groups_learn_at_their_own_rate() -> None:
    model = nn.ParameterDict(
        {"slow": nn.Parameter(torch.zeros(1)), "fast": nn.Parameter(torch.zeros(1))}
    )
    groups = [
        {"params": [model["slow"]]},
        {"params": [model["fast"]], "lr": 0.1},
    ]
    fit(model, lambda: (model["slow"] + model["fast"]).sum(), 1, params=groups, lr=0.01)
    assert model["slow"].item() == pytest.approx(-0.01, rel=1e-3)
    assert model["fast"].item() == pytest.approx(-0.1, rel=1e-3)


def test_gradients_are_clipped() -> None:
    model = Bowl()
    norms = []
    model.x.register_post_accumulate_grad_hook(lambda x: norms.append(x.grad.norm()))
    fit(model, lambda: 1000 * model.loss(), 1, clip=1.0)
    assert norms[0] > 1000
    assert model.x.grad is not None
    assert model.x.grad.norm().item() == pytest.approx(1, rel=1e-3)


@pytest.fixture(params=["read at once", "read later"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many steps of 40 run, where the third is bad: as on a CPU, a GPU."""
    if request.param == "read at once":
        return 3
    monkeypatch.setattr("implementations.core.fit._reads_at_once", lambda device: False)
    return 10


Spoil = Callable[[Bowl], Tensor]
SPOILT: dict[str, tuple[Spoil, str]] = {
    "NaN": (lambda model: model.loss() * math.nan, "the loss is nan"),
    "∞": (lambda model: model.loss() / 0, "the loss is inf"),
    "the root of 0": (
        lambda model: model.loss() + (model.x - model.x.detach()).abs().sqrt().sum(),
        "a gradient is not finite (the loss is ",
    ),
}


@pytest.mark.parametrize("clip", [math.inf, 1.0])
@pytest.mark.parametrize("kind", SPOILT)
def test_training_ends_before_what_is_not_finite(
    kind: str, clip: float, reading: int
) -> None:
    model, (spoil, message) = Bowl(), SPOILT[kind]
    states: list[Tensor] = []

    def loss() -> Tensor:
        states.append(model.x.detach().clone())
        return spoil(model) if len(states) == 3 else model.loss()

    with pytest.raises(FloatingPointError, match=re.escape(message)) as caught:
        fit(model, loss, 40, clip=clip, every=10, lr=0.1)
    assert "at step 3." in str(caught.value) and "`lr`" in str(caught.value)
    assert len(states) == reading
    assert torch.equal(model.x, states[2]) and not torch.equal(states[1], states[2])
    assert not model.training


def test_the_best_weights_are_left_where_some_are_known(reading: int) -> None:
    model, calls, seen = Bowl(), itertools.count(1), []

    def validate() -> Tensor:
        seen.append(model.x.detach().clone())
        return torch.tensor(float(len(seen)))

    with pytest.raises(FloatingPointError, match="at step 23"):
        fit(
            model,
            lambda: model.loss() * (math.nan if next(calls) == 23 else 1),
            40,
            validate=validate,
            every=10,
        )
    assert len(seen) == 2 and torch.equal(model.x, seen[0])


def test_running_statistics_stay_finite_too(reading: int) -> None:
    flow = real_nvp((1, 8, 8), maps=2, blocks=1)
    states: list[dict[str, Tensor]] = []

    def draw() -> Tensor:
        state = flow.state_dict()
        states.append({name: value.clone() for name, value in state.items()})
        x = torch.randn(10, 1, 8, 8)
        return x * math.nan if len(states) == 4 else x  # The first one initialises.

    with pytest.raises(FloatingPointError, match="at step 3"):
        fit(flow, lambda x: -flow.log_prob(x).mean(), 40, draw, every=10)
    for name, value in flow.state_dict().items():
        assert torch.equal(value, states[3][name]), name
    assert flow.log_prob(draw()).isfinite().all()


def test_weights_of_several_dtypes_are_guarded(reading: int) -> None:
    model = nn.ParameterList(
        torch.ones(2, dtype=dtype) for dtype in (torch.float64, torch.float32)
    )
    calls = itertools.count(1)

    def loss() -> Tensor:
        double, single = (weight.sum() for weight in model)
        return double + (single * math.inf if next(calls) == 3 else single)

    with pytest.raises(FloatingPointError, match="the loss is inf at step 3"):
        fit(model, loss, 40, every=10, lr=0.1)
    assert all(weight.isfinite().all() for weight in model)


def test_whoever_interrupts_it_keeps_the_best_weights() -> None:
    model, values, seen = Bowl(), iter([1.0, 2.0]), []

    def validate() -> Tensor:
        seen.append(model.x.detach().clone())
        return torch.tensor(next(values))

    def draw() -> Tensor:
        if len(seen) == 2:
            raise KeyboardInterrupt
        return torch.ones(())

    with pytest.raises(KeyboardInterrupt):
        fit(model, lambda x: model.loss() * x, 9, draw, validate=validate, every=1)
    assert torch.equal(model.x, seen[0]) and not model.training


@pytest.mark.parametrize("name", ["steps", "every"])
@pytest.mark.parametrize("value", [0, -3])
def test_no_steps_are_refused(name: str, value: int) -> None:
    model = Bowl()
    steps, every = (value, 5) if name == "steps" else (5, value)
    message = f"fit: expected `{name}` to be at least 1, got {value}"
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(model, model.loss, steps, every=every)


def test_smoke_mode_takes_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOKE", "1")
    model = Bowl()
    history = fit(model, model.loss, 10_000, validate=model.loss)
    assert len(history.loss) == SMOKE_STEPS
    assert [step for step, _ in history.validation] == [SMOKE_STEPS]


def test_compiles_the_loss_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compile(loss: object) -> object:
        compiled.append(loss)
        return loss

    monkeypatch.setattr(torch, "compile", compile)
    model = Bowl()
    fit(model, model.loss, 2, compile=True)
    assert compiled == [model.loss]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own
def test_trains_compiled() -> None:
    model = Bowl()
    fit(model, model.loss, 300, lr=0.1, compile=True)
    assert model.loss() < 1e-6


def nll(flow: Flow, x: Tensor) -> Tensor:
    return -flow.log_prob(3 * x).mean()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.:DeprecationWarning")  # torch's own
@pytest.mark.filterwarnings("ignore:`torch.:FutureWarning")
@pytest.mark.parametrize("build", [maf, nsf, nsf_autoregressive, real_nvp_vector])
def test_flows_train_compiled_as_they_do_otherwise(build: Callable[..., Flow]) -> None:
    batches = torch.randn(41, 64, 2, generator=torch.Generator().manual_seed(1))
    histories = []
    for compile in (False, True):
        torch.manual_seed(0)
        flow = build(2, 2, (16, 16))
        loss, draw = partial(nll, flow), partial(next, iter(batches))
        histories.append(fit(flow, loss, 40, draw, lr=1e-2, compile=compile).loss)
    eager, compiled = histories
    assert eager[-1] < eager[0]
    # What is rounded otherwise grows from step to step.
    assert compiled == pytest.approx(eager, rel=1e-2)


@pytest.mark.thorough
def test_nothing_is_printed_where_nobody_watches() -> None:
    source = (
        "import torch; from implementations.core.fit import fit;"
        "m = torch.nn.Linear(1, 1); fit(m, lambda: m.weight.sum(), 50)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout == run.stderr == ""
