"""Small answers of public services, within bounds of time and size."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from requests import Response
    from urllib3 import Retry

# `requests` takes its time to be imported: where it is used, and nowhere else.

T = TypeVar("T")

_BUSY = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTS = 3


class WebError(Exception):
    """A service gave no answer of use; the message names it and says why."""


class NotFound(WebError):
    """The service answered that there is no such thing (404, 410)."""


@dataclass(frozen=True)
class Web:
    """Asks politely: who is busy or not there is asked `tries` times, within `seconds`.

    `largest` is in bytes; `pause` in seconds, doubled from try to try, unless the
    service asks for another by Retry-After. A `token` goes to the host that is asked,
    and to none that it leads to.
    """

    agent: str
    seconds: float = 30
    tries: int = 3
    pause: float = 1
    largest: int = 2_000_000
    token: str = field(default="", repr=False)

    def text(self, url: str, kind: str) -> str:
        """Get an answer of this kind ("json" or "xml").

        Raises WebError when there is none: no network, too late, too large, of
        another kind, not UTF-8.
        """
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        try:
            return _within(self.seconds, lambda: self._get(url, kind))
        except WebError as error:
            why, form = str(error), type(error)
        except (RequestException, HTTPError, ValueError) as error:
            why, form = self._why(error), WebError
        raise form(f"{urlsplit(url).netloc} {why}")

    def json(self, url: str) -> Any:
        """Get JSON; raises WebError as `text` does."""
        try:
            return json.loads(self.text(url, "json"))
        except (ValueError, RecursionError):
            raise WebError(f"{urlsplit(url).netloc} sent broken JSON") from None

    def _get(self, url: str, kind: str) -> str:
        with self._open(url) as answer:
            self._check_status(answer.status_code)
            header = answer.headers.get("Content-Type") or "no type"
            found = re.sub(r"[^\w/.+-].*", "", header.lower(), flags=re.DOTALL)
            if kind not in found:
                raise WebError(f"sent {found}, not {kind}")
            content = self._read(answer)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise WebError("sent what is not UTF-8") from None

    @contextmanager
    def _open(self, url: str) -> Iterator[Response]:
        """Ask, and follow a few redirects, none that leads to another scheme.

        A `requests.Session` follows them too, but reads what each sends, however much
        it is, and sends the passwords of ~/.netrc along.
        """
        from requests import Request, Session
        from requests.adapters import HTTPAdapter

        first = url
        with closing(HTTPAdapter(max_retries=self._retries())) as adapter:
            for _ in range(1 + _REDIRECTS):
                request = Request("GET", url, self._headers(url, first)).prepare()
                # The proxies and certificates that the environment names.
                settings = Session().merge_environment_settings(
                    url, {}, True, None, None
                )
                answer = adapter.send(
                    request, timeout=self.seconds / self.tries, **settings
                )
                if not answer.is_redirect:
                    with answer:
                        yield answer
                    return
                answer.close()
                before, url = url, urljoin(url, answer.headers["Location"])
                if urlsplit(before).scheme != urlsplit(url).scheme:
                    raise WebError("redirects to another scheme")
        raise WebError(f"redirects more than {_REDIRECTS} times")

    def _headers(self, url: str, first: str) -> dict[str, str]:
        headers = {"User-Agent": self.agent}
        if self.token and urlsplit(url).netloc == urlsplit(first).netloc:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _retries(self) -> Retry:
        from urllib3 import Retry

        return Retry(
            self.tries - 1,
            status_forcelist=_BUSY,
            raise_on_status=False,
            backoff_factor=self.pause,
            retry_after_max=int(self.seconds / self.tries),
        )

    def _check_status(self, code: int) -> None:
        if code in (404, 410):
            raise NotFound("knows no such work: check its name")
        if code in _BUSY:
            raise WebError(f"answered with status {code}, asked {self.tries} times")
        if not 200 <= code < 300:
            raise WebError(f"answered with status {code}")

    def _read(self, answer: Response) -> bytes:
        content = bytearray()
        for piece in answer.iter_content(2**14):
            content += piece
            if len(content) > self.largest:
                raise WebError(f"sent more than {self.largest:,} bytes")
        return bytes(content)

    def _why(self, error: Exception) -> str:
        """Say in our words what `requests` met."""
        from requests import Timeout
        from urllib3 import exceptions

        cause = error.args[0] if error.args else error
        asked = ""
        if isinstance(cause, exceptions.MaxRetryError):
            cause, asked = cause.reason, f", asked {self.tries} times"
        silent = (Timeout, exceptions.ReadTimeoutError)
        if isinstance(error, silent) or isinstance(cause, silent):
            return f"did not answer in time{asked}"
        if isinstance(cause, (exceptions.ProtocolError, exceptions.DecodeError)):
            return f"broke the connection off{asked}"
        return f"cannot be reached{asked}"


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
        raise WebError("did not answer in time") from None
    if error:
        raise error
    return answer  # pyright: ignore[reportReturnType]
