"""Jobs on workers: run, heard of, given up; and a cluster whose workers are killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import LocalCluster

from scripts.base.project import ROOT
from scripts.cluster.facts import facts
from scripts.cluster.opening import open_cluster
from scripts.cluster.performing import tell
from scripts.cluster.place import ClusterError, Needs, Workplace
from scripts.cluster.running import Cluster, together
from scripts.execute import claims, notebooks
from scripts.papers.cells import CellError
from tests.support.loopback import KillableCluster, loopback, wait_until
from tests.support.small_project import SmallProject

NEEDS = Needs(("scripts",), ("distributed",), ())


async def double(x: int) -> int:
    tell(f"begins with {x}")
    return 2 * x


async def fails() -> None:
    raise CellError("implementations/made.py", 3, "no luck")


async def meets(folder: Path, name: str, others: list[str]) -> None:
    """End once the others have begun."""
    (folder / name).touch()
    while not all((folder / other).exists() for other in others):
        await asyncio.sleep(0.01)


async def sleeps(marker: Path) -> None:
    marker.touch()
    try:
        await asyncio.sleep(100)
    finally:
        marker.unlink()


async def length(value: bytes) -> int:
    return len(value)


def on_this_machine(work: Callable[[Cluster], Awaitable[Any]], jobs: int = 2) -> Any:
    async def main() -> Any:
        async with (
            open_cluster(Workplace(jobs), NEEDS) as cluster,
            cluster.watched(print),
        ):
            return await work(cluster)

    return asyncio.run(main())


def test_jobs_return_and_tell() -> None:
    heard: list[str] = []

    async def work(cluster: Cluster) -> list[int]:
        doubled = (
            cluster.run(double, x, name=("double", x), hear=heard.append)
            for x in range(5)
        )
        return await together(doubled)

    assert on_this_machine(work) == [0, 2, 4, 6, 8]
    assert sorted(heard) == [f"begins with {x}" for x in range(5)]


def test_a_job_raises_what_it_raised() -> None:
    with pytest.raises(CellError, match=r"^implementations/made.py:3: no luck$"):
        on_this_machine(lambda cluster: cluster.run(fails, name=("fails",)))


@pytest.mark.parametrize("jobs", [1, 3])
def test_as_many_run_at_once_as_there_are_workers(jobs: int, tmp_path: Path) -> None:
    names = [*"abc"[:jobs]]

    async def work(cluster: Cluster) -> None:
        code = cluster.share(b"code")
        assert await cluster.run(length, code, name=("length",)) == 4
        meet = (
            cluster.run(meets, tmp_path, name, names, name=("meets", name))
            for name in names
        )
        await asyncio.wait_for(together(meet), 20)

    on_this_machine(work, jobs)


def test_no_job_waits_behind_another_while_a_worker_is_free(tmp_path: Path) -> None:
    async def work(cluster: Cluster) -> None:
        names = ["a", "b", "c", "d"]
        long = asyncio.create_task(
            cluster.run(meets, tmp_path, "long", names, name=("long",))
        )
        short = (
            cluster.run(meets, tmp_path, name, [], name=("short", name))
            for name in names
        )
        await asyncio.wait_for(together(short), 20)
        await long

    on_this_machine(work, jobs=2)


def test_what_has_begun_goes_before_what_has_not(tmp_path: Path) -> None:
    ran: list[str] = []

    async def work(cluster: Cluster) -> None:
        def one(name: str, begun: bool = False) -> Any:
            job = cluster.run(
                double, 1, name=(name,), begun=begun, hear=lambda _: ran.append(name)
            )
            return asyncio.create_task(job)

        first = asyncio.create_task(
            cluster.run(meets, tmp_path, "first", ["all"], name=("first",))
        )
        jobs = [one("second"), one("third"), one("begun", begun=True)]
        await asyncio.sleep(0.2)
        (tmp_path / "all").touch()
        await asyncio.gather(first, *jobs)

    on_this_machine(work, jobs=1)
    assert ran == ["begun", "second", "third"]


def test_what_is_given_up_ends(tmp_path: Path) -> None:
    marker = tmp_path / "sleeps"

    async def work(cluster: Cluster) -> int:
        running = asyncio.create_task(cluster.run(sleeps, marker, name=("sleeps",)))
        while not marker.exists():
            await asyncio.sleep(0.01)
        running.cancel()
        async with asyncio.timeout(10):
            while marker.exists():
                await asyncio.sleep(0.01)
        return await cluster.run(double, 1, name=("double",))

    assert on_this_machine(work, jobs=1) == 2


def test_a_worker_that_comes_later_and_differs_is_refused() -> None:
    async def work(cluster: Cluster) -> None:
        cluster._here = replace(facts(NEEDS), code={})
        await together([cluster.run(double, 1, name=("double", 1))])

    with pytest.raises(ClusterError, match=r"(?s)differ from here.*of another text"):
        on_this_machine(work)


@pytest.fixture
def three() -> Iterator[str]:
    """The address of three workers of this process."""
    options: dict[str, Any] = {"dashboard_address": None, "memory_limit": 0}
    started: Any = LocalCluster(
        n_workers=3,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        **options,
    )
    with started as cluster:
        yield cluster.scheduler_address


SEEDS = """
    # %%
    import json, os, pathlib, time

    # %%
    if __name__ == "__main__":
        seed = int(os.environ["SEED"])
        if "SMOKE" not in os.environ:
            pathlib.Path({pids!r}, f"NAME-{{seed}}-{{os.getpid()}}").touch()
            time.sleep({seconds})
        record = {{"text": "small", "bound": {{"below": 9}}, "value": seed + NUMBER}}
        if "CLAIMS_OUT" in os.environ:
            with open(os.environ["CLAIMS_OUT"], "a") as file:
                file.write(json.dumps(record) + "\\n")
        print(record["value"])
    """


def write(project: SmallProject, pids: Path, seconds: float) -> dict[str, list[float]]:
    """Write two papers, which note their processes; return their claims' values."""
    pids.mkdir()
    source = SEEDS.format(pids=str(pids), seconds=seconds)
    for number, name in enumerate(("glow", "made")):
        text = source.replace("NAME", name).replace("NUMBER", str(number))
        project.write(f"{name}.py", text)
    return {"glow": [0.0, 1.0, 2.0], "made": [1.0, 2.0, 3.0]}


