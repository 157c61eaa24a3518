"""The recipes, the command line, and what is written of a row."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import one_hot

from implementations.core.nets import size
from implementations.scale import command, results
from implementations.scale.inputs import Rows
from implementations.scale.objective import log_probs, marginal
from implementations.scale.processes import Processes
from implementations.scale.recipes import RowRecipe
from implementations.scale.tables import RECIPES, find
from scripts.base.project import ROOT
from scripts.catalogue import load
from scripts.results.scale import read_obtained, read_recipes
from tests.scale.tiny import ALONE, TINY, digits, inputs, training

WIDTHS = {"power": 6, "gas": 8, "hepmass": 21, "miniboone": 43, "bsds300": 63}


def arguments(recipe: RowRecipe) -> dict[str, Any]:
    """What the builder is told of the recipe's real data."""
    if recipe.view == "images":
        return {"shape": (3, 32, 32)}
    dim = 3072 if recipe.data == "cifar10" else WIDTHS.get(recipe.data, 784)
    return {"dim": dim} | ({"context": 10} if recipe.conditional else {})


@pytest.mark.thorough
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_the_papers_model(name: str) -> None:
    recipe = RECIPES[name]
    build: Any = recipe.build
    with torch.device("meta"):
        assert size(build(**arguments(recipe))) > 1000


def test_sizes_of_a_model_are_those_of_the_paper() -> None:
    build: Any = RECIPES["maf-5-mnist"].build
    with torch.device("meta"):
        maf = build(dim=784)
    layer = 784 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 1568 + 1568
    assert size(maf) == 5 * (layer + 2 * 784)


def test_names_are_files_and_settings_are_json() -> None:
    for recipe in (*RECIPES.values(), *TINY.values()):
        assert recipe.name == recipe.name.lower() and " " not in recipe.name
        settings = recipe.settings()
        assert json.loads(json.dumps(settings, allow_nan=False)) == settings


def test_papers_of_recipes_are_in_the_catalogue() -> None:
    catalogue = load(ROOT / "resources.yaml", ROOT / "implementations")
    implemented = {p.id for p in catalogue.publications if p.implemented}
    assert {recipe.paper for recipe in RECIPES.values()} <= implemented


def test_the_small_form_says_what_it_cuts() -> None:
    recipe, small = RECIPES["maf-5-mnist"], find("maf-5-mnist-small")
    assert small.cuts == ()
    assert small.build.keywords == {"layers": 5, "hidden": (256, 256)}
    assert recipe.build.keywords == {"layers": 5, "hidden": (1024, 1024)}
    assert "256 units" in small.said
    assert [each.name for each in recipe.smaller()] == [small.name]
    assert recipe.said == "" and RECIPES["maf-5-cifar10"].smaller() == []


def test_no_two_recipes_have_one_name() -> None:
    names = [
        form.name for recipe in RECIPES.values() for form in (recipe, *recipe.smaller())
    ]
    assert len(set(names)) == len(names)


def test_an_unknown_recipe_is_told_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["maf-5-minst"])
    said = capsys.readouterr().err
    assert "no recipe is called 'maf-5-minst'. Did you mean maf-5-mnist" in said
    assert "--list shows all" in said
    with pytest.raises(KeyError, match=r"'xyzzy'\. --list"):
        find("xyzzy")


def test_the_list_has_every_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(["--list", "--results", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    whole = [line for line in lines if not line.startswith(" ")]
    assert [line.split()[0] for line in whole] == ["RECIPE", *RECIPES]
    (cut,) = (line for line in lines if line.startswith("  maf-5-mnist-small "))
    assert "256 units a layer" in cut and cut.endswith("not run")
    (line,) = (line for line in lines if line.startswith("maf-5-mnist "))
    assert "MNIST, unconditional: MAF (5)" in line
    assert "−1300.50 ± 1.70 log p, nats" in line and "not run" in line


def test_help_shows_how_to_run_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    said = capsys.readouterr().out
    assert (
        "torchrun" in said and "mnist-small" in said and "goes on where it was" in said
    )


def test_a_finished_row_is_written_as_the_site_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(RECIPES, "tiny-maf", TINY["tiny-maf"])
    monkeypatch.setattr(command, "load", digits)
    line = ["tiny-maf-small", "--folder", str(tmp_path / "kept")]
    line += ["--results", str(tmp_path / "results"), "--device", "cpu"]
    command.main(line)
    said = capsys.readouterr().out
    (found,) = read_obtained(tmp_path / "results").values()
    assert f"tiny-maf-small: {found.obtained:.2f}".replace("-1", "−1")[:14] in said
    assert found.settings["layers"] == 1 and found.test_rows == 20
    assert found.bits_per_pixel is not None and found.standard_error > 0
    command.main(line)  # which is at its end, and says the same
    assert capsys.readouterr().out == said


def test_of_labels_the_probability_is_the_mean(tmp_path: Path) -> None:
    done = training(TINY["tiny-maf"], tmp_path)
    done.run()
    x = inputs(TINY["tiny-maf"]).test.x
    each = [
        log_probs(done.model, Rows(x, one_hot(torch.full((20,), k), 3).float()))
        for k in range(3)
    ]
    expected = (sum(value.exp() for value in each) / 3).log()  # pyright: ignore
    torch.testing.assert_close(marginal(done.model, x, 3), expected)


def test_units_are_those_of_the_table() -> None:
    log_prob = torch.tensor([-100.0, -102.0]).double()
    made, maf = RECIPES["made-binarised-1hl-1"], RECIPES["maf-5-mnist"]
    assert results.in_unit(made, log_prob, 784).tolist() == [100.0, 102.0]
    assert results.in_unit(maf, log_prob, 784).tolist() == [-100.0, -102.0]
    bits = results.in_unit(RECIPES["glow-cifar10"], log_prob, 3072)
    assert bits[0].item() == pytest.approx(8 + 100 / (3072 * math.log(2)))
    mean, error = results.mean_and_error(log_prob, ALONE)
    assert (mean, error) == pytest.approx((-101.0, 1.0))


def test_shares_are_all_rows_in_order() -> None:
    for count in (1, 2, 3, 7):
        shares = [
            Processes(rank, count, torch.device("cpu")).share(10)
            for rank in range(count)
        ]
        rows = [row for share in shares for row in range(10)[share]]
        assert rows == [*range(10)]


def test_the_list_of_the_site_is_that_of_the_recipes() -> None:
    listed = read_recipes(results.FOLDER)
    expected = [results.listed(recipe) for recipe in RECIPES.values()]
    fix = "run python -m implementations.scale --write-list"
    assert [recipe.model_dump(mode="json") for recipe in listed] == expected, fix


def test_results_are_of_recipes_as_they_are() -> None:
    for name, found in read_obtained(results.FOLDER).items():
        recipe = find(name)
        settings = {key: found.settings[key] for key in recipe.settings()}
        assert settings == recipe.settings(), name
