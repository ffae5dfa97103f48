"""Errors of the score database, each with what to do next."""

from __future__ import annotations


class StorageError(Exception):
    """The score database cannot be used as asked; shown without a traceback."""

    exit_code = 1


class DatabaseMissingError(StorageError):
    """There is no database where one was expected."""


class DatabaseBusyError(StorageError):
    """Another process holds the database's write lock."""


class SchemaVersionError(StorageError):
    """The database was written by an older or a newer ig4."""


class QueryError(StorageError):
    """A query is not valid SQL, or tried to write."""

    exit_code = 2
