"""Recipes by name: the settings that `--recipe NAME` lays under those of the user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from ig4.core.errors import ConfigError, PluginError, UsageError
from ig4.core.host.host import Host
from ig4.core.records import JSON, Choice
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from ig4.core.contracts import Recipe


TABLES = (
    "run", "scorers", "embedders", "groupers", "indexes", "clusterers", "selectors", "cluster",
    "select",
)  # fmt: skip
"""The tables of `ig4.toml` that are a method's: where data lies and goes is the user's."""


def is_recipe_file(name: str) -> bool:
    """Tell whether `--recipe` names a file: by its ending, or the folder that it is in."""
    return name.lower().endswith(".toml") or name.startswith((".", "~", "/"))


def recipe_label(name: str) -> str:
    """Return what a recipe is called where a path cannot stand: of a file, its name alone."""
    return PurePath(name).stem if is_recipe_file(name) else name


def find_recipe(name: str, host: Host | None = None) -> Recipe:
    """Return a recipe by its name.

    Raises:
        ConfigError: there is no such recipe.
    """
    host = host or Host.discover()
    try:
        return cast("Recipe", host.build(Choice("recipe", name)))
    except UsageError as error:
        known = [registered.component.name for registered in host.components("recipe")]
        if name.rpartition("/")[2] in known or any(
            refused.registered.component.name == name for refused in host.refused
        ):
            raise
        raise ConfigError(
            f"unknown recipe {name!r}{did_you_mean(name, known)} (recipes: {', '.join(known)}, or "
            "a file NAME.toml)"
        ) from error


def recipe_settings(name: str, host: Host | None = None) -> Mapping[str, JSON]:
    """Return the settings of a recipe: tables of `ig4.toml`.

    Raises:
        ConfigError: there is no such recipe.
        PluginError: a recipe of a third party fails.
    """
    recipe = find_recipe(name, host)
    try:
        settings = dict(recipe.settings())
    except Exception as error:
        raise PluginError(
            f"recipe {name} gives no settings ({type(error).__name__}: {error})"
        ) from error
    others = sorted(set(settings) - set(TABLES))
    if others:
        raise PluginError(
            f"recipe {name} sets {', '.join(others)}: a recipe may set {', '.join(TABLES)} alone"
        )
    return settings
