"""Which of the tests a command runs."""

from __future__ import annotations

import pytest


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
