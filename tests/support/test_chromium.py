"""Where the browser of these tests comes from, on machines made of stand-ins."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scripts.base.project import ROOT
from tests.support import chromium

STARTS = 'printf "<html></html>"'
LACKS = "echo error while loading shared libraries: libnss3.so; exit 127"
TRACE = "echo no address for the download; for i in {1..100}; do echo '  at x.js'; done"
FETCH = "-m playwright install --no-shell chromium"
APT = ["apt-get update", "apt-get install --yes --no-install-recommends chromium"]
# As another user, on another system.
MAIN = """
import os, runpy, sys
os.getuid = lambda: {uid}
sys.path.insert(0, {root!r})
import platform
platform.freedesktop_os_release = lambda: {{"ID": {system!r}}}
from tests.support import chromium
chromium.SECONDS = {seconds}
runpy.run_module("tests.support.get_chromium", run_name="__main__")
"""
# Playwright's package: its command, and where it says that its Chromium is.
PLAYWRIGHT = """
from types import SimpleNamespace
class sync_playwright:
    def __enter__(self):
        return SimpleNamespace(chromium=SimpleNamespace(executable_path={path!r}))
    def __exit__(self, *error): pass
"""


class BareMachine:
    """A machine without Chromium, without network, and with what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.python = folder / "python"
        self.log = folder / "log"
        self.fetched = folder / "fetched"
        for path in (self.bin, self.python / "playwright", self.python / "pip"):
            path.mkdir(parents=True)
            (path / "__init__.py").touch()
        self.log.touch()
        self.module("pip", "exit 1")
        self.module("playwright", f"{TRACE}; exit 1")
        where = PLAYWRIGHT.format(path=str(self.fetched))
        (self.python / "playwright" / "sync_api.py").write_text(where)

    def command(self, name: str, script: str) -> None:
        self.write(self.bin / name, f'echo "{name} $*" >> {self.log}\n{script}')

    def module(self, name: str, script: str) -> None:
        """Put a shell script where `python -m NAME` finds it."""
        command = self.python / name / "command"
        self.write(command, f'echo "-m {name} $*" >> {self.log}\n{script}')
        (self.python / name / "__main__.py").write_text(
            f"import os, sys\nos.execv({str(command)!r}, sys.argv)\n"
        )

    def write(self, path: Path, script: str) -> None:
        path.write_text(f"#!/bin/bash\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(0o755)

    def puts(self, path: Path, script: str = STARTS) -> str:
        """Return a line of shell that puts a Chromium there."""
        return f"printf '#!/bin/bash\\n%s\\n' '{script}' > {path}; chmod +x {path}"

    def get(
        self,
        *wrapper: str,
        root: bool = False,
        system: str = "debian",
        seconds: int = 30,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        """Get a Chromium as its newcomer does; `wrapper` runs the command."""
        uid = 0 if root else 1000
        main = MAIN.format(uid=uid, root=str(ROOT), system=system, seconds=seconds)
        return subprocess.run(
            # Without site-packages: nothing is installed yet.
            [*wrapper, sys.executable, "-S", "-c", main],
            cwd=ROOT,
            env={"PATH": str(self.bin), "PYTHONPATH": str(self.python), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def ran(self) -> list[str]:
        """Everything that was run but Chromium."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("chromium")]


@pytest.fixture
def machine(tmp_path: Path) -> BareMachine:
    return BareMachine(tmp_path)


def test_one_that_starts_is_used(machine: BareMachine) -> None:
    machine.command("chromium", STARTS)
    ran = machine.get(root=True)
    found = f"→ Chromium for the browser tests: {machine.bin}/chromium\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, found, "")
    assert machine.ran == []


@pytest.mark.parametrize("script", [LACKS, "exit 0", "sleep 60 & wait"])
def test_one_that_does_not_start_is_none(machine: BareMachine, script: str) -> None:
    machine.command("chromium", script)
    machine.command("google-chrome", STARTS)
    ran = machine.get(seconds=3)
    assert ran.stdout.endswith(f"{machine.bin}/google-chrome\n")


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_hangs_ends_with_its_children(
    machine: BareMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.command("chromium", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    monkeypatch.setattr(chromium, "SECONDS", 1)
    why = chromium.fault(str(machine.bin / "chromium"))
    assert why == "it did not answer within 1 seconds"
    child = int((tmp_path / "child").read_text())
    limit = time.monotonic() + 10
    while running(child):
        assert time.monotonic() < limit


def test_a_named_one_is_the_only_one(machine: BareMachine, tmp_path: Path) -> None:
    machine.command("chromium", STARTS)
    mine = tmp_path / "mine"
    machine.write(mine, STARTS)
    assert f": {mine}\n" in machine.get(CHROMIUM=str(mine)).stdout
    machine.write(mine, LACKS)
    ran = machine.get(root=True, CHROMIUM=str(mine))
    assert ran.returncode == 1
    assert ran.stderr == (
        "The browser tests need a Chromium that starts. Tried:\n"
        f"  {mine} does not start:\n"
        "    error while loading shared libraries: libnss3.so\n"
        "Let CHROMIUM name another, or unset it\n"
    )
    assert machine.ran == []


def test_playwrights_download_comes_first(machine: BareMachine) -> None:
    machine.command("apt-get", "exit 1")
    machine.module("playwright", f"echo 180 MB; {machine.puts(machine.fetched)}")
    ran = machine.get(root=True)
    assert ran.stdout == (
        "→ Fetching Playwright's Chromium for the browser tests (once; 180 MB)\n"
        f"→ Chromium for the browser tests: {machine.fetched}\n"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert machine.ran == [FETCH]
    assert "Fetching" not in machine.get(root=True).stdout


def test_playwright_itself_is_installed_first(machine: BareMachine) -> None:
    package = machine.python / "playwright"
    away = package.rename(machine.python / "away")
    machine.module("pip", f"mv {away} {package}")
    (away / "command").write_text(
        f"#!/bin/bash\nPATH=/usr/bin:/bin\n{machine.puts(machine.fetched)}\n"
    )
    assert machine.get().returncode == 0
    assert machine.ran == [
        "-m pip install --disable-pip-version-check -c constraints.txt playwright"
    ]


@pytest.mark.parametrize("ci", ["", "true"])
def test_root_gets_the_systems_package(machine: BareMachine, ci: str) -> None:
    machine.command(
        "apt-get", f"[ $1 = update ] || {machine.puts(machine.bin / 'chromium')}"
    )
    ran = machine.get(root=True, CI=ci)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1:] == [
        "→ Installing Chromium with apt-get: the browser tests need one, and none "
        "starts yet (once; a minute or two)",
        f"→ Chromium for the browser tests: {machine.bin}/chromium",
    ]
    assert machine.ran == [FETCH, *APT]


SUDO = '[ "$1" = -n ] || exit 1; shift; exec "$@"'


def test_so_does_who_need_not_type_a_password(machine: BareMachine) -> None:
    machine.command("sudo", f"PATH={machine.bin}:$PATH\n{SUDO}")
    machine.command(
        "apt-get", f"[ $1 = update ] || {machine.puts(machine.bin / 'chromium')}"
    )
    assert machine.get().returncode == 0
    assert [line for line in machine.ran if not line.startswith("sudo")] == [
        FETCH,
        *APT,
    ]
    assert all("sudo -n " in line for line in machine.ran if line.startswith("sudo"))


def test_nothing_can_ask_a_person(machine: BareMachine) -> None:
    asks = 'if : < /dev/tty; then echo "$0 asks" >> ' + f"{machine.log}; fi 2>&-\n"
    machine.command("sudo", f"{asks}PATH={machine.bin}:$PATH\n{SUDO}")
    machine.command("apt-get", f"{asks}exit 1")
    terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    ran = machine.get(sys.executable, "-c", terminal)
    assert ran.returncode == 1
    assert len(machine.ran) > 3
    assert not [line for line in machine.ran if "asks" in line]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("dnf", "dnf install --assumeyes chromium"),
        ("zypper", "zypper --non-interactive install chromium"),
        ("pacman", "pacman -S --noconfirm chromium"),
        ("apk", "apk add chromium"),
    ],
)
def test_each_system_has_its_command(
    machine: BareMachine, name: str, command: str
) -> None:
    machine.command(name, "exit 1")
    ran = machine.get(root=True)
    assert machine.ran == [FETCH, command]
    assert f"\n  {command}\n" in ran.stderr
    assert f"\n  as root: {command}\n" in machine.get().stderr


def test_on_ubuntu_the_package_has_another_name(machine: BareMachine) -> None:
    machine.command("apt-get", "exit 1")
    machine.get(root=True, system="ubuntu")
    assert machine.ran[-1] == f"{APT[1]}-browser"


def test_libraries_that_playwrights_lacks_are_installed(machine: BareMachine) -> None:
    machine.command("apt-get", "exit 1")
    machine.module(
        "playwright",
        f"case $1 in install) {machine.puts(machine.fetched, LACKS)} ;; "
        f"install-deps) {machine.puts(machine.fetched)} ;; esac",
    )
    ran = machine.get(root=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert machine.ran == [FETCH, "-m playwright install-deps chromium"]


def test_else_what_failed_is_told_with_the_commands_that_help(
    machine: BareMachine,
) -> None:
    machine.command("chromium", LACKS)
    machine.command("sudo", "exit 1")
    machine.command("apt-get", "exit 0")
    ran = machine.get()
    assert ran.returncode == 1
    python = os.path.relpath(sys.executable, ROOT)
    assert ran.stderr == (
        "The browser tests need a Chromium that starts. Tried:\n"
        f"  {machine.bin}/chromium does not start:\n"
        "    error while loading shared libraries: libnss3.so\n"
        f"  `{python} {FETCH}` failed:\n"
        "    no address for the download\n"
        "  No package was installed:\n"
        "    that takes root, or a sudo that asks for no password\n"
        "Run one of these, then the same command again:\n"
        f"  {python} -m playwright install --with-deps chromium\n"
        "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends "
        "chromium\n"
        "Or name a Chromium or Chrome: export CHROMIUM=/path/to/it\n"
    )
    assert machine.ran == [FETCH, "sudo -n true"]


def test_a_failed_package_is_told_by_its_last_lines(machine: BareMachine) -> None:
    machine.command("apt-get", "for i in {1..200}; do echo $i; done; exit 100")
    ran = machine.get(root=True)
    assert ran.returncode == 1
    assert "failed:\n    193\n    194\n" in ran.stderr
    assert "\n  apt-get update && apt-get install" in ran.stderr
    assert len(ran.stderr.splitlines()) < 35
