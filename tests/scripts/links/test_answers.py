"""The meaning of LinkChecker's accounts, whoever wrote the words in them."""

from __future__ import annotations

import pytest

from scripts.links.answers import (
    LONGEST_PAUSE,
    NOT_ASKED,
    Account,
    Answer,
    judge,
    moved_for_good,
)

HERE = "https://example.org/a"


def row(
    result: str, warnings: str = "", infos: str = "", valid: str = "True"
) -> Account:
    return Account(HERE, "", result, warnings, infos, valid, HERE)


@pytest.mark.parametrize("code", [*range(100, 200), *range(300, 600)])
def test_no_status_but_404_and_410_says_that_an_address_is_gone(code: int) -> None:
    kind = "gone" if code in (404, 410) else "unclear"
    assert judge(row(f"{code} Whatever")).kind == kind


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("200 404 Not Found", "here"),
        ("503 410 Gone", "unclear"),
        ("4040 Not Found", "unclear"),
        ("syntax OK", "unclear"),
        ("", "unclear"),
        ("ConnectionError: 404 Not Found", "unclear"),
        ("InvalidURL: 404", "unclear"),
    ],
)
def test_words_of_a_host_count_for_nothing(result: str, kind: str) -> None:
    assert judge(row(result)).kind == kind


def test_what_robots_may_not_ask_is_not_alive() -> None:
    denied = "Access denied by robots.txt, checked only syntax."
    heard = judge(row("syntax OK", infos=denied))
    assert heard == NOT_ASKED and not heard.again


@pytest.mark.parametrize(
    ("after", "pause"),
    [("30", 30), ("999999", LONGEST_PAUSE), ("Fri, 31 Dec 1999", 0), ("-5", 0)],
)
def test_a_host_may_ask_for_a_pause_but_for_none_without_end(
    after: str, pause: int
) -> None:
    warning = f"Rate limited (Retry-After: {after})"
    expected = Answer("unclear", "429", 429, again=True, pause=pause)
    assert judge(row("429 Too Many", warning)) == expected


def hops(*steps: tuple[str, int]) -> str:
    return "\n".join(f"Redirected to `{to}' status: {code} R." for to, code in steps)


B, C = "https://example.org/b", "https://example.org/c"


@pytest.mark.parametrize(
    ("warnings", "new"),
    [
        ("", None),
        (hops((B, 301)), B),
        (hops((B, 308), (C, 301)), C),
        (hops((B, 302)), None),
        (hops((B, 303), (C, 301)), None),
        (hops((B, 301), (C, 307)), B),
        (hops((HERE, 301)), None),  # its own address, from another's account
        (hops((B, 302), (HERE, 302), (C, 301)), C),
        (hops(("ftp://example.org", 301)), None),
        (hops((f"{B}{'x' * 1000}", 301)), None),
        ("Redirected to `" + B + "' status: 302 Redirected to `x' status: 301 .", None),
    ],
)
def test_only_permanent_redirects_are_moves(warnings: str, new: str | None) -> None:
    assert moved_for_good(HERE, warnings) == new
