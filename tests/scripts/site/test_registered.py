"""The site's facts from registrations: families, and what is not promised."""

from __future__ import annotations

import re
from functools import cache

from scripts.papers.registrations import FAMILIES
from scripts.site import pages
from tests.frozen import frozen_catalogue
from tests.scripts.outputs.test_inert import edition


@cache
def generated() -> dict[str, str]:
    return pages.generated(edition(frozen_catalogue()))


def test_the_gallery_has_each_paper_in_its_family() -> None:
    gallery = generated()["notebooks/index.md"]
    families = re.findall(r"^## (.+)$", gallery, re.M)
    assert families == [name for name in FAMILIES if name in families]
    _, _, splines = gallery.partition("## Splines")
    assert re.findall(r'<h3><a href="(\w+)/', splines)[0] == "nsf"
    implemented = [p.id for p in frozen_catalogue().publications if p.implemented]
    assert sorted(re.findall(r'<h3><a href="(\w+)/', gallery)) == sorted(implemented)


def test_a_paper_says_what_is_not_promised_and_why() -> None:
    page = generated()["papers/maf.md"]
    assert page.count('<details class="fold">') == 1
    said = re.findall(r"<li>(MAF on .*)</li>", page)
    assert said == [
        "MAF on mixtures of Gaussians: the mixture&#39;s scales are exp(α) with any α, "
        "so that they may overflow. Not promised: <em>huge inputs stay finite</em>."
    ]
    assert "not promised" not in generated()["papers/nice.md"]
