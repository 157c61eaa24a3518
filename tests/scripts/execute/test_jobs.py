"""What travels to workers: code as it was, and variables that are the same anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.cluster.opening import _threads
from scripts.execute.code import pack, unpacked
from scripts.execute.kernel import first_line
from scripts.execute.settings import environment, settings
from tests.scripts.execute.test_agreement import HERE
from tests.support.small_project import SmallProject


def test_code_is_what_it_was_when_it_was_packed(project: SmallProject) -> None:
    project.write("core/lib.py", "ONE = 1\n")
    project.write("results/made.json", "{}\n")
    project.write("core/__pycache__/lib.pyc", "cached")
    packed = pack(project.root)
    project.write("core/lib.py", "ONE = 2\n")
    with unpacked(packed) as root:
        files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
        assert (root / "implementations/core/lib.py").read_text() == "ONE = 1\n"
    assert files >= {"implementations/core/lib.py", "implementations/results/made.json"}
    assert not [file for file in files if "__pycache__" in file]
    assert not root.exists()


def test_a_run_has_the_clients_variables_and_its_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEED", "3")
    monkeypatch.delenv("DEVICE", raising=False)
    asked = settings("cpu", 2)
    for name, value in {"SEED": "7", "DEVICE": "cuda", "SMOKE": "1"}.items():
        monkeypatch.setenv(name, value)  # as a worker may have them
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HOME", "/home/worker")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = environment(Path("/code"), asked)
    assert (found["SEED"], found["DEVICE"], found["HOME"]) == (
        "3",
        "cpu",
        "/home/worker",
    )
    assert found["OMP_NUM_THREADS"] == "2" and "SMOKE" not in found
    assert found["PYTHONPATH"] == "/code:/elsewhere"
    del asked["DEVICE"]
    assert "DEVICE" not in environment(Path("/code"), asked)


def test_jobs_have_as_many_threads_wherever_they_run() -> None:
    def worker(host: str, nthreads: int = 1) -> dict[str, object]:
        return {"host": host, "nthreads": nthreads}

    many, few = replace(HERE, cores=16), replace(HERE, cores=4)
    assert _threads({"a": worker("one"), "b": worker("two")}, [many, few]) == 4
    assert _threads({"a": worker("one"), "b": worker("one")}, [many, many]) == 8
    assert _threads({"a": worker("one", 4)}, [many]) == 4
    assert _threads({"a": worker("one", 9)}, [few]) == 1


def test_errors_are_told_in_one_line_that_ends() -> None:
    assert first_line("ValueError: no luck\nat all") == "ValueError: no luck"
    assert first_line("x" * 10_000) == "x" * 500 + "…"
