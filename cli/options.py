"""Options that several commands share, and functions that read their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ig4.core.errors import UsageError
from ig4.core.files.remote.credentials import place_of
from ig4.core.limits import BATCH, BEAMS, REPETITION, SEED, TEMPERATURE, TOP_P

if TYPE_CHECKING:
    from ig4.core.config import Config

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def place(text: str) -> Any:
    """Return a Path, or an address such as s3://bucket/data.json, its credentials taken out."""
    return place_of(text)


fetch_images = click.option(
    "--fetch-images",
    type=click.Choice(["none", "public", "any"]),
    help="Fetch images that records name by http(s) address: from public hosts, or from any.  "
    "[default: none]",
)

db = click.option(
    "--db",
    envvar="IG4_DB",
    metavar="URL",
    help="Score database: a file or postgresql://…  [env IG4_DB; default ig4.db]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
dataset = click.option(
    "--dataset",
    metavar="NAME",
    help="Data set in the database; required if there are several. NAME,NAME pools some.",
)
config = click.option(
    "--config",
    "config_file",
    type=PATH,
    metavar="FILE|none",
    help="Configuration file, or none.  [default: ./ig4.toml]",
)
quiet = click.option("--quiet", "-q", is_flag=True, help="Hide progress and notices.")
component_options = click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="NAME.KEY=VALUE",
    help="Option of a component, as in -o clip.model=ViT-L-14 (see `ig4 plugins show clip`).",
)


