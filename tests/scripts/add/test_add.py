"""Entries join the list at their place, once, and change nothing else."""

from __future__ import annotations

import datetime
import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.website.generate import generate
from scripts import readme
from scripts.__main__ import main
from scripts.add import Adder
from scripts.add.entry import AddError, insert, scalar, write
from scripts.add.listing import Listing
from scripts.base import files
from scripts.base.project import read_project
from scripts.catalogue import load
from scripts.catalogue.document import read
from scripts.catalogue.limits import LONGEST_TEXT
from scripts.sources.services import Services, visible
from tests.frozen import IMPLEMENTATIONS, copy_list
from tests.support.answering import (
    ARXIV,
    CROSSREF,
    NICE_XML,
    PAPER_JSON,
    REPO,
    REPO_JSON,
    USER,
    USER_JSON,
    VIDEO_JSON,
    YOUTUBE,
    answer,
    answering,
    xml,
)
from tests.support.payloads import PAYLOADS, cases

TODAY = datetime.datetime.now(datetime.UTC).date()
GLOW_XML = NICE_XML.replace("1410.8516v6", "1706.00001v1").replace(
    "2014-10-30", "2017-06-01"
)
SAID = {
    "title": "A Flow",
    "authors": "Ada Lovelace, Emmy Noether",
    "date": "2017-06-01",
    "tags": "coupling, images",
    "note": "It flows, and says why.",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tests' own list."""
    copy_list(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def adder(folder: Path) -> Callable[..., Adder]:
    def adder(services: Services | None = None, ask: Any = None) -> Adder:
        return Adder(
            folder / "resources.yaml",
            folder / "README.md",
            IMPLEMENTATIONS,
            read_project(),
            services,
            ask,
        )

    return adder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.*")}


def test_a_paper_is_fetched_and_joins_in_order_of_date(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "resources.yaml").read_text("utf-8")
    with answering({ARXIV: xml(GLOW_XML.replace("NICE: ", "ICE: "))}) as loopback:
        status = adder(loopback.services()).add(
            "1706.00001", tags="coupling, images", note=SAID["note"]
        )
    assert status == 0
    after = (folder / "resources.yaml").read_text("utf-8")
    entry = f"""\
  - id: ice
    title: "ICE: Non-linear Independent Components Estimation"
    authors: [Laurent Dinh, David Krueger, Yoshua Bengio]
    date: 2017-06-01
    url: https://arxiv.org/abs/1706.00001
    venue: "A Journal, 2015"
    tags: [coupling, images]
    added: {TODAY}
    implementation: wanted
    note: >-
      It flows, and says why.

"""
    glow = before.index("  - id: glow\n")
    assert after == before[:glow] + entry + before[glow:]
    assert main(["readme", "--check"]) == 0
    out = capsys.readouterr().out
    assert "+    venue: " in out and "+- Jun 1, 2017 - [ICE: " in out


def test_without_network_flags_tell_all(
    folder: Path, adder: Callable[..., Adder]
) -> None:
    flags = SAID | {"title": "1984: “Flows” # 1", "papers": "nice", "venue": "Here"}
    assert adder().add("https://youtu.be/AAAAAAAAAAA", **flags) == 0
    (video,) = [
        video
        for video in load(Path("resources.yaml"), IMPLEMENTATIONS).videos
        if video.url == "https://youtu.be/AAAAAAAAAAA"
    ]
    assert video.title == flags["title"]
    assert video.authors == ("Ada Lovelace", "Emmy Noether")
    assert (video.id, video.papers, video.venue) == (
        "video_lovelace",
        ("nice",),
        "Here",
    )


def test_it_is_told_what_an_address_loses(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert adder().add("https://example.org/post?utm_source=x&gclid=y", **SAID) == 0
    out = capsys.readouterr().out
    assert (
        "Left out of the address, as it follows readers: utm_source=x, gclid=y" in out
    )
    assert "+    url: https://example.org/post\n" in out


@pytest.mark.parametrize(
    ("work", "flags", "line", "name"),
    [
        ("1410.8516v3", {}, "  - id: nice", "nice"),
        ("https://www.youtube.com/watch?v=P4Ta-TZPVi0", {}, "  - id: video_primer", ""),
        ("http://lilianweng.github.io/posts/2018-10-13-flow-models", {}, "", ""),
        ("2101.00001", {"title": "neural SPLINE flows!"}, "  - id: nsf", "nsf"),
    ],
)
def test_what_is_there_already_is_pointed_at(
    folder: Path,
    adder: Callable[..., Adder],
    capsys: pytest.CaptureFixture[str],
    work: str,
    flags: dict[str, str],
    line: str,
    name: str,
) -> None:
    before = contents(folder)
    assert adder().add(work, **flags) == 1
    err = capsys.readouterr().err
    line, name = line or "  - id: blog_weng", name or line[8:] or "blog_weng"
    lines = before["resources.yaml"].decode().split("\n")
    assert f"resources.yaml:{lines.index(line) + 1}: it is on the list already" in err
    assert f"already, as {name}: " in err
    assert contents(folder) == before


def test_a_title_that_only_the_service_knows_is_a_duplicate_too(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    with answering({ARXIV: xml(GLOW_XML)}) as loopback:
        assert adder(loopback.services()).add("1706.00001", **{"note": "x"}) == 1
    assert "already, as nice" in capsys.readouterr().err
    assert contents(folder) == before


def test_a_dry_run_shows_all_and_writes_nothing(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    assert adder().preview("2101.00001", **SAID) == 0
    out = capsys.readouterr().out
    assert "+  - id: a_flow\n" in out
    assert "+- Jun 1, 2017 - [A Flow](https://arxiv.org/abs/2101.00001)" in out
    assert contents(folder) == before


def test_what_is_missing_is_named_all_at_once(
    adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    with answering({YOUTUBE: answer(json.dumps(VIDEO_JSON))}) as loopback:
        assert adder(loopback.services()).add("https://youtu.be/AAAAAAAAAAA") == 1
    err = capsys.readouterr().err
    assert err.startswith("Nothing is added: give what is missing:\n")
    assert [line.split()[0] for line in err.splitlines()[1:]] == [
        *("--date", "--tags", "--note")
    ]
    assert "some of autoregressive, bayesian-networks, coupling" in err


def test_tags_are_proposed_from_the_title_and_the_categories(
    folder: Path, adder: Callable[..., Adder]
) -> None:
    repo = REPO_JSON | {"name": "Spline flows", "topics": ["graph", "jax"]}
    parts = {REPO: answer(json.dumps(repo)), USER: answer(json.dumps(USER_JSON))}
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "It flows." if prompt.startswith("note") else ""

    with answering(parts) as loopback:
        adding = adder(loopback.services(), ask=ask)
        assert adding.add("https://github.com/ada/flows") == 0
    assert any("Enter for graphs, spline): " in prompt for prompt in asked)
    listed = load(Path("resources.yaml"), IMPLEMENTATIONS)
    (entry,) = [each for each in listed.code if "ada/flows" in each.url]
    assert (entry.tags, entry.kind) == (("graphs", "spline"), "repository")


def test_the_same_work_at_another_address_is_pointed_out(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    near = "NICE: Nonlinear Independent Component Estimation"
    assert adder().preview("10.1000/182", **SAID | {"title": near}) == 0
    err = capsys.readouterr().err
    assert err.startswith('It may be on the list already, as nice: "NICE: Non-linear')
    code = "https://github.com/laurent-dinh/nice"
    flags = SAID | {"title": "Another"}
    assert adder().preview(code, "publications", **flags) == 0
    assert "as nice: " in capsys.readouterr().err
    assert adder().preview("2101.00001", **SAID) == 0
    assert capsys.readouterr().err == ""


def test_a_service_that_fails_leaves_the_flags(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    part = answer("<html>", "text/html")
    with answering({ARXIV: part}) as loopback:
        adding = adder(loopback.services())
        assert adding.add("2101.00001", title="A Flow", note="Flows.") == 1
        err = capsys.readouterr().err
        assert "sent text/html, not xml" in err
        assert "--authors" in err and "--title" not in err
        # Who says all is not kept waiting for a service.
        loopback.asked.clear()
        assert adding.add("2101.00001", **SAID) == 0
        assert loopback.asked == []


def test_of_a_date_no_more_is_written_than_is_known(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    message = {
        **{"DOI": "10.1000/182", "title": ["A Flow"]},
        **{"author": [{"name": "Ada"}], "issued": {"date-parts": [[2021]]}},
    }
    before = contents(folder)
    with answering({CROSSREF: answer(json.dumps({"message": message}))}) as loopback:
        adding = adder(loopback.services())
        flags = {"tags": "review", "note": "It flows."}
        assert adding.preview("10.1000/182", date="2021-05-03", **flags) == 0
        assert capsys.readouterr().err == ""
        assert contents(folder) == before
        assert adding.add("10.1000/182", **flags) == 0
    assert "Of its date only 2021 is known" in capsys.readouterr().err
    assert b'    date: "2021"\n' in contents(folder)["resources.yaml"]


def test_a_month_is_said_by_a_flag(folder: Path, adder: Callable[..., Adder]) -> None:
    assert adder().add("2101.00001", **{**SAID, "date": "2017-06"}) == 0
    assert b"    date: 2017-06\n" in contents(folder)["resources.yaml"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"date": "June 2017"}, '--date: "June 2017" is no ISO date (write it'),
        ({"date": "2017-02-30"}, '--date: "2017-02-30" is no ISO date'),
        (
            {"tags": "copling"},
            'is no tag of the list (did you mean "coupling"?; a new tag goes to the '
            "top of resources.yaml, and its meaning)",
        ),
        ({"papers": "nic"}, 'is no publication of the list (did you mean "nice"?)'),
        ({"id": "maf"}, '--id: "maf" is the id of another entry'),
        ({"id": "lambda"}, '--id: "lambda" is reserved (choose another)'),
        ({"id": "My Flow"}, 'a letter first (write it as in "my_flow")'),
        ({"date": "2999-01-01"}, "2999-01-01 lies in the future"),
        ({"authors": "Ada Lovelace et al."}, "leaves authors out"),
        ({"organisations": "Lab"}, '--organisations: "Lab" is none of the authors'),
        ({"note": "<b>bold</b>"}, "x, note: "),
        ({"languages": "Python"}, "x, languages: is not a field of publications"),
    ],
)
def test_typical_mistakes_are_told_at_once(
    folder: Path,
    adder: Callable[..., Adder],
    capsys: pytest.CaptureFixture[str],
    flags: dict[str, str],
    message: str,
) -> None:
    before = contents(folder)
    assert adder().add("2101.00001", **{**SAID, "id": "an_x", **flags}) == 1
    assert message in capsys.readouterr().err
    assert contents(folder) == before


def test_no_reserved_id_is_proposed(folder: Path, adder: Callable[..., Adder]) -> None:
    assert adder().add("2101.00001", **SAID | {"title": "Infinite Schemes"}) == 0
    papers = load(Path("resources.yaml"), IMPLEMENTATIONS).publications
    assert [paper.id for paper in papers if paper.title == "Infinite Schemes"] == [
        "is_2"
    ]


def typing(
    *answers: str, leaving: type[BaseException] = EOFError
) -> Callable[[str], str]:
    """Answer one prompt after another, then close the input."""
    waiting = iter(answers)

    def ask(prompt: str) -> str:
        typed = next(waiting, None)
        if typed is None:
            raise leaving
        return typed

    return ask


def test_a_terminal_is_asked_for_the_rest_until_it_can_be(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = typing(
        *("", "A Post", "Ada Lovelace", "yesterday", "2020-02-29"),
        *("introductoin", "introduction, review", "Worth it.", "", "nice", ""),
    )
    assert adder(ask=answers).add("https://example.org/post") == 0
    out = capsys.readouterr().out
    assert "  is needed\n" in out
    assert 'did you mean "introduction"?' in out
    assert '"nice" is the id of another entry' in out
    blogs = load(Path("resources.yaml"), IMPLEMENTATIONS).blogs
    (post,) = [blog for blog in blogs if blog.url == "https://example.org/post"]
    assert post.id == "blog_lovelace"
    assert post.tags == ("introduction", "review")


def test_a_terminal_is_asked_who_is_no_person(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = typing("Foo, Inc., Martin King, Jr.", "Baz", "Foo, Inc.", "")
    flags = {name: text for name, text in SAID.items() if name != "authors"}
    assert adder(ask=answers).add("https://example.org/post", **flags) == 0
    assert '  "Baz" is none of the authors (an organisation' in capsys.readouterr().out
    text = (folder / "resources.yaml").read_text("utf-8")
    written = '    authors: [{organisation: "Foo, Inc."}, "Martin King, Jr."]\n'
    assert f"  - id: blog_foo_inc\n    title: A Flow\n{written}" in text


@pytest.mark.parametrize(
    ("flags", "written"),
    [
        ({"organisations": "Lab"}, "[{organisation: Lab}]"),
        (
            {"authors": "Ada Byron, Foo, Inc., Bar", "organisations": "Bar; Foo, Inc."},
            '[Ada Byron, {organisation: "Foo, Inc."}, {organisation: Bar}]',
        ),
        (
            {
                "authors": "Bar Baz, Weights & Biases",
                "organisations": "Weights & Biases",
            },
            '[Bar Baz, {organisation: "Weights & Biases"}]',
        ),
    ],
)
def test_a_flag_says_who_is_no_person(
    folder: Path, adder: Callable[..., Adder], flags: dict[str, str], written: str
) -> None:
    said = {name: text for name, text in SAID.items() if name != "authors"}
    assert adder().add("https://example.org/post", **said, **flags) == 0
    text = (folder / "resources.yaml").read_text("utf-8")
    assert f"    authors: {written}\n" in text


def test_crossref_says_who_is_no_person(
    folder: Path, adder: Callable[..., Adder]
) -> None:
    # The answers are to the note and the id: nobody is asked about organisations.
    flags = {"tags": "review"}
    with answering({CROSSREF: answer(json.dumps(PAPER_JSON))}) as loopback:
        adding = adder(loopback.services(), typing("It flows.", "flows_on_s2"))
        assert adding.add("10.1000/182", **flags) == 0
    text = (folder / "resources.yaml").read_text("utf-8")
    people = '[Ada Lovelace, Martin King Jr., {organisation: "Flows, Inc."}]'
    assert f"    authors: {people}\n" in text


def test_a_title_that_is_typed_is_a_duplicate_too(
    adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {name: text for name, text in SAID.items() if name != "title"}
    asked = adder(ask=typing("Neural spline flows", "my_flow"))
    assert asked.add("2101.00001", **flags) == 1
    assert "it is on the list already, as nsf" in capsys.readouterr().err


@pytest.mark.parametrize("leaving", [EOFError, KeyboardInterrupt])
def test_who_leaves_the_terminal_leaves_everything_as_it_was_and_loses_no_answer(
    leaving: type[BaseException],
    folder: Path,
    adder: Callable[..., Adder],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = contents(folder)
    asked = adder(ask=typing('Ada\'s "Post"', "Ada Lovelace", leaving=leaving))
    flags = {"tags": "review"}
    assert asked.preview("https://example.org/a?b&c", "blogs", **flags) == 1
    assert contents(folder) == before
    told, command = capsys.readouterr().err.splitlines()
    assert told == "Nothing is added: interrupted; to go on from your answers:"
    start = "  .venv/bin/python -m scripts add "
    assert command.startswith(start)
    rest = shlex.split(command.removeprefix(start))
    assert {"--offline", "--dry-run", "--section=blogs"} <= {*rest}
    assert main(["add", *rest, "--date=2020-01-01", "--note=It is."]) == 0
    assert '+    title: "Ada\'s \\"Post\\""' in capsys.readouterr().out


def test_the_end_of_input_takes_what_is_proposed(
    adder: Callable[..., Adder],
) -> None:
    flags = {name: text for name, text in SAID.items() if name != "note"}
    flags["organisations"] = ""
    assert adder(ask=typing("Worth it.")).add("https://example.org/x", **flags) == 0


def grow() -> None:
    with open("resources.yaml", "a") as file:
        file.write("# edited meanwhile\n")


def test_what_is_edited_while_prompts_wait_is_kept(
    folder: Path, adder: Callable[..., Adder]
) -> None:
    def ask(prompt: str) -> str:
        grow()
        return "my_flow"

    assert adder(ask=ask).add("2101.00001", **SAID) == 0
    after = (folder / "resources.yaml").read_text()
    assert after.endswith("# edited meanwhile\n") and "  - id: my_flow\n" in after


def test_what_is_added_while_prompts_wait_is_no_duplicate(
    folder: Path, adder: Callable[..., Adder], capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(prompt: str) -> str:
        assert adder().add("2101.00001", **SAID) == 0
        return "my_flow"

    assert adder(ask=ask).add("2101.00001", **SAID) == 1
    assert "it is on the list already, as a_flow" in capsys.readouterr().err


def test_a_list_that_is_edited_at_the_last_moment_is_not_overwritten(
    folder: Path,
    adder: Callable[..., Adder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    render = readme.render

    def slowly(*arguments: Any, **named: Any) -> str:
        grow()
        return render(*arguments, **named)

    before = (folder / "resources.yaml").read_text()
    monkeypatch.setattr(readme, "render", slowly)
    assert adder().add("2101.00001", **SAID) == 1
    assert "has changed meanwhile (run it again)" in capsys.readouterr().err
    assert (folder / "resources.yaml").read_text() == before + "# edited meanwhile\n"


@pytest.mark.parametrize("step", ["catalogue", "readme"])
def test_who_interrupts_while_files_are_written_is_told_what_is_done(
    folder: Path,
    adder: Callable[..., Adder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: str,
) -> None:
    replace, waiting = os.replace, iter([] if step == "catalogue" else [None])

    def interrupted(*paths: Any) -> None:
        if next(waiting, paths) is not None:
            raise KeyboardInterrupt
        replace(*paths)

    before = contents(folder)
    monkeypatch.setattr(files.os, "replace", interrupted)
    status = adder().add("2101.00001", **SAID)
    after, err = contents(folder), capsys.readouterr().err
    assert after.keys() == before.keys()
    assert after["README.md"] == before["README.md"]
    added = after["resources.yaml"] != before["resources.yaml"]
    assert (status, added) == ((1, False) if step == "catalogue" else (0, True))
    done = "The entry is added, and `make readme` is left to do" if added else ""
    assert err == f"{done or 'Nothing is added'}: interrupted\n"


def test_a_full_disk_leaves_the_list_whole(
    folder: Path,
    adder: Callable[..., Adder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = contents(folder)
    monkeypatch.setattr(files.os, "fsync", full)
    told = r"resources.yaml cannot be written: No space left on device \(make room, "
    with pytest.raises(files.WriteError, match=told):
        adder().add("2101.00001", **SAID)
    assert contents(folder) == before


def test_a_disk_that_fills_up_later_leaves_the_readme_whole(
    folder: Path,
    adder: Callable[..., Adder],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = iter([None])

    def full(descriptor: int) -> None:
        if next(waiting, descriptor) is not None:
            raise OSError(28, "No space left on device")

    before = contents(folder)
    monkeypatch.setattr(files.os, "fsync", full)
    assert adder().add("2101.00001", **SAID) == 0
    assert capsys.readouterr().err == (
        "The entry is added, and `make readme` is left to do: README.md cannot be "
        "written: No space left on device (make room, then run it again)\n"
    )
    after = contents(folder)
    assert after["README.md"] == before["README.md"]
    assert b"https://arxiv.org/abs/2101.00001\n" in after["resources.yaml"]
    assert after.keys() == before.keys()


@pytest.mark.parametrize(("section", "named"), [("", True), ("blogs", False)])
def test_a_repository_may_be_listed_elsewhere(
    folder: Path, adder: Callable[..., Adder], section: str, named: bool
) -> None:
    parts = {REPO: answer(json.dumps(REPO_JSON)), USER: answer(json.dumps(USER_JSON))}
    with answering(parts) as loopback:
        adding = adder(loopback.services())
        flags = {"tags": "review", "note": "It flows."}
        assert adding.add("https://github.com/ada/flows", section, **flags) == 0
    listed = load(Path("resources.yaml"), IMPLEMENTATIONS)
    (entry,) = [each for each in listed.entries if "ada/flows" in each.url]
    assert (entry.section.key == "code") is named
    assert ("languages" in type(entry).model_fields) is named


def test_a_list_at_fault_is_mended_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "resources.yaml"
    file.write_text(file.read_text().replace("id: maf", "id: MAF"))
    with pytest.raises(SystemExit, match="1"):
        main(["add", "2101.00001", "--offline"])
    assert "MAF, id: " in capsys.readouterr().err


def test_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [f"--{name}={value}" for name, value in SAID.items()]
    before = contents(folder)
    command = ["add", "2101.00001", "--offline", "--section", "blogs", *flags]
    assert main([*command, "--dry-run"]) == 0
    assert contents(folder) == before
    assert main(command) == 0
    assert main(["readme", "--check"]) == 0
    assert main(command) == 1
    assert "it is on the list already, as blog_lovelace" in capsys.readouterr().err


SMALL = """\
# The list.
tags:
  a: An example
publications:
  # About the first.
  - id: one  # the first
    title: One
    authors: [A B]
    date: 2020-01-01
    url: https://example.org/1
    tags: [a]
    added: 2026-01-01
    implementation: wanted
    note: >-
      # no comment

  # About the second,
  # in two lines.
  - id: two
    title: Two
    authors: [A B]
    date: 2022-01-01
    url: https://example.org/2
    tags: [a]
    added: 2026-01-01
    implementation: wanted
    note: Short.
    # Behind the second.

# About videos.
videos: []  # none yet
blogs: []
code: []
"""
NEW = {
    "id": "new",
    "title": "New",
    "authors": ["C D"],
    "date": "2021-01-01",
    "url": "https://example.org/3",
    "tags": ["a"],
    "added": "2026-01-02",
    "note": "It is new.",
}


def joined(text: str, section: str = "publications", **fields: Any) -> str:
    after, _ = insert(text, read(text.encode(), "x"), section, {**NEW, **fields})
    return after


def added_lines(before: str, after: str) -> list[str]:
    """Return the lines that are new; none may be missing, none moved."""
    lines, new = before.split("\n"), []
    for line in after.split("\n"):
        if lines and line == lines[0]:
            lines.pop(0)
        else:
            new.append(line)
    assert lines == []
    return new


@pytest.mark.parametrize(
    ("date", "before"),
    [
        ("2019-01-01", "  # About the first.\n  - id: one"),
        ("2020-01-01", "  # About the second,\n  # in two lines.\n  - id: two"),
        ("2021-01-01", "  # About the second,\n  # in two lines.\n  - id: two"),
        ("2022-01-01", "\n# About videos.\n"),
        ("2023-01-01", "\n# About videos.\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_stay_with_what_they_are_about(
    date: str, before: str, end: str
) -> None:
    text = SMALL.replace("\n", end)
    after = joined(text, date=date)
    entry = "".join(f"  {line}{end}" for line in write({**NEW, "date": date}))
    at = SMALL.index(before)
    ahead, behind = (half.replace("\n", end) for half in (SMALL[:at], SMALL[at:]))
    last = date >= "2022"
    expected = ahead + (end + entry if last else entry + end) + behind
    assert after == expected


def test_a_first_entry_opens_its_section() -> None:
    entry = "".join(f"  {line}\n" for line in write(NEW))
    expected = SMALL.replace(
        "videos: []  # none yet\n", f"videos:  # none yet\n{entry}"
    )
    assert joined(SMALL, "videos") == expected


def test_a_file_without_a_last_line_end_gets_one() -> None:
    text = SMALL[: SMALL.index("    # Behind")].rstrip("\n")
    after = joined(text, date="2023-01-01")
    assert after.startswith(text + "\n\n  - id: new\n") and after.endswith("new.\n")


@pytest.mark.parametrize("indent", ["", "      "])
def test_an_entry_is_indented_like_its_neighbours(indent: str) -> None:
    head, body = SMALL.split("publications:")
    text = f"{head}publications:" + body.replace("\n  ", f"\n{indent}")
    after = joined(text)
    assert f"\n{indent}- id: new\n{indent}  title: New\n" in after
    assert len(yaml.safe_load(after)["publications"]) == 3


def test_a_section_in_brackets_is_left_to_its_author() -> None:
    text = "publications: [{id: one, date: 2020-01-01}]\n"
    with pytest.raises(AddError, match="does not begin on a line of its own"):
        joined(text)


def test_an_empty_section_is_opened_only_where_it_stands_on_one_line() -> None:
    with pytest.raises(AddError, match=r'not written so \(write "videos: \[\]"\)'):
        joined(SMALL.replace("videos: []", "videos: [\n  ]"), "videos")


def test_a_dash_may_stand_alone() -> None:
    text = SMALL.replace("  - id: two\n", "  -\n    id: two\n")
    assert "\n\n  # About the second,\n  # in two lines.\n  -\n" in joined(text)


def test_many_authors_stand_one_per_line() -> None:
    many = [f"Author Number{n}" for n in range(9)]
    lines = write({"id": "x", "authors": many})
    assert lines[1:3] == ["  authors:", "    - Author Number0"]
    assert yaml.safe_load("\n".join(lines)) == [{"id": "x", "authors": many}]


texts = (
    st.text("\"'#:-[]{}&*!|>%@`,?~ abc\\/0.=<$", min_size=1, max_size=20)
    | st.text(min_size=1, max_size=20)
    | st.sampled_from(["true", "No", "null", "1984", "1e3", "0x1F", ".inf", "~", "y"])
    | st.sampled_from(
        [
            *(payload.text for payload in PAYLOADS.values()),
            "- a",
            "a: b",
            "a #b",
            "a:",
            "...",
            "---",
        ]
    )
).map(visible)


@pytest.mark.thorough
@settings(max_examples=400, derandomize=True, deadline=None)
@given(texts.filter(bool), st.lists(texts.filter(bool), min_size=1, max_size=9))
def test_any_text_reads_as_itself(text: str, items: list[str]) -> None:
    entry = {"id": "x", "title": text, "authors": items, "note": text}
    content = "a:\n" + "\n".join(f"  {line}" for line in write(entry))
    found = read(content.encode(), "x")
    expected = {"id": "x", "title": text, "authors": items, "note": text}
    assert found.findings == []
    assert found.data == {"a": [expected]}
    assert yaml.safe_load(scalar(text)) == text or scalar(text)[0] != '"'


def fits(text: str) -> bool:
    return 0 < len(visible(text)) <= LONGEST_TEXT


@pytest.mark.sampled
@pytest.mark.parametrize("name", cases(n for n in PAYLOADS if fits(PAYLOADS[n].text)))
def test_a_hostile_title_adds_one_entry_and_nothing_else(
    name: str,
    folder: Path,
    adder: Callable[..., Adder],
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = PAYLOADS[name].text
    before = (folder / "resources.yaml").read_text("utf-8")
    old = Listing.read(folder / "resources.yaml", IMPLEMENTATIONS, TODAY)
    entry = {"title": text, "author_name": "Ada\n  - id: evil"}
    with answering({YOUTUBE: answer(json.dumps(entry))}) as loopback:
        adding = adder(loopback.services())
        flags = {"date": "2020-02-02", "tags": "review", "note": "Look."}
        assert adding.add("https://youtu.be/AAAAAAAAAAA", **flags) == 0
    new = load(folder / "resources.yaml", IMPLEMENTATIONS, TODAY)
    (video,) = [video for video in new.videos if video not in old.catalogue.videos]
    assert len(new.videos) == len(old.catalogue.videos) + 1
    assert new.publications == old.catalogue.publications
    assert video.title == visible(text)
    assert video.authors == ("Ada - id: evil",)
    after = (folder / "resources.yaml").read_text("utf-8")
    assert len(added_lines(before, after)) == 10
    # README.md's own emoji holds a joiner, and one title needs some.
    shown = re.sub("[\u200c\u200d]", "", capsys.readouterr().out).splitlines()
    assert all(line.isprintable() for line in shown)


DAYS = [f"{year}-06-15" for year in (1999, 2014, 2018, 2020, 2024)]


@pytest.mark.parametrize("date", DAYS)
@pytest.mark.parametrize("section", ["publications", "videos", "blogs", "code"])
def test_long_lists_stay_in_order(date: str, section: str, tmp_path: Path) -> None:
    file = tmp_path / "resources.yaml"
    file.write_text(generate(60, 20, 20, 20, seed=1), "utf-8")
    listing = Listing.read(file, tmp_path / "implementations", TODAY)
    software = {"kind": "package", "languages": ["Python"]}
    language = software if section == "code" else {}
    wanted = {"implementation": "wanted"} if section == "publications" else {}
    tag = next(iter(listing.catalogue.tags))
    entry = {**NEW, "date": date, "tags": [tag], **language, **wanted}
    content, catalogue = listing.joined(section, entry)
    dates = [each.date for each in getattr(catalogue, section)]
    assert dates == sorted(dates)
    assert len(added_lines(listing.content, content)) >= 10


def test_an_entry_that_breaks_out_is_refused(folder: Path) -> None:
    """A value that `write` must never let through, were it to fail."""
    listing = Listing.read(folder / "resources.yaml", IMPLEMENTATIONS, TODAY)
    entry = {**NEW, "tags": ["review"], "implementation": "wanted"}
    entry["note"] = "It is new.\n    venue: Elsewhere"
    with pytest.raises(AddError, match="would not read as it was meant"):
        listing.joined("publications", entry)
