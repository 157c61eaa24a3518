"""README.md: whole, inert, within GitHub's limit, the same on every run."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from scripts import readme
from scripts.__main__ import main
from scripts.base.dates import PartialDate, long_date
from scripts.base.project import ROOT, read_project
from scripts.base.text import people
from scripts.catalogue import Catalogue, Code, Publication, load
from tests.frozen import LIST, frozen_catalogue
from tests.support.payloads import PAYLOADS, TEXT

PROJECT = read_project()
DATE = datetime.date(2020, 1, 2)


@pytest.fixture
def catalogue() -> Catalogue:
    return frozen_catalogue()


def paper(number: int = 0, **fields: object) -> Publication:
    facts = {
        "id": f"paper_{number}",
        "title": f"Paper {number}",
        "authors": ("Ada Lovelace",),
        "date": PartialDate(2020, 1, 2),
        "url": f"https://example.org/{number}",
        "note": "Worth reading.",
        "tags": ("flows",),
        "added": DATE,
        "implementation": "wanted",
    }
    return Publication.model_validate(facts | fields)


def of(*papers: Publication) -> Catalogue:
    return Catalogue(
        tags={"flows": "Flows"}, publications=papers, videos=(), blogs=(), code=()
    )


def parse(page: str):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)


def links(page: str) -> list[str]:
    return [
        str(token.attrs["href"])
        for block in parse(page)
        for token in block.children or ()
        if token.type == "link_open"
    ]


def test_every_entry_is_there_in_full(catalogue: Catalogue) -> None:
    page = readme.render(catalogue, PROJECT)
    targets = links(page)
    for entry in catalogue.entries:
        assert entry.url in targets
        assert set(entry.links.values()) <= set(targets)
        assert f"- {long_date(entry.date)} - [" in page
        assert people(entry.authors) in page


def test_a_line_of_the_list_reads_as_it_should() -> None:
    video_less = readme.render(of(paper(title="Flow", implementation=None)), PROJECT)
    assert (
        "\n- Jan 2, 2020 - [Flow](https://example.org/0) by Ada Lovelace. "
        "[📓 Notebook](docs/notebooks/paper_0.ipynb) ([open in Colab]"
        "(https://colab.research.google.com/github/janosh/awesome-normalizing-flows"
        "/blob/main/docs/notebooks/paper_0.ipynb)).\n\n  > Worth reading.\n"
    ) in video_less
    assert "notebooks for 1 of 1 papers" in video_less
    assert "## 📺 Videos (0)" in video_less


def test_a_wanted_paper_is_further_reading_and_offers_no_notebook() -> None:
    page = readme.render(of(paper()), PROJECT)
    assert "Notebook]" not in page
    assert "notebooks for 0 of 1 papers" in page
    further = page.partition("## 📚 Further reading (1)")[2]
    assert (
        "\n- Jan 2, 2020 - [Paper 0](https://example.org/0) by Ada Lovelace. Worth "
        "reading. [Implement it](CONTRIBUTING.md#implement-a-paper).\n"
    ) in further


def test_further_reading_stands_by_year_the_first_years_together() -> None:
    years = [2000, 2011, *[2016] * 5, 2018]
    papers = (paper(n, date=PartialDate(year, 1, 1)) for n, year in enumerate(years))
    page = readme.render(of(*papers), PROJECT)
    headings = ["Until 2015", "2016", "2018"]
    assert re.findall(r"^### (.*)", page, re.MULTILINE) == headings
    assert "\n### " not in readme.render(of(paper(0), paper(1)), PROJECT)


def test_names_of_frameworks_are_text_and_lose_no_program() -> None:
    names = ("a: b", "Others", "# <b>*", "Applications")
    code = tuple(
        software(n, "package", name, "Python")
        for n, name in enumerate(name for name in names for _ in range(3))
    )
    page = readme.render(of().model_copy(update={"code": code}), PROJECT)
    titles = [link for link in links(page) if "example.org" in link]
    assert sorted(titles) == sorted(entry.url for entry in code)
    assert "### a: b: packages\n" in page
    assert "<b>" not in page


def software(number: int, kind: str, framework: str, language: str) -> Code:
    facts = paper(number).model_dump(exclude={"implementation"})
    facts |= {"kind": kind, "languages": (language,), "frameworks": (framework,)}
    return Code.model_validate(facts)


def test_software_stands_by_framework_packages_first_and_applications_last() -> None:
    code = (
        software(0, "application", "JAX", "Python"),
        *(software(n, "repository", "PyTorch", "Python") for n in (1, 2)),
        software(3, "package", "PyTorch", "Python"),
        software(4, "package", "Keras", "Python"),
        *(software(n, "package", "Flux", "Julia") for n in (5, 6, 7)),
    )
    page = readme.render(of().model_copy(update={"code": code}), PROJECT)
    assert re.findall(r"^### (.*)", page, re.MULTILINE) == [
        *("Julia: packages", "PyTorch: packages", "PyTorch: repositories"),
        *("Others: packages", "Applications"),
    ]


def test_papers_that_run_stand_by_family() -> None:
    papers = [paper(n, implementation=None) for n in range(4)]
    runs = dict(paper_3="Coupling flows", paper_0="Splines", paper_1="Splines")
    page = readme.render(of(*papers), PROJECT, runs={**runs, "paper_2": ""})
    there = re.findall(r"^### (.*)|^- .*\[(Paper \d)\]", page, re.MULTILINE)
    assert ["".join(each) for each in there] == [
        *("Coupling flows", "Paper 3", "Splines", "Paper 0", "Paper 1"),
        *("Others", "Paper 2"),
    ]


def test_a_draft_offers_its_notebook_once_it_is_there(tmp_path: Path) -> None:
    """So `make new` leaves README.md as it is, and `make notebooks` writes the link."""
    listed, wanted = of(paper(implementation=None)), of(paper())
    notebook = tmp_path / "docs" / "notebooks" / "paper_0.ipynb"

    def page(catalogue: Catalogue) -> str:
        runs = readme.running(catalogue, tmp_path / "implementations")
        return readme.render(catalogue, PROJECT, runs=runs)

    assert page(listed) == page(wanted)
    notebook.parent.mkdir(parents=True)
    notebook.touch()
    assert "(docs/notebooks/paper_0.ipynb)" in page(listed)
    assert "notebooks for 1 of 1 papers" in page(listed)


def test_contents_lead_to_headings(catalogue: Catalogue) -> None:
    page = readme.render(catalogue, PROJECT)
    wanted = {link[1:] for link in links(page) if link.startswith("#")}
    anchors = re.findall(r'<a id="([^"]+)"></a>\n\n##', page)
    assert sorted(wanted) == sorted(anchors)
    assert len(re.findall(r"^## ", page, re.MULTILINE)) == 8  # and the contents
    contents = page[: page.index(anchors[0] + '"></a>')]
    for part in re.findall(r"^### (.+)", page, re.MULTILINE):
        assert f"[{part}](#" in contents


@pytest.mark.parametrize("share", [2, 3, 5, 20])
def test_what_is_surely_too_long_is_not_rendered(
    catalogue: Catalogue, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else: the page is the same when all shapes are rendered."""
    limit = len(readme.render(catalogue, PROJECT).encode()) // share
    page = readme.render(catalogue, PROJECT, limit=limit)
    monkeypatch.setattr(readme, "_least", lambda shape: lambda entry: 0)
    assert page == readme.render(catalogue, PROJECT, limit=limit)


