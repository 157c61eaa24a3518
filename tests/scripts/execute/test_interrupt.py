"""Whenever a run is interrupted, it ends at once and leaves nothing half-done."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from scripts.base.project import ROOT
from tests.support.small_project import SmallProject

QUICK = "# %%\nprint(1)\n"
SLOW = """
    # %%
    import os
    import pathlib
    import subprocess
    import time

    # %%
    if __name__ == "__main__":
        if "SMOKE" not in os.environ:
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
    # All at once: of two that wait, either may begin.
    process = project.start("force=True, jobs=3", TMPDIR=str(temporary))
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


CLAIMS = """
    # %%
    import os, pathlib, subprocess, time

    # %%
    if __name__ == "__main__":
        child = subprocess.Popen(["sleep", "300"])
        pathlib.Path({folder!r}, str(child.pid)).touch()
        pathlib.Path({folder!r}, str(os.getpid())).touch()
        time.sleep(0 if "SMOKE" in os.environ else 300)
    """
CALLS = {"notebooks": "notebooks.run(root)", "claims": "claims.run(root, seeds=2)"}


@pytest.mark.sampled
@pytest.mark.parametrize("call", CALLS)
def test_a_command_that_is_killed_leaves_no_process(
    project: SmallProject, tmp_path: Path, call: str
) -> None:
    """Neither kernels and seeds, nor what they have started."""
    folder = tmp_path / "pids"
    folder.mkdir()
    for name in ("glow", "made"):
        project.write(f"{name}.py", CLAIMS.format(folder=str(folder)))
    program = (
        "import sys; from pathlib import Path; "
        "from scripts.execute import claims, notebooks; "
        f"root = Path(sys.argv[1]); {CALLS[call]}"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project.root)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,  # which what it leaves may hold open
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def living() -> list[int]:
        pids = [int(path.name) for path in folder.iterdir()]
        return [
            pid for pid in pids if psutil.pid_exists(pid) and lives(psutil.Process(pid))
        ]

    # Those of two short runs have ended.
    wait_for(lambda: len([*folder.iterdir()]) == 8, process)
    assert len(living()) == 4
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while living():
        assert time.monotonic() < end, living()
        time.sleep(0.05)
