"""The number of a paper's checks."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.base.project import ROOT
from scripts.papers.checks import Checks, read


def test_checks_and_seeds_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "implementations" / "results" / "nice.json"
    file.parent.mkdir(parents=True)
    claims = [{"text": text, "values": [1.0, 2.0]} for text in "abc"]
    file.write_text(json.dumps({"seeds": [0, 1], "claims": claims}), "utf-8")
    assert read(tmp_path, "nice") == Checks(3, 2)


def test_a_paper_that_was_not_repeated_yet_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, "nice") == Checks(0, 0)


def test_the_committed_results_are_read() -> None:
    assert read(ROOT, "nice").number > 5