@pytest.mark.published
def test_it_is_no_longer_than_one_reads_on_github() -> None:
    published = load(ROOT / "resources.yaml", ROOT / "implementations")
    runs = readme.running(published, ROOT / "implementations")
    page = readme.render(published, PROJECT, runs=runs)
    assert len(page.encode()) <= 200_000
    assert page == readme.render(published, PROJECT, runs=runs)


@pytest.mark.published
def test_files_it_links_to_exist() -> None:
    published = load(ROOT / "resources.yaml", ROOT / "implementations")
    page = readme.render(published, PROJECT)
    local = [link for link in links(page) if not re.match(r"https://|#", link)]
    local += re.findall(r'(?:src|srcset)="([^"]+)"', page)
    assert local
    for path in local:
        assert (ROOT / path.partition("#")[0]).is_file(), path


def test_commands_it_names_exist(catalogue: Catalogue) -> None:
    page = readme.render(catalogue, PROJECT)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE))
    assert {"site", "test", "serve", "notebooks", "bench"} <= named <= set(targets)


def test_the_same_bytes_on_every_run(catalogue: Catalogue) -> None:
    assert readme.render(catalogue, PROJECT) == readme.render(catalogue, PROJECT)


HOSTILE = [name for name, payload in PAYLOADS.items() if TEXT in payload.admitted]


