"""Checks for recipes."""

from __future__ import annotations

import json
from collections.abc import Callable

from ig4.core.config import build
from ig4.core.contracts import Recipe
from ig4.core.errors import ConfigError
from ig4.core.testing.check import Check, checks_from, fail, require
from ig4.core.testing.component import component_checks

Make = Callable[[], Recipe]


def recipe_checks(make: Make) -> list[Check]:
    """Return the checks of a recipe."""
    return component_checks(make) + checks_from(
        check_settings_are_tables_of_the_configuration,
        check_settings_are_json_and_stable,
        check_says_where_it_is_from,
        given=(make,),
    )


def check_settings_are_tables_of_the_configuration(make: Make) -> None:
    """`ig4.toml` could say the same."""
    try:
        build(make().settings())
    except ConfigError as error:
        fail(f"its settings are no configuration: {error}")


def check_settings_are_json_and_stable(make: Make) -> None:
    """Settings are frozen: the same each time, and JSON."""
    first, second = dict(make().settings()), dict(make().settings())
    require(json.loads(json.dumps(first)) == second, "settings are not JSON, or vary")


def check_says_where_it_is_from(make: Make) -> None:
    """A user can look up what it implements."""
    require(bool(type(make()).source.strip()), "source is empty: name a paper, or a page")
