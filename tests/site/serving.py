"""The built site on this machine's loopback, under its own path as on GitHub Pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from scripts.project import read_project

PREFIX = urlsplit(read_project().site_url).path.rstrip("/")


class _Pages(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        if not path.startswith(f"{PREFIX}/"):
            return str(Path(self.directory) / "outside-of-the-site")
        return super().translate_path(path.removeprefix(PREFIX))

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        page = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """Serve a directory; yield the address of its root, with a slash at the end."""
    handler = partial(_Pages, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PREFIX}/"
        finally:
            server.shutdown()
            thread.join()
