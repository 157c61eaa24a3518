"""Several processes, and one that is killed: nothing is asked for twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from scripts.base.project import ROOT
from tests.flows.data.making import mnist_files, zipped
from tests.flows.data.mirror import FileMirror

pytestmark = pytest.mark.thorough

LOAD = """
import sys
from implementations.core.data import images, sources
from implementations.core.data.__main__ import main
from tests.flows.data.making import mnist_files, zipped_each
images.HELD_OUT = 10
needed = zipped_each(mnist_files(300), sys.argv[1], "mnist")
sources.FILES["mnist"] = tuple(needed)
sys.exit(main(["--folder", sys.argv[2], "mnist"]))
"""


@pytest.fixture
def slow(mirror: FileMirror) -> FileMirror:
    """It has a MNIST of 240 kB, and takes a second for it."""
    mirror.files |= zipped(mnist_files(300))
    mirror.piece, mirror.pause = 10_000, 0.04
    return mirror


def loading(mirror: FileMirror, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, mirror.url, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out


def test_of_several_processes_one_downloads(slow: FileMirror, tmp_path: Path) -> None:
    processes = [loading(slow, tmp_path) for _ in range(2)]
    outs = [ended(process) for process in processes]
    assert outs[0] == outs[1]
    assert outs[0].startswith("mnist: 290 train, 10 validation, 10 test; 28×28 uint8")
    assert len(slow.asked) == 4


def test_what_a_killed_process_has_got_is_kept(
    slow: FileMirror, tmp_path: Path
) -> None:
    part = tmp_path / "mnist/train-images-idx3-ubyte.gz.part"
    killed = loading(slow, tmp_path)
    late = monotonic() + 60
    while not (part.exists() and part.stat().st_size) and monotonic() < late:
        sleep(0.01)
    killed.kill()
    killed.communicate()
    got = part.stat().st_size
    assert not part.with_suffix("").exists() and got
    ended(loading(slow, tmp_path))
    assert slow.ranges_asked()[:2] == [None, f"bytes={got}-"]
    assert slow.sent < 1.4 * sum(map(len, slow.files.values()))
    assert not list(tmp_path.rglob("*.part*"))
