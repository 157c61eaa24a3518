"""A disk that is full or read-only: files stay as they were, and one is told why."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.whole.tree import COMMANDS, Tree, scripts

FOR_WORKFLOWS = {"publish-readme", "publish-links", "answer-issue"}
LOCAL = [name for name in COMMANDS if name not in FOR_WORKFLOWS]
# The file that each command writes first.
FIRST = {
    "add": "resources.yaml",
    "readme": "README.md",
    "new": "test_exercises.py",
    "notebooks": "made.ipynb",
    "claims": "made.json",
    "figures": "circle-dark.svg",
    "links": "links.json",
}
FULL = "cannot be written: No space left on device (make room, then run it again)"
MOUNT = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",))]
# A disk of its own for the tree, filled up but for a few bytes; what it holds is
# copied back before the disk goes with the process.
FULL_DISK = """
mount -t tmpfs -o size=16m tmpfs "$1"
cp -a "$2" "$1/tree"
cd "$1/tree"
cat /dev/zero > ../filler 2> /dev/null
truncate --size="-$3" ../filler
tree=$2; shift 3
"$@"
status=$?
rm -r "$tree"
cp -a . "$tree"
exit $status
"""
READ_ONLY = """
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
cd "$1"; shift
exec "$@"
"""


@cache
def mounting() -> bool:
    """Return whether this process may mount disks of its own."""
    if not shutil.which("unshare"):
        return False
    probe = [*MOUNT, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@pytest.fixture
def mounted() -> None:
    """Skip where disks cannot be mounted; the tests beside stand in."""
    if not mounting():
        pytest.skip("disks cannot be mounted here")


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(("name", "free"), [("add", 4096), *((n, 0) for n in LOCAL)])
def test_a_full_disk_cuts_nothing(
    name: str, free: int, old: Tree, tree: Tree, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [*MOUNT, "sh", "-c", FULL_DISK, "sh", str(disk), str(tree.root)]
    ran = tree.run(*command, str(free), *scripts(*COMMANDS[name]))
    assert ran.returncode == 1
    assert ran.stderr.removeprefix("Nothing is written: ") == f"{FIRST[name]} {FULL}\n"
    assert tree.state() == old.state()
    assert tree.git("status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["add", "readme"])
def test_a_file_that_may_not_grow_is_not_cut(name: str, old: Tree, tree: Tree) -> None:
    """The kernel refuses to write after the first bytes, wherever this runs."""
    code = (
        "import resource, sys; from scripts.__main__ import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "sys.exit(main(sys.argv[1:]))"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    ran = tree.run(sys.executable, "-c", code, *COMMANDS[name])
    assert ran.returncode == 1
    assert ran.stderr == (
        f"{FIRST[name]} cannot be written: File too large "
        "(make room, then run it again)\n"
    )
    assert tree.state() == old.state()


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize("name", ["add", "readme"])
def test_a_read_only_disk_is_told(name: str, old: Tree, tree: Tree) -> None:
    command = [*MOUNT, "sh", "-c", READ_ONLY, "sh", str(tree.root)]
    ran = tree.run(*command, *scripts(*COMMANDS[name]))
    assert ran.returncode == 1
    assert ran.stderr == (
        f"{FIRST[name]} cannot be written: Read-only file system "
        "(make its folder writable, then run it again)\n"
    )
    assert tree.state() == old.state()


def powerless() -> list[str]:
    """Return what makes even root ask for permission."""
    if os.geteuid():
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("name", ["add", "new", "notebooks", "figures"])
def test_folders_without_permission_are_told(name: str, old: Tree, tree: Tree) -> None:
    folders = [path for path in tree.root.rglob("*") if path.is_dir()]
    for folder in (tree.root, *folders):
        folder.chmod(0o555)
    ran = tree.run(*powerless(), *scripts(*COMMANDS[name]))
    for folder in (tree.root, *folders):
        folder.chmod(0o755)
    assert ran.returncode == 1
    assert "cannot be written: Permission denied (make its folder writable" in (
        ran.stderr
    )
    assert tree.state() == old.state()


def test_what_writes_nothing_needs_no_permission(old: Tree, tree: Tree) -> None:
    preview = [*COMMANDS["add"], "--dry-run"]
    tree.root.chmod(0o555)
    ran = [
        tree.run(*powerless(), *scripts(*arguments))
        for arguments in (["check"], preview)
    ]
    tree.root.chmod(0o755)
    assert [(each.returncode, each.stderr) for each in ran] == [(0, "")] * 2
    assert tree.state() == old.state()
