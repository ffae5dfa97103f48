"""Finds the selection that a user means: by its number, its name, or as the last one."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ig4.core.engine.selections.names import ALL, LAST
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean
from ig4.core.texts import sanitize
from ig4.storage import datasets, selectionnames, selections

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionRow

_LONGEST_ID = 19  # digits: the database counts to 2^63
_SHOWN = 40


def find_selection(session: Session, dataset: DatasetRow | None, which: str) -> SelectionRow:
    """Return a selection given as "last", as a number, or by its name in a data set.

    Numbers are of any data set. Without a data set, names may be of any as long as only one
    selection has it, and the last one is that of all data sets.

    Raises:
        UsageError: there is none, or several have the name.
    """
    which = which.strip()
    if which == ALL:
        raise UsageError(
            "`all` is no selection, but all samples, and here one is wanted: give a number, a "
            "name, or `last` (`ig4 selections` lists them)"
        )
    with session.store.reading() as connection:
        if which == LAST:
            found = selections.last(connection, dataset.id if dataset else None)
        elif which.isdecimal():
            found = selections.find(connection, int(which)) if len(which) < _LONGEST_ID else None
        else:
            found = _named(connection, dataset, which)
    if found is None:
        raise UsageError(
            f"{_none_yet(session, dataset)} first"
            if which == LAST
            else f"there is no selection {which[:_SHOWN]}: `ig4 selections` lists them"
        )
    return found


def _named(connection: Connection, dataset: DatasetRow | None, name: str) -> SelectionRow | None:
    found = selectionnames.find(connection, name, None if dataset is None else dataset.id)
    if not found:
        known = selectionnames.all_names(connection, None if dataset is None else dataset.id)
        of = "" if dataset is None else f" of {dataset.name}"
        raise UsageError(
            f"there is no selection{of} called {sanitize(name)[:_SHOWN]!r} (`ig4 selections` lists "
            f"them): give a number, a name, or `last`{did_you_mean(name, known)}"
        )
    if len(found) > 1:
        rows = {row.id: row.name for row in datasets.list_all(connection)}
        owners = [selections.find(connection, number) for number in found]
        named = ", ".join(rows[row.dataset_id] for row in owners if row is not None)
        raise UsageError(
            f"selections of {named} are called {name!r}: name the data set with --dataset, or give "
            "a number"
        )
    return selections.find(connection, found[0])


def _none_yet(session: Session, dataset: DatasetRow | None) -> str:
    """Say that nothing is selected, and by which command it would be."""
    with session.store.reading() as connection:
        several = len(datasets.list_all(connection)) > 1
    name = "NAME" if dataset is None else shlex.quote(dataset.name)
    flag = f" --dataset {name}" if several else ""
    of = "" if dataset is None else f" of {dataset.name}"
    return f"there is no selection{of} yet: run `ig4 select{flag} --size 200`"


def dataset_of(session: Session, selection: SelectionRow) -> DatasetRow:
    """Return the data set that a selection was made from."""
    with session.store.reading() as connection:
        rows = datasets.list_all(connection)
    return next(row for row in rows if row.id == selection.dataset_id)
