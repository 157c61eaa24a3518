"""Whenever a run is interrupted, it ends at once and leaves nothing half-done."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.small_project import SmallProject

QUICK = "# %%\nprint(1)\n"
SLOW = """
    # %%
    import pathlib
    import subprocess
    import time

    # %%
    if __name__ == "__main__":
        child = subprocess.Popen(["sleep", "300"])
        pathlib.Path({marker!r}).write_text(str(child.pid))
        time.sleep(300)
    """
TOLD = "Interrupted: finished notebooks are written, the others untouched\n"


def wait_for(moment: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not moment():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.sampled
@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 3],
    ids=["SIGINT", "SIGTERM", "thrice"],
)
@pytest.mark.parametrize("moment", ["kernels start", "a cell runs", "one is written"])
def test_interrupting(
    project: SmallProject, tmp_path: Path, moment: str, signals: list[signal.Signals]
) -> None:
    marker, temporary = tmp_path / "marker", tmp_path / "temporary"
    temporary.mkdir()
    names = ["quick", "slow", "slower"]
    project.write("quick.py", QUICK)
    for name in names[1:]:
        project.write(f"{name}.py", SLOW.format(marker=str(marker)))
    project.commit(*names)
    before = {name: project.path(name).read_bytes() for name in names}
    process = project.start("force=True", TMPDIR=str(temporary))
    running = psutil.Process(process.pid)
    moments: dict[str, Callable[[], object]] = {
        "kernels start": running.children,
        "a cell runs": lambda: marker.exists() and marker.read_text(),
        "one is written": lambda: project.path("quick").read_bytes() != before["quick"],
    }
    wait_for(moments[moment], process)
    started = running.children(recursive=True)
    for each in signals:
        process.send_signal(each)
        time.sleep(0.02)
    out, err = process.communicate(timeout=10)

    assert (process.returncode, err) == (130, TOLD)
    assert not [child for child in started if lives(child)]
    assert re.fullmatch(r"(quick: executed in \d+ s\n)?", out)
    written = {"quick"} if out else set()
    folder = project.path("quick").parent
    after = {path.stem: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == written
    assert not list(temporary.iterdir())
