"""`ig4 doctor`: report what works on this machine."""

from __future__ import annotations

from typing import Any

import click

from ig4.cli import options
from ig4.cli.location import location
from ig4.cli.terminal.render import print_json


@click.command(
    epilog="""\b
Examples:
  ig4 doctor
  ig4 doctor --json
"""
)
@options.db
@options.as_json
def doctor(db: str | None, as_json: bool) -> None:
    """Report what works here: extras, device, caches, keys, database, plugins.

    The exit code is 1 if something is broken; missing extras do not count as broken.
    """
    report = gather(db)
    if as_json:
        print_json(report)
    else:
        for line in lines(report):
            click.echo(line)
    if report["problems"]:
        raise click.exceptions.Exit(1)


def gather(db: str | None) -> dict[str, Any]:
    """Return the report of `ig4 doctor`; `problems` is a list of sentences."""
    from ig4.cli import checkup
    from ig4.core.version import __version__

    report: dict[str, Any] = {
        "ig4": __version__,
        "python": checkup.python(),
        "extras": checkup.extras(),
        "device": checkup.device(),
        "caches": checkup.caches(),
        **checkup.environment(),
        "database": checkup.database(location(db)),
        "broken_plugins": checkup.broken_plugins(),
    }
    return report | {"problems": _problems(report)}


def lines(report: dict[str, Any]) -> list[str]:
    """Return the report as lines of text."""
    python = report["python"]
    text = [
        f"ig4 {report['ig4']}, Python {python['version']}, {python['system']}",
        "",
        "Extras",
        *(_extra_line(name, parts) for name, parts in report["extras"].items()),
        "",
        "Device",
        f"  {_device_line(report['device'])}",
        "",
        "Model caches",
        *(_cache_line(cache) for cache in report["caches"]),
        "",
        "Environment",
        *(_environment_line(part, report[part]) for part in ("keys", "proxies", "offline")),
        "",
        "Database",
        *(f"  {line}" for line in _database_lines(report["database"])),
        "",
    ]
    problems = report["problems"]
    if not problems:
        return [*text, "Nothing is broken."]
    return [*text, "Broken", *(f"  {problem}" for problem in problems)]


def _problems(report: dict[str, Any]) -> list[str]:
    problems = [plugin["reason"] for plugin in report["broken_plugins"]]
    database = report["database"]
    if database["problem"]:
        problems.append(database["problem"])
    return problems


def _extra_line(name: str, parts: dict[str, str | None]) -> str:
    missing = [part for part, version in parts.items() if version is None]
    if missing:
        return f'  {name}: needs {", ".join(missing)} (pip install "ig4[{name}]")'
    return f"  {name}: " + ", ".join(f"{part} {version}" for part, version in parts.items())


def _cache_line(cache: dict[str, Any]) -> str:
    size = f"{cache['bytes'] / 1e6:,.1f} MB" if cache["exists"] else "does not exist yet"
    return f"  {cache['name']}: {cache['path']} ({size})"


def _environment_line(part: str, names: dict[str, bool]) -> str:
    set_names = [name for name, is_set in names.items() if is_set]
    return f"  {part} set: {', '.join(set_names) or 'none'}"


def _database_lines(database: dict[str, Any]) -> list[str]:
    if database["problem"]:
        return [database["problem"]]
    if not database["exists"]:
        return [f"{database['location']}: does not exist yet; commands that need it create it"]
    return [f"{database['location']}: schema version {database['version']}"]


def _device_line(device: dict[str, Any]) -> str:
    if device["torch"] is None:
        return 'no torch, so no models (pip install "ig4[clip]")'
    fast = ", ".join(device["fast_precisions"])
    if device["device"] != "cpu":
        count = f", {device['gpus']} GPUs" if device["gpus"] > 1 else ""
        return f"{device['device']}{count}; auto precision {device['precision']}; fast at {fast}"
    flags = ", ".join(device["cpu_bf16"]) or "no bf16 in hardware"
    return f"cpu ({flags}); auto precision {device['precision']}; fast at {fast}"
