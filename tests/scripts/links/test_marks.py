"""Dead addresses are marked, with a copy, wherever the list is shown."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from scripts import readme
from scripts.__main__ import main
from scripts.base.project import ROOT
from scripts.catalogue import Catalogue, Publication
from scripts.links.archive import lost
from scripts.site import pages as site
from tests.frozen import copy_list, frozen_catalogue
from tests.scripts.links.conftest import PROJECT, blog, catalogue
from tests.support.editions import edition_of

DAY = datetime.date(2026, 11, 20)
GONE = datetime.date(2026, 12, 1)
NOTE = "See [Part II](https://a.example/two#here), and `code`."
LINKS = {"Authors' code": "https://a.example/code"}
PAPER = Publication.model_validate(
    blog("paper", "https://a.example/paper", links=LINKS, note=NOTE).model_dump(
        exclude={"papers"}
    )
    | {"implementation": "wanted"}
)
LISTED = catalogue(
    blog("post", "https://a.example/post", papers=("paper",))
).model_copy(update={"publications": (PAPER,)})
EVERY = ["paper", "code", "two", "post"]
DEAD = {f"https://a.example/{name}": GONE for name in EVERY}


def pages(dead: dict[str, datetime.date], listed: Catalogue = LISTED) -> dict[str, str]:
    return site.generated(edition_of(listed, dead=dead))


def test_each_address_of_an_entry_has_a_copy_of_the_day_it_joined() -> None:
    assert lost(PAPER, DEAD) == [
        ("Paper", GONE, "https://web.archive.org/web/20261120/https://a.example/paper"),
        (
            "Authors' code",
            GONE,
            "https://web.archive.org/web/20261120/https://a.example/code",
        ),
        (
            "Part II",
            GONE,
            "https://web.archive.org/web/20261120/https://a.example/two#here",
        ),
    ]
    assert lost(PAPER, {}) == []


def mark(label: str, name: str) -> str:
    copy = f"https://web.archive.org/web/20261120/https://a.example/{name}"
    return (
        f'<p class="gone">Offline since Dec 1, 2026: {label}. '
        f'<a href="{copy}">Archived copy</a></p>'
    )


def test_list_and_paper_page_are_marked() -> None:
    made = pages(DEAD)
    for label, name in (
        ("Paper", "paper"),
        ("Authors&#39; code", "code"),
        ("Part II", "two#here"),
    ):
        assert made["list.md"].count(mark(label, name)) == 1
        assert made["papers/paper.md"].count(mark(label, name)) == 1
    for page in ("list.md", "papers/paper.md"):
        assert made[page].count(mark("Post", "post")) == 1


def test_a_guide_is_marked() -> None:
    guide = (
        '{% import "learn.html.jinja" as path with context %}'
        '{% call path.step("post", "Read") %}Why.{% endcall %}'
    )
    filled = site.fill_in(guide, edition_of(LISTED, dead=DEAD), "")
    assert mark("Post", "post") in filled


def test_the_home_page_is_marked() -> None:
    home = (ROOT / "docs/index.md").read_text("utf-8")
    filled = site.fill_in(home, edition_of(LISTED, dead=DEAD), "")
    assert filled.count(mark("Paper", "paper")) == 1
    assert filled.count(mark("Post", "post")) == 1


def test_the_readme_is_marked() -> None:
    page = readme.render(LISTED, PROJECT, DEAD)
    copy = "https://web.archive.org/web/20261120/https://a.example/paper"
    assert f"⚠️ Offline since Dec 1, 2026: Paper ([archived copy]({copy}))." in page
    assert page.count("Offline since") == 4


@pytest.mark.parametrize("dead", [{}, {"https://a.example/": GONE}])
def test_nothing_is_marked_that_is_not_dead(dead: dict[str, datetime.date]) -> None:
    assert pages(dead) == pages({})
    assert "Offline" not in "".join(pages(dead).values())
    assert readme.render(LISTED, PROJECT, dead) == readme.render(LISTED, PROJECT)


def test_labels_are_text() -> None:
    label = "<b>*x*</b> [y](z)"
    entry = blog("post", "https://a.example/", links={label: "https://a.example/code"})
    listed = catalogue(entry)
    assert "&lt;b&gt;*x*&lt;/b&gt; [y](z). <a" in pages(DEAD, listed)["list.md"]
    assert "<b>" not in readme.render(listed, PROJECT, DEAD)


def dead_line(url: str) -> str:
    times = {"since": "2026-12-08T05:17:00Z", "gone": "2026-12-01T05:17:00Z"}
    return json.dumps({"url": url, "state": "dead", "why": "404", **times}) + "\n"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    copy_list(tmp_path)
    return tmp_path


def test_every_way_to_the_readme_marks_the_same(clone: Path) -> None:
    """Whoever regenerates it, by hand or on main, leaves the marks where they are."""
    url = frozen_catalogue().publications[0].url
    (clone / "links.jsonl").write_text(dead_line(url))
    assert main(["readme"]) == 0
    marked = (clone / "README.md").read_text("utf-8")
    assert marked.count("⚠️ Offline since Dec 1, 2026: Paper") == 1
    assert main(["readme", "--check"]) == 0
    flags = ["--title", "A Post", "--authors", "Ada Lovelace", "--date", "2026-11-01"]
    flags += ["--tags", "coupling", "--note", "It flows.", "--offline"]
    assert main(["add", *flags, "https://example.org/post"]) == 0
    assert "⚠️ Offline" in (clone / "README.md").read_text("utf-8")
    assert main(["readme", "--check"]) == 0


def test_a_history_at_fault_is_told_by_whoever_reads_it(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (clone / "README.md").read_bytes()
    (clone / "links.jsonl").write_text("<<<<<<< HEAD\n")
    with pytest.raises(SystemExit, match="1"):
        main(["readme"])
    assert capsys.readouterr().err.startswith("links.jsonl:1:1: links: is no JSON")
    assert (clone / "README.md").read_bytes() == before
