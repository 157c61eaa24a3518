"""Works by the names that contributors give them, and the kind of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote, unquote

from scripts.catalogue import addresses, identifiers
from scripts.catalogue.faults import quote as quoted
from scripts.catalogue.sections import BLOGS, CODE, PUBLICATIONS, VIDEOS

Kind = Literal["arxiv", "doi", "youtube", "github", "page"]


class NotIdentified(Exception):
    """No work has such a name, or the list refuses its address; says what to write."""


@dataclass(frozen=True)
class Work:
    """A work by the name that a service knows it by, and where it goes on the list.

    `left_out` are the parameters of the address given that only follow its readers.
    """

    kind: Kind
    name: str
    url: str
    section: str
    left_out: tuple[str, ...] = ()


_DOI = r"10\.\d{4,9}(?:/|%2F)\S+"
_ARXIV = r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?"
_forms = re.compile(
    rf"""
      (?:arxiv:\s*)? (?P<arxiv>{_ARXIV})
    | (?:doi:\s*)? (?P<doi>{_DOI})
    | https?://(?: youtu\.be/
        | (?:www\.|m\.)?youtube(?:-nocookie)?\.com/
          (?:watch\?(?:\S*&)?v=|embed/|shorts/|live/) )
      (?P<youtube>[\w-]{{11}}) (?:[?&\#/]\S*)?
    | https?://(?:www\.)?github\.com/ (?P<github>[\w.-]+/[\w.-]+?)
      (?:\.git)? (?:/tree/(?:main|master))? /? (?:[?\#]\S*)?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
).fullmatch
_schemeless = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}/\S*", re.IGNORECASE).fullmatch
_section_of_host = {
    "arxiv.org": PUBLICATIONS.key,
    "openreview.net": PUBLICATIONS.key,
    "proceedings.mlr.press": PUBLICATIONS.key,
    "github.com": CODE.key,
    "gitlab.com": CODE.key,
    "vimeo.com": VIDEOS.key,
}


def identify(text: str) -> Work:
    """Recognise an arXiv id or address, a DOI, a YouTube, GitHub or other address.

    Raises NotIdentified when it is none of these, or an address that the list refuses.
    """
    text, left_out = addresses.without_tracking(text.strip())
    if _schemeless(text) and not _forms(text):
        text = f"https://{text}"
    work = _checked(_known(text) or _page(text))
    return replace(work, left_out=left_out)


def _known(text: str) -> Work | None:
    """Recognise what a service knows, by its name there or by its address."""
    match = _forms(text)
    form, name = (match.lastgroup, match[match.lastgroup or ""]) if match else ("", "")
    match form:
        case "youtube":
            return Work("youtube", name, f"https://youtu.be/{name}", VIDEOS.key)
        case "github":
            return Work("github", name, f"https://github.com/{name}", CODE.key)
        case "arxiv":
            text = f"https://arxiv.org/abs/{name}"
        case "doi":
            text = _doi_address(unquote(name))
    if paper := identifiers.preprint(text):
        url = f"https://arxiv.org/abs/{paper.id}"
        return Work("arxiv", paper.id, url, PUBLICATIONS.key)
    if doi := identifiers.doi(text):
        return Work("doi", doi, _doi_address(doi), PUBLICATIONS.key)
    return None


def _doi_address(doi: str) -> str:
    return f"https://doi.org/{quote(doi, safe='/:;().-_')}"


def _page(address: str) -> Work:
    url = re.sub("^http://", "https://", address, flags=re.IGNORECASE)
    if not url.lower().startswith("https://"):
        raise NotIdentified(
            f"{quoted(address)} is no arXiv id, DOI or address "
            "(write it as in 1410.8516, 10.1109/TPAMI.2020.2992934 "
            "or https://example.org/post)"
        )
    host = url.split("/")[2].lower().removeprefix("www.")
    return Work("page", url, url, _section_of_host.get(host, BLOGS.key))


def _checked(work: Work) -> Work:
    if fault := addresses.fault(work.url):
        raise NotIdentified(f"{quoted(work.url)} {fault[0]} ({fault[1]})")
    return work
