"""The loader takes what is good, and names everything else at its place."""

import ast
import gc
import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.website.generate import generate
from scripts.base.dates import PartialDate
from scripts.base.project import ROOT
from scripts.catalogue import Catalogue, CatalogueError, Publication, Video, load
from scripts.catalogue.document import WORDS
from scripts.catalogue.draft import is_id
from scripts.catalogue.limits import RESERVED
from scripts.papers import FOLDERS
from scripts.sources.services import visible
from tests.support.bad import CASES, GOOD


def test_a_good_catalogue_is_read_as_it_stands(load_text):
    catalogue = load_text(GOOD)
    assert [entry.id for entry in catalogue.entries] == ["nice", "maf", "talk", "flows"]
    nice, maf = catalogue.publications
    assert nice.title == "NICE: An Example"
    assert nice.authors == ("Laurent Dinh", "Yoshua Bengio")
    assert nice.date == PartialDate(2014, 10, 30)
    assert nice.links == {"Code": "https://github.com/laurent-dinh/nice"}
    assert (nice.implemented, maf.implemented) == (True, False)
    assert catalogue.videos[0].papers == ("nice", "maf")
    assert catalogue.code[0].frameworks == ()


@pytest.mark.published
def test_the_list_itself_is_good_and_checked_in_half_a_second():
    began = time.process_time()
    load(ROOT / "resources.yaml", ROOT / "implementations")
    assert time.process_time() - began <= 0.5


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_named(name, faults_of):
    old, new, *messages = CASES[name]
    assert GOOD.count(old) == 1
    expected = [f"resources.yaml:{message}" for message in messages]
    assert faults_of(GOOD.replace(old, new)) == expected


def test_all_faults_are_named_in_one_run_in_the_order_of_the_file(faults_of):
    names = (
        "a byte-order mark",
        "http in links",
        "et al.",
        "an unknown field",
        "a day that never was",
        "added in the future",
        "another implementation than wanted",
        "HTML",
        "a misspelt reference",
        "a misspelt tag",
        "a text for an entry",
        "a number",
    )
    text, expected = GOOD, []
    for old, new, *messages in map(CASES.__getitem__, names):
        text = text.replace(old, new)
        expected += [f"resources.yaml:{message}" for message in messages]
    assert faults_of(text) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "1:1: the file: is empty, not a mapping"),
        (b"# nothing yet\n", "1:1: the file: is empty, not a mapping"),
        (b"- id: nice\n", "1:1: the file: is a list, not a mapping"),
        (b"hello\n", "1:1: the file: is text, not a mapping"),
    ],
)
def test_a_file_that_is_no_mapping(content, message, faults_of):
    sections = "tags, groups, aliases, publications, videos, blogs, code"
    fix = f"begin with the sections {sections}"
    assert faults_of(content) == [f"resources.yaml:{message} ({fix})"]


@pytest.mark.parametrize(
    ("content", "place", "byte"),
    [
        ("tags:\n  é: naïve".encode("latin-1"), "2:3", "0xE9"),
        ("é: 'ü".encode() + b"\xff'", "1:6", "0xFF"),
        (GOOD.encode("utf-16"), "1:1", "0xFF"),
    ],
)
def test_a_file_that_is_not_utf_8(content, place, byte, faults_of):
    problem = f"the byte {byte} is not UTF-8 (save the file as UTF-8)"
    assert faults_of(content) == [f"resources.yaml:{place}: syntax: {problem}"]


def test_a_file_that_breaks_off_is_at_fault_where_it_was_left_open(faults_of):
    for text in ("publications: [", "publications: [\n\n", "publications: &a [{}, x"):
        assert faults_of(text) == [
            'resources.yaml:1:15: syntax: the "[" that opens here is not closed '
            '(close it with "]")'
        ]


def test_a_file_that_breaks_off_is_at_fault_at_its_last_character(faults_of):
    *_, last = faults_of("tags:\n  ? coupling")
    assert last == (
        "resources.yaml:2:13: tags, coupling: is empty "
        "(write a value, or remove the line)"
    )


