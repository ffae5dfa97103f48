"""What selections a database holds, and all that is known of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from ig4.core.engine.selections.again import SelectedAgain, selected_again
from ig4.storage import datasets, runs, selections

if TYPE_CHECKING:
    from datetime import datetime

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import ListedSelection, SelectionRow


@dataclass(frozen=True, slots=True)
class SelectionSummary:
    """A selection: its number, the user's name for it, and what it was made from and by.

    `label` is that of the recipe, None if there was none; `candidates` is how many samples it was
    chosen from, `run` the number of the run that made it. A `subset` is one that `ig4
    learn-weights` made for its trainings. `created_at` is in UTC.
    """

    id: int
    name: str | None
    note: str | None
    dataset: str
    size: int
    selector: str
    label: str | None
    candidates: int | None
    run: int | None
    created_at: datetime
    subset: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self) | {"created_at": self.created_at.isoformat()}


@dataclass(frozen=True, slots=True)
class SelectionDetails:
    """All that is known of a selection but its samples.

    `config` is what it was made by, `report` what it is told with: `composition`,
    `effective_weights`, `duplicates`, `levels`, `stages` (empty of an older ig4's). `trainings` are
    the numbers of those on it, `cells` the cells of ablations, as `1: arm/42`. `command` is that of
    the run that made it.
    """

    summary: SelectionSummary
    config: Mapping[str, Any]
    report: Mapping[str, Any]
    trainings: Sequence[int]
    cells: Sequence[str]
    command: str | None

    @property
    def again(self) -> SelectedAgain | None:
        """How it is made again; None if no command makes it."""
        return selected_again(self.config)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        again = self.again
        return {
            **self.summary.to_dict(),
            "command": self.command,
            "again": None if again is None else asdict(again),
            "config": dict(self.config),
            "report": dict(self.report),
            "trainings": list(self.trainings),
            "ablation_cells": list(self.cells),
        }


def list_selections(
    session: Session, dataset: DatasetRow | None = None, *, subsets: bool = False
) -> list[SelectionSummary]:
    """Return the selections of a data set, or of all, the newest first.

    With `subsets` also those that weights are learned from, which nobody made.
    """
    with session.store.reading() as connection:
        names = {row.id: row.name for row in datasets.list_all(connection)}
        found = selections.list_all(connection, dataset.id if dataset else None, subsets=subsets)
    return [_summary(one, names) for one in found]


def show_selection(session: Session, selection: SelectionRow) -> SelectionDetails:
    """Return all that is known of a selection."""
    with session.store.reading() as connection:
        names = {row.id: row.name for row in datasets.list_all(connection)}
        listed = selections.list_all(connection, selection.dataset_id, subsets=True)
        (one,) = (one for one in listed if one.row.id == selection.id)
        _, report = selections.report(connection, selection.id)
        trained, cells = selections.references(connection, selection.id)
        made = runs.newest(connection, number=selection.run_id) if selection.run_id else []
    command = made[0].command if made else None
    return SelectionDetails(_summary(one, names), selection.config, report, trained, cells, command)


def _summary(listed: ListedSelection, names: Mapping[int, str]) -> SelectionSummary:
    row, config = listed.row, listed.row.config
    when = row.created_at
    return SelectionSummary(
        id=row.id,
        name=row.name,
        note=row.note,
        dataset=names[row.dataset_id],
        size=row.size,
        selector=str(dict(config.get("selector") or {}).get("use", "")),
        label=listed.label,
        candidates=config.get("candidates"),
        run=row.run_id,
        created_at=when if when.tzinfo else when.replace(tzinfo=UTC),  # as SQLite returns it
        subset=listed.is_subset,
    )
