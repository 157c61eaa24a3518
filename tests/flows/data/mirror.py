"""A mirror on this machine's loopback that can die, change and know no ranges."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any


@dataclass
class FileMirror:
    """Files by path, and how each answer goes wrong.

    `breaks` are numbers of bytes after which the next answers break off, `codes` the
    states of the next answers in the place of 200; `silent` is in seconds. `asked` are
    the requests: path and headers. `sent` counts bytes of files.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    validator: tuple[str, str] | None = ("ETag", '"1"')
    breaks: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    silent: float = 0
    piece: int = 2**20
    pause: float = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    def ranges_asked(self) -> list[str | None]:
        """The Range header of each request."""
        return [headers.get("range") for _, headers in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, mirror: FileMirror, *args: Any) -> None:
        self.mirror = mirror
        super().__init__(*args)

    def do_GET(self) -> None:
        mirror = self.mirror
        asked = {name.lower(): value for name, value in self.headers.items()}
        mirror.asked.append((self.path, asked))
        sleep(mirror.silent)
        code = mirror.codes.pop(0) if mirror.codes else 200
        content = mirror.files.get(self.path.partition("?")[0])
        if code != 200 or content is None:
            return self._head(404 if code == 200 else code, 0, {})
        start = self._start(asked)
        if start > len(content) or (start and start == len(content)):
            return self._head(416, 0, {"Content-Range": f"bytes */{len(content)}"})
        placed = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers = dict([mirror.validator] if mirror.validator else [])
        if start:
            self._head(206, len(content) - start, {**headers, "Content-Range": placed})
        else:
            self._head(200, len(content), headers)
        self._body(content[start:])

    def _start(self, asked: dict[str, str]) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
        valid = self.mirror.validator[1] if self.mirror.validator else None
        if not found or not self.mirror.ranges:
            return 0
        return int(found[1]) if asked.get("if-range", valid) == valid else 0

    def _head(self, code: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, **self.mirror.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _body(self, content: bytes) -> None:
        mirror = self.mirror
        if mirror.breaks:
            content = content[: mirror.breaks.pop(0)]
            self.close_connection = True
        for start in range(0, len(content), mirror.piece):
            piece = content[start : start + mirror.piece]
            self.wfile.write(piece)
            mirror.sent += len(piece)
            sleep(mirror.pause)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _HttpServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # A client that hangs up in the middle is what some tests are about.


@contextmanager
def mirroring(mirror: FileMirror) -> Iterator[FileMirror]:
    """Serve the mirror's files at its `url`."""
    with _HttpServer(("127.0.0.1", 0), partial(_Handler, mirror)) as server:
        mirror.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield mirror
        finally:
            server.shutdown()
            thread.join()