def test_a_file_that_is_not_there(tmp_path):
    missing = tmp_path / "list.yaml"
    with pytest.raises(CatalogueError) as caught:
        load(missing, tmp_path)
    problem = "cannot be read: no such file or directory (check its name and place)"
    assert str(caught.value) == f"{missing}:1:1: the file: {problem}"
    with pytest.raises(CatalogueError, match="cannot be read: is a directory"):
        load(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: A talk", "title: 'Masked flow'"),  # as a paper of the list
        ("date: 2017-05-19", 'date: "2017-05-19"'),
        ("date: 2019-12-09", "date: 2026-02-01"),  # it is tomorrow already in Kiribati
        ("date: 2019-12-09", "date: 2026-02"),  # and February
        ("title: flows", "title: '1984'"),
        ("title: flows", "title: 2nd flows, 1.0 and yes"),
        ("title: flows", "title: Un\u00a0flux 👩‍🔬".replace("\u200d", "")),
        ("title: flows", "title: ❤\ufe0f flows"),
        ("tags:\n  coupling", "---\ntags:\n  coupling"),
        ("blogs: []", "blogs: []\t# none\n"),
        ("date: 2017-05-19", "date: 2017-05-19  # today"),
        ("id: maf", "id: maf  # for good"),
        ("[nice, maf]", "[nice # one\n      , maf]  # two"),
        ("implementation: wanted", "implementation: wanted # no notebook yet"),
        (
            "Code: https://github.com/laurent",
            "Code: https://github.com/x # y\n      Old: https://github.com/laurent",
        ),
        ("title: flows", 'title: "flows" # quoted'),
        ("title: flows", "title: C#, F# and flows"),
        ("title: flows", "title: flows\n    # of 2019\n\n    #"),
        ("[Iain Murray]", "\n    - Iain Murray\n    # and nobody else"),
        ("note: Stacks.", "note: >- # folded\n      Stacks\n      #7 flows."),
        ("[Iain Murray]", "[\n      Iain Murray\n    ]"),
        ("title: flows", 'title: "flows\n      and more"'),
        ("Stacks.", "x" * 600),
        ("Stacks.", "Not `<b>`, not `http://x`; 1 < 2, [sic], really! `![x](y)`"),
        ("Stacks.", "See https://example.org, [a (b)](https://example.org/a_(b))."),
        ("[graphs]", "\n    - graphs"),
        (GOOD, GOOD.replace("\n", "\r\n")),
        (GOOD, GOOD.rstrip("\n")),
    ],
)
def test_what_is_unusual_but_good(old, new, load_text):
    assert GOOD.count(old) == 1
    load_text(GOOD.replace(old, new))


@pytest.mark.parametrize(
    "note", [">-\n      Stacks\n      twice.", "|\n      Stacks\n\n      twice.\n"]
)
def test_every_text_is_one_line(note, load_text):
    catalogue = load_text(GOOD.replace("Stacks.", note))
    assert catalogue.publications[1].note == "Stacks twice."


def test_every_control_and_format_character_is_refused(faults_of):
    refused = [
        character
        for character in map(chr, [*range(0x3000), 0xFEFF, *range(0xE0000, 0xE0080)])
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        and character not in "\t\n"
    ]
    messages = faults_of(GOOD.replace("Stacks.", "Stacks." + "".join(refused)))
    for place, (character, message) in enumerate(zip(refused, messages, strict=True)):
        assert message.startswith(f"resources.yaml:24:{18 + place}: the file: ")
        assert f"U+{ord(character):04X} " in message
    assert len(refused) > 150


SCRIPTS = {
    "Persian": "می\u200cخواهم",
    "Persian with a mark": "مِ\u200cّن",
    "Hindi": "क्\u200cष और क्\u200dष",
    "Sinhala": "ශ්\u200dරී",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_joiners_are_allowed_where_a_script_needs_them(name, load_text):
    text = SCRIPTS[name]
    catalogue = load_text(GOOD.replace("title: Masked Flow", f"title: {text}"))
    assert catalogue.publications[1].title == text
    escaped = text.replace("\u200c", "\\u200c").replace("\u200d", "\\u200d")
    catalogue = load_text(GOOD.replace("title: Masked Flow", f'title: "{escaped}"'))
    assert catalogue.publications[1].title == text
    assert visible(f" {text}\u200b\u0007  x") == f"{text} x"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("ab\u200ccd", 14),
        ("a\u200cم", 13),
        ("م\u200ca", 13),
        ("م\u200c", 13),
        ("\u200cم", 12),
        ("ام\u200c (م)", 14),
        ("ا\u200cم", 13),  # an alef never joins what follows
        ("م\u200dم", 13),  # they would join without
        ("ශ\u200dර", 13),  # with its vowel
        ("م\u200c\u200cم", 13),
        ("👩\u200d🔬", 13),
        ("\ue000\u200cم", 12),
    ],
)
def test_joiners_are_refused_elsewhere(text, column, faults_of):
    first, *_ = faults_of(GOOD.replace("title: Masked Flow", f"title: {text}"))
    assert first.startswith(f"resources.yaml:16:{column}: the file: holds an invisible")


