"""Dates of known precision: read, ordered, and said in every output as they are."""

from __future__ import annotations

import csv
import datetime
import io
import json

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from scripts import readme
from scripts.base.dates import PartialDate, duration, long_date
from scripts.catalogue import Catalogue
from scripts.exports import bibtex_entry, to_atom, to_csv, to_json
from scripts.site import pages as site
from scripts.site.facets import years
from tests.scripts.outputs.test_inert import body_html
from tests.support.bad import GOOD
from tests.support.editions import edition_of
from tests.support.hostile import PROJECT

PARTIAL = GOOD.replace("2014-10-30", "2014").replace("2019-12-09", "2019-12")

days = st.dates().map(str)
dates = days | days.map(lambda day: day[:7]) | days.map(lambda day: day[:4])


@given(dates)
def test_a_date_is_written_as_it_was_read(text: str) -> None:
    assert str(PartialDate.parse(text)) == text


@given(dates, dates)
def test_dates_sort_as_their_texts_do(one: str, other: str) -> None:
    assert (PartialDate.parse(one) < PartialDate.parse(other)) == (one < other)


@given(dates)
def test_a_date_begins_with_the_first_day_that_it_may_be(text: str) -> None:
    first = PartialDate.parse(text).first
    assert str(first).startswith(text)
    earlier = first - datetime.timedelta(days=first > datetime.date.min)
    assert earlier == first or not str(earlier).startswith(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "20", "20200", "2020-", "2020-1", "2020-00", "2020-13", "2020-00-00"),
        *("2020-00-07", "2020-02-00", "2020-02-30", "2020-02-03-04", "0000", " 2020"),
        *("２０２０", "2020/02", "Feb"),
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):
        PartialDate.parse(text)


def test_a_day_needs_its_month() -> None:
    with pytest.raises(ValueError, match="a day of no month"):
        PartialDate(2020, day=3)


def test_dates_in_words_are_the_same_in_every_locale() -> None:
    assert long_date(PartialDate(2014, 10, 30)) == "Oct 30, 2014"
    assert long_date(datetime.date(2018, 7, 9)) == "Jul 9, 2018"
    assert long_date(PartialDate(2018, 7)) == "Jul 2018"
    assert long_date(PartialDate(2018)) == "2018"
    months = {long_date(PartialDate(2020, month))[:3] for month in range(1, 13)}
    assert len(months) == 12


@pytest.fixture
def partial(load_text) -> Catalogue:
    return load_text(PARTIAL)


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2017", PartialDate(2017)),
        ('"2017"', PartialDate(2017)),
        ("2017 # or so", PartialDate(2017)),
        ("2017-05", PartialDate(2017, 5)),
        ("'2017-05'", PartialDate(2017, 5)),
    ],
)
def test_a_date_is_read_with_quotes_or_without(written, date, load_text) -> None:
    catalogue = load_text(GOOD.replace("2017-05-19", written))
    assert catalogue.publications[1].date == date


def test_readme_says_what_is_known(partial: Catalogue) -> None:
    page = readme.render(partial, PROJECT)
    assert "\n- 2014 - [NICE: An Example]" in page
    assert "\n- Dec 2019 - [flows]" in page


def test_the_site_says_what_is_known(partial: Catalogue) -> None:
    papers = [
        paper.model_copy(update={"implementation": "wanted"})
        for paper in partial.publications
    ]
    wanted = partial.model_copy(update={"publications": papers})
    pages = site.generated(edition_of(wanted))
    listed = BeautifulSoup(body_html(pages["list.md"]), "html.parser")
    articles = listed.select("article")
    assert [article["data-date"] for article in articles] == [
        *("2017-05-19", "2014", "2019-01-02", "2019-12")
    ]
    bylines = [byline.text for byline in listed.select(".byline")]
    assert bylines[1].startswith("2014 · Laurent Dinh")
    assert bylines[3].startswith("Dec 2019 · The Flows")
    paper = pages["papers/nice.md"]
    assert "2014 · Laurent Dinh" in paper
    assert r"\"datePublished\": \"2014\"" in paper
    assert "year = {2014}" in paper and "month =" not in paper


def test_exports_say_what_is_known(partial: Catalogue) -> None:
    expected = ["2014", "2017-05-19", "2019-01-02", "2019-12"]
    entries = json.loads(to_json(partial, PROJECT))["entries"]
    assert [entry["date"] for entry in entries] == expected
    rows = csv.DictReader(io.StringIO(to_csv(partial, PROJECT)))
    assert [row["date"] for row in rows] == expected
    feed = to_atom(partial, PROJECT)
    assert "Yoshua Bengio · 2014&lt;" in feed and "Lab · Dec 2019&lt;" in feed


def test_bibtex_has_a_month_where_it_is_known(partial: Catalogue) -> None:
    nice, maf = partial.publications
    assert "  year = {2014},\n  url" in bibtex_entry(nice).replace(
        "  eprint = {1410.8516},\n  archivePrefix = {arXiv},\n", ""
    )
    assert "  year = {2017},\n  month = may,\n" in bibtex_entry(maf)


def test_the_years_of_the_list_are_each_there_once(partial: Catalogue) -> None:
    assert years(partial) == [2019, 2017, 2014]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (47, "47 s"), (60, "1 min"), (107, "1 min 47 s"), (720, "12 min")],
)
def test_seconds_in_words(seconds: int, words: str) -> None:
    assert duration(seconds) == words
