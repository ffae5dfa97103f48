"""Records the cells of an ablation in the database, and finds results that are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.engine.ablating.cells.cell import CellResult
from ig4.core.engine.ending import error_text
from ig4.storage import ablations
from ig4.storage.ablations import CellRow

if TYPE_CHECKING:
    from ig4.core.engine.ablating.cells.tasks import AblationTask
    from ig4.core.engine.session import Session
    from ig4.core.errors import Ig4Error


@dataclass(frozen=True, slots=True)
class CellRecorder:
    """Writes the cells of the ablation `number`."""

    session: Session
    number: int

    def put(self, task: AblationTask, status: str, result: CellResult) -> None:
        """Record the status and the result of all cells of a task."""
        metrics = {name: {**one, "key": task.keys[name]} for name, one in result.metrics.items()}
        with self.session.store.writing() as connection:
            for arm, seed, selection in task.cells:
                row = CellRow(
                    arm, seed, status,
                    samples=task.samples if result.samples is None else result.samples,
                    selection_id=selection,
                    training_id=result.training_id,
                    metrics=metrics or None,
                    error=result.error,
                )  # fmt: skip
                ablations.put(connection, self.number, row)

    def put_broken(self, broken: Mapping[str, Ig4Error], seeds: Sequence[int]) -> None:
        """Record the arms that cannot be prepared: their cells fail with every seed."""
        with self.session.store.writing() as connection:
            for arm, error in broken.items():
                for seed in seeds:
                    row = CellRow(arm, seed, "failed", error=error_text(error))
                    ablations.put(connection, self.number, row)


def earlier_result(
    task: AblationTask, rows: Sequence[CellRow], *, retry_failed: bool
) -> CellResult | None:
    """Return what earlier calls measured of a task's model, None if a benchmark is missing.

    With `retry_failed`, a benchmark with unanswered questions counts as missing.
    """
    metrics: dict[str, Any] = {}
    training_id = samples = None
    for row in rows:
        for name, key in task.keys.items():
            measured = (row.metrics or {}).get(name)
            if measured is None or measured.get("key") != key:
                continue
            if not (retry_failed and measured["failed"]):
                metrics[name] = measured
                training_id, samples = row.training_id, row.samples
    if len(metrics) < len(task.keys):
        return None
    return CellResult(training_id, samples, metrics, trained=True)
