"""The comparison of accuracy: equal means, and what comes out of it."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import accuracy
from benchmarks.accuracy import LAYERS, Budget, Fit, gap, matched_widths, run
from benchmarks.adapters import Model, Ours
from benchmarks.builders import BUILDERS, offers, parameters
from benchmarks.targets import targets
from implementations.core.flow import Flow, StandardNormal
from implementations.nsf import Linear
from scripts.measurements import Accuracy, read


@pytest.mark.parametrize("family", BUILDERS)
def test_parameters_agree(family: str) -> None:
    counts = [
        parameters(BUILDERS[family][library](2, LAYERS[family], width, 1))
        for library, width in matched_widths(family, 2, 1).items()
    ]
    assert len(counts) >= 3
    assert max(counts) <= 1.02 * min(counts)


def test_a_match_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"maf, 2-d: no widths match within 0%"):
        matched_widths("maf", 2, 0, within=0.0)


def test_all_libraries_see_the_same_batches() -> None:
    drawn: dict[str, list[Tensor]] = {}
    for library in ("ours", "zuko"):
        fit = Fit("two moons, 2-d", "maf", library, 8, seed=3)
        seen = drawn.setdefault(library, [])

        def remember(model: Model, target, budget, seen=seen):
            seen.append(target.draw(5)[0])
            return iter([0.1])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(accuracy, "train", remember)
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
    assert accuracy.main(arguments) == 0
    complete(read(Accuracy, output), ["maf"])


def test_unknown_families_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        accuracy.main(["--only", "glow"])
    assert "expected any of real_nvp, maf" in capsys.readouterr().err


@pytest.mark.skipif(not accuracy.RESULTS.exists(), reason="not measured yet")
def test_committed_results_are_complete() -> None:
    complete(read(Accuracy, accuracy.RESULTS), list(BUILDERS))


def complete(report: Accuracy, families: list[str]) -> None:
    """Every seed has every library that offers the family, on every target."""
    known = targets()
    assert [each.name for each in report.targets] == list(known)
    seeds = 1 + max(course.seed for course in report.courses)
    expected = {
        (target, family, library, seed)
        for target, family, seed in product(known, families, range(seeds))
        for library in BUILDERS[family]
        if offers(family, library, known[target].density.context)
    }
    found = [(c.target, c.family, c.library, c.seed) for c in report.courses]
    assert len(found) == len(set(found)) and set(found) == expected
    for course in report.courses:
        assert len(course.gaps) == len(course.seconds) == len(report.checkpoints)
