"""Who may import whom, read from the source; and what no tracked file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.base.project import ROOT
from scripts.catalogue import load

OURS = ("scripts", "implementations", "benchmarks", "tests")
# Whom each room may import: rooms of the same house by name, others in full.
ARROWS = {
    "scripts.base": "",
    "scripts.papers": "",
    "scripts.catalogue": "base papers",
    "scripts.results": "base",
    "scripts.sources": "base catalogue",
    "scripts.links": "base catalogue sources",
    "scripts.readme": "base catalogue links papers",
    "scripts.exports": "base catalogue",
    "scripts.add": "base catalogue links readme sources",
    "scripts.cluster": "base",
    "scripts.execute": "base cluster papers",
    "scripts.scaffold": "base catalogue execute papers",
    "scripts.github": "add base catalogue links readme",
    "scripts.site": "base catalogue exports links papers results",
    "scripts.__main__": "base",
    "implementations": "",
    # Papers know nothing of theirs, which would change the fingerprints of others.
    "implementations.registrations": "implementations",
    # The papers' tables: nothing but its own command imports it.
    "implementations.scale": "implementations",
    "benchmarks.command": "scripts.results",
    "benchmarks.machine": "",
    "benchmarks.ours": "implementations.registrations",
    "benchmarks.libraries": "implementations",
    "benchmarks.plan": "libraries ours speed scripts.results",
    "benchmarks.speed": "scripts.results",
    "benchmarks.compiled": (
        "command gpu libraries machine ours plan speed implementations scripts.results"
    ),
    "benchmarks.flows": (
        "command libraries machine ours plan speed implementations scripts.results"
    ),
    "benchmarks.gaps": (
        "command machine ours implementations implementations.registrations "
        "scripts.results"
    ),
    "benchmarks.scaling": "command libraries machine plan speed scripts.results",
    "benchmarks.straight": "command machine implementations scripts.results",
    "benchmarks.univariate": (
        "command libraries machine speed implementations scripts.results"
    ),
    "benchmarks.accuracy": (
        "command libraries machine implementations scripts.base scripts.cluster "
        "scripts.results"
    ),
    "benchmarks.exactness": (
        "command libraries machine implementations implementations.registrations "
        "scripts.results"
    ),
    "benchmarks.gpu": (
        "command flows libraries machine ours plan speed implementations "
        "implementations.registrations scripts.base scripts.results"
    ),
    "benchmarks.website": (
        "scripts.base scripts.catalogue scripts.exports scripts.readme scripts.site "
        "tests.support"
    ),
    "benchmarks.site": "command machine website scripts.base",
    "tests.support": (
        "frozen scripts.add scripts.base scripts.catalogue scripts.execute "
        "scripts.links scripts.papers scripts.site scripts.sources"
    ),
}


def imported(source: str) -> Iterator[tuple[str, bool]]:
    """Each name that the source imports, and whether at module level."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in tree.body) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: name the module in full"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node in tree.body


@cache
def modules() -> dict[str, Path]:
    """Our modules by name."""
    files = (path for room in OURS for path in (ROOT / room).rglob("*.py"))
    named = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in files}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


@cache
def imports(module: str, lazy: bool = True) -> frozenset[str]:
    """The imports of a module: ours by module, others by package."""
    if module not in modules():
        return frozenset()
    found = imported(modules()[module].read_text("utf-8"))
    return frozenset(_module(name) for name, at_once in found if lazy or at_once)


def _module(name: str) -> str:
    if name.partition(".")[0] not in OURS:
        return name.partition(".")[0]
    return name if name in modules() else name.rpartition(".")[0]


def reach(module: str, lazy: bool = True) -> set[str]:
    """The imports of a module, and what these import in turn."""
    found: set[str] = set()
    new = {module}
    while new:
        found |= new
        new = {name for old in new for name in imports(old, lazy)} - found
    return found - {module}


def within(house: str) -> list[str]:
    return [module for module in modules() if module.split(".")[0] == house]


def room_of(module: str) -> str:
    """The folder of the module in its house, or the module where it stands alone."""
    house, *below = module.split(".")[:2]
    if house == "implementations" and below not in (["registrations"], ["scale"]):
        return house
    return ".".join([house, *below])


def rooms() -> dict[str, set[str]]:
    """Whom each room imports."""
    found: dict[str, set[str]] = {room_of(module): set() for module in modules()}
    for module in modules():
        found[room_of(module)] |= {
            room_of(name) for name in imports(module) if name in modules()
        }
    return {room: others - {room} for room, others in found.items()}


def allowed(room: str) -> set[str]:
    house = room.partition(".")[0]
    return {
        name if "." in name or name == "implementations" else f"{house}.{name}"
        for name in ARROWS[room].split()
    }


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b, c\nfrom d import e\ndef f():\n    from g.h import i as j\n"
    names = [("a.b", True), ("c", True), ("d.e", True), ("g.h.i", False)]
    assert list(imported(source)) == names


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_those_that_it_may(room: str) -> None:
    strays = rooms()[room] - allowed(room)
    assert not strays, "change the import, or the table of arrows"


def test_arrows_have_every_room() -> None:
    houses = {"scripts", "implementations", "benchmarks"}
    asked = {room for room in rooms() if room.split(".")[0] in houses} - houses
    assert asked | {"implementations", "tests.support"} == ARROWS.keys()


def test_rooms_import_each_other_in_no_circle() -> None:
    TopologicalSorter(rooms()).prepare()


