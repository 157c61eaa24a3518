"""Workers that would give other results are refused: which, in what, what to do."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.cluster.agreement import check_agreement, difference
from scripts.cluster.facts import WorkerFacts, facts
from scripts.cluster.place import ClusterError, Needs

HERE = WorkerFacts(
    versions={"python": "3.11", "torch": "2.13.0"},
    code={"scripts/a.py": "1", "scripts/b.py": "2"},
    commit="abc1234567",
    machine="Model A",
    cores=8,
    device="cpu",
)
ADDRESS, ONE, TWO = "tcp://10.0.0.1:8786", "tcp://10.0.0.2:4001", "tcp://10.0.0.3:4002"


def test_workers_that_are_alike_are_taken_whatever_their_machine() -> None:
    other = replace(HERE, machine="Model B", cores=2)
    assert check_agreement(ADDRESS, HERE, {ONE: HERE, TWO: other}, ["device"]) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            replace(HERE, versions={"python": "3.12", "torch": "2.12.0"}),
            "python 3.12 (here 3.11); torch 2.12.0 (here 2.13.0)",
        ),
        (
            replace(HERE, versions={"python": "3.11"}),
            "torch missing (here 2.13.0)",
        ),
        (
            replace(HERE, code={"scripts/a.py": "9", "scripts/b.py": "2"}, commit="d"),
            "scripts/a.py of another text (commit d, here abc1234567)",
        ),
        (
            replace(HERE, code={"scripts/c.py": "1"}),
            "scripts/a.py and 2 more files of another text "
            "(commit abc1234567, here abc1234567)",
        ),
        (
            ModuleNotFoundError("No module named 'scripts'"),
            "this project, as it is here, cannot be imported there "
            "(No module named 'scripts')",
        ),
    ],
)
def test_a_difference_is_named(found: WorkerFacts | BaseException, told: str) -> None:
    assert difference(HERE, found) == told
    with pytest.raises(ClusterError) as refused:
        check_agreement(ADDRESS, HERE, {ONE: HERE, TWO: found})
    assert str(refused.value) == (
        f"1 of 2 asked at {ADDRESS} differ from here:\n"
        f"  {TWO}: {told}\n"
        "Bring each to commit abc1234567 (git pull), run `make test` there once, which "
        "installs the same versions, and start it again: `.venv/bin/dask scheduler`, "
        f"`.venv/bin/dask worker {ADDRESS} --nthreads 1`"
        + (
            "\nWhat has changed here since that commit must be committed and pushed "
            "first."
            if told.endswith("(commit abc1234567, here abc1234567)")
            else ""
        )
    )


def test_another_commit_with_the_same_code_is_told() -> None:
    other = replace(HERE, commit="def")
    assert check_agreement(ADDRESS, HERE, {ONE: other}) == [
        f"{ONE} is at commit def, here is abc1234567; the code that runs there is the "
        "same"
    ]


def test_of_several_devices_none_is_taken() -> None:
    card = replace(HERE, device="Card")
    with pytest.raises(ClusterError) as refused:
        check_agreement(ADDRESS, HERE, {ONE: HERE, TWO: card}, ["device"])
    assert str(refused.value).splitlines()[:3] == [
        f"The workers of {ADDRESS} do not have one device:",
        f"  {ONE}: cpu",
        f"  {TWO}: Card",
    ]
    assert check_agreement(ADDRESS, HERE, {ONE: HERE, TWO: card}, []) == []


NEEDS = Needs(("scripts",), ("torch", "no-such-package"), ())


def checkout(root: Path) -> WorkerFacts:
    (root / "scripts").mkdir(exist_ok=True)
    (root / "scripts" / "a.py").write_text("A = 1\n")
    facts.cache_clear()
    return facts(NEEDS, root)


def test_facts_are_of_code_versions_and_commit(tmp_path: Path) -> None:
    before = checkout(tmp_path)
    assert before.commit == "" and before.versions["no-such-package"] == "missing"
    assert "+" not in before.versions["torch"]
    assert [*before.code] == ["scripts/a.py"] and before.cores > 0
    own = "-c user.name=me -c user.email=me@flows.org -c commit.gpgsign=false".split()
    for command in (["init"], ["add", "."], [*own, "commit", "--message", "all"]):
        git = ["git", *command]
        subprocess.run(git, cwd=tmp_path, check=True, capture_output=True)
    after = checkout(tmp_path)
    assert len(after.commit) >= 7 and after.digest == before.digest


def test_a_process_stays_what_it_was_when_it_was_asked_first(tmp_path: Path) -> None:
    before = checkout(tmp_path)
    (tmp_path / "scripts" / "a.py").write_text("A = 2\n")
    assert facts(NEEDS, tmp_path) == before
    facts.cache_clear()
    changed = facts(NEEDS, tmp_path)
    assert changed.digest != before.digest
    assert difference(before, changed).startswith("scripts/a.py of another text")
