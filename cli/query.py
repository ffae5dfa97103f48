"""`ig4 query`: query the score database with SQL, read-only."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click

from ig4.cli import options as opt
from ig4.cli import render
from ig4.cli.location import location

SHOWN = 1000


@click.command(
    epilog="""\b
Examples:
  ig4 query "SELECT external_id, clip, length FROM scores_wide ORDER BY clip DESC LIMIT 10"
  ig4 query --csv "SELECT * FROM scores_wide" > scores.csv
  ig4 query --examples
"""
)
@click.argument("sql", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--examples", is_flag=True, help="Show useful queries.")
@opt.as_json
@opt.db
def query(sql: str | None, as_csv: bool, examples: bool, as_json: bool, db: str | None) -> None:
    """Query the score database with SQL.

    The views scores_long (a row for each score) and scores_wide (a row for each sample, a
    column for each scorer) answer most questions. Queries cannot change the database.
    """
    from ig4.storage.admin import existing_url
    from ig4.storage.query import EXAMPLES, run_query

    if examples:
        _show_examples(EXAMPLES, as_json=as_json)
        return
    if not sql:
        raise click.UsageError("give an SQL statement, or --examples")
    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    with run_query(existing_url(location(db)), sql) as result:
        if as_json:
            _print_json(result.columns, result.rows)
        elif as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(result.columns)
            writer.writerows(result.rows)
        else:
            rows = list(islice(result.rows, SHOWN + 1))
            render.print_table(result.columns, rows[:SHOWN])
            if len(rows) > SHOWN:
                click.echo(f"… only the first {SHOWN:,} rows; --csv and --json print all", err=True)


def _show_examples(examples: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        render.print_json([{"question": question, "sql": sql} for question, sql in examples])
        return
    for question, sql in examples:
        click.echo(f"# {question}\nig4 query {json.dumps(sql)}\n")


def _print_json(columns: Sequence[str], rows: Any) -> None:
    """Print the rows as a JSON list of objects, one row at a time."""
    names = _distinct(columns)
    click.echo("[", nl=False)
    between = "\n"
    for row in rows:
        item = dict(zip(names, map(_jsonable, row), strict=True))
        click.echo(f"{between}  {render.json_text(item)}", nl=False)
        between = ",\n"
    click.echo("\n]")


def _distinct(columns: Sequence[str]) -> list[str]:
    """Number repeated names (id, id:2): the keys of a JSON object must be distinct."""
    names: list[str] = []
    for column in columns:
        name, number = column, 1
        while name in names:
            number += 1
            name = f"{column}:{number}"
        names.append(name)
    return names


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return (
        value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)
    )
