"""Which papers exist; and their files, read as text: cells, imports, fingerprints."""

from __future__ import annotations

from pathlib import Path

PACKAGE = "implementations"
EXAMPLES = "docs/reference/examples"
"""Has a file for each object that the reference documents."""
FOLDERS = ("core", "figures", "registrations", "results", "scale")
"""What else stands in the package, so that no paper can be called so."""


def implemented(package: Path) -> list[str]:
    """Ids of the papers that are implemented: those with a file in the package."""
    return sorted(file.stem for file in package.glob("[!_]*.py"))
