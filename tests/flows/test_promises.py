"""The contract itself: exemptions, and what is said of a broken promise."""

from __future__ import annotations

import subprocess
import sys
from inspect import getdoc, isfunction
from pathlib import Path

import pytest

from scripts.base.project import ROOT
from tests.flows import test_contract, test_contract_tools
from tests.flows.cases import CASES

PROMISES = {
    name.removeprefix("test_"): function
    for module in (test_contract, test_contract_tools)
    for name, function in vars(module).items()
    if name.startswith("test_") and isfunction(function)
}


def test_promises_say_what_they_mean() -> None:
    for name, function in PROMISES.items():
        meaning = getdoc(function) or ""
        assert meaning.endswith("."), f"{name}: expected a docstring that says it"


def test_exemptions_name_promises() -> None:
    for name, case in CASES.items():
        for promise, reason in case.unkept.items():
            assert promise in PROMISES, f"{name}: no promise {promise!r}"
            assert reason, f"{name}: expected a reason for {promise!r}"


# A contract of one case: a stretch that forgets its log-determinant, has a view for a
# buffer, and keeps a function that has no name.
PLANTED = """
import sys

import torch
from torch import nn

from implementations.core.bijection import Bijection
from implementations.registrations import Case
from tests.flows.cases import CASES


class Crooked(Bijection):
    def __init__(self):
        super().__init__((2,))
        self.s = nn.Parameter(torch.zeros(2))
        self.register_buffer("twice", torch.ones(1).expand(2))
        self.function = lambda s: s.exp()

    def forward(self, x, context=None):
        print("pages of torch", file=sys.stderr)
        return x * self.function(self.s), x.new_zeros(x.shape[0])

    def inverse(self, z, context=None):
        return z / self.function(self.s), z.new_zeros(z.shape[0])


CASES.clear()
CASES["crooked"] = Case(Crooked)
"""


def report(folder: Path, *options: str, planted: str = PLANTED) -> str:
    """Run promises with the planted case alone; return what is printed."""
    (folder / "planted.py").write_text(planted, "utf-8")
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "planted",
        "-p",
        "no:cacheprovider",
    )
    files = "tests/flows/test_contract.py", "tests/flows/test_contract_tools.py"
    done = subprocess.run(
        [*command, "-o", f"pythonpath=. {folder}", *options, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.thorough
def test_a_broken_promise_is_told_in_words(tmp_path: Path) -> None:
    kept, broken = "round_trip", "jacobian or contiguous or whole_and"
    told = report(tmp_path, "-k", f"{kept} or {broken}")
    assert "3 failed, 2 passed, 1 skipped" in told and "Traceback (" not in told
    for part in (
        '"crooked" breaks the promise log_det_is_that_of_the_jacobian: The '
        "log-determinant is that of the Jacobian which autograd finds.\n"
        "  found: Greatest absolute difference: 0.3",
        " (up to 1e-10 allowed)\n  tests/flows/test_contract.py:",
        ", in test_log_det_is_that_of_the_jacobian:\n    close(log_det, ",
        "Where the map itself cannot keep it, its registration says why: "
        'exempt=(Exemption("crooked", "the reason", '
        'promises=("copies_are_whole_and_independent",)),)\n',
        "Traceback and values: .venv/bin/python -m pytest -vv "
        "'tests/flows/test_contract.py::test_log_det_is_that_of_the_jacobian"
        "[crooked-dtype0]'\n",
        "  found: bijection.twice\n",
        "  found: AttributeError: Can't ",
    ):
        assert part in told
    assert "pages of torch" not in told and told.count("tensor(") == 0
    assert told.count("Traceback and values: ") == 3
    assert told.count("exempt=") == 2


@pytest.mark.thorough
def test_what_follows_from_a_wrong_log_det_is_told_once(tmp_path: Path) -> None:
    told = report(tmp_path, "-k", "jacobian or integrates or round_trip")
    assert told.count('" breaks the promise ') == 1
    assert "1 failed, 2 passed, 2 skipped, " in told
    assert told.count(NOT_ASKED) == 1
    why = '"crooked" breaks log_det_is_that_of_the_jacobian: Greatest absolute differ'
    assert f"{NOT_ASKED}{why}" in told


# A stretch by e^x, without a bound.
UNBOUNDED = """

class Unbounded(Crooked):
    def forward(self, x, context=None):
        return x.sinh(), x.cosh().log().sum(1)


CASES["unbounded"] = Case(Unbounded)
"""


@pytest.mark.thorough
def test_what_is_not_finite_is_counted(tmp_path: Path) -> None:
    told = report(tmp_path, "-k", "huge and unbounded", planted=PLANTED + UNBOUNDED)
    assert told.count("  found: log_prob: 7 of 7 numbers are inf or nan\n") == 4
    assert told.count("without a bound: bound it, as real_nvp.Affine does.\n") == 4
    assert told.count("what it asserts is false") == 0


@pytest.mark.thorough
def test_the_traceback_is_there_when_asked_for(tmp_path: Path) -> None:
    told = report(tmp_path, "-vv", "-k", "jacobian")
    assert "breaks the promise" not in told
    assert "Tensor-likes are not close!" in told


NO_PAIR = (
    "{} returns no pair of tensors: an image, and its log-determinant or log-slopes "
)
# What a forward returns by mistake → what is told of it.
RETURNED = {
    "x, x": "ValueError: {}: expected to return a log-determinant of shape (7,), got "
    "(7, 2) (mend the class)",
    "x": f"{NO_PAIR}(ValueError: too many values to unpack",
    "x, 0.0": f"{NO_PAIR}(AttributeError: 'float' object has no attribute 'shape')",
}
MISTAKEN = PLANTED + "".join(
    f"""

class Mistaken{number}(Crooked):
    def forward(self, x, context=None):
        return {returned}


CASES["mistaken {number}"] = Case(Mistaken{number})
"""
    for number, returned in enumerate(RETURNED)
)
NOT_ASKED = "skipped, which counts as failed: not asked, since "


@pytest.mark.thorough
def test_a_map_that_returns_something_else_is_told_once(tmp_path: Path) -> None:
    several = "mistaken and (maps_a_batch or round_trip or empty or keeps or survive)"
    told = report(tmp_path, "-n2", "-k", several, planted=MISTAKEN)
    assert "= 3 failed, 18 skipped in " in told
    for number, found in enumerate(RETURNED.values()):
        case = f'"mistaken {number}" breaks'
        said = f"found: {found.format(f'Mistaken{number}')}"
        assert told.count(f"{case} the promise maps_a_batch: ") == 1 and said in told
        assert told.count(f"{NOT_ASKED}{case} maps_a_batch: {said[7:]}") == 1


@pytest.mark.thorough
def test_promises_that_are_not_asked_have_not_passed(tmp_path: Path) -> None:
    """Where the first is left out, too: the exit status is 1, and the reason told."""
    told = report(tmp_path, "-k", "mistaken and round_trip", planted=MISTAKEN)
    assert "= 6 skipped, " in told
    assert told.count(NOT_ASKED) == 3 and "(mend the class)" in told
