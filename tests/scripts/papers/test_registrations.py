"""A paper's registration, read as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.papers.cells import CellError
from scripts.papers.registrations import Registered, Unpromised, file, read

SOURCE = '''
"""What MADE joins."""

from implementations.made import made
from implementations.registrations import Case, Compared, Examined, Exemption

HUGE = Exemption(
    "MADE",
    "it may "
    "overflow",
    promises=("huge",),
    checks=("large", "huge"),
)

REGISTRATION = Registration(
    family="Splines",
    cases={"made": Case(lambda: made(2)), "made, huge": Case(made, exempt=(HUGE,))},
    compared=(
        Compared("MADE", "masks", made),
        Compared("MADE, images", "masks", made, IMAGE),
        Compared("MADE, graphs", "masks", made, shape=GRAPH),
    ),
    examined=(Examined("made", made, exempt=(HUGE,)),),
)
'''


def register(root: Path, source: str = SOURCE) -> None:
    path = root / file("made")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, "utf-8")


def test_reads_what_is_written_without_running_it(tmp_path: Path) -> None:
    register(tmp_path)
    assert read(tmp_path, "made") == Registered(
        family="Splines",
        cases=("made", "made, huge"),
        compared={"MADE": True, "MADE, images": False, "MADE, graphs": False},
        unmeasured="",
        examined=("made",),
        unpromised=(
            Unpromised("MADE", "it may overflow", ("huge",), ("large", "huge")),
        ),
    )


def test_exemptions_may_stand_in_another_papers_registration(tmp_path: Path) -> None:
    register(tmp_path)
    other = tmp_path / file("iaf")
    other.write_text(
        "from implementations.registrations.made import HUGE\n"
        "REGISTRATION = Registration(\n"
        '    family="Splines", cases={"iaf": Case(iaf, exempt=(HUGE,))}\n'
        ")\n",
        "utf-8",
    )
    assert read(tmp_path, "iaf").unpromised == read(tmp_path, "made").unpromised != ()
    other.write_text(other.read_text("utf-8").replace("import HUGE", "import made"))
    assert read(tmp_path, "iaf").unpromised == ()


def test_what_is_left_out_is_empty(tmp_path: Path) -> None:
    source = 'REGISTRATION = Registration(family="Graphs", cases={}, unmeasured="No.")'
    register(tmp_path, source)
    assert read(tmp_path, "made") == Registered("Graphs", (), {}, "No.", (), ())


def edit(old: str, new: str) -> Callable[[], str]:
    assert old in SOURCE
    return lambda: SOURCE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (edit("REGISTRATION", "OTHER"), ":1: has no `REGISTRATION = Registration("),
        (edit('"Splines"', '"Spline"'), ':16: expected a family, one of "Coupling '),
        (edit('family="Splines",', ""), ":1: expected a family, one of"),
        (edit('"Splines"', "FAMILY"), ":16: expected a text in quotes; got `FAMILY`"),
        (edit('{"made":', "{**OTHERS, name:"), ":17: expected a text in quotes; got"),
        (edit("cases={", "cases=OTHERS or {"), ':17: expected cases={"name": '),
        (edit('Compared("MADE",', "Compared(NAME,"), ":19: expected a text in quotes"),
        (edit("examined=(", "examined=OTHERS or ("), ":23: expected a tuple of"),
        (edit("(Examined(", "(*others, Examined("), ":23: expected a tuple of calls"),
        (edit('"MADE",', "NAME,"), ":7: expected Exemption("),
        (edit('promises=("huge",)', "promises=BOTH"), ":7: expected Exemption("),
        (edit("lambda", "lamda"), ":17: SyntaxError: "),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    spoilt: Callable[[], str], told: str, tmp_path: Path
) -> None:
    register(tmp_path, spoilt())
    with pytest.raises(CellError) as raised:
        read(tmp_path, "made")
    assert str(raised.value).startswith(f"implementations/registrations/made.py{told}")


def test_one_that_is_missing_is_told(tmp_path: Path) -> None:
    remedy = r"registrations/made\.py:1: is missing: write it as .*/nice\.py is written"
    with pytest.raises(CellError, match=remedy):
        read(tmp_path, "made")
