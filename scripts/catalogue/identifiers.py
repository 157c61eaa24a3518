"""Which paper on arXiv, or which DOI, an address names."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote


class Preprint(NamedTuple):
    """A paper on arXiv: its id without the version, and its class if the id tells."""

    id: str
    subject: str


_arxiv_page = re.compile(
    r"(?:[\w-]+\.)?arxiv\.org/(?:abs|pdf|html|ps|format)/(.+)"
).fullmatch
_arxiv_doi = re.compile(r"10\.48550/arxiv\.(.+)", re.IGNORECASE).fullmatch
_arxiv_id = re.compile(
    r"""
      (?: (?P<new> \d{4}\.\d{4,5} )
        | (?P<archive> [a-z-]+ ) (?P<part> \.[a-z]{2} )? / (?P<old> \d{7} ) )
      (?:v\d+)? (?:\.pdf)? /?
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
).fullmatch
_undivided = re.compile("(?:hep|nucl)-.*|(?:astro|math|quant)-ph|gr-qc").fullmatch


def preprint(address: str) -> Preprint | None:
    """Return the paper on arXiv that an address names, in any of its forms.

    Ids from before 2007 name an archive, such as math, and sometimes its part: arXiv
    leaves that out of the id, math/0309136, and has it as the subject, math.GT.
    """
    host, path, _ = _parts(address)
    found = _arxiv_page(host + path) or _arxiv_doi(_registered(host, path))
    parts = _arxiv_id(found[1]) if found else None
    if not parts:
        return None
    if parts["new"]:
        return Preprint(parts["new"], "")
    archive, part = parts["archive"].lower(), (parts["part"] or "").upper()
    subject = archive + part if part or _undivided(archive) else ""
    return Preprint(f"{archive}/{parts['old']}", subject)


_DOI = r"10\.\d{4,9}/.+"
_is_doi = re.compile(_DOI, re.ASCII).fullmatch
_publisher = re.compile(
    rf"""
      (?: .*/doi/ (?!suppl/) (?:[a-z-]+/)?
        | (?: link\.springer\.com | iopscience\.iop\.org | journals\.aps\.org
            | frontiersin\.org | (?:bio|med)rxiv\.org | projecteuclid\.org ) / (?:.*/)??
        | journals\.plos\.org/.*\?id= )
      (?P<doi> {_DOI}? )
      (?: (?:v\d+)? (?:\.full|\.abstract|\.short)? (?:\.pdf)?
        | /(?:full|abstract|pdf|epdf|html|meta) )
    """,
    re.ASCII | re.VERBOSE,
).fullmatch


def doi(address: str) -> str:
    """Return the DOI that an address holds, decoded, or nothing.

    It stands in the addresses of doi.org and of most publishers. arXiv's own DOIs are
    left to `preprint`.
    """
    host, path, query = _parts(address)
    if found := _registered(host, path):
        return "" if _arxiv_doi(found) else found
    held = _publisher(host + path) or _publisher(f"{host}{path}?{query}")
    return held["doi"] if held else ""


def _registered(host: str, path: str) -> str:
    """Return the DOI of an address of doi.org."""
    name = path.strip("/")
    return name if host in ("doi.org", "dx.doi.org") and _is_doi(name) else ""


_split = re.compile(
    r"https?://(?:www\.)?([^/?#:]*)[^/?#]*([^?#]*)\??([^#]*).*",
    re.IGNORECASE | re.DOTALL,
).fullmatch


def _parts(address: str) -> tuple[str, str, str]:
    """Return an address's host, without www. and port, its path and query, decoded."""
    found = _split(address)
    host, path, query = found.groups() if found else ("", "", "")
    return host.lower(), unquote(path), unquote(query)
