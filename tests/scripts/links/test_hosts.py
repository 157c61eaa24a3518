"""LinkChecker itself against hosts that play every part: no false death, no hang."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from scripts.links.answers import Answer
from scripts.links.asking import Asker
from tests.support.answering import (
    Loopback,
    answer,
    answering,
    drip,
    hang_up,
    in_turn,
    redirect,
)
from tests.support.fake_web import (
    AGENT,
    again_and_again,
    asker,
    moved,
    no_http,
    status,
    untrusted,
)

PAGE = answer("<html>", "text/html")
OK = b"HTTP/1.1 200 OK\r\n"
FLOOD = b"x" * 100_000
PARTS = {
    "/here": PAGE,
    "/empty": status(204),
    "/chain": moved("/second"),
    "/second": moved("/here", 308),
    "/for-now": redirect("/here"),
    "/first-for-good": moved("/for-now"),
    "/first-for-now": redirect("/second"),
    "/script": moved("javascript:alert(1)"),
    "/file": moved("file:///etc/hostname"),
    "/loop": moved("/loop"),
    "/ping": moved("/pong"),
    "/pong": moved("/ping"),
    "/gone": status(404),
    "/gone-for-good": status(410),
    "/leads-to-gone": moved("/gone"),
    "/leads-to-nowhere": moved("http://nowhere.invalid/"),
    "/asks-for-money": status(402),
    "/login": status(401),
    "/forbidden": status(403),
    "/busy": status(429, Retry_After="0"),
    "/broken": status(500),
    "/down": status(503),
    "/flapping": in_turn(status(503), PAGE),
    "/closed": hang_up,
    "/closed-once": in_turn(hang_up, PAGE),
    "/no-http": no_http,
    "/many-headers": again_and_again(OK, b"X: y\r\n" * 1000),
    "/long-header": again_and_again(OK + b"X: ", FLOOD),
    "/continue": again_and_again(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "/slow-headers": drip(b"x", headers_first=False),
    "/slow-body": drip(b"x", headers_first=True),
    "/silent": drip(b"", headers_first=False),
    "/huge": again_and_again(OK + b"\r\n", FLOOD),
    "/huge-redirect": again_and_again(
        b"HTTP/1.1 301 Moved\r\nLocation: /here\r\n\r\n", FLOOD
    ),
    "/private/secret": PAGE,
    "/robots.txt": answer("User-agent: *\nDisallow: /private/\n", "text/plain"),
}
NO_ANSWER = ("unclear", "no answer in time")
EXPECTED = {
    "/here": ("here", ""),
    "/empty": ("here", ""),
    "/chain": ("here", ""),
    "/second": ("here", ""),
    "/for-now": ("here", ""),
    "/first-for-good": ("here", ""),
    "/first-for-now": ("here", ""),
    "/script": ("unclear", "a broken answer"),
    "/file": ("unclear", "a broken answer"),
    "/loop": ("unclear", "redirects without end"),
    "/ping": ("unclear", "redirects without end"),
    "/pong": ("unclear", "redirects without end"),
    "/gone": ("gone", "404"),
    "/gone-for-good": ("gone", "410"),
    "/leads-to-gone": ("gone", "404"),
    "/leads-to-nowhere": ("unclear", "cannot be reached"),
    "/asks-for-money": ("unclear", "402"),
    "/login": ("unclear", "401"),
    "/forbidden": ("unclear", "403"),
    "/busy": ("unclear", "429"),
    "/broken": ("unclear", "500"),
    "/down": ("unclear", "503"),
    "/flapping": ("here", ""),
    "/closed": ("unclear", "cannot be reached"),
    "/closed-once": ("here", ""),
    "/no-http": ("unclear", "cannot be reached"),
    "/many-headers": ("unclear", "cannot be reached"),
    "/long-header": ("unclear", "cannot be reached"),
    "/continue": NO_ANSWER,
    "/slow-headers": NO_ANSWER,
    "/slow-body": ("here", ""),
    "/silent": ("unclear", "no answer in time"),
    "/huge": ("here", ""),
    "/huge-redirect": NO_ANSWER,
    "/private/secret": ("unclear", "its robots.txt asks programs to stay away"),
}
MOVED = {"/chain": "/here", "/second": "/here", "/first-for-good": "/for-now"}

TUBE, VIMEO = "https://youtu.be/", "https://vimeo.com/"
VIDEOS = {
    f"{TUBE}aaaaaaaaaaa": (200, "here", ""),
    f"{TUBE}bbbbbbbbbbb": (404, "gone", "oEmbed: 404"),
    f"{TUBE}ccccccccccc": (401, "unclear", "oEmbed: 127.0.0.1"),
    f"{TUBE}ddddddddddd": (429, "unclear", "oEmbed: 127.0.0.1"),
    f"{VIMEO}100": (200, "here", ""),
    f"{VIMEO}200": (404, "gone", "oEmbed: 404"),
    f"{VIMEO}300": (403, "unclear", "oEmbed: 127.0.0.1"),
}


def oembed(request: BaseHTTPRequestHandler) -> None:
    """Play both services: each video has its status."""
    (video,) = parse_qs(urlsplit(request.path).query)["url"]
    code = next(code for url, (code, *_) in VIDEOS.items() if video[-3:] == url[-3:])
    answer(json.dumps({"title": "Flows"}), status=code)(request)


class Asked(NamedTuple):
    """The results of one run over everything."""

    asker: Asker
    loopback: Loopback
    secure: str
    told: list[str]
    seconds: float

    def answer(self, path: str) -> Answer:
        return self.asker.heard[self.loopback.base + path].answer


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    parts = {**PARTS, "/youtube": oembed, "/vimeo": oembed}
    folder = tmp_path_factory.mktemp("keys")
    with (
        pytest.MonkeyPatch.context() as patch,
        answering(parts) as loopback,
        untrusted(folder) as secure,
    ):
        patch.setenv("no_proxy", "127.0.0.1")
        told: list[str] = []

        def log(line: str) -> None:
            told.append(line)
            print(line)  # shown where what follows fails

        ours = asker(loopback.base)
        ours.log = log
        addresses = [loopback.base + path for path in EXPECTED]
        others = [secure + "/", "https://nowhere.invalid/page", *VIDEOS]
        start = time.monotonic()
        ours.ask([*addresses, *others])
        yield Asked(ours, loopback, secure, told, time.monotonic() - start)


def test_it_ends(asked: Asked) -> None:
    # Two tries, each with a start, every answer, and eight seconds without any.
    assert asked.seconds < 60


@pytest.mark.parametrize("path", EXPECTED)
def test_each_host_is_judged_by_what_it_does(asked: Asked, path: str) -> None:
    heard = asked.answer(path)
    assert (heard.kind, heard.why) == EXPECTED[path]
    new = MOVED.get(path)
    assert heard.moved == (asked.loopback.base + new if new else None)


def test_a_certificate_that_is_not_trusted_is_no_death(asked: Asked) -> None:
    heard = asked.asker.heard[asked.secure + "/"].answer
    assert (heard.kind, heard.why) == (
        "unclear",
        "its certificate is not to be trusted",
    )


def test_a_host_without_a_name_has_vanished(asked: Asked) -> None:
    heard = asked.asker.heard["https://nowhere.invalid/page"].answer
    assert (heard.kind, heard.why) == ("gone", "no such host")


@pytest.mark.parametrize("address", VIDEOS)
def test_videos_are_asked_for_through_oembed(asked: Asked, address: str) -> None:
    heard = asked.asker.heard[address].answer
    _, kind, why = VIDEOS[address]
    assert heard.kind == kind
    assert heard.why.startswith(why) and bool(heard.why) == bool(why)


def test_what_is_forbidden_to_programs_is_not_asked_for(asked: Asked) -> None:
    assert "/private/secret" not in asked.loopback.asked
    assert asked.loopback.asked.count("/robots.txt") <= 2  # once a try


def test_only_what_may_be_a_bad_moment_is_asked_again(asked: Asked) -> None:
    times = {path: asked.loopback.asked.count(path) for path in EXPECTED}
    once = {"/here", "/gone", "/gone-for-good", "/forbidden", "/login"}
    redirected = {"/here", "/gone"}
    assert all(times[path] == 1 for path in once - redirected)
    for path in ("/busy", "/broken", "/down", "/flapping", "/closed", "/slow-headers"):
        assert times[path] == 2, path


def test_hosts_are_told_who_asks(asked: Asked) -> None:
    assert AGENT in asked.loopback.agents


def test_progress_is_told_line_by_line(asked: Asked) -> None:
    total = len(EXPECTED) + len(VIDEOS) + 2
    assert any(line.startswith(f"1/{total} ") for line in asked.told)
    assert any(line.startswith(f"{total}/{total} ") for line in asked.told)


def test_each_kind_of_end_has_been_played() -> None:
    assert EXPECTED.keys() == PARTS.keys() - {"/robots.txt"}
