"""A page for each command, from what click knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from ig4.cli.main import COMMANDS, cli
from ig4site.writing import PageFolder, prose, table, toctree

GROUPS = {
    "Select": ("init", "run", "ingest", "score", "cluster", "select", "selections", "compare",
               "export"),
    "Look": ("report", "browse", "plot", "groups", "check", "scores", "runs", "query", "recipes"),
    "Train and measure": ("train", "generate", "eval", "judge", "ablate", "learn-weights"),
    "Bring in": ("import-scores", "import-clusters", "import-vectors"),
    "Look after": ("db", "costs", "batch", "plugins", "doctor", "demo"),
}  # fmt: skip
"""The commands in the order in which people meet them; others follow under "More"."""

INTRODUCTION = """\
# Commands

These pages are made from the commands themselves. Every command has `--help`, and prints JSON with
`--json`. Results go to standard output, progress and notices to standard error.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed; the message says why, and what to do next |
| 2 | wrong usage; also a data set or a sample of a name that is not there |
| 3 | done, with failed samples |
"""


def write(pages: PageFolder) -> None:
    """Write the list of commands and a page for each."""
    pages.write("commands/index", _index())
    for name in COMMANDS:
        pages.write(f"commands/{name}", _page(name))


def _index() -> str:
    sections = []
    for title, names in _grouped():
        rows = [(f"[`ig4 {name}`]({name}.md)", prose(COMMANDS[name][1])) for name in names]
        sections.append(f"## {title}\n\n{table(('command', 'what it does'), rows)}")
    order = [name for _, names in _grouped() for name in names]
    return "\n".join([INTRODUCTION, *sections, toctree(order)])


def _grouped() -> Iterator[tuple[str, list[str]]]:
    left = dict.fromkeys(COMMANDS)
    for title, wanted in GROUPS.items():
        names = [name for name in wanted if name in left]
        for name in names:
            del left[name]
        yield title, names
    if left:
        yield "More", list(left)


def _page(name: str) -> str:
    context = click.Context(cli, info_name="ig4")
    command = cli.get_command(context, name)
    assert command is not None
    return "\n".join(_section(command, click.Context(command, context, name), level=1))


def _section(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """Describe a command; a group's own commands follow, one level below."""
    path = context.command_path
    yield f"({_target(path)})=\n"
    yield f"{'#' * level} {path}\n"
    yield from _help(command.help or "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{path} {usage}\n```\n"
    yield from _examples(command.epilog or "")
    yield from _options(command, context, level)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _section(inner, click.Context(inner, context, name), level + 1)


def _target(path: str) -> str:
    return path.replace(" ", "-")


def _help(text: str) -> Iterator[str]:
    """Return help as paragraphs; those that click keeps as they are stay so."""
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("\b"):
            kept = paragraph.removeprefix("\b").strip("\n")
            yield f"```text\n{kept}\n```\n"
        else:
            yield prose(" ".join(paragraph.split())) + "\n"


def _examples(epilog: str) -> Iterator[str]:
    lines = epilog.replace("\b", "").splitlines()
    shown = [line.strip() for line in lines if line.startswith("  ")]
    rest = [line for line in lines if line.strip() and not line.startswith("  ")]
    more = [line for line in rest if line.strip() != "Examples:"]
    if shown:
        commands = "\n".join(f"$ {line}" if line.startswith("ig4") else line for line in shown)
        yield f"```console\n{commands}\n```\n"
    if more:
        yield prose(" ".join(more)) + "\n"


def _options(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    shown = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    records = [record for one in shown if (record := one.get_help_record(context))]
    if not records:
        return
    yield f"{'#' * (level + 1)} Options\n"
    yield f"```{{program}} {context.command_path}\n```\n"
    for names, text in records:
        yield f":::{{option}} {_names(names)}\n\n{prose(' '.join(text.split()))}\n:::\n"


def _names(record: str) -> str:
    """Return `-o, --option NAME` as the directive reads it: each name with its argument."""
    names, _, metavar = record.partition(" ") if "," not in record else _split(record)
    parts = [name.strip() for name in names.replace(" / ", ", ").split(",")]
    return ", ".join(f"{name} {metavar}".strip() for name in parts)


def _split(record: str) -> tuple[str, str, str]:
    last = record.rfind(", -")
    head, tail = record[: last + 2], record[last + 2 :]
    name, space, metavar = tail.partition(" ")
    return head + name, space, metavar
