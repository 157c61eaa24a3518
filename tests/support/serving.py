"""The built site on this machine's loopback, as GitHub Pages serves it.

Under its own path, and texts compressed.
"""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from scripts.base.project import read_project

PREFIX = urlsplit(read_project().site_url).path.rstrip("/")


TEXTS = (".css", ".html", ".js", ".json", ".svg", ".xml")


class _SiteHandler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many requests

    def translate_path(self, path: str) -> str:
        if not path.startswith(f"{PREFIX}/"):
            return str(Path(self.directory) / "outside-of-the-site")
        return super().translate_path(path.removeprefix(PREFIX))

    def send_head(self) -> BytesIO | BinaryIO | None:
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.partition("?")[0].endswith("/"):
            path /= "index.html"
        if not path.is_file() or path.suffix not in TEXTS:
            return super().send_head()
        return BytesIO(self._compressed(200, path))

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        self.wfile.write(self._compressed(code, Path(self.directory) / "404.html"))

    def _compressed(self, code: int, path: Path) -> bytes:
        """Send the headers; return what follows them."""
        body = path.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", self.guess_type(str(path)))
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
            body = gzip.compress(body, compresslevel=6, mtime=0)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    # A browser opens six at once; where the queue is full it asks again in a second,
    # then in two, in four, …
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that leaves a page hangs up on what it no longer needs.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """Serve a directory; yield the address of its root, with a slash at the end."""
    handler = partial(_SiteHandler, directory=str(site))
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PREFIX}/"
        finally:
            server.shutdown()
            thread.join()
