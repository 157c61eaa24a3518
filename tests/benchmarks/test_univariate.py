"""Univariate maps on one conditioner: equal budgets, and numbers that are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import univariate
from benchmarks.libraries.ours import Ours
from benchmarks.univariate import (
    CONTESTANTS,
    PARAMETERS,
    Contestant,
    UnivariatePlan,
    log_det_error,
    of,
)
from implementations.core.bijection import Bijection, Mapped
from implementations.core.nets import size
from implementations.core.toy import eight_gaussians
from implementations.nice import Scaling
from scripts.results.files import read
from scripts.results.univariate import UnivariateMaps
from scripts.site.measured.univariate import ON_CONDITIONER, univariate_maps

TINY = UnivariatePlan(steps=2, seeds=2, repeats=1)
ON_ONE = [flow for flow in CONTESTANTS if flow.layers == 1]


class WronglyDoubled(Bijection):
    """z = 2x, with a log-determinant that is wrong by 1."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return 2 * x, torch.full_like(x[:, 0], 2 * 0.6931471805599453 + 1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z / 2, torch.zeros_like(z[:, 0])


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Leaves torch's threads as they were."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "flow", ON_ONE, ids=lambda flow: f"{flow.name}, {flow.library}"
)
def test_all_have_as_many_parameters(flow: Contestant) -> None:
    assert size(flow.built()) == pytest.approx(PARAMETERS, rel=0.02)


def test_a_wrong_log_determinant_is_noticed() -> None:
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    assert log_det_error(of(WronglyDoubled((2,))), x) == pytest.approx(1)
    assert log_det_error(of(Scaling(2)), x) < 1e-12


def test_a_training_that_breaks_is_a_dash_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise FloatingPointError("fit: the loss is nan at step 2")

    monkeypatch.setattr(univariate, "fit", broken)
    flow = Contestant("nice", "Scaling", "ours", lambda _: of(Scaling(2)), True, 2)
    row = univariate.measured(flow, TINY)
    assert row.gaps["eight Gaussians"] == (None, None)
    assert row.train and row.sample
    assert row.round_trip is None and row.log_det is None


def test_what_is_not_finite_is_not_passed_over() -> None:
    """Python's own max takes 1 for the largest of 1 and NaN."""
    assert univariate.worst([1.0, float("nan"), 2.0]) is None
    assert univariate.worst([1.0, 2.0]) == 2


@pytest.mark.thorough
def test_what_is_written_is_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(univariate, "QUICK", TINY)
    monkeypatch.setattr(univariate, "CONTESTANTS", CONTESTANTS[:2])
    file = tmp_path / "univariate.json"
    assert univariate.main(["--quick", "--output", str(file)]) == 0
    report = read(UnivariateMaps, file)
    assert [flow.library for flow in report.flows] == ["ours", "zuko"]
    assert "Affine" in capsys.readouterr().out
    shown = univariate_maps(tmp_path)
    assert shown is not None and shown.seeds == 2
    assert [*shown.groups] == [ON_CONDITIONER]
    assert shown.rows[0].train == pytest.approx(1e3 * report.flows[0].train[0])


def test_it_is_said_where_ours_is_behind() -> None:
    whole = read(UnivariateMaps, univariate.RESULTS)
    shown = univariate_maps(univariate.RESULTS.parent)
    assert shown is not None
    assert {(duel.name, duel.target) for duel in shown.behind} == {
        (mine.name, target)
        for mine in whole.flows
        for other in whole.flows
        for target in whole.targets
        if (mine.library, other.library) == ("ours", "zuko")
        and mine.name == other.name
        and middle(mine.gaps[target]) > middle(other.gaps[target])
    }
    assert len(shown.duels) == 12


def middle(values: tuple[float | None, ...]) -> float:
    """The second of three numbers."""
    return sorted(value for value in values if value is not None)[1]


def test_nothing_is_shown_before_it_is_measured(tmp_path: Path) -> None:
    assert univariate_maps(tmp_path) is None


def test_an_untrained_affine_layer_is_as_far_as_a_gaussian() -> None:
    """Maps start as the identity: KL(truth ‖ N(0, I)) is what is measured."""
    target = eight_gaussians()
    x = target.sample(20_000)
    base = of(Scaling(2))
    model = CONTESTANTS[0].built()
    assert isinstance(model, Ours)
    torch.testing.assert_close(model.log_prob(x), base.log_prob(x))
