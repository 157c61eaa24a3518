"""Every kind of page, by one that shows all that its kind may have."""

from __future__ import annotations

KINDS = {
    "home": "",
    "learn": "learn/",
    "notation": "notation/",
    "glossary": "glossary/",
    "list": "list/",
    "genealogy": "genealogy/",
    "compare": "compare/",
    "exactness": "exactness/",
    "scale": "scale/",
    "reference": "reference/",
    "builders": "reference/builders/",
    "core": "reference/core/",
    "paper": "papers/nice/",
    "gallery": "notebooks/",
    "notebook": "notebooks/nice/",
    "exports": "exports/",
    "missing": "no-such-page/",
}
