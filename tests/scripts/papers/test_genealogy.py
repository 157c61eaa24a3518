"""Who builds on whom, read from imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.base.project import ROOT
from scripts.papers.cells import CellError
from scripts.papers.genealogy import Kin, PaperImport, genealogy, reused_by

NICE = "from implementations.core.flow import Flow\n\nclass Coupling: ...\n"
NSF = """
import torch
from implementations.made import Autoregressive
from implementations.nice import Coupling, learn

def late():
    from implementations.glow import never_counts

if __name__ == "__main__":
    from implementations.glow import glow
    from implementations.nice import nice
    for _ in range(2):
        from implementations.real_nvp import Affine
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "implementations"
    folder.mkdir()
    for name in ("glow", "made", "nice", "real_nvp"):
        (folder / f"{name}.py").write_text(NICE)
    (folder / "nsf.py").write_text(NSF)
    (folder / "__init__.py").write_text("")
    return tmp_path


def test_imports_are_kin(root: Path) -> None:
    found = genealogy(root)
    assert list(found) == ["glow", "made", "nice", "nsf", "real_nvp"]
    assert found["nice"] == Kin()
    assert found["nsf"].builds_on == (
        PaperImport("made", ("Autoregressive",)),
        PaperImport("nice", ("Coupling", "learn")),
    )
    assert found["nsf"].compared_with == (
        PaperImport("glow", ("glow",)),
        PaperImport("real_nvp", ("Affine",)),
    )


def test_reuse_is_the_other_direction(root: Path) -> None:
    found = genealogy(root)
    assert reused_by("nice", found) == ["nsf"]
    assert reused_by("glow", found) == []


def test_ideas_are_classes() -> None:
    assert PaperImport("nice", ("Coupling", "learn", "nice")).classes == ("Coupling",)


def test_what_is_no_python_is_told_at_its_line(root: Path) -> None:
    (root / "implementations" / "glow.py").write_text("x = 1\ny = (\n")
    with pytest.raises(CellError, match=r"implementations/glow\.py:2: SyntaxError"):
        genealogy(root)


def test_our_own() -> None:
    found = genealogy(ROOT)
    assert "Coupling" in found["real_nvp"].builds_on[0].classes
    assert {"real_nvp", "nsf"} <= set(reused_by("nice", found))
