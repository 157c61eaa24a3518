"""Which papers have an implementation."""

from __future__ import annotations

from scripts.base.project import ROOT

PAPERS = sorted(path.stem for path in (ROOT / "implementations").glob("[a-z]*.py"))
