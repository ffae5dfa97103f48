"""`ig4 runs`: the commands that wrote to the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.storage.runs import RunRow

STATES = ("running", "done", "partial", "failed", "interrupted", "killed")


@click.command(
    epilog="""\b
Examples:
  ig4 runs
  ig4 runs 12
  ig4 runs --status killed --limit 100 --json
"""
)
@click.argument("number", type=int, required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True,
              help="How many to list, the newest first.")  # fmt: skip
@click.option("--status", type=click.Choice(STATES), help="Only runs that ended so.")
@opt.shared_options
def runs(
    number: int | None, limit: int, status: str | None, db: str | None, as_json: bool, quiet: bool
) -> None:
    """List the commands that wrote to the database, or show one.

    A run is "partial" if samples failed, "interrupted" if Ctrl-C or a signal ended it, and "killed"
    if its process is gone without a word. The next command continues where any of them stopped.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.session import mark_killed_runs
    from ig4.storage.runs import newest

    with open_session(db, configuration.load(), quiet=quiet) as session:
        mark_killed_runs(session.store)
        with session.store.reading() as connection:
            rows = newest(connection, limit=None if status else limit, number=number)
    rows = [row for row in rows if status in (None, row.status)][:limit]
    if number is not None and not rows:
        raise UsageError(f"there is no run {number}")
    if number is not None:
        _print_run(rows[0], as_json=as_json)
    elif as_json:
        render.print_json([_as_dict(row) for row in rows])
    else:
        columns = ("run", "command", "data set", "status", "started", "took", "failed")
        render.print_table(columns, map(_cells, rows))


def _cells(row: RunRow) -> tuple[Any, ...]:
    failures = (row.summary or {}).get("failures") or {}
    failed = ", ".join(f"{name} {count:,}" for name, count in failures.items())
    started = f"{_utc(row.started_at):%Y-%m-%d %H:%M:%S}"
    return row.id, row.command, row.dataset or "", row.status, started, _took(row), failed


def _took(row: RunRow) -> str:
    """Return how long a run took; nothing if its clock went back meanwhile, or it did not end."""
    seconds = _seconds(row)
    if seconds is None:
        return ""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _seconds(row: RunRow) -> float | None:
    if row.finished_at is None:
        return None
    seconds = (_utc(row.finished_at) - _utc(row.started_at)).total_seconds()
    return seconds if seconds >= 0 else None


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # as SQLite returns it


def _as_dict(row: RunRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "command": row.command,
        "dataset": row.dataset,
        "status": row.status,
        "seed": row.seed,
        "started_at": _utc(row.started_at).isoformat(),
        "finished_at": _utc(row.finished_at).isoformat() if row.finished_at else None,
        "seconds": _seconds(row),
        "failures": dict((row.summary or {}).get("failures") or {}),
        "config": dict(row.config),
        "versions": dict(row.versions),
    }


def _print_run(row: RunRow, *, as_json: bool) -> None:
    if as_json:
        render.print_json(_as_dict(row))
        return
    for name, value in _as_dict(row).items():
        shown = render.json_text(value) if isinstance(value, dict) else value
        if shown not in (None, "{}"):
            click.echo(f"{name:<12} {render.plain(shown)}")
