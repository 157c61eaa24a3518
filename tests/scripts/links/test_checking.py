"""`make links` from its first question to the report; over days, offline, cut short."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from scripts.base.project import ROOT
from scripts.catalogue import CatalogueError, Video
from scripts.links.answers import Account
from scripts.links.linkchecker import LinkChecker, LinkCheckerError
from scripts.links.network import Found, lookup
from tests.scripts.links.conftest import START, World, blog, catalogue
from tests.support.answering import answer, answering, in_turn
from tests.support.fake_web import Scripted, asker, moved, status

PAGE = answer("<html>", "text/html")


def test_over_days_what_dies_is_dead_and_what_comes_back_is_alive(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {
        "/here": PAGE,
        "/moved": moved("/here"),
        "/dying": in_turn(PAGE, status(404)),
        "/gone": status(410),
        "/refuses": status(403),
        "/flapping": in_turn(status(404), status(404), PAGE, status(404)),
        "/returns": in_turn(status(404), status(404), status(404), PAGE),
        "/youtube": status(404),
    }
    vanished, film = "https://nowhere.invalid/a", "https://youtu.be/aaaaaaaaaaa"
    with answering(parts) as loopback:
        blogs = [
            blog(path[1:], loopback.base + path) for path in parts if path != "/youtube"
        ]
        video = Video.model_validate(dict(blog("film", film)))
        listed = catalogue(*blogs, blog("lost", vanished), videos=(video,))

        def states() -> dict[str, str]:
            """The states after one more run, by address without its host."""
            ours = asker(loopback.base)
            ours.checker, ours.tries = Blind(**vars(ours.checker)), 1
            assert world.check(listed, ours).run() == 0
            return {
                url.removeprefix(loopback.base): record.state
                for url, record in world.records().items()
            }

        always = {"/moved": "alive", "/refuses": "unknown"}
        gone = ("/gone", "/flapping", "/returns", vanished, film)
        assert states() == always | dict.fromkeys(gone, "unknown")
        moved_to = world.records()[f"{loopback.base}/moved"].moved
        assert moved_to == f"{loopback.base}/here"
        assert "## Suspected (5)" in world.report and "## Dead" not in world.report

        # Beyond the cache but within the day: no second time.
        world.later(hours=13)
        assert states() == always | dict.fromkeys((*gone, "/dying"), "unknown")

        world.later(days=7)
        died = dict.fromkeys(("/gone", "/returns", "/dying", vanished, film), "dead")
        assert states() == always | died
        assert world.records()[f"{loopback.base}/gone"].gone == START
        assert "## Dead (5)" in world.report

        world.later(days=7)
        del died["/returns"]
        assert states() == always | died | {"/flapping": "unknown"}
        assert "links.jsonl written" in capsys.readouterr().out


class Blind(LinkChecker):
    """Asks as LinkChecker does, but spares the website."""

    def crawl(self, start: str) -> Generator[Account, None, None]:
        yield from ()


def test_the_built_site_is_looked_through(world: World) -> None:
    parts = {"/here": PAGE, "/on-a-page": status(404), "/in-a-note": PAGE}
    repo = "https://github.com/me/flows/blob/main/"
    colab = "https://colab.research.google.com/github/me/flows/blob/main/"
    with answering(parts) as loopback:
        base = loopback.base
        world.page(
            *("sub/", "missing/", "/outside", f"{base}/here#part", "mailto:a@b.c"),
            *(f"{repo}resources.yaml#L2", f"{repo}none.py", f"{colab}none.ipynb"),
            *("https://me.example/flows/sub/", "https://me.example/flows/none/"),
        )
        world.page("../", f"{base}/on-a-page", name="sub/index.html")
        note = f"See [this]({base.replace('http:', 'https:')}/in-a-note)."
        links = {"Code": f"{base}/in-a-note"}
        entry = blog("one", f"{base}/here", links=links, note=note)
        listed = catalogue(entry)
        listed._lines["one"] = 2
        assert world.check(listed, asker(base)).run() == 0
    assert loopback.asked.count("/here") == 1
    assert "/in-a-note" in loopback.asked
    assert not any("none" in path for path in loopback.asked)
    states = {url: record.state for url, record in world.records().items()}
    noted = f"{base.replace('http:', 'https:')}/in-a-note"
    assert states == {f"{base}/on-a-page": "unknown", noted: "unknown"}
    assert "404 since Nov 23, 2026, on the page `sub/`\n" in world.report
    assert f"in `one` ([resources.yaml:2]({repo}resources.yaml#L2))" in world.report
    broken = world.report.partition("## Broken within the project (5)")[2]
    for target in ("missing/", "/outside", "none.py", "none.ipynb", "flows/none/"):
        assert f"{target}`, on the page `the home page`" in broken


def test_lately_heard_is_not_asked_again_but_what_was_unclear_is(world: World) -> None:
    said = {"here": "200 OK", "gone": "404 X", "refuses": "403 X"}
    check, asked = world.scripted(**said)
    assert check.run() == 0
    assert len(asked) == 3
    world.later(hours=11)
    check, asked = world.scripted(**said)
    assert check.run() == 0
    assert asked == ["https://refuses.invalid/"]
    # What was heard once counts once, however often it is used.
    assert world.records()["https://gone.invalid/"].gone == START
    (world.root / ".cache" / "links.json").write_text('{"https://x": 7}')
    check, asked = world.scripted(**said)
    assert check.run() == 0
    assert len(asked) == 3


NOWHERE = "ConnectionError: HTTPSConnectionPool(host='x'): Max retries exceeded"


def test_without_a_network_nothing_is_known(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.scripted(gone="404 X", here="200 OK")[0].run()
    before = (world.root / "links.jsonl").read_bytes()
    assert before
    world.later(days=7)
    capsys.readouterr()
    check, asked = world.scripted(gone=NOWHERE, here=NOWHERE, lost=NOWHERE)
    assert check.run() == 1
    assert len(asked) == 3  # once: nobody is asked again
    assert "is there a network? links.jsonl stays as it was" in capsys.readouterr().err
    assert (world.root / "links.jsonl").read_bytes() == before


def test_without_a_network_what_was_heard_lately_helps_nothing(world: World) -> None:
    world.scripted(here="200 OK", lost="503 X")[0].run()
    before = (world.root / "links.jsonl").read_bytes()
    check, _ = world.scripted(here="200 OK", lost=NOWHERE)
    check.asker.lookup = lambda host: "missing"
    assert check.run() == 1
    assert (world.root / "links.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("here", "lost", "expected"),
    [
        ("found", "missing", True),
        ("found", "unclear", False),
        ("found", "found", False),
        ("missing", "missing", False),  # hosts have answered; now no name is found
        ("unclear", "missing", False),
    ],
)
def test_a_host_has_vanished_only_while_others_are_found(
    world: World, here: Found, lost: Found, expected: bool
) -> None:
    check, _ = world.scripted(here="200 OK", lost=NOWHERE)
    check.asker.lookup = lambda host: lost if host == "lost.invalid" else here
    assert check.run() == 0
    record = world.records()["https://lost.invalid/"]
    assert (record.gone is not None) == expected


def test_names_are_looked_up() -> None:
    assert lookup("localhost") == "found"
    assert lookup("nowhere.invalid") in ("missing", "unclear")
    assert lookup("a" * 300) in ("missing", "unclear")


def test_interrupted_it_keeps_what_is_whole(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    check, _ = world.scripted(a="404 X", b="200 OK", c="200 OK")

    def press(line: str) -> None:
        if "//b" in line:
            raise KeyboardInterrupt

    check.asker.log = press
    assert check.run() == 130
    assert "Interrupted: links.jsonl stays as it was" in capsys.readouterr().err
    assert world.records() == {}
    check, asked = world.scripted(a="404 X", b="200 OK", c="200 OK")
    assert check.run() == 0
    assert asked == ["https://c.invalid/"]
    assert list(world.records()) == ["https://a.invalid/"]
    assert "2 addresses have answered in the last hours" in capsys.readouterr().out


def test_a_history_at_fault_stops_it_before_anybody_is_asked(world: World) -> None:
    (world.root / "links.jsonl").write_text("{}\n")
    check, asked = world.scripted(here="200 OK")
    with pytest.raises(CatalogueError, match=r"links\.jsonl:1:1"):
        check.run()
    assert asked == []
    assert (world.root / "links.jsonl").read_text() == "{}\n"


def test_without_a_website_it_says_what_to_do(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (world.root / "site" / "index.html").unlink()
    check, asked = world.scripted(here="200 OK")
    assert check.run() == 1
    assert "no website in site/: run `make site`" in capsys.readouterr().err
    assert asked == []


def test_what_no_account_comes_of_is_asked_again_and_unknown(world: World) -> None:
    check, asked = world.scripted(here="200 OK", silent="", busy="503 X")
    assert check.run() == 0
    again = ["https://busy.invalid/", "https://silent.invalid/"]
    assert asked[3:] == again
    why = [world.records()[address].why for address in again]
    assert why == ["503", "no answer in time"]


def test_a_try_without_any_account_says_nothing_of_the_network(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, asked = world.scripted(here="", gone="")
    checker = check.asker.checker
    assert isinstance(checker, Scripted)
    later = {"https://here.invalid/": "200 OK", "https://gone.invalid/": "404 X"}
    monkeypatch.setattr(
        "scripts.links.asking.time.sleep", lambda _: checker.results.update(later)
    )
    assert check.run() == 0
    assert len(asked) == 4
    assert list(world.records()) == ["https://gone.invalid/"]


def test_where_no_account_ever_comes_the_history_stays(world: World) -> None:
    check, asked = world.scripted(here="", gone="")
    assert check.run() == 1
    assert len(asked) == 4
    assert world.records() == {}


def test_as_long_a_pause_as_a_host_asks_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("scripts.links.asking.time.sleep", pauses.append)
    check, _ = world.scripted(busy="429 X|Retry-After: 90", here="200 OK")
    check.asker.pause, check.asker.tries = 30, 4
    assert check.run() == 0
    assert pauses == [90, 90, 120]


def test_a_linkchecker_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho No module named linkcheck >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(LinkCheckerError, match="No module named linkcheck"):
        list(LinkChecker("us").ask(["https://nowhere.invalid"]))


def test_it_takes_nothing_secret_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spy = tmp_path / "python"
    seen = tmp_path / "seen"
    spy.write_text(f"#!/bin/sh\nenv > {seen}\nexit 1\n")
    spy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(spy))
    monkeypatch.setenv("GH_TOKEN", "secret")
    with pytest.raises(LinkCheckerError):
        list(LinkChecker("us").ask(["https://nowhere.invalid"]))
    assert "HOME=" in seen.read_text()
    assert "secret" not in seen.read_text()
    assert f"HOME={Path.home()}\n" not in seen.read_text()


def stub(folder: Path, script: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return path


def test_a_website_that_was_not_looked_through_is_no_website_without_links(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "echo 'asked;parent;r;w;i;v;u'\nexec sleep 60\n"
    monkeypatch.setattr(sys, "executable", str(stub(world.root, script)))
    ours = asker("http://127.0.0.1:1")
    ours.checker = LinkChecker("us", patience=0.2)
    assert world.check(catalogue(), ours).run() == 1
    assert "it printed nothing for 0.2 s" in capsys.readouterr().err


def test_rows_survive_any_words_of_a_host() -> None:
    said: list[Account] = []
    fields = ['https://a/";\n"', "", '404 "x";y', "", "", "False", "https://a"]
    quoted = ";".join('"' + field.replace('"', '""') + '"' for field in fields)
    script = f"#!/bin/sh\ncat <<'E'\nasked;parent;r;w;i;v;u\n{quoted}\nno row\nE\n"
    path = Path("python-stub").absolute()
    path.write_text(script)
    path.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(path))
        said.extend(LinkChecker("us").crawl("https://a"))
    path.unlink()
    assert said == [Account(*fields)]


def test_its_threads_have_room_in_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a memory of its own for each thread, as many as here would need 1.8 GB."""
    monkeypatch.setattr("scripts.links.linkchecker._MEMORY", 1_300_000_000)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    hosts = [f"http://127.0.0.1:{port}/" for port in range(1, 101)]
    rows = asker("http://127.0.0.1").checker.ask(hosts)
    assert sorted(row.asked for row in rows) == sorted(hosts)


def test_ctrl_c_leaves_no_linkchecker_behind() -> None:
    # A server that accepts and never answers: LinkChecker waits for it.
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        code = (
            # What runs in the background, as this may, ignores it from birth.
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from scripts.links.linkchecker import LinkChecker\n"
            f"address = 'http://127.0.0.1:{server.getsockname()[1]}/'\n"
            "for row in LinkChecker('us').ask([address]): pass"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT), "no_proxy": "127.0.0.1"},
            stderr=subprocess.PIPE,
        )
        with process, server.accept()[0]:
            children = psutil.Process(process.pid).children()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
    assert children
    assert not any(child.is_running() for child in children)


def test_real_times_are_whole_seconds_in_utc() -> None:
    now = asker("http://127.0.0.1").now()
    assert now.microsecond == 0 and now.tzinfo == datetime.UTC
