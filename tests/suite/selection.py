"""Which of the tests a command runs.

`make test` runs all that is cheap, and of what is `sampled` one case of each kind.
`make test-all` runs the rest, too: that is all other cases, and what is `thorough`.
"""

from __future__ import annotations

import pytest

PARTS = ("quick", "rest", "all")


def of_part(part: str, items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests of `make test`, of what `make test-all` has beyond it, or of both."""
    quick = {id(item) for item in _quick(items)}
    if part == "quick":
        return [item for item in items if id(item) in quick]
    if part == "rest":
        return [item for item in items if id(item) not in quick]
    return items


def _quick(items: list[pytest.Item]) -> list[pytest.Item]:
    """The cheap tests, and of those that are sampled the last case of each kind.

    The last is a whole model more often than the first, which may be a part of it.
    """
    cheap: list[pytest.Item] = []
    samples: dict[tuple[str, str], pytest.Item] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            function = item.nodeid.partition("[")[0]
            samples.update({(function, kind): item for kind in kinds(item)})
        elif not item.get_closest_marker("thorough"):
            cheap.append(item)
    return [*cheap, *samples.values()]


def kinds(item: pytest.Item) -> list[str]:
    """The kinds of a sampled case.

    Those that its parameter's mark `kinds` names; without one, all are of one kind.
    `sampled("output")` has kinds of its own for each output.
    """
    (mark,) = item.iter_markers("sampled")
    given = item.callspec.params if isinstance(item, pytest.Function) else {}
    apart = [str(given[name]) for name in mark.args]
    own = item.get_closest_marker("kinds")
    return [" ".join([*apart, kind]) for kind in (own.args if own else [""])]


def of_paper(paper: str, items: list[pytest.Item]) -> list[pytest.Item]:
    """The paper's own tests.

    Those in its files of facts, those with the parameter `paper`, and all of the
    contract, which is collected for the paper's own cases alone.
    """

    def own(item: pytest.Item) -> bool:
        values = getattr(item, "callspec", None)
        given = values.params if values else {}
        # A promise that none of its cases makes is collected once, to be skipped.
        asked = "case" in given and not item.get_closest_marker("skip")
        return asked or paper in (item.path.parent.name, given.get("paper"))

    return [item for item in items if own(item)]
