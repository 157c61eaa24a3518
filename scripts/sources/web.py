"""Small answers of public services, within bounds of time and size."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

T = TypeVar("T")

_BUSY = {408, 425, 429, 500, 502, 503, 504}


class WebError(Exception):
    """A service gave no answer of use; the message names it and says why."""


class Missing(WebError):
    """The service answered that there is no such thing (404, 410)."""


class _Again(Exception):
    """Why a request failed that may succeed a moment later."""


@dataclass(frozen=True)
class Web:
    """Asks politely: waits `seconds` for a whole answer, then `tries` again.

    `largest` is in bytes, `pause` in seconds and doubled from try to try.
    """

    agent: str
    seconds: float = 10
    tries: int = 3
    pause: float = 1
    largest: int = 2_000_000

    def text(self, url: str, kind: str) -> str:
        """Get an answer of this kind ("json" or "xml").

        Raises WebError when there is none: no network, too late, too large, of
        another kind, not UTF-8.
        """
        host, problem = urlsplit(url).netloc, ""
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.pause * 2 ** (attempt - 1))
            try:
                return _within(self.seconds, lambda: self._get(url, kind))
            except _Again as error:
                problem = str(error)
            except WebError as error:
                raise type(error)(f"{host} {error}") from None
        raise WebError(f"{host} {problem}, asked {self.tries} times")

    def json(self, url: str) -> Any:
        """Get JSON; raises WebError as `text` does."""
        try:
            return json.loads(self.text(url, "json"))
        except (ValueError, RecursionError):
            raise WebError(f"{urlsplit(url).netloc} sent broken JSON") from None

    def _get(self, url: str, kind: str) -> str:
        request = Request(url, headers={"User-Agent": self.agent})
        try:
            with _opener().open(request, timeout=self.seconds) as answer:
                found = answer.headers.get_content_type()
                if kind not in found:
                    raise WebError(f"sent {found}, not {kind}")
                content = answer.read(self.largest + 1)
        except HTTPError as error:
            error.close()
            raise _status(error.code) from None
        except TimeoutError:
            raise _Again("did not answer in time") from None
        except URLError as error:
            raise _unreachable(error.reason) from None
        except (OSError, HTTPException, ValueError):
            raise _Again("broke the connection off") from None
        if len(content) > self.largest:
            raise WebError(f"sent more than {self.largest:,} bytes")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise WebError("sent what is not UTF-8") from None


def _status(code: int) -> Exception:
    if code in (404, 410):
        return Missing("knows no such work: check its name")
    answer = f"answered with status {code}"
    return _Again(answer) if code in _BUSY else WebError(answer)


def _unreachable(reason: Any) -> Exception:
    if isinstance(reason, TimeoutError):
        return _Again("did not answer in time")
    return _Again("cannot be reached")


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Do the work, but wait no longer: sockets count pauses, and slow drips have none.

    What comes too late is thrown away by a thread that ends with the program.
    """
    answers: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except Exception as error:
            answers.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except Empty:
        raise _Again("did not answer in time") from None
    if error:
        raise error
    return answer  # pyright: ignore[reportReturnType]


class _Redirects(HTTPRedirectHandler):
    """Follows a few, and none that leads from https elsewhere."""

    max_redirections = 3

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> Request | None:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            fp.close()
            raise WebError("redirects to another scheme")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # pyright: ignore[reportArgumentType]


def _opener() -> OpenerDirector:
    """Open the web alone: no files, no FTP."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
