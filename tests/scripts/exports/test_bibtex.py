"""BibTeX, read back by pybtex."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latexcodec.codec import UnicodeLatexIncrementalDecoder
from pybtex.database import Entry as BibtexEntry
from pybtex.database import Person, parse_string

from scripts.base.dates import PartialDate
from scripts.catalogue import Author, Catalogue, Organisation, Publication
from scripts.catalogue.names import split
from scripts.exports import to_bibtex
from scripts.exports.bibtex import bibtex_entry
from scripts.exports.latex import latex
from tests.frozen import frozen_catalogue
from tests.support.hostile import EVERY_CATALOGUE, PROJECT, TEXTS, catalogue_of, entry

# Each prints one sign; letters and symbols are tested with scripts.exports.latex.
COMMANDS = {
    r"\textbackslash": "\\",
    r"\textbraceleft": "{",
    r"\textbraceright": "}",
    r"\textasciicircum": "^",
    r"\textasciitilde": "~",
    r"\textasciigrave": "`",
    r"\textless": "<",
    r"\textgreater": ">",
    r"\textbar": "|",
    **{f"\\{sign}": sign for sign in "$&#%_"},
}


def pieces(source: str) -> Iterator[str]:
    """Cut LaTeX into its characters and its groups in braces."""
    depth = start = 0
    for place, character in enumerate(source):
        if character == "{":
            start = start if depth else place
            depth += 1
        depth -= character == "}"
        assert depth >= 0, source
        if not depth:
            yield source[start : place + 1] if character == "}" else character
    assert not depth, source


def from_latex(source: str) -> str:
    r"""Undo {\command}; anything else with a meaning to LaTeX is a fault.

    Letters beyond ASCII and symbols stay commands.
    """
    return "".join(map(_sign, pieces(source)))


def _sign(piece: str) -> str:
    if len(piece) == 1:
        assert piece not in "\\{}$&#%_^~<>|", piece
        return piece
    assert piece[:2] in ("{\\", "{$"), piece
    return COMMANDS.get(piece[1:-1], piece)


def written(text: str) -> str:
    """The same text as `from_latex` gives it back."""
    return from_latex(latex(text))


def bare(source: str) -> str:
    """Drop braces that keep words together."""
    together = r"\{(?![\\$])"
    return "".join(
        piece[1:-1] if re.match(together, piece) else piece for piece in pieces(source)
    )


def check_person(found: Person, author: Author) -> None:
    kinds = ("first", "middle", "prelast", "last", "lineage")
    parts = {kind: " ".join(map(bare, found.get_part(kind))) for kind in kinds}
    given = f"{parts['first']} {parts['middle']}".strip()
    surname = f"{parts['prelast']} {parts['last']}".strip()
    if isinstance(author, Organisation) or not given:
        assert from_latex(surname) == written(str(author))
        assert given == parts["lineage"] == ""
        return
    name = split(author)
    assert from_latex(given) == written(name.given)
    assert from_latex(surname) == written(name.surname)
    assert parts["lineage"] == name.suffix


def braced(text: str) -> str:
    assert text.startswith("{") and text.endswith("}"), text
    return text[1:-1]


def check_bibtex_entry(found: BibtexEntry, paper: Publication) -> None:
    assert found.type and found.persons is not None and found.fields is not None
    for person, author in zip(found.persons["author"], paper.authors, strict=True):
        check_person(person, author)
    fields: dict[str, str] = dict(found.fields.items())
    assert from_latex(braced(fields.pop("title"))) == written(paper.title)
    check_publication(found.type, fields, paper)
    assert unquote(fields.pop("url")) == unquote(paper.url)
    if eprint := fields.pop("eprint", None):
        assert fields.pop("archivePrefix") == "arXiv"
        assert paper.url == f"https://arxiv.org/abs/{eprint}"
    assert fields == {}


def check_publication(kind: str, fields: dict[str, str], paper: Publication) -> None:
    """Take the fields out that say where and when it appeared."""
    year = fields.pop("year")
    if kind == "misc":
        assert year == str(paper.date.year)
        month = fields.pop("month", "")
        assert month == (f"{paper.date.first:%B}" if paper.date.month else "")
        assert from_latex(fields.pop("note", "")) == written(paper.venue or "")
        return
    names = ("booktitle", "journal", "volume", "number", "pages")
    said = [fields.pop(name) for name in names if name in fields]
    assert re.findall(r"\w+", paper.venue or "") == [*said, year]


def check_bibtex(catalogue: Catalogue) -> None:
    bibliography = parse_string(to_bibtex(catalogue, PROJECT), "bibtex")
    papers = sorted(catalogue.publications, key=lambda paper: not paper.implemented)
    assert list(bibliography.entries) == [paper.id for paper in papers]
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
        "  author = {Dinh, Laurent and Krueger, David and Bengio, Yoshua},\n"
        "  year = {2014},\n"
        "  month = oct,\n"
        "  note = {ICLR 2015 workshop track},\n"
        "  eprint = {1410.8516},\n"
        "  archivePrefix = {arXiv},\n"
        "  url = {https://arxiv.org/abs/1410.8516},\n"
        "}\n"
    )


# As the program bibtex abbreviates them with abbrv.bst (TeX Live 2022): the comment.
@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("Diederik P. Kingma", "Kingma, Diederik P."),  # D.~P. Kingma
        ("Martin King Jr.", "King, Jr., Martin"),  # M.~King, Jr.
        ("Martin King, Jr.", "King, Jr., Martin"),
        ("Martin King jr", "King, jr, Martin"),
        ("Martin Luther King Sr.", "King, Sr., Martin Luther"),
        ("Hans van der Berg III", "van der Berg, III, Hans"),  # H.~van~der Berg, III
        ("King Jr.", "{King Jr.}"),
        ("Émile Zola", r"Zola, {\'E}mile"),  # {\'E}.~Zola
        ("Łukasz Kaiser", r"Kaiser, {\L}ukasz"),  # {\L}.~Kaiser
        ("Şule Öz", r"{\"O}z, {\c S}ule"),  # {\c S}.~{\"O}z
        ("İlker Ünal", r"{\"U}nal, {\.I}lker"),
        ("Đorđe Ðævar", r"{\DH}{\ae}var, {\DJ}or{\dj}e"),
        ("Ștefan Nguyễn", r"Nguy{\~{\^e}}n, {\textcommabelow S}tefan"),
        ("Ị Vįị Ïḯ", r"{\"I}{\'{\"\i}}, {\d I} V{\k i}{\d i}"),
        ("Jean-Émile Í", r"{\'I}, Jean-{\'E}mile"),  # J.-{\'E}. {\'I}
        ("E\u0301mile Zola", r"Zola, {\'E}mile"),
        ("Rianne van den Berg", "van den Berg, Rianne"),  # R.~van~den Berg
        ("Guy Van den Broeck", "Van den Broeck, Guy"),  # G.~Van~den Broeck
        ("Christopher De Sa", "De Sa, Christopher"),  # C.~De~Sa
        ("Ludwig von der Leyen", "von der Leyen, Ludwig"),
        ("Bruno de Finetti", "de Finetti, Bruno"),
        ("de Finetti", "de Finetti"),
        ("Jean d'Alembert", "d'Alembert, Jean"),
        ("Gerard 't Hooft", "'t Hooft, Gerard"),  # G.~'t~Hooft
        ("Omar al-Khayyam", "{al-Khayyam}, Omar"),  # O.~{al-Khayyam}
        ("Jascha Sohl-Dickstein", "Sohl-Dickstein, Jascha"),
        ("Kim Jong-un", "Jong-un, Kim"),
        ("bell hooks", "hooks, bell"),
        ("e. e. cummings", "cummings, e. e."),
        ("Aristotle", "Aristotle"),
        ("OpenAI", "OpenAI"),
        ("The Anh Han", "Han, The Anh"),
        ("Andy Sand", "Sand, Andy"),
        ("Bob “Lou” O’Brien", "O'Brien, Bob ``Lou''"),
        ("others", "{others}"),
        ("Barnes AND Noble", "Noble, Barnes {AND}"),
        ("Barnes, Noble", "Noble, {Barnes,}"),
        ("Ada –", "{--}, Ada"),
        (Organisation(organisation="Google DeepMind"), "{Google DeepMind}"),
        (Organisation(organisation="The PyMC developers"), "{The PyMC developers}"),
        (Organisation(organisation="Weights & Biases"), r"{Weights {\&} Biases}"),
        (Organisation(organisation="Procter and Gamble"), "{Procter and Gamble}"),
        (Organisation(organisation="Foo, Inc."), "{Foo, Inc.}"),
        (Organisation(organisation="École Jr."), r"{{\'E}cole Jr.}"),
    ],
)
def test_bibtex_reads_each_author_as_meant(author: Author, expected: str) -> None:
    text = bibtex_entry(entry(Publication, "paper", authors=(author, "A B")))
    assert f"  author = {{{expected} and B, A}},\n" in text
    people = parse_string(text, "bibtex").entries["paper"].persons["author"]
    assert len(people) == 2
    check_person(people[0], author)


MONTH = {"year": "2020", "month": "February"}


@pytest.mark.parametrize(
    ("venue", "kind", "fields"),
    [
        (None, "misc", MONTH),
        ("ICML 2021", "inproceedings", {"booktitle": "ICML", "year": "2021"}),
        ("NeurIPS 2019", "inproceedings", {"booktitle": "NeurIPS", "year": "2019"}),
        ("ICLR 2015 workshop track", "misc", {**MONTH, "note": "*"}),
        ("Nature 2020", "misc", {**MONTH, "note": "*"}),
        ("ICML 20201", "misc", {**MONTH, "note": "*"}),
        (
            "JMLR 22(57), 2021",
            "article",
            {"journal": "JMLR", "volume": "22", "number": "57", "year": "2021"},
        ),
        (
            "Annals of Statistics & Co 7, 1–26, 1979",
            "article",
            {
                **{"journal": r"Annals of Statistics {\&} Co", "volume": "7"},
                **{"pages": "1--26", "year": "1979"},
            },
        ),
        (
            "Neural Computation 3(4-5):12-99, 2001",
            "article",
            {
                **{"journal": "Neural Computation", "volume": "3", "number": "4-5"},
                **{"pages": "12-99", "year": "2001"},
            },
        ),
        ("Journal of Flows", "misc", {**MONTH, "note": "*"}),
    ],
)
def test_bibtex_says_where_and_when_by_the_venue(
    venue: str | None, kind: str, fields: dict[str, str]
) -> None:
    text = bibtex_entry(entry(Publication, "paper", venue=venue, links={}))
    found = parse_string(text, "bibtex").entries["paper"]
    told = {key: text for key, text in found.fields.items() if key != "title"}
    told.pop("url")
    assert found.type == kind
    assert told == {k: v if v != "*" else venue for k, v in fields.items()}


@pytest.mark.parametrize(
    ("date", "lines"),
    [
        ("2020-02-29", ["  year = {2020},", "  month = feb,"]),
        ("2020-02", ["  year = {2020},", "  month = feb,"]),
        ("2020", ["  year = {2020},"]),
    ],
)
def test_bibtex_knows_as_much_of_the_date_as_the_list(
    date: str, lines: list[str]
) -> None:
    paper = entry(Publication, "paper", date=PartialDate.parse(date))
    written = bibtex_entry(paper).splitlines()
    assert [x for x in written if x.split()[0] in ("year", "month")] == lines


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('#1: "Why" I <3 *flows*', r"{\#}1: ``Why'' I {\textless}3 *flows*"),
        ('("A" — “b”, ‘c’)', "(``A'' --- ``b'', `c')"),
        (
            "100% {x_1} $y^2$",
            r"100{\%} {\textbraceleft}x{\_}1{\textbraceright} "
            r"{\$}y{\textasciicircum}2{\$}",
        ),
        ("A & B ~ \\input", r"A {\&} B {\textasciitilde} {\textbackslash}input"),
        (
            "β-VAE on S², x₂ → ∞",
            r"{$\beta$}-VAE on S{\textsuperscript{2}}, "
            r"x{\textsubscript{2}} {$\to$} {$\infty$}",
        ),
        ("Über ﬁne 流れ Поток λόγος", r"{\"U}ber ﬁne 流れ Поток λόγος"),
        ("`x` $\u0301", r"{\textasciigrave}x{\textasciigrave} {\$}" + "\u0301"),
    ],
)
def test_bibtex_prints_titles_as_they_are(title: str, expected: str) -> None:
    text = bibtex_entry(entry(Publication, "paper", title=title))
    assert f"  title = {{{{{expected}}}}},\n" in text


LETTERS = [chr(code) for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))]


def test_letters_decode_to_themselves() -> None:
    written = {letter: latex(letter) for letter in LETTERS}
    commands = {letter: text for letter, text in written.items() if text != letter}
    assert len(commands) > 400
    # latexcodec, which pybtex uses, decodes those that it knows.
    read = {
        letter: re.sub(
            "[{} ]", "", UnicodeLatexIncrementalDecoder().decode(text, final=True)
        )
        for letter, text in commands.items()
    }
    known = {letter: text for letter, text in read.items() if "\\" not in text}
    assert len(known) > 200
    assert known == {letter: letter for letter in known}


ARXIV = {"archivePrefix": "arXiv"}
OLD = {"eprint": "math/0309136", "primaryClass": "math.GT"} | ARXIV
SICI = "10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2"
ADDRESSES = {
    "arxiv.org/abs/1410.8516": {"eprint": "1410.8516"} | ARXIV,
    "arxiv.org/abs/1410.8516v6?context=cs#x": {"eprint": "1410.8516"} | ARXIV,
    "www.arxiv.org/pdf/1912.02762v2.pdf": {"eprint": "1912.02762"} | ARXIV,
    "export.arxiv.org/pdf/1912.02762": {"eprint": "1912.02762"} | ARXIV,
    "arxiv.org/html/2401.00001v1": {"eprint": "2401.00001"} | ARXIV,
    "arxiv.org/abs/hep-th/9901001v1": (
        {"eprint": "hep-th/9901001", "primaryClass": "hep-th"} | ARXIV
    ),
    "arxiv.org/abs/math.GT/0309136": OLD,
    "arxiv.org/pdf/math.gt%2F0309136v2.pdf": OLD,
    "arxiv.org/abs/math/0309136": {"eprint": "math/0309136"} | ARXIV,
    "doi.org/10.48550/arXiv.1410.8516": {"eprint": "1410.8516"} | ARXIV,
    "doi.org/10.48550%2FARXIV.math/0309136v2": {"eprint": "math/0309136"} | ARXIV,
    "arxiv.org/list/stat.ML/recent": {},
    "doi.org/10.1000/a_b%25%23c": {"doi": "10.1000/a_b%#c"},
    "doi.org/10.1000%2F182": {"doi": "10.1000/182"},
    "DOI.org:443/10.1000/182/?utm_source=x#y": {"doi": "10.1000/182"},
    "dx.doi.org/10.1000/182": {"doi": "10.1000/182"},
    "www.doi.org/" + SICI.replace("<", "%3C").replace(">", "%3E"): {"doi": SICI},
    "doi.org/10.1000/a%20b": {"doi": "10.1000/a%20b"},
    "doi.org/10.1000/}x{": {"doi": "10.1000/%7Dx%7B"},
    "doi.org/the-identifier": {},
    "dl.acm.org/doi/10.1145/3439723": {"doi": "10.1145/3439723"},
    "dl.acm.org/doi/pdf/10.1145/3439723.3439": {"doi": "10.1145/3439723.3439"},
    "a.org/doi/abs/10.1177/0278": {"doi": "10.1177/0278"},
    "a.org/doi/full/10.1080/016.2017.128?src=x": {"doi": "10.1080/016.2017.128"},
    "a.org/journal/article-lookup/doi/10.1111/rs": {"doi": "10.1111/rs"},
    "a.org/doi/10.1002/cpa.21423/full": {"doi": "10.1002/cpa.21423"},
    "link.springer.com/article/10.1007/s11222-020": {"doi": "10.1007/s11222-020"},
    "link.springer.com/content/pdf/10.1007/s-6.pdf": {"doi": "10.1007/s-6"},
    "link.springer.com/chapter/10.1007/978-3_48": {"doi": "10.1007/978-3_48"},
    "iopscience.iop.org/article/10.1088/1742/ac/pdf": {"doi": "10.1088/1742/ac"},
    "journals.aps.org/prd/abstract/10.1103/PhysRevD.1": {"doi": "10.1103/PhysRevD.1"},
    "www.biorxiv.org/content/10.1101/20.1v2.full.pdf": {"doi": "10.1101/20.1"},
    "journals.plos.org/plosone/article?id=10.1371/j.p": {"doi": "10.1371/j.p"},
    "example.org/10.1000/1": {},
    "example.org/?x=arxiv.org/abs/1410.8516": {},
    "notarxiv.org/abs/1410.8516": {},
}


def identifiers(**fields: Any) -> dict[str, str]:
    paper = entry(Publication, "paper", **fields)
    found = parse_string(bibtex_entry(paper), "bibtex").entries["paper"].fields
    names = ("eprint", "archivePrefix", "primaryClass", "doi")
    return {name: found[name] for name in names if name in found}


@pytest.mark.parametrize("address", ADDRESSES)
def test_bibtex_names_the_preprint_or_the_doi(address: str) -> None:
    expected = ADDRESSES[address]
    assert identifiers(url=f"https://{address}") == expected
    links = {"Paper": "https://example.org/", "Again": f"https://{address}"}
    assert identifiers(links=links) == expected


def test_bibtex_names_preprint_and_doi_the_first_of_each() -> None:
    links = {
        "Code": "https://doi.org/10.5281/zenodo.1",
        "Article": "https://doi.org/10.1000/1",
        "Erratum": "https://doi.org/10.1000/2",
        "Successor": "https://arxiv.org/abs/2401.00001",
    }
    both = {"eprint": "1410.8516", "archivePrefix": "arXiv", "doi": "10.1000/1"}
    assert identifiers(url="https://arxiv.org/abs/1410.8516", links=links) == both
    code = "https://doi.org/10.5281/zenodo.1"
    assert identifiers(url=code, links={}) == {"doi": "10.5281/zenodo.1"}


def test_bibtex_address_cannot_leave_its_field() -> None:
    paper = entry(Publication, "paper", url=r"https://example.org/}a{ \b%20_~#c&d")
    found = parse_string(bibtex_entry(paper), "bibtex").entries["paper"]
    assert found.fields["url"] == "https://example.org/%7Da%7B%20%5Cb%20_~#c&d"


words = st.sampled_from(
    "Émile Łukasz Şule Jean-Émile ada É. J. López Smith-Jones O'Brien élan".split()
)
particles = st.sampled_from("van den Van De de la von al d' 't al-Din".split())
suffixes = st.sampled_from(["", " Jr.", ", Jr.", ", Sr", " III"])


@settings(max_examples=200, deadline=None)
@given(st.lists(words | particles, min_size=1, max_size=6).map(" ".join), suffixes)
def test_bibtex_splits_any_name_as_we_do(name: str, suffix: str) -> None:
    author = name + suffix
    text = bibtex_entry(entry(Publication, "paper", authors=(author, "A B")))
    people = parse_string(text, "bibtex").entries["paper"].persons["author"]
    assert len(people) == 2
    check_person(people[0], author)
    particle = split(author).particle
    if split(author).given and "-" not in particle:
        assert from_latex(" ".join(people[0].prelast_names)) == written(particle)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_bibtex_holds_any_text(text: str) -> None:
    check_bibtex(catalogue_of(text))