def values(project: SmallProject) -> dict[str, list[float]]:
    folder = project.root / "implementations" / "results"
    found = {}
    for path in folder.glob("*.json"):
        results = json.loads(path.read_text("utf-8"))
        assert results["seeds"] == [0, 1, 2]
        (claim,) = results["claims"]
        found[path.stem] = claim["values"]
    return found


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["notebooks", "claims"])
def test_papers_run_on_a_cluster(
    name: str,
    three: str,
    project: SmallProject,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = write(project, tmp_path / "pids", seconds=0)
    if name == "claims":
        assert claims.run(project.root, seeds=3, cluster=three) == 0
        assert values(project) == expected
    else:
        assert notebooks.run(project.root, cluster=three) == 0
        assert project.read("made").state == project.read("glow").state == "fresh"
    out, err = capsys.readouterr()
    assert "Dask's dashboard: http://127.0.0.1:" in out and err == ""


@pytest.mark.parametrize("run_it", [claims.run, notebooks.run])
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9 ("),
        ("nowhere://1", "no Dask scheduler answers at nowhere://1 ("),
    ],
)
def test_where_no_cluster_is_that_is_told(
    run_it: Callable[..., int],
    address: str,
    told: str,
    project: SmallProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("scripts.cluster.opening._PATIENCE", 0.2)
    write(project, tmp_path / "pids", seconds=0)
    assert run_it(project.root, cluster=address) == 1
    err = capsys.readouterr().err
    assert err.startswith(told) and err.count("\n") == 1
    assert "start one there by `.venv/bin/dask scheduler` in a checkout" in err


def command(project: SmallProject, call: str, address: str) -> subprocess.Popen[str]:
    program = (
        "import sys; from pathlib import Path; "
        "from scripts.execute import claims, notebooks; "
        f"sys.exit({call}, cluster={address!r}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(project.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(pids: Path) -> list[int]:
    return [int(path.name.rpartition("-")[2]) for path in pids.iterdir()]


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


CALLS = {
    "claims": "claims.run(Path(sys.argv[1]), seeds=3",
    "notebooks": "notebooks.run(Path(sys.argv[1])",
}


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
        killed: set[int] = set()
        wait_until(lambda: [p for p in started(pids) if not ended(p)], "no job runs")
        job = next(pid for pid in started(pids) if not ended(pid))
        cluster.kill_the_worker_of(job)
        killed.add(job)
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
    _, err = process.communicate(timeout=30)
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
def test_a_worker_of_another_checkout_is_refused(
    project: SmallProject, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    copy = ["cp", "-r", "--parents", "scripts", str(other)]
    other.mkdir()
    subprocess.run(copy, cwd=ROOT, check=True)
    with (other / "scripts" / "execute" / "kernel.py").open("a") as file:
        file.write("# another\n")
    write(project, tmp_path / "pids", seconds=0)
    with loopback(tmp_path, workers=1, root=other) as cluster:
        process = command(project, CALLS["claims"], cluster.address)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f"1 of 1 workers of {cluster.address} differ from here:\n")
    assert "scripts/execute/kernel.py of another text" in err
    assert not started(tmp_path / "pids")


@pytest.mark.thorough
def test_a_scheduler_without_workers_is_told(
    project: SmallProject, tmp_path: Path
) -> None:
    write(project, tmp_path / "pids", seconds=0)
    with loopback(tmp_path, workers=0) as cluster:
        process = command(project, CALLS["notebooks"], cluster.address)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f"{cluster.address} has no worker: start some by `.venv/bin/")


@pytest.mark.thorough
def test_a_scheduler_that_is_gone_is_told_and_what_finished_is_kept(
    project: SmallProject, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    write(project, pids, seconds=100)
    project.edit("glow.py", "time.sleep(100)", "time.sleep(seed * 100)")
    with loopback(tmp_path, workers=2) as cluster:
        process = command(project, CALLS["claims"], cluster.address)
        path = project.root / "implementations" / "results" / "glow.json"
        wait_until(path.exists, "no seed has finished")
        wait_until(lambda: len(started(pids)) >= 3, "no jobs run")
        cluster.processes[0].kill()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.startswith(f"{cluster.address} answers no more"), err
        wait_until(lambda: all(map(ended, started(pids))), "jobs outlive the cluster")
    assert json.loads(path.read_text("utf-8"))["seeds"] == [0]


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
        assert process.wait(timeout=20) == 130
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
