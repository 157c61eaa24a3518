"""The JSON Schema that editors read is current, and agrees with the loader."""

import json

import jsonschema
import pytest
import yaml

from scripts.base.project import ROOT
from scripts.catalogue import schema
from tests.support.bad import CASES, GOOD

SEEN_BY_EDITORS = [
    "a misspelt field",
    "an unknown field",
    "a field of another section",
    "a misspelt section",
    "a missing field",
    "a missing field of one section",
    "a missing section",
    "a list for a text",
    "a mapping for an author",
    "a text for a list",
    "a list for a mapping",
    "a text for an entry",
    "a text for a section",
    "another implementation than wanted",
    "an id with capitals",
    "a date in words",
    "a date without dashes",
    "a month that never was",
    "no authors",
    "no tags",
    "http",
    "http in links",
    "a long note",
    "an empty note",
    "an empty title",
]


def errors(text: str) -> list[str]:
    # In YAML 1.2, as editors read it, a date is text; BaseLoader says the same.
    data = yaml.load(text, Loader=yaml.BaseLoader)
    checker = jsonschema.FormatChecker()
    validator = jsonschema.Draft202012Validator(schema(), format_checker=checker)
    return [error.message for error in validator.iter_errors(data)]


def test_the_committed_schema_is_current():
    committed = (ROOT / "resources.schema.json").read_text("utf-8")
    assert committed == json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", (
        "run: python -m scripts schema > resources.schema.json"
    )


@pytest.mark.published
def test_the_list_points_editors_to_the_schema():
    first = (ROOT / "resources.yaml").read_text("utf-8").split("\n")[0]
    assert first == "# yaml-language-server: $schema=resources.schema.json"


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.published
def test_good_catalogues_pass():
    assert errors(GOOD) == []
    assert errors((ROOT / "resources.yaml").read_text("utf-8")) == []


@pytest.mark.parametrize("date", ["2017", "2017-05", '"2017"'])
def test_dates_known_in_part_pass(date):
    text = GOOD.replace("2017-05-19", date)
    assert errors(text) == []
    # As editors read it, a year without quotes is a number.
    data = yaml.load(text, Loader=yaml.BaseLoader)
    data["publications"][1]["date"] = 2017
    assert list(jsonschema.Draft202012Validator(schema()).iter_errors(data)) == []


@pytest.mark.parametrize("name", SEEN_BY_EDITORS)
def test_editors_see_what_they_can(name):
    old, new, *_ = CASES[name]
    assert errors(GOOD.replace(old, new))