def posts(*years: int) -> str:
    """The good catalogue with blog posts p0, p1, …; their dates begin at 39:11."""
    lines = ["blogs:"]
    for number, year in enumerate(years):
        lines += [f"  - id: p{number}", f"    title: Post {number}"]
        lines += ["    authors: [Ada Byron]", f"    date: {year}-01-01"]
        lines += [f"    url: https://example.org/{number}", "    tags: [graphs]"]
        lines += ["    added: 2026-01-31", "    note: Explains."]
    return GOOD.replace("blogs: []", "\n".join(lines))


def test_entries_in_order_of_date_are_good(load_text):
    load_text(posts(2020, 2021, 2021, 2022))


def test_a_month_comes_before_its_days_and_a_year_before_its_months(
    load_text, faults_of
):
    def dated(*dates: str) -> str:
        text = posts(*range(2001, 2001 + len(dates)))
        for number, date in enumerate(dates):
            text = text.replace(f"{2001 + number}-01-01", date)
        return text

    load_text(dated("2019-12-31", "2020", "2020", "2020-01", "2020-01-01", "2020-02"))
    assert faults_of(dated("2019", "2020-02-01", "2020-02", "2020-02-02")) == [
        "resources.yaml:55:11: p2, date: 2020-02 is out of order (move the entry "
        "below p0)"
    ]


@pytest.mark.parametrize(
    ("years", "faults"),
    [
        # Of two that could move it is the later one: likely the newcomer.
        ((2020, 2022, 2021), {2: "2021-01-01 is out of order … below p0)"}),
        ((2021, 2022, 2020), {2: "2020-01-01 is out of order … above p0)"}),
        # One wrong year does not put all others out of order.
        ((2025, 2020, 2021), {0: "2025-01-01 is out of order … below p2)"}),
        (
            (2021, 2016, 2022, 2017, 2023),
            {
                1: "2016-01-01 is out of order … above p0)",
                3: "2017-01-01 is out of order … above p0)",
            },
        ),
    ],
)
def test_entries_out_of_order_of_date(years, faults, faults_of):
    assert faults_of(posts(*years)) == [
        f"resources.yaml:{39 + 8 * number}:11: p{number}, date: "
        + fault.replace("…", "(move the entry")
        for number, fault in faults.items()
    ]


def test_a_wrong_year_is_not_out_of_order_too(faults_of):
    assert faults_of(posts(2020, 2917, 2021)) == [
        "resources.yaml:47:11: p1, date: 2917-01-01 lies in the future "
        "(check year, month and day)"
    ]


def test_fields_of_single_words_are_fields():
    fields = {**Publication.model_fields, **Video.model_fields}
    assert WORDS <= fields.keys()
    for name in WORDS - {"links"}:
        [example] = fields[name].examples or []
        words = example if isinstance(example, list) else [example]
        assert not any(" " in word for word in words), name


def test_folders_of_implementations_name_no_entry():
    folders = {
        path.name for path in (ROOT / "implementations").iterdir() if path.is_dir()
    }
    assert {name for name in folders if not name.startswith("_")} == {*FOLDERS}
    assert {*FOLDERS} <= RESERVED


def test_no_entry_is_named_as_what_its_draft_binds():
    """Drafts import and assign names; one of them may not be the paper's function."""
    bound = set()
    for draft in (ROOT / "scripts/scaffold").glob("*.py.jinja"):
        source = re.sub(r"{{ \w+ }}", "paper", draft.read_text("utf-8"))
        for node in ast.walk(ast.parse(re.sub("^paper$", "", source, flags=re.M))):
            match node:
                case ast.alias():
                    bound.add(node.asname or node.name)
                case ast.Name(ctx=ast.Store()):
                    bound.add(node.id)
    assert bound > {"torch", "fit", "flow", "x"}
    assert {name for name in bound if is_id(name)} <= RESERVED


def test_an_entry_at_fault_makes_no_faults_elsewhere(faults_of):
    # `talk` refers to both papers, and nice.py implements one: nothing follows.
    text = GOOD.replace("id: nice", "id: NICE").replace(
        "url: https://arxiv", "uri: https://arxiv"
    )
    assert faults_of(text) == [
        "resources.yaml:5:5: NICE, url: is missing "
        '(add a line such as "url: https://arxiv.org/abs/1906.04032")',
        'resources.yaml:5:9: NICE, id: "NICE" is not made of a-z, 0-9 and _, '
        'a letter first (write it as in "nice")',
        "resources.yaml:9:5: NICE, uri: is not a field of publications "
        '(did you mean "url"?)',
        "resources.yaml:15:5: maf, url: is missing "
        '(add a line such as "url: https://arxiv.org/abs/1906.04032")',
        "resources.yaml:20:5: maf, uri: is not a field of publications "
        '(did you mean "url"?)',
    ]


