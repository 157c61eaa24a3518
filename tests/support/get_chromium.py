"""Find a Chromium that starts for the browser tests, or get one: `make chromium`.

Playwright's download comes first; then the system's packages, where nobody need be
asked for a password. Only the standard library is needed, as nothing is installed yet.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from textwrap import indent

from tests.support.chromium import candidates, downloaded, fault, running

PYTHON = os.path.relpath(sys.executable)
PIP = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
PLAYWRIGHT = [PYTHON, "-m", "playwright"]
# How each system installs Chromium's package, {}.
SYSTEMS = {
    "apt-get": ["apt-get update", "apt-get install --yes --no-install-recommends {}"],
    "dnf": ["dnf install --assumeyes {}"],
    "zypper": ["zypper --non-interactive install {}"],
    "pacman": ["pacman -S --noconfirm {}"],
    "apk": ["apk add {}"],
}
SILENT = ["/usr/bin/env", "DEBIAN_FRONTEND=noninteractive"]
LINES = 8  # of a failed command's output


class Search:
    """The search for a Chromium that starts: what was tried, and why it failed."""

    def __init__(self) -> None:
        self.tried: dict[str, str] = {}

    def look(self, paths: Iterable[str | None]) -> str | None:
        """Return the first of these that starts."""
        for path in filter(None, paths):
            if not (why := fault(path)):
                return path
            self._failed(f"{path} does not start", why)
        return None

    def download(self) -> str | None:
        """Let Playwright download its Chromium, which needs no root."""
        _say("Fetching Playwright's Chromium for the browser tests (once; 180 MB)")
        if not find_spec("playwright"):
            if not self._run([*PIP, "-c", "constraints.txt", "playwright"]):
                return None
            importlib.invalidate_caches()
        # A firewall may swallow each of five tries: 10 seconds then, not 30.
        os.environ.setdefault("PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT", "10000")
        # The headless shell is a second Chromium, which nobody opens here.
        if not self._run([*PLAYWRIGHT, "install", "--no-shell", "chromium"]):
            return None
        return self.look([downloaded()])

    def add_libraries(self, as_root: list[str]) -> str | None:
        """Install what the downloaded Chromium lacks: Playwright has a list for apt."""
        if not (path := downloaded()) or not shutil.which("apt-get"):
            return None
        _say(
            "Installing the libraries that Playwright's Chromium lacks (once; a minute)"
        )
        self._run([*as_root, *PLAYWRIGHT, "install-deps", "chromium"])
        return self.look([path])

    def install_package(self, as_root: list[str]) -> str | None:
        """Install the system's Chromium."""
        if not (commands := system_commands()):
            return None
        _say(
            f"Installing Chromium with {commands[0].split()[0]}: the browser tests "
            "need one, and none starts yet (once; a minute or two)"
        )
        for command in commands:
            self._run([*as_root, *command.split()])
        return self.look(candidates())

    def _run(self, command: list[str]) -> bool:
        """Run a command and keep its output for the message, should every way fail."""
        try:
            with running(command) as process:
                output = _wait(process)
        except OSError as error:
            output = str(error)
        else:
            if process.returncode == 0:
                return True
        self._failed(f"`{' '.join(command)}` failed", output)
        return False

    def _failed(self, what: str, output: str) -> None:
        lines = [line.strip() for line in output.splitlines()]
        telling = [line for line in lines if line and not line.startswith("at ")]
        self.tried[what] = "\n".join(telling[-LINES:])


def _say(what: str) -> None:
    print(f"→ {what}", flush=True)


def _wait(process: subprocess.Popen[str]) -> str:
    """Return the output of a process; print a dot now and then until it ends."""
    end = ""
    while True:
        try:
            output, _ = process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            print(".", end="", flush=True)
            end = "\n"
        else:
            print(end=end, flush=True)
            return output


def as_root() -> list[str] | None:
    """Return the words before a command of root's; None where that takes a password."""
    if os.getuid() == 0:
        return SILENT
    try:
        with running(["sudo", "-n", "true"]) as process:
            process.communicate()
    except OSError:
        return None
    return None if process.returncode else ["sudo", "-n", *SILENT]


def system_commands() -> list[str]:
    """Return the commands that install this system's Chromium, as root types them."""
    try:
        ubuntu = platform.freedesktop_os_release()["ID"] == "ubuntu"
    except OSError:
        ubuntu = False
    commands = next((c for name, c in SYSTEMS.items() if shutil.which(name)), [])
    package = "chromium-browser" if ubuntu else "chromium"
    return [command.format(package) for command in commands]


def advice() -> str:
    """Say what to run: Playwright's command, and the system's where we know it."""
    libraries = ["--with-deps"] if shutil.which("apt-get") else []
    ways = [" ".join([*PLAYWRIGHT, "install", *libraries, "chromium"])]
    if commands := system_commands():
        sudo = "sudo " if os.getuid() and shutil.which("sudo") else ""
        lead = "" if sudo or os.getuid() == 0 else "as root: "
        ways.append(lead + " && ".join(sudo + command for command in commands))
    return (
        "Run one of these, then the same command again:\n"
        + "".join(f"  {way}\n" for way in ways)
        + "Or name a Chromium or Chrome: export CHROMIUM=/path/to/it"
    )


def get(search: Search) -> str | None:
    """Return a Chromium that starts, installed if need be; None where that failed."""
    if found := search.look(candidates()):
        return found
    if os.environ.get("CHROMIUM"):
        return None
    if found := search.download():
        return found
    if (words := as_root()) is not None:
        return search.add_libraries(words) or search.install_package(words)
    search.tried["No package was installed"] = (
        "that takes root, or a sudo that asks for no password"
    )
    return None


def main() -> int:
    """Say where the Chromium is; else what was tried and what to do, and return 1."""
    search = Search()
    if found := get(search):
        _say(f"Chromium for the browser tests: {found}")
        return 0
    print("The browser tests need a Chromium that starts. Tried:", file=sys.stderr)
    for what, why in search.tried.items():
        print(f"  {what}:\n{indent(why, '    ')}", file=sys.stderr)
    if os.environ.get("CHROMIUM"):
        print("Let CHROMIUM name another, or unset it", file=sys.stderr)
    else:
        print(advice(), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
