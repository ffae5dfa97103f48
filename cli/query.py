"""`ig4 query`: query the score database with SQL, read-only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from ig4.cli import options as opt
from ig4.cli.ending import end_at_once
from ig4.cli.location import location
from ig4.cli.memorylimit import limited_memory
from ig4.cli.terminal import queryoutput, render
from ig4.core.limits import QUERY_SECONDS

if TYPE_CHECKING:
    from ig4.storage.errors import QueryError

MEMORY = 2 << 30
"""How many bytes a query's rows may take, with all that is made of them."""


@click.command(
    epilog="""\b
Examples:
  ig4 query "SELECT external_id, clip, length FROM scores_wide ORDER BY clip DESC LIMIT 10"
  ig4 query --csv "SELECT * FROM scores_wide" > scores.csv
  ig4 query --line "SELECT * FROM scores_wide LIMIT 3"
  ig4 query --schema
  ig4 query --schema scores_wide
  ig4 query --examples
"""
)
@click.argument("sql", required=False)
@click.option("--csv", "form", flag_value="csv", help="Print CSV, safe to open in a spreadsheet.")
@click.option("--raw", is_flag=True, help="With --csv: keep text that looks like a formula.")
@click.option("--markdown", "form", flag_value="markdown", help="Print a Markdown table.")
@click.option("--line", "form", flag_value="line", help="Print a line for each value.")
@click.option(
    "--schema", is_flag=True, help="Show tables and views (or the one named) and their columns."
)
@click.option("--examples", is_flag=True, help="Show useful queries.")
@click.option(
    "--timeout",
    type=click.FloatRange(*QUERY_SECONDS),
    metavar="SECONDS",
    help="How long the database may work on the query; 0: no limit.  [default: 60]",
)
@click.option(
    "--role", metavar="ROLE", help="PostgreSQL: run the query as this role, which should only read."
)
@opt.as_json
@opt.db
def query(
    sql: str | None,
    form: str | None,
    raw: bool,
    schema: bool,
    examples: bool,
    timeout: float | None,
    role: str | None,
    as_json: bool,
    db: str | None,
) -> None:
    """Query the score database with SQL.

    The views scores_long (a row for each score) and scores_wide (a row for each sample, a
    column for each scorer) answer most questions. Queries cannot change the database.
    """
    from ig4.storage.admin import existing_url
    from ig4.storage.querying.query import EXAMPLES, TIMEOUT, run_query

    if as_json and form is not None:
        raise click.UsageError(f"choose one of --{form} and --json")
    if raw and form != "csv":
        raise click.UsageError("--raw goes with --csv")
    if examples:
        _show_examples(EXAMPLES, as_json=as_json)
        return
    if schema:
        _show_schema(db, sql, as_json=as_json)
        return
    if not sql:
        raise click.UsageError("give an SQL statement, --schema or --examples")
    limit = TIMEOUT if timeout is None else timeout
    url = existing_url(location(db))
    with (
        limited_memory(MEMORY),
        run_query(url, sql, timeout=limit, role=role, give_up=_give_up) as result,
    ):
        if result.note:
            click.echo(f"note: {render.plain(result.note)}", err=True)
        if as_json:
            queryoutput.print_json(result.distinct_columns, result.rows)
        elif form == "csv":
            queryoutput.print_csv(result.columns, result.rows, raw=raw)
        elif form == "markdown":
            queryoutput.print_markdown(result.columns, result.rows)
        elif form == "line":
            queryoutput.print_lines(result.columns, result.rows)
        else:
            queryoutput.print_table(result.columns, result.rows)


def _give_up(error: QueryError) -> NoReturn:
    """End the process, which does nothing else than wait for a query that cannot be stopped."""
    click.echo(f"Error: {render.plain(str(error))}", err=True)
    end_at_once(error.exit_code)


def _show_examples(examples: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        render.print_json([{"question": question, "sql": sql} for question, sql in examples])
        return
    for question, sql in examples:
        click.echo(f"# {question}\nig4 query {json.dumps(sql)}\n")


def _show_schema(db: str | None, name: str | None, *, as_json: bool) -> None:
    from ig4.storage.admin import existing_url
    from ig4.storage.querying.describe import describe_tables

    tables = describe_tables(existing_url(location(db)), name)
    if as_json:
        render.print_json([table.to_dict() for table in tables])
        return
    for number, table in enumerate(tables):
        click.echo(("\n" if number else "") + f"{table.kind} {table.name}: {table.meaning}")
        width = max(len(column.name) for column in table.columns)
        kinds = max(len(column.type) for column in table.columns)
        for column in table.columns:
            line = f"  {column.name:<{width}}  {column.type:<{kinds}}  {column.meaning}"
            click.echo(render.plain(line.rstrip()))
