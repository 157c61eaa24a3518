"""Whatever YAML a file holds, it is loaded or refused in words, not by a traceback."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scripts.catalogue import CatalogueError, parse
from tests.support.bad import GOOD

TODAY = datetime.date(2026, 1, 31)
NOWHERE = Path("no implementations")

# YAML of one line, as it may stand in the place of any value.
LEAVES = (
    "null",
    *("~", "''", "true", "7", "0x1F", "1e3", ".nan", "2020", "2020-02-30", "text"),
    *('"\\ud83d\\ude00"', "[]", "{}", "!!set {a, b}", "!!omap [a: 1]", "!!binary aGk="),
    *("!own x", "!!python/object:os.system {}", "&a x", "*a", "&a [*a]", "{<<: *a}"),
    *("{<<: {a: b}}", "{? [a]: b}", "{? {a: b}: c}", "{null: 1}", "{1: 2}", "{a, b}"),
    *("{a: b, a: c}", "[a: b]", "{id: [x]}", "{'': ''}", "[[[[[[[[x]]]]]]]]"),
    *(
        "'\u200d'",
        '"\\0"',
        "{a key: x}",
        "a: b",
        "? a",
        "- a",
        "|\n x",
        "--- x",
        "...\n",
    ),
)
leaves = st.sampled_from(LEAVES)
flows = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(inner, inner), max_size=3).map(
            lambda items: f"{{{', '.join(f'{key}: {value}' for key, value in items)}}}"
        )
    ),
    max_leaves=6,
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value, the root's first."""
    parts = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [path, *(way for k, v in parts for way in places(v, (*path, k)))]


DATA = yaml.load(GOOD, yaml.BaseLoader)
PLACES = places(DATA)


def written(data: Any, odd: dict[tuple[Any, ...], str], path: tuple[Any, ...]) -> str:
    """The data as YAML of one line, odd values in their places."""
    if path in odd:
        return odd[path]
    if isinstance(data, dict):
        fields = (
            f"{json.dumps(k)}: {written(v, odd, (*path, k))}" for k, v in data.items()
        )
        return f"{{{', '.join(fields)}}}"
    if isinstance(data, list):
        return f"[{', '.join(written(v, odd, (*path, n)) for n, v in enumerate(data))}]"
    return json.dumps(data)


def check(text: str) -> None:
    lines = text.split("\n")
    try:
        parse(text.encode("utf-8"), "resources.yaml", NOWHERE, TODAY)
    except CatalogueError as error:
        assert error.faults
        for fault in error.faults:
            assert 1 <= fault.line <= len(lines)
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
            assert fault.where and fault.problem and fault.fix


settled = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@settled
@given(
    flows | st.lists(leaves, max_size=4).map(lambda items: "\n- ".join(["", *items]))
)
@example("- 1\n- 2\n")
@example("? 1\n")
@example("!!set {a}\n")
def test_any_root_is_told(text: str) -> None:
    check(text)


@settled
@given(st.dictionaries(st.sampled_from(PLACES), flows, min_size=1, max_size=3))
def test_any_value_in_any_place_is_told(odd: dict[tuple[Any, ...], str]) -> None:
    check(written(DATA, odd, ()))


@pytest.mark.long
@settings(settled, max_examples=5_000, derandomize=False)
@given(st.dictionaries(st.sampled_from(PLACES), flows, max_size=4))
def test_any_value_in_any_place_is_told_at_length(
    odd: dict[tuple[Any, ...], str],
) -> None:
    check(written(DATA, odd, ()))


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_oddity_in_each_place(leaf: str) -> None:
    for place in PLACES:
        check(written(DATA, {place: leaf}, ()))
