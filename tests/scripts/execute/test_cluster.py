"""Jobs on workers: run in turn, heard of, given up; and papers on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from scripts.cluster.facts import facts
from scripts.cluster.opening import open_cluster
from scripts.cluster.performing import tell
from scripts.cluster.place import ClusterError, Needs, Workplace
from scripts.cluster.running import Cluster, together
from scripts.execute import claims, notebooks
from scripts.papers.cells import CellError
from tests.support.small_project import SmallProject
from tests.support.two_papers import values, write

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
