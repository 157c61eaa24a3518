"""Ways to train a recipe, and the refusal to go on with another than was begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from implementations.scale.objective import RecipeError
from implementations.scale.recipes import RowRecipe


@dataclass(frozen=True)
class Options:
    """Ways to train that are no part of a recipe.

    `rows` is how many a process takes at once (0: all of its share); the gradients of
    these pieces add up. A checkpoint is written every `seconds`.
    """

    seed: int = 0
    bfloat16: bool = False
    compile: bool = False
    rows: int = 0
    seconds: float = 60.0


def settings(recipe: RowRecipe, options: Options, fingerprint: str) -> dict[str, Any]:
    """Return all that decides which weights a training ends with, as JSON has it."""
    return {
        **recipe.settings(),
        "seed": options.seed,
        "bfloat16": options.bfloat16,
        "compile": options.compile,
        "fingerprint of the data": fingerprint,
    }


def refuse_changed(
    name: str, folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Raise RecipeError where settings differ, and say which."""
    changed = [
        f"{key} was {before.get(key, 'not there')}, and is {now.get(key, 'not there')}"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise RecipeError(
            f"{name}: {folder} holds the training of another recipe: "
            f"{'; '.join(changed)}. Undo the change, or give another folder by "
            "--folder; nothing was touched"
        )
