"""Download a file: with progress, resumed where it was cut, whole or not at all."""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tqdm import tqdm

from implementations.core.data.checks import fault, is_zipped
from implementations.core.data.dataset import INSTALL, DataError
from implementations.core.data.sources import Source
from implementations.core.data.writing import check_room, finish, writing

if TYPE_CHECKING:
    from requests import Response, Session

_PIECE = 2**16
_BUSY = {408, 425, 429}


class _Failed(Exception):
    """A mirror has no such file, or sends another; the message says why."""


class _Retry(Exception):
    """A mirror is worth another try; the message says what happened."""


@dataclass(frozen=True)
class Patience:
    """The patience with a mirror: `tries` times in a row without a new byte.

    `pause` is in seconds, doubled from try to try; a connection in which nothing came
    for `silence` seconds is given up.
    """

    tries: int = 3
    pause: float = 0.5
    silence: float = 30.0


class _Part:
    """The beginning of a file, and beside it what its mirror said of the whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = path.with_name(f"{path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_note(self) -> dict[str, Any]:
        """Return the address, its validator and the size of the whole, if known."""
        try:
            noted = json.loads(self.note.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def drop(self) -> None:
        """Forget all that is there."""
        with writing(self.path):
            self.path.unlink(missing_ok=True)
            self.note.unlink(missing_ok=True)


def fetch(source: Source, folder: Path, patience: Patience | None = None) -> Path:
    """Download the source into the folder, from the first mirror that has it.

    What an earlier run has got is not asked for again: it lies beside, in a file that
    ends in .part. The file has its name only when it is whole and its checksum right.
    Returns its path. Raises DataError; it says what each mirror answered.
    """
    try:
        from requests import Session
    except ImportError:
        raise DataError(
            "requests is not installed, which downloading needs (install it: "
            f"{INSTALL}; or download {source.urls[0]} into {folder})"
        ) from None
    target = folder / source.name
    part = _Part(folder / f"{source.name}.part")
    answers = []
    with Session() as session:
        # Without it, the passwords of ~/.netrc would be sent.
        session.auth = lambda request: request
        for url in source.urls:
            mirror = _Mirror(url, session, source, part, patience or Patience())
            try:
                mirror.get()
            except _Failed as error:
                answers.append(f"{urlsplit(url).netloc} {error}")
                continue
            with writing(target):
                os.replace(part.path, target)
                part.note.unlink(missing_ok=True)
            return target
    again = "run it again, it goes on where it stopped" if part.size else "try later"
    raise DataError(
        f"{source.name} cannot be downloaded: {'; '.join(answers)} ({again}; or "
        f"download {source.urls[0]} into {folder})"
    )


@dataclass(frozen=True)
class _Mirror:
    """An address of a file, and the part of it that is there."""

    url: str
    session: Session
    source: Source
    part: _Part
    patience: Patience

    def get(self) -> None:
        """Complete the part, and check it; _Failed where that cannot be done here."""
        pieced = self.part.size > 0
        if not pieced or self.part.size != self.part.read_note().get("total"):
            pieced |= self._complete()
        why = self._fault()
        if why and pieced:  # perhaps of two files, of which one has taken its place
            self.part.drop()
            self._complete()
            why = self._fault()
        if why:
            self.part.drop()
            raise _Failed(f"has another file: {why}")

    def _fault(self) -> str:
        zipped = is_zipped(Path(self.source.name))
        return fault(self.part.path, self.source.checksum, zipped)

    def _complete(self) -> bool:
        """Ask until the part is whole; return whether more than once."""
        idle, asked, most = 0, 0, self.part.size
        while True:
            asked += 1
            try:
                self._go_on()
                return asked > 1
            except _Retry as error:
                # Never more than before: no end, if it began anew each time.
                idle = 0 if self.part.size > most else idle + 1
                most = max(most, self.part.size)
                if idle == self.patience.tries:
                    raise _Failed(str(error)) from None
            sleep(self.patience.pause * 2**idle)

    def _go_on(self) -> None:
        """Ask once for what is missing."""
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        try:
            with closing(self._ask()) as answer:
                self._receive(answer)
        except (RequestException, HTTPError) as error:
            raise _Retry(_in_words(error, self.patience)) from None

    def _ask(self) -> Response:
        # A server that zips on the way would break off resumption and checksums.
        headers = {
            "Accept-Encoding": "identity",
            "User-Agent": "awesome-normalizing-flows",
        }
        if self.part.size:
            headers["Range"] = f"bytes={self.part.size}-"
            noted = self.part.read_note()
            if noted.get("url") == self.url and noted.get("validator"):
                headers["If-Range"] = noted["validator"]
        return self.session.get(
            self.url, headers=headers, stream=True, timeout=self.patience.silence
        )

    def _receive(self, answer: Response) -> None:
        start, total = self._placed(answer)
        if start == 0 and self.part.size:
            self.part.drop()
        if total is not None:
            check_room(self.part.path, total - start)
        self._write_note(answer, total)
        with (
            writing(self.part.path),
            self.part.path.open("ab") as file,
            tqdm(
                desc=self.source.name,
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                disable=None,
                leave=False,
            ) as bar,
        ):
            while piece := self._piece(answer):
                file.write(piece)
                bar.update(len(piece))
            finish(file)
        if total is not None and self.part.size != total:
            raise _Retry(f"broke off after {self.part.size:,} of {total:,} bytes")

    def _piece(self, answer: Response) -> bytes:
        """Read on; what the network says must not be taken for what the disk says."""
        from urllib3.exceptions import HTTPError

        try:
            return answer.raw.read(_PIECE, decode_content=False)
        except (HTTPError, OSError) as error:
            raise _Retry(_in_words(error, self.patience)) from None

    def _placed(self, answer: Response) -> tuple[int, int | None]:
        """Where the answer begins in the file, and the size of the whole, if known."""
        code = answer.status_code
        if code == 200:
            length = answer.headers.get("Content-Length", "")
            return 0, int(length) if length.isdecimal() else None
        if code in (206, 416):
            header = answer.headers.get("Content-Range", "")
            found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", header)
            if code == 206 and found and found[1] == str(self.part.size):
                return self.part.size, None if found[2] == "*" else int(found[2])
            # There is less than we have, or from elsewhere than asked.
            self.part.drop()
            raise _Retry("could not go on where it stopped")
        if code >= 500 or code in _BUSY:
            raise _Retry(f"answered with status {code}")
        raise _Failed(f"answered with status {code}")

    def _write_note(self, answer: Response, total: int | None) -> None:
        etag = answer.headers.get("ETag", "")
        validator = (
            etag if etag.startswith('"') else answer.headers.get("Last-Modified")
        )
        noted = {"url": self.url, "validator": validator, "total": total}
        with writing(self.part.note):
            self.part.note.write_text(json.dumps(noted), "utf-8")


def _in_words(error: Exception, patience: Patience) -> str:
    from requests import ConnectionError, Timeout
    from requests.exceptions import SSLError
    from urllib3.exceptions import ProtocolError
    from urllib3.exceptions import TimeoutError as SilenceError

    if isinstance(error, (Timeout, SilenceError, TimeoutError)):
        return f"said nothing for {patience.silence:g} seconds"
    if isinstance(error, SSLError):
        return "has a certificate that is not trusted"
    if isinstance(error, ConnectionError):
        return "cannot be reached"
    if isinstance(error, (ProtocolError, ConnectionResetError)):
        return "broke off"
    return f"could not be asked ({type(error).__name__})"
