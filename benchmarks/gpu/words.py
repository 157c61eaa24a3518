"""Errors in words that may be published: no paths, no name of the machine."""

from __future__ import annotations

import re
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.gpu.parts import Emit

_PATH = re.compile(r"(?:~|\b[A-Za-z]:)?(?:[/\\][\w.+@%=~-]+){2,}[/\\]?")
_LENGTH = 200


def published(message: str) -> str:
    """Return the message's first line without paths and without the host's name."""
    line = next(filter(None, map(str.strip, message.splitlines())), "no message")
    line = _PATH.sub("…", line)
    if host := socket.gethostname():
        line = re.sub(rf"\b{re.escape(host)}\b", "…", line)
    return line if len(line) <= _LENGTH else f"{line[: _LENGTH - 1]}…"


def of_error(error: Exception) -> str:
    """Say of an error what it is."""
    return f"{type(error).__name__}: {published(str(error))}"


@contextmanager
def left_out_if_it_fails(what: str, emit: Emit) -> Iterator[None]:
    """Tell an error in full on stderr and in a line to the results, and go on."""
    try:
        yield
    except Exception as error:
        traceback.print_exc()
        emit(f"{what}: {of_error(error)}")
