"""Which papers have an implementation."""

from __future__ import annotations

from scripts.base.project import ROOT
from scripts.papers import PACKAGE, implemented

PAPERS = implemented(ROOT / PACKAGE)
