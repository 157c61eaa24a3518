"""Parts of the site's pages, rendered by its templates."""

from __future__ import annotations

import jinja2

from scripts.base.project import ROOT
from scripts.site.genealogy_map import GenealogyMap

TEMPLATES = ROOT / "scripts" / "site" / "templates"


def render_map(drawn: GenealogyMap) -> str:
    """Return the map as its page shows it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True
    )
    return environment.get_template("map.html.jinja").render(map=drawn)
