"""The costs of a page to its reader: bytes, and requests to other hosts."""

from __future__ import annotations

import gzip
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

from scripts.site import policy

_CSS_ADDRESS = re.compile(r"""(?:\burl\(|@import\b)\s*["']?([^"'()\s;]+)""")
_FETCHED_LINK = re.compile(
    r"\b(?:stylesheet|icon|preload|modulepreload|prefetch|manifest|preconnect)\b"
)


class Weight(NamedTuple):
    """One page: its HTML in bytes, plain and gzipped, and what it brings along."""

    html: int
    gzipped: int
    base64: int
    foreign: list[str]


def weigh(site: Path, page: str, root: str) -> Weight:
    """Weigh the page at `page` of the site, built at `site` to stand at `root`."""
    content = (site / page / "index.html").read_bytes()
    fetched = requests(content.decode("utf-8"), urljoin(root, page))
    for url in [url for url in fetched if url.startswith(root) and ".css" in url]:
        sheet = site / re.sub(r"[?#].*", "", url.removeprefix(root))
        fetched |= _css_requests(sheet.read_text("utf-8"), url)
    return Weight(
        html=len(content),
        gzipped=len(gzip.compress(content)),
        base64=content.count(b";base64,"),
        foreign=sorted(url for url in fetched if not url.startswith(root)),
    )


_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n')


def time_policies(site: Path) -> float:
    """Seconds that it takes to give every page of the site its policy once more."""
    seconds = 0.0
    for path in site.rglob("*.html"):
        page = _POLICY.sub("", path.read_text("utf-8"))
        own = policy.inline_scripts(page)
        start = time.perf_counter()
        policy.protect(page, own)
        seconds += time.perf_counter() - start
    return seconds


def requests(html: str, address: str) -> set[str]:
    """Every address that a browser asks for to show the HTML found at `address`."""
    reader = _RequestReader(address)
    reader.feed(html)
    return reader.requests


def _css_requests(css: str, address: str) -> set[str]:
    return _absolute(_CSS_ADDRESS.findall(css), address)


def _absolute(urls: list[str], address: str) -> set[str]:
    absolute = (urldefrag(urljoin(address, url)).url for url in urls)
    return {url for url in absolute if url.startswith("http")}


class _RequestReader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.requests: set[str] = set()
        self._address = address
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        values = {name: value for name, value in attrs if value}
        urls = [values[name] for name in ("src", "poster", "data") if name in values]
        sizes = values.get("srcset", "").split(",")
        urls += [size.split()[0] for size in sizes if size.strip()]
        if tag == "link" and _FETCHED_LINK.search(values.get("rel", "")):
            urls.append(values.get("href", ""))
        self.requests |= _absolute(urls, self._address)
        self.requests |= _css_requests(values.get("style", ""), self._address)

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.requests |= _css_requests(data, self._address)
