"""Answers of services are taken where they fit, refused where not, and in time."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.catalogue import Author, Organisation
from scripts.sources.services import Facts, Services
from scripts.sources.web import Web, WebError
from scripts.sources.works import NotIdentified, Work, identify
from tests.support.answering import (
    ARXIV,
    CROSSREF,
    ERROR_XML,
    NICE_XML,
    PAPER_JSON,
    REPO,
    REPO_JSON,
    USER,
    USER_JSON,
    VIDEO_JSON,
    YOUTUBE,
    Part,
    answer,
    answering,
    drip,
    hang_up,
    in_turn,
    redirect,
    xml,
)
from tests.support.fake_web import again_and_again, status

NICE = identify("1410.8516")
PAPER = identify("10.1000/182")
VIDEO = identify("https://youtu.be/i7LjDvsLWCg")
CODE = identify("https://github.com/ada/flows")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize(
    ("text", "kind", "name", "url", "section"),
    [
        *(
            (
                text,
                "arxiv",
                "1410.8516",
                "https://arxiv.org/abs/1410.8516",
                "publications",
            )
            for text in (
                "1410.8516",
                " 1410.8516v6 ",
                "arXiv:1410.8516",
                "http://arxiv.org/abs/1410.8516v2",
                "https://www.arxiv.org/pdf/1410.8516v2.pdf",
                "arxiv.org/abs/1410.8516?context=cs#x",
                "10.48550/arXiv.1410.8516",
                "https://doi.org/10.48550/ARXIV.1410.8516",
            )
        ),
        (
            *("math.GT/0309136v1", "arxiv", "math/0309136"),
            *("https://arxiv.org/abs/math/0309136", "publications"),
        ),
        (
            *("doi:10.1000/a<b>(c)", "doi", "10.1000/a<b>(c)"),
            *("https://doi.org/10.1000/a%3Cb%3E(c)", "publications"),
        ),
        (
            *("https://dx.doi.org/10.1000/a%3Cb", "doi", "10.1000/a<b"),
            *("https://doi.org/10.1000/a%3Cb", "publications"),
        ),
        *(
            (text, "doi", "10.1000/ab", "https://doi.org/10.1000/ab", "publications")
            for text in (
                "https://www.doi.org/10.1000%2Fab",
                "10.1000%2fab",
                "https://dl.acm.org/doi/pdf/10.1000/ab",
                "link.springer.com/article/10.1000/ab#Sec1",
            )
        ),
        *(
            (text, "youtube", "i7LjDvsLWCg", "https://youtu.be/i7LjDvsLWCg", "videos")
            for text in (
                "https://www.youtube.com/watch?v=i7LjDvsLWCg&t=3s",
                "https://m.youtube.com/watch?app=x&v=i7LjDvsLWCg",
                "youtu.be/i7LjDvsLWCg?si=abc",
                "https://www.youtube-nocookie.com/embed/i7LjDvsLWCg",
                "https://youtube.com/shorts/i7LjDvsLWCg",
            )
        ),
        *(
            (text, "github", "ada/flows", "https://github.com/ada/flows", "code")
            for text in (
                "https://github.com/ada/flows",
                "github.com/ada/flows/",
                "https://github.com/ada/flows.git",
                "https://github.com/ada/flows/tree/main",
                "https://github.com/ada/flows?tab=readme#install",
            )
        ),
        *(
            (url, "page", url, url, section)
            for url, section in {
                "https://github.com/ada/flows/blob/main/a.ipynb": "code",
                "https://openreview.net/forum?id=abc": "publications",
                "https://example.org/post?id=1": "blogs",
                "https://www.youtube.com/@ada": "blogs",
            }.items()
        ),
        (
            *("http://example.org/post", "page"),
            *("https://example.org/post", "https://example.org/post", "blogs"),
        ),
    ],
)
def test_works_are_known_by_any_of_their_names(
    text: str, kind: str, name: str, url: str, section: str
) -> None:
    work = identify(text)
    assert (work.kind, work.name, work.url, work.section) == (kind, name, url, section)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '"" is no arXiv id, DOI or address'),
        ("Neural Spline Flows", '"Neural Spline Flows" is no arXiv id'),
        ("1410.85", '"1410.85" is no arXiv id'),
        ("1611.0963", "since 2015 their numbers have five digits after the dot, not 4"),
        ("arXiv:1501.0001v2", "compare 1501.0001 with the paper's page"),
        ("https://arxiv.org/pdf/1412.12345", "before 2015 their numbers have four"),
        ("javascript:alert(1)//", "is no arXiv id"),
        ("file:///etc/hostname", "is no arXiv id"),
        ("https://me:secret@example.org/", "carries credentials"),
        ("https://localhost/", "has no proper host"),
        ("https://example.org/a b", "has a space in it"),
        ("https://example.org/<b>", "has characters that no address has"),
        ("10.1000/" + "x" * 90, ""),
    ],
)
def test_what_is_no_work_is_refused(text: str, message: str) -> None:
    if not message:
        assert identify(text).kind == "doi"
        return
    with pytest.raises(NotIdentified) as caught:
        identify(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "url", "left_out"),
    [
        (
            "https://example.org/a?utm_source=x&id=1&UTM_medium=y&fbclid=z#part",
            "https://example.org/a?id=1#part",
            ("utm_source=x", "UTM_medium=y", "fbclid=z"),
        ),
        ("example.org/a?gclid=1", "https://example.org/a", ("gclid=1",)),
        (
            "https://arxiv.org/abs/1410.8516?utm_source=x",
            "https://arxiv.org/abs/1410.8516",
            ("utm_source=x",),
        ),
        # Elsewhere these are what is shown.
        (
            "https://example.org/?ref=a&q=utm_b",
            "https://example.org/?ref=a&q=utm_b",
            (),
        ),
    ],
)
def test_what_follows_readers_is_left_out_of_an_address(
    given: str, url: str, left_out: tuple[str, ...]
) -> None:
    work = identify(given)
    assert (work.url, work.left_out) == (url, left_out)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    st.text(max_size=40)
    | st.from_regex(r"\A(https?://|doi:|arxiv:)?[ -~]{0,40}\Z")
    | st.from_regex(r"\Ahttps?://(github\.com|youtu\.be|arxiv\.org/abs|doi\.org)/.*\Z")
)
def test_whatever_is_named_has_an_address_of_the_list_or_is_refused(text: str) -> None:
    try:
        work = identify(text)
    except NotIdentified:
        return
    assert work.url.startswith("https://") and " " not in work.url
    assert identify(work.url).url == work.url


def facts(work: Work, parts: dict[str, Part], **bounds: Any) -> Facts:
    with answering(parts) as loopback:
        return loopback.services(**bounds).facts(work)


def test_arxiv() -> None:
    with answering({ARXIV: xml(NICE_XML)}) as loopback:
        found = loopback.services().facts(NICE)
    assert found == Facts(
        "NICE: Non-linear Independent Components Estimation",
        ("Laurent Dinh", "David Krueger", "Yoshua Bengio"),
        "2014-10-30",
        "A Journal, 2015",
    )
    assert loopback.asked == [f"{ARXIV}?id_list=1410.8516&max_results=1"]
    assert loopback.agents == {"our list (https://example.org)"}


def test_crossref() -> None:
    assert facts(PAPER, {CROSSREF: answer(json.dumps(PAPER_JSON))}) == Facts(
        "Flows on S2 & Elsewhere",
        (
            "Ada Lovelace",
            "Martin King Jr.",
            Organisation(organisation="Flows, Inc."),
        ),
        "2021-02-09",
        "Journal of Flows",
        marked=True,
    )


@pytest.mark.parametrize(
    ("person", "author"),
    [
        ({"given": "Martin", "family": "King", "suffix": "JR"}, "Martin King Jr."),
        ({"given": "Martin, Jr.", "family": "King"}, "Martin King Jr."),
        ({"given": "Martin", "family": "King, Jr."}, "Martin King Jr."),
        ({"given": "Ada", "family": "Byron", "suffix": "PhD"}, "Ada Byron"),
        ({"family": "Aristotle"}, "Aristotle"),
        ({"name": "Lab; Unit"}, Organisation(organisation="Lab, Unit")),
    ],
)
def test_crossref_tells_names_in_parts(person: dict[str, str], author: Author) -> None:
    message = {"DOI": "10.1000/182", "author": [person, {"name": ""}, {}, 7]}
    services = Services(Canned(json.dumps({"message": message})))
    assert services.facts(PAPER).authors == (author,)


def test_of_a_date_that_is_known_in_part_the_most_is_told() -> None:
    message: dict[str, Any] = dict(PAPER_JSON["message"])  # type: ignore[call-overload]
    del message["published-online"], message["published-print"]
    message["published"] = {"date-parts": [[2021, 2]]}
    part = answer(json.dumps({"message": message}))
    assert facts(PAPER, {CROSSREF: part}).date == "2021-02"


@pytest.mark.parametrize(
    ("known", "date"),
    [
        # The earliest; and of one that is known better elsewhere the most.
        ([[2021, 2], [2021, 5, 3]], "2021-02"),
        ([[2021], [2021, 5, 3]], "2021-05-03"),
        ([[2021], [2021, 5], [2021, 6, 1]], "2021-06-01"),
        ([[2022], [2021]], "2021"),
        ([[2021, 13], [2022, 1]], "2022-01"),
        ([[2021, None, 3]], "2021"),
        ([[None], []], ""),
        ([[True, 2]], ""),
    ],
)
def test_of_several_dates_the_earliest_is_told(known: list[Any], date: str) -> None:
    fields = ("published-online", "published-print", "published", "issued")
    message: dict[str, Any] = dict(PAPER_JSON["message"])  # type: ignore[call-overload]
    for field in fields:
        message.pop(field, None)
    message |= {f: {"date-parts": [d]} for f, d in zip(fields, known, strict=False)}
    part = answer(json.dumps({"message": message}))
    assert facts(PAPER, {CROSSREF: part}).date == date


@pytest.mark.parametrize("published", ["yesterday", "2014-13-30T", "", None])
def test_a_date_that_is_none_is_not_known(published: str | None) -> None:
    told = f"<published>{published}</published>" if published is not None else ""
    text = NICE_XML.replace("<published>2014-10-30T19:44:20Z</published>", told)
    assert text != NICE_XML
    assert facts(NICE, {ARXIV: xml(text)}).date == ""


def test_youtube_names_the_channel_and_no_date() -> None:
    with answering({YOUTUBE: answer(json.dumps(VIDEO_JSON))}) as loopback:
        found = loopback.services().facts(VIDEO)
    assert found == Facts("Flows in five minutes", ("Ada Lovelace",))
    video = "https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3Di7LjDvsLWCg"
    assert loopback.asked == [f"{YOUTUBE}?url={video}&format=json"]


def test_github() -> None:
    parts = {
        REPO: answer(json.dumps(REPO_JSON)),
        USER: answer(json.dumps(USER_JSON)),
    }
    expected = Facts("flows", ("Ada Lovelace",), "2020-02-29", "", "Python")
    assert facts(CODE, parts) == expected
    parts[USER] = answer('{"login": "ada", "name": null, "type": "User"}')
    assert facts(CODE, parts).authors == ("ada",)
    assert facts(CODE, parts).marked


@pytest.mark.parametrize("name", ['"Flows, Inc."', "null"])
def test_github_tells_organisations(name: str) -> None:
    parts = {
        REPO: answer(json.dumps(REPO_JSON)),
        USER: answer(f'{{"name": {name}, "type": "Organization"}}'),
    }
    known = "Flows, Inc." if name != "null" else "ada"
    assert facts(CODE, parts).authors == (Organisation(organisation=known),)


def test_nobody_is_asked_about_a_page() -> None:
    with answering({}) as loopback:
        found = loopback.services().facts(identify("https://example.org/post"))
    assert found == Facts()
    assert loopback.asked == []


HTML = answer("<html><body>Sign in</body></html>", "text/html")
BOMB = NICE_XML.replace(
    "<feed",
    '<!DOCTYPE feed [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;">]><feed',
    1,
).replace("NICE:", "&b;")
DEEP_XML = (
    '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">'
    + "<a>" * 100_000
    + "</a>" * 100_000
    + "</feed>"
)


@pytest.mark.parametrize(
    ("work", "path", "part", "message", "asked"),
    [
        (NICE, ARXIV, HTML, "sent text/html, not xml", 1),
        (NICE, ARXIV, answer("Rate exceeded.", "text/plain"), "sent text/plain", 1),
        (NICE, ARXIV, xml(NICE_XML[:700]), "arXiv sent broken XML", 1),
        (NICE, ARXIV, xml(""), "arXiv sent broken XML", 1),
        (NICE, ARXIV, xml(ERROR_XML), "arXiv knows no 1410.8516", 1),
        (NICE, ARXIV, xml(NICE_XML.replace("8516v6", "8517v6")), "knows no", 1),
        (NICE, ARXIV, xml(BOMB), "a document type, which is refused", 1),
        (NICE, ARXIV, xml(DEEP_XML), "arXiv knows no", 1),
        (NICE, ARXIV, answer(b"\xff\xfe<\x00", "text/xml"), "not UTF-8", 1),
        (NICE, ARXIV, answer("", "text/xml", 503), "status 503, asked 3 times", 3),
        (NICE, ARXIV, answer("", "text/xml", 429), "status 429, asked 3 times", 3),
        (NICE, ARXIV, answer("", "text/xml", 403), "answered with status 403", 1),
        (NICE, ARXIV, hang_up, "broke the connection off, asked 3 times", 3),
        (NICE, ARXIV, xml("<a>" + "x" * 2_000_000), "more than 2,000,000 bytes", 1),
        (NICE, ARXIV, redirect("file:///etc/hostname"), "to another scheme", 1),
        (NICE, ARXIV, redirect("https://127.0.0.1:1/"), "to another scheme", 1),
        (NICE, ARXIV, redirect("http://[/"), "cannot be reached", 1),
        (NICE, ARXIV, redirect(ARXIV), "redirects more than 3 times", 4),
        (PAPER, CROSSREF, HTML, "sent text/html, not json", 1),
        (PAPER, CROSSREF, answer("[" * 500_000), "sent broken JSON", 1),
        (PAPER, CROSSREF, answer('{"message": '), "sent broken JSON", 1),
        (PAPER, CROSSREF, answer("null"), "did not answer about this DOI", 1),
        (PAPER, CROSSREF, answer('{"message": {"DOI": 7}}'), "not answer about", 1),
        (PAPER, "/nowhere", HTML, "knows no such work: check its name", 1),
        (VIDEO, YOUTUBE, answer("", status=401), "answered with status 401", 1),
    ],
)
def test_answers_of_no_use_are_refused_and_say_why(
    work: Work, path: str, part: Part, message: str, asked: int
) -> None:
    with answering({path: part}) as loopback:
        with pytest.raises(WebError) as caught:
            loopback.services().facts(work)
    assert message in str(caught.value)
    assert len(loopback.asked) == asked


def test_a_service_that_is_busy_is_asked_again() -> None:
    part = in_turn(answer("", status=503), hang_up, xml(NICE_XML))
    assert facts(NICE, {ARXIV: part}).date == "2014-10-30"


def test_pauses_between_tries_grow() -> None:
    start = time.monotonic()
    with pytest.raises(WebError, match="asked 3 times"):
        facts(NICE, {ARXIV: answer("", status=503)}, pause=0.1)
    assert 0.2 <= time.monotonic() - start < 3


def test_a_service_says_when_to_ask_again() -> None:
    part = in_turn(status(503, Retry_After="1"), status(429), xml(NICE_XML))
    start = time.monotonic()
    assert facts(NICE, {ARXIV: part}).date == "2014-10-30"
    assert 1 <= time.monotonic() - start < 3


def test_it_is_not_waited_for_as_long_as_it_likes() -> None:
    part = in_turn(status(503, Retry_After="999999"), xml(NICE_XML))
    assert facts(NICE, {ARXIV: part}, seconds=3, tries=3).date == "2014-10-30"


@pytest.mark.parametrize(
    "part",
    [
        drip(b" ", headers_first=True),
        drip(b"x", headers_first=False),
        drip(b"", headers_first=True),
    ],
    ids=["body", "headers", "nothing"],
)
def test_slow_answers_are_not_waited_for(part: Part) -> None:
    start = time.monotonic()
    with pytest.raises(WebError, match="did not answer in time"):
        facts(PAPER, {CROSSREF: part}, seconds=0.3, tries=2)
    assert time.monotonic() - start < 3


def test_endless_answers_are_cut_off() -> None:
    flood = drip(b"x" * 100_000, headers_first=True)
    start = time.monotonic()
    with pytest.raises(WebError, match="sent more than 300,000 bytes"):
        facts(PAPER, {CROSSREF: flood}, seconds=20, largest=300_000)
    assert time.monotonic() - start < 10


def test_nothing_is_read_of_a_redirect() -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {CROSSREF}\r\n\r\n".encode()
    moving = in_turn(again_and_again(head, b"x"), answer(json.dumps(PAPER_JSON)))
    assert facts(PAPER, {CROSSREF: moving}, seconds=2).title


def test_passwords_are_sent_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ada password secret\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[str | None] = []

    def part(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        (redirect(ARXIV) if len(seen) == 1 else xml(NICE_XML))(request)

    assert facts(NICE, {ARXIV: part}).title
    assert seen == [None, None]


def test_a_proxy_is_asked_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    arxiv = f"http://arxiv.invalid{ARXIV}"
    with answering({arxiv: xml(NICE_XML)}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base)
        assert Services(Web("x"), arxiv=arxiv).facts(NICE).title
    assert proxy.asked == [f"{arxiv}?id_list=1410.8516&max_results=1"]


def test_where_there_is_no_network_the_message_says_so() -> None:
    with answering({}) as loopback:
        gone = loopback.base
    services = Services(Web("x", pause=0), arxiv=gone)
    with pytest.raises(WebError, match=r"^127\.0\.0\.1:\d+ cannot be reached, asked 3"):
        services.facts(NICE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=6,
)
crossref_messages = st.fixed_dictionaries(
    {"DOI": st.just("10.1000/182")},
    optional={
        name: json_values
        | st.lists(json_values, max_size=2)
        | st.lists(st.dictionaries(st.sampled_from(["given", "name"]), json_values))
        | st.fixed_dictionaries({"date-parts": st.lists(json_values, max_size=2)})
        for name in ("title", "author", "container-title", "issued", "published")
    },
)


class Canned(Web):
    """Has one answer to everything."""

    def text(self, url: str, kind: str) -> str:
        return self.agent


def is_inert(found: Facts) -> bool:
    texts = [
        found.title,
        found.date,
        found.venue,
        found.language,
        *map(str, found.authors),
    ]
    return all(
        isinstance(text, str) and text.isprintable() and len(text) <= 1_000
        for text in texts
    )


@settings(max_examples=100, derandomize=True, deadline=None)
@given(crossref_messages)
def test_whatever_shape_an_answer_has_facts_are_short_visible_text(
    message: dict[str, Any],
) -> None:
    services = Services(Canned(json.dumps({"message": message})))
    assert is_inert(services.facts(PAPER))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("A\x1b[31m\u202e\x00B", "A[31mB"),
        ("A\n  - id: evil\r\n\u2028b", "A - id: evil b"),
        ("x" * 1_001, ""),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("&lt;b&gt; \u200b&#10;x", "<b> x"),
        (7, ""),
        (None, ""),
        (["A"], ""),
    ],
)
def test_titles_are_one_visible_line(title: Any, expected: str) -> None:
    message = {"DOI": "10.1000/182", "title": [title]}
    services = Services(Canned(json.dumps({"message": message})))
    assert services.facts(PAPER).title == expected


def test_a_collaboration_has_thousands_of_authors() -> None:
    people = [{"given": "A", "family": f"N{n}"} for n in range(3_000)]
    message = {"DOI": "10.1000/182", "author": people}
    services = Services(Canned(json.dumps({"message": message})))
    assert len(services.facts(PAPER).authors) == 3_000
