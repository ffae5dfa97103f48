"""What came of a selection: trainings, evaluations, judgements, ablations; and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ig4.core.secrets import redact
from ig4.storage import ablations, calls, evaluations, judgements, runs, trainings

if TYPE_CHECKING:
    from datetime import datetime

    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session

_RUNS = 20

Table = dict[str, Any]
"""A table of a page: its `title`, the names of its `columns`, and its `rows`."""


def outcome_tables(session: Session, view: SelectionView) -> list[Table]:
    """Return the tables of what was trained, evaluated and judged, as far as there is any."""
    with session.store.reading() as connection:
        trained = [
            row for row in trainings.list_all(connection) if row.selection_id == view.selection.id
        ]
        measured = evaluations.list_all(connection)
        judged = judgements.list_all(connection)
        compared = ablations.list_all(connection)
    own = {row.id for row in trained}
    tables = [
        _table(
            "Trainings on this selection",
            ("number", "trainer", "samples", "seed", "status", "steps", "began"),
            [
                (
                    row.id,
                    row.trainer,
                    row.samples,
                    row.seed,
                    row.status,
                    row.done,
                    _day(row.created_at),
                )
                for row in trained
            ],
        ),
        _table(
            "Evaluations of the models trained on it",
            ("benchmark", "model", "metric", "value", "items", "failed"),
            [
                (row.name, row.label, row.headline, row.value, row.items, row.failed)
                for row in measured
                if row.training_id in own
            ],
        ),
        _table(
            "Judgements in this database",
            ("number", "judge", "first", "second", "pairs", "status"),
            [(row.id, row.name, row.first, row.second, row.pairs, row.status) for row in judged],
        ),
        _table(
            "Ablations of this data set",
            ("number", "arms", "began"),
            [
                (row.id, len(row.config.get("arms") or ()), _day(row.created_at))
                for row in compared
                if row.dataset == view.dataset.name
            ],
        ),
    ]
    return [table for table in tables if table["rows"]]


def cost_tables(session: Session, view: SelectionView) -> list[Table]:
    """Return the tables of what runs on the data set had paid, and how long the last ones took."""
    with session.store.reading() as connection:
        paid = calls.sum_costs(
            connection, "scorer", dataset_id=view.dataset.id, until=view.selection.created_at
        )
        recent = runs.newest(connection)
    before = [
        row
        for row in recent
        if row.dataset == view.dataset.name and row.started_at <= view.selection.created_at
    ]
    tables = [
        _table(
            "Paid calls of the runs that led here, by what asked",
            ("asked by", "calls", "tokens in", "tokens out", "US$", "failed"),
            [
                (
                    one.group,
                    one.calls,
                    one.input_tokens,
                    one.output_tokens,
                    round(one.cost, 4),
                    one.failed,
                )
                for one in paid
            ],
        ),
        _table(
            "Runs that led here, the newest first",
            ("number", "command", "status", "seconds", "began"),
            [
                (row.id, redact(row.command), *_ending(row, view), _day(row.started_at))
                for row in before[:_RUNS]
            ],
        ),
    ]
    return [table for table in tables if table["rows"]]


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    return {"title": title, "columns": list(columns), "rows": [list(row) for row in rows]}


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def _ending(row: runs.RunRow, view: SelectionView) -> tuple[str, float | None]:
    """Return how a run ended, and after how many seconds; None for one that has not.

    The one that made the selection goes on after it, so that counts which it took until then.
    """
    if row.id == view.selection.run_id:
        return "made it", _seconds(row.started_at, view.selection.created_at)
    if row.finished_at is None:
        return row.status, None
    return row.status, _seconds(row.started_at, row.finished_at)


def _seconds(first: datetime, last: datetime) -> float:
    return round((last - first).total_seconds(), 1)
