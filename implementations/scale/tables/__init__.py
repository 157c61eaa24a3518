"""The recipes by name, one module for each paper."""

from __future__ import annotations

import difflib

from implementations.scale.recipes import RowRecipe
from implementations.scale.tables import glow, made, maf, nsf

RECIPES: dict[str, RowRecipe] = {
    recipe.name: recipe
    for recipes in (made.RECIPES, maf.RECIPES, nsf.RECIPES, glow.RECIPES)
    for recipe in recipes
}


def find(name: str) -> RowRecipe:
    """Return the recipe of this name, whole or cut.

    Raises:
        KeyError: when there is none, with the nearest names in its message.
    """
    forms = {
        form.name: form
        for recipe in RECIPES.values()
        for form in (recipe, *recipe.smaller())
    }
    if name in forms:
        return forms[name]
    near = difflib.get_close_matches(name, forms, 3, 0.5)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise KeyError(f"no recipe is called {name!r}.{meant} --list shows all")