def _named(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse `--recipe ,`, which names none."""
    if value is not None and not names(value):
        raise click.BadParameter("name a recipe (`ig4 recipes` lists them)")
    return value


recipe = click.option(
    "--recipe",
    callback=_named,
    metavar="NAMES",
    help="Use the settings of a method (`ig4 recipes` lists them) or of a file; several, as in "
    "deita,balanced.",
)


def scaling(function: Any) -> Any:
    """Add the options that say how scores become one final score."""
    for option in reversed(
        (
            click.option("--scale", help="Percent scale: paper, minmax, percentile or zscore."),
            click.option(
                "--within", metavar="GROUPER", help="Scale scores within groups, as in form."
            ),
            click.option(
                "--combine",
                type=click.Choice(["sum", "product", "mean-rank", "vote", "min"]),
                help="How scores make one.  [default: sum]",
            ),
            click.option(
                "--groups",
                metavar="GROUPER",
                help="Groups by which the mix of the selection is told.  [default: auto]",
            ),
        )
    ):
        function = option(function)
    return function


def scaling_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these options say for the table [select]."""
    return {name: flags[name] for name in ("scale", "within", "combine", "groups")}


def pinning(function: Any) -> Any:
    """Add the options that say which samples are selected, or not, whatever they score."""
    for option in reversed(
        (
            click.option(
                "--keep", type=PATH, metavar="FILE",
                help="Select these samples whatever they score: an id a line, or a JSON list.",
            ),
            click.option("--drop", type=PATH, metavar="FILE", help="Never select these samples."),
            click.option("--keep-sql", metavar="SQL", help="As --keep, of what a query gives."),
            click.option("--drop-sql", metavar="SQL", help="As --drop, of what a query gives."),
            click.option(
                "--pins", is_flag=True, default=None, help="Keep and drop what is pinned in the "
                "database.",
            ),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def pinning_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these options say for the table [select]."""
    return {name: flags[name] for name in ("keep", "drop", "keep_sql", "drop_sql", "pins")}


def groupers_in_use(config: Config, options: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of groupers that a configuration, or `-o NAME.groups=…`, may use."""
    named = [config.select.groups, config.select.within, *config.groupers]
    named += [stage.within for stage in config.select.stages]
    for table in (*config.selectors.values(), *component_settings(options).values()):
        named.append(table.get("groups"))
    return tuple(dict.fromkeys(name for name in (*named, "auto") if name))


seed = click.option(
    "--seed", type=click.IntRange(*SEED),
    help="Seed for everything random.  [default: 42]",
)  # fmt: skip
no_check = click.option(
    "--no-check", is_flag=True, help="Do not check the computed scores (see `ig4 check`)."
)
columns = click.option(
    "--columns", metavar="MAP", help="Column names, as in id=key,image=file,answer=caption."
)
selection = click.option(
    "--selection", metavar="N|NAME|last|all", default="last", show_default=True,
    help="Selection to use: its number or name.",
)  # fmt: skip

overwrite = click.option(
    "--overwrite", is_flag=True, default=None,
    help="Replace files that ig4 did not write, and links themselves.",
)  # fmt: skip
problems = click.option(
    "--problems",
    type=click.Choice(["leave", "keep"]),
    help="Leave out samples with a problem, or keep their records as they were read (in the "
    "format of the data set).  [default: leave]",
)


def _set_verbosity(_context: click.Context, _parameter: click.Parameter, count: int) -> None:
    if count:
        from ig4.cli.terminal.logs import set_verbosity

        set_verbosity(count)


def _log_to(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        from ig4.cli.terminal.logs import log_to

        log_to(path)


_verbose = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    callback=_set_verbosity,
    help="Log what is done instead of drawing bars; -vv with every batch, -vvv with libraries.",
)
_log_file = click.option(
    "--log-file",
    type=PATH,
    metavar="FILE",
    envvar="IG4_LOG_FILE",
    expose_value=False,
    callback=_log_to,
    help="Append what is done to a file, with times.  [env IG4_LOG_FILE]",
)


def log_options(function: F) -> F:
    """Add --quiet, --verbose and --log-file."""
    for option in (_log_file, _verbose, quiet):
        function = option(function)
    return function


def shared_options(function: F) -> F:
    """Add --db, --json, --quiet, --verbose and --log-file."""
    return db(as_json(log_options(function)))


_DECODING_OPTIONS = (
    click.option(
        "--batch-size",
        type=click.IntRange(*BATCH),
        default=8,
        show_default=True,
        help="Answers generated at a time.",
    ),
    click.option(
        "--temperature", type=click.FloatRange(*TEMPERATURE), help="0 means greedy decoding."
    ),
    click.option("--top-p", type=click.FloatRange(*TOP_P), help="Probability mass to sample from."),
    click.option("--beams", "num_beams", type=click.IntRange(*BEAMS), help="Number of beams."),
    click.option(
        "--repetition-penalty",
        type=click.FloatRange(*REPETITION),
        help="Values above 1 reduce repetition.",
    ),
)


def decoding_options(function: F) -> F:
    """Add the options of commands that let a model answer."""
    for option in reversed(_DECODING_OPTIONS):
        function = option(function)
    return function


_CALL_OPTIONS = (
    click.option("--concurrency", type=int, help="Requests at a time.  [default: 16]"),
    click.option("--rpm", type=float, help="Maximum requests per minute."),
    click.option("--tpm", type=float, help="Maximum tokens per minute."),
    click.option("--max-cost", type=float, metavar="USD", help="Maximum cost of this run."),
    click.option("--max-calls", type=int, help="Maximum requests of this run."),
    click.option(
        "--stop-after",
        type=click.IntRange(0),
        metavar="N",
        help="Stop a component after N failures in a row; 0 never.  [default: 50]",
    ),
    click.option(
        "--batch/--no-batch", default=None, help="Submit requests in batches, at half the price."
    ),
    click.option(
        "--wait/--no-wait", default=None, help="Wait for batches, or let a later run collect them."
    ),
)
_PROMPT = click.option(
    "--prompt", type=PATH, metavar="FILE", help="Prompt with {instruction} and {answer}."
)


def call_options(function: F) -> F:
    """Add the options of commands that call language models."""
    for option in reversed(_CALL_OPTIONS):
        function = option(function)
    return function


def scoring_options(function: F) -> F:
    """Add the options of commands that compute scores with language models."""
    return call_options(_PROMPT(function))


def call_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags as the table `calls` of `ig4.toml`."""
    return {
        "concurrency": flags["concurrency"],
        "requests_per_minute": flags["rpm"],
        "tokens_per_minute": flags["tpm"],
        "max_cost": flags["max_cost"],
        "max_calls": flags["max_calls"],
        "stop_after": flags["stop_after"],
        "batch": flags["batch"],
        "wait": flags["wait"],
    }


def set_prompt(tables: dict[str, Any], config: Config, prompt: Path | None) -> None:
    """Set the prompt file of every scorer in use that takes one.

    Raises:
        UsageError: no scorer in use takes one.
    """
    if prompt is None:
        return
    from ig4.core.host.host import Host

    host = Host.discover()
    scorers = []
    for name in config.run.scorers:
        use = config.choice("scorer", name).use
        if "prompt" in host.load("scorer", use, runnable=False).Options.model_fields:
            scorers.append(name)
            tables.setdefault("scorers", {}).setdefault(name, {})["prompt"] = str(prompt)
    if not scorers:
        raise UsageError("--prompt: no scorer in use takes a prompt (gpt and claude do)")


def names(text: str | None) -> list[str] | None:
    """Split `clip,length` into names."""
    if text is None:
        return None
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def component_settings(options: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse `-o clip.model=ViT-L-14` into {"clip": {"model": "ViT-L-14"}}.

    Raises:
        UsageError: an option is not NAME.KEY=VALUE.
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
    """Sort `-o` settings into the tables of `ig4.toml` that use their names.

    `kinds` maps a table ("scorers") to the names in use. A setting goes to every table that uses
    its name.

    Raises:
        UsageError: a setting is for a component that the command does not use.
    """
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for name, values in component_settings(options).items():
        matches = [table for table, labels in kinds.items() if name in labels]
        if not matches:
            used = ", ".join(dict.fromkeys(n for labels in kinds.values() for n in labels))
            raise UsageError(f"-o {name}.…: {name!r} is not used here (in use: {used})")
        for table in matches:
            tables.setdefault(table, {})[name] = values
    return tables


def pairs_of(settings: Sequence[str]) -> dict[str, str]:
    """Parse `-o KEY=VALUE`, given any number of times.

    Raises:
        UsageError: a setting is not KEY=VALUE.
    """
    pairs = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (equals and key.strip()):
            raise UsageError(f"-o {setting!r} is not KEY=VALUE")
        pairs[key.strip()] = value
    return pairs


def pairs(text: str, option: str) -> dict[str, str]:
    """Parse `image=file,answer=caption`.

    Raises:
        UsageError: a part is not NAME=VALUE.
    """
    result = {}
    for part in names(text) or ():
        left, equals, right = part.partition("=")
        if not (equals and left.strip() and right.strip()):
            raise UsageError(
                f"{option} {part!r} is not NAME=VALUE; write image=file,answer=caption"
            )
        result[left.strip()] = right.strip()
    return result


def column_options(text: str | None) -> dict[str, str]:
    """Parse `--columns image=file,answer=caption` into options of a format.

    Raises:
        UsageError: a part is not NAME=VALUE.
    """
    return {f"{role}_column": name for role, name in pairs(text or "", "--columns").items()}
