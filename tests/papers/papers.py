"""Which papers have an implementation."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "implementations").glob("[a-z]*.py"))
PAPERS = [path.stem for path in FILES]
