"""Renames and deletes stored selections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.counts import counted, nouns
from ig4.core.engine.selections.finding import dataset_of
from ig4.core.engine.selections.names import checked_name, checked_note, taken_error
from ig4.core.errors import UsageError
from ig4.storage import selectionnames, selections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.engine.session import Session
    from ig4.storage.selections import SelectionRow

_SHOWN = 5


def rename_selection(
    session: Session, selection: SelectionRow, name: str, note: str | None = None
) -> str:
    """Give a selection a name, or another one; returns it. Its note stays if none is given.

    Raises:
        UsageError: the name or the note cannot be used, or another selection of the data set has
            the name.
    """
    name, note = checked_name(name), checked_note(note)
    dataset = dataset_of(session, selection)
    config = {"dataset": dataset.name, "selection": selection.id, "name": name, "note": note}
    with session.recorded("selections rename", config):
        session.attach(dataset.id)
        with session.store.writing() as connection:
            others = set(selectionnames.find(connection, name, dataset.id)) - {selection.id}
            if others:
                raise taken_error(name, others.pop(), dataset.name)
            kept = selection.note if note is None else note
            selectionnames.put(connection, selection.id, name, kept or None)
    return name


def delete_selection(session: Session, selection: SelectionRow) -> None:
    """Delete a selection with its samples, report and name.

    Raises:
        UsageError: trainings or ablations were made of it.
    """
    refuse_in_use(session, selection)
    dataset = dataset_of(session, selection)
    config = {
        "dataset": dataset.name, "selection": selection.id, "name": selection.name,
        "size": selection.size, "digest": selection.digest,
    }  # fmt: skip
    with session.recorded("selections delete", config):
        session.attach(dataset.id)
        with session.store.writing() as connection:
            selections.remove(connection, selection.id)


def refuse_in_use(session: Session, selection: SelectionRow) -> None:
    """Refuse to delete what trainings or ablations were made of: their record would be lost.

    A training without a selection reads as one on all samples, which would be wrong.

    Raises:
        UsageError: names them.
    """
    with session.store.reading() as connection:
        trained, cells = selections.references(connection, selection.id)
    if not trained and not cells:
        return
    told = [
        f"{nouns(len(trained), 'training')} {_listed([str(one) for one in trained])}"
        if trained else "",
        f"{counted(len(cells), 'cell')} of ablations ({_listed(cells)})" if cells else "",
    ]  # fmt: skip
    raise UsageError(
        f"selection {selection.id} cannot be deleted: {' and '.join(filter(None, told))} were made "
        "of it, and would no longer say of which samples. `ig4 selections rename "
        f"{selection.id} NEW` frees its name"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
