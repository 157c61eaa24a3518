"""Which addresses the list takes, and when two of them lead to the same place."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from scripts.catalogue import identifiers

_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
_REST = r"(?:[/?#][\w/?#\[\]@!$&'()*+,;=:.~%-]*)?"
_good = re.compile(
    rf"https://{_HOST}(?::\d{{1,5}})?{_REST}", re.ASCII | re.IGNORECASE
).fullmatch
_host = re.compile(rf"{_HOST}(?::\d{{1,5}})?", re.ASCII | re.IGNORECASE).fullmatch


_arxiv = re.compile(
    r"https://(?:\w+\.)?arxiv\.org/(?:abs|pdf|html)/(?P<name>\d{4}\.\d+)", re.IGNORECASE
).match


def fault(address: str) -> tuple[str, str] | None:
    """Say what is wrong with an address and what to do, if anything is."""
    if _good(address):
        return _arxiv_fault(address)
    if address.lower().startswith("http://"):
        return "is not https", f"write https://{address[7:]}"
    if not address.startswith("https://"):
        return "is not an https address", "write all of it, beginning with https://"
    if " " in address:
        return "has a space in it", "remove it, or write it as %20"
    host = re.split(r"[/?#]", address.removeprefix("https://"), maxsplit=1)[0]
    if "@" in host:
        return "carries credentials", "remove what stands before the @"
    if not _host(host):
        return "has no proper host", "check what stands between https:// and the path"
    return "has characters that no address has", "percent-encode them"


def _arxiv_fault(address: str) -> tuple[str, str] | None:
    """Numbers of arXiv have four digits after the dot until 1412, and five since."""
    found = _arxiv(address)
    if not found:
        return None
    month, _, number = found["name"].partition(".")
    name, digits, when = (
        ("five", 5, "since 2015") if month >= "1501" else ("four", 4, "before 2015")
    )
    if len(number) == digits:
        return None
    form = f"their numbers have {name} digits after the dot, not {len(number)}"
    return (
        f"names no arXiv paper: {when} {form}",
        f"compare {found['name']} with the paper's page",
    )


# These serve to follow readers about, wherever they stand; the others are names that
# some sites give to what they show.
_FOLLOWING = (
    r"utm_\w+|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|twclid|igshid|mc_[ce]id"
)
_following = re.compile(rf"(?:{_FOLLOWING})(?:=|$)", re.IGNORECASE).match
_TRACKING = re.compile(rf"(?:{_FOLLOWING}|ref|ref_src|si|feature)=")
_work = re.compile(
    r"""
      (?: youtu\.be/
        | (?:m\.)?youtube(?:-nocookie)?\.com/
          (?: watch\?(?:.*&)?v= | embed/ | shorts/ | live/ ) )
      (?P<youtube> [\w-]+ ) .*
    | openreview\.net/(?:forum|pdf)\?(?:.*&)?id= (?P<openreview> [\w-]+ ) .*
    | github\.com/ (?P<github> [^/]+/[^/]+? ) (?: \.git | /tree/(?:main|master) )?
    """,
    re.VERBOSE,
).fullmatch


def without_tracking(address: str) -> tuple[str, tuple[str, ...]]:
    """Return the address without the parameters that follow its readers; and these."""
    before, mark, fragment = address.partition("#")
    page, question, query = before.partition("?")
    parts = query.split("&")
    tracking = tuple(part for part in parts if _following(part))
    if not tracking:
        return address, ()
    kept = "&".join(part for part in parts if part not in tracking)
    return f"{page}{question if kept else ''}{kept}{mark}{fragment}", tracking


def place(address: str) -> str:
    """Reduce an address to the place it leads to, the same for all its spellings.

    Scheme with its port, `www.`, case, percent-encoding, trailing slash, tracking
    parameters and the place within the page are dropped; works on arXiv, DOI, YouTube,
    OpenReview and GitHub are known by their name there. Empty when the address is no
    web address at all.
    """
    if not _good(re.sub("^http:", "https:", address)):
        return ""
    if paper := identifiers.preprint(address):
        return f"arxiv:{paper.id}"
    if doi := identifiers.doi(address):
        return f"doi:{doi.lower()}"
    parts = urlsplit(address)
    parameters = map(_decoded, filter(None, parts.query.split("&")))
    query = "&".join(sorted(p for p in parameters if not _TRACKING.match(p)))
    host = parts.netloc.lower().removesuffix(_PORTS[parts.scheme])
    reduced = host.removeprefix("www.") + _decoded(parts.path).rstrip("/")
    reduced += f"?{query}" if query else ""
    if work := _work(reduced):
        return f"{work.lastgroup}:{work[work.lastgroup or 0]}"
    # Some sites keep their pages behind the hash.
    fragment = _decoded(parts.fragment)
    return f"{reduced}#{fragment}" if fragment.startswith(("/", "!")) else reduced


_PORTS = {"http": ":80", "https": ":443"}


# #, %, & and ?, which have another meaning where they are not encoded.
_SIGN = re.compile("%(?=23|25|26|3f)", re.IGNORECASE)


def _decoded(part: str) -> str:
    # What is no UTF-8 stays different from all else that is none.
    return unquote(_SIGN.sub("%25", part), errors="surrogateescape").lower()
