"""A suite that skipped a flow or browser test has not passed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.suite import small_suite
from tests.suite.rooms import NEVER_SKIPPED

TEST = "import pytest\ndef test_one(): pytest.skip('no browser')\n"
FILE = "import pytest\npytest.importorskip('no_such_package')\n"


@pytest.mark.thorough
def test_the_suite_fails_and_names_each(tmp_path: Path) -> None:
    files = {"test_passes": "def test_passes(): pass\n"}
    for room in (*NEVER_SKIPPED, "whole"):
        files |= {f"{room}__test_one": TEST, f"{room}__test_file": FILE}
    small_suite.make(tmp_path, **files)
    ran = small_suite.run(tmp_path, "-n2")
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    named = re.findall(
        r"^skipped, which counts as failed: tests/(\S+)", ran.stdout, re.M
    )
    assert sorted(named) == sorted(
        f"{room}/{name}"
        for room in NEVER_SKIPPED
        for name in ("test_one.py::test_one", "test_file.py")
    )
