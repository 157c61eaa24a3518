"""Hosts on this machine's loopback that behave as the worst of the web does."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.links.answers import Account
from scripts.links.asking import Asker
from scripts.links.linkchecker import LinkChecker
from scripts.links.network import Found
from scripts.links.videos import Videos
from scripts.sources.web import Web
from tests.support.answering import Part

AGENT = "our list (https://example.org)"


def status(code: int, **headers: str) -> Part:
    """Answer with this status and these headers, and nothing else."""

    def part(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return part


def moved(target: str, code: int = 301) -> Part:
    return status(code, Location=target)


def again_and_again(head: bytes, piece: bytes) -> Part:
    """Send a piece for good, but leave the machine some time for others."""

    def part(request: BaseHTTPRequestHandler) -> None:
        stop: threading.Event = request.server.stop  # type: ignore[attr-defined]
        request.wfile.write(head)
        while not stop.wait(0.01):
            request.wfile.write(piece)

    return part


def no_http(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"\x00\xff SSH-2.0 I am no web server\r\n\r\n")
    request.close_connection = True


@contextlib.contextmanager
def untrusted(folder: Path) -> Iterator[str]:
    """Serve over TLS with a certificate that nobody else has signed."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [*command, *files, "-subj", "/CN=127.0.0.1"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # who asked did not trust us

    with Server(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def known_names(host: str) -> Found:
    """Play the system's resolver: this machine alone has a name."""
    return "found" if host == "127.0.0.1" else "missing"


@dataclass(frozen=True)
class Scripted(LinkChecker):
    """Has an account ready for each address, and notes down who was asked for.

    An account is LinkChecker's result and, after a bar, its warnings.
    """

    results: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, addresses: Sequence[str]) -> Generator[Account, None, None]:
        for address in addresses:
            self.asked.append(address)
            if account := self.results[address]:
                result, _, warnings = account.partition("|")
                yield Account(address, "", result, warnings, "", "", address)

    def crawl(self, start: str) -> Generator[Account, None, None]:
        yield from ()


def asker(base: str) -> Asker:
    """Return one that is as patient as a test.

    Hosts here answer at once, but all in one process, on a machine that may be busy.
    """
    web = Web(AGENT, seconds=1, tries=1, pause=0)
    return Asker(
        LinkChecker(AGENT, seconds=3, patience=8, rate=1000),
        Videos(web, f"{base}/youtube", f"{base}/vimeo", pause=0),
        tries=2,
        pause=0,
        lookup=known_names,
    )
