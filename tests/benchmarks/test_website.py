"""The benchmark runs, at small sizes, and its scales are right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import site
from benchmarks.site import Measure
from benchmarks.website.pages import requests, weigh
from scripts.catalogue import load
from tests.frozen import copy_list, frozen_catalogue

ROOT = "https://example.org/list/"


def over_budget(sizes: site.Sizes) -> Iterator[Measure]:
    yield Measure("free", sizes.entries, "s")
    yield Measure("kept", 1.0, "s", 1)
    yield Measure("broken", 70.25, "MB", 60)


def test_verdict_says_by_how_much() -> None:
    assert [m.verdict for m in over_budget(site.QUICK)] == ["", "ok", "over by 10.2 MB"]


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--assert"], 1)])
def test_only_assert_turns_a_broken_budget_into_a_failure(
    arguments: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(site, "measure", over_budget)
    output = tmp_path / "site.json"
    assert site.main([*arguments, "--output", str(output)]) == status
    assert "≤ 60  over by 10.2 MB\n" in capsys.readouterr().out
    broken = {"name": "broken", "value": 70.25, "unit": "MB", "budget": 60}
    assert json.loads(output.read_text("utf-8"))["measures"][-1] == broken


@pytest.mark.thorough
def test_benchmark_measures_everything(tmp_path: Path) -> None:
    output = tmp_path / "site.json"
    assert site.main(["--quick", "--output", str(output)]) == 0
    report = json.loads(output.read_text("utf-8"))
    assert list(report) == ["date", "machine", "versions", "measures"]
    assert set(report["machine"]) == {"cores", "model", "memory_gb"}
    values = {m["name"]: m["value"] for m in report["measures"]}
    budgets = {m["name"]: m["budget"] for m in report["measures"]}
    assert {name: most for name, most in budgets.items() if most is not None} == {
        "check + README + exports": 3,
        "the ratio of these two": 4,
        "peak memory": 400,
        "today's site, first build": 15,
        "the same, after an entry changed": 5,
        "home, sent at first": 200,
        "home, largest paint": 2.5,
        "home, layout shift": 0.05,
        "list, sent at first": 300,
        "list, largest paint": 2.5,
        "list, layout shift": 0.05,
        "notebook, sent at first": 300,
        "notebook, largest paint": 2.5,
        "notebook, layout shift": 0.05,
        "list of 30 publications, gzipped": 250,
        "list of 30 publications, a keystroke": 50,
        "NICE's page, HTML": 60,
        "NICE's page, gzipped": 15,
        "NICE's page, base64": 0,
        "NICE's page, requests to other hosts": 0,
        "site of 30 publications, build": 12,
        "site of 30 publications, policies": 5,
        "site of 30 publications, size": 60,
    }
    nothing = {name for name in values if name.endswith(("base64", "hosts", "shift"))}
    assert all(values[name] > 0 for name in budgets.keys() - nothing)


@pytest.mark.parametrize("size", [3, 40])
def test_a_list_of_any_size_and_with_any_dates_is_enlarged(
    size: int, tmp_path: Path
) -> None:
    copy_list(tmp_path)
    before = frozen_catalogue().publications
    site._enlarge(tmp_path / "resources.yaml", size)
    after = load(tmp_path / "resources.yaml", tmp_path / "implementations").publications
    assert len(after) == max(size, len(before))
    assert {paper.id for paper in before} <= {paper.id for paper in after}


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<img src="https://other.org/a.png">', {"https://other.org/a.png"}),
        ('<img src="//other.org/a.png">', {"https://other.org/a.png"}),
        ('<img src="../a.png?v=1">', {f"{ROOT}a.png?v=1"}),
        ('<img src="data:image/png;base64,AAAA">', set()),
        ('<img srcset="a.png 1x, b.png 2x">', {f"{ROOT}x/a.png", f"{ROOT}x/b.png"}),
        ('<link rel="shortcut icon" href="/i.svg">', {"https://example.org/i.svg"}),
        ('<link rel="preconnect" href="https://f.org">', {"https://f.org"}),
        ('<link rel="canonical" href="https://other.org">', set()),
        ('<a href="https://other.org">x</a>', set()),
        ("<p style=\"background: url('b.png')\">", {f"{ROOT}x/b.png"}),
        ("<style>@import 'c.css'; p { x: url(#y) }</style>", {f"{ROOT}x/c.css"}),
        ("<p>@import 'c.css'</p>", set()),
        ("<style></style><p>url(c.png)</p>", set()),
    ],
)
def test_requests_are_what_a_browser_fetches(html: str, found: set[str]) -> None:
    assert requests(html, f"{ROOT}x/") - {f"{ROOT}x/"} == found


def test_weight_counts_what_the_stylesheets_fetch(tmp_path: Path) -> None:
    page = (
        '<link rel="stylesheet" href="../assets/a.css?v=1">'
        '<img src="data:image/png;base64,AAAA"><img src="b.png">'
    )
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(page, "utf-8")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.css").write_text(
        '@font-face { src: url("https://other.org/f.woff2") } p { x: url(own.png) }'
    )
    weight = weigh(tmp_path, "page/", ROOT)
    assert weight.html == len(page)
    assert weight.gzipped == len(gzip.compress(page.encode()))
    assert weight.base64 == 1
    assert weight.foreign == ["https://other.org/f.woff2"]
