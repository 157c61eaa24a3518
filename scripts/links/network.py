"""Names of hosts, looked up by the system."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

Found = Literal["found", "missing", "unclear"]
Lookup = Callable[[str], Found]

_NO_SUCH_NAME = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA")
    if hasattr(socket, name)
}


def lookup(host: str) -> Found:
    """Ask the system for a host; a resolver in trouble knows nothing, so is unclear."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return "missing" if error.errno in _NO_SUCH_NAME else "unclear"
    except (OSError, UnicodeError):
        return "unclear"
    return "found"


def look_up(hosts: Iterable[str], lookup: Lookup) -> dict[str, Found]:
    """Look up several at once: each may take as long as the system's resolver does."""
    names = sorted(hosts)
    with ThreadPoolExecutor(16) as pool:
        return dict(zip(names, pool.map(lookup, names), strict=True))
