"""A cluster whose workers, scheduler or client are killed, or are not alike."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.base.project import ROOT
from scripts.cluster.opening import open_cluster
from scripts.cluster.place import JobLost, Needs, Workplace
from tests.support.loopback import KillableCluster, loopback, wait_until
from tests.support.small_project import SmallProject
from tests.support.two_papers import CALLS, command, ended, started, values, write


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillableCluster]:
    """Three workers in processes of their own."""
    with loopback(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.mark.thorough
@pytest.mark.parametrize("name", CALLS)
def test_workers_killed_in_the_middle_twice_lose_nothing(
    name: str, cluster: KillableCluster, project: SmallProject, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    expected = write(project, pids, seconds=3)
    process = command(project, CALLS[name], cluster.address)
    for wanted in (1, 2):
        wait_until(lambda: [p for p in started(pids) if not ended(p)], "no job runs")
        job = next(pid for pid in started(pids) if not ended(pid))
        cluster.kill_the_worker_of(job)
        wait_until(lambda job=job: ended(job), "the job outlives its worker")
        if wanted == 1:
            wait_until(lambda: len(cluster.workers()) == 3, "no new worker")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, ""), out
    assert out.count(" is gone, ") == 2
    if name == "claims":
        assert values(project) == expected
        jobs = 6
    else:
        assert project.read("made").state == project.read("glow").state == "fresh"
        jobs = 2
    assert len(started(pids)) == jobs + 2  # those that were killed ran again
    assert all(map(ended, started(pids)))


@pytest.mark.thorough
def test_a_job_that_kills_each_worker_is_given_up(tmp_path: Path) -> None:
    async def work(address: str) -> None:
        place, needs = Workplace(address=address), Needs(("scripts",), (), ())
        async with open_cluster(place, needs) as cluster:
            await cluster.run(os._exit, 1, name=("kills",))

    with loopback(tmp_path, workers=1) as cluster:
        told = r"the workers that ran it died, 4 times \(no memory\?\)"
        with pytest.raises(JobLost, match=told):
            asyncio.run(work(cluster.address))


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", CALLS)
def test_jobs_of_a_command_that_ended_end_too(
    name: str,
    how: signal.Signals,
    cluster: KillableCluster,
    project: SmallProject,
    tmp_path: Path,
) -> None:
    pids = tmp_path / "pids"
    write(project, pids, seconds=100)
    process = command(project, CALLS[name], cluster.address)
    wait_until(lambda: len(started(pids)) >= 2, "no jobs run")
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGTERM else -how), err
    wait_until(lambda: all(map(ended, started(pids))), "jobs outlive their command")


@pytest.mark.thorough
def test_what_was_interrupted_goes_on_where_it_was(
    cluster: KillableCluster, project: SmallProject, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    expected = write(project, pids, seconds=1)
    process = command(project, CALLS["claims"], cluster.address)
    results = project.root / "implementations" / "results"
    wait_until(lambda: [*results.glob("*.json")], "no seed has finished")
    process.kill()
    process.communicate()
    done = {
        (path.stem, seed)
        for path in results.glob("*.json")
        for seed in json.loads(path.read_text("utf-8"))["seeds"]
    }
    out, err = command(project, CALLS["claims"], cluster.address).communicate()
    again = {
        (name, int(seed)) for name, seed in re.findall(r"(\w+), seed (\d) st", out)
    }
    assert err == "" and again == {(n, s) for n in expected for s in range(3)} - done
    assert values(project) == expected


@pytest.mark.thorough
@pytest.mark.parametrize("who", ["the scheduler", "a worker"])
def test_who_is_of_another_checkout_is_refused(
    who: str, project: SmallProject, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(ROOT / "scripts", other / "scripts")
    with (other / "scripts" / "execute" / "kernel.py").open("a") as file:
        file.write("# another\n")
    write(project, tmp_path / "pids", seconds=0)
    roots = (other, ROOT) if who == "the scheduler" else (ROOT, other)
    with loopback(tmp_path, workers=1, root=roots[0], theirs=roots[1]) as cluster:
        process = command(project, CALLS["claims"], cluster.address)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.startswith(f"1 of 1 asked at {cluster.address} differ from here:\n")
    named = "the scheduler" if who == "the scheduler" else "tcp://127.0.0.1:"
    assert err.splitlines()[1].startswith(f"  {named}")
    assert "scripts/execute/kernel.py of another text" in err
    assert not started(tmp_path / "pids")


@pytest.mark.thorough
def test_a_scheduler_without_workers_is_told(
    project: SmallProject, tmp_path: Path
) -> None:
    write(project, tmp_path / "pids", seconds=0)
    with loopback(tmp_path, workers=0) as cluster:
        process = command(project, CALLS["notebooks"], cluster.address)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.startswith(f"{cluster.address} has no worker: start some by `.venv/bin/")


@pytest.mark.thorough
def test_a_scheduler_that_is_gone_is_told_and_what_finished_is_kept(
    project: SmallProject, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    write(project, pids, seconds=100)
    for name in ("glow", "made"):  # either may be the first
        project.edit(f"{name}.py", "time.sleep(100)", "time.sleep(seed * 100)")
    with loopback(tmp_path, workers=2) as cluster:
        process = command(project, CALLS["claims"], cluster.address)
        folder = project.root / "implementations" / "results"
        wait_until(lambda: [*folder.glob("*.json")], "no seed has finished")
        wait_until(lambda: len(started(pids)) >= 3, "no jobs run")
        cluster.processes[0].kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 1
        assert err.startswith(f"{cluster.address} answers no more"), err
        wait_until(lambda: all(map(ended, started(pids))), "jobs outlive the cluster")
    kept = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    assert kept and all(each["seeds"] == [0] for each in kept)


@pytest.mark.thorough
def test_in_a_terminal_there_are_progress_and_a_dashboard(
    project: SmallProject, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    write(project, pids, seconds=100)
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from pathlib import Path; from scripts.execute import claims; "
            "sys.exit(claims.run(Path(sys.argv[1]), seeds=3))",
            str(project.root),
        ],
        cwd=ROOT,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = ""

    def shown(pattern: str) -> re.Match[str] | None:
        nonlocal seen
        if select.select([ours], [], [], 0)[0]:
            seen += os.read(ours, 10_000).decode(errors="replace")
        return re.search(pattern, seen)

    try:
        wait_until(lambda: shown(r"0%.*0/6 \["), "no bar")
        address = re.search(r"Dask's dashboard: (http://127.0.0.1:\S+)", seen)
        assert address
        assert "static/js/bokeh" in page(address[1])
        listening = psutil.Process(process.pid).net_connections("inet")
        assert {each.laddr[0] for each in listening} == {"127.0.0.1"}
        process.terminate()
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def page(address: str) -> str:
    """What is served there, as another process sees it."""
    program = (
        "import sys, urllib.request; "
        "print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    )
    command = [sys.executable, "-c", program, address]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
