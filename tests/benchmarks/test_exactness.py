"""The examination of flows: that it sees what is wrong, and that ours pass it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from benchmarks.exactness import checks, command
from benchmarks.exactness.checks import CHECKS, examine
from benchmarks.exactness.outcomes import Outcome
from benchmarks.exactness.subjects import SUBJECTS, WAITING, Subject
from benchmarks.libraries.model import Mapped
from benchmarks.libraries.ours import Ours
from implementations.core.flow import Flow, StandardNormal
from implementations.nsf import Linear
from scripts.results.files import read, write
from scripts.results.forms import Exactness, FlowAnswer
from scripts.scaffold.checklist import OR_WAIT

BY_NAME = {check.name: check for check in CHECKS}


class Sound(Ours):
    """A linear flow with no defect."""

    def __init__(self, dim: int, layers: int, context: int) -> None:
        super().__init__(Flow(StandardNormal((dim,)), Linear(dim)))


class Sign(Sound):
    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        z, log_det = super().normalise(x, context)
        return z, -log_det


class Single(Sound):
    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        z, log_det = super().normalise(x, context)
        return z, log_det.float()

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return super().sample(n, context).float()


class Inexact(Sound):
    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        x, log_det = super().generate(z, context)
        return x + 1e-6, log_det


class OtherDensity(Sound):
    """Any other density, made of the sound one's."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(4, 1, 0)
        self.change = change

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        dtype = self.flow.get_buffer("base.zero").dtype
        return self.change(self.flow.log_prob(x[:, :4].to(dtype)), x)


def changed(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., OtherDensity]:
    return lambda dim, layers, context: OtherDensity(change)


def asked(name: str, build: Callable[..., Ours], **more: Any) -> Outcome:
    return examine(BY_NAME[name], Subject("ours", "test", build, **more))


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "integers"])
def test_a_sound_flow_keeps_everything(name: str) -> None:
    assert asked(name, Sound).verdict == "kept"


@pytest.mark.parametrize(
    ("name", "build", "verdict", "shown"),
    [
        ("round_trip_64", Inexact, "fails", ""),
        ("round_trip_32", Inexact, "kept", ""),
        ("log_det_64", Sign, "fails", ""),
        ("log_det_64", Single, "fails", "float32"),
        ("double_sampling", Single, "fails", "samples float32"),
        (
            "large",
            changed(lambda p, x: p / (x - x).sum(1)),
            "fails",
            "not finite",
        ),
        (
            "nan",
            changed(lambda p, x: p + 0 * x.sum()),
            "fails",
            "spoils others",
        ),
        ("nan", changed(lambda p, x: p.nan_to_num(0.0)), "fails", "hidden"),
        ("infinite", changed(lambda p, x: p.nan_to_num(0.0)), "fails", "hidden"),
        ("wrong_width", changed(lambda p, x: p), "fails", "taken, silently"),
        ("integers", changed(lambda p, x: p), "kept", "converted"),
        (
            "integers",
            changed(lambda p, x: p + (not x.is_floating_point())),
            "fails",
            "wrong, silently",
        ),
        (
            "compile",
            changed(lambda p, x: p if p[0] < 0 else -p),
            "stops",
            "samples only",
        ),
        ("vmap", changed(lambda p, x: p * float(p[0])), "stops", "raises"),
        ("bfloat16", changed(lambda p, x: p.float()), "fails", "returns float32"),
        ("empty", changed(lambda p, x: p[:, None]), "fails", "wrong shape"),
        ("empty", changed(lambda p, x: p + x.max()), "stops", "raises"),
    ],
)
def test_a_defect_is_seen(
    name: str, build: Callable[..., Ours], verdict: str, shown: str
) -> None:
    outcome = asked(name, build)
    assert (outcome.verdict, outcome.shown.startswith(shown)) == (verdict, True)


def test_what_a_library_does_not_have_is_absent() -> None:
    class OneWay(Sound):
        def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
            raise NotImplementedError

    assert asked("round_trip_64", OneWay).verdict == "absent"
    assert asked("log_det_64", OneWay).verdict == "kept"
    assert asked("one_dimension", Sound, least=2).verdict == "absent"


def test_what_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PATIENCE", 0.2)

    def endless(p: Tensor, x: Tensor) -> Tensor:
        while True:
            p = p + 1

    outcome = asked("vmap", changed(endless))
    assert outcome == Outcome("over 0.2 s", "stops")


def test_a_context_that_is_ignored_is_seen() -> None:
    outcome = asked("one_dimension", Sound, contextual=True)
    assert outcome.verdict in ("stops", "fails")


@pytest.mark.thorough
def test_quick_run_finds_nothing_broken_in_ours(tmp_path: Path) -> None:
    output = tmp_path / "exactness.json"
    assert command.main(["--quick", "--output", str(output)]) == 0
    report = read(Exactness, output)
    assert {row.library for row in report.findings} == {
        "ours",
        "zuko",
        "nflows",
        "normflows",
    }


def test_committed_results_are_complete_and_ours_keep_their_promises() -> None:
    report = read(Exactness, command.RESULTS)
    asked = sorted((row.library, row.flow, row.check) for row in report.findings)
    assert len(asked) == len({*asked})
    planned = {(s.library, s.name, c.name) for s in SUBJECTS for c in CHECKS}
    there = {name[:2] for name in asked}
    wait = {("ours", name) for name in WAITING} - there
    planned = {name for name in planned if name[:2] not in wait}
    flows = sorted({name[:2] for name in {*asked} ^ planned})
    told = "benchmarks/results/exactness.json has not the answers that are asked for"
    ours = {s.name for s in SUBJECTS if s.library == "ours"}
    missing = [n for lib, n in flows if lib == "ours" and n in ours]
    only = "".join(f' --only "{name}"' for name in missing)
    run = f"run .venv/bin/python -m benchmarks.exactness{only}; {OR_WAIT}"
    named = ", ".join(" ".join(each) for each in flows)
    assert not flows, f"{told}, of {named}: {run}"
    assert [each.check for each in report.questions] == [c.name for c in CHECKS]
    assert not [row for row in report.findings if command.broken(row)]


def is_nice(row: FlowAnswer) -> bool:
    return (row.library, row.flow) == ("ours", "NICE")


def test_one_flow_alone_is_asked_and_joins_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = read(Exactness, command.RESULTS)
    few = [row for row in there.findings if not is_nice(row)]
    committed = tmp_path / "exactness.json"
    write(there.model_copy(update={"findings": tuple(few)}), committed)
    monkeypatch.setattr(command, "RESULTS", committed)
    answers = [row for row in there.findings if is_nice(row)]
    asked: list[str] = []

    def measure(subjects: Sequence[Subject], checks: object) -> list[FlowAnswer]:
        asked.extend(subject.name for subject in subjects)
        return answers

    monkeypatch.setattr(command, "measure", measure)
    for _ in range(2):
        assert command.main(["--only", "NICE"]) == 0
        found = read(Exactness, committed).findings
        assert [*found] == [
            *(row for row in few if row.library == "ours"),
            *answers,
            *(row for row in few if row.library != "ours"),
        ]
    assert asked == ["NICE", "NICE"]
    with pytest.raises(SystemExit):
        command.main(["--quick", "--only", "NICE"])


def test_exemptions_name_checks_and_have_reasons() -> None:
    for subject in SUBJECTS:
        assert set(subject.exempt) <= set(BY_NAME), subject.name
        assert all(subject.exempt.values())
        assert not subject.exempt or subject.library == "ours"