@pytest.mark.parametrize("name", HOSTILE)
def test_text_of_an_entry_stays_text(name: str) -> None:
    text = " ".join(PAYLOADS[name].text.split())
    tame = parse(readme.render(of(paper()), PROJECT))
    nasty = parse(
        readme.render(of(paper(title=text, authors=(text,), affiliation=text)), PROJECT)
    )
    assert [token.type for token in tame] == [token.type for token in nasty]
    title = next(
        t for t in nasty if t.type == "inline" and "example.org/0" in t.content
    )
    opening = [c.type for c in title.children or ()].index("link_open")
    closing = [c.type for c in title.children or ()].index("link_close")
    shown = "".join(
        c.content
        for c in (title.children or ())[opening:closing]
        if c.type != "html_inline"
    )
    assert shown == text


def test_notes_go_first_when_the_list_outgrows_github() -> None:
    many = of(*(paper(n, note="x" * 500) for n in range(100)))
    full = readme.render(many, PROJECT)
    short = readme.render(many, PROJECT, limit=len(full.encode()) - 1)
    assert "x" * 500 in full and "outgrown" not in full
    assert "x" * 500 not in short and "so the notes are [on the website]" in short
    assert short.count("\n- Jan 2, 2020 - ") == 100


def test_then_the_oldest_entries_go() -> None:
    many = of(*(paper(n) for n in range(100)))
    whole = readme.render(many, PROJECT)
    page = readme.render(many, PROJECT, limit=len(whole.encode()) // 2)
    assert len(page.encode()) <= len(whole.encode()) // 2
    kept = page.count("\n- Jan 2, 2020 - ")
    assert 0 < kept < 100
    assert f"below are the newest {kept} entries" in page
    assert "[Paper 99]" in page and "[Paper 0]" not in page
    assert "## 📚 Further reading (100)" in page


def test_check_shows_the_difference_and_names_the_right_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "README.md"
    command = ["readme", "--catalogue", str(LIST), "--output", str(target)]
    assert main(command) == 0
    whole = target.read_bytes()
    assert main([*command, "--check"]) == 0
    target.write_bytes(whole.replace(b"## \xf0\x9f\x93\xba Videos", b"## Films"))
    capsys.readouterr()
    edited = target.read_bytes()
    assert main([*command, "--check"]) == 1
    out, err = capsys.readouterr()
    assert "-## Films (4)\n+## 📺 Videos (4)\n" in out
    assert "README.md is generated: edit resources.yaml instead" in err
    assert target.read_bytes() == edited


def test_a_bad_catalogue_leaves_the_readme_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, broken = tmp_path / "README.md", tmp_path / "resources.yaml"
    target.write_text("as it was")
    broken.write_text("publications: [")
    command = ["readme", "--catalogue", str(broken), "--output", str(target)]
    with pytest.raises(SystemExit, match="1"):
        main(command)
    assert "resources.yaml:1:15: syntax" in capsys.readouterr().err
    assert target.read_text() == "as it was"


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    target = tmp_path / "README.md"
    page = readme.render(of(paper()), PROJECT)
    readme.write(target, page)
    before = target.stat().st_mtime_ns
    readme.write(target, page)
    assert target.stat().st_mtime_ns == before
