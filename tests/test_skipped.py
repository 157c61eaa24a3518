"""A suite that skipped a flow or browser test has not passed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.base.project import ROOT
from tests.conftest import NEVER_SKIPPED

TEST = "import pytest\ndef test_one(): pytest.skip('no browser')\n"
FILE = "import pytest\npytest.importorskip('no_such_package')\n"


def test_the_suite_fails_and_names_each(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    for room in (*NEVER_SKIPPED, "whole"):
        (tests / room).mkdir(parents=True)
        (tests / room / "test_one.py").write_text(TEST)
        (tests / room / "test_file.py").write_text(FILE)
    (tests / "test_passes.py").write_text("def test_passes(): pass\n")
    for name in ("conftest.py", "suite/scheduling.py"):
        (tests / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / name, tests / name)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts=--import-mode=importlib\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n2", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    named = re.findall(
        r"^skipped, which counts as failed: tests/(\S+)", ran.stdout, re.M
    )
    assert sorted(named) == sorted(
        f"{room}/{name}"
        for room in NEVER_SKIPPED
        for name in ("test_one.py::test_one", "test_file.py")
    )
