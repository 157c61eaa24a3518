"""The generator and the site at scale, against their budgets.

`python -m benchmarks.site` writes benchmarks/results/site.json and prints a table. The
heavy work runs in processes of its own; what follows here only starts and weighs it.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from benchmarks.command import FOLDER, Command, say
from benchmarks.machine import origin
from benchmarks.website import pages
from benchmarks.website.generate import generate
from scripts.base.files import write_atomic
from scripts.base.project import ROOT, read_project

RESULTS = FOLDER / "site.json"
PACKAGES = ("mkdocs", "mkdocs-material", "pydantic", "pyyaml", "jinja2")


class CommandError(Exception):
    """A command that is measured has failed; says which, and what it said."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of generated lists, and how often each is timed."""

    entries: int
    publications: int
    repeats: int


FULL = Sizes(entries=10_000, publications=2_000, repeats=5)
QUICK = Sizes(entries=200, publications=30, repeats=1)


@dataclass(frozen=True)
class Measure:
    """One number, and the most that it may be."""

    name: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def verdict(self) -> str:
        """`ok`, or by how much the budget is passed; empty without a budget."""
        if self.budget is None:
            return ""
        over = self.value - self.budget
        return f"over by {over:,.3g} {self.unit}" if over > 0 else "ok"


def measure(sizes: Sizes) -> Iterator[Measure]:
    """Measure everything, in temporary directories; the checkout is left alone."""
    with tempfile.TemporaryDirectory() as directory:
        yield from _measure_pipeline(sizes, Path(directory))
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        _copy_project(copy)
        yield from _measure_site(copy)
        yield from _measure_visits(sizes, copy / "site")
        yield from _measure_large_site(sizes, copy)
        yield from _measure_filter(sizes, copy / "site")


def _measure_pipeline(sizes: Sizes, directory: Path) -> Iterator[Measure]:
    say(f"Timing the catalogue's pipeline, {sizes.entries:,} entries")
    source = directory / "resources.yaml"
    kinds = sizes.entries // 4
    source.write_text(generate(kinds, kinds, kinds, kinds, seed=0), "utf-8")
    arguments = [str(source), str(sizes.repeats)]
    result = json.loads(_python("-m", "benchmarks.website.pipeline", *arguments))
    yield Measure("entries", sizes.entries, "")
    yield Measure("bytes per entry", source.stat().st_size / sizes.entries, "B")
    for stage, seconds in result["stages"].items():
        yield Measure(stage, seconds, "s")
    yield Measure("check + README + exports", result["total"], "s", 3)
    yield Measure("the same, collector off", result["total_bare"], "s")
    yield Measure("CSafeLoader, collector off", result["reference_bare"], "s")
    ratio = result["total_bare"] / result["reference_bare"]
    yield Measure("the ratio of these two", ratio, "×", 4)
    yield Measure("share of a core while timed", result["core"], "")
    yield Measure("peak memory", result["peak"], "MB", 400)


def _measure_site(copy: Path) -> Iterator[Measure]:
    say("Building today's site, twice")
    yield Measure("today's site, first build", _build(copy), "s", 15)
    _edit(copy / "resources.yaml")
    yield Measure("the same, after an entry changed", _build(copy), "s", 5)
    yield Measure("today's site, size", _size(copy / "site"), "MB")
    weight = pages.weigh(
        copy / "site", "notebooks/nice/", read_project(copy / "mkdocs.yml").site_url
    )
    yield Measure("NICE's page, HTML", weight.html / 1000, "kB", 60)
    yield Measure("NICE's page, gzipped", weight.gzipped / 1000, "kB", 15)
    yield Measure("NICE's page, base64", weight.base64, "", 0)
    yield Measure("NICE's page, requests to other hosts", len(weight.foreign), "", 0)


def _measure_visits(sizes: Sizes, site: Path) -> Iterator[Measure]:
    say("Visiting it, on a slow phone")
    arguments = ["views", str(site), str(sizes.repeats)]
    views = json.loads(_python("-m", "benchmarks.website.browser", *arguments))
    for kind, most in {"home": 200, "list": 300, "notebook": 300}.items():
        sent, paint, shift = views[kind]
        yield Measure(f"{kind}, sent at first", sent, "kB", most)
        yield Measure(f"{kind}, largest paint", paint, "s", 2.5)
        yield Measure(f"{kind}, layout shift", shift, "", 0.05)


