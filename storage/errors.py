"""Errors of the score database; their messages say what to do next."""

from __future__ import annotations

from ig4._errors import Ig4Error


class StorageError(Ig4Error):
    """The score database cannot do what was requested."""


class DatabaseMissingError(StorageError):
    """The database does not exist."""


class DatabaseBusyError(StorageError):
    """Another process holds the database's write lock."""


class UnwritableError(StorageError):
    """The database can be read, and this user may not write to it."""


class ConnectionLostError(StorageError):
    """The connection to the server broke in the middle of a transaction.

    `committed` is False if the server has undone the transaction, None if nobody can know.
    """

    committed: bool | None = None


class SchemaVersionError(StorageError):
    """The database was written by an older or a newer ig4."""


class QueryError(StorageError):
    """A query is not valid SQL, or tried to write."""

    exit_code = 2
