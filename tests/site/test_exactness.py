"""The Exactness page: what it makes of the results, and that it shows all of them."""

from __future__ import annotations

import datetime

import pytest
from playwright.sync_api import Page

from scripts.base.project import ROOT
from scripts.results.forms import Accuracy, Course, FittedTarget, Machine
from scripts.site.measured.exactness import Fits, examine, fits
from tests.support.visit import Visit

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.open("exactness/")


def course(library: str, seed: int, *gaps: float | None) -> Course:
    return Course(
        target="ring",
        family="maf",
        library=library,
        seed=seed,
        parameters=10,
        seconds=tuple(0.5 * k for k in range(1, len(gaps) + 1)),
        gaps=gaps,
    )


def fitted(*courses: Course) -> Fits:
    return fits(
        Accuracy(
            date=datetime.date(2026, 11, 24),
            machine=Machine(cores=2, model="abacus", memory_gb=1),
            versions={"python": "3.11"},
            threads=1,
            gpu="not measured",
            batch=8,
            rate=1e-3,
            held_out=10,
            checkpoints=(1, 2),
            targets=(FittedTarget(name="ring", dim=2, context=0, entropy=1.0),),
            courses=courses,
            left_out=(),
        )
    )


def test_ends_are_medians_with_the_lowest_and_the_highest() -> None:
    result = fitted(
        *(course("ours", seed, 1.0, gap) for seed, gap in enumerate((0.3, 0.1, 0.2))),
        *(course("zuko", seed, 1.0, gap) for seed, gap in enumerate((0.4, 0.1, None))),
    )
    (match,) = result.matches
    assert match.ends["ours"] == (0.2, 0.1, 0.3, 1.0)
    assert match.ends["zuko"].median == 0.4
    assert match.lag == pytest.approx(-0.2) and not match.behind
    assert result.seeds == 3 and result.behind == []


@pytest.mark.parametrize(
    ("ours", "theirs", "behind"),
    [(0.2, 0.1, True), (0.1005, 0.1, False), (0.1, 0.2, False), (None, 0.1, True)],
)
def test_behind_is_said_where_a_peer_is_nearer(
    ours: float | None, theirs: float, behind: bool
) -> None:
    result = fitted(course("ours", 0, 1.0, ours), course("nflows", 0, 1.0, theirs))
    assert [match.target for match in result.behind] == ["ring"] * behind


def test_curves_stay_in_their_panel_and_skip_what_is_not_positive() -> None:
    result = fitted(course("ours", 0, 1.0, 0.01), course("zuko", 0, 0.5, -0.001))
    (panel,) = result.panels["MAF"]
    assert panel.curves["ours"] == "14.0,14.0 186.0,116.0"
    assert len(panel.curves["zuko"].split()) == 1
    assert panel.seconds == (0.5, 1.0) and panel.gaps == (0.01, 1.0)


def test_every_answer_stands_in_a_table(page: Page) -> None:
    examination = examine(RESULTS)
    assert len(examination.sheets) == 3
    for sheet in examination.sheets:
        table = page.get_by_role("region", name=sheet.group)
        heads = table.locator("th[scope=col]").all_inner_texts()
        assert [head.rstrip(" ↕") for head in heads[1:]] == [
            question.head for question in sheet.questions
        ]
        rows = table.locator("tbody tr:not(.group)")
        assert rows.count() == len(sheet.lines)
        groups = table.locator("tr.group").all_inner_texts()
        assert groups == list(sheet.by_library)
        for verdict in ("kept", "stops", "fails", "absent"):
            cells = sum(
                c.verdict == verdict for line in sheet.lines for c in line.cells
            )
            assert table.locator(f"td.{verdict}").count() == cells


def test_tallies_add_up(page: Page) -> None:
    examination = examine(RESULTS)
    for tally in examination.tallies:
        assert tally.asked == tally.kept + tally.stops + tally.fails
    table = page.get_by_role("region", name="What each library keeps")
    ours = table.locator("tbody tr").first.locator("td").all_inner_texts()
    library, flows, asked, kept, stops, fails = examination.tallies[0]
    groups = [group.kept[library] for group in examination.by_group]
    assert [sum(counts) for counts in zip(*groups, strict=True)] == [kept, asked]
    shares = [f"{kept} of {asked}", *(f"{k} of {n}" for k, n in groups)]
    assert ours == [*shares, str(stops), str(fails), str(flows)]


def test_three_numbers_answer_first(page: Page) -> None:
    examination = examine(RESULTS)
    numbers = page.locator(".headlines strong").all_inner_texts()
    ours = examination.tallies[0]
    assert numbers[:2] == [f"{ours.kept} of {ours.asked}", str(ours.fails)]
    assert len(numbers) == (3 if examination.fits else 2)
    page.locator(".headlines a").first.click()
    page.wait_for_url("**/exactness/#checks")


def test_notes_are_where_their_numbers_lead(page: Page) -> None:
    numbers = page.locator("sup a")
    assert numbers.count() > 0
    for link in {a.get_attribute("href") for a in numbers.all()}:
        assert link and page.locator(link).count() == 1


def test_it_is_whole_without_scripts_on_a_phone(
    root: str, without_scripts: Page
) -> None:
    page = without_scripts
    page.goto(f"{root}exactness/")
    assert page.locator("table").count() >= 4
    assert page.get_by_role("heading", name="How near to the truth").is_visible()


def test_questions_are_markdown(page: Page) -> None:
    text = page.locator("main").inner_text()
    assert "`" not in text and "\\" not in text
    page.locator("summary", has_text="What each column").last.click()
    assert page.locator("dd code", has_text=".double()").inner_text() == ".double()"
