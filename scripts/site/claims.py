"""A notebook's claims, each a quotation in Jupyter, as tables on its page.

`claim` in implementations/core/claims.py writes the quotations.
"""

from __future__ import annotations

import re
from itertools import chain, repeat

# Where the first table stands: what the head of the page leads to.
ANCHOR = "claims-table"
_CLAIM = (
    r"<blockquote>\s*<p>(?P<mark>[✓✗]) (?P<claim>(?:(?!</p>).)*) "
    r"\(claimed: (?P<bound>[^()]*)\)</p>\s*</blockquote>\s*"
)
_ONE = re.compile(_CLAIM, re.DOTALL)
_IN_A_ROW = re.compile(f"(?:{_CLAIM})+", re.DOTALL)
_NUMBER = re.compile(r"<strong>(.*?)</strong>")
_HEADINGS = ("Claim", "Bound", "Measured", "Holds")


def in_tables(html: str) -> str:
    """Turn claims that follow one another into a table; other quotations stay."""
    ids = chain([f' id="{ANCHOR}"'], repeat(""))
    return _IN_A_ROW.sub(lambda row: _table(row[0], next(ids)), html)


def _table(quotations: str, id: str) -> str:
    head = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
    rows = "\n".join(map(_row, _ONE.finditer(quotations)))
    return (
        f'<table class="claims"{id}>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n"
    )


def _row(claim: re.Match[str]) -> str:
    number = _NUMBER.search(claim["claim"])
    measured = number[0] if number else ""
    # A number behind its sentence stands in its column alone.
    said = _NUMBER.sub(r"\1", claim["claim"].removesuffix(f": {measured}"))
    cells = (said, claim["bound"], measured, claim["mark"])
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