def test_modules_import_each_other_in_no_circle() -> None:
    TopologicalSorter(
        {name: imports(name) & modules().keys() for name in modules()}
    ).prepare()


WRITES = re.compile(
    r".+\.write_(text|bytes)|(os|shutil)\.(replace|rename|move)|json\.dump|.+\.mkstemp"
    r"|(.+\.)?open\(.*'[rb]*[wax+].*"
)


def writes(source: str) -> set[str]:
    """Calls in the source that write files."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        name
        for call in calls
        if WRITES.fullmatch(name := ast.unparse(call.func))
        or WRITES.fullmatch(name := ast.unparse(call))
    }


@pytest.mark.parametrize("module", within("scripts"))
def test_one_module_alone_writes_files(module: str) -> None:
    found = writes(modules()[module].read_text("utf-8"))
    assert found == set() or module == "scripts.base.files"


def test_what_writes_files_is_found() -> None:
    source = "path.write_text('')\nos.replace(a, b)\nopen(p, 'wb')\np.open(mode='a')"
    assert writes(source) == {
        *("path.write_text", "os.replace", "open(p, 'wb')", "p.open(mode='a')")
    }
    assert writes("text.replace('a', 'b')\nopen(p)\np.open('r')\nwrite(p)") == set()


@pytest.mark.parametrize("module", modules())
def test_only_the_build_knows_mkdocs(module: str) -> None:
    knowing = {"scripts.site.hooks", "scripts.site.build"}
    assert module in knowing or "mkdocs" not in imports(module)


@pytest.mark.published
def test_papers_build_on_the_core_and_on_earlier_papers() -> None:
    papers = load(ROOT / "resources.yaml", ROOT / "implementations").publications
    order = [f"implementations.{paper.id}" for paper in papers if paper.implemented]
    core = [name for name in modules() if name.startswith("implementations.core")]
    for earlier, module in [(0, name) for name in core] + list(enumerate(order)):
        built_on = imports(module, lazy=False) & set(order)
        assert built_on <= set(order[:earlier]), module


def extra(name: str) -> set[str]:
    """Distributions that an extra of pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["optional-dependencies"][name]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines}


def test_the_site_needs_nothing_that_only_flows_and_tests_install() -> None:
    beyond = (extra("flows") | extra("cluster") | extra("test")) - extra("site")
    hooks, command = "scripts.site.hooks", "scripts.__main__"
    needed = reach(hooks, lazy=False) | reach(command, lazy=False)
    owners = packages_distributions()
    used = {owner for name in needed for owner in owners.get(name, [])}
    assert not used & beyond
    assert "PyYAML" in used


@pytest.mark.parametrize("module", within("scripts"))
def test_no_command_waits_for_what_only_asking_services_needs(module: str) -> None:
    assert not imports(module, lazy=False) & {"requests", "urllib3"}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_we_name_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = (ROOT / document).read_text("utf-8")
    named = set(re.findall(r"(?:`|^\s*(?:\$ )?)make ([a-z-]+)", text, re.M))
    assert named
    assert named <= targets


QUESTIONS = re.compile(r"(What|Whether|How)\b")


def questions(source: str) -> list[str]:
    """First lines of docstrings that ask instead of saying what the thing is."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    firsts = ((ast.get_docstring(node) or "").partition("\n")[0] for node in nodes)
    return [first for first in firsts if QUESTIONS.match(first)]


def test_questions_are_found() -> None:
    source = (
        '"""What it is."""\ndef f():\n    """Whether."""\nclass A:\n    """However."""'
    )
    assert questions(source) == ["What it is.", "Whether."]


# Reworded together with their replays, which are on their way.
LATER = {
    *("implementations.core.claims", "implementations.core.environment"),
    *("implementations.core.fit", "implementations.glow", "implementations.made"),
}


@pytest.mark.parametrize(
    "module",
    sorted(
        {*within("scripts"), *within("benchmarks"), *within("implementations")} - LATER
    ),
)
def test_a_docstring_says_what_the_thing_is(module: str) -> None:
    assert questions(modules()[module].read_text("utf-8")) == []


def classes() -> dict[str, list[str]]:
    """The modules that define each class, but for the tests' frozen papers."""
    found: dict[str, list[str]] = {}
    for module, path in modules().items():
        if room_of(module) != "tests.frozen":
            nodes = ast.walk(ast.parse(path.read_text("utf-8")))
            for name in {node.name for node in nodes if isinstance(node, ast.ClassDef)}:
                found.setdefault(name, []).append(module)
    return found


def test_a_class_name_stands_once() -> None:
    twice = {name: where for name, where in classes().items() if len(where) > 1}
    assert twice == {}, "name one of them by what it is"


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    names = run.stdout.decode("utf-8").rstrip("\0").split("\0")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def places_of_this_machine() -> set[str]:
    return {f"{place}/" for place in (ROOT, Path.home()) if len(place.parts) > 1}


def registries_of_this_machine() -> set[str]:
    """Hosts that pip is set up to ask instead of the public one."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    settings = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout
    hosts = {
        urlsplit(url).hostname for url in re.findall(r"https?://[^\s'\"]+", settings)
    }
    return {host for host in hosts if host and not host.endswith("pypi" + ".org")}


def test_no_tracked_file_speaks_of_this_machine() -> None:
    needles = [
        text.encode()
        for text in places_of_this_machine() | registries_of_this_machine()
    ]
    guilty = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if any(needle in path.read_bytes() for needle in needles)
    ]
    assert guilty == []


def test_constraints_are_versions_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    wrong = [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line)]
    assert wrong == []
