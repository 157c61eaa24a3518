"""One process: stopped anywhere, shared in pieces, and what it refuses."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.made import Autoregressive
from implementations.real_nvp import BatchNorm
from implementations.scale.builders import FreeAffine
from implementations.scale.checkpoints import CheckpointError
from implementations.scale.objective import RecipeError
from implementations.scale.processes import Processes
from implementations.scale.recipes import RowRecipe
from implementations.scale.train import Stopped, Training
from tests.scale.tiny import ALONE, TINY, inputs, state, training

KINDS = ["tiny-made", "tiny-masks", "tiny-dropout", "tiny-images", "tiny-maf"]


class CutOff(Exception):
    """Stands for a process that ends without a word."""


def saving_at(steps: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Write checkpoints after these steps only."""
    save = Training._save

    def sometimes(self: Training) -> None:
        if self.at.step in steps or self.ended:
            save(self)

    monkeypatch.setattr(Training, "_save", sometimes)


def ending_before(steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the training off before each of these steps, once."""
    step = Training._step

    def broken(self: Training, stop: bool) -> tuple[float, bool]:
        if self.at.step in steps:
            steps.remove(self.at.step)
            raise CutOff
        return step(self, stop)

    monkeypatch.setattr(Training, "_step", broken)


def trained(recipe: RowRecipe, folder: Path) -> Training:
    """Train to the end, from the last checkpoint each time it is cut off."""
    while True:
        begun = training(recipe, folder, seconds=0)
        try:
            begun.run()
            return begun
        except CutOff:
            pass


def course(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def check_same(one: Training, other: Training) -> None:
    """Both have the same weights, optimiser and course, bit by bit."""
    for name, value in state(one.model).items():
        assert torch.equal(value, other.model.state_dict()[name]), name
    moments = [t.optimiser.state_dict()["state"] for t in (one, other)]
    for first, second in zip(*(m.values() for m in moments), strict=True):
        for name, value in first.items():
            assert torch.equal(value, second[name]), name
    assert course(one.at.lines) == course(other.at.lines)
    assert (one.at.step, one.at.best) == (other.at.step, other.at.best)


@pytest.mark.sampled
@pytest.mark.parametrize("name", KINDS)
def test_cut_off_anywhere_ends_with_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = TINY[name]
    whole = trained(recipe, tmp_path / "whole")
    assert len(whole.at.lines) == 4 and whole.at.step == 20
    # Some right after a checkpoint, some later, some before the first.
    saving_at({3, 4, 9, 10, 15}, monkeypatch)
    ending_before([1, 3, 6, 9, 10, 14, 15, 19], monkeypatch)
    check_same(trained(recipe, tmp_path / "cut"), whole)


def test_weights_move_and_the_log_tells_it(tmp_path: Path) -> None:
    done = trained(TINY["tiny-maf"], tmp_path)
    lines = [*csv.DictReader((tmp_path / "log.csv").read_text().splitlines())]
    assert [line["step"] for line in lines] == ["5", "10", "15", "20"]
    losses = [float(line["validation"]) for line in lines]
    assert losses[-1] < losses[0] and min(losses) == pytest.approx(done.at.best)


def test_in_pieces_the_losses_are_the_same(tmp_path: Path) -> None:
    recipe = TINY["tiny-made"]
    whole, pieces = (
        training(recipe, tmp_path / "1"),
        training(recipe, tmp_path / "2", rows=5),
    )
    for each in (whole, pieces):
        each.run()
    for one, other in zip(whole.at.lines, pieces.at.lines, strict=True):
        assert one["train"] == pytest.approx(other["train"], rel=1e-5)
        assert one["validation"] == pytest.approx(other["validation"], rel=1e-5)


def test_mixed_precision_learns_nearly_the_same(tmp_path: Path) -> None:
    recipe = TINY["tiny-maf"]
    exact = trained(recipe, tmp_path / "float32")
    mixed = training(recipe, tmp_path / "bfloat16", bfloat16=True)
    mixed.run()
    assert mixed.at.best != exact.at.best
    assert mixed.at.best == pytest.approx(exact.at.best, rel=0.02)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:`torch.:DeprecationWarning")  # torch's own
@pytest.mark.filterwarnings("ignore:`torch.:FutureWarning")
def test_compiled_the_losses_are_the_same(tmp_path: Path) -> None:
    recipe = TINY["tiny-masks"]
    eager = trained(recipe, tmp_path / "eager")
    compiled = training(recipe, tmp_path / "compiled", compile=True)
    compiled.run()
    assert compiled.at.best == pytest.approx(eager.at.best, rel=1e-4)


def test_batch_normalisation_is_not_cut_into_pieces(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"whole share of a batch.*Leave --rows out"):
        training(TINY["tiny-maf"], tmp_path, rows=5)


def of_vectors(dim: int) -> Flow:
    """A flow that normalises by running averages, as Real NVP does."""
    layers = Autoregressive(dim, FreeAffine()), BatchNorm((dim,))
    return Flow(StandardNormal((dim,)), Compose(*layers))


def test_statistics_of_one_process_are_not_for_two(tmp_path: Path) -> None:
    recipe = replace(TINY["tiny-made"], build=partial(of_vectors))
    for processes, rows in ((Processes(0, 2, torch.device("cpu")), 0), (ALONE, 5)):
        with pytest.raises(RecipeError, match="Run it in one process"):
            training(recipe, tmp_path, processes, rows=rows)
    training(recipe, tmp_path).run()


def test_a_first_batch_initialises_and_images_have_fresh_noise(tmp_path: Path) -> None:
    begun = training(TINY["tiny-images"], tmp_path)
    whole = begun._batch(0).x
    assert whole.shape == (12, 1, 2, 3) and begun._batch(0).x.equal(whole)
    levels = inputs(TINY["tiny-images"]).train.x
    assert levels.dtype == torch.uint8 and 0 < whole.min() and whole.max() < 1
    z, _ = begun.model.bijection(whole)  # pyright: ignore
    torch.testing.assert_close(z.mean(), torch.zeros(()), atol=1e-4, rtol=0)
    torch.testing.assert_close(z.var(correction=0), torch.ones(()), atol=1e-2, rtol=0)


def test_a_changed_recipe_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    recipe = TINY["tiny-made"]
    trained(recipe, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    build = partial(recipe.build, hidden=(9,))
    changed = replace(recipe, build=build, plan=replace(recipe.plan, rate=0.02))
    with pytest.raises(RecipeError) as refused:
        training(changed, tmp_path)
    said = str(refused.value)
    assert "hidden was [8], and is [9]; rate was 0.01, and is 0.02" in said
    assert "another folder" in said
    with pytest.raises(RecipeError, match="seed was 0, and is 1"):
        training(recipe, tmp_path, seed=1)
    other = replace(recipe, view="rows")
    with pytest.raises(RecipeError, match="fingerprint of the data was"):
        training(other, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_it_stops_when_nothing_gets_better_and_has_the_best_weights(
    tmp_path: Path,
) -> None:
    recipe = TINY["tiny-made"]
    course = replace(recipe.plan, epochs=200, patience=3, rate=0.1)
    ended = training(replace(recipe, plan=course), tmp_path)
    ended.run()
    losses = [line["validation"] for line in ended.at.lines]
    assert len(losses) < 200 and len(losses) == losses.index(min(losses)) + 4
    assert ended._validate() == min(losses) == ended.at.best


def test_sigterm_saves_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = TINY["tiny-maf"]
    whole = trained(recipe, tmp_path / "whole")
    batch, at = Training._batch, 7

    def told(self: Training, step: int) -> object:
        if step == at and self.folder.name == "told":
            os.kill(os.getpid(), signal.SIGTERM)
        return batch(self, step)

    monkeypatch.setattr(Training, "_batch", told)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped):
        training(recipe, tmp_path / "told", seconds=1e9).run()
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.undo()
    again = training(recipe, tmp_path / "told")
    assert again.at.step == at + 2  # heard in the step it came in, told in the next
    again.run()
    check_same(again, whole)


def test_a_loss_that_is_no_number_is_refused_before_the_step(tmp_path: Path) -> None:
    recipe = TINY["tiny-made"]
    begun = training(recipe, tmp_path, seconds=0)
    for _ in range(3):
        begun._step(False)
    begun._save()
    before = state(begun.model)
    begun.inputs.train.x[:] = torch.nan
    with pytest.raises(FloatingPointError, match="the loss is nan at step 4, which is"):
        begun.run()
    assert training(recipe, tmp_path).at.step == 3
    assert all(torch.equal(before[k], v) for k, v in state(begun.model).items())


def test_a_full_disk_stops_it_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = TINY["tiny-maf"]
    whole = trained(recipe, tmp_path / "whole")
    fsync: Callable[[int], None] = os.fsync
    calls = iter(range(100))

    def full(file: int) -> None:
        if next(calls) == 31:
            raise OSError(28, os.strerror(28))
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    folder = tmp_path / "full"
    with pytest.raises(CheckpointError, match=r"No space left on device \(make room"):
        training(recipe, folder, seconds=0).run()
    assert not list(folder.glob(".*"))
    again = training(recipe, folder, seconds=0)
    assert again.at.step > 5
    again.run()
    check_same(again, whole)


def test_the_order_is_another_in_each_epoch_and_seed(tmp_path: Path) -> None:
    begun = training(TINY["tiny-made"], tmp_path)
    first: list[Tensor] = [begun._batch(k).x for k in range(10)]
    epochs = [torch.cat(first[:5]), torch.cat(first[5:])]
    assert all(len(each.unique(dim=0)) == 60 for each in epochs)
    assert not torch.equal(*epochs)
    other = training(TINY["tiny-made"], tmp_path, seed=1)
    assert not torch.equal(other._batch(0).x, first[0])
    assert torch.equal(begun._batch(0).x, first[0])


def test_labels_and_logits_are_what_the_model_sees() -> None:
    seen = inputs(TINY["tiny-maf"])
    assert seen.arguments() == {"dim": 6, "context": 3}
    assert seen.train.context is not None
    assert seen.train.context.sum(1).eq(1).all()
    assert inputs(TINY["tiny-masks"]).train.x.unique().tolist() == [0.0, 1.0]
