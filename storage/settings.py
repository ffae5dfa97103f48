"""Statements on what holds for a database as a whole, and for all processes that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from ig4.storage.bulk import upsert
from ig4.storage.schema import Setting

if TYPE_CHECKING:
    from sqlalchemy import Connection

VECTOR_FOLDER = "vector_folder"
"""The folder of vectors in files, where they do not all lie in the database."""

VECTOR_FILE_BYTES = "vector_file_bytes"
"""About so many bytes of vectors are a file, where it is not the usual number."""

VECTOR_OWNER = "vector_owner"
"""The number that stands for the database in the mark of that folder."""

VECTOR_LEFT = "vector_left"
"""The folder that vectors have moved from, as long as their files there are not removed."""

VECTOR_MOVER = "vector_mover"
"""The process that moves vectors just now; it counts while it is among the processes at work."""


def find(connection: Connection, name: str) -> str | None:
    """Return a setting, None if it was never made."""
    return connection.scalar(select(Setting.value).where(Setting.name == name))


def lock(connection: Connection, name: str) -> None:
    """Let no other process change a setting, or act by it, until the transaction ends."""
    connection.execute(select(Setting.value).where(Setting.name == name).with_for_update())


def share(connection: Connection, name: str) -> None:
    """Let no other process change a setting until the transaction ends; several may act by it."""
    statement = select(Setting.value).where(Setting.name == name)
    connection.execute(statement.with_for_update(read=True))


def put(connection: Connection, name: str, value: str) -> None:
    """Make a setting, or change it."""
    statement = upsert(connection, Setting, ["name"], update=["value"])
    connection.execute(statement.values({"name": name, "value": value}))


def put_first(connection: Connection, name: str, value: str) -> None:
    """Make a setting unless it was made before; waits for another process that makes it."""
    statement = upsert(connection, Setting, ["name"], update=[])
    connection.execute(statement.values({"name": name, "value": value}))


def remove(connection: Connection, name: str) -> None:
    """Let a setting be as if it was never made."""
    connection.execute(delete(Setting).where(Setting.name == name))