def test_a_paper_that_lost_its_id_is_missed_nowhere_else(faults_of):
    text = GOOD.replace("  - id: nice\n    title", "  - title")
    assert faults_of(text) == [
        "resources.yaml:5:5: publications #1, id: is missing "
        '(add a line such as "id: real_nvp")'
    ]


def test_a_section_that_is_lost_hides_nothing_else(faults_of):
    text = GOOD[: GOOD.index("publications:")] + GOOD[GOOD.index("videos:") :]
    text = text.replace("id: flows", "id: talk")
    assert faults_of(text) == [
        "resources.yaml:1:1: publications: is missing "
        '(add a line such as "publications: []")',
        "resources.yaml:16:9: talk, id: is the id of videos #1 too (choose another)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 200_000,
        "- " * 200_000,
        "tags: " + "x" * 5_000_000,
        "\u202e" * 200_000,
        "".join(map(chr, range(0xE000, 0xF8FF))) * 10,
        "publications:\n" + "  - &a [x]\n  - *a\n" * 2_000,
        GOOD.replace("[nice, maf]", "[" + "mfa, " * 2_000 + "maf]"),
        GOOD.replace("Stacks.", "[a](https://b" * 20_000),
        GOOD.replace("Stacks.", "`[" * 50_000),
        GOOD.replace("1705.07057", "v1" * 50_000 + "<"),
        GOOD.replace("arxiv.org/abs/1705.07057", "a." * 100_000),
        GOOD.replace("coupling:", "\n".join(f"  a{n}: b # c" for n in range(50_000))),
        GOOD.replace("coupling:", "a: b" + "\n  " * 500_000 + "\n"),
        GOOD.replace("Stacks.", '"' + "\n" * 200_000 + "x"),
        GOOD.replace("Stacks.", "\u200c\u0645" * 200_000),
        posts(*range(2020, 1920, -1)),
    ],
    ids=range(17),
)
def test_hostile_files_are_refused_and_take_no_time(text, faults_of):
    messages = faults_of(text)
    assert messages
    assert max(map(len, messages)) < 400


@pytest.mark.thorough
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_whatever_is_typed_is_loaded_or_refused_at_a_place_in_the_file(load_text, data):
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        typed = data.draw(st.sampled_from(TYPED) | st.text(max_size=3))
        text = text[:start] + typed + text[end:]
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    lines = text.split("\n")
    try:
        load_text(text)
    except CatalogueError as error:
        for fault in error.faults:
            assert 1 <= fault.line <= len(lines)
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
            kinds = set(map(unicodedata.category, str(fault)))
            assert not kinds & {"Cc", "Cf", "Zl", "Zp"}


TYPED = [*"\n\t-:[]{}'\"&*!|>%@`#,?~", "  ", "- ", ": ", "\n\n", "null", "7", "id"]


def generated(tmp_path: Path, *sizes: int) -> Catalogue:
    file = tmp_path / "resources.yaml"
    file.write_text(generate(*sizes, seed=0), "utf-8")
    return load(file, tmp_path / "implementations")


@pytest.mark.parametrize("sizes", [(0, 0, 0, 0), (0, 1, 1, 1), (300, 30, 20, 10)])
def test_generated_catalogues_are_good(sizes, tmp_path):
    catalogue = generated(tmp_path, *sizes)
    sections = (
        catalogue.publications,
        catalogue.videos,
        catalogue.blogs,
        catalogue.code,
    )
    assert tuple(map(len, sections)) == sizes


def test_generated_entries_have_the_size_that_the_benchmark_names():
    text = generate(700, 100, 100, 100, seed=0)
    assert 380_000 < len(text.encode()) < 460_000
    assert text == generate(700, 100, 100, 100, seed=0)
    assert text != generate(700, 100, 100, 100, seed=1)


def test_the_garbage_collector_is_left_as_it_was(load_text, faults_of):
    load_text(GOOD)
    faults_of("")
    assert gc.isenabled()
    gc.disable()
    try:
        load_text(GOOD)
        assert not gc.isenabled()
    finally:
        gc.enable()
