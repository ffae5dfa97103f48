"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.config import Config

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
columns = click.option(
    "--columns", metavar="MAP", help="Columns, as in id=key,image=file,answer=caption."
)
selection = click.option(
    "--selection", metavar="N|last|all", default="last", show_default=True, help="Which selection."
)


def shared_options(function: F) -> F:
    """Add --db, --json and --quiet."""
    for option in (quiet, as_json, db):
        function = option(function)
    return function


_CALLING = (
    click.option("--concurrency", type=int, help="Requests at a time.  [default: 16]"),
    click.option("--rpm", type=float, help="Requests a minute at most."),
    click.option("--tpm", type=float, help="Tokens a minute at most."),
    click.option("--max-cost", type=float, metavar="USD", help="What this run may spend."),
    click.option("--max-calls", type=int, help="How many requests this run may send."),
    click.option(
        "--batch/--no-batch", default=None, help="Hand requests over in batches, at half the price."
    ),
    click.option(
        "--wait/--no-wait", default=None, help="Wait for batches, or let a later run collect them."
    ),
)
_PROMPT = click.option(
    "--prompt", type=PATH, metavar="FILE", help="Prompt with {instruction}, {answer}."
)


def call_options(function: F) -> F:
    """Add the options of commands that ask language models."""
    for option in reversed(_CALLING):
        function = option(function)
    return function


def scoring_options(function: F) -> F:
    """Add the options of commands that ask language models for scores."""
    return call_options(_PROMPT(function))


def call_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table `calls` of `ig4.toml` that flags make."""
    return {
        "concurrency": flags["concurrency"],
        "requests_per_minute": flags["rpm"],
        "tokens_per_minute": flags["tpm"],
        "max_cost": flags["max_cost"],
        "max_calls": flags["max_calls"],
        "batch": flags["batch"],
        "wait": flags["wait"],
    }


def set_prompt(tables: dict[str, Any], config: Config, prompt: Path | None) -> None:
    """Give a prompt file to every scorer in use that takes one.

    Raises:
        UsageError: none does.
    """
    if prompt is None:
        return
    from ig4.core.host.host import Host

    host = Host.discover()
    takers = []
    for name in config.run.scorers:
        use = config.choice("scorer", name).use
        if "prompt" in host.load("scorer", use, runnable=False).Options.model_fields:
            takers.append(name)
            tables.setdefault("scorers", {}).setdefault(name, {})["prompt"] = str(prompt)
    if not takers:
        raise UsageError("--prompt: no scorer in use takes a prompt (gpt and claude do)")


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


def settings_by_table(
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


def column_options(text: str | None) -> dict[str, str]:
    """Read `--columns image=file,answer=caption` into options of a format.

    Raises:
        UsageError: a part is not NAME=VALUE.
    """
    return {f"{role}_column": name for role, name in pairs(text or "", "--columns").items()}
