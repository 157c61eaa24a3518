"""The comparison of accuracy: equal means, and what comes out of it."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.accuracy import command
from benchmarks.accuracy.command import LAYERS, Budget, Fit, gap, matched_widths, run
from benchmarks.accuracy.targets import targets
from benchmarks.libraries.families import WHOLE, offers
from benchmarks.libraries.model import BOUND, FlowModel
from benchmarks.libraries.ours import Ours
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.nsf import Linear
from scripts.results.files import read
from scripts.results.forms import Accuracy


@pytest.mark.parametrize("family", WHOLE)
def test_parameters_agree(family: str) -> None:
    counts = [
        size(WHOLE[family][library](2, LAYERS[family], width, 1))
        for library, width in matched_widths(family, 2, 1).items()
    ]
    assert len(counts) >= 3
    assert max(counts) <= 1.02 * min(counts)


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("family", WHOLE)
def test_ours_is_exact(family: str, context: int) -> None:
    torch.manual_seed(0)
    model = WHOLE[family]["ours"](3, 4, 8, context)
    assert isinstance(model, Ours)
    flow = model.flow.double()
    x = torch.randn(6, 3).double()
    h = torch.randn(6, context).double() if context else None
    flow.initialise(x, h)
    for weight in flow.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    z, log_det = flow.bijection(x, h)
    assert (z - x).abs().max() > 0.1
    back, inverse_log_det = flow.bijection.inverse(z, h)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(inverse_log_det, -log_det)

    def sum_of_images(x: Tensor) -> Tensor:
        return flow.bijection(x, h)[0].sum(0)

    jacobian = torch.autograd.functional.jacobian(sum_of_images, x)
    assert isinstance(jacobian, Tensor)
    torch.testing.assert_close(log_det, jacobian.transpose(0, 1).det().abs().log())


def test_a_first_batch_fits_into_the_box_of_our_splines() -> None:
    model = WHOLE["nsf"]["ours"](3, 2, 8, 0)
    assert isinstance(model, Ours)
    x = 7 * torch.randn(50, 3)
    model.flow.initialise(x)
    z, _ = model.flow.bijection(x)
    torch.testing.assert_close(z.abs().amax(0), torch.full((3,), BOUND))


def test_a_match_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"maf, 2-d: no widths match within 0%"):
        matched_widths("maf", 2, 0, within=0.0)


def test_all_libraries_see_the_same_batches() -> None:
    drawn: dict[str, list[Tensor]] = {}
    for library in ("ours", "zuko"):
        fit = Fit("two moons, 2-d", "maf", library, 8, seed=3)
        seen = drawn.setdefault(library, [])

        def remember(model: FlowModel, target, budget, seen=seen):
            seen.append(target.draw(5)[0])
            return iter([0.1])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "train", remember)
            run(fit, Budget((1,), 4, 8))
    assert torch.equal(drawn["ours"][0], drawn["zuko"][0])


def test_training_closes_the_gap() -> None:
    course = run(
        Fit("banana, 2-d, given its bend", "nsf", "ours", 16, 0),
        Budget((1, 60), 64, 500),
    )
    assert course.gaps[0] is not None and course.gaps[1] is not None
    assert 0 < course.gaps[1] < course.gaps[0] / 2
    assert 0 < course.seconds[0] < course.seconds[1]


def test_the_gap_of_the_truth_is_none_and_of_no_number_unknown() -> None:
    model = Ours(Flow(StandardNormal((2,)), Linear(2)))
    x = torch.randn(100, 2)
    log_p = StandardNormal((2,)).log_prob(x)
    assert gap(model, log_p, x, None) == pytest.approx(0, abs=1e-6)
    assert gap(model, log_p + 0.5, x, None) == pytest.approx(0.5, abs=1e-5)
    assert gap(model, log_p * math.nan, x, None) is None


def test_quick_run_measures_one_family(tmp_path: Path) -> None:
    output = tmp_path / "accuracy.json"
    arguments = ["--quick", "--only", "maf", "--output", str(output)]
    assert command.main(arguments) == 0
    complete(read(Accuracy, output), ["maf"])


def test_unknown_families_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "glow"])
    assert "expected any of real_nvp, maf" in capsys.readouterr().err


@pytest.mark.skipif(not command.RESULTS.exists(), reason="not measured yet")
def test_committed_results_are_complete() -> None:
    complete(read(Accuracy, command.RESULTS), list(WHOLE))


def complete(report: Accuracy, families: list[str]) -> None:
    """Every seed has every library that offers the family, on every target."""
    known = targets()
    assert [each.name for each in report.targets] == list(known)
    seeds = 1 + max(course.seed for course in report.courses)
    expected = {
        (target, family, library, seed)
        for target, family, seed in product(known, families, range(seeds))
        for library in WHOLE[family]
        if offers(family, library, known[target].density.context)
    }
    found = [(c.target, c.family, c.library, c.seed) for c in report.courses]
    assert len(found) == len(set(found)) and set(found) == expected
    for course in report.courses:
        assert len(course.gaps) == len(course.seconds) == len(report.checkpoints)
