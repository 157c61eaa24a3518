"""Claims and checks: shown, asserted, recorded, and gathered in one folded table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import IPython.display
import pytest

from implementations.core import claims
from implementations.core.claims import all_checks, check, claim, table

MADE = pytest.mark.parametrize("make", [claim, check])


@pytest.fixture(autouse=True)
def nothing_made_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_MADE", [])


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Markdown that a notebook would show."""
    shown: list[str] = []
    monkeypatch.setattr(claims, "in_notebook", lambda: True)

    def display(markdown: IPython.display.Markdown) -> None:
        shown.append(str(markdown.data))

    monkeypatch.setattr(IPython.display, "display", display)
    return shown


@MADE
def test_on_a_terminal_each_is_a_line(
    make: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    make("the gap", 0.01234, below=0.02)
    make("the variance", 1, above=0.9, below=1.1)
    assert capsys.readouterr().out == (
        "the gap: 0.0123 (claimed: below 0.02)\n"
        "the variance: 1 (claimed: above 0.9 and below 1.1)\n"
    )


@MADE
@pytest.mark.parametrize("value", [0.02, 0.03, math.nan, math.inf])
def test_what_is_broken_fails(make: Callable[..., None], value: float) -> None:
    with pytest.raises(AssertionError, match=r"the gap: .* \(claimed: below 0.02\)"):
        make("the gap", value, below=0.02)
    with pytest.raises(AssertionError):
        make("the gain", -value, above=-0.02)


@MADE
def test_a_bound_is_needed(make: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="claim 'the gap': expected a bound"):
        make("the gap", 1.0)


def test_both_are_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIMS_OUT", str(tmp_path / "claims.jsonl"))
    claim("NICE is {} nats away", 0.01, below=0.02)
    monkeypatch.setenv("SMOKE", "1")
    check("σ", 5, above=0.5, below=2)
    lines = (tmp_path / "claims.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"text": "NICE is … nats away", "value": 0.01, "bound": {"below": 0.02}},
        {"text": "σ", "value": 5, "bound": {"above": 0.5, "below": 2}},
    ]


def test_in_a_notebook_a_claim_is_a_sentence_and_a_check_is_silent(
    displayed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    claim("NICE is {} nats away", 0.01234, below=0.02)
    claim("The gap in nats", 0.5, above=0.4)
    check("another", 1, below=2)
    assert displayed == [
        "> ✓ NICE is **0.0123** nats away (claimed: below 0.02)",
        "> ✓ The gap in nats: **0.5** (claimed: above 0.4)",
    ]
    assert capsys.readouterr().out == ""


RESULTS = {
    "seeds": [0, 1, 2],
    "claims": [{"text": "a |b|", "bound": {"below": 2}, "values": [1.0, 0.5, 1.5]}],
}


def test_all_checks_are_one_folded_table(
    displayed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_repeated", lambda paper: RESULTS)
    monkeypatch.setenv("SMOKE", "1")
    check("a |b|", 1.25, below=2)
    check("new", 7, below=2)
    all_checks("nice")
    assert displayed == [
        "<details><summary>All checks: 1 of 2 hold here; their values over 3 seeds"
        "</summary>\n\n"
        "| check | bound | here | over 3 seeds |\n"
        "| --- | --- | --- | --- |\n"
        "| a \\|b\\| | below 2 | 1.25 ✓ | 0.5 to 1.5 |\n"
        "| new | below 2 | 7 ✗ | – |\n\n"
        "</details>"
    ]


def test_what_was_not_repeated_yet_is_shown_alone(displayed: list[str]) -> None:
    check("a", 1, below=2)
    all_checks("no such paper")
    [shown] = displayed
    assert "<summary>All checks: 1 of 1 hold here</summary>" in shown
    assert "| a | below 2 | 1 ✓ | – |" in shown


def test_table_is_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    table(("model", "bits"), [("NICE", "2.7"), ("uniform", "4.1")])
    assert capsys.readouterr().out == (
        "| model | bits |\n| --- | --- |\n| NICE | 2.7 |\n| uniform | 4.1 |\n"
    )


def test_table_takes_bars_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    table(("claim",), [("log |det|",)])
    assert capsys.readouterr().out == "| claim |\n| --- |\n| log \\|det\\| |\n"
