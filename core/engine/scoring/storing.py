"""Writes what scorers gave, with all their outputs, and what their names stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ig4.core.engine.scoring.outputs import bound_outputs, column_name
from ig4.core.host.recording import recorded_options
from ig4.storage import scores

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.scoring.pending import PendingWork
    from ig4.core.engine.scoring.tasks import Row


def bind(connection: Connection, dataset_id: int, label: str, pending: PendingWork) -> None:
    """Let a scorer's name stand for it, and LABEL.OUTPUT for each output, from now on.

    Names of outputs that only an earlier scorer of this label had stand for nothing any more. In
    the members of a mixture the names stand for it too, where they are free.
    """
    options = recorded_options(pending.configured.component)
    bound = {label: pending.component_id}
    bound |= {column_name(label, output): id_ for output, id_ in pending.outputs.items()}
    before = bound_outputs(connection, dataset_id, label)
    scores.bind_all(
        connection,
        dataset_id,
        bound,
        options=options,
        unbound=[name for name in before if name not in bound],
    )
    scores.bind_members(connection, dataset_id, bound, options=options)


def put(
    connection: Connection,
    run_id: int | None,
    pending: PendingWork,
    rows: Sequence[Row],
    outputs: Mapping[str, Sequence[Row]],
) -> None:
    """Store what a scorer gave and what its outputs are, in one transaction of the caller's."""
    scores.put(connection, pending.component_id, run_id, rows)
    for output, id_ in pending.outputs.items():
        scores.put(connection, id_, run_id, outputs[output])
