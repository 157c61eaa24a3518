"""BibTeX, read back by pybtex."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from pybtex.database import Entry as BibtexEntry
from pybtex.database import Person, parse_string

from scripts.catalogue import Catalogue, Publication
from scripts.exports import bibtex_entry, to_bibtex
from tests.catalogue.hostile import (
    EVERY_CATALOGUE,
    PROJECT,
    TEXTS,
    catalogue_of,
    entry,
)
from tests.frozen import frozen_catalogue

COMMANDS = {
    r"\textbackslash": "\\",
    r"\textbraceleft": "{",
    r"\textbraceright": "}",
    r"\textasciicircum": "^",
    r"\textasciitilde": "~",
    r"\textless": "<",
    r"\textgreater": ">",
    r"\textbar": "|",
    **{f"\\{sign}": sign for sign in "$&#%_"},
}


def from_latex(text: str) -> str:
    r"""Undo {\command}; anything else with a meaning to LaTeX is a fault."""
    rest = re.sub(r"\{\\(?:text\w+|[$&#%_])\}", "", text)
    assert not re.search(r"[\\{}$&#%_^~<>|]", rest), rest
    return re.sub(r"\{(\\(?:text\w+|[$&#%_]))\}", lambda m: COMMANDS[m[1]], text)


def braced(text: str) -> str:
    assert text.startswith("{") and text.endswith("}"), text
    return text[1:-1]


def full_name(person: Person) -> str:
    kinds = ("first", "middle", "prelast", "last", "lineage")
    parts = [name for kind in kinds for name in person.get_part(kind)]
    whole = re.fullmatch(r"\{((?!\\).*)\}", " ".join(parts))
    return from_latex(whole[1] if whole else " ".join(parts))


def one_line(text: str) -> str:
    return " ".join(text.split())


def check_bibtex_entry(found: BibtexEntry, paper: Publication) -> None:
    assert found.type == "misc"
    assert found.persons is not None and found.fields is not None
    people = [full_name(person) for person in found.persons["author"]]
    assert people == [one_line(author) for author in paper.authors]
    fields: dict[str, str] = dict(found.fields.items())
    assert from_latex(braced(fields.pop("title"))) == one_line(paper.title)
    assert from_latex(fields.pop("note", "")) == one_line(paper.venue or "")
    assert fields.pop("year") == str(paper.date.year)
    months = {paper.date.first.strftime("%B")} if paper.date.month else {""}
    assert {fields.pop("month", "")} == months
    assert unquote(fields.pop("url")) == unquote(paper.url)
    if eprint := fields.pop("eprint", None):
        assert fields.pop("archivePrefix") == "arXiv"
        assert paper.url == f"https://arxiv.org/abs/{eprint}"
    assert fields == {}


def check_bibtex(catalogue: Catalogue) -> None:
    bibliography = parse_string(to_bibtex(catalogue, PROJECT), "bibtex")
    assert list(bibliography.entries) == [paper.id for paper in catalogue.publications]
    for paper in catalogue.publications:
        check_bibtex_entry(bibliography.entries[paper.id], paper)


@EVERY_CATALOGUE
def test_bibtex_comes_back_equal(make: Callable[[], Catalogue]) -> None:
    check_bibtex(make())


def test_bibtex_entry_is_what_one_pastes() -> None:
    papers = {paper.id: paper for paper in frozen_catalogue().publications}
    assert bibtex_entry(papers["nice"]) == (
        "@misc{nice,\n"
        "  title = {{NICE: Non-linear Independent Components Estimation}},\n"
        "  author = {Laurent Dinh and David Krueger and Yoshua Bengio},\n"
        "  year = {2014},\n"
        "  month = oct,\n"
        "  eprint = {1410.8516},\n"
        "  archivePrefix = {arXiv},\n"
        "  url = {https://arxiv.org/abs/1410.8516},\n"
        "  note = {ICLR 2015 workshop track},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("author", "written"),
    [
        ("Diederik P. Kingma", "Diederik P. Kingma"),
        ("Rianne van den Berg", "Rianne van den Berg"),
        ("OpenAI", "OpenAI"),
        ("Andy Sand", "Andy Sand"),
        ("The PyMC developers", "{The PyMC developers}"),
        ("The Stan Forum", "{The Stan Forum}"),
        ("Gemini Team", "{Gemini Team}"),
        ("bell hooks", "{bell hooks}"),
        ("Sammy Davis, Jr.", "{Sammy Davis, Jr.}"),
        ("Barnes AND Noble", "{Barnes AND Noble}"),
        ("others", "{others}"),
        ("AT&T Labs", r"AT{\&}T Labs"),
    ],
)
def test_bibtex_braces_whom_it_would_misread(author: str, written: str) -> None:
    text = bibtex_entry(entry(Publication, "paper", authors=(author, "A B")))
    assert f"  author = {{{written} and A B}},\n" in text


def test_bibtex_reads_particles() -> None:
    text = bibtex_entry(entry(Publication, "paper"))
    person = parse_string(text, "bibtex").entries["paper"].persons["author"][1]
    assert person.prelast_names == ["van", "den"]
    assert person.last_names == ["Berg"]


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("https://arxiv.org/abs/1410.8516", {"eprint": "1410.8516"}),
        ("https://www.arxiv.org/pdf/1912.02762v2.pdf", {"eprint": "1912.02762"}),
        ("https://arxiv.org/abs/hep-th/9901001v1", {"eprint": "hep-th/9901001"}),
        ("https://arxiv.org/list/stat.ML/recent", {}),
        ("https://doi.org/10.1000/a_b%20c", {"doi": "10.1000/a_b%20c"}),
        ("https://doi.org/10.1000/}x{", {"doi": "10.1000/%7Dx%7B"}),
        ("https://example.org/10.1000/1", {}),
    ],
)
def test_bibtex_names_the_preprint_or_the_doi(url: str, fields: dict[str, str]) -> None:
    text = bibtex_entry(entry(Publication, "paper", url=url))
    found = parse_string(text, "bibtex").entries["paper"].fields
    assert {key: found[key] for key in ("eprint", "doi") if key in found} == fields
    assert ("archivePrefix" in found) == ("eprint" in fields)


def test_bibtex_address_cannot_leave_its_field() -> None:
    paper = entry(Publication, "paper", url=r"https://example.org/}a{ \b%20_~#c&d")
    found = parse_string(bibtex_entry(paper), "bibtex").entries["paper"]
    assert found.fields["url"] == "https://example.org/%7Da%7B%20%5Cb%20_~#c&d"


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_bibtex_holds_any_text(text: str) -> None:
    check_bibtex(catalogue_of(text))
