"""The frame of the commands: where they write, and the head of what they write."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.command import Command, named
from benchmarks.machine import head, origin
from scripts.results.forms import Head

RESULTS, OTHER = Path("results/flows.json"), Path("other.json")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ([], RESULTS),
        (["--quick"], None),
        (["--only", "maf"], None),
        (["--output", str(OTHER)], OTHER),
        (["--quick", "--only", "maf", "--output", str(OTHER)], OTHER),
    ],
)
def test_a_part_is_written_only_where_one_says(
    arguments: list[str], output: Path | None
) -> None:
    command = Command(RESULTS, "Measure.", quick="seconds", only=["maf", "nsf"])
    assert command.parse(arguments).output == output
    assert command.prog == "python -m benchmarks.flows"


def test_names_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    command = Command(RESULTS, "Measure.", only=["maf", "nsf"])
    assert named(command, None, ["maf", "nsf"]) == ["maf", "nsf"]
    assert named(command, "nsf", ["maf", "nsf"]) == ["nsf"]
    with pytest.raises(SystemExit):
        named(command, "maf,glow", ["maf", "nsf"])
    assert "--only: expected any of maf, nsf, got glow" in capsys.readouterr().err


def test_a_command_has_the_options_that_it_has_a_use_for() -> None:
    assert set(vars(Command(RESULTS, "Measure.").parse([]))) == {"output"}


def test_the_head_has_the_form_that_the_site_reads() -> None:
    fields = Head.model_validate(head("numpy"))
    assert list(fields.versions) == ["python", "torch", "numpy"]
    assert fields.gpu == "not measured"


def test_a_package_that_is_missing_has_no_version() -> None:
    assert list(origin("no_such_package", "torch")["versions"]) == ["python", "torch"]
