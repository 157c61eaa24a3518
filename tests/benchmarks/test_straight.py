"""Straight lines: one network, one budget, and numbers whose values are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks import straight
from benchmarks.straight import BATCH, POTENTIAL, WAYS, StraightPlan, Way
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.core.toy import Toy
from implementations.neural_ode import Continuous
from implementations.ot_flow import ot_flow
from scripts.results.files import read
from scripts.results.straight import StraightLines
from tests.flows.fields import Turn

TINY = StraightPlan(seeds=2, points=20, cut=1000)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Leaves torch's threads as they were."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_potential_has_as_many_parameters_as_the_perceptron() -> None:
    ratio = size(ot_flow(2, POTENTIAL)) / size(straight.new())
    assert ratio == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.paper)
def test_each_sees_as_many_batches_as_it_is_given(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rectified flow divides them: its own pairs are batches too."""
    fitted: list[int] = []

    def counting(
        _model: object, _loss: object, steps: int, *_: object, **__: object
    ) -> None:
        fitted.append(steps)

    monkeypatch.setattr("benchmarks.straight.fit", counting)
    monkeypatch.setattr("implementations.rectified_flow.fit", counting)
    monkeypatch.setattr("implementations.ot_cfm.fit", counting)
    monkeypatch.setattr(straight, "PAIRS", 10)
    way.train(straight.eight_gaussians(), 31)
    assert sum(fitted) == 31


def test_a_shift_is_straight_and_a_turn_is_not() -> None:
    """A quarter turn: energy (rπ/2)², squared distance 2r², so the bend is π²/8 - 1."""

    def turn(_target: Toy, _steps: int) -> Flow:
        a = torch.pi / 2 * torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        return Flow(StandardNormal((2,)), Continuous(Turn(a)))

    seen = straight.trained(Way("turn", "Turn", "", 2, turn), 0, TINY)
    assert seen.bend == pytest.approx(torch.pi**2 / 8 - 1, rel=1e-3)
    one, two, *_, last = seen.euler
    assert one > two > 10 * last
    # A turn keeps volumes: the flow is N(0, I), far from eight Gaussians.
    assert seen.gap > 0.5


@pytest.mark.thorough
def test_what_is_written_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(straight, "QUICK", TINY)
    monkeypatch.setattr(straight, "WAYS", WAYS[3:4])
    file = tmp_path / "straight.json"
    assert straight.main(["--quick", "--output", str(file)]) == 0
    assert "Flow matching" in capsys.readouterr().out
    report = read(StraightLines, file)
    [flow] = report.flows
    assert [each.evaluations for each in flow.euler] == list(straight.EULER)
    assert len(flow.gap) == len(flow.seconds) == TINY.seeds
    assert len(flow.field) == len(report.grid) == straight.AXIS**2
    assert len(flow.paths) == straight.PATHS


def test_committed_results_are_of_todays_plan() -> None:
    report = read(StraightLines, straight.RESULTS)
    assert [flow.paper for flow in report.flows] == [way.paper for way in WAYS]
    assert [flow.training for flow in report.flows] == [way.training for way in WAYS]
    assert [flow.steps for flow in report.flows] == [way.steps for way in WAYS]
    assert report.batch == BATCH
    assert all(len(flow.gap) == straight.FULL.seeds for flow in report.flows)