def _measure_filter(sizes: Sizes, site: Path) -> Iterator[Measure]:
    say("Typing into the filter of its list")
    name = f"list of {sizes.publications:,} publications"
    compressed = len(gzip.compress((site / "list" / "index.html").read_bytes()))
    yield Measure(f"{name}, gzipped", compressed / 1000, "kB", 250)
    arguments = ["keys", str(site), str(sizes.repeats)]
    wait = float(_python("-m", "benchmarks.website.browser", *arguments))
    yield Measure(f"{name}, a keystroke", wait, "ms", 50)


def _measure_large_site(sizes: Sizes, copy: Path) -> Iterator[Measure]:
    say(f"Building a site of {sizes.publications:,} publications")
    _enlarge(copy / "resources.yaml", sizes.publications)
    name = f"site of {sizes.publications:,} publications"
    seconds = _build(copy)
    yield Measure(f"{name}, build", seconds, "s", 12)
    policies = 100 * pages.time_policies(copy / "site") / seconds
    yield Measure(f"{name}, policies", policies, "%", 5)
    yield Measure(f"{name}, size", _size(copy / "site"), "MB", 60)


def _edit(catalogue: Path) -> None:
    """Change the first entry's note."""
    text = catalogue.read_text("utf-8")
    catalogue.write_text(text.replace("note: >-\n", "note: >-\n      Edited.\n", 1))


def _enlarge(catalogue: Path, publications: int) -> None:
    """Add generated publications to the real ones, whose notebooks are there."""
    content = yaml.load(catalogue.read_bytes(), Loader=yaml.CSafeLoader)
    missing = max(0, publications - len(content["publications"]))
    generated = yaml.load(generate(missing, 0, 0, 0, seed=0), Loader=yaml.CSafeLoader)
    content["tags"] |= generated["tags"]
    content["publications"] += generated["publications"]
    content["publications"].sort(key=lambda entry: str(entry["date"]))
    text = yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True)
    catalogue.write_text(text, "utf-8")


def _copy_project(target: Path) -> None:
    """Copy the project's files, those too that are not in git yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    for name in listing.stdout.decode("utf-8").rstrip("\0").split("\0"):
        if (ROOT / name).is_file():  # not one that was removed, nor a folder's link
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _build(project: Path) -> float:
    """Seconds of a whole `mkdocs build`, from the start of its process."""
    start = time.perf_counter()
    _python("-m", "mkdocs", "build", "--quiet", directory=project)
    return time.perf_counter() - start


def _python(*arguments: str, directory: Path = ROOT) -> str:
    run = subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True
    )
    if run.returncode:
        raise CommandError(f"python {' '.join(arguments)} failed:\n{run.stderr}")
    return run.stdout


def _size(directory: Path) -> float:
    files = (path for path in directory.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files) / 1e6


def _report(measures: Sequence[Measure]) -> dict[str, object]:
    return {
        **origin(*PACKAGES),
        "measures": [asdict(m) | {"value": round(m.value, 3)} for m in measures],
    }


def _row(m: Measure) -> str:
    value = f"{m.value:,.0f}" if m.value >= 100 else f"{m.value:.3g}"
    budget = "" if m.budget is None else f"≤ {m.budget:g}"
    return f"{m.name:38} {value:>8} {m.unit:2} {budget:>6}  {m.verdict}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the results, print them; with --assert, exit 1 when over."""
    about = "Measure the generator and the site at scale, against their budgets."
    command = Command(RESULTS, about, quick="small sizes, once")
    command.add_argument(
        "--assert", action="store_true", dest="strict", help="exit 1 over budget"
    )
    args = command.parse(arguments)
    measures = []
    try:
        for m in measure(QUICK if args.quick else FULL):
            measures.append(m)
            print(_row(m), flush=True)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    if args.output:
        text = json.dumps(_report(measures), indent=2, ensure_ascii=False)
        write_atomic(args.output, f"{text}\n")
    return int(args.strict and any(m.verdict not in ("", "ok") for m in measures))


if __name__ == "__main__":
    sys.exit(main())
