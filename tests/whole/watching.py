"""Run one of our commands, and look at its files on disk before each line it runs.

`python watching.py LOG COMMAND…`, from the project's root. A process that is killed
leaves what is on disk at that moment, so that what is seen here is what any kill
would leave. Lines are ours, and those of Python's library that ours lead to: Dask's
scheduler, which runs in the same process, writes nothing here. Looking begins with the
first file that is opened for writing; LOG gets each path of the project and each
content that it ever had (null where it was gone).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

Seen = dict[str, list[str | None]]
# Whose lines are passed over.
OTHERS = ("site-packages", f"{os.sep}asyncio{os.sep}", f"{os.sep}selectors.py")


class Watch:
    """Notes what the project's files hold while the process goes on."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.seen: Seen = {}
        self.stamps: dict[str, tuple[int, int, int]] = {}
        self.begun = False
        self.lines = 0

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Begin with the first file of ours that is opened for writing."""
        if self.begun or event != "open" or not isinstance(arguments[0], str):
            return
        path, _, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        if writes and os.path.abspath(path).startswith(f"{self.root}/"):
            self.begun = True
            self.look()
            frame: FrameType | None = sys._getframe(1)
            while frame:
                if not _of_others(frame):
                    frame.f_trace = self.trace
                frame = frame.f_back
            sys.settrace(self.trace)

    def trace(self, frame: FrameType, event: str, argument: object) -> Any:
        """Look before each line."""
        if event == "call" and not self._leads(frame):
            return None
        if event == "line":
            self.lines += 1
            self.look()
        return self.trace

    def _leads(self, frame: FrameType) -> bool:
        if frame.f_code.co_filename.startswith(f"{self.root}/"):
            return True
        caller = frame.f_back
        looked_at = caller is not None and caller.f_trace is not None
        return looked_at and not _of_others(frame)

    def look(self) -> None:
        """Note the files that have changed or gone since the last look."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            folders[:] = [
                name for name in folders if name not in (".git", "scripts", ".cache")
            ]
            for name in names:
                path = os.path.join(folder, name)
                found.add(path)
                self._note(path)
        for path in self.stamps.keys() - found:
            del self.stamps[path]
            self._held(path).append(None)

    def _note(self, path: str) -> None:
        facts = os.stat(path)
        stamp = facts.st_ino, facts.st_mtime_ns, facts.st_size
        if self.stamps.get(path) != stamp:
            self.stamps[path] = stamp
            with open(path, encoding="utf-8") as file:
                self._held(path).append(file.read())

    def _held(self, path: str) -> list[str | None]:
        return self.seen.setdefault(os.path.relpath(path, self.root), [])


def _of_others(frame: FrameType) -> bool:
    return any(name in frame.f_code.co_filename for name in OTHERS)


def main() -> int:
    """Run the command; return its exit status."""
    log, *command = sys.argv[1:]
    from scripts.__main__ import main as run

    watch = Watch(Path.cwd())
    sys.addaudithook(watch.hook)
    status = run(command)
    sys.settrace(None)
    watch.look()
    account = {"lines": watch.lines, "seen": watch.seen}
    Path(log).write_text(json.dumps(account), "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
