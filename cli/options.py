"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ig4.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)

db = click.option(
    "--db",
    envvar="IG4_DB",
    metavar="URL",
    help="Score database: a file or postgresql://…  [env IG4_DB; default ig4.db]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
dataset = click.option(
    "--dataset", metavar="NAME", help="Data set in the database; needed if it holds several."
)
config = click.option(
    "--config", "config_file", type=PATH, help="Configuration file.  [default: ./ig4.toml]"
)
quiet = click.option("--quiet", "-q", is_flag=True, help="No progress and no notices.")
component_options = click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="NAME.KEY=VALUE",
    help="Option of a component, as in -o clip.model=ViT-L-14 (see `ig4 plugins show clip`).",
)
seed = click.option("--seed", type=int, help="Seed of everything random.  [default: 42]")
selection = click.option(
    "--selection", metavar="N|last|all", default="last", show_default=True, help="Which selection."
)


def shared(function: F) -> F:
    """Add --db, --json and --quiet."""
    for option in (quiet, as_json, db):
        function = option(function)
    return function


def names(text: str | None) -> list[str] | None:
    """Read `clip,length`."""
    if text is None:
        return None
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def component_settings(options: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read `-o clip.model=ViT-L-14` into {"clip": {"model": "ViT-L-14"}}.

    Raises:
        UsageError: one is not NAME.KEY=VALUE.
    """
    settings: dict[str, dict[str, str]] = {}
    for option in options:
        left, equals, value = option.partition("=")
        name, dot, key = left.rpartition(".")
        if not (equals and dot and name and key):
            raise UsageError(f"-o {option!r} is not NAME.KEY=VALUE; write -o clip.model=ViT-L-14")
        settings.setdefault(name.strip(), {})[key.strip()] = value
    return settings


def sorted_settings(
    options: Sequence[str], kinds: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, str]]]:
    """Sort `-o` settings into tables of `ig4.toml` by the names each table has in use.

    `kinds` maps a table ("scorers") to the labels it may set. A setting goes to every table
    that uses its label.

    Raises:
        UsageError: a setting is for a component that the command does not use.
    """
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for name, values in component_settings(options).items():
        homes = [table for table, labels in kinds.items() if name in labels]
        if not homes:
            used = ", ".join(dict.fromkeys(n for labels in kinds.values() for n in labels))
            raise UsageError(f"-o {name}.…: {name!r} is not used here (used are: {used})")
        for home in homes:
            tables.setdefault(home, {})[name] = values
    return tables


def pairs_of(settings: Sequence[str]) -> dict[str, str]:
    """Read `-o KEY=VALUE`, given any number of times.

    Raises:
        UsageError: one is not KEY=VALUE.
    """
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (equals and key.strip()):
            raise UsageError(f"-o {setting!r} is not KEY=VALUE")
        found[key.strip()] = value
    return found


def pairs(text: str, option: str) -> dict[str, str]:
    """Read `image=file,answer=caption`.

    Raises:
        UsageError: a part is not NAME=VALUE.
    """
    found = {}
    for part in names(text) or ():
        left, equals, right = part.partition("=")
        if not (equals and left.strip() and right.strip()):
            raise UsageError(
                f"{option} {part!r} is not NAME=VALUE; write image=file,answer=caption"
            )
        found[left.strip()] = right.strip()
    return found
