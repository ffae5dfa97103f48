"""Prints the rows of a query: as a table, in lines, as CSV, JSON or Markdown."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import click

from ig4.cli.terminal import render
from ig4.cli.terminal.csvcells import CsvCells
from ig4.core.counts import counted, verb

SHOWN = 1000
"""How many rows people are shown; programs get all."""


def print_table(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """Print a table; on a terminal that is too narrow for it, a line for each value."""
    shown = list(islice(rows, SHOWN + 1))
    render.print_table([render.plain(name) for name in columns], shown[:SHOWN])
    _tell_of_more(len(shown))


def print_lines(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """Print a line for each value, with an empty line between rows."""
    render.print_lines(columns, islice(rows, SHOWN))
    _tell_of_more(SHOWN + len(list(islice(rows, 1))))


def print_markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table in Markdown; what would be markup in a value is escaped."""
    rows = iter(rows)
    first = next(rows, None)
    numeric = [isinstance(value, (int, float)) for value in first or ()] or [False] * len(columns)
    click.echo(_markdown_line(columns))
    click.echo("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
    for row in chain([] if first is None else [first], rows):
        click.echo(_markdown_line(row))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, raw: bool) -> None:
    """Print CSV.

    Text that a spreadsheet would take for a formula is put behind a quotation mark, and that is
    told; with `raw` it is printed as it is. A terminal gets no control characters in either case.
    """
    cells = CsvCells(raw=raw, printable=sys.stdout.isatty())
    for row in chain([columns], rows):
        sys.stdout.write(cells.line(row) + "\n")
    if cells.changed:
        click.echo(
            f"{counted(cells.changed, 'text')} that a spreadsheet would take for a formula "
            f"{verb(cells.changed, 'begins', 'begin')} with ' now; --raw prints what was there",
            err=True,
        )


def print_json(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print the rows as a JSON list of objects, one row at a time; `names` are distinct."""
    click.echo("[", nl=False)
    between = "\n"
    for row in rows:
        item = dict(zip(names, map(jsonable, row), strict=True))
        click.echo(f"{between}  {render.json_text(item)}", nl=False)
        between = ",\n"
    click.echo("\n]")


def jsonable(value: Any) -> Any:
    """Return a value of a database as one that JSON has; bytes become hexadecimal digits."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return (
        value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)
    )


def _tell_of_more(found: int) -> None:
    if found > SHOWN:
        click.echo(
            f"… only the first {counted(SHOWN, 'line')} of the result; --csv, --json and "
            "--markdown print all",
            err=True,
        )


def _markdown_line(values: Iterable[Any]) -> str:
    return "|" + "|".join(f" {_markdown(render.plain(value))} " for value in values) + "|"


def _markdown(text: str) -> str:
    escaped = "".join(f"\\{c}" if c in "\\`*[]<>|~&$" else c for c in text)
    return escaped.replace("\n", "<br>")
