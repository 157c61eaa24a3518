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
    cards = re.findall(
        r'data-family="([\w-]+)".*?<p class="family">(.*?)</p>\n<h2>'
        r'<a href="../notebooks/(\w+)/',
        gallery,
        re.DOTALL,
    )
    order = list(FAMILIES)
    families = [family for _, family, _ in cards]
    assert families == sorted(families, key=order.index)
    assert all(FAMILIES[family] == slug for slug, family, _ in cards)
    assert ("spline", "Splines", "nsf") in cards
    implemented = [p.id for p in frozen_catalogue().publications if p.implemented]
    assert sorted(id for *_, id in cards) == sorted(implemented)


def test_a_paper_says_what_is_not_promised_and_why() -> None:
    page = generated()["papers/maf.md"]
    assert page.count('<details class="fold">') == 1
    said = re.findall(r"<li>(MAF on .*)</li>", page)
    assert said == [
        "MAF on mixtures of Gaussians: the mixture&#39;s scales are exp(α) with any α, "
        "so that they may overflow. Left out: <em>huge inputs stay finite</em>."
    ]
    assert "Left out" not in generated()["papers/nice.md"]
