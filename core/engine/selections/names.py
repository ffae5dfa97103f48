"""What a selection may be called, and how it gets a name that no other one has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ig4.core.errors import UsageError
from ig4.core.texts import sanitize
from ig4.storage import selectionnames, selections

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy import Connection

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

LAST, ALL = "last", "all"
"""What `--selection` takes beside numbers and names: the newest selection, and all samples."""

_LONGEST = 100
_LONGEST_NOTE = 1_000
_SHOWN = 40


def checked_name(name: str) -> str:
    """Return what a selection is to be called, without spaces around it.

    Raises:
        UsageError: it is empty, too long, or would be taken for something else.
    """
    name = name.strip()
    shown = repr(sanitize(name)[:_SHOWN])
    if not name:
        raise UsageError("a selection needs a name that is not empty")
    if len(name) > _LONGEST:
        raise UsageError(
            f"the name {shown}… has {len(name):,} characters: {_LONGEST} are the most that a "
            "selection's may have"
        )
    if name in (LAST, ALL) or name.isdecimal():
        raise UsageError(
            f"a selection cannot be called {shown}: --selection takes that for "
            + ("its number" if name.isdecimal() else "something else")
        )
    if not name.isprintable() or name.startswith("-"):
        raise UsageError(
            f"a selection cannot be called {shown}: use letters, digits, spaces and signs, and no "
            "- in front"
        )
    return name


def checked_note(note: str | None) -> str | None:
    """Return a note as it was given.

    Raises:
        UsageError: it is too long.
    """
    if note is not None and len(note) > _LONGEST_NOTE:
        raise UsageError(
            f"the note has {len(note):,} characters: {_LONGEST_NOTE:,} are the most that a "
            "selection's may have"
        )
    return note


def refuse_taken(
    session: Session, dataset: DatasetRow, name: str | None, config: Mapping[str, Any]
) -> None:
    """Refuse before any work a name whose selection was asked for in another way than `config`.

    Raises:
        UsageError: it is taken; says how to free it.
    """
    if name is None:
        return
    asked = json.loads(json.dumps(config))  # as the database gives it back: tuples are lists
    with session.store.reading() as connection:
        for number in selectionnames.find(connection, name, dataset.id):
            row = selections.find(connection, number)
            known = {} if row is None else row.config
            if any(known.get(key) != value for key, value in asked.items()):
                raise taken_error(name, number, dataset.name)


def give_name(
    session: Session,
    connection: Connection,
    dataset: DatasetRow,
    selection_id: int,
    name: str,
    note: str | None,
) -> None:
    """Give a selection a name, in place of an older one of its own, and say so.

    One that is equal, and older, loses it: what the name stands for remains the same.

    Raises:
        UsageError: another selection of the data set has the name.
    """
    row = selections.find(connection, selection_id)
    assert row is not None
    for number in selectionnames.find(connection, name, dataset.id):
        other = selections.find(connection, number)
        if number == selection_id or other is None:
            continue
        if other.digest != row.digest:
            raise taken_error(name, number, dataset.name)
        selectionnames.remove(connection, number)
        session.notice(
            f"selection {number}, which is the same and older, was called {name}: that is the name "
            f"of selection {selection_id} now"
        )
        note = note or other.note
    if row.name not in (None, name):
        session.notice(f"selection {selection_id} was called {row.name}, and is called {name} now")
    note = note or (row.note if row.name == name else None)
    selectionnames.put(connection, selection_id, name, note)


def taken_error(name: str, number: int, dataset: str) -> UsageError:
    """Return the error that a name is taken, with what frees it."""
    return UsageError(
        f"selection {number} of {dataset} is called {name!r} already: choose another name, or free "
        f"it by `ig4 selections rename {number} NEW` or `ig4 selections delete {number}`"
    )
