"""Output whose reader stops before its end, as `head` does."""

from __future__ import annotations

import io
import sys
from typing import Any


class _Unread(io.FileIO):
    """A pipe; what nobody reads any more is let go."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def outlive_readers() -> None:
    """Let the command come to its end and its exit status, though nobody reads on."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if not stream.isatty():
            unread = io.TextIOWrapper(
                io.BufferedWriter(_Unread(number, "w", closefd=False)),
                stream.encoding,
                stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, unread)
