"""The exports as a whole; JSON and CSV read back, entry by entry."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings

from scripts.base.project import ROOT
from scripts.catalogue import Catalogue, Organisation, Publication
from scripts.exports import EXPORTS, to_csv, to_json
from tests.support.hostile import (
    EVERY_CATALOGUE,
    HOSTILE,
    PROJECT,
    TEXTS,
    catalogue_of,
    entry,
)

FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Organisation) else str(value)


def shown(author: str | dict[str, str]) -> str:
    """The name of an author as JSON has it."""
    return author if isinstance(author, str) else author["organisation"]


def check_json(catalogue: Catalogue) -> None:
    text = to_json(catalogue, PROJECT)
    content = json.loads(text)
    assert text.endswith("}\n")
    assert list(content) == [*("name", "url", "tags", "groups", "aliases", "entries")]
    assert content["name"] == PROJECT.name
    assert content["url"] == "https://example.org/list/"
    assert content["tags"] == catalogue.tags
    for found, expected in zip(content["entries"], catalogue.entries, strict=True):
        fields = list(type(expected).model_fields)
        assert list(found)[: len(fields) + 2] == ["section", *fields, "page"]
        assert found["section"] == expected.shelf.key
        for field in fields:
            assert found[field] == as_json(getattr(expected, field)), field


@EVERY_CATALOGUE
def test_json_holds_every_field(make: Callable[[], Catalogue]) -> None:
    check_json(make())


def test_json_keeps_other_alphabets_readable() -> None:
    assert "שלום" in to_json(catalogue_of("שלום"), PROJECT)


def test_json_gives_every_entry_its_addresses() -> None:
    entries = json.loads(to_json(catalogue_of("x"), PROJECT))["entries"]
    extra = ("page", "notebook", "colab")
    assert [{key: e[key] for key in extra if key in e} for e in entries] == [
        {
            "page": "https://example.org/list/papers/paper/",
            "notebook": "https://example.org/list/notebooks/paper/",
            "colab": "https://colab.research.google.com/github/someone/list"
            "/blob/main/docs/notebooks/paper.ipynb",
        },
        {"page": "https://example.org/list/papers/other/"},
        {"page": "https://example.org/list/list/#video"},
        {"page": "https://example.org/list/list/#blog"},
        {"page": "https://example.org/list/list/#code"},
    ]


def rows(catalogue: Catalogue) -> list[dict[str, str]]:
    text = to_csv(catalogue, PROJECT)
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(
            item if isinstance(item, str) else shown(item) for item in value
        )
    return value or ""


def check_csv(catalogue: Catalogue) -> None:
    entries = json.loads(to_json(catalogue, PROJECT))["entries"]
    for row, record in zip(rows(catalogue), entries, strict=True):
        assert set(record) <= set(row)
        for column, cell in row.items():
            expected = flat(record.get(column))
            defused = f"'{expected}" if expected.startswith(FORMULA) else expected
            assert cell == defused, column
            assert not cell.startswith(FORMULA), column


@EVERY_CATALOGUE
def test_csv_agrees_with_json_and_holds_no_formula(
    make: Callable[[], Catalogue],
) -> None:
    check_csv(make())


def test_organisations_are_marked_in_json_and_named_in_csv() -> None:
    company = Organisation(organisation="Foo, Inc.")
    paper = entry(Publication, "paper", authors=("Ada Byron", company))
    catalogue = catalogue_of("x").model_copy(update={"publications": (paper,)})
    [first, *_] = json.loads(to_json(catalogue, PROJECT))["entries"]
    assert first["authors"] == ["Ada Byron", {"organisation": "Foo, Inc."}]
    assert rows(catalogue)[0]["authors"] == "Ada Byron; Foo, Inc."


def test_csv_defuses_formulas() -> None:
    [first, *_] = rows(catalogue_of("=1+1"))
    assert first["title"] == "'=1+1"
    assert first["authors"] == "'=1+1; Rianne van den Berg; =1+1"


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_json_and_csv_hold_any_text(text: str) -> None:
    check_json(catalogue_of(text))
    check_csv(catalogue_of(text))


def every_export() -> bytes:
    catalogue = catalogue_of(HOSTILE["emoji"])
    return "".join(export(catalogue, PROJECT) for export in EXPORTS.values()).encode()


def test_exports_are_the_same_in_any_place_and_at_any_time() -> None:
    elsewhere = {
        **{"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
        **{"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    }
    script = (
        "import sys, tests.scripts.exports.test_exports as test\n"
        "sys.stdout.buffer.write(test.every_export())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **elsewhere},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert run.stdout == every_export()


def test_exports_are_these_four_files() -> None:
    files = ["catalogue.json", "catalogue.bib", "catalogue.csv", "feed.xml"]
    assert list(EXPORTS) == files
