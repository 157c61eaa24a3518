"""How software is kept: GitHub is asked, politely, and what it said is remembered."""

from __future__ import annotations

import datetime
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from scripts.base.project import ROOT
from scripts.catalogue import Catalogue, CatalogueError, Code
from scripts.links import software
from scripts.links.software import Upkeep
from scripts.site import pages
from scripts.site.facets import facets, facets_of
from scripts.sources.services import Services
from scripts.sources.web import Web
from tests.scripts.links.conftest import blog, catalogue
from tests.support.answering import REPO, REPO_JSON, Part, answer, answering, redirect
from tests.support.editions import edition_of

TODAY = datetime.date(2026, 11, 29)
PUSHED = datetime.date(2024, 11, 30)
KNOWN = Upkeep(repository="ada/flows", asked=TODAY, pushed=PUSHED, licence="MIT")


def program(number: int, url: str) -> Code:
    post = blog(f"c{number}", url).model_dump(exclude={"papers"})
    return Code.model_validate(post | {"kind": "package", "languages": ("Python",)})


def listed(*urls: str) -> Catalogue:
    code = tuple(program(n, url) for n, url in enumerate(urls))
    return catalogue().model_copy(update={"code": code})


FLOWS = listed("https://github.com/Ada/flows")


def renewed(folder: Path, base: str, of: Catalogue = FLOWS, days: int = 0) -> str:
    services = Services(Web("us", tries=1, token="secret"), github=base)
    software.renew(folder, of, services, TODAY + datetime.timedelta(days))
    return (folder / software.FILE).read_text("utf-8")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_what_github_says_is_kept_and_not_asked_again_for_weeks(tmp_path: Path) -> None:
    with answering({REPO: answer(json.dumps(REPO_JSON))}) as loopback:
        text = renewed(tmp_path, loopback.base)
        assert json.loads(text) == {
            **{"repository": "ada/flows", "asked": "2026-11-29"},
            **{"pushed": "2024-11-30", "licence": "MIT"},
        }
        assert renewed(tmp_path, loopback.base, days=27) == text
        assert len(loopback.asked) == 1
        assert '"asked": "2026-12-27"' in renewed(tmp_path, loopback.base, days=28)
    assert renewed(tmp_path, "http://127.0.0.1:1", listed()) == ""


@pytest.mark.parametrize("status", [403, 429])
def test_where_github_tells_no_more_the_rest_stays(
    tmp_path: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    two = listed("https://github.com/ada/flows", "https://github.com/ida/maps/tree/x")
    with answering({REPO: answer("{}", status=status)}) as loopback:
        assert renewed(tmp_path, loopback.base, two) == ""
        assert {path for path in loopback.asked if "ida" in path} == set()
    assert "GitHub tells no more for now: " in capsys.readouterr().err
    assert software.state(two.code[0], software.read(tmp_path / software.FILE)) == (
        "unknown"
    )


def test_one_that_is_gone_hinders_no_other(tmp_path: Path) -> None:
    two = listed("https://github.com/ida/maps", "https://github.com/ada/flows")
    parts = {
        "/repos/ida/maps": answer("{}", status=404),
        REPO: answer(json.dumps(REPO_JSON | {"archived": True, "license": None})),
    }
    with answering(parts) as loopback:
        renewed(tmp_path, loopback.base, two)
    known = software.read(tmp_path / software.FILE)
    assert [software.state(each, known) for each in two.code] == ["unknown", "archived"]


def saying(tokens: list[str | None], part: Part) -> Part:
    def says(request: BaseHTTPRequestHandler) -> None:
        tokens.append(request.headers["Authorization"])
        part(request)

    return says


def test_a_token_goes_to_the_host_that_is_asked_alone(tmp_path: Path) -> None:
    here: list[str | None] = []
    elsewhere: list[str | None] = []
    moved = {REPO: saying(elsewhere, answer(json.dumps(REPO_JSON)))}
    with answering(moved) as other:
        parts = {REPO: saying(here, redirect(other.base + REPO))}
        with answering(parts) as loopback:
            renewed(tmp_path, loopback.base)
    assert (here, elsewhere) == (["Bearer secret"], [None])
    assert "secret" not in repr(Web("us", token="secret"))


@pytest.mark.parametrize(
    ("days", "archived", "state"),
    [
        *((0, False, "active"), (730, False, "active"), (731, False, "quiet")),
        (0, True, "archived"),
    ],
)
def test_its_state_follows_from_the_day_it_was_asked(
    days: int, archived: bool, state: str
) -> None:
    pushed = TODAY - datetime.timedelta(days)
    changes = {"pushed": pushed, "archived": archived}
    assert KNOWN.model_copy(update=changes).state == state


def test_it_is_a_filter_and_what_is_unknown_is_said() -> None:
    two = listed("https://github.com/ADA/Flows", "https://example.org/flows")
    known = {"ada/flows": KNOWN}
    assert [facets_of(each, known)["state"] for each in two.code] == [
        ["active"],
        ["unknown"],
    ]
    (upkeep,) = [facet for facet in facets(two, known) if facet.name == "state"]
    assert [(v.value, v.number) for v in upkeep.values] == [
        ("active", 1),
        ("unknown", 1),
    ]


def test_the_list_shows_it() -> None:
    kept = KNOWN.model_copy(update={"archived": True})
    edition = edition_of(FLOWS, software={"ada/flows": kept})
    page = pages.generated(edition)["list.md"]
    assert "Python · archived, last changed Nov 30, 2024 · MIT</p>" in page
    assert 'data-state="archived"' in page


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{}", "repository: field required"),
        ("<<<<<<< HEAD", "the line: invalid JSON"),
        ('{"repository": "a/b", "asked": "2026-01-01", "pushed": "x"}', "pushed: "),
    ],
)
def test_a_line_at_fault_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / software.FILE
    path.write_text(f"{KNOWN.model_dump_json()}\n{line}\n")
    with pytest.raises(CatalogueError) as caught:
        software.read(path)
    assert str(caught.value).startswith(f"software.jsonl:2:1: software: {problem}")


@pytest.mark.published
def test_the_file_itself_is_good() -> None:
    software.read(ROOT / software.FILE)
