"""Real processes: two agree with one, and what is killed ends as if it had not been."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from implementations.scale.checkpoints import load, state_of
from scripts.base.project import ROOT
from tests.scale.meeting import Start, free_port, together
from tests.whole.test_disk import FULL_DISK, MOUNT, mounting

pytestmark = pytest.mark.thorough
PATIENCE = 120  # seconds, on a busy machine


def asked(recipe: str, folder: Path, *others: str) -> list[str]:
    """The command line that trains the recipe into the folder."""
    return [
        *(recipe, "--folder", str(folder), "--results", str(folder / "results")),
        *("--device", "cpu", *others),
    ]


def wait(processes: Sequence[BaseProcess]) -> list[int | None]:
    for process in processes:
        process.join(PATIENCE)
    return [process.exitcode for process in processes]


def last(folder: Path) -> dict[str, object]:
    """All of the last checkpoint but for the seconds that it took."""
    payload = load(folder)
    assert payload is not None
    state = state_of(payload, torch.device("cpu"))
    for each in (state["at"], *state["at"]["lines"]):
        del each["seconds"]
    return state


def same(one: object, other: object) -> bool:
    """Equal throughout, tensors bit by bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=True)
        return len(one) == len(other) and all(same(*pair) for pair in pairs)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    return one == other


def log(folder: Path) -> list[dict[str, str]]:
    return [*csv.DictReader((folder / "log.csv").read_text().splitlines())]


def checkpoints(folder: Path) -> int:
    """The step of the newest checkpoint, 0 before the first."""
    return max((int(path.stem) for path in folder.glob("0*.checkpoint")), default=0)


def until(folder: Path, step: int) -> None:
    """Wait until so many steps are saved."""
    end = time.monotonic() + PATIENCE
    while checkpoints(folder) < step and time.monotonic() < end:
        time.sleep(0.002)


@pytest.mark.parametrize(
    "recipe", ["tiny-made", "tiny-masks", "tiny-images", "tiny-moved"]
)
def test_two_processes_have_the_losses_of_one(
    recipe: str, start: Start, tmp_path: Path
) -> None:
    for count in (1, 2):
        assert wait(start(asked(recipe, tmp_path / str(count)), count)) == [0] * count
    for one, two in zip(log(tmp_path / "1"), log(tmp_path / "2"), strict=True):
        for name in ("train", "validation"):
            assert float(one[name]) == pytest.approx(float(two[name]), rel=1e-5)
    results = [tmp_path / n / "results" / f"{recipe}.json" for n in ("1", "2")]
    assert all(path.exists() for path in results)


@pytest.mark.parametrize("count", [1, 2])
def test_killed_five_times_it_ends_with_the_same_weights(
    count: int, start: Start, tmp_path: Path
) -> None:
    recipe, moments = "tiny-maf-long", random.Random(count)
    assert wait(start(asked(recipe, tmp_path / "whole"), count)) == [0] * count
    folder = tmp_path / "killed"
    for _ in range(5):
        goal = checkpoints(folder) + moments.randint(1, 40)
        processes = start(asked(recipe, folder, "--every", "0"), count)
        until(folder, goal)
        time.sleep(moments.random() / 100)
        for process in processes:
            process.kill()
        assert wait(processes) == [-9] * count
    assert wait(start(asked(recipe, folder), count)) == [0] * count
    assert same(last(folder), last(tmp_path / "whole"))


def test_one_of_two_workers_is_killed_and_torchrun_goes_on(
    start: Start, tmp_path: Path
) -> None:
    recipe = "tiny-maf-long"
    assert wait(start(asked(recipe, tmp_path / "whole"), 2)) == [0, 0]
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--max-restarts=3", "--monitor-interval=0.1"]
    command += ["--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    command += ["-m", "tests.scale.tiny", *asked(recipe, folder, "--every", "0")]
    variables = {k: v for k, v in together(2).items() if not k.startswith("MASTER")}
    with (tmp_path / "told").open("w") as told:
        agent = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | variables,
            stdout=told,
            stderr=told,
        )
        until(folder, 40)
        workers = [
            child
            for child in psutil.Process(agent.pid).children()
            if "tests.scale.tiny" in child.cmdline()
        ]
        assert len(workers) == 2, (tmp_path / "told").read_text()
        workers[1].kill()
        try:
            status = agent.wait(PATIENCE)
        finally:
            agent.kill()
            print((tmp_path / "told").read_text())
    assert status == 0
    assert same(last(folder), last(tmp_path / "whole"))


@pytest.mark.parametrize("count", [1, 2])
def test_sigterm_saves_and_ends_all(count: int, start: Start, tmp_path: Path) -> None:
    recipe, folder = "tiny-maf-long", tmp_path / "told"
    processes = start(asked(recipe, folder, "--every", "0.2"), count)
    until(folder, 1)
    processes[-1].terminate()  # the one that writes nothing is told
    assert wait(processes) == [143] * count
    assert 0 < checkpoints(folder) < 300
    assert wait(start(asked(recipe, folder), count)) == [0] * count
    assert wait(start(asked(recipe, tmp_path / "whole"), count)) == [0] * count
    assert same(last(folder), last(tmp_path / "whole"))


def test_begun_by_two_it_is_ended_by_one(start: Start, tmp_path: Path) -> None:
    recipe, folder = "tiny-made-long", tmp_path / "moved"
    processes = start(asked(recipe, folder, "--every", "0"), 2)
    until(folder, 30)
    for process in processes:
        process.kill()
    wait(processes)
    assert wait(start(asked(recipe, folder))) == [0]
    assert wait(start(asked(recipe, tmp_path / "whole"))) == [0]
    for one, other in zip(log(folder), log(tmp_path / "whole"), strict=True):
        assert float(one["train"]) == pytest.approx(float(other["train"]), rel=1e-3)


@pytest.mark.skipif(not mounting(), reason="may not mount a disk of its own")
def test_a_full_disk_loses_nothing(start: Start, tmp_path: Path) -> None:
    recipe, folder = "tiny-made-long", tmp_path / "tree"
    processes = start(asked(recipe, folder, "--every", "0"))
    until(folder, 10)
    for process in processes:
        process.kill()
    wait(processes)
    done = checkpoints(folder)
    disk = tmp_path / "disk"
    disk.mkdir()
    inner = [sys.executable, "-m", "tests.scale.tiny"]
    inner += asked(recipe, Path("."), "--every", "0")
    ran = subprocess.run(
        [*MOUNT, "sh", "-c", FULL_DISK, "sh", str(disk), str(folder), "2000", *inner],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stderr
    assert "cannot be written: No space left on device (make room" in ran.stderr
    assert checkpoints(folder) >= done
    assert wait(start(asked(recipe, folder))) == [0]
    assert wait(start(asked(recipe, tmp_path / "whole"))) == [0]
    assert same(last(folder), last(tmp_path / "whole"))
