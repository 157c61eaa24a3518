"""The page of the paper's size: what it says of a row, and that it shows all."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from scripts.base.project import ROOT
from scripts.results.files import ResultsError
from scripts.results.forms import Machine
from scripts.results.scale import (
    ListedCut,
    ListedRecipe,
    Obtained,
    read_obtained,
    read_recipes,
)
from scripts.site.measured import headlines
from scripts.site.measured.scale import Trained, at_size, gathered
from tests.support.visit import Visit

RESULTS = ROOT / "implementations" / "results" / "scale"


def recipe(name: str = "maf-5-mnist", **others: Any) -> ListedRecipe:
    fields = {
        "paper": "maf",
        "table": "Table 2, MNIST",
        "row": "MAF (5)",
        "unit": "log p, nats",
        "reported": -1300.5,
        "error": 1.7,
        "departs": "",
        "cuts": (ListedCut(name=f"{name}-small", said="half of the units"),),
    }
    return ListedRecipe(name=name, **fields | others)


def result(name: str = "maf-5-mnist", obtained: float = -1310.0) -> Obtained:
    return Obtained(
        recipe=name,
        date=datetime.date(2026, 11, 30),
        machine=Machine(cores=2, model="abacus", memory_gb=1),
        gpu="",
        versions={"torch": "2.13"},
        processes=1,
        threads=1,
        obtained=obtained,
        standard_error=0.5,
        test_rows=10,
        validation=1300.0,
        epochs=3,
        epochs_allowed=10,
        steps=30,
        seconds=61,
        parameters=5,
        settings={},
    )


@pytest.mark.parametrize(
    ("unit", "obtained", "verdict"),
    [
        ("log p, nats", -1299.0, "within the paper's error bar"),
        ("log p, nats", -1302.2, "within the paper's error bar"),
        ("log p, nats", -1310.5, "10 nats worse than reported"),
        ("log p, nats", -1280.5, "20 nats better than reported"),
        ("−log p, nats", -1310.5, "10 nats better than reported"),
        ("bits per dimension", -1290.5, "10 bits per dimension worse than reported"),
    ],
)
def test_a_row_says_how_it_stands(unit: str, obtained: float, verdict: str) -> None:
    row = recipe(unit=unit)
    assert Trained(row, result(obtained=obtained)).verdict == verdict


@pytest.mark.parametrize(
    ("obtained", "verdict"),
    [
        (-1299.5, "within our error bar"),
        (-1301.5, "within our error bar"),
        (-1301.6, "1.1 nats worse than reported"),
    ],
)
def test_where_the_paper_gives_no_error_bar_ours_counts(
    obtained: float, verdict: str
) -> None:
    attempt = Trained(recipe(error=None), result(obtained=obtained))
    assert attempt.verdict == verdict


def test_its_effort_is_told() -> None:
    attempt = Trained(recipe(), result())
    said = "3 epochs, stopped early, 1 min 1 s, 1 process on abacus, 2 cores"
    assert attempt.effort == said and attempt.error == 1.0


def test_whole_and_cut_trainings_stand_in_one_row() -> None:
    found = {
        each.recipe: each
        for each in (result("maf-5-mnist-small"), result(obtained=-1301.0))
    }
    others = recipe("maf-10-mnist", row="MAF (10)"), recipe("x", table="Table 3")
    page = gathered((recipe(), *others), found)
    (table,) = page.obtained
    assert [len(row.attempts) for row in table.rows] == [2, 0]
    assert [attempt.cut for attempt in table.run] == ["", "half of the units"]
    assert [table.name for table in page.waiting] == ["Table 3"]
    numbers = [line.number for line in headlines.of_size(page)]
    assert numbers == ["1 of 3", "1", "2"]


def test_results_of_another_form_are_told(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"recipes.json is missing; .*--write-list"):
        at_size(tmp_path)
    (tmp_path / "maf-5-mnist.json").write_text("{}")
    with pytest.raises(ResultsError, match=r"maf-5-mnist.json: recipe: Field required"):
        read_obtained(tmp_path)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.open("scale/")


def test_every_row_stands_on_the_page(page: Page) -> None:
    recipes, found = read_recipes(RESULTS), read_obtained(RESULTS)
    rows = page.locator("article .fit tbody tr")
    trained = [
        r for r in recipes if {r.name, *(cut.name for cut in r.cuts)} & set(found)
    ]
    assert rows.count() == len(found) + len(recipes) - len(trained)
    names = page.locator("article .fit tbody code").all_text_contents()
    assert sorted(names) == sorted(r.name for r in recipes if r.name not in found)


def test_papers_lead_to_their_tables(visit: Visit) -> None:
    page = visit.open("papers/maf/")
    assert page.locator("a[href$='scale/']", has_text="at the paper's size").count()
