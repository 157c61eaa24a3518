"""Services on this machine's loopback, which answer as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scripts.sources.services import Services
from scripts.sources.web import Web

Part = Callable[[BaseHTTPRequestHandler], None]
ARXIV, CROSSREF = "/api/query", "/works/10.1000%2F182"
YOUTUBE, REPO, USER = "/oembed", "/repos/ada/flows", "/users/ada"

# In the shape of arXiv's answers, which break lines within titles.
NICE_XML = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://arxiv.org/api/query?id_list=1410.8516" rel="self"/>
  <title type="html">ArXiv Query: id_list=1410.8516</title>
  <id>http://arxiv.org/api/abc</id>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1
  </opensearch:totalResults>
  <entry>
    <id>http://arxiv.org/abs/1410.8516v6</id>
    <updated>2015-04-10T12:59:41Z</updated>
    <published>2014-10-30T19:44:20Z</published>
    <title>NICE: Non-linear Independent
  Components Estimation</title>
    <author><name>Laurent Dinh</name></author>
    <author>
      <name>David Krueger</name>
      <arxiv:affiliation xmlns:arxiv="http://arxiv.org/schemas/atom">X</arxiv:affiliation>
    </author>
    <author><name>Yoshua Bengio</name></author>
    <arxiv:journal_ref xmlns:arxiv="http://arxiv.org/schemas/atom">A Journal, 2015
    </arxiv:journal_ref>
  </entry>
</feed>
"""
# What arXiv says of a number that it does not have.
ERROR_XML = NICE_XML.replace(
    "http://arxiv.org/abs/1410.8516v6", "http://arxiv.org/api/errors#id"
).replace("NICE: Non-linear", "Error")
PAPER_JSON = {
    "status": "ok",
    "message-type": "work",
    "message": {
        "DOI": "10.1000/182",
        "title": ["Flows on <i>S</i><sup>2</sup> &amp; Elsewhere"],
        "author": [
            {"given": "Ada", "family": "Lovelace", "sequence": "first"},
            {"given": "Martin", "family": "King", "suffix": "Jr."},
            {"name": "Flows, Inc.", "sequence": "additional"},
        ],
        "container-title": ["Journal of Flows"],
        "issued": {"date-parts": [[2021]]},
        "published-print": {"date-parts": [[2021, 5, 3]]},
        "published-online": {"date-parts": [[2021, 2, 9]]},
    },
}
VIDEO_JSON = {"title": "Flows in five minutes", "author_name": "Ada Lovelace"}
REPO_JSON = {
    "name": "flows",
    "owner": {"login": "ada"},
    "created_at": "2020-02-29T01:02:03Z",
    "pushed_at": "2024-11-30T23:59:59Z",
    "archived": False,
    "license": {"key": "mit", "spdx_id": "MIT"},
    "language": "Python",
}
USER_JSON = {"login": "ada", "name": "Ada Lovelace"}


def answer(
    content: str | bytes, kind: str = "application/json", status: int = 200
) -> Part:
    """Answer with this content."""
    body = content.encode() if isinstance(content, str) else content

    def part(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return part


def xml(content: str) -> Part:
    return answer(content, "application/atom+xml; charset=UTF-8")


def redirect(target: str) -> Part:
    """Lead elsewhere."""

    def part(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return part


def in_turn(*parts: Part) -> Part:
    """Play another part at each request; the last one for good."""
    waiting = list(parts)
    return lambda request: (waiting.pop(0) if len(waiting) > 1 else waiting[0])(request)


def drip(piece: bytes, headers_first: bool) -> Part:
    """Send a little, again and again, as long as anybody listens."""

    def part(request: BaseHTTPRequestHandler) -> None:
        stop: threading.Event = request.server.stop  # type: ignore[attr-defined]
        if headers_first:
            request.send_response(200)
            request.send_header("Content-Type", "application/json")
            request.end_headers()
        else:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not stop.wait(0.05):
            request.wfile.write(piece)

    return part


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


class Loopback:
    """The requests that came, and the services that ask."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.asked: list[str] = []
        self.agents: set[str | None] = set()

    def services(self, **bounds: Any) -> Services:
        web = Web("our list (https://example.org)", **{"pause": 0, **bounds})
        return Services(
            web,
            arxiv=self.base + ARXIV,
            crossref=self.base + "/works",
            youtube=self.base + YOUTUBE,
            github=self.base,
        )


@contextmanager
def answering(parts: dict[str, Part]) -> Iterator[Loopback]:
    """Serve each path's part; anything else is not found."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            loopback.asked.append(self.path)
            loopback.agents.add(self.headers["User-Agent"])
            try:
                parts.get(path, answer("{}", status=404))(self)
            except OSError:
                pass  # who asked has gone

        def end_headers(self) -> None:
            # Tells LinkChecker that it need not pause here.
            self.send_header("LinkChecker", "welcome")
            super().end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.stop = threading.Event()  # type: ignore[attr-defined]
        loopback = Loopback(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield loopback
        finally:
            server.stop.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()
