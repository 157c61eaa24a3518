"""Messages of `make` on a machine that lacks something, and README's example."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import torch
from packaging.specifiers import SpecifierSet

from scripts.base.project import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, as far as `make` looks at it."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Not as a part of the `make test` that may run this.
    variables = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MF"))
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=clone,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def python(clone: Path, script: str) -> str:
    """Write a stand-in for Python; return where it is."""
    path = clone / "python-stub"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


TARGETS = [
    *("site", "chromium", "test", "serve", "check", "readme", "add", "new"),
    *("notebooks", "bench", "claims", "coverage", "dist", "links"),
]


@pytest.mark.parametrize("target", TARGETS)
def test_without_python_each_target_says_so_in_one_line(
    clone: Path, target: str
) -> None:
    ran = make(clone, target, "PYTHON=no-such-python")
    assert ran.returncode
    assert ran.stdout == (
        "Python is missing: install Python 3.11 or newer, "
        "or say make PYTHON=/path/to/python3.11\n"
    )
    assert not (clone / ".venv").exists()


def test_an_old_python_is_named(clone: Path) -> None:
    old = python(clone, '[ "$1" = -V ] && echo Python 3.9.2; exit 1')
    ran = make(clone, "site", f"PYTHON={old}")
    assert ran.returncode
    assert ran.stdout == (
        f"{old} is Python 3.9.2, but 3.11 or newer is needed: "
        "say make PYTHON=/path/to/python3.11\n"
    )


def test_a_python_without_venv_says_what_to_install(clone: Path) -> None:
    bare = python(clone, '[ "$1" = -c ] && exit 0; mkdir .venv; exit 1')
    ran = make(clone, "site", f"PYTHON={bare}")
    assert ran.returncode
    assert ran.stdout.endswith(
        "Python's venv module is missing: install it "
        "(on Debian and Ubuntu: apt install python3-venv)\n"
    )
    assert not (clone / ".venv").exists()


@pytest.fixture
def installed(clone: Path) -> Path:
    """A clone in which everything is installed; its Python says what it is told."""
    (clone / ".venv" / "bin").mkdir(parents=True)
    stub = python(clone, 'for each; do printf "[%s]" "$each"; done')
    shutil.move(stub, clone / ".venv" / "bin" / "python")
    for extra in ("site", "test"):
        (clone / ".venv" / extra).touch()
    return clone


PIP = """
echo "Collecting torch>=2.11 (from awesome-normalizing-flows)"
echo "WARNING: Location '/wheels' is ignored" >&2
echo "  Downloading torch-2.13.0-cp311-cp311-linux.whl.metadata (30 kB)"
echo "Collecting numpy"
echo "  Downloading numpy-2.4.6-cp311-cp311-linux.whl (9.8 MB)"
echo "Downloading torch-2.13.0-cp311-cp311-linux.whl (883.6 MB)"
"""


def test_installing_shows_progress_and_no_warnings(clone: Path) -> None:
    done = 'echo "Installing collected packages: numpy, torch"'
    (clone / ".venv" / "bin").mkdir(parents=True)
    stub = python(clone, f"{PIP}{done}")
    shutil.move(stub, clone / ".venv" / "bin" / "python")
    ran = make(clone, ".venv/site")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1:] == [".. torch (883.6 MB)  unpacking"]
    assert (clone / ".venv" / "site").exists()


def test_an_installation_that_fails_tells_why(clone: Path) -> None:
    why = ["The conflict is caused by:", "    a depends on b", "ERROR: No solution"]
    told = "\n".join(f'echo "{line}"' for line in why[:-1])
    (clone / ".venv" / "bin").mkdir(parents=True)
    stub = python(clone, f'{PIP}{told}; echo "{why[-1]}" >&2; exit 1')
    shutil.move(stub, clone / ".venv" / "bin" / "python")
    ran = make(clone, ".venv/site")
    assert ran.returncode
    assert ran.stderr.splitlines()[:4] == [
        "WARNING: Location '/wheels' is ignored",
        *why,
    ]
    assert "The installation failed: see the message above" in ran.stdout
    assert not (clone / ".venv" / "site").exists()


@pytest.mark.parametrize(
    "target", ["test", "test-all", "test-rest", "test-long", "coverage"]
)
def test_without_a_chromium_nothing_is_installed(installed: Path, target: str) -> None:
    for extra in ("site", "test"):
        (installed / ".venv" / extra).unlink()
    none = python(installed, 'echo "$@"; [ $2 != tests.support.get_chromium ]')
    shutil.move(none, installed / ".venv" / "bin" / "python")
    ran = make(installed, "-j4", target)
    assert ran.returncode
    assert ran.stdout == "-m tests.support.get_chromium\n"


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["add", "ENTRY=1410.8516"], "[add][1410.8516]"),
        (
            ["add", "ENTRY=https://example.org/?a=1&b=2;c='d' \"e\" `f`"],
            "[add][https://example.org/?a=1&b=2;c='d' \"e\" `f`]",
        ),
        (
            ["new", "ID=glow"],
            "[new][glow][-m][scripts][lacking][glow]",
        ),
        (
            ["notebooks", "ONLY=glow"],
            "[notebooks][--only][glow][-m][scripts][readme]",
        ),
        (["readme"], "[readme]"),
        (["readme", "SINCE=HEAD^1"], "[readme][--since][HEAD^1]"),
    ],
)
def test_what_is_said_to_make_reaches_the_command(
    installed: Path, arguments: list[str], called: str
) -> None:
    ran = make(installed, *arguments)
    assert (ran.stdout, ran.stderr) == (f"[-m][scripts]{called}", "")


def test_check_looks_at_the_readme_too_where_there_is_a_history(
    installed: Path,
) -> None:
    assert make(installed, "check").stdout == "[-m][scripts][check]"
    for arguments in (["init"], ["commit", "--allow-empty", "--message=First"]):
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
        command = ["git", *identity, "-c", "commit.gpgsign=false", *arguments]
        subprocess.run(command, cwd=installed, check=True, capture_output=True)
    assert make(installed, "check").stdout == (
        "[-m][scripts][check][-m][scripts][readme][--since][HEAD]"
    )


@pytest.mark.parametrize(
    ("target", "example"), [("add", "ENTRY=1410.8516"), ("new", "ID=glow")]
)
def test_what_is_not_said_is_asked_for(
    installed: Path, target: str, example: str
) -> None:
    ran = make(installed, target)
    assert ran.returncode
    assert f"make {target} {example}\n" in ran.stdout


def test_a_gpu_is_asked_by_any_python_that_has_torch(installed: Path) -> None:
    ran = make(installed, "gpu", "PYTHON=no-such-python")
    assert (ran.stdout, ran.stderr) == ("[-m][benchmarks.gpu]", "")
    chosen = python(installed, 'test "$1" = -c || echo "chosen $*"')
    ran = make(installed, "gpu", f"PYTHON={chosen}")
    assert ran.stdout == "chosen -m benchmarks.gpu\n"


def test_without_torch_a_gpu_is_not_asked(clone: Path) -> None:
    without = python(clone, 'test "$1" = -c || echo "asked all the same"; exit 1')
    ran = make(clone, "gpu", f"PYTHON={without}")
    assert ran.returncode
    assert ran.stdout == (
        "torch is missing: `make test` installs it, "
        "or say make gpu PYTHON=/path/to/a/python/that/has/it\n"
    )
    assert not (clone / ".venv").exists()


def test_help_lists_every_target(clone: Path) -> None:
    listed = set(re.findall(r"^  make ([a-z-]+)", make(clone).stdout, re.MULTILINE))
    assert set(TARGETS) <= listed
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony and set(phony[1].split()) == listed


def test_the_example_in_the_readme_runs() -> None:
    code = re.search(
        r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert code
    names: dict[str, torch.Tensor] = {}
    exec(code[1], names)
    assert names["x"].shape == (1000, 2)
    assert names["log_density"].shape == (1000,)


def test_what_is_pinned_runs_on_each_python_that_is_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = project["requires-python"].removeprefix(">=") + ".0"
    installed = {(d.name.lower(), d.version.split("+")[0]): d for d in distributions()}
    pins = re.findall(
        r"^([^#\s]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M
    )
    needs = {
        f"{name}=={version}": installed[name.lower(), version].metadata.json
        for name, version in pins
        if (name.lower(), version) in installed
    }
    assert len(needs) > 50
    assert [
        f"{pin} needs Python {metadata.get('requires_python')}: pin an older one"
        for pin, metadata in needs.items()
        if lowest not in SpecifierSet(str(metadata.get("requires_python", "")))
    ] == []


def test_one_papers_tests_need_no_browser(clone: Path) -> None:
    installed = ("--dry-run", "--old-file=.venv/test", "--old-file=.venv/bin/python")
    one = make(clone, *installed, "test", "PAPER=nice").stdout
    assert one.strip() == '.venv/bin/python -m scripts paper "$PAPER"'
    assert "get_chromium" in make(clone, *installed, "test").stdout
