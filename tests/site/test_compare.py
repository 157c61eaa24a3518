"""The comparison: what it reads, what it shows, and how its tables are sorted."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.base.project import ROOT
from scripts.base.text import significant
from scripts.catalogue import Catalogue
from scripts.results.files import ResultsError
from scripts.site.measured.axis import axis
from scripts.site.measured.races import Contest
from scripts.site.measured.speed import Comparison, compare
from tests.support.building import build
from tests.support.html import Parsed
from tests.support.visit import DESKTOP, PHONE, Visit

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(RESULTS)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.open("compare/")


def our_flows(page: Page) -> Locator:
    return page.get_by_role("region", name="Our flows")


def column(table: Locator, name: str) -> list[str]:
    """The cells of a column, from top to bottom, without the names of groups."""
    names = [each.rstrip(" ") for each in table.locator("thead th").all_inner_texts()]
    cells = f"tbody tr:not(.group) > :nth-child({names.index(name) + 1})"
    return table.locator(cells).all_inner_texts()


def in_groups(comparison: Comparison) -> list[str]:
    return [line.name for lines in comparison.by_group.values() for line in lines]


def values(cells: list[str]) -> list[float]:
    return [float(cell.replace(",", "")) for cell in cells if cell != "–"]


def test_every_flow_stands_in_the_table(page: Page, comparison: Comparison) -> None:
    names = column(our_flows(page), "Flow")
    assert names == in_groups(comparison)
    assert sorted(names) == sorted(line.name for line in comparison.lines)
    shown = values(column(our_flows(page), "Parameters"))
    parameters = {line.name: line.parameters for line in comparison.lines}
    assert shown == [parameters[name] for name in names]
    groups = our_flows(page).locator("tr.group").all_inner_texts()
    assert groups == list(comparison.by_group)


def test_a_click_sorts_a_second_one_turns_round_and_a_third_restores(
    page: Page, comparison: Comparison
) -> None:
    table = our_flows(page)
    heading = table.locator("th", has_text="Gap, nats")
    gaps = sorted(line.gap for line in comparison.lines if line.gap is not None)
    missing = ["–"] * sum(line.gap is None for line in comparison.lines)
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    cells = [significant(gap, 3) for gap in gaps]
    assert column(table, "Gap, nats") == cells + missing
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    # What has no gap comes last all the same.
    assert column(table, "Gap, nats") == cells[::-1] + missing
    expect(table.locator("tr.group:visible")).to_have_count(0)
    heading.get_by_role("button").click()
    expect(table.locator("[aria-sort]")).to_have_count(0)
    assert column(table, "Flow") == in_groups(comparison)
    expect(table.locator("tr.group:visible")).to_have_count(len(comparison.by_group))


def test_sorted_rows_say_of_which_group_they_are(page: Page) -> None:
    page.evaluate(OPEN)
    table = page.get_by_role("region", name="Our speed over that of the")
    first = table.locator("tbody tr:not(.group) th")
    assert not any("," in text.split("-d")[0] for text in first.all_inner_texts())
    table.get_by_role("button", name="Sample").click()
    assert all(re.match(r"[A-Z].*, \d+-d", text) for text in first.all_inner_texts())


def test_text_sorts_as_text_and_one_column_at_a_time(page: Page) -> None:
    table = our_flows(page)
    table.get_by_role("button", name="Parameters").click()
    table.get_by_role("button", name="Map").click()
    maps = column(table, "Map")
    assert maps == sorted(maps, key=str.lower)
    assert table.locator("[aria-sort]").all_inner_texts() == ["Map"]


def test_numbers_sort_by_what_they_are(page: Page, comparison: Comparison) -> None:
    """3.4×10⁻⁶ and 12,345 are no numbers to a script that reads them."""
    table = our_flows(page)
    table.get_by_role("button", name="Round trip").click()
    trips = [x for line in comparison.lines if (x := line.round_trip) is not None]
    shown = [cell for cell in column(table, "Round trip") if cell != "–"]
    assert shown == [significant(trip, 2) for trip in sorted(trips)]


def test_it_sorts_by_keyboard(page: Page) -> None:
    table = our_flows(page)
    table.get_by_role("button", name="Sample, ms").focus()
    page.keyboard.press("Enter")
    times = values(column(table, "Sample, ms"))
    assert times == sorted(times)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    times = values(column(table, "Evaluate, ms"))
    assert times == sorted(times)
    expect(table.locator("[aria-sort]")).to_have_text("Evaluate, ms")


def test_it_is_whole_without_scripts(
    root: str, without_scripts: Page, comparison: Comparison
) -> None:
    page = without_scripts
    page.goto(f"{root}compare/")
    assert column(our_flows(page), "Flow") == in_groups(comparison)
    expect(page.locator(".sortable button")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_three_numbers_answer_first(page: Page, comparison: Comparison) -> None:
    numbers = page.locator(".headlines strong").all_inner_texts()
    gap = min(line.gap for line in comparison.lines if line.gap is not None)
    races = comparison.main
    logs = [math.log(time.ratio) for time in races.times]
    mean = math.exp(statistics.mean(logs))
    even = sum(log >= math.log(0.95) for log in logs)
    assert numbers == [
        f"{significant(gap, 2)} nats",
        f"×{significant(mean, 2)}",
        f"{even} of {len(logs)}",
    ]


def test_which_flow_to_use_stands_before_all_numbers(page: Page) -> None:
    """With what to take, why, and a notebook to run; on a phone nothing is cut."""
    needs = page.locator("table.needs")
    above = page.locator(".sortable").first.bounding_box()
    box = needs.bounding_box()
    assert above and box and box["y"] + box["height"] < above["y"]
    for row in needs.locator("tbody tr").all():
        paper = row.locator("td").nth(0).get_by_role("link").get_attribute("href")
        notebook = row.locator("td").nth(2).get_by_role("link").get_attribute("href")
        assert paper and notebook == paper.replace("papers", "notebooks")
        assert row.locator("td").nth(1).inner_text().endswith(".")
    page.set_viewport_size(PHONE)
    assert needs.evaluate("table => table.scrollWidth <= table.clientWidth")


def test_the_best_flow_on_the_plane_is_marked(
    page: Page, comparison: Comparison
) -> None:
    table = our_flows(page)
    best = [line.name for line in comparison.nearest_first[:1]]
    marked = table.locator("tr:has(> td:nth-child(2).best) th")
    assert marked.all_inner_texts() == best
    weight = table.locator(".best").first.evaluate(
        "e => getComputedStyle(e).fontWeight"
    )
    assert int(weight) >= 700


OPEN = "document.querySelectorAll('details').forEach(d => d.open = true)"
WIDE = """() => [...document.querySelectorAll(".fit table")].filter(
  table => table.offsetWidth > table.closest(".fit").clientWidth + 1
).map(table => `${table.closest(".fit").getAttribute("aria-label")}`)"""


@pytest.mark.parametrize("path", ["compare/", "exactness/"])
@pytest.mark.parametrize("width", [1440, 1280, 1000, 820, 390, 360])
def test_tables_fit(visit: Visit, path: str, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    page = visit.open(path)
    page.evaluate(OPEN)
    assert page.evaluate(WIDE) == []


def test_a_phone_shows_three_columns_and_all_when_asked(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    table = our_flows(visit.open("compare/"))
    heads = table.locator("thead th")
    expect(table.locator("thead th:visible")).to_have_count(3)
    table.get_by_role("checkbox", name="All columns").check()
    expect(table.locator("thead th:visible")).to_have_count(heads.count())
    assert table.evaluate(
        "e => e.scrollWidth <= e.clientWidth"
    )  # its inner box scrolls


def test_heads_stick_below_the_header(visit: Visit) -> None:
    visit.page.set_viewport_size(DESKTOP)
    page = visit.open("compare/")
    table = our_flows(page)
    table.locator("tbody tr").last.evaluate(
        "row => scrollBy(0, row.getBoundingClientRect().top - 300)"
    )
    head = table.locator("thead th").first.bounding_box()
    header = page.locator(".md-header").bounding_box()
    assert head and header
    assert abs(head["y"] - (header["y"] + header["height"])) <= 1


def measured(comparison: Comparison) -> dict[str, Contest]:
    """Name of the table → what it shows; without those of which there is nothing."""
    both = {
        "Our default flows' speed over the": comparison.defaults,
        "Our speed over that of the": comparison.equal,
    }
    return {name: contest for name, contest in both.items() if contest.times}


def test_plots_have_a_mark_for_each_value(page: Page, comparison: Comparison) -> None:
    gaps, *plots = page.locator("figure.dots").all()
    number = sum(len(line.gaps) for line in comparison.lines)
    expect(gaps.locator("circle")).to_have_count(number)
    for plot, contest in zip(plots, measured(comparison).values(), strict=True):
        number = sum(len(match.ratios) for match in contest.ratios)
        expect(plot.locator("use")).to_have_count(number)
        assert number == len(contest.times)
    for plot in (gaps, *plots):
        box = plot.bounding_box()
        assert box
        for mark in plot.locator("circle, use").all()[:10]:
            place = mark.bounding_box()
            assert place and box["x"] < place["x"] < box["x"] + box["width"]


def test_what_a_peer_does_faster_is_said(page: Page, comparison: Comparison) -> None:
    page.evaluate(OPEN)
    for name, contest in measured(comparison).items():
        behind = page.get_by_role("region", name=name).locator(".behind")
        ratios = [ratio for match in contest.ratios for ratio in match.ratios.values()]
        ratios += [match.memory for match in contest.ratios if match.memory]
        expect(behind).to_have_count(sum(ratio < 0.95 for ratio in ratios))
        slower = sum(time.ratio < 0.95 for time in contest.times)
        sentence = f"In {slower or 'none'} of {len(contest.times)} tasks"
        assert sentence in page.locator("article").inner_text()


def test_default_flows_come_first(page: Page, comparison: Comparison) -> None:
    """And say what they hold, or that they are not measured yet."""
    text = page.locator("article").text_content() or ""
    assert text.index("As you would call them") < text.index("The same layers")
    assert ("all cores: not measured yet" in text) != bool(comparison.defaults.times)
    for words in comparison.flows.holds.values():
        assert words in text


@pytest.mark.parametrize("along", ["dim", "batch"])
def test_growth_is_that_of_the_results(
    page: Page, comparison: Comparison, along: str
) -> None:
    rows = comparison.by_dim if along == "dim" else comparison.by_batch
    name = {"dim": "Sampling by dimension", "batch": "Sampling by batch"}[along]
    table = page.get_by_role("region", name=name)
    assert column(table, "Flow") == [row.flow for row in rows]
    assert column(table, "Exponent") == [
        significant(row.growth.time, 3) for row in rows
    ]
    draws = getattr(comparison.scaling, f"along_{along}")
    draws = [draw for draw in draws if draw.curve == rows[0].growth.curve]
    largest = max(draws, key=lambda draw: getattr(draw, along))
    ms = 1e3 * statistics.median(largest.seconds)
    assert list(rows[0].ms.values())[-1] == ms


def test_a_gpu_is_named_or_said_not_to_be_measured(
    pages: dict[str, str], comparison: Comparison
) -> None:
    card = comparison.gpu.report.gpu if comparison.gpu else "not measured"
    for name in ("compare/", "exactness/"):
        assert f"GPU: {card}." in Parsed(pages[name]).text, name


@pytest.mark.published
def test_a_paper_has_its_line(
    pages: dict[str, str], catalogue: Catalogue, comparison: Comparison
) -> None:
    for paper in catalogue.publications:
        page = pages[f"papers/{paper.id}/"]
        lines = comparison.of(paper.id)
        assert ("../../compare/#our-flows" in page) == bool(lines), paper.id
        for line in lines:
            for value in (line.name, f"{line.parameters:,}", line.events):
                assert value in Parsed(page).text, (paper.id, value)


@pytest.fixture
def results(project: Path) -> Iterator[Path]:
    yield project / "benchmarks" / "results"


@pytest.mark.thorough
def test_missing_results_stop_the_build(
    project: Path, results: Path, tmp_path: Path
) -> None:
    (results / "gaps.json").unlink()
    run = build(project, tmp_path / "site")
    assert run.returncode == 1
    said = "results/gaps.json is missing; `python -m benchmarks.gaps` writes it"
    assert said in run.stderr and "Traceback" not in run.stderr


def test_results_at_fault_are_told_where(tmp_path: Path) -> None:
    for name in ("flows.json", "scaling.json", "gaps.json"):
        content = json.loads((RESULTS / name).read_text("utf-8"))
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    content["gaps"][1]["gap"] = ["near"]
    (tmp_path / "gaps.json").write_text(json.dumps(content), "utf-8")
    message = r"gaps\.json: gaps\.1\.gap\.0: .*number.*python -m benchmarks\.gaps"
    with pytest.raises(ResultsError, match=message):
        compare(tmp_path)


def test_medians_and_ratios_are_those_of_the_results(comparison: Comparison) -> None:
    flow, line = comparison.flows.flows[0], comparison.lines[0]
    assert line.log_density == 1e3 * statistics.median(flow.log_density)
    first = comparison.flows.memory[:4]
    (ours,) = [row.bytes for row in first if row.library == "ours"]
    leanest = min(row.bytes for row in first if row.library != "ours")
    found = list(measured(comparison).values())
    match = next(match for match in found[0].ratios if match.memory)
    assert match.memory == leanest / ours
    for contest in found:
        times = contest.times[0]
        assert set(times.ms) == {"ours", "zuko", "nflows", "normflows"}


@pytest.mark.parametrize(
    ("value", "digits", "read"),
    [
        (12345, 3, "12,345"),
        (1234.5, 3, "1,230"),
        (0.9996, 3, "1.00"),
        (0.01234, 3, "0.0123"),
        (0.5, 1, "0.5"),
        (9.96, 2, "10"),
        (1.23e-5, 2, "1.2×10⁻⁵"),
        (1.23e-4, 2, "0.00012"),
        (0.0, 3, "0"),
        (3e141, 1, "3×10¹⁴¹"),
        (2e5, 1, "200,000"),
    ],
)
def test_numbers_read_well(value: float, digits: int, read: str) -> None:
    assert significant(value, digits) == read


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.3, 4], [0.2, 0.5, 1, 2, 5]),
        ([1.0], [1, 2]),
        ([0.02, 0.1], [0.02, 0.05, 0.1]),
    ],
)
def test_an_axis_holds_all_values(values: list[float], ticks: list[float]) -> None:
    assert axis(values).ticks == pytest.approx(ticks)


def test_an_axis_is_logarithmic() -> None:
    whole = axis([1, 10])
    places = [float(whole.at(value).rstrip("%")) for value in (1, 10**0.5, 10)]
    assert places[1] == pytest.approx((places[0] + places[2]) / 2, abs=0.01)
    assert 0 < places[0] < places[2] < 100
