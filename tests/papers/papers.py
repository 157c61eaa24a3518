"""Which papers have an implementation."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAPERS = sorted(path.stem for path in (ROOT / "implementations").glob("[a-z]*.py"))
