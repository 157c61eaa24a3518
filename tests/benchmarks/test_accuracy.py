"""The comparison of accuracy: equal means, and what comes out of it."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import torch
from torch import Tensor

from benchmarks.accuracy import command, fitting
from benchmarks.accuracy.command import matched_widths
from benchmarks.accuracy.fitting import LAYERS, Budget, Fit, gap, run
from benchmarks.accuracy.kept import KeptFits, drop
from benchmarks.accuracy.targets import targets
from benchmarks.accuracy.together import _FitBatch, measure
from benchmarks.libraries.families import WHOLE, offers
from benchmarks.libraries.model import BOUND, FlowModel
from benchmarks.libraries.ours import Ours
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.nsf import Linear
from scripts.base.project import ROOT
from scripts.cluster.place import Workplace
from scripts.cluster.running import Cluster, together
from scripts.results.files import read
from scripts.results.forms import Accuracy, Course
from tests.support.loopback import loopback, wait_until


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
            patch.setattr(fitting, "train", remember)
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


@pytest.mark.thorough
def test_quick_run_measures_one_family(tmp_path: Path) -> None:
    output = tmp_path / "accuracy.json"
    arguments = ["--quick", "--only", "maf", "--output", str(output)]
    assert command.main(arguments) == 0
    complete(read(Accuracy, output), ["maf"])


BRIEF = Budget((1, 2), 16, 50)
FITS = [
    Fit("two moons, 2-d", "maf", library, 8, seed)
    for seed in range(3)
    for library in ("ours", "zuko")
]


def values(courses: list[Course]) -> list[tuple[Any, ...]]:
    """All but the seconds."""
    return [(c.library, c.seed, c.parameters, c.gaps) for c in courses]


class HereAtOnce:
    """Stands in for a cluster: runs jobs here, and fails when it has run enough."""

    def __init__(self, enough: int) -> None:
        self.left, self.ran = enough, 0

    async def run(self, job: Callable[..., Any], *given: Any, name: Any) -> Any:
        if self.left == self.ran:
            raise KeyboardInterrupt
        self.ran += 1
        return job(*given)


def test_what_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    def fits(cluster: HereAtOnce, origin: str = "here") -> list[Course]:
        kept = KeptFits(tmp_path / "kept", origin, BRIEF)
        batch = _FitBatch(cast(Cluster, cluster), BRIEF, kept, len(FITS))
        return asyncio.run(together(batch.one(fit) for fit in FITS))

    first, second = HereAtOnce(2), HereAtOnce(100)
    with pytest.raises(KeyboardInterrupt):
        fits(first)
    courses = fits(second)
    assert (first.ran, second.ran) == (2, len(FITS) - 2)
    assert values(courses) == values([run(fit, BRIEF) for fit in FITS])
    for other in ("another code", "here"):
        third = HereAtOnce(100)
        assert values(fits(third, other)) == values(courses)
        assert third.ran == (0 if other == "here" else len(FITS))
    drop(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_kept_fit_of_another_form_is_run_again(tmp_path: Path) -> None:
    kept = KeptFits(tmp_path, "here", BRIEF)
    assert kept.find(FITS[0]) is None
    course = run(FITS[0], BRIEF)
    kept.keep(FITS[0], course)
    assert kept.find(FITS[0]) == course
    (file,) = tmp_path.iterdir()
    file.write_text("{}")
    assert kept.find(FITS[0]) is None


@pytest.mark.thorough
def test_workers_killed_in_the_middle_twice_lose_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = Budget((1, 300), 64, 50)
    with loopback(tmp_path) as cluster:

        async def kills() -> tuple[Any, list[Course]]:
            work = asyncio.create_task(
                measure(
                    FITS, budget, Workplace(address=cluster.address), tmp_path / "kept"
                )
            )
            for finished in (1, 3):
                while len([*tmp_path.glob("kept/*.json")]) < finished:
                    await asyncio.sleep(0.01)
                    assert not work.done(), await work
                cluster.workers()[0].kill()
            return await work

        head, courses = asyncio.run(kills())
    assert head["machine"]["cores"] and head["threads"] == 1
    assert values(courses) == values([run(fit, budget) for fit in FITS])
    lines = [line for line in capsys.readouterr().err.splitlines() if "[" in line]
    assert len(lines) == len(FITS)
    assert len([*tmp_path.glob("kept/*.json")]) == len(FITS)


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_command(how: signal.Signals, tmp_path: Path) -> None:
    output = tmp_path / "accuracy.json"
    program = (
        "import sys; from pathlib import Path; "
        "from benchmarks.accuracy import command; "
        "command.KEPT = Path(sys.argv.pop(1)); sys.exit(command.main())"
    )
    arguments = ["--only=maf", "--jobs=2", f"--output={output}"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "kept"), *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    first = process.stderr.readline()
    assert first.startswith("→ [1/"), first
    started = psutil.Process(process.pid).children(recursive=True)
    if how == signal.SIGINT:  # which a terminal sends to all of them
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, err = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        told = "Interrupted: finished fits are kept, the same command goes on"
        assert [line for line in err.splitlines() if "→" not in line] == [told]
    wait_until(lambda: not [p for p in started if p.is_running()], "workers live on")
    assert not output.exists()


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
