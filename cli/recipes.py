"""`ig4 recipes`: list the published methods that `--recipe` knows, or show what one sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.errors import Ig4Error, UsageError

if TYPE_CHECKING:
    from ig4.core.host.host import Host, RegisteredComponent


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  ig4 recipes
  ig4 recipes show deita
  ig4 run DATASET --recipe balanced
  ig4 run DATASET --recipe deita,balanced,paper   # one selection each
""",
)
@opt.as_json
@click.pass_context
def recipes(context: click.Context, as_json: bool) -> None:
    """List the methods that --recipe knows, or show what one sets."""
    if context.invoked_subcommand is None:
        context.invoke(list_, as_json=as_json)
    elif as_json:
        raise UsageError(f"write --json after {context.invoked_subcommand}")


@recipes.command(
    "list",
    epilog="""\b
Examples:
  ig4 recipes list
  ig4 recipes list --json
""",
)
@opt.as_json
def list_(as_json: bool = False) -> None:
    """List recipes with their source and whether all that they need is installed."""
    from ig4.core.host.host import Host

    host = Host.discover()
    found = [_summary(host, one) for one in host.components("recipe")]
    if as_json:
        render.print_json(found)
        return
    rows = [(one["name"], one["summary"], one["source"], one["state"]) for one in found]
    render.print_table(("recipe", "what it does", "source", "state"), rows)
    click.echo(
        "`ig4 recipes show NAME` prints its settings, `ig4 run DATASET --recipe NAME` runs it"
    )


@recipes.command(
    epilog="""\b
Examples:
  ig4 recipes show paper
  ig4 recipes show balanced --json
  ig4 recipes show ./learned.toml
"""
)
@click.argument("name")
@opt.as_json
def show(name: str, as_json: bool) -> None:
    """Show what a recipe sets, as a part of ig4.toml."""
    from ig4.core.files.writing.toml import toml_lines
    from ig4.core.host.host import Host
    from ig4.core.host.recipes import find_recipe, is_recipe_file, recipe_settings

    host = Host.discover()
    if is_recipe_file(name):
        told, settings = _file_summary(host, name)
    else:
        find_recipe(name, host)
        told = _summary(host, host.find("recipe", name))
        settings = recipe_settings(name, host)
    if as_json:
        render.print_json({**told, "settings": settings})
        return
    render.print_facts({key: str(told[key]) for key in ("name", "summary", "source", "state")})
    click.echo()
    for line in toml_lines(settings):
        click.echo(line)


def _summary(host: Host, registered: RegisteredComponent) -> dict[str, Any]:
    """Return what is known of a recipe; `missing` is what it names that is not here."""
    from ig4.core.host.recipes import find_recipe, recipe_settings

    component = registered.component
    try:
        recipe = find_recipe(registered.qualified, host)
        source, missing = type(recipe).source, _missing(host, recipe_settings(component.name, host))
        problem = None
    except Ig4Error as error:
        source, missing, problem = "", [], str(error)
    state = problem or (f"needs {', '.join(missing)}" if missing else "ready")
    return {
        "name": component.name,
        "distribution": registered.dist,
        "summary": component.summary,
        "source": source,
        "docs": component.docs,
        "missing": missing,
        "state": state,
    }


def _file_summary(host: Host, name: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return what is known of a recipe in a file, and its settings."""
    from ig4.core.config import recipe_file
    from ig4.core.host.recipes import recipe_label

    settings, learned = recipe_file(Path(name))
    missing = _missing(host, settings)
    told = {
        "name": recipe_label(name),
        "distribution": None,
        "summary": f"weights learned from {', '.join(learned['benchmarks'])}"
        if learned.get("benchmarks")
        else "settings of your own",
        "source": name,
        "docs": "learn-weights" if learned else "",
        "missing": missing,
        "state": f"needs {', '.join(missing)}" if missing else "ready",
        "learned": dict(learned),
    }
    return told, settings


def _missing(host: Host, settings: Mapping[str, Any]) -> list[str]:
    """Return the components that settings name and that cannot run here, with what they lack."""
    from ig4.core.host.host import missing_modules

    run, select = settings.get("run", {}), settings.get("select", {})
    named = [("scorer", name) for name in run.get("scorers", ())]
    named += [("embedder", name) for name in run.get("spaces", ())]
    named += [("selector", select["selector"])] if "selector" in select else []
    lacking = []
    for kind, label in named:
        table = settings.get(f"{kind}s", {}).get(label, {})
        try:
            registered = host.find(kind, table.get("use", label))
        except UsageError:
            lacking.append(f"{kind} {label}")
            continue
        modules = missing_modules(registered)
        if modules:
            extra = registered.component.extra
            lacking.append(f"{registered.dist}[{extra}]" if extra else ", ".join(modules))
    return list(dict.fromkeys(lacking))
