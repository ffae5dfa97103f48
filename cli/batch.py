"""`ig4 batch`: batches of requests to language models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.storage.batches import BatchRow


@click.group(
    epilog="""\b
Examples:
  ig4 batch list
  ig4 batch cancel 3
  ig4 batch resend 3
"""
)
def batch() -> None:
    """List batches of requests, cancel one, or send a lost one again.

    `ig4 score --batch` submits batches and collects their replies.
    """


@batch.command(
    name="list",
    epilog="""\b
Examples:
  ig4 batch list
  ig4 batch list --json
""",
)
@opt.shared_options
def list_(db: str | None, as_json: bool, quiet: bool) -> None:
    """List all batches, with their service and the requests that wait or are lost."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.storage import batches

    with (
        open_session(db, configuration.load(), quiet=quiet) as session,
        session.store.reading() as connection,
    ):
        rows = batches.list_all(connection)
        pending = batches.count_pending(connection)
        lost = batches.count_lost(connection)
    if as_json:
        render.print_json(
            [_as_dict(row, pending.get(row.id, 0), lost.get(row.id, 0)) for row in rows]
        )
        return
    render.print_table(
        (
            "batch",
            "state",
            "service",
            "model",
            "requests",
            "waiting",
            "lost",
            "created",
            "id there",
            "error",
        ),
        [
            (
                row.id,
                row.state,
                row.provider,
                row.model,
                row.requests,
                pending.get(row.id, 0),
                lost.get(row.id, 0),
                f"{row.created_at:%Y-%m-%d %H:%M}",
                row.remote_id,
                row.error,
            )
            for row in rows
        ],
    )


@batch.command(
    epilog="""\b
Examples:
  ig4 batch cancel 3
"""
)
@click.argument("number", type=int)
@opt.component_options
@opt.config
@opt.shared_options
def cancel(
    number: int,
    options: tuple[str, ...],
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Cancel batch NUMBER; replies that the service has by then are still collected."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.calls.batching.cancel import cancel as cancel_batch
    from ig4.core.calls.loop import run

    first = configuration.load(config_file)
    settings = opt.component_settings(options)
    config = configuration.load(config_file, {"scorers": settings}) if settings else first
    with open_session(db, config, quiet=quiet) as session:
        remote_id = run(cancel_batch(session, config, number))
    if as_json:
        render.print_json({"batch": number, "id": remote_id, "cancelled": True})
    else:
        click.echo(f"batch {number}: cancellation requested; the next run with --batch collects it")


@batch.command(
    epilog="""\b
Examples:
  ig4 batch resend 3
  ig4 batch resend 3 --yes
"""
)
@click.argument("number", type=int)
@click.option(
    "--yes", is_flag=True, help="Also if the service may still reply: both will be paid then."
)
@opt.shared_options
def resend(number: int, yes: bool, db: str | None, as_json: bool, quiet: bool) -> None:
    """Let the requests of lost batch NUMBER be sent again, at their price.

    A batch is lost if the service says many times that it has no such batch, or no results of it.
    Its requests may have been paid for; `ig4 costs` goes on counting them.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.calls.batching.resend import give_up

    with open_session(db, configuration.load(), quiet=quiet) as session:
        count = give_up(session, number, open_too=yes)
    if as_json:
        render.print_json({"batch": number, "requests": count})
    else:
        click.echo(f"batch {number}: the next run sends its {counted(count, 'request')} again")


def _as_dict(row: BatchRow, pending: int, lost: int) -> dict[str, Any]:
    return {
        "batch": row.id,
        "state": row.state,
        "service": row.provider,
        "model": row.model,
        "id": row.remote_id,
        "requests": row.requests,
        "waiting": pending,
        "lost": lost,
        "created_at": row.created_at.isoformat(),
        "error": row.error,
    }
